/** A price, against the charge that may follow it. */
import type { Statement } from '../clients.ts';
import { OPERATION, USAGE } from '../ledger.ts';
import { type Case, runCases, type Subject } from '../subject.ts';
import { spend } from './spend.ts';

const quote = (among: number): Statement => ({
  text: 'select * from credits.quote($1, $2, $3)',
  values: [{ kind: 'account', among }, OPERATION, JSON.stringify(USAGE)],
});

export const quoteSubject: Subject = (context) => {
  const { accounts, clients: many } = context.options;
  const one = (clients: number): Case => ({
    name: 'quote, random accounts',
    clients,
    unit: 'quotes',
    ours: { statement: quote(accounts) },
    against: 'spend',
    floor: { statement: spend(accounts) },
    atLeast: 4,
    better: 8,
  });
  return runCases(context, 'quote', [one(many), one(1)]);
};
