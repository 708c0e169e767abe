/** The same calls on a ledger that has grown, against one that has not. */
import type { Recipe, Statement } from '../clients.ts';
import { OPERATION, populate, USAGE } from '../ledger.ts';
import type { Ledger } from '../server.ts';
import { type Case, type Context, type Result, runCases, type Subject } from '../subject.ts';
import { spend } from './spend.ts';

/** Enough of a history for a page of it. */
const FEW = 20;

const REPORTS = [
  'usage_by_day',
  'revenue_by_rate',
  'balances',
  'liability',
  'refills_and_expiries_by_month',
];

export const growthSubject: Subject = async (context) => {
  const { options, createLedger, progress } = context;
  const { accounts, clients: many, entries } = options;
  const make = async (name: string, charges: number) => {
    const ledger = await createLedger(name);
    progress(`making ${accounts} accounts with ${charges} charges each`);
    const places = await populate(ledger, { accounts, charges, age: '20 days', progress });
    return { ledger, ...places };
  };
  const small = await make('bench_small', FEW);
  const large = await make('bench_large', Math.ceil(entries / accounts));

  const account: Recipe = { kind: 'account', among: accounts };
  const balances: Statement = { text: 'select * from credits.balances($1)', values: [account] };
  const page: Statement = {
    text: `select * from credits.activity($1) limit ${FEW}`,
    values: [account],
  };
  // Whoever repeats a request does so soon.
  const replay = ({ lastCharge }: typeof small): Statement => ({
    text: 'select * from credits.spend($1, $2, $3, idempotency_key => $4)',
    values: [
      account,
      OPERATION,
      JSON.stringify(USAGE),
      { kind: 'pastKey', from: lastCharge - FEW + 1, to: lastCharge },
    ],
  });
  const one = (
    name: string,
    clients: number,
    ours: Statement,
    floor: Statement,
    rest: Partial<Case> = {},
  ): Case => ({
    name: `${name}, ${millions(entries)} entries`,
    clients,
    unit: 'calls',
    ours: { ledger: large.ledger, statement: ours },
    against: `${FEW} entries an account`,
    floor: { ledger: small.ledger, statement: floor },
    atLeast: null,
    ...rest,
  });
  const charge = spend(accounts);
  return [
    ...(await runCases(context, 'growth', [
      one('spend', many, charge, charge, { atLeast: 0.9, wholeCycle: true }),
      one('spend', 1, charge, charge, { atLeast: 0.9 }),
      one('spend again with the same key', 1, replay(large), replay(small)),
      // 1.2 times as long at most.
      one('balances', 1, balances, balances, { atLeast: 0.83 }),
      one('activity, first page', 1, page, page, { atLeast: 0.83 }),
    ])),
    ...(await runReports(context, large.ledger)),
  ];
};

const millions = (entries: number) =>
  entries < 1e6 ? entries.toLocaleString('en-US') : `${entries / 1e6} million`;

/** How fast reports read the log, against a plain sum over it. */
async function runReports(context: Context, { admin }: Ledger): Promise<Result[]> {
  if (context.options.mode !== 'compare') return [];
  const { rows } = await admin.query('select count(*)::int as entries from credits.entries');
  const time = async (query: string) => {
    const begun = performance.now();
    await admin.query(query);
    return (performance.now() - begun) / 1000;
  };
  const results: Result[] = [];
  for (const report of REPORTS) {
    context.progress(`report ${report}`);
    const sum = await time('select sum(amount) from credits.entries');
    const ours = await time(
      `select count(*) from (select * from credits_report.${report} offset 0) r`,
    );
    results.push({
      subject: 'growth',
      name: `report ${report}`,
      clients: 1,
      against: 'a sum over the log',
      unit: 'entries',
      ours: rows[0].entries / ours,
      floor: rows[0].entries / sum,
      ratio: { median: sum / ours, low: sum / ours, high: sum / ours },
      atLeast: null,
      better: null,
      cpu: null,
      latency: { median: ours * 1e6, p99: ours * 1e6 },
      clientBusy: null,
    });
  }
  return results;
}
