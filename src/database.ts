import { Kysely, PostgresDialect } from 'kysely';
import { Pool, type PoolConfig } from 'pg';

/**
 * A pool whose idle and checked-out connections may break (the server restarts, a network drops) without ending the
 * process: the next query reports it. Takes what `pg.Pool` takes and, in `log`, where to say so. Throws nothing; end it
 * with `pool.end()`.
 */
export function createPool(options: PoolConfig & { log?: (line: string) => void }): Pool {
  const { log = () => {}, ...config } = options;
  const pool = new Pool({ application_name: 'pgcredits', ...config });
  const report = (error: Error) => log(`A database connection broke: ${error.message}`);
  pool.on('error', report);
  pool.on('connect', (client) => client.on('error', report));
  return pool;
}

/**
 * A Kysely instance over a pool, for `DB` as kysely-codegen wrote it or the application's own. Destroying it ends the
 * pool. Throws nothing.
 */
export function createKysely<DB>(pool: Pool): Kysely<DB> {
  return new Kysely<DB>({ dialect: new PostgresDialect({ pool }) });
}
