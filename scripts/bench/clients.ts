/**
 * Clients that call one statement again and again, on threads of their own: prepared statements over real connections, and a
 * record of how busy the clients were. If they were, the figures would be theirs and not the server's.
 *
 * The other driver, `loop`, has no clients to speak of: each connection runs a procedure that loops over the statement and
 * commits each time, so that only the server is measured.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { cpuTime } from './processes.ts';
import { connected, type Ledger } from './server.ts';

/** How a value is made for each call: a text, or something that differs each time. */
export type Recipe =
  | string
  | null
  | { kind: 'account'; among: number }
  | { kind: 'key' }
  /** The key of a past charge of the account that was just made, at one of these places in its log. */
  | { kind: 'pastKey'; from: number; to: number }
  | { kind: 'call' }
  | { kind: 'requests'; size: number; among: number; request: object };

export interface Statement {
  text: string;
  values: Recipe[];
  /** Sent there as GraphQL, with the values as the variables a0, a1 and so on. Not given: to the database. */
  api?: { url: string; token: string };
  /** Spent through the TypeScript client of this package, so many at once. The text is the operation. */
  library?: { coalesce: boolean; inFlight: number; connections: number };
}

export type Driver = 'clients' | 'loop';

/** At most so long and so many calls a client. */
export interface Limit {
  seconds: number;
  calls?: number;
}

/** What a thread is started with. */
export interface Setup {
  connectionString: string;
  clients: number;
  /** Which thread it is, of how many. */
  thread: number;
  threads: number;
}

/** What a thread is told to do. */
export interface Order {
  statement: Statement;
  /** The prepared statement's. */
  name: string;
  seconds: number;
  calls: number;
  /** The statement is a procedure that does all calls by itself. */
  loop: boolean;
}

export interface Outcome {
  calls: number;
  /** Each call's, in milliseconds. */
  times: Float64Array;
  busy: number;
  error: string | undefined;
}

/** What a while of calling came to. Times are in microseconds. */
export interface Slice {
  calls: number;
  seconds: number;
  /** Calls a second. */
  rate: number;
  /** Of the calls' times; null where the server loops. */
  median: number | null;
  p99: number | null;
  /** CPU time a call, of the clients' server processes; null where the system does not tell. */
  serverCpu: number | null;
  /** CPU time a call, of the clients. */
  clientCpu: number;
  /** The share of the time that the busiest thread of clients was not waiting. */
  clientBusy: number;
}

export interface Clients {
  count: number;
  /** Throws if a call fails. */
  run(statement: Statement, limit: Limit): Promise<Slice>;
  /** Safe to call twice. */
  close(): Promise<unknown>;
}

export async function openClients(
  ledger: Ledger,
  count: number,
  driver: Driver = 'clients',
): Promise<Clients> {
  const threads = Math.min(count, 2);
  const workers = await Promise.all(
    Array.from({ length: threads }, async (_, thread) => {
      const clients = Math.floor(count / threads) + (thread < count % threads ? 1 : 0);
      const workerData: Setup = {
        connectionString: ledger.clientUrl,
        clients,
        thread,
        threads,
      };
      const worker = new Worker(new URL('client-thread.ts', import.meta.url), { workerData });
      const [{ pids }] = await once(worker, 'message');
      return { worker, pids: pids as number[] };
    }),
  );
  const pids = workers.flatMap((worker) => worker.pids);
  let closed: Promise<unknown> | undefined;
  const prepared = new Map<string, Pick<Order, 'statement' | 'name' | 'loop'>>();
  const prepare = async (statement: Statement) => {
    const key = JSON.stringify(statement);
    let found = prepared.get(key);
    if (!found) {
      const loop = driver === 'loop';
      const name = `bench_${prepared.size}`;
      found = {
        name,
        loop,
        statement: loop ? await createLoop(ledger, name, statement) : statement,
      };
      prepared.set(key, found);
    }
    return found;
  };

  return {
    count,
    async run(statement, { seconds, calls = 1e9 }) {
      const order: Order = { ...(await prepare(statement)), seconds, calls };
      const serverBefore = cpuTime(pids);
      const clientBefore = process.cpuUsage();
      const begun = performance.now();
      const outcomes = await Promise.all(
        workers.map(async ({ worker }) => {
          worker.postMessage(order);
          return (await once(worker, 'message'))[0] as Outcome;
        }),
      );
      const elapsed = (performance.now() - begun) / 1000;
      const client = process.cpuUsage(clientBefore);
      const serverAfter = cpuTime(pids);
      const failed = outcomes.find((outcome) => outcome.error);
      if (failed) throw new Error(`${statement.text}: ${failed.error}`);

      const done = outcomes.reduce((sum, outcome) => sum + outcome.calls, 0);
      const times = Float64Array.from(outcomes.flatMap((outcome) => [...outcome.times])).sort();
      const at = (share: number) => {
        const time = times[Math.floor(times.length * share)];
        return time === undefined ? null : Math.round(time * 1000);
      };
      return {
        calls: done,
        seconds: elapsed,
        rate: done / elapsed,
        median: at(0.5),
        p99: at(0.99),
        // The API and the library have connections of their own.
        serverCpu:
          serverBefore === null || serverAfter === null || statement.api || statement.library
            ? null
            : (serverAfter - serverBefore) / done,
        clientCpu: (client.user + client.system) / done,
        clientBusy: Math.max(...outcomes.map((outcome) => outcome.busy)),
      };
    },
    close() {
      closed ??= Promise.all(
        workers.map(async ({ worker }) => {
          worker.postMessage(null);
          await once(worker, 'exit');
        }),
      );
      return closed;
    },
  };
}

/** The statement as a procedure that calls it for so many seconds, at most so many times, and commits after each. */
async function createLoop(ledger: Ledger, name: string, statement: Statement): Promise<Statement> {
  const text = statement.values.reduceRight(
    (query: string, recipe, i) => query.replaceAll(`$${i + 1}`, expression(recipe)),
    statement.text,
  );
  await connected(ledger.adminUrl, (client) =>
    client.query(`
      create or replace procedure bench.${name}(seconds float8, most bigint, inout calls bigint default 0)
      language plpgsql as $loop$
      declare
        until timestamptz := clock_timestamp() + seconds * interval '1 second';
        answer record;
      begin
        while calls < most and clock_timestamp() < until loop
          for answer in ${text} loop end loop;
          commit;
          calls := calls + 1;
        end loop;
      end
      $loop$`),
  );
  return { text: `call bench.${name}($1, $2)`, values: [] };
}

/** What makes a value inside the server. */
function expression(recipe: Recipe): string {
  if (recipe === null) return 'null';
  if (typeof recipe === 'string') return `'${recipe.replaceAll("'", "''")}'`;
  switch (recipe.kind) {
    case 'account':
      return `('account ' || floor(random() * ${recipe.among})::int)`;
    case 'key':
      return 'gen_random_uuid()::text';
    case 'call':
      return 'calls';
    case 'pastKey':
    case 'requests':
      throw new Error('This comes from clients only.');
  }
}
