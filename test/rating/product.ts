import type { TestDatabase } from '../support/database.ts';
import { plain } from '../support/numbers.ts';

/** What stands between `begin_catalog` and `apply_catalog`: the columns and the VALUES of each staging table. */
export type Sections = Partial<Record<keyof typeof COLUMNS, string>> & {
  /** Statements of one's own, after the others. */
  more?: string;
};

const COLUMNS = {
  units: 'unit, name, scale, rounding, main',
  operations: 'operation, category, name',
  rates: 'match, price',
  multipliers: 'multiplier_group, match, factor',
  gates: 'operation, match, requires, plans',
  plans: 'plan, name',
  plan_prices: 'plan, currency, price',
  allowances: 'plan, amount',
  features: 'plan, feature, value',
  packs: 'pack, name, amount',
  pack_prices: 'pack, currency, price',
  top_up_prices: 'currency, price',
  promotions: 'promotion, name, amount',
};

const DEFAULTS: Sections = {
  units: `('credit', 'credits', 2, 'half_up', true)`,
  operations: `('job', 'Jobs', 'Job')`,
};

/**
 * The text of a catalog file. A section is the VALUES of its staging table for the columns above, or, with columns of
 * its own, "(column, ...) values ...". Rates and multipliers without an operation are those of `job`.
 */
export function catalogText(card: string, sections: Sections): string {
  const { more = '', ...tables } = { ...DEFAULTS, ...sections };
  const inserts = Object.keys(COLUMNS).flatMap((key) => {
    const table = key as keyof typeof COLUMNS;
    const rows = tables[table];
    if (!rows) return [];
    const whole = /^\([\w, ]+\) values/.test(rows);
    return `insert into catalog_${table} ${whole ? rows : `(${COLUMNS[table]}) values ${rows}`};`;
  });
  return `
    begin;
    select credits_private.begin_catalog('${card}', 'Product ${card}', 'invented');
    alter table catalog_rates alter operation set default 'job';
    alter table catalog_multipliers alter operation set default 'job';
    ${inserts.join('\n')}
    ${more}
    select * from credits_private.apply_catalog();
    commit;`;
}

export interface Change {
  change: string;
  what: string;
  key: string;
}

/** Runs the text of a catalog file, as `psql -f` does, and returns the rows of `apply_catalog`. */
export async function load({ pool }: TestDatabase, text: string): Promise<Change[]> {
  const client = await pool.connect();
  try {
    const results = [await client.query(text)].flat();
    const applied = results.find(({ fields }) => fields?.some(({ name }) => name === 'change'));
    return (applied?.rows ?? []) as Change[];
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}

let products = 0;

/** A product with a card of its own and an account on it, on a plan if one is named. */
export async function product(
  database: TestDatabase,
  sections: Sections,
  { plan }: { plan?: string } = {},
) {
  const card = `product_${++products}`;
  await load(database, catalogText(card, sections));
  await database.query('select credits.open_account($1, $2, null, $1)', [card, plan ?? null]);

  const quote = (usage: unknown = {}, operation = 'job') =>
    database.query('select * from credits.quote($1, $2, $3::jsonb)', [
      card,
      operation,
      JSON.stringify(usage),
    ]);
  const quoteItems = (usages: unknown[], operation = 'job') =>
    database.query(
      `select * from credits.quote_items($1,
         array(select row($2, u.value)::credits.item from jsonb_array_elements($3) u))`,
      [card, operation, JSON.stringify(usages)],
    );
  return {
    card,
    account: card,
    quote,
    quoteItems,
    /** What one use costs, in a product with one unit. */
    async price(usage: unknown = {}, operation = 'job'): Promise<string> {
      return plain((await quote(usage, operation))[0].amount);
    },
    /** What a job of several uses costs together. */
    async jobPrice(...usages: unknown[]): Promise<string> {
      return plain((await quoteItems(usages))[0].amount);
    },
  };
}
