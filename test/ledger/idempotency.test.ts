import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { atelierDatabase, NOON } from '../support/atelier.ts';
import { type Arguments, call, type Item } from '../support/calls.ts';
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
  await call(database.pool, 'open_account', { account_id: team, plan: 'atelier_pro' });
});
afterAll(() => database.close());

const KEY = 'job-1';
const spend = (operation: string, usage: unknown = {}, rest: Arguments = {}) =>
  call(database.pool, 'spend', {
    account_id: team,
    operation,
    usage,
    idempotency_key: KEY,
    ...rest,
  });
const spendItems = (items: Item[], rest: Arguments = {}) =>
  call(database.pool, 'spend_items', { account_id: team, items, idempotency_key: KEY, ...rest });
const grant = (amount: number, rest: Arguments = {}) =>
  call(database.pool, 'grant', { account_id: team, amount, idempotency_key: KEY, ...rest });
const log = () => call(database.pool, 'activity', { account_id: team });
const reused = (kind: string, seq: number) => ({
  code: 'PC409',
  detail: { reason: 'idempotency_key_reused', idempotency_key: KEY, kind, seq },
  hint: expect.any(String),
});

describe('the same key with the same request', () => {
  test('returns the original entries, and charges once', async () => {
    const original = await spend('image', { count: 2 });
    await database.setNow('2026-03-11T00:00:00Z');
    expect(await spend('image', { count: 2 })).toEqual(original);
    expect(await spend('image', { count: 2 })).toEqual(original);
    expect(await log()).toHaveLength(3);
  });

  test('returns the entries of every unit, in order', async () => {
    const original = await spend('film', { seconds: 61 });
    expect(original).toHaveLength(2);
    expect(await spend('film', { seconds: 61 })).toEqual(original);
  });

  test('still does after refills and expiries, after the credits are gone and at another price', async () => {
    const original = await spend('image');
    await database.setNow('2026-06-01T00:00:00Z');
    await spend('image', {}, { idempotency_key: 'job-2' });
    await spend('video', { quality: 'pro', seconds: 285 }, { idempotency_key: 'job-3' });
    expect(await call(database.pool, 'balances', { account_id: team })).toMatchObject([
      { total: 0 },
      {},
    ]);
    await database.query(
      `update credits.card_rates set price = 6 where rate_card = 'atelier' and operation = 'image';
       select credits_private.list_prices('atelier', '${NOON}')`,
    );
    try {
      expect(await spend('image')).toEqual(original);
      // Nothing was settled either: what it returns is a look back.
      await database.setNow('2026-07-15T00:00:00Z');
      const before = await log();
      expect(await spend('image')).toEqual(original);
      expect(await log()).toEqual(before);
    } finally {
      await database.query(
        `update credits.card_rates set price = 5 where rate_card = 'atelier' and operation = 'image';
         select credits_private.list_prices('atelier', '${NOON}')`,
      );
    }
  });

  test('compares usage as JSON: 61 is 61.0, order is nothing, null is {}', async () => {
    const original = await spend('video', { quality: 'pro', seconds: 61 });
    for (const usage of [
      `{"seconds": 61.0, "quality": "pro"}`,
      `{"quality":"pro","seconds":6.1e1}`,
      `{"seconds": 1, "quality": "pro", "seconds": 61.00}`,
    ]) {
      expect(
        await database.query(
          `select seq::int from credits.spend($1, 'video', $2::jsonb, idempotency_key => $3)`,
          [team, usage, KEY],
        ),
      ).toEqual([{ seq: original[0].seq }]);
    }
    const [plain] = await spend('image', {}, { idempotency_key: 'plain' });
    for (const usage of [`'{}'`, 'null', `'null'`, 'default']) {
      const argument = usage === 'default' ? '' : `, usage => ${usage}`;
      expect(
        await database.query(
          `select seq::int from credits.spend($1, 'image', idempotency_key => 'plain'${argument})`,
          [team],
        ),
      ).toEqual([{ seq: plain.seq }]);
    }
  });

  test('is the same request through spend as through spend_items of one item', async () => {
    const original = await spend('image', { count: 2 });
    expect(await spendItems([['image', { count: 2 }]])).toEqual(original);
    const items = await spendItems([['film', { seconds: 1 }]], { idempotency_key: 'other' });
    expect(await spend('film', { seconds: 1 }, { idempotency_key: 'other' })).toEqual(items);
  });

  test('does not compare metadata or max_amount', async () => {
    const original = await spend('image', {}, { metadata: { a: 1 }, max_amount: 5 });
    expect(await spend('image', {}, { metadata: { b: 2 }, max_amount: 1 })).toEqual(original);
    expect(await spend('image')).toEqual(original);
    expect(original[0].metadata).toEqual({ a: 1 });
  });

  test('of a job of several items returns its entries', async () => {
    const items: Item[] = [
      ['image', { count: 2 }],
      ['film', { seconds: 61 }],
      ['image', null],
    ];
    const original = await spendItems(items);
    expect(await spendItems(items)).toEqual(original);
    expect(await spendItems([items[0], items[1], ['image', {}]])).toEqual(original);
  });

  test('of a grant returns the lot as it is now', async () => {
    const rest = { expires_at: '2026-12-31T00:00:00Z', priority: 7, reason: 'sorry' };
    const [lot] = await grant(20, rest);
    await spend('video', { quality: 'pro', seconds: 330 }, { idempotency_key: 'long' });
    expect(await grant(20, rest)).toEqual([{ ...lot, spent: 10, available: 10, version: 2 }]);
    await database.setNow('2027-01-01T00:00:00Z');
    await spend('edit', {}, { idempotency_key: 'settles' });
    expect(await grant(20, rest)).toEqual([
      { ...lot, spent: 10, forfeited: 10, available: 0, open: false, version: 3 },
    ]);
    expect(
      await database.query(
        `select from credits.entries where account_id = $1 and idempotency_key = $2`,
        [team, KEY],
      ),
    ).toHaveLength(1);
  });

  test('of a grant without end may say so in two ways', async () => {
    const [lot] = await grant(20, { expires_at: 'infinity' });
    expect(lot.expires_at).toBeNull();
    expect(await grant(20, { expires_at: 'infinity' })).toEqual([lot]);
    expect(await grant(20)).toEqual([lot]);
    expect(await grant('20.00' as unknown as number, { unit: 'credit' })).toEqual([lot]);
  });
});

describe('the same key with a different request is PC409', () => {
  test('another operation, usage or member', async () => {
    const [{ seq }] = await spend('image', { count: 2 }, { member_id: 'ada' });
    for (const attempt of [
      () => spend('film', { seconds: 1 }, { member_id: 'ada' }),
      () => spend('print', { count: 2 }, { member_id: 'ada' }),
      () => spend('image', { count: 3 }, { member_id: 'ada' }),
      () => spend('image', {}, { member_id: 'ada' }),
      () => spend('image', { count: 2, note: 'more' }, { member_id: 'ada' }),
      () => spend('image', { count: 2 }, { member_id: 'grace' }),
      () => spend('image', { count: 2 }),
      () => spendItems([['image'], ['image']], { member_id: 'ada' }),
    ]) {
      expect(await creditsError(attempt())).toEqual(reused('usage', seq));
    }
    expect(await log()).toHaveLength(3);
  });

  test('other items, or the same in another order', async () => {
    const [{ seq }] = await spendItems([['image'], ['print']]);
    for (const items of [
      [['image']],
      [['print'], ['image']],
      [['image'], ['print'], ['image']],
      [['image', { count: 2 }], ['print']],
    ] as Item[][]) {
      expect(await creditsError(spendItems(items))).toEqual(reused('usage', seq));
    }
  });

  test('even one that would be refused for another reason', async () => {
    const [{ seq }] = await spend('image');
    for (const attempt of [
      () => spend('hologram'),
      () => spend('image', { count: -1 }),
      () => spend('upscale'),
      () => spend('video', { quality: 'pro', seconds: 1e6 }),
    ]) {
      expect(await creditsError(attempt())).toEqual(reused('usage', seq));
    }
  });

  test('another grant', async () => {
    await database.setNow('2026-03-11T00:00:00Z');
    await grant(20);
    for (const attempt of [
      () => grant(21),
      () => grant(20, { unit: 'minute' }),
      () => grant(20, { bucket: 'included' }),
    ]) {
      expect(await creditsError(attempt())).toEqual(reused('grant', 3));
    }
  });

  test('a function of another family: a spend, then a grant, and the other way round', async () => {
    await spend('image');
    expect(await creditsError(grant(5))).toEqual(reused('usage', 3));
    await grant(5, { idempotency_key: 'granted' });
    expect(await creditsError(spend('image', {}, { idempotency_key: 'granted' }))).toMatchObject({
      code: 'PC409',
      detail: { reason: 'idempotency_key_reused', kind: 'grant', seq: 4 },
    });
    expect(
      await creditsError(spendItems([['image']], { idempotency_key: 'granted' })),
    ).toMatchObject({ code: 'PC409', detail: { kind: 'grant', seq: 4 } });
  });

  test('a key of two units, reused by a grant', async () => {
    await spend('film', { seconds: 1 });
    expect(await creditsError(grant(5))).toEqual(reused('usage', 3));
  });
});

describe('a key', () => {
  test('that was refused is free again', async () => {
    await call(database.pool, 'open_account', { account_id: `${team} bare`, rate_card: 'atelier' });
    const bare = { account_id: `${team} bare` };
    expect(await creditsError(spend('image', {}, bare))).toMatchObject({ code: 'PC402' });
    expect(await creditsError(spend('print', {}, bare))).toMatchObject({ code: 'PC403' });
    expect(await creditsError(spend('hologram', {}, bare))).toMatchObject({ code: 'PC404' });
    expect(await creditsError(grant(-1, bare))).toMatchObject({ code: 'PC422' });
    expect(await grant(5, bare)).toHaveLength(1);
    expect(await creditsError(spend('video', { quality: 'pro', seconds: 303 }))).toMatchObject({
      code: 'PC402',
    });
    expect(await spend('video', { quality: 'pro', seconds: 300 })).toHaveLength(1);
  });

  test('belongs to its account', async () => {
    await call(database.pool, 'open_account', { account_id: `${team} 2`, plan: 'atelier_pro' });
    const [here] = await spend('image');
    const [there] = await spend('image', { count: 2 }, { account_id: `${team} 2` });
    expect(here).toMatchObject({ account_id: team, amount: -5 });
    expect(there).toMatchObject({ account_id: `${team} 2`, amount: -10 });
  });

  test('is compared to the letter', async () => {
    const keys = ['key', 'KEY', 'key ', 'k\u00e9y', 'ke\u0301y'];
    for (const idempotency_key of keys) await spend('image', {}, { idempotency_key });
    expect(await log()).toHaveLength(2 + keys.length);
  });

  test('that is null is none: every call charges', async () => {
    await spend('image', {}, { idempotency_key: null });
    await spend('image', {}, { idempotency_key: null });
    expect(await log()).toHaveLength(4);
  });
});
