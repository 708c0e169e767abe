/** A subject beside its floor, in short slices that take turns, so that a noisy neighbour disturbs both alike. */
import type { Clients, Slice, Statement } from './clients.ts';

export interface Spread {
  median: number;
  low: number;
  high: number;
}

export interface Side {
  /** The median of the slices. */
  rate: number;
  median: number;
  p99: number;
  serverCpu: number | null;
  clientCpu: number;
  clientBusy: number;
  slices: Slice[];
}

export interface Comparison {
  subject: Side;
  floor: Side;
  /** The subject's rate over the floor's, round by round. */
  ratio: Spread;
  /** The floor's CPU time over the subject's: blind to neighbours, to waiting and to the disk. */
  cpuRatio: Spread | null;
}

export interface Pace {
  seconds: number;
  rounds: number;
  warmUp: number;
  progress: (line: string) => void;
}

export async function compare(
  clients: Clients,
  subject: Statement,
  floor: Statement,
  { seconds, rounds, warmUp, progress }: Pace,
): Promise<Comparison> {
  for (const statement of [subject, floor]) await clients.run(statement, { seconds: warmUp });
  const subjects: Slice[] = [];
  const floors: Slice[] = [];
  for (let round = 0; round < rounds; round++) {
    // A B, B A: whatever grows with time is even over two rounds.
    const turns = round % 2 === 0 ? [subjects, floors] : [floors, subjects];
    for (const slices of turns) {
      slices.push(await clients.run(slices === subjects ? subject : floor, { seconds }));
    }
    const [ours, theirs] = [subjects[round], floors[round]] as [Slice, Slice];
    progress(
      `round ${round + 1} of ${rounds}: ${Math.round(ours.rate)} against ${Math.round(theirs.rate)} a second, ${(ours.rate / theirs.rate).toFixed(2)}`,
    );
  }
  const pairs = subjects.map((slice, round) => [slice, floors[round] as Slice] as const);
  const known = subjects.every(({ serverCpu }) => serverCpu !== null);
  return {
    subject: side(subjects),
    floor: side(floors),
    ratio: spread(pairs.map(([ours, theirs]) => ours.rate / theirs.rate)),
    cpuRatio: known
      ? spread(pairs.map(([ours, theirs]) => Number(theirs.serverCpu) / Number(ours.serverCpu)))
      : null,
  };
}

function side(slices: Slice[]): Side {
  const middle = (figure: (slice: Slice) => number) => spread(slices.map(figure)).median;
  return {
    rate: middle(({ rate }) => rate),
    median: middle(({ median }) => median),
    p99: middle(({ p99 }) => p99),
    serverCpu: slices[0]?.serverCpu == null ? null : middle(({ serverCpu }) => Number(serverCpu)),
    clientCpu: middle(({ clientCpu }) => clientCpu),
    clientBusy: middle(({ clientBusy }) => clientBusy),
    slices,
  };
}

export function spread(figures: number[]): Spread {
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const [low, high] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]] as [number, number];
  return { median: (low + high) / 2, low: sorted[0] as number, high: sorted.at(-1) as number };
}
