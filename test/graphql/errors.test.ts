import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LIMITS } from '../../src/graphql-limits.ts';
import { type Api, memberOf, SERVICE, startApi } from '../support/api.ts';
import { atelierDatabase } from '../support/atelier.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';
import { untilBlockedCount } from '../support/locks.ts';

let database: TestDatabase;
let api: Api;

beforeAll(async () => {
  database = await atelierDatabase();
  await database.query(`
    select credits.open_account('team', 'atelier_pro', '2026-03-01');
    select credits.open_account('free', 'atelier_free');
    select credits.spend('team', 'image', idempotency_key => 'taken')`);
  api = await startApi(database.url);
});
afterAll(async () => {
  await api.stop();
  await database.close();
});
verifyAfterEach(() => database);

const spend = (input: object) =>
  api.error('mutation ($input: SpendInput!) { spend(input: $input) { result { seq } } }', {
    input: { accountId: 'team', operation: 'image', ...input },
  });

describe('the five errors of the contract arrive with code, detail and hint', () => {
  test.each([
    [
      'PC402',
      { usage: { count: 20 } },
      {
        unit: 'credit',
        required: 100,
        available: 95,
        shortfall: 5,
        next_refill_at: '2026-04-01T00:00:00+00:00',
        smallest_pack: 'box',
      },
    ],
    [
      'PC403',
      { accountId: 'free', operation: 'print' },
      {
        requires: 'plan',
        operation: 'print',
        plan: 'atelier_free',
        plans: ['atelier_pro', 'atelier_studio'],
      },
    ],
    ['PC404', { accountId: 'nobody' }, { what: 'account', key: 'nobody' }],
    [
      'PC409',
      { maxAmount: '4' },
      { reason: 'price_above_max_amount', unit: 'credit', amount: 5, max_amount: 4 },
    ],
    ['PC409', { idempotencyKey: 'taken', usage: { count: 2 } }, { reason: expect.any(String) }],
    ['PC422', { usage: { count: 0 } }, { reason: 'too_small', field: 'count' }],
  ])('%s in a mutation: %o', async (code, input, detail) => {
    const error = await spend(input);
    expect(error.path).toEqual(['spend']);
    expect(Object.keys(error.extensions).sort()).toEqual(['code', 'detail', 'hint']);
    expect(error.extensions).toMatchObject({ code, detail, hint: expect.any(String) });
  });

  test('in a query', async () => {
    const error = await api.error('{ quote(accountId: "team", operation: "dance") { amount } }');
    expect(error.extensions).toEqual({
      code: 'PC404',
      detail: { what: 'operation', key: 'dance' },
      hint: expect.any(String),
    });
  });

  test('in a page of the log', async () => {
    const error = await api.error('{ activity(accountId: "nobody", first: 1) { nodes { seq } } }');
    expect(error.extensions).toMatchObject({ code: 'PC404', detail: { key: 'nobody' } });
  });

  test('one refused field leaves the others their results', async () => {
    const { data, errors } = await api.as(
      memberOf('team'),
      '{ mine: balances(accountId: "team") { unit } theirs: balances(accountId: "free") { unit } }',
    );
    expect(data).toEqual({ mine: [{ unit: 'credit' }, { unit: 'minute' }], theirs: null });
    expect(errors).toMatchObject([{ path: ['theirs'], extensions: { code: 'PC403' } }]);
  });

  test('a refused mutation changes nothing', async () => {
    const state = () =>
      database.query(`select * from credits.balances('team'), credits.activity('team')`);
    const before = await state();
    await spend({ usage: { count: 20 } });
    await spend({ maxAmount: '4' });
    expect(await state()).toEqual(before);
  });
});

describe('a table that a member is not granted', () => {
  test.each([
    '{ promotionClaims { nodes { claimant } } }',
    '{ paymentCustomers { nodes { provider } } }',
    '{ account(accountId: "team") { paymentCustomers { nodes { provider } } } }',
    '{ promotions { nodes { promotionClaims { nodes { claimant } } } } }',
  ])('is not allowed, and nothing for the log: %s', async (operation) => {
    const logged = api.log.length;
    const error = await api.error(operation, {}, memberOf('team'));
    expect(error.extensions).toEqual({
      code: 'PC403',
      detail: { requires: 'service' },
      hint: expect.any(String),
    });
    expect(JSON.stringify(error)).not.toMatch(/permission|promotion_claims|payment_customers/);
    expect(api.log.length).toBe(logged);
  });
});

describe('any other error of the database', () => {
  test('is masked, and logged under its id', async () => {
    const logged = api.log.length;
    await database.query(
      `create function public.fault() returns trigger language plpgsql as $$ begin perform 1 / 0; end $$;
       create trigger fault before insert on credits.lots execute function public.fault()`,
    );
    const error = await api.error(
      'mutation { grant(input: { accountId: "team", amount: "1" }) { result { granted } } }',
    );
    await database.query('drop function public.fault cascade');
    expect(error.extensions).toEqual({ code: 'INTERNAL', id: expect.any(String) });
    expect(JSON.stringify(error)).not.toMatch(/zero|fault/);
    expect(api.log.slice(logged)).toEqual([
      expect.stringMatching(new RegExp(`${error.extensions.id}.*22012`)),
    ]);
  });

  test('is one where a function of ours lacks a grant', async () => {
    const logged = api.log.length;
    await database.query('revoke select on credits_private.price_lists from credits_engine');
    const error = await api.error('{ quote(accountId: "team", operation: "image") { amount } }');
    await database.query('grant select on credits_private.price_lists to credits_engine');
    expect(error.extensions).toEqual({ code: 'INTERNAL', id: expect.any(String) });
    expect(api.log.slice(logged)).toEqual([expect.stringContaining('42501')]);
  });

  test('says that it took too long, where that is why', async () => {
    const writer = await database.pool.connect();
    await writer.query('begin; lock table credits.accounts in access exclusive mode');
    const reply = api.error('{ accounts { nodes { accountId } } }', {}, memberOf('team'));
    await untilBlockedCount(database.pool, 1);
    // As the limit of time would.
    await database.query(
      'select pg_cancel_backend(pid) from pg_stat_activity where cardinality(pg_blocking_pids(pid)) > 0',
    );
    expect((await reply).extensions).toEqual({ code: 'TIMEOUT', hint: expect.any(String) });
    await writer.query('rollback');
    writer.release();
  });
});

describe('input that cannot be read', () => {
  const BALANCES = 'query ($at: Datetime) { balances(accountId: "team", at: $at) { unit } }';
  const GRANT =
    'mutation ($amount: BigFloat!) { grant(input: { accountId: "team", amount: $amount }) { result { granted } } }';
  const LOT = 'query ($id: BigInt!) { lot(accountId: "team", lotId: $id) { unit } }';
  const QUOTE =
    'query ($account: String = "team", $operation: String = "image", $usage: JSON) { quote(accountId: $account, operation: $operation, usage: $usage) { amount } }';

  test.each<[string, object, string]>([
    [GRANT, { amount: 'much' }, '$amount'],
    [GRANT, { amount: '' }, '$amount'],
    [GRANT, { amount: '1,5' }, '$amount'],
    [GRANT, { amount: '1e99999' }, '$amount'],
    [GRANT, { amount: '-Infinity' }, '$amount'],
    [GRANT, { amount: true }, '$amount'],
    [GRANT, { amount: ['1'] }, '$amount'],
    [BALANCES, { at: 'tomorrow' }, '$at'],
    [BALANCES, { at: 'infinity' }, '$at'],
    [BALANCES, { at: '01/02/2026' }, '$at'],
    [BALANCES, { at: 7 }, '$at'],
    [LOT, { id: 'one' }, '$id'],
    [LOT, { id: '1.5' }, '$id'],
    [LOT, { id: '12345678901234567890' }, '$id'],
  ])(
    'is refused before anything runs, and said to be where it is: %s %o',
    async (operation, variables, where) => {
      const { status, data, errors } = await api.as(SERVICE, operation, variables);
      expect({ status, data }).toEqual({ status: 400, data: undefined });
      expect(errors).toHaveLength(1);
      expect(errors?.[0].message).toContain(where);
    },
  );

  test('is refused as a literal too', async () => {
    const { status, errors } = await api.as(
      SERVICE,
      '{ balances(accountId: "team", at: "soon") { unit } }',
    );
    expect(status).toBe(400);
    expect(errors?.[0].message).toContain('"soon"');
  });

  test.each<[string, string, object, string]>([
    ['a NUL in an account', QUOTE, { account: 'te\0am' }, 'quote'],
    ['a NUL in an operation', QUOTE, { operation: 'im\0age' }, 'quote'],
    ['a NUL within JSON', QUOTE, { usage: { resolution: '4K\0' } }, 'quote'],
    ['a NUL in a name of JSON', QUOTE, { usage: { 're\0solution': '4K' } }, 'quote'],
    ['half a character', QUOTE, { usage: { resolution: '\ud800' } }, 'quote'],
    ['a 13th month', BALANCES, { at: '2026-13-45T00:00:00Z' }, 'balances'],
    ['February 30', BALANCES, { at: '2026-02-30T00:00:00Z' }, 'balances'],
    ['more than a bigint', LOT, { id: '9999999999999999999' }, 'lot'],
  ])('that only the database finds is PC422: %s', async (_, operation, variables, field) => {
    const logged = api.log.length;
    expect((await api.error(operation, variables)).extensions).toEqual({
      code: 'PC422',
      detail: { reason: 'malformed', field },
      hint: expect.any(String),
    });
    // It is no fault of the server's.
    expect(api.log.length).toBe(logged);
  });

  test.each([
    ['NaN', { reason: 'not_positive', field: 'amount' }],
    ['-5', { reason: 'not_positive', field: 'amount' }],
    ['1e30', { field: 'amount' }],
  ])('that PostgreSQL can read is for the functions to judge: %s', async (amount, detail) => {
    expect((await api.error(GRANT, { amount })).extensions).toMatchObject({
      code: 'PC422',
      detail,
    });
  });

  test.each(['12.50', '.5', '1e1', 12.5, 7])(
    'numbers may be texts or numbers: %s',
    async (amount) => {
      const { grant } = await api.data(GRANT, { amount });
      expect(Number(grant.result.granted)).toBe(Number(amount));
    },
  );

  test.each(['soon', 'W10=', 'WyJhIiwxXQ=='])('a cursor that is none: %s', async (after) => {
    const logged = api.log.length;
    const error = await api.error(
      'query ($after: Cursor) { lots(after: $after) { nodes { lotId } } }',
      { after },
    );
    expect(error.extensions).toEqual({
      code: 'PC422',
      detail: { reason: 'malformed', field: 'cursor' },
      hint: expect.any(String),
    });
    expect(api.log.length).toBe(logged);
  });

  test('an account that is null is no account', async () => {
    const error = await database
      .query('select * from credits.activity(null)')
      .catch((caught) => caught);
    expect(error).toMatchObject({ code: 'PC404' });
  });
});

describe('an error of GraphQL itself', () => {
  test('says what is wrong', async () => {
    const { status, errors } = await api.as({ role: 'credits_service' }, '{ nothing }');
    expect(status).toBe(400);
    expect(errors).toHaveLength(1);
    expect(errors?.[0].message).toContain('nothing');
  });

  test('of a variable is the same, whether or not the operation ran before', async () => {
    const operation = 'query ($id: String!) { balances(accountId: $id) { unit } }';
    const wrong = [{}, { id: null }, { id: 7 }, { id: { a: 1 } }];
    const ask = (variables: object) => api.as({ role: 'credits_service' }, operation, variables);
    const first = await Promise.all(wrong.map(ask));
    for (const { status, data, errors } of first) {
      expect([status, data]).toEqual([400, undefined]);
      expect(errors?.[0].message).toContain('$id');
    }
    expect((await ask({ id: 'team' })).errors).toBeUndefined();
    expect(await Promise.all(wrong.map(ask))).toEqual(first);
  });
});

describe('a request that is none', () => {
  const QUERY = JSON.stringify({ query: '{ __typename }' });

  test.each<[string, RequestInit, [number, string]]>([
    ['whose JSON is malformed', { body: '{' }, [400, 'BAD_REQUEST']],
    ['of several operations', { body: `[${QUERY}, ${QUERY}]` }, [400, 'BAD_REQUEST']],
    ['without a body', { body: '' }, [400, 'BAD_REQUEST']],
    [
      'whose variables are none',
      { body: '{"query":"{ __typename }","variables":[]}' },
      [400, 'BAD_REQUEST'],
    ],
    [
      'without the operation that it names',
      { body: '{"query":"{ __typename }","operationName":"a"}' },
      [400, 'BAD_REQUEST'],
    ],
    [
      'of another type',
      { headers: { 'content-type': 'text/plain' } },
      [415, 'UNSUPPORTED_MEDIA_TYPE'],
    ],
    [
      'for another type',
      { headers: { 'content-type': 'application/json', accept: 'text/csv' } },
      [406, 'NOT_ACCEPTABLE'],
    ],
    ['by another method', { method: 'PUT' }, [405, 'METHOD_NOT_ALLOWED']],
    ['that is too large', { body: QUERY + ' '.repeat(LIMITS.body) }, [413, 'LIMIT']],
  ])('has a code: %s', async (_, init, [status, code]) => {
    const headers = { 'content-type': 'application/json' };
    const url = `${api.url}/graphql`;
    const response = await fetch(url, { method: 'POST', headers, body: QUERY, ...init });
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({
      errors: [
        {
          message: expect.any(String),
          extensions: expect.objectContaining({ code, hint: expect.any(String) }),
        },
      ],
    });
  });
});
