import fc from 'fast-check';
import type { PoolClient } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadCatalogData } from '../support/catalog.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type GivenLot, giveLots } from '../support/lots.ts';
import { runs } from '../support/runs.ts';

const NOW = '2026-03-10T12:00:00Z';

let database: TestDatabase;
let client: PoolClient;

beforeAll(async () => {
  database = await testDatabase({ catalogs: false });
  await loadCatalogData(database.pool, {
    rate_card: 'card',
    units: [{ unit: 'credit', scale: 2, main: true }],
    rates: [{ operation: 'work', measure: 'credits', price: 1 }],
  });
  await database.query(`insert into credits.buckets values ('gift', 0, 'additional', 'Gifts')`);
  client = await database.pool.connect();
  await database.setNow(NOW);
});
afterAll(async () => {
  client.release();
  await database.close();
});

const lot = fc
  .record({
    amount: fc.integer({ min: 1, max: 3000 }).map((cents) => (cents / 100).toFixed(2)),
    bucket: fc.constantFrom('included', 'additional', 'gift'),
    priority: fc.constantFrom(50, 100),
    expires_at: fc.constantFrom(
      null,
      '2026-04-01T00:00:00Z',
      '2026-04-01T00:00:00.000001Z',
      '2026-03-10T12:00:01.000001Z',
    ),
    price: fc.constantFrom(undefined, 0, 9.99),
    starts_at: fc.constantFrom(
      NOW,
      '2026-03-09T12:00:00Z',
      '2026-03-09T11:59:59.999999Z',
      '2026-03-10T12:00:01Z',
    ),
  })
  .filter((lot) => lot.expires_at === null || lot.starts_at < lot.expires_at);

/** Two lots that no rule tells apart but the one granted first. */
const kind = (lot: GivenLot) =>
  [lot.bucket, lot.priority, lot.expires_at ?? 'never', (lot.price ?? 0) > 0, lot.starts_at].join(
    ' ',
  );

/** What spending one amount after another draws, in all and from each kind of lot; everything is undone afterwards. */
async function drawn(lots: GivenLot[], amounts: number[]) {
  await client.query('begin');
  try {
    await client.query(`select from credits.open_account('team')`);
    const ids = await giveLots(client, 'team', NOW, lots);
    const outcomes: string[] = [];
    for (const amount of amounts) {
      const usage = JSON.stringify({ credits: amount });
      const [quote] = (
        await client.query(`select * from credits.quote('team', 'work', $1)`, [usage])
      ).rows;
      await client.query('savepoint spend');
      const outcome = await client
        .query(`select * from credits.spend('team', 'work', $1)`, [usage])
        .then(
          () => 'spent',
          (error) => error.code,
        );
      if (outcome !== 'spent') await client.query('rollback to spend');
      expect({ affordable: quote.affordable, amount: Number(quote.amount) }).toEqual({
        affordable: outcome === 'spent',
        amount,
      });
      outcomes.push(outcome);
    }
    const { rows } = await client.query(
      `select lot_id::int, (spent * 100)::int as cents from credits.lots where account_id = 'team'`,
    );
    const byKind: Record<string, number> = {};
    for (const [index, lot] of lots.entries()) {
      const { cents } = rows.find((row) => row.lot_id === ids[index]);
      byKind[kind(lot)] = (byKind[kind(lot)] ?? 0) + cents;
    }
    return { outcomes, byKind };
  } finally {
    await client.query('rollback');
  }
}

const story = fc.array(lot, { minLength: 1, maxLength: 8 }).chain((lots) =>
  fc.record({
    lots: fc.constant(lots),
    shuffled: fc.shuffledSubarray(lots, { minLength: lots.length }),
    cents: fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 3 }),
  }),
);

test('which lots are drawn depends on what they are, not on the order in which they came', async () => {
  await fc.assert(
    fc.asyncProperty(story, async ({ lots, shuffled, cents }) => {
      const amounts = cents.map((n) => n / 100);
      expect(await drawn(shuffled, amounts)).toEqual(await drawn(lots, amounts));
    }),
    { numRuns: runs(60) },
  );
}, 300_000);

test('one amount is drawn as the same amount in parts', async () => {
  await fc.assert(
    fc.asyncProperty(story, async ({ lots, cents }) => {
      const whole = await drawn(lots, [cents.reduce((a, b) => a + b) / 100]);
      fc.pre(whole.outcomes[0] === 'spent');
      const parts = await drawn(
        lots,
        cents.map((n) => n / 100),
      );
      expect(parts.byKind).toEqual(whole.byKind);
    }),
    { numRuns: runs(40) },
  );
}, 300_000);
