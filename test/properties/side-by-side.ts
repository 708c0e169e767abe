import type { PoolClient } from 'pg';
import { expect } from 'vitest';
import { CreditsError, toCreditsError } from '../../src/errors.ts';
import { type CatalogData, loadCatalogData } from '../support/catalog.ts';
import type { TestDatabase } from '../support/database.ts';
import { type Bucket, fromAmount, type Grant, Model, type SpendOptions } from '../support/model.ts';
import type { Item } from '../support/rating-model.ts';
import { Refused } from '../support/refused.ts';
import { type Instant, instant, iso } from '../support/time.ts';

// biome-ignore lint/suspicious/noExplicitAny: rows are of any shape
type Row = any;

let cards = 0;

/** The database and the model, doing the same things; whatever differs fails the test. */
export class SideBySide {
  readonly model: Model;
  private readonly client: PoolClient;
  /** How much of each account's log has been compared. */
  private readonly compared = new Map<string, number>();

  private constructor(client: PoolClient, model: Model) {
    this.client = client;
    this.model = model;
  }

  /** Runs `work` on a catalog of its own and no accounts; at the end everything is settled, compared and audited. */
  static async run(
    database: TestDatabase,
    setting: { catalog: CatalogData; now: Instant; buckets: Bucket[]; timeZone: string },
    work: (both: SideBySide) => Promise<void>,
  ): Promise<void> {
    const { catalog, now, buckets, timeZone } = setting;
    await loadCatalogData(database.pool, catalog);
    const client = await database.pool.connect();
    try {
      const both = new SideBySide(client, new Model(catalog, now, buckets));
      // What a connection shows times in must not change what they are.
      await client.query(`set timezone = '${timeZone}'`);
      await both.setNow(now);
      await work(both);
      await both.settleDue();
      for (const accountId of both.model.accounts.keys()) await both.compareAll(accountId);
      expect((await client.query('select * from credits.verify()')).rows).toEqual([]);
    } finally {
      await client.query('reset credits.now');
      await client.query(
        'truncate credits.accounts, credits.entries, credits.postings, credits.promotion_claims cascade',
      );
      client.release();
    }
  }

  /** A name that no rate card or plan of another run has. */
  static freshName(): string {
    cards += 1;
    return `card_${cards}`;
  }

  async setNow(now: Instant): Promise<void> {
    this.model.now = now;
    await this.client.query(`set credits.now = '${iso(now)}'`);
  }

  async openAccount(accountId: string, plan: string | null, anchor: Instant | null): Promise<void> {
    await this.write(
      accountId,
      () => {
        this.model.openAccount(accountId, plan, anchor);
        return [{ plan: this.model.accounts.get(accountId)?.plan?.plan ?? null }];
      },
      'select a.plan from credits.open_account($1, $2, $3, $4) a',
      [accountId, plan, anchor && iso(anchor), this.model.catalog.rate_card],
    );
  }

  async subscribe(accountId: string, plan: string, anchor: Instant | null): Promise<void> {
    await this.write(
      accountId,
      () => {
        this.model.subscribe(accountId, plan, anchor);
        return [{ plan }];
      },
      'select a.plan from credits.subscribe($1, $2, $3) a',
      [accountId, plan, anchor && iso(anchor)],
    );
  }

  async grant(accountId: string, grant: Grant): Promise<void> {
    const { amount, unit, bucket, expiresAt = null, priority, key = null } = grant;
    const [lot] = await this.read(
      () => [{ lot_id: String(this.model.grant(accountId, grant)) }],
      `select g.lot_id from credits.grant($1, $2, unit => coalesce($3, 'credit'), bucket => coalesce($4, 'additional'),
         expires_at => $5, priority => coalesce($6, 100), idempotency_key => $7) g`,
      [
        accountId,
        amount,
        unit,
        bucket,
        typeof expiresAt === 'bigint' ? iso(expiresAt) : expiresAt,
        priority,
        key,
      ],
    );
    if (grant.paid && lot) {
      await this.client.query(
        `update credits.lots set price = 1, currency = 'USD' where account_id = $1 and lot_id = $2`,
        [accountId, lot.lot_id],
      );
    }
    await this.compareAll(accountId);
  }

  async claim(accountId: string, promotion: string, claimant: string): Promise<void> {
    await this.write(
      accountId,
      () => [{ lot_id: String(this.model.claim(accountId, promotion, claimant)) }],
      'select c.lot_id from credits.claim($1, $2, $3) c',
      [accountId, promotion, claimant],
    );
  }

  /** By `spend_items`, or, one item alone, by `spend`: they are the same request. */
  async spend(
    accountId: string,
    items: Item[],
    options: SpendOptions & { asJob?: boolean } = {},
  ): Promise<void> {
    const { key = null, member = null, maxAmount = null } = options;
    const [item] = items;
    const alone = items.length === 1 && !options.asJob;
    const rest = [key, member, maxAmount];
    await this.write(
      accountId,
      () => this.model.spend(accountId, items, options).map((seq) => ({ seq: String(seq) })),
      alone
        ? 'select s.seq from credits.spend($1, $2, $3, $4, $5, $6) s'
        : `select s.seq from credits.spend_items($1,
             array(select credits.item(i ->> 'operation', i -> 'usage') from jsonb_array_elements($2) i), $3, $4, $5) s`,
      alone
        ? [accountId, item.operation, JSON.stringify(item.usage ?? null), ...rest]
        : [accountId, JSON.stringify(items), ...rest],
    );
  }

  /** Compares the quote, whoever has or has not settled the account. */
  async quote(accountId: string, items: Item[]): Promise<void> {
    await this.read(
      () =>
        this.model.quote(accountId, items).map((line) => ({
          unit: line.unit,
          amount: fromAmount(line.amount),
          available: fromAmount(line.available),
          affordable: line.blockedBy === null,
          blocked_by: line.blockedBy,
        })),
      `select unit, trim_scale(amount)::text as amount, trim_scale(available)::text as available, affordable, blocked_by
       from credits.quote_items($1,
         array(select credits.item(i ->> 'operation', i -> 'usage') from jsonb_array_elements($2) i))`,
      [accountId, JSON.stringify(items)],
    );
  }

  /** Compares the balances, now or at a later time. Returns the database's. */
  async balances(accountId: string, at: Instant | null = null): Promise<string[]> {
    const rows = await this.read(
      () => [{ balances: this.modelBalances(accountId, at) }],
      `select ${BALANCES} as balances`,
      [accountId, at === null ? null : iso(at)],
    );
    return rows[0]?.balances ?? [];
  }

  async settleDue(): Promise<void> {
    this.model.settleDue();
    while ((await this.client.query('select credits.settle_due()')).rows[0].settle_due > 0);
  }

  /** Settles one account alone, as a worker does that the others' turn has not come with. */
  async settleOne(accountId: string): Promise<void> {
    this.model.settleDue(accountId);
    await this.client.query(
      `select credits_private.settled(a, credits_private.now()) from credits.accounts a where a.account_id = $1`,
      [accountId],
    );
  }

  /** What an account's log says, but for when it was written. */
  async log(accountId: string): Promise<Row[]> {
    const { rows } = await this.client.query(
      `select to_jsonb(e) - array['account_id', 'recorded_at'] as entry
       from credits.entries e where account_id = $1 order by seq`,
      [accountId],
    );
    return rows.map((row) => row.entry);
  }

  /** Compares the whole of an account: its balances, period, lots and what its log says since the last time. */
  async compareAll(accountId: string): Promise<void> {
    const account = this.model.accounts.get(accountId);
    if (!account) return;
    const since = this.compared.get(accountId) ?? 0;
    const { rows } = await this.client.query(SNAPSHOT, [accountId, null, since]);
    expect({ at: iso(this.model.now), accountId, ...rows[0] }).toEqual({
      at: iso(this.model.now),
      accountId,
      period: account.period && `${iso(account.period.start)} - ${iso(account.period.end)}`,
      balances: this.modelBalances(accountId, null),
      lots: account.lots.map(
        (lot) =>
          `lot ${lot.lotId}: ${lot.unit}, ${lot.bucket}, ${lot.source}, priority ${lot.priority}, ` +
          `granted ${fromAmount(lot.granted)}, spent ${fromAmount(lot.spent)}, forfeited ${fromAmount(lot.forfeited)}, ` +
          `from ${iso(lot.startsAt)} until ${lot.expiresAt === null ? 'ever' : iso(lot.expiresAt)}`,
      ),
      entries: account.entries
        .slice(since)
        .map(
          (entry) =>
            `entry ${entry.seq} at ${iso(entry.occurredAt)}: ${entry.kind} of ${fromAmount(entry.amount)} ${entry.unit} ` +
            `(${fromAmount(entry.included)} included, ${fromAmount(entry.additional)} additional), ` +
            `then ${fromAmount(entry.balanceAfter)}; ${entry.operation ?? '-'}, ${entry.memberId ?? '-'}, ${entry.idempotencyKey ?? '-'}`,
        ),
    });
    this.compared.set(accountId, account.entries.length);
  }

  private modelBalances(accountId: string, at: Instant | null): string[] {
    return this.model
      .balances(accountId, at)
      .map(
        (balance) =>
          `${balance.unit}: ${fromAmount(balance.included)} + ${fromAmount(balance.additional)} = ${fromAmount(balance.total)}, ` +
          `next refill ${balance.nextRefillAt === null ? 'never' : iso(balance.nextRefillAt)}`,
      );
  }

  private async write(
    accountId: string,
    inModel: () => Row[],
    statement: string,
    params: unknown[],
  ): Promise<Row[]> {
    const rows = await this.read(inModel, statement, params);
    await this.compareAll(accountId);
    return rows;
  }

  /** Does one thing on both sides: the same rows, or the same refusal. Returns no rows when refused. */
  private async read(inModel: () => Row[], statement: string, params: unknown[]): Promise<Row[]> {
    let expected: Row[] | undefined;
    let refusal: Refused | undefined;
    try {
      expected = inModel();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      refusal = error;
    }
    const actual = await this.client.query(statement, params).then(
      ({ rows }) => ({ rows, error: undefined }),
      (error) => ({ rows: [], error: toCreditsError(error) }),
    );
    if (actual.error && !(actual.error instanceof CreditsError)) throw actual.error;
    const at = iso(this.model.now);
    expect({
      at,
      statement,
      params,
      refused: actual.error && facts(actual.error as CreditsError, refusal),
    }).toEqual({
      at,
      statement,
      params,
      refused: refusal && facts(refusal, refusal),
    });
    if (expected) expect(actual.rows).toEqual(expected);
    return actual.rows;
  }
}

/** The code of a refusal and those of its facts that the model knows, alike however they were written. */
function facts(error: { code: string; detail: Record<string, unknown> }, known?: Refused) {
  const detail = Object.keys(known?.detail ?? error.detail).map((key) => {
    const value = error.detail[key] ?? null;
    if (key === 'next_refill_at' && typeof value === 'string') return [key, iso(instant(value))];
    if (['required', 'available', 'shortfall'].includes(key)) return [key, Number(value)];
    return [key, value];
  });
  return { code: error.code, ...Object.fromEntries(detail) };
}

const time = (value: string) =>
  `to_char(${value} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
const number = (value: string) => `trim_scale(${value})::text`;

const BALANCES = `(
  select array_agg(format('%s: %s + %s = %s, next refill %s', b.unit, ${number('b.included')}, ${number('b.additional')},
    ${number('b.total')}, coalesce(${time('b.next_refill_at')}, 'never')))
  from credits.balances($1, $2) b)`;

const SNAPSHOT = `
  select (${time('a.period_start')} || ' - ' || ${time('a.period_end')}) as period, ${BALANCES} as balances,
    array(
      select format('lot %s: %s, %s, %s, priority %s, granted %s, spent %s, forfeited %s, from %s until %s',
        l.lot_id, l.unit, l.bucket, case when l.price > 0 then 'purchase' else l.source end, l.priority,
        ${number('l.granted')}, ${number('l.spent')}, ${number('l.forfeited')},
        ${time('l.starts_at')}, coalesce(${time('l.expires_at')}, 'ever'))
      from credits.lots l where l.account_id = $1 order by l.lot_id) as lots,
    array(
      select format('entry %s at %s: %s of %s %s (%s included, %s additional), then %s; %s, %s, %s',
        e.seq, ${time('e.occurred_at')}, e.kind, ${number('e.amount')}, e.unit, ${number('e.included')},
        ${number('e.additional')}, ${number('e.balance_after')}, coalesce(e.operation, '-'),
        coalesce(e.member_id, '-'), coalesce(e.idempotency_key, '-'))
      from credits.entries e where e.account_id = $1 and e.seq > $3 order by e.seq) as entries
  from credits.accounts a
  where a.account_id = $1`;
