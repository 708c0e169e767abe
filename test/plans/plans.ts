import type { CatalogData } from '../support/catalog.ts';

interface PlanOf {
  price?: number;
  cadence?: 'day' | 'week' | 'month' | 'year' | 'none';
  anchored_to?: 'subscription' | 'calendar';
  time_zone?: string;
  credit?: number;
  minute?: number;
  rollover?: 'none' | 'all' | 'capped';
  cap?: number;
  lives_periods?: number;
}

/** Plans of an invented product, by name: price 0 and monthly unless said otherwise. */
export const PLANS = {
  free: { credit: 30 },
  free_plus: { credit: 45 },
  free_weekly: { credit: 8, cadence: 'week' },
  free_reader: { credit: 40, cadence: 'week' },
  free_daily: { credit: 5, cadence: 'day' },
  free_once: { credit: 25, cadence: 'none' },
  free_once_plus: { credit: 40, cadence: 'none' },
  basic: { price: 5, credit: 100 },
  twin: { price: 6, credit: 100 },
  pro: { price: 10, credit: 300 },
  studio: { price: 20, credit: 300, minute: 20 },
  film: { price: 15, credit: 200, minute: 50 },
  none_left: { price: 1 },
  weekly: { price: 3, credit: 40, cadence: 'week' },
  daily: { price: 2, credit: 10, cadence: 'day' },
  yearly: { price: 99, credit: 2000, cadence: 'year' },
  calendar: { price: 9, credit: 250, anchored_to: 'calendar', rollover: 'all', lives_periods: 2 },
  alike: { price: 8, credit: 70 },
  alike_zone: { price: 8, credit: 70, time_zone: 'Asia/Kathmandu' },
  alike_calendar: { price: 8, credit: 70, anchored_to: 'calendar' },
  alike_calendar_zone: {
    price: 8,
    credit: 70,
    anchored_to: 'calendar',
    time_zone: 'Asia/Kathmandu',
  },
  saver: { price: 4, credit: 120, rollover: 'all' },
  capped: { price: 7, credit: 150, rollover: 'capped', cap: 60 },
  once: { price: 50, credit: 500, cadence: 'none' },
  once_plus: { price: 60, credit: 800, cadence: 'none' },
} satisfies Record<string, PlanOf>;

export type PlanName = keyof typeof PLANS;

export const isPaid = (plan: PlanName): boolean => ((PLANS[plan] as PlanOf).price ?? 0) > 0;

export const allowance = (plan: PlanName, unit: 'credit' | 'minute'): number =>
  (PLANS[plan] as PlanOf)[unit] ?? 0;

const entries = Object.entries(PLANS) as [string, PlanOf][];

export const CATALOG: CatalogData = {
  rate_card: 'workshop',
  units: [
    { unit: 'credit', scale: 2, main: true },
    { unit: 'minute', scale: 0 },
  ],
  rates: [
    { operation: 'job', measure: 'n', price: 1 },
    { operation: 'film', measure: 'n', price: 1, unit: 'minute' },
  ],
  plans: entries.map(([plan, { cadence = 'month', anchored_to, time_zone }]) => ({
    plan,
    cadence,
    anchored_to,
    time_zone,
  })),
  allowances: entries.flatMap(([plan, { credit, minute, rollover, cap, lives_periods }]) => [
    ...(credit ? [{ plan, amount: credit, rollover, rollover_cap: cap, lives_periods }] : []),
    ...(minute ? [{ plan, unit: 'minute', amount: minute }] : []),
  ]),
};

/** What the plans cost. */
export const PRICES = entries
  .filter(([, { price }]) => price)
  .map(
    ([plan, { price }]) =>
      `insert into credits.plan_prices (plan, currency, price) values ('${plan}', 'USD', ${price});`,
  )
  .join('\n');
