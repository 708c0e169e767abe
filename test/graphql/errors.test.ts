import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Api, memberOf, startApi } from '../support/api.ts';
import { atelierDatabase } from '../support/atelier.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';

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

describe('any other error of the database', () => {
  test.each([
    [
      'a value of the wrong type',
      'mutation { grant(input: { accountId: "team", amount: "much" }) { result { lotId } } }',
      '22P02',
    ],
    ['a lack of privileges', '{ promotionClaims { nodes { claimant } } }', '42501'],
  ])('is masked, and logged under its id: %s', async (_, operation, sqlstate) => {
    const claims = sqlstate === '42501' ? memberOf('team') : undefined;
    const logged = api.log.length;
    const error = await api.error(operation, {}, claims);
    expect(error.extensions).toEqual({ code: 'INTERNAL', id: expect.any(String) });
    expect(JSON.stringify(error)).not.toMatch(/numeric|much|permission|promotion_claims/);
    expect(api.log.slice(logged)).toEqual([
      expect.stringMatching(new RegExp(`${error.extensions.id}.*${sqlstate}`)),
    ]);
  });
});

describe('an error of GraphQL itself', () => {
  test('says what is wrong', async () => {
    const { status, errors } = await api.as({ role: 'credits_service' }, '{ nothing }');
    expect(status).toBe(400);
    expect(errors).toHaveLength(1);
    expect(errors?.[0].message).toContain('nothing');
  });
});
