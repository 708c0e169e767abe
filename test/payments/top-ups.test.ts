/** Top-ups charged by the worker at a Stripe that declines, breaks down, and charges without answering. */
import { Logger, runMigrations, runOnce } from 'graphile-worker';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { lendingFrom, type WithClient } from '../../src/payments/ledger.ts';
import type { PaymentProvider } from '../../src/payments/provider.ts';
import { chargeTopUp, chargeTopUps } from '../../src/tasks/charge-top-ups.ts';
import { type Account, account, kioskDatabase } from '../purchases/kiosk.ts';
import type { Arguments } from '../support/calls.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';
import { untilBlockedCount } from '../support/locks.ts';
import { type FakeStripe, startFakeStripe } from './fake-stripe.ts';
import { stripeOf, worker } from './payments.ts';

let database: TestDatabase;
let stripe: FakeStripe;
let provider: PaymentProvider;
let withClient: WithClient;
let team: Account;
let customer: string;
let log: string[];
let number = 0;
verifyAfterEach(() => database);

const NOON = '2026-03-10T12:00:00Z';
const at = (time: string) => database.setNow(`2026-03-10T${time}Z`);

beforeAll(async () => {
  database = await kioskDatabase();
  withClient = lendingFrom(database.pool);
});
beforeEach(async () => {
  await database.setNow(NOON);
  stripe = await startFakeStripe();
  provider = stripeOf(stripe);
  log = [];
  number += 1;
  team = account(database, `team ${number} ✓`);
  customer = `cus_of_team_${number}`;
  stripe.addCustomer(customer, 'pm_1');
});
afterEach(async () => {
  await stripe.stop();
  // Nothing of one test is due in the next.
  await database.query(`update credits.purchases set status = 'failed' where status = 'pending'`);
});
afterAll(() => database.close());

/** An account with 10 credits, a saved card, and a top-up of 50 that is pending. */
const needsTopUp = async (args: Arguments = {}) => {
  await team.opened(10);
  await team.one('save_payment_customer', { provider: 'stripe', customer_id: customer });
  await team.topUps({ threshold: 20, ...args });
};
const wake = (purchase_id = 1, lend = withClient) =>
  worker(provider, lend, log).wake(team.id, purchase_id);
const sweep = () => worker(provider, withClient, log).sweep();
const topUp = async (index = 0) => (await team.purchases())[index];
const charges = () => stripe.charges.map(({ amount, currency }) => [amount, currency]);
const keys = () =>
  stripe.requests
    .filter(({ line }) => line === 'POST /v1/payment_intents')
    .map(({ idempotencyKey }) => idempotencyKey);

/** A connection lender whose nth loan fails, as when the worker is killed at that point. */
const dyingAt = (loan: number): WithClient => {
  let loans = 0;
  return (work) => {
    loans += 1;
    if (loans === loan) throw new Error('killed');
    return withClient(work);
  };
};

describe('a charge that succeeds', () => {
  test('grants the credits, under the id of the payment', async () => {
    await needsTopUp();
    await wake();
    expect(charges()).toEqual([[250, 'usd']]);
    expect(await topUp()).toMatchObject({
      status: 'settled',
      payment_reference: stripe.intents[0].id,
    });
    expect(await team.total()).toBe(60);
  });

  test('is asked of the card that was saved, while its owner is away', async () => {
    await needsTopUp();
    await wake();
    const { params } = stripe.requests.at(-1) as FakeStripe['requests'][number];
    expect(params).toMatchObject({
      amount: '250',
      currency: 'usd',
      customer,
      payment_method: 'pm_1',
      off_session: 'true',
      confirm: 'true',
      description: '50 credits',
      'metadata[account_id]': team.id,
      'metadata[purchase_id]': '1',
      'metadata[attempt]': '0',
    });
  });

  test('in a currency without decimals', async () => {
    await team.opened(0, { rate_card: 'yatai' });
    await team.one('save_payment_customer', { provider: 'stripe', customer_id: customer });
    await team.topUps({ amount: 333 });
    await wake();
    // 333 at 1.5 is 499.5
    expect(charges()).toEqual([[500, 'jpy']]);
    expect(await team.total('coin')).toBe(333);
  });

  test('is not made again: not by a second wake-up, nor by the sweep', async () => {
    await needsTopUp();
    await wake();
    const requests = stripe.requests.length;
    await wake();
    await at('13:00:00');
    await sweep();
    expect(stripe.requests).toHaveLength(requests);
    expect(await team.total()).toBe(60);
  });

  test('that is not enough brings the next one', async () => {
    await needsTopUp({ threshold: 100 });
    await wake(1);
    await wake(2);
    expect(await team.total()).toBe(110);
    expect(await team.purchases()).toHaveLength(2);
  });
});

describe('a decline', () => {
  test('is tried again later with another key', async () => {
    await needsTopUp();
    stripe.fates = ['decline'];
    await wake();
    expect(await topUp()).toMatchObject({
      status: 'pending',
      declines: 1,
      reason: 'insufficient_funds',
      next_attempt_at: new Date('2026-03-10T13:00:00Z'),
    });
    await wake();
    await sweep();
    expect(keys()).toHaveLength(1);
    await at('13:00:00');
    await sweep();
    expect(await topUp()).toMatchObject({ status: 'settled', declines: 0, reason: null });
    expect(new Set(keys()).size).toBe(2);
    expect(await team.total()).toBe(60);
  });

  test('the third in a row ends it, suspends top-ups and says why', async () => {
    await needsTopUp();
    stripe.fates = ['decline', 'authenticate', 'decline'];
    await wake();
    await at('13:00:00');
    await sweep();
    expect(await topUp()).toMatchObject({ declines: 2, reason: 'authentication_required' });
    await at('19:00:00');
    await sweep();
    expect(await topUp()).toMatchObject({ status: 'failed', declines: 3 });
    expect(await team.settings()).toMatchObject({
      enabled: false,
      suspended_reason: 'insufficient_funds',
    });
    await at('23:59:00');
    await sweep();
    expect(keys()).toHaveLength(3);
    expect(charges()).toEqual([]);
    expect(await team.total()).toBe(10);
  });

  test.each([
    ['no customer', async () => {}],
    [
      'a customer without a card',
      async () => {
        stripe.addCustomer('cus_without', null);
        await team.one('save_payment_customer', {
          provider: 'stripe',
          customer_id: 'cus_without',
        });
      },
    ],
  ])('is what %s comes to', async (_what, prepare) => {
    await team.opened();
    await prepare();
    await team.topUps();
    await wake();
    expect(await topUp()).toMatchObject({ declines: 1, reason: 'no_payment_method' });
    expect(keys()).toEqual([]);
  });

  test('is what a customer comes to whom Stripe does not know', async () => {
    await needsTopUp();
    await team.one('save_payment_customer', { provider: 'stripe', customer_id: 'cus_gone' });
    await wake();
    expect(await topUp()).toMatchObject({ declines: 1, reason: 'resource_missing' });
  });

  test('is what a charge comes to that Stripe refuses', async () => {
    await needsTopUp();
    stripe.fates = ['refuse'];
    await wake();
    expect(await topUp()).toMatchObject({ declines: 1, reason: 'amount_too_small' });
  });

  test('before which the worker was killed counts once', async () => {
    await needsTopUp();
    stripe.fates = ['decline'];
    await expect(wake(1, dyingAt(2))).rejects.toThrow('killed');
    expect(await topUp()).toMatchObject({ declines: 0 });
    await wake();
    expect(await topUp()).toMatchObject({ declines: 1, reason: 'insufficient_funds' });
    expect(keys()).toHaveLength(1);
  });
});

describe('charged, and the answer never came', () => {
  test('the next try finds the payment, and the credits are granted once', async () => {
    await needsTopUp();
    stripe.deaf = true;
    await wake();
    expect(charges()).toEqual([[250, 'usd']]);
    expect(await topUp()).toMatchObject({ status: 'pending', declines: 0, next_attempt_at: null });
    stripe.deaf = false;
    await at('12:01:00');
    await sweep();
    expect(await topUp()).toMatchObject({ status: 'settled' });
    expect(charges()).toEqual([[250, 'usd']]);
    expect(await team.total()).toBe(60);
  });

  test('the same key gets the same charge, also where the list of payments lags behind', async () => {
    await needsTopUp();
    stripe.listsNothing = true;
    stripe.deaf = true;
    await wake();
    await at('12:01:00');
    await sweep();
    stripe.deaf = false;
    await sweep();
    expect(new Set(keys()).size).toBe(1);
    expect(charges()).toEqual([[250, 'usd']]);
    expect(await topUp()).toMatchObject({
      status: 'settled',
      payment_reference: stripe.intents[0].id,
    });
    expect(await team.total()).toBe(60);
  });

  test('after days, when Stripe has forgotten the key, the payment is found all the same', async () => {
    await needsTopUp();
    stripe.deaf = true;
    await wake();
    stripe.deaf = false;
    stripe.forgetKeys();
    await database.setNow('2026-03-13T12:00:00Z');
    await sweep();
    expect(charges()).toEqual([[250, 'usd']]);
    expect(await team.total()).toBe(60);
  });

  test('and somebody takes it for a decline: the next try finds the payment', async () => {
    await needsTopUp();
    stripe.deaf = true;
    await wake();
    stripe.deaf = false;
    await team.fail(1, 'no answer');
    await at('13:00:00');
    await sweep();
    expect(charges()).toHaveLength(1);
    expect(await topUp()).toMatchObject({ status: 'settled' });
    expect(await team.total()).toBe(60);
  });

  test('it is not taken for a payment of another purchase or another account', async () => {
    await needsTopUp();
    await wake();
    await team.spend(45);
    await wake(2);
    expect(charges()).toHaveLength(2);
    // Two accounts of one customer, each with its purchase 1.
    const other = account(database, `${team.id} other`);
    await other.opened();
    await other.one('save_payment_customer', { provider: 'stripe', customer_id: customer });
    await other.topUps();
    await worker(provider, withClient, log).wake(other.id, 1);
    expect(charges()).toHaveLength(3);
    expect(await other.total()).toBe(50);
  });

  test('the worker is killed between the charge and the report', async () => {
    await needsTopUp();
    await expect(wake(1, dyingAt(2))).rejects.toThrow('killed');
    expect(charges()).toHaveLength(1);
    expect(await topUp()).toMatchObject({ status: 'pending' });
    await at('12:01:00');
    await sweep();
    expect(charges()).toHaveLength(1);
    expect(await topUp()).toMatchObject({ status: 'settled' });
    expect(await team.total()).toBe(60);
  });
});

describe('nobody knows', () => {
  test.each([500, 503, 401] as const)(
    'while Stripe answers %d: it stays pending, and is no decline',
    async (status) => {
      await needsTopUp();
      stripe.down = status;
      await wake();
      await at('12:01:00');
      await sweep();
      expect(await topUp()).toMatchObject({
        status: 'pending',
        declines: 0,
        next_attempt_at: null,
        reason: null,
      });
      stripe.down = null;
      await sweep();
      expect(await topUp()).toMatchObject({ status: 'settled' });
      expect(charges()).toHaveLength(1);
    },
  );

  test('after an error of Stripe at the charge itself: the same key again', async () => {
    await needsTopUp();
    stripe.fates = ['fail'];
    await wake();
    expect(await topUp()).toMatchObject({ status: 'pending', declines: 0 });
    await wake();
    expect(await topUp()).toMatchObject({ status: 'settled' });
    expect(new Set(keys()).size).toBe(1);
  });

  test('while a payment is being processed: it is not charged again', async () => {
    await needsTopUp();
    stripe.fates = ['process'];
    await wake();
    await at('12:01:00');
    await sweep();
    expect(keys()).toHaveLength(1);
    expect(await topUp()).toMatchObject({ status: 'pending', declines: 0 });
    expect(log.at(-1)).toContain('processing');
  });

  test('where the card was changed before the same try: nothing is charged under its key', async () => {
    await needsTopUp();
    stripe.listsNothing = true;
    stripe.deaf = true;
    await wake();
    stripe.deaf = false;
    stripe.addCustomer(customer, 'pm_2');
    await wake();
    expect(charges()).toHaveLength(1);
    expect(await topUp()).toMatchObject({ status: 'pending', declines: 0 });
  });
});

describe('two workers at once', () => {
  /** Has both charge while the account is locked, until both wait to report; then lets them. */
  const bothWaiting = async () => {
    const blocker = await database.pool.connect();
    try {
      await blocker.query('begin');
      await blocker.query('select from credits.accounts where account_id = $1 for update', [
        team.id,
      ]);
      const first = wake();
      await untilBlockedCount(database.pool, 1);
      const second = wake();
      await untilBlockedCount(database.pool, 2);
      await blocker.query('commit');
      await Promise.all([first, second]);
    } finally {
      blocker.release();
    }
  };

  test('charge once and grant once', async () => {
    await needsTopUp();
    await bothWaiting();
    expect(charges()).toHaveLength(1);
    expect(await topUp()).toMatchObject({ status: 'settled' });
    expect(await team.total()).toBe(60);
  });

  test('charge once where neither sees the payment of the other', async () => {
    await needsTopUp();
    stripe.listsNothing = true;
    await bothWaiting();
    expect(keys()).toHaveLength(2);
    expect(new Set(keys()).size).toBe(1);
    expect(charges()).toHaveLength(1);
    expect(await team.total()).toBe(60);
  });

  test('count one decline', async () => {
    await needsTopUp();
    stripe.listsNothing = true;
    stripe.fates = ['decline'];
    await bothWaiting();
    expect(new Set(keys()).size).toBe(1);
    expect(await topUp()).toMatchObject({ status: 'pending', declines: 1 });
  });
});

describe('a payment for which it is too late', () => {
  test('reversed in the meantime: nothing is granted, and the log says so', async () => {
    await needsTopUp();
    const reversing: WithClient = async (work) => {
      const result = await withClient(work);
      if ((await topUp()).status === 'pending') {
        await team.one('reverse_purchase', { purchase_id: 1, reason: 'by hand' });
      }
      return result;
    };
    await wake(1, reversing);
    expect(charges()).toHaveLength(1);
    expect(await topUp()).toMatchObject({ status: 'reversed' });
    expect(await team.total()).toBe(10);
    expect(log.at(-1)).toContain('already_reversed');
  });
});

describe('the sweep', () => {
  test('goes on after one that goes wrong', async () => {
    const others = [];
    for (const letter of ['a', 'b', 'c']) {
      const other = account(database, `${team.id} ${letter}`);
      await other.opened();
      await other.one('save_payment_customer', { provider: 'stripe', customer_id: customer });
      await other.topUps();
      others.push(other);
    }
    await at('12:01:00');
    let loans = 0;
    const dying: WithClient = (work) => {
      loans += 1;
      // The list, then the report of the first.
      if (loans === 2) throw new Error('killed');
      return withClient(work);
    };
    await worker(provider, dying, log).sweep();
    expect(await Promise.all(others.map((other) => other.total()))).toEqual([0, 50, 50]);
    await sweep();
    expect(await Promise.all(others.map((other) => other.total()))).toEqual([50, 50, 50]);
    expect(charges()).toHaveLength(3);
  });

  test('reads on, page by page', async () => {
    const ids = Array.from({ length: 101 }, (_value, index) => `${team.id} ${index}`);
    await database.query(
      `select credits.open_account(a, rate_card => 'kiosk') from unnest($1::text[]) a`,
      [ids],
    );
    await database.query(
      'select credits.configure_top_up(a, true, 100, 50) from unnest($1::text[]) a',
      [ids],
    );
    await at('12:01:00');
    await sweep();
    const declined = await database.query(
      `select from credits.purchases where account_id = any ($1) and reason = 'no_payment_method'`,
      [ids],
    );
    expect(declined).toHaveLength(101);
  });
});

describe('with a real worker', () => {
  const logger = new Logger(() => () => {});
  beforeAll(() => runMigrations({ pgPool: database.pool, logger }));

  /** Works until no job is left. */
  const workOff = () => {
    const say = (line: string) => {
      log.push(line);
    };
    return runOnce({
      pgPool: database.pool,
      taskList: {
        charge_top_up: chargeTopUp(provider, say),
        charge_top_ups: chargeTopUps(provider, say),
      },
      noHandleSignals: true,
      logger,
    });
  };

  test('a spend wakes it', async () => {
    await needsTopUp();
    const jobs = await database.query('select task_identifier, key from graphile_worker.jobs');
    expect(jobs).toEqual([{ task_identifier: 'charge_top_up', key: `top_up:${team.id}:1` }]);
    await workOff();
    expect(await team.total()).toBe(60);
  });

  test('nobody is woken by a spend that is rolled back', async () => {
    await team.opened(20);
    await team.topUps({ threshold: 20 });
    const client = await database.pool.connect();
    try {
      await client.query('begin');
      await team.spend(1, client);
      await client.query('rollback');
    } finally {
      client.release();
    }
    expect(await database.query('select from graphile_worker.jobs')).toEqual([]);
  });

  test('a lost wake-up is made up for by the sweep', async () => {
    await needsTopUp();
    await database.query('delete from graphile_worker._private_jobs');
    await at('12:01:00');
    await workOff();
    expect(await topUp()).toMatchObject({ status: 'pending' });
    await database.query(`select graphile_worker.add_job('charge_top_ups')`);
    await workOff();
    expect(await team.total()).toBe(60);
  });

  test('a queue that cannot be written to refuses no spend', async () => {
    await team.opened(20);
    await team.topUps({ threshold: 20 });
    await database.query('alter schema graphile_worker rename to elsewhere');
    await database.query('create schema graphile_worker');
    await database.query(`
      create function graphile_worker.add_job(
        identifier text, payload json default null, queue_name text default null, run_at timestamptz default null,
        max_attempts int default null, job_key text default null, priority int default null, flags text[] default null,
        job_key_mode text default 'replace')
      returns void language plpgsql as $$ begin raise exception 'out of order'; end $$`);
    try {
      await team.spend(1);
    } finally {
      await database.query('drop schema graphile_worker cascade');
      await database.query('alter schema elsewhere rename to graphile_worker');
    }
    expect(await topUp()).toMatchObject({ status: 'pending' });
  });
});
