import { setTimeout as sleep } from 'node:timers/promises';
import type { Task } from 'graphile-worker';
import { asService } from './as-service.ts';

interface Options {
  /** How many accounts are settled, and locked, in one transaction. A spend on one of them waits for the end of it. */
  batch?: number;
  /** After how many accounts the log is told how far it is. */
  report?: number;
}

/**
 * Writes down what has fallen due in every account, a batch after the other, until nothing is due or the worker stops. Nobody
 * waits for it: after each batch it rests for as long as that took, and leaves the server half of the time to others. Several at
 * once share the work: each passes over the accounts that another has locked.
 */
export function settleDue(
  log: (line: string) => void,
  { batch = 100, report = 20_000 }: Options = {},
): Task {
  return async (_payload, { withPgClient, abortSignal }) => {
    // Which account cannot be settled, and why.
    const warn = ({ message = '' }) => log(message);
    const number = (text: string, values: unknown[] = []): Promise<number> =>
      withPgClient(async (client) => {
        client.on('notice', warn);
        try {
          const [row] = await asService<{ number: number }>(client, text, values);
          return row.number;
        } finally {
          client.off('notice', warn);
        }
      });
    let total = 0;
    let reported = 0;
    while (!abortSignal?.aborted) {
      const begun = performance.now();
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
      await sleep(performance.now() - begun);
    }
    if (total > reported) log(`Settled ${total} accounts that were due.`);
  };
}
