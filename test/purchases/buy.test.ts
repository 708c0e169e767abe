import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Arguments, call } from '../support/calls.ts';
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
});
afterAll(() => database.close());

const buy = (args: Arguments = {}) => team.one('buy', { pack: 'small', ...args });

test('records a pending purchase, and nothing is spendable', async () => {
  expect(await buy()).toMatchObject({
    account_id: team.id,
    purchase_id: 1,
    kind: 'pack',
    pack: 'small',
    unit: 'credit',
    amount: 200,
    price: 9,
    currency: 'USD',
    status: 'pending',
    payment_reference: null,
    shortfall: 0,
    reversed_amount: 0,
    declines: 0,
    next_attempt_at: null,
    reason: null,
    member_id: null,
    created_at: new Date(NOON),
    settled_at: null,
  });
  expect(await team.total()).toBe(0);
  expect(await team.lots()).toEqual([]);
  expect(await team.log()).toEqual([]);
});

test('counts the purchases of each account from 1', async () => {
  const other = account(database, `${team.id} other`);
  await other.opened();
  expect(await buy()).toMatchObject({ purchase_id: 1 });
  expect(await buy()).toMatchObject({ purchase_id: 2 });
  expect(await other.one('buy', { pack: 'small' })).toMatchObject({ purchase_id: 1 });
});

test('takes the pack of another unit', async () => {
  expect(await buy({ pack: 'film' })).toMatchObject({ unit: 'minute', amount: 30, price: 3 });
});

describe('the currency', () => {
  test('is one that is asked for', async () => {
    expect(await buy({ currency: 'EUR' })).toMatchObject({ price: 8, currency: 'EUR' });
    expect(await buy({ currency: 'KWD' })).toMatchObject({ price: 2.755, currency: 'KWD' });
  });

  test('is the first there is, where there is no price in dollars', async () => {
    expect(await buy({ pack: 'odd' })).toMatchObject({ price: 5, currency: 'CHF' });
  });

  test('must be one that the pack has a price in', async () => {
    expect(await creditsError(buy({ currency: 'SEK' }))).toMatchObject({
      code: 'PC422',
      detail: { field: 'currency', reason: 'no_price', currency: 'SEK' },
    });
    expect(await creditsError(buy({ pack: 'unpriced' }))).toMatchObject({
      code: 'PC422',
      detail: { field: 'currency', reason: 'no_price', currency: null, known: [] },
    });
  });
});

describe('what is unknown', () => {
  test('an account', async () => {
    expect(
      await creditsError(call(database.pool, 'buy', { account_id: 'nobody', pack: 'small' })),
    ).toMatchObject({ code: 'PC404', detail: { what: 'account', key: 'nobody' } });
  });

  test('a pack, and one of another card', async () => {
    for (const pack of ['large', '', null]) {
      expect(await creditsError(buy({ pack }))).toMatchObject({
        code: 'PC404',
        detail: { what: 'pack', key: pack ?? '' },
      });
    }
    const elsewhere = account(database, `${team.id} elsewhere`);
    await elsewhere.opened(0, { rate_card: 'stall' });
    expect(await creditsError(elsewhere.one('buy', { pack: 'small' }))).toMatchObject({
      code: 'PC404',
      detail: { what: 'pack', key: 'small' },
    });
  });

  test('a pack that is no longer sold', async () => {
    await database.query(`update credits.packs set retired_at = $1 where pack = 'odd'`, [NOON]);
    try {
      expect(await creditsError(buy({ pack: 'odd' }))).toMatchObject({
        code: 'PC404',
        detail: { what: 'pack', key: 'odd' },
      });
    } finally {
      await database.query(`update credits.packs set retired_at = null where pack = 'odd'`);
    }
  });
});

describe('a pack for certain plans', () => {
  test('is refused without a plan, and with another one', async () => {
    const detail = { requires: 'plan', pack: 'studio', plans: ['kiosk_studio'] };
    expect(await creditsError(buy({ pack: 'studio' }))).toMatchObject({
      code: 'PC403',
      detail: { ...detail, plan: null },
    });
    await team.one('subscribe', { plan: 'kiosk_pro' });
    expect(await creditsError(buy({ pack: 'studio' }))).toMatchObject({
      code: 'PC403',
      detail: { ...detail, plan: 'kiosk_pro' },
    });
    expect(await team.purchases()).toEqual([]);
  });

  test('is sold with one of them, as the plan is now', async () => {
    await team.one('subscribe', { plan: 'kiosk_studio' });
    expect(await buy({ pack: 'studio' })).toMatchObject({ amount: 1000 });
    await team.one('cancel_subscription', {});
    await database.setNow('2026-04-10T12:00:00Z');
    expect(await creditsError(buy({ pack: 'studio' }))).toMatchObject({
      code: 'PC403',
      detail: { requires: 'plan', plan: null },
    });
  });
});

describe('an idempotency key', () => {
  test('returns the original purchase as it is now', async () => {
    const first = await buy({ idempotency_key: 'once', member_id: null });
    expect(await buy({ idempotency_key: 'once' })).toEqual(first);
    const settled = await team.settle(first.purchase_id);
    expect(await buy({ idempotency_key: 'once' })).toEqual(settled);
    expect(await team.purchases()).toHaveLength(1);
  });

  test('names the currency too, where one was asked for', async () => {
    const first = await buy({ idempotency_key: 'once', currency: 'EUR' });
    expect(await buy({ idempotency_key: 'once', currency: 'EUR' })).toEqual(first);
    expect(await buy({ idempotency_key: 'once' })).toEqual(first);
    expect(await creditsError(buy({ idempotency_key: 'once', currency: 'USD' }))).toMatchObject({
      code: 'PC409',
      detail: { reason: 'idempotency_key_reused', idempotency_key: 'once' },
    });
  });

  test('is refused for another pack or member', async () => {
    await team.one('add_member', { member_id: 'ann', role: 'admin' });
    await buy({ idempotency_key: 'once' });
    for (const args of [{ pack: 'odd' }, { member_id: 'ann' }]) {
      expect(await creditsError(buy({ idempotency_key: 'once', ...args }))).toMatchObject({
        code: 'PC409',
        detail: { reason: 'idempotency_key_reused', idempotency_key: 'once' },
      });
    }
  });

  test('is one namespace with spends, holds and grants', async () => {
    await team.one('grant', { amount: 10, idempotency_key: 'a grant' });
    const job = { operation: 'job', usage: { n: 1 } };
    await team.one('spend', { ...job, idempotency_key: 'a spend' });
    await team.one('authorize', { ...job, idempotency_key: 'a hold' });
    for (const idempotency_key of ['a grant', 'a spend', 'a hold']) {
      expect(await creditsError(buy({ idempotency_key }))).toMatchObject({
        code: 'PC409',
        detail: { reason: 'idempotency_key_reused', idempotency_key },
      });
    }
    await buy({ idempotency_key: 'a purchase' });
    for (const [name, args] of [
      ['spend', job],
      ['authorize', job],
      ['grant', { amount: 10 }],
    ] as const) {
      expect(
        await creditsError(team.one(name, { ...args, idempotency_key: 'a purchase' })),
      ).toMatchObject({ code: 'PC409', detail: { reason: 'idempotency_key_reused' } });
    }
  });

  test('is kept by no refusal, and free in another account', async () => {
    await creditsError(buy({ pack: 'large', idempotency_key: 'once' }));
    expect(await buy({ idempotency_key: 'once' })).toMatchObject({ purchase_id: 1 });
    const other = account(database, `${team.id} other`);
    await other.opened();
    expect(await other.one('buy', { pack: 'odd', idempotency_key: 'once' })).toMatchObject({
      pack: 'odd',
    });
  });

  test('is a text of 1 to 255 characters, as the member is', async () => {
    for (const field of ['idempotency_key', 'member_id']) {
      await team.one('add_member', { member_id: 'x'.repeat(255), role: 'admin' });
      for (const value of ['', 'x'.repeat(256)]) {
        const { code, detail } = await creditsError(buy({ [field]: value }));
        // A member that cannot be is no admin.
        if (field === 'member_id') expect(code).toBe('PC403');
        else expect({ code, detail }).toMatchObject({ code: 'PC422', detail: { field } });
      }
      expect(await buy({ [field]: 'x'.repeat(255) })).toMatchObject({
        [field]: 'x'.repeat(255),
      });
    }
  });
});

describe('who may', () => {
  const asMember = (claims: Record<string, string>, args: Arguments = {}) =>
    database.as('credits_member', { account_id: team.id, ...claims }, async (query) => {
      const values = [team.id, 'small', args.member_id ?? null];
      return (await query('select * from credits.buy($1, $2, $3)', values))[0];
    });

  test('the service, for the system itself or for an admin', async () => {
    await team.one('add_member', { member_id: 'ann', role: 'admin' });
    const asService = (member_id: string | null) =>
      database.as('credits_service', {}, async (query) => {
        const values = [team.id, member_id];
        return (await query(`select * from credits.buy($1, 'small', $2)`, values))[0];
      });
    expect(await asService(null)).toMatchObject({ member_id: null });
    expect(await asService('ann')).toMatchObject({ member_id: 'ann' });
  });

  test('not the service for a member, or for somebody unknown', async () => {
    await team.one('add_member', { member_id: 'bob' });
    for (const member_id of ['bob', 'nobody']) {
      expect(await creditsError(buy({ member_id }))).toMatchObject({
        code: 'PC403',
        detail: { requires: 'admin', member_id },
      });
    }
    expect(await team.purchases()).toEqual([]);
  });

  test('an admin of one account is none of another', async () => {
    const other = account(database, `${team.id} other`);
    await other.opened();
    await other.one('add_member', { member_id: 'ann', role: 'admin' });
    expect(await creditsError(buy({ member_id: 'ann' }))).toMatchObject({
      code: 'PC403',
      detail: { requires: 'admin', member_id: 'ann' },
    });
  });

  test('a member whose claims say admin, in their own name', async () => {
    expect(await asMember({ member_role: 'admin', member_id: 'eve' })).toMatchObject({
      member_id: 'eve',
    });
    expect(
      await asMember({ member_role: 'admin', member_id: 'eve' }, { member_id: 'somebody else' }),
    ).toMatchObject({ member_id: 'eve' });
  });

  test('not a member whose claims say less, or are of another account', async () => {
    for (const member_role of ['member', '', 'ADMIN']) {
      expect(await creditsError(asMember({ member_role, member_id: 'eve' }))).toMatchObject({
        code: 'PC403',
        detail: { requires: 'admin', member_id: 'eve' },
      });
    }
    expect(
      await creditsError(asMember({ account_id: 'another', member_role: 'admin' })),
    ).toMatchObject({ code: 'PC403', detail: { requires: 'account' } });
    expect(
      await creditsError(
        database.as('credits_analyst', {}, (query) =>
          query(`select * from credits.buy($1, 'small')`, [team.id]),
        ),
      ),
    ).toMatchObject({ code: 'PC403', detail: { requires: 'account' } });
  });
});

describe('purchase_to_pay', () => {
  const toPay = (purchase_id: number) => team.one('purchase_to_pay', { purchase_id });

  test('is a pack that is pending', async () => {
    const purchase = await buy();
    expect(await toPay(purchase.purchase_id)).toEqual(purchase);
  });

  test('is refused once it is paid, has failed or is reversed', async () => {
    for (let purchase_id = 1; purchase_id <= 3; purchase_id++) await buy();
    await team.settle(1);
    await team.fail(2);
    await team.one('reverse_purchase', { purchase_id: 3, reason: 'dispute' });
    for (const [purchase_id, status] of [
      [1, 'settled'],
      [2, 'failed'],
      [3, 'reversed'],
    ] as const) {
      expect(await creditsError(toPay(purchase_id))).toMatchObject({
        code: 'PC409',
        detail: { reason: `already_${status}`, purchase_id },
      });
    }
  });

  test('is refused for a top-up', async () => {
    await team.topUps();
    expect(await creditsError(toPay(1))).toMatchObject({
      code: 'PC409',
      detail: { reason: 'charged_automatically', purchase_id: 1 },
    });
  });

  test('is unknown where there is none', async () => {
    expect(await creditsError(toPay(1))).toMatchObject({
      code: 'PC404',
      detail: { what: 'purchase', key: '1' },
    });
  });
});
