/** What a job costs, in exact fractions: rating again, plain enough to be read. */
import type { CatalogData, Match, RateRow } from './catalog.ts';
import {
  compare,
  type Fraction,
  fraction,
  greatest,
  least,
  minus,
  over,
  plus,
  rounded,
  times,
} from './fractions.ts';
import { Refused } from './refused.ts';

export interface Item {
  operation: string;
  usage?: Record<string, unknown>;
}

/** What the server knows of an account, and puts before anything that the caller says. */
export interface Trusted {
  plan: string | null;
  top_ups: boolean;
}

export interface Price {
  unit: string;
  /** In the unit's smallest step, such as hundredths of a credit. */
  steps: bigint;
  /** What each component comes to, before the sum is rounded. */
  lines: { operation: string; component: string; amount: Fraction }[];
}

const NONE = fraction(0);
const ONE = fraction(1);

/** The price of a job, main unit first. Refuses what the card does not know. */
export function price(catalog: CatalogData, trusted: Trusted, items: Item[]): Price[] {
  const lines: { unit: string; operation: string; component: string; amount: Fraction }[] = [];
  for (const item of items) {
    const usage = item.usage ?? {};
    const { operation } = item;
    const rates = catalog.rates.filter((rate) => rate.operation === operation);
    if (rates.length === 0) throw new Refused('PC404', { what: 'operation', key: operation });
    const count =
      usage.count === undefined || usage.count === null
        ? ONE
        : usageNumber(usage, 'count', 1, 1e6, true);
    refuseUnknownValues(catalog, operation, usage);

    const facts = { ...usage, ...trusted };
    const chosen: RateRow[] = [];
    for (const component of [...new Set(rates.map(componentOf))].sort()) {
      const alternatives = rates.filter((rate) => componentOf(rate) === component);
      const rate = mostSpecific(alternatives, facts);
      if (rate) chosen.push(rate);
      else if (!alternatives[0].optional) {
        throw new Refused('PC422', { field: 'usage', reason: 'no_rate', operation, component });
      }
    }
    for (const rate of chosen) {
      const amount = times(componentCharge(catalog, rate, usage, facts), count);
      const component = componentOf(rate);
      lines.push({ unit: rate.unit ?? 'credit', operation, component, amount });
    }
  }

  const units = catalog.units
    .filter(
      (unit) => lines.some((line) => line.unit === unit.unit) || (lines.length === 0 && unit.main),
    )
    .sort(
      (a, b) => Number(b.main ?? false) - Number(a.main ?? false) || (a.unit < b.unit ? -1 : 1),
    );
  return units.map((unit) => {
    const own = lines.filter((line) => line.unit === unit.unit);
    const sum = own.reduce((total, line) => plus(total, line.amount), NONE);
    const steps = rounded(
      times(sum, fraction(10n ** BigInt(unit.scale))),
      unit.rounding ?? 'half_up',
    );
    return { unit: unit.unit, steps, lines: own };
  });
}

/** One component of one item, before "count". */
function componentCharge(
  catalog: CatalogData,
  rate: RateRow,
  usage: Record<string, unknown>,
  facts: object,
): Fraction {
  const per = fraction(rate.per ?? 1);
  let quantity = ONE;
  if (rate.measure !== undefined) {
    quantity = usageNumber(usage, rate.measure, 0, 1e12, false);
    if (rate.minimum_quantity !== undefined) {
      quantity = greatest(quantity, fraction(rate.minimum_quantity));
    }
    if (rate.quantity_rounding === 'up') {
      quantity = times({ n: rounded(over(quantity, per), 'up'), d: 1n }, per);
    }
  }

  let charge = NONE;
  if (rate.price !== undefined) charge = times(over(quantity, per), fraction(rate.price));
  let reached = NONE;
  for (const tier of rate.tiers ?? []) {
    const end = tier.up_to === undefined ? quantity : least(quantity, fraction(tier.up_to));
    if (compare(end, reached) <= 0) break;
    charge = plus(charge, times(over(minus(end, reached), per), fraction(tier.price)));
    reached = end;
  }

  const multipliers = (catalog.multipliers ?? []).filter((m) => m.operation === rate.operation);
  for (const group of new Set(multipliers.map((m) => m.multiplier_group))) {
    const inGroup = multipliers.filter((m) => m.multiplier_group === group);
    const own = inGroup.filter((m) => m.component === componentOf(rate));
    const general = inGroup.filter((m) => m.component === undefined);
    const multiplier = mostSpecific(own, facts) ?? mostSpecific(general, facts);
    if (multiplier) charge = times(charge, fraction(multiplier.factor));
  }

  if (rate.minimum_charge !== undefined) charge = greatest(charge, fraction(rate.minimum_charge));
  if (rate.maximum_charge !== undefined) charge = least(charge, fraction(rate.maximum_charge));
  return charge;
}

const componentOf = (rate: RateRow): string => rate.component ?? 'base';

function mostSpecific<Rule extends { match?: Match }>(
  rules: Rule[],
  facts: object,
): Rule | undefined {
  const attributes = facts as Record<string, unknown>;
  return rules
    .filter((rule) =>
      Object.entries(rule.match ?? {}).every(([key, value]) => attributes[key] === value),
    )
    .sort((a, b) => Object.keys(b.match ?? {}).length - Object.keys(a.match ?? {}).length)[0];
}

function usageNumber(
  usage: Record<string, unknown>,
  field: string,
  atLeast: number,
  atMost: number,
  whole: boolean,
): Fraction {
  const given = usage[field];
  const refuse = (reason: string) => new Refused('PC422', { field, reason });
  if (given === undefined || given === null) throw refuse('missing');
  if (typeof given !== 'number') throw refuse('not_a_number');
  if (given < atLeast) throw refuse('too_small');
  if (given > atMost) throw refuse('too_large');
  if (whole && !Number.isInteger(given)) throw refuse('not_whole');
  return fraction(given);
}

function refuseUnknownValues(
  catalog: CatalogData,
  operation: string,
  usage: Record<string, unknown>,
): void {
  const rules = [...catalog.rates, ...(catalog.multipliers ?? [])].filter(
    (rule) => rule.operation === operation,
  );
  for (const field of Object.keys(usage).sort()) {
    if (field === 'plan' || field === 'top_ups' || typeof usage[field] !== 'string') continue;
    const known = rules.map((rule) => rule.match?.[field]).filter((value) => value !== undefined);
    if (known.length > 0 && !known.includes(usage[field])) {
      throw new Refused('PC422', { field, reason: 'unknown_value', operation });
    }
  }
}
