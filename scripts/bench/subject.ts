/** What the subjects of the benchmark have in common. */
import { type Clients, type Driver, openClients, type Slice, type Statement } from './clients.ts';
import { compare, median, type Rounds, type Side, type Spread, spread } from './compare.ts';
import { profile } from './profile.ts';
import { type BenchServer, type Ledger, vacuum } from './server.ts';

export interface Options {
  /** compare: calls a second. cpu: CPU time a call, which neighbours hardly disturb. profile: where the time goes. */
  mode: 'compare' | 'cpu' | 'profile';
  driver: Driver;
  /** How long a slice takes. */
  seconds: number;
  /** How many calls a slice has, where CPU time is measured or a profile is made. */
  calls: number;
  /** How many slices of the subject, and as many of its floor. */
  rounds: number;
  warmUp: number;
  /** How many clients there are where there are many. */
  clients: number;
  accounts: number;
  /** How many charges a batch has. */
  batch: number;
  /** How many entries a ledger has that has grown. */
  entries: number;
  /** How many seconds from one checkpoint to the next, where that matters. */
  cycle: number;
  /** How many accounts fall due at once, and how many workers settle them. */
  sweep: number;
  workers: number;
  /** How many times one account is charged. */
  spends: number;
}

export interface Context {
  options: Options;
  server: BenchServer;
  /** The ledger that most subjects use: accounts without much of a history. */
  ledger: Ledger;
  /** Another ledger, verified with the others in the end. */
  createLedger: (name: string) => Promise<Ledger>;
  progress: (line: string) => void;
  /** Where profiles go. */
  print: (text: string) => void;
}

/** A line of the table. */
export interface Result {
  subject: string;
  name: string;
  clients: number;
  /** What it is measured against. */
  against: string;
  /** What is counted, such as charges. */
  unit: string;
  /** Both in units a second. */
  ours: number;
  floor: number;
  ratio: Spread;
  /** The ratio is to be at least this, and this would be better still. */
  atLeast: number | null;
  better: number | null;
  /** The server's CPU time in microseconds a unit, and the floor's over ours. */
  cpu: { ours: number; floor: number; ratio: Spread } | null;
  /** Of a call, in microseconds. */
  latency: { median: number; p99: number } | null;
  /** Of the busiest thread of clients, at its floor or here, whichever is more. */
  clientBusy: number | null;
  /** What else there is to say. */
  note?: string;
  rounds?: Rounds;
}

/** Measures its cases and returns a line for each. */
export type Subject = (context: Context) => Promise<Result[]>;

export interface CaseSide {
  statement: Statement;
  /** Default: the context's. */
  ledger?: Ledger;
  /** What one call counts as. Default: 1. */
  perCall?: number;
  /** How many calls of each client a slice has at most, where there is no end of them in time. */
  calls?: number;
}

export interface Case {
  name: string;
  clients: number;
  unit: string;
  ours: CaseSide;
  against: string;
  floor: CaseSide;
  atLeast: number | null;
  better?: number;
  /** Measured from one checkpoint to the next, all of it: the ratio is that of the sums. */
  wholeCycle?: boolean;
}

/** Compares case by case, each with clients of its own. */
export async function runCases(
  context: Context,
  subject: string,
  cases: Case[],
): Promise<Result[]> {
  const { options, progress } = context;
  const results: Result[] = [];
  for (const one of cases) {
    // What a call costs by itself needs no second client.
    const clients = options.mode === 'compare' ? one.clients : 1;
    if (clients < one.clients && cases.some((c) => c.name === one.name && c.clients === 1))
      continue;
    if (options.driver === 'loop' && ![one.ours, one.floor].every(canLoop)) {
      progress(`${one.name}: left out, as it needs clients`);
      continue;
    }
    progress(`${one.name}, ${clients === 1 ? '1 client' : `${clients} clients`}`);
    if (options.mode === 'profile') context.print(await profile(context, one));
    else results.push(await runCase(context, subject, { ...one, clients }));
  }
  return results;
}

async function runCase(context: Context, subject: string, one: Case): Promise<Result> {
  const { options, progress } = context;
  const { name, clients: count, unit, against, atLeast, better = null } = one;
  const sides = [one.ours, one.floor].map(({ ledger = context.ledger, ...side }) => ({
    ledger,
    ...side,
  }));
  const ledgers = [...new Set(sides.map(({ ledger }) => ledger))];
  const clients = new Map(
    await Promise.all(
      ledgers.map(
        async (ledger) => [ledger, await openClients(ledger, count, options.driver)] as const,
      ),
    ),
  );
  try {
    for (const ledger of ledgers) await vacuum(ledger);
    const inCalls = options.mode === 'cpu';
    const [ours, floor] = sides.map(({ ledger, statement, perCall = 1, calls: most }): Side => {
      const opened = clients.get(ledger) as Clients;
      const calls = inCalls ? Math.ceil(options.calls / perCall) : most;
      return { run: (seconds) => opened.run(statement, { seconds, calls }), perCall };
    }) as [Side, Side];
    const rounds = await compare(ours, floor, {
      seconds: inCalls ? 60 : options.seconds,
      warmUp: options.warmUp,
      rounds: one.wholeCycle ? Math.ceil(options.cycle / 2 / options.seconds) : options.rounds,
      begin: one.wholeCycle ? () => context.ledger.admin.query('checkpoint') : undefined,
      progress: (line) => progress(`  ${line}`),
    });
    const byRate = byRound(rounds, (a, b) => (a.rate * ours.perCall) / (b.rate * floor.perCall));
    if (one.wholeCycle) byRate.median = total(rounds.ours) / total(rounds.floor);
    const cpu = cpuTimes(rounds, ours.perCall, floor.perCall);
    return {
      subject,
      name,
      clients: count,
      against,
      unit,
      ours: median(rounds.ours.map(({ rate }) => rate)) * ours.perCall,
      floor: median(rounds.floor.map(({ rate }) => rate)) * floor.perCall,
      ratio: options.mode === 'cpu' && cpu ? cpu.ratio : byRate,
      atLeast: options.mode === 'cpu' ? null : atLeast,
      better: options.mode === 'cpu' ? null : better,
      cpu,
      latency: latency(rounds.ours),
      clientBusy: Math.max(
        median(rounds.ours.map(({ clientBusy }) => clientBusy)),
        median(rounds.floor.map(({ clientBusy }) => clientBusy)),
      ),
      rounds,
    };
  } finally {
    for (const [, opened] of clients) await opened.close();
  }
}

/** Whether the server can make the calls up by itself. */
function canLoop({ statement: { values, api, library } }: CaseSide): boolean {
  const needsClients = values.some(
    (recipe) =>
      recipe !== null &&
      typeof recipe === 'object' &&
      ['pastKey', 'requests'].includes(recipe.kind),
  );
  return !needsClients && !api && !library;
}

const total = (slices: Slice[]) => slices.reduce((sum, { calls }) => sum + calls, 0);

function byRound({ ours, floor }: Rounds, ratio: (ours: Slice, floor: Slice) => number): Spread {
  return spread(ours.map((slice, round) => ratio(slice, floor[round] as Slice)));
}

function cpuTimes(rounds: Rounds, perCall: number, floorPerCall: number): Result['cpu'] {
  if ([...rounds.ours, ...rounds.floor].some(({ serverCpu }) => serverCpu === null)) return null;
  const ours = (slice: Slice) => Number(slice.serverCpu) / perCall;
  const floor = (slice: Slice) => Number(slice.serverCpu) / floorPerCall;
  return {
    ours: median(rounds.ours.map(ours)),
    floor: median(rounds.floor.map(floor)),
    ratio: byRound(rounds, (a, b) => floor(b) / ours(a)),
  };
}

export function latency(slices: Slice[]): Result['latency'] {
  const of = (figure: 'median' | 'p99') =>
    slices.map((slice) => slice[figure]).filter((time) => time !== null);
  if (of('median').length === 0) return null;
  return { median: Math.round(median(of('median'))), p99: Math.round(median(of('p99'))) };
}
