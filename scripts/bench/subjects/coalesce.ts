/** Many spends on one account at once through the client, coalesced, against the same client that sends each by itself. */
import type { Statement } from '../clients.ts';
import { OPERATION, USAGE } from '../ledger.ts';
import { runCases, type Subject } from '../subject.ts';

const IN_FLIGHT = 200;

export const coalesceSubject: Subject = async (context) => {
  const { mode, clients: connections } = context.options;
  if (mode !== 'compare') return [];
  const statement = (coalesce: boolean): Statement => ({
    text: OPERATION,
    values: [{ kind: 'account', among: 1 }, JSON.stringify(USAGE), { kind: 'key' }],
    library: { coalesce, inFlight: IN_FLIGHT, connections },
  });
  return runCases(context, 'coalesce', [
    {
      name: `TypeScript client coalescing, hot account, ${IN_FLIGHT} in flight`,
      clients: 1,
      unit: 'charges',
      ours: { statement: statement(true) },
      against: `the client without it, ${connections} connections`,
      floor: { statement: statement(false) },
      atLeast: 8,
      better: 15,
    },
  ]);
};
