/** Accounts on a free weekly plan that all fall due at one instant: how fast they are settled, and spending meanwhile. */
import { openClients, type Slice, type Statement } from '../clients.ts';
import { median, type Rounds, spread } from '../compare.ts';
import { populate } from '../ledger.ts';
import { startCommand } from '../processes.ts';
import type { Ledger } from '../server.ts';
import { latency, type Result, runCases, type Subject } from '../subject.ts';
import { c1 } from './spend-many.ts';

/** How many batches of C1 are set aside. */
const BATCHES = 10;

/** How long the workers may take for a first or next account, in milliseconds. */
const PATIENCE = 60_000;

const OPEN = `select credits.open_account('account 0', 'invideo_free')`;

/** Cheap enough for what a week has. */
const spend = (accounts: number): Statement => ({
  text: 'select * from credits.spend($1, $2, $3, idempotency_key => $4)',
  values: [
    { kind: 'account', among: accounts },
    'voiceover',
    '{"characters": 10}',
    { kind: 'key' },
  ],
});

export const sweepSubject: Subject = async (context) => {
  const { options, createLedger, progress } = context;
  const { rounds, workers, sweep: accounts } = options;
  // Up to a quarter of the accounts is set aside for C1, a quarter is settled beside it by two clients, in slices; the rest is
  // left for the workers.
  const staged = Math.ceil(Math.min(250, accounts / 4 / BATCHES));
  const slice = accounts / 4 / (rounds + 1) / 2;
  const batch = Math.ceil(Math.min(500, slice));
  const calls = Math.floor(slice / batch) || 1;
  const ledger = await createLedger('bench_sweep');
  progress(`making ${accounts} accounts that were due on Monday`);
  await populate(ledger, { accounts, open: OPEN, age: '7 days', progress });
  const entries = await stage(ledger, staged);
  const before = await due(ledger);

  const results = await runCases(context, 'sweep', [
    {
      name: 'sweep, settle_due alone',
      clients: 2,
      unit: 'entries',
      ours: {
        ledger,
        statement: { text: 'select credits.settle_due($1)', values: [String(batch)] },
        perCall: batch * entries,
        calls,
      },
      against: 'C1: INSERT of the same rows',
      floor: { ledger, statement: c1(BATCHES), perCall: staged * entries },
      atLeast: 0.3,
      better: 0.5,
    },
  ]);
  if (options.mode !== 'compare') return results;
  const left = await due(ledger);
  const made = calledBy(results[0]?.rounds);
  if (before - left !== made * batch) {
    throw new Error(`${made} calls settled ${before - left} accounts, not ${batch} each`);
  }

  const client = await openClients(ledger, 1);
  const running = [];
  try {
    progress(`${left} accounts are left for ${workers} workers, with a client that spends`);
    const begun = performance.now();
    for (let worker = 1; worker <= workers; worker++) {
      const environment = { DATABASE_URL: ledger.adminUrl };
      running.push(await startCommand(`worker ${worker}`, 'worker', /Working/, environment));
    }
    const meanwhile: Slice[] = [];
    for (let then = left, progressed = performance.now(); ; ) {
      const slice = await client.run(spend(accounts), { seconds: options.seconds });
      const now = await due(ledger);
      if (now < then) [then, progressed] = [now, performance.now()];
      if (performance.now() - progressed > PATIENCE) throw new Error('The workers settle nothing');
      progress(`  ${now} left, a spend takes ${slice.median} µs`);
      // The last slice may have begun when all was done.
      if (now > 0 || meanwhile.length === 0) meanwhile.push(slice);
      if (now === 0) break;
    }
    const elapsed = (performance.now() - begun) / 1000;
    for (const worker of running.splice(0)) await worker.stop();
    const usual: Slice[] = [];
    for (let round = 0; round < rounds; round++) {
      usual.push(await client.run(spend(accounts), { seconds: options.seconds }));
    }
    const c1Rate = results[0]?.floor ?? Number.NaN;
    const workersRate = (left * entries) / elapsed;
    const base = { subject: 'sweep', atLeast: null, better: null, cpu: null };
    const swept = workersRate / c1Rate;
    const rate = (slices: Slice[]) => median(slices.map((slice) => slice.rate));
    const [during, otherwise] = [latency(meanwhile), latency(usual)];
    return [
      ...results,
      {
        ...base,
        name: `sweep, by ${workers} workers, with a client that spends`,
        clients: 1,
        against: 'C1: INSERT of the same rows',
        unit: 'entries',
        ours: workersRate,
        floor: c1Rate,
        ratio: spread([swept]),
        latency: null,
        clientBusy: null,
        note: `${left} accounts in ${elapsed.toFixed(1)} s, starting the workers included`,
      },
      {
        ...base,
        name: 'spend, while accounts are swept',
        clients: 1,
        against: 'the same spends, when nothing is due',
        unit: 'charges',
        ours: rate(meanwhile),
        floor: rate(usual),
        ratio: spread([rate(meanwhile) / rate(usual)]),
        atLeast: 0.5,
        latency: during,
        clientBusy: median(meanwhile.map(({ clientBusy }) => clientBusy)),
        note: `median ${otherwise?.median} µs usually and ${during?.median} meanwhile, p99 ${otherwise?.p99} and ${during?.p99}`,
      },
    ] satisfies Result[];
  } finally {
    for (const worker of running) await worker.stop();
    await client.close();
  }
};

/** Settles some accounts and sets aside the rows that this wrote. Returns how many entries an account has of it. */
async function stage({ admin }: Ledger, accounts: number): Promise<number> {
  const before = await admin.query('select max(seq)::int as last from credits.entries');
  await admin.query('select bench.begin_staging()');
  for (let batch = 0; batch < BATCHES; batch++) {
    await admin.query('select credits.settle_due($1)', [accounts]);
    await admin.query(
      `select bench.stage($1::int, array_agg(e.account_id), array_agg(e.seq)) from credits.entries e
       where e.seq > $2 and not exists (
         select from bench.staged_entries s where s.account_id = e.account_id and s.seq = e.seq)`,
      [batch, before.rows[0].last],
    );
  }
  const { rows } = await admin.query(
    'select count(*)::int as count from bench.staged_entries where batch = 0',
  );
  return rows[0].count / accounts;
}

function calledBy(rounds: Rounds | undefined): number {
  return (rounds?.ours ?? []).reduce((sum, { calls }) => sum + calls, rounds?.warmUp ?? 0);
}

async function due({ admin }: Ledger): Promise<number> {
  const { rows } = await admin.query(
    'select count(*)::int as due from credits.accounts where next_due_at <= clock_timestamp()',
  );
  return rows[0].due;
}
