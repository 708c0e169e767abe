import type { PaymentProvider } from './provider.ts';
import { type SimulatedCheckout, simulatedProvider } from './simulated.ts';
import { stripeProvider } from './stripe.ts';

/** What the environment decides about payments. */
export interface PaymentSettings {
  /** STRIPE_SECRET_KEY: payments are Stripe's. Null: they are simulated. */
  stripeSecretKey: string | null;
  /** STRIPE_WEBHOOK_SECRET: of the webhook endpoint, as Stripe shows it. */
  stripeWebhookSecret: string | null;
  /** STRIPE_API_URL: where Stripe's API is, if not at Stripe. */
  stripeApiUrl: string | null;
}

/**
 * The payment provider that the environment chooses. `simulatedCheckout` is where simulated payments show their page; null in
 * a process without one, such as a worker. Throws nothing.
 */
export function configuredProvider(
  settings: PaymentSettings,
  simulatedCheckout: SimulatedCheckout | null,
): PaymentProvider {
  const { stripeSecretKey, stripeWebhookSecret, stripeApiUrl } = settings;
  if (stripeSecretKey === null) return simulatedProvider(simulatedCheckout);
  return stripeProvider({
    secretKey: stripeSecretKey,
    webhookSecret: stripeWebhookSecret,
    apiUrl: stripeApiUrl,
  });
}
