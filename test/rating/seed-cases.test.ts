import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase, verifyAfterEach } from '../support/database.ts';
import { plain } from '../support/numbers.ts';
import { SEED_CASES, SEED_JOBS, type SeedCase } from '../support/seed-cases.ts';
import { setTopUps } from '../support/top-ups.ts';

let database: TestDatabase;
let accounts = 0;

beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());
verifyAfterEach(() => database);

/** An account on the case's plan with more than enough of every unit. */
async function richAccount({ plan, topUps }: Pick<SeedCase, 'plan' | 'topUps'>): Promise<string> {
  const account = `seed-${++accounts}`;
  await database.query('select credits.open_account($1, $2)', [account, plan]);
  await database.query(
    `select credits."grant"($1, 1000000, u.unit)
     from credits.units u join credits.accounts a using (rate_card) where a.account_id = $1`,
    [account],
  );
  if (topUps) {
    await setTopUps(database, account, true);
  }
  return account;
}

type Line = { unit: string; amount: string; sum: string };

const amountsOf = (lines: Line[]) =>
  Object.fromEntries(lines.map(({ unit, amount }) => [unit, plain(amount)]));
const sumsOf = (lines: Line[]) =>
  Object.fromEntries(lines.map(({ unit, sum }) => [unit, plain(sum)]));

const SUM = `(select coalesce(sum((l ->> 'amount')::numeric), 0) from jsonb_array_elements(breakdown) l) as sum`;
const ITEMS = 'array(select r from jsonb_populate_recordset(null::credits.item, $2) r)';

describe('an operation costs what the price list says', () => {
  test.each(SEED_CASES)('$plan $operation $usage', async (line) => {
    const account = await richAccount(line);
    const params = [account, line.operation, line.usage];

    const quoted = await database.query(
      `select unit, amount, blocked_by, affordable, ${SUM} from credits.quote($1, $2, $3)`,
      params,
    );
    expect(amountsOf(quoted)).toEqual(line.amounts);
    expect(sumsOf(quoted)).toEqual(line.amounts);
    expect(quoted.every((row) => row.affordable && row.blocked_by === null)).toBe(true);

    const spent = await database.query(
      `select unit, -amount as amount, kind, operation, usage, ${SUM} from credits.spend($1, $2, $3)`,
      params,
    );
    expect(amountsOf(spent)).toEqual(line.amounts);
    expect(sumsOf(spent)).toEqual(line.amounts);
    for (const entry of spent) {
      expect(entry).toMatchObject({
        kind: 'usage',
        operation: line.operation,
        usage: line.usage,
      });
    }
  });
});

describe('a job of several operations costs what the price list says', () => {
  test.each(SEED_JOBS)('$plan: $note', async (job) => {
    const account = await richAccount(job);
    const params = [account, JSON.stringify(job.items)];

    const quoted = await database.query(
      `select unit, amount, affordable, ${SUM} from credits.quote_items($1, ${ITEMS})`,
      params,
    );
    expect(amountsOf(quoted)).toEqual(job.amounts);
    expect(sumsOf(quoted)).toEqual(job.amounts);

    const spent = await database.query(
      `select unit, -amount as amount, ${SUM} from credits.spend_items($1, ${ITEMS})`,
      params,
    );
    expect(amountsOf(spent)).toEqual(job.amounts);
    expect(sumsOf(spent)).toEqual(job.amounts);
  });
});
