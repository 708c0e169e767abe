import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  creditsError,
  type TestDatabase,
  testDatabase,
  verifyAfterEach,
} from '../support/database.ts';
import { backendPid, untilBlocked } from '../support/locks.ts';
import { plain } from '../support/numbers.ts';
import { catalogText, load, type Sections } from './product.ts';

let database: TestDatabase;
let cards = 0;

beforeAll(async () => {
  database = await testDatabase({ catalogs: false });
});
afterAll(() => database.close());
afterEach(() => database.setNow(null));
verifyAfterEach(() => database);

/** A card of the test's own: `load` loads it with these sections, and returns what changed, a line each. */
function newCard() {
  const card = `card_${++cards}`;
  return {
    card,
    async load(sections: Sections) {
      const changes = await load(database, catalogText(card, sections));
      return changes.map(({ change, what, key }) => `${change} ${what} ${key}`).sort();
    },
    async open(plan?: string) {
      await database.query('select credits.open_account($1, $2, null, $1)', [card, plan ?? null]);
      await database.query('select credits."grant"($1, 1000)', [card]);
    },
    spend: (usage: object = {}, operation = 'job') =>
      database.query('select * from credits.spend($1, $2, $3)', [card, operation, usage]),
    async price(usage: object = {}, operation = 'job') {
      const [line] = await database.query('select * from credits.quote($1, $2, $3)', [
        card,
        operation,
        usage,
      ]);
      return plain(line.amount);
    },
    /** Every rate that the card ever had. */
    async history() {
      const rates = await database.query(
        `select match, price, valid_from, valid_until from credits.card_rates
         where rate_card = $1 and valid_from < valid_until order by match, valid_from`,
        [card],
      );
      return rates.map(({ price, valid_from, valid_until }) => [
        price,
        time(valid_from),
        time(valid_until),
      ]);
    },
  };
}

const time = (value: Date | number) => (value instanceof Date ? value.toISOString() : value);
const DAY_1 = '2026-01-01T00:00:00.000Z';
const DAY_2 = '2026-01-02T00:00:00.000Z';
const DAY_3 = '2026-01-03T00:00:00.000Z';
const DAY_4 = '2026-01-04T00:00:00.000Z';

describe('loading again', () => {
  test('with a changed rate ends the old one and starts the new one', async () => {
    const { load, open, price, spend, history, card } = newCard();
    await database.setNow(DAY_1);
    await load({ rates: `('{}', 5), ('{"model": "x"}', 7)` });
    await open();
    const [before] = await spend();

    await database.setNow(DAY_2);
    expect(await load({ rates: `('{}', 6), ('{"model": "x"}', 7)` })).toEqual([
      'added card_rates job / base / {}',
      'ended card_rates job / base / {}',
    ]);
    expect(await price()).toBe('6');
    expect(await price({ model: 'x' })).toBe('7');
    const [after] = await spend();

    expect(await history()).toEqual([
      ['5', -Infinity, DAY_2],
      ['6', DAY_2, Infinity],
      ['7', -Infinity, Infinity],
    ]);
    // What was charged before is still explained: by a rate that is over, but there.
    const priceOf = async (entry: { breakdown: { rate_id: number }[] }) => {
      const [rate] = await database.query(
        'select price from credits.card_rates where rate_card = $1 and rate_id = $2',
        [card, entry.breakdown[0].rate_id],
      );
      return rate.price;
    };
    expect(await priceOf(before)).toBe('5');
    expect(await priceOf(after)).toBe('6');
  });

  test('with a changed multiplier does the same', async () => {
    const { load, open, price } = newCard();
    const rates = `('{}', 10)`;
    await database.setNow(DAY_1);
    await load({ rates, multipliers: `('size', '{"size": "4K"}', 2)` });
    await open();
    await database.setNow(DAY_2);
    expect(await load({ rates, multipliers: `('size', '{"size": "4K"}', 3)` })).toEqual([
      'added card_multipliers job / size / {"size": "4K"}',
      'ended card_multipliers job / size / {"size": "4K"}',
    ]);
    expect(await price({ size: '4K' })).toBe('30');
    expect(await load({ rates })).toEqual(['ended card_multipliers job / size / {"size": "4K"}']);
    expect(await price({ size: '4K' })).toBe('10');
  });

  test('several times at one instant leaves the last one', async () => {
    const { load, open, price, history } = newCard();
    await database.setNow(DAY_1);
    await load({ rates: `('{}', 5)` });
    await open();
    await database.setNow(DAY_2);
    await load({ rates: `('{}', 6)` });
    await load({ rates: `('{}', 7)` });
    expect(await price()).toBe('7');
    expect(await history()).toEqual([
      ['5', -Infinity, DAY_2],
      ['7', DAY_2, Infinity],
    ]);
  });

  test('with a dated change applies it on its day, with nobody there', async () => {
    const { load, open, price, history } = newCard();
    await database.setNow(DAY_1);
    await load({ rates: `('{}', 5)` });
    await open();
    const announced = `(match, price, valid_from, valid_until) values
      ('{}', 5, null, '${DAY_3}'), ('{}', 8, '${DAY_3}', 'infinity')`;
    await database.setNow(DAY_2);
    expect(await load({ rates: announced })).toEqual([
      'added card_rates job / base / {}',
      'added card_rates job / base / {}',
      'ended card_rates job / base / {}',
    ]);
    expect(await load({ rates: announced })).toEqual([]);
    expect(await price()).toBe('5');
    await database.setNow('2026-01-02T23:59:59.999Z');
    expect(await price()).toBe('5');
    await database.setNow(DAY_3);
    expect(await price()).toBe('8');
    await database.setNow(DAY_4);
    expect(await load({ rates: announced })).toEqual([]);
    // The dates may then be dropped from the file, or stay.
    expect(await load({ rates: `('{}', 8)` })).toEqual([]);
    expect(await history()).toEqual([
      ['5', -Infinity, DAY_2],
      ['5', DAY_2, DAY_3],
      ['8', DAY_3, Infinity],
    ]);
  });

  test('can bring an announced change forward, or take it back', async () => {
    const { load, open, price } = newCard();
    const announced = `(match, price, valid_from, valid_until) values
      ('{}', 5, null, '${DAY_3}'), ('{}', 8, '${DAY_3}', 'infinity')`;
    await database.setNow(DAY_1);
    await load({ rates: announced });
    await open();
    await database.setNow(DAY_2);
    await load({ rates: `('{}', 8)` });
    expect(await price()).toBe('8');
    await load({ rates: announced });
    expect(await price()).toBe('5');
    await load({ rates: `('{}', 5)` });
    await database.setNow(DAY_4);
    expect(await price()).toBe('5');
  });

  test('too late, a dated change begins with the load: no load rewrites what was charged', async () => {
    const { load, open, price, history } = newCard();
    await database.setNow(DAY_1);
    await load({ rates: `('{}', 5)` });
    await open();
    await database.setNow(DAY_3);
    const late = `(match, price, valid_from, valid_until) values
      ('{}', 5, null, '${DAY_2}'), ('{}', 8, '${DAY_2}', 'infinity')`;
    expect(await load({ rates: late })).toEqual([
      'added card_rates job / base / {}',
      'ended card_rates job / base / {}',
    ]);
    expect(await load({ rates: late })).toEqual([]);
    expect(await price()).toBe('8');
    expect(await history()).toEqual([
      ['5', -Infinity, DAY_3],
      ['8', DAY_3, Infinity],
    ]);
  });

  test('retires what is gone, and brings it back', async () => {
    const { card, load, open, price, spend } = newCard();
    const rates = `(operation, match, price) values ('job', '{}', 1)`;
    const both: Sections = {
      operations: `('job', 'Jobs', 'Job'), ('extra', 'Jobs', 'Extra')`,
      rates: `${rates}, ('extra', '{}', 2)`,
      plans: `('loading_basic', 'Basic'), ('loading_old', 'Old')`,
      plan_prices: `('loading_old', 'USD', 9)`,
      allowances: `('loading_old', 40)`,
      packs: `('small', 'Small', 10)`,
      pack_prices: `('small', 'USD', 1)`,
      promotions: `('hello', 'Hello', 5)`,
    };
    await load(both);
    await open('loading_old');

    expect(await load({ rates, plans: `('loading_basic', 'Basic')` })).toEqual([
      'ended card_rates extra / base / {}',
      `removed pack_prices ${card} / small / USD`,
      `retired operations ${card} / extra`,
      `retired packs ${card} / small`,
      'retired plans loading_old',
      `retired promotions ${card} / hello`,
    ]);
    for (const call of [price({}, 'extra'), spend({}, 'extra')]) {
      expect(await creditsError(call)).toMatchObject({
        code: 'PC404',
        detail: { what: 'operation', key: 'extra' },
      });
    }
    expect(
      await creditsError(database.query(`select credits.claim($1, 'hello', 'a')`, [card])),
    ).toMatchObject({ code: 'PC404', detail: { what: 'promotion', key: 'hello' } });
    // Nobody new on the plan; whoever is on it stays, and keeps the allowance.
    expect(
      await creditsError(
        database.query(`select credits.open_account('somebody new', 'loading_old')`),
      ),
    ).toMatchObject({ code: 'PC404', detail: { what: 'plan', key: 'loading_old' } });
    const [{ included }] = await database.query('select included from credits.balances($1)', [
      card,
    ]);
    expect(plain(included)).toBe('40');
    // So a rule may still be about its subscribers.
    await load({
      rates: `${rates}, ('job', '{"plan": "loading_old"}', 0.5)`,
      plans: `('loading_basic', 'Basic')`,
      gates: `('job', '{}', 'plan', '{loading_old}')`,
    });
    expect(await price()).toBe('0.5');

    expect(await load(both)).toEqual(
      [
        `added pack_prices ${card} / small / USD`,
        `changed operations ${card} / extra`,
        `changed packs ${card} / small`,
        'changed plans loading_old',
        `changed promotions ${card} / hello`,
        'removed gates job / {} / plan',
        'ended card_rates job / base / {"plan": "loading_old"}',
        'added card_rates extra / base / {}',
      ].sort(),
    );
    expect(await price({}, 'extra')).toBe('2');
    await database.query(`select credits.claim($1, 'hello', 'a')`, [card]);
    await database.query(`select credits.open_account('somebody new', 'loading_old')`);
    expect(await load(both)).toEqual([]);
  });

  test('brings names, sources, prices and gates up to date', async () => {
    const { card, load, history } = newCard();
    const sections = (source: string, price: number): Sections => ({
      rates: `(match, price, source) values ('{}', 5, '${source}')`,
      multipliers: `(multiplier_group, match, factor, source) values ('a', '{"a": 1}', 2, '${source}')`,
      plans: `('${card}_plan', 'Plan')`,
      plan_prices: `('${card}_plan', 'USD', ${price})`,
      features: `('${card}_plan', 'seats', '${price}')`,
      gates: `(operation, requires, source) values ('job', 'top_ups', '${source}')`,
      top_up_prices: `('USD', ${price})`,
    });
    await load(sections('assumed', 1));
    expect(await load(sections('the price list', 2))).toEqual([
      'changed card_multipliers job / a / {"a": 1}',
      'changed card_rates job / base / {}',
      'changed gates job / {} / top_ups',
      `changed plan_features ${card}_plan / seats`,
      `changed plan_prices ${card}_plan / month / USD`,
      `changed top_up_prices ${card} / USD`,
    ]);
    expect(await load(sections('the price list', 2))).toEqual([]);
    // A source is no new price.
    expect(await history()).toEqual([['5', -Infinity, Infinity]]);
  });

  test('may move the main unit', async () => {
    const { load, card } = newCard();
    const units = (main: string) =>
      `('credit', 'credits', 2, 'half_up', ${main === 'credit'}), ('token', 'tokens', 0, 'up', ${main === 'token'})`;
    const rates = `('{}', 1)`;
    await load({ rates, units: units('credit') });
    await load({ rates, units: units('token') });
    await load({ rates, units: `('credit', 'credits', 3, 'half_up', true)` });
    expect(
      await database.query(
        'select unit, scale, main from credits.units where rate_card = $1 order by 1',
        [card],
      ),
    ).toEqual([
      { unit: 'credit', scale: 3, main: true },
      { unit: 'token', scale: 0, main: false },
    ]);
  });

  test('reads numbers as numbers: 5 and 5.00 are the same price', async () => {
    const { load } = newCard();
    await load({ rates: `('{"n": 1}', 5)`, top_up_prices: `('USD', 0.5)` });
    expect(await load({ rates: `('{"n": 1.0}', 5.00)`, top_up_prices: `('USD', 0.50)` })).toEqual(
      [],
    );
  });
});

describe('a catalog is refused', () => {
  const rates = `('{}', 1)`;
  const plans = `('refused_plan', 'Plan')`;

  const REFUSALS: [
    string,
    Sections,
    { field: string; reason: string } & Record<string, unknown>,
  ][] = [
    [
      'for two rates that can both apply',
      { rates: `('{"model": "x"}', 1), ('{"size": "4K"}', 2)` },
      {
        field: 'rates',
        reason: 'ambiguous',
        first: expect.objectContaining({
          operation: 'job',
          component: 'base',
          match: { model: 'x' },
          price: 1,
        }),
        second: expect.objectContaining({ match: { size: '4K' }, price: 2 }),
      },
    ],
    [
      'for the same match twice',
      { rates: `('{"n": 1}', 1), ('{"n": 1.0}', 1)` },
      {
        field: 'rates',
        reason: 'ambiguous',
        first: expect.objectContaining({ match: { n: 1 } }),
        second: expect.objectContaining({ match: { n: 1 } }),
      },
    ],
    [
      'for two multipliers of a group that can both apply',
      { rates, multipliers: `('g', '{"a": 1}', 2), ('g', '{"b": 1}', 3), ('h', '{"c": 1}', 3)` },
      {
        field: 'multipliers',
        reason: 'ambiguous',
        first: expect.objectContaining({ match: { a: 1 }, factor: 2 }),
        second: expect.objectContaining({ match: { b: 1 }, factor: 3 }),
      },
    ],
    [
      'for dated rates that overlap',
      {
        rates: `(match, price, valid_from, valid_until) values
          ('{}', 1, null, '2030-01-02Z'), ('{}', 2, '2030-01-01Z', 'infinity')`,
      },
      {
        field: 'rates',
        reason: 'ambiguous',
        first: expect.objectContaining({ price: 1 }),
        second: expect.objectContaining({ price: 2 }),
      },
    ],
    [
      'for a component that is optional in part',
      {
        rates: `(component, match, price, optional) values ('a', '{"a": 1}', 1, true), ('a', '{}', 2, false)`,
      },
      { field: 'rates', reason: 'component_partly_optional', operation: 'job', component: 'a' },
    ],
    [
      'for a match on something that is no plain value',
      { rates: `('{"a": [1]}', 1)` },
      {
        field: 'match',
        reason: 'match_not_plain',
        row: expect.objectContaining({ match: { a: [1] } }),
      },
    ],
    [
      'for a match on the count',
      { rates, multipliers: `('bulk', '{"count": 10}', 0.9)` },
      { field: 'match', reason: 'match_not_plain', row: expect.objectContaining({ factor: 0.9 }) },
    ],
    [
      'for a count as the measure',
      { rates: `(match, price, measure) values ('{}', 1, 'count')` },
      {
        field: 'match',
        reason: 'match_not_plain',
        row: expect.objectContaining({ measure: 'count' }),
      },
    ],
    [
      'for top_ups that are not true or false',
      { rates, gates: `('job', '{"top_ups": "yes"}', 'top_ups', null)` },
      {
        field: 'match',
        reason: 'match_not_plain',
        row: expect.objectContaining({ requires: 'top_ups' }),
      },
    ],
    ...[
      `[]`,
      `{}`,
      `[{"price": 1}, {"price": 2}]`,
      `[{"up_to": 5, "price": 1}]`,
      `[{"up_to": 5, "price": 1}, {"up_to": 5, "price": 2}, {"price": 3}]`,
      `[{"up_to": 5, "price": -1}, {"price": 3}]`,
      `[{"up_to": 5}, {"price": 3}]`,
      `[{"upto": 5, "price": 1}, {"price": 3}]`,
    ].map((tiers): [string, Sections, { field: string; reason: string }] => [
      `for the tiers ${tiers}`,
      { rates: `(match, tiers, measure) values ('{}', '${tiers}', 'gb')` },
      { field: 'tiers', reason: 'tiers_not_sound' },
    ]),
    [
      'for an operation without a rate',
      { operations: `('job', 'Jobs', 'Job'), ('forgotten', 'Jobs', 'Forgotten')`, rates },
      { field: 'operations', reason: 'operation_without_rate', operation: 'forgotten' },
    ],
    [
      'for a rate of an unknown operation',
      { rates: `(operation, match, price) values ('job', '{}', 1), ('jbo', '{}', 2)` },
      { field: 'rates', reason: 'unknown_operation', operation: 'jbo' },
    ],
    [
      'for a multiplier of an unknown operation',
      {
        rates,
        multipliers: `(operation, multiplier_group, match, factor) values ('jbo', 'g', '{}', 2)`,
      },
      { field: 'multipliers', reason: 'unknown_operation', operation: 'jbo' },
    ],
    [
      'for a multiplier of an unknown component',
      {
        rates,
        multipliers: `(component, multiplier_group, match, factor) values ('bass', 'g', '{}', 2)`,
      },
      { field: 'multipliers', reason: 'unknown_component', component: 'bass' },
    ],
    [
      'for an unknown unit',
      { rates: `(match, price, unit) values ('{}', 1, 'minute')` },
      { field: 'rates', reason: 'unknown_unit', unit: 'minute' },
    ],
    [
      'for the price of an unknown pack',
      { rates, pack_prices: `('small', 'USD', 1)` },
      { field: 'pack_prices', reason: 'unknown_pack', pack: 'small' },
    ],
    [
      'for the allowance of an unknown plan',
      { rates, allowances: `('plna', 10)` },
      { field: 'allowances', reason: 'unknown_plan', plan: 'plna' },
    ],
    [
      'for a gate with an unknown plan',
      { rates, plans, gates: `('job', '{}', 'plan', '{refused_plan, plna}')` },
      {
        field: 'gates',
        reason: 'unknown_plan',
        plan: 'plna',
        row: expect.objectContaining({ requires: 'plan' }),
      },
    ],
    [
      'for a pack with an unknown plan',
      { rates, packs: `(pack, name, amount, plans) values ('small', 'Small', 5, '{plna}')` },
      { field: 'packs', reason: 'unknown_plan', plan: 'plna' },
    ],
    [
      'for a match on an unknown plan',
      { rates, multipliers: `('plan', '{"plan": "plna"}', 0)` },
      { field: 'multipliers', reason: 'unknown_plan', plan: 'plna' },
    ],
    [
      'for a row that is there twice',
      { rates, plans: `('refused_plan', 'Plan'), ('refused_plan', 'Plan B')` },
      {
        field: 'plans',
        reason: 'listed_twice',
        first: expect.objectContaining({ name: 'Plan' }),
        second: expect.objectContaining({ name: 'Plan B' }),
      },
    ],
    [
      'for a gate that is there twice',
      { rates, gates: `('job', '{}', 'top_ups', null), ('job', '{}', 'top_ups', null)` },
      { field: 'gates', reason: 'listed_twice' },
    ],
    [
      'without a main unit',
      { units: `('credit', 'credits', 2, 'up', false)`, rates },
      { field: 'units', reason: 'one_main_unit' },
    ],
    [
      'with two main units',
      {
        units: `('credit', 'credits', 2, 'up', true), ('minute', 'minutes', 0, 'up', true)`,
        rates,
      },
      { field: 'units', reason: 'one_main_unit' },
    ],
    [
      'for an unknown time zone',
      { rates, plans: `(plan, name, time_zone) values ('refused_plan', 'Plan', 'Mars/Olympus')` },
      { field: 'plans', reason: 'unknown_time_zone', time_zone: 'Mars/Olympus' },
    ],
  ];

  test.each(REFUSALS)('%s', async (_, sections, detail) => {
    const { load, card } = newCard();
    expect(await creditsError(load(sections))).toMatchObject({ code: 'PC422', detail });
    expect(
      await database.query('select * from credits.rate_cards where rate_card = $1', [card]),
    ).toEqual([]);
  });

  test.each([
    ['a negative price', `('{}', -1)`, 'rate_price_is_finite'],
    ['NaN for a price', `('{}', 'NaN')`, 'rate_price_is_finite'],
    ['neither price nor tiers', `('{}', null)`, 'rate_has_a_price_or_tiers'],
    ['a match that is no object', `('[]', 1)`, 'rate_match_is_an_object'],
    [
      'blocks of no measure',
      `(match, price, quantity_rounding) values ('{}', 1, 'up')`,
      'rate_quantities_need_a_measure',
    ],
    [
      'a minimum charge above the maximum',
      `(match, price, minimum_charge, maximum_charge) values ('{}', 1, 3, 2)`,
      'rate_charges_are_in_order',
    ],
  ])('for %s, where it is written down', async (_, rates, constraint) => {
    await expect(newCard().load({ rates })).rejects.toMatchObject({ code: '23514', constraint });
  });

  test('for a group of multipliers without a name, where it is written down', async () => {
    await expect(
      newCard().load({
        rates,
        multipliers: `(operation, multiplier_group, match, factor) values ('job', '', '{"a": 1}', 2)`,
      }),
    ).rejects.toMatchObject({ code: '23514', constraint: 'multiplier_group_has_a_name' });
  });

  test('for another card’s plan', async () => {
    const first = newCard();
    await first.load({ rates, plans: `('taken', 'Taken')` });
    expect(
      await creditsError(newCard().load({ rates, plans: `('taken', 'Taken')` })),
    ).toMatchObject({
      code: 'PC422',
      detail: {
        field: 'plans',
        reason: 'plan_of_another_card',
        plan: 'taken',
        rate_card: first.card,
      },
    });
  });

  test('for a unit that becomes coarser', async () => {
    const { load } = newCard();
    await load({ rates });
    expect(
      await creditsError(load({ rates, units: `('credit', 'credits', 1, 'half_up', true)` })),
    ).toMatchObject({
      code: 'PC422',
      detail: { field: 'units', reason: 'scale_reduced', unit: 'credit', scale: 2 },
    });
  });

  test('for other periods of a plan that has subscribers', async () => {
    const { load, open } = newCard();
    const plan = (cadence: string) =>
      `(plan, name, cadence) values ('periodic', 'Periodic', '${cadence}')`;
    await load({ rates, plans: plan('month') });
    await load({ rates, plans: plan('week') });
    await open('periodic');
    expect(await creditsError(load({ rates, plans: plan('month') }))).toMatchObject({
      code: 'PC422',
      detail: {
        field: 'plans',
        reason: 'plan_has_subscribers',
        cadence: 'week',
        row: { plan: 'periodic', cadence: 'month' },
      },
    });
  });

  test('whole: what was there stays as it was', async () => {
    const { load, open, price } = newCard();
    await load({ rates });
    await open();
    await creditsError(load({ rates: `('{}', 2), ('{}', 3)` }));
    expect(await price()).toBe('1');
  });
});

describe('a load when periods have ended', () => {
  /** Daily plans with these allowances. */
  const daily = (amounts: Record<string, number>, rollover = 'all'): Sections => {
    const plans = Object.entries(amounts);
    return {
      rates: `('{}', 1)`,
      plans: `(plan, name, cadence, anchored_to) values
        ${plans.map(([plan]) => `('${plan}', 'Plan', 'day', 'calendar')`)}`,
      allowances: `(plan, amount, rollover) values
        ${plans.map(([plan, amount]) => `('${plan}', ${amount}, '${rollover}')`)}`,
    };
  };
  const logs = (accounts: string[]) =>
    database.query(
      `select account_id, array_agg(kind || ' ' || trim_scale(amount) order by seq) as log
       from credits.entries where account_id = any ($1) group by account_id order by account_id`,
      [accounts],
    );

  test('refills at the old allowance what was due of a plan that was to begin', async () => {
    const { card, load } = newCard();
    const [present, next] = [`present_${card}`, `next_${card}`];
    await load(daily({ [present]: 200, [next]: 100 }, 'none'));
    await database.setNow('2026-01-01T10:00Z');
    await database.query('select credits.open_account($1, $2, null, $1)', [card, present]);
    await database.query('select credits.subscribe($1, $2)', [card, next]);
    await database.setNow('2026-01-02T10:00Z');
    await load(daily({ [present]: 200, [next]: 999 }, 'none'));
    expect(await logs([card])).toEqual([
      { account_id: card, log: ['refill 200', 'expiry -200', 'refill 100'] },
    ]);
  });

  test('leaves alone who is on a plan that it does not change: retired, or as before', async () => {
    const { card, load } = newCard();
    const [kept, retired] = [`kept_${card}`, `retired_${card}`];
    await load(daily({ [kept]: 200, [retired]: 200 }));
    await database.setNow('2026-01-01T10:00Z');
    for (const plan of [kept, retired]) {
      await database.query('select credits.open_account($1, $1, null, $2)', [plan, card]);
    }
    await load(daily({ [kept]: 200 }));
    await database.setNow('2026-01-02T10:00Z');
    expect(await load(daily({ [kept]: 200 }))).toEqual([]);
    expect(await logs([kept, retired])).toEqual([
      { account_id: kept, log: ['refill 200'] },
      { account_id: retired, log: ['refill 200'] },
    ]);
  });

  test.each([
    ['commit', '-1'],
    ['rollback', null],
  ])('waits for a writer’s %s, and refills nobody twice', async (end, spent) => {
    const { card, load } = newCard();
    const plan = `daily_${card}`;
    await load(daily({ [plan]: 200 }));
    await database.setNow('2026-01-01T10:00Z');
    const [locked, free] = [`${card} a`, `${card} b`];
    for (const account of [locked, free]) {
      await database.query('select credits.open_account($1, $2, null, $3)', [account, plan, card]);
    }
    await database.setNow('2026-01-02T10:00Z');
    const [writer, loader] = [await database.pool.connect(), await database.pool.connect()];
    try {
      await writer.query('begin');
      await writer.query(`select credits.spend($1, 'job')`, [locked]);
      const pid = await backendPid(loader);
      const loaded = loader.query(catalogText(card, daily({ [plan]: 300 })));
      await untilBlocked(database.pool, pid);
      await database.query(`select credits.spend($1, 'job')`, [free]);
      await writer.query(end);
      await loaded;
    } finally {
      writer.release();
      loader.release();
    }
    const spends = spent === null ? [] : [`usage ${spent}`];
    expect(await logs([locked, free])).toEqual([
      { account_id: locked, log: ['refill 200', 'refill 200', ...spends] },
      { account_id: free, log: ['refill 200', 'refill 200', 'usage -1'] },
    ]);
  });
});

describe('two loads at once', () => {
  test('of the same catalog: one works, the other waits and finds nothing to do', async () => {
    const { card } = newCard();
    const text = catalogText(card, { rates: `('{}', 1)`, plans: `('at_once', 'Plan')` });
    const { first, second } = await atOnce(text, text);
    expect(first.length).toBeGreaterThan(0);
    expect(second).toEqual([]);
  });

  test('of different prices: the one that waited follows the other', async () => {
    const { card, load, open, price, history } = newCard();
    await load({ rates: `('{}', 1)` });
    await open();
    const { first, second, turn } = await atOnce(
      catalogText(card, { rates: `('{}', 2)` }),
      catalogText(card, { rates: `('{}', 3)` }),
    );
    expect([first.length, second.length]).toEqual([2, 2]);
    expect(await price()).toBe('3');
    const rates = await history();
    expect(rates.map(([price]) => price)).toEqual(['1', '2', '3']);
    // It begins when it has its turn, not when it asked for it.
    expect(Date.parse(String(rates[2][1]))).toBeGreaterThanOrEqual(turn.getTime());
  });

  /** Has the second text wait for the first one, which commits once it does. */
  async function atOnce(firstText: string, secondText: string) {
    const [one, two] = [await database.pool.connect(), await database.pool.connect()];
    try {
      const changes = (results: unknown) =>
        [results as { fields: { name: string }[]; rows: unknown[] }]
          .flat()
          .find(({ fields }) => fields.some(({ name }) => name === 'change'))?.rows ?? [];
      const first = changes(await one.query(firstText.replace(/commit;\s*$/, '')));
      const pid = await backendPid(two);
      const waiting = two.query(secondText);
      await untilBlocked(database.pool, pid);
      const [{ turn }] = await database.query('select clock_timestamp() as turn');
      await one.query('commit');
      return { first, second: changes(await waiting), turn: turn as Date };
    } finally {
      one.release();
      two.release();
    }
  }
});
