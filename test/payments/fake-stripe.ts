/**
 * A stand-in for Stripe's API that speaks HTTP: as much of it as we use, with its idempotency keys, declines and failures,
 * and the events that it would send, signed as Stripe signs them. It knows nothing of our code or of Stripe's SDK.
 */
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

// biome-ignore lint/suspicious/noExplicitAny: Stripe's objects, as far as they are needed
type StripeObject = any;

/** What becomes of the next request to create a PaymentIntent. */
export type Fate =
  | 'succeed'
  /** The card is declined. */
  | 'decline'
  /** The card wants its owner to be there. */
  | 'authenticate'
  /** The payment takes days, such as a direct debit. */
  | 'process'
  /** Stripe refuses the request itself. */
  | 'refuse'
  /** Nothing happens, and an error of Stripe's own is answered. */
  | 'fail';

export interface SignedEvent {
  body: Buffer;
  headers: { 'stripe-signature': string };
}

export interface FakeStripe {
  url: string;
  webhookSecret: string;
  /** All requests, in order: `POST /v1/payment_intents`. */
  requests: { line: string; idempotencyKey: string | undefined; params: Record<string, string> }[];
  intents: StripeObject[];
  charges: StripeObject[];
  sessions: StripeObject[];
  /** What becomes of the next PaymentIntents; afterwards they succeed. */
  fates: Fate[];
  /** Everything is answered with this status, as if Stripe were down. */
  down: 500 | 503 | 401 | null;
  /** Does what it is asked to, and then the connection breaks before the answer. */
  deaf: boolean;
  /** Forgets the idempotency keys, as Stripe does after a day. */
  forgetKeys(): void;
  /** Lists nothing of what was paid. */
  listsNothing: boolean;
  /** Adds a customer, with a saved card or without. */
  addCustomer(id: string, card: string | null): void;
  /** The buyer pays on the page of a session, and the card is saved. Returns the events, the session's first. */
  pay(session: StripeObject): SignedEvent[];
  /** A buyer leaves, and the session expires. */
  expire(session: StripeObject): SignedEvent;
  /** Returns a part of a payment, in minor units. */
  refund(intent: StripeObject, amount: number): SignedEvent;
  /** The last dispute of a payment is won. */
  win(intent: StripeObject): SignedEvent;
  /** The card's owner disputes a part of a payment, in minor units. */
  dispute(
    intent: StripeObject,
    amount: number,
    options?: { status?: string; currency?: string },
  ): SignedEvent;
  /** A payment that was processing is declined in the end. */
  failLate(intent: StripeObject): SignedEvent;
  /** An event of any sort, signed. */
  event(
    type: string,
    object: StripeObject,
    options?: { secret?: string; at?: number },
  ): SignedEvent;
  stop(): Promise<void>;
}

/** Starts a fake on 127.0.0.1. */
export async function startFakeStripe(): Promise<FakeStripe> {
  const webhookSecret = 'whsec_of_the_tests';
  const customers = new Map<string, StripeObject>();
  const cards = new Map<string, StripeObject[]>();
  const disputes: StripeObject[] = [];
  const answered = new Map<string, { params: string; status: number; body: StripeObject }>();
  let count = 0;
  const newId = (prefix: string) => `${prefix}_${++count}`;

  const fake: FakeStripe = {
    url: '',
    webhookSecret,
    requests: [],
    intents: [],
    charges: [],
    sessions: [],
    fates: [],
    down: null,
    deaf: false,
    forgetKeys: () => answered.clear(),
    listsNothing: false,
    addCustomer(id, card) {
      customers.set(id, {
        id,
        object: 'customer',
        invoice_settings: { default_payment_method: null },
      });
      cards.set(id, card === null ? [] : [{ id: card, object: 'payment_method', customer: id }]);
    },
    pay(session) {
      const customer = session.customer ?? newId('cus');
      const card = newId('pm');
      if (!customers.has(customer)) fake.addCustomer(customer, card);
      const intent = addIntent({
        amount: session.amount_total,
        currency: session.currency,
        customer,
        payment_method: card,
        metadata: session.payment_intent_metadata,
        setup_future_usage: session.setup_future_usage,
      });
      succeed(intent);
      Object.assign(session, {
        status: 'complete',
        payment_status: 'paid',
        payment_intent: intent.id,
        customer,
      });
      return [
        fake.event('checkout.session.completed', session),
        fake.event('payment_intent.succeeded', intent),
      ];
    },
    expire(session) {
      session.status = 'expired';
      return fake.event('checkout.session.expired', session);
    },
    refund(intent, amount) {
      const charge = chargeOf(intent);
      charge.amount_refunded += amount;
      charge.refunded = charge.amount_refunded === charge.amount;
      return fake.event('charge.refunded', charge);
    },
    dispute(intent, amount, { status = 'needs_response', currency = intent.currency } = {}) {
      const charge = chargeOf(intent);
      const dispute = {
        id: newId('dp'),
        object: 'dispute',
        charge: charge.id,
        payment_intent: intent.id,
        amount,
        currency,
        status,
        metadata: {},
      };
      disputes.push(dispute);
      charge.disputed = true;
      return fake.event('charge.dispute.created', dispute);
    },
    win(intent) {
      const charge = chargeOf(intent);
      const dispute = disputes.findLast(({ charge: id }) => id === charge.id) as StripeObject;
      dispute.status = 'won';
      return fake.event('charge.dispute.funds_reinstated', dispute);
    },
    failLate(intent) {
      decline(intent, { code: 'payment_intent_payment_attempt_failed' });
      return fake.event('payment_intent.payment_failed', intent);
    },
    event(type, object, { secret = webhookSecret, at = Math.floor(Date.now() / 1000) } = {}) {
      const body = JSON.stringify({ id: newId('evt'), object: 'event', type, data: { object } });
      const signature = createHmac('sha256', secret).update(`${at}.${body}`).digest('hex');
      return {
        body: Buffer.from(body),
        headers: { 'stripe-signature': `t=${at},v1=${signature}` },
      };
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };

  const addIntent = (fields: StripeObject) => {
    const intent = {
      id: newId('pi'),
      object: 'payment_intent',
      status: 'requires_payment_method',
      last_payment_error: null,
      latest_charge: null,
      setup_future_usage: null,
      ...fields,
    };
    fake.intents.unshift(intent);
    return intent;
  };
  const succeed = (intent: StripeObject) => {
    intent.status = 'succeeded';
    intent.latest_charge = newId('ch');
    fake.charges.push({
      id: intent.latest_charge,
      object: 'charge',
      amount: intent.amount,
      amount_refunded: 0,
      currency: intent.currency,
      customer: intent.customer,
      metadata: { ...intent.metadata },
      paid: true,
      payment_intent: intent.id,
    });
  };
  const decline = (intent: StripeObject, error: StripeObject) => {
    intent.status = 'requires_payment_method';
    intent.last_payment_error = { type: 'card_error', ...error };
  };
  const chargeOf = (intent: StripeObject) =>
    fake.charges.find(({ id }) => id === intent.latest_charge);

  type Answer = { status: number; body: StripeObject };
  const ok = (body: StripeObject): Answer => ({ status: 200, body });
  const list = (data: StripeObject[]) => ok({ object: 'list', data, has_more: false });
  const refusal = (status: number, error: StripeObject): Answer => ({ status, body: { error } });
  const missing = (what: string) =>
    refusal(404, { type: 'invalid_request_error', code: 'resource_missing', message: what });

  const createIntent = (params: Record<string, string>): Answer => {
    const fate = fake.fates.shift() ?? 'succeed';
    if (fate === 'fail') {
      return refusal(500, { type: 'api_error', message: 'An error of Stripe.' });
    }
    if (fate === 'refuse') {
      return refusal(400, {
        type: 'invalid_request_error',
        code: 'amount_too_small',
        message: 'Amount must be at least $0.50.',
      });
    }
    const intent = addIntent({
      amount: Number(params.amount),
      currency: params.currency,
      customer: params.customer,
      payment_method: params.payment_method,
      metadata: nested(params, 'metadata'),
    });
    if (fate === 'decline' || fate === 'authenticate') {
      const error =
        fate === 'decline'
          ? { code: 'card_declined', decline_code: 'insufficient_funds' }
          : { code: 'authentication_required' };
      decline(intent, error);
      return refusal(402, { type: 'card_error', message: 'No.', ...error, payment_intent: intent });
    }
    if (fate === 'process') intent.status = 'processing';
    else succeed(intent);
    return ok(intent);
  };

  const createSession = (params: Record<string, string>): Answer => {
    const price = nested(params, 'line_items[0][price_data]');
    const session = {
      id: newId('cs'),
      object: 'checkout.session',
      url: `https://checkout.invalid/${count}`,
      amount_total: Number(price.unit_amount) * Number(params['line_items[0][quantity]']),
      currency: price.currency,
      customer: params.customer ?? null,
      metadata: nested(params, 'metadata'),
      payment_intent: null,
      payment_intent_metadata: nested(params, 'payment_intent_data[metadata]'),
      setup_future_usage: params['payment_intent_data[setup_future_usage]'] ?? null,
      payment_status: 'unpaid',
      status: 'open',
    };
    fake.sessions.push(session);
    return ok(session);
  };

  const read = (path: string, params: Record<string, string>): Answer => {
    const [resource, id, part] = path.split('/').slice(2);
    if (resource === 'customers') {
      const customer = customers.get(id);
      if (!customer) return missing(`No such customer: ${id}`);
      return part === 'payment_methods' ? list(cards.get(id) ?? []) : ok(customer);
    }
    if (resource === 'payment_intents') {
      const mine = fake.intents.filter(({ customer }) => customer === params.customer);
      return list(fake.listsNothing ? [] : mine);
    }
    if (resource === 'charges') {
      const charge = fake.charges.find((candidate) => candidate.id === id);
      if (!charge) return missing(`No such charge: ${id}`);
      const intent = fake.intents.find((candidate) => candidate.id === charge.payment_intent);
      return ok({ ...charge, payment_intent: intent });
    }
    if (resource === 'disputes') {
      return list(disputes.filter(({ charge }) => charge === params.charge));
    }
    return missing(path);
  };

  const answer = (
    method: string,
    path: string,
    params: Record<string, string>,
    key: string | undefined,
  ): Answer => {
    if (fake.down !== null) {
      return refusal(fake.down, { type: 'api_error', message: 'Down.' });
    }
    if (method === 'GET') return read(path, params);
    const earlier = key === undefined ? undefined : answered.get(key);
    if (earlier && earlier.params !== JSON.stringify(params)) {
      return refusal(400, { type: 'idempotency_error', message: 'Other parameters, same key.' });
    }
    if (earlier) return earlier;
    const created = path === '/v1/checkout/sessions' ? createSession(params) : createIntent(params);
    if (key !== undefined && created.status !== 500) {
      const { status, body } = created;
      answered.set(key, {
        params: JSON.stringify(params),
        status,
        body: structuredClone(body),
      });
    }
    return created;
  };

  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const url = new URL(request.url as string, 'http://localhost');
    const params = Object.fromEntries([
      ...url.searchParams,
      ...new URLSearchParams(Buffer.concat(chunks).toString()),
    ]);
    const method = request.method as string;
    const idempotencyKey = request.headers['idempotency-key'] as string | undefined;
    fake.requests.push({ line: `${method} ${url.pathname}`, idempotencyKey, params });
    const { status, body } = answer(method, url.pathname, params, idempotencyKey);
    if (fake.deaf && method === 'POST') {
      request.socket.destroy();
      return;
    }
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  fake.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return fake;
}

/** The fields of `prefix[...]` in a form. */
function nested(params: Record<string, string>, prefix: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(params)
      .filter(([name]) => name.startsWith(`${prefix}[`))
      .map(([name, value]) => [
        name.slice(prefix.length + 1, name.indexOf(']', prefix.length)),
        value,
      ]),
  );
}
