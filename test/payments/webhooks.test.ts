/** Packs paid by Stripe Checkout, and what its webhooks report: once, twice, late, early and in any order. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startCheckout } from '../../src/payments/checkout.ts';
import { lendingFrom, type WithClient } from '../../src/payments/ledger.ts';
import type { PaymentProvider } from '../../src/payments/provider.ts';
import { stripeProvider } from '../../src/payments/stripe.ts';
import { webhookHandler } from '../../src/payments/webhook.ts';
import { type Account, account, kioskDatabase, NOON } from '../purchases/kiosk.ts';
import type { Arguments } from '../support/calls.ts';
import { creditsError, type TestDatabase, verifyAfterEach } from '../support/database.ts';
import { backendPid, untilBlocked } from '../support/locks.ts';
import { type FakeStripe, type SignedEvent, startFakeStripe } from './fake-stripe.ts';
import { stripeOf, worker } from './payments.ts';

let database: TestDatabase;
let stripe: FakeStripe;
let provider: PaymentProvider;
let withClient: WithClient;
let team: Account;
let log: string[];
let number = 0;
verifyAfterEach(() => database);

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
  await team.opened();
});
afterEach(() => stripe.stop());
afterAll(() => database.close());

const pages = { success: 'https://shop.invalid/thanks', cancel: 'https://shop.invalid/packs' };
const checkout = (purchase_id = 1) =>
  startCheckout({
    withClient,
    provider,
    accountId: team.id,
    purchaseId: String(purchase_id),
    pages,
  });
const receive = ({ body, headers }: { body: Buffer; headers: SignedEvent['headers'] }) =>
  webhookHandler({ withClient, provider, log: (line) => log.push(line) })(body, headers);
/** Sends events one after the other and returns the answers' status. */
const send = async (...events: SignedEvent[]) => {
  const statuses: number[] = [];
  for (const event of events) statuses.push((await receive(event)).status);
  return statuses;
};

/** Buys a pack and goes to its checkout page; returns Stripe's session. */
const sessionFor = async (args: Arguments = {}) => {
  const { purchase_id } = await team.one('buy', { pack: 'small', ...args });
  await checkout(purchase_id);
  return stripe.sessions.at(-1);
};
/** Pays a pack, and returns the payment with its events. */
const paid = async (args: Arguments = {}) => {
  const events = stripe.pay(await sessionFor(args));
  return { intent: stripe.intents[0], events };
};
/** The same, with the events received. */
const bought = async (args: Arguments = {}) => {
  const { intent, events } = await paid(args);
  expect(await send(...events)).toEqual([200, 200]);
  return intent;
};
const purchase = async (index = 0) => (await team.purchases())[index];
const payments = () => stripe.requests.filter(({ line }) => line.startsWith('POST'));

describe('a checkout page', () => {
  test('is for a purchase, at its price, and saves the card', async () => {
    await team.one('buy', { pack: 'small' });
    expect(await checkout()).toBe(stripe.sessions[0].url);
    expect(payments()[0]).toMatchObject({
      line: 'POST /v1/checkout/sessions',
      params: {
        mode: 'payment',
        'line_items[0][quantity]': '1',
        'line_items[0][price_data][currency]': 'usd',
        'line_items[0][price_data][unit_amount]': '900',
        'line_items[0][price_data][product_data][name]': '200 credits',
        'metadata[account_id]': team.id,
        'metadata[purchase_id]': '1',
        'payment_intent_data[metadata][account_id]': team.id,
        'payment_intent_data[metadata][purchase_id]': '1',
        'payment_intent_data[setup_future_usage]': 'off_session',
        customer_creation: 'always',
        success_url: pages.success,
        cancel_url: pages.cancel,
      },
    });
    expect(await purchase()).toMatchObject({ status: 'pending' });
  });

  test.each([
    ['JPY', '1300'],
    ['KWD', '2760'],
    ['EUR', '800'],
  ])('has its price in %s as %s', async (currency, amount) => {
    await sessionFor({ currency });
    expect(payments()[0].params).toMatchObject({
      'line_items[0][price_data][currency]': currency.toLowerCase(),
      'line_items[0][price_data][unit_amount]': amount,
    });
  });

  test('is the same one for the same purchase, and another for another', async () => {
    await team.one('buy', { pack: 'small' });
    await team.one('buy', { pack: 'small' });
    const page = await checkout(1);
    expect(await checkout(1)).toBe(page);
    expect(await checkout(2)).not.toBe(page);
    expect(stripe.sessions).toHaveLength(2);
  });

  test('is for the customer whose card is saved', async () => {
    await bought();
    await sessionFor();
    const { params } = payments().at(-1) as FakeStripe['requests'][number];
    expect(params.customer).toBe(stripe.intents[0].customer);
    expect(params).not.toHaveProperty('customer_creation');
  });

  test('is not for what is paid, or unknown', async () => {
    await bought();
    expect(await creditsError(checkout())).toMatchObject({
      code: 'PC409',
      detail: { reason: 'already_settled' },
    });
    expect(await creditsError(checkout(7))).toMatchObject({
      code: 'PC404',
      detail: { what: 'purchase', key: '7' },
    });
  });

  test('is not there while Stripe is down', async () => {
    await team.one('buy', { pack: 'small' });
    stripe.down = 503;
    await expect(checkout()).rejects.toMatchObject({ statusCode: 503 });
    expect(await purchase()).toMatchObject({ status: 'pending' });
  });
});

describe('a payment', () => {
  test('settles the purchase, under the id of the payment', async () => {
    const { intent, events } = await paid();
    expect(await team.total()).toBe(0);
    expect(await send(...events)).toEqual([200, 200]);
    expect(await purchase()).toMatchObject({ status: 'settled', payment_reference: intent.id });
    expect(await team.total()).toBe(200);
  });

  test.each([0, 1])('is reported by either of its events alone (%d)', async (index) => {
    const { intent, events } = await paid();
    expect(await send(events[index])).toEqual([200]);
    expect(await purchase()).toMatchObject({ status: 'settled', payment_reference: intent.id });
  });

  test('is counted once, however often and in whatever order it is reported', async () => {
    const { events } = await paid();
    const [session, intent] = events;
    expect(await send(intent, session, session, intent, intent)).toEqual([200, 200, 200, 200, 200]);
    expect(await team.total()).toBe(200);
    expect(await team.lots()).toHaveLength(1);
  });

  test('is counted once where both events come at once', async () => {
    const { events } = await paid();
    const blocker = await database.pool.connect();
    const reporter = await database.pool.connect();
    const onReporter: WithClient = (work) => work(reporter);
    const answer = (event: SignedEvent, lend: WithClient) =>
      webhookHandler({ withClient: lend, provider })(event.body, event.headers);
    try {
      await blocker.query('begin');
      await blocker.query('select from credits.accounts where account_id = $1 for update', [
        team.id,
      ]);
      const pid = await backendPid(reporter);
      const first = answer(events[1], onReporter);
      await untilBlocked(database.pool, pid);
      const second = answer(events[0], withClient);
      await blocker.query('commit');
      expect(await Promise.all([first, second])).toMatchObject([{ status: 200 }, { status: 200 }]);
    } finally {
      blocker.release();
      reporter.release();
    }
    expect(await team.lots()).toHaveLength(1);
  });

  test('that comes months late settles all the same', async () => {
    const { events } = await paid();
    await database.setNow('2026-09-01T00:00:00Z');
    expect(await send(...events)).toEqual([200, 200]);
    expect(await team.total()).toBe(200);
  });

  test('that comes before the purchase is committed waits for it', async () => {
    const buyer = await database.pool.connect();
    const reporter = await database.pool.connect();
    try {
      await buyer.query('begin');
      await buyer.query(`select from credits.buy($1, 'small')`, [team.id]);
      const { body, headers } = stripe.event('payment_intent.succeeded', {
        id: 'pi_early',
        object: 'payment_intent',
        metadata: { account_id: team.id, purchase_id: '1' },
        customer: null,
      });
      const pid = await backendPid(reporter);
      const early = webhookHandler({ withClient: (work) => work(reporter), provider })(
        body,
        headers,
      );
      await untilBlocked(database.pool, pid);
      await buyer.query('commit');
      expect(await early).toMatchObject({ status: 200 });
    } finally {
      buyer.release();
      reporter.release();
    }
    expect(await team.total()).toBe(200);
  });

  test('of what is not known yet is to be sent again, and is then counted', async () => {
    const stranger = account(database, `${team.id} new`);
    const intent = {
      id: 'pi_early',
      object: 'payment_intent',
      metadata: { account_id: stranger.id, purchase_id: '1' },
      customer: null,
    };
    const event = stripe.event('payment_intent.succeeded', intent);
    expect(await send(event)).toEqual([404]);
    await stranger.opened();
    expect(await send(event)).toEqual([404]);
    await stranger.one('buy', { pack: 'small' });
    expect(await send(event)).toEqual([200]);
    expect(await stranger.total()).toBe(200);
  });

  test('saves the customer, so that top-ups can be charged', async () => {
    const intent = await bought();
    await team.topUps({ threshold: 500, amount: 10 });
    await worker(provider, withClient).wake(team.id, 2);
    expect(await purchase(1)).toMatchObject({ kind: 'top_up', status: 'settled' });
    expect(stripe.intents[0]).toMatchObject({ customer: intent.customer, amount: 50 });
  });

  test('that takes days settles when it has succeeded', async () => {
    const session = await sessionFor();
    Object.assign(session, { status: 'complete', payment_status: 'unpaid' });
    expect(await send(stripe.event('checkout.session.completed', session))).toEqual([200]);
    expect(await purchase()).toMatchObject({ status: 'pending' });
    stripe.pay(session);
    expect(await send(stripe.event('checkout.session.async_payment_succeeded', session))).toEqual([
      200,
    ]);
    expect(await purchase()).toMatchObject({ status: 'settled' });
  });

  test('that takes days and fails ends the purchase', async () => {
    const session = await sessionFor();
    expect(await send(stripe.event('checkout.session.async_payment_failed', session))).toEqual([
      200,
    ]);
    expect(await purchase()).toMatchObject({ status: 'failed', reason: 'async_payment_failed' });
  });

  test('of nothing settles too', async () => {
    const session = await sessionFor({ pack: 'free' });
    expect(session.amount_total).toBe(0);
    Object.assign(session, { status: 'complete', payment_status: 'no_payment_required' });
    expect(await send(stripe.event('checkout.session.completed', session))).toEqual([200]);
    expect(await purchase()).toMatchObject({
      status: 'settled',
      payment_reference: session.id,
      price: 0,
    });
  });

  test('a second one for the same purchase is logged: somebody has paid twice', async () => {
    const intent = await bought();
    const again = { ...intent, id: 'pi_again' };
    expect(await send(stripe.event('payment_intent.succeeded', again))).toEqual([200]);
    expect(log.at(-1)).toContain('already_settled');
    expect(await purchase()).toMatchObject({ payment_reference: intent.id });
    expect(await team.total()).toBe(200);
  });
});

describe('a page that is left', () => {
  test('expires, and the purchase fails', async () => {
    expect(await send(stripe.expire(await sessionFor()))).toEqual([200]);
    expect(await purchase()).toMatchObject({ status: 'failed', reason: 'expired' });
  });

  test('reported after the payment changes nothing', async () => {
    const session = await sessionFor();
    const events = stripe.pay(session);
    expect(await send(...events, stripe.event('checkout.session.expired', session))).toEqual([
      200, 200, 200,
    ]);
    expect(await purchase()).toMatchObject({ status: 'settled' });
  });

  test('reported before the payment is made up for by it', async () => {
    const session = await sessionFor();
    const expired = stripe.event('checkout.session.expired', session);
    expect(await send(expired, ...stripe.pay(session))).toEqual([200, 200, 200]);
    expect(await purchase()).toMatchObject({ status: 'settled' });
  });

  test("a declined card on the page is the buyer's to replace", async () => {
    const session = await sessionFor();
    const intent = {
      id: 'pi_1',
      object: 'payment_intent',
      metadata: session.payment_intent_metadata,
      last_payment_error: { code: 'card_declined' },
    };
    expect(await send(stripe.event('payment_intent.payment_failed', intent))).toEqual([200]);
    expect(await purchase()).toMatchObject({ status: 'pending' });
  });
});

describe('a refund', () => {
  test('whole reverses the purchase', async () => {
    const intent = await bought();
    await team.spend(150);
    expect(await send(stripe.refund(intent, 900))).toEqual([200]);
    expect(await purchase()).toMatchObject({
      status: 'reversed',
      reversed_amount: 200,
      shortfall: 150,
      reason: 'refund',
    });
    expect(await team.total()).toBe(0);
  });

  test('in part reverses in proportion, and several come to the whole', async () => {
    const intent = await bought();
    const events = [
      stripe.refund(intent, 300),
      stripe.refund(intent, 300),
      stripe.refund(intent, 300),
    ];
    expect(await send(events[0])).toEqual([200]);
    // Stripe was asked, and knew of all three.
    expect(await purchase()).toMatchObject({ status: 'reversed', reversed_amount: 200 });
    expect(await send(events[1], events[2], events[0])).toEqual([200, 200, 200]);
    expect(await purchase()).toMatchObject({ reversed_amount: 200, shortfall: 0 });
  });

  test('in part, twice and out of order, reverses no more than once', async () => {
    const intent = await bought();
    const first = stripe.refund(intent, 300);
    expect(await send(first, first)).toEqual([200, 200]);
    expect(await purchase()).toMatchObject({ status: 'settled', reversed_amount: 66.67 });
    const second = stripe.refund(intent, 150);
    expect(await send(second, first, second)).toEqual([200, 200, 200]);
    expect(await purchase()).toMatchObject({ status: 'settled', reversed_amount: 100 });
    expect(await team.total()).toBe(100);
  });

  test('whole, before the payment is reported, bars it', async () => {
    const { intent, events } = await paid();
    expect(await send(stripe.refund(intent, 900), ...events)).toEqual([200, 200, 200]);
    expect(await purchase()).toMatchObject({ status: 'reversed', settled_at: null });
    expect(await team.total()).toBe(0);
    expect(await team.lots()).toEqual([]);
  });

  test('in part, before the payment is reported, leaves the rest', async () => {
    const { intent, events } = await paid();
    expect(await send(stripe.refund(intent, 450), ...events)).toEqual([200, 200, 200]);
    expect(await purchase()).toMatchObject({
      status: 'settled',
      payment_reference: intent.id,
      reversed_amount: 100,
    });
    expect(await team.total()).toBe(100);
  });

  test('of a second payment for the same purchase leaves the first alone', async () => {
    const intent = await bought();
    const session = stripe.sessions[0];
    session.payment_intent = null;
    stripe.pay(session);
    const again = stripe.intents[0];
    expect(again.id).not.toBe(intent.id);
    expect(await send(stripe.refund(again, 900))).toEqual([200]);
    expect(log.at(-1)).toContain('settled_by_another_payment');
    expect(await team.total()).toBe(200);
  });

  test('of a top-up reverses it, and brings no other', async () => {
    await bought();
    await team.topUps({ threshold: 500, amount: 10, monthly_limit: 10 });
    await worker(provider, withClient).wake(team.id, 2);
    await team.topUps({ threshold: 500, monthly_limit: 1000 });
    await team.one('reverse_purchase', { purchase_id: 3, reason: 'made way' });
    expect(await send(stripe.refund(stripe.intents[0], 50))).toEqual([200]);
    expect(await team.purchases()).toMatchObject([
      { status: 'settled' },
      { status: 'reversed', reversed_amount: 10 },
      { status: 'reversed' },
    ]);
  });

  test('cannot be told while Stripe is down: to be sent again', async () => {
    const intent = await bought();
    const event = stripe.refund(intent, 900);
    stripe.down = 500;
    expect(await send(event)).toEqual([500]);
    expect(await purchase()).toMatchObject({ status: 'settled', reversed_amount: 0 });
    stripe.down = null;
    expect(await send(event)).toEqual([200]);
    expect(await purchase()).toMatchObject({ status: 'reversed' });
  });
});

describe('a dispute', () => {
  test('reverses the purchase', async () => {
    const intent = await bought();
    expect(await send(stripe.dispute(intent, 900))).toEqual([200]);
    expect(await purchase()).toMatchObject({ status: 'reversed', reason: 'dispute' });
    expect(await team.total()).toBe(0);
  });

  test('of what a refund left adds to it, in whatever order they are reported', async () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const intent = await bought();
      const events = [stripe.refund(intent, 225), stripe.dispute(intent, 225)];
      await send(...order.map((index) => events[index]));
      const last = (await team.purchases()).at(-1);
      expect(last).toMatchObject({ status: 'settled', reversed_amount: 100 });
    }
  });

  test('that only asks takes nothing', async () => {
    const intent = await bought();
    expect(await send(stripe.dispute(intent, 900, { status: 'warning_needs_response' }))).toEqual([
      200,
    ]);
    expect(await purchase()).toMatchObject({ status: 'settled', reversed_amount: 0 });
  });

  test('in the currency of the bank is of the whole', async () => {
    const intent = await bought();
    expect(await send(stripe.dispute(intent, 832, { currency: 'eur' }))).toEqual([200]);
    expect(await purchase()).toMatchObject({ status: 'reversed', reversed_amount: 200 });
  });

  test('that is won gives back what it took, once, in whatever order it is told', async () => {
    const intent = await bought();
    await team.spend(50);
    const lost = stripe.dispute(intent, 900);
    await send(lost);
    expect(await purchase()).toMatchObject({ status: 'reversed', shortfall: 50 });
    const won = stripe.win(intent);
    expect(await send(won, lost, won)).toEqual([200, 200, 200]);
    expect(await purchase()).toMatchObject({
      status: 'settled',
      shortfall: 0,
      reason: 'dispute_won',
    });
    expect(await team.total()).toBe(150);
    // Another one, which is lost.
    await send(stripe.dispute(intent, 900));
    expect(await purchase()).toMatchObject({
      status: 'reversed',
      shortfall: 50,
      reason: 'dispute',
    });
    expect(await team.total()).toBe(0);
  });

  test('that is won before anybody told of it takes nothing', async () => {
    const intent = await bought();
    stripe.dispute(intent, 900);
    expect(await send(stripe.win(intent))).toEqual([200]);
    expect(await purchase()).toMatchObject({ status: 'settled' });
    expect(await team.total()).toBe(200);
  });

  test('before the payment is reported bars it; won, it was paid', async () => {
    const { intent, events } = await paid();
    await send(stripe.dispute(intent, 900));
    await send(stripe.win(intent), ...events);
    expect(await purchase()).toMatchObject({ status: 'settled', payment_reference: intent.id });
    expect(await team.total()).toBe(200);
  });

  test('before the payment is reported bars it', async () => {
    const { intent, events } = await paid();
    expect(await send(stripe.dispute(intent, 900), ...events)).toEqual([200, 200, 200]);
    expect(await purchase()).toMatchObject({ status: 'reversed', settled_at: null });
  });
});

describe('a top-up that takes days', () => {
  const processing = async () => {
    await bought();
    stripe.fates = ['process'];
    await team.topUps({ threshold: 500, amount: 10 });
    await worker(provider, withClient).wake(team.id, 2);
    expect(await purchase(1)).toMatchObject({ status: 'pending', declines: 0 });
    return stripe.intents[0];
  };

  test('settles when Stripe reports it', async () => {
    const intent = await processing();
    intent.status = 'succeeded';
    expect(await send(stripe.event('payment_intent.succeeded', intent))).toEqual([200]);
    expect(await purchase(1)).toMatchObject({ status: 'settled' });
  });

  test('is one decline when Stripe reports that, once and again', async () => {
    const event = stripe.failLate(await processing());
    expect(await send(event, event)).toEqual([200, 200]);
    expect(await purchase(1)).toMatchObject({
      status: 'pending',
      declines: 1,
      reason: 'payment_intent_payment_attempt_failed',
    });
  });

  test('is one decline where the worker sees it too', async () => {
    const event = stripe.failLate(await processing());
    await worker(provider, withClient).wake(team.id, 2);
    expect(await send(event)).toEqual([200]);
    expect(await purchase(1)).toMatchObject({ declines: 1 });
  });
});

describe('a request that Stripe did not send', () => {
  const nothingHappened = async () => {
    expect(await purchase()).toMatchObject({ status: 'pending' });
    expect(log.at(-1)).toContain('refused');
  };

  test('signed with another secret', async () => {
    await paid();
    const event = stripe.event('payment_intent.succeeded', stripe.intents[0], {
      secret: 'whsec_of_somebody_else',
    });
    expect(await send(event)).toEqual([400]);
    await nothingHappened();
  });

  test('whose body was altered, were it by one byte', async () => {
    const { events } = await paid();
    const body = Buffer.from(
      events[1].body.toString().replace('"purchase_id":"1"', '"purchase_id":"2"'),
    );
    expect(body.equals(events[1].body)).toBe(false);
    expect(await receive({ ...events[1], body })).toMatchObject({ status: 400 });
    const spaced = Buffer.concat([events[1].body, Buffer.from(' ')]);
    expect(await receive({ ...events[1], body: spaced })).toMatchObject({ status: 400 });
    await nothingHappened();
  });

  test('whose signature is missing or is none', async () => {
    const { events } = await paid();
    for (const headers of [{}, { 'stripe-signature': '' }, { 'stripe-signature': 't=1,v1=x' }]) {
      expect(
        await receive({ ...events[0], headers: headers as SignedEvent['headers'] }),
      ).toMatchObject({ status: 400 });
    }
    await nothingHappened();
  });

  test('signed long ago', async () => {
    await paid();
    const event = stripe.event('payment_intent.succeeded', stripe.intents[0], {
      at: 1_700_000_000,
    });
    expect(await send(event)).toEqual([400]);
    await nothingHappened();
  });

  test('where we have no secret to tell', async () => {
    const { events } = await paid();
    provider = stripeProvider({ secretKey: 'sk_test_1', webhookSecret: null, apiUrl: stripe.url });
    expect(await send(events[0])).toEqual([400]);
    await nothingHappened();
  });
});

describe('an event that is not about us', () => {
  test.each([
    ['of a sort that we do not know', 'customer.created', { id: 'cus_1' }],
    [
      'of a payment that the application made itself',
      'payment_intent.succeeded',
      { id: 'pi_1', metadata: {} },
    ],
    [
      'of a payment whose metadata are its own',
      'payment_intent.succeeded',
      { id: 'pi_1', metadata: { account_id: 'x', purchase_id: 'order-7' } },
    ],
    [
      'of a session of its own',
      'checkout.session.completed',
      { id: 'cs_1', payment_status: 'paid', metadata: null },
    ],
    ['of a failure of its own', 'payment_intent.payment_failed', { id: 'pi_1', metadata: {} }],
  ])('%s is accepted and ignored', async (_what, type, object) => {
    expect(await send(stripe.event(type, object))).toEqual([200]);
    expect(log).toEqual([]);
  });

  test('of a charge without a payment of ours is ignored', async () => {
    const charge = { id: 'ch_own', object: 'charge', amount: 10, amount_refunded: 10, paid: true };
    stripe.charges.push({ ...charge, payment_intent: null });
    expect(await send(stripe.event('charge.refunded', charge))).toEqual([200]);
  });
});

test('a database that fails is no reason to lose an event', async () => {
  const { events } = await paid();
  const broken: WithClient = () => Promise.reject(new Error('the database is away'));
  const { body, headers } = events[0];
  const handler = webhookHandler({ withClient: broken, provider, log: (line) => log.push(line) });
  expect(await handler(body, headers)).toMatchObject({ status: 500 });
  expect(log.at(-1)).toContain('the database is away');
  expect(await send(events[0])).toEqual([200]);
});
