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

type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

type CamelCaseKeys<Row> = { [Key in keyof Row as CamelCase<Key & string>]: Row[Key] };

/** Lists of composite values have names to change too; JSON is the application's own and stays as it is. */
type Argument<Type> = [NonNullable<Type>] extends [(infer Item extends object)[]]
  ? CamelCaseKeys<Item>[]
  : Type;

type Given<Arguments> = {
  [Key in keyof Arguments as CamelCase<Key & string>]: Argument<Arguments[Key]>;
};

type Call<Arguments, Result> = (
  ...given: Record<never, never> extends Arguments
    ? [given?: Given<Arguments>]
    : [given: Given<Arguments>]
) => Promise<Result>;

/** A call for each function of the schema `credits`; the comment of each is the database's own. */
export type Credits = {
  [Name in keyof Functions as CamelCase<Name>]: Call<
    Functions[Name]['arguments'],
    (typeof functions)[Name]['set'] extends true
      ? CamelCaseKeys<Functions[Name]['row']>[]
      : CamelCaseKeys<Functions[Name]['row']>
  >;
};

/**
 * The functions of the schema `credits` as typed calls: `credits.spend({ accountId, operation, usage, idempotencyKey })`.
 *
 * Takes a pg Pool, Client or PoolClient, or a Kysely instance or transaction over pg. In a transaction of the application's own, a
 * spend commits or rolls back with everything else in it; a refused one, like any error, aborts the transaction, unless it
 * is inside a savepoint. The login must be a member of `credits_service`.
 *
 * Names are in camel case. An argument that is left out (undefined) takes the function's default; null is SQL's null.
 * Functions that return a set give an array of rows, the others one row. Amounts are in the units of the account's rate
 * card: strings, as `numeric` is exact and a number is not. Sequence numbers and ids are strings too, times are Dates.
 *
 * Each call rejects with a CreditsError (such as InsufficientCreditsError, with `detail.shortfall`) for the five errors of the
 * contract, with a TypeError for an argument that the function does not have, and with the database's error otherwise.
 */
export function createCredits(db: CreditsDatabase): Credits {
  const calls = Object.entries(functions).map(([name, { arguments: types, set }]) => [
    camelCase(name),
    async (given: Row = {}) => {
      const { text, values } = statement(name, types, given);
      const rows = await run(db, text, values).catch((error) => {
        throw toCreditsError(error);
      });
      return set ? rows.map(camelCaseKeys) : camelCaseKeys(rows[0]);
    },
  ]);
  return Object.fromEntries(calls);
}

type Row = Record<string, unknown>;

async function run(db: CreditsDatabase, text: string, values: unknown[]): Promise<Row[]> {
  if (!('withoutPlugins' in db)) return (await db.query(text, values)).rows;
  // A plugin of the application's, such as one for camel case, would reach into the JSON of our rows.
  return (await db.withoutPlugins().executeQuery<Row>(CompiledQuery.raw(text, values))).rows;
}

function statement(
  name: string,
  types: Record<string, string>,
  given: Row,
): { text: string; values: unknown[] } {
  const left = new Map(Object.entries(given));
  const values: unknown[] = [];
  const passed = Object.entries(types).flatMap(([argument, type]) => {
    const value = left.get(camelCase(argument));
    left.delete(camelCase(argument));
    if (value === undefined) return [];
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

const camelCase = (name: string) =>
  name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

const snakeCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const camelCaseKeys = (row: Row): Row => renameKeys(row, camelCase);

const snakeCaseKeys = (row: Row): Row => renameKeys(row, snakeCase);

function renameKeys(row: Row, rename: (key: string) => string): Row {
  return Object.fromEntries(Object.entries(row).map(([key, value]) => [rename(key), value]));
}
