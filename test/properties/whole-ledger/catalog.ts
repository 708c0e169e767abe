/** A product with everything a product can have: two units, plans of both sorts, gates, packs, a gift, top-ups. */
import type { ClientBase, Pool } from 'pg';
import {
  type AllowanceRow,
  type CatalogData,
  insertRows,
  type Match,
  type MultiplierRow,
  type PlanRow,
  type PromotionRow,
  type RateRow,
  type UnitRow,
} from '../../support/catalog.ts';

export interface GateRow {
  operation: string;
  match: Match;
  requires: 'plan' | 'top_ups';
  plans?: string[];
}

export interface PackRow {
  pack: string;
  unit: string;
  amount: string;
  price: string;
  plans?: string[];
}

/** Rows as a catalog file has them; packs and plans with their price in dollars. */
export interface WholeCatalog extends CatalogData {
  units: UnitRow[];
  rates: RateRow[];
  multipliers: MultiplierRow[];
  plans: (PlanRow & { paid: boolean })[];
  allowances: AllowanceRow[];
  promotions: PromotionRow[];
  gates: GateRow[];
  packs: PackRow[];
  /** What a credit of an automatic top-up costs. */
  topUpPrice: string;
}

export const CARD = 'whole';

/** What varies from one story to the next. */
export interface Plans {
  plans: (PlanRow & { paid: boolean })[];
  allowances: AllowanceRow[];
}

/** The card with these plans; everything else of it is always the same. */
export function catalogWith({ plans, allowances }: Plans): WholeCatalog {
  return {
    rate_card: CARD,
    plans,
    allowances,
    units: [
      { unit: 'credit', scale: 2, main: true },
      { unit: 'minute', scale: 0, rounding: 'up' },
    ],
    rates: [
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
      { operation: 'minutes', unit: 'minute', measure: 'minutes', price: 1 },
      { operation: 'edit', price: 0 },
      { operation: 'studio', price: 7 },
      { operation: 'agent', price: 9 },
      { operation: 'storage', measure: 'gb_days', price: '1.3' },
      { operation: 'archive', measure: 'gb_days', price: '0.1' },
    ],
    multipliers: [
      {
        operation: 'frames',
        multiplier_group: 'plan',
        match: { plan: 'paid1' },
        factor: '0.5',
      },
      {
        operation: 'studio',
        multiplier_group: 'top_ups',
        match: { top_ups: true },
        factor: '0.7',
      },
    ],
    promotions: [
      { promotion: 'welcome', amount: 30 },
      { promotion: 'trial', unit: 'minute', amount: 10, priority: 50, expires_after: 'P14D' },
    ],
    gates: [
      {
        operation: 'studio',
        match: {},
        requires: 'plan',
        plans: ['paid0', 'paid1'],
      },
      { operation: 'agent', match: {}, requires: 'top_ups' },
      { operation: 'archive', match: {}, requires: 'top_ups' },
    ],
    packs: [
      { pack: 'small', unit: 'credit', amount: '40', price: '9' },
      {
        pack: 'large',
        unit: 'credit',
        amount: '150',
        price: '25.5',
        plans: ['paid0', 'free0'],
      },
      { pack: 'given', unit: 'minute', amount: '20', price: '0' },
    ],
    topUpPrice: '0.05',
  };
}

/** Loads the catalog as a catalog file does. */
export async function loadWholeCatalog(pool: Pool, catalog: WholeCatalog): Promise<void> {
  const named = (key: string) => (row: object) => ({
    name: (row as Record<string, unknown>)[key],
    ...row,
  });
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query('select credits_private.begin_catalog($1, $1)', [catalog.rate_card]);
    await insertRows(client, 'catalog_units', catalog.units.map(named('unit')));
    const operations = [...new Set(catalog.rates.map((rate) => rate.operation))];
    await insertRows(
      client,
      'catalog_operations',
      operations.map((operation) => ({ operation, category: 'test', name: operation })),
    );
    await insertRows(client, 'catalog_rates', catalog.rates);
    await insertRows(client, 'catalog_multipliers', catalog.multipliers);
    await insertRows(
      client,
      'catalog_plans',
      catalog.plans.map(({ paid, ...plan }) => named('plan')(plan)),
    );
    for (const { plan, paid } of catalog.plans) {
      await insertRows(client, 'catalog_plan_prices', [
        { plan, currency: 'USD', price: paid ? 12 : 0 },
      ]);
    }
    await insertRows(client, 'catalog_allowances', catalog.allowances);
    await insertRows(client, 'catalog_promotions', catalog.promotions.map(named('promotion')));
    for (const { plans, match, ...gate } of catalog.gates) {
      await client.query(
        'insert into catalog_gates (operation, match, requires, plans) values ($1, $2, $3, $4)',
        [gate.operation, JSON.stringify(match), gate.requires, plans ?? null],
      );
    }
    for (const { pack, unit, amount, price, plans } of catalog.packs) {
      await client.query(
        'insert into catalog_packs (pack, name, unit, amount, plans) values ($1, $1, $2, $3, $4)',
        [pack, unit, amount, plans ?? null],
      );
      await insertRows(client, 'catalog_pack_prices', [{ pack, currency: 'USD', price }]);
    }
    await insertRows(client, 'catalog_top_up_prices', [
      { currency: 'USD', price: catalog.topUpPrice },
    ]);
    await client.query('select credits_private.apply_catalog()');
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}

/** Gives the plans of a loaded catalog, which no account has, other periods and allowances. */
export async function changePlans(client: ClientBase, catalog: WholeCatalog): Promise<void> {
  await client.query(
    `update credits.plans p set cadence = x.cadence, anchored_to = x.anchored_to, time_zone = x.time_zone
     from jsonb_populate_recordset(null::credits.plans, $1) x where x.plan = p.plan`,
    [JSON.stringify(catalog.plans)],
  );
  await client.query('delete from credits.plan_allowances');
  await client.query(
    `insert into credits.plan_allowances (plan, rate_card, unit, amount, rollover, rollover_cap_multiple, lives_periods)
     select x.plan, $2, x.unit, x.amount, x.rollover, x.rollover_cap_multiple, x.lives_periods
     from jsonb_populate_recordset(null::credits.plan_allowances, $1) x`,
    [JSON.stringify(catalog.allowances), catalog.rate_card],
  );
}
