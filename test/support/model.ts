/**
 * The ledger once more, plain enough to be read: an account is a list of lots and a log, and time passes by looking for the
 * next thing that falls due. Tests hold the database against it.
 *
 * Amounts are whole millionths of a unit and instants whole microseconds, both as bigint, so that everything is exact.
 */
import { Temporal } from 'temporal-polyfill';
import type { AllowanceRow, CatalogData, PlanRow, UnitRow } from './catalog.ts';
import { fraction, rounded, times } from './fractions.ts';
import { type Item, price } from './rating-model.ts';
import { Refused } from './refused.ts';
import { type Instant, instantOf, iso, localTime } from './time.ts';

/** Millionths of a unit: the finest scale that a unit can have. */
export type Amount = bigint;

export interface Bucket {
  bucket: string;
  drawOrder: number;
  countsAs: 'included' | 'additional';
}

export const BUCKETS: Bucket[] = [
  { bucket: 'included', drawOrder: 1, countsAs: 'included' },
  { bucket: 'additional', drawOrder: 2, countsAs: 'additional' },
];

export interface Lot {
  lotId: number;
  unit: string;
  bucket: string;
  priority: number;
  granted: Amount;
  spent: Amount;
  forfeited: Amount;
  startsAt: Instant;
  expiresAt: Instant | null;
  paid: boolean;
  source: 'refill' | 'grant' | 'promotion' | 'purchase';
}

export interface Entry {
  seq: number;
  unit: string;
  kind: 'refill' | 'grant' | 'usage' | 'expiry';
  operation: string | null;
  amount: Amount;
  included: Amount;
  additional: Amount;
  balanceAfter: Amount;
  memberId: string | null;
  idempotencyKey: string | null;
  occurredAt: Instant;
}

export interface Balance {
  unit: string;
  included: Amount;
  additional: Amount;
  total: Amount;
  nextRefillAt: Instant | null;
}

export interface Quote {
  unit: string;
  amount: Amount;
  available: Amount;
  blockedBy: 'insufficient_credits' | null;
}

export interface Grant {
  amount: string;
  unit?: string;
  bucket?: string;
  expiresAt?: Instant | 'infinity' | null;
  priority?: number;
  key?: string | null;
  /** What was paid for it: only the database's owner can give such a lot yet. */
  paid?: boolean;
}

export interface SpendOptions {
  key?: string | null;
  member?: string | null;
  maxAmount?: string | null;
}

interface Period {
  n: number;
  start: Instant;
  end: Instant;
}

interface Account {
  plan: PlanRow | null;
  anchor: Instant | null;
  period: Period | null;
  lots: Lot[];
  entries: Entry[];
  /** What each idempotency key was used for, and what came of it. */
  requests: Map<string, { request: string; result: unknown }>;
}

/** When period n of a plan starts: its first start and n periods, on the clocks of its time zone. */
export function periodStart(plan: PlanRow, anchor: Instant, n: number): Instant {
  if (n === 0 && plan.anchored_to !== 'calendar') return anchor;
  const timeZone = plan.time_zone ?? 'UTC';
  return instantOf(firstStart(plan, anchor).add({ [`${plan.cadence}s`]: n }), timeZone);
}

/** The local time that periods are counted from: the anchor, or the start of the calendar's period around it. */
function firstStart(plan: PlanRow, anchor: Instant): Temporal.PlainDateTime {
  const local = localTime(anchor, plan.time_zone ?? 'UTC');
  if (plan.anchored_to !== 'calendar') return local;
  const midnight = local.toPlainDate().toPlainDateTime();
  if (plan.cadence === 'week') return midnight.subtract({ days: local.dayOfWeek - 1 });
  if (plan.cadence === 'month') return midnight.with({ day: 1 });
  if (plan.cadence === 'year') return midnight.with({ month: 1, day: 1 });
  return midnight;
}

/** The period that an instant is in. */
export function periodAt(plan: PlanRow, anchor: Instant, at: Instant): Period {
  const unit = `${plan.cadence as 'day'}s` as const;
  const elapsed = firstStart(plan, anchor).until(localTime(at, plan.time_zone ?? 'UTC'), {
    largestUnit: unit,
  });
  let n = elapsed[unit];
  while (periodStart(plan, anchor, n) > at) n -= 1;
  while (periodStart(plan, anchor, n + 1) <= at) n += 1;
  return { n, start: periodStart(plan, anchor, n), end: periodStart(plan, anchor, n + 1) };
}

/** When an allowance ends that lives so many periods from an instant on; one that a time zone left out is none of them. */
export function endOfPeriods(
  plan: PlanRow,
  anchor: Instant,
  at: Instant,
  periods: number,
): Instant {
  let end = at;
  for (let k = 0; k < periods; k++) end = periodAt(plan, anchor, end).end;
  return end;
}

/** Amounts from text, `12.5`, and back. */
export function toAmount(text: string): Amount {
  const { n, d } = times(fraction(text), fraction(1_000_000));
  if (n % d !== 0n) throw new Error(`finer than a millionth: ${text}`);
  return n / d;
}
export function fromAmount(amount: Amount): string {
  const digits = (amount < 0n ? -amount : amount).toString().padStart(7, '0');
  const text = `${digits.slice(0, -6)}.${digits.slice(-6)}`.replace(/\.?0+$/, '');
  return amount < 0n ? `-${text}` : text;
}

/** The smallest amount of a unit. */
const step = (unit: UnitRow): Amount => 10n ** BigInt(6 - unit.scale);
const left = (lot: Lot): Amount => lot.granted - lot.spent - lot.forfeited;
const sum = (amounts: Amount[]): Amount => amounts.reduce((total, amount) => total + amount, 0n);
const smaller = <N extends bigint>(a: N, b: N): N => (a < b ? a : b);

export class Model {
  readonly catalog: CatalogData;
  readonly buckets: Bucket[];
  /** What the clock shows. It may be set back. */
  now: Instant;
  readonly accounts = new Map<string, Account>();
  private readonly claims: { promotion: string; claimant: string; accountId: string }[] = [];

  constructor(catalog: CatalogData, now: Instant, buckets = BUCKETS) {
    this.catalog = catalog;
    this.now = now;
    this.buckets = buckets;
  }

  // What the application calls. Each throws Refused for an error of the contract, and has then changed nothing.

  openAccount(accountId: string, planName: string | null, anchor: Instant | null): void {
    const plan = planName === null ? null : this.findPlan(planName);
    if (!this.accounts.has(accountId)) {
      const account: Account = {
        plan: null,
        anchor: null,
        period: null,
        lots: [],
        entries: [],
        requests: new Map(),
      };
      this.accounts.set(accountId, account);
      if (plan) this.beginPlan(account, plan, anchor ?? this.now, this.now);
      return;
    }
    this.write(accountId, (account) => {
      if (plan && account.plan?.plan !== plan.plan) {
        throw new Refused('PC409', { reason: 'open_with_another_plan' });
      }
    });
  }

  /** The first subscription of an account without a plan, or the same again. */
  subscribe(accountId: string, planName: string, anchor: Instant | null): void {
    const plan = this.findPlan(planName);
    this.write(accountId, (account, at) => {
      if (account.plan?.plan === plan.plan) return;
      this.beginPlan(account, plan, anchor ?? at, at);
    });
  }

  /** Returns the lot's id. */
  grant(accountId: string, grant: Grant): number {
    const { unit = 'credit', bucket = 'additional', priority = 100, key = null } = grant;
    const expiresAt = grant.expiresAt === 'infinity' ? null : (grant.expiresAt ?? null);
    const millionths = times(fraction(grant.amount), fraction(1_000_000));
    const amount = millionths.n / millionths.d;
    const request = JSON.stringify(['grant', unit, bucket, grant.amount]);
    const work = (account: Account, at: Instant) => {
      const row = this.catalog.units.find((row) => row.unit === unit);
      if (!row) throw new Refused('PC422', { field: 'unit', reason: 'unknown' });
      if (millionths.n <= 0n)
        throw new Refused('PC422', { field: 'amount', reason: 'not_positive' });
      if (amount * millionths.d !== millionths.n || amount % step(row) !== 0n) {
        throw new Refused('PC422', { field: 'amount', reason: 'too_fine' });
      }
      if (!this.buckets.some((row) => row.bucket === bucket)) {
        throw new Refused('PC422', { field: 'bucket', reason: 'unknown' });
      }
      if (expiresAt !== null && expiresAt <= at) {
        throw new Refused('PC422', { field: 'expires_at', reason: 'in_the_past' });
      }
      const source: Lot['source'] = grant.paid ? 'purchase' : 'grant';
      const paid = grant.paid ?? false;
      const draft = { unit, bucket, priority, expiresAt, paid, source, granted: amount };
      return this.addLot(account, 'grant', at, key, draft);
    };
    const lotId = this.write(accountId, work, { key, request });
    // The lot as it is now, also when a key is used again after an expiry.
    this.write(accountId, () => {});
    return lotId;
  }

  claim(accountId: string, promotion: string, claimant: string): number {
    return this.write(accountId, (account, at) => {
      const gift = this.catalog.promotions?.find((row) => row.promotion === promotion);
      if (!gift) throw new Refused('PC404', { what: 'promotion', key: promotion });
      const person = claimant.toLowerCase();
      const claimed = this.claims.some(
        (claim) =>
          claim.promotion === promotion &&
          (claim.claimant === person || claim.accountId === accountId),
      );
      if (claimed) throw new Refused('PC409', { reason: 'already_claimed', promotion });
      this.claims.push({ promotion, claimant: person, accountId });
      return this.addLot(account, 'grant', at, null, {
        unit: gift.unit ?? 'credit',
        bucket: 'additional',
        priority: gift.priority ?? 100,
        expiresAt: gift.expires_after ? later(at, gift.expires_after) : null,
        paid: false,
        source: 'promotion',
        granted: toAmount(String(gift.amount)),
      });
    });
  }

  /** Returns the numbers of the entries, one a unit. */
  spend(accountId: string, items: Item[], options: SpendOptions = {}): number[] {
    const { key = null, member = null, maxAmount = null } = options;
    const job = items.map((item) => [item.operation, sorted(item.usage ?? {})]);
    const request = JSON.stringify(['usage', job, member]);
    const operation = items.every((item) => item.operation === items[0].operation)
      ? items[0].operation
      : null;
    const work = (account: Account, at: Instant) => {
      const lines = this.assess(account, items, at);
      const amounts = lines.map((line) => line.amount).filter((amount) => amount > 0n);
      if (maxAmount !== null && amounts.length > 1) {
        throw new Refused('PC422', { field: 'max_amount', reason: 'several_units' });
      }
      if (maxAmount !== null && amounts.some((amount) => amount > toAmount(maxAmount))) {
        throw new Refused('PC409', { reason: 'price_above_max_amount' });
      }
      return lines.map((line) => {
        if (line.blockedBy) {
          const refill = this.nextRefillAt(account, line.unit);
          throw new Refused('PC402', {
            unit: line.unit,
            required: fromAmount(line.amount),
            available: fromAmount(line.available),
            shortfall: fromAmount(line.amount - line.available),
            next_refill_at: refill === null ? null : iso(refill),
          });
        }
        const taken = this.draw(account, line.unit, line.amount, at);
        const labels = { operation, memberId: member, idempotencyKey: key };
        return this.log(account, line.unit, 'usage', at, taken, labels);
      });
    };
    return this.write(accountId, work, { key, request });
  }

  /** Settles every account that is due, or one. */
  settleDue(only?: string): void {
    for (const [accountId, account] of this.accounts) {
      if (only === undefined || only === accountId) this.settle(account, this.now);
    }
  }

  /** The account's own present: the clock, but never behind its last entry. */
  present(accountId: string): Instant {
    return this.timeOf(this.find(accountId));
  }

  balances(accountId: string, at: Instant | null = null): Balance[] {
    const account = copy(this.find(accountId));
    const present = this.timeOf(account);
    if (at !== null && at < present) throw new Error('The model looks ahead only.');
    const then = at ?? present;
    this.settle(account, then);
    const units = [...this.catalog.units].sort(
      (a, b) => Number(b.main ?? false) - Number(a.main ?? false) || (a.unit < b.unit ? -1 : 1),
    );
    return units.map(({ unit }) => {
      const usable = this.inDrawOrder(account, unit, then);
      const included = sum(usable.filter((lot) => this.countsAs(lot) === 'included').map(left));
      const additional = sum(usable.filter((lot) => this.countsAs(lot) === 'additional').map(left));
      const total = included + additional;
      return { unit, included, additional, total, nextRefillAt: this.nextRefillAt(account, unit) };
    });
  }

  quote(accountId: string, items: Item[]): Quote[] {
    const account = copy(this.find(accountId));
    const at = this.timeOf(account);
    this.settle(account, at);
    return this.assess(account, items, at);
  }

  /** The instants after now at which something of an account falls due, soonest first: what tests aim at. */
  upcoming(accountId: string, periods = 4): Instant[] {
    const account = copy(this.find(accountId));
    const instants = account.lots
      .filter((lot) => left(lot) > 0n)
      .map((lot) => lot.expiresAt)
      .filter((at) => at !== null);
    this.settle(account, this.timeOf(account));
    for (
      let k = 1;
      account.plan && account.anchor !== null && account.period && k <= periods;
      k++
    ) {
      instants.push(periodStart(account.plan, account.anchor, account.period.n + k));
    }
    return instants.filter((at) => at > this.now).sort((a, b) => (a < b ? -1 : 1));
  }

  // How time passes.

  private settle(account: Account, until: Instant): void {
    for (;;) {
      const expiring = account.lots.filter((lot) => left(lot) > 0n && lot.expiresAt !== null);
      const dates = expiring.map((lot) => lot.expiresAt as Instant);
      if (account.period) dates.push(account.period.end);
      if (dates.length === 0) return;
      const at = dates.reduce(smaller);
      if (at > until) return;

      for (const lot of expiring) {
        if (lot.expiresAt === at) this.forfeit(account, lot, left(lot), at);
      }
      if (account.plan && account.anchor !== null && account.period?.end === at) {
        for (const allowance of this.allowances(account.plan))
          this.rollOver(account, allowance, at);
        account.period = periodAt(account.plan, account.anchor, at);
        this.refill(account, account.plan, at);
      }
    }
  }

  /** What is over what may be carried ends, the oldest first. */
  private rollOver(account: Account, allowance: AllowanceRow, at: Instant): void {
    const { unit = 'credit', rollover = 'none' } = allowance;
    if (rollover === 'all') return;
    const included = account.lots.filter(
      (lot) => lot.unit === unit && this.countsAs(lot) === 'included',
    );
    if (rollover === 'none') {
      // What a refund returns to it later is lost.
      for (const lot of included)
        if (lot.expiresAt === null || lot.expiresAt > at) lot.expiresAt = at;
    }
    const carried = included.filter((lot) => left(lot) > 0n);
    let excess = sum(carried.map(left)) - (rollover === 'capped' ? this.cap(allowance) : 0n);
    for (const lot of carried) {
      if (excess <= 0n) return;
      const trimmed = smaller(excess, left(lot));
      this.forfeit(account, lot, trimmed, at);
      excess -= trimmed;
    }
  }

  /** A cap in whole steps of the unit, never above what was said. */
  private cap(allowance: AllowanceRow): Amount {
    const cap =
      allowance.rollover_cap === undefined
        ? times(fraction(allowance.rollover_cap_multiple ?? 0), fraction(allowance.amount))
        : fraction(allowance.rollover_cap);
    const millionths = rounded(times(cap, fraction(1_000_000)), 'down');
    return millionths - (millionths % step(this.unit(allowance.unit ?? 'credit')));
  }

  private beginPlan(account: Account, plan: PlanRow, anchor: Instant, at: Instant): void {
    account.plan = plan;
    account.anchor = anchor;
    // The first period begins now, however long ago its phase began.
    account.period = plan.cadence === 'none' ? null : { ...periodAt(plan, anchor, at), start: at };
    this.refill(account, plan, at);
  }

  private refill(account: Account, plan: PlanRow, at: Instant): void {
    for (const allowance of this.allowances(plan)) {
      const granted = toAmount(String(allowance.amount));
      if (granted === 0n) continue;
      const lives = (allowance.rollover ?? 'none') === 'none' ? 1 : allowance.lives_periods;
      const { period, anchor } = account;
      const ends = period && anchor !== null && lives !== undefined;
      this.addLot(account, 'refill', at, null, {
        unit: allowance.unit ?? 'credit',
        bucket: 'included',
        priority: 100,
        expiresAt: ends ? endOfPeriods(plan, anchor, at, lives) : null,
        paid: false,
        source: 'refill',
        granted,
      });
    }
  }

  // The log.

  private addLot(
    account: Account,
    kind: 'refill' | 'grant',
    at: Instant,
    idempotencyKey: string | null,
    draft: Pick<Lot, 'unit' | 'bucket' | 'priority' | 'expiresAt' | 'paid' | 'source' | 'granted'>,
  ): number {
    const lot: Lot = {
      lotId: account.lots.length + 1,
      startsAt: at,
      spent: 0n,
      forfeited: 0n,
      ...draft,
    };
    account.lots.push(lot);
    this.log(account, lot.unit, kind, at, [[lot, lot.granted]], { idempotencyKey });
    return lot.lotId;
  }

  private forfeit(account: Account, lot: Lot, amount: Amount, at: Instant): void {
    lot.forfeited += amount;
    this.log(account, lot.unit, 'expiry', at, [[lot, -amount]]);
  }

  private log(
    account: Account,
    unit: string,
    kind: Entry['kind'],
    at: Instant,
    changes: [Lot, Amount][],
    labels: Partial<Pick<Entry, 'operation' | 'memberId' | 'idempotencyKey'>> = {},
  ): number {
    const change = (side: Bucket['countsAs']) =>
      sum(changes.filter(([lot]) => this.countsAs(lot) === side).map(([, amount]) => amount));
    const included = change('included');
    const additional = change('additional');
    account.entries.push({
      seq: account.entries.length + 1,
      unit,
      kind,
      operation: null,
      memberId: null,
      idempotencyKey: null,
      ...labels,
      included,
      additional,
      amount: included + additional,
      balanceAfter: sum(account.lots.filter((lot) => lot.unit === unit).map(left)),
      occurredAt: at,
    });
    return account.entries.length;
  }

  // What everything above asks.

  private unit(name: string): UnitRow {
    const unit = this.catalog.units.find((row) => row.unit === name);
    if (!unit) throw new Error(`no unit ${name} in the catalog`);
    return unit;
  }

  private find(accountId: string): Account {
    const account = this.accounts.get(accountId);
    if (!account) throw new Refused('PC404', { what: 'account', key: accountId });
    return account;
  }

  private findPlan(name: string): PlanRow {
    const plan = this.catalog.plans?.find((row) => row.plan === name);
    if (!plan) throw new Refused('PC404', { what: 'plan', key: name });
    return plan;
  }

  private allowances(plan: PlanRow): AllowanceRow[] {
    const unit = (row: AllowanceRow) => row.unit ?? 'credit';
    return (this.catalog.allowances ?? [])
      .filter((row) => row.plan === plan.plan)
      .sort((a, b) => (unit(a) < unit(b) ? -1 : 1));
  }

  private countsAs(lot: Lot): Bucket['countsAs'] | undefined {
    return this.buckets.find((row) => row.bucket === lot.bucket)?.countsAs;
  }

  /** The clock, but never behind the account's last entry. */
  private timeOf(account: Account): Instant {
    const last = account.entries.at(-1);
    return last && last.occurredAt > this.now ? last.occurredAt : this.now;
  }

  private nextRefillAt(account: Account, unit: string): Instant | null {
    const refills =
      account.plan &&
      this.allowances(account.plan).some(
        (row) => (row.unit ?? 'credit') === unit && toAmount(String(row.amount)) > 0n,
      );
    return refills && account.period ? account.period.end : null;
  }

  /** Takes an amount from the lots, one after another. */
  private draw(account: Account, unit: string, amount: Amount, at: Instant): [Lot, Amount][] {
    const taken: [Lot, Amount][] = [];
    let due = amount;
    for (const lot of this.inDrawOrder(account, unit, at)) {
      const slice = smaller(due, left(lot));
      if (slice === 0n) break;
      lot.spent += slice;
      due -= slice;
      taken.push([lot, -slice]);
    }
    return taken;
  }

  private inDrawOrder(account: Account, unit: string, at: Instant): Lot[] {
    const rank = (lot: Lot): (number | bigint)[] => [
      this.buckets.find((row) => row.bucket === lot.bucket)?.drawOrder ?? 0,
      lot.priority,
      lot.expiresAt === null ? 1 : 0,
      lot.expiresAt ?? 0n,
      lot.paid ? 1 : 0,
      lot.startsAt,
      lot.lotId,
    ];
    return account.lots
      .filter((lot) => lot.unit === unit && left(lot) > 0n && lot.startsAt <= at)
      .filter((lot) => lot.expiresAt === null || at < lot.expiresAt)
      .sort((a, b) => {
        const [as, bs] = [rank(a), rank(b)];
        const differs = as.findIndex((value, index) => value !== bs[index]);
        return as[differs] < bs[differs] ? -1 : 1;
      });
  }

  private assess(account: Account, items: Item[], at: Instant): Quote[] {
    const trusted = { plan: account.plan?.plan ?? null, top_ups: false };
    return price(this.catalog, trusted, items).map(({ unit, steps }) => {
      const amount = steps * step(this.unit(unit));
      const available = sum(this.inDrawOrder(account, unit, at).map(left));
      return {
        unit,
        amount,
        available,
        blockedBy: amount > available ? 'insufficient_credits' : null,
      };
    });
  }

  /**
   * Does a write: what a known key did before; else, at the account's time and after what was due, all of it or nothing.
   */
  private write<Result>(
    accountId: string,
    work: (account: Account, at: Instant) => Result,
    { key = null, request = '' }: { key?: string | null; request?: string } = {},
  ): Result {
    const account = this.find(accountId);
    const original = key === null ? undefined : account.requests.get(key);
    if (original && original.request !== request) {
      throw new Refused('PC409', { reason: 'idempotency_key_reused', idempotency_key: key });
    }
    if (original) return original.result as Result;

    const draft = copy(account);
    const at = this.timeOf(draft);
    this.settle(draft, at);
    const result = work(draft, at);
    if (key !== null) draft.requests.set(key, { request, result });
    this.accounts.set(accountId, draft);
    return result;
  }
}

/** The same account, free to change: entries are never changed, so the log is enough. */
function copy(account: Account): Account {
  return {
    ...account,
    lots: account.lots.map((lot) => ({ ...lot })),
    entries: [...account.entries],
    requests: new Map(account.requests),
  };
}

function later(at: Instant, duration: string): Instant {
  return instantOf(localTime(at, 'UTC').add(Temporal.Duration.from(duration)), 'UTC');
}

function sorted(usage: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(usage).sort(([a], [b]) => (a < b ? -1 : 1)));
}
