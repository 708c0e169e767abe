import { expect, test } from 'vitest';
import { creditsError } from '../support/database.ts';
import { databaseWithPlans, Timeline } from './timeline.ts';

// Several missed periods are settled one by one, each entry's occurred_at being its own boundary, so the log reads as if
// the worker had never slept. A writer settles everything due before it writes.

const OPENED = '2026-01-31T10:00:00Z';
const ENDS = [
  '02-28',
  '03-31',
  '04-30',
  '05-31',
  '06-30',
  '07-31',
  '08-31',
  '09-30',
  '10-31',
  '11-30',
  '12-31',
]
  .map((day) => `2026-${day}T10:00:00Z`)
  .concat('2027-01-31T10:00:00Z');

const database = databaseWithPlans({
  none: { cadence: 'month', gives: [{ amount: 100 }] },
  all: { cadence: 'month', gives: [{ amount: 100, rollover: 'all' }] },
  capped: {
    cadence: 'month',
    gives: [{ amount: 100, rollover: 'capped', rollover_cap: 120, lives_periods: 3 }],
  },
  daily: { cadence: 'day', gives: [{ amount: 5 }] },
  no_allowance: { cadence: 'month' },
});

test('a year later every balance is right at once, and its log complete afterwards', async () => {
  const timeline = await Timeline.open(database(), 'none', OPENED);
  await timeline.spend(30);
  await timeline.grant(50, { until: '2026-05-01T00:00:00Z' });
  await timeline.setNow('2027-02-01T00:00:00Z');
  expect(await timeline.credits()).toEqual({ included: 100, additional: 0 });
  expect(await timeline.available()).toBe(100);
  expect(await timeline.nextRefill()).toBe('2027-02-28T10:00:00Z');
  expect(await timeline.log()).toHaveLength(3);

  await timeline.settle();
  const log = [`${OPENED} refill 100`, `${OPENED} usage -30`, `${OPENED} grant 50`];
  for (const [index, end] of ENDS.entries()) {
    log.push(`${end} expiry ${index === 0 ? -70 : -100}`, `${end} refill 100`);
    if (end.startsWith('2026-04')) log.push('2026-05-01T00:00:00Z expiry -50');
  }
  expect(await timeline.log()).toEqual(log);
  expect(await timeline.credits()).toEqual({ included: 100, additional: 0 });
});

test('the log says when things took effect, and apart from that when they were written', async () => {
  const timeline = await Timeline.open(database(), 'none', OPENED);
  await timeline.setNow('2026-04-01T00:00:00Z');
  await timeline.settle();
  const rows = await database().query(
    'select seq::int, occurred_at, recorded_at, balance_after::float8 from credits.entries order by seq',
  );
  const opened = new Date(OPENED);
  const february = new Date(ENDS[0]);
  const march = new Date(ENDS[1]);
  const late = new Date('2026-04-01T00:00:00Z');
  expect(rows).toEqual([
    { seq: 1, occurred_at: opened, recorded_at: opened, balance_after: 100 },
    { seq: 2, occurred_at: february, recorded_at: late, balance_after: 0 },
    { seq: 3, occurred_at: february, recorded_at: late, balance_after: 100 },
    { seq: 4, occurred_at: march, recorded_at: late, balance_after: 0 },
    { seq: 5, occurred_at: march, recorded_at: late, balance_after: 100 },
  ]);
});

test('what was carried, capped and outlived along the way comes to the same as if it had been settled each time', async () => {
  const asleep = await Timeline.open(database(), 'capped', OPENED);
  const awake = await Timeline.open(database(), 'capped', OPENED);
  for (const timeline of [asleep, awake]) await timeline.spend(70);
  for (const end of ENDS) {
    await awake.setNow(end);
    await database().query(
      'select credits_private.settled(a, $2) from credits.accounts a where a.account_id = $1',
      [awake.accountId, end],
    );
    expect(await asleep.credits()).toEqual(await awake.credits());
  }
  expect(await asleep.log()).toHaveLength(2);
  await asleep.settle();
  expect(await asleep.log()).toEqual(await awake.log());
  expect(await asleep.left()).toEqual(await awake.left());
  expect((await asleep.log()).slice(0, 10)).toEqual([
    `${OPENED} refill 100`,
    `${OPENED} usage -70`,
    `${ENDS[0]} refill 100`,
    `${ENDS[1]} expiry -10`,
    `${ENDS[1]} refill 100`,
    `${ENDS[2]} expiry -20`,
    `${ENDS[2]} expiry -80`,
    `${ENDS[2]} refill 100`,
    `${ENDS[3]} expiry -20`,
    `${ENDS[3]} expiry -80`,
  ]);
});

const WRITERS: [string, (timeline: Timeline) => Promise<unknown>, string[]][] = [
  ['spend', (timeline) => timeline.spend(1), ['usage -1']],
  ['spend of nothing', (timeline) => timeline.spend(0), ['usage 0']],
  ['grant', (timeline) => timeline.grant(1), ['grant 1']],
  [
    'claim',
    ({ accountId }) => database().query(`select credits.claim($1, 'welcome', 'ada')`, [accountId]),
    ['grant 30'],
  ],
  [
    'open_account again',
    ({ accountId }) => database().query('select credits.open_account($1)', [accountId]),
    [],
  ],
  [
    'subscribe again',
    ({ accountId }) => database().query(`select credits.subscribe($1, 'none')`, [accountId]),
    [],
  ],
  ['settle_due', (timeline) => timeline.settle(), []],
];

test.each(WRITERS)('%s first settles everything that is due', async (_, write, written) => {
  const timeline = await Timeline.open(database(), 'none', OPENED);
  await timeline.setNow('2026-04-01T00:00:00Z');
  await write(timeline);
  expect(await timeline.log()).toEqual([
    `${OPENED} refill 100`,
    ...ENDS.slice(0, 2).flatMap((end) => [`${end} expiry -100`, `${end} refill 100`]),
    ...written.map((line) => `2026-04-01T00:00:00Z ${line}`),
  ]);
});

test('a refused spend leaves no trace, not even of what it had to settle', async () => {
  const timeline = await Timeline.open(database(), 'none', OPENED);
  await timeline.setNow('2026-04-01T00:00:00Z');
  const { code, detail } = await creditsError(timeline.spend(101));
  expect(code).toBe('PC402');
  expect(detail).toMatchObject({ unit: 'credit', required: 101, available: 100, shortfall: 1 });
  expect(new Date(detail.next_refill_at)).toEqual(new Date(ENDS[2]));
  expect(await timeline.log()).toEqual([`${OPENED} refill 100`]);
});

test('periods in which nothing happened leave no entries, and the next one is known', async () => {
  const timeline = await Timeline.open(database(), 'no_allowance', OPENED);
  await timeline.setNow('2027-02-01T00:00:00Z');
  await timeline.settle();
  expect(await timeline.log()).toEqual([]);
  const [account] = await database().query('select period_start, period_end from credits.accounts');
  expect(account).toEqual({
    period_start: new Date('2027-01-31T10:00:00Z'),
    period_end: new Date('2027-02-28T10:00:00Z'),
  });
});

test('settling many missed periods of many accounts, a batch at a time', async () => {
  const timelines = [];
  for (let n = 0; n < 5; n += 1) timelines.push(await Timeline.open(database(), 'daily', OPENED));
  await timelines[0].setNow('2026-03-02T10:00:00Z');
  const settled = async () =>
    (await database().query('select credits.settle_due(2) as n')).map((row) => row.n);
  expect(await settled()).toEqual([2]);
  expect(await settled()).toEqual([2]);
  expect(await settled()).toEqual([1]);
  expect(await settled()).toEqual([0]);
  for (const timeline of timelines) expect(await timeline.log()).toHaveLength(1 + 2 * 30);
});

test('a forecast of many years', async () => {
  const monthly = await Timeline.open(database(), 'all', OPENED);
  await monthly.spend(100);
  expect(await monthly.credits('2056-01-31T10:00:00Z')).toEqual({ included: 36000, additional: 0 });
  expect(await monthly.credits('2056-01-31T09:59:59.999999Z')).toEqual({
    included: 35900,
    additional: 0,
  });
  expect(await monthly.nextRefill('2056-01-31T10:00:00Z')).toBe('2056-02-29T10:00:00Z');

  const daily = await Timeline.open(database(), 'daily', OPENED);
  expect(await daily.credits('2030-01-31T10:00:00Z')).toEqual({ included: 5, additional: 0 });
  expect(await daily.nextRefill('2030-01-31T10:00:00Z')).toBe('2030-02-01T10:00:00Z');
});
