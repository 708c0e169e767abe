/** What the subjects of the benchmark have in common. */
import type { Client } from 'pg';
import type { Statement } from './clients.ts';
import { openClients } from './clients.ts';
import { type Comparison, compare, type Pace } from './compare.ts';

export interface Options {
  /** How long a slice takes. */
  seconds: number;
  /** How many slices of the subject, and as many of its floor. */
  rounds: number;
  warmUp: number;
  /** How many clients there are where there are many. */
  clients: number;
  accounts: number;
}

export interface Context {
  options: Options;
  clientUrl: string;
  admin: Client;
  progress: (line: string) => void;
}

/** A line of the table. */
export interface Result {
  subject: string;
  name: string;
  /** What it is measured against. */
  against: string;
  /** What one call counts as: 1 charge, 1,000 rows. */
  perCall: number;
  clients: number;
  /** At least so much of the floor, and what would be better still. */
  target: number | null;
  stretch: number | null;
  comparison: Comparison;
}

/** Runs its cases and returns a line for each. */
export type Subject = (context: Context) => Promise<Result[]>;

export interface Case {
  name: string;
  clients: number;
  subject: Statement;
  against: string;
  floor: Statement;
  target: number | null;
  stretch: number | null;
  perCall?: number;
}

/** Compares case by case, each with clients of its own. */
export async function runCases(
  { options, clientUrl, admin, progress }: Context,
  subject: string,
  cases: Case[],
): Promise<Result[]> {
  const results: Result[] = [];
  for (const { clients: count, subject: ours, floor, ...rest } of cases) {
    progress(`${rest.name}, ${count === 1 ? '1 client' : `${count} clients`}`);
    const clients = await openClients(clientUrl, count);
    try {
      // From here on, the first change of a page is logged whole; the warm-up sees to most of that.
      await admin.query('vacuum analyze');
      await admin.query('checkpoint');
      const pace: Pace = { ...options, progress: (line) => progress(`  ${line}`) };
      const comparison = await compare(clients, ours, floor, pace);
      results.push({ subject, clients: count, perCall: 1, ...rest, comparison });
    } finally {
      await clients.close();
    }
  }
  return results;
}
