/** How a function of the schema `credits` is called: names in camel case on this side, arguments by name on the other. */
import { CompiledQuery, type Kysely } from 'kysely';
import { toCreditsError } from './errors.ts';
import { type Functions, functions } from './generated/functions.ts';

/** What can run a statement as node-postgres does: a Pool, a Client, or a PoolClient inside a transaction. */
interface PgQueryable {
  // biome-ignore lint/suspicious/noExplicitAny: rows are typed by the function that is called
  query(text: string, values: unknown[]): Promise<{ rows: any[] }>;
}

/** Whose connection the calls use: node-postgres, or Kysely over it (a transaction of either included). */
// biome-ignore lint/suspicious/noExplicitAny: the application's own tables do not matter here
export type CreditsDatabase = PgQueryable | Kysely<any>;

export type Row = Record<string, unknown>;

export interface Statement {
  text: string;
  values: unknown[];
}

/** Whether each statement gets a connection, and so a transaction, of its own. */
export function isPool(db: CreditsDatabase): boolean {
  // Told by its shape: an application may bring its own copy of pg.
  return 'withoutPlugins' in db ? !db.isTransaction : 'totalCount' in db;
}

/** Calls a function and returns its rows in camel case. Throws a CreditsError for the errors of the contract. */
export async function call(db: CreditsDatabase, name: keyof Functions, given: Row): Promise<Row[]> {
  return (await run(db, statement(name, given))).map(camelCaseKeys);
}

/** Runs a statement and returns its rows as they are. Throws a CreditsError for the errors of the contract. */
export async function run(db: CreditsDatabase, { text, values }: Statement): Promise<Row[]> {
  try {
    if (!('withoutPlugins' in db)) return (await db.query(text, values)).rows;
    // A plugin of the application's, such as one for camel case, would reach into the JSON of our rows.
    return (await db.withoutPlugins().executeQuery<Row>(CompiledQuery.raw(text, values))).rows;
  } catch (error) {
    throw toCreditsError(error);
  }
}

/** The statement that calls a function. Throws a TypeError for an argument that it does not have, or an invalid Date. */
export function statement(name: keyof Functions, given: Row): Statement {
  const left = new Map(Object.entries(given));
  const values: unknown[] = [];
  const passed = Object.entries(functions[name].arguments).flatMap(([argument, type]) => {
    const value = left.get(camelCase(argument));
    left.delete(camelCase(argument));
    if (value === undefined) return [];
    if (value instanceof Date && Number.isNaN(value.getTime())) {
      throw new TypeError(`credits.${name} got an invalid Date as ${camelCase(argument)}`);
    }
    values.push(toParameter(value, type));
    return `"${argument}" => ${placeholder(values.length, type)}`;
  });
  for (const [argument, value] of left) {
    // Not to be overlooked: it may be a misspelt idempotencyKey.
    if (value !== undefined) throw new TypeError(`credits.${name} has no argument ${argument}`);
  }
  return { text: `select * from credits."${name}"(${passed.join(', ')})`, values };
}

const isCompositeList = (type: string) => type.startsWith('credits.') && type.endsWith('[]');

function placeholder(position: number, type: string): string {
  if (!isCompositeList(type)) return `$${position}::${type}`;
  const composite = type.slice(0, -2);
  return `array(select r from jsonb_populate_recordset(null::${composite}, $${position}::jsonb) r)`;
}

function toParameter(value: unknown, type: string): unknown {
  if (value === null) return null;
  if (type === 'jsonb') return JSON.stringify(value);
  return isCompositeList(type) ? JSON.stringify((value as Row[]).map(snakeCaseKeys)) : value;
}

export const camelCase = (name: string) =>
  name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

export const snakeCase = (name: string) =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

export const camelCaseKeys = (row: Row): Row => renameKeys(row, camelCase);

const snakeCaseKeys = (row: Row): Row => renameKeys(row, snakeCase);

function renameKeys(row: Row, rename: (key: string) => string): Row {
  return Object.fromEntries(Object.entries(row).map(([key, value]) => [rename(key), value]));
}
