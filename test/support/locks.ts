import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientBase, Pool } from 'pg';

/** The process id of a connection's backend, to ask for later what it waits for. */
export async function backendPid(client: ClientBase): Promise<number> {
  const { rows } = await client.query('select pg_backend_pid() as pid');
  return rows[0].pid;
}

/** Resolves once a backend is really waiting for a lock that another one holds. */
export async function untilBlocked(pool: Pool, pid: number): Promise<void> {
  await untilTrue(pool, 'select cardinality(pg_blocking_pids($1)) > 0 as yes', [pid]);
}

/** Resolves once this many backends of the pool's database are waiting for a lock. */
export async function untilBlockedCount(pool: Pool, count: number): Promise<void> {
  await untilTrue(
    pool,
    `select count(*) >= $1 as yes from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock'`,
    [count],
  );
}

/** Asks until the answer is true; the test's own timeout ends a wait for nothing. */
export async function untilTrue(
  pool: Pool,
  question: string,
  params: unknown[] = [],
): Promise<void> {
  for (;;) {
    const { rows } = await pool.query(question, params);
    if (rows[0]?.yes) return;
    await sleep(5);
  }
}
