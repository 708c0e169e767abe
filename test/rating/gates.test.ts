import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  creditsError,
  type TestDatabase,
  testDatabase,
  verifyAfterEach,
} from '../support/database.ts';
import { setTopUps } from '../support/top-ups.ts';

let database: TestDatabase;
let accounts = 0;

beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());
verifyAfterEach(() => database);

async function account(plan: string, { topUps = false, credits = 1000 } = {}) {
  const id = `gates-${++accounts}`;
  await database.query('select credits.open_account($1, $2)', [id, plan]);
  if (credits) await database.query('select credits."grant"($1, $2)', [id, credits]);
  if (topUps) {
    await setTopUps(database, id, true);
  }
  const call = (name: string) => (operation: string, usage: object) =>
    database.query(`select * from credits.${name}($1, $2, $3)`, [id, operation, usage]);
  return { id, quote: call('quote'), spend: call('spend') };
}

const blocked = async (quote: Promise<{ blocked_by: string | null }[]>) =>
  (await quote)[0].blocked_by;

describe('an operation that needs top-ups', () => {
  test.each([
    ['ai_video', { seconds: 5 }],
    ['background_removal', { seconds: 5 }],
    ['website_scan', {}],
    ['storage', { gb_days: 1 }],
  ])('%s', async (operation, usage) => {
    const without = await account('videogen_pro');
    expect(await without.quote(operation, usage)).toMatchObject([
      { affordable: false, blocked_by: 'top_ups_required' },
    ]);
    expect(await creditsError(without.spend(operation, usage))).toMatchObject({
      code: 'PC403',
      detail: { requires: 'top_ups', operation },
      hint: expect.stringMatching(/admin/),
    });

    const withThem = await account('videogen_pro', { topUps: true });
    expect(await blocked(withThem.quote(operation, usage))).toBeNull();
    expect(await withThem.spend(operation, usage)).toHaveLength(1);
  });

  test('top-ups that were switched off do not count', async () => {
    const { id, quote } = await account('videogen_pro', { topUps: true });
    await setTopUps(database, id, false);
    expect(await blocked(quote('website_scan', {}))).toBe('top_ups_required');
  });
});

describe('a usage that needs a plan', () => {
  test('is refused on any other, and the error names those that would do', async () => {
    const { quote, spend, id } = await account('invideo_free');
    expect(await blocked(quote('agent_one', { credits: 5 }))).toBe('plan_required');
    const { code, detail } = await creditsError(spend('agent_one', { credits: 5 }));
    expect(code).toBe('PC403');
    expect(detail).toMatchObject({
      requires: 'plan',
      operation: 'agent_one',
      plan: 'invideo_free',
    });
    expect(detail.plans).toContain('invideo_plus');
    expect(detail.plans).not.toContain('invideo_free');
    expect(
      await database.query(
        `select * from credits.entries where account_id = $1 and kind = 'usage'`,
        [id],
      ),
    ).toEqual([]);
  });

  test.each(['plus', 'max', 'generative', 'team'])('is open on %s, yearly too', async (tier) => {
    for (const plan of [`invideo_${tier}`, `invideo_${tier}_annual`]) {
      const { spend } = await account(plan);
      expect(await spend('agent_one', { credits: 5 })).toMatchObject([{ amount: '-5.00' }]);
    }
  });

  test('is refused without any plan', async () => {
    await database.query(`select credits.open_account('no plan', null, null, 'invideo')`);
    expect(
      await creditsError(
        database.query(`select * from credits.spend('no plan', 'agent_one', '{"credits": 0}')`),
      ),
    ).toMatchObject({ code: 'PC403', detail: { requires: 'plan', plan: null } });
  });
});

describe('several gates', () => {
  const high = { quality: 'high' };

  test('must all be met, and the plan is named first', async () => {
    const free = await account('videogen_free');
    expect(await blocked(free.quote('ai_image', high))).toBe('plan_required');
    expect((await creditsError(free.spend('ai_image', high))).detail).toMatchObject({
      requires: 'plan',
      plans: ['videogen_pro', 'videogen_business'],
    });
    const freeWithTopUps = await account('videogen_free', { topUps: true });
    expect(await blocked(freeWithTopUps.quote('ai_image', high))).toBe('plan_required');
    const pro = await account('videogen_pro');
    expect(await blocked(pro.quote('ai_image', high))).toBe('top_ups_required');
    expect((await creditsError(pro.spend('ai_image', high))).detail.requires).toBe('top_ups');
    const proWithTopUps = await account('videogen_pro', { topUps: true });
    expect(await blocked(proWithTopUps.quote('ai_image', high))).toBeNull();
  });

  test('stand only before the usage that they match', async () => {
    const { quote } = await account('videogen_free');
    expect(await blocked(quote('ai_image', { quality: 'low' }))).toBeNull();
  });

  test('are not met by what the caller says', async () => {
    const { quote, spend } = await account('videogen_free');
    const claimed = { ...high, plan: 'videogen_pro', top_ups: true };
    expect(await blocked(quote('ai_image', claimed))).toBe('plan_required');
    expect((await creditsError(spend('ai_image', claimed))).code).toBe('PC403');
  });

  test('come before the balance', async () => {
    const { quote, spend } = await account('videogen_pro', { credits: 0 });
    expect(await blocked(quote('ai_video', { seconds: 1000 }))).toBe('top_ups_required');
    expect((await creditsError(spend('ai_video', { seconds: 1000 }))).code).toBe('PC403');
    expect(await blocked(quote('video_export', { seconds: 100000 }))).toBe('insufficient_credits');
    expect(await creditsError(spend('video_export', { seconds: 100000 }))).toMatchObject({
      code: 'PC402',
      detail: { unit: 'credit', required: 50000, available: 3000, shortfall: 47000 },
    });
  });

  test('stand before a job that has one such item, and before a usage of null', async () => {
    const { id } = await account('videogen_pro');
    const job = (items: string) =>
      database.query(
        `select blocked_by from credits.quote_items($1, array[${items}]::credits.item[])`,
        [id],
      );
    expect(await job(`('video_export', '{"seconds": 1}'), ('website_scan', '{}')`)).toEqual([
      { blocked_by: 'top_ups_required' },
    ]);
    expect(await job(`('website_scan', 'null')`)).toEqual([{ blocked_by: 'top_ups_required' }]);
    expect(await job(`('website_scan', null)`)).toEqual([{ blocked_by: 'top_ups_required' }]);
  });
});
