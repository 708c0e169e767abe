/** Where the time of a call goes, function by function and statement by statement, as the server itself counts it. */
import { openClients } from './clients.ts';
import { columns } from './report.ts';
import { vacuum } from './server.ts';
import type { Case, Context } from './subject.ts';

const FUNCTIONS = `
  select p.oid::regproc::text as name, f.calls::float8 as calls, f.self_time as self, f.total_time as total
  from pg_stat_user_functions f join pg_proc p on p.oid = f.funcid
  order by f.self_time desc`;

const STATEMENTS = `
  select s.query as name, s.calls::float8 as calls, s.total_exec_time as total, s.rows::float8 as rows,
    (s.shared_blks_hit + s.shared_blks_read)::float8 as blocks, s.wal_bytes::float8 as wal
  from pg_stat_statements s
  where s.dbid = (select oid from pg_database where datname = current_database())
    and s.userid <> 'postgres'::regrole
  order by s.total_exec_time desc
  limit 40`;

export async function profile(
  { options, ledger: shared, progress }: Context,
  { name, ours, clients: _, ...rest }: Case,
): Promise<string> {
  const { ledger = shared, statement, perCall = 1 } = ours;
  const clients = await openClients(ledger, 1);
  try {
    await vacuum(ledger);
    await clients.run(statement, { seconds: options.warmUp });
    // Or else what it has counted so far comes after the reset.
    const flush = { text: 'select pg_stat_force_next_flush()', values: [] };
    await clients.run(flush, { seconds: 1, calls: 1 });
    await ledger.admin.query('select pg_stat_reset(), pg_stat_statements_reset()');
    const calls = Math.ceil(options.calls / perCall);
    progress(`  ${calls} calls`);
    const slice = await clients.run(statement, { seconds: 600, calls });
    // A backend tells of its functions when it is idle, and at the latest when it ends.
    await clients.close();
    const units = slice.calls * perCall;
    const each = (milliseconds: number) => ((milliseconds * 1000) / units).toFixed(1);
    const functions = (await ledger.admin.query(FUNCTIONS)).rows;
    const statements = (await ledger.admin.query(STATEMENTS)).rows;
    return [
      `\n${name}: ${units} ${rest.unit}, ${Math.round(Number(slice.serverCpu) / perCall)} µs CPU each with the counting.`,
      '\nFunctions: µs in itself (statements and SQL functions that the planner merged included, other functions not), and in all.\n',
      columns(
        ['self µs', 'total µs', 'calls', 'function'],
        functions
          .filter(({ calls }) => calls >= units / 100)
          .map((row) => [
            each(row.self),
            each(row.total),
            (row.calls / units).toFixed(2),
            row.name,
          ]),
      ),
      '\nStatements: µs with everything inside them; rows, pages touched and bytes of WAL.\n',
      columns(
        ['total µs', 'mean µs', 'calls', 'rows', 'pages', 'WAL', 'statement'],
        statements.map((row) => [
          each(row.total),
          ((row.total * 1000) / row.calls).toFixed(1),
          (row.calls / units).toFixed(2),
          (row.rows / units).toFixed(2),
          (row.blocks / units).toFixed(1),
          (row.wal / units).toFixed(0),
          row.name.replace(/\s+/g, ' ').slice(0, 160),
        ]),
      ),
    ].join('\n');
  } finally {
    await clients.close();
  }
}
