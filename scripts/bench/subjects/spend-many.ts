/** A batch of charges, against the insert of the rows that it writes. */
import type { Statement } from '../clients.ts';
import { OPERATION, USAGE } from '../ledger.ts';
import { type Context, type Result, runCases, type Subject } from '../subject.ts';

const spendMany = (size: number, among: number): Statement => ({
  text: `select * from credits.spend_many(
    array(select r from jsonb_populate_recordset(null::credits.spend_request, $1::jsonb) r))`,
  values: [{ kind: 'requests', size, among, request: { operation: OPERATION, usage: USAGE } }],
});

export const spendManySubject: Subject = async (context) => {
  const { accounts, batch } = context.options;
  const results: Result[] = [];
  for (const { among, atLeast, better } of [
    { among: 1, atLeast: 0.4, better: 0.5 },
    { among: Math.min(100, accounts), atLeast: 0.25, better: 0.4 },
    { among: accounts, atLeast: 0.25, better: 0.35 },
  ]) {
    const batches = await stage(context, among);
    results.push(
      ...(await runCases(context, 'spend-many', [
        {
          name: `spend_many of ${batch}, ${among === 1 ? '1 account' : `${among} accounts`}`,
          clients: 1,
          unit: 'charges',
          ours: { statement: spendMany(batch, among), perCall: batch },
          against: 'C1: INSERT of the same rows',
          floor: { statement: c1(batches), perCall: batch },
          atLeast,
          better,
        },
      ])),
    );
  }
  return results;
};

export const c1 = (batches: number): Statement => ({
  text: 'select * from bench.c1($1, $2)',
  values: [{ kind: 'call' }, String(batches)],
});

/** Sets aside the rows of real batches, to insert them again and again. Returns how many batches. */
async function stage(
  { options, ledger: { admin }, progress }: Context,
  among: number,
): Promise<number> {
  progress(
    `setting aside the rows of batches over ${among === 1 ? '1 account' : `${among} accounts`}`,
  );
  const batches = Math.max(1, Math.min(10, Math.floor(among / options.batch)));
  await admin.query('select bench.begin_staging()');
  for (let batch = 0; batch < batches; batch++) {
    await admin.query(
      `select bench.stage($1::int, array_agg(r.account_id), array_agg(r.seq))
       from credits.spend_many(array(
         select ('account ' || ($1 + i * $2::int) % $3::int, $4, $5::jsonb, gen_random_uuid()::text, null, null, null)::credits.spend_request
         from generate_series(0, $6::int - 1) i)) r`,
      [batch, batches, among, OPERATION, JSON.stringify(USAGE), options.batch],
    );
  }
  return batches;
}
