import fc from 'fast-check';
import type { PoolClient } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CreditsError, toCreditsError } from '../../src/errors.ts';
import {
  type CatalogData,
  insertRows,
  type Match,
  type MultiplierRow,
  type RateRow,
  type UnitRow,
} from '../support/catalog.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { compare, fraction, minus, over, plus } from '../support/fractions.ts';
import { type Item, price, type Trusted } from '../support/rating-model.ts';
import { Refused } from '../support/refused.ts';
import { runs } from '../support/runs.ts';

let database: TestDatabase;
let client: PoolClient;

beforeAll(async () => {
  database = await testDatabase({ catalogs: false });
  client = await database.pool.connect();
});
afterAll(async () => {
  client.release();
  await database.close();
});

const decimal = (max: number, places: number) =>
  fc.integer({ min: 0, max: max * 10 ** places }).map((n) => (n / 10 ** places).toFixed(places));
const optionally = <Value>(value: fc.Arbitrary<Value>) =>
  fc.option(value, { nil: undefined, freq: 2 });

const units: fc.Arbitrary<UnitRow[]> = fc
  .tuple(fc.nat({ max: 6 }), fc.nat({ max: 6 }), fc.constantFrom('half_up', 'up', 'down'))
  .map(([scale, other, rounding]) => [
    { unit: 'credit', scale, rounding, main: true },
    { unit: 'minute', scale: other, rounding },
  ]);

/** How specific the rules of one component, or of one group of multipliers, are: none of these makes two that are ambiguous. */
const matches: Match[] = [{}, { size: 's' }, { size: 'm' }, { size: 's', fast: true }];

const tiers = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 0, max: 999 })), {
    minLength: 1,
    maxLength: 4,
  })
  .map((steps) => {
    let reached = 0;
    return steps.map(([width, cents], index) => {
      reached += width / 10;
      const up_to = Number(reached.toFixed(1));
      return index === steps.length - 1 ? { price: cents / 100 } : { up_to, price: cents / 100 };
    });
  });

const charges = fc.oneof(
  fc.record({ price: fc.oneof(decimal(100, 3), fc.constantFrom('1', '0.2', '999999999999')) }),
  fc.record({
    measure: fc.constant('amount'),
    price: decimal(100, 2),
    per: fc.constantFrom('1', '3', '7', '60', '1000', '0.3', '2.5'),
    quantity_rounding: fc.constantFrom('exact', 'up'),
    minimum_quantity: optionally(decimal(50, 1)),
  }),
  fc.record({
    measure: fc.constant('amount'),
    tiers,
    per: fc.constantFrom('1', '3', '10'),
    quantity_rounding: fc.constantFrom('exact', 'up'),
    minimum_quantity: optionally(decimal(50, 1)),
  }),
);

const limits = fc
  .tuple(optionally(decimal(20, 2)), optionally(decimal(200, 2)))
  .map(([least, room]) => ({
    minimum_charge: least,
    maximum_charge: room && String(Number(room) + Number(least ?? 0)),
  }));

const component = (name: string): fc.Arbitrary<RateRow[]> =>
  fc
    .record({
      unit: fc.constantFrom('credit', 'credit', 'minute'),
      optional: fc.boolean(),
      rates: fc.array(fc.tuple(charges, limits), { minLength: 1, maxLength: matches.length }),
      from: fc.nat({ max: matches.length - 1 }),
    })
    .map(({ unit, optional, rates, from }) =>
      rates.map(([charge, limit], index) => ({
        operation: 'job',
        component: name,
        match: matches[(from + index) % matches.length],
        unit,
        optional,
        ...charge,
        ...limit,
      })),
    );

const group = (name: string): fc.Arbitrary<MultiplierRow[]> =>
  fc
    .uniqueArray(
      fc.record({
        match: fc.constantFrom<Match>(
          {},
          { size: 's' },
          { plan: 'pro', top_ups: true },
          { size: 'm' },
        ),
        component: fc.constantFrom(undefined, 'a'),
        factor: fc.constantFrom('0', '0.5', '1', '1.3333', '2', '0.125'),
      }),
      { maxLength: 3, selector: (row) => JSON.stringify([row.match, row.component]) },
    )
    .map((rows) => rows.map((row) => ({ operation: 'job', multiplier_group: name, ...row })));

const catalog: fc.Arbitrary<CatalogData> = fc
  .tuple(
    units,
    fc.tuple(component('a'), component('b'), component('c')),
    fc.nat({ max: 2 }),
    group('first'),
    group('second'),
  )
  .map(([units, components, more, first, second]) => ({
    rate_card: 'random',
    units,
    rates: components.slice(0, 1 + more).flat(),
    multipliers: [...first, ...second],
  }));

const item: fc.Arbitrary<Item> = fc.oneof(
  {
    weight: 40,
    arbitrary: fc.record({
      operation: fc.constant('job'),
      usage: fc.record(
        {
          amount: fc.oneof(
            { weight: 19, arbitrary: fc.integer({ min: 0, max: 99999 }).map((n) => n / 100) },
            { weight: 1, arbitrary: fc.constantFrom(1e12, 0, 1e12 + 1, -0.01) },
          ),
          count: fc.oneof(
            { weight: 19, arbitrary: fc.integer({ min: 1, max: 12 }) },
            { weight: 1, arbitrary: fc.constantFrom(1e6, 1e6 + 1, 0) },
          ),
          size: fc.constantFrom('s', 's', 's', 's', 'm', 'm', 'm', 'm', 'xl'),
          fast: fc.boolean(),
        },
        { requiredKeys: ['amount'] },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ operation: 'dance' }) },
);

const trusted: fc.Arbitrary<Trusted> = fc.record({
  plan: fc.constantFrom('pro', 'free', null),
  top_ups: fc.boolean(),
});

test('a price is the exact sum of its components, rounded once', async () => {
  const rate = async (catalog: CatalogData, trusted: Trusted, items: Item[]) => {
    const own = <Row extends object>(row: Row) => ({ rate_card: catalog.rate_card, ...row });
    await client.query('begin');
    try {
      await insertRows(client, 'credits.rate_cards', [own({ name: 'Random' })]);
      await insertRows(
        client,
        'credits.units',
        catalog.units.map((unit) => own({ name: unit.unit, ...unit })),
      );
      await insertRows(client, 'credits.operations', [
        own({ operation: 'job', category: 'test', name: 'Job' }),
      ]);
      await insertRows(client, 'credits.card_rates', catalog.rates.map(own));
      await insertRows(client, 'credits.card_multipliers', catalog.multipliers?.map(own));
      await client.query('select credits_private.list_prices($1, now())', [catalog.rate_card]);
      const { rows } = await client.query(
        `select unit, amount::text, (
           select jsonb_agg(line || jsonb_build_object('amount', line ->> 'amount'))
           from jsonb_array_elements(breakdown) line) as breakdown
         from unnest(credits_private.rate_items($1, $2, $3,
           array(select credits.item(i ->> 'operation', i -> 'usage') from jsonb_array_elements($4) i), now()))`,
        [catalog.rate_card, trusted.plan, trusted.top_ups, JSON.stringify(items)],
      );
      return rows;
    } finally {
      await client.query('rollback');
    }
  };

  await fc.assert(
    fc.asyncProperty(
      catalog,
      trusted,
      fc.array(item, { minLength: 1, maxLength: 3 }),
      async (catalog, trusted, items) => {
        let expected: ReturnType<typeof price>;
        try {
          expected = price(catalog, trusted, items);
        } catch (refused) {
          if (!(refused instanceof Refused)) throw refused;
          const error = await rate(catalog, trusted, items).then(
            (rows) => ({ rows }),
            (error) => toCreditsError(error),
          );
          if (!(error instanceof CreditsError)) throw error;
          expect({ code: error.code, ...error.detail }).toMatchObject({
            code: refused.code,
            ...refused.detail,
          });
          return;
        }

        const actual = await rate(catalog, trusted, items);
        expect(actual.map((row) => row.unit)).toEqual(expected.map((row) => row.unit));
        for (const [index, { unit, steps, lines }] of expected.entries()) {
          const { amount, breakdown } = actual[index];
          const scale = catalog.units.find((row) => row.unit === unit)?.scale ?? 0;
          const exact = { n: steps, d: 10n ** BigInt(scale) };
          expect(compare(fraction(amount), exact), `${amount} is ${exact.n} / ${exact.d}`).toBe(0);

          // The breakdown names every component, each as exactly as 16 digits can, and adds up to the last digit.
          const shown = (breakdown ?? []) as { component: string; amount: string }[];
          const charges = shown.filter((line) => line.component !== 'rounding');
          expect(charges.map((line) => line.component)).toEqual(
            lines.map((line) => line.component),
          );
          for (const [place, line] of lines.entries()) {
            const off = minus(fraction(charges[place].amount), line.amount);
            const tolerance = plus(
              over(line.amount, fraction(10n ** 15n)),
              fraction('0.000000000001'),
            );
            expect(compare(off.n < 0n ? { n: -off.n, d: off.d } : off, tolerance)).toBeLessThan(1);
          }
          const sum = shown.reduce((sum, line) => plus(sum, fraction(line.amount)), fraction(0));
          expect(compare(sum, fraction(amount)), 'the breakdown adds up').toBe(0);
        }
      },
    ),
    { numRuns: runs(300) },
  );
}, 300_000);
