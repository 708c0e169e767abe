import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Arguments, Row } from '../support/calls.ts';
import { creditsError, type TestDatabase, verifyAfterEach } from '../support/database.ts';
import { type Account, account, kioskDatabase, NOON } from './kiosk.ts';

let database: TestDatabase;
let team: Account;
let number = 0;
verifyAfterEach(() => database);

beforeAll(async () => {
  database = await kioskDatabase();
});
beforeEach(async () => {
  await database.setNow(NOON);
  number += 1;
  team = account(database, `team ${number}`);
  await team.opened();
  await team.one('buy', { pack: 'small' });
});
afterAll(() => database.close());

const reverse = (args: Arguments = {}) =>
  team.one('reverse_purchase', { purchase_id: 1, reason: 'dispute', ...args });
const lotsBut = (lots: Row[], lot_id: number) => lots.filter((lot) => lot.lot_id !== lot_id);

describe('reverse_purchase', () => {
  test('takes back what was bought, and logs it', async () => {
    await team.settle(1);
    expect(await reverse()).toMatchObject({
      status: 'reversed',
      reversed_amount: 200,
      shortfall: 0,
      reason: 'dispute',
      payment_reference: 'pay_1',
    });
    expect(await team.total()).toBe(0);
    expect(await team.lots()).toMatchObject([{ granted: 200, forfeited: 200, available: 0 }]);
    expect((await team.log()).at(-1)).toMatchObject({
      kind: 'revocation',
      amount: -200,
      additional: -200,
      balance_after: 0,
      purchase_id: 1,
      reason: 'dispute',
    });
  });

  test('takes what is left and records the shortfall; no other lot is touched', async () => {
    await team.one('subscribe', { plan: 'kiosk_pro' });
    await team.settle(1);
    await team.one('grant', { amount: 500, priority: 200 });
    await team.one('buy', { pack: 'small' });
    await team.settle(2);
    await team.spend(250); // 100 included, then 150 of the first pack
    const before = await team.lots();
    const bought = before.find((lot) => lot.purchase_id === 1);
    expect(bought.available).toBe(50);
    expect(await reverse()).toMatchObject({
      status: 'reversed',
      reversed_amount: 200,
      shortfall: 150,
    });
    const after = await team.lots();
    expect(after.find((lot) => lot.purchase_id === 1)).toMatchObject({
      available: 0,
      forfeited: 50,
      spent: 150,
    });
    expect(lotsBut(after, bought.lot_id)).toEqual(lotsBut(before, bought.lot_id));
    expect(await team.total()).toBe(700);
  });

  test('what is spent altogether is all shortfall, and no entry', async () => {
    await team.settle(1);
    await team.spend(200);
    const log = await team.log();
    expect(await reverse()).toMatchObject({ status: 'reversed', shortfall: 200 });
    expect(await team.log()).toEqual(log);
  });

  test('what is held is not taken', async () => {
    await team.settle(1);
    await team.one('authorize', { operation: 'job', usage: { n: 120 } });
    expect(await reverse()).toMatchObject({ status: 'reversed', shortfall: 120 });
    expect(await team.lots()).toMatchObject([{ held: 120, available: 0, forfeited: 80 }]);
    expect(await team.one('capture', { hold_id: 1 })).toMatchObject({ amount: -120 });
  });

  test('in parts, down to nothing', async () => {
    await team.settle(1);
    await team.spend(100);
    expect(await reverse({ amount: 80 })).toMatchObject({
      status: 'settled',
      reversed_amount: 80,
      shortfall: 0,
    });
    expect(await reverse({ amount: 50.5 })).toMatchObject({
      status: 'settled',
      reversed_amount: 130.5,
      shortfall: 30.5,
    });
    expect(await reverse()).toMatchObject({
      status: 'reversed',
      reversed_amount: 200,
      shortfall: 100,
    });
    expect(await team.total()).toBe(0);
  });

  test('the last part ends it', async () => {
    await team.settle(1);
    await reverse({ amount: 150 });
    expect(await reverse({ amount: 50 })).toMatchObject({ status: 'reversed', shortfall: 0 });
  });

  test('again returns the purchase as it is', async () => {
    await team.settle(1);
    const first = await reverse();
    const log = await team.log();
    expect(await reverse({ reason: 'another' })).toEqual(first);
    expect(await team.log()).toEqual(log);
  });

  test('not more than was bought', async () => {
    await team.settle(1);
    await reverse({ amount: 150 });
    expect(await creditsError(reverse({ amount: 50.01 }))).toMatchObject({
      code: 'PC409',
      detail: {
        reason: 'more_reversed_than_bought',
        amount: 200,
        reversed: 150,
        requested: 50.01,
      },
    });
    await reverse();
    expect(await creditsError(reverse({ amount: 1 }))).toMatchObject({
      code: 'PC409',
      detail: { reason: 'more_reversed_than_bought', reversed: 200 },
    });
  });

  test('an amount above 0, within the scale of the unit', async () => {
    await team.settle(1);
    for (const amount of [0, -1, 'NaN', 'Infinity']) {
      expect(await creditsError(reverse({ amount }))).toMatchObject({
        code: 'PC422',
        detail: { field: 'amount', reason: 'not_positive' },
      });
    }
    expect(await creditsError(reverse({ amount: 0.001 }))).toMatchObject({
      code: 'PC422',
      detail: { field: 'amount', reason: 'too_fine' },
    });
  });

  test('of what is unknown', async () => {
    expect(await creditsError(reverse({ purchase_id: 7 }))).toMatchObject({
      code: 'PC404',
      detail: { what: 'purchase', key: '7' },
    });
    const nobody = account(database, 'nobody');
    expect(
      await creditsError(nobody.one('reverse_purchase', { purchase_id: 1, reason: 'x' })),
    ).toMatchObject({ code: 'PC404', detail: { what: 'account', key: 'nobody' } });
  });

  test('brings no top-up: who took their money back is not charged anew', async () => {
    await team.settle(1);
    await team.topUps();
    await reverse();
    expect(await team.total()).toBe(0);
    expect(await team.purchases()).toHaveLength(1);
  });
});

describe('what returns to the lot of a reversed purchase is taken back, up to the shortfall', () => {
  const revocations = async () =>
    (await team.log())
      .filter(({ kind }) => kind === 'revocation')
      .map(({ amount, purchase_id, reason }) => [amount, purchase_id, reason]);
  const held = async (n: number) => {
    await team.settle(1);
    await team.one('authorize', { operation: 'job', usage: { n } });
  };
  const purchase = async () => (await team.purchases())[0];

  test('a hold that is released', async () => {
    await held(120);
    await reverse();
    await team.one('release', { hold_id: 1 });
    expect(await purchase()).toMatchObject({ shortfall: 0, reversed_amount: 200 });
    expect(await team.lots()).toMatchObject([{ available: 0, held: 0, spent: 0, forfeited: 200 }]);
    expect(await revocations()).toEqual([
      [-80, 1, 'dispute'],
      [-120, 1, 'dispute'],
    ]);
  });

  test('a hold that is captured for less; what was charged stays short', async () => {
    await held(120);
    await reverse();
    await team.one('capture', { hold_id: 1, amount: 50 });
    expect(await purchase()).toMatchObject({ shortfall: 50 });
    expect(await team.lots()).toMatchObject([{ available: 0, held: 0, spent: 50, forfeited: 150 }]);
    expect((await revocations()).at(-1)).toEqual([-70, 1, 'dispute']);
  });

  test('a hold that ends by itself: in a forecast, in a quote, before a write and by the worker alike', async () => {
    await held(120);
    await reverse();
    const later = '2026-03-10T13:00:00Z';
    const at = async (instant: string | null) =>
      (await team.one('balances', { at: instant })) as Row;
    expect(await at(later)).toMatchObject({ total: 0, held: 0 });
    await database.setNow(later);
    expect(await at(null)).toMatchObject({ total: 0, held: 0 });
    expect(await team.one('quote', { operation: 'job', usage: { n: 1 } })).toMatchObject({
      available: 0,
      affordable: false,
    });
    expect(await creditsError(team.spend(1))).toMatchObject({
      code: 'PC402',
      detail: { available: 0 },
    });
    await database.query('select credits.settle_due()');
    expect(await purchase()).toMatchObject({ shortfall: 0 });
    expect((await team.log()).at(-1)).toMatchObject({
      kind: 'revocation',
      amount: -120,
      purchase_id: 1,
      occurred_at: new Date(later),
    });
    expect(await at(NOON)).toMatchObject({ total: 0, held: 120 });
  });

  test('two holds that end one after the other', async () => {
    await team.settle(1);
    await team.one('authorize', { operation: 'job', usage: { n: 60 } });
    await team.one('authorize', { operation: 'job', usage: { n: 140 }, expires_in: '2 hours' });
    await reverse({ amount: 100 });
    expect(await purchase()).toMatchObject({ status: 'settled', shortfall: 100 });
    await database.setNow('2026-03-10T14:00:00Z');
    expect(await team.total()).toBe(100);
    await database.query('select credits.settle_due()');
    expect((await revocations()).map(([amount]) => amount)).toEqual([-60, -40]);
    expect(await purchase()).toMatchObject({ shortfall: 0 });
    expect(await team.total()).toBe(100);
  });

  test.each([false, true])('a refund, regrant %s', async (regrant) => {
    await team.settle(1);
    await team.spend(150);
    await reverse();
    await team.one('refund', { seq: 2, amount: 90, regrant });
    expect((await team.log()).slice(-2)).toMatchObject([
      { kind: 'refund', amount: 90 },
      { kind: 'revocation', amount: -90, purchase_id: 1, reason: 'dispute' },
    ]);
    expect(await purchase()).toMatchObject({ shortfall: 60 });
    expect(await team.total()).toBe(0);
  });

  test('beyond the shortfall it is the account’s', async () => {
    await team.settle(1);
    await team.spend(150);
    await reverse({ amount: 100 });
    expect(await purchase()).toMatchObject({ shortfall: 50 });
    await team.one('refund', { seq: 2, amount: 80 });
    expect(await purchase()).toMatchObject({ shortfall: 0 });
    expect(await team.total()).toBe(30);
  });

  test('no other lot is touched', async () => {
    await team.one('grant', { amount: 50, priority: 50 });
    await team.settle(1);
    await team.one('buy', { pack: 'small' });
    await team.settle(2);
    await team.spend(300); // the gift, the first pack, and 50 of the second
    await reverse();
    await team.one('refund', { seq: 4 });
    expect(await team.lots()).toMatchObject([
      { available: 50 },
      { available: 0, spent: 0, forfeited: 200 },
      { available: 200 },
    ]);
  });
});

describe('before settlement', () => {
  test('it bars settlement', async () => {
    expect(await reverse()).toMatchObject({
      status: 'reversed',
      reversed_amount: 200,
      shortfall: 0,
      settled_at: null,
    });
    expect(await creditsError(team.settle(1))).toMatchObject({
      code: 'PC409',
      detail: { reason: 'already_reversed', purchase_id: 1 },
    });
    expect(await team.lots()).toEqual([]);
    expect(await team.log()).toEqual([]);
  });

  test('it bars settlement after a failure too', async () => {
    await team.fail(1);
    expect(await reverse()).toMatchObject({ status: 'reversed' });
    expect(await creditsError(team.settle(1))).toMatchObject({
      code: 'PC409',
      detail: { reason: 'already_reversed' },
    });
  });

  test('again, whole or in part, it changes nothing', async () => {
    const first = await reverse();
    expect(await reverse()).toEqual(first);
    expect(await reverse({ amount: 10 })).toEqual(first);
  });

  test('a part of it bars it as well', async () => {
    expect(await reverse({ amount: 10 })).toMatchObject({ status: 'reversed', shortfall: 0 });
    expect(await creditsError(team.settle(1))).toMatchObject({
      code: 'PC409',
      detail: { reason: 'already_reversed' },
    });
  });

  test('a top-up makes way for the next one', async () => {
    await team.one('grant', { amount: 10 });
    await team.topUps();
    await reverse({ purchase_id: 2 });
    await team.spend(1);
    expect(await team.purchases()).toMatchObject([
      {},
      { kind: 'top_up', status: 'reversed', next_attempt_at: null },
      { kind: 'top_up', status: 'pending' },
    ]);
  });
});

describe('reinstate_purchase', () => {
  const reinstate = (args: Arguments = {}) =>
    team.one('reinstate_purchase', { purchase_id: 1, reason: 'won', ...args });

  test('gives back to the purchase’s own lot what was taken, and forgives the shortfall', async () => {
    await team.settle(1);
    await team.spend(150);
    await reverse();
    expect(await reinstate()).toMatchObject({
      status: 'settled',
      reversed_amount: 200,
      reinstated_amount: 200,
      shortfall: 0,
      reason: 'won',
    });
    expect(await team.lots()).toMatchObject([
      { granted: 200, spent: 150, forfeited: 0, available: 50, price: 9 },
    ]);
    expect((await team.log()).at(-1)).toMatchObject({
      kind: 'purchase',
      amount: 50,
      additional: 50,
      balance_after: 50,
      purchase_id: 1,
      reason: 'won',
    });
  });

  test('in part: the shortfall first', async () => {
    await team.settle(1);
    await team.spend(150);
    await reverse();
    expect(await reinstate({ amount: 120 })).toMatchObject({ status: 'settled', shortfall: 30 });
    expect(await team.total()).toBe(0);
    await reinstate({ amount: 50 });
    expect(await team.total()).toBe(20);
    // What is refunded after that is the account's own.
    await team.one('refund', { seq: 2, amount: 10 });
    expect(await team.total()).toBe(30);
  });

  test('again changes nothing; reversed once more it is taken back once more', async () => {
    await team.settle(1);
    await reverse();
    const first = await reinstate();
    const log = await team.log();
    expect(await reinstate()).toEqual(first);
    expect(await team.log()).toEqual(log);
    expect(await reverse()).toMatchObject({ status: 'reversed', reversed_amount: 400 });
    expect(await team.total()).toBe(0);
  });

  test('at most what is reversed, of what was settled once', async () => {
    expect(await creditsError(reinstate())).toMatchObject({
      code: 'PC409',
      detail: { reason: 'never_settled', purchase_id: 1 },
    });
    await team.settle(1);
    await reverse({ amount: 80 });
    expect(await creditsError(reinstate({ amount: 80.01 }))).toMatchObject({
      code: 'PC409',
      detail: { reason: 'more_reinstated_than_reversed', reversed: 80, requested: 80.01 },
    });
    expect(await creditsError(reinstate({ amount: 0.001 }))).toMatchObject({
      code: 'PC422',
      detail: { field: 'amount', reason: 'too_fine' },
    });
    expect(await creditsError(reinstate({ purchase_id: 7 }))).toMatchObject({
      code: 'PC404',
      detail: { what: 'purchase', key: '7' },
    });
  });

  test('a top-up is given back as one', async () => {
    await team.topUps();
    await team.settle(2);
    await reverse({ purchase_id: 2 });
    await reinstate({ purchase_id: 2 });
    expect((await team.log()).at(-1)).toMatchObject({ kind: 'top_up', amount: 50, purchase_id: 2 });
    expect(await team.purchases()).toMatchObject([
      {},
      { status: 'settled' },
      { status: 'pending' },
    ]);
  });
});

describe('reverse_payment', () => {
  const returned = (money: number, rest: Arguments = {}) =>
    team.one('reverse_payment', {
      purchase_id: 1,
      payment_reference: 'pay_1',
      paid: 900,
      returned: money,
      reason: 'refund',
      ...rest,
    });

  test('reverses in the proportion of what came back', async () => {
    await team.settle(1);
    expect(await returned(450)).toMatchObject({
      status: 'settled',
      reversed_amount: 100,
      shortfall: 0,
      reason: 'refund',
    });
    expect(await team.total()).toBe(100);
  });

  test('counts what was returned in all, so thirds come to the whole', async () => {
    await team.settle(1);
    expect(await returned(300)).toMatchObject({ reversed_amount: 66.67 });
    expect(await returned(600)).toMatchObject({ reversed_amount: 133.33 });
    expect(await returned(900)).toMatchObject({ reversed_amount: 200, status: 'reversed' });
    expect((await team.log()).map(({ amount }) => amount)).toEqual([200, -66.67, -66.66, -66.67]);
  });

  test('rounds to the scale of the unit', async () => {
    await team.one('buy', { pack: 'film' });
    await team.settle(2);
    const film = { purchase_id: 2, payment_reference: 'pay_2', paid: 300 };
    expect(await returned(4, film)).toMatchObject({ reversed_amount: 0 });
    expect(await returned(5, film)).toMatchObject({ reversed_amount: 1 });
    expect(await returned(299, film)).toMatchObject({ reversed_amount: 30, status: 'reversed' });
  });

  test('twice, late or out of order changes nothing', async () => {
    await team.settle(1);
    const after = await returned(450);
    const log = await team.log();
    for (const money of [450, 300, 1, 0]) expect(await returned(money)).toEqual(after);
    expect(await team.log()).toEqual(log);
    await returned(900);
    expect(await returned(450)).toMatchObject({ status: 'reversed', reversed_amount: 200 });
  });

  test('more than was paid is all of it', async () => {
    await team.settle(1);
    expect(await returned(1800)).toMatchObject({ status: 'reversed', reversed_amount: 200 });
  });

  test('counts what was reversed by hand', async () => {
    await team.settle(1);
    await reverse({ amount: 100 });
    expect(await returned(300)).toMatchObject({ reversed_amount: 100 });
    expect(await returned(600)).toMatchObject({ reversed_amount: 133.33 });
  });

  test('records what is spent as the shortfall', async () => {
    await team.settle(1);
    await team.spend(150);
    expect(await returned(450)).toMatchObject({ reversed_amount: 100, shortfall: 50 });
  });

  test('in part, before the payment is reported: it was paid', async () => {
    expect(await returned(450)).toMatchObject({
      status: 'settled',
      payment_reference: 'pay_1',
      reversed_amount: 100,
    });
    expect(await team.settle(1, 'pay_1')).toMatchObject({ reversed_amount: 100 });
    expect(await team.total()).toBe(100);
  });

  test('whole, before the payment is reported: that is barred', async () => {
    expect(await returned(900)).toMatchObject({ status: 'reversed', settled_at: null });
    expect(await creditsError(team.settle(1))).toMatchObject({
      code: 'PC409',
      detail: { reason: 'already_reversed' },
    });
    expect(await returned(450)).toMatchObject({ status: 'reversed', settled_at: null });
    expect(await team.lots()).toEqual([]);
  });

  test('of a payment that did not settle it, it is refused', async () => {
    await team.settle(1, 'pay_2');
    expect(await creditsError(returned(900))).toMatchObject({
      code: 'PC409',
      detail: {
        reason: 'settled_by_another_payment',
        purchase_id: 1,
        payment_reference: 'pay_2',
      },
    });
    expect(await team.total()).toBe(200);
  });

  test('what came back after all is given back, once, in whatever order it is told', async () => {
    await team.settle(1);
    await team.spend(50);
    await returned(900);
    const won = await returned(900, { reinstated: 900 });
    expect(won).toMatchObject({ status: 'settled', shortfall: 0, reinstated_amount: 200 });
    expect(await team.total()).toBe(150);
    for (const args of [{}, { reinstated: 900 }, { reinstated: 450 }]) {
      expect(await returned(900, args)).toEqual(won);
    }
    // Half of it is refunded after that.
    expect(await returned(1350, { reinstated: 900 })).toMatchObject({
      status: 'settled',
      reversed_amount: 300,
      reinstated_amount: 200,
    });
    expect(await team.total()).toBe(50);
  });

  test('lost and won before anybody told of it, nothing moves', async () => {
    await team.settle(1);
    const log = await team.log();
    expect(await returned(900, { reinstated: 900 })).toMatchObject({ status: 'settled' });
    expect(await team.log()).toEqual(log);
    expect(await returned(900)).toMatchObject({ status: 'settled' });
    expect(await team.total()).toBe(200);
  });

  test('barred before it was settled, and come back: it was paid', async () => {
    await returned(900);
    expect(await returned(900, { reinstated: 900 })).toMatchObject({
      status: 'settled',
      payment_reference: 'pay_1',
    });
    expect(await team.total()).toBe(200);
    expect(await team.settle(1, 'pay_1')).toMatchObject({ status: 'settled' });
    expect(await team.total()).toBe(200);
  });

  test('wants sums', async () => {
    await team.settle(1);
    for (const paid of [0, -1, 'NaN', 'Infinity', null]) {
      expect(await creditsError(returned(1, { paid }))).toMatchObject({
        code: 'PC422',
        detail: { field: 'paid', reason: 'out_of_range' },
      });
    }
    for (const money of [-1, 'NaN', 'Infinity', null]) {
      expect(await creditsError(returned(0, { returned: money }))).toMatchObject({
        code: 'PC422',
        detail: { field: 'returned', reason: 'out_of_range' },
      });
    }
    for (const reinstated of [-1, 2, 'NaN', null]) {
      expect(await creditsError(returned(1, { reinstated }))).toMatchObject({
        code: 'PC422',
        detail: { field: 'reinstated', reason: 'out_of_range' },
      });
    }
    expect(await creditsError(returned(1, { purchase_id: 7 }))).toMatchObject({
      code: 'PC404',
      detail: { what: 'purchase', key: '7' },
    });
  });
});
