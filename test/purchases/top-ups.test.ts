import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Arguments, asOwnerRolledBack, call, sqlError } from '../support/calls.ts';
import { creditsError, type TestDatabase, verifyAfterEach } from '../support/database.ts';
import { untilBlockedCount } from '../support/locks.ts';
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
});
afterAll(() => database.close());

const topUpsOf = async (of: Account) =>
  (await of.purchases()).filter(({ kind }) => kind === 'top_up');
const settleDue = () => database.query('select credits.settle_due()');

/** Top-ups below 100 by 50, and a balance that is not below. */
const ready = async (credits = 100, args: Arguments = {}) => {
  await team.opened(credits);
  await team.topUps(args);
  expect(await topUpsOf(team)).toEqual([]);
};

test('a top-up is recorded by the spend that goes below the threshold, at the price of the card', async () => {
  await ready();
  await team.spend(0.5);
  expect(await team.purchases()).toMatchObject([
    {
      purchase_id: 1,
      kind: 'top_up',
      pack: null,
      unit: 'credit',
      amount: 50,
      price: 2.5,
      currency: 'USD',
      status: 'pending',
      declines: 0,
      next_attempt_at: null,
      created_at: new Date(NOON),
      settled_at: null,
    },
  ]);
  expect(await team.total()).toBe(99.5);
});

test('strictly below: at the threshold there is none', async () => {
  await ready(110);
  await team.spend(10);
  expect(await topUpsOf(team)).toEqual([]);
  await team.spend(0.01);
  expect(await topUpsOf(team)).toHaveLength(1);
});

test('it is recorded in the transaction of the spend', async () => {
  await ready();
  const client = await database.pool.connect();
  try {
    await client.query('begin');
    await team.spend(1, client);
    await client.query('rollback');
  } finally {
    client.release();
  }
  expect(await team.purchases()).toEqual([]);
  expect(await team.total()).toBe(100);
});

test('a refused spend records none', async () => {
  await ready();
  expect(await creditsError(team.spend(101))).toMatchObject({ code: 'PC402' });
  expect(await team.purchases()).toEqual([]);
});

test('what other accounts do is their own', async () => {
  await ready();
  const other = account(database, `${team.id} other`);
  await other.opened(100);
  await other.topUps({ amount: 30 });
  await other.spend(1);
  expect(await team.purchases()).toEqual([]);
  expect(await other.purchases()).toMatchObject([{ purchase_id: 1, amount: 30 }]);
});

describe('the balance is compared after', () => {
  const job = { operation: 'job', usage: { n: 1 } };

  test('spend_items and spend_many', async () => {
    await ready();
    await team.one('spend_items', { items: [['job', { n: 1 }]] });
    expect(await topUpsOf(team)).toHaveLength(1);
    await team.settle(1);
    await team.spend(49);
    expect(await topUpsOf(team)).toHaveLength(1);
    await database.query(
      `select * from credits.spend_many(array(
         select r from jsonb_populate_recordset(null::credits.spend_request, $1) r))`,
      [JSON.stringify([{ account_id: team.id, ...job }])],
    );
    expect(await topUpsOf(team)).toHaveLength(2);
  });

  test('a hold: what is held does not count', async () => {
    await ready();
    await team.one('authorize', job);
    expect(await topUpsOf(team)).toHaveLength(1);
  });

  test('a capture above its hold', async () => {
    await ready(101);
    await team.one('authorize', job);
    expect(await topUpsOf(team)).toEqual([]);
    await team.one('capture', { hold_id: 1, usage: { n: 2 } });
    expect(await topUpsOf(team)).toHaveLength(1);
  });

  test('an expiry, once it is settled by the worker', async () => {
    await team.opened(90);
    await team.one('grant', { amount: 10, expires_at: '2026-03-11T00:00:00Z' });
    await team.topUps();
    expect(await topUpsOf(team)).toEqual([]);
    await database.setNow('2026-03-11T00:00:00Z');
    await settleDue();
    expect(await topUpsOf(team)).toMatchObject([{ created_at: new Date('2026-03-11T00:00:00Z') }]);
  });

  test('an expiry, once it is settled by a writer', async () => {
    await team.opened(90);
    await team.one('grant', { amount: 10, expires_at: '2026-03-11T00:00:00Z' });
    await team.topUps();
    await database.setNow('2026-03-12T00:00:00Z');
    await team.one('buy', { pack: 'small' });
    expect(await team.purchases()).toMatchObject([{ kind: 'top_up' }, { kind: 'pack' }]);
  });

  test('a period that ends with its plan', async () => {
    await team.opened();
    await team.one('subscribe', { plan: 'kiosk_pro' });
    await team.topUps();
    await team.one('cancel_subscription', {});
    expect(await topUpsOf(team)).toEqual([]);
    await database.setNow('2026-04-10T12:00:00Z');
    await settleDue();
    expect(await topUpsOf(team)).toHaveLength(1);
  });

  test('a refill: there is none where that suffices', async () => {
    await team.opened();
    await team.one('subscribe', { plan: 'kiosk_pro' });
    await team.topUps({ threshold: 40 });
    await team.spend(60);
    await database.setNow('2026-04-10T12:00:00Z');
    await settleDue();
    expect(await topUpsOf(team)).toEqual([]);
  });

  test('a settled pack that is not enough', async () => {
    await team.opened();
    await team.topUps({ threshold: 1000 });
    await team.one('buy', { pack: 'small' });
    await team.one('reverse_purchase', { purchase_id: 1, reason: 'made way' });
    expect(await topUpsOf(team)).toHaveLength(1);
    await team.settle(2);
    expect(await topUpsOf(team)).toMatchObject([{ purchase_id: 1 }, { purchase_id: 3 }]);
  });

  test('a settled top-up that is not enough', async () => {
    await team.opened();
    await team.topUps({ threshold: 120 });
    for (const [purchase_id, total] of [
      [1, 50],
      [2, 100],
      [3, 150],
    ]) {
      await team.settle(purchase_id);
      expect(await team.total()).toBe(total);
    }
    expect(await topUpsOf(team)).toHaveLength(3);
  });

  test('enabling', async () => {
    await team.opened(10);
    await team.topUps({ enabled: false });
    expect(await topUpsOf(team)).toEqual([]);
    await team.topUps();
    expect(await topUpsOf(team)).toHaveLength(1);
  });
});

describe('there is none', () => {
  test('while top-ups are off', async () => {
    await ready();
    await team.topUps({ enabled: false });
    await team.spend(50);
    expect(await team.purchases()).toEqual([]);
  });

  test('while another is pending, also one that was declined', async () => {
    await ready();
    await team.spend(10);
    await team.spend(10);
    await team.fail(1);
    await team.spend(10);
    expect(await topUpsOf(team)).toMatchObject([{ status: 'pending', declines: 1 }]);
  });

  test('while additional credits are paused', async () => {
    await team.opened();
    await team.one('subscribe', { plan: 'kiosk_pro' });
    await team.topUps();
    await team.one('configure_additional', { enabled: false });
    await team.spend(10);
    expect(await team.purchases()).toEqual([]);
    // Resumed, it is looked at again.
    await team.one('configure_additional', {});
    expect(await topUpsOf(team)).toHaveLength(1);
  });

  test('because of a limit on additional credits: the balance ignores that', async () => {
    await ready(200);
    await team.one('configure_additional', { period_limit: 20 });
    await team.spend(5);
    expect(await team.purchases()).toEqual([]);
  });

  test('for another unit than the main one', async () => {
    await ready();
    await team.one('grant', { amount: 10, unit: 'minute' });
    await team.one('spend', { operation: 'film', usage: { n: 10 } });
    expect(await team.purchases()).toEqual([]);
  });

  test('of an amount that costs more than any price: it cannot be configured', async () => {
    await team.opened(0, { rate_card: 'yatai' });
    expect(await creditsError(team.topUps({ amount: '1e12' }))).toMatchObject({
      code: 'PC422',
      detail: { field: 'amount', reason: 'too_expensive' },
    });
  });

  test('where the card has no price for it: it cannot be enabled, only turned off', async () => {
    await team.opened(100, { rate_card: 'stall' });
    expect(await creditsError(team.topUps())).toMatchObject({
      code: 'PC422',
      detail: { field: 'enabled', reason: 'no_top_up_price', rate_card: 'stall' },
    });
    expect(await team.topUps({ enabled: false })).toMatchObject({ enabled: false });
  });

  test('where the card has no price for it any more: the spend goes through', async () => {
    await team.opened(0, { rate_card: 'yatai' });
    await team.one('grant', { amount: 100, unit: 'coin' });
    await team.topUps();
    await database.query(
      `update credits.top_up_prices set rate_card = 'stall' where rate_card = 'yatai'`,
    );
    await team.spend(50);
    expect(await team.purchases()).toEqual([]);
    await database.query(
      `update credits.top_up_prices set rate_card = 'yatai' where rate_card = 'stall'`,
    );
  });
});

test('its price is in the currency that the card has, rounded up to whole coins', async () => {
  await team.opened(0, { rate_card: 'yatai' });
  await team.topUps({ threshold: 100, amount: 333 });
  expect(await team.purchases()).toMatchObject([
    { unit: 'coin', amount: 333, price: 500, currency: 'JPY' }, // 499.5
  ]);
  const other = account(database, `${team.id} too`);
  await other.opened();
  await other.topUps({ amount: 10.1 });
  expect(await other.purchases()).toMatchObject([{ price: 0.51, currency: 'USD' }]); // 0.505
});

test.each([
  ['USD', 1.001, 1.01],
  ['USD', 1.01, 1.01],
  ['ISK', 0.1, 1],
  ['KWD', 2.755, 2.755],
  ['KWD', 2.7551, 2.756],
  ['USD', 0, 0],
])('a price in %s of %s is paid with %s', async (currency, price, paid) => {
  const [row] = await database.query('select credits_private.payable($1, $2) as paid', [
    price,
    currency,
  ]);
  expect(Number(row.paid)).toBe(paid);
});

describe('the monthly limit', () => {
  /** Brings the account to 0 again and again, and settles what that records. Returns how often it was topped up. */
  const spendAll = async () => {
    let count = 0;
    for (;;) {
      const pending = (await topUpsOf(team)).find(({ status }) => status === 'pending');
      if (!pending) return count;
      await team.settle(pending.purchase_id);
      count += 1;
      await team.spend(50);
    }
  };

  test('is in credits a month: what would exceed it is not recorded', async () => {
    await team.opened(50);
    await team.topUps({ threshold: 10, monthly_limit: 149 });
    await team.spend(50);
    expect(await spendAll()).toBe(2);
    await team.topUps({ monthly_limit: 150 });
    expect(await spendAll()).toBe(1);
  });

  test('begins anew with the month in UTC, whatever time zone the session is in', async () => {
    await database.setNow('2026-03-31T23:59:59Z');
    await team.opened(60);
    await team.topUps({ threshold: 60, monthly_limit: 50 });
    await team.spend(1);
    expect(await spendAll()).toBe(1);
    const client = await database.pool.connect();
    try {
      // It is April there since an hour or more, and in the other still March.
      for (const timeZone of ['Asia/Tokyo', 'America/New_York']) {
        await client.query(`set time zone '${timeZone}'`);
        await team.spend(1, client);
        expect(await topUpsOf(team)).toHaveLength(1);
      }
      await client.query(`set credits.now = '2026-04-01T00:00:00Z'`);
      await team.spend(1, client);
      expect(await topUpsOf(team)).toMatchObject([
        { created_at: new Date('2026-03-31T23:59:59Z') },
        { created_at: new Date('2026-04-01T00:00:00Z') },
      ]);
    } finally {
      client.release(true);
    }
  });

  test('is looked at again in the next month, with nobody spending', async () => {
    await team.opened(10);
    await team.topUps({ monthly_limit: 50 });
    await team.settle(1);
    await team.spend(60);
    expect(await topUpsOf(team)).toHaveLength(1);
    expect(await team.settings()).toMatchObject({ look_again_at: new Date('2026-04-01T00:00Z') });
    await database.setNow('2026-03-31T23:59:59Z');
    await database.query('select credits.settle_due()');
    expect(await topUpsOf(team)).toHaveLength(1);
    await database.setNow('2026-04-01T00:00:00Z');
    await database.query('select credits.settle_due()');
    expect(await topUpsOf(team)).toMatchObject([{ status: 'settled' }, { status: 'pending' }]);
    expect(await team.settings()).toMatchObject({ look_again_at: null });
    expect(await database.query('select credits.settle_due() as settled')).toEqual([
      { settled: 0 },
    ]);
  });

  test('that never allows one does not keep the worker busy', async () => {
    await team.opened(10);
    await team.topUps({ monthly_limit: 40 });
    await database.setNow('2026-05-20T00:00:00Z');
    await database.query('select credits.settle_due()');
    expect(await database.query('select credits.settle_due() as settled')).toEqual([
      { settled: 0 },
    ]);
    expect(await team.purchases()).toEqual([]);
    expect(await team.settings()).toMatchObject({ look_again_at: new Date('2026-06-01T00:00Z') });
  });

  test('that is raised is looked at at once', async () => {
    await team.opened(10);
    await team.topUps({ monthly_limit: 40 });
    expect(await team.purchases()).toEqual([]);
    await team.topUps({ monthly_limit: 60 });
    expect(await topUpsOf(team)).toHaveLength(1);
  });

  test('does not count what failed', async () => {
    await team.opened(10);
    await team.topUps({ monthly_limit: 50 });
    for (let decline = 1; decline <= 3; decline++) await team.fail(1);
    await team.topUps();
    expect(await topUpsOf(team)).toMatchObject([{ status: 'failed' }, { status: 'pending' }]);
  });
});

describe('one pending top-up an account', () => {
  test('a burst of spends makes one', async () => {
    await ready();
    const blocker = await database.pool.connect();
    try {
      await blocker.query('begin');
      await blocker.query('select from credits.accounts where account_id = $1 for update', [
        team.id,
      ]);
      const spends = Promise.all(Array.from({ length: 10 }, () => team.spend(5)));
      await untilBlockedCount(database.pool, 10);
      await blocker.query('commit');
      await spends;
    } finally {
      blocker.release();
    }
    expect(await team.total()).toBe(50);
    expect(await team.purchases()).toMatchObject([{ kind: 'top_up', status: 'pending' }]);
  });

  test('is a constraint, for whoever goes round the functions', async () => {
    await ready();
    await team.spend(1);
    expect(
      await sqlError(
        asOwnerRolledBack(database.pool, (query) =>
          query(
            `insert into credits.purchases
             select p.* from credits.purchases q
             cross join lateral jsonb_populate_record(q, '{"purchase_id": 2}') p
             where q.account_id = $1`,
            [team.id],
          ),
        ),
      ),
    ).toEqual({ code: '23505', constraint: 'purchases_one_pending_top_up' });
  });
});

describe('configure_top_up', () => {
  const configure = (args: Arguments) => team.one('configure_top_up', args);

  test('enables with a threshold and an amount, and null keeps what there is', async () => {
    await team.opened(1000);
    expect(
      await configure({ enabled: true, threshold: 20, amount: 50, monthly_limit: 500 }),
    ).toEqual({
      account_id: team.id,
      enabled: true,
      threshold: 20,
      amount: 50,
      monthly_limit: 500,
      suspended_reason: null,
      look_again_at: null,
    });
    expect(await configure({ enabled: true, threshold: 30 })).toMatchObject({
      threshold: 30,
      amount: 50,
      monthly_limit: 500,
    });
    expect(await configure({ enabled: false })).toMatchObject({
      enabled: false,
      threshold: 30,
      amount: 50,
    });
    expect(await configure({ enabled: true })).toMatchObject({ enabled: true, threshold: 30 });
    for (const monthly_limit of ['Infinity', null]) {
      expect(await configure({ enabled: true, monthly_limit })).toMatchObject({
        monthly_limit: null,
        threshold: 30,
      });
    }
  });

  test('needs both the first time', async () => {
    await team.opened();
    for (const [args, field] of [
      [{}, 'threshold'],
      [{ amount: 50 }, 'threshold'],
      [{ threshold: 20 }, 'amount'],
    ] as const) {
      expect(await creditsError(configure({ enabled: true, ...args }))).toMatchObject({
        code: 'PC422',
        detail: { field, reason: 'missing' },
      });
    }
    expect(await team.settings()).toBeUndefined();
    expect(await configure({ enabled: false, threshold: 20 })).toMatchObject({ amount: null });
    expect(await configure({ enabled: true, amount: 50 })).toMatchObject({ threshold: 20 });
  });

  test('refuses figures that are none', async () => {
    await team.opened();
    for (const field of ['threshold', 'monthly_limit']) {
      for (const value of [-1, 'NaN', field === 'threshold' ? 'Infinity' : '-Infinity', '1e13']) {
        expect(await creditsError(configure({ enabled: true, [field]: value }))).toMatchObject({
          code: 'PC422',
          detail: { field, reason: 'out_of_range' },
        });
      }
      expect(await creditsError(configure({ enabled: true, [field]: 0.001 }))).toMatchObject({
        code: 'PC422',
        detail: { field, reason: 'too_fine' },
      });
    }
    for (const [amount, reason] of [
      [0, 'not_positive'],
      [-1, 'not_positive'],
      ['NaN', 'not_positive'],
      ['Infinity', 'not_positive'],
      ['1e13', 'too_large'],
      [0.001, 'too_fine'],
    ]) {
      expect(await creditsError(configure({ enabled: true, amount }))).toMatchObject({
        code: 'PC422',
        detail: { field: 'amount', reason },
      });
    }
    expect(await creditsError(configure({ enabled: null }))).toMatchObject({
      code: 'PC422',
      detail: { field: 'enabled', reason: 'missing' },
    });
  });

  test('of an unknown account', async () => {
    expect(await creditsError(account(database, 'nobody').topUps())).toMatchObject({
      code: 'PC404',
      detail: { what: 'account', key: 'nobody' },
    });
  });

  test('turning off ends a declined top-up that waits for its next try', async () => {
    await ready();
    await team.spend(1);
    await team.fail(1, 'insufficient_funds');
    await team.topUps({ enabled: false });
    expect(await team.purchases()).toMatchObject([
      { status: 'failed', reason: 'insufficient_funds', next_attempt_at: null },
    ]);
  });

  test('turning off leaves one alone that may be being charged', async () => {
    await ready();
    await team.spend(1);
    await team.topUps({ enabled: false });
    expect(await team.purchases()).toMatchObject([{ status: 'pending' }]);
    await team.topUps();
    await team.fail(1);
    await database.setNow('2026-03-10T13:00:00Z');
    await team.topUps({ enabled: false });
    expect(await team.purchases()).toMatchObject([{ status: 'pending', declines: 1 }]);
    expect(await team.settle(1)).toMatchObject({ status: 'settled' });
  });

  describe('is for', () => {
    const asMember = (claims: Record<string, string>) =>
      database.as('credits_member', { account_id: team.id, ...claims }, (query) =>
        query('select * from credits.configure_top_up($1, true, 20, 50)', [team.id]),
      );

    test('the service, for the system itself or for an admin', async () => {
      await team.opened();
      await team.one('add_member', { member_id: 'ann', role: 'admin' });
      expect(await team.topUps()).toMatchObject({ enabled: true });
      expect(await team.topUps({ member_id: 'ann' })).toMatchObject({ enabled: true });
    });

    test('not the service for a member, or for somebody unknown', async () => {
      await team.opened();
      await team.one('add_member', { member_id: 'bob' });
      for (const member_id of ['bob', 'nobody']) {
        expect(await creditsError(team.topUps({ member_id }))).toMatchObject({
          code: 'PC403',
          detail: { requires: 'admin', member_id },
        });
      }
      expect(await team.settings()).toBeUndefined();
    });

    test('members whose claims say admin, of this account', async () => {
      await team.opened();
      expect(await asMember({ member_role: 'admin' })).toMatchObject([{ enabled: true }]);
      expect(await creditsError(asMember({ member_role: 'member' }))).toMatchObject({
        code: 'PC403',
        detail: { requires: 'admin' },
      });
      expect(
        await creditsError(asMember({ member_role: 'admin', account_id: 'another' })),
      ).toMatchObject({ code: 'PC403', detail: { requires: 'account' } });
    });
  });

  test('settings that cannot be are constraints', async () => {
    await ready();
    const update = (set: string) =>
      sqlError(
        asOwnerRolledBack(database.pool, (query) =>
          query(`update credits.top_up_settings set ${set} where account_id = $1`, [team.id]),
        ),
      );
    for (const set of ['threshold = null', 'amount = null', 'amount = 0']) {
      expect(await update(set)).toEqual({
        code: '23514',
        constraint: 'top_ups_enabled_have_threshold_and_amount',
      });
    }
    expect(await update(`suspended_reason = 'x'`)).toEqual({
      code: '23514',
      constraint: 'top_ups_suspended_are_not_enabled',
    });
  });
});

describe('what the worker finds', () => {
  const due = (purchase_id: number) =>
    call(database.pool, 'top_up_due', { account_id: team.id, purchase_id });
  const sweep = async (args: Arguments = {}) =>
    (await call(database.pool, 'top_ups_due', args)).filter(({ account_id }) =>
      account_id.startsWith(team.id),
    );
  const at = (time: string) => database.setNow(`2026-03-10T${time}Z`);

  test('when it is told of one: that one, while it is to be charged', async () => {
    await ready();
    await team.one('buy', { pack: 'small' });
    await team.spend(1);
    expect(await due(2)).toMatchObject([{ purchase_id: 2, kind: 'top_up' }]);
    expect(await due(1)).toEqual([]);
    expect(await due(3)).toEqual([]);
    await team.fail(2);
    expect(await due(2)).toEqual([]);
    await at('12:59:59.999999');
    expect(await due(2)).toEqual([]);
    await at('13:00:00');
    expect(await due(2)).toHaveLength(1);
    await team.settle(2);
    expect(await due(2)).toEqual([]);
  });

  test('by itself: one that nobody was told of for a minute, and one to be tried again', async () => {
    await ready();
    await team.spend(1);
    expect(await sweep()).toEqual([]);
    await at('12:00:59.999999');
    expect(await sweep()).toEqual([]);
    await at('12:01:00');
    expect(await sweep()).toMatchObject([{ account_id: team.id, purchase_id: 1 }]);
    await team.fail(1);
    expect(await sweep()).toEqual([]);
    await at('13:01:00');
    expect(await sweep()).toHaveLength(1);
  });

  test('a page at a time, in the order of the accounts', async () => {
    const ids = ['a', 'b', 'c', 'B', 'é'].map((letter) => `${team.id} ${letter}`);
    for (const id of ids) {
      const other = account(database, id);
      await other.opened(10);
      await other.topUps();
    }
    await at('12:01:00');
    const found: string[] = [];
    for (let after = team.id; ; after = found.at(-1) as string) {
      const page = await sweep({ batch: 2, after_account_id: after });
      found.push(...page.map(({ account_id }) => account_id));
      if (page.length < 2) break;
    }
    expect(found).toEqual(['B', 'a', 'b', 'c', 'é'].map((letter) => `${team.id} ${letter}`));
  });
});
