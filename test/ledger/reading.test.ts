import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { atelierDatabase, NOON } from '../support/atelier.ts';
import { type Arguments, call } from '../support/calls.ts';
import { creditsError, type TestDatabase, verifyAfterEach } from '../support/database.ts';

let database: TestDatabase;
verifyAfterEach(() => database);

beforeAll(async () => {
  database = await atelierDatabase();
});
beforeEach(() => database.setNow(NOON));
afterAll(() => database.close());

const balances = (account_id: string, at?: unknown) =>
  call(database.pool, 'balances', at === undefined ? { account_id } : { account_id, at });
const activity = (account_id: string | null, rest: Arguments = {}) =>
  call(database.pool, 'activity', { account_id, ...rest });
const seqs = async (account_id: string, rest: Arguments = {}) =>
  (await activity(account_id, rest)).map(({ seq }) => seq);

describe('balances', () => {
  test('has one row for every unit of the card, the main unit first, zeros included', async () => {
    await call(database.pool, 'open_account', { account_id: 'empty', rate_card: 'atelier' });
    const zero = { included: 0, additional: 0, held: 0, total: 0, next_refill_at: null };
    expect(await balances('empty')).toEqual([
      { unit: 'credit', ...zero },
      { unit: 'minute', ...zero },
    ]);
    await call(database.pool, 'open_account', { account_id: 'coins', rate_card: 'bazaar' });
    expect(await balances('coins')).toEqual([{ unit: 'coin', ...zero }]);
  });

  test('tells included from additional, and when each unit refills', async () => {
    await call(database.pool, 'open_account', { account_id: 'studio', plan: 'atelier_studio' });
    await call(database.pool, 'grant', { account_id: 'studio', amount: 5 });
    await call(database.pool, 'grant', { account_id: 'studio', amount: 2, unit: 'minute' });
    expect(await balances('studio')).toEqual([
      {
        unit: 'credit',
        included: 1000,
        additional: 5,
        held: 0,
        total: 1005,
        next_refill_at: new Date('2026-04-10T12:00:00Z'),
      },
      {
        unit: 'minute',
        included: 0,
        additional: 2,
        held: 0,
        total: 2,
        next_refill_at: null,
      },
    ]);
  });

  test('knows what is due at its instant, and writes nothing', async () => {
    await call(database.pool, 'open_account', { account_id: 'due', plan: 'atelier_pro' });
    await call(database.pool, 'spend', { account_id: 'due', operation: 'image' });
    await call(database.pool, 'grant', {
      account_id: 'due',
      amount: 9,
      expires_at: '2026-03-20T00:00:00Z',
    });
    const of = async (now: string) => {
      await database.setNow(now);
      return (await balances('due'))[0];
    };
    expect(await of('2026-03-19T23:59:59.999Z')).toMatchObject({ included: 95, additional: 9 });
    expect(await of('2026-03-20T00:00:00Z')).toMatchObject({ included: 95, additional: 0 });
    expect(await of('2026-04-10T11:59:59.999Z')).toMatchObject({ included: 95 });
    expect(await of('2026-04-10T12:00:00Z')).toMatchObject({
      included: 100,
      next_refill_at: new Date('2026-05-10T12:00:00Z'),
    });
    expect(await of('2027-01-01T00:00:00Z')).toMatchObject({
      included: 100,
      next_refill_at: new Date('2027-01-10T12:00:00Z'),
    });
    expect(await seqs('due')).toEqual([4, 3, 2, 1]);
  });

  test('later than now forecasts what will be there without further usage', async () => {
    await call(database.pool, 'open_account', { account_id: 'saver', plan: 'atelier_saver' });
    await call(database.pool, 'spend', { account_id: 'saver', operation: 'image' });
    await call(database.pool, 'claim', {
      account_id: 'saver',
      promotion: 'trial',
      claimant: 'saver',
    });
    const forecast = async (at: string | null) => (await balances('saver', at))[0];
    const now = { included: 35, additional: 20, total: 55 };
    expect(await forecast(null)).toMatchObject(now);
    expect(await forecast(NOON)).toMatchObject(now);
    expect(await forecast('2026-03-17T11:59:59Z')).toMatchObject(now);
    expect(await forecast('2026-03-17T12:00:00Z')).toMatchObject({ included: 35, additional: 0 });
    expect(await forecast('2026-04-10T12:00:00Z')).toMatchObject({
      included: 75,
      next_refill_at: new Date('2026-05-10T12:00:00Z'),
    });
    expect(await forecast('2027-03-10T11:00:00Z')).toMatchObject({ included: 475 });
    // The forecast is what comes.
    await database.setNow('2027-03-10T11:00:00Z');
    expect(await forecast(null)).toMatchObject({ included: 475 });
    await call(database.pool, 'spend', { account_id: 'saver', operation: 'edit' });
    expect(await forecast(null)).toMatchObject({ included: 475 });
  });

  test('earlier than now are what there was: nothing before the account was opened', async () => {
    await call(database.pool, 'open_account', { account_id: 'young', plan: 'atelier_pro' });
    for (const at of ['2026-03-10T11:59:59.999999Z', '-infinity']) {
      expect(await balances('young', at)).toEqual(
        ['credit', 'minute'].map((unit) => ({
          unit,
          included: 0,
          additional: 0,
          held: 0,
          total: 0,
          next_refill_at: new Date(NOON),
        })),
      );
    }
    expect(await balances('young', NOON)).toMatchObject([{ total: 100 }, { total: 10 }]);
  });

  test('PC422 for an instant that is too far ahead', async () => {
    await call(database.pool, 'open_account', { account_id: 'timely', plan: 'atelier_pro' });
    for (const at of ['2200-01-01T00:00:00Z', 'infinity']) {
      expect(await creditsError(balances('timely', at))).toMatchObject({
        code: 'PC422',
        detail: { field: 'at', reason: 'too_far_ahead' },
        hint: expect.any(String),
      });
    }
  });

  test('PC404 for an unknown account', async () => {
    expect(await creditsError(balances('nobody'))).toEqual({
      code: 'PC404',
      detail: { what: 'account', key: 'nobody' },
      hint: expect.any(String),
    });
  });
});

describe('activity', () => {
  beforeAll(async () => {
    await database.setNow('2026-03-01T00:00:00Z');
    for (const account_id of ['logged', 'logged too']) {
      await call(database.pool, 'open_account', { account_id, plan: 'atelier_pro' });
      await call(database.pool, 'grant', {
        account_id,
        amount: 9,
        expires_at: '2026-03-05T00:00:00Z',
      });
    }
    for (const [now, member_id] of [
      ['2026-03-02T00:00:00Z', 'ada'],
      ['2026-03-03T00:00:00Z', 'grace'],
      ['2026-03-03T00:00:00Z', null],
      ['2026-03-06T00:00:00Z', 'ada'],
    ]) {
      await database.setNow(now);
      await call(database.pool, 'spend', { account_id: 'logged', operation: 'image', member_id });
    }
  });

  test('is the whole log, newest first', async () => {
    expect(
      (await activity('logged')).map(({ seq, kind, member_id }) => [seq, kind, member_id]),
    ).toEqual([
      [8, 'usage', 'ada'],
      [7, 'expiry', null],
      [6, 'usage', null],
      [5, 'usage', 'grace'],
      [4, 'usage', 'ada'],
      [3, 'grant', null],
      [2, 'refill', null],
      [1, 'refill', null],
    ]);
  });

  test('is of one account', async () => {
    expect(new Set((await activity('logged')).map(({ account_id }) => account_id))).toEqual(
      new Set(['logged']),
    );
    expect(await seqs('logged too')).toEqual([3, 2, 1]);
  });

  test('since is included, until is not', async () => {
    const third = '2026-03-03T00:00:00Z';
    expect(await seqs('logged', { since: third })).toEqual([8, 7, 6, 5]);
    expect(await seqs('logged', { until: third })).toEqual([4, 3, 2, 1]);
    expect(await seqs('logged', { since: third, until: '2026-03-03T00:00:00.000001Z' })).toEqual([
      6, 5,
    ]);
    expect(await seqs('logged', { since: third, until: third })).toEqual([]);
    expect(await seqs('logged', { since: '2026-03-05', until: '2026-03-01' })).toEqual([]);
    expect(await seqs('logged', { since: '-infinity', until: 'infinity' })).toHaveLength(8);
    expect(await seqs('logged', { since: null, until: null })).toHaveLength(8);
  });

  test('is of some kinds', async () => {
    expect(await seqs('logged', { kinds: ['usage'] })).toEqual([8, 6, 5, 4]);
    expect(await seqs('logged', { kinds: ['expiry', 'grant'] })).toEqual([7, 3]);
    expect(await seqs('logged', { kinds: ['refund'] })).toEqual([]);
    expect(await seqs('logged', { kinds: [] })).toEqual([]);
    expect(await seqs('logged', { kinds: null })).toHaveLength(8);
    expect(await creditsError(seqs('logged', { kinds: ['usage', 'bogus'] }))).toMatchObject({
      code: 'PC422',
      detail: {
        field: 'kinds',
        reason: 'unknown_value',
        known: expect.arrayContaining(['usage', 'expiry']),
      },
    });
  });

  test('is of one member', async () => {
    expect(await seqs('logged', { member_id: 'ada' })).toEqual([8, 4]);
    expect(await seqs('logged', { member_id: 'Ada' })).toEqual([]);
    expect(await seqs('logged', { member_id: null })).toHaveLength(8);
  });

  test('is of all that is asked for together', async () => {
    expect(
      await seqs('logged', {
        since: '2026-03-02T00:00:00Z',
        until: '2026-03-06T00:00:00Z',
        kinds: ['usage', 'expiry'],
        member_id: 'ada',
      }),
    ).toEqual([4]);
  });

  test('shows what has been settled, no more', async () => {
    await database.setNow('2026-03-05T00:00:00Z');
    expect(await call(database.pool, 'balances', { account_id: 'logged too' })).toMatchObject([
      { total: 100 },
      {},
    ]);
    expect(await seqs('logged too')).toEqual([3, 2, 1]);
  });

  test('PC404 for an unknown account', async () => {
    for (const rest of [{}, { kinds: ['refund'] }, { since: '2030-01-01Z', member_id: 'ada' }]) {
      expect(await creditsError(activity('nobody', rest))).toEqual({
        code: 'PC404',
        detail: { what: 'account', key: 'nobody' },
        hint: expect.any(String),
      });
    }
  });
});

describe('usage_by_day', () => {
  const usage = async (account_id: string, rest: Arguments = {}) =>
    (
      await database.query(
        `select day::text, operation, member_id, unit, charges::int, amount::float
         from credits.usage_by_day($1, $2, $3, $4)`,
        [account_id, rest.since, rest.until, rest.time_zone ?? 'UTC'],
      )
    ).map((row) => Object.values(row));

  beforeAll(async () => {
    for (const account_id of ['charted', 'uncharted']) {
      await database.setNow('2026-03-10T12:00:00Z');
      await call(database.pool, 'open_account', { account_id, plan: 'atelier_pro' });
      const spend = (operation: string, member_id: string | null, usage = {}) =>
        call(database.pool, 'spend', { account_id, operation, member_id, usage });
      await spend('image', 'ada');
      await spend('image', 'ada');
      await spend('image', 'grace');
      await spend('film', null, { seconds: 61 });
      await database.setNow('2026-03-10T23:30:00Z');
      const [{ seq }] = await spend('image', 'ada');
      await database.setNow('2026-03-11T00:00:00Z');
      await call(database.pool, 'spend_items', { account_id, items: [['image'], ['edit']] });
      await call(database.pool, 'refund', { account_id, seq });
    }
  });

  test('is what was charged, by day, unit, operation and member; refunds are not taken off', async () => {
    expect(await usage('charted')).toEqual([
      ['2026-03-10', 'film', null, 'credit', 1, 20],
      ['2026-03-10', 'image', 'ada', 'credit', 3, 15],
      ['2026-03-10', 'image', 'grace', 'credit', 1, 5],
      ['2026-03-10', 'film', null, 'minute', 1, 2],
      ['2026-03-11', null, null, 'credit', 1, 5],
    ]);
  });

  test('takes days from the time zone, and a half-open range of instants', async () => {
    expect(
      await usage('charted', { time_zone: 'Europe/Berlin', since: '2026-03-10T23:30:00Z' }),
    ).toEqual([
      ['2026-03-11', 'image', 'ada', 'credit', 1, 5],
      ['2026-03-11', null, null, 'credit', 1, 5],
    ]);
    expect(
      await usage('charted', { since: '2026-03-10T12:00:01Z', until: '2026-03-11T00:00:00Z' }),
    ).toEqual([['2026-03-10', 'image', 'ada', 'credit', 1, 5]]);
  });

  test('PC404 for an unknown account, PC422 for an unknown time zone', async () => {
    expect(await creditsError(usage('nobody'))).toMatchObject({
      code: 'PC404',
      detail: { what: 'account', key: 'nobody' },
    });
    expect(await creditsError(usage('charted', { time_zone: 'Mars/Olympus' }))).toMatchObject({
      code: 'PC422',
      detail: { field: 'time_zone', reason: 'unknown' },
    });
  });
});

describe('features', () => {
  const features = (account_id: string) => call(database.pool, 'features', { account_id });

  test('are what the plan includes besides credits', async () => {
    await call(database.pool, 'open_account', { account_id: 'featured', plan: 'atelier_pro' });
    await call(database.pool, 'open_account', { account_id: 'plain', plan: 'atelier_studio' });
    await call(database.pool, 'open_account', { account_id: 'planless', rate_card: 'atelier' });
    expect(await features('featured')).toEqual([
      { feature: 'seats', value: 5 },
      { feature: 'watermark_free', value: true },
    ]);
    expect(await features('plain')).toEqual([]);
    expect(await features('planless')).toEqual([]);
  });

  test('PC404 for an unknown account', async () => {
    expect(await creditsError(features('nobody'))).toMatchObject({
      code: 'PC404',
      detail: { what: 'account', key: 'nobody' },
    });
  });
});

describe('rates', () => {
  const rates = (account_id: string) => call(database.pool, 'rates', { account_id });

  test('are the card of the account, by category', async () => {
    await call(database.pool, 'open_account', { account_id: 'rated', plan: 'atelier_pro' });
    expect(
      (await rates('rated')).map((rate) => [
        rate.category,
        rate.operation,
        rate.component,
        rate.match,
        rate.price,
        rate.unit,
        rate.measure,
        rate.per,
      ]),
    ).toEqual([
      ['Pictures', 'image', 'base', {}, 5, 'credit', null, 1],
      ['Pictures', 'print', 'base', {}, 3, 'credit', null, 1],
      ['Pictures', 'upscale', 'base', {}, 2, 'credit', null, 1],
      ['Tools', 'edit', 'base', {}, 0, 'credit', null, 1],
      ['Tools', 'storage', 'base', {}, 1, 'credit', 'gb_days', 1],
      ['Video', 'film', 'base', {}, 20, 'credit', null, 1],
      ['Video', 'film', 'footage', {}, 1, 'minute', 'seconds', 60],
      ['Video', 'video', 'base', { quality: 'pro' }, 20, 'credit', 'seconds', 60],
      ['Video', 'video', 'base', { quality: 'ultra' }, 40, 'credit', 'seconds', 60],
    ]);
    expect((await rates('rated'))[0]).toMatchObject({
      operation_name: 'Image',
      optional: false,
      multipliers: [{ group: 'resolution', match: { resolution: '4K' }, factor: 2 }],
    });
    await call(database.pool, 'open_account', { account_id: 'rated there', rate_card: 'bazaar' });
    expect(await rates('rated there')).toMatchObject([
      { operation: 'image', price: 7, unit: 'coin', multipliers: [] },
    ]);
  });

  test('are those that hold now', async () => {
    await call(database.pool, 'open_account', { account_id: 'timed', rate_card: 'bazaar' });
    await database.query(`
      update credits.card_rates set valid_until = '2026-04-01Z' where rate_card = 'bazaar';
      insert into credits.card_rates (rate_card, operation, unit, price, valid_from)
      select rate_card, operation, unit, 8, '2026-04-01Z'
      from credits.card_rates where rate_card = 'bazaar';
      select credits_private.list_prices('bazaar', '2026-03-01Z')`);
    expect(await rates('timed')).toMatchObject([{ price: 7 }]);
    await database.setNow('2026-03-31T23:59:59.999Z');
    expect(await rates('timed')).toMatchObject([{ price: 7 }]);
    await database.setNow('2026-04-01T00:00:00Z');
    expect(await rates('timed')).toMatchObject([{ price: 8 }]);
  });

  test('PC404 for an unknown account', async () => {
    expect(await creditsError(rates('nobody'))).toMatchObject({
      code: 'PC404',
      detail: { what: 'account', key: 'nobody' },
    });
  });
});
