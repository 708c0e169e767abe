import * as fs from 'node:fs';
import path from 'node:path';
import type { ClientBase, QueryResult } from 'pg';
import { StartupError } from './errors.ts';
import { SQL_FOLDER } from './migrate.ts';

/** The catalogs that come with pgcredits. */
export const CATALOGS = ['avs', 'invideo', 'videodraft', 'videogen'];

/**
 * Loads a catalog: one of `CATALOGS`, or a file with a path or an ending. The file is SQL with a transaction of its own, as
 * for `psql -f`. Returns a line for each change it made; none when all was there already.
 *
 * Throws a StartupError if there is no such file, and the database's error if it refuses the catalog; then nothing has
 * changed.
 */
export async function loadCatalog(client: ClientBase, nameOrPath: string): Promise<string[]> {
  const text = readCatalog(nameOrPath);
  try {
    const results: QueryResult | QueryResult[] = await client.query(text);
    return [results]
      .flat()
      .flatMap(({ rows }) => rows.map(describe))
      .filter(Boolean);
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw error;
  }
}

/** A row of `apply_catalog` as a line. The row of a void function, such as `begin_catalog`, is an empty one. */
function describe(row: Record<string, string>): string {
  return Object.values(row).join(' ');
}

function readCatalog(nameOrPath: string): string {
  const file = CATALOGS.includes(nameOrPath)
    ? path.join(SQL_FOLDER, 'catalogs', `${nameOrPath}.sql`)
    : nameOrPath;
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new StartupError(
      `There is no catalog ${nameOrPath}: ${(error as Error).message}.`,
      `Name one of ${CATALOGS.join(', ')}, or a file of your own.`,
      { cause: error },
    );
  }
}
