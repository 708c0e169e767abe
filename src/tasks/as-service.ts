import type { PoolClient } from 'pg';

/**
 * Runs one statement as `credits_service` in a transaction of its own, whatever the worker's login may do besides, and returns
 * its rows. Throws what the database throws, with nothing changed.
 */
export async function asService<Row>(
  client: PoolClient,
  text: string,
  values: unknown[],
): Promise<Row[]> {
  await client.query('begin');
  try {
    await client.query('set local role credits_service');
    const { rows } = await client.query(text, values);
    await client.query('commit');
    return rows;
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}
