import type { Task } from 'graphile-worker';
import { ConflictError, toCreditsError } from '../errors.ts';
import { topUpDue, topUpsDue, type WithClient, writeDown } from '../payments/ledger.ts';
import type { Payment, PaymentProvider } from '../payments/provider.ts';

/** How many top-ups the sweep reads at a time. */
const BATCH = 100;

/** Charges the top-up that the database has just told of. Throws what the database throws; the provider's troubles are logged. */
export function chargeTopUp(provider: PaymentProvider, log: (line: string) => void): Task {
  return async (payload, { withPgClient }) => {
    const { account_id, purchase_id } = payload as { account_id: string; purchase_id: number };
    const ids = { accountId: account_id, purchaseId: String(purchase_id) };
    const payment = await withPgClient((client) => topUpDue(client, provider, ids));
    if (payment) await charge(payment, withPgClient, provider, log);
  };
}

/**
 * Charges every top-up that is due: those whose wake-up was lost, those to be tried again after a decline, and those of
 * which nobody knows yet whether they were charged. One that goes wrong does not keep the others from it.
 */
export function chargeTopUps(provider: PaymentProvider, log: (line: string) => void): Task {
  return async (_payload, { withPgClient, abortSignal }) => {
    let afterAccountId: string | null = null;
    while (!abortSignal?.aborted) {
      const page = { batch: BATCH, afterAccountId };
      const due: Payment[] = await withPgClient((client) => topUpsDue(client, provider, page));
      for (const payment of due) {
        if (abortSignal?.aborted) return;
        await charge(payment, withPgClient, provider, log).catch((error: Error) =>
          log(`${describe(payment)} was not written down: ${error.message}`),
        );
      }
      if (due.length < BATCH) return;
      afterAccountId = due[due.length - 1].accountId;
    }
  };
}

/**
 * The charge, outside any transaction, and then one call that writes down what came of it. If this ends in between, the next
 * one asks the provider for the same payment and gets the same answer.
 */
async function charge(
  payment: Payment,
  withClient: WithClient,
  provider: PaymentProvider,
  log: (line: string) => void,
): Promise<void> {
  const { accountId, purchaseId, attempt } = payment;
  const result = await provider.chargeTopUp(payment);
  log(
    `${describe(payment)}, ${provider.name}: ${result.outcome}${'reason' in result ? `, ${result.reason}` : ''}`,
  );
  if (result.outcome === 'unknown') return;
  try {
    await withClient((client) =>
      writeDown(
        client,
        provider,
        result.outcome === 'paid'
          ? { kind: 'paid', accountId, purchaseId, reference: result.reference, customerId: null }
          : { kind: 'failed', accountId, purchaseId, reason: result.reason, attempt },
      ),
    );
  } catch (cause) {
    const error = toCreditsError(cause);
    if (!(error instanceof ConflictError)) throw error;
    // Settled by the provider's own report in the meantime, or reversed: trying again would not help.
    log(`${describe(payment)}, ${result.outcome}, changes nothing: ${error.detail.reason}`);
  }
}

function describe({ purchaseId, accountId }: Payment): string {
  return `Top-up ${purchaseId} of ${accountId}`;
}
