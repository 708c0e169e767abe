/** How much a request may ask for: what is refused before anything runs, and what is not. */
import { getIntrospectionQuery } from 'postgraphile/graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LIMITS } from '../../src/graphql-limits.ts';
import { type Api, memberOf, SERVICE, sign, startApi } from '../support/api.ts';
import { atelierDatabase } from '../support/atelier.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';

let database: TestDatabase;
let api: Api;

beforeAll(async () => {
  database = await atelierDatabase();
  await database.query(
    `select credits.open_account('team', rate_card => 'atelier');
     select credits."grant"('team', 1) from generate_series(1, ${LIMITS.page + 5})`,
  );
  api = await startApi(database.url);
});
afterAll(async () => {
  await api.stop();
  await database.close();
});
verifyAfterEach(() => database);

/** What the refusal of an operation says. */
async function refused(operation: string, variables = {}, status = 400) {
  const reply = await api.as(memberOf('team'), operation, variables);
  expect([reply.status, reply.data]).toEqual([status, undefined]);
  expect(reply.errors).toHaveLength(1);
  return reply.errors?.[0].extensions;
}

const repeated = (times: number, field: (i: number) => string) =>
  `{ ${Array.from({ length: times }, (_, i) => field(i)).join(' ')} }`;

describe('a page', () => {
  const PAGE =
    'query ($first: Int, $last: Int) { activity(accountId: "team", first: $first, last: $last) { nodes { seq } } }';
  const size = async (variables: object, operation = PAGE) =>
    Object.values<{ nodes: unknown[] }>(await api.data(operation, variables, memberOf('team')))[0]
      .nodes.length;

  test('is of a hundred rows, unless told otherwise', async () => {
    expect(await size({})).toBe(LIMITS.page);
    expect(await size({ first: null, last: null })).toBe(LIMITS.page);
    expect(await size({}, '{ activity(accountId: "team") { nodes { seq } } }')).toBe(LIMITS.page);
    expect(await size({}, '{ lots { nodes { lotId } } }')).toBe(LIMITS.page);
    const { account } = await api.data(
      '{ account(accountId: "team") { lots { nodes { lotId } pageInfo { hasNextPage } } } }',
    );
    expect(account.lots.nodes).toHaveLength(LIMITS.page);
    expect(account.lots.pageInfo.hasNextPage).toBe(true);
    expect(await size({ first: 101 })).toBe(101);
    expect(await size({ last: 101 })).toBe(101);
    expect(await size({ first: 0 })).toBe(0);
    expect(await size({ first: LIMITS.pageAtMost })).toBe(LIMITS.page + 5);
  });

  test.each([
    { first: LIMITS.pageAtMost + 1 },
    { last: LIMITS.pageAtMost + 1 },
    { first: -1 },
    { last: -1 },
    { first: 10, last: 2000 },
  ])('is of a thousand rows at most: %o', async (variables) => {
    expect(await refused(PAGE, variables)).toMatchObject({
      code: 'LIMIT',
      detail: { limit: expect.stringMatching(/^(first|last)$/), at_most: LIMITS.pageAtMost },
      hint: expect.any(String),
    });
  });

  test('is limited where it is nested too, and as a literal', async () => {
    expect(
      await refused('{ accounts(first: 1) { nodes { lots(first: 5000) { nodes { lotId } } } } }'),
    ).toMatchObject({
      code: 'LIMIT',
      detail: { limit: 'first', asked: 5000 },
    });
  });
});

describe('the cost', () => {
  test('is what would be read at worst', async () => {
    expect(
      await refused('{ accounts(first: 1000) { nodes { entries { nodes { seq } } } } }'),
    ).toEqual({
      statusCode: 400,
      code: 'LIMIT',
      detail: { limit: 'cost', at_most: LIMITS.cost, asked: 101_200 },
      hint: expect.any(String),
    });
  });

  test.each([
    [
      'the rows of a page in rows of a page',
      '{ accounts(first: 1000) { nodes { entries { nodes { postings { nodes { seq } } } } } } }',
    ],
    [
      'by way of edges',
      '{ accounts(first: 1000) { edges { node { entries { edges { node { seq } } } } } } }',
    ],
    [
      'by way of fragments',
      '{ accounts(first: 1000) { ...a } } fragment a on AccountConnection { nodes { ...b } } fragment b on Account { entries { nodes { seq } } }',
    ],
    [
      'by way of aliases',
      `{ accounts(first: 400) { nodes ${repeated(3, (i) => `e${i}: entries { nodes { seq } }`)} } }`,
    ],
    [
      'under a name among others',
      'query b { __typename } query a { accounts(first: 1000) { nodes { entries { nodes { seq } } } } }',
    ],
    [
      'in a mutation',
      'mutation { buy(input: { accountId: "team", pack: "box" }) { query { accounts(first: 1000) { nodes { entries { nodes { seq } } } } } } }',
    ],
  ])('counts %s', async (_, query) => {
    const response = await fetch(`${api.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${await sign(memberOf('team', { member_role: 'admin' }))}`,
      },
      body: JSON.stringify({ query, ...(query.includes('query a') && { operationName: 'a' }) }),
    });
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: 'LIMIT', detail: { limit: 'cost' } } }],
    });
    expect(await database.query('select from credits.purchases')).toEqual([]);
  });

  test('counts each question that is asked', async () => {
    const asking = (times: number) => repeated(times, (i) => `a${i}: plan(plan: "x") { name }`);
    expect(await refused(asking(501))).toMatchObject({ code: 'LIMIT', detail: { limit: 'cost' } });
    expect((await api.as(memberOf('team'), asking(100))).status).toBe(200);
  });

  test('leaves alone what variables leave out, and what a product shows', async () => {
    const skipped =
      'query ($all: Boolean!) { accounts(first: 1000) { nodes { accountId entries @include(if: $all) { nodes { seq } } } } }';
    expect((await api.as(memberOf('team'), skipped, { all: false })).status).toBe(200);
    expect(await refused(skipped, { all: true })).toMatchObject({ code: 'LIMIT' });
    await api.data(
      `{ balances(accountId: "team") { unit total }
         activity(accountId: "team", first: 100) { nodes { seq postings { nodes { amount lot { bucket purchase { price } } } } } }
         account(accountId: "team") { planByPlan { name planPrices { nodes { price } } } members { nodes { memberId } } topUpSetting { enabled } }
         rateCards { nodes { name } }
         plans { nodes { plan planPrices { nodes { price } } planAllowances { nodes { amount } } planFeatures { nodes { value } } } }
         packs { nodes { pack packPrices { nodes { price } } } }
         rates(accountId: "team") { operation price } features(accountId: "team") { feature } }`,
      {},
      memberOf('team'),
    );
  });
});

describe('the depth', () => {
  const TOO_DEEP = {
    code: 'LIMIT',
    detail: { limit: 'depth', at_most: LIMITS.depth, lists_at_most: LIMITS.lists },
    hint: expect.any(String),
  };

  test.each([
    [
      'round and round',
      '{ account(accountId: "team") { entries { nodes { account { entries { nodes { account { entries { nodes { seq } } } } } } } } } }',
    ],
    ['by way of query', `${'{ query '.repeat(20)} { __typename } ${'}'.repeat(20)}`],
  ])('is limited: %s', async (_, operation) => {
    expect(await refused(operation)).toEqual(TOO_DEEP);
  });

  test('is limited in introspection, which needs no token', async () => {
    const operation = `{ __schema { types { fields { type { ${'fields { type { '.repeat(5)} name ${'} }'.repeat(5)} } } } } }`;
    const { status, data, errors } = await api.send(operation, {}, null);
    expect([status, data]).toEqual([400, undefined]);
    expect(errors).toContainEqual(expect.objectContaining({ extensions: TOO_DEEP }));
  });

  test('lets GraphiQL and code generators ask for the schema', async () => {
    for (const introspection of [
      getIntrospectionQuery(),
      getIntrospectionQuery({
        inputValueDeprecation: true,
        schemaDescription: true,
        specifiedByUrl: true,
      }),
    ]) {
      const { status, errors } = await api.send(introspection, {}, null);
      expect([status, errors]).toEqual([200, undefined]);
    }
  });
});

describe('the size', () => {
  test('of a document', async () => {
    const operation = `{ __typename }${' '.repeat(LIMITS.document)}`;
    // Before it is read, also of who has no token.
    expect((await api.send(operation, {}, null)).status).toBe(413);
    expect(await refused(operation, {}, 413)).toMatchObject({
      code: 'LIMIT',
      detail: { limit: 'document' },
    });
  });

  test('of fragments that unfold', async () => {
    const doubling = Array.from(
      { length: 40 },
      (_, i) => `fragment f${i} on Query { ...f${i + 1} ...f${i + 1} }`,
    );
    const operation = `query { ...f0 } ${doubling.join(' ')} fragment f40 on Query { __typename }`;
    const { status, data } = await api.as(SERVICE, operation);
    expect([status, data]).toEqual([400, undefined]);
  });

  const post = async (body: string) =>
    fetch(`${api.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${await sign(SERVICE)}`,
      },
      body,
    });

  test('of a body', async () => {
    const query = 'query ($usage: JSON) { item(operation: "image", usage: $usage) { operation } }';
    const usage = { note: 'x'.repeat(LIMITS.body) };
    const response = await post(JSON.stringify({ query, variables: { usage } }));
    expect(response.status).toBe(413);
  });

  test('of a list of operations: none is taken', async () => {
    const response = await post(
      JSON.stringify([{ query: '{ __typename }' }, { query: '{ __typename }' }]),
    );
    expect(response.status).toBe(400);
  });
});
