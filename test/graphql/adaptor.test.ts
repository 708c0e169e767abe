/** What carries the API's queries to the database: with a caller's settings, and nothing of them left behind. */
import type { Pool } from 'pg';
import type { WithPgClient } from 'postgraphile/@dataplan/pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPool } from '../../src/database.ts';
import { createWithPgClient } from '../../src/graphql-adaptor.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { untilTrue } from '../support/locks.ts';

let database: TestDatabase;
/** Of one connection, so that each query has what the one before left there. */
let pool: Pool;
let withPgClient: WithPgClient;

const MEMBER = { role: 'credits_member', 'credits.account_id': 'team', statement_timeout: '10s' };

const SEEN = `select current_user::text as role, current_setting('credits.account_id', true) as account_id,
  current_setting('statement_timeout') as timeout`;

beforeAll(async () => {
  database = await testDatabase({ catalogs: false });
  await database.query(`
    create table written (n int unique deferrable initially deferred, by text default current_user);
    grant select, insert on written to credits_member;
    create function write_twice() returns text language sql begin atomic
      insert into written (n) values (1), (1);
      select 'done';
    end`);
  pool = createPool({ connectionString: database.url, max: 1 });
  withPgClient = createWithPgClient({ pool });
});
afterAll(async () => {
  await pool.end();
  await database.close();
});

function ask(
  text: string,
  { settings = MEMBER, ...query }: { settings?: object; name?: string; values?: unknown[] } = {},
) {
  return withPgClient({ ...settings }, (client) => client.query({ text, ...query }));
}

/** What the next one to use the connection has. */
async function left() {
  const { rows } = await pool.query(SEEN);
  return rows[0];
}

async function written() {
  return (await database.query('select n, by from written order by n')).map((row) => [
    row.n,
    row.by,
  ]);
}

describe('a query', () => {
  test('whose connection the server ends takes no other along', async () => {
    const running = ask('select pg_sleep(600)');
    const waiting = [ask(SEEN), ask(SEEN)];
    await untilTrue(
      database.pool,
      `select pg_terminate_backend(pid) as yes from pg_stat_activity where query = 'select pg_sleep(600)'`,
    );
    await expect(running).rejects.toMatchObject({ code: '57P01' });
    for (const { rows } of await Promise.all(waiting)) {
      expect(rows).toMatchObject([{ role: 'credits_member', account_id: 'team' }]);
    }
  });

  test('is not run without its settings where somebody discarded what was prepared, once', async () => {
    await pool.query('deallocate all');
    await expect(ask('insert into written (n) values (7)')).rejects.toMatchObject({
      code: '26000',
    });
    expect(await written()).toEqual([]);
    expect((await ask(SEEN)).rows).toMatchObject([{ role: 'credits_member' }]);
  });

  test('has its settings, and leaves none of them behind', async () => {
    const before = await left();
    const { rows, rowCount } = await ask(SEEN, { name: 'seen' });
    expect(rows).toEqual([{ role: 'credits_member', account_id: 'team', timeout: '10s' }]);
    expect(rowCount).toBe(1);
    expect(await left()).toEqual({ ...before, account_id: '' });
    const other = { role: 'credits_service', 'credits.account_id': '' };
    expect((await ask(SEEN, { name: 'seen', settings: other })).rows).toEqual([
      { role: 'credits_service', account_id: '', timeout: before.timeout },
    ]);
    expect((await left()).role).toBe(before.role);
  });

  test('leaves none of them behind when it fails, and nothing that it wrote', async () => {
    const before = await left();
    await expect(ask('insert into written (n) values (1 / 0)')).rejects.toMatchObject({
      code: '22012',
    });
    await expect(ask('select from nowhere', { name: 'nowhere' })).rejects.toMatchObject({
      code: '42P01',
    });
    // It fails when all is done, as its transaction ends.
    await expect(ask('select write_twice()')).rejects.toMatchObject({ code: '23505' });
    expect(await left()).toEqual(before);
    expect(await written()).toEqual([]);
    // Failing once is no obstacle to being asked again.
    await database.query('create table nowhere (); grant select on nowhere to credits_member');
    expect((await ask('select from nowhere', { name: 'nowhere' })).rowCount).toBe(0);
  });

  test('does not run where its settings cannot be set', async () => {
    const before = await left();
    for (const settings of [
      { role: 'nobody' },
      { ...MEMBER, statement_timeout: 'soon' },
      { ...MEMBER, 'no such setting': '' },
    ]) {
      const query = { settings, name: 'written', values: [7] };
      await expect(ask('insert into written (n) values ($1)', query)).rejects.toThrow();
      expect(await left()).toEqual(before);
    }
    expect(await written()).toEqual([]);
    await ask('insert into written (n) values ($1)', { name: 'written', values: [7] });
    expect(await written()).toEqual([[7, 'credits_member']]);
  });

  test('is stopped when it takes longer than its settings allow', async () => {
    const settings = { ...MEMBER, statement_timeout: '20ms' };
    await expect(ask('select pg_sleep(10)', { settings })).rejects.toMatchObject({ code: '57014' });
  });

  test('comes back as arrays where that is asked for', async () => {
    const { rows } = await withPgClient(MEMBER, (client) =>
      client.query({
        text: 'select $1::int as a, $2::text as a',
        values: [1, null],
        arrayMode: true,
      }),
    );
    expect(rows).toEqual([[1, null]]);
  });

  test('without settings is the connection’s own', async () => {
    const before = await left();
    const { rows } = await withPgClient(null, (client) => client.query({ text: SEEN }));
    expect(rows).toEqual([before]);
  });
});

test('a transaction has its settings throughout, and is undone as a whole', async () => {
  const before = await left();
  await database.query('truncate written');
  const seen = await withPgClient(MEMBER, (client) =>
    client.withTransaction(async (within) => {
      await within.query({ text: 'insert into written (n) values (1)' });
      return (await within.query({ text: SEEN })).rows;
    }),
  );
  expect(seen).toEqual([{ role: 'credits_member', account_id: 'team', timeout: '10s' }]);
  const failing = withPgClient(MEMBER, (client) =>
    client.withTransaction(async (within) => {
      await within.query({ text: 'insert into written (n) values (2)' });
      throw new Error('changed its mind');
    }),
  );
  await expect(failing).rejects.toThrow('changed its mind');
  expect(await written()).toEqual([[1, 'credits_member']]);
  expect(await left()).toEqual(before);
});

test('a connection keeps no more than a hundred prepared statements, and can prepare any of them again', async () => {
  const nth = async (n: number) =>
    (await ask(`select ${n} as n`, { name: `number ${n}` })).rows[0] as { n: number };
  for (let n = 0; n < 250; n++) expect(await nth(n)).toEqual({ n });
  for (const n of [0, 249, 120]) expect(await nth(n)).toEqual({ n });
  const { rows } = await pool.query(
    `select count(*)::int as statements from pg_prepared_statements where name like 'number %'`,
  );
  expect(rows[0].statements).toBeGreaterThan(50);
  expect(rows[0].statements).toBeLessThanOrEqual(100);
});
