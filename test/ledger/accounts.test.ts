import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { atelierDatabase, NOON } from '../support/atelier.ts';
import { type Arguments, call } from '../support/calls.ts';
import { creditsError, type TestDatabase, verifyAfterEach } from '../support/database.ts';

let database: TestDatabase;
verifyAfterEach(() => database);

beforeAll(async () => {
  database = await atelierDatabase();
});
beforeEach(() => database.setNow(NOON));
afterAll(() => database.close());

const open = (account_id: string | null, rest: Arguments = {}) =>
  call(database.pool, 'open_account', { account_id, ...rest });
const subscribe = (account_id: string | null, plan: string | null, rest: Arguments = {}) =>
  call(database.pool, 'subscribe', { account_id, plan, ...rest });
const totals = async (account_id: string) =>
  Object.fromEntries(
    (await call(database.pool, 'balances', { account_id })).map(({ unit, total }) => [unit, total]),
  );

describe('open_account', () => {
  test('opens an account on a plan, whose whole allowance is there at once', async () => {
    expect(await open('planned', { plan: 'atelier_pro' })).toEqual([
      {
        account_id: 'planned',
        rate_card: 'atelier',
        plan: 'atelier_pro',
        anchor: new Date(NOON),
        period_index: 0,
        period_start: new Date(NOON),
        period_end: new Date('2026-04-10T12:00:00Z'),
        pending_plan: null,
        cancels_at_period_end: false,
        additional_enabled: true,
        additional_period_limit: null,
        next_due_at: new Date('2026-04-10T12:00:00Z'),
        opened_at: new Date(NOON),
        has_other_keys: false,
        top_ups: false,
        watched_until: null,
        sweep_again_at: null,
      },
    ]);
    expect(await totals('planned')).toEqual({ credit: 100, minute: 10 });
    expect(await call(database.pool, 'activity', { account_id: 'planned' })).toMatchObject([
      { seq: 2, unit: 'minute', kind: 'refill', amount: 10, included: 10, additional: 0 },
      { seq: 1, unit: 'credit', kind: 'refill', amount: 100, included: 100, additional: 0 },
    ]);
  });

  test('opens an account without a plan, on a card, with nothing in it', async () => {
    expect(await open('bare', { rate_card: 'atelier' })).toMatchObject([
      { rate_card: 'atelier', plan: null, anchor: null, period_end: null },
    ]);
    expect(await totals('bare')).toEqual({ credit: 0, minute: 0 });
    expect(await call(database.pool, 'activity', { account_id: 'bare' })).toEqual([]);
  });

  test('is repeatable: what is open comes back as it is', async () => {
    const [account] = await open('repeated', { plan: 'atelier_pro' });
    await database.setNow('2026-03-11T00:00:00Z');
    expect(await open('repeated', { plan: 'atelier_pro' })).toEqual([account]);
    expect(await open('repeated')).toEqual([account]);
    expect(await open('repeated', { rate_card: 'atelier' })).toEqual([account]);
    expect(await open('repeated', { plan: 'atelier_pro', anchor: '2026-01-01Z' })).toEqual([
      account,
    ]);
    expect(await totals('repeated')).toEqual({ credit: 100, minute: 10 });
  });

  test('an anchor sets the phase; the first allowance is whole', async () => {
    expect(
      await open('past', { plan: 'atelier_pro', anchor: '2026-01-31T00:00:00Z' }),
    ).toMatchObject([
      {
        period_index: 1,
        // The period that contains now, from now on: what was before is not the plan's.
        period_start: new Date(NOON),
        period_end: new Date('2026-03-31T00:00:00Z'),
      },
    ]);
    expect(
      await open('future', { plan: 'atelier_pro', anchor: '2026-03-15T00:00:00Z' }),
    ).toMatchObject([
      {
        period_index: -1,
        period_start: new Date(NOON),
        period_end: new Date('2026-03-15T00:00:00Z'),
      },
    ]);
    expect(await totals('past')).toEqual({ credit: 100, minute: 10 });
    expect(await totals('future')).toEqual({ credit: 100, minute: 10 });
  });

  test('a card: the plan has its own; else the argument; else, of several, PC422', async () => {
    expect(await open('of the plan', { plan: 'bazaar_pro' })).toMatchObject([
      { rate_card: 'bazaar' },
    ]);
    expect(await open('of both', { plan: 'bazaar_pro', rate_card: 'bazaar' })).toMatchObject([
      { rate_card: 'bazaar' },
    ]);
    expect(await open('of the argument', { rate_card: 'bazaar' })).toMatchObject([
      { rate_card: 'bazaar' },
    ]);
    expect(await creditsError(open('of none'))).toMatchObject({
      code: 'PC422',
      detail: { field: 'rate_card', reason: 'missing' },
      hint: expect.any(String),
    });
    expect(await creditsError(open('of an unknown', { rate_card: 'souk' }))).toMatchObject({
      code: 'PC422',
      detail: { field: 'rate_card', reason: 'unknown', rate_card: 'souk' },
    });
    expect(
      await creditsError(open('of another', { plan: 'bazaar_pro', rate_card: 'atelier' })),
    ).toMatchObject({ code: 'PC422', detail: { field: 'rate_card', rate_card: 'bazaar' } });
  });

  test('a card: where there is only one, it is that', async () => {
    const single = await atelierDatabase(['atelier']);
    try {
      expect(await call(single.pool, 'open_account', { account_id: 'alone' })).toMatchObject([
        { rate_card: 'atelier', plan: null },
      ]);
    } finally {
      await single.close();
    }
  });

  test('PC409 when it is open with another plan or another card', async () => {
    await open('taken', { plan: 'atelier_pro' });
    await open('without', { rate_card: 'atelier' });
    expect(await creditsError(open('taken', { plan: 'atelier_studio' }))).toEqual({
      code: 'PC409',
      detail: {
        reason: 'open_with_another_plan',
        plan: 'atelier_pro',
        requested: 'atelier_studio',
      },
      hint: expect.any(String),
    });
    expect(await creditsError(open('without', { plan: 'atelier_pro' }))).toMatchObject({
      code: 'PC409',
      detail: { reason: 'open_with_another_plan', plan: null, requested: 'atelier_pro' },
    });
    expect(await creditsError(open('without', { rate_card: 'bazaar' }))).toMatchObject({
      code: 'PC409',
      detail: {
        reason: 'open_with_another_rate_card',
        rate_card: 'atelier',
        requested: 'bazaar',
      },
    });
    expect(await totals('taken')).toEqual({ credit: 100, minute: 10 });
    expect(await totals('without')).toEqual({ credit: 0, minute: 0 });
  });

  test('PC404 for an unknown plan, and for a retired one that the account does not have', async () => {
    expect(await creditsError(open('new', { plan: 'atelier_gold' }))).toEqual({
      code: 'PC404',
      detail: { what: 'plan', key: 'atelier_gold' },
      hint: expect.any(String),
    });
    const [subscriber] = await open('subscriber', { plan: 'atelier_saver' });
    await database.query(`update credits.plans set retired_at = $1 where plan = 'atelier_saver'`, [
      NOON,
    ]);
    try {
      expect(await creditsError(open('new', { plan: 'atelier_saver' }))).toMatchObject({
        code: 'PC404',
        detail: { what: 'plan', key: 'atelier_saver' },
      });
      expect(await open('subscriber', { plan: 'atelier_saver' })).toEqual([subscriber]);
      expect(await subscribe('subscriber', 'atelier_saver')).toEqual([subscriber]);
      await open('planless', { rate_card: 'atelier' });
      expect(await creditsError(subscribe('planless', 'atelier_saver'))).toMatchObject({
        code: 'PC404',
        detail: { what: 'plan', key: 'atelier_saver' },
      });
    } finally {
      await database.query(
        `update credits.plans set retired_at = null where plan = 'atelier_saver'`,
      );
    }
    expect(
      await database.query(`select from credits.accounts where account_id = 'new'`),
    ).toHaveLength(0);
  });

  test('an id has 1 to 64 characters of any script', async () => {
    for (const id of [
      'x',
      'x'.repeat(64),
      'Ж'.repeat(64),
      '👩‍🎨',
      ' padded ',
      "o'clock\\n",
      '%_',
    ]) {
      expect(await open(id, { plan: 'atelier_pro' })).toMatchObject([{ account_id: id }]);
      expect(await totals(id)).toEqual({ credit: 100, minute: 10 });
    }
    for (const id of ['', 'x'.repeat(65), '👩'.repeat(65), null]) {
      expect(await creditsError(open(id, { plan: 'atelier_pro' }))).toMatchObject({
        code: 'PC422',
        detail: { field: 'account_id' },
        hint: expect.any(String),
      });
    }
    // No text of PostgreSQL has a NUL in it: it never gets as far as the function.
    await expect(open('a\0b', { plan: 'atelier_pro' })).rejects.toMatchObject({ code: '22021' });
  });

  test('ids are told apart to the letter', async () => {
    await open('case', { plan: 'atelier_pro' });
    await open('CASE', { rate_card: 'atelier' });
    await open('\u00e9', { plan: 'atelier_pro' });
    await open('e\u0301', { rate_card: 'atelier' });
    expect(await totals('CASE')).toEqual({ credit: 0, minute: 0 });
    expect(await totals('e\u0301')).toEqual({ credit: 0, minute: 0 });
  });

  test('PC422 for an anchor that no calendar needs', async () => {
    for (const anchor of ['infinity', '-infinity', '1850-01-01Z', '2250-01-01Z']) {
      expect(await creditsError(open('unanchored', { plan: 'atelier_pro', anchor }))).toMatchObject(
        { code: 'PC422', detail: { field: 'anchor' } },
      );
    }
  });
});

describe('subscribe', () => {
  test('begins a plan in an account that has none, and leaves what it has', async () => {
    await open('joining', { rate_card: 'atelier' });
    await call(database.pool, 'grant', { account_id: 'joining', amount: 7 });
    await database.setNow('2026-03-12T08:00:00Z');
    expect(await subscribe('joining', 'atelier_pro')).toMatchObject([
      {
        plan: 'atelier_pro',
        anchor: new Date('2026-03-12T08:00:00Z'),
        period_end: new Date('2026-04-12T08:00:00Z'),
      },
    ]);
    expect(await call(database.pool, 'balances', { account_id: 'joining' })).toMatchObject([
      { unit: 'credit', included: 100, additional: 7, total: 107 },
      { unit: 'minute', included: 10, additional: 0, total: 10 },
    ]);
    expect(await call(database.pool, 'activity', { account_id: 'joining' })).toMatchObject([
      { seq: 3, kind: 'refill', unit: 'minute', balance_after: 10 },
      { seq: 2, kind: 'refill', unit: 'credit', balance_after: 107 },
      { seq: 1, kind: 'grant', unit: 'credit', balance_after: 7 },
    ]);
  });

  test('takes an anchor as open_account does', async () => {
    await open('anchored', { rate_card: 'atelier' });
    expect(
      await subscribe('anchored', 'atelier_pro', { anchor: '2025-12-31T00:00:00Z' }),
    ).toMatchObject([{ period_index: 2, period_end: new Date('2026-03-31T00:00:00Z') }]);
    expect(
      await creditsError(subscribe('anchored', 'atelier_pro', { anchor: 'infinity' })),
    ).toMatchObject({ code: 'PC422', detail: { field: 'anchor' } });
  });

  test('a plan without periods has no end and no refill', async () => {
    await open('free', { rate_card: 'atelier' });
    expect(await subscribe('free', 'atelier_free')).toMatchObject([
      { plan: 'atelier_free', period_index: null, period_start: null, period_end: null },
    ]);
  });

  test('to the plan that it has changes nothing', async () => {
    const [account] = await open('same', { plan: 'atelier_pro' });
    await database.setNow('2026-03-20T00:00:00Z');
    expect(await subscribe('same', 'atelier_pro')).toEqual([account]);
    expect(await totals('same')).toEqual({ credit: 100, minute: 10 });
  });

  test('leaves other accounts alone', async () => {
    await open('left', { rate_card: 'atelier' });
    await open('right', { rate_card: 'atelier' });
    await subscribe('left', 'atelier_pro');
    expect(await totals('right')).toEqual({ credit: 0, minute: 0 });
  });

  test('PC409 for a plan of another card', async () => {
    await open('carded', { rate_card: 'atelier' });
    expect(await creditsError(subscribe('carded', 'bazaar_pro'))).toEqual({
      code: 'PC409',
      detail: {
        reason: 'plan_of_another_rate_card',
        plan: 'bazaar_pro',
        rate_card: 'atelier',
      },
      hint: expect.any(String),
    });
  });

  test('PC404 for an unknown account or plan', async () => {
    await open('searching', { rate_card: 'atelier' });
    for (const [attempt, detail] of [
      [() => subscribe('nobody', 'atelier_pro'), { what: 'account', key: 'nobody' }],
      [() => subscribe(null, 'atelier_pro'), { what: 'account', key: '' }],
      [() => subscribe('searching', 'atelier_gold'), { what: 'plan', key: 'atelier_gold' }],
      [() => subscribe('searching', null), { what: 'plan', key: '' }],
    ] as const) {
      expect(await creditsError(attempt())).toEqual({
        code: 'PC404',
        detail,
        hint: expect.any(String),
      });
    }
  });
});
