import * as fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CATALOGS } from '../../src/catalog.ts';
import { SQL_FOLDER } from '../../src/migrate.ts';
import { type TestDatabase, testDatabase, verifyAfterEach } from '../support/database.ts';
import { plain } from '../support/numbers.ts';
import { load } from './product.ts';

const fileOf = (catalog: string) =>
  fs.readFileSync(path.join(SQL_FOLDER, `catalogs/${catalog}.sql`), 'utf8');

describe('the four catalogs', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await testDatabase({ catalogs: false });
  });
  afterAll(() => database.close());

  test.each(CATALOGS)('%s loads as it stands, and again changes nothing', async (catalog) => {
    const changes = await load(database, fileOf(catalog));
    expect(changes.length).toBeGreaterThan(0);
    expect(changes.every(({ change }) => change === 'added')).toBe(true);

    const before = await rowVersions(database);
    expect(await load(database, fileOf(catalog))).toEqual([]);
    expect(await rowVersions(database)).toEqual(before);
  });
});

/** Which transaction wrote each row of the catalog tables: the same again if nothing was even rewritten. */
async function rowVersions(database: TestDatabase) {
  const tables = await database.query(
    `select relname from pg_class where relnamespace = 'credits'::regnamespace and relkind = 'r' order by 1`,
  );
  const versions: Record<string, string[]> = {};
  for (const { relname } of tables) {
    const rows = await database.query(
      `select ctid || ' ' || xmin as version from credits.${relname} order by 1`,
    );
    versions[relname] = rows.map(({ version }) => version);
  }
  return versions;
}

describe('what they say', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await testDatabase();
  });
  afterAll(() => database.close());
  verifyAfterEach(() => database);

  test.each([
    'card_rates',
    'card_multipliers',
    'gates',
    'plans',
    'plan_prices',
    'plan_allowances',
    'plan_features',
    'packs',
    'pack_prices',
    'top_up_prices',
    'promotions',
  ])('every row of %s says where it comes from', async (table) => {
    expect(
      await database.query(`select * from credits.${table} where coalesce(source, '') = ''`),
    ).toEqual([]);
  });

  test('each product’s units, and its own name for its credits', async () => {
    expect(
      await database.query(
        'select rate_card, unit, name, scale, main from credits.units order by 1, main desc',
      ),
    ).toEqual([
      { rate_card: 'avs', unit: 'credit', name: 'R-Credits', scale: 2, main: true },
      { rate_card: 'invideo', unit: 'credit', name: 'credits', scale: 2, main: true },
      { rate_card: 'invideo', unit: 'video_minute', name: 'video minutes', scale: 0, main: false },
      { rate_card: 'videodraft', unit: 'credit', name: 'AI credits', scale: 2, main: true },
      { rate_card: 'videogen', unit: 'credit', name: 'credits', scale: 2, main: true },
    ]);
  });

  test('each plan’s allowances, when they refill, and what becomes of the rest', async () => {
    const allowances = await database.query(`
      select p.plan, p.cadence, p.anchored_to, p.time_zone, a.rollover,
        jsonb_object_agg(a.unit, a.amount) filter (where a.unit is not null) as amounts
      from credits.plans p left join credits.plan_allowances a using (plan)
      group by p.plan, a.rollover`);
    const known = Object.fromEntries(
      allowances.map(({ plan, cadence, anchored_to, time_zone, rollover, amounts }) => [
        plan,
        [cadence, anchored_to, time_zone, rollover, amounts],
      ]),
    );
    const monthly = (amounts: object, rollover = 'none') => [
      'month',
      'subscription',
      'UTC',
      rollover,
      amounts,
    ];
    expect(known).toEqual({
      avs_free: ['none', 'subscription', 'UTC', null, null],
      avs_creator: monthly({ credit: 500 }, 'all'),
      invideo_free: ['week', 'calendar', 'UTC', 'none', { credit: 10, video_minute: 10 }],
      invideo_plus: monthly({ credit: 10, video_minute: 50 }),
      invideo_plus_annual: monthly({ credit: 10, video_minute: 50 }),
      invideo_max: monthly({ credit: 25, video_minute: 200 }),
      invideo_max_annual: monthly({ credit: 25, video_minute: 200 }),
      invideo_generative: monthly({ credit: 100, video_minute: 200 }),
      invideo_generative_annual: monthly({ credit: 100, video_minute: 200 }),
      invideo_team: monthly({ credit: 1000, video_minute: 2000 }),
      invideo_team_annual: monthly({ credit: 1000, video_minute: 2000 }),
      videodraft_starter: monthly({ credit: 200 }),
      videodraft_pro: monthly({ credit: 2500 }),
      videodraft_pro_annual: monthly({ credit: 2500 }),
      videodraft_visionary: monthly({ credit: 7500 }),
      videodraft_visionary_annual: monthly({ credit: 7500 }),
      videodraft_studio: monthly({ credit: 30000 }),
      videodraft_studio_annual: monthly({ credit: 30000 }),
      videogen_free: monthly({ credit: 200 }),
      videogen_pro: monthly({ credit: 3000 }),
      videogen_business: monthly({ credit: 12000 }),
    });
  });

  test('what plans cost, by interval and currency', async () => {
    const prices = await database.query(`
      select plan, jsonb_object_agg(billing_interval || ' ' || currency, price) as prices
      from credits.plan_prices group by plan`);
    expect(Object.fromEntries(prices.map(({ plan, prices }) => [plan, prices]))).toEqual({
      avs_free: { 'month USD': 0 },
      avs_creator: { 'month USD': 20 },
      invideo_free: { 'month USD': 0 },
      invideo_plus: { 'month USD': 35, 'month RON': 99.99 },
      invideo_plus_annual: { 'year USD': 350 },
      invideo_max: { 'month USD': 60, 'month RON': 299.99 },
      invideo_max_annual: { 'year USD': 600 },
      invideo_generative: { 'month USD': 120, 'month RON': 699.99 },
      invideo_generative_annual: { 'year USD': 1200 },
      invideo_team: { 'month USD': 999 },
      invideo_team_annual: { 'year USD': 9990 },
      videodraft_starter: { 'month USD': 0 },
      videodraft_pro: { 'month USD': 25 },
      videodraft_pro_annual: { 'year USD': 250 },
      videodraft_visionary: { 'month USD': 75 },
      videodraft_visionary_annual: { 'year USD': 750 },
      videodraft_studio: { 'month USD': 249 },
      videodraft_studio_annual: { 'year USD': 2490 },
      videogen_free: { 'month USD': 0 },
      videogen_pro: { 'month USD': 29 },
      videogen_business: { 'month USD': 99 },
    });
  });

  test('packs: what they give, to whom, and what they cost', async () => {
    const packs = await database.query(`
      select k.rate_card || ' ' || k.pack as pack, k.unit, k.amount, k.plans, jsonb_object_agg(p.currency, p.price) as prices
      from credits.packs k join credits.pack_prices p using (rate_card, pack)
      group by k.rate_card, k.pack order by 1`);
    expect(
      packs.map(({ pack, unit, amount, plans, prices }) => [pack, unit, amount, plans, prices]),
    ).toEqual([
      ['invideo extra_minute', 'video_minute', '1', null, { USD: 10 }],
      ['invideo extra_minutes_10', 'video_minute', '10', null, { USD: 80 }],
      [
        'invideo generative_add_on',
        'credit',
        '10',
        ['invideo_plus', 'invideo_plus_annual', 'invideo_max', 'invideo_max_annual'],
        { USD: 15, RON: 69.99 },
      ],
      ['videogen bulk', 'credit', '25000', null, { USD: 175 }],
      ['videogen large', 'credit', '10000', null, { USD: 80 }],
      ['videogen mini', 'credit', '2000', null, { USD: 20 }],
      ['videogen standard', 'credit', '5000', null, { USD: 45 }],
    ]);
  });

  test('each card has a price for a top-up credit', async () => {
    const prices = await database.query(
      'select rate_card, currency, price from credits.top_up_prices order by 1, 2 desc',
    );
    expect(
      prices.map(({ rate_card, currency, price }) => [rate_card, currency, plain(price)]),
    ).toEqual([
      ['avs', 'USD', '0.05'],
      ['invideo', 'USD', '1.5'],
      ['invideo', 'RON', '7'],
      ['videodraft', 'USD', '0.01'],
      ['videogen', 'USD', '0.01'],
    ]);
  });

  test('AVS gives 30 credits for a verified e-mail address, once, without expiry', async () => {
    await database.query(`select credits.open_account('verified', 'avs_free')`);
    const [lot] = await database.query(
      `select * from credits.claim('verified', 'avs_verified_email', 'Someone@Example.com')`,
    );
    expect(lot).toMatchObject({ unit: 'credit', bucket: 'additional', expires_at: null });
    expect(plain(lot.granted)).toBe('30');
  });

  test.each([
    // What a plan has at once, just before it refills, and just after, with nothing spent.
    ['avs_creator', '2026-01-31T09:00:00Z', '2026-02-28T09:00:00Z', '500', '1000'],
    ['invideo_free', '2026-01-07T12:00:00Z', '2026-01-12T00:00:00Z', '10', '10'],
    ['invideo_generative_annual', '2026-01-31T09:00:00Z', '2026-02-28T09:00:00Z', '100', '100'],
    ['videodraft_starter', '2026-03-15T09:00:00Z', '2026-04-15T09:00:00Z', '200', '200'],
    ['videogen_pro', '2026-03-15T09:00:00Z', '2026-04-15T09:00:00Z', '3000', '3000'],
  ])('%s refills on time', async (plan, opened, refill, first, second) => {
    await database.setNow(opened);
    await database.query('select credits.open_account($1, $1)', [plan]);
    const total = async (at: string | null) =>
      plain(
        (await database.query('select total from credits.balances($1, $2)', [plan, at]))[0].total,
      );
    const [{ next_refill_at }] = await database.query(
      'select next_refill_at from credits.balances($1)',
      [plan],
    );
    expect(next_refill_at).toEqual(new Date(refill));
    expect(await total(null)).toBe(first);
    expect(await total(new Date(Date.parse(refill) - 1).toISOString())).toBe(first);
    expect(await total(refill)).toBe(second);
    await database.setNow(refill);
    expect(await total(null)).toBe(second);
    await database.setNow(null);
  });
});
