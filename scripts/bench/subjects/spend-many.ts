/** A batch of charges, against the insert of the rows that it writes. */
import type { Statement } from '../clients.ts';
import { OPERATION, USAGE } from '../ledger.ts';
import { type Case, type Context, type Result, runCases, type Subject } from '../subject.ts';

const SIZE = 1000;

const spendMany = (among: number): Statement => ({
  text: `select * from credits.spend_many(
    array(select r from jsonb_populate_recordset(null::credits.spend_request, $1::jsonb) r))`,
  values: [
    { kind: 'requests', size: SIZE, among, request: { operation: OPERATION, usage: USAGE } },
  ],
});

export const spendManySubject: Subject = async (context) => {
  const targets = [
    { among: 1, target: 0.4, stretch: 0.5 },
    { among: 100, target: 0.25, stretch: 0.4 },
    { among: 10_000, target: 0.25, stretch: 0.35 },
  ];
  const results: Result[] = [];
  for (const { among, target, stretch } of targets) {
    const batches = await stage(context, Math.min(among, context.options.accounts));
    const one: Case = {
      name: `spend_many of ${SIZE}, ${among === 1 ? '1 account' : `${among} accounts`}`,
      clients: 1,
      subject: spendMany(Math.min(among, context.options.accounts)),
      against: 'C1, raw insert of the same rows',
      floor: { text: 'select bench.c1($1, $2)', values: [{ kind: 'call' }, String(batches)] },
      target,
      stretch,
      perCall: SIZE,
    };
    results.push(...(await runCases(context, 'spend_many', [one])));
  }
  return results;
};

/** Copies the ledger's tables, and sets aside the rows of real batches to insert again. Returns how many batches. */
async function stage({ admin, progress }: Context, among: number): Promise<number> {
  progress(`staging the rows of real batches, ${among === 1 ? '1 account' : `${among} accounts`}`);
  const batches = Math.max(1, Math.min(10, Math.floor(among / SIZE)));
  await admin.query(`
    truncate bench.entries, bench.postings, bench.staged_entries, bench.staged_postings;
    insert into bench.entries select * from credits.entries;
    insert into bench.postings select * from credits.postings`);
  for (let batch = 0; batch < batches; batch++) {
    await admin.query('begin');
    await admin.query(
      `create temp table charged on commit drop as
       select account_id, seq from credits.spend_many(array(
         select ('account ' || ($1::int + i * $2::int) % $3::int, $4, $5::jsonb, gen_random_uuid()::text, null, null, null)::credits.spend_request
         from generate_series(0, $6::int - 1) i))`,
      [batch, batches, among, OPERATION, JSON.stringify(USAGE), SIZE],
    );
    await admin.query(
      `insert into bench.staged_entries select e.*, $1::int from credits.entries e join charged using (account_id, seq)
       order by account_id, seq`,
      [batch],
    );
    await admin.query(
      `insert into bench.staged_postings select p.*, $1::int from credits.postings p join charged using (account_id, seq)
       order by account_id, seq, ordinal`,
      [batch],
    );
    await admin.query('commit');
  }
  return batches;
}
