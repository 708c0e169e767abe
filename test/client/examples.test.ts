import * as fs from 'node:fs';
import { runOnce } from 'graphile-worker';
import type { Kysely } from 'kysely';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createCredits } from '../../src/client.ts';
import { atelierDatabase } from '../support/atelier.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';

const folder = new URL('./examples/', import.meta.url);

let database: TestDatabase;
let application: Kysely<never>;
verifyAfterEach(() => database);

beforeAll(async () => {
  database = await atelierDatabase(['atelier']);
  await database.query(`
    create table public.images (id text primary key, team text not null, prompt text not null);
    create table public.videos (job text primary key, team text not null, url text not null)`);
  vi.stubEnv('DATABASE_URL', database.url);
  const { database: kysely } = await import('./examples/app.ts');
  application = kysely as unknown as Kysely<never>;
  await createCredits(database.pool).openAccount({ accountId: 'team', plan: 'atelier_pro' });
});
afterAll(async () => {
  await application.destroy();
  await database.close();
  vi.unstubAllEnvs();
});

const charges = async () =>
  (
    await database.query(`select amount from credits.entries where kind = 'usage' order by seq`)
  ).map(({ amount }) => Number(amount));

test('the README shows the examples as they are', () => {
  const readme = fs.readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  for (const file of ['next-route.ts', 'queue-worker.ts']) {
    expect(readme).toContain(fs.readFileSync(new URL(file, folder), 'utf8').trim());
  }
});

test('the route charges with its own row, or says what is missing', async () => {
  const { POST } = await import('./examples/next-route.ts');
  const post = (id: string, resolution: string) =>
    POST(
      new Request('http://127.0.0.1/api/images', {
        method: 'POST',
        headers: { 'x-team': 'team' },
        body: JSON.stringify({ id, prompt: 'a cat', resolution }),
      }),
    );
  const answer = await post('1', '4K');
  expect([answer.status, await answer.json()]).toEqual([200, { id: '1', balance: '90.00' }]);

  await createCredits(database.pool).spend({
    accountId: 'team',
    operation: 'image',
    usage: { count: 17 },
  });
  const refusal = await post('2', '4K');
  expect([refusal.status, await refusal.json()]).toMatchObject([402, { shortfall: 5 }]);
  expect(await database.query('select id from public.images')).toEqual([{ id: '1' }]);
  await createCredits(database.pool).grant({ accountId: 'team', amount: 100 });
});

test('the task charges what the video came to, once, however often it runs', async () => {
  const { video } = await import('./examples/queue-worker.ts');
  const before = await charges();
  let again = false;
  const runJobs = async () => {
    await runOnce({
      connectionString: database.url,
      taskList: {
        async video(payload, helpers) {
          await video(payload, helpers);
          if (!again) throw new Error('the worker could not say that it was done');
        },
      },
      noHandleSignals: true,
    });
  };
  await runJobs();
  await database.query(`select graphile_worker.add_job('video', $1::json)`, [
    JSON.stringify({ team: 'team', prompt: 'cat' }),
  ]);
  await runJobs();
  again = true;
  await database.query('update graphile_worker._private_jobs set run_at = now()');
  await runJobs();
  expect(await database.query('select from graphile_worker._private_jobs')).toEqual([]);
  expect(await database.query('select team, url from public.videos')).toEqual([
    { team: 'team', url: 'https://videos.example/cat.mp4' },
  ]);
  expect((await charges()).slice(before.length)).toEqual([-15]);
});
