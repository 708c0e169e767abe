import type { JobHelpers } from 'graphile-worker';
import type { WithClient } from '../../src/payments/ledger.ts';
import type { PaymentProvider } from '../../src/payments/provider.ts';
import { stripeProvider } from '../../src/payments/stripe.ts';
import { chargeTopUp, chargeTopUps } from '../../src/tasks/charge-top-ups.ts';
import type { FakeStripe } from './fake-stripe.ts';

/** Stripe's provider, speaking to the fake, and to it once: a repetition is the worker's. */
export function stripeOf(fake: FakeStripe): PaymentProvider {
  const { url, webhookSecret } = fake;
  return stripeProvider({ secretKey: 'sk_test_1', webhookSecret, apiUrl: url, retries: 0 });
}

/** A worker's two tasks, run here and now. `withClient` may be one that dies. */
export function worker(provider: PaymentProvider, withClient: WithClient, log: string[] = []) {
  const helpers = { withPgClient: withClient } as unknown as JobHelpers;
  const say = (line: string) => {
    log.push(line);
  };
  return {
    /** What the wake-up does. */
    wake: (account_id: string, purchase_id: number) =>
      chargeTopUp(provider, say)({ account_id, purchase_id }, helpers),
    /** What is done every minute. */
    sweep: () => chargeTopUps(provider, say)({}, helpers),
  };
}
