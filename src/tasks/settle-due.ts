import type { Task } from 'graphile-worker';
import { asService } from './as-service.ts';

interface Options {
  /** How many accounts are settled, and locked, in one transaction. A spend on one of them waits for the end of it. */
  batch?: number;
  /** After how many accounts the log is told how far it is. */
  report?: number;
}

/**
 * Writes down what has fallen due in every account, a batch after the other, until nothing is due or the worker stops. Several
 * at once share the work: each passes over the accounts that another has locked.
 */
export function settleDue(
  log: (line: string) => void,
  { batch = 200, report = 20_000 }: Options = {},
): Task {
  return async (_payload, { withPgClient, abortSignal }) => {
    const number = (text: string, values: unknown[] = []): Promise<number> =>
      withPgClient(async (client) => {
        const [row] = await asService<{ number: number }>(client, text, values);
        return row.number;
      });
    let total = 0;
    let reported = 0;
    while (!abortSignal?.aborted) {
      const settled = await number('select credits.settle_due($1) as number', [batch]);
      if (settled === 0) break;
      total += settled;
      if (total - reported >= report) {
        reported = total;
        const left = await number(
          'select count(*)::int as number from credits.accounts where next_due_at <= now()',
        );
        log(`Settled ${total} accounts that were due; ${left} are left.`);
      }
    }
    if (total > reported) log(`Settled ${total} accounts that were due.`);
  };
}
