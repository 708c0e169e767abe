/** How the files of the page are served. No browser is needed for that. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApi } from '../support/api.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

let database: TestDatabase;
let api: Awaited<ReturnType<typeof startApi>>;

beforeAll(async () => {
  database = await testDatabase({ catalogs: false });
  api = await startApi(database.url);
});
afterAll(async () => {
  await api.stop();
  await database.close();
});

test('the page brings all that it needs, and lets nothing else in', async () => {
  const page = await fetch(`${api.url}/usage`);
  expect(page.status).toBe(200);
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
  const policy = page.headers.get('content-security-policy');
  expect(policy).toContain(`default-src 'none'; script-src 'self'; style-src 'self'`);
  expect(policy).not.toContain('unsafe');
  expect(page.headers.get('referrer-policy')).toBe('no-referrer');
  const parts = [...(await page.text()).matchAll(/(?:src|href)="([^"]+)"/g)]
    .map(([, address]) => address)
    .filter((address) => !address.startsWith('data:'));
  expect(parts.sort()).toEqual(['usage/page.css', 'usage/page.js', 'usage/pgcredits-usage.js']);
  for (const part of parts) {
    const response = await fetch(new URL(part, page.url));
    expect([part, response.status]).toEqual([part, 200]);
    // One file each: nothing is imported from anywhere.
    expect(await response.text()).not.toMatch(/\bimport\s*[({"']|\bfrom\s*"/);
  }
});

test('the element may be loaded by pages of other origins', async () => {
  const response = await fetch(`${api.url}/usage/pgcredits-usage.js`);
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  expect(response.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
});

test('what has not changed is not sent again', async () => {
  const first = await fetch(`${api.url}/usage/page.css`);
  const headers = { 'if-none-match': first.headers.get('etag') as string };
  const again = await fetch(`${api.url}/usage/page.css`, { headers });
  expect(again.status).toBe(304);
  expect(await again.text()).toBe('');
});

test('HEAD is answered as GET is, without the text', async () => {
  const [head, get] = await Promise.all(
    ['HEAD', 'GET'].map((method) => fetch(`${api.url}/usage`, { method })),
  );
  expect(head.status).toBe(200);
  for (const name of ['content-type', 'content-security-policy', 'etag'])
    expect(head.headers.get(name)).toBe(get.headers.get(name));
  expect(await head.text()).toBe('');
});

test.each([
  '/usage/',
  '/usage/page.html',
  '/usage/bundle.ts',
  '/usage/toString',
  '/usage/../up.js',
])('there is nothing at %s', async (path) => {
  expect((await fetch(`${api.url}${path}`)).status).toBe(404);
});
