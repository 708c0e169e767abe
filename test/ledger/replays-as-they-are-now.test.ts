import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { atelierDatabase, NOON } from '../support/atelier.ts';
import { type Arguments, call } from '../support/calls.ts';
import { creditsError, type TestDatabase, verifyAfterEach } from '../support/database.ts';

let database: TestDatabase;
let team: string;
let number = 0;
verifyAfterEach(() => database);

beforeAll(async () => {
  database = await atelierDatabase();
});
beforeEach(async () => {
  await database.setNow(NOON);
  number += 1;
  team = `team ${number}`;
  await call(database.pool, 'open_account', { account_id: team, rate_card: 'atelier' });
});
afterAll(() => database.close());

const ask = (name: string, args: Arguments) =>
  call(database.pool, name, { account_id: team, ...args });
const LATER = '2026-03-20T00:00:00Z';

test('a grant that is repeated after its expiry says that it expired', async () => {
  const gift = { amount: 5, expires_at: '2026-03-15T00:00:00Z', idempotency_key: 'gift' };
  expect(await ask('grant', gift)).toMatchObject([{ lot_id: 1, available: 5, forfeited: 0 }]);
  await database.setNow(LATER);
  expect(await ask('grant', gift)).toMatchObject([{ lot_id: 1, available: 0, forfeited: 5 }]);
});

test('an authorization that is repeated after the end of its hold says that it is over', async () => {
  await ask('grant', { amount: 50 });
  const hold = { operation: 'image', idempotency_key: 'job', expires_in: '10 minutes' };
  expect(await ask('authorize', hold)).toMatchObject([{ hold_id: 1, status: 'open' }]);
  await database.setNow(LATER);
  expect(await ask('authorize', hold)).toMatchObject([{ hold_id: 1, status: 'expired' }]);
});

test('a claimant is the same with spaces around, and not nobody', async () => {
  await ask('claim', { promotion: 'welcome', claimant: 'ann@example.com' });
  await call(database.pool, 'open_account', { account_id: `${team} b`, rate_card: 'atelier' });
  const other = { account_id: `${team} b`, promotion: 'welcome' };
  expect(
    await creditsError(ask('claim', { ...other, claimant: ' Ann@example.com ' })),
  ).toMatchObject({
    code: 'PC409',
    detail: { reason: 'already_claimed' },
  });
  expect(await creditsError(ask('claim', { ...other, claimant: '   ' }))).toMatchObject({
    code: 'PC422',
    detail: { field: 'claimant' },
  });
});

test('a job of more than a thousand items is refused', async () => {
  const items = Array.from({ length: 1001 }, () => ['image', {}]);
  expect(await creditsError(ask('quote_items', { items }))).toMatchObject({
    code: 'PC422',
    detail: { field: 'items', reason: 'too_many' },
  });
});

test('a sweep of less than nothing settles nothing', async () => {
  expect(await call(database.pool, 'settle_due', { batch: -1 })).toEqual([{ settle_due: 0 }]);
});
