/**
 * How PostGraphile asks the database: each query in a transaction of its own, with the role and claims of its caller, in one
 * round trip. PostGraphile's own adaptor takes four: `begin`, the settings, the query, `commit`.
 *
 *   Bind, Execute: the settings ──> Bind, Execute: the query ──> Sync
 *
 * To PostgreSQL, what comes before a Sync is one transaction, and nothing is run after an error. So no query runs without its
 * settings, and they end with it, whatever becomes of it.
 */
import {
  type Connection,
  type DatabaseError,
  type PoolClient,
  Query,
  type QueryConfig,
  type QueryResult,
} from 'pg';
import type { PgClientQuery, PgClientResult, WithPgClient } from 'postgraphile/@dataplan/pg';
import * as postgraphiles from 'postgraphile/adaptors/pg';

declare module 'pg' {
  interface Query {
    /** Sends what the query takes, up to its Sync. */
    prepare(connection: Connection): void;
  }
  interface Connection {
    /** The texts of its prepared statements by their names, the oldest first. */
    parsedStatements: Record<string, string>;
  }
}

/** Each until the end of the transaction. Returns no row. */
const SET = {
  name: 'pgcredits set',
  text: 'select from json_each_text($1) where set_config(key, value, true) is null',
};

/** Prepared statements of a connection, as many as PostGraphile's own adaptor keeps. */
const MOST_STATEMENTS = 100;

/** Lends connections of a pool, as PostGraphile's own adaptor does, but for `rawClient`, which would have no settings. */
export function createWithPgClient(
  ...options: Parameters<typeof postgraphiles.createWithPgClient>
): WithPgClient<postgraphiles.NodePostgresPgClient> {
  const lend = postgraphiles.createWithPgClient(...options);
  const ready = new WeakSet<PoolClient>();
  const withPgClient: WithPgClient = (settings, work) => {
    if (!settings) return lend(null, work);
    const values = [JSON.stringify(settings)];
    return lend(null, async ({ rawClient, withTransaction }) => {
      if (!ready.has(rawClient)) {
        await rawClient.query({ ...SET, values: ['{}'] });
        ready.add(rawClient);
      }
      return work({
        query: (query) => ask(rawClient, query, values),
        withTransaction: (within) =>
          withTransaction(async (client) => {
            await client.query({ ...SET, values });
            return within(client as never);
          }),
      });
    });
  };
  return Object.assign(withPgClient as never, { release: lend.release });
}

function ask<Row>(
  client: PoolClient,
  { arrayMode, ...query }: PgClientQuery,
  settings: string[],
): Promise<PgClientResult<Row>> {
  const config = { ...query, queryMode: 'extended', rowMode: arrayMode ? 'array' : undefined };
  return new Promise((resolve, reject) => {
    client.query(
      new QueryWithSettings(config, settings, (error, results) =>
        error ? letGo(client, error).then(() => reject(error)) : resolve(results[1]),
      ),
    );
  });
}

/** Ends a connection after which the pool must not lend it again: what was prepared was discarded, or the server ends it. */
async function letGo(
  client: PoolClient,
  error: Error & Partial<Pick<DatabaseError, 'code' | 'severity'>>,
): Promise<void> {
  if (error.code === '26000') await client.end();
  if (error.severity === 'FATAL') await new Promise<void>((resolve) => client.once('end', resolve));
}

/** A query whose transaction begins with settings. Its results are two. */
class QueryWithSettings extends Query {
  readonly #settings: string[];
  declare readonly name?: string;

  constructor(
    config: QueryConfig,
    settings: string[],
    // biome-ignore lint/suspicious/noExplicitAny: rows of any shape
    callback: (error: Error | undefined, results: QueryResult<any>[]) => void,
  ) {
    super(config, callback as never);
    this.#settings = settings;
  }

  override prepare(connection: Connection): void {
    const { parsedStatements } = connection;
    if (this.name && !(this.name in parsedStatements)) {
      const names = Object.keys(parsedStatements).filter((name) => name !== SET.name);
      if (names.length >= MOST_STATEMENTS) {
        connection.close({ type: 'S', name: names[0] }, true);
        delete parsedStatements[names[0]];
      }
    }
    connection.bind({ statement: SET.name, values: this.#settings }, true);
    connection.execute({}, true);
    super.prepare(connection);
  }
}
