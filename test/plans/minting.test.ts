import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadCatalogData } from '../support/catalog.ts';
import { runs } from '../support/runs.ts';
import { type Account, NOON, workshop } from '../support/workshop.ts';
import { allowance, CATALOG, isPaid, PLANS, type PlanName, PRICES } from './plans.ts';

const shop = workshop(async (database) => {
  await loadCatalogData(database.pool, CATALOG);
  await database.query(PRICES);
});

const HOUR = 3_600_000;
const NAMES = Object.keys(PLANS) as PlanName[];
const UNITS = ['credit', 'minute'] as const;

type Step =
  | { do: 'subscribe'; plan: PlanName }
  | { do: 'cancel'; immediately: boolean }
  | { do: 'use'; hold: boolean }
  | { do: 'wait'; hours: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('subscribe' as const),
      plan: fc.constantFrom(...NAMES),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('cancel' as const), immediately: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('use' as const), hold: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      hours: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.constant(24 * 31)),
    }),
  },
);

const lasting = (plan: PlanName) => !('cadence' in PLANS[plan] && PLANS[plan].cadence === 'none');

/** The most that one of these plans gives of a unit. */
const largest = (plans: PlanName[], unit: 'credit' | 'minute') =>
  Math.max(0, ...plans.map((plan) => allowance(plan, unit)));

async function take(team: Account, step: Step): Promise<void> {
  if (step.do === 'subscribe') await team.one('subscribe', { plan: step.plan });
  else if (step.do === 'cancel')
    await team.one('cancel_subscription', { immediately: step.immediately });
  else if (step.do === 'use') {
    const { total } = await team.balance();
    if (total > 0) await (step.hold ? team.hold(total) : team.spend(total));
  }
}

test('no sequence of changes is granted more in a period than the largest of its plans gives', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 2, maxLength: 14, size: 'max' }),
      async (steps) => {
        let now = Date.parse(NOON);
        await shop.at(NOON);
        const team = await shop.team();
        const seen: { paid: boolean; start: number; end: number }[] = [];
        for (const next of steps) {
          if (next.do === 'wait') {
            now += next.hours * HOUR;
            await shop.at(new Date(now).toISOString());
          } else await take(team, next);
          const row = await team.row();
          if (row.period_end === null) continue;
          const period = {
            paid: isPaid(row.plan),
            start: row.period_start.getTime(),
            end: row.period_end.getTime(),
          };
          if (seen.every(({ paid, start }) => paid !== period.paid || start !== period.start))
            seen.push(period);
        }

        const lots = (await team.lots()).filter(({ source }) => source === 'refill');
        const granted = (
          paid: boolean,
          unit: string,
          among: (lot: { plan: PlanName; starts_at: Date }) => boolean,
        ) =>
          lots
            .filter((lot) => lot.unit === unit && isPaid(lot.plan) === paid && among(lot))
            .reduce((sum, lot) => sum + lot.granted, 0);
        const used = NAMES.filter((plan) =>
          steps.some((step) => step.do === 'subscribe' && step.plan === plan),
        );
        for (const unit of UNITS) {
          for (const { paid, start, end } of seen) {
            const within = ({ plan, starts_at }: { plan: PlanName; starts_at: Date }) =>
              lasting(plan) && starts_at.getTime() >= start && starts_at.getTime() < end;
            expect(granted(paid, unit, within)).toBeLessThanOrEqual(
              largest(
                used.filter((plan) => isPaid(plan) === paid && lasting(plan)),
                unit,
              ),
            );
          }
          for (const paid of [false, true]) {
            expect(granted(paid, unit, ({ plan }) => !lasting(plan))).toBeLessThanOrEqual(
              largest(
                used.filter((plan) => isPaid(plan) === paid && !lasting(plan)),
                unit,
              ),
            );
          }
        }
        // Periods of one sort follow each other.
        for (const a of seen) {
          for (const b of seen) {
            if (a !== b && a.paid === b.paid)
              expect(a.end <= b.start || b.end <= a.start).toBe(true);
          }
        }
      },
    ),
    { numRuns: runs(60) },
  );
}, 120_000);

const ALIKE = NAMES.filter((plan) => plan.startsWith('alike'));

test('changing back and forth between plans that differ in their anchoring gives no allowance more', async () => {
  const flip = fc.record({
    plan: fc.constantFrom(...ALIKE),
    cancelFirst: fc.boolean(),
    // About the end of the period, or some days later.
    wait: fc.oneof(
      fc.constantFrom('before its end' as const, 'its end' as const),
      fc.integer({ min: 1, max: 20 }),
    ),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(flip, { minLength: 4, maxLength: 16, size: 'max' }),
      async (flips) => {
        let now = Date.parse(NOON);
        await shop.at(NOON);
        const team = await shop.team();
        for (const { plan, cancelFirst, wait } of flips) {
          if (cancelFirst) await team.one('cancel_subscription', { immediately: true });
          const { period_end } = await team.one('subscribe', { plan });
          if (typeof wait === 'number') now += wait * 24 * HOUR;
          else now = period_end.getTime() - (wait === 'its end' ? 0 : HOUR);
          await shop.at(new Date(now).toISOString());
        }
        await shop.settle();
        const granted = (await team.lots()).reduce((sum, lot) => sum + lot.granted, 0);
        const months = (now - Date.parse(NOON)) / (28 * 24 * HOUR);
        expect(granted).toBeLessThanOrEqual(70 * Math.ceil(months + 1));
      },
    ),
    { numRuns: runs(40) },
  );
}, 120_000);

/** How many days a period has at least. */
const LENGTHS = { day: 1, week: 7, month: 28, year: 365 };
const TURNS: [string, PlanName[]][] = [
  ['paid', ['daily', 'weekly', 'basic', 'pro', 'yearly']],
  ['of price 0', ['free_daily', 'free_reader', 'free', 'free_plus']],
];

test.each(TURNS)(
  'changing between plans of different cadence, %s, gives what the best of them gives, and one period more',
  async (_, plans) => {
    const ofADay = Math.max(
      ...plans.map((plan) => {
        const { cadence = 'month' } = PLANS[plan] as { cadence?: keyof typeof LENGTHS };
        return allowance(plan, 'credit') / LENGTHS[cadence];
      }),
    );
    const turn = fc.record({
      plan: fc.constantFrom(...plans),
      cancelFirst: fc.boolean(),
      days: fc.constantFrom(0, 0, 1, 1, 3, 7, 31, 366),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(turn, { minLength: 4, maxLength: 16, size: 'max' }),
        async (turns) => {
          await shop.at(NOON);
          const team = await shop.team();
          let day = 0;
          for (const { plan, cancelFirst, days } of turns) {
            if (cancelFirst) await team.one('cancel_subscription', { immediately: true });
            await team.one('subscribe', { plan });
            day += days;
            await shop.at(new Date(Date.parse(NOON) + day * 24 * HOUR).toISOString());
          }
          await shop.settle();
          let granted = 0;
          for (const lot of await team.lots()) {
            granted += lot.granted;
            const days = (lot.starts_at.getTime() - Date.parse(NOON)) / (24 * HOUR);
            expect(granted).toBeLessThanOrEqual(ofADay * days + largest(plans, 'credit') + 0.01);
          }
        },
      ),
      { numRuns: runs(40) },
    );
  },
  120_000,
);

test('a plan of a day and one of a week, left and taken again in turn, give no more than the week’s', async () => {
  const team = await shop.team('free_daily');
  const grantedInAll = async () => (await team.lots()).reduce((sum, lot) => sum + lot.granted, 0);
  for (let week = 0; week < 4; week += 1) {
    const start = Date.parse(NOON) + week * 8 * 24 * HOUR;
    await shop.at(new Date(start).toISOString());
    await team.one('cancel_subscription', { immediately: true });
    await team.one('subscribe', { plan: 'free_reader' });
    const { total } = await team.balance();
    if (total > 0) await team.spend(total);
    await shop.at(new Date(start + 24 * HOUR).toISOString());
    await team.one('subscribe', { plan: 'free_daily' });
    // A day's, and then a week's: each when the other is over.
    expect(await grantedInAll()).toBe((week + 1) * (5 + 40));
  }
});
