/** A charge, against the least that a ledger in stored procedures must do. */
import type { Statement } from '../clients.ts';
import { OPERATION, USAGE } from '../ledger.ts';
import { type Case, runCases, type Subject } from '../subject.ts';

export const spend = (among: number): Statement => ({
  text: 'select * from credits.spend($1, $2, $3, idempotency_key => $4)',
  values: [{ kind: 'account', among }, OPERATION, JSON.stringify(USAGE), { kind: 'key' }],
});

const f1 = (among: number): Statement => ({
  text: 'select * from bench.f1($1, $2)',
  values: [{ kind: 'account', among }, '20'],
});

export const spendSubject: Subject = (context) => {
  const { accounts, clients } = context.options;
  const against = 'F1, one UPDATE and one INSERT';
  const a = (
    name: string,
    count: number,
    among: number,
    target: number,
    stretch: number,
  ): Case => ({
    name: `spend, ${name}`,
    clients: count,
    subject: spend(among),
    against,
    floor: f1(among),
    target,
    stretch,
  });
  return runCases(context, 'spend', [
    a('random accounts', clients, accounts, 0.45, 0.5),
    a('random accounts', 1, accounts, 0.55, 0.65),
    a('hot account', clients, 1, 0.45, 0.5),
    a('hot account', 1, 1, 0.6, 0.7),
  ]);
};
