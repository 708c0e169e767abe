import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { AllowanceRow, PlanRow } from '../support/catalog.ts';
import { loadCatalogData } from '../support/catalog.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { instant, iso } from '../support/time.ts';

/** A plan, and what it gives of "credit" each period unless it says another unit. */
export interface PlanData extends Omit<PlanRow, 'plan'> {
  gives?: Omit<AllowanceRow, 'plan'>[];
}

/** What an account has of "credit". */
export interface Credits {
  included?: number;
  additional?: number;
}

const time = (value: string) =>
  `to_char(${value} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
const short = (at: string | null) => at?.replace('.000000Z', 'Z') ?? null;

let accounts = 0;

/**
 * A database for the tests of a file, with plans by their names, and one operation: "use" costs as many credits as its
 * usage says. After each test the ledger must be sound, and its accounts are gone.
 */
export function databaseWithPlans(plans: Record<string, PlanData>): () => TestDatabase {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await testDatabase({ catalogs: false });
    await loadCatalogData(database.pool, {
      rate_card: 'card',
      units: [
        { unit: 'credit', scale: 2, main: true },
        { unit: 'minute', scale: 0 },
      ],
      rates: [{ operation: 'use', measure: 'credits', price: 1 }],
      plans: Object.entries(plans).map(([plan, { gives, ...row }]) => ({ plan, ...row })),
      allowances: Object.entries(plans).flatMap(([plan, { gives = [] }]) =>
        gives.map((row) => ({ plan, ...row })),
      ),
      promotions: [
        { promotion: 'welcome', amount: 30 },
        { promotion: 'trial', amount: 30, expires_after: 'P14D' },
      ],
    });
  });
  afterEach(async () => {
    expect(await database.verify()).toEqual([]);
    await database.query(
      'truncate credits.accounts, credits.entries, credits.postings, credits.promotion_claims cascade',
    );
  });
  afterAll(() => database.close());
  return () => database;
}

/** An account, what it has, and what its log says, as the clock is moved. */
export class Timeline {
  readonly database: TestDatabase;
  readonly accountId: string;

  private constructor(database: TestDatabase, accountId: string) {
    this.database = database;
    this.accountId = accountId;
  }

  /** Opens an account of its own at `now`, which becomes the time. */
  static async open(
    database: TestDatabase,
    plan: string | null,
    now: string,
    anchor: string | null = null,
  ): Promise<Timeline> {
    accounts += 1;
    const timeline = new Timeline(database, `account ${accounts}`);
    await database.setNow(now);
    await database.query('select credits.open_account($1, $2, $3)', [
      timeline.accountId,
      plan,
      anchor,
    ]);
    return timeline;
  }

  async setNow(now: string): Promise<void> {
    await this.database.setNow(now);
  }

  /** Now, or as forecast. */
  async credits(at: string | null = null): Promise<Required<Credits>> {
    const [row] = await this.database.query(
      `select included::float8, additional::float8 from credits.balances($1, $2) where unit = 'credit'`,
      [this.accountId, at],
    );
    return row;
  }

  async nextRefill(at: string | null = null): Promise<string | null> {
    const [row] = await this.database.query(
      `select ${time('next_refill_at')} as at from credits.balances($1, $2) where unit = 'credit'`,
      [this.accountId, at],
    );
    return short(row.at);
  }

  /** What a spend could draw at this moment. */
  async available(): Promise<number> {
    const [row] = await this.database.query(
      `select available::float8 from credits.quote($1, 'use', '{"credits": 1}')`,
      [this.accountId],
    );
    return row.available;
  }

  async spend(credits: number): Promise<void> {
    await this.database.query(`select credits.spend($1, 'use', $2)`, [
      this.accountId,
      JSON.stringify({ credits }),
    ]);
  }

  async grant(
    amount: number,
    { bucket = 'additional', until = null }: { bucket?: string; until?: string | null } = {},
  ): Promise<void> {
    await this.database.query('select credits.grant($1, $2, bucket => $3, expires_at => $4)', [
      this.accountId,
      amount,
      bucket,
      until,
    ]);
  }

  /** Settles whatever is due, as the worker does. */
  async settle(): Promise<void> {
    await this.database.query('select credits.settle_due()');
  }

  /** What has been written down, oldest first: `2026-02-28T10:00:00Z refill 100`. */
  async log({ unit = 'credit' } = {}): Promise<string[]> {
    const rows = await this.database.query(
      `select ${time('occurred_at')} as at, kind, trim_scale(amount)::text as amount
       from credits.entries where account_id = $1 and unit = $2 order by seq`,
      [this.accountId, unit],
    );
    return rows.map((row) => `${short(row.at)} ${row.kind} ${row.amount}`);
  }

  /** What is left of each open lot, oldest first. */
  async left({ bucket = 'included' } = {}): Promise<number[]> {
    const rows = await this.database.query(
      `select available::float8 from credits.lots where account_id = $1 and bucket = $2 and open order by lot_id`,
      [this.accountId, bucket],
    );
    return rows.map((row) => row.available);
  }

  /**
   * Something falls due at an instant, from what was there before it to what is there from it on. That is so in a forecast
   * from now; to the microsecond and with nothing written when the clock gets there; and in the log once it is settled.
   */
  async fallsDue(at: string, change: { from: Credits; to: Credits; log: string[] }): Promise<void> {
    const nothing = { included: 0, additional: 0 };
    const [from, to] = [
      { ...nothing, ...change.from },
      { ...nothing, ...change.to },
    ];
    const justBefore = iso(instant(at) - 1n);
    expect(await this.credits(justBefore), `forecast until ${at}`).toEqual(from);
    expect(await this.credits(at), `forecast at ${at}`).toEqual(to);

    const written = await this.log();
    await this.setNow(justBefore);
    expect(await this.credits(), `just before ${at}`).toEqual(from);
    expect(await this.available()).toBe(from.included + from.additional);
    await this.setNow(at);
    expect(await this.credits(), `at ${at}`).toEqual(to);
    expect(await this.available()).toBe(to.included + to.additional);
    expect(await this.log(), 'reading wrote nothing').toEqual(written);

    await this.settle();
    expect(await this.log()).toEqual([
      ...written,
      ...change.log.map((line) => `${short(at)} ${line}`),
    ]);
    expect(await this.credits(), `settled at ${at}`).toEqual(to);
  }
}
