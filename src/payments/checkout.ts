import { purchaseToPay, type WithClient } from './ledger.ts';
import type { PaymentProvider } from './provider.ts';

/**
 * Begins the payment of a pack that was bought and returns the address of the page to send the buyer to. Commit `buy` first:
 * the payment may be reported at any time. Whoever asks must be known to act for the account; give the same pages for the
 * same purchase. Throws the contract's PC404 and PC409, or what the provider throws.
 */
export async function startCheckout(options: {
  withClient: WithClient;
  provider: PaymentProvider;
  accountId: string;
  purchaseId: string;
  /** Where the provider sends the buyer afterwards. */
  pages: { success: string; cancel: string };
}): Promise<string> {
  const { withClient, provider, pages } = options;
  const payment = await withClient((client) => purchaseToPay(client, provider, options));
  return provider.startCheckout(payment, pages);
}
