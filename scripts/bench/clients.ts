/**
 * Clients that call one statement again and again, on threads of their own. Prepared statements, real connections, and a
 * record of how busy the clients were: if they were, the figures would be theirs and not the server's.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { cpuTime } from './processes.ts';

/** How a value is made for each call: a text, or something that differs each time. */
export type Recipe =
  | string
  | null
  | { kind: 'account'; among: number }
  | { kind: 'key' }
  | { kind: 'call' }
  | { kind: 'requests'; size: number; among: number; request: object };

export interface Statement {
  text: string;
  values: Recipe[];
}

export interface Setup {
  connectionString: string;
  clients: number;
  /** Which thread it is, of how many. */
  thread: number;
  threads: number;
}

export interface Order {
  statement: Statement;
  /** The prepared statement's. */
  name: string;
  seconds: number;
  calls: number;
  until: number;
}

export interface Outcome {
  times: Float64Array;
  seconds: number;
  busy: number;
  error: string | undefined;
}

/** What a while of calling came to. Times are in microseconds. */
export interface Slice {
  calls: number;
  seconds: number;
  /** Calls a second. */
  rate: number;
  median: number;
  p99: number;
  /** CPU time a call, of the clients' server processes; null where the system does not tell. */
  serverCpu: number | null;
  /** CPU time a call, of the clients. */
  clientCpu: number;
  /** The share of the time that the busiest thread of clients was not waiting. */
  clientBusy: number;
}

export interface Clients {
  count: number;
  /** Calls for so long, or at most so many times a client. Throws if a call fails. */
  run(statement: Statement, limit: { seconds: number; calls?: number }): Promise<Slice>;
  close(): Promise<void>;
}

export async function openClients(connectionString: string, count: number): Promise<Clients> {
  const threads = Math.min(count, 2);
  const names = new Map<string, string>();
  const workers = await Promise.all(
    Array.from({ length: threads }, async (_, index) => {
      const clients = Math.floor(count / threads) + (index < count % threads ? 1 : 0);
      const workerData: Setup = { connectionString, clients, thread: index, threads };
      const thread = new Worker(new URL('client-thread.ts', import.meta.url), { workerData });
      const [{ pids }] = await once(thread, 'message');
      return { thread, pids: pids as number[] };
    }),
  );
  const pids = workers.flatMap((worker) => worker.pids);

  return {
    count,
    async run(statement, { seconds, calls = Number.POSITIVE_INFINITY }) {
      const name = names.get(statement.text) ?? `s${names.size}`;
      names.set(statement.text, name);
      const order: Order = { statement, name, seconds, calls, until: 0 };
      const server = cpuTime(pids);
      const own = process.cpuUsage();
      const begun = performance.now();
      const outcomes = await Promise.all(
        workers.map(async ({ thread }) => {
          thread.postMessage(order);
          return (await once(thread, 'message'))[0] as Outcome;
        }),
      );
      const elapsed = (performance.now() - begun) / 1000;
      const spent = process.cpuUsage(own);
      const after = cpuTime(pids);
      const failed = outcomes.find((outcome) => outcome.error);
      if (failed) throw new Error(`${statement.text}: ${failed.error}`);

      const times = Float64Array.from(outcomes.flatMap((outcome) => [...outcome.times])).sort();
      const at = (share: number) =>
        Math.round((times[Math.floor(times.length * share)] ?? 0) * 1000);
      return {
        calls: times.length,
        seconds: elapsed,
        rate: times.length / elapsed,
        median: at(0.5),
        p99: at(0.99),
        serverCpu: server === null || after === null ? null : (after - server) / times.length,
        clientCpu: (spent.user + spent.system) / times.length,
        clientBusy: Math.max(...outcomes.map((outcome) => outcome.busy)),
      };
    },
    async close() {
      await Promise.all(workers.map(({ thread }) => thread.terminate()));
    },
  };
}
