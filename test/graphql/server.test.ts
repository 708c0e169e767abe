import { randomBytes } from 'node:crypto';
import {
  buildSchema,
  type GraphQLField,
  type GraphQLInputField,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
} from 'postgraphile/graphql';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { StartupError } from '../../src/errors.ts';
import { printGraphqlSchema, startServer } from '../../src/graphql.ts';
import { type Api, clientOf, memberOf, SECRET, SERVICE, sign, startApi } from '../support/api.ts';
import { atelierDatabase } from '../support/atelier.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';
import { untilBlockedCount } from '../support/locks.ts';
import { createDatabase } from '../support/server.ts';

let database: TestDatabase;
let api: Api;

beforeAll(async () => {
  database = await atelierDatabase();
  api = await startApi(database.url);
});
afterAll(async () => {
  await api.stop();
  await database.close();
});
verifyAfterEach(() => database);

type Field = { name: string; description: string | null; args: { name: string }[] };

async function fieldsOf(type: string): Promise<Field[]> {
  const { __type } = await api.data(
    'query ($type: String!) { __type(name: $type) { description fields { name description args { name } } } }',
    { type },
  );
  return __type.fields;
}

/** A key that is there for the sake of its constraint: lots point at what explains them. */
const NOT_FOLLOWED = ['lot_figures_are_explained_by_a_posting'];

const singular = (name: string) => name.replace(/ies$/, 'y').replace(/([^s])s$/, '$1');

const camelCase = (name: string) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());

describe('the schema', () => {
  test('has a query for each function that reads and a mutation for each that writes, and one for a checkout', async () => {
    // The first is what pages of activity are read from, the last is for subscriptions, the others are the worker's.
    const hidden = [
      'entries_matching',
      'settle_due',
      'top_up_due',
      'top_ups_due',
      'watch_balances',
    ];
    const rows = await database.query(
      `select proname as name, provolatile = 'v' as writes from pg_proc
       where pronamespace = 'credits'::regnamespace and proname <> all ($1)`,
      [hidden],
    );
    const names = (writes: boolean) =>
      rows.filter((row) => row.writes === writes).map(({ name }) => camelCase(name));
    const queries = (await fieldsOf('Query')).map(({ name }) => name);
    const mutations = (await fieldsOf('Mutation')).map(({ name }) => name);
    expect(queries).toEqual(expect.arrayContaining(names(false)));
    expect(queries.filter((name) => hidden.map(camelCase).includes(name))).toEqual([]);
    expect(mutations.sort()).toEqual([...names(true), 'checkoutPack'].sort());
  });

  test('has the documentation of the database', async () => {
    const comments = new Map<string, string>(
      (
        await database.query(`
          select proname as name, obj_description(oid, 'pg_proc') as comment from pg_proc
          where pronamespace = 'credits'::regnamespace`)
      ).map(({ name, comment }) => [camelCase(name), comment]),
    );
    const functions = [...(await fieldsOf('Query')), ...(await fieldsOf('Mutation'))].filter(
      ({ name }) => comments.has(name),
    );
    for (const { name, description } of functions) {
      expect([name, description]).toEqual([name, comments.get(name)]);
    }
  });

  test('says of everything what it is: types, fields, arguments and values', async () => {
    const schema = buildSchema(await printGraphqlSchema(database.url));
    const bare: string[] = [];
    const look = (name: string, { description }: { description?: string | null }) => {
      if ((description ?? '').length < 4) bare.push(name);
    };
    const types = Object.values(schema.getTypeMap()).filter(
      (type) => !isSpecifiedScalarType(type) && !isIntrospectionType(type),
    );
    expect(types.length).toBeGreaterThan(200);
    for (const type of types) {
      look(type.name, type);
      if (isEnumType(type)) {
        for (const value of type.getValues()) look(`${type.name}.${value.name}`, value);
      }
      if (!isObjectType(type) && !isInputObjectType(type)) continue;
      for (const field of Object.values<GraphQLInputField | GraphQLField<unknown, unknown>>(
        type.getFields(),
      )) {
        look(`${type.name}.${field.name}`, field);
        if (!('args' in field)) continue;
        for (const argument of field.args)
          look(`${type.name}.${field.name}(${argument.name}:)`, argument);
      }
    }
    expect(bare).toEqual([]);
    const amount = (await fieldsOf('Entry')).find(({ name }) => name === 'amount');
    expect(amount?.description).toBe('The change, negative when credits leave.');
  });

  test('leads from each row to those that belong to it, and back', async () => {
    for (const [type, relations] of Object.entries({
      Account: [
        'entries',
        'holds',
        'lots',
        'members',
        'meters',
        'purchases',
        'planByPlan',
        'rateCardByRateCard',
        'topUpSetting',
      ],
      Entry: ['account', 'hold', 'postings', 'purchase', 'refundedEntry', 'refunds'],
      Hold: ['account', 'entries', 'holdLots'],
      HoldLot: ['hold', 'lot'],
      Lot: ['account', 'holdLots', 'postings', 'purchase'],
      Member: ['account'],
      Plan: [
        'accountsByPendingPlan',
        'accountsByPlan',
        'planAllowances',
        'planFeatures',
        'planPrices',
      ],
      Posting: ['entry', 'lot'],
      Purchase: ['account', 'entries', 'lots'],
    })) {
      const names = (await fieldsOf(type)).map(({ name }) => name);
      expect([type, names]).toEqual([type, expect.arrayContaining(relations)]);
    }
    // Each foreign key can be followed both ways.
    const rows = await database.query(
      `select conname, conrelid::regclass::text as "from", confrelid::regclass::text as "to"
       from pg_constraint where contype = 'f' and connamespace = 'credits'::regnamespace`,
    );
    const schema = buildSchema(await printGraphqlSchema(database.url));
    const typeOf = (table: string) => singular(camelCase(`_${table.replace('credits.', '')}`));
    const leads = (from: string, to: string) => {
      const type = schema.getType(from);
      if (!isObjectType(type)) return `no type ${from}`;
      return Object.values(type.getFields()).some((field) =>
        [to, `${to}Connection`].includes(getNamedType(field.type).name),
      );
    };
    const left = rows.filter(({ conname }) => !NOT_FOLLOWED.includes(conname));
    expect(left.length).toBeGreaterThan(20);
    for (const { conname, from, to } of left) {
      expect([conname, leads(typeOf(from), typeOf(to))]).toEqual([conname, true]);
      expect([conname, leads(typeOf(to), typeOf(from))]).toEqual([conname, true]);
    }
  });

  test('names tables in the plural, and shows nothing but the schema credits', async () => {
    const tables = await database.query(`
      select relname as name from pg_class
      where relnamespace = 'credits'::regnamespace and relkind in ('r', 'p', 'v')`);
    const queries = (await fieldsOf('Query')).map(({ name }) => name);
    expect(queries).toEqual(expect.arrayContaining(tables.map(({ name }) => camelCase(name))));
    expect(queries).toEqual(expect.arrayContaining(['account', 'entry', 'lot', 'plan']));
    for (const name of [...queries, ...(await fieldsOf('Mutation')).map((field) => field.name)]) {
      expect(name).not.toMatch(/job|worker|violations|migration|catalog$|^(create|update|delete)/i);
    }
  });

  test('requires the arguments without a default, and those alone', async () => {
    const { status, errors } = await api.as(SERVICE, '{ quote(accountId: "team") { amount } }');
    expect(status).toBe(400);
    expect(errors?.[0].message).toContain('operation');
  });

  test('is printed the same every time', async () => {
    const printed = await printGraphqlSchema(database.url);
    expect(printed).toContain('type Query {');
    expect(await printGraphqlSchema(database.url)).toBe(printed);
  });
});

describe('the server', () => {
  test('serves GraphiQL without a token, with all that it needs', async () => {
    const page = await fetch(`${api.url}/`, { headers: { accept: 'text/html' } });
    expect(page.status).toBe(200);
    const html = await page.text();
    const parts = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address);
    expect(parts.length).toBeGreaterThan(0);
    for (const part of parts.filter((address) => !address.startsWith('data:'))) {
      const url = new URL(part, api.url);
      // Nothing comes from elsewhere: it works without a network.
      expect(url.origin).toBe(api.url);
      expect((await fetch(url)).status).toBe(200);
    }
  });

  test('keeps the schema and GraphiQL to itself where it is told to', async () => {
    const server = await startServer({
      connectionString: database.url,
      port: 0,
      jwtSecret: SECRET,
      graphiql: false,
    });
    try {
      const { send, data } = clientOf(server.url);
      expect((await fetch(server.url, { headers: { accept: 'text/html' } })).status).toBe(404);
      expect((await send('{ __schema { queryType { name } } }', {}, null)).status).toBe(401);
      expect(await data('{ __typename }')).toEqual({ __typename: 'Query' });
    } finally {
      await server.stop();
    }
  });

  test('needs a login that may become the two roles, and no more', async () => {
    const [login, password] = [`api_${randomBytes(6).toString('hex')}`, 'secret'];
    await database.query(
      `create role ${login} login noinherit password '${password}' in role credits_service, credits_member`,
    );
    const url = new URL(database.url);
    url.username = login;
    url.password = password;
    expect(await printGraphqlSchema(url.href)).toBe(await printGraphqlSchema(database.url));
    const other = await startApi(url.href);
    try {
      const accountId = 'by-a-plain-login';
      await other.data(
        'mutation ($input: OpenAccountInput!) { openAccount(input: $input) { clientMutationId } }',
        { input: { accountId, plan: 'atelier_pro' } },
      );
      expect(
        await other.data('{ accounts { nodes { accountId } } }', {}, memberOf(accountId)),
      ).toEqual({ accounts: { nodes: [{ accountId }] } });
    } finally {
      await other.stop();
      await database.query(`drop role ${login}`);
    }
  });

  test('answers /healthz while the database does', async () => {
    const response = await fetch(`${api.url}/healthz`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: 'ok' });
  });

  test('takes no operation by GET, so that no link is one', async () => {
    const response = await fetch(`${api.url}/graphql?query={plans{nodes{plan}}}`, {
      headers: { authorization: `Bearer ${await sign(SERVICE)}`, accept: 'application/json' },
    });
    expect(response.status).toBe(405);
  });

  test('asks the database in one round trip: the settings, the query and nothing after it', async () => {
    await database.query(`select credits.open_account('asked', 'atelier_pro', '2026-03-01')`);
    const other = await startApi(database.url);
    const one = '{ balances(accountId: "asked") { total } }';
    for (const claims of [SERVICE, memberOf('asked')]) await other.data(one, {}, claims);
    const rows = await database.query(
      `select query from pg_stat_activity where application_name = 'pgcredits api' and query ~ '"balances"|^commit'`,
    );
    expect(rows).toEqual([{ query: expect.stringContaining('"credits"."balances"') }]);
    await other.stop();
  });

  test('finishes what is under way when it is stopped', async () => {
    const other = await startApi(database.url);
    const slow = await database.pool.connect();
    await slow.query('begin; lock table credits.accounts in access exclusive mode');
    const reply = other.data('{ accounts { totalCount } }');
    await untilBlockedCount(database.pool, 1);
    const stopped = other.stop();
    await slow.query('commit');
    slow.release();
    expect(await reply).toEqual({ accounts: { totalCount: expect.any(Number) } });
    await stopped;
    await expect(fetch(`${other.url}/healthz`)).rejects.toThrow();
  });

  test('says so when the port is taken, the secret too short, or the database not there or not migrated', async () => {
    const options = { connectionString: database.url, jwtSecret: SECRET };
    await expect(startServer({ ...options, port: 0, jwtSecret: 'short' })).rejects.toThrow(
      RangeError,
    );
    await expect(
      startServer({ ...options, port: Number(new URL(api.url).port) }),
    ).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(
      startServer({ ...options, port: 0, connectionString: `${database.url}_missing` }),
    ).rejects.toMatchObject({ code: '3D000' });
    const empty = await createDatabase(inject('serverUrl'));
    await expect(
      startServer({ ...options, port: 0, connectionString: empty.url }),
    ).rejects.toBeInstanceOf(StartupError);
    await empty.drop();
  });
});
