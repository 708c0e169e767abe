import { type CreditsDatabase, call, camelCase, isPool, type Row } from './calls.ts';
import { coalescedSpend } from './coalesce.ts';
import { type Functions, functions, type Json } from './generated/functions.ts';
import { createWithHold, type WithHold } from './with-hold.ts';

export type { CreditsDatabase } from './calls.ts';
export {
  ConflictError,
  CreditsError,
  InsufficientCreditsError,
  InvalidInputError,
  NotAllowedError,
  NotFoundError,
} from './errors.ts';
export type { Cost, Hold, HoldRequest, WithHold } from './with-hold.ts';
export type { Json };

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
export type Calls = {
  [Name in keyof Functions as CamelCase<Name>]: Call<
    Functions[Name]['arguments'],
    (typeof functions)[Name]['set'] extends true
      ? CamelCaseKeys<Functions[Name]['row']>[]
      : CamelCaseKeys<Functions[Name]['row']>
  >;
};

/** The calls, and what is made of them. */
export interface Credits extends Calls {
  /**
   * Holds what an operation may cost, does the work, charges what it came to, and gives everything back if the
   * work fails. Returns what the work returns. Work that does not capture is charged all that was held.
   *
   * - The work fails: the hold is released, and the work's own error is thrown. If the release fails too, the hold ends by itself.
   * - It captures in a transaction that is rolled back, and returns all the same: nothing is charged, and the hold ends by itself. Throw.
   * - The process dies: the hold ends by itself, after `expiresIn` (an hour unless given).
   * - The work outlives the hold: the capture is a fresh charge at the hold's prices, and may fail with an InsufficientCreditsError.
   * - With an idempotency key, a run again takes up the hold of the run before it, so that a job is charged at most once however often
   *   it is tried. After a run that failed it holds anew, under the key with a number after it. After one that was charged the
   *   work is not done again: it rejects with a ConflictError whose `detail.reason` is `already_captured`.
   */
  withHold: WithHold;
}

export interface CreditsOptions {
  /**
   * Sends the spends of an account that arrive while one of its calls is under way together in the next call, through
   * `spend_many`: up to `maxRequests` of them, 500 unless set. Each gets its own entries or its own error, as it would
   * from `spend`, and those of an account take effect in the order of the calls. A spend waits at most for the calls of its
   * account that are ahead of it; one that comes alone goes out at once. Only with a Pool or a Kysely that is no
   * transaction: inside a transaction every spend is its own call, in its place. Off unless given.
   */
  coalesce?: true | { maxRequests?: number };
}

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
 * contract; an argument that PostgreSQL cannot read is an InvalidInputError, too, with the reason `malformed`. It rejects with a
 * TypeError for an argument that the function does not have or an invalid Date, and with the database's error otherwise.
 */
export function createCredits(db: CreditsDatabase, options: CreditsOptions = {}): Credits {
  const calls = Object.entries(functions).map(([name, { set }]) => [
    camelCase(name),
    async (given: Row = {}) => {
      const rows = await call(db, name as keyof Functions, given);
      return set ? rows : rows[0];
    },
  ]);
  const credits: Credits = Object.fromEntries(calls);
  if (options.coalesce && isPool(db)) {
    const { maxRequests = 500 } = options.coalesce === true ? {} : options.coalesce;
    credits.spend = coalescedSpend(db, maxRequests) as unknown as Credits['spend'];
  }
  credits.withHold = createWithHold(credits);
  return credits;
}
