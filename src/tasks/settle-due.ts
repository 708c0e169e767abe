import type { Task } from 'graphile-worker';
import { asService } from './as-service.ts';

/** How many accounts are settled, and locked, in one transaction. */
const BATCH = 500;

/**
 * Writes down what has fallen due in every account, a batch after the other, until nothing is due or the worker stops. Several
 * at once share the work: each passes over the accounts that another has locked.
 */
export function settleDue(log: (line: string) => void): Task {
  return async (_payload, { withPgClient, abortSignal }) => {
    let total = 0;
    while (!abortSignal?.aborted) {
      const [{ settled }] = await withPgClient((client) =>
        asService<{ settled: number }>(client, 'select credits.settle_due($1) as settled', [BATCH]),
      );
      if (settled === 0) break;
      total += settled;
      if (settled === BATCH) log(`Settled ${total} accounts that were due; there may be more.`);
    }
    if (total > 0) log(`Settled ${total} accounts that were due.`);
  };
}
