import { describe, expect, test } from 'vitest';
import { type Account, NOON, refused, workshop } from '../support/workshop.ts';

const shop = workshop();

/** 20 included, 10 until April 1st, 70 without expiry; the hold of 50 takes 20, 10 and 20 of them. */
async function heldOverThreeLots(): Promise<Account> {
  const team = await shop.team();
  await team.grant(20, { bucket: 'included' });
  await team.grant(10, { expires_at: '2026-04-01T00:00:00Z' });
  await team.grant(70);
  await team.hold(50);
  return team;
}

const HELD = [
  [0, 20, 0, 0],
  [0, 10, 0, 0],
  [50, 20, 0, 0],
];

describe('what is captured', () => {
  test('the whole hold', async () => {
    const team = await heldOverThreeLots();
    expect(await team.figures()).toEqual(HELD);
    await shop.at('2026-03-10T12:30:00Z');
    const entries = await team.capture(1);
    expect(entries).toMatchObject([
      {
        seq: 4,
        unit: 'credit',
        kind: 'usage',
        operation: 'job',
        usage: { n: 50 },
        amount: -50,
        included: -20,
        additional: -30,
        balance_after: 50,
        hold_id: 1,
        breakdown: [{ operation: 'job', component: 'base', quantity: 50, amount: 50 }],
        occurred_at: new Date('2026-03-10T12:30Z'),
        metadata: null,
      },
    ]);
    expect(await team.postings(4)).toEqual([
      [1, -20],
      [2, -10],
      [3, -20],
    ]);
    expect(await team.figures()).toEqual([
      [0, 0, 20, 0],
      [0, 0, 10, 0],
      [50, 0, 20, 0],
    ]);
    expect(await team.holds()).toMatchObject([
      { status: 'captured', captured: 50, ended_at: new Date('2026-03-10T12:30Z') },
    ]);
  });

  test('an amount: the rest returns to the lots it came from, the last drawn first', async () => {
    const team = await heldOverThreeLots();
    expect(await team.capture(1, { amount: 25.5 })).toMatchObject([
      {
        amount: -25.5,
        included: -20,
        additional: -5.5,
        usage: { n: 50 },
        breakdown: [{ operation: 'job', component: 'captured', amount: 25.5 }],
      },
    ]);
    expect(await team.figures()).toEqual([
      [0, 0, 20, 0],
      [4.5, 0, 5.5, 0],
      [70, 0, 0, 0],
    ]);
    expect(await team.holds()).toMatchObject([{ status: 'captured', amount: 50, captured: 25.5 }]);
  });

  test('an amount of the whole hold keeps its breakdown', async () => {
    const team = await heldOverThreeLots();
    expect(await team.capture(1, { amount: 50 })).toMatchObject([
      { amount: -50, breakdown: [{ component: 'base', quantity: 50 }] },
    ]);
  });

  test('usage, at the hold’s rates', async () => {
    const team = await heldOverThreeLots();
    expect(await team.capture(1, { usage: { n: 7, count: 2 } })).toMatchObject([
      {
        amount: -14,
        operation: 'job',
        usage: { n: 7, count: 2 },
        breakdown: [{ quantity: 7, count: 2, amount: 14 }],
      },
    ]);
    expect(await team.figures()).toEqual([
      [6, 0, 14, 0],
      [10, 0, 0, 0],
      [70, 0, 0, 0],
    ]);
  });

  test('above the hold: the rest is drawn afresh, in the draw order', async () => {
    const team = await heldOverThreeLots();
    await team.grant(5, { bucket: 'included' });
    expect(await team.capture(1, { amount: 65 })).toMatchObject([
      { amount: -65, included: -25, additional: -40 },
    ]);
    expect(await team.postings(5)).toEqual([
      [1, -20],
      [2, -10],
      [3, -20],
      [4, -5],
      [3, -10],
    ]);
    expect(await team.holds()).toMatchObject([{ amount: 50, captured: 65 }]);
    expect(await team.figures()).toMatchObject([
      [0, 0, 20, 0],
      [0, 0, 10, 0],
      [40, 0, 30, 0],
      [0, 0, 5, 0],
    ]);
  });

  test('above what can be paid: PC402, and nothing has changed', async () => {
    const team = await heldOverThreeLots();
    await team.hold(30);
    const before = await team.everything();
    // 20 are free; the other hold's 30 are not.
    expect(await refused(team.capture(1, { amount: 70.01 }))).toMatchObject({
      code: 'PC402',
      unit: 'credit',
      required: 20.01,
      available: 20,
      shortfall: 0.01,
    });
    expect(await team.everything()).toEqual(before);
    expect(await team.capture(1, { amount: 70 })).toMatchObject([{ amount: -70 }]);
    expect(await team.capture(2)).toMatchObject([{ amount: -30, balance_after: 0 }]);
  });

  test.each([{ amount: 0 }, { usage: { n: 0 } }])('%j is a release', async (nothing) => {
    const team = await heldOverThreeLots();
    expect(await team.capture(1, nothing)).toEqual([]);
    expect(await team.holds()).toMatchObject([{ status: 'released', captured: 0 }]);
    expect(await team.figures()).toEqual([
      [20, 0, 0, 0],
      [10, 0, 0, 0],
      [70, 0, 0, 0],
    ]);
    expect(await team.capture(1, nothing)).toEqual([]);
    expect(await team.release(1)).toMatchObject([{ status: 'released' }]);
    expect(await refused(team.capture(1))).toMatchObject({
      code: 'PC409',
      reason: 'already_released',
      hold_id: 1,
    });
    expect(await team.lines(3)).toEqual([]);
  });
});

test('an amount that is too large; what is held may always be captured', async () => {
  const team = await shop.team();
  for (let time = 0; time < 3; time += 1) await team.grant(1e12);
  const usage = { n: 1e12, count: 2 };
  const { hold_id } = await team.one('authorize', { operation: 'job', usage });
  for (const amount of ['2e12', '1e13']) {
    const refusal = refused(team.capture((await team.hold(1)).hold_id, { amount }));
    expect(await refusal).toMatchObject({ code: 'PC422', field: 'amount', reason: 'too_large' });
  }
  expect(await team.capture(hold_id, { amount: '2e12' })).toMatchObject([{ amount: -2e12 }]);
});

describe('captured twice', () => {
  const CAPTURES = [
    {},
    { amount: 30 },
    { amount: '30.00' },
    { usage: { n: 30 } },
    { usage: { n: 50 } },
    { amount: 50 },
  ];
  const same = (a: object, b: object) => JSON.stringify(a) === JSON.stringify(b);

  test.each(CAPTURES)(
    '%j: the same returns the original entries, another is PC409',
    async (once) => {
      const team = await heldOverThreeLots();
      const entries = await team.capture(1, once);
      await shop.at('2026-03-12T00:00:00Z');
      await team.spend(1);
      const before = await team.everything();
      expect(await team.capture(1, once)).toEqual(entries);
      for (const other of CAPTURES) {
        if (same(once, other)) continue;
        if ('amount' in once && 'amount' in other && Number(once.amount) === Number(other.amount)) {
          expect(await team.capture(1, other)).toEqual(entries);
        } else {
          expect(await refused(team.capture(1, other))).toMatchObject({
            code: 'PC409',
            reason: 'already_captured',
            hold_id: 1,
          });
        }
      }
      expect(await refused(team.capture(1, { amount: 0 }))).toMatchObject({ code: 'PC409' });
      expect(await refused(team.release(1))).toMatchObject({
        code: 'PC409',
        reason: 'already_captured',
        hold_id: 1,
      });
      expect(await team.everything()).toEqual(before);
    },
  );

  test('after its entry was refunded, the same capture still returns it and charges nothing', async () => {
    const team = await heldOverThreeLots();
    const entries = await team.capture(1);
    await team.refund(entries[0].seq);
    expect(await team.capture(1)).toEqual(entries);
    expect((await team.balance()).total).toBe(100);
  });

  test('after a release: PC409', async () => {
    const team = await heldOverThreeLots();
    await team.release(1);
    const before = await team.everything();
    for (const capture of CAPTURES) {
      expect(await refused(team.capture(1, capture))).toMatchObject({
        code: 'PC409',
        reason: 'already_released',
      });
    }
    expect(await team.everything()).toEqual(before);
  });
});

describe('several units', () => {
  const film = (n: number, minutes: number) => ({ n, footage: true, minutes });
  const authorized = async (usage: object) => {
    const team = await shop.team('ws_pro');
    await team.all('authorize', { operation: 'film', usage });
    return team;
  };

  test('the whole hold: an entry a unit', async () => {
    const team = await authorized(film(20, 4));
    expect(await team.capture(1)).toMatchObject([
      { seq: 3, unit: 'credit', amount: -20, hold_id: 1 },
      { seq: 4, unit: 'minute', amount: -4, hold_id: 1 },
    ]);
    expect(await team.holds()).toMatchObject([
      { unit: 'credit', status: 'captured', captured: 20 },
      { unit: 'minute', status: 'captured', captured: 4 },
    ]);
    expect(await team.capture(1)).toMatchObject([{ seq: 3 }, { seq: 4 }]);
  });

  test('usage: below in one unit, above in the other', async () => {
    const team = await authorized(film(20, 4));
    expect(await team.capture(1, { usage: film(5, 9) })).toMatchObject([
      { unit: 'credit', amount: -5 },
      { unit: 'minute', amount: -9 },
    ]);
    expect(await team.figures()).toEqual([
      [95, 0, 5, 0],
      [1, 0, 9, 0],
    ]);
  });

  test('one unit that cannot be paid leaves both as they were', async () => {
    const team = await authorized(film(20, 4));
    const before = await team.everything();
    expect(await refused(team.capture(1, { usage: film(5, 11) }))).toMatchObject({
      code: 'PC402',
      unit: 'minute',
      required: 7,
      available: 6,
    });
    expect(await team.everything()).toEqual(before);
  });

  test('a unit that comes to nothing returns whole', async () => {
    const team = await authorized(film(20, 4));
    expect(await team.capture(1, { usage: { n: 5 } })).toMatchObject([
      { unit: 'credit', amount: -5 },
    ]);
    expect(await team.figures()).toEqual([
      [95, 0, 5, 0],
      [10, 0, 0, 0],
    ]);
    expect(await team.holds()).toMatchObject([
      { unit: 'credit', status: 'captured', captured: 5 },
      { unit: 'minute', status: 'captured', captured: 0 },
    ]);
  });

  test('a unit at 0 beside one that is not', async () => {
    const team = await authorized(film(20, 4));
    expect(await team.capture(1, { usage: film(0, 3) })).toMatchObject([
      { unit: 'credit', amount: 0 },
      { unit: 'minute', amount: -3 },
    ]);
    expect((await team.balance()).total).toBe(100);
  });

  test('a unit that only the capture brings is drawn afresh, and is a row of the hold', async () => {
    const team = await authorized({ n: 20 });
    expect(await team.holds()).toHaveLength(1);
    expect(await refused(team.capture(1, { usage: film(10, 11) }))).toMatchObject({
      code: 'PC402',
      unit: 'minute',
      required: 11,
      available: 10,
    });
    expect(await team.holds()).toMatchObject([{ status: 'open' }]);
    const entries = await team.capture(1, { usage: film(10, 3) });
    expect(entries).toMatchObject([
      { unit: 'credit', amount: -10, hold_id: 1 },
      { unit: 'minute', amount: -3, hold_id: 1 },
    ]);
    expect(await team.holds()).toMatchObject([
      { unit: 'credit', amount: 20, captured: 10, status: 'captured' },
      { unit: 'minute', amount: 0, captured: 3, status: 'captured' },
    ]);
    expect(await team.capture(1, { usage: film(10, 3) })).toEqual(entries);
  });

  test('an amount has no meaning: PC422', async () => {
    const team = await authorized(film(20, 4));
    for (const amount of [0, 3]) {
      expect(await refused(team.capture(1, { amount }))).toMatchObject({
        code: 'PC422',
        field: 'amount',
        reason: 'several_units',
      });
    }
  });
});

describe('a job of several items', () => {
  test('is captured whole, by items or by amount', async () => {
    const team = await shop.team(100);
    const items: [string, object][] = [
      ['job', { n: 10 }],
      ['talk', { n: 20 }],
    ];
    for (const _ of [1, 2, 3]) await team.holdItems(items);
    expect(await team.capture(1)).toMatchObject([
      { operation: null, amount: -30, usage: [{ operation: 'job' }, { operation: 'talk' }] },
    ]);
    const came = {
      hold_id: 2,
      items: [
        ['job', { n: 3 }],
        ['talk', { n: 4 }],
        ['free', {}],
      ],
    };
    const entries = await team.all('capture_items', came);
    expect(entries).toMatchObject([{ operation: null, amount: -7, hold_id: 2 }]);
    expect(await team.all('capture_items', came)).toEqual(entries);
    expect(
      await refused(team.all('capture_items', { ...came, items: [['job', { n: 3 }]] })),
    ).toMatchObject({
      code: 'PC409',
      reason: 'already_captured',
    });
    expect(await team.capture(3, { amount: 5 })).toMatchObject([{ amount: -5 }]);
    expect((await team.balance()).total).toBe(58);
  });

  test('of several operations has no one usage: PC422', async () => {
    const team = await shop.team(100);
    await team.holdItems([
      ['job', { n: 10 }],
      ['talk', { n: 20 }],
    ]);
    expect(await refused(team.capture(1, { usage: { n: 1 } }))).toMatchObject({
      code: 'PC422',
      field: 'usage',
      reason: 'several_operations',
    });
    expect(await refused(team.all('capture_items', { hold_id: 1, items: [] }))).toMatchObject({
      code: 'PC422',
      field: 'items',
    });
  });

  test('of one operation: one item for it is the same capture as its usage', async () => {
    const team = await shop.team(100);
    await team.hold(10);
    const entries = await team.all('capture_items', { hold_id: 1, items: [['job', { n: 4 }]] });
    expect(entries).toMatchObject([{ operation: 'job', usage: { n: 4 }, amount: -4 }]);
    expect(await team.capture(1, { usage: { n: 4 } })).toEqual(entries);
  });
});

describe('the hold’s rates', () => {
  const reprice = async (operation: string, price: number | null, at: string) => {
    await shop.at(at);
    await shop.database.query(
      `update credits.card_rates set valid_until = $2 where operation = $1 and valid_until = 'infinity'`,
      [operation, at],
    );
    if (price !== null) {
      await shop.database.query(
        `insert into credits.card_rates (rate_card, operation, unit, price, measure, valid_from)
         values ('workshop', $1, 'credit', $2, 'n', $3)`,
        [operation, price, at],
      );
    }
    await shop.database.query(`select credits_private.list_prices('workshop', $1)`, [at]);
  };

  test('after a price change', async () => {
    const team = await shop.team(1000);
    await team.hold(10);
    await team.hold(10);
    await reprice('job', 3, '2026-03-10T12:10:00Z');
    try {
      expect(await team.hold(10)).toMatchObject({ amount: 30 });
      expect(await team.capture(1, { usage: { n: 20 } })).toMatchObject([{ amount: -20 }]);
      await shop.at('2026-03-11T12:00:00Z');
      expect(await team.capture(2, { usage: { n: 20 } })).toMatchObject([
        { amount: -20, metadata: { late: true } },
      ]);
      expect(await team.capture(3, { usage: { n: 20 } })).toMatchObject([{ amount: -60 }]);
    } finally {
      await shop.database.query(
        `delete from credits.card_rates where operation = 'job' and price = 3`,
      );
      await shop.database.query(
        `update credits.card_rates set valid_until = 'infinity' where operation = 'job';
         select credits_private.list_prices('workshop', '2026-03-10Z')`,
      );
    }
  });

  test('after the operation was retired', async () => {
    const team = await shop.team(100);
    await team.hold(10);
    await shop.at('2026-03-10T12:10:00Z');
    // As a load does that no longer has it.
    await shop.database.query(`
      update credits.operations set retired_at = '2026-03-10T12:05Z' where operation = 'job';
      update credits.card_rates set valid_until = '2026-03-10T12:05Z' where operation = 'job';
      select credits_private.list_prices('workshop', '2026-03-10Z')`);
    try {
      expect(await refused(team.spend(1))).toMatchObject({ code: 'PC404', what: 'operation' });
      expect(await team.capture(1, { usage: { n: 4 } })).toMatchObject([{ amount: -4 }]);
    } finally {
      await shop.database.query(`
        update credits.operations set retired_at = null;
        update credits.card_rates set valid_until = 'infinity' where operation = 'job';
        select credits_private.list_prices('workshop', '2026-03-10Z')`);
    }
  });

  test('after a change of plan', async () => {
    const team = await shop.team('ws_pro');
    await team.hold(40, { operation: 'talk' });
    expect(await team.holds()).toMatchObject([{ amount: 20, plan: 'ws_pro' }]);
    await team.grant(100);
    await team.one('cancel_subscription', { immediately: true });
    expect(await team.spend(40, { operation: 'talk' })).toMatchObject([{ amount: -40 }]);
    expect(await team.capture(1, { usage: { n: 30 } })).toMatchObject([{ amount: -15 }]);
  });

  test('a gate that has closed since bars no capture', async () => {
    const team = await shop.team('ws_pro');
    await team.hold(10, { operation: 'agent' });
    await team.one('cancel_subscription', { immediately: true });
    expect(await refused(team.hold(1, { operation: 'agent' }))).toMatchObject({
      code: 'PC403',
      requires: 'plan',
    });
    expect(await team.capture(1, { usage: { n: 4 } })).toMatchObject([{ amount: -4 }]);
  });
});

test('bad input', async () => {
  const team = await heldOverThreeLots();
  const before = await team.everything();
  expect(await refused(team.capture(7))).toEqual({ code: 'PC404', what: 'hold', key: '7' });
  expect(await refused(team.release(7))).toEqual({ code: 'PC404', what: 'hold', key: '7' });
  expect(await refused(team.capture(1, { account_id: 'nobody' }))).toMatchObject({
    code: 'PC404',
    what: 'account',
  });
  expect(await refused(team.all('release', { account_id: 'nobody', hold_id: 1 }))).toMatchObject({
    code: 'PC404',
    what: 'account',
  });
  for (const [rest, detail] of [
    [
      { amount: 1, usage: { n: 1 } },
      { field: 'amount', reason: 'usage_and_amount' },
    ],
    [{ amount: -1 }, { field: 'amount', reason: 'not_positive' }],
    [{ amount: 'NaN' }, { field: 'amount', reason: 'not_positive' }],
    [{ amount: 'Infinity' }, { field: 'amount', reason: 'not_positive' }],
    [{ amount: 1.001 }, { field: 'amount', reason: 'too_fine' }],
    [{ usage: [] }, { field: 'usage', reason: 'not_an_object' }],
    [{ usage: { n: 'x' } }, { field: 'n' }],
    [{ usage: {} }, { field: 'n' }],
  ] as const) {
    expect(await refused(team.capture(1, rest)), JSON.stringify(rest)).toMatchObject({
      code: 'PC422',
      ...detail,
    });
  }
  expect(await team.everything()).toEqual(before);
  expect(
    await shop.database.query(`select $1::timestamptz = credits_private.now() as frozen`, [NOON]),
  ).toEqual([{ frozen: true }]);
});
