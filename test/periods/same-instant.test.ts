import { expect, test } from 'vitest';
import { creditsError } from '../support/database.ts';
import { instant, iso } from '../support/time.ts';
import { databaseWithPlans, Timeline } from './timeline.ts';

// Every interval is half-open. At one instant: lots expire, then roll over or reset, then refill, then spend.

const OPENED = '2026-01-10T00:00:00Z';
const BOUNDARY = '2026-02-10T00:00:00Z';

const database = databaseWithPlans({
  none: { cadence: 'month', gives: [{ amount: 100 }] },
  capped: { cadence: 'month', gives: [{ amount: 100, rollover: 'capped', rollover_cap: 60 }] },
  empty: { cadence: 'none' },
});

test('a lot is usable from the instant it starts until just before the one it expires', async () => {
  const timeline = await Timeline.open(database(), 'empty', OPENED);
  await timeline.grant(10, { until: '2026-01-10T00:00:00.000002Z' });
  expect(await timeline.available()).toBe(10);
  await timeline.spend(1);
  await timeline.setNow('2026-01-10T00:00:00.000001Z');
  await timeline.spend(2);
  await timeline.fallsDue('2026-01-10T00:00:00.000002Z', {
    from: { additional: 7 },
    to: {},
    log: ['expiry -7'],
  });
});

test('at its expiry a lot cannot be spent, though nobody has settled', async () => {
  const timeline = await Timeline.open(database(), 'empty', OPENED);
  await timeline.grant(10, { until: BOUNDARY });
  await timeline.grant(3);
  await timeline.setNow(BOUNDARY);
  const { code, detail } = await creditsError(timeline.spend(4));
  expect(code).toBe('PC402');
  expect(detail).toMatchObject({ required: 4, available: 3, shortfall: 1, next_refill_at: null });
  expect(await timeline.log()).toEqual([`${OPENED} grant 10`, `${OPENED} grant 3`]);
  await timeline.spend(3);
  expect(await timeline.log()).toEqual([
    `${OPENED} grant 10`,
    `${OPENED} grant 3`,
    `${BOUNDARY} expiry -10`,
    `${BOUNDARY} usage -3`,
  ]);
});

test('a spend at the boundary comes after the refill; one a microsecond before it does not', async () => {
  const timeline = await Timeline.open(database(), 'none', OPENED);
  await timeline.spend(90);
  await timeline.setNow(iso(instant(BOUNDARY) - 1n));
  const early = await creditsError(timeline.spend(50));
  expect(early.detail).toMatchObject({ required: 50, available: 10 });
  expect(new Date(early.detail.next_refill_at)).toEqual(new Date(BOUNDARY));

  await timeline.setNow(BOUNDARY);
  const [quote] = await database().query(
    `select amount::float8, available::float8, affordable from credits.quote($1, 'use', '{"credits": 50}')`,
    [timeline.accountId],
  );
  expect(quote).toEqual({ amount: 50, available: 100, affordable: true });
  await timeline.spend(50);
  expect(await timeline.log()).toEqual([
    `${OPENED} refill 100`,
    `${OPENED} usage -90`,
    `${BOUNDARY} expiry -10`,
    `${BOUNDARY} refill 100`,
    `${BOUNDARY} usage -50`,
  ]);
});

test('what expires at the boundary is gone before it could count for the cap', async () => {
  const timeline = await Timeline.open(database(), 'capped', OPENED);
  await timeline.spend(50);
  await timeline.grant(40, { bucket: 'included', until: BOUNDARY });
  await timeline.fallsDue(BOUNDARY, {
    from: { included: 90 },
    to: { included: 150 },
    log: ['expiry -40', 'refill 100'],
  });
});

test('what expires a microsecond after the boundary still counts for the cap', async () => {
  const timeline = await Timeline.open(database(), 'capped', OPENED);
  await timeline.spend(50);
  await timeline.grant(40, { bucket: 'included', until: iso(instant(BOUNDARY) + 1n) });
  await timeline.fallsDue(BOUNDARY, {
    from: { included: 90 },
    to: { included: 160 },
    log: ['expiry -30', 'refill 100'],
  });
  expect(await timeline.left()).toEqual([20, 40, 100]);
});

test('the fresh allowance does not count for the cap, and is whole', async () => {
  const timeline = await Timeline.open(database(), 'capped', OPENED);
  await timeline.fallsDue(BOUNDARY, {
    from: { included: 100 },
    to: { included: 160 },
    log: ['expiry -40', 'refill 100'],
  });
});

test('additional credits that expire at the boundary, the reset and the refill, in this order', async () => {
  const timeline = await Timeline.open(database(), 'none', OPENED);
  await timeline.grant(40, { bucket: 'included' });
  await timeline.grant(7, { until: BOUNDARY });
  await timeline.fallsDue(BOUNDARY, {
    from: { included: 140, additional: 7 },
    to: { included: 100 },
    // The allowance and the gift end by their own date, the other included credits by the reset.
    log: ['expiry -100', 'expiry -7', 'expiry -40', 'refill 100'],
  });
});

test('what is granted at the boundary itself belongs to the new period', async () => {
  const timeline = await Timeline.open(database(), 'none', OPENED);
  await timeline.setNow(BOUNDARY);
  await timeline.grant(5, { bucket: 'included' });
  expect(await timeline.credits()).toEqual({ included: 105, additional: 0 });
  await timeline.fallsDue('2026-03-10T00:00:00Z', {
    from: { included: 105 },
    to: { included: 100 },
    log: ['expiry -100', 'expiry -5', 'refill 100'],
  });
});
