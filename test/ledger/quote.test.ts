import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { atelierDatabase } from '../support/atelier.ts';
import { type Arguments, call, type Item } from '../support/calls.ts';
import { creditsError, type TestDatabase, verifyAfterEach } from '../support/database.ts';

let database: TestDatabase;
verifyAfterEach(() => database);

beforeAll(async () => {
  database = await atelierDatabase();
  await call(database.pool, 'open_account', { account_id: 'team', plan: 'atelier_pro' });
  await call(database.pool, 'open_account', { account_id: 'other', rate_card: 'bazaar' });
});
afterAll(() => database.close());

const quote = (operation: string | null, usage: unknown = {}, account_id = 'team') =>
  call(database.pool, 'quote', { account_id, operation, usage });
const quoteItems = (items: Item[], account_id = 'team') =>
  call(database.pool, 'quote_items', { account_id, items });

describe('item', () => {
  const item = (args: Arguments) => call(database.pool, 'item', args);

  test('pairs an operation with its usage', async () => {
    expect(await item({ operation: 'video', usage: { quality: 'pro', seconds: 8 } })).toEqual([
      { operation: 'video', usage: { quality: 'pro', seconds: 8 } },
    ]);
  });

  test('takes a missing usage, null and JSON null for an empty one', async () => {
    const empty = [{ operation: 'image', usage: {} }];
    expect(await item({ operation: 'image' })).toEqual(empty);
    expect(await item({ operation: 'image', usage: null })).toEqual(empty);
    expect(await database.query(`select * from credits.item('image', null)`)).toEqual(empty);
  });
});

describe('quote', () => {
  test('prices an operation and says what could pay for it', async () => {
    expect(await quote('image')).toEqual([
      {
        unit: 'credit',
        amount: 5,
        available: 100,
        affordable: true,
        blocked_by: null,
        breakdown: [expect.objectContaining({ operation: 'image', component: 'base', amount: 5 })],
      },
    ]);
  });

  test('gives a row a unit, the main unit first', async () => {
    expect(await quote('film', { seconds: 61 })).toMatchObject([
      { unit: 'credit', amount: 20, available: 100, affordable: true },
      { unit: 'minute', amount: 2, available: 10, affordable: true },
    ]);
  });

  test('is by the card of the account', async () => {
    expect(await quote('image', {}, 'other')).toMatchObject([
      { unit: 'coin', amount: 7, available: 0, blocked_by: 'insufficient_credits' },
    ]);
    expect(await creditsError(quote('film', { seconds: 1 }, 'other'))).toMatchObject({
      code: 'PC404',
      detail: { what: 'operation', key: 'film' },
    });
  });

  test('says what blocks it, and still gives the price', async () => {
    expect(await quote('film', { seconds: 660 })).toMatchObject([
      { unit: 'credit', amount: 20, affordable: true, blocked_by: null },
      {
        unit: 'minute',
        amount: 11,
        available: 10,
        affordable: false,
        blocked_by: 'insufficient_credits',
      },
    ]);
    expect(await quote('upscale')).toMatchObject([
      { amount: 2, available: 100, affordable: false, blocked_by: 'top_ups_required' },
    ]);
    await call(database.pool, 'open_account', { account_id: 'bare', rate_card: 'atelier' });
    expect(await quote('print', {}, 'bare')).toMatchObject([
      { amount: 3, available: 0, affordable: false, blocked_by: 'plan_required' },
    ]);
  });

  test('what costs nothing is affordable with nothing', async () => {
    await call(database.pool, 'open_account', { account_id: 'bare', rate_card: 'atelier' });
    expect(await quote('edit', {}, 'bare')).toMatchObject([
      { unit: 'credit', amount: 0, available: 0, affordable: true, blocked_by: null },
    ]);
  });

  test('exactly what is there is affordable, a hundredth more is not', async () => {
    expect(await quote('video', { quality: 'pro', seconds: 300 })).toMatchObject([
      { amount: 100, affordable: true },
    ]);
    expect(await quote('video', { quality: 'pro', seconds: 300.03 })).toMatchObject([
      { amount: 100.01, affordable: false, blocked_by: 'insufficient_credits' },
    ]);
  });

  test('takes a usage of null for an empty one', async () => {
    expect(await quote('image', null)).toEqual(await quote('image', {}));
    expect(await database.query(`select amount from credits.quote('team', 'image', null)`)).toEqual(
      [{ amount: '5.00' }],
    );
  });

  test('PC404 for an unknown account or operation', async () => {
    for (const [attempt, detail] of [
      [() => quote('image', {}, 'nobody'), { what: 'account', key: 'nobody' }],
      [() => quote('image', {}, 'TEAM'), { what: 'account', key: 'TEAM' }],
      [() => quote('hologram'), { what: 'operation', key: 'hologram' }],
      [() => quote(null), { what: 'operation', key: '' }],
    ] as const) {
      expect(await creditsError(attempt())).toEqual({
        code: 'PC404',
        detail,
        hint: expect.any(String),
      });
    }
  });

  test('PC422 for a usage that has no price', async () => {
    for (const [attempt, field, reason] of [
      [() => quote('video', { quality: 'pro' }), 'seconds', 'missing'],
      [() => quote('video', { quality: 'pro', seconds: '8' }), 'seconds', 'not_a_number'],
      [() => quote('video', { quality: 'pro', seconds: -1 }), 'seconds', 'too_small'],
      [() => quote('video', { quality: 'pro', seconds: 1e13 }), 'seconds', 'too_large'],
      [() => quote('video', { quality: 'draft', seconds: 8 }), 'quality', 'unknown_value'],
      [() => quote('video', { seconds: 8 }), 'usage', 'no_rate'],
      [() => quote('image', { count: 0 }), 'count', 'too_small'],
      [() => quote('image', { count: 1.5 }), 'count', 'not_whole'],
      [() => quote('image', ['4K']), 'usage', 'not_an_object'],
      [() => quote('image', 'big'), 'usage', 'not_an_object'],
      [() => quote('image', 4), 'usage', 'not_an_object'],
    ] as const) {
      expect(await creditsError(attempt())).toMatchObject({
        code: 'PC422',
        detail: { field, reason },
        hint: expect.any(String),
      });
    }
  });

  test('writes nothing, and runs where nothing may be written', async () => {
    const client = await database.pool.connect();
    try {
      await client.query('begin read only');
      expect(await call(client, 'quote', { account_id: 'team', operation: 'image' })).toHaveLength(
        1,
      );
    } finally {
      await client.query('rollback');
      client.release();
    }
  });
});

describe('quote_items', () => {
  test('adds operations up, a row a unit for the whole job', async () => {
    expect(
      await quoteItems([
        ['image', { count: 2 }],
        ['film', { seconds: 60 }],
        ['video', { quality: 'pro', seconds: 30 }],
      ]),
    ).toMatchObject([
      { unit: 'credit', amount: 40, affordable: true },
      { unit: 'minute', amount: 1, affordable: true },
    ]);
  });

  test('of one item is quote', async () => {
    expect(await quoteItems([['film', { seconds: 61 }]])).toEqual(
      await quote('film', { seconds: 61 }),
    );
  });

  test('is affordable only together', async () => {
    const one: Item = ['video', { quality: 'pro', seconds: 180 }];
    expect(await quoteItems([one])).toMatchObject([{ amount: 60, affordable: true }]);
    expect(await quoteItems([one, one])).toMatchObject([
      { amount: 120, affordable: false, blocked_by: 'insufficient_credits' },
    ]);
  });

  test('one gate that is not met blocks the job in every unit', async () => {
    expect(await quoteItems([['film', { seconds: 1 }], ['upscale']])).toMatchObject([
      { unit: 'credit', blocked_by: 'top_ups_required' },
      { unit: 'minute', blocked_by: 'top_ups_required' },
    ]);
  });

  test('PC422 without items, PC404 for one that is unknown', async () => {
    expect(await creditsError(quoteItems([]))).toMatchObject({
      code: 'PC422',
      detail: { field: 'items', reason: 'missing' },
    });
    expect(
      await creditsError(database.query(`select * from credits.quote_items('team', null)`)),
    ).toMatchObject({ code: 'PC422', detail: { field: 'items', reason: 'missing' } });
    expect(
      await creditsError(
        database.query(`select * from credits.quote_items('team', array[null::credits.item])`),
      ),
    ).toMatchObject({ code: 'PC404', detail: { what: 'operation', key: '' } });
    expect(await creditsError(quoteItems([['image'], ['hologram']]))).toMatchObject({
      code: 'PC404',
      detail: { what: 'operation', key: 'hologram' },
    });
  });
});
