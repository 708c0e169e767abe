/**
 * Several clients at once, on connections of their own. Nobody says in which order things happen; what must hold of every
 * order is looked at when all is quiet.
 */
import fc from 'fast-check';
import type { PoolClient } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CreditsError, toCreditsError } from '../../../src/errors.ts';
import { type TestDatabase, testDatabase } from '../../support/database.ts';
import { runs } from '../../support/runs.ts';
import { DAY, HOUR, instant, iso } from '../../support/time.ts';
import { CARD, catalogWith, loadWholeCatalog } from './catalog.ts';

const ACCOUNTS = ['alice', 'bob'];
const START = instant('2026-01-31T10:00Z');

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase({ catalogs: false });
  const plan = { cadence: 'month' as const, anchored_to: 'subscription' as const };
  const catalog = catalogWith({
    plans: [
      { plan: 'free0', ...plan, cadence: 'day', paid: false },
      { plan: 'paid0', ...plan, paid: true },
      { plan: 'paid1', ...plan, paid: true },
    ],
    allowances: [
      { plan: 'free0', amount: 10 },
      { plan: 'paid0', amount: 200, rollover: 'capped', rollover_cap_multiple: 1 },
      { plan: 'paid1', amount: 300, rollover: 'all', lives_periods: 2 },
      { plan: 'paid1', unit: 'minute', amount: 20 },
    ],
  });
  await loadWholeCatalog(database.pool, catalog);
});
afterAll(() => database.close());

const account = fc.constantFrom(...ACCOUNTS);
const key = fc.option(fc.constantFrom('k1', 'k2', 'k3', 'k4'), { freq: 2 });
const small = fc.integer({ min: 1, max: 9 });
const cents = fc.integer({ min: 1, max: 4000 }).map((n) => n / 100);
const frames = fc.integer({ min: 1, max: 240 }).map((n) => JSON.stringify({ frames: n }));
const call = (statement: string, ...params: fc.Arbitrary<unknown>[]) =>
  fc
    .tuple(...params)
    .map((values) => ({ statement: `select * from credits.${statement}`, values }));

/** Calls that are made without looking what there is: a refusal is as good an answer as any. */
const command = fc.oneof(
  { weight: 8, arbitrary: call(`spend($1, 'frames', $2, $3)`, account, frames, key) },
  {
    weight: 3,
    arbitrary: call(
      `spend_many(array[row($1, 'frames', $3, $4, null, null, null), row($2, 'frames', $3, $4, 'm1', null, null)]::credits.spend_request[])`,
      account,
      account,
      frames,
      key,
    ),
  },
  { weight: 5, arbitrary: call(`authorize($1, 'frames', $2, $3)`, account, frames, key) },
  { weight: 5, arbitrary: call('capture($1, $2)', account, small) },
  { weight: 3, arbitrary: call('capture($1, $2, amount => $3)', account, small, cents) },
  { weight: 3, arbitrary: call('release($1, $2)', account, small) },
  { weight: 3, arbitrary: call('refund($1, $2, null, null, $3)', account, small, key) },
  {
    weight: 3,
    arbitrary: call('grant($1, $2, idempotency_key => $3)', account, cents, key),
  },
  { weight: 1, arbitrary: call('revoke($1, $2)', account, small) },
  {
    weight: 1,
    arbitrary: call(
      `claim($1, 'welcome', $2)`,
      account,
      fc.constantFrom('a@b.example', 'c@d.example'),
    ),
  },
  {
    weight: 3,
    arbitrary: call('subscribe($1, $2)', account, fc.constantFrom('free0', 'paid0', 'paid1')),
  },
  { weight: 1, arbitrary: call('cancel_subscription($1, $2)', account, fc.boolean()) },
  { weight: 2, arbitrary: call(`buy($1, 'small', null, $2)`, account, key) },
  {
    weight: 3,
    arbitrary: call(
      'settle_purchase($1, $2, $3)',
      account,
      small,
      fc.constantFrom('p1', 'p2', 'p3'),
    ),
  },
  { weight: 1, arbitrary: call(`fail_purchase($1, $2, 'declined')`, account, small) },
  { weight: 1, arbitrary: call(`reverse_purchase($1, $2, 'dispute')`, account, small) },
  { weight: 1, arbitrary: call('configure_top_up($1, true, 50, 25, 100)', account) },
  { weight: 1, arbitrary: call('configure_additional($1, true, $2)', account, cents) },
  { weight: 1, arbitrary: call(`record_meter($1, 'storage', $2)`, account, cents) },
  { weight: 1, arbitrary: call('settle_due()') },
  { weight: 1, arbitrary: call('balances($1)', account) },
);
type Command = { statement: string; values: unknown[] };

/** What each client does, one call after another, each at a time of its own. */
const client = fc.array(
  fc.record({ command, after: fc.constantFrom(0n, 0n, HOUR, DAY, 30n * DAY) }),
  { maxLength: 14, size: 'max' },
);

async function attempt(on: PoolClient, { statement, values }: Command): Promise<void> {
  try {
    await on.query(statement, values);
  } catch (error) {
    // A refusal of the contract; anything else, such as a deadlock, is none.
    const known = toCreditsError(error);
    if (!(known instanceof CreditsError)) {
      throw new Error(`${statement} ${JSON.stringify(values)}: ${known}`, { cause: error });
    }
  }
}

async function together(clients: number, work: (on: PoolClient, index: number) => Promise<void>) {
  const connections = await Promise.all(
    Array.from({ length: clients }, () => database.pool.connect()),
  );
  try {
    const outcomes = await Promise.allSettled(connections.map(work));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  } finally {
    for (const connection of connections) connection.release();
  }
}

const none = async (question: string) => expect(await database.query(question)).toEqual([]);

test('whatever several clients do at once, the ledger is sound', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(client, { minLength: 4, maxLength: 4 }), async (clients) => {
      await database.setNow(iso(START));
      for (const accountId of ACCOUNTS) {
        await database.query(`select credits.open_account($1, 'paid0')`, [accountId]);
      }
      try {
        await together(clients.length, async (on, index) => {
          let now = START;
          for (const { command, after } of clients[index]) {
            now += after;
            await on.query(`set credits.now = '${iso(now)}'`);
            await attempt(on, command);
          }
        });

        expect(await database.verify()).toEqual([]);
        await none(
          `select * from credits.lots
           where least(available, held, spent, forfeited) < 0 or granted <> available + held + spent + forfeited`,
        );
        // What was charged, given and taken is what is left.
        await none(
          `select account_id, unit, sum(amount) from credits.entries e group by account_id, unit
           having sum(amount) <> (select sum(l.granted - l.spent - l.forfeited) from credits.lots l
             where l.account_id = e.account_id and l.unit = e.unit)`,
        );
        // A key did one thing: one entry a unit, or one hold, or one purchase.
        await none(
          `select account_id, idempotency_key from (
             select distinct account_id, idempotency_key, 'entry' as made, unit, seq as id from credits.entries
             union all
             select distinct account_id, idempotency_key, 'hold', unit, hold_id from credits.holds
             union all
             select account_id, idempotency_key, 'purchase', unit, purchase_id from credits.purchases) k
           where idempotency_key is not null
           group by account_id, idempotency_key having count(*) > 1`,
        );
        // A payment gave one lot; one top-up is pending; a person claimed once.
        await none(
          `select account_id, purchase_id from credits.lots where purchase_id is not null
           group by account_id, purchase_id having count(*) > 1`,
        );
        await none(
          `select account_id from credits.purchases where kind = 'top_up' and status = 'pending'
           group by account_id having count(*) > 1`,
        );
        await none(
          `select account_id from credits.lots where source = 'promotion'
           group by account_id having count(*) > 1`,
        );
      } finally {
        await database.query(
          'truncate credits.accounts, credits.entries, credits.postings, credits.promotion_claims cascade',
        );
      }
    }),
    { numRuns: runs(40) },
  );
}, 600_000);

/** What each of several clients gets that do the same at once: rows, or the code of a refusal. */
async function allAtOnce(
  clients: number,
  { statement, values }: Command,
): Promise<{ rows: Record<string, unknown>[]; refused: string | null }[]> {
  const outcomes: { rows: Record<string, unknown>[]; refused: string | null }[] = [];
  await together(clients, async (on) => {
    try {
      outcomes.push({ rows: (await on.query(statement, values)).rows, refused: null });
    } catch (error) {
      const known = toCreditsError(error);
      if (!(known instanceof CreditsError)) throw error;
      outcomes.push({ rows: [], refused: known.code });
    }
  });
  return outcomes;
}

const contest = fc.record({
  credits: fc.integer({ min: 1, max: 300 }),
  price: fc.integer({ min: 1, max: 90 }),
  clients: fc.integer({ min: 2, max: 8 }),
});

test('of clients who want the same at once, exactly so many get it', async () => {
  await database.setNow(iso(START));
  await fc.assert(
    fc.asyncProperty(contest, async ({ credits, price, clients }) => {
      const usage = JSON.stringify({ frames: 3 * price });
      const run = (statement: string, ...values: unknown[]) =>
        database.query(`select * from credits.${statement}`, values);
      const race = (statement: string, ...values: unknown[]) =>
        allAtOnce(clients, { statement: `select * from credits.${statement}`, values });
      const succeeded = (outcomes: Awaited<ReturnType<typeof race>>) =>
        outcomes.filter((outcome) => outcome.refused === null);
      /** What the account has, held or not. */
      const left = async () => {
        const [balance] = await run(`balances('alice')`);
        return Number(balance.total) + Number(balance.held);
      };
      try {
        await run(`open_account('alice', rate_card => '${CARD}')`);
        await run(`grant('alice', $1)`, credits);

        // As many as there are credits for.
        const most = Math.min(clients, Math.floor(credits / price));
        const held = await race(`authorize('alice', 'frames', $1)`, usage);
        expect(succeeded(held)).toHaveLength(most);
        expect(new Set(held.map((outcome) => outcome.refused ?? 'ok'))).toEqual(
          new Set([...(most > 0 ? ['ok'] : []), ...(most < clients ? ['PC402'] : [])]),
        );

        // One hold is captured once, by whoever comes first, and the others are told of the same entry.
        if (most > 0) {
          const captured = await race(`capture('alice', 1)`);
          expect(new Set(captured.map(({ rows }) => rows[0].seq)).size).toBe(1);
          const refunded = await race(`refund('alice', $1)`, captured[0].rows[0].seq);
          expect(succeeded(refunded)).toHaveLength(1);
          for (let hold = 2; hold <= most; hold++) await run(`release('alice', $1)`, hold);
        }
        expect(await left()).toBe(credits);

        // One key, one charge.
        const spent = await race(`spend('alice', 'frames', $1, 'key')`, usage);
        const affordable = price <= credits;
        expect(succeeded(spent)).toHaveLength(affordable ? clients : 0);
        expect(await left()).toBe(affordable ? credits - price : credits);

        // One purchase, one payment, one lot.
        const bought = await race(`buy('alice', 'small', null, 'pack')`);
        expect(new Set(bought.map(({ rows }) => rows[0].purchase_id)).size).toBe(1);
        await race(`settle_purchase('alice', 1, 'paid')`);
        expect(await left()).toBe((affordable ? credits - price : credits) + 40);

        const claimed = await race(`claim('alice', 'welcome', 'a@b.example')`);
        expect(succeeded(claimed)).toHaveLength(1);
        expect(await database.verify()).toEqual([]);
      } finally {
        await database.query(
          'truncate credits.accounts, credits.entries, credits.postings, credits.promotion_claims cascade',
        );
      }
    }),
    { numRuns: runs(40) },
  );
}, 600_000);
