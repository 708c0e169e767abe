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
  const { accounts, clients: many } = context.options;
  const one = (among: number, clients: number, atLeast: number, better: number): Case => ({
    name: `spend, ${among === 1 ? 'hot account' : 'random accounts'}`,
    clients,
    unit: 'charges',
    ours: { statement: spend(among) },
    against: 'F1: one UPDATE, one INSERT',
    floor: { statement: f1(among) },
    atLeast,
    better,
  });
  return runCases(context, 'spend', [
    one(accounts, many, 0.45, 0.5),
    one(accounts, 1, 0.55, 0.65),
    one(1, many, 0.45, 0.5),
    one(1, 1, 0.6, 0.7),
  ]);
};
