import fc from 'fast-check';
import type { PoolClient } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PLANS, plans as randomPlans } from '../properties/whole-ledger/arbitraries.ts';
import {
  CARD,
  catalogWith,
  changePlans,
  loadWholeCatalog,
} from '../properties/whole-ledger/catalog.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { runs } from '../support/runs.ts';

let database: TestDatabase;
let client: PoolClient;

beforeAll(async () => {
  database = await testDatabase({ catalogs: false });
  const plans = PLANS.map((plan) => ({ plan, cadence: 'month' as const, paid: plan[0] === 'p' }));
  await loadWholeCatalog(database.pool, catalogWith({ plans, allowances: [] }));
  client = await database.pool.connect();
});
afterAll(async () => {
  client.release();
  await database.close();
});

const query = async (text: string, values: unknown[] = []) =>
  (await client.query(text, values)).rows;

/** What may have happened to an account, $1, since it was opened; refused where it is not possible. */
const EVENTS = {
  'spends a little': `select credits.spend($1, 'frames', '{"frames": 30}')`,
  'spends in two units': `select credits.spend($1, 'video', '{"seconds": 60}')`,
  'spends what is left': `select credits.spend($1, 'frames', jsonb_build_object('frames', floor(b.total * 3)))
    from credits.balances($1) b where b.unit = 'credit'`,
  'is given credits': `select credits.grant($1, 33.5)`,
  'is given included credits': `select credits.grant($1, 21, bucket => 'included')`,
  'is given included minutes':
    "select credits.grant($1, 4, 'minute', 'included', credits_private.now() + interval '9 days')",
  'is given credits until the boundary':
    'select credits.grant($1, 5, expires_at => a.period_end) from credits.accounts a where a.account_id = $1',
  'is given minutes until the boundary': `select credits.grant($1, 3, 'minute', expires_at => a.period_end)
    from credits.accounts a where a.account_id = $1`,
  'is given credits until just before it': `select credits.grant($1, 6, expires_at => a.period_end - interval '1 second')
    from credits.accounts a where a.account_id = $1`,
  'is given credits until just after it': `select credits.grant($1, 7, expires_at => a.period_end + interval '1 second')
    from credits.accounts a where a.account_id = $1`,
  'is given included credits, and spends them': `select credits.grant($1, 10, 'credit', 'included', priority => 1),
    credits.spend($1, 'frames', '{"frames": 30}')`,
  'reserves credits for an hour': `select credits.authorize($1, 'frames', '{"frames": 15}', expires_in => '1 hour')`,
  'reserves credits for long': `select credits.authorize($1, 'frames', '{"frames": 15}', expires_in => '90 days')`,
  'is refunded': `select credits.refund($1, max(e.seq)) from credits.entries e where e.account_id = $1 and e.kind = 'usage'`,
  cancels: 'select credits.cancel_subscription($1)',
  'changes its plan': `select credits.subscribe($1, 'paid0')`,
  'tops up, when what is given until the boundary is gone': `select
    credits.grant($1, 500, expires_at => a.period_end), credits.configure_top_up($1, true, 450, 25)
    from credits.accounts a where a.account_id = $1`,
  'may top up next month': 'select credits.configure_top_up($1, true, 1000, 25, 10)',
  stores: `select credits.record_meter($1, 'storage', 3)`,
} as const;

const account = fc.record({
  plan: fc.constantFrom(...PLANS),
  anchoredDaysAgo: fc.constantFrom(0, 0, 1, 12),
  before: fc.array(fc.constantFrom(...Object.keys(EVENTS)), { maxLength: 2 }),
  events: fc.oneof(
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 3, arbitrary: fc.array(fc.constantFrom(...Object.keys(EVENTS)), { maxLength: 2 }) },
  ),
});

const population = fc.record({
  chosen: randomPlans,
  /** The catalog may give the plans another time zone, so that the next period ends at no boundary of theirs. */
  moved: fc.constantFrom(false, false, false, false, true),
  accounts: fc.array(account, { minLength: 8, maxLength: 20 }),
  /** How long they are left alone, before and after a first sweep; after that, how far beyond the first boundary. */
  days: fc.tuple(fc.integer({ min: 0, max: 40 }), fc.constantFrom(0, 0, 0.01, 1, 8)),
});

async function happens(accountId: string, event: string): Promise<void> {
  await query('begin');
  try {
    await query(EVENTS[event as keyof typeof EVENTS], [accountId]);
    await query('commit');
  } catch (error) {
    await query('rollback');
    if (!/^PC4/.test((error as { code: string }).code)) throw error;
  }
}

const later = (days: number) =>
  query(
    `select set_config('credits.now', (credits_private.now() + $1 * interval '1 day')::text, false)`,
    [days],
  );

/** Accounts in all kinds of states, of which some are due. */
async function live({
  chosen,
  moved,
  accounts,
  days,
}: typeof population extends fc.Arbitrary<infer Facts> ? Facts : never): Promise<void> {
  await changePlans(client, catalogWith(chosen));
  await query(`set credits.now = '2026-01-31T10:00Z'`);
  for (const [index, { plan, anchoredDaysAgo }] of accounts.entries()) {
    await query(
      `select credits.open_account($1, $2, credits_private.now() - $3 * interval '1 day', rate_card => $4)`,
      [`team-${index}`, plan, anchoredDaysAgo, CARD],
    );
  }
  for (const [index, { before }] of accounts.entries()) {
    for (const event of before) await happens(`team-${index}`, event);
  }
  await later(days[0]);
  if (moved) await query(`update credits.plans set time_zone = 'Asia/Kathmandu'`);
  await eventByEvent();
  for (const [index, { events }] of accounts.entries()) {
    for (const event of events) await happens(`team-${index}`, event);
  }
  await query(
    `select set_config('credits.now', greatest(min(period_end) + $1 * interval '1 day', credits_private.now())::text, false)
     from credits.accounts`,
    [days[1]],
  );
}

const eventByEvent = () =>
  query(`
    do $$
    declare
      account credits.accounts;
    begin
      for account in select * from credits.accounts where next_due_at <= credits_private.now() loop
        perform credits_private.settle_event_by_event(account, credits_private.now());
      end loop;
    end
    $$`);

const together = () => query('select credits.settle_due(1000)');

/** As whoever writes to them does it. */
const oneByOne = () =>
  query(
    `select credits_private.settled(a, credits_private.now()) from credits.accounts a where a.next_due_at <= credits_private.now()`,
  );

const plain = async () =>
  (
    await query(`
      select p.account_id from credits_private.after_plain_boundary(
        array(select a from credits.accounts a where a.next_due_at <= credits_private.now()), credits_private.now()) p
      order by 1`)
  ).map(({ account_id }) => account_id);

const TABLES = [
  'accounts',
  'lots',
  'entries',
  'postings',
  'holds',
  'purchases',
  'top_up_settings',
  'meters',
];

/** Everything that `settle` leaves, which is then undone. Numbers are compared as numbers: 5 is 5.00. */
async function left(settle: () => Promise<unknown>): Promise<Record<string, unknown[]>> {
  await query('begin');
  try {
    await settle();
    await query('set constraints all immediate');
    const rows: Record<string, unknown[]> = {};
    for (const table of TABLES) {
      const found = await query(`select to_jsonb(t) as row from credits.${table} t`);
      rows[table] = found.map(({ row }) => JSON.stringify(row)).sort();
    }
    return rows;
  } finally {
    await query('rollback');
  }
}

describe('accounts that are settled together', () => {
  test('are left as if each had been settled alone, whatever happened to them', async () => {
    let [due, settledTogether] = [0, 0];
    await fc.assert(
      fc.asyncProperty(population, async (facts) => {
        try {
          await live(facts);
          due += (
            await query('select from credits.accounts where next_due_at <= credits_private.now()')
          ).length;
          settledTogether += (await plain()).length;
          const expected = await left(eventByEvent);
          expect(await left(together)).toEqual(expected);
          expect(await left(oneByOne)).toEqual(expected);
        } finally {
          await query(
            'reset credits.now; truncate credits.accounts, credits.entries, credits.postings cascade',
          );
        }
      }),
      { numRuns: runs(25) },
    );
    expect(settledTogether).toBeGreaterThan(0);
    expect(settledTogether).toBeLessThan(due);
  });

  describe('are those of the plain case', () => {
    const MONTHLY = {
      cadence: 'month',
      anchored_to: 'calendar',
      time_zone: 'UTC',
      paid: true,
    } as const;
    const credits = { unit: 'credit', amount: 200 } as const;

    beforeEach(async () => {
      await changePlans(
        client,
        catalogWith({
          plans: PLANS.map((plan) => ({ plan, ...MONTHLY })),
          allowances: [
            { plan: 'paid0', ...credits, rollover: 'none' },
            { plan: 'paid0', unit: 'minute', amount: 15, rollover: 'all', lives_periods: 2 },
            { plan: 'paid1', ...credits, rollover: 'capped', rollover_cap_multiple: 1 },
          ],
        }),
      );
      await query(`set credits.now = '2026-01-31T10:00Z'`);
    });
    afterEach(() =>
      query(
        'reset credits.now; truncate credits.accounts, credits.entries, credits.postings cascade',
      ),
    );

    const opened = (accountId: string, plan: string) =>
      query('select credits.open_account($1, $2)', [accountId, plan]);

    const PLAIN: (keyof typeof EVENTS)[] = [
      'is given credits',
      'is given credits until the boundary',
      'is given included credits',
      'is given included credits, and spends them',
      'is given minutes until the boundary',
      'is refunded',
      'spends in two units',
      'spends what is left',
      'tops up, when what is given until the boundary is gone',
    ];
    const OTHERS: (keyof typeof EVENTS)[] = [
      'cancels',
      'is given credits until just after it',
      'is given credits until just before it',
      'may top up next month',
      'reserves credits for an hour',
      'reserves credits for long',
      'stores',
    ];

    test('and no others', async () => {
      await opened('capped', 'paid1');
      await opened('changes to another plan', 'paid0');
      await query(`select credits.subscribe('changes to another plan', 'paid2')`);
      for (const event of [...PLAIN, ...OTHERS]) {
        await opened(event, 'paid0');
        if (event === 'is refunded') await happens(event, 'spends in two units');
        await happens(event, event);
      }
      await query(`set credits.now = '2026-02-02T10:00Z'`);
      expect(await plain()).toEqual(PLAIN);
      expect(await left(together)).toEqual(await left(eventByEvent));

      await query(`set credits.now = '2026-03-02T10:00Z'`);
      expect(await plain()).toEqual([]);
      expect(await left(together)).toEqual(await left(eventByEvent));
    });

    test('not where the catalog has moved the boundaries', async () => {
      await opened('a', 'paid0');
      await query(`update credits.plans set time_zone = 'Asia/Kathmandu'`);
      await query(`set credits.now = '2026-02-02T10:00Z'`);
      expect(await plain()).toEqual([]);
      expect(await left(together)).toEqual(await left(eventByEvent));
    });
  });
});
