/** Simulated payments, over HTTP, as a browser sees them. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startCheckout } from '../../src/payments/checkout.ts';
import { configuredProvider } from '../../src/payments/configured.ts';
import { lendingFrom, type WithClient } from '../../src/payments/ledger.ts';
import type { PaymentProvider } from '../../src/payments/provider.ts';
import { paymentRoutes, SIMULATED_CHECKOUT_PATH, WEBHOOK_PATH } from '../../src/payments/routes.ts';
import { simulatedProvider } from '../../src/payments/simulated.ts';
import { type Account, account, kioskDatabase, NOON } from '../purchases/kiosk.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';
import { startFakeStripe } from './fake-stripe.ts';
import { worker } from './payments.ts';

let database: TestDatabase;
let withClient: WithClient;
let server: Server;
let url: string;
let provider: PaymentProvider;
let team: Account;
let number = 0;
verifyAfterEach(() => database);

/** Serves the routes of whatever provider there is, and 404 for the rest. */
const serve = async () => {
  server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url as string, 'http://localhost');
    const answer = await paymentRoutes({ withClient, provider })({
      method: request.method as string,
      path: pathname,
      query: searchParams,
      headers: request.headers,
      rawBody: () => buffer(request),
    });
    response.writeHead(answer?.status ?? 404, answer?.headers);
    response.end(answer?.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

beforeAll(async () => {
  database = await kioskDatabase();
  withClient = lendingFrom(database.pool);
  await serve();
});
beforeEach(async () => {
  await database.setNow(NOON);
  provider = configuredProvider(
    {
      stripeSecretKey: null,
      stripeWebhookSecret: null,
      stripeApiUrl: null,
      simulatePayments: true,
    },
    { url: `${url}${SIMULATED_CHECKOUT_PATH}`, secret: 'a secret' },
  ) as PaymentProvider;
  number += 1;
  team = account(database, `team ${number} <b>&✓`);
  await team.opened();
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await database.close();
});

const pages = {
  success: 'https://shop.invalid/thanks?a=1&b=2',
  cancel: 'https://shop.invalid/packs',
};
const pageFor = async (pack = 'small') => {
  const { purchase_id } = await team.one('buy', { pack });
  return startCheckout({
    withClient,
    provider,
    accountId: team.id,
    purchaseId: String(purchase_id),
    pages,
  });
};
/** The fields that the page's form posts. */
const formOf = (html: string) => {
  const unescaped = (text: string) =>
    text
      .replaceAll('&quot;', '"')
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&amp;', '&');
  const inputs = html.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)">/g);
  return new URLSearchParams([...inputs].map(([, name, value]) => [name, unescaped(value)]));
};
/** Presses a button of the page. */
const press = async (page: string, outcome: 'pay' | 'decline', change = {}) => {
  const form = formOf(await (await fetch(page)).text());
  form.set('outcome', outcome);
  for (const [name, value] of Object.entries(change)) form.set(name, value as string);
  const action = `${url}${SIMULATED_CHECKOUT_PATH}`;
  return fetch(action, { method: 'POST', body: form, redirect: 'manual' });
};

test('whatever shows says that they are simulated', async () => {
  expect(provider.name).toContain('simulated');
  const page = await pageFor();
  expect(page).toContain('simulated');
  const response = await fetch(page);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toContain('text/html');
  const html = await response.text();
  expect(html).toContain('<title>Simulated checkout</title>');
  expect(html).toContain('no money moves');
  expect(html).toContain('200 credits: 9 USD');
  expect(html).not.toContain('<b>');
  await press(page, 'pay');
  expect(await team.purchases()).toMatchObject([{ payment_reference: 'simulated_1' }]);
});

test('pressing "pay" settles, once, and goes back to the shop', async () => {
  const page = await pageFor();
  const response = await press(page, 'pay');
  expect([response.status, response.headers.get('location')]).toEqual([303, pages.success]);
  await press(page, 'pay');
  expect(await team.purchases()).toMatchObject([{ status: 'settled' }]);
  expect(await team.total()).toBe(200);
});

test('pressing "decline" fails it, and paying later settles it', async () => {
  const page = await pageFor();
  const response = await press(page, 'decline');
  expect([response.status, response.headers.get('location')]).toEqual([303, pages.cancel]);
  expect(await team.purchases()).toMatchObject([{ status: 'failed', reason: 'simulated_decline' }]);
  await press(page, 'pay');
  expect(await team.total()).toBe(200);
});

describe('nobody pays what they were not sent to pay', () => {
  test.each([
    ['purchase_id', '2'],
    ['account_id', 'another'],
    ['price', '0 USD'],
    ['signature', '00'],
    ['signature', ''],
  ])('with another %s', async (field, value) => {
    const page = await pageFor();
    await team.one('buy', { pack: 'small' });
    expect((await press(page, 'pay', { [field]: value })).status).toBe(400);
    const altered = new URL(page);
    altered.searchParams.set(field, value);
    expect((await fetch(altered)).status).toBe(400);
    expect(await team.total()).toBe(0);
  });

  test('at a process without a checkout', async () => {
    const page = await pageFor();
    const withCheckout = provider;
    const form = Buffer.from(`${new URL(page).searchParams}&outcome=pay`);
    expect(await withCheckout.readWebhook(form, {})).toMatchObject({ kind: 'paid' });
    provider = simulatedProvider(null);
    await expect(pageFor()).rejects.toThrow('no simulated checkout');
    await expect(provider.readWebhook(form, {})).rejects.toThrow('no simulated checkout');
    expect((await fetch(page)).status).toBe(400);
  });
});

test('top-ups are charged to nobody, and settled once', async () => {
  provider = simulatedProvider(null);
  await team.topUps();
  await worker(provider, withClient).wake(team.id, 1);
  await worker(provider, withClient).wake(team.id, 1);
  expect(await team.purchases()).toMatchObject([
    { status: 'settled', payment_reference: 'simulated_1' },
    { status: 'pending' },
  ]);
  expect(await team.total()).toBe(50);
});

test("with a secret key, payments are Stripe's: its signature, and no simulated page", async () => {
  const page = await pageFor();
  const stripe = await startFakeStripe();
  try {
    provider = configuredProvider(
      {
        stripeSecretKey: 'sk_test_1',
        stripeWebhookSecret: stripe.webhookSecret,
        stripeApiUrl: stripe.url,
        simulatePayments: true,
      },
      { url, secret: 'a secret' },
    ) as PaymentProvider;
    expect(provider).toMatchObject({ key: 'stripe', name: 'Stripe' });
    expect((await fetch(page)).status).toBe(404);
    const intent = {
      id: 'pi_1',
      object: 'payment_intent',
      metadata: { account_id: team.id, purchase_id: '1' },
      customer: null,
    };
    const { body, headers } = stripe.event('payment_intent.succeeded', intent);
    const post = (sent: Buffer) =>
      fetch(`${url}${WEBHOOK_PATH}`, { method: 'POST', headers, body: new Uint8Array(sent) });
    expect((await post(Buffer.from(`${body} `))).status).toBe(400);
    expect(await team.total()).toBe(0);
    expect((await post(body)).status).toBe(200);
    expect(await team.total()).toBe(200);
    expect((await fetch(`${url}${WEBHOOK_PATH}`)).status).toBe(405);
    expect((await fetch(`${url}/payments/else`)).status).toBe(404);
  } finally {
    await stripe.stop();
  }
});

test('with neither a secret key nor being asked to simulate, there is no provider', () => {
  const settings = { stripeSecretKey: null, stripeWebhookSecret: null, stripeApiUrl: null };
  expect(configuredProvider({ ...settings, simulatePayments: false }, null)).toBeUndefined();
});
