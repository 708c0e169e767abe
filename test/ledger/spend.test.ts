import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { atelierDatabase, NOON } from '../support/atelier.ts';
import { type Arguments, call, type Item } from '../support/calls.ts';
import { creditsError, type TestDatabase, verifyAfterEach } from '../support/database.ts';

let database: TestDatabase;
let team: string;
let number = 0;
verifyAfterEach(() => database);

beforeAll(async () => {
  database = await atelierDatabase();
  await call(database.pool, 'open_account', { account_id: 'bystander', plan: 'atelier_pro' });
});
// Each test has its own account: 100 credits and 10 minutes, both included.
beforeEach(async () => {
  await database.setNow(NOON);
  number += 1;
  team = `team ${number}`;
  await call(database.pool, 'open_account', { account_id: team, plan: 'atelier_pro' });
});
afterAll(async () => {
  expect(await log('bystander')).toHaveLength(2);
  await database.close();
});

const spend = (operation: string | null, usage: unknown = {}, rest: Arguments = {}) =>
  call(database.pool, 'spend', { account_id: team, operation, usage, ...rest });
const spendItems = (items: Item[], rest: Arguments = {}) =>
  call(database.pool, 'spend_items', { account_id: team, items, ...rest });
const balances = async (account_id = team) => call(database.pool, 'balances', { account_id });
const log = (account_id = team) => call(database.pool, 'activity', { account_id });
/** Everything that the ledger knows of the account, to see that a refusal left no trace. */
const everything = async () => {
  const tables = ['accounts', 'lots', 'entries', 'postings'];
  return Promise.all(
    tables.map((table) =>
      database.query(`select * from credits.${table} t where account_id = $1 order by t`, [team]),
    ),
  );
};
const seconds = (cost: number) => ({ quality: 'pro', seconds: cost * 3 });

describe('spend', () => {
  test('charges what quote said, and returns the entry', async () => {
    const [quoted] = await call(database.pool, 'quote', {
      account_id: team,
      operation: 'image',
      usage: { count: 3, resolution: '4K' },
    });
    await database.setNow('2026-03-10T13:00:00Z');
    const entries = await spend(
      'image',
      { count: 3, resolution: '4K' },
      {
        idempotency_key: 'job-1',
        member_id: 'ada',
        max_amount: 30,
        metadata: { project: 7 },
      },
    );
    expect(entries).toEqual([
      {
        account_id: team,
        seq: 3,
        unit: 'credit',
        kind: 'usage',
        operation: 'image',
        amount: -30,
        included: -30,
        additional: 0,
        balance_after: 70,
        member_id: 'ada',
        usage: { count: 3, resolution: '4K' },
        breakdown: quoted.breakdown,
        idempotency_key: 'job-1',
        refunds_seq: null,
        hold_id: null,
        purchase_id: null,
        reason: null,
        occurred_at: new Date('2026-03-10T13:00:00Z'),
        recorded_at: new Date('2026-03-10T13:00:00Z'),
        metadata: { project: 7 },
      },
    ]);
    expect(await log()).toMatchObject([entries[0], { seq: 2 }, { seq: 1 }]);
    expect(await balances()).toMatchObject([{ total: 70 }, { total: 10 }]);
  });

  test('of an operation in two units gives two entries, one a unit', async () => {
    expect(await spend('film', { seconds: 61 }, { idempotency_key: 'film' })).toMatchObject([
      { seq: 3, unit: 'credit', amount: -20, balance_after: 80, idempotency_key: 'film' },
      { seq: 4, unit: 'minute', amount: -2, balance_after: 8, idempotency_key: 'film' },
    ]);
  });

  test('at price 0 gives an entry of 0 that touches no lot', async () => {
    await call(database.pool, 'open_account', { account_id: `${team} bare`, rate_card: 'atelier' });
    for (const account_id of [team, `${team} bare`]) {
      const [entry] = await call(database.pool, 'spend', { account_id, operation: 'edit' });
      expect(entry).toMatchObject({ kind: 'usage', operation: 'edit', amount: 0, included: 0 });
      expect(
        await database.query(`select from credits.postings where account_id = $1 and seq = $2`, [
          account_id,
          entry.seq,
        ]),
      ).toEqual([]);
    }
  });

  test('draws included before additional, and says how much of each', async () => {
    await call(database.pool, 'grant', { account_id: team, amount: 50 });
    expect(await spend('video', seconds(98))).toMatchObject([
      { amount: -98, included: -98, additional: 0, balance_after: 52 },
    ]);
    expect(await spend('image')).toMatchObject([
      { amount: -5, included: -2, additional: -3, balance_after: 47 },
    ]);
    expect(await spend('image')).toMatchObject([
      { amount: -5, included: 0, additional: -5, balance_after: 42 },
    ]);
    expect(await balances()).toMatchObject([{ included: 0, additional: 42, total: 42 }, {}]);
  });

  test('takes the last hundredth and no more', async () => {
    await spend('video', seconds(99.99));
    expect(await creditsError(spend('video', seconds(0.02)))).toMatchObject({ code: 'PC402' });
    expect(await spend('video', seconds(0.01))).toMatchObject([{ balance_after: 0 }]);
    expect(await spend('edit')).toMatchObject([{ amount: 0, balance_after: 0 }]);
  });

  test('keeps a member as a label, known or not, and null as null', async () => {
    await spend('image', {}, { member_id: 'ada' });
    await spend('image', {}, { member_id: null });
    await spend('image', {}, { member_id: 'никто 👩‍🎨' });
    expect((await log()).map(({ member_id }) => member_id)).toEqual([
      'никто 👩‍🎨',
      null,
      'ada',
      null,
      null,
    ]);
  });

  test('keeps metadata as it is given, of any shape', async () => {
    for (const metadata of [{ a: [1, { b: null }] }, ['x'], 'text', 7, false, null]) {
      const [entry] = await spend('image', {}, { metadata });
      expect(entry.metadata).toEqual(metadata);
    }
    expect((await spend('image'))[0].metadata).toBeNull();
  });

  test('keeps the usage that it was given, an empty one for null', async () => {
    const usage = { resolution: '4K', count: 2, note: 'not priced', nested: { any: [1] } };
    expect(await spend('image', usage)).toMatchObject([{ usage, amount: -20 }]);
    expect(await spend('image', null)).toMatchObject([{ usage: {} }]);
    expect(await spend('image', { plan: 'mine', top_ups: true })).toMatchObject([
      { usage: { plan: 'mine', top_ups: true } },
    ]);
  });

  test('a claim to a plan or to top-ups in the usage opens no gate', async () => {
    expect(await creditsError(spend('upscale', { top_ups: true }))).toMatchObject({
      code: 'PC403',
    });
    await call(database.pool, 'open_account', { account_id: `${team} bare`, rate_card: 'atelier' });
    expect(
      await creditsError(spend('print', { plan: 'atelier_pro' }, { account_id: `${team} bare` })),
    ).toMatchObject({ code: 'PC403' });
  });

  test('settles what is due before it draws, as its own earlier entries', async () => {
    await spend('image');
    await database.setNow('2026-05-20T00:00:00Z');
    expect(await spend('image')).toMatchObject([{ seq: 12, amount: -5, balance_after: 95 }]);
    expect(
      (await log()).map(({ seq, kind, unit, amount, occurred_at }) => [
        seq,
        kind,
        unit,
        amount,
        occurred_at.toISOString(),
      ]),
    ).toEqual([
      [12, 'usage', 'credit', -5, '2026-05-20T00:00:00.000Z'],
      [11, 'refill', 'minute', 10, '2026-05-10T12:00:00.000Z'],
      [10, 'refill', 'credit', 100, '2026-05-10T12:00:00.000Z'],
      [9, 'expiry', 'minute', -10, '2026-05-10T12:00:00.000Z'],
      [8, 'expiry', 'credit', -100, '2026-05-10T12:00:00.000Z'],
      [7, 'refill', 'minute', 10, '2026-04-10T12:00:00.000Z'],
      [6, 'refill', 'credit', 100, '2026-04-10T12:00:00.000Z'],
      [5, 'expiry', 'minute', -10, '2026-04-10T12:00:00.000Z'],
      [4, 'expiry', 'credit', -95, '2026-04-10T12:00:00.000Z'],
      [3, 'usage', 'credit', -5, NOON.replace('Z', '.000Z')],
      [2, 'refill', 'minute', 10, NOON.replace('Z', '.000Z')],
      [1, 'refill', 'credit', 100, NOON.replace('Z', '.000Z')],
    ]);
  });

  test('a clock that was set back never takes the log back', async () => {
    await database.setNow('2026-03-20T00:00:00Z');
    await spend('image');
    await database.setNow('2026-03-15T00:00:00Z');
    expect(await spend('image')).toMatchObject([
      {
        occurred_at: new Date('2026-03-20T00:00:00Z'),
        recorded_at: new Date('2026-03-15T00:00:00Z'),
      },
    ]);
  });
});

describe('spend_items', () => {
  test('charges a job as one entry a unit, with every line in the breakdown', async () => {
    const items: Item[] = [
      ['image', { count: 2 }],
      ['film', { seconds: 61 }],
      ['image', { resolution: '4K' }],
    ];
    const entries = await spendItems(items, { member_id: 'ada', metadata: { job: 1 } });
    expect(entries).toMatchObject([
      { unit: 'credit', operation: null, amount: -40, member_id: 'ada', metadata: { job: 1 } },
      { unit: 'minute', operation: null, amount: -2, member_id: 'ada', metadata: { job: 1 } },
    ]);
    expect(
      entries[0].breakdown.map(({ operation, amount }: { operation: string; amount: number }) => [
        operation,
        amount,
      ]),
    ).toEqual([
      ['image', 10],
      ['film', 20],
      ['image', 10],
    ]);
    expect(entries[0].usage).toEqual(items.map(([operation, usage]) => ({ operation, usage })));
  });

  test('names the operation where all items have the same', async () => {
    expect(await spendItems([['image'], ['image', { count: 2 }]])).toMatchObject([
      { operation: 'image', amount: -15 },
    ]);
  });

  test('of one item writes what spend writes', async () => {
    const rest = { member_id: 'ada', metadata: { a: 1 } };
    const [[one], [other]] = [
      await spendItems([['image', { count: 2 }]], rest),
      await spend('image', { count: 2 }, rest),
    ];
    expect(other).toEqual({ ...one, seq: one.seq + 1, balance_after: one.balance_after - 10 });
  });

  test('takes a null usage, and items without one, for an empty one', async () => {
    expect(await spendItems([['image', null], ['image']])).toMatchObject([
      {
        amount: -10,
        usage: [
          { operation: 'image', usage: {} },
          { operation: 'image', usage: {} },
        ],
      },
    ]);
  });

  test('is all or nothing', async () => {
    const before = await everything();
    expect(
      await creditsError(
        spendItems([
          ['film', { seconds: 60 }],
          ['film', { seconds: 600 }],
        ]),
      ),
    ).toMatchObject({ code: 'PC402', detail: { unit: 'minute', required: 11, available: 10 } });
    expect(await everything()).toEqual(before);
  });

  test('PC422 without items', async () => {
    for (const items of [`'{}'`, 'null']) {
      expect(
        await creditsError(
          database.query(`select * from credits.spend_items($1, ${items})`, [team]),
        ),
      ).toMatchObject({ code: 'PC422', detail: { field: 'items', reason: 'missing' } });
    }
  });
});

describe('max_amount', () => {
  test('lets a price through that is equal to it or below', async () => {
    expect(await spend('image', {}, { max_amount: 5 })).toMatchObject([{ amount: -5 }]);
    expect(await spend('image', {}, { max_amount: '5.0000' })).toMatchObject([{ amount: -5 }]);
    expect(await spend('image', {}, { max_amount: 1e30 })).toMatchObject([{ amount: -5 }]);
    expect(await spend('edit', {}, { max_amount: 0 })).toMatchObject([{ amount: 0 }]);
    expect(await spendItems([['image'], ['image']], { max_amount: 10 })).toMatchObject([
      { amount: -10 },
    ]);
  });

  test('PC409 when the price is above it', async () => {
    const before = await everything();
    expect(await creditsError(spend('image', {}, { max_amount: 4.99 }))).toEqual({
      code: 'PC409',
      detail: { reason: 'price_above_max_amount', unit: 'credit', amount: 5, max_amount: 4.99 },
      hint: expect.any(String),
    });
    expect(await creditsError(spend('image', {}, { max_amount: 0 }))).toMatchObject({
      code: 'PC409',
    });
    expect(
      await creditsError(spendItems([['image'], ['image']], { max_amount: 9.99 })),
    ).toMatchObject({ code: 'PC409', detail: { amount: 10 } });
    expect(await everything()).toEqual(before);
  });

  test('PC422 for a price in several units, and for what is no price', async () => {
    expect(await creditsError(spend('film', { seconds: 1 }, { max_amount: 100 }))).toEqual({
      code: 'PC422',
      detail: { field: 'max_amount', reason: 'several_units' },
      hint: expect.any(String),
    });
    for (const max_amount of ['NaN', 'Infinity', '-Infinity', -0.01]) {
      expect(await creditsError(spend('image', {}, { max_amount }))).toMatchObject({
        code: 'PC422',
        detail: { field: 'max_amount' },
      });
    }
  });
});

describe('a refused spend', () => {
  const insufficient = {
    unit: 'credit',
    required: 101,
    available: 100,
    shortfall: 1,
    next_refill_at: '2026-04-10T12:00:00+00:00',
    smallest_pack: 'box',
  };

  test('PC402 says what is short, when there will be more, and which pack would do', async () => {
    expect(await creditsError(spend('video', seconds(101)))).toEqual({
      code: 'PC402',
      detail: { ...insufficient, next_refill_at: expect.any(String) },
      hint: expect.any(String),
    });
    const { detail } = await creditsError(spend('video', seconds(101)));
    expect(new Date(detail.next_refill_at)).toEqual(new Date(insufficient.next_refill_at));
    await call(database.pool, 'open_account', { account_id: `${team} bare`, rate_card: 'atelier' });
    expect(await creditsError(spend('image', {}, { account_id: `${team} bare` }))).toMatchObject({
      code: 'PC402',
      detail: { required: 5, available: 0, shortfall: 5, next_refill_at: null },
    });
    // The smallest one that makes up for the shortfall.
    for (const [credits, smallest_pack] of [
      [150, 'box'],
      [150.01, 'crate'],
      [600, 'crate'],
      [600.01, null],
    ] as const) {
      expect(await creditsError(spend('video', seconds(credits)))).toMatchObject({
        detail: { available: 100, smallest_pack },
      });
    }
  });

  test('PC403 says what would satisfy the gate', async () => {
    await call(database.pool, 'open_account', { account_id: `${team} bare`, rate_card: 'atelier' });
    expect(await creditsError(spend('print', {}, { account_id: `${team} bare` }))).toEqual({
      code: 'PC403',
      detail: {
        requires: 'plan',
        operation: 'print',
        plans: ['atelier_pro', 'atelier_studio'],
        plan: null,
      },
      hint: expect.any(String),
    });
    expect(await creditsError(spend('upscale'))).toEqual({
      code: 'PC403',
      detail: { requires: 'top_ups', operation: 'upscale' },
      hint: expect.any(String),
    });
  });

  test('PC404 for an unknown account or operation, one of another card included', async () => {
    for (const [attempt, detail] of [
      [() => spend('image', {}, { account_id: 'nobody' }), { what: 'account', key: 'nobody' }],
      [() => spend('image', {}, { account_id: null }), { what: 'account', key: '' }],
      [() => spend('hologram'), { what: 'operation', key: 'hologram' }],
      [() => spend(null), { what: 'operation', key: '' }],
      [() => spend('Image'), { what: 'operation', key: 'Image' }],
    ] as const) {
      expect(await creditsError(attempt())).toEqual({
        code: 'PC404',
        detail,
        hint: expect.any(String),
      });
    }
  });

  test('PC422 for labels and keys of no or too much length', async () => {
    for (const field of ['idempotency_key', 'member_id']) {
      for (const value of ['', 'x'.repeat(256)]) {
        expect(await creditsError(spend('image', {}, { [field]: value }))).toMatchObject({
          code: 'PC422',
          detail: { field },
          hint: expect.any(String),
        });
      }
      expect(await spend('image', {}, { [field]: 'x'.repeat(255) })).toHaveLength(1);
    }
  });

  test('leaves no trace: no entry, no settlement, no gap', async () => {
    await spend('image', {}, { idempotency_key: 'first' });
    // Two boundaries have passed by now, and nobody has written them down.
    await database.setNow('2026-05-20T00:00:00Z');
    const before = await everything();
    for (const [attempt, code] of [
      [() => spend('video', seconds(100.01)), 'PC402'],
      [() => spend('upscale'), 'PC403'],
      [() => spend('hologram'), 'PC404'],
      [() => spend('image', {}, { max_amount: 1 }), 'PC409'],
      [() => spend('image', { count: 2 }, { idempotency_key: 'first' }), 'PC409'],
      [() => spend('image', { count: -1 }), 'PC422'],
      [() => spendItems([['image'], ['upscale']]), 'PC403'],
    ] as const) {
      expect(await creditsError(attempt())).toMatchObject({ code });
      expect(await everything()).toEqual(before);
    }
    expect(await spend('image')).toMatchObject([{ seq: 12 }]);
  });
});
