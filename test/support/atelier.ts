import * as fs from 'node:fs';
import { type TestDatabase, testDatabase } from './database.ts';

/** The instant at which tests on invented products begin: the middle of a month, long before the next boundary. */
export const NOON = '2026-03-10T12:00:00Z';

/** A database with the invented products Atelier and Bazaar, or those that are named, and the clock at NOON. */
export async function atelierDatabase(
  products: ('atelier' | 'bazaar')[] = ['atelier', 'bazaar'],
): Promise<TestDatabase> {
  const database = await testDatabase({ catalogs: false });
  for (const product of products) {
    await database.query(fs.readFileSync(new URL(`${product}.sql`, import.meta.url), 'utf8'));
  }
  await database.setNow(NOON);
  return database;
}
