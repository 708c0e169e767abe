import type { PaymentProvider } from './provider.ts';
import { type SimulatedCheckout, simulatedProvider } from './simulated.ts';
import { stripeProvider } from './stripe.ts';

/** What the environment decides about payments. */
export interface PaymentSettings {
  /** STRIPE_SECRET_KEY: payments are Stripe's. */
  stripeSecretKey: string | null;
  /** STRIPE_WEBHOOK_SECRET: of the webhook endpoint, as Stripe shows it. */
  stripeWebhookSecret: string | null;
  /** STRIPE_API_URL: where Stripe's API is, if not at Stripe. */
  stripeApiUrl: string | null;
  /** PGCREDITS_SIMULATE_PAYMENTS: without Stripe, they are simulated. */
  simulatePayments: boolean;
}

/** What there is to say where no provider is chosen. */
export const NO_PAYMENTS =
  'none, so purchases stay pending; set STRIPE_SECRET_KEY, or PGCREDITS_SIMULATE_PAYMENTS=1 to give credits without payment';

/**
 * The payment provider that the environment chooses, or undefined: then nobody takes money, and nobody gives credits for it.
 * `simulatedCheckout` is where simulated payments show their page; null in a process without one, such as a worker.
 */
export function configuredProvider(
  settings: PaymentSettings,
  simulatedCheckout: SimulatedCheckout | null,
): PaymentProvider | undefined {
  const { stripeSecretKey, stripeWebhookSecret, stripeApiUrl, simulatePayments } = settings;
  if (stripeSecretKey === null) {
    return simulatePayments ? simulatedProvider(simulatedCheckout) : undefined;
  }
  return stripeProvider({
    secretKey: stripeSecretKey,
    webhookSecret: stripeWebhookSecret,
    apiUrl: stripeApiUrl,
  });
}
