import { Pool, type PoolConfig } from 'pg';
import { StartupError } from './errors.ts';

/**
 * A pool whose idle and checked-out connections may break (the server restarts, a network drops) without ending the
 * process: the next query reports it. Takes what `pg.Pool` takes and, in `log`, where to say so. Throws nothing; end it
 * with `pool.end()`.
 */
export function createPool(options: PoolConfig & { log?: (line: string) => void }): Pool {
  const { log = () => {}, ...config } = options;
  const pool = new Pool({ application_name: 'pgcredits', ...config });
  pool.on('error', (error) => {
    // A pool that is ending closes its connections without waiting for them.
    if (!pool.ending) log(`A database connection broke: ${error.message}`);
  });
  // One in use has a query that fails, or will have: no need to say it twice.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** Throws a StartupError if pgcredits is not installed in the pool's database. */
export async function requireSchema(pool: Pool): Promise<void> {
  const { rows } = await pool.query(`select to_regnamespace('credits') is not null as installed`);
  if (rows[0].installed) return;
  throw new StartupError(
    'pgcredits is not installed in this database.',
    'Install it first: pgcredits migrate',
  );
}
