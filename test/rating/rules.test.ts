import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { creditsError, type TestDatabase, testDatabase } from '../support/database.ts';
import { plain } from '../support/numbers.ts';
import { setTopUps } from '../support/top-ups.ts';
import { product, type Sections } from './product.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase({ catalogs: false });
});
afterAll(() => database.close());

const sold = (sections: Sections, options?: { plan?: string }) =>
  product(database, sections, options);

const unit = (scale: number, rounding: string) =>
  `('credit', 'credits', ${scale}, '${rounding}', true)`;

describe('matching', () => {
  test('the rate with most attributes applies, of those that the usage contains', async () => {
    const { price } = await sold({
      rates: `('{}', 1), ('{"model": "x"}', 2), ('{"model": "x", "size": "large"}', 3)`,
    });
    expect(await price()).toBe('1');
    expect(await price({ model: 'x' })).toBe('2');
    expect(await price({ model: 'x', size: 'large' })).toBe('3');
    expect(await price({ size: 'large' })).toBe('1');
    expect(await price({ size: 'large', other: true })).toBe('1');
  });

  test('texts, numbers and booleans match by value', async () => {
    const { price } = await sold({
      rates: `('{}', 1), ('{"seconds": 5}', 2), ('{"seconds": 5, "audio": true}', 4)`,
      multipliers: `('audio', '{"audio": true}', 3)`,
    });
    expect(await price({ seconds: 5.0 })).toBe('2');
    expect(await price({ seconds: 6 })).toBe('1');
    expect(await price({ audio: true })).toBe('3');
    expect(await price({ audio: false })).toBe('1');
    expect(await price({ audio: true, seconds: 5 })).toBe('12');
  });

  test('each component is matched by itself, and they add up', async () => {
    const { price } = await sold({
      rates: `(component, match, price) values
        ('video', '{}', 10), ('video', '{"quality": "ultra"}', 20), ('sound', '{}', 1), ('sound', '{"voice": "pro"}', 3)`,
    });
    expect(await price()).toBe('11');
    expect(await price({ quality: 'ultra' })).toBe('21');
    expect(await price({ voice: 'pro' })).toBe('13');
    expect(await price({ voice: 'pro', quality: 'ultra' })).toBe('23');
  });

  test('an optional component without a match costs nothing', async () => {
    const { price } = await sold({
      rates: `(component, match, price, optional) values
        ('base', '{}', 10, false), ('actor', '{"actor": true}', 5, true), ('actor', '{"actor": true, "pro": true}', 7, true)`,
    });
    expect(await price()).toBe('10');
    expect(await price({ actor: false })).toBe('10');
    expect(await price({ actor: true })).toBe('15');
    expect(await price({ actor: true, pro: true })).toBe('17');
  });

  test('an operation of nothing but add-ons, none of them chosen, is free', async () => {
    const { quote, price } = await sold({
      rates: `(component, match, price, optional) values ('extra', '{"extra": true}', 5, true)`,
    });
    expect(await quote()).toMatchObject([{ unit: 'credit', breakdown: [] }]);
    expect(await price()).toBe('0');
    expect(await price({ extra: true })).toBe('5');
  });

  test('a required component without a match is refused', async () => {
    const { price } = await sold({
      rates: `(component, match, price) values ('base', '{}', 1), ('clip', '{"seconds": 5}', 2)`,
    });
    expect(await price({ seconds: 5 })).toBe('3');
    expect(await creditsError(price({ seconds: 6 }))).toMatchObject({
      code: 'PC422',
      detail: { field: 'usage', reason: 'no_rate', operation: 'job', component: 'clip' },
    });
  });

  test('a text that no rate and no multiplier knows is refused', async () => {
    const { price } = await sold({
      rates: `('{}', 1), ('{"model": "x"}', 2)`,
      multipliers: `('resolution', '{"resolution": "4K"}', 4), ('level', '{"level": 3}', 3)`,
    });
    expect(await price({ resolution: '4K' })).toBe('4');
    expect(await creditsError(price({ resolution: '8K' }))).toMatchObject({
      code: 'PC422',
      detail: { field: 'resolution', reason: 'unknown_value', value: '8K', known: ['4K'] },
    });
    expect(await creditsError(price({ model: 'y', resolution: '4K' }))).toMatchObject({
      code: 'PC422',
      detail: { field: 'model', reason: 'unknown_value', value: 'y', known: ['x'] },
    });
    expect(await creditsError(price({ level: 'high' }))).toMatchObject({
      code: 'PC422',
      detail: { field: 'level', reason: 'unknown_value' },
    });
    // An attribute that nothing matches on is the application's own; so is a number or a boolean.
    expect(await price({ project: 'anything', level: 4, model: 'x' })).toBe('2');
  });
});

describe('trusted attributes', () => {
  const sections: Sections = {
    plans: `('rules_basic', 'Basic'), ('rules_studio', 'Studio')`,
    rates: `('{}', 8), ('{"plan": "rules_studio"}', 2)`,
    multipliers: `('top_ups', '{"top_ups": true}', 0.5)`,
  };

  test('plan and top_ups are the account’s, whatever the caller says', async () => {
    const { price, account } = await sold(sections, { plan: 'rules_basic' });
    const claimed = { plan: 'rules_studio', top_ups: true };
    expect(await price()).toBe('8');
    expect(await price(claimed)).toBe('8');

    await setTopUps(database, account, true);
    expect(await price()).toBe('4');
    expect(await price({ top_ups: false })).toBe('4');
    // A value that is no plan at all is replaced too, and not held against the known ones.
    expect(await price({ plan: 'no such plan' })).toBe('4');
  });

  test('a rate may depend on the plan', async () => {
    const { price } = await sold(
      {
        ...sections,
        plans: `('rules_studio_2', 'Studio')`,
        rates: `('{}', 8), ('{"plan": "rules_studio_2"}', 2)`,
      },
      { plan: 'rules_studio_2' },
    );
    expect(await price()).toBe('2');
    expect(await price({ plan: null })).toBe('2');
  });
});

describe('multipliers', () => {
  test('in each group the most specific applies, and the groups multiply', async () => {
    const { price } = await sold({
      rates: `('{}', 10)`,
      multipliers: `
        ('resolution', '{"resolution": "1080p"}', 2),
        ('resolution', '{"resolution": "4K"}', 4),
        ('resolution', '{"resolution": "4K", "draft": true}', 3),
        ('audio', '{"audio": true}', 1.5),
        ('free', '{"trial": true}', 0)`,
    });
    expect(await price()).toBe('10');
    expect(await price({ resolution: '1080p' })).toBe('20');
    expect(await price({ resolution: '4K' })).toBe('40');
    expect(await price({ resolution: '4K', draft: true })).toBe('30');
    expect(await price({ audio: true })).toBe('15');
    expect(await price({ resolution: '4K', audio: true })).toBe('60');
    expect(await price({ resolution: '4K', audio: true, trial: true })).toBe('0');
  });

  test('one that names a component applies to it alone, and there goes before one that names none', async () => {
    const { price } = await sold({
      rates: `(component, match, price) values ('pages', '{}', 10), ('words', '{}', 1)`,
      multipliers: `(multiplier_group, component, match, factor) values
        ('hand', 'pages', '{"hand": "old"}', 2),
        ('rush', null, '{"rush": true}', 3),
        ('rush', 'words', '{"rush": true}', 5)`,
    });
    expect(await price()).toBe('11');
    expect(await price({ hand: 'old' })).toBe('21');
    expect(await price({ rush: true })).toBe('35');
    expect(await price({ rush: true, hand: 'old' })).toBe('65');
  });
});

describe('quantities', () => {
  test('a price is for "per" of the measure', async () => {
    const { price } = await sold({
      rates: `(match, price, measure, per) values ('{}', 20, 'seconds', 60)`,
    });
    expect(await price({ seconds: 60 })).toBe('20');
    expect(await price({ seconds: 90 })).toBe('30');
    expect(await price({ seconds: 1.5 })).toBe('0.5');
    expect(await price({ seconds: 0 })).toBe('0');
  });

  test('"per" may be a fraction', async () => {
    const { price, jobPrice } = await sold({
      rates: `(component, match, price, measure, per, quantity_rounding) values
        ('gb', '{}', 1, 'gb', 0.5, 'up'), ('files', '{}', 1, 'files', 0.75, 'exact')`,
    });
    expect(await price({ gb: 0.75, files: 3 })).toBe('6');
    expect(await jobPrice({ gb: 0.5, files: 1 }, { gb: 0.5, files: 2 })).toBe('6');
  });

  test('rounded up, a started block counts whole', async () => {
    const { price } = await sold({
      rates: `(match, price, measure, per, quantity_rounding) values ('{}', 5, 'seconds', 60, 'up')`,
    });
    expect(await price({ seconds: 0 })).toBe('0');
    expect(await price({ seconds: 0.001 })).toBe('5');
    expect(await price({ seconds: 60 })).toBe('5');
    expect(await price({ seconds: 60.001 })).toBe('10');
    expect(await price({ seconds: 300 })).toBe('25');
  });

  test('the minimum is charged, before the blocks are counted', async () => {
    const exact = await sold({
      rates: `(match, price, measure, per, minimum_quantity) values ('{}', 20, 'seconds', 60, 30)`,
    });
    expect(await exact.price({ seconds: 10 })).toBe('10');
    expect(await exact.price({ seconds: 30 })).toBe('10');
    expect(await exact.price({ seconds: 33 })).toBe('11');

    const blocks = await sold({
      rates: `(match, price, measure, per, quantity_rounding, minimum_quantity) values ('{}', 1, 'seconds', 60, 'up', 61)`,
    });
    expect(await blocks.price({ seconds: 10 })).toBe('2');
    expect(await blocks.price({ seconds: 121 })).toBe('3');
  });

  test('tiers are graduated: each part of the quantity has its own price', async () => {
    const { price, quote } = await sold({
      rates: `(match, tiers, measure) values
        ('{}', '[{"up_to": 1, "price": 0}, {"up_to": 10, "price": 1.3}, {"price": 1}]', 'gb')`,
    });
    expect(await price({ gb: 0 })).toBe('0');
    expect(await price({ gb: 1 })).toBe('0');
    expect(await price({ gb: 1.5 })).toBe('0.65');
    expect(await price({ gb: 10 })).toBe('11.7');
    expect(await price({ gb: 12 })).toBe('13.7');
    expect((await quote({ gb: 12 }))[0].breakdown[0]).toMatchObject({
      quantity: 12,
      price: null,
      tiers: [
        { quantity: 1, price: 0 },
        { quantity: 9, price: 1.3 },
        { quantity: 2, price: 1 },
      ],
      amount: 13.7,
    });
  });

  test('tiers count in the measure, are priced for "per" of it, and see the blocks', async () => {
    const { price } = await sold({
      rates: `(match, tiers, measure, per, quantity_rounding) values
        ('{}', '[{"up_to": 1000, "price": 2}, {"price": 1}]', 'words', 100, 'up')`,
    });
    expect(await price({ words: 901 })).toBe('20');
    expect(await price({ words: 1001 })).toBe('21');
    expect(await price({ words: 2000 })).toBe('30');
    expect(await price({ words: 2000, count: 2 })).toBe('60');
  });

  test.each([
    ['missing', {}, 'missing'],
    ['null', { seconds: null }, 'missing'],
    ['negative', { seconds: -0.001 }, 'too_small'],
    ['a text', { seconds: '5' }, 'not_a_number'],
    ['NaN', { seconds: 'NaN' }, 'not_a_number'],
    ['a boolean', { seconds: true }, 'not_a_number'],
    ['a list', { seconds: [5] }, 'not_a_number'],
    ['too large', { seconds: 1000000000000.5 }, 'too_large'],
  ])('a measure that is %s is refused', async (_, usage, reason) => {
    const { price } = await sold({ rates: `(match, price, measure) values ('{}', 1, 'seconds')` });
    expect(await creditsError(price(usage))).toMatchObject({
      code: 'PC422',
      detail: { field: 'seconds', reason, operation: 'job' },
    });
  });

  test('a measure may be as large as 1e12', async () => {
    const { price } = await sold({
      rates: `(match, price, measure) values ('{}', 0.01, 'seconds')`,
    });
    expect(await price({ seconds: 1e12 })).toBe('10000000000');
  });

  test('an operation may have several measures', async () => {
    const { price } = await sold({
      rates: `(component, match, price, measure) values ('time', '{}', 2, 'seconds'), ('size', '{}', 3, 'megapixels')`,
    });
    expect(await price({ seconds: 5, megapixels: 2 })).toBe('16');
    expect(await creditsError(price({ seconds: 5 }))).toMatchObject({
      code: 'PC422',
      detail: { field: 'megapixels', reason: 'missing' },
    });
  });
});

describe('charges', () => {
  test('minimum and maximum hold for the component, after its multipliers', async () => {
    const { price } = await sold({
      rates: `(match, price, measure, minimum_charge, maximum_charge) values ('{}', 1, 'seconds', 5, 20)`,
      multipliers: `('speed', '{"speed": "slow"}', 0.1), ('speed', '{"speed": "fast"}', 10), ('free', '{"trial": true}', 0)`,
    });
    expect(await price({ seconds: 1 })).toBe('5');
    expect(await price({ seconds: 7 })).toBe('7');
    expect(await price({ seconds: 21 })).toBe('20');
    expect(await price({ seconds: 100, speed: 'slow' })).toBe('10');
    expect(await price({ seconds: 7, speed: 'slow' })).toBe('5');
    expect(await price({ seconds: 1.5, speed: 'fast' })).toBe('15');
    expect(await price({ seconds: 7, speed: 'fast' })).toBe('20');
    expect(await price({ seconds: 7, trial: true })).toBe('5');
  });

  test('they hold before the components add up, and before the count', async () => {
    const { price } = await sold({
      rates: `(component, match, price, minimum_charge, maximum_charge) values
        ('small', '{}', 1, 3, null), ('large', '{}', 100, null, 10)`,
    });
    expect(await price()).toBe('13');
    expect(await price({ count: 4 })).toBe('52');
  });

  test.each([
    [undefined, '2.5'],
    [null, '2.5'],
    [1, '2.5'],
    [3, '7.5'],
    [1e6, '2500000'],
  ])('a count of %s', async (count, amount) => {
    const { price } = await sold({ rates: `('{}', 2.5)` });
    expect(await price({ count })).toBe(amount);
  });

  test.each([
    [0, 'too_small'],
    [-1, 'too_small'],
    [1.5, 'not_whole'],
    [1e7, 'too_large'],
    ['2', 'not_a_number'],
    [true, 'not_a_number'],
  ])('a count of %j is refused', async (count, reason) => {
    const { price } = await sold({ rates: `('{}', 2.5)` });
    expect(await creditsError(price({ count }))).toMatchObject({
      code: 'PC422',
      detail: { field: 'count', reason },
    });
  });
});

describe('rounding', () => {
  const eighth = `(match, price, measure) values ('{}', 1, 'n')`;
  test.each([
    ['half_up', { '0.125': '0.13', '0.1249': '0.12', '0.121': '0.12', '0.12': '0.12' }],
    ['up', { '0.125': '0.13', '0.1249': '0.13', '0.1200001': '0.13', '0.12': '0.12' }],
    ['down', { '0.125': '0.12', '0.1299999': '0.12', '0.12': '0.12', '0.009': '0' }],
  ])('%s, to the unit’s scale', async (rounding, amounts) => {
    const { price } = await sold({ units: unit(2, rounding), rates: eighth });
    for (const [n, amount] of Object.entries(amounts)) {
      expect(await price({ n: Number(n) })).toBe(amount);
    }
  });

  test.each([
    [0, '2'],
    [1, '1.5'],
    [3, '1.546'],
    [6, '1.545678'],
  ])('a scale of %i', async (scale, amount) => {
    const { price } = await sold({ units: unit(scale, 'half_up'), rates: eighth });
    expect(await price({ n: 1.5456781 })).toBe(amount);
  });

  test('once, after the components add up', async () => {
    const { price } = await sold({
      rates: `(component, match, price) values ('a', '{}', 0.004), ('b', '{}', 0.004)`,
    });
    expect(await price()).toBe('0.01');
  });

  test('once, after the count', async () => {
    const { price } = await sold({ rates: `('{}', 0.004)` });
    expect(await price({ count: 3 })).toBe('0.01');
    expect(await price()).toBe('0');
  });

  test('once, over all items of a job', async () => {
    const { jobPrice } = await sold({ rates: `('{}', 0.004)` });
    expect(await jobPrice({}, {}, {})).toBe('0.01');
    expect(await jobPrice({}, { count: 2 })).toBe('0.01');
  });

  test('thirds and sevenths do not leak into a ceiling', async () => {
    const { price, jobPrice } = await sold({
      units: unit(0, 'up'),
      rates: `(component, match, price, measure, per) values ('a', '{}', 2, 'n', 3), ('b', '{}', 2, 'm', 7)`,
    });
    expect(await price({ n: 3, m: 0 })).toBe('2');
    expect(await price({ n: 1, m: 0, count: 3 })).toBe('2');
    expect(await jobPrice({ n: 1, m: 0 }, { n: 1, m: 0 }, { n: 1, m: 0 })).toBe('2');
    expect(await price({ n: 1, m: 1, count: 21 })).toBe('20');
    expect(await price({ n: 1, m: 1, count: 22 })).toBe('21');
  });

  test('each unit by its own rule', async () => {
    const { quote } = await sold({
      units: `('credit', 'credits', 1, 'up', true), ('minute', 'minutes', 0, 'down', false)`,
      rates: `(component, match, unit, price, measure, per) values
        ('time', '{}', 'minute', 1, 'seconds', 60), ('work', '{}', 'credit', 1, 'seconds', 60)`,
    });
    const lines = await quote({ seconds: 119 });
    expect(lines.map((line) => [line.unit, line.amount])).toEqual([
      ['credit', '2.0'],
      ['minute', '1'],
    ]);
    expect(lines.map((line) => line.breakdown.at(-1).component)).toEqual(['rounding', 'rounding']);
  });
});

describe('usage', () => {
  test.each([[[1]], ['seconds'], [5], [true]])('%j is refused: it is no object', async (usage) => {
    const { price } = await sold({ rates: `('{}', 1)` });
    expect(await creditsError(price(usage))).toMatchObject({
      code: 'PC422',
      detail: { field: 'usage', reason: 'not_an_object' },
    });
  });

  test('null is an empty one', async () => {
    const { price, jobPrice, account } = await sold({ rates: `('{}', 1)` });
    expect(await price(null)).toBe('1');
    expect(await jobPrice(null, {})).toBe('2');
    const [row] = await database.query(`select amount from credits.quote($1, 'job', null)`, [
      account,
    ]);
    expect(plain(row.amount)).toBe('1');
  });

  test('an operation of another card is unknown', async () => {
    await sold({
      operations: `('elsewhere', 'Jobs', 'Elsewhere')`,
      rates: `(operation, match, price) values ('elsewhere', '{}', 1)`,
    });
    const { price } = await sold({ rates: `('{}', 1)` });
    expect(await creditsError(price({}, 'elsewhere'))).toMatchObject({
      code: 'PC404',
      detail: { what: 'operation', key: 'elsewhere' },
    });
  });

  test('a job has at least one item', async () => {
    const { quoteItems } = await sold({ rates: `('{}', 1)` });
    expect(await creditsError(quoteItems([]))).toMatchObject({
      code: 'PC422',
      detail: { field: 'items', reason: 'missing' },
    });
  });
});

describe('the breakdown', () => {
  test('has a line a component, and one for the rounding, which add up to the amount', async () => {
    const { quoteItems, card } = await sold({
      rates: `(component, match, price, measure, per, maximum_charge) values
        ('base', '{}', 1, 'seconds', 3, null), ('cover', '{"cover": true}', 9, null, 1, 4), ('cover', '{}', 0, null, 1, null)`,
      multipliers: `('resolution', '{"resolution": "4K"}', 2)`,
    });
    const [line] = await quoteItems([
      { seconds: 2, resolution: '4K', count: 2 },
      { seconds: 3, cover: true },
    ]);
    // 2 x 2 x 2 / 3 = 2.666..., then 1 and 4, which together are 7.67.
    expect(plain(line.amount)).toBe('7.67');
    const rates = await database.query(
      'select rate_id, component, match from credits.card_rates where rate_card = $1',
      [card],
    );
    const rateId = (component: string, match: object) =>
      Number(
        rates.find(
          (r) =>
            r.component === component &&
            String(r.match.cover) === String((match as { cover?: boolean }).cover),
        ).rate_id,
      );
    expect(line.breakdown).toEqual([
      {
        operation: 'job',
        component: 'base',
        rate_id: rateId('base', {}),
        measure: 'seconds',
        quantity: 2,
        per: 3,
        price: 1,
        multiplier: 2,
        count: 2,
        amount: 2.666666666667,
      },
      {
        operation: 'job',
        component: 'cover',
        rate_id: rateId('cover', {}),
        measure: null,
        quantity: 1,
        per: 1,
        price: 0,
        multiplier: 2,
        count: 2,
        amount: 0,
      },
      {
        operation: 'job',
        component: 'base',
        rate_id: rateId('base', {}),
        measure: 'seconds',
        quantity: 3,
        per: 3,
        price: 1,
        multiplier: 1,
        count: 1,
        amount: 1,
      },
      {
        operation: 'job',
        component: 'cover',
        rate_id: rateId('cover', { cover: true }),
        measure: null,
        quantity: 1,
        per: 1,
        price: 9,
        multiplier: 1,
        limited_by: 'maximum_charge',
        count: 1,
        amount: 4,
      },
      { component: 'rounding', amount: 0.003333333333 },
    ]);
    const [sum] = await database.query(
      `select sum((l ->> 'amount')::numeric)::text as amount from jsonb_array_elements($1::jsonb) l`,
      [JSON.stringify(line.breakdown)],
    );
    expect(plain(sum.amount)).toBe('7.67');
  });

  test('says that a minimum was charged', async () => {
    const { quote } = await sold({
      rates: `(match, price, measure, minimum_charge) values ('{}', 1, 'seconds', 5)`,
    });
    const [line] = await quote({ seconds: 3 });
    expect(line.breakdown).toMatchObject([
      { quantity: 3, limited_by: 'minimum_charge', amount: 5 },
    ]);
  });

  test('has no line for a rounding that changed nothing', async () => {
    const { quote } = await sold({ rates: `('{}', 2.5)` });
    const [line] = await quote();
    expect(line.breakdown).toHaveLength(1);
  });
});

describe('validity', () => {
  test('a rate applies from its start until just before its end', async () => {
    const { price } = await sold({
      rates: `(match, price, valid_from, valid_until) values
        ('{}', 1, '2026-01-01Z', '2026-02-01Z'), ('{}', 2, '2026-02-01Z', 'infinity')`,
      multipliers: `(multiplier_group, match, factor, valid_from, valid_until) values
        ('sale', '{}', 0.5, '2026-03-01Z', '2026-04-01Z')`,
    });
    const at = async (now: string) => {
      await database.setNow(now);
      return await price();
    };
    expect(await at('2026-01-01T00:00:00Z')).toBe('1');
    expect(await at('2026-01-31T23:59:59.999999Z')).toBe('1');
    expect(await at('2026-02-01T00:00:00Z')).toBe('2');
    expect(await at('2026-03-01T00:00:00Z')).toBe('1');
    expect(await at('2026-04-01T00:00:00Z')).toBe('2');
    // Before the first rate and after the last the price is unknown, not 0.
    await database.setNow('2025-12-31T23:59:59Z');
    expect(await creditsError(price())).toMatchObject({
      code: 'PC422',
      detail: { field: 'usage', reason: 'no_rate', operation: 'job' },
    });
    await database.setNow(null);
  });
});
