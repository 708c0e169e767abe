import type { ClientBase, Pool } from 'pg';

/** A number of any size: a string where a JavaScript number would not be exact. */
export type Figure = string | number;

/** Attributes that a usage must contain. */
export type Match = Record<string, string | number | boolean>;

export interface UnitRow {
  unit: string;
  scale: number;
  rounding?: 'half_up' | 'up' | 'down';
  main?: boolean;
}

export interface RateRow {
  operation: string;
  component?: string;
  match?: Match;
  unit?: string;
  price?: Figure;
  measure?: string;
  per?: Figure;
  quantity_rounding?: 'exact' | 'up';
  minimum_quantity?: Figure;
  tiers?: { up_to?: number; price: number }[];
  minimum_charge?: Figure;
  maximum_charge?: Figure;
  optional?: boolean;
}

export interface MultiplierRow {
  operation: string;
  multiplier_group: string;
  component?: string;
  match: Match;
  factor: Figure;
}

export interface PlanRow {
  plan: string;
  cadence: 'day' | 'week' | 'month' | 'year' | 'none';
  anchored_to?: 'subscription' | 'calendar';
  time_zone?: string;
}

export interface AllowanceRow {
  plan: string;
  unit?: string;
  amount: Figure;
  rollover?: 'none' | 'all' | 'capped';
  rollover_cap?: Figure;
  rollover_cap_multiple?: Figure;
  lives_periods?: number;
}

export interface PromotionRow {
  promotion: string;
  unit?: string;
  amount: Figure;
  priority?: number;
  expires_after?: string;
}

/** A catalog as plain data: the rows that a catalog file stages, less what a test does not care about. */
export interface CatalogData {
  rate_card: string;
  units: UnitRow[];
  rates: RateRow[];
  multipliers?: MultiplierRow[];
  plans?: PlanRow[];
  allowances?: AllowanceRow[];
  promotions?: PromotionRow[];
}

/** Loads a catalog as a catalog file does. The operations are those that have a rate. */
export async function loadCatalogData(database: Pool, catalog: CatalogData): Promise<void> {
  const client = await database.connect();
  try {
    await client.query('begin');
    await client.query('select credits_private.begin_catalog($1, $1)', [catalog.rate_card]);
    const operations = [...new Set(catalog.rates.map((rate) => rate.operation))];
    await insertRows(client, 'catalog_units', catalog.units.map(named('unit')));
    await insertRows(
      client,
      'catalog_operations',
      operations.map((operation) => ({ operation, category: 'test', name: operation })),
    );
    await insertRows(client, 'catalog_rates', catalog.rates);
    await insertRows(client, 'catalog_multipliers', catalog.multipliers);
    await insertRows(client, 'catalog_plans', catalog.plans?.map(named('plan')));
    await insertRows(client, 'catalog_allowances', catalog.allowances);
    await insertRows(client, 'catalog_promotions', catalog.promotions?.map(named('promotion')));
    await client.query('select credits_private.apply_catalog()');
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}

/** Inserts rows that leave out what has a default. */
export async function insertRows(
  client: ClientBase,
  table: string,
  rows: readonly object[] = [],
): Promise<void> {
  for (const row of rows) {
    const given = Object.entries(row).filter(([, value]) => value !== undefined);
    await client.query(
      `insert into ${table} (${given.map(([column]) => `"${column}"`).join(', ')})
       values (${given.map((_, index) => `$${index + 1}`).join(', ')})`,
      given.map(([, value]) => (typeof value === 'object' ? JSON.stringify(value) : value)),
    );
  }
}

function named(key: string) {
  return (row: object) => ({ name: (row as Record<string, unknown>)[key], ...row });
}
