/** `npm run bench`: measures the ledger beside its floors, prints a table and writes it down. */
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { svgChart, textChart } from './chart.ts';
import { openClients } from './clients.ts';
import { populate } from './ledger.ts';
import { watchMemory } from './processes.ts';
import { type Report, table } from './report.ts';
import { type Ledger, startServer } from './server.ts';
import type { Context, Options, Result, Subject } from './subject.ts';
import { coalesceSubject } from './subjects/coalesce.ts';
import { graphqlSubject } from './subjects/graphql.ts';
import { growthSubject } from './subjects/growth.ts';
import { hotSubject } from './subjects/hot.ts';
import { quoteSubject } from './subjects/quote.ts';
import { spendSubject } from './subjects/spend.ts';
import { spendManySubject } from './subjects/spend-many.ts';
import { sweepSubject } from './subjects/sweep.ts';

export const SUBJECTS: Record<string, Subject> = {
  spend: spendSubject,
  quote: quoteSubject,
  'spend-many': spendManySubject,
  coalesce: coalesceSubject,
  hot: hotSubject,
  growth: growthSubject,
  sweep: sweepSubject,
  graphql: graphqlSubject,
};

export interface BenchOptions extends Options {
  subjects: string[];
  /** Where the report goes, and the server's data while it runs. */
  out: string;
  /** Told each step. */
  progress: (line: string) => void;
  /** Told what is to be read: profiles. */
  print: (text: string) => void;
}

/** Measures, writes the report into `out` and returns it. Throws if a call fails or a ledger is not sound in the end. */
export async function bench(given: BenchOptions): Promise<Report> {
  const { subjects, out, progress, print, ...options } = given;
  progress('starting a server of its own');
  const server = await startServer(out, { profile: options.mode === 'profile' });
  const watch = watchMemory(server.pid);
  const ledgers: Ledger[] = [];
  const createLedger = async (name: string) => {
    const ledger = await server.createLedger(name);
    ledgers.push(ledger);
    return ledger;
  };
  try {
    const ledger = await createLedger('bench');
    progress(`making ${options.accounts} accounts`);
    await populate(ledger, { accounts: options.accounts, progress });
    const context: Context = { options, server, ledger, createLedger, progress, print };
    const noop = await measureNoop(context);
    const results: Result[] = [];
    const memory: Report['memory'] = {};
    for (const name of subjects) {
      watch.take();
      results.push(...(await (SUBJECTS[name] as Subject)(context)));
      memory[name] = watch.take();
    }
    const report: Report = {
      at: new Date().toISOString(),
      machine: describeMachine(out),
      settings: server.settings,
      options,
      noop,
      verified: await verify(ledgers, progress),
      results,
      memory,
    };
    if (options.mode !== 'profile') {
      fs.writeFileSync(path.join(out, 'bench.json'), `${JSON.stringify(report, null, 1)}\n`);
      const caption = `${report.machine}, ${report.at.slice(0, 10)}`;
      fs.writeFileSync(path.join(out, 'bench.svg'), svgChart(results, caption));
    }
    return report;
  } finally {
    watch.stop();
    await server.stop();
  }
}

/** What the clients can do when the server has nothing to do: calls a second of `select 1`. */
async function measureNoop({ options, ledger, progress }: Context): Promise<number> {
  progress('seeing how fast the clients are');
  const clients = await openClients(ledger, options.clients);
  try {
    const statement = { text: 'select $1::text', values: ['1'] };
    await clients.run(statement, { seconds: options.warmUp });
    return (await clients.run(statement, { seconds: options.seconds })).rate;
  } finally {
    await clients.close();
  }
}

/** More entries than this, and only some accounts are verified. */
const WHOLE = 1_000_000;
const SOME = 200;

async function verify(ledgers: Ledger[], progress: (line: string) => void): Promise<string> {
  const sound: string[] = [];
  for (const { name, admin } of ledgers) {
    const counts = await admin.query('select count(*)::int as entries from credits.entries');
    const { entries } = counts.rows[0];
    const some = entries > WHOLE;
    progress(`verifying ${some ? `${SOME} accounts of ` : ''}${name}`);
    const { rows: accounts } = await admin.query(
      `select account_id from credits.accounts order by account_id <> 'account 0', random() limit $1`,
      [SOME],
    );
    for (const { account_id } of some ? accounts : [{ account_id: null }]) {
      const { rows } = await admin.query('select * from credits.verify($1)', [account_id]);
      if (rows.length > 0) throw new Error(`The ledger is not sound: ${JSON.stringify(rows[0])}`);
    }
    const size = `${entries.toLocaleString('en-US')} entries`;
    sound.push(some ? `${SOME} accounts of ${size}` : size);
  }
  return `no violation in ledgers of ${sound.join(', ')}`;
}

/** The type of a file system that is in memory, where nothing is durable whatever the server does. */
const TMPFS = 0x01021994;

function describeMachine(folder: string): string {
  const cpus = os.cpus();
  const memory = Math.round(os.totalmem() / 2 ** 30);
  const disk = fs.statfsSync(folder).type === TMPFS ? ', data IN MEMORY, not durable' : '';
  return `${cpus.length} × ${cpus[0]?.model.trim()}, ${memory} GB, ${os.type()} ${os.release()}, Node.js ${process.version}${disk}`;
}

function positive(text: string): number {
  const number = Number(text);
  if (number > 0) return number;
  throw new InvalidArgumentError('Give a number above 0.');
}

async function main(): Promise<void> {
  const names = Object.keys(SUBJECTS);
  const command = new Command('npm run bench --')
    .argument(
      '[subjects...]',
      `what to measure, of ${names.join(', ')}; all of them if none is named`,
    )
    .option('--seconds <n>', 'how long a slice takes', positive, 2)
    .option('--rounds <n>', 'how many slices of the subject, and of its floor', positive, 5)
    .option('--warm-up <n>', 'seconds of each before the first slice', positive, 3)
    .option('--clients <n>', 'how many clients, where there are many', positive, 8)
    .option('--accounts <n>', 'how many accounts', positive, 10_000)
    .option('--batch <n>', 'how many charges a batch has', positive, 1000)
    .option('--entries <n>', 'how many entries a grown ledger has', positive, 2_000_000)
    .option('--cycle <n>', 'seconds between checkpoints, for a grown ledger', positive, 60)
    .option('--sweep <n>', 'how many accounts fall due at one instant', positive, 50_000)
    .option('--workers <n>', 'how many workers settle them', positive, 2)
    .option('--spends <n>', 'how many times one hot account is charged', positive, 20_000)
    .option(
      '--cpu',
      "compare the server's CPU time a call, of one client: hardly disturbed by neighbours",
    )
    .option('--profile', 'show where the time of a call goes, statement by statement')
    .option('--calls <n>', 'how many calls a slice has with --cpu, and a profile', positive, 2000)
    .addOption(
      new Option('--driver <name>', 'who calls: real clients, or a loop inside the server')
        .choices(['clients', 'loop'])
        .default('clients'),
    )
    .option('--out <folder>', 'where the report goes', '.pgcredits/bench')
    .parse();
  const unknown = command.args.find((name) => !names.includes(name));
  if (unknown) command.error(`There is no subject ${unknown}. There are: ${names.join(', ')}.`);
  const { out, cpu, profile, ...options } = command.opts();
  const begun = performance.now();
  const folder = path.resolve(out);
  const report = await bench({
    ...(options as Options),
    mode: profile ? 'profile' : cpu ? 'cpu' : 'compare',
    subjects: command.args.length > 0 ? command.args : names,
    out: folder,
    progress(line) {
      const seconds = Math.round((performance.now() - begun) / 1000);
      console.error(`${String(seconds).padStart(5)} s  ${line}`);
    },
    print: console.log,
  });
  if (report.results.length === 0) return;
  console.log(`${table(report)}\n\n${textChart(report.results)}\n`);
  console.log(`Written to ${folder}: bench.json, bench.svg`);
}

if (import.meta.main) await main();
