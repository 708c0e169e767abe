import { Client } from 'pg';
import { type Config, readConfig } from '../config.ts';
import { StartupError } from '../errors.ts';

/** Writes a line of what a command was asked for. */
export function print(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** Writes a line of how it goes, which is no part of the result. */
export function report(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Writes a result for programs. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Throws a StartupError if DATABASE_URL is not set. */
export function databaseUrl(config: Config): string {
  if (config.databaseUrl !== null) return config.databaseUrl;
  throw new StartupError(
    'DATABASE_URL is not set.',
    'Set it to a database of yours, or to the one that "pgcredits up" prints.',
  );
}

export async function withDatabase<Result>(
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = new Client({ connectionString: databaseUrl(readConfig()) });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
