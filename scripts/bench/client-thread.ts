/** A thread with a few database clients, each calling as fast as it is answered. Driven by clients.ts. */
import { createHash, randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { Client, Pool } from 'pg';
import type { Credits, CreditsDatabase } from '../../src/client.ts';
import type { Order, Outcome, Recipe, Setup } from './clients.ts';

const { connectionString, clients: count, thread, threads } = workerData as Setup;
const port = parentPort as NonNullable<typeof parentPort>;

// Values stay as they came: a client is to wait for the server, not to read numbers.
const types = { getTypeParser: () => (value: unknown) => value };
const clients = await Promise.all(
  Array.from({ length: count }, async () => {
    const client = new Client({ connectionString, types, application_name: 'pgcredits bench' });
    // A call that is under way fails, and says so.
    client.on('error', () => {});
    await client.connect();
    return client;
  }),
);
const pids = await Promise.all(
  clients.map(async (client) => (await client.query('select pg_backend_pid() as pid')).rows[0].pid),
);

let called = 0;
let account = '';

function make(recipe: Recipe): string | null {
  if (typeof recipe === 'string' || recipe === null) return recipe;
  switch (recipe.kind) {
    case 'account':
      account = `account ${below(recipe.among)}`;
      return account;
    case 'key':
      return randomUUID();
    case 'pastKey': {
      const seq = recipe.from + below(recipe.to - recipe.from + 1);
      const hash = createHash('md5').update(`${account} ${seq}`).digest('hex');
      return hash.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    }
    case 'call':
      called += 1;
      return String(called * threads + thread);
    case 'requests':
      return JSON.stringify(requests(recipe.size, recipe.among, recipe.request));
  }
}

/** So many requests in random order: equally many for each account, or one each for some of the accounts. */
function requests(size: number, among: number, request: object): object[] {
  const first = below(among);
  // A prime, so that the accounts of a batch lie apart.
  const step = among > 7919 ? 7919 : 1;
  const accounts = Array.from({ length: size }, (_, i) => (first + i * step) % among);
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

function below(limit: number): number {
  return Math.floor(Math.random() * limit);
}

const agent = new Agent({ keepAlive: true });

/** Sends a GraphQL query and reads the answer. Throws if it has errors. */
function ask(
  { url, token }: NonNullable<Order['statement']['api']>,
  query: string,
  values: (string | null)[],
): Promise<void> {
  const variables = Object.fromEntries(values.map((value, i) => [`a${i}`, value]));
  const body = JSON.stringify({ query, variables });
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    // Or else the body is sent in chunks, with more work for both ends.
    'content-length': Buffer.byteLength(body),
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, method: 'POST', headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const answer = Buffer.concat(chunks).toString();
        if (response.statusCode === 200 && !answer.includes('"errors"')) resolve();
        else reject(new Error(answer));
      });
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Calls until time or calls are up. Returns how many calls it made. */
async function work(client: Client, order: Order, times: number[]): Promise<number> {
  const { name, seconds, calls } = order;
  const { text, values: recipes, api } = order.statement;
  if (order.loop) {
    const { rows } = await client.query(text, [seconds, calls]);
    return Number(rows[0].calls);
  }
  const until = performance.now() + seconds * 1000;
  let values = recipes.map(make);
  let done = 0;
  while (performance.now() < until && done < calls) {
    const begun = performance.now();
    const answer = api
      ? ask(api, text, values)
      : client.query({ name, text, values, rowMode: 'array' });
    // While the server works.
    values = recipes.map(make);
    await answer;
    times.push(performance.now() - begun);
    done += 1;
  }
  return done;
}

/** Opened once, so that slices do not begin with connecting. */
let pool: Pool | undefined;

/** Spends through the library, so many at a time, until the time is up. Returns how many spends that were. */
async function workWithLibrary(order: Order, times: number[]): Promise<number> {
  const { text: operation, values: recipes, library } = order.statement;
  const { coalesce, inFlight, connections } = library as NonNullable<typeof library>;
  const { createCredits } = await import('../../src/client.ts');
  pool ??= new Pool({ connectionString, max: connections, idleTimeoutMillis: 0 });
  const create = createCredits as (
    db: CreditsDatabase,
    options?: { coalesce?: true },
  ) => Pick<Credits, 'spend'>;
  const credits = create(pool, coalesce ? { coalesce: true } : {});
  const until = performance.now() + order.seconds * 1000;
  const lane = async () => {
    while (performance.now() < until) {
      const [accountId, usage, idempotencyKey] = recipes.map(make) as [string, string, string];
      const begun = performance.now();
      await credits.spend({ accountId, operation, usage: JSON.parse(usage), idempotencyKey });
      times.push(performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return times.length;
}

port.on('message', async (order: Order | null) => {
  if (order === null) {
    agent.destroy();
    await pool?.end();
    await Promise.all(clients.map((client) => client.end()));
    port.close();
    return;
  }
  const times: number[] = [];
  const idle = performance.eventLoopUtilization();
  const outcome: Outcome = { calls: 0, times: new Float64Array(), busy: 0, error: undefined };
  try {
    const done = order.statement.library
      ? [await workWithLibrary(order, times)]
      : await Promise.all(clients.map((client) => work(client, order, times)));
    outcome.calls = done.reduce((sum, calls) => sum + calls, 0);
    outcome.times = Float64Array.from(times);
    outcome.busy = performance.eventLoopUtilization(idle).utilization;
  } catch (error) {
    const { message, detail } = error as { message: string; detail?: string };
    outcome.error = [message, detail].filter(Boolean).join(' ');
  }
  port.postMessage(outcome);
});
port.postMessage({ pids });
