import { isDeepStrictEqual } from 'node:util';
import type { PoolClient } from 'pg';
import { expect } from 'vitest';
import { CreditsError, toCreditsError } from '../../../src/errors.ts';
import type { TestDatabase } from '../../support/database.ts';
import { type Amount, fromAmount } from '../../support/model.ts';
import type { Item } from '../../support/rating-model.ts';
import { Refused } from '../../support/refused.ts';
import { type Instant, instant, iso } from '../../support/time.ts';
import { changePlans, type WholeCatalog } from './catalog.ts';
import * as lines from './lines.ts';
import {
  type Capture,
  type Grant,
  type SpendOptions,
  type SpendRequest,
  WholeLedger,
} from './model.ts';

/** The database and the model, doing the same things; whatever differs fails, with the story so far. */
export class SideBySide {
  readonly model: WholeLedger;
  /** What was done, in words: what a failure is told with. */
  readonly story: string[] = [];
  private readonly client: PoolClient;
  /** How much of each account's log has been compared. */
  private readonly compared = new Map<string, number>();
  /** What the present looked like at earlier instants; not for stories in which a clock is set back. */
  private readonly past = new Map<string, string[]>();
  private clockWentBack = false;

  private constructor(client: PoolClient, model: WholeLedger) {
    this.client = client;
    this.model = model;
  }

  /**
   * Runs `work` with these plans of the catalog and no accounts; at the end everything is settled, compared and audited.
   */
  static async run(
    database: TestDatabase,
    catalog: WholeCatalog,
    now: Instant,
    work: (both: SideBySide) => Promise<void>,
  ): Promise<void> {
    const client = await database.pool.connect();
    await changePlans(client, catalog);
    const both = new SideBySide(client, new WholeLedger(catalog, now));
    try {
      await both.setNow(now);
      await work(both);
      await both.settleDue();
      for (const accountId of both.model.accounts.keys()) await both.comparePast(accountId);
      await both.audit();
    } catch (error) {
      if (error instanceof Error) error.message += `\n\nWhat happened:\n${both.story.join('\n')}`;
      throw error;
    } finally {
      await client.query('reset credits.now');
      await client.query(
        'truncate credits.accounts, credits.entries, credits.postings, credits.promotion_claims cascade',
      );
      client.release();
    }
  }

  async setNow(now: Instant): Promise<void> {
    if (now > this.model.now) {
      for (const [accountId, account] of this.model.accounts) {
        const balances = lines.balances(this.model.balances(accountId, null), 'without refills');
        this.past.set(`${accountId} at ${iso(this.model.timeOf(account))}`, balances);
      }
    } else {
      this.clockWentBack = true;
    }
    this.model.now = now;
    this.story.push(`-- ${iso(now)}`);
    await this.client.query(`set credits.now = '${iso(now)}'`);
  }

  // One function of the contract each.

  async openAccount(accountId: string, plan: string | null, anchor: Instant | null): Promise<void> {
    await this.write(
      accountId,
      () => [lines.account(this.model.openAccount(accountId, plan, anchor))],
      `select ${lines.ACCOUNT} as line from credits.open_account($1, $2, $3, $4) x`,
      [accountId, plan, anchor && iso(anchor), this.model.catalog.rate_card],
    );
  }

  async subscribe(accountId: string, plan: string, anchor: Instant | null): Promise<void> {
    await this.write(
      accountId,
      () => [lines.account(this.model.subscribe(accountId, plan, anchor))],
      `select ${lines.ACCOUNT} as line from credits.subscribe($1, $2, $3) x`,
      [accountId, plan, anchor && iso(anchor)],
    );
  }

  async cancelSubscription(accountId: string, immediately: boolean): Promise<void> {
    await this.write(
      accountId,
      () => [lines.account(this.model.cancelSubscription(accountId, immediately))],
      `select ${lines.ACCOUNT} as line from credits.cancel_subscription($1, $2) x`,
      [accountId, immediately],
    );
  }

  async spend(
    accountId: string,
    items: Item[],
    options: SpendOptions,
    asJob: boolean,
  ): Promise<void> {
    const rest = [options.key, options.member, options.maxAmount];
    const [item] = items;
    const single = items.length === 1 && !asJob;
    await this.write(
      accountId,
      () => this.model.spend(accountId, items, options).map(lines.entry),
      single
        ? `select ${lines.ENTRY} as line from credits.spend($1, $2, $3, $4, $5, $6) x`
        : `select ${lines.ENTRY} as line from credits.spend_items($1, ${itemsFrom('$2')}, $3, $4, $5) x`,
      single
        ? [accountId, item.operation, JSON.stringify(item.usage ?? null), ...rest]
        : [accountId, JSON.stringify(items), ...rest],
    );
  }

  async spendMany(requests: SpendRequest[]): Promise<void> {
    const asked = requests.map(({ accountId, item, key, member, maxAmount }) => ({
      account_id: accountId,
      operation: item.operation,
      usage: item.usage ?? null,
      idempotency_key: key,
      member_id: member,
      max_amount: maxAmount,
    }));
    await this.read(
      () =>
        this.model
          .spendMany(requests)
          .flatMap((result, index) =>
            result.status === 'refused'
              ? [`${index + 1} refused ${result.refusal.code}`]
              : result.entries.map(
                  (entry) =>
                    `${index + 1} ${result.status} ${entry.seq} ${fromAmount(entry.amount)}`,
                ),
          ),
      `select concat_ws(' ', request_index, status, error_code, seq, trim_scale(amount)) as line
       from credits.spend_many(array(
         select r from jsonb_populate_recordset(null::credits.spend_request, $1) r))`,
      [JSON.stringify(asked)],
    );
    for (const accountId of new Set(requests.map((request) => request.accountId))) {
      await this.compareAll(accountId);
    }
  }

  async authorize(
    accountId: string,
    items: Item[],
    options: SpendOptions & { expiresIn: Instant },
  ): Promise<void> {
    const { key, member, maxAmount, expiresIn } = options;
    await this.write(
      accountId,
      () => {
        const hold = this.model.authorize(accountId, items, options);
        // What was made then: not a unit that a capture has brought since.
        const asked = hold.lines.filter((line) => !line.broughtByCapture);
        return lines.hold({ ...hold, lines: asked });
      },
      `select ${lines.HOLD} as line
       from credits.authorize_items($1, ${itemsFrom('$2')}, $3, $4, $5::interval, $6) x`,
      [accountId, JSON.stringify(items), key, member, `${expiresIn} microseconds`, maxAmount],
    );
  }

  async capture(accountId: string, holdId: number, what: Capture): Promise<void> {
    await this.write(
      accountId,
      () => this.model.capture(accountId, holdId, what).map(lines.entry),
      what.of === 'items'
        ? `select ${lines.ENTRY} as line from credits.capture_items($1, $2, ${itemsFrom('$3')}) x`
        : `select ${lines.ENTRY} as line from credits.capture($1, $2, $3, $4) x`,
      what.of === 'items'
        ? [accountId, holdId, JSON.stringify(what.items)]
        : [
            accountId,
            holdId,
            what.of === 'usage' ? JSON.stringify(what.usage) : null,
            what.of === 'amount' ? what.amount : null,
          ],
    );
  }

  async release(accountId: string, holdId: number): Promise<void> {
    await this.write(
      accountId,
      () => lines.hold(this.model.release(accountId, holdId)),
      `select ${lines.HOLD} as line from credits.release($1, $2) x`,
      [accountId, holdId],
    );
  }

  async grant(accountId: string, grant: Grant): Promise<void> {
    const { amount, unit, bucket, expiresAt, priority, key } = grant;
    await this.write(
      accountId,
      () => [lines.lot(this.model.grant(accountId, grant))],
      `select ${lines.LOT} as line from credits.grant($1, $2, $3, $4, $5, $6, null, $7) x`,
      [accountId, amount, unit, bucket, expiresAt && iso(expiresAt), priority, key],
    );
  }

  async claim(accountId: string, promotion: string, claimant: string): Promise<void> {
    await this.write(
      accountId,
      () => [lines.lot(this.model.claim(accountId, promotion, claimant))],
      `select ${lines.LOT} as line from credits.claim($1, $2, $3) x`,
      [accountId, promotion, claimant],
    );
  }

  async refund(
    accountId: string,
    seq: number,
    options: { amount: string | null; key: string | null; regrant: boolean },
  ): Promise<void> {
    await this.write(
      accountId,
      () => [lines.entry(this.model.refund(accountId, seq, options))],
      `select ${lines.ENTRY} as line from credits.refund($1, $2, $3, null, $4, $5) x`,
      [accountId, seq, options.amount, options.key, options.regrant],
    );
  }

  async revoke(accountId: string, lotId: number, amount: string | null): Promise<void> {
    await this.write(
      accountId,
      () => {
        const entry = this.model.revoke(accountId, lotId, amount);
        return entry ? [lines.entry(entry)] : [];
      },
      `select ${lines.ENTRY} as line from credits.revoke($1, $2, $3) x`,
      [accountId, lotId, amount],
    );
  }

  async buy(
    accountId: string,
    pack: string,
    member: string | null,
    key: string | null,
  ): Promise<void> {
    await this.write(
      accountId,
      () => [lines.purchase(this.model.buy(accountId, pack, member, key))],
      `select ${lines.PURCHASE} as line from credits.buy($1, $2, $3, $4) x`,
      [accountId, pack, member, key],
    );
  }

  async settlePurchase(accountId: string, purchaseId: number, reference: string): Promise<void> {
    await this.write(
      accountId,
      () => [lines.purchase(this.model.settlePurchase(accountId, purchaseId, reference))],
      `select ${lines.PURCHASE} as line from credits.settle_purchase($1, $2, $3) x`,
      [accountId, purchaseId, reference],
    );
  }

  async failPurchase(accountId: string, purchaseId: number): Promise<void> {
    await this.write(
      accountId,
      () => [lines.purchase(this.model.failPurchase(accountId, purchaseId))],
      `select ${lines.PURCHASE} as line from credits.fail_purchase($1, $2, 'declined') x`,
      [accountId, purchaseId],
    );
  }

  async reversePurchase(
    accountId: string,
    purchaseId: number,
    amount: string | null,
  ): Promise<void> {
    await this.write(
      accountId,
      () => [lines.purchase(this.model.reversePurchase(accountId, purchaseId, amount))],
      `select ${lines.PURCHASE} as line from credits.reverse_purchase($1, $2, 'chargeback', $3) x`,
      [accountId, purchaseId, amount],
    );
  }

  async reinstatePurchase(
    accountId: string,
    purchaseId: number,
    amount: string | null,
  ): Promise<void> {
    await this.write(
      accountId,
      () => [lines.purchase(this.model.reinstatePurchase(accountId, purchaseId, amount))],
      `select ${lines.PURCHASE} as line from credits.reinstate_purchase($1, $2, 'chargeback', $3) x`,
      [accountId, purchaseId, amount],
    );
  }

  async configureTopUp(
    accountId: string,
    settings: Parameters<WholeLedger['configureTopUp']>[1],
  ): Promise<void> {
    const { enabled, threshold, amount, monthlyLimit, member } = settings;
    await this.write(
      accountId,
      () => [lines.topUps(this.model.configureTopUp(accountId, settings))],
      `select ${lines.TOP_UPS} as line from credits.configure_top_up($1, $2, $3, $4, $5, $6) x`,
      [accountId, enabled, threshold, amount, monthlyLimit, member],
    );
  }

  async configureAdditional(
    accountId: string,
    enabled: boolean,
    limit: string | null,
    member: string | null,
  ): Promise<void> {
    await this.write(
      accountId,
      () => [lines.account(this.model.configureAdditional(accountId, enabled, limit, member))],
      `select ${lines.ACCOUNT} as line from credits.configure_additional($1, $2, $3, $4) x`,
      [accountId, enabled, limit, member],
    );
  }

  async addMember(
    accountId: string,
    memberId: string,
    role: 'admin' | 'member',
    cap: string | null,
    acting: string | null,
  ): Promise<void> {
    await this.write(
      accountId,
      () => {
        this.model.addMember(accountId, memberId, role, cap, acting);
        return [memberId];
      },
      'select x.member_id as line from credits.add_member($1, $2, $3, $4, $5) x',
      [accountId, memberId, role, cap, acting],
    );
  }

  async removeMember(accountId: string, memberId: string, acting: string | null): Promise<void> {
    await this.write(
      accountId,
      () => {
        this.model.removeMember(accountId, memberId, acting);
        return [memberId];
      },
      'select x.member_id as line from credits.remove_member($1, $2, $3) x',
      [accountId, memberId, acting],
    );
  }

  async recordMeter(accountId: string, operation: string, level: string): Promise<void> {
    await this.write(
      accountId,
      () => [lines.meter(this.model.recordMeter(accountId, operation, level))],
      `select ${lines.METER} as line from credits.record_meter($1, $2, $3) x`,
      [accountId, operation, level],
    );
  }

  async settleDue(): Promise<void> {
    this.model.settleDue();
    this.story.push('select credits.settle_due();');
    while ((await this.client.query('select credits.settle_due()')).rows[0].settle_due > 0);
    for (const accountId of this.model.accounts.keys()) await this.compareAll(accountId);
  }

  // Looking, without a trace.

  async quote(accountId: string, items: Item[]): Promise<void> {
    await this.read(
      () =>
        this.model
          .quote(accountId, items)
          .map(
            (line) =>
              `${fromAmount(line.amount)} of ${fromAmount(line.available)} ${line.unit}` +
              (line.blockedBy ? `, ${line.blockedBy}` : ''),
          ),
      `select format('%s of %s %s%s', trim_scale(amount), trim_scale(available), unit, ', ' || blocked_by) as line
       from credits.quote_items($1, ${itemsFrom('$2')})`,
      [accountId, JSON.stringify(items)],
    );
  }

  /** The balances now, or later as far as is known. */
  async balances(accountId: string, at: Instant | null): Promise<void> {
    await this.read(
      () => lines.balances(this.model.balances(accountId, at)),
      `select ${lines.BALANCE} as line from credits.balances($1, $2) x`,
      [accountId, at === null ? null : iso(at)],
    );
  }

  /** The balances at earlier instants are what they were then; all of those that were seen, or a few. */
  async comparePast(accountId: string, most = 20): Promise<void> {
    if (this.clockWentBack) return;
    const account = this.model.accounts.get(accountId);
    const present = account && `${accountId} at ${iso(this.model.timeOf(account))}`;
    const own = [...this.past].filter(([key]) => key.startsWith(`${accountId} at `));
    const before = own.filter(([key]) => present && key < present).slice(-most);
    for (const [key, balances] of before) {
      await this.read(
        () => balances,
        `select ${lines.BALANCE_WITHOUT_REFILL} as line from credits.balances($1, $2) x`,
        key.split(' at '),
      );
    }
  }

  /** The whole of an account: balances, plan, lots, holds, purchases, and what its log says since the last time. */
  async compareAll(accountId: string): Promise<void> {
    const account = this.model.accounts.get(accountId);
    if (!account) return;
    const since = this.compared.get(accountId) ?? 0;
    const { rows } = await this.client.query(lines.SNAPSHOT, [accountId, since]);
    const expected = {
      account: lines.account(account),
      balances: lines.balances(this.model.balances(accountId, null)),
      lots: account.lots.map(lines.lot),
      entries: account.entries.slice(since).map(lines.entry),
      holds: account.holds.flatMap(lines.hold),
      purchases: account.purchases.map(lines.purchase),
      top_ups: account.topUps ? [lines.topUps(account.topUps)] : [],
      meters: account.meters.map(lines.meter),
    };
    this.same(accountId, rows[0], expected);
    this.compared.set(accountId, account.entries.length);
  }

  async audit(): Promise<void> {
    this.same('verify()', (await this.client.query('select * from credits.verify()')).rows, []);
  }

  private async write(
    accountId: string,
    inModel: () => string[],
    statement: string,
    params: unknown[],
  ): Promise<void> {
    await this.read(inModel, statement, params);
    await this.compareAll(accountId);
  }

  /** Does one thing on both sides: the same lines, or the same refusal. */
  private async read(inModel: () => string[], statement: string, params: unknown[]): Promise<void> {
    const [name] = /credits\.\w+/.exec(statement.replace(/^[\s\S]* from (?=credits\.)/, '')) ?? [
      '',
    ];
    this.story.push(`select * from ${name}(${params.map(literal).join(', ')});`);
    let expected: string[] = [];
    let refusal: Refused | undefined;
    try {
      expected = inModel();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      refusal = error;
    }
    const actual = await this.client.query(statement, params).then(
      ({ rows }) => ({ lines: rows.map((row) => row.line), error: undefined }),
      (error) => ({ lines: [], error: toCreditsError(error) }),
    );
    if (actual.error && !(actual.error instanceof CreditsError)) throw actual.error;
    const outcome = actual.error && facts(actual.error as CreditsError, refusal);
    this.story[this.story.length - 1] +=
      ` -- ${outcome ? JSON.stringify(outcome) : actual.lines.join(' | ')}`;
    this.same(name, outcome, refusal && facts(refusal, refusal));
    this.same(name, actual.lines, expected);
  }

  private same(what: string, actual: unknown, expected: unknown): void {
    // expect() compares well and slowly.
    if (!isDeepStrictEqual(actual, expected)) {
      expect(actual, `${what}: the database (received) and the model (expected)`).toEqual(expected);
    }
  }
}

/** A refusal's code and those of its facts that the model knows, alike however they were written. */
function facts(error: { code: string; detail: Record<string, unknown> }, known?: Refused) {
  const detail = Object.keys(known?.detail ?? error.detail).map((key) => {
    const value = error.detail[key] ?? null;
    if (key === 'next_refill_at' && typeof value === 'string') return [key, iso(instant(value))];
    if (['required', 'available', 'shortfall'].includes(key)) return [key, Number(value)];
    return [key, value];
  });
  return { code: error.code, ...Object.fromEntries(detail) };
}

const itemsFrom = (param: string) =>
  `array(select credits.item(i ->> 'operation', i -> 'usage') from jsonb_array_elements(${param}) i)`;

const literal = (value: unknown): string =>
  value === null || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : `'${value as string | Amount}'`;
