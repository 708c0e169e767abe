/**
 * Payments by Stripe: Checkout for packs, which also saves the card; PaymentIntents off-session for top-ups.
 *
 * Everything we create at Stripe carries account_id and purchase_id as metadata; that is how its events find their purchase.
 * A webhook endpoint needs these events: checkout.session.completed, checkout.session.async_payment_succeeded,
 * checkout.session.async_payment_failed, checkout.session.expired, payment_intent.succeeded, payment_intent.payment_failed,
 * charge.refunded, charge.dispute.created, charge.dispute.funds_withdrawn, charge.dispute.funds_reinstated,
 * charge.dispute.closed. Others are ignored.
 */
import { createHash } from 'node:crypto';
import Stripe from 'stripe';
import { toMinorUnits } from './minor-units.ts';
import {
  BadSignatureError,
  type ChargeOutcome,
  type Payment,
  type PaymentProvider,
  type PaymentReport,
} from './provider.ts';

export interface StripeOptions {
  /** STRIPE_SECRET_KEY */
  secretKey: string;
  /** STRIPE_WEBHOOK_SECRET, which signs the events; without it, webhooks are refused. */
  webhookSecret: string | null;
  /** Where Stripe's API is, if not at Stripe: `http://127.0.0.1:12111`. */
  apiUrl?: string | null;
  /** How often a request that got no answer is repeated at once. Default: 2. */
  retries?: number;
}

/** Stripe as a payment provider. Throws nothing; a key that is wrong shows in what it is used for. */
export function stripeProvider(options: StripeOptions): PaymentProvider {
  const { secretKey, webhookSecret, apiUrl = null, retries = 2 } = options;
  const stripe = new Stripe(secretKey, {
    ...addressOf(apiUrl),
    maxNetworkRetries: retries,
    timeout: 30_000,
    telemetry: false,
    appInfo: { name: 'pgcredits' },
  });
  return {
    key: 'stripe',
    name: 'Stripe',

    async startCheckout(payment, pages) {
      const session = await stripe.checkout.sessions.create(
        {
          mode: 'payment',
          line_items: [
            {
              quantity: 1,
              price_data: {
                currency: payment.currency.toLowerCase(),
                unit_amount: toMinorUnits(payment.price, payment.currency),
                product_data: { name: payment.description },
              },
            },
          ],
          ...(payment.customerId
            ? { customer: payment.customerId }
            : { customer_creation: 'always' }),
          metadata: metadataOf(payment),
          payment_intent_data: { metadata: metadataOf(payment), setup_future_usage: 'off_session' },
          success_url: pages.success,
          cancel_url: pages.cancel,
        },
        { idempotencyKey: idempotencyKey('checkout', payment) },
      );
      if (!session.url) throw new Error(`Checkout session ${session.id} has no page any more.`);
      return session.url;
    },

    async chargeTopUp(payment) {
      try {
        return await charge(stripe, payment);
      } catch (error) {
        return outcomeOf(error as Error);
      }
    },

    async readWebhook(rawBody, headers) {
      if (webhookSecret === null) {
        throw new BadSignatureError('STRIPE_WEBHOOK_SECRET is not set.');
      }
      let event: Stripe.Event;
      try {
        const signature = headers['stripe-signature'] ?? '';
        event = stripe.webhooks.constructEvent(rawBody, signature, webhookSecret);
      } catch (error) {
        // Its first line; the rest is advice.
        const [message] = (error as Error).message.split('\n');
        throw new BadSignatureError(message.trim(), { cause: error });
      }
      return reportOf(stripe, event);
    },
  };
}

function addressOf(apiUrl: string | null): Stripe.StripeConfig {
  if (apiUrl === null) return {};
  const { protocol, hostname, port } = new URL(apiUrl);
  const scheme = protocol === 'http:' ? 'http' : 'https';
  return { protocol: scheme, host: hostname, port: port || (scheme === 'http' ? 80 : 443) };
}

/**
 * Charges the customer's card, once a purchase and attempt. Of several at once, and of a repetition, the idempotency key lets
 * one through; Stripe remembers it for a day, and payments for good, so those are looked at first.
 */
async function charge(stripe: Stripe, payment: Payment): Promise<ChargeOutcome> {
  const { customerId } = payment;
  const cardId = customerId && (await cardOf(stripe, customerId));
  if (!customerId || !cardId) return { outcome: 'declined', reason: 'no_payment_method' };

  const recent = await stripe.paymentIntents.list({ customer: customerId, limit: 100 });
  const earlier = recent.data.filter(
    ({ metadata }) =>
      metadata.account_id === payment.accountId && metadata.purchase_id === payment.purchaseId,
  );
  const intent =
    earlier.find(({ status }) => status === 'succeeded' || status === 'processing') ??
    earlier.find(({ metadata }) => metadata.attempt === String(payment.attempt)) ??
    (await stripe.paymentIntents.create(
      {
        amount: toMinorUnits(payment.price, payment.currency),
        currency: payment.currency.toLowerCase(),
        customer: customerId,
        payment_method: cardId,
        automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
        off_session: true,
        confirm: true,
        description: payment.description,
        metadata: { ...metadataOf(payment), attempt: String(payment.attempt) },
      },
      { idempotencyKey: idempotencyKey(`charge ${payment.attempt}`, payment) },
    ));
  switch (intent.status) {
    case 'succeeded':
      return { outcome: 'paid', reference: intent.id };
    case 'processing':
      return { outcome: 'unknown', reason: 'processing' };
    default:
      return { outcome: 'declined', reason: reasonOf(intent) };
  }
}

/** The card that a customer pays with: their default, else the one saved last. */
async function cardOf(stripe: Stripe, customerId: string): Promise<string | null> {
  const customer = await stripe.customers.retrieve(customerId);
  if (customer.deleted) return null;
  const chosen = idOf(customer.invoice_settings?.default_payment_method);
  if (chosen) return chosen;
  const saved = await stripe.customers.listPaymentMethods(customerId, { limit: 1 });
  return saved.data[0]?.id ?? null;
}

/** Stripe's refusal of this charge is a decline; anything else says nothing about it. */
function outcomeOf(error: Error): ChargeOutcome {
  if (error instanceof Stripe.errors.StripeCardError) {
    return { outcome: 'declined', reason: error.decline_code || error.code || 'card_declined' };
  }
  if (error instanceof Stripe.errors.StripeInvalidRequestError) {
    return { outcome: 'declined', reason: error.code || 'invalid_request' };
  }
  return { outcome: 'unknown', reason: error.message };
}

/** Why a payment did not succeed, in Stripe's words. */
function reasonOf({ last_payment_error: error, status }: Stripe.PaymentIntent): string {
  return error?.decline_code || error?.code || status;
}

function metadataOf({ accountId, purchaseId }: Payment): Stripe.MetadataParam {
  return { account_id: accountId, purchase_id: purchaseId };
}

/** Of one purchase in one database: another that counts its purchases from 1 too has other instants. */
function idempotencyKey(what: string, { accountId, purchaseId, createdAt }: Payment): string {
  const parts = JSON.stringify([what, accountId, purchaseId, createdAt.toISOString()]);
  return `pgcredits-${createHash('sha256').update(parts).digest('hex')}`;
}

async function reportOf(stripe: Stripe, event: Stripe.Event): Promise<PaymentReport | null> {
  switch (event.type) {
    case 'checkout.session.completed':
    case 'checkout.session.async_payment_succeeded': {
      const session = event.data.object;
      if (session.payment_status === 'unpaid') return null;
      const reference = idOf(session.payment_intent) ?? session.id;
      const customerId = idOf(session.customer);
      return about(session.metadata, { kind: 'paid', reference, customerId });
    }
    case 'checkout.session.async_payment_failed':
    case 'checkout.session.expired':
      return about(event.data.object.metadata, {
        kind: 'failed',
        reason: event.type.replace('checkout.session.', ''),
        attempt: null,
      });
    case 'payment_intent.succeeded': {
      const intent = event.data.object;
      const customerId = intent.setup_future_usage ? idOf(intent.customer) : null;
      return about(intent.metadata, { kind: 'paid', reference: intent.id, customerId });
    }
    case 'payment_intent.payment_failed': {
      // On a checkout page the buyer may try again; a top-up has only the one try.
      const intent = event.data.object;
      const { attempt } = intent.metadata;
      if (!attempt) return null;
      return about(intent.metadata, {
        kind: 'failed',
        reason: reasonOf(intent),
        attempt: Number(attempt),
      });
    }
    case 'charge.refunded':
      return returned(stripe, event.data.object.id);
    case 'charge.dispute.created':
    case 'charge.dispute.funds_withdrawn':
    case 'charge.dispute.funds_reinstated':
    case 'charge.dispute.closed': {
      const charge = idOf(event.data.object.charge);
      return charge === null ? null : returned(stripe, charge);
    }
    default:
      return null;
  }
}

/**
 * How much of a charge has been returned, by refunds and disputes together, and how much of that came back, by disputes that
 * were won. Stripe is asked, so that it does not matter which of its events tells us, or when.
 */
async function returned(stripe: Stripe, chargeId: string): Promise<PaymentReport | null> {
  const charge = await stripe.charges.retrieve(chargeId, { expand: ['payment_intent'] });
  const intent = charge.payment_intent as Stripe.PaymentIntent | null;
  if (!intent || !charge.paid) return null;
  const disputes = await stripe.disputes.list({ charge: chargeId, limit: 100 });
  const sumOf = (some: Stripe.Dispute[]) =>
    some.reduce((sum, { amount, currency }) => {
      // In another currency it says how much the bank took, which is all.
      return sum + (currency === charge.currency ? amount : charge.amount);
    }, 0);
  const withdrawn = disputes.data.filter(({ status }) => !/^(warning_.*|prevented)$/.test(status));
  const disputed = sumOf(withdrawn);
  const won = sumOf(withdrawn.filter(({ status }) => status === 'won'));
  return about(intent.metadata, {
    kind: 'returned',
    reference: intent.id,
    paid: charge.amount,
    returned: charge.amount_refunded + disputed,
    reinstated: won,
    reason: disputed === 0 ? 'refund' : won < disputed ? 'dispute' : 'dispute_won',
  });
}

// biome-ignore lint/suspicious/noExplicitAny: distributes over the union
type WithoutIds<Report> = Report extends any ? Omit<Report, 'accountId' | 'purchaseId'> : never;

/** A report about the purchase that the metadata names; null where it is not one of ours. */
function about(
  metadata: Stripe.Metadata | null,
  report: WithoutIds<PaymentReport>,
): PaymentReport | null {
  const { account_id: accountId, purchase_id: purchaseId } = metadata ?? {};
  if (!accountId || !/^\d{1,18}$/.test(purchaseId ?? '')) return null;
  return { accountId, purchaseId, ...report } as PaymentReport;
}

/** The id of what Stripe gives as an id, or whole when it was asked to. */
function idOf(value: string | { id: string } | null | undefined): string | null {
  return typeof value === 'string' ? value : (value?.id ?? null);
}
