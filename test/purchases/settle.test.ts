import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { asOwnerRolledBack, call, sqlError } from '../support/calls.ts';
import { creditsError, type TestDatabase, verifyAfterEach } from '../support/database.ts';
import { backendPid, untilBlocked } from '../support/locks.ts';
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

const SETTLED_AT = '2026-03-10T13:00:00Z';

describe('settle_purchase', () => {
  test('grants one lot, additional and without expiry, and logs it', async () => {
    await database.setNow(SETTLED_AT);
    expect(await team.settle(1, 'pi_1')).toMatchObject({
      purchase_id: 1,
      status: 'settled',
      payment_reference: 'pi_1',
      settled_at: new Date(SETTLED_AT),
      shortfall: 0,
    });
    expect(await team.lots()).toMatchObject([
      {
        lot_id: 1,
        unit: 'credit',
        bucket: 'additional',
        priority: 100,
        granted: 200,
        available: 200,
        starts_at: new Date(SETTLED_AT),
        expires_at: null,
        source: 'purchase',
        purchase_id: 1,
        price: 9,
        currency: 'USD',
      },
    ]);
    expect(await team.log()).toMatchObject([
      {
        seq: 1,
        kind: 'purchase',
        amount: 200,
        included: 0,
        additional: 200,
        balance_after: 200,
        purchase_id: 1,
        occurred_at: new Date(SETTLED_AT),
      },
    ]);
    expect(await team.total()).toBe(200);
  });

  test('of a top-up says so', async () => {
    await team.topUps();
    await team.settle(2);
    expect(await team.lots()).toMatchObject([
      { source: 'top_up', purchase_id: 2, granted: 50, price: 2.5, currency: 'USD' },
    ]);
    expect(await team.log()).toMatchObject([{ kind: 'top_up', amount: 50, purchase_id: 2 }]);
  });

  test('grants in the unit that was bought', async () => {
    await team.one('buy', { pack: 'film' });
    await team.settle(2);
    expect(await team.total('minute')).toBe(30);
    expect(await team.total('credit')).toBe(0);
  });

  test('a payment reported twice credits once', async () => {
    const first = await team.settle(1, 'pi_1');
    await team.spend(150);
    await database.setNow('2026-05-01T00:00:00Z');
    expect(await team.settle(1, 'pi_1')).toEqual(first);
    expect(await team.total()).toBe(50);
    expect(await team.lots()).toHaveLength(1);
  });

  test('a payment reported twice at once credits once', async () => {
    const first = await database.pool.connect();
    const second = await database.pool.connect();
    try {
      const settle = (client: typeof first) =>
        call(client, 'settle_purchase', {
          account_id: team.id,
          purchase_id: 1,
          payment_reference: 'pi_1',
        });
      await first.query('begin');
      const [one] = await settle(first);
      const pid = await backendPid(second);
      const other = settle(second);
      await untilBlocked(database.pool, pid);
      await first.query('commit');
      expect(await other).toEqual([one]);
    } finally {
      first.release();
      second.release();
    }
    expect(await team.total()).toBe(200);
  });

  test('one after a failure settles it all the same', async () => {
    await team.fail(1, 'expired');
    expect(await team.settle(1)).toMatchObject({ status: 'settled', reason: null, declines: 0 });
    expect(await team.total()).toBe(200);
  });

  test('another payment is refused', async () => {
    await team.settle(1, 'pi_1');
    expect(await creditsError(team.settle(1, 'pi_2'))).toMatchObject({
      code: 'PC409',
      detail: { reason: 'already_settled', purchase_id: 1, payment_reference: 'pi_1' },
    });
    expect(await team.total()).toBe(200);
  });

  test('a payment settles one purchase of an account', async () => {
    await team.one('buy', { pack: 'odd' });
    await team.settle(1, 'pi_1');
    expect(await creditsError(team.settle(2, 'pi_1'))).toMatchObject({
      code: 'PC409',
      detail: { reason: 'payment_reference_used', payment_reference: 'pi_1' },
    });
    expect(await team.total()).toBe(200);
  });

  test('a reference of another account is no obstacle', async () => {
    const other = account(database, `${team.id} other`);
    await other.opened();
    await other.one('buy', { pack: 'small' });
    await team.settle(1, 'pi_1');
    expect(await other.settle(1, 'pi_1')).toMatchObject({ status: 'settled' });
  });

  test('what fell due before is written down before', async () => {
    await team.one('grant', { amount: 10, expires_at: '2026-03-11T00:00:00Z' });
    await database.setNow('2026-03-12T00:00:00Z');
    await team.settle(1);
    expect((await team.log()).map(({ kind, amount }) => [kind, amount])).toEqual([
      ['grant', 10],
      ['expiry', -10],
      ['purchase', 200],
    ]);
  });

  test('what is unknown', async () => {
    expect(await creditsError(team.settle(7))).toMatchObject({
      code: 'PC404',
      detail: { what: 'purchase', key: '7' },
    });
    const other = account(database, `${team.id} other`);
    await other.opened();
    expect(await creditsError(other.settle(1))).toMatchObject({
      code: 'PC404',
      detail: { what: 'purchase', key: '1' },
    });
    expect(await creditsError(account(database, 'nobody').settle(1))).toMatchObject({
      code: 'PC404',
      detail: { what: 'account', key: 'nobody' },
    });
  });

  test('a payment has a reference of 1 to 255 characters', async () => {
    for (const reference of ['', 'x'.repeat(256), null]) {
      expect(
        await creditsError(
          team.one('settle_purchase', { purchase_id: 1, payment_reference: reference }),
        ),
      ).toMatchObject({ code: 'PC422', detail: { field: 'payment_reference', reason: 'length' } });
    }
    expect(await team.settle(1, 'x'.repeat(255))).toMatchObject({ status: 'settled' });
  });
});

describe('fail_purchase', () => {
  test('of a pack ends it', async () => {
    expect(await team.fail(1, 'expired')).toMatchObject({
      status: 'failed',
      reason: 'expired',
      next_attempt_at: null,
      settled_at: null,
    });
    expect(await team.total()).toBe(0);
  });

  test('again returns it as it is', async () => {
    const first = await team.fail(1, 'expired');
    expect(await team.fail(1, 'another reason')).toEqual(first);
  });

  test('is refused once it is settled or reversed', async () => {
    await team.settle(1);
    expect(await creditsError(team.fail(1))).toMatchObject({
      code: 'PC409',
      detail: { reason: 'already_settled', purchase_id: 1 },
    });
    await team.one('reverse_purchase', { purchase_id: 1, reason: 'dispute' });
    expect(await creditsError(team.fail(1))).toMatchObject({
      code: 'PC409',
      detail: { reason: 'already_reversed', purchase_id: 1 },
    });
  });

  test('of what is unknown', async () => {
    expect(await creditsError(team.fail(7))).toMatchObject({
      code: 'PC404',
      detail: { what: 'purchase', key: '7' },
    });
    expect(await creditsError(account(database, 'nobody').fail(1))).toMatchObject({
      code: 'PC404',
      detail: { what: 'account', key: 'nobody' },
    });
  });

  test('of a top-up is one decline: tried again after 1 hour, then after 6', async () => {
    await team.topUps();
    expect(await team.fail(2, 'insufficient_funds')).toMatchObject({
      status: 'pending',
      declines: 1,
      reason: 'insufficient_funds',
      next_attempt_at: new Date('2026-03-10T13:00:00Z'),
    });
    await database.setNow('2026-03-10T13:00:00Z');
    expect(await team.fail(2)).toMatchObject({
      status: 'pending',
      declines: 2,
      next_attempt_at: new Date('2026-03-10T19:00:00Z'),
    });
    expect(await team.settings()).toMatchObject({ enabled: true, suspended_reason: null });
  });

  test('the third decline in a row fails it and suspends top-ups, and says why', async () => {
    await team.topUps();
    await team.fail(2);
    await team.fail(2);
    expect(await team.fail(2, 'card_expired')).toMatchObject({
      status: 'failed',
      declines: 3,
      reason: 'card_expired',
      next_attempt_at: null,
    });
    expect(await team.settings()).toMatchObject({
      enabled: false,
      suspended_reason: 'card_expired',
      threshold: 100,
      amount: 50,
    });
    // Nothing but a new configuration brings another.
    await team.one('grant', { amount: 10 });
    await team.spend(1);
    expect(await team.purchases()).toHaveLength(2);
    expect(await team.topUps({ threshold: null, amount: null })).toMatchObject({
      enabled: true,
      suspended_reason: null,
    });
    expect(await team.purchases()).toMatchObject([{}, {}, { kind: 'top_up', status: 'pending' }]);
  });

  test('without a reason it is a decline', async () => {
    await team.topUps();
    for (let decline = 1; decline <= 3; decline++) await team.fail(2, null);
    expect(await team.settings()).toMatchObject({ suspended_reason: 'declined' });
  });

  test('a success in between begins the count anew', async () => {
    await team.topUps();
    await team.fail(2);
    await team.fail(2);
    await team.settle(2);
    expect(await team.purchases()).toMatchObject([
      {},
      { purchase_id: 2, status: 'settled', declines: 0, next_attempt_at: null },
      { purchase_id: 3, status: 'pending', declines: 0 },
    ]);
    expect(await team.fail(3)).toMatchObject({ declines: 1, status: 'pending' });
  });

  test('the same decline reported twice counts once', async () => {
    await team.topUps();
    const first = await team.fail(2, 'declined', { attempt: 0 });
    expect(await team.fail(2, 'declined', { attempt: 0 })).toEqual(first);
    expect(await team.fail(2, 'declined', { attempt: 1 })).toMatchObject({ declines: 2 });
    expect(await team.fail(2, 'declined', { attempt: 0 })).toMatchObject({ declines: 2 });
  });
});

test("settle, fail and reverse are the service's", async () => {
  for (const [name, values] of [
    ['settle_purchase', [1, 'pi_1']],
    ['fail_purchase', [1, 'declined']],
    ['reverse_purchase', [1, 'dispute']],
    ['reverse_payment', [1, 'pi_1', 100, 100, 'dispute']],
    ['purchase_to_pay', [1]],
    ['save_payment_customer', ['stripe', 'cus_1']],
    ['top_up_due', [1]],
  ] as const) {
    const places = values.map((_value, index) => `, $${index + 2}`).join('');
    const text = `select * from credits.${name}($1${places})`;
    const claims = { account_id: team.id, member_role: 'admin' };
    for (const role of ['credits_member', 'credits_analyst']) {
      const attempt = database.as(role, claims, (query) => query(text, [team.id, ...values]));
      expect(await creditsError(attempt), `${name} as ${role}`).toMatchObject({
        code: 'PC403',
        detail: { requires: 'service' },
      });
    }
  }
  expect(
    await creditsError(
      database.as('credits_member', { account_id: team.id, member_role: 'admin' }, (query) =>
        query('select * from credits.top_ups_due()'),
      ),
    ),
  ).toMatchObject({ code: 'PC403', detail: { requires: 'service' } });
});

describe('constraints, for whoever goes round the functions', () => {
  const update = (set: string) =>
    sqlError(
      asOwnerRolledBack(database.pool, (query) =>
        query(`update credits.purchases set ${set} where account_id = $1`, [team.id]),
      ),
    );

  test('one payment settles one purchase', async () => {
    await team.one('buy', { pack: 'small' });
    expect(await update(`payment_reference = 'pi_1'`)).toEqual({
      code: '23505',
      constraint: 'purchases_payment_reference',
    });
  });

  test('a purchase is settled by a payment', async () => {
    expect(await update(`status = 'settled'`)).toEqual({
      code: '23514',
      constraint: 'purchase_is_settled_by_a_payment',
    });
  });

  test('no more is reversed than was bought', async () => {
    for (const set of ['reversed_amount = 200.01', 'reversed_amount = 10, shortfall = 11']) {
      expect(await update(set)).toEqual({
        code: '23514',
        constraint: 'purchase_reverses_at_most_its_amount',
      });
    }
  });

  test('a price is a number', async () => {
    for (const price of ["'NaN'", "'Infinity'", '-1']) {
      expect(await update(`price = ${price}`)).toEqual({
        code: '23514',
        constraint: 'purchase_price_is_finite',
      });
    }
  });

  test('a purchase counts what it granted', async () => {
    await team.settle(1);
    await asOwnerRolledBack(database.pool, async (query) => {
      await query('update credits.purchases set amount = 300 where account_id = $1', [team.id]);
      await query('reset role');
      expect(await query('select * from credits.verify($1)', [team.id])).toMatchObject([
        { rule: 'purchase_is_not_its_lot', detail: { purchase_id: 1, amount: 300, granted: 200 } },
      ]);
    });
  });
});

describe('save_payment_customer', () => {
  const save = (provider: string, customer_id: string) =>
    team.one('save_payment_customer', { provider, customer_id });

  test('remembers the latest, by provider', async () => {
    const first = await save('stripe', 'cus_1');
    expect(first).toEqual({
      account_id: team.id,
      provider: 'stripe',
      customer_id: 'cus_1',
      saved_at: new Date(NOON),
    });
    await database.setNow(SETTLED_AT);
    expect(await save('stripe', 'cus_1')).toEqual(first);
    await save('another', 'x');
    expect(await save('stripe', 'cus_2')).toMatchObject({
      customer_id: 'cus_2',
      saved_at: new Date(SETTLED_AT),
    });
  });

  test('wants a provider, a customer and an account', async () => {
    for (const [provider, customer_id, field] of [
      ['', 'cus_1', 'provider'],
      ['x'.repeat(65), 'cus_1', 'provider'],
      ['stripe', '', 'customer_id'],
      ['stripe', 'x'.repeat(256), 'customer_id'],
    ]) {
      expect(await creditsError(save(provider, customer_id))).toMatchObject({
        code: 'PC422',
        detail: { field, reason: 'length' },
      });
    }
    expect(
      await creditsError(
        call(database.pool, 'save_payment_customer', {
          account_id: 'nobody',
          provider: 'stripe',
          customer_id: 'cus_1',
        }),
      ),
    ).toMatchObject({ code: 'PC404', detail: { what: 'account', key: 'nobody' } });
  });

  test('is not for members to read', async () => {
    await expect(
      database.as('credits_member', { account_id: team.id }, (query) =>
        query('select * from credits.payment_customers'),
      ),
    ).rejects.toMatchObject({ code: '42501' });
  });
});
