/** What a calculator asks for, from the rates of the four products as the database has them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Inputs, inputsOf } from '../../src/usage-page/browser/inputs.ts';
import type { Attributes, Rate } from '../../src/usage-page/browser/operations.ts';
import { call } from '../support/calls.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

let database: TestDatabase;
const accounts = {
  avs: 'avs_creator',
  invideo: 'invideo_max',
  videodraft: 'videodraft_pro',
  videogen: 'videogen_pro',
};

beforeAll(async () => {
  database = await testDatabase();
  for (const [account_id, plan] of Object.entries(accounts)) {
    await call(database.pool, 'open_account', { account_id, plan });
  }
});
afterAll(() => database.close());

async function inputs(
  account_id: keyof typeof accounts,
  operation: string,
  chosen: Attributes = {},
): Promise<Inputs> {
  const rates = await database.query(
    `select match, component, optional, measure, per, price, minimum_quantity as "minimumQuantity", multipliers
     from credits.rates($1) where operation = $2`,
    [account_id, operation],
  );
  return inputsOf(rates as Rate[], chosen);
}

const answers = ({ choices }: Inputs) =>
  Object.fromEntries(choices.map(({ key, chosen }) => [key, chosen]));

describe('a calculator asks for', () => {
  test('nothing where the price depends on nothing', async () => {
    expect(await inputs('avs', 'render')).toEqual({ choices: [], measures: [] });
  });

  test('what every rate matches on, and begins with the cheapest', async () => {
    expect(await inputs('videogen', 'ai_image')).toEqual({
      choices: [
        {
          key: 'quality',
          values: ['low', 'standard', 'high'],
          required: true,
          chosen: 'low',
        },
      ],
      measures: [],
    });
    expect(answers(await inputs('videogen', 'ai_image', { quality: 'high' }))).toEqual({
      quality: 'high',
    });
    expect(answers(await inputs('videogen', 'ai_image', { quality: 'unheard of' }))).toEqual({
      quality: 'low',
    });
  });

  test('an add-on as a yes or no, and no unless chosen', async () => {
    const { choices, measures } = await inputs('invideo', 'stock_video');
    expect(choices).toEqual([{ key: 'actor', values: [true], required: false, chosen: undefined }]);
    expect(measures).toEqual([{ key: 'seconds', start: '60' }]);
    expect(answers(await inputs('invideo', 'stock_video', { actor: true }))).toEqual({
      actor: true,
    });
  });

  test('what a multiplier matches on, and begins with what changes nothing', async () => {
    expect(await inputs('avs', 'video_generation')).toMatchObject({
      choices: [{ key: 'resolution', values: ['720p', '1080p', '4K'], chosen: '720p' }],
    });
  });

  test('a length where the model has several', async () => {
    expect(answers(await inputs('videodraft', 'video', { model: 'kling-2.1' }))).toEqual({
      model: 'kling-2.1',
    });
    expect((await inputs('videodraft', 'video', { model: 'veo-2' })).choices[1]).toEqual({
      key: 'seconds',
      values: [5, 8],
      required: true,
      chosen: 5,
    });
  });

  test('a measure only where the rate has one', async () => {
    expect((await inputs('invideo', 'remix', { media: 'image' })).measures).toEqual([]);
    expect((await inputs('invideo', 'remix', { media: 'clip' })).measures).toEqual([
      { key: 'seconds', start: '60' },
    ]);
  });

  test('never what the server knows by itself', async () => {
    expect(await inputs('videodraft', 'speech')).toEqual({
      choices: [],
      measures: [{ key: 'characters', start: '100' }],
    });
  });

  test('enough: what it begins with has a price, for every operation of every product', async () => {
    for (const account_id of Object.keys(accounts) as (keyof typeof accounts)[]) {
      const operations = await database.query('select distinct operation from credits.rates($1)', [
        account_id,
      ]);
      for (const { operation } of operations) {
        const asked = await inputs(account_id, operation);
        const usage = { ...answers(asked) } as Record<string, unknown>;
        for (const { key, start } of asked.measures) usage[key] = Number(start);
        const quote = await call(database.pool, 'quote', { account_id, operation, usage });
        expect([operation, quote.length]).not.toEqual([operation, 0]);
      }
    }
  });
});
