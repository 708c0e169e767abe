import { randomBytes } from 'node:crypto';
import { Client, escapeIdentifier } from 'pg';

/** The address of another database on the same server. */
export function databaseUrl(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${encodeURIComponent(database)}`;
  return url.href;
}

/** Runs `work` with a connection of its own, which is closed after it. */
export async function connected<Result>(
  url: string,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = new Client(url);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Creates a database with a name of its own from a template, and returns its address and how to drop it. */
export async function createDatabase(
  serverUrl: string,
  template = 'template0',
): Promise<{ name: string; url: string; drop(): Promise<void> }> {
  const name = `pgcredits_test_${randomBytes(6).toString('hex')}`;
  const run = async (statement: string) => {
    await connected(serverUrl, (client) => client.query(statement));
  };
  await run(`create database ${name} template ${escapeIdentifier(template)}`);
  return {
    name,
    url: databaseUrl(serverUrl, name),
    drop: () => run(`drop database if exists ${name} with (force)`),
  };
}
