import * as fs from 'node:fs';
import type { ClientBase } from 'pg';
import { type Arguments, call, type Row, withNumbers } from '../support/calls.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

/** The instant at which these tests begin: the middle of a month. */
export const NOON = '2026-03-10T12:00:00Z';

/** A database with the invented products Kiosk, Yatai and Stall, and the clock at NOON. */
export async function kioskDatabase(): Promise<TestDatabase> {
  const database = await testDatabase({ catalogs: false });
  await database.query(fs.readFileSync(new URL('kiosk.sql', import.meta.url), 'utf8'));
  await database.setNow(NOON);
  return database;
}

/** The functions of schema credits, for one account. */
export function account(database: TestDatabase, account_id: string) {
  const { pool } = database;
  const one = async (name: string, args: Arguments): Promise<Row> =>
    (await call(pool, name, { account_id, ...args }))[0];
  const rows = async (table: string, order: string): Promise<Row[]> =>
    withNumbers(
      await pool.query(`select * from credits.${table} where account_id = $1 order by ${order}`, [
        account_id,
      ]),
    );
  return {
    id: account_id,
    one,
    /** Opens it, with so many additional credits. */
    async opened(credits = 0, args: Arguments = { rate_card: 'kiosk' }): Promise<void> {
      await one('open_account', args);
      if (credits > 0) await one('grant', { amount: credits });
    },
    spend: (n: number, on: ClientBase | typeof pool = pool): Promise<Row[]> =>
      call(on, 'spend', { account_id, operation: 'job', usage: { n } }),
    topUps: (args: Arguments = {}): Promise<Row> =>
      one('configure_top_up', { enabled: true, threshold: 100, amount: 50, ...args }),
    settle: (purchase_id: number, payment_reference = `pay_${purchase_id}`): Promise<Row> =>
      one('settle_purchase', { purchase_id, payment_reference }),
    fail: (purchase_id: number, reason: string | null = 'declined', rest: Arguments = {}) =>
      one('fail_purchase', { purchase_id, reason, ...rest }),
    purchases: () => rows('purchases', 'purchase_id'),
    lots: () => rows('lots', 'lot_id'),
    log: () => rows('entries', 'seq'),
    settings: async () => (await rows('top_up_settings', '1'))[0],
    total: async (unit = 'credit'): Promise<number> =>
      (await call(pool, 'balances', { account_id })).find((row) => row.unit === unit)?.total,
  };
}

/** One account of the tests. */
export type Account = ReturnType<typeof account>;
