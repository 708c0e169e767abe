import * as fs from 'node:fs';
import type { ClientBase, PoolClient } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { type Arguments, call, type Item, type Row, withNumbers } from './calls.ts';
import { creditsError, type TestDatabase, testDatabase } from './database.ts';
import { backendPid, untilBlocked } from './locks.ts';

/** The instant at which these tests begin: the middle of a month. */
export const NOON = '2026-03-10T12:00:00Z';

/** The functions of schema credits, for one account. */
export function account(database: TestDatabase, account_id: string) {
  const { pool } = database;
  const all = (name: string, args: Arguments = {}, on: ClientBase | typeof pool = pool) =>
    call(on, name, { account_id, ...args });
  const one = async (name: string, args: Arguments = {}, on?: ClientBase): Promise<Row> =>
    (await all(name, args, on))[0];
  const rows = async (table: string, order: string): Promise<Row[]> =>
    withNumbers(
      await pool.query(`select * from credits.${table} where account_id = $1 order by ${order}`, [
        account_id,
      ]),
    );
  return {
    id: account_id,
    all,
    one,
    /** Opens it, on a plan or with so many additional credits. */
    async opened(start: string | number = 0): Promise<void> {
      await one(
        'open_account',
        typeof start === 'string' ? { plan: start } : { rate_card: 'workshop' },
      );
      if (typeof start === 'number' && start > 0) await one('grant', { amount: start });
    },
    /** Grants credits, additional ones unless said otherwise, and returns the lot's id. */
    grant: async (amount: number, rest: Arguments = {}): Promise<number> =>
      (await one('grant', { amount, ...rest })).lot_id,
    spend: (n: number, rest: Arguments = {}, on?: ClientBase): Promise<Row[]> =>
      all('spend', { operation: 'job', usage: { n }, ...rest }, on),
    /** Holds so much and returns the hold's first row. */
    hold: (n: number, rest: Arguments = {}, on?: ClientBase): Promise<Row> =>
      one('authorize', { operation: 'job', usage: { n }, ...rest }, on),
    capture: (hold_id: number, rest: Arguments = {}, on?: ClientBase): Promise<Row[]> =>
      all('capture', { hold_id, ...rest }, on),
    release: (hold_id: number, on?: ClientBase): Promise<Row[]> => all('release', { hold_id }, on),
    holdItems: (items: Item[], rest: Arguments = {}): Promise<Row[]> =>
      all('authorize_items', { items, ...rest }),
    refund: (seq: number, rest: Arguments = {}, on?: ClientBase): Promise<Row[]> =>
      all('refund', { seq, ...rest }, on),
    lots: () => rows('lots', 'lot_id'),
    holds: () => rows('holds', 'hold_id, unit'),
    log: () => rows('entries', 'seq'),
    row: async () => (await rows('accounts', '1'))[0],
    /** What each lot of it has: `[available, held, spent, forfeited]`, by lot. */
    figures: async () =>
      (await rows('lots', 'lot_id')).map((lot) => [
        lot.available,
        lot.held,
        lot.spent,
        lot.forfeited,
      ]),
    /** `[kind, amount]` of its entries, or of those after a place in the log. */
    lines: async (after = 0) =>
      (await rows('entries', 'seq'))
        .filter(({ seq }) => seq > after)
        .map(({ kind, amount }) => [kind, amount]),
    balance: async (unit = 'credit', at: string | null = null): Promise<Row> =>
      (await all('balances', { at })).find((row) => row.unit === unit),
    /** The lots that an entry moved, in order: `[lot, amount]`. */
    postings: async (seq: number) =>
      (await rows('postings', 'seq, ordinal'))
        .filter((posting) => posting.seq === seq)
        .map(({ lot_id, amount }) => [lot_id, amount]),
    /** Everything there is of it, to see that a refusal left nothing. */
    everything: async () =>
      Promise.all(
        ['accounts', 'lots', 'entries', 'postings', 'holds', 'hold_lots', 'meters'].map(
          async (table) =>
            (
              await database.query(
                `select t::text as text from credits.${table} t where account_id = $1`,
                [account_id],
              )
            )
              .map(({ text }) => text)
              .sort(),
        ),
      ),
  };
}

export type Account = ReturnType<typeof account>;

/**
 * A database with the invented product Workshop, or whatever `load` puts there under its name, for the tests of a file. Each
 * test begins at NOON and ends sound.
 */
export function workshop(load = loadWorkshop) {
  let database: TestDatabase;
  let opened = 0;
  beforeAll(async () => {
    database = await testDatabase({ catalogs: false });
    await load(database);
  });
  beforeEach(() => database.setNow(NOON));
  afterEach(async () => {
    expect(await database.verify()).toEqual([]);
  });
  afterAll(() => database.close());

  return {
    get database() {
      return database;
    },
    /** A new account, on a plan or with so many additional credits. */
    async team(start: string | number = 0): Promise<Account> {
      opened += 1;
      const team = account(database, `team ${opened}`);
      await team.opened(start);
      return team;
    },
    at: (now: string) => database.setNow(now),
    settle: () => call(database.pool, 'settle_due', {}),
    /** Runs a race: `first` in a transaction; `second` begun when it has the lock, and seen to wait; then `first` ends. */
    async race<Result>(
      first: (client: PoolClient) => Promise<unknown>,
      second: (client: PoolClient) => Promise<Result>,
      end: 'commit' | 'rollback' = 'commit',
    ): Promise<{ outcome: Promise<Result> }> {
      const one = await database.pool.connect();
      const other = await database.pool.connect();
      try {
        await one.query('begin');
        await first(one);
        const pid = await backendPid(other);
        const outcome = second(other);
        outcome.catch(() => {});
        await untilBlocked(database.pool, pid);
        await one.query(end);
        await outcome.catch(() => {});
        return { outcome };
      } finally {
        await one.query('rollback');
        one.release();
        other.release();
      }
    },
  };
}

async function loadWorkshop(database: TestDatabase): Promise<void> {
  await database.query(fs.readFileSync(new URL('workshop.sql', import.meta.url), 'utf8'));
}

/** The code and the facts that a promise must reject with. */
export async function refused(promise: Promise<unknown>): Promise<Row> {
  const { code, detail } = await creditsError(promise);
  return { code, ...detail };
}
