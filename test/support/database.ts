import type { Pool, PoolClient } from 'pg';
import { afterEach, expect, inject } from 'vitest';
import { createPool } from '../../src/database.ts';
import { CreditsError, toCreditsError } from '../../src/errors.ts';
import { createDatabase } from './server.ts';

// biome-ignore lint/suspicious/noExplicitAny: rows are of any shape, and tests look into them freely
type Row = any;

export type Query = (text: string, params?: unknown[]) => Promise<Row[]>;

export interface TestDatabase {
  url: string;
  pool: Pool;
  /** Runs a statement as the superuser and returns its rows; numeric and bigint are strings. */
  query: Query;
  /**
   * Sets `credits.now` on every connection of the pool, and on every connection that anybody opens later. A text is taken
   * as it is, to the microsecond; null gives back the wall clock. Call it while none of the pool's connections is inside a
   * transaction.
   */
  setNow(now: string | Date | null): Promise<void>;
  /** Runs `work` in a transaction as a role with claims (`{ account_id, member_id, member_role }`). */
  as<Result>(
    role: string,
    claims: Record<string, string>,
    work: (query: Query) => Promise<Result>,
  ): Promise<Result>;
  /** The violations that `credits.verify` finds in the whole ledger. */
  verify(): Promise<Row[]>;
  /** Drops the database. */
  close(): Promise<void>;
}

/** A database of one's own: migrated, with the test clock and, unless `catalogs` is false, the four catalogs. */
export async function testDatabase(options: { catalogs?: boolean } = {}): Promise<TestDatabase> {
  const templates = inject('templates');
  const template = options.catalogs === false ? templates.empty : templates.catalogs;
  const { name, url, drop } = await createDatabase(inject('serverUrl'), template);
  const pool = createPool({ connectionString: url, max: 30 });
  const clients = new Set<PoolClient>();
  pool.on('connect', (client) => clients.add(client));
  pool.on('remove', (client) => clients.delete(client));

  const query: Query = async (text, params) => (await pool.query(text, params)).rows;
  return {
    url,
    pool,
    query,
    async setNow(now) {
      const value = now instanceof Date ? now.toISOString() : (now ?? '');
      await query(`alter database ${name} set credits.now = '${value}'`);
      // The pool ends a connection whose query failed, and says so only afterwards: that one needs no time.
      await Promise.allSettled(
        [...clients].map((client) => client.query(`set credits.now = '${value}'`)),
      );
    },
    async as(role, claims, work) {
      const client = await pool.connect();
      try {
        await client.query('begin');
        await client.query(`select set_config('role', $1, true)`, [role]);
        for (const [claim, value] of Object.entries(claims)) {
          await client.query('select set_config($1, $2, true)', [`credits.${claim}`, value]);
        }
        const result = await work(async (text, params) => (await client.query(text, params)).rows);
        await client.query('commit');
        return result;
      } catch (error) {
        await client.query('rollback');
        throw error;
      } finally {
        client.release();
      }
    },
    verify: () => query('select * from credits.verify(null)'),
    async close() {
      await pool.end();
      await drop();
    },
  };
}

/** The code, DETAIL and HINT of the contract's error that a promise must reject with. */
export async function creditsError(
  promise: Promise<unknown>,
): Promise<{ code: string; detail: Row; hint: string | null }> {
  const error = toCreditsError(
    await promise.then(
      (value) => {
        throw new Error(`expected an error of the contract, got ${JSON.stringify(value)}`);
      },
      (reason) => reason,
    ),
  );
  if (!(error instanceof CreditsError)) throw error;
  return { code: error.code, detail: error.detail, hint: error.hint };
}

/** After every test of the file, the ledger must be sound. */
export function verifyAfterEach(database: () => TestDatabase): void {
  afterEach(async () => {
    expect(await database().verify()).toEqual([]);
  });
}
