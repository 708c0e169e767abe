import { randomBytes } from 'node:crypto';
import type { JobHelpers } from 'graphile-worker';
import type { PoolClient } from 'pg';
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { StartupError } from '../../src/errors.ts';
import { settleDue } from '../../src/tasks/settle-due.ts';
import { startWorker, type Worker } from '../../src/worker.ts';
import { atelierDatabase } from '../support/atelier.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';
import { untilBlockedCount } from '../support/locks.ts';
import { createDatabase } from '../support/server.ts';

const DAY = 24 * 60 * 60 * 1000;

let database: TestDatabase;
let workers: Worker[];
let log: string[];

beforeEach(async () => {
  database = await atelierDatabase(['atelier']);
  workers = [];
  log = [];
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  await database.close();
});
verifyAfterEach(() => database);

async function work(connectionString = database.url): Promise<Worker> {
  const worker = await startWorker({ connectionString, log: (line) => log.push(line) });
  workers.push(worker);
  return worker;
}

/** One sweep, without a worker. */
async function sweep(options: Parameters<typeof settleDue>[1]): Promise<void> {
  const withPgClient = async <Result>(work: (client: PoolClient) => Promise<Result>) => {
    const client = await database.pool.connect();
    try {
      return await work(client);
    } finally {
      client.release();
    }
  };
  const task = settleDue((line) => log.push(line), options);
  await task({}, { withPgClient } as unknown as JobHelpers);
}

const due = async () =>
  (
    await database.query(
      'select account_id from credits.accounts where next_due_at <= credits_private.now() order by 1',
    )
  ).map(({ account_id }) => account_id);

const unfinished = async () =>
  (await database.query('select count(*)::int as jobs from graphile_worker.jobs'))[0].jobs;

/** Resolves once the worker has nothing left to do. */
const idle = () => vi.waitFor(async () => expect(await unfinished()).toBe(0), { timeout: 60_000 });

const opened = (account: string, plan: string, anchor = '2026-03-01') =>
  database.query('select credits.open_account($1, $2, $3)', [account, plan, anchor]);

const balances = (account: string) =>
  database.query('select * from credits.balances($1)', [account]);

/** An account's log, as `2026-04-01 expiry credit -95.00`. */
const logOf = async (account: string) =>
  (
    await database.query(
      `select to_char(occurred_at at time zone 'UTC', 'YYYY-MM-DD') as day, kind, unit, amount
       from credits.entries where account_id = $1 order by seq`,
      [account],
    )
  ).map(({ day, kind, unit, amount }) => `${day} ${kind} ${unit} ${amount}`);

describe('a worker that starts', () => {
  test('settles what is due, and only that', async () => {
    await opened('monthly', 'atelier_pro');
    await opened('later', 'atelier_pro', '2026-03-05');
    await opened('never', 'atelier_free');
    await database.query(`select credits."grant"('never', 7, expires_at => '2026-04-01')`);
    await database.setNow('2026-04-02T00:00:00Z');
    expect(await due()).toEqual(['monthly', 'never']);

    await work();
    await idle();
    expect(await due()).toEqual([]);
    expect(await logOf('monthly')).toEqual([
      '2026-03-10 refill credit 100',
      '2026-03-10 refill minute 10',
      '2026-04-01 expiry credit -100',
      '2026-04-01 expiry minute -10',
      '2026-04-01 refill credit 100',
      '2026-04-01 refill minute 10',
    ]);
    expect(await logOf('never')).toEqual([
      '2026-03-10 grant credit 7',
      '2026-04-01 expiry credit -7',
    ]);
    expect(await logOf('later')).toHaveLength(2);
  });

  test('finds nothing to do where nothing is due', async () => {
    await opened('monthly', 'atelier_pro');
    await work();
    await idle();
    expect(await logOf('monthly')).toHaveLength(2);
    expect(log).toEqual([]);
  });

  test('has its task done every minute from then on', async () => {
    await work();
    expect(
      await database.query('select identifier from graphile_worker._private_known_crontabs'),
    ).toEqual([{ identifier: 'settle_due' }]);
  });

  test('needs a login with the rights of credits_service and no more', async () => {
    const [login, password] = [`worker_${randomBytes(6).toString('hex')}`, 'secret'];
    await database.query(`
      create role ${login} login password '${password}' in role credits_service;
      do $$ begin execute format('grant create on database %I to ${login}', current_database()); end $$`);
    try {
      await opened('monthly', 'atelier_pro');
      await database.setNow('2026-04-02T00:00:00Z');
      const url = new URL(database.url);
      url.username = login;
      url.password = password;
      const worker = await work(url.href);
      await idle();
      await worker.stop();
      expect(await due()).toEqual([]);
      expect(log.filter((line) => !line.startsWith('Settled'))).toEqual([]);
    } finally {
      await database.query(`drop owned by ${login} cascade; drop role ${login}`);
    }
  });

  test('says so when the database is not there, or not migrated', async () => {
    await expect(work(`${database.url}_missing`)).rejects.toMatchObject({ code: '3D000' });
    const empty = await createDatabase(inject('serverUrl'));
    await expect(work(empty.url)).rejects.toBeInstanceOf(StartupError);
    await empty.drop();
  });
});

describe('a year without a worker', () => {
  test('leaves every balance right at once, and the log complete after one sweep', async () => {
    await opened('resets', 'atelier_pro');
    await opened('carries', 'atelier_saver', '2026-03-31');
    await database.query(`
      select credits.spend('resets', 'image', '{"count": 4}');
      select credits."grant"('resets', 30);
      select credits."grant"('resets', 9, expires_at => '2026-08-15')`);
    const before = await logOf('resets');
    await database.setNow('2027-03-10T12:00:00Z');

    const [credit, minute] = await balances('resets');
    expect(credit).toMatchObject({ unit: 'credit', included: '100.00', additional: '30.00' });
    expect(minute).toMatchObject({ unit: 'minute', included: '10', additional: '0' });
    const [carried] = await balances('carries');
    expect(carried).toMatchObject({ included: '520.00', additional: '0.00' });
    expect(await logOf('resets')).toEqual(before);

    await work();
    await idle();
    expect(await balances('resets')).toEqual([credit, minute]);
    expect((await balances('carries'))[0]).toEqual(carried);

    const months = Array.from({ length: 12 }, (_, i) =>
      new Date(Date.UTC(2026, 3 + i, 1)).toISOString().slice(0, 10),
    );
    const left = (day: string) => (day === '2026-04-01' ? '-80.00' : '-100');
    const boundaries = months.flatMap((day) => [
      `${day} expiry credit ${left(day)}`,
      `${day} expiry minute -10`,
      `${day} refill credit 100`,
      `${day} refill minute 10`,
    ]);
    const gift = boundaries.indexOf('2026-09-01 expiry credit -100');
    boundaries.splice(gift, 0, '2026-08-15 expiry credit -9');
    expect(await logOf('resets')).toEqual([...before, ...boundaries]);
    expect(await logOf('carries')).toEqual(
      [
        '2026-03-10',
        '2026-03-31',
        '2026-04-30',
        '2026-05-31',
        '2026-06-30',
        '2026-07-31',
        '2026-08-31',
        '2026-09-30',
        '2026-10-31',
        '2026-11-30',
        '2026-12-31',
        '2027-01-31',
        '2027-02-28',
      ].map((day) => `${day} refill credit 40`),
    );
  });
});

describe('thousands of accounts due at one instant', () => {
  const COUNT = 3000;

  const refillsEach = () =>
    database.query(`
      select refills, count(*)::int as accounts from (
        select account_id, count(*)::int as refills from credits.entries
        where kind = 'refill' and occurred_at = '2026-04-01' group by account_id
      ) e group by refills`);

  beforeEach(async () => {
    await database.query(
      `select count(credits.open_account('team-' || i, 'atelier_saver', '2026-03-01')) from generate_series(1, $1) i`,
      [COUNT],
    );
    await database.setNow('2026-04-01T00:00:00Z');
    expect(await due()).toHaveLength(COUNT);
  });

  test('are settled once each by two workers at the same time', async () => {
    await Promise.all([work(), work()]);
    await idle();
    expect(await due()).toEqual([]);
    expect(await refillsEach()).toEqual([{ refills: 1, accounts: COUNT }]);
  });

  test('are shared out between sweeps that overlap', async () => {
    const sweeps = await Promise.all([1, 2, 3].map(() => database.pool.connect()));
    const settle = async (sweep: (typeof sweeps)[number]) =>
      (await sweep.query('select credits.settle_due(1000) as settled')).rows[0].settled;
    try {
      // None has committed when the next one looks for work.
      for (const sweep of sweeps) {
        await sweep.query('begin');
        expect(await settle(sweep)).toBe(1000);
      }
      expect(await database.query('select credits.settle_due() as settled')).toEqual([
        { settled: 0 },
      ]);
      for (const sweep of sweeps) await sweep.query('commit');
    } finally {
      for (const sweep of sweeps) sweep.release();
    }
    expect(await refillsEach()).toEqual([{ refills: 1, accounts: COUNT }]);
    expect(await due()).toEqual([]);
  });
});

describe('the log of a sweep', () => {
  test('tells how far it is', async () => {
    // By the wall clock, as the log is: their periods ended ten days ago.
    await database.setNow(new Date(Date.now() - 20 * DAY));
    await database.query(
      `select count(credits.open_account('team-' || i, 'atelier_pro', $1)) from generate_series(1, 150) i`,
      [new Date(Date.now() - 10 * DAY)],
    );
    await database.setNow(null);
    await sweep({ batch: 20, report: 50 });
    expect(log).toEqual([
      'Settled 60 accounts that were due; 90 are left.',
      'Settled 120 accounts that were due; 30 are left.',
      'Settled 150 accounts that were due.',
    ]);
  });
});

describe('an account that somebody is writing to', () => {
  test('is passed over, not waited for, and settled later', async () => {
    for (const account of ['a', 'busy', 'z']) await opened(account, 'atelier_pro');
    await database.setNow('2026-04-02T00:00:00Z');
    const writer = await database.pool.connect();
    await writer.query('begin');
    await writer.query(`select from credits.accounts where account_id = 'busy' for no key update`);
    await expect(
      database.query(`select from credits.accounts where account_id = 'busy' for update nowait`),
    ).rejects.toMatchObject({ code: '55P03' });

    await work();
    // It gets to the end of the sweep while the lock is held.
    await idle();
    expect(await due()).toEqual(['busy']);
    expect(await logOf('busy')).toHaveLength(2);

    await writer.query('rollback');
    writer.release();
    await work();
    await idle();
    expect(await due()).toEqual([]);
    expect(await logOf('busy')).toEqual(await logOf('a'));
  });

  test('by spending has settled it', async () => {
    await opened('busy', 'atelier_pro');
    await database.setNow('2026-04-02T00:00:00Z');
    const writer = await database.pool.connect();
    await writer.query('begin');
    await writer.query(`select credits.spend('busy', 'image')`);
    await work();
    await idle();
    await writer.query('commit');
    writer.release();
    await work();
    await idle();
    expect(await logOf('busy')).toEqual([
      '2026-03-10 refill credit 100',
      '2026-03-10 refill minute 10',
      '2026-04-01 expiry credit -100',
      '2026-04-01 expiry minute -10',
      '2026-04-01 refill credit 100',
      '2026-04-01 refill minute 10',
      '2026-04-02 usage credit -5.00',
    ]);
  });
});

describe('an account that somebody watches', () => {
  test('is announced when it is settled, and no other', async () => {
    for (const account of ['a', 'b', 'c']) await opened(account, 'atelier_pro');
    await database.query(`select credits.authorize('c', 'image', expires_in => '1 hour')`);
    await database.setNow('2026-03-31T23:00:00Z');
    await database.query(`select credits.watch_balances('b'), credits.watch_balances('c')`);
    await database.setNow('2026-04-01T00:00:00Z');
    const listener = await database.pool.connect();
    const announced: (string | undefined)[] = [];
    listener.on('notification', ({ payload }) => announced.push(payload));
    try {
      await listener.query('listen credits_balances');
      // What its own transaction announces is heard before the answer.
      await listener.query('select credits.settle_due()');
      expect(announced.sort()).toEqual(['b', 'c']);
    } finally {
      await listener.query('unlisten credits_balances');
      listener.release();
    }
  });
});

describe('an account that cannot be settled', () => {
  // Two of these allowances are more than an account can have.
  const allow = (amount: string) =>
    database.query(`update credits.plan_allowances set amount = $1 where plan = 'atelier_saver'`, [
      amount,
    ]);
  beforeEach(() => allow('6e17'));

  test('does not hold up the others', async () => {
    for (const account of ['a', 'b', 'c', 'd', 'e']) await opened(account, 'atelier_pro');
    await opened('bad', 'atelier_saver');
    await database.query(`select credits.authorize('b', 'image', expires_in => '1 hour')`);
    await database.setNow('2026-04-02T00:00:00Z');

    expect(await database.query('select credits.settle_due() as settled')).toEqual([
      { settled: 6 },
    ]);
    expect(await due()).toEqual(['bad']);
    expect(await logOf('bad')).toHaveLength(1);
    expect(await logOf('b')).toHaveLength(6);
    for (const account of ['a', 'c', 'e']) expect(await logOf(account)).toEqual(await logOf('d'));
  });

  test('is put off, so that more of them than a batch has do not stop the sweep', async () => {
    const bad = ['bad 1', 'bad 2', 'bad 3', 'bad 4', 'bad 5'];
    for (const account of bad) await opened(account, 'atelier_saver');
    for (const account of ['a', 'b', 'c']) await opened(account, 'atelier_pro');
    await database.setNow('2026-04-02T00:00:00Z');
    await sweep({ batch: 2 });
    expect(await due()).toEqual(bad);
    expect(log).toHaveLength(6);
    for (const account of bad) expect(log.join('\n')).toContain(`Account ${account} cannot be`);

    // Nobody tries them again for an hour, then they are settled with the others.
    await allow('40');
    await database.setNow('2026-04-02T00:59:59Z');
    await sweep({ batch: 2 });
    expect(await due()).toEqual(bad);
    await database.setNow('2026-04-02T01:00:00Z');
    await sweep({ batch: 2 });
    expect(await due()).toEqual([]);
  });
});

describe('a worker that is stopped', () => {
  test('finishes the batch that it has begun', async () => {
    await opened('monthly', 'atelier_pro');
    await database.setNow('2026-04-02T00:00:00Z');
    const blocker = await database.pool.connect();
    await blocker.query('begin; lock table credits.entries in share mode');
    const worker = await work();
    await untilBlockedCount(database.pool, 1);
    const stopped = worker.stop();
    await blocker.query('commit');
    blocker.release();
    await stopped;
    await worker.ended;
    expect(await due()).toEqual([]);
    const connections = `select from pg_stat_activity
      where datname = current_database() and application_name = 'pgcredits worker'`;
    await vi.waitFor(async () => expect(await database.query(connections)).toEqual([]));
  });

  test('can be stopped again', async () => {
    const worker = await work();
    await worker.stop();
    await worker.stop();
  });
});
