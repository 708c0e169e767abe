/** `npm run bench`: measures the ledger beside its floors, prints a table and writes it down. */
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { openClients } from './clients.ts';
import { openAccounts } from './ledger.ts';
import { type Report, table } from './report.ts';
import { startServer } from './server.ts';
import type { Context, Options, Result, Subject } from './subject.ts';
import { quoteSubject } from './subjects/quote.ts';
import { spendSubject } from './subjects/spend.ts';
import { spendManySubject } from './subjects/spend-many.ts';

export const SUBJECTS: Record<string, Subject> = {
  spend: spendSubject,
  quote: quoteSubject,
  'spend-many': spendManySubject,
};

export interface BenchOptions extends Options {
  subjects: string[];
  out: string;
  progress: (line: string) => void;
}

/** Measures, writes the report into `out` and returns it. Throws if a call fails or the ledger is not sound at the end. */
export async function bench({
  subjects,
  out,
  progress,
  ...options
}: BenchOptions): Promise<Report> {
  fs.mkdirSync(out, { recursive: true });
  const server = await startServer(out, progress);
  const { clientUrl, admin } = server;
  const results: Result[] = [];
  try {
    await openAccounts(admin, options.accounts, progress);
    const context: Context = { options, clientUrl, admin, progress };
    const noop = await measureNoop(context);
    for (const name of subjects) results.push(...(await (SUBJECTS[name] as Subject)(context)));
    progress('verifying the ledger');
    const { rows } = await admin.query('select * from credits.verify()');
    if (rows.length > 0) throw new Error(`The ledger is not sound: ${JSON.stringify(rows[0])}`);
    const counts = await admin.query('select count(*) from credits.entries');
    const report: Report = {
      at: new Date().toISOString(),
      machine: `${os.cpus().length} × ${os.cpus()[0]?.model.trim()}, ${Math.round(os.totalmem() / 2 ** 30)} GB, ${os.type()} ${os.release()}, Node ${process.version}`,
      settings: server.settings,
      options,
      noop,
      verified: `${counts.rows[0].count} entries, no violation`,
      results,
    };
    fs.writeFileSync(path.join(out, 'bench.json'), `${JSON.stringify(report, null, 1)}\n`);
    return report;
  } finally {
    await server.stop();
  }
}

/** What the clients can do when the server has nothing to do: calls a second of `select 1`. */
async function measureNoop({ options, clientUrl, progress }: Context): Promise<number> {
  progress('seeing how fast the clients are');
  const clients = await openClients(clientUrl, options.clients);
  try {
    const statement = { text: 'select $1::text', values: ['1'] };
    await clients.run(statement, { seconds: options.warmUp });
    return (await clients.run(statement, { seconds: options.seconds })).rate;
  } finally {
    await clients.close();
  }
}

function positive(text: string): number {
  const number = Number(text);
  if (number > 0) return number;
  throw new InvalidArgumentError('Give a number above 0.');
}

if (import.meta.main) {
  const command = new Command('npm run bench --')
    .argument('[subjects...]', `what to measure: ${Object.keys(SUBJECTS).join(', ')}`)
    .option('--seconds <n>', 'how long a slice takes', positive, 2)
    .option('--rounds <n>', 'how many slices of each', positive, 5)
    .option('--warm-up <n>', 'seconds before the first slice, of each', positive, 3)
    .option('--clients <n>', 'how many clients, where there are many', positive, 8)
    .option('--accounts <n>', 'how many accounts', positive, 10_000)
    .option('--out <folder>', 'where the report goes', '.pgcredits/bench')
    .parse();
  const named = command.args;
  const unknown = named.find((name) => !(name in SUBJECTS));
  if (unknown) command.error(`There is no subject ${unknown}.`);
  const started = performance.now();
  const progress = (line: string) => {
    const seconds = Math.round((performance.now() - started) / 1000);
    console.error(`${String(seconds).padStart(5)} s  ${line}`);
  };
  const subjects = named.length > 0 ? named : Object.keys(SUBJECTS);
  const { out, ...options } = command.opts();
  const folder = path.resolve(out);
  const report = await bench({ ...(options as Options), subjects, out: folder, progress });
  console.log(table(report));
  console.log(`\nWritten to ${folder}`);
}
