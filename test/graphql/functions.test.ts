import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { functions } from '../../src/generated/functions.ts';
import { type Api, startApi } from '../support/api.ts';
import { atelierDatabase, NOON } from '../support/atelier.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';

let database: TestDatabase;
let api: Api;

beforeAll(async () => {
  database = await atelierDatabase();
  await database.query(`
    select credits.open_account('other', 'bazaar_pro');
    select credits.open_account('joiner', rate_card => 'atelier')`);
  api = await startApi(database.url);
});
afterAll(async () => {
  await api.stop();
  await database.close();
});
verifyAfterEach(() => database);

const called = new Set<string>();

/** Runs an operation whose one root field is a function of the contract, and returns what the function did. */
async function call(name: string, operation: string, variables?: object) {
  called.add(name);
  const data = await api.data(operation, variables);
  const [result] = Object.values(data) as { result?: unknown }[];
  return operation.startsWith('mutation') ? result.result : result;
}

/** Variables, so that texts, JSON and lists travel as applications send them. */
const mutation = (name: string, field: string, selection: string, input: object) => {
  const type = `${field[0].toUpperCase()}${field.slice(1)}Input`;
  return call(
    name,
    `mutation ($input: ${type}!) { ${field}(input: $input) { result ${selection} } }`,
    { input },
  );
};

const AWKWARD = 'a "quoted", {braced}, back\\slashed text\nof two lines';

describe('each function, as the service', () => {
  test('openAccount', async () => {
    expect(
      await mutation(
        'open_account',
        'openAccount',
        '{ accountId plan rateCard periodStart periodEnd planByPlan { name } lots { nodes { unit granted } } }',
        { accountId: 'team', plan: 'atelier_pro', anchor: '2026-03-01T00:00:00Z' },
      ),
    ).toEqual({
      accountId: 'team',
      plan: 'atelier_pro',
      rateCard: 'atelier',
      periodStart: '2026-03-10T12:00:00.000000+00:00',
      periodEnd: '2026-04-01T00:00:00.000000+00:00',
      planByPlan: { name: 'Pro' },
      lots: {
        nodes: [
          { unit: 'credit', granted: '100' },
          { unit: 'minute', granted: '10' },
        ],
      },
    });
  });

  test('subscribe', async () => {
    expect(
      await mutation('subscribe', 'subscribe', '{ accountId plan }', {
        accountId: 'joiner',
        plan: 'atelier_saver',
      }),
    ).toEqual({ accountId: 'joiner', plan: 'atelier_saver' });
  });

  test('grant', async () => {
    expect(
      await mutation('grant', 'grant', '{ accountId lotId granted bucket expiresAt reason }', {
        accountId: 'team',
        amount: '12.50',
        expiresAt: '2026-06-01T00:00:00Z',
        reason: AWKWARD,
        idempotencyKey: 'gift',
      }),
    ).toEqual({
      accountId: 'team',
      lotId: '3',
      granted: '12.50',
      bucket: 'additional',
      expiresAt: '2026-06-01T00:00:00.000000+00:00',
      reason: AWKWARD,
    });
  });

  test('claim', async () => {
    expect(
      await mutation('claim', 'claim', '{ granted source }', {
        accountId: 'team',
        promotion: 'welcome',
        claimant: 'Someone@Example.com',
      }),
    ).toEqual({ granted: '30', source: 'promotion' });
  });

  test('quote', async () => {
    expect(
      await call(
        'quote',
        `{ quote(accountId: "team", operation: "film", usage: { seconds: 61 }) {
            unit amount available affordable blockedBy breakdown } }`,
      ),
    ).toMatchObject([
      {
        unit: 'credit',
        amount: '20.00',
        available: '142.50',
        affordable: true,
        blockedBy: null,
        breakdown: [{ component: 'base', price: 20, amount: 20 }],
      },
      { unit: 'minute', amount: '2', available: '10', breakdown: [{ component: 'footage' }] },
    ]);
  });

  test('quoteItems', async () => {
    expect(
      await call(
        'quote_items',
        'query ($items: [ItemInput]!) { quoteItems(accountId: "team", items: $items) { unit amount } }',
        {
          items: [
            { operation: 'image', usage: { resolution: '4K', note: AWKWARD } },
            { operation: 'video', usage: { quality: 'pro', seconds: 90 } },
          ],
        },
      ),
    ).toEqual([{ unit: 'credit', amount: '40.00' }]);
  });

  test('item', async () => {
    expect(
      await call(
        'item',
        'query ($usage: JSON) { item(operation: "image", usage: $usage) { operation usage } }',
        { usage: { note: AWKWARD } },
      ),
    ).toEqual({ operation: 'image', usage: { note: AWKWARD } });
  });

  test('spend', async () => {
    expect(
      await mutation(
        'spend',
        'spend',
        '{ accountId seq kind operation unit amount included additional balanceAfter memberId usage idempotencyKey occurredAt metadata }',
        {
          accountId: 'team',
          operation: 'image',
          usage: { resolution: '4K', count: 3, note: AWKWARD },
          idempotencyKey: 'one',
          memberId: 'ann',
          maxAmount: '30',
          metadata: { project: AWKWARD },
        },
      ),
    ).toEqual([
      {
        accountId: 'team',
        seq: '5',
        kind: 'usage',
        operation: 'image',
        unit: 'credit',
        amount: '-30.00',
        included: '-30.00',
        additional: '0',
        balanceAfter: '112.50',
        memberId: 'ann',
        usage: { resolution: '4K', count: 3, note: AWKWARD },
        idempotencyKey: 'one',
        occurredAt: '2026-03-10T12:00:00.000000+00:00',
        metadata: { project: AWKWARD },
      },
    ]);
  });

  test('spendItems, and the balance afterwards in the same request', async () => {
    called.add('spend_items');
    const { spendItems } = await api.data(
      `mutation ($items: [ItemInput]!) {
        spendItems(input: { accountId: "team", items: $items, idempotencyKey: "two" }) {
          result { seq operation unit amount usage }
          query { balances(accountId: "team") { unit total } }
        }
      }`,
      {
        items: [
          { operation: 'image', usage: {} },
          { operation: 'film', usage: { seconds: 60 } },
        ],
      },
    );
    const usage = [
      { operation: 'image', usage: {} },
      { operation: 'film', usage: { seconds: 60 } },
    ];
    expect(spendItems).toEqual({
      result: [
        { seq: '6', operation: null, unit: 'credit', amount: '-25.00', usage },
        { seq: '7', operation: null, unit: 'minute', amount: '-1', usage },
      ],
      query: {
        balances: [
          { unit: 'credit', total: '87.50' },
          { unit: 'minute', total: '9' },
        ],
      },
    });
  });

  test('balances, now and ahead', async () => {
    expect(
      await call(
        'balances',
        '{ balances(accountId: "team") { unit included additional held total nextRefillAt } }',
      ),
    ).toEqual([
      {
        unit: 'credit',
        included: '45.00',
        additional: '42.50',
        held: '0.00',
        total: '87.50',
        nextRefillAt: '2026-04-01T00:00:00.000000+00:00',
      },
      {
        unit: 'minute',
        included: '9',
        additional: '0',
        held: '0',
        total: '9',
        nextRefillAt: '2026-04-01T00:00:00.000000+00:00',
      },
    ]);
    expect(
      await call(
        'balances',
        '{ balances(accountId: "team", at: "2026-06-01T00:00:00Z") { unit included additional } }',
      ),
    ).toEqual([
      { unit: 'credit', included: '100.00', additional: '30.00' },
      { unit: 'minute', included: '10', additional: '0' },
    ]);
  });

  test('activity, with each of its filters', async () => {
    const seqs = async (filter: string) => {
      const { nodes } = (await call(
        'activity',
        `{ activity(accountId: "team"${filter}) { nodes { seq } } }`,
      )) as { nodes: { seq: string }[] };
      return nodes.map(({ seq }) => seq);
    };
    expect(await seqs('')).toEqual(['7', '6', '5', '4', '3', '2', '1']);
    expect(await seqs(', kinds: ["usage", "expiry"]')).toEqual(['7', '6', '5']);
    expect(await seqs(', memberId: "ann"')).toEqual(['5']);
    expect(await seqs(`, since: "${NOON}", first: 2`)).toEqual(['7', '6']);
    expect(await seqs(`, until: "${NOON}"`)).toEqual([]);
  });

  test('features', async () => {
    expect(await call('features', '{ features(accountId: "team") { feature value } }')).toEqual([
      { feature: 'seats', value: 5 },
      { feature: 'watermark_free', value: true },
    ]);
  });

  test('rates', async () => {
    expect(
      await call(
        'rates',
        '{ rates(accountId: "other") { category operation component match unit price measure per } }',
      ),
    ).toEqual([
      {
        category: 'Pictures',
        operation: 'image',
        component: 'base',
        match: {},
        unit: 'coin',
        price: '7',
        measure: null,
        per: '1',
      },
    ]);
  });

  test('verify', async () => {
    expect(await call('verify', '{ verify { accountId rule detail } }')).toEqual([]);
    expect(await call('verify', '{ verify(accountId: "team") { rule } }')).toEqual([]);
  });

  test('spendMany: a refused request beside one that is charged', async () => {
    expect(
      await mutation(
        'spend_many',
        'spendMany',
        '{ requestIndex status errorCode errorDetail accountId seq operation unit amount idempotencyKey }',
        {
          requests: [
            { accountId: 'nobody', operation: 'image', usage: { note: AWKWARD } },
            { accountId: 'team', operation: 'image', usage: { count: 2 }, idempotencyKey: 'many' },
            { accountId: 'team', operation: 'image', usage: { count: 2 }, idempotencyKey: 'many' },
          ],
        },
      ),
    ).toEqual([
      {
        requestIndex: 1,
        status: 'refused',
        errorCode: 'PC404',
        errorDetail: { what: 'account', key: 'nobody' },
        accountId: 'nobody',
        seq: null,
        operation: 'image',
        unit: null,
        amount: null,
        idempotencyKey: null,
      },
      ...['ok', 'replayed'].map((status, index) => ({
        requestIndex: index + 2,
        status,
        errorCode: null,
        errorDetail: null,
        accountId: 'team',
        seq: '8',
        operation: 'image',
        unit: 'credit',
        amount: '-10.00',
        idempotencyKey: 'many',
      })),
    ]);
  });

  test('authorize, and the lots that are held', async () => {
    expect(
      await mutation(
        'authorize',
        'authorize',
        '{ holdId unit amount status memberId expiresAt holdLots { nodes { lot { bucket } amount } } }',
        {
          accountId: 'team',
          operation: 'image',
          usage: { count: 8 },
          memberId: 'ann',
          expiresIn: { minutes: 30 },
          idempotencyKey: 'render',
        },
      ),
    ).toEqual([
      {
        holdId: '1',
        unit: 'credit',
        amount: '40.00',
        status: 'open',
        memberId: 'ann',
        expiresAt: '2026-03-10T12:30:00.000000+00:00',
        holdLots: {
          nodes: [
            { lot: { bucket: 'included' }, amount: '35.00' },
            { lot: { bucket: 'additional' }, amount: '5.00' },
          ],
        },
      },
    ]);
  });

  test('capture, and the hold that an entry is of', async () => {
    expect(
      await mutation(
        'capture',
        'capture',
        '{ seq kind amount included additional hold { status captured } }',
        { accountId: 'team', holdId: '1', usage: { count: 2 } },
      ),
    ).toEqual([
      {
        seq: '9',
        kind: 'usage',
        amount: '-10.00',
        included: '-10.00',
        additional: '0',
        hold: { status: 'captured', captured: '10.00' },
      },
    ]);
  });

  test('authorizeItems, captureItems', async () => {
    const items = [
      { operation: 'image', usage: { note: AWKWARD } },
      { operation: 'film', usage: { seconds: 60 } },
    ];
    expect(
      await mutation(
        'authorize_items',
        'authorizeItems',
        '{ holdId unit amount operation usage }',
        {
          accountId: 'team',
          items,
        },
      ),
    ).toEqual([
      { holdId: '2', unit: 'credit', amount: '25.00', operation: null, usage: items },
      { holdId: '2', unit: 'minute', amount: '1', operation: null, usage: items },
    ]);
    expect(
      await mutation('capture_items', 'captureItems', '{ seq unit amount holdId }', {
        accountId: 'team',
        holdId: '2',
        items: items.slice(0, 1),
      }),
    ).toEqual([{ seq: '10', unit: 'credit', amount: '-5.00', holdId: '2' }]);
  });

  test('release', async () => {
    await mutation('authorize', 'authorize', '{ holdId }', {
      accountId: 'team',
      operation: 'image',
    });
    expect(
      await mutation('release', 'release', '{ holdId status amount captured endedAt }', {
        accountId: 'team',
        holdId: '3',
      }),
    ).toEqual([
      {
        holdId: '3',
        status: 'released',
        amount: '5.00',
        captured: '0',
        endedAt: '2026-03-10T12:00:00.000000+00:00',
      },
    ]);
  });

  test('refund', async () => {
    expect(
      await mutation('refund', 'refund', '{ seq kind amount refundsSeq reason idempotencyKey }', {
        accountId: 'team',
        seq: '8',
        amount: '4.5',
        reason: AWKWARD,
        idempotencyKey: 'sorry',
      }),
    ).toEqual([
      {
        seq: '11',
        kind: 'refund',
        amount: '4.50',
        refundsSeq: '8',
        reason: AWKWARD,
        idempotencyKey: 'sorry',
      },
    ]);
  });

  test('revoke', async () => {
    expect(
      await mutation('revoke', 'revoke', '{ seq kind amount additional reason }', {
        accountId: 'team',
        lotId: '3',
        amount: '2.5',
        reason: 'a mistake',
      }),
    ).toEqual([
      { seq: '12', kind: 'revocation', amount: '-2.5', additional: '-2.5', reason: 'a mistake' },
    ]);
  });

  test('buy, purchaseToPay, settlePurchase, reversePurchase', async () => {
    const purchase = { accountId: 'team', purchaseId: '1' };
    expect(
      await mutation('buy', 'buy', '{ purchaseId kind pack unit amount price currency status }', {
        accountId: 'team',
        pack: 'box',
        currency: 'USD',
        idempotencyKey: 'a box',
      }),
    ).toEqual({
      purchaseId: '1',
      kind: 'pack',
      pack: 'box',
      unit: 'credit',
      amount: '50',
      price: '6',
      currency: 'USD',
      status: 'pending',
    });
    expect(
      await call(
        'purchase_to_pay',
        '{ purchaseToPay(accountId: "team", purchaseId: "1") { status price } }',
      ),
    ).toEqual({ status: 'pending', price: '6' });
    expect(
      await mutation('settle_purchase', 'settlePurchase', '{ status paymentReference settledAt }', {
        ...purchase,
        paymentReference: 'paid',
      }),
    ).toEqual({
      status: 'settled',
      paymentReference: 'paid',
      settledAt: '2026-03-10T12:00:00.000000+00:00',
    });
    expect(
      await mutation('reverse_purchase', 'reversePurchase', '{ status reversedAmount shortfall }', {
        ...purchase,
        reason: 'a chargeback of a fifth',
        amount: '10',
      }),
    ).toEqual({ status: 'settled', reversedAmount: '10', shortfall: '0' });
    expect(
      await api.data(
        '{ activity(accountId: "team", first: 2) { nodes { seq kind amount purchase { pack } } } }',
      ),
    ).toEqual({
      activity: {
        nodes: [
          { seq: '14', kind: 'revocation', amount: '-10', purchase: { pack: 'box' } },
          { seq: '13', kind: 'purchase', amount: '50', purchase: { pack: 'box' } },
        ],
      },
    });
  });

  test('reinstatePurchase', async () => {
    expect(
      await mutation(
        'reinstate_purchase',
        'reinstatePurchase',
        '{ status reversedAmount reinstatedAmount }',
        { accountId: 'team', purchaseId: '1', reason: 'won', amount: '4' },
      ),
    ).toEqual({ status: 'settled', reversedAmount: '10', reinstatedAmount: '4' });
  });

  test('failPurchase, reversePayment', async () => {
    for (let i = 0; i < 2; i++) {
      await mutation('buy', 'buy', '{ purchaseId }', { accountId: 'team', pack: 'box' });
    }
    expect(
      await mutation('fail_purchase', 'failPurchase', '{ purchaseId status reason }', {
        accountId: 'team',
        purchaseId: '2',
        reason: 'declined',
      }),
    ).toEqual({ purchaseId: '2', status: 'failed', reason: 'declined' });
    expect(
      await mutation('reverse_payment', 'reversePayment', '{ purchaseId status reversedAmount }', {
        accountId: 'team',
        purchaseId: '3',
        paymentReference: 'paid too',
        paid: '6',
        returned: '6',
        reason: 'a refund before we heard of the payment',
      }),
    ).toEqual({ purchaseId: '3', status: 'reversed', reversedAmount: '50.00' });
  });

  test('savePaymentCustomer', async () => {
    expect(
      await mutation('save_payment_customer', 'savePaymentCustomer', '{ provider customerId }', {
        accountId: 'team',
        provider: 'bank',
        customerId: 'customer of the bank',
      }),
    ).toEqual({ provider: 'bank', customerId: 'customer of the bank' });
  });

  test('configureTopUp', async () => {
    expect(
      await mutation(
        'configure_top_up',
        'configureTopUp',
        '{ accountId enabled threshold amount monthlyLimit suspendedReason }',
        { accountId: 'team', enabled: true, threshold: '10', amount: '50', monthlyLimit: '100' },
      ),
    ).toEqual({
      accountId: 'team',
      enabled: true,
      threshold: '10',
      amount: '50',
      monthlyLimit: '100',
      suspendedReason: null,
    });
  });

  test('configureAdditional', async () => {
    expect(
      await mutation(
        'configure_additional',
        'configureAdditional',
        '{ additionalEnabled additionalPeriodLimit }',
        { accountId: 'team', enabled: true, periodLimit: '25' },
      ),
    ).toEqual({ additionalEnabled: true, additionalPeriodLimit: '25' });
  });

  test('addMember, removeMember', async () => {
    const ann = { memberId: 'ann', role: 'admin', periodCap: '12.5' };
    expect(
      await mutation('add_member', 'addMember', '{ memberId role periodCap }', {
        accountId: 'team',
        ...ann,
      }),
    ).toEqual(ann);
    expect(
      await mutation('remove_member', 'removeMember', '{ memberId role periodCap }', {
        accountId: 'team',
        memberId: 'ann',
        actingMemberId: 'ann',
      }),
    ).toEqual(ann);
    expect(await api.data('{ members { nodes { memberId } } }')).toEqual({
      members: { nodes: [] },
    });
  });

  test('recordMeter', async () => {
    expect(
      await mutation(
        'record_meter',
        'recordMeter',
        '{ operation level measure unit usage readAt }',
        {
          accountId: 'team',
          operation: 'storage',
          quantity: '12.5',
          usage: { folder: AWKWARD },
        },
      ),
    ).toEqual({
      operation: 'storage',
      level: '12.5',
      measure: 'gb_days',
      unit: 'credit',
      usage: { folder: AWKWARD },
      readAt: '2026-03-10T12:00:00.000000+00:00',
    });
  });

  test('cancelSubscription', async () => {
    expect(
      await mutation(
        'cancel_subscription',
        'cancelSubscription',
        '{ plan cancelsAtPeriodEnd periodEnd }',
        { accountId: 'joiner' },
      ),
    ).toEqual({
      plan: 'atelier_saver',
      cancelsAtPeriodEnd: true,
      periodEnd: '2026-04-10T12:00:00.000000+00:00',
    });
    expect(
      await mutation('cancel_subscription', 'cancelSubscription', '{ plan periodEnd }', {
        accountId: 'joiner',
        immediately: true,
      }),
    ).toEqual({ plan: null, periodEnd: null });
  });

  test('none is left out', () => {
    // The first is what pages of activity are read from, the last is for subscriptions, the others are the worker's.
    const hidden = [
      'entries_matching',
      'settle_due',
      'top_up_due',
      'top_ups_due',
      'watch_balances',
    ];
    expect([...called, ...hidden].sort()).toEqual(Object.keys(functions).sort());
  });
});

describe('a request repeated with its key', () => {
  test('returns the original entry and charges nothing', async () => {
    const repeat = () =>
      mutation('spend', 'spend', '{ seq amount }', {
        accountId: 'other',
        operation: 'image',
        idempotencyKey: 'again',
      });
    const first = await repeat();
    expect(await repeat()).toEqual(first);
    expect(await api.data('{ balances(accountId: "other") { total } }')).toEqual({
      balances: [{ total: '63' }],
    });
  });
});
