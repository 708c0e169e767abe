import * as fs from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startEmbeddedPostgres } from '../../src/embedded-postgres.ts';
import { StartupError } from '../../src/errors.ts';
import { connected } from '../support/server.ts';

let parent: string;
let folder: string;

beforeEach(() => {
  parent = fs.mkdtempSync(path.join(os.tmpdir(), 'pgcredits-embedded-'));
  fs.chmodSync(parent, 0o755);
  folder = path.join(parent, 'data');
});

afterEach(() => {
  fs.rmSync(parent, { recursive: true });
});

const startHere = () => startEmbeddedPostgres({ folder, test: true });
const settingsOf = (url: string) =>
  connected(url, async (client) => {
    const { rows } = await client.query('select name, setting from pg_settings');
    return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
  });

test('is durable unless it is for tests, and listens on 127.0.0.1 alone', async () => {
  const server = await startEmbeddedPostgres({ folder });
  const settings = await settingsOf(server.connectionString);
  await server.stop();
  expect(settings).toMatchObject({
    fsync: 'on',
    full_page_writes: 'on',
    synchronous_commit: 'on',
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    server_encoding: 'UTF8',
    password_encryption: 'scram-sha-256',
  });
});

test('keeps its password to its owner, and refuses a wrong one', async () => {
  const server = await startHere();
  const wrong = new URL(server.connectionString);
  wrong.password = 'wrong';
  await expect(connected(wrong.href, async () => {})).rejects.toMatchObject({ code: '28P01' });
  await server.stop();
  expect(fs.statSync(path.join(folder, 'password')).mode & 0o777).toBe(0o600);
});

test('stays at its port, or takes another one if that is taken', async () => {
  const first = await startHere();
  await first.stop();
  const second = await startHere();
  await second.stop();
  expect(second.connectionString).toBe(first.connectionString);

  const { port } = new URL(first.connectionString);
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(Number(port), '127.0.0.1', resolve));
  const third = await startHere();
  await third.stop();
  holder.close();
  expect(new URL(third.connectionString).port).not.toBe(port);
});

test('starts over what an interrupted start left', async () => {
  fs.mkdirSync(path.join(folder, 'postgres.unfinished'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'postgres.unfinished/PG_VERSION'), '18\n');
  const server = await startHere();
  await server.stop();
  expect(fs.existsSync(path.join(folder, 'postgres.unfinished'))).toBe(false);
});

test.runIf(process.platform === 'linux')(
  'is not kept from starting by a process that now has the number of its last server',
  async () => {
    const first = await startHere();
    const pidFile = path.join(folder, 'postgres/postmaster.pid');
    const lines = fs.readFileSync(pidFile, 'utf8').split('\n');
    await first.stop();
    fs.writeFileSync(pidFile, [process.pid, ...lines.slice(1)].join('\n'));
    const second = await startHere();
    await second.stop();
  },
);

test('says what to do when the password is missing', async () => {
  const server = await startHere();
  await server.stop();
  fs.rmSync(path.join(folder, 'password'));
  await expect(startHere()).rejects.toThrow(StartupError);
});

test.runIf(process.getuid?.() === 0)(
  'keeps its data elsewhere when only root can enter the folder',
  async () => {
    const closed = path.join(parent, 'closed');
    fs.mkdirSync(closed, { mode: 0o700 });
    const sharedFolder = path.join(parent, 'shared');
    folder = path.join(closed, 'data');
    const start = () => startEmbeddedPostgres({ folder, test: true, sharedFolder });

    const first = await start();
    await connected(first.connectionString, (client) => client.query('create table kept ()'));
    await first.stop();
    expect(fs.realpathSync(path.join(folder, 'postgres'))).toContain(
      `${sharedFolder}${path.sep}data-`,
    );

    const second = await start();
    await connected(second.connectionString, (client) => client.query('select from kept'));
    await second.stop();
  },
);
