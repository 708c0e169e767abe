import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { CATALOGS } from '../../src/catalog.ts';
import { installScript, SQL_FOLDER } from '../../src/migrate.ts';
import { run, start } from '../support/command.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { createDatabase } from '../support/server.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase();
});

afterAll(() => database.close());

const environment = () => ({ DATABASE_URL: database.url });

test('migrate says what it applied, or that there was nothing to do', async () => {
  const bare = await createDatabase(inject('serverUrl'));
  try {
    const first = await run(['migrate'], { DATABASE_URL: bare.url });
    expect(first).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^Applied \d+ files\.\n$/),
      stderr: expect.stringContaining('sql/access.sql'),
    });
    const second = await run(['migrate'], { DATABASE_URL: bare.url });
    expect(second).toMatchObject({ status: 0, output: 'Up to date.\n' });
    const third = await run(['migrate', '--json'], { DATABASE_URL: bare.url });
    expect(third).toMatchObject({ status: 0, output: '[]\n' });
  } finally {
    await bare.drop();
  }
});

test('catalog load changes nothing the second time', async () => {
  const { status, output } = await run(['catalog', 'load', ...CATALOGS], environment());
  expect(output).toBe(CATALOGS.map((name) => `${name}: unchanged\n`).join(''));
  expect(status).toBe(0);
  const json = await run(['catalog', 'load', 'avs', '--json'], environment());
  expect(JSON.parse(json.stdout)).toEqual({ avs: [] });
});

test('catalog load refuses a file that is not there', async () => {
  const { status, output } = await run(['catalog', 'load', 'nowhere.sql'], environment());
  expect(status).toBe(1);
  expect(output).toContain('There is no catalog nowhere.sql');
  expect(output).toContain(
    'Name one of avs, invideo, videodraft, videogen, or a file of your own.',
  );
});

test('catalog load passes on why the database refuses a file', async () => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'pgcredits-catalog-')), 'wrong.sql');
  fs.writeFileSync(
    file,
    `begin; select credits_private.fail_invalid('rates', 'overlap', 'Do this.'); commit;`,
  );
  const { status, stderr } = await run(['catalog', 'load', file], environment());
  fs.rmSync(path.dirname(file), { recursive: true });
  expect(status).toBe(1);
  expect(stderr).toBe('Wrong rates: overlap. (PC422)\nDo this.\n');
});

test('sql prints the install script', async () => {
  expect(await run(['sql'], {})).toMatchObject({
    status: 0,
    stdout: `${installScript()}\n`,
    stderr: '',
  });
});

// A machine without psql has test/migrations, which runs all of the script but its first line, a backslash command.
test.runIf(spawnSync('psql', ['--version']).status === 0)(
  'sql prints what psql -f installs into a bare database, once',
  async () => {
    const bare = await createDatabase(inject('serverUrl'));
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pgcredits-sql-'));
    try {
      const file = path.join(folder, 'install.sql');
      fs.writeFileSync(file, (await run(['sql'], {})).stdout);
      const psql = (...args: string[]) =>
        spawnSync('psql', ['--no-psqlrc', '--quiet', '--tuples-only', ...args, bare.url], {
          encoding: 'utf8',
          env: { PATH: process.env.PATH },
        });
      const install = () => psql('-f', file);
      expect(install()).toMatchObject({ status: 0, stderr: '' });
      expect(psql('-c', 'select * from credits.verify()')).toMatchObject({ status: 0, stderr: '' });
      const catalog = path.join(SQL_FOLDER, 'catalogs/avs.sql');
      expect(psql('-f', catalog)).toMatchObject({ status: 0, stderr: '' });
      const again = install();
      expect(again.status).toBe(3);
      expect(again.stderr).toContain('already installed');
      expect(await run(['migrate'], { DATABASE_URL: bare.url })).toMatchObject({
        output: 'Up to date.\n',
      });
    } finally {
      fs.rmSync(folder, { recursive: true });
      await bare.drop();
    }
  },
);

test('serve and worker run until they are told to stop', async () => {
  const secret = 'a secret of more than thirty-two characters';
  const serve = start(['serve'], { ...environment(), PORT: '0', PGCREDITS_JWT_SECRET: secret });
  const worker = start(['worker'], environment());
  await serve.printed(/Listening on http:\/\/127\.0\.0\.1:\d+/);
  await worker.printed(/Working\./);
  serve.process.kill('SIGTERM');
  worker.process.kill('SIGTERM');
  expect([await serve.ended, await worker.ended]).toEqual([0, 0]);
});

test('worker and serve simulate no payments unless asked to', async () => {
  for (const [more, says] of [
    [{}, /Payments: none, so purchases stay pending; set STRIPE_SECRET_KEY/],
    [{ PGCREDITS_SIMULATE_PAYMENTS: '1' }, /Payments: simulated payments\./],
  ] as const) {
    const worker = start(['worker'], { ...environment(), ...more });
    await worker.printed(says);
    worker.process.kill('SIGTERM');
    expect(await worker.ended).toBe(0);
  }
});

test('serve needs a secret', async () => {
  const { status, output } = await run(['serve'], environment());
  expect(status).toBe(1);
  expect(output).toContain('PGCREDITS_JWT_SECRET is not set');
});

test('a command without DATABASE_URL says what to set', async () => {
  expect(await run(['verify'], {})).toMatchObject({
    status: 1,
    output: expect.stringContaining('DATABASE_URL is not set.'),
  });
});

test('a database that is not there is one sentence, not a stack', async () => {
  const { status, output } = await run(['verify'], { DATABASE_URL: 'postgres://127.0.0.1:1/x' });
  expect(status).toBe(1);
  expect(output).toMatch(/^The database cannot be reached: .*\nSee that .*\n$/);
});

test('verify prints violations and has exit status 1', async () => {
  expect(await run(['verify'], environment())).toMatchObject({
    status: 0,
    output: 'No violations.\n',
  });
  await database.query(`select credits.open_account('b', 'avs_creator')`);

  await database.query(`select credits.open_account('a', 'avs_creator')`);
  // As nobody may: past every constraint and trigger.
  await database.query(`
    begin;
    set local session_replication_role = replica;
    update credits.lots set spent = spent + 1 where account_id = 'a';
    commit`);
  const { status, stdout } = await run(['verify'], environment());
  expect(status).toBe(1);
  expect(stdout).toMatch(/^ {2}account_id {2}rule +detail\n {2}a +\w+/);

  const json = await run(['verify', '--json'], environment());
  expect(json.status).toBe(1);
  expect(JSON.parse(json.stdout)).toContainEqual(expect.objectContaining({ account_id: 'a' }));
  expect(await run(['verify', 'b', '--json'], environment())).toMatchObject({
    status: 0,
    stdout: '[]\n',
  });
  const unknown = await run(['verify', 'nobody'], environment());
  expect(unknown).toMatchObject({ status: 1, stdout: '' });
  expect(unknown.stderr).toMatch(/^There is no account "nobody"\. \(PC404\)\n/);
});

test('wrong usage has exit status 2, and says so on stderr', async () => {
  const wrong = [
    [],
    ['grand'],
    ['balance', 'a', '--when', 'now'],
    ['quote', 'a'],
    ['quote', 'a', 'image', 'resolution'],
    ['quote', 'a', 'image', '{resolution}'],
    ['activity', 'a', '--kind', 'spending'],
    ['activity', 'a', '--limit', '0'],
    ['grant', 'a', '5'],
  ];
  const outcomes = await Promise.all(wrong.map((args) => run(args, {})));
  for (const [index, { status, stdout, stderr }] of outcomes.entries()) {
    const args = wrong[index];
    expect({ args, status, stdout }).toEqual({ args, status: 2, stdout: '' });
    expect(stderr).not.toBe('');
  }
});

test('every command has help', async () => {
  const commands = ['up', 'migrate', 'serve', 'worker', 'verify', 'sql', 'quote', 'balance'];
  const { status, stdout } = await run(['--help'], {});
  expect(status).toBe(0);
  for (const command of [...commands, 'activity', 'grant', 'catalog']) {
    expect(stdout).toMatch(new RegExp(`^  ${command} .*\\w`, 'm'));
  }
  expect(await run(['catalog', 'load', '--help'], {})).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('avs, invideo, videodraft, videogen, or a file of your own'),
  });
});
