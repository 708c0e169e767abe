import { expect, test } from 'vitest';
import { databaseWithPlans, Timeline } from './timeline.ts';

// The first period is the one that contains now; its whole allowance is granted now. An anchor sets the phase only.

const database = databaseWithPlans({
  monthly: { cadence: 'month', gives: [{ amount: 100 }] },
  calendar: { cadence: 'month', anchored_to: 'calendar', gives: [{ amount: 100 }] },
  lives_2: { cadence: 'month', gives: [{ amount: 100, rollover: 'all', lives_periods: 2 }] },
  once: { cadence: 'none', gives: [{ amount: 100 }] },
  once_rollover: { cadence: 'none', gives: [{ amount: 100, rollover: 'all', lives_periods: 2 }] },
  no_allowance: { cadence: 'month' },
  zero: { cadence: 'month', gives: [{ amount: 0 }] },
  two_units: { cadence: 'month', gives: [{ amount: 100 }, { unit: 'minute', amount: 10 }] },
});

test.each([
  ['monthly', null],
  ['monthly', '2015-08-05T00:00:00Z'],
  ['monthly', '2026-03-11T00:00:00Z'],
  ['calendar', null],
  ['once', null],
])('%s, anchored %s: whole and at once', async (plan, anchor) => {
  const timeline = await Timeline.open(database(), plan, '2026-03-10T12:00:00Z', anchor);
  expect(await timeline.credits()).toEqual({ included: 100, additional: 0 });
  expect(await timeline.log()).toEqual(['2026-03-10T12:00:00Z refill 100']);
});

test('a short first period gives the next allowance when it ends, and no more than that', async () => {
  const timeline = await Timeline.open(
    database(),
    'monthly',
    '2026-03-10T12:00:00Z',
    '2026-03-11T00:00:00Z',
  );
  await timeline.spend(60);
  await timeline.fallsDue('2026-03-11T00:00:00Z', {
    from: { included: 40 },
    to: { included: 100 },
    log: ['expiry -40', 'refill 100'],
  });
  expect(await timeline.nextRefill()).toBe('2026-04-11T00:00:00Z');
});

test('an allowance that lives 2 periods counts the short first one', async () => {
  const timeline = await Timeline.open(
    database(),
    'lives_2',
    '2026-03-10T12:00:00Z',
    '2026-03-11T00:00:00Z',
  );
  await timeline.fallsDue('2026-03-11T00:00:00Z', {
    from: { included: 100 },
    to: { included: 200 },
    log: ['refill 100'],
  });
  await timeline.fallsDue('2026-04-11T00:00:00Z', {
    from: { included: 200 },
    to: { included: 200 },
    log: ['expiry -100', 'refill 100'],
  });
});

test('subscribing later begins a period then, in an account that kept what it had', async () => {
  const timeline = await Timeline.open(database(), null, '2026-03-10T12:00:00Z');
  await timeline.grant(7);
  expect(await timeline.nextRefill()).toBeNull();
  await timeline.setNow('2026-03-31T12:00:00Z');
  await database().query(`select credits.subscribe($1, 'monthly')`, [timeline.accountId]);
  expect(await timeline.credits()).toEqual({ included: 100, additional: 7 });
  await timeline.fallsDue('2026-04-30T12:00:00Z', {
    from: { included: 100, additional: 7 },
    to: { included: 100, additional: 7 },
    log: ['expiry -100', 'refill 100'],
  });
});

test('subscribing with an anchor makes it the phase', async () => {
  const timeline = await Timeline.open(database(), null, '2026-03-10T12:00:00Z');
  await database().query(`select credits.subscribe($1, 'monthly', '2026-01-31T00:00:00Z')`, [
    timeline.accountId,
  ]);
  expect(await timeline.nextRefill()).toBe('2026-03-31T00:00:00Z');
  expect(await timeline.nextRefill('2026-03-31T00:00:00Z')).toBe('2026-04-30T00:00:00Z');
});

test.each(['once', 'once_rollover'])(
  'without a cadence (%s) it is given once and stays',
  async (plan) => {
    const timeline = await Timeline.open(database(), plan, '2026-03-10T12:00:00Z');
    expect(await timeline.nextRefill()).toBeNull();
    expect(await timeline.credits('2126-03-10T12:00:00Z')).toEqual({
      included: 100,
      additional: 0,
    });
    await timeline.setNow('2096-03-10T12:00:00Z');
    await timeline.settle();
    await timeline.spend(100);
    expect(await timeline.log()).toEqual([
      '2026-03-10T12:00:00Z refill 100',
      '2096-03-10T12:00:00Z usage -100',
    ]);
  },
);

test.each(['no_allowance', 'zero'])(
  'a plan that gives nothing (%s) has nothing to refill',
  async (plan) => {
    const timeline = await Timeline.open(database(), plan, '2026-03-10T12:00:00Z');
    await timeline.grant(5);
    expect(await timeline.nextRefill()).toBeNull();
    await timeline.setNow('2027-03-10T12:00:00Z');
    expect(await timeline.credits()).toEqual({ included: 0, additional: 5 });
    await timeline.settle();
    expect(await timeline.log()).toEqual(['2026-03-10T12:00:00Z grant 5']);
    const [account] = await database().query('select period_end from credits.accounts');
    expect(account.period_end).toEqual(new Date('2027-04-10T12:00:00Z'));
  },
);

test('each unit of a plan has its own allowance', async () => {
  const timeline = await Timeline.open(database(), 'two_units', '2026-03-10T12:00:00Z');
  await timeline.setNow('2026-04-10T12:00:00Z');
  const balances = await database().query(
    'select unit, included::float8, next_refill_at from credits.balances($1)',
    [timeline.accountId],
  );
  const next_refill_at = new Date('2026-05-10T12:00:00Z');
  expect(balances).toEqual([
    { unit: 'credit', included: 100, next_refill_at },
    { unit: 'minute', included: 10, next_refill_at },
  ]);
  await timeline.settle();
  expect(await timeline.log({ unit: 'minute' })).toEqual([
    '2026-03-10T12:00:00Z refill 10',
    '2026-04-10T12:00:00Z expiry -10',
    '2026-04-10T12:00:00Z refill 10',
  ]);
});
