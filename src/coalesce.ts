import {
  type CreditsDatabase,
  camelCaseKeys,
  type Row,
  run,
  type Statement,
  snakeCase,
  statement,
} from './calls.ts';
import { CreditsError, creditsError } from './errors.ts';
import { type EntriesRow, functions, type SpendResultRow } from './generated/functions.ts';

/** A spend that waits for its turn. */
interface Waiting {
  /** As a call of spend by itself. */
  alone: Statement;
  /** As an element of the list that spend_many takes. */
  request: string;
  resolve: (entries: Row[]) => void;
  reject: (error: unknown) => void;
}

/**
 * Makes a `spend` that sends the spends of an account which arrive while one of its calls is under way together in the next
 * call, at most `maxRequests` of them. An account has one call under way at a time, so its spends take effect in the order in
 * which they were asked for; accounts do not wait for each other. What a spend waits for is the calls that are ahead of it: one,
 * unless more than `maxRequests` spends wait.
 */
export function coalescedSpend(
  db: CreditsDatabase,
  maxRequests: number,
): (given: Row) => Promise<Row[]> {
  const queues = new Map<unknown, Waiting[]>();

  const drain = async (account: unknown, queue: Waiting[]) => {
    // What is asked for in the same breath goes together.
    await Promise.resolve();
    while (queue.length > 0) await charge(queue.splice(0, maxRequests));
    queues.delete(account);
  };

  const charge = async (batch: Waiting[]) => {
    if (batch.length === 1) return chargeOneByOne(batch);
    let rows: SpendResultRow[];
    try {
      rows = await spendMany(db, batch);
    } catch (error) {
      if (isFaultOfARequest(error)) return chargeOneByOne(batch);
      for (const { reject } of batch) reject(error);
      return;
    }
    const outcomes = Map.groupBy(rows, (row) => row.request_index - 1);
    batch.forEach(({ resolve, reject }, index) => {
      const outcome = outcomes.get(index) ?? [];
      const refused = outcome.find(({ status }) => status === 'refused');
      if (refused) reject(refusal(refused));
      else resolve(outcome.map((row) => camelCaseKeys({ ...toEntry(row) })));
    });
  };

  const chargeOneByOne = async (batch: Waiting[]) => {
    for (const { alone, resolve, reject } of batch) {
      await run(db, alone).then((rows) => resolve(rows.map(camelCaseKeys)), reject);
    }
  };

  return async (given) => {
    // Written down now, so that what is wrong with it is said to this caller, and what becomes of its objects later is nothing to us.
    const alone = statement('spend', given);
    const request = toRequest(given);
    return new Promise((resolve, reject) => {
      const waiting = { alone, request, resolve, reject };
      const queue = queues.get(given.accountId);
      if (queue) {
        queue.push(waiting);
        return;
      }
      const begun = [waiting];
      queues.set(given.accountId, begun);
      void drain(given.accountId, begun);
    });
  };
}

/** The arguments of spend as JSON; figures as text, which says more of them than a number in JSON can. */
function toRequest(given: Row): string {
  const fields = Object.entries(given).map(([argument, value]) => {
    const name = snakeCase(argument);
    const isJson = (functions.spend.arguments as Record<string, string>)[name] === 'jsonb';
    return [name, isJson || value === null || value === undefined ? value : String(value)];
  });
  return JSON.stringify(Object.fromEntries(fields));
}

async function spendMany(db: CreditsDatabase, batch: Waiting[]): Promise<SpendResultRow[]> {
  const list = `[${batch.map(({ request }) => request).join(',')}]`;
  const rows = await run(db, {
    text: `select * from credits.spend_many(array(
      select r from jsonb_populate_recordset(null::credits.spend_request, $1::jsonb) r))`,
    values: [list],
  });
  return rows as unknown as SpendResultRow[];
}

/** The entry in a row of spend_many, with what is empty in every entry that a spend wrote. */
function toEntry(row: SpendResultRow): EntriesRow {
  const { request_index, status, error_code, error_detail, error_hint, ...entry } = row;
  return {
    ...(entry as EntriesRow),
    refunds_seq: null,
    hold_id: null,
    purchase_id: null,
    reason: null,
  };
}

function refusal({ error_code, error_detail, error_hint }: SpendResultRow): CreditsError {
  return creditsError(error_code as string, error_detail as object, error_hint);
}

/**
 * Whether a batch failed for what one of its requests holds, such as a character that the database cannot store: data
 * exceptions, violated constraints, limits of the program, exceptions raised. All of it is undone then, so that each request can be
 * charged by itself. After anything else each would fare alike, or nobody knows how it fared, as when the connection broke.
 */
function isFaultOfARequest(error: unknown): boolean {
  const { code } = (error instanceof CreditsError ? error.cause : error) as { code?: unknown };
  return /^(22|23|54|P0)[0-9A-Z]{3}$/.test(String(code));
}
