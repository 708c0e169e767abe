import fc from 'fast-check';
import type { AllowanceRow } from '../../support/catalog.ts';
import type { Item } from '../../support/rating-model.ts';
import { DAY, HOUR, type Instant, instant, SECOND } from '../../support/time.ts';
import type { Plans } from './catalog.ts';

/** Ends of months, a leap day, nights when clocks change, and any other time. */
export const start: fc.Arbitrary<Instant> = fc.oneof(
  fc.constantFrom(
    instant('2026-01-31T10:00Z'),
    instant('2028-02-29T00:00Z'),
    instant('2025-12-31T23:59:59.999999Z'),
    instant('2026-03-08T06:30Z'), // New York, the night to summer time
  ),
  fc.bigInt(instant('2024-01-01T00:00Z'), instant('2030-01-01T00:00Z')),
);

const rollover: fc.Arbitrary<Omit<AllowanceRow, 'plan' | 'amount'>> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ rollover: 'none' as const }) },
  {
    weight: 2,
    arbitrary: fc.record(
      { rollover: fc.constant('all' as const), lives_periods: fc.integer({ min: 1, max: 3 }) },
      { requiredKeys: ['rollover'] },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record(
      {
        rollover: fc.constant('capped' as const),
        rollover_cap_multiple: fc.constantFrom('0', '0.5', '1.333', '2'),
        lives_periods: fc.integer({ min: 1, max: 3 }),
      },
      { requiredKeys: ['rollover', 'rollover_cap_multiple'] },
    ),
  },
);

export const PLANS = ['free0', 'free1', 'paid0', 'paid1', 'paid2'];
export const isPaid = (plan: string): boolean => plan.startsWith('paid');

/** Two plans of price 0 and three paid ones; most are of one time zone, and those of one cadence anchored alike. */
export const plans: fc.Arbitrary<Plans> = fc
  .record({
    timeZone: fc.constantFrom('UTC', 'America/New_York'),
    anchoredTo: fc.record({
      day: fc.constantFrom('subscription' as const, 'calendar' as const),
      week: fc.constantFrom('subscription' as const, 'calendar' as const),
      month: fc.constantFrom('subscription' as const, 'calendar' as const),
    }),
    each: fc.tuple(
      ...PLANS.map(() =>
        fc.record({
          cadence: fc.constantFrom(
            'month' as const,
            'month' as const,
            'week' as const,
            'day' as const,
          ),
          credits: fc.constantFrom('200', '100', '200', '250.5', '0'),
          creditsRollover: rollover,
          anchoredOtherwise: fc.constantFrom(false, false, false, true),
          otherTimeZone: fc.constantFrom(null, null, null, 'Pacific/Apia', 'UTC'),
          minutes: fc.constantFrom(null, '15', '20'),
          minutesRollover: rollover,
        }),
      ),
    ),
  })
  .map(({ timeZone, anchoredTo, each }) => ({
    plans: each.map(({ cadence, anchoredOtherwise, otherTimeZone }, index) => ({
      plan: PLANS[index],
      cadence,
      anchored_to:
        (anchoredTo[cadence] === 'calendar') === anchoredOtherwise ? 'subscription' : 'calendar',
      time_zone: otherTimeZone ?? timeZone,
      paid: isPaid(PLANS[index]),
    })),
    allowances: each.flatMap(({ credits, creditsRollover, minutes, minutesRollover }, index) => [
      { plan: PLANS[index], unit: 'credit', amount: credits, ...creditsRollover },
      ...(minutes === null
        ? []
        : [{ plan: PLANS[index], unit: 'minute', amount: minutes, ...minutesRollover }]),
    ]),
  }));

/** A moment that is only known when it is reached: some time from now, or about the instant when something falls due. */
export type Moment = { from: 'now'; by: bigint } | { from: 'due'; index: number; by: bigint };

export const moment: fc.Arbitrary<Moment> = fc.oneof(
  fc.record({
    from: fc.constant('due' as const),
    index: fc.nat({ max: 3 }),
    by: fc.constantFrom(0n, -1n, 1n, HOUR),
  }),
  fc.record({
    from: fc.constant('now' as const),
    by: fc.oneof(
      fc.constantFrom(SECOND, HOUR, DAY, 8n * DAY, 40n * DAY, 100n * DAY),
      fc.bigInt(1n, 20n * DAY),
    ),
  }),
);

const frames = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 120 }) },
  { weight: 1, arbitrary: fc.integer({ min: 120, max: 700 }) },
);
const framesItem = frames.map((n) => ({ operation: 'frames', usage: { frames: n } }));

/** Mostly a job that the card has a price for. */
export const item: fc.Arbitrary<Item> = fc.oneof(
  { weight: 10, arbitrary: framesItem },
  {
    weight: 3,
    arbitrary: fc
      .integer({ min: 0, max: 120 })
      .map((seconds) => ({ operation: 'video', usage: { seconds } })),
  },
  {
    weight: 2,
    arbitrary: fc
      .integer({ min: 1, max: 12 })
      .map((minutes) => ({ operation: 'minutes', usage: { minutes } })),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('edit', 'studio', 'studio', 'agent')
      .map((operation) => ({ operation })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      { operation: 'nothing' },
      { operation: 'frames' },
      { operation: 'agent', usage: { count: 1.5 } },
    ),
  },
);
const items = fc.oneof(
  { weight: 4, arbitrary: item.map((one) => [one]) },
  { weight: 1, arbitrary: fc.array(item, { minLength: 2, maxLength: 3 }) },
);

const who = fc.oneof(
  { weight: 40, arbitrary: fc.constant('alice') },
  { weight: 6, arbitrary: fc.constant('bob') },
  { weight: 1, arbitrary: fc.constant('nobody') },
);
const key = fc.oneof(
  { weight: 3, arbitrary: fc.constant(null) },
  { weight: 2, arbitrary: fc.constantFrom('k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8') },
);
const member = fc.constantFrom(null, null, 'm1', 'm2');
const acting = fc.oneof(
  { weight: 6, arbitrary: fc.constant(null) },
  { weight: 2, arbitrary: fc.constantFrom('m1', 'm2') },
);
const maxAmount = fc.oneof(
  { weight: 12, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.constantFrom('5', '20.01') },
);
const amount = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 60 }).map(String) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 9000 }).map((n) => (n / 100).toFixed(2)) },
  { weight: 1, arbitrary: fc.constantFrom('7.125', '-1', '500') },
);
/** Of something that there is: all of it, or some. */
const part = fc.oneof(
  { weight: 2, arbitrary: fc.constant(null) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 800 }).map((n) => (n / 100).toFixed(2)) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 9 }).map(String) },
  { weight: 1, arbitrary: amount },
);
const cap = fc.constantFrom(null, '0', '25', '60.5');
const pick = fc.nat({ max: 4 });
const plan = fc.constantFrom(...PLANS);
const anchor = fc.option(fc.bigInt(-90n * DAY, 30n * DAY), { freq: 2 });
const spend = { items, key, member, maxAmount };

/** How much of a hold is captured: all of it, or so many quarters, by amount or by usage. */
export type CaptureOf =
  | { of: 'whole' }
  | { of: 'quarters'; quarters: number }
  | { of: 'usage'; frames: number }
  | { of: 'items'; items: Item[] };
const captureOf: fc.Arbitrary<CaptureOf> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ of: 'whole' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      of: fc.constant('quarters' as const),
      quarters: fc.constantFrom(0, 1, 2, 3, 4, 5, 8),
    }),
  },
  { weight: 2, arbitrary: fc.record({ of: fc.constant('usage' as const), frames }) },
  { weight: 2, arbitrary: fc.record({ of: fc.constant('items' as const), items }) },
);

/** What happens, in plain words. Lots, holds, entries and purchases are picked among those that there are by then. */
const steps = {
  wait: fc.record({ until: moment, who }),
  setBack: fc.record({ by: fc.constantFrom(1n, HOUR) }),
  settle: fc.record({}),
  open: fc.record({ who, plan: fc.option(plan), anchor }),
  subscribe: fc.record({ who, plan, anchor }),
  cancel: fc.record({ who, immediately: fc.boolean() }),
  spend: fc.record({ who, ...spend, asJob: fc.boolean() }),
  spendMany: fc.record({
    requests: fc.array(fc.record({ accountId: who, item, key, member, maxAmount }), {
      minLength: 1,
      maxLength: 4,
    }),
  }),
  authorize: fc.record({
    who,
    ...spend,
    expiresIn: fc.constantFrom(HOUR, HOUR, 3n * DAY, 50n * DAY),
  }),
  capture: fc.record({ who, pick, what: captureOf }),
  release: fc.record({ who, pick }),
  grant: fc.record({
    who,
    amount,
    unit: fc.oneof(
      { weight: 9, arbitrary: fc.constant('credit') },
      { weight: 3, arbitrary: fc.constant('minute') },
      { weight: 1, arbitrary: fc.constant('token') },
    ),
    bucket: fc.constantFrom('additional' as const, 'additional' as const, 'included' as const),
    expires: fc.option(moment, { freq: 2 }),
    priority: fc.constantFrom(100, 100, 50),
    key,
  }),
  claim: fc.record({
    who,
    promotion: fc.constantFrom('welcome', 'trial', 'nothing'),
    claimant: fc.constantFrom('A@example.com', 'a@example.com', 'b@example.com'),
  }),
  refund: fc.record({ who, pick, amount: part, key, regrant: fc.boolean() }),
  revoke: fc.record({ who, pick, amount: part }),
  buy: fc.record({
    who,
    pack: fc.constantFrom('small', 'small', 'large', 'given', 'nothing'),
    member: acting,
    key,
  }),
  settlePurchase: fc.record({ who, pick, reference: fc.constantFrom('own', 'own', 'p1', 'p2') }),
  failPurchase: fc.record({ who, pick }),
  reversePurchase: fc.record({ who, pick, amount: part }),
  reinstatePurchase: fc.record({ who, pick, amount: part }),
  /** A pack is bought, used or held, and its payment is returned. */
  chargeback: fc.record({ who, item: framesItem, hold: fc.boolean(), amount: part }),
  configureTopUp: fc.record({
    who,
    enabled: fc.constantFrom(true, true, true, false),
    threshold: fc.constantFrom(null, '20', '150', '0'),
    amount: fc.constantFrom(null, '25', '80.5', '25.1'),
    monthlyLimit: fc.constantFrom(null, '100', '30', 'Infinity'),
    member: acting,
  }),
  configureAdditional: fc.record({
    who,
    enabled: fc.constantFrom(true, true, false),
    limit: fc.oneof(cap, fc.constant('Infinity')),
    member: acting,
  }),
  addMember: fc.record({
    who,
    memberId: fc.constantFrom('m1', 'm2'),
    role: fc.constantFrom('admin' as const, 'member' as const),
    cap,
    acting,
  }),
  removeMember: fc.record({ who, memberId: fc.constantFrom('m1', 'm2'), acting }),
  recordMeter: fc.record({
    who,
    operation: fc.constantFrom('storage', 'storage', 'archive'),
    level: fc.constantFrom('0', '3', '12.5', '0.7', '40'),
  }),
  repeat: fc.record({ back: fc.nat({ max: 5 }) }),
  quote: fc.record({ who, items }),
  forecast: fc.record({ who, at: moment }),
  lookBack: fc.record({ who }),
};

const weights: Record<keyof typeof steps, number> = {
  wait: 14,
  setBack: 1,
  settle: 3,
  open: 1,
  subscribe: 8,
  cancel: 2,
  spend: 14,
  spendMany: 3,
  authorize: 9,
  capture: 9,
  release: 3,
  grant: 5,
  claim: 1,
  refund: 6,
  revoke: 2,
  buy: 3,
  settlePurchase: 6,
  failPurchase: 2,
  reversePurchase: 3,
  reinstatePurchase: 3,
  chargeback: 3,
  configureTopUp: 4,
  configureAdditional: 2,
  addMember: 2,
  removeMember: 1,
  recordMeter: 2,
  repeat: 4,
  quote: 2,
  forecast: 2,
  lookBack: 1,
};

type StepOf<Name extends keyof typeof steps> =
  (typeof steps)[Name] extends fc.Arbitrary<infer Facts> ? { do: Name } & Facts : never;
export type Step = { [Name in keyof typeof steps]: StepOf<Name> }[keyof typeof steps];

export const step: fc.Arbitrary<Step> = fc.oneof(
  ...(Object.keys(steps) as (keyof typeof steps)[]).map((name) => ({
    weight: weights[name],
    arbitrary: (steps[name] as fc.Arbitrary<object>).map(
      (facts) => ({ do: name, ...facts }) as Step,
    ),
  })),
);

export const story = fc.record({
  now: start,
  chosen: plans,
  opened: fc.record({
    plan: fc.option(plan, { freq: 4 }),
    anchor,
    credits: fc.constantFrom('150', '20', '400'),
  }),
  steps: fc.noBias(fc.array(step, { maxLength: 70, size: 'max' })),
});
