/** A price, against the charge that may follow it. */
import { OPERATION, USAGE } from '../ledger.ts';
import { runCases, type Subject } from '../subject.ts';
import { spend } from './spend.ts';

export const quoteSubject: Subject = (context) => {
  const { accounts, clients } = context.options;
  const a = (count: number) => ({
    name: 'quote, random accounts',
    clients: count,
    subject: {
      text: 'select * from credits.quote($1, $2, $3)',
      values: [{ kind: 'account' as const, among: accounts }, OPERATION, JSON.stringify(USAGE)],
    },
    against: 'spend',
    floor: spend(accounts),
    target: 4,
    stretch: 8,
  });
  return runCases(context, 'quote', [a(clients), a(1)]);
};
