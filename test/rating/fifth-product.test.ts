import * as fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase, verifyAfterEach } from '../support/database.ts';
import { plain } from '../support/numbers.ts';
import { load } from './product.ts';

const TEXT = fs.readFileSync(
  path.join(import.meta.dirname, '../support/fifth-product.sql'),
  'utf8',
);

let database: TestDatabase;
let accounts = 0;

beforeAll(async () => {
  database = await testDatabase({ catalogs: false });
  await load(database, TEXT);
});
afterAll(() => database.close());
verifyAfterEach(() => database);

async function open(plan: string): Promise<string> {
  const account = `marginalia-${++accounts}`;
  await database.query('select credits.open_account($1, $2)', [account, plan]);
  return account;
}

test('its catalog loads again without a change', async () => {
  expect(await load(database, TEXT)).toEqual([]);
});

describe('what it charges', () => {
  const scholar = 'marginalia_scholar';
  test.each([
    // 10 pages at 0.7 are 7; 3,010 words are 13 started blocks of 250, 1 each.
    [scholar, 'transcribe', { pages: 10, words: 3010 }, '20'],
    // Exactly 12 blocks.
    [scholar, 'transcribe', { pages: 10, words: 3000 }, '19'],
    // An old hand doubles the pages, not the words: 14 + 13.
    [scholar, 'transcribe', { pages: 10, words: 3010, hand: 'old' }, '27'],
    // The index of 10 pages: 4 more. It is no page of the old hand: 14 + 13 + 4.
    [scholar, 'transcribe', { pages: 10, words: 3010, index: true }, '24'],
    [scholar, 'transcribe', { pages: 10, words: 3010, index: true, hand: 'old' }, '31'],
    // The index of 100 pages would be 40 and is 12: 70 + 0 + 12.
    [scholar, 'transcribe', { pages: 100, words: 0, index: true }, '82'],
    // Two such documents have an index each: 2 x 82.
    [scholar, 'transcribe', { pages: 100, words: 0, index: true, count: 2 }, '164'],
    // 0.35 for half a page, 1 for a word: 1.35, up to 1.4.
    [scholar, 'transcribe', { pages: 0.5, words: 1 }, '1.4'],
    // 12.34 hundreds at 0.9 are 11.106, up to 11.2; on Archive at 0.6 they are 7.404, up to 7.5.
    [scholar, 'translate', { words: 1234 }, '11.2'],
    ['marginalia_archive', 'translate', { words: 1234 }, '7.5'],
    [scholar, 'translate', { words: 1000 }, '9'],
    ['marginalia_archive', 'translate', { words: 1000 }, '6'],
    // 1 GB is free.
    [scholar, 'store', { gb: 1 }, '0'],
    // 1.5 GB at 1.3 are 1.95, up to 2.
    [scholar, 'store', { gb: 2.5 }, '2'],
    // 9 GB at 1.3.
    [scholar, 'store', { gb: 10 }, '11.7'],
    // 11.7 and 2.5 GB at 0.95, which are 2.375: 14.075, up to 14.1.
    [scholar, 'store', { gb: 12.5 }, '14.1'],
  ])('%s %s %j: %s', async (plan, operation, usage, amount) => {
    const account = await open(plan);
    const params = [account, operation, usage];
    const [quoted] = await database.query('select * from credits.quote($1, $2, $3)', params);
    expect(plain(quoted.amount)).toBe(amount);
    const [spent] = await database.query(
      'select -amount as amount from credits.spend($1, $2, $3)',
      params,
    );
    expect(plain(spent.amount)).toBe(amount);
  });

  test('a job is rounded up once', async () => {
    const account = await open(scholar);
    // 0.35 + 0.35 + 0.009 x 5 = 0.745, up to 0.8; one by one it would be 0.4 + 0.4 + 0.1.
    const [quoted] = await database.query(
      `select amount from credits.quote_items($1, array[
         credits.item('transcribe', '{"pages": 0.5, "words": 0}'),
         credits.item('transcribe', '{"pages": 0.5, "words": 0}'),
         credits.item('translate', '{"words": 5}')])`,
      [account],
    );
    expect(plain(quoted.amount)).toBe('0.8');
  });
});

describe('what it carries over', () => {
  /**
   * Opens an account and checks the total at each instant: as a forecast from the step before, and as it then is. After
   * some, words are translated, at 0.9 a hundred.
   */
  async function follow(plan: string, steps: { at: string; total: string; words?: number }[]) {
    await database.setNow(steps[0].at);
    const account = await open(plan);
    const totalAt = async (at: string | null) => {
      const [balance] = await database.query('select total from credits.balances($1, $2)', [
        account,
        at,
      ]);
      return plain(balance.total);
    };
    for (const { at, total, words } of steps) {
      expect([at, await totalAt(at)]).toEqual([at, total]);
      await database.setNow(at);
      expect([at, await totalAt(null)]).toEqual([at, total]);
      if (words) {
        await database.query(`select * from credits.spend($1, 'translate', $2)`, [
          account,
          { words },
        ]);
      }
    }
    return account;
  }

  const log = (account: string) =>
    database.query(
      `select kind, amount, occurred_at from credits.entries where account_id = $1 and kind in ('refill', 'expiry') order by seq`,
      [account],
    );

  test('nothing on Visitor, at midnight in Bucharest', async () => {
    await follow('marginalia_visitor', [
      // Two hours ahead of UTC in winter.
      { at: '2026-01-07T12:00:00Z', total: '5' },
      { at: '2026-01-07T21:59:59Z', total: '5', words: 200 },
      { at: '2026-01-07T22:00:00Z', total: '5' },
      // Three from the last Sunday of March: that day has 23 hours.
      { at: '2026-03-28T22:00:00Z', total: '5', words: 200 },
      { at: '2026-03-29T20:59:59Z', total: '3.2' },
      { at: '2026-03-29T21:00:00Z', total: '5' },
    ]);
    await database.setNow(null);
  });

  test('at most 60 on Reader, on Mondays in Bucharest', async () => {
    const account = await follow('marginalia_reader', [
      // A Wednesday. The whole allowance is there at once.
      { at: '2026-01-07T12:00:00Z', total: '40' },
      // 40 are carried, and 40 come.
      { at: '2026-01-11T22:00:00Z', total: '80' },
      // 80 would be carried: 60 are, and 40 come.
      { at: '2026-01-18T22:00:00Z', total: '100', words: 8000 },
      // 72 were spent: 28 are carried, and 40 come.
      { at: '2026-01-25T22:00:00Z', total: '68' },
      // 68 would be carried: 60 are.
      { at: '2026-02-01T22:00:00Z', total: '100' },
    ]);
    await database.query(`select * from credits.spend($1, 'store', '{"gb": 0}')`, [account]);
    expect((await log(account)).map(({ kind, amount }) => [kind, plain(amount)])).toEqual([
      ['refill', '40'],
      ['refill', '40'],
      ['expiry', '-20'],
      ['refill', '40'],
      ['refill', '40'],
      ['expiry', '-8'],
      ['refill', '40'],
    ]);
    await database.setNow(null);
  });

  test('all of it on Scholar, for three months', async () => {
    const account = await follow('marginalia_scholar', [
      { at: '2026-01-31T10:00:00Z', total: '200', words: 6000 },
      // 54 were spent: 146 of January are carried.
      { at: '2026-02-28T10:00:00Z', total: '346' },
      { at: '2026-03-31T10:00:00Z', total: '546' },
      { at: '2026-04-30T09:59:59Z', total: '546' },
      // January's 146 have lived three periods. February's and March's 400 are carried.
      { at: '2026-04-30T10:00:00Z', total: '600' },
      { at: '2026-05-31T10:00:00Z', total: '600' },
    ]);
    await database.query(`select * from credits.spend($1, 'store', '{"gb": 0}')`, [account]);
    expect(
      (await log(account)).map(({ kind, amount, occurred_at }) => [
        kind,
        plain(amount),
        occurred_at.toISOString(),
      ]),
    ).toEqual([
      ['refill', '200', '2026-01-31T10:00:00.000Z'],
      ['refill', '200', '2026-02-28T10:00:00.000Z'],
      ['refill', '200', '2026-03-31T10:00:00.000Z'],
      ['expiry', '-146', '2026-04-30T10:00:00.000Z'],
      ['refill', '200', '2026-04-30T10:00:00.000Z'],
      ['expiry', '-200', '2026-05-31T10:00:00.000Z'],
      ['refill', '200', '2026-05-31T10:00:00.000Z'],
    ]);
    await database.setNow(null);
  });

  test('two allowances on Archive', async () => {
    await follow('marginalia_archive', [
      { at: '2026-01-31T10:00:00Z', total: '500' },
      { at: '2026-02-28T10:00:00Z', total: '1000' },
      // 1,000 are carried whole.
      { at: '2026-03-31T10:00:00Z', total: '1500' },
      // 1,500 would be: 1,000 are.
      { at: '2026-04-30T10:00:00Z', total: '1500' },
    ]);
    await database.setNow(null);
  });
});
