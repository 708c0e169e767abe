import * as fs from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { type RunningCommand, start } from '../support/command.ts';
import { connected, createDatabase } from '../support/server.ts';

let folder: string;
let running: RunningCommand[];

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pgcredits-up-'));
  fs.chmodSync(folder, 0o755);
  running = [];
});

afterEach(async () => {
  for (const command of running) {
    command.process.kill('SIGINT');
    await command.ended;
  }
  await untilServerEnded();
  fs.rmSync(folder, { recursive: true });
});

const environment = () => ({ PGCREDITS_DATA: path.join(folder, 'data'), PORT: '0' });

/** Starts everything, and returns the command with the address of its database. */
async function startUp(...args: string[]): Promise<{ command: RunningCommand; url: string }> {
  const command = start(['up', ...args], environment());
  running.push(command);
  const [, url] = await command.printed(/psql '(.*)'/);
  await command.printed(/Ctrl-C/);
  return { command, url };
}

/** Starts what should refuse to, and returns what it said. */
async function refusal(
  env: Record<string, string> = {},
): Promise<{ status: number | null; output: string }> {
  const command = start(['up'], { ...environment(), ...env });
  running.push(command);
  return { status: await command.ended, output: command.output() };
}

function serverPid(): number | null {
  const file = path.join(folder, 'data/postgres/postmaster.pid');
  return fs.existsSync(file) ? Number(fs.readFileSync(file, 'utf8').split('\n')[0]) : null;
}

async function untilServerEnded(): Promise<void> {
  while (serverPid() !== null) await sleep(20);
}

/** Of each usage page that it links: the account, the role, and what a change of settings with the link's token comes to. */
async function readers(output: string): Promise<string[][]> {
  const links = output.matchAll(
    /(\S+), as \S+ \((admin|member)\)\n\s+(http:\S+?)\/usage#token=(\S+)/g,
  );
  return Promise.all(
    [...links].map(async ([, account, role, api, token]) => {
      const response = await fetch(`${api}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({
          query: `mutation ($account: String!) {
            configureAdditional(input: { accountId: $account, enabled: true }) { clientMutationId }
          }`,
          variables: { account },
        }),
      });
      const { errors } = await response.json();
      return [account, role, errors?.[0].extensions.code ?? 'may configure'];
    }),
  );
}

const count = (url: string, table: string) =>
  connected(url, async (client) => (await client.query(`select from ${table}`)).rowCount);

test('starts everything, stops in order at Ctrl-C, and has its data the next time', async () => {
  const first = await startUp('--demo');
  expect(first.command.output()).toContain('==== invideo');
  expect(await count(first.url, 'credits.accounts')).toBe(4);
  const entries = await count(first.url, 'credits.entries');
  expect(await readers(first.command.output())).toEqual([
    ['demo-avs', 'admin', 'may configure'],
    ['demo-avs', 'member', 'PC403'],
    ['demo-invideo', 'admin', 'may configure'],
    ['demo-invideo', 'member', 'PC403'],
    ['demo-videodraft', 'admin', 'may configure'],
    ['demo-videodraft', 'member', 'PC403'],
    ['demo-videogen', 'admin', 'may configure'],
    ['demo-videogen', 'member', 'PC403'],
  ]);
  first.command.process.kill('SIGINT');
  expect(await first.command.ended).toBe(0);
  expect(serverPid()).toBeNull();

  const second = await startUp('--demo');
  expect(second.command.output()).toContain('up to date');
  expect(await count(second.url, 'credits.accounts')).toBe(4);
  expect(await count(second.url, 'credits.entries')).toBeGreaterThan(entries ?? 0);
  second.command.process.kill('SIGTERM');
  expect(await second.command.ended).toBe(0);
});

test("writes no past into a database of the application's, and leaves its clock alone", async () => {
  const database = await createDatabase(inject('serverUrl'), inject('templates').catalogs);
  try {
    const clock = () =>
      connected(database.url, async (client) => {
        const { rows } = await client.query(
          `select xmin::text, prosrc, prosqlbody::text from pg_proc where oid = 'credits_private.now'::regproc`,
        );
        return rows;
      });
    const before = await clock();
    const command = start(['up', '--demo'], { ...environment(), DATABASE_URL: database.url });
    running.push(command);
    await command.printed(/Ctrl-C/);
    expect(await clock()).toEqual(before);
    expect(await count(database.url, 'credits.accounts')).toBe(4);
    expect(
      await count(
        database.url,
        `credits.entries where occurred_at < clock_timestamp() - interval '10 minutes'`,
      ),
    ).toBe(0);
    command.process.kill('SIGINT');
    expect(await command.ended).toBe(0);
  } finally {
    await database.drop();
  }
});

test('leaves no server behind when it is killed, and recovers at the next start', async () => {
  const first = await startUp();
  await connected(first.url, (client) =>
    client.query(`select credits.open_account('a', 'avs_free')`),
  );
  first.command.process.kill('SIGKILL');
  await first.command.ended;
  await untilServerEnded();

  const second = await startUp();
  expect(await count(second.url, 'credits.accounts')).toBe(1);
});

test('recovers when the server was killed as well', async () => {
  const first = await startUp();
  await connected(first.url, (client) =>
    client.query(`select credits.open_account('a', 'avs_free')`),
  );
  const pid = serverPid() ?? expect.fail('no server');
  first.command.process.kill('SIGKILL');
  process.kill(pid, 'SIGKILL');
  await first.command.ended;

  const second = await startUp();
  expect(await count(second.url, 'credits.accounts')).toBe(1);
});

test('says so when the server ends under it', async () => {
  const { command } = await startUp();
  process.kill(serverPid() ?? expect.fail('no server'), 'SIGINT');
  expect(await command.ended).toBe(1);
  expect(command.output()).toContain('The embedded PostgreSQL has ended.');
});

test('refuses a folder that another one uses', async () => {
  await startUp();
  const { status, output } = await refusal();
  expect(status).toBe(1);
  expect(output).toContain('is in use by another server');
  expect(output).toContain('Stop the other pgcredits first');
});

test('refuses a taken port, and stops what it had started', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  const { port } = holder.address() as { port: number };
  const { status, output } = await refusal({ PORT: String(port) });
  holder.close();
  expect(status).toBe(1);
  expect(output).toContain(`Port ${port} on 127.0.0.1 is taken.\nSet PORT to another one`);
  expect(serverPid()).toBeNull();
});

test('refuses a folder that cannot be written to', async () => {
  // Below a file there can be no folder, for root neither.
  fs.writeFileSync(path.join(folder, 'data'), '');
  const { status, output } = await refusal();
  expect(status).toBe(1);
  expect(output).toContain(
    `The folder ${path.join(folder, 'data')} cannot be written to.\nMake it writable`,
  );
});

test('refuses data of another major version', async () => {
  fs.mkdirSync(path.join(folder, 'data/postgres'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'data/postgres/PG_VERSION'), '17\n');
  const { status, output } = await refusal();
  expect(status).toBe(1);
  expect(output).toContain('is of PostgreSQL 17; this is PostgreSQL 18.\nSet PGCREDITS_DATA');
});
