import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { creditsError, type TestDatabase, testDatabase } from '../support/database.ts';
import { product } from './product.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

describe('rates', () => {
  test('lists the account’s card, a row a rate, by category', async () => {
    await database.query(`select credits.open_account('reader', 'avs_free')`);
    const rates = await database.query(`select * from credits.rates('reader')`);
    const [{ count }] = await database.query(
      `select count(*) from credits.card_rates where rate_card = 'avs'`,
    );
    expect(rates).toHaveLength(Number(count));
    const categories = rates.map(({ category }) => category);
    expect(categories).toEqual(categories.toSorted());
    expect(rates.find(({ operation }) => operation === 'video_generation')).toMatchObject({
      category: 'Generation',
      operation_name: 'Video generation',
      component: 'base',
      match: {},
      unit: 'credit',
      price: '10',
      measure: null,
      per: '1',
      optional: false,
      multipliers: [
        { group: 'resolution', match: { resolution: '720p' }, factor: 1 },
        { group: 'resolution', match: { resolution: '1080p' }, factor: 2 },
        { group: 'resolution', match: { resolution: '4K' }, factor: 4 },
      ],
    });
    expect(
      rates
        .filter(({ operation }) => operation === 'upload')
        .map(({ match, price }) => [match.asset, price]),
    ).toEqual(
      expect.arrayContaining([
        ['video', '5'],
        ['image', '0'],
        ['audio', '3'],
        ['screen_recording', '0'],
      ]),
    );
  });

  test('shows tiers, blocks, minimums, and a component’s own multipliers', async () => {
    const { account } = await product(database, {
      rates: `(component, match, price, tiers, measure, per, quantity_rounding, minimum_quantity, minimum_charge, maximum_charge, optional) values
        ('gb', '{}', null, '[{"up_to": 1, "price": 0}, {"price": 2}]', 'gb', 1, 'exact', null, null, null, false),
        ('scan', '{"scan": true}', 3, null, 'pages', 10, 'up', 20, 4, 5, true)`,
      multipliers: `(multiplier_group, component, match, factor) values
        ('rush', null, '{"rush": true}', 2), ('hand', 'scan', '{"hand": "old"}', 3)`,
    });
    const rush = { group: 'rush', match: { rush: true }, factor: 2 };
    const hand = { group: 'hand', match: { hand: 'old' }, factor: 3 };
    expect(await database.query('select * from credits.rates($1)', [account])).toMatchObject([
      {
        component: 'gb',
        price: null,
        tiers: [{ up_to: 1, price: 0 }, { price: 2 }],
        multipliers: [rush],
      },
      {
        component: 'scan',
        price: '3',
        measure: 'pages',
        per: '10',
        quantity_rounding: 'up',
        minimum_quantity: '20',
        minimum_charge: '4',
        maximum_charge: '5',
        optional: true,
        multipliers: [hand, rush],
      },
    ]);
  });

  test('shows what holds now: neither what is over nor what is to come', async () => {
    const { account } = await product(database, {
      rates: `(match, price, valid_from, valid_until) values
        ('{}', 1, null, '2026-02-01Z'), ('{}', 2, '2026-02-01Z', 'infinity')`,
    });
    const prices = async (now: string) => {
      await database.setNow(now);
      return (await database.query('select price from credits.rates($1)', [account])).map(
        ({ price }) => price,
      );
    };
    expect(await prices('2026-01-31T23:59:59Z')).toEqual(['1']);
    expect(await prices('2026-02-01T00:00:00Z')).toEqual(['2']);
    await database.setNow(null);
  });
});

describe('features', () => {
  test('are those of the account’s plan', async () => {
    await database.query(
      `select credits.open_account('free', 'invideo_free'), credits.open_account('max', 'invideo_max')`,
    );
    const features = async (account: string) =>
      Object.fromEntries(
        (await database.query('select * from credits.features($1)', [account])).map(
          ({ feature, value }) => [feature, value],
        ),
      );
    expect(await features('free')).toEqual({
      agent_one: false,
      agent_one_minutes: 0,
      ai_models: 'limited',
      generation_queue: 'slower',
      premium_stock_footage: false,
      stock_footage: 'limited',
      watermark_free_exports: false,
    });
    expect(await features('max')).toEqual({
      agent_one: true,
      agent_one_minutes: 30,
      ai_models: '200+',
      auto_reload_below: 20,
      extra_credits_per_cycle: 80,
      generation_queue: 'standard',
      premium_stock_footage: true,
      stock_footage: ['iStock', 'Storyblocks'],
      watermark_free_exports: true,
    });
  });

  test('are none without a plan', async () => {
    await database.query(`select credits.open_account('planless', null, null, 'invideo')`);
    expect(await database.query(`select * from credits.features('planless')`)).toEqual([]);
  });
});

test.each(['rates', 'features', 'quote'])('%s is for the account’s own members', async (name) => {
  await database.query(
    `select credits.open_account('mine', 'avs_creator'), credits.open_account('theirs', 'avs_creator')`,
  );
  const read = (account: string) =>
    database.as('credits_member', { account_id: 'mine', member_id: 'm' }, (query) =>
      query(`select * from credits.${name}(${name === 'quote' ? `$1, 'render'` : '$1'})`, [
        account,
      ]),
    );
  expect(await read('mine')).toBeInstanceOf(Array);
  expect(await creditsError(read('theirs'))).toMatchObject({
    code: 'PC403',
    detail: { requires: 'account', account_id: 'theirs' },
  });
  expect(
    await creditsError(
      database.as('credits_service', {}, (query) =>
        query(`select * from credits.${name}(${name === 'quote' ? `$1, 'render'` : '$1'})`, [
          'nobody',
        ]),
      ),
    ),
  ).toMatchObject({ code: 'PC404', detail: { what: 'account', key: 'nobody' } });
});
