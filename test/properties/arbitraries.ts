import fc from 'fast-check';
import type { AllowanceRow, CatalogData, PlanRow, RateRow } from '../support/catalog.ts';
import { BUCKETS, type Bucket } from '../support/model.ts';
import type { Item } from '../support/rating-model.ts';
import { DAY, HOUR, type Instant, instant, SECOND } from '../support/time.ts';

/** Clocks that go back and forth, that differ by 45 minutes, and one that once left a day out. */
export const timeZone = fc.constantFrom(
  'UTC',
  'America/New_York',
  'Asia/Kathmandu',
  'Africa/Cairo',
  'Pacific/Apia',
);

/** Times worth starting at: ends of months, leap days, nights when clocks change, and any other. */
export const start: fc.Arbitrary<Instant> = fc.oneof(
  fc.constantFrom(
    instant('2026-01-31T10:00Z'),
    instant('2028-02-29T00:00Z'),
    instant('2025-12-31T23:59:59.999999Z'),
    instant('2026-03-08T06:30Z'), // New York, the night to summer time
    instant('2025-11-02T05:30Z'), // New York, 1:30 for the first time
    instant('2026-04-23T21:00Z'), // Cairo, the night without a midnight
    instant('2011-12-28T12:00Z'), // Apia, before the day it left out
  ),
  fc.bigInt(instant('2015-01-01T00:00Z'), instant('2035-01-01T00:00Z')),
);

export const anchorNear = (now: Instant): fc.Arbitrary<Instant | null> =>
  fc.option(
    fc.oneof(
      fc.constantFrom(instant('2024-01-31T08:00Z'), instant('2024-02-29T12:00Z')),
      fc.bigInt(-900n * DAY, 500n * DAY).map((away) => now + away),
    ),
  );

const hundredths = (max: number) => fc.integer({ min: 0, max }).map((n) => (n / 100).toFixed(2));

const rollover: fc.Arbitrary<Omit<AllowanceRow, 'plan' | 'amount'>> = fc.oneof(
  fc.constant({ rollover: 'none' as const }),
  fc.record(
    { rollover: fc.constant('all' as const), lives_periods: fc.integer({ min: 1, max: 4 }) },
    { requiredKeys: ['rollover'] },
  ),
  fc.record(
    {
      rollover: fc.constant('capped' as const),
      rollover_cap: hundredths(30000),
      lives_periods: fc.integer({ min: 1, max: 4 }),
    },
    { requiredKeys: ['rollover', 'rollover_cap'] },
  ),
  fc.record(
    {
      rollover: fc.constant('capped' as const),
      rollover_cap_multiple: fc.constantFrom('0', '0.5', '1', '1.333', '2'),
      lives_periods: fc.integer({ min: 1, max: 4 }),
    },
    { requiredKeys: ['rollover', 'rollover_cap_multiple'] },
  ),
);

const plan: fc.Arbitrary<Omit<PlanRow, 'plan'>> = fc.record({
  cadence: fc.constantFrom('month', 'week', 'day', 'year', 'none'),
  anchored_to: fc.constantFrom('subscription', 'calendar'),
  time_zone: timeZone,
});

const allowances: fc.Arbitrary<Omit<AllowanceRow, 'plan'>[]> = fc
  .tuple(
    fc.option(fc.tuple(hundredths(20000), rollover), { freq: 8 }),
    fc.option(fc.tuple(fc.integer({ min: 0, max: 30 }), rollover), { freq: 2 }),
  )
  .map(([credit, minute]) => [
    ...(credit ? [{ unit: 'credit', amount: credit[0], ...credit[1] }] : []),
    ...(minute ? [{ unit: 'minute', amount: minute[0], ...minute[1] }] : []),
  ]);

const rates: RateRow[] = [
  { operation: 'image', price: 5 },
  {
    operation: 'image',
    component: 'quality',
    match: { quality: 'high' },
    price: '2.5',
    optional: true,
  },
  { operation: 'frames', measure: 'frames', per: 3, price: 1 },
  { operation: 'video', measure: 'seconds', per: 60, price: 20, minimum_quantity: 30 },
  {
    operation: 'video',
    component: 'length',
    unit: 'minute',
    measure: 'seconds',
    per: 60,
    price: 1,
    quantity_rounding: 'up',
  },
  { operation: 'edit', price: 0 },
];

export interface Plans {
  plans: PlanRow[];
  allowances: AllowanceRow[];
}

/** Two random plans and what they give. */
export const plans: fc.Arbitrary<Plans> = fc
  .array(fc.tuple(plan, allowances), { minLength: 2, maxLength: 2 })
  .map((pairs) => ({
    plans: pairs.map(([row], index) => ({ plan: `plan${index}`, ...row })),
    allowances: pairs.flatMap(([, rows], index) =>
      rows.map((row) => ({ plan: `plan${index}`, ...row })),
    ),
  }));

/** A card with these plans, operations in one and in two units, and two promotions. Plan names are unique over all cards. */
export function catalogWith({ plans, allowances }: Plans, card: string): CatalogData {
  const own = <Row extends { plan: string }>(row: Row): Row => ({
    ...row,
    plan: `${card}_${row.plan}`,
  });
  return {
    rate_card: card,
    units: [
      { unit: 'credit', scale: 2, main: true },
      { unit: 'minute', scale: 0, rounding: 'up' },
    ],
    rates,
    plans: plans.map(own),
    allowances: allowances.map(own),
    promotions: [
      { promotion: 'welcome', amount: 30 },
      { promotion: 'trial', unit: 'minute', amount: 10, priority: 50, expires_after: 'P14D' },
    ],
  };
}

/** The two buckets that there are, and two more as rows. */
export const MORE_BUCKETS: Bucket[] = [
  ...BUCKETS,
  { bucket: 'gift', drawOrder: 0, countsAs: 'additional' },
  { bucket: 'bonus', drawOrder: 3, countsAs: 'included' },
];

/** A moment that is only known when it is reached: some time from now, or about the instant when something falls due. */
export type Moment = { from: 'now'; by: bigint } | { from: 'due'; index: number; by: bigint };

export const moment: fc.Arbitrary<Moment> = fc.oneof(
  fc.record({
    from: fc.constant('due' as const),
    index: fc.nat({ max: 5 }),
    by: fc.constantFrom(0n, -1n, 1n, HOUR),
  }),
  fc.record({
    from: fc.constant('now' as const),
    by: fc.oneof(
      fc.constantFrom(1n, SECOND, HOUR, DAY, 30n * DAY, 366n * DAY),
      fc.bigInt(1n, 60n * DAY),
    ),
  }),
);

/** Mostly a job that the card has a price for. */
export const item: fc.Arbitrary<Item> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      operation: fc.constant('image'),
      usage: fc.record(
        { count: fc.integer({ min: 1, max: 9 }), quality: fc.constant('high') },
        { requiredKeys: [] },
      ),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      operation: fc.constant('frames'),
      usage: fc.integer({ min: 1, max: 200 }).map((frames) => ({ frames })),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      operation: fc.constant('video'),
      usage: fc.integer({ min: 0, max: 12000 }).map((n) => ({ seconds: n / 100 })),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ operation: 'edit', usage: {} }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      { operation: 'nothing', usage: {} },
      { operation: 'frames', usage: {} },
      { operation: 'video', usage: { seconds: -1 } },
      { operation: 'image', usage: { count: 1.5 } },
      { operation: 'image', usage: { quality: 'vivid' } },
    ),
  },
);

const who = fc.oneof(
  { weight: 20, arbitrary: fc.constant('alice') },
  { weight: 20, arbitrary: fc.constant('bob') },
  { weight: 1, arbitrary: fc.constant('nobody') },
);
const key = fc.option(fc.constantFrom('k1', 'k2', 'k3', 'k4', 'k5', 'k6'), { freq: 2 });

export type Operation =
  | { do: 'wait'; until: Moment; who: string }
  | { do: 'set the clock back'; by: bigint }
  | { do: 'settle' }
  | { do: 'open' | 'subscribe'; who: string; plan: number | null; anchor: bigint | null }
  | {
      do: 'grant';
      who: string;
      amount: string;
      unit: string;
      bucket: string;
      expires: Moment | 'infinity' | 'past' | null;
      priority: number;
      key: string | null;
      paid: boolean;
    }
  | { do: 'claim'; who: string; promotion: string; claimant: string }
  | {
      do: 'spend';
      who: string;
      items: Item[];
      asJob: boolean;
      key: string | null;
      member: string | null;
      maxAmount: string | null;
    }
  | { do: 'repeat'; back: number; changed: 'nothing' | 'form' | 'member' | 'amount' }
  | { do: 'quote'; who: string; items: Item[] }
  | { do: 'forecast'; who: string; at: Moment };

const items = fc.oneof(
  { weight: 4, arbitrary: item.map((one) => [one]) },
  { weight: 1, arbitrary: fc.array(item, { minLength: 2, maxLength: 3 }) },
);

export const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('wait' as const), until: moment, who }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('set the clock back' as const),
      by: fc.constantFrom(1n, HOUR, 3n * DAY),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('open' as const),
      who,
      plan: fc.option(fc.nat({ max: 1 })),
      anchor: fc.option(fc.bigInt(-900n * DAY, 500n * DAY)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('subscribe' as const),
      who,
      plan: fc.nat({ max: 1 }),
      anchor: fc.option(fc.bigInt(-900n * DAY, 500n * DAY)),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('grant' as const),
      who,
      amount: fc.oneof(
        { weight: 4, arbitrary: hundredths(20000) },
        { weight: 2, arbitrary: fc.integer({ min: 1, max: 50 }).map(String) },
        { weight: 1, arbitrary: fc.constantFrom('7.125', '0.0000001', '-1') },
      ),
      unit: fc.oneof(
        { weight: 9, arbitrary: fc.constant('credit') },
        { weight: 3, arbitrary: fc.constant('minute') },
        { weight: 1, arbitrary: fc.constant('token') },
      ),
      bucket: fc.oneof(
        { weight: 9, arbitrary: fc.constantFrom('additional', 'included', 'gift', 'bonus') },
        { weight: 1, arbitrary: fc.constant('none') },
      ),
      expires: fc.oneof(
        { weight: 6, arbitrary: moment },
        { weight: 3, arbitrary: fc.constantFrom(null, 'infinity' as const) },
        { weight: 1, arbitrary: fc.constant('past' as const) },
      ),
      priority: fc.constantFrom(100, 100, 50, 200),
      key,
      paid: fc.constantFrom(false, false, true),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('claim' as const),
      who,
      promotion: fc.constantFrom('welcome', 'trial', 'nothing'),
      claimant: fc.constantFrom('A@example.com', 'a@example.com', 'b@example.com'),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('spend' as const),
      who,
      items,
      asJob: fc.boolean(),
      key,
      member: fc.constantFrom(null, null, 'm1', 'm2'),
      maxAmount: fc.oneof(
        { weight: 9, arbitrary: fc.constant(null) },
        { weight: 1, arbitrary: fc.constantFrom('5', '20.01') },
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('repeat' as const),
      back: fc.nat({ max: 5 }),
      changed: fc.constantFrom('nothing', 'form', 'member', 'amount'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('quote' as const), who, items }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('forecast' as const), who, at: moment }),
  },
);
