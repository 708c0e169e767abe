import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { CATALOGS } from '../../src/catalog.ts';
import { installScript } from '../../src/migrate.ts';
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
    expect(first).toMatchObject({ status: 0, output: expect.stringContaining('sql/access.sql') });
    const second = await run(['migrate'], { DATABASE_URL: bare.url });
    expect(second).toEqual({ status: 0, output: 'Up to date.\n' });
  } finally {
    await bare.drop();
  }
});

test('catalog load changes nothing the second time', async () => {
  const { status, output } = await run(['catalog', 'load', ...CATALOGS], environment());
  expect(output).toBe(CATALOGS.map((name) => `${name}: unchanged\n`).join(''));
  expect(status).toBe(0);
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
  const { status, output } = await run(['catalog', 'load', file], environment());
  fs.rmSync(path.dirname(file), { recursive: true });
  expect(status).toBe(1);
  expect(output).toContain('PC422');
  expect(output).toContain('"reason": "overlap"');
  expect(output).toContain('Do this.');
});

test('sql prints the install script', async () => {
  expect(await run(['sql'], {})).toEqual({ status: 0, output: `${installScript()}\n` });
});

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
  expect(await run(['verify'], environment())).toEqual({ status: 0, output: 'No violations.\n' });

  await database.query(`select credits.open_account('a', 'avs_creator')`);
  // As nobody may: past every constraint and trigger.
  await database.query(`
    begin;
    set local session_replication_role = replica;
    update credits.lots set spent = spent + 1 where account_id = 'a';
    commit`);
  const { status, output } = await run(['verify'], environment());
  expect(status).toBe(1);
  expect(output).toMatch(/^a {2}\w+/);
});
