import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { loadCatalogData } from '../support/catalog.ts';
import {
  creditsError,
  type TestDatabase,
  testDatabase,
  verifyAfterEach,
} from '../support/database.ts';
import { type GivenLot, giveLots } from '../support/lots.ts';

// The draw order: bucket (included first), priority (lower first), expires_at (soonest first, never last; full precision),
// free before paid, granted earlier first, lot_id.

const NOW = '2026-03-10T12:00:00Z';

let database: TestDatabase;
let team: string;
let number = 0;
verifyAfterEach(() => database);

beforeAll(async () => {
  database = await testDatabase({ catalogs: false });
  await loadCatalogData(database.pool, {
    rate_card: 'card',
    units: [
      { unit: 'credit', scale: 2, main: true },
      { unit: 'minute', scale: 0 },
    ],
    rates: [
      { operation: 'use', measure: 'credits', price: 1 },
      { operation: 'film', measure: 'credits', price: 1 },
      { operation: 'film', component: 'length', measure: 'minutes', price: 1, unit: 'minute' },
    ],
    plans: [{ plan: 'monthly', cadence: 'month' }],
    allowances: [{ plan: 'monthly', amount: 100 }],
  });
  await database.setNow(NOW);
});
beforeEach(async () => {
  number += 1;
  team = `team ${number}`;
  await database.setNow(NOW);
  await database.query('select credits.open_account($1)', [team]);
});
afterAll(() => database.close());

const give = (...lots: GivenLot[]) => giveLots(database.pool, team, NOW, lots);

/** Grants as the application does, at the present time. */
async function grant(amount: number, rest: Record<string, unknown> = {}): Promise<number> {
  const { unit = 'credit', bucket = 'additional', expires_at = null, priority = 100 } = rest;
  const [lot] = await database.query('select * from credits.grant($1, $2, $3, $4, $5, $6)', [
    team,
    amount,
    unit,
    bucket,
    expires_at,
    priority,
  ]);
  return Number(lot.lot_id);
}

const spend = (credits: number, account = team) =>
  database.query(
    `select seq::int, amount::float8, included::float8, additional::float8 from credits.spend($1, 'use', $2)`,
    [account, JSON.stringify({ credits })],
  );

/** The lots that the account's last entry moved, in order: `[lot, amount]`. */
const drawn = async (account = team) =>
  (
    await database.query(
      `select p.lot_id::int, -p.amount::float8 as amount
       from credits.postings p
       where p.account_id = $1 and p.seq = (select max(seq) from credits.entries where account_id = $1)
       order by p.ordinal`,
      [account],
    )
  ).map((row) => [row.lot_id, row.amount]);

const quote = async (credits: number) => {
  const [row] = await database.query(
    `select amount::float8, available::float8, affordable, blocked_by from credits.quote($1, 'use', $2)`,
    [team, JSON.stringify({ credits })],
  );
  return row;
};

const balance = async (unit = 'credit', account = team) => {
  const [row] = await database.query(
    `select included::float8, additional::float8, total::float8 from credits.balances($1) where unit = $2`,
    [account, unit],
  );
  return row;
};

describe('each level decides where the ones before it do not', () => {
  // Of each pair the second is drawn first, though it came later and has a higher lot_id.
  const LATER = '2026-06-01T00:00:00Z';
  const PAIRS: [level: string, later: Partial<GivenLot>, sooner: Partial<GivenLot>][] = [
    ['the bucket', { bucket: 'additional' }, { bucket: 'included' }],
    [
      'the bucket, before the priority',
      { bucket: 'additional', priority: 1 },
      { bucket: 'included', priority: 200 },
    ],
    ['the priority', { priority: 100 }, { priority: 99 }],
    ['a priority below 0', { priority: 0 }, { priority: -1 }],
    [
      'the priority, before the expiry',
      { priority: 100, expires_at: '2026-03-11T00:00:00Z' },
      { priority: 99, expires_at: null },
    ],
    ['the expiry', { expires_at: LATER }, { expires_at: '2026-05-31T23:59:59Z' }],
    [
      'the expiry, to the microsecond',
      { expires_at: '2026-05-31T23:59:59.999999Z' },
      { expires_at: '2026-05-31T23:59:59.999998Z' },
    ],
    ['the expiry, never being last', { expires_at: null }, { expires_at: '9999-12-31T00:00:00Z' }],
    [
      'the expiry, before what was paid',
      { expires_at: LATER },
      { expires_at: '2026-05-31T23:59:59.999999Z', price: 10 },
    ],
    ['what was paid', { price: 10 }, {}],
    ['what was paid, a price of 0 being free', { price: 10 }, { price: 0 }],
    [
      'what was paid, before when it was granted',
      { price: 10, starts_at: '2026-03-01T00:00:00Z' },
      { starts_at: NOW },
    ],
    ['when it was granted', { starts_at: NOW }, { starts_at: '2026-03-10T11:59:59.999999Z' }],
  ];

  test.each(PAIRS)('%s', async (_, later, sooner) => {
    const [second, first] = await give({ amount: 10, ...later }, { amount: 10, ...sooner });
    await spend(4);
    expect(await drawn()).toEqual([[first, 4]]);
    await spend(10);
    expect(await drawn()).toEqual([
      [first, 6],
      [second, 4],
    ]);
  });

  test('lot_id, when nothing else does', async () => {
    const lots = await give({ amount: 1 }, { amount: 1 }, { amount: 1, price: 0 });
    await spend(3);
    expect(await drawn()).toEqual(lots.map((lot) => [lot, 1]));
  });

  test('lot_id is a number: the tenth comes after the ninth', async () => {
    const lots = await give(...Array.from({ length: 11 }, () => ({ amount: 1 })));
    await spend(11);
    expect(await drawn()).toEqual(lots.map((lot) => [lot, 1]));
  });
});

test('through the functions: the allowance, then gifts by priority and expiry, then the rest', async () => {
  await database.query(`select credits.subscribe($1, 'monthly')`, [team]);
  const forever = await grant(10);
  const soon = await grant(10, { expires_at: '2026-03-20T00:00:00Z' });
  const preferred = await grant(10, { priority: 50 });
  const [entry] = await spend(125);
  expect(await drawn()).toEqual([
    [1, 100],
    [preferred, 10],
    [soon, 10],
    [forever, 5],
  ]);
  expect(entry).toMatchObject({ amount: -125, included: -100, additional: -25 });
});

test('a lot is drawn only while it is usable', async () => {
  await give(
    { amount: 10, priority: 1, starts_at: '2026-03-10T12:00:00.000001Z' },
    { amount: 10, starts_at: '2026-03-01T00:00:00Z', expires_at: '2026-03-10T12:00:00.000001Z' },
  );
  expect(await quote(11)).toMatchObject({ available: 10, affordable: false });
  await spend(4);
  expect(await drawn()).toEqual([[2, 4]]);
  await database.setNow('2026-03-10T12:00:00.000001Z');
  expect(await quote(11)).toMatchObject({ available: 10, affordable: false });
  await spend(4);
  expect(await drawn()).toEqual([[1, 4]]);
});

describe('all or nothing', () => {
  const everything = async (account: string) =>
    Promise.all(
      ['accounts', 'lots', 'entries', 'postings'].map((table) =>
        database.query(`select * from credits.${table} t where account_id = $1 order by t`, [
          account,
        ]),
      ),
    );

  test('a spend of more than there is takes nothing', async () => {
    await give({ amount: 10 }, { amount: '5.5', bucket: 'included' });
    const before = await everything(team);
    expect(await quote(15.51)).toEqual({
      amount: 15.51,
      available: 15.5,
      affordable: false,
      blocked_by: 'insufficient_credits',
    });
    const { code, detail } = await creditsError(spend(15.51));
    expect(code).toBe('PC402');
    expect(detail).toMatchObject({
      unit: 'credit',
      required: 15.51,
      available: 15.5,
      shortfall: 0.01,
    });
    expect(await everything(team)).toEqual(before);
  });

  test('a spend of just what there is takes all of it', async () => {
    await give({ amount: 10 }, { amount: '5.5', bucket: 'included' });
    expect(await quote(15.5)).toMatchObject({ affordable: true, blocked_by: null });
    await spend(15.5);
    expect(await balance()).toEqual({ included: 0, additional: 0, total: 0 });
    expect((await creditsError(spend(0.01))).code).toBe('PC402');
  });

  test('with one unit short, the other is not touched either', async () => {
    await grant(10);
    await grant(2, { unit: 'minute' });
    const before = await everything(team);
    const film = (credits: number, minutes: number) =>
      database.query(`select unit, amount::float8 from credits.spend($1, 'film', $2)`, [
        team,
        JSON.stringify({ credits, minutes }),
      ]);
    const { code, detail } = await creditsError(film(5, 3));
    expect(code).toBe('PC402');
    expect(detail).toMatchObject({ unit: 'minute', required: 3, available: 2, shortfall: 1 });
    expect(await everything(team)).toEqual(before);
    expect(await film(5, 2)).toEqual([
      { unit: 'credit', amount: -5 },
      { unit: 'minute', amount: -2 },
    ]);
  });

  test('one unit never pays for another', async () => {
    await grant(100, { unit: 'minute' });
    expect((await creditsError(spend(1))).detail).toMatchObject({ unit: 'credit', available: 0 });
  });

  test('nothing is free of charge, and draws no lot', async () => {
    const [entry] = await spend(0);
    expect(entry).toMatchObject({ amount: 0, included: 0, additional: 0 });
    expect(await drawn()).toEqual([]);
  });
});

describe('a third bucket is a row', () => {
  beforeAll(async () => {
    await database.query(
      `insert into credits.buckets values ('gift', 0, 'additional', 'Gifts'), ('bonus', 3, 'included', 'Bonus')`,
    );
  });

  test('grants, balances, quotes and spends know it', async () => {
    const included = await grant(10, { bucket: 'included' });
    const additional = await grant(10);
    const bonus = await grant(10, { bucket: 'bonus' });
    const gift = await grant(10, { bucket: 'gift' });
    expect(await balance()).toEqual({ included: 20, additional: 20, total: 40 });
    expect(await quote(40)).toMatchObject({ available: 40, affordable: true });
    const [entry] = await spend(36);
    expect(await drawn()).toEqual([
      [gift, 10],
      [included, 10],
      [additional, 10],
      [bonus, 6],
    ]);
    expect(entry).toMatchObject({ amount: -36, included: -16, additional: -20 });
    expect(await balance()).toEqual({ included: 4, additional: 0, total: 4 });
  });

  test('what counts as included obeys the reset, what counts as additional does not', async () => {
    await database.query(`select credits.subscribe($1, 'monthly')`, [team]);
    await grant(7, { bucket: 'bonus' });
    await grant(8, { bucket: 'gift' });
    await database.setNow('2026-04-10T12:00:00Z');
    expect(await balance()).toEqual({ included: 100, additional: 8, total: 108 });
    await database.query('select credits.settle_due()');
    expect(await balance()).toEqual({ included: 100, additional: 8, total: 108 });
  });
});

test('two accounts with the same lots and keys never mix', async () => {
  const other = `${team}'s twin`;
  await database.query('select credits.open_account($1)', [other]);
  const key = (account: string, credits: number) =>
    database.query(`select seq::int, amount::float8 from credits.spend($1, 'use', $2, 'key')`, [
      account,
      JSON.stringify({ credits }),
    ]);
  await giveLots(database.pool, team, NOW, [{ amount: 10 }, { amount: 10, bucket: 'included' }]);
  await giveLots(database.pool, other, NOW, [{ amount: 10 }, { amount: 30, bucket: 'included' }]);
  expect(await key(team, 15)).toEqual([{ seq: 3, amount: -15 }]);
  expect(await key(other, 7)).toEqual([{ seq: 3, amount: -7 }]);
  expect(await key(team, 15)).toEqual([{ seq: 3, amount: -15 }]);
  expect(await balance('credit', team)).toEqual({ included: 0, additional: 5, total: 5 });
  expect(await balance('credit', other)).toEqual({ included: 23, additional: 10, total: 33 });
  expect(await drawn(team)).toEqual([
    [2, 10],
    [1, 5],
  ]);
  expect(await drawn(other)).toEqual([[2, 7]]);
  expect((await creditsError(spend(6))).detail).toMatchObject({ available: 5 });
});
