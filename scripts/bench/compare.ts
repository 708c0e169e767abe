/** A subject beside its floor, in short slices that take turns, so that a noisy neighbour disturbs both alike. */
import type { Slice } from './clients.ts';

export interface Spread {
  median: number;
  low: number;
  high: number;
}

/** One of two that are compared. */
export interface Side {
  run: (seconds: number) => Promise<Slice>;
  /** What one call counts as: 1 charge, 1,000 rows. */
  perCall: number;
}

export interface Pace {
  /** Of a slice, and before the first one. */
  seconds: number;
  warmUp: number;
  rounds: number;
  /** Called between the warm-up and the first round. */
  begin?: () => Promise<unknown>;
  progress: (line: string) => void;
}

/** The slices of both, round by round. */
export interface Rounds {
  ours: Slice[];
  floor: Slice[];
  /** How many calls of ours the warm-up made. */
  warmUp: number;
}

export async function compare(ours: Side, floor: Side, pace: Pace): Promise<Rounds> {
  const { calls } = await ours.run(pace.warmUp);
  await floor.run(pace.warmUp);
  const slices: Rounds = { ours: [], floor: [], warmUp: calls };
  await pace.begin?.();
  for (let round = 0; round < pace.rounds; round++) {
    // A B, B A: what changes with time is even over two rounds.
    const turns = [
      async () => slices.ours.push(await ours.run(pace.seconds)),
      async () => slices.floor.push(await floor.run(pace.seconds)),
    ];
    if (round % 2 === 1) turns.reverse();
    for (const turn of turns) await turn();
    const [a, b] = [slices.ours[round], slices.floor[round]] as [Slice, Slice];
    const [rateA, rateB] = [a.rate * ours.perCall, b.rate * floor.perCall];
    pace.progress(
      `round ${round + 1} of ${pace.rounds}: ${Math.round(rateA)} against ${Math.round(rateB)} a second, ${(rateA / rateB).toFixed(2)}`,
    );
  }
  return slices;
}

export function spread(figures: number[]): Spread {
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const at = (index: number) => sorted[index] as number;
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    low: at(0),
    high: at(sorted.length - 1),
  };
}

export const median = (figures: number[]): number => spread(figures).median;
