import type { ClientBase, Pool, QueryResult } from 'pg';

// biome-ignore lint/suspicious/noExplicitAny: rows are of any shape, and tests look into them freely
export type Row = any;

export type Arguments = Record<string, unknown>;

/** An operation with its usage, as `items` takes them. */
export type Item = [operation: string | null, usage?: unknown];

const OIDS_OF_NUMBERS = new Set([20, 1700]); // bigint and numeric

/** The statement that calls a function of schema credits with these arguments, each by its name. */
export function callText(name: string, args: Arguments): { text: string; values: unknown[] } {
  const values: unknown[] = [];
  const list = Object.entries(args).map(([argument, value]) => {
    if (argument === 'items') {
      const items = (value as Item[]).map(([operation, usage]) => ({ operation, usage }));
      values.push(JSON.stringify(items));
      return `items => array(
        select (i ->> 'operation', i -> 'usage')::credits.item from jsonb_array_elements($${values.length}) i)`;
    }
    if (argument === 'requests') {
      values.push(JSON.stringify(value));
      return `requests => array(
        select jsonb_populate_record(null::credits.spend_request, r) from jsonb_array_elements($${values.length}) r)`;
    }
    values.push(argument === 'usage' || argument === 'metadata' ? JSON.stringify(value) : value);
    return `${argument} => $${values.length}`;
  });
  return { text: `select * from credits."${name}"(${list.join(', ')})`, values };
}

/**
 * The rows of a result, or of the last of several, numeric and bigint as numbers: tests compare figures, not how many
 * zeros they end with.
 */
export function withNumbers(result: QueryResult | QueryResult[]): Row[] {
  const { rows, fields } = Array.isArray(result) ? (result.at(-1) as QueryResult) : result;
  const numeric = fields.filter(({ dataTypeID }) => OIDS_OF_NUMBERS.has(dataTypeID));
  for (const row of rows) {
    for (const { name } of numeric) row[name] = row[name] === null ? null : Number(row[name]);
  }
  return rows;
}

/** Calls a function of schema credits and returns its rows, numeric and bigint as numbers. */
export async function call(on: Pool | ClientBase, name: string, args: Arguments): Promise<Row[]> {
  return withNumbers(await on.query(callText(name, args)));
}

/** Runs `work` in a transaction on a connection of its own, as the tables' owner, and rolls everything back. */
export async function asOwnerRolledBack<Result>(
  pool: Pool,
  work: (query: (text: string, values?: unknown[]) => Promise<Row[]>) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query('set local role credits_owner');
    return await work(async (text, values) => withNumbers(await client.query(text, values)));
  } finally {
    await client.query('rollback');
    client.release();
  }
}

/** The SQLSTATE, and the constraint, that a promise must reject with. */
export async function sqlError(
  promise: Promise<unknown>,
): Promise<{ code: string; constraint?: string }> {
  const error = await promise.then(
    (value) => {
      throw new Error(`expected an error, got ${JSON.stringify(value)}`);
    },
    (reason) => reason,
  );
  if (!error.code) throw error;
  return error.constraint
    ? { code: error.code, constraint: error.constraint }
    : { code: error.code };
}
