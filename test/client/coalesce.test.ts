import fc from 'fast-check';
import { Kysely, PostgresDialect } from 'kysely';
import type { Pool, PoolClient } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type Credits,
  CreditsError,
  createCredits,
  InsufficientCreditsError,
} from '../../src/client.ts';
import { createPool } from '../../src/database.ts';
import { atelierDatabase } from '../support/atelier.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';
import { untilBlockedCount } from '../support/locks.ts';

type Spend = Parameters<Credits['spend']>[0];

let database: TestDatabase;
let pool: Pool;
let plain: Credits;
let coalesced: Credits;
let accounts = 0;

beforeAll(async () => {
  database = await atelierDatabase();
  pool = createPool({ connectionString: database.url });
  plain = createCredits(pool);
  coalesced = createCredits(pool, { coalesce: true });
});
afterAll(async () => {
  await pool.end();
  await database.close();
});
verifyAfterEach(() => database);

/** An account on the Pro plan: 100 credits and 10 minutes. */
async function open(accountId = `team-${++accounts}`): Promise<string> {
  await plain.openAccount({ accountId, plan: 'atelier_pro', anchor: '2026-03-01' });
  return accountId;
}

const images = (accountId: string, count: number, rest: Partial<Spend> = {}): Spend => ({
  accountId,
  operation: 'image',
  usage: { count },
  ...rest,
});

/** An account's charges, in the order of the log. */
const charges = async (accountId: string) =>
  (await plain.activity({ accountId, kinds: ['usage'] }))
    .toReversed()
    .map(({ amount }) => Number(amount));

/** How many requests each of the spending statements that were sent through the pool had. */
function watch(): () => number[] {
  const query = vi.spyOn(pool, 'query');
  return () =>
    (query.mock.calls as unknown as [string, string[]][])
      .filter(([text]) => text.includes('spend'))
      .map(([text, values]) => (text.includes('spend_many') ? JSON.parse(values[0]).length : 1));
}
afterEach(() => vi.restoreAllMocks());

/** Locks an account while `work` runs, and gives it up when it returns. */
async function whileLocked(accountId: string, work: (holder: PoolClient) => Promise<unknown>) {
  const holder = await database.pool.connect();
  try {
    await holder.query('begin');
    await holder.query('select from credits.accounts where account_id = $1 for update', [
      accountId,
    ]);
    await work(holder);
  } finally {
    await holder.query('rollback');
    holder.release();
  }
}

const settled = (promises: Promise<unknown>[]) => Promise.allSettled(promises);

describe('coalesced spends', () => {
  test('of one account that come together are one call, in their order', async () => {
    const team = await open();
    const sent = watch();
    const entries = await Promise.all(
      [1, 2, 3, 4].map((count) => coalesced.spend(images(team, count))),
    );
    expect(entries.map(([{ seq, amount }]) => [seq, amount])).toEqual([
      ['3', '-5.00'],
      ['4', '-10.00'],
      ['5', '-15.00'],
      ['6', '-20.00'],
    ]);
    expect(sent()).toEqual([4]);
  });

  test('gather while a call is under way, up to maxRequests', async () => {
    const team = await open();
    const sent = watch();
    const three = createCredits(pool, { coalesce: { maxRequests: 3 } });
    const spends: Promise<unknown>[] = [];
    await whileLocked(team, async () => {
      spends.push(three.spend(images(team, 1)));
      await untilBlockedCount(database.pool, 1);
      for (let n = 0; n < 5; n += 1) spends.push(three.spend(images(team, 1)));
    });
    await Promise.all(spends);
    expect(sent()).toEqual([1, 3, 2]);
  });

  test('one after the other are a call each', async () => {
    const team = await open();
    const sent = watch();
    for (let n = 0; n < 3; n += 1) await coalesced.spend(images(team, 1));
    expect(sent()).toEqual([1, 1, 1]);
  });

  test('of different accounts do not wait for each other', async () => {
    const [busy, free] = [await open(), await open()];
    let waiting: Promise<unknown> | undefined;
    await whileLocked(busy, async () => {
      waiting = coalesced.spend(images(busy, 1));
      expect(await coalesced.spend(images(free, 1))).toMatchObject([{ accountId: free }]);
    });
    await waiting;
  });

  test('are what they were when they were asked for', async () => {
    const team = await open();
    const request = { ...images(team, 1), metadata: { as: 'asked' } };
    const spends = [coalesced.spend(request), coalesced.spend(request)];
    request.metadata.as = 'changed';
    request.accountId = 'nobody';
    for (const [entry] of await Promise.all(spends)) {
      expect(entry).toMatchObject({ accountId: team, metadata: { as: 'asked' } });
    }
  });

  test('with an argument that spend does not have fail alone', async () => {
    const team = await open();
    const misspelt = { ...images(team, 1), idempotency_key: 'key' };
    const [wrong, right] = await settled([
      coalesced.spend(misspelt),
      coalesced.spend(images(team, 1)),
    ]);
    expect(wrong).toMatchObject({ reason: expect.any(TypeError) });
    expect(right.status).toBe('fulfilled');
  });

  test('with something that the database cannot store fail alone, as they would by themselves', async () => {
    const team = await open();
    const poison = images(team, 1, { metadata: { text: 'null: \u0000' } });
    const alone = await plain.spend(poison).catch((error) => error);
    const [first, second, third] = await settled([
      coalesced.spend(images(team, 1)),
      coalesced.spend(poison),
      coalesced.spend(images(team, 2)),
    ]);
    expect([first, third]).toMatchObject([
      { value: [{ seq: '3', amount: '-5.00' }] },
      { value: [{ seq: '4', amount: '-10.00' }] },
    ]);
    expect(alone).toMatchObject({ code: 'PC422', detail: { reason: 'malformed' } });
    expect(second).toMatchObject({ reason: { code: alone.code, detail: alone.detail } });
  });

  test('of a call whose connection breaks all fail with that, and the next ones do not', async () => {
    const team = await open();
    const spends: Promise<unknown>[] = [];
    await whileLocked(team, async (holder) => {
      spends.push(coalesced.spend(images(team, 1)), coalesced.spend(images(team, 2)));
      for (const spend of spends) spend.catch(() => {});
      await untilBlockedCount(database.pool, 1);
      spends.push(coalesced.spend(images(team, 3)));
      const { rows } = await holder.query(
        `select pg_terminate_backend(pid, 60000) from pg_stat_activity where pg_backend_pid() = any (pg_blocking_pids(pid))`,
      );
      expect(rows).toHaveLength(1);
    });
    const [first, second, third] = await settled(spends);
    expect([first, second]).toMatchObject([
      { reason: { code: '57P01' } },
      { reason: { code: '57P01' } },
    ]);
    expect(third).toMatchObject({ value: [{ seq: '3', amount: '-15.00' }] });
  });

  test('without the right to spend all say so', async () => {
    const team = await open();
    const member = createPool({
      connectionString: database.url,
      options: '-c role=credits_member',
    });
    const credits = createCredits(member, { coalesce: true });
    const outcomes = await settled([
      credits.spend(images(team, 1)),
      credits.spend(images(team, 1)),
    ]);
    await member.end();
    expect(outcomes).toMatchObject([
      { reason: { code: 'PC403', detail: { requires: 'service' } } },
      { reason: { code: 'PC403', detail: { requires: 'service' } } },
    ]);
  });
});

describe('inside a transaction of the application every spend is its own call', () => {
  test('of a pg client', async () => {
    const team = await open();
    const client = await pool.connect();
    try {
      await client.query('begin');
      const credits = createCredits(client, { coalesce: true });
      const [, refused] = await settled([
        credits.spend(images(team, 1)),
        credits.spend(images(team, 20)),
      ]);
      // A refused spend aborts the transaction: spend_many would not have.
      expect(refused).toMatchObject({ reason: expect.any(InsufficientCreditsError) });
      await expect(client.query('select 1')).rejects.toMatchObject({ code: '25P02' });
    } finally {
      await client.query('rollback');
      client.release();
    }
    expect(await charges(team)).toEqual([]);
  });

  test('of Kysely, which coalesces outside of one', async () => {
    const team = await open();
    const sent: string[] = [];
    const kysely = new Kysely({
      dialect: new PostgresDialect({ pool: createPool({ connectionString: database.url }) }),
      log: ({ query }) => {
        const [called] = /spend\w*/.exec(query.sql) ?? [];
        if (called) sent.push(called);
      },
    });
    const twice = (credits: Credits) =>
      Promise.all([credits.spend(images(team, 1)), credits.spend(images(team, 2))]);
    const undone = new Error('undone');
    const transaction = kysely.transaction().execute(async (transaction) => {
      await twice(createCredits(transaction, { coalesce: true }));
      throw undone;
    });
    await expect(transaction).rejects.toBe(undone);
    expect(await charges(team)).toEqual([]);

    await twice(createCredits(kysely, { coalesce: true }));
    expect(await charges(team)).toEqual([-5, -10]);
    expect(sent).toEqual(['spend', 'spend', 'spend_many']);
    await kysely.destroy();
  });
});

describe('each spend has the outcome that it would have by itself', () => {
  beforeEach(() => database.setNow('2026-03-10T12:00:00Z'));

  const usage = fc.oneof(
    { weight: 8, arbitrary: fc.record({ count: fc.integer({ min: 1, max: 9 }) }) },
    { weight: 1, arbitrary: fc.constantFrom(undefined, null, {}, { count: 0 }, { count: 'x' }) },
  );
  const request = fc.record(
    {
      accountId: fc.constantFrom('a', 'a', 'a', 'b', 'nobody'),
      operation: fc.constantFrom('image', 'image', 'film', 'print', 'edit', 'upscale', 'nothing'),
      usage,
      idempotencyKey: fc.constantFrom('k1', 'k2', 'k3', null, ''),
      memberId: fc.constantFrom('ann', 'bob', null),
      maxAmount: fc.constantFrom('12', 30, 7.5, null, Number.NaN, '1e3'),
      metadata: fc.constantFrom({ some_key: ['a', { deep_key: null }] }, 'text', null),
    },
    { requiredKeys: ['accountId', 'operation'] },
  );

  test('in the order in which they were asked for', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(request, { maxLength: 14, size: 'max' }),
        fc.constantFrom(1, 2, 5, 500),
        async (requests, maxRequests) => {
          run += 1;
          const world = async (name: string) => {
            const of = (account: string) => `${account} of ${name} ${run}`;
            for (const account of ['a', 'b']) {
              await open(of(account));
              await plain.grant({ accountId: of(account), amount: 20 });
              await plain.addMember({ accountId: of(account), memberId: 'ann', periodCap: 60 });
            }
            return requests.map((given) => ({ ...given, accountId: of(given.accountId) }));
          };
          const outcome = (spend: Promise<unknown>) =>
            spend.then(
              (entries) => ({ entries }),
              (error) => {
                const { name, code, message, detail, hint } = error;
                return { known: error instanceof CreditsError, name, code, message, detail, hint };
              },
            );
          const anonymous = (outcomes: unknown[]) =>
            JSON.parse(JSON.stringify(outcomes).replace(/ of (one|many) \d+/g, ''), (key, value) =>
              key === 'recordedAt' ? undefined : value,
            );

          const credits = createCredits(pool, { coalesce: { maxRequests } });
          const together = await Promise.all(
            (await world('many')).map((given) => outcome(credits.spend(given))),
          );
          const oneByOne: unknown[] = [];
          for (const given of await world('one')) oneByOne.push(await outcome(plain.spend(given)));
          expect(anonymous(together)).toEqual(anonymous(oneByOne));
        },
      ),
      { numRuns: 20 },
    );
  }, 120_000);
});
