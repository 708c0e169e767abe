/** A thread with a few database clients, each calling as fast as it is answered. Driven by clients.ts. */
import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { Client } from 'pg';
import type { Order, Outcome, Recipe, Setup } from './clients.ts';

const { connectionString, clients: count, thread, threads } = workerData as Setup;
const port = parentPort as NonNullable<typeof parentPort>;

// Values stay as they came: a client is to wait for the server, not to read numbers.
const types = { getTypeParser: () => (value: unknown) => value };
const clients = await Promise.all(
  Array.from({ length: count }, async () => {
    const client = new Client({ connectionString, types, application_name: 'pgcredits bench' });
    client.on('error', () => {});
    await client.connect();
    return client;
  }),
);
const pids = await Promise.all(
  clients.map(async (client) => (await client.query('select pg_backend_pid() as pid')).rows[0].pid),
);
let calls = 0;

const below = (count: number) => Math.floor(Math.random() * count);

function cook(recipe: Recipe): string | null {
  if (typeof recipe === 'string' || recipe === null) return recipe;
  switch (recipe.kind) {
    case 'account':
      return `account ${below(recipe.among)}`;
    case 'key':
      return randomUUID();
    case 'call':
      calls += 1;
      return String(calls * threads + thread);
    case 'requests':
      return JSON.stringify(requests(recipe.size, recipe.among, recipe.request));
  }
}

/** So many requests over so many accounts: to each equally many, in any order, or else one each to some of them. */
function requests(size: number, among: number, request: object): object[] {
  const start = below(among);
  const accounts = Array.from({ length: size }, (_, i) => (start + i * step(among)) % among);
  for (let i = size - 1; i > 0; i--) {
    const other = below(i + 1);
    [accounts[i], accounts[other]] = [accounts[other] as number, accounts[i] as number];
  }
  return accounts.map((account) => ({
    account_id: `account ${account}`,
    ...request,
    idempotency_key: randomUUID(),
  }));
}

/** Spreads the accounts of a batch over all of them: prime to any number of accounts that is used. */
const step = (among: number) => (among > 7919 ? 7919 : 1);

async function work(client: Client, order: Order, times: number[]): Promise<void> {
  const { text, values: recipes } = order.statement;
  let values = recipes.map(cook);
  for (let done = 0; performance.now() < order.until && done < order.calls; done++) {
    const begun = performance.now();
    const answer = client.query({ name: order.name, text, values, rowMode: 'array' });
    // While the server works.
    values = recipes.map(cook);
    await answer;
    times.push(performance.now() - begun);
  }
}

port.on('message', async (order: Order) => {
  const times: number[] = [];
  const idle = performance.eventLoopUtilization();
  const begun = performance.now();
  // The clock of each thread starts with the thread.
  const own = { ...order, until: begun + order.seconds * 1000 };
  let error: string | undefined;
  try {
    await Promise.all(clients.map((client) => work(client, own, times)));
  } catch (thrown) {
    const { message, detail } = thrown as { message: string; detail?: string };
    error = `${message}${detail ? ` ${detail}` : ''}`;
  }
  const outcome: Outcome = {
    times: Float64Array.from(times),
    seconds: (performance.now() - begun) / 1000,
    busy: performance.eventLoopUtilization(idle).utilization,
    error,
  };
  port.postMessage(outcome);
});
port.postMessage({ pids });
