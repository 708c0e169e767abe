import { describe, expect, test } from 'vitest';
import { loadCatalogData } from '../support/catalog.ts';
import { creditsError } from '../support/database.ts';
import { databaseWithPlans, Timeline } from './timeline.ts';

// What becomes of a unit's unused allowance at the boundary. The fresh allowance is always whole.

const OPENED = '2026-01-10T00:00:00Z';
const FEBRUARY = '2026-02-10T00:00:00Z';
const MARCH = '2026-03-10T00:00:00Z';
const APRIL = '2026-04-10T00:00:00Z';

const database = databaseWithPlans({
  none: { cadence: 'month', gives: [{ amount: 100 }] },
  all: { cadence: 'month', gives: [{ amount: 100, rollover: 'all' }] },
  all_lives_1: { cadence: 'month', gives: [{ amount: 100, rollover: 'all', lives_periods: 1 }] },
  all_lives_3: { cadence: 'month', gives: [{ amount: 100, rollover: 'all', lives_periods: 3 }] },
  capped_150: { cadence: 'month', gives: [{ amount: 100, rollover: 'capped', rollover_cap: 150 }] },
  capped_0: { cadence: 'month', gives: [{ amount: 100, rollover: 'capped', rollover_cap: 0 }] },
  capped_half: {
    cadence: 'month',
    gives: [{ amount: 100, rollover: 'capped', rollover_cap_multiple: '0.5' }],
  },
  capped_fine: {
    cadence: 'month',
    gives: [{ amount: '33.33', rollover: 'capped', rollover_cap_multiple: '1.5' }],
  },
  capped_lives_2: {
    cadence: 'month',
    gives: [{ amount: 100, rollover: 'capped', rollover_cap: 150, lives_periods: 2 }],
  },
  apia_lives_3: {
    cadence: 'day',
    time_zone: 'Pacific/Apia',
    gives: [{ amount: 10, rollover: 'all', lives_periods: 3 }],
  },
  mixed: {
    cadence: 'month',
    gives: [
      { amount: 100, rollover: 'all' },
      { unit: 'minute', amount: 10 },
    ],
  },
});

const open = (plan: string) => Timeline.open(database(), plan, OPENED);

describe('none', () => {
  test('what is unused ends at the boundary', async () => {
    const timeline = await open('none');
    await timeline.spend(30);
    await timeline.fallsDue(FEBRUARY, {
      from: { included: 70 },
      to: { included: 100 },
      log: ['expiry -70', 'refill 100'],
    });
  });

  test('what was used up leaves nothing to end', async () => {
    const timeline = await open('none');
    await timeline.spend(100);
    await timeline.fallsDue(FEBRUARY, { from: {}, to: { included: 100 }, log: ['refill 100'] });
  });

  test('included credits that were granted besides end with it, with or without an expiry of their own', async () => {
    const timeline = await open('none');
    await timeline.grant(5, { bucket: 'included' });
    await timeline.grant(6, { bucket: 'included', until: APRIL });
    await timeline.fallsDue(FEBRUARY, {
      from: { included: 111 },
      to: { included: 100 },
      log: ['expiry -100', 'expiry -5', 'expiry -6', 'refill 100'],
    });
  });
});

describe('all', () => {
  test('everything is carried', async () => {
    const timeline = await open('all');
    await timeline.spend(30);
    await timeline.fallsDue(FEBRUARY, {
      from: { included: 70 },
      to: { included: 170 },
      log: ['refill 100'],
    });
    await timeline.fallsDue(MARCH, {
      from: { included: 170 },
      to: { included: 270 },
      log: ['refill 100'],
    });
    expect(await timeline.left()).toEqual([70, 100, 100]);
  });

  test('living 1 period is the same as none', async () => {
    const timeline = await open('all_lives_1');
    await timeline.fallsDue(FEBRUARY, {
      from: { included: 100 },
      to: { included: 100 },
      log: ['expiry -100', 'refill 100'],
    });
  });

  test('living 3 periods, each allowance ends at the third boundary after it', async () => {
    const timeline = await open('all_lives_3');
    await timeline.spend(30);
    await timeline.setNow(MARCH);
    await timeline.settle();
    await timeline.fallsDue(APRIL, {
      from: { included: 270 },
      to: { included: 300 },
      log: ['expiry -70', 'refill 100'],
    });
    expect(await timeline.log()).toEqual([
      `${OPENED} refill 100`,
      `${OPENED} usage -30`,
      `${FEBRUARY} refill 100`,
      `${MARCH} refill 100`,
      `${APRIL} expiry -70`,
      `${APRIL} refill 100`,
    ]);
  });
});

describe('capped', () => {
  test('at a number: at most that much is carried in total, the oldest trimmed first', async () => {
    const timeline = await open('capped_150');
    await timeline.fallsDue(FEBRUARY, {
      from: { included: 100 },
      to: { included: 200 },
      log: ['refill 100'],
    });
    await timeline.fallsDue(MARCH, {
      from: { included: 200 },
      to: { included: 250 },
      log: ['expiry -50', 'refill 100'],
    });
    expect(await timeline.left()).toEqual([50, 100, 100]);
    await timeline.fallsDue(APRIL, {
      from: { included: 250 },
      to: { included: 250 },
      log: ['expiry -50', 'expiry -50', 'refill 100'],
    });
    expect(await timeline.left()).toEqual([50, 100, 100]);
  });

  test('below the cap nothing is trimmed', async () => {
    const timeline = await open('capped_150');
    await timeline.setNow(FEBRUARY);
    await timeline.spend(50);
    await timeline.fallsDue(MARCH, {
      from: { included: 150 },
      to: { included: 250 },
      log: ['refill 100'],
    });
  });

  test('at 0: nothing is carried', async () => {
    const timeline = await open('capped_0');
    await timeline.fallsDue(FEBRUARY, {
      from: { included: 100 },
      to: { included: 100 },
      log: ['expiry -100', 'refill 100'],
    });
  });

  test('at a multiple of the allowance', async () => {
    const timeline = await open('capped_half');
    await timeline.fallsDue(FEBRUARY, {
      from: { included: 100 },
      to: { included: 150 },
      log: ['expiry -50', 'refill 100'],
    });
  });

  test('at a multiple that is no whole number of steps: never above it, and in whole steps', async () => {
    const timeline = await open('capped_fine'); // 1.5 times 33.33 is 49.995
    await timeline.setNow(FEBRUARY);
    await timeline.settle();
    await timeline.fallsDue(MARCH, {
      from: { included: 66.66 },
      to: { included: 83.32 },
      log: ['expiry -16.67', 'refill 33.33'],
    });
  });

  test('with a life of 2 periods: what has ended of itself does not count for the cap', async () => {
    const timeline = await open('capped_lives_2');
    await timeline.setNow(FEBRUARY);
    await timeline.settle();
    await timeline.fallsDue(MARCH, {
      from: { included: 200 },
      to: { included: 200 },
      log: ['expiry -100', 'refill 100'],
    });
    expect(await timeline.left()).toEqual([100, 100]);
  });
});

test('additional credits do not count for the cap', async () => {
  const timeline = await open('capped_150');
  await timeline.grant(1000);
  await timeline.setNow(FEBRUARY);
  await timeline.settle();
  await timeline.fallsDue(MARCH, {
    from: { included: 200, additional: 1000 },
    to: { included: 250, additional: 1000 },
    log: ['expiry -50', 'refill 100'],
  });
});

test.each(['none', 'all', 'capped_0', 'capped_150'])(
  'additional credits are never touched by a reset (%s)',
  async (plan) => {
    const timeline = await open(plan);
    await timeline.grant(40);
    await timeline.grant(60, { until: '2026-12-01T00:00:00Z' });
    await timeline.spend(100);
    for (const at of [FEBRUARY, MARCH, APRIL]) {
      await timeline.setNow(at);
      expect((await timeline.credits()).additional).toBe(100);
    }
    await timeline.settle();
    expect(await timeline.left({ bucket: 'additional' })).toEqual([40, 60]);
  },
);

test('each unit goes by its own rule', async () => {
  const timeline = await open('mixed');
  await timeline.fallsDue(FEBRUARY, {
    from: { included: 100 },
    to: { included: 200 },
    log: ['refill 100'],
  });
  expect(await timeline.log({ unit: 'minute' })).toEqual([
    `${OPENED} refill 10`,
    `${FEBRUARY} expiry -10`,
    `${FEBRUARY} refill 10`,
  ]);
});

test('a unit that the plan does not give is not reset', async () => {
  const timeline = await open('none');
  await database().query(`select credits.grant($1, 9, 'minute', 'included')`, [timeline.accountId]);
  await timeline.setNow(MARCH);
  await timeline.settle();
  expect(await timeline.log({ unit: 'minute' })).toEqual([`${OPENED} grant 9`]);
});

test.each(['allowances', 'promotions'])(
  '%s that are no whole number of steps are refused',
  async (what) => {
    const { code, detail } = await creditsError(
      loadCatalogData(database().pool, {
        rate_card: 'fine',
        units: [{ unit: 'credit', scale: 1, main: true }],
        rates: [{ operation: 'use', price: 1 }],
        plans: [{ plan: 'fine', cadence: 'month' }],
        allowances: [{ plan: 'fine', amount: what === 'allowances' ? '0.25' : '0.50' }],
        promotions: [{ promotion: 'fine', amount: what === 'promotions' ? '0.25' : '0.50' }],
      }),
    );
    expect({ code, ...detail }).toMatchObject({ code: 'PC422', field: what, reason: 'too_fine' });
  },
);

test('a day that a time zone left out is no period that an allowance lives', async () => {
  // In Apia, December 30th of 2011 never was: the periods of December 29th and 31st follow each other.
  const timeline = await Timeline.open(database(), 'apia_lives_3', '2011-12-28T12:00:00Z');
  await timeline.fallsDue('2011-12-29T12:00:00Z', {
    from: { included: 10 },
    to: { included: 20 },
    log: ['refill 10'],
  });
  await timeline.fallsDue('2011-12-30T12:00:00Z', {
    from: { included: 20 },
    to: { included: 30 },
    log: ['refill 10'],
  });
  await timeline.fallsDue('2011-12-31T12:00:00Z', {
    from: { included: 30 },
    to: { included: 30 },
    log: ['expiry -10', 'refill 10'],
  });
});
