/**
 * Everything that moves credits, once more: an account is a list of lots and a log, and time passes by looking for the next
 * thing that falls due. It is written to be read and to be slow; tests hold the database against it.
 *
 * Amounts are whole millionths of a unit and instants whole microseconds, both as bigint, so that everything is exact.
 */
import type { AllowanceRow, PlanRow } from '../../support/catalog.ts';
import {
  compare,
  type Fraction,
  fraction,
  over,
  plus,
  rounded,
  times,
} from '../../support/fractions.ts';
import { type Amount, endOfPeriods, fromAmount, periodAt, toAmount } from '../../support/model.ts';
import { type Item, price } from '../../support/rating-model.ts';
import { Refused } from '../../support/refused.ts';
import { DAY, HOUR, type Instant, instant, instantOf, iso, localTime } from '../../support/time.ts';
import type { WholeCatalog } from './catalog.ts';

export type Bucket = 'included' | 'additional';

export interface Lot {
  lotId: number;
  unit: string;
  bucket: Bucket;
  priority: number;
  granted: Amount;
  spent: Amount;
  held: Amount;
  forfeited: Amount;
  startsAt: Instant;
  expiresAt: Instant | null;
  source: 'refill' | 'grant' | 'promotion' | 'purchase' | 'top_up' | 'refund';
  purchaseId: number | null;
  paid: boolean;
}

/** A part of an amount and the lot that it comes from or goes to. */
export interface Slice {
  lotId: number;
  amount: Amount;
}

export interface Entry {
  seq: number;
  unit: string;
  kind: 'refill' | 'grant' | 'purchase' | 'top_up' | 'usage' | 'refund' | 'expiry' | 'revocation';
  operation: string | null;
  amount: Amount;
  included: Amount;
  additional: Amount;
  balanceAfter: Amount;
  memberId: string | null;
  key: string | null;
  refundsSeq: number | null;
  holdId: number | null;
  purchaseId: number | null;
  late: boolean;
  occurredAt: Instant;
  /** What it did to each lot. */
  slices: Slice[];
}

export interface Hold {
  holdId: number;
  lines: {
    unit: string;
    amount: Amount;
    captured: Amount;
    slices: Slice[];
    /** A unit that was not authorized. */
    broughtByCapture?: boolean;
  }[];
  status: 'open' | 'captured' | 'released' | 'expired';
  items: Item[];
  plan: string | null;
  topUps: boolean;
  memberId: string | null;
  key: string | null;
  authorizedAt: Instant;
  expiresAt: Instant;
  endedAt: Instant | null;
  /** What was captured, to tell the same capture from another one. */
  capturedAs: string | null;
}

export interface Purchase {
  purchaseId: number;
  kind: 'pack' | 'top_up';
  pack: string | null;
  unit: string;
  amount: Amount;
  price: Amount;
  status: 'pending' | 'settled' | 'failed' | 'reversed';
  reference: string | null;
  reversed: Amount;
  /** What of it was given back since. */
  reinstated: Amount;
  shortfall: Amount;
  declines: number;
  nextAttemptAt: Instant | null;
  memberId: string | null;
  key: string | null;
  createdAt: Instant;
  settledAt: Instant | null;
}

export interface Period {
  start: Instant;
  /** Never, on a plan without a cadence. */
  end: Instant | null;
  anchor: Instant;
  /** The largest allowance that it has granted, by unit. */
  granted: Map<string, Amount>;
}

export interface TopUps {
  enabled: boolean;
  threshold: Amount | null;
  amount: Amount | null;
  monthlyLimit: Amount | null;
  suspended: string | null;
  /** When one that the month's limit did not allow is looked at again. */
  lookAgainAt: Instant | null;
}

export interface Meter {
  meterId: number;
  operation: string;
  level: Fraction;
  /** Since when it has been at this level. */
  readAt: Instant;
  /** Level times microseconds, since the last midnight. */
  accrued: Fraction;
  /** The midnight at which its day is charged; none while there is nothing to charge. */
  dueAt: Instant | null;
  shortfall: Amount;
}

export interface Left {
  plan: string;
  period: Period;
}

export interface Account {
  plan: string | null;
  period: Period | null;
  pendingPlan: string | null;
  cancels: boolean;
  /** Periods that were left before their end, of a paid plan and of one of price 0. */
  left: { paid: Left | null; free: Left | null };
  lots: Lot[];
  entries: Entry[];
  holds: Hold[];
  purchases: Purchase[];
  members: Map<string, { role: 'admin' | 'member'; cap: Amount | null }>;
  topUps: TopUps | null;
  additionalEnabled: boolean;
  additionalLimit: Amount | null;
  meters: Meter[];
  /** What each idempotency key was used for, and the numbers of what came of it. */
  requests: Map<string, { request: string; made: number[] }>;
}

export interface Balance {
  unit: string;
  included: Amount;
  additional: Amount;
  held: Amount;
  total: Amount;
  nextRefillAt: Instant | null;
}

export interface QuoteLine {
  unit: string;
  amount: Amount;
  available: Amount;
  blockedBy: string | null;
}

export interface SpendOptions {
  key: string | null;
  member: string | null;
  maxAmount: string | null;
}

export interface Grant {
  amount: string;
  unit: string;
  bucket: Bucket;
  expiresAt: Instant | null;
  priority: number;
  key: string | null;
}

export type SpendRequest = { accountId: string; item: Item } & SpendOptions;
export type SpendResult =
  | { status: 'ok' | 'replayed'; entries: Entry[] }
  | { status: 'refused'; refusal: Refused };

/** What a capture asks for. */
export type Capture =
  | { of: 'whole' }
  | { of: 'amount'; amount: string }
  | { of: 'usage'; usage: Record<string, unknown> }
  | { of: 'items'; items: Item[] };

export const MAIN = 'credit';
const MONTH = 'P1M';

export const available = (lot: Lot): Amount => lot.granted - lot.spent - lot.held - lot.forfeited;
export const sum = (amounts: Amount[]): Amount => amounts.reduce((a, b) => a + b, 0n);
const least = (a: Amount, b: Amount | null): Amount => (b === null || a < b ? a : b);
const atLeastNone = (a: Amount): Amount => (a < 0n ? 0n : a);

export class WholeLedger {
  readonly catalog: WholeCatalog;
  /** What the clock shows. It may be set back. */
  now: Instant;
  readonly accounts = new Map<string, Account>();
  private readonly claims: { promotion: string; claimant: string; accountId: string }[] = [];

  constructor(catalog: WholeCatalog, now: Instant) {
    this.catalog = catalog;
    this.now = now;
  }

  // Accounts and plans. Every function throws Refused for an error of the contract, and has then changed nothing.

  openAccount(accountId: string, planName: string | null, anchor: Instant | null): Account {
    const plan = planName === null ? null : this.plan(planName);
    if (!this.accounts.has(accountId)) {
      const account = newAccount();
      this.accounts.set(accountId, account);
      if (plan) this.changePlan(account, plan, anchor, this.now);
      return account;
    }
    return this.write(accountId, (account) => {
      if (plan && account.plan !== plan.plan) {
        throw new Refused('PC409', { reason: 'open_with_another_plan' });
      }
      return account;
    });
  }

  subscribe(accountId: string, planName: string, anchor: Instant | null): Account {
    return this.write(accountId, (account, at) => {
      this.changePlan(account, this.plan(planName), anchor, at);
      return account;
    });
  }

  cancelSubscription(accountId: string, immediately: boolean): Account {
    return this.write(accountId, (account, at) => {
      if (account.plan === null) return account;
      if (immediately || account.period?.end == null) {
        this.leavePeriod(account, account.plan);
        this.endIncluded(account, at);
        account.plan = null;
        account.period = null;
        account.pendingPlan = null;
        account.cancels = false;
      } else {
        account.cancels = true;
        account.pendingPlan = null;
      }
      return account;
    });
  }

  private changePlan(account: Account, plan: PlanRow, anchor: Instant | null, at: Instant): void {
    const present = account.plan === null ? null : this.plan(account.plan);
    const sort = this.sort(plan.plan);

    // From no plan, or from price 0 to paid: now. A period of this sort that was left before its end goes on.
    if (!present || (sort === 'paid' && this.sort(present.plan) === 'free')) {
      if (present) {
        this.leavePeriod(account, present.plan);
        this.rollOver(account, present, at);
      }
      const left = this.resumable(account, sort, at);
      if (left) this.resume(account, plan, left, at);
      else this.enter(account, plan, newPeriod(plan, anchor ?? at, at), at);
    } else if (
      account.period &&
      sort === this.sort(present.plan) &&
      hasSamePeriods(plan, present) &&
      this.isNowhereSmaller(plan, present)
    ) {
      this.enter(account, plan, account.period, at);
    } else {
      account.pendingPlan = plan.plan;
      account.cancels = false;
    }
  }

  /** Takes a plan, and what a period of it still grants: what exceeds the largest allowance that it has granted so far. */
  private enter(account: Account, plan: PlanRow, period: Period, at: Instant): void {
    account.plan = plan.plan;
    account.period = period;
    account.pendingPlan = null;
    account.cancels = false;
    for (const allowance of this.allowances(plan)) {
      const unit = allowance.unit ?? MAIN;
      const granted = period.granted.get(unit) ?? 0n;
      const amount = toAmount(String(allowance.amount));
      if (amount <= granted) continue;
      period.granted.set(unit, amount);
      const expiresAt = endOfAllowance(plan, period, allowance);
      const lot = { unit, bucket: 'included' as const, granted: amount - granted, expiresAt };
      this.addLot(account, 'refill', at, { ...lot, source: 'refill' });
    }
  }

  /** A period that is left before its end is remembered. */
  private leavePeriod(account: Account, plan: string): void {
    account.left[this.sort(plan)] = account.period && { plan, period: account.period };
  }

  private resumable(account: Account, sort: 'paid' | 'free', at: Instant): Left | null {
    const left = account.left[sort];
    return left?.period.end != null && left.period.end > at ? left : null;
  }

  /** Goes on in a period that was left. A plan with other periods waits for its end; until then it is the plan that was left. */
  private resume(account: Account, plan: PlanRow, left: Left, at: Instant): void {
    const leftPlan = this.plan(left.plan);
    const same = hasSamePeriods(plan, leftPlan);
    this.enter(account, same ? plan : leftPlan, left.period, at);
    if (!same) account.pendingPlan = plan.plan;
  }

  private isNowhereSmaller(plan: PlanRow, than: PlanRow): boolean {
    const amount = (of: PlanRow, unit: string) => {
      const allowance = this.allowances(of).find((row) => (row.unit ?? MAIN) === unit);
      return allowance ? toAmount(String(allowance.amount)) : 0n;
    };
    return this.catalog.units.every(({ unit }) => amount(plan, unit) >= amount(than, unit));
  }

  // Spending.

  spend(accountId: string, items: Item[], options: SpendOptions): Entry[] {
    const { key, member, maxAmount } = options;
    const request = JSON.stringify(['spend', jobOf(items), member]);
    const made = this.once(accountId, key, request, (account, at) => {
      const prices = this.admit(account, items, maxAmount);
      const entries = prices.map(({ unit, amount }) =>
        this.log(
          account,
          'usage',
          unit,
          at,
          negative(this.pay(account, unit, amount, member, at)),
          {
            operation: operationOf(items),
            memberId: member,
            key,
          },
        ),
      );
      this.topUpIfLow(account, at);
      return entries.map((entry) => entry.seq);
    });
    return made.map((seq) => this.find(accountId).entries[seq - 1]);
  }

  /** Each request on its own, account by account, in the given order within an account. */
  spendMany(requests: SpendRequest[]): SpendResult[] {
    const results: SpendResult[] = [];
    const accountIds = [...new Set(requests.map((request) => request.accountId))].sort();
    for (const accountId of accountIds) {
      if (this.accounts.has(accountId)) this.write(accountId, () => {});
      requests.forEach((request, index) => {
        if (request.accountId !== accountId) return;
        const account = this.accounts.get(accountId);
        const replayed =
          request.key !== null && account?.entries.some((entry) => entry.key === request.key);
        try {
          const entries = this.spend(accountId, [request.item], request);
          results[index] = { status: replayed ? 'replayed' : 'ok', entries };
        } catch (error) {
          if (!(error instanceof Refused)) throw error;
          results[index] = { status: 'refused', refusal: error };
        }
      });
    }
    return results;
  }

  quote(accountId: string, items: Item[]): QuoteLine[] {
    const account = copy(this.find(accountId));
    const at = this.timeOf(account);
    this.settle(account, at);
    const gate = this.unmetGate(account, items);
    let prices: { unit: string; amount: Amount }[];
    try {
      prices = this.prices(account.plan, topUpsEnabled(account), items);
    } catch (error) {
      if (gate && error instanceof Refused && error.code === 'PC422') throw gateRefusal(gate);
      throw error;
    }
    return prices.map(({ unit, amount }) => {
      const { available, blockedBy } = this.limits(account, unit, amount, null, at);
      return { unit, amount, available, blockedBy: gate ? `${gate.requires}_required` : blockedBy };
    });
  }

  /** The price of a job that no gate bars. */
  private admit(account: Account, items: Item[], maxAmount: string | null) {
    const gate = this.unmetGate(account, items);
    if (gate) throw gateRefusal(gate);
    const prices = this.prices(account.plan, topUpsEnabled(account), items);
    const amounts = prices.map((line) => line.amount).filter((amount) => amount > 0n);
    if (maxAmount !== null && amounts.length > 1) {
      throw new Refused('PC422', { field: 'max_amount', reason: 'several_units' });
    }
    if (maxAmount !== null && amounts.some((amount) => amount > toAmount(maxAmount))) {
      throw new Refused('PC409', { reason: 'price_above_max_amount' });
    }
    return prices;
  }

  private prices(plan: string | null, topUps: boolean, items: Item[]) {
    return price(this.catalog, { plan, top_ups: topUps }, items).map(({ unit, steps }) => ({
      unit,
      amount: steps * this.step(unit),
    }));
  }

  /** passed: what was let through before, and is not asked about again. */
  private unmetGate(
    account: Account,
    items: { operation: string }[],
    passed: { operation: string }[] = [],
  ) {
    return this.catalog.gates
      .filter((gate) => items.some((item) => item.operation === gate.operation))
      .filter((gate) => !passed.some((item) => item.operation === gate.operation))
      .sort((a, b) => (a.requires < b.requires ? -1 : 1))
      .find((gate) =>
        gate.requires === 'plan'
          ? !gate.plans?.includes(account.plan ?? '')
          : !topUpsEnabled(account),
      );
  }

  /** The slices of lots that pay for an amount, in draw order and within all limits. PC402, PC403. */
  private pay(
    account: Account,
    unit: string,
    amount: Amount,
    member: string | null,
    at: Instant,
  ): Slice[] {
    const { available: most, blockedBy } = this.limits(account, unit, amount, member, at);
    if (blockedBy) {
      const refill = this.nextRefillAt(account, unit);
      const shortage = {
        unit,
        required: fromAmount(amount),
        available: fromAmount(most),
        shortfall: fromAmount(amount - most),
        next_refill_at: refill === null ? null : iso(refill),
      };
      if (blockedBy === 'member_cap') {
        throw new Refused('PC403', { ...shortage, requires: 'member_cap', member_id: member });
      }
      if (blockedBy !== 'insufficient_credits') {
        throw new Refused('PC402', { ...shortage, limit: blockedBy });
      }
      const smallest_pack = this.smallestPack(account, unit, amount - most);
      throw new Refused('PC402', { ...shortage, smallest_pack });
    }

    return this.draw(account, unit, amount, at);
  }

  /** As much of an amount as lots and the limit on additional credits give, in draw order. */
  private draw(account: Account, unit: string, amount: Amount, at: Instant): Slice[] {
    const slices: Slice[] = [];
    let due = amount;
    let additional = this.additionalAllowed(account, unit, at);
    for (const lot of this.inDrawOrder(account, unit, at)) {
      let part = least(available(lot), due);
      if (lot.bucket === 'additional' && additional !== null) {
        part = least(part, additional);
        additional -= part;
      }
      if (part > 0n) slices.push({ lotId: lot.lotId, amount: part });
      due -= part;
    }
    return slices;
  }

  /** How much could be drawn, and what stands in the way of an amount. */
  private limits(
    account: Account,
    unit: string,
    amount: Amount,
    member: string | null,
    at: Instant,
  ) {
    const usable = this.inDrawOrder(account, unit, at);
    const inBucket = (bucket: Bucket) =>
      sum(usable.filter((lot) => lot.bucket === bucket).map(available));
    const included = inBucket('included');
    const additional = inBucket('additional');
    const allowed = least(additional, this.additionalAllowed(account, unit, at));
    const most = least(included + allowed, this.memberAllowed(account, unit, member, at));
    let blockedBy: string | null = null;
    if (amount > included + additional) blockedBy = 'insufficient_credits';
    else if (amount > included + allowed) {
      blockedBy = account.additionalEnabled ? 'period_limit' : 'additional_paused';
    } else if (amount > most) blockedBy = 'member_cap';
    return { available: most, blockedBy };
  }

  /** How much of the additional credits may still be drawn in this period; null: all. */
  private additionalAllowed(account: Account, unit: string, at: Instant): Amount | null {
    if (!account.additionalEnabled) return 0n;
    if (account.additionalLimit === null || unit !== MAIN) return null;
    const additional = (slices: Slice[]) =>
      sum(
        slices
          .filter((slice) => lotOf(account, slice).bucket === 'additional')
          .map((slice) => slice.amount),
      );
    const spent = this.chargesOfPeriod(account, at).map((entry) => -entry.additional);
    const held = openHolds(account, at).flatMap((hold) =>
      hold.lines.filter((line) => line.unit === MAIN).map((line) => additional(line.slices)),
    );
    return atLeastNone(account.additionalLimit - sum(spent) - sum(held));
  }

  /** How much a member may still draw in this period; null: no cap. */
  private memberAllowed(account: Account, unit: string, member: string | null, at: Instant) {
    const cap = member === null ? null : account.members.get(member)?.cap;
    if (cap == null || unit !== MAIN) return null;
    const spent = this.chargesOfPeriod(account, at)
      .filter((entry) => entry.memberId === member)
      .map((entry) => -entry.amount);
    const held = openHolds(account, at)
      .filter((hold) => hold.memberId === member)
      .flatMap((hold) =>
        hold.lines.filter((line) => line.unit === MAIN).map((line) => line.amount),
      );
    return atLeastNone(cap - sum(spent) - sum(held));
  }

  private chargesOfPeriod(account: Account, at: Instant): Entry[] {
    const since = account.period?.end != null ? account.period.start : startOfMonth(at);
    return account.entries.filter(
      (entry) => entry.kind === 'usage' && entry.unit === MAIN && entry.occurredAt >= since,
    );
  }

  private smallestPack(account: Account, unit: string, shortfall: Amount): string | null {
    const packs = this.catalog.packs
      .filter((pack) => pack.unit === unit && toAmount(pack.amount) >= shortfall)
      .filter((pack) => !pack.plans || pack.plans.includes(account.plan ?? ''))
      .sort((a, b) => Number(toAmount(a.amount) - toAmount(b.amount)));
    return packs[0]?.pack ?? null;
  }

  // Holds.

  authorize(
    accountId: string,
    items: Item[],
    options: SpendOptions & { expiresIn: Instant },
  ): Hold {
    const { key, member, maxAmount, expiresIn } = options;
    const request = JSON.stringify(['authorize', jobOf(items), member]);
    const [holdId] = this.once(accountId, key, request, (account, at) => {
      const hold: Hold = {
        holdId: account.holds.length + 1,
        lines: [],
        status: 'open',
        items,
        plan: account.plan,
        topUps: topUpsEnabled(account),
        memberId: member,
        key,
        authorizedAt: at,
        expiresAt: at + expiresIn,
        endedAt: null,
        capturedAs: null,
      };
      for (const { unit, amount } of this.admit(account, items, maxAmount)) {
        const slices = this.pay(account, unit, amount, member, at);
        for (const slice of slices) lotOf(account, slice).held += slice.amount;
        hold.lines.push({ unit, amount, captured: 0n, slices });
      }
      account.holds.push(hold);
      this.topUpIfLow(account, at);
      return [hold.holdId];
    });
    // The hold as it is now, also when a key is used again after its end.
    this.write(accountId, () => {});
    return this.find(accountId).holds[holdId - 1];
  }

  capture(accountId: string, holdId: number, what: Capture): Entry[] {
    const present = this.accounts.get(accountId)?.holds[holdId - 1];
    if (what.of === 'usage' && present && operationOf(present.items) === null) {
      throw new Refused('PC422', { field: 'usage', reason: 'several_operations' });
    }
    return this.write(accountId, (account, at) => {
      const hold = findHold(account, holdId);
      let { items } = hold;
      if (what.of === 'items') items = what.items;
      if (what.of === 'usage') {
        items = [{ operation: operationOf(hold.items) ?? '', usage: what.usage }];
      }
      const capturedAs =
        what.of === 'whole'
          ? 'whole'
          : what.of === 'amount'
            ? String(toAmount(what.amount))
            : JSON.stringify(jobOf(items));
      if (hold.status === 'captured' && hold.capturedAs === capturedAs) {
        return account.entries.filter((entry) => entry.holdId === holdId);
      }
      if (hold.status === 'captured') throw new Refused('PC409', { reason: 'already_captured' });

      if (what.of === 'usage' || what.of === 'items') {
        // As it was when the hold was authorized.
        const topUps = account.topUps && { ...account.topUps, enabled: hold.topUps };
        const gate = this.unmetGate({ ...account, plan: hold.plan, topUps }, items, hold.items);
        if (gate) throw gateRefusal(gate);
      }
      const charges = this.charges(hold, what, items);
      if (charges.every((charge) => charge.amount === 0n)) {
        if (hold.status === 'open') this.endHold(account, hold, 'released', at);
        this.letLapse(account, at);
        return [];
      }
      if (hold.status === 'released') throw new Refused('PC409', { reason: 'already_released' });

      // The hold's own slices first, the first drawn first; what is above them is drawn afresh.
      const late = hold.status === 'expired';
      const paid = charges.map(({ unit, amount }) => {
        const line = hold.lines.find((one) => one.unit === unit);
        const own = line && !late ? firstOf(line.slices, amount) : [];
        const above = amount - total(own);
        const fresh = above > 0n ? this.pay(account, unit, above, hold.memberId, at) : [];
        return { unit, amount, slices: [...own, ...fresh] };
      });
      this.endHold(account, hold, 'captured', at);
      hold.capturedAs = capturedAs;
      const entries = paid.map(({ unit, amount, slices }) => {
        const line = hold.lines.find((one) => one.unit === unit);
        if (line) line.captured = amount;
        else {
          const line = { unit, amount: 0n, captured: amount, slices: [] };
          hold.lines.push({ ...line, broughtByCapture: true });
        }
        return this.log(account, 'usage', unit, at, negative(slices), {
          operation: operationOf(items),
          memberId: hold.memberId,
          holdId,
          late,
        });
      });
      this.letLapse(account, at);
      this.topUpIfLow(account, at);
      return entries;
    });
  }

  /** What a capture comes to, at the hold's rates. */
  private charges(hold: Hold, what: Capture, items: Item[]): { unit: string; amount: Amount }[] {
    if (what.of === 'whole') return [...hold.lines].sort((a, b) => (a.unit < b.unit ? -1 : 1));
    if (what.of !== 'amount') return this.prices(hold.plan, hold.topUps, items);
    if (hold.lines.length > 1) {
      throw new Refused('PC422', { field: 'amount', reason: 'several_units' });
    }
    const [{ unit }] = hold.lines;
    return [{ unit, amount: what.amount === '0' ? 0n : this.checked(what.amount, unit) }];
  }

  release(accountId: string, holdId: number): Hold {
    return this.write(accountId, (account, at) => {
      const hold = findHold(account, holdId);
      if (hold.status === 'captured') throw new Refused('PC409', { reason: 'already_captured' });
      if (hold.status === 'open') this.endHold(account, hold, 'released', at);
      this.letLapse(account, at);
      return hold;
    });
  }

  /** What an open hold has taken returns to its lots. */
  private endHold(account: Account, hold: Hold, status: Hold['status'], at: Instant): void {
    if (hold.status === 'open') {
      for (const slice of hold.lines.flatMap((line) => line.slices)) {
        lotOf(account, slice).held -= slice.amount;
      }
    }
    hold.status = status;
    hold.endedAt = at;
  }

  // Giving and taking back.

  grant(accountId: string, grant: Grant): Lot {
    const { unit, bucket, expiresAt, priority, key } = grant;
    const request = JSON.stringify(['grant', unit, bucket, Number(grant.amount)]);
    const [lotId] = this.once(accountId, key, request, (account, at) => {
      const granted = this.checked(grant.amount, unit);
      if (expiresAt !== null && expiresAt <= at) {
        throw new Refused('PC422', { field: 'expires_at', reason: 'in_the_past' });
      }
      const draft = { unit, bucket, granted, expiresAt, priority, source: 'grant' as const };
      return [this.addLot(account, 'grant', at, draft, { key }).lotId];
    });
    // The lot as it is now, also when a key is used again after an expiry.
    this.write(accountId, () => {});
    return this.find(accountId).lots[lotId - 1];
  }

  claim(accountId: string, promotion: string, claimant: string): Lot {
    return this.write(accountId, (account, at) => {
      const gift = this.catalog.promotions.find((row) => row.promotion === promotion);
      if (!gift) throw new Refused('PC404', { what: 'promotion', key: promotion });
      const person = claimant.toLowerCase();
      const claimed = this.claims.some(
        (claim) =>
          claim.promotion === promotion &&
          (claim.claimant === person || claim.accountId === accountId),
      );
      if (claimed) throw new Refused('PC409', { reason: 'already_claimed', promotion });
      this.claims.push({ promotion, claimant: person, accountId });
      return this.addLot(account, 'grant', at, {
        unit: gift.unit ?? MAIN,
        bucket: 'additional',
        granted: toAmount(String(gift.amount)),
        expiresAt: gift.expires_after ? later(at, gift.expires_after) : null,
        priority: gift.priority ?? 100,
        source: 'promotion',
      });
    });
  }

  /** Back to the lots that a charge was drawn from, the last drawn first. */
  refund(
    accountId: string,
    seq: number,
    options: { amount: string | null; key: string | null; regrant: boolean },
  ): Entry {
    const { key, regrant } = options;
    const charge = this.find(accountId).entries[seq - 1];
    if (!charge) throw new Refused('PC404', { what: 'entry', key: String(seq) });
    if (charge.kind !== 'usage') {
      throw new Refused('PC422', { field: 'seq', reason: 'not_a_charge' });
    }
    const request = JSON.stringify(['refund', seq, options.amount]);
    const [made] = this.once(accountId, key, request, (account, at) => {
      const refunded = sum(
        account.entries.filter((entry) => entry.refundsSeq === seq).map((entry) => entry.amount),
      );
      const rest = -charge.amount - refunded;
      const amount = options.amount === null ? rest : this.checked(options.amount, charge.unit);
      if (amount <= 0n || amount > rest) {
        throw new Refused('PC409', { reason: 'more_refunded_than_charged' });
      }
      const lastFirst = [...charge.slices].reverse().map((slice) => negated(slice));
      const slices = firstOf(withoutFirst(lastFirst, refunded), amount);

      const lapsed = (slice: Slice) => {
        const { expiresAt } = lotOf(account, slice);
        return regrant && expiresAt !== null && expiresAt <= at;
      };
      const anew = (['additional', 'included'] as const)
        .map((bucket) => {
          const lost = slices.filter((slice) => lapsed(slice));
          const own = lost.filter((slice) => lotOf(account, slice).bucket === bucket);
          return { bucket, granted: total(own) };
        })
        .filter(({ granted }) => granted > 0n);
      const expiresAt = account.period?.end ?? later(startOfMonth(at), MONTH);
      const back = slices.filter((slice) => !lapsed(slice));
      for (const { bucket, granted } of anew) {
        const lot = this.newLot(account, at, {
          unit: charge.unit,
          bucket,
          granted,
          expiresAt,
          source: 'refund',
        });
        back.push({ lotId: lot.lotId, amount: granted });
      }
      const entry = this.log(account, 'refund', charge.unit, at, back, {
        operation: charge.operation,
        memberId: charge.memberId,
        key,
        refundsSeq: seq,
      });
      this.letLapse(account, at);
      return [entry.seq];
    });
    this.write(accountId, () => {});
    return this.find(accountId).entries[made - 1];
  }

  revoke(accountId: string, lotId: number, amount: string | null): Entry | null {
    return this.write(accountId, (account, at) => {
      const lot = account.lots[lotId - 1];
      if (!lot) throw new Refused('PC404', { what: 'lot', key: String(lotId) });
      const taken = amount === null ? available(lot) : this.checked(amount, lot.unit);
      if (taken > available(lot)) {
        throw new Refused('PC402', {
          unit: lot.unit,
          required: fromAmount(taken),
          available: fromAmount(available(lot)),
          shortfall: fromAmount(taken - available(lot)),
        });
      }
      if (taken === 0n) return null;
      return this.forfeit(account, 'revocation', lot, taken, at);
    });
  }

  // Purchases and top-ups.

  buy(accountId: string, packName: string, member: string | null, key: string | null): Purchase {
    this.checkAdmin(accountId, member);
    const request = JSON.stringify(['buy', packName, member]);
    const [purchaseId] = this.once(accountId, key, request, (account, at) => {
      const pack = this.catalog.packs.find((row) => row.pack === packName);
      if (!pack) throw new Refused('PC404', { what: 'pack', key: packName });
      if (pack.plans && !pack.plans.includes(account.plan ?? '')) {
        throw new Refused('PC403', { requires: 'plan', pack: packName });
      }
      const { unit } = pack;
      const figures = { unit, amount: toAmount(pack.amount), price: toAmount(pack.price) };
      const buyer = { memberId: member, key };
      return [this.addPurchase(account, 'pack', at, { pack: packName, ...figures, ...buyer })];
    });
    this.write(accountId, () => {});
    return this.find(accountId).purchases[purchaseId - 1];
  }

  settlePurchase(accountId: string, purchaseId: number, reference: string): Purchase {
    return this.write(accountId, (account, at) => {
      const purchase = findPurchase(account, purchaseId);
      if (purchase.settledAt !== null && purchase.reference === reference) return purchase;
      if (purchase.status === 'settled' || purchase.status === 'reversed') {
        throw new Refused('PC409', { reason: `already_${purchase.status}` });
      }
      if (account.purchases.some((other) => other.reference === reference)) {
        throw new Refused('PC409', { reason: 'payment_reference_used' });
      }
      purchase.status = 'settled';
      purchase.reference = reference;
      purchase.settledAt = at;
      purchase.declines = 0;
      purchase.nextAttemptAt = null;
      const kind = purchase.kind === 'pack' ? 'purchase' : 'top_up';
      const draft = {
        unit: purchase.unit,
        bucket: 'additional' as const,
        granted: purchase.amount,
        expiresAt: null,
        source: kind as Lot['source'],
        purchaseId,
        paid: purchase.price > 0n,
      };
      this.addLot(account, kind, at, draft, { purchaseId });
      this.topUpIfLow(account, at);
      return purchase;
    });
  }

  /** A declined top-up is tried again, after 1 and then 6 hours; the third time it fails and suspends top-ups. */
  failPurchase(accountId: string, purchaseId: number): Purchase {
    return this.write(accountId, (account, at) => {
      const purchase = findPurchase(account, purchaseId);
      if (purchase.status === 'settled' || purchase.status === 'reversed') {
        throw new Refused('PC409', { reason: `already_${purchase.status}` });
      }
      if (purchase.status === 'failed') return purchase;
      purchase.declines += 1;
      if (purchase.kind === 'top_up' && purchase.declines < 3) {
        purchase.nextAttemptAt = at + (purchase.declines === 1 ? HOUR : 6n * HOUR);
        return purchase;
      }
      purchase.status = 'failed';
      purchase.nextAttemptAt = null;
      if (purchase.kind === 'top_up' && account.topUps) {
        account.topUps.enabled = false;
        account.topUps.suspended = 'declined';
      }
      return purchase;
    });
  }

  /** Takes back what is left of the purchase's own lot; before it was settled, nothing may settle it any more. */
  reversePurchase(accountId: string, purchaseId: number, amount: string | null): Purchase {
    return this.write(accountId, (account, at) => {
      const purchase = findPurchase(account, purchaseId);
      const wanted = amount === null ? null : this.checked(amount, purchase.unit);
      if (purchase.status === 'reversed' && (wanted === null || purchase.settledAt === null)) {
        return purchase;
      }
      const rest = purchase.amount - (purchase.reversed - purchase.reinstated);
      const reversed = wanted ?? rest;
      if (reversed > rest) throw new Refused('PC409', { reason: 'more_reversed_than_bought' });
      purchase.reversed += reversed;
      purchase.nextAttemptAt = null;
      const lot = account.lots.find((one) => one.purchaseId === purchaseId);
      if (lot) {
        const taken = least(available(lot), reversed);
        purchase.shortfall += reversed - taken;
        if (taken > 0n) this.forfeit(account, 'revocation', lot, taken, at, { purchaseId });
      }
      if (!lot || reversed === rest) purchase.status = 'reversed';
      return purchase;
    });
  }

  /** Gives back what was reversed: it lowers the shortfall, and the rest returns to the purchase's own lot. */
  reinstatePurchase(accountId: string, purchaseId: number, amount: string | null): Purchase {
    return this.write(accountId, (account, at) => {
      const purchase = findPurchase(account, purchaseId);
      const wanted = amount === null ? null : this.checked(amount, purchase.unit);
      if (purchase.settledAt === null) throw new Refused('PC409', { reason: 'never_settled' });
      const reversed = purchase.reversed - purchase.reinstated;
      const back = wanted ?? reversed;
      if (back > reversed) throw new Refused('PC409', { reason: 'more_reinstated_than_reversed' });
      if (back === 0n) return purchase;
      const forgiven = least(back, purchase.shortfall);
      purchase.shortfall -= forgiven;
      purchase.reinstated += back;
      purchase.status = 'settled';
      const lot = account.lots.find((one) => one.purchaseId === purchaseId);
      if (lot && back > forgiven) {
        const kind = purchase.kind === 'pack' ? 'purchase' : 'top_up';
        const slice = { lotId: lot.lotId, amount: back - forgiven };
        lot.forfeited -= slice.amount;
        this.log(account, kind, lot.unit, at, [slice], { purchaseId });
      }
      return purchase;
    });
  }

  configureTopUp(
    accountId: string,
    settings: {
      enabled: boolean;
      threshold: string | null;
      amount: string | null;
      monthlyLimit: string | null;
      member: string | null;
    },
  ): TopUps {
    this.checkAdmin(accountId, settings.member);
    return this.write(accountId, (account, at) => {
      const { enabled } = settings;
      const set = (given: string | null, present: Amount | null | undefined) =>
        given === null ? (present ?? null) : toAmount(given);
      const threshold = set(settings.threshold, account.topUps?.threshold);
      const amount = set(settings.amount, account.topUps?.amount);
      const monthlyLimit =
        settings.monthlyLimit === 'Infinity'
          ? null
          : set(settings.monthlyLimit, account.topUps?.monthlyLimit);
      if (enabled && (threshold === null || amount === null)) {
        const field = threshold === null ? 'threshold' : 'amount';
        throw new Refused('PC422', { field, reason: 'missing' });
      }
      const afresh = { suspended: null, lookAgainAt: null };
      account.topUps = { enabled, threshold, amount, monthlyLimit, ...afresh };
      if (!enabled) {
        // One that waits for its next try has none.
        const waiting = account.purchases.find(
          (one) => isPendingTopUp(one) && one.nextAttemptAt !== null && one.nextAttemptAt > at,
        );
        if (waiting) {
          waiting.status = 'failed';
          waiting.nextAttemptAt = null;
        }
      }
      this.topUpIfLow(account, at);
      return account.topUps;
    });
  }

  /** Records a pending purchase when the total is below the threshold, unless something speaks against it. */
  private topUpIfLow(account: Account, at: Instant): void {
    const { topUps } = account;
    if (!topUps?.enabled || topUps.threshold === null || topUps.amount === null) return;
    const total = sum(this.inDrawOrder(account, MAIN, at).map(available));
    if (total >= topUps.threshold || !account.additionalEnabled) return;
    if (account.purchases.some(isPendingTopUp)) return;
    const thisMonth = account.purchases.filter(
      (one) =>
        one.kind === 'top_up' && one.status !== 'failed' && one.createdAt >= startOfMonth(at),
    );
    const bought = sum(thisMonth.map((one) => one.amount));
    if (topUps.monthlyLimit !== null && bought + topUps.amount > topUps.monthlyLimit) {
      topUps.lookAgainAt = later(startOfMonth(at), MONTH);
      return;
    }
    const cost = times(fraction(this.catalog.topUpPrice), fraction(topUps.amount));
    // Rounded up to whole cents.
    const price = 10_000n * rounded(times(cost, { n: 1n, d: 10_000n }), 'up');
    const figures = { unit: MAIN, amount: topUps.amount, price };
    this.addPurchase(account, 'top_up', at, { pack: null, ...figures, memberId: null, key: null });
  }

  private addPurchase(
    account: Account,
    kind: Purchase['kind'],
    at: Instant,
    draft: Pick<Purchase, 'pack' | 'unit' | 'amount' | 'price' | 'memberId' | 'key'>,
  ): number {
    account.purchases.push({
      purchaseId: account.purchases.length + 1,
      kind,
      ...draft,
      status: 'pending',
      reference: null,
      reversed: 0n,
      reinstated: 0n,
      shortfall: 0n,
      declines: 0,
      nextAttemptAt: null,
      createdAt: at,
      settledAt: null,
    });
    return account.purchases.length;
  }

  // What a team sets itself.

  configureAdditional(
    accountId: string,
    enabled: boolean,
    limit: string | null,
    member: string | null,
  ): Account {
    this.checkAdmin(accountId, member);
    return this.write(accountId, (account, at) => {
      const resumed = enabled && !account.additionalEnabled;
      account.additionalEnabled = enabled;
      if (limit !== null) account.additionalLimit = limit === 'Infinity' ? null : toAmount(limit);
      if (resumed) this.topUpIfLow(account, at);
      return account;
    });
  }

  addMember(
    accountId: string,
    memberId: string,
    role: 'admin' | 'member',
    cap: string | null,
    acting: string | null,
  ): void {
    this.checkAdmin(accountId, acting);
    this.find(accountId).members.set(memberId, { role, cap: cap === null ? null : toAmount(cap) });
  }

  removeMember(accountId: string, memberId: string, acting: string | null): void {
    this.checkAdmin(accountId, acting);
    const known = this.find(accountId).members.delete(memberId);
    if (!known) throw new Refused('PC404', { what: 'member', key: memberId });
  }

  /** The system itself, or an admin. */
  private checkAdmin(accountId: string, member: string | null): void {
    if (member === null) return;
    if (this.accounts.get(accountId)?.members.get(member)?.role !== 'admin') {
      throw new Refused('PC403', { requires: 'admin', member_id: member });
    }
  }

  // Meters.

  recordMeter(accountId: string, operation: string, level: string): Meter {
    return this.write(accountId, (account, at) => {
      let meter = account.meters.find((one) => one.operation === operation);
      const gate = this.unmetGate(account, [{ operation }]);
      // Less than before is always taken.
      const isMore = !meter || compare(fraction(level), meter.level) > 0;
      if (gate && isMore) throw gateRefusal(gate);
      if (!meter) {
        const none = { level: fraction(0), accrued: fraction(0), dueAt: null, shortfall: 0n };
        meter = { meterId: account.meters.length + 1, operation, readAt: at, ...none };
        account.meters.push(meter);
      }
      meter.accrued = plus(meter.accrued, times(meter.level, fraction(at - meter.readAt)));
      meter.readAt = at;
      meter.level = fraction(level);
      const idle = meter.level.n === 0n && meter.accrued.n === 0n;
      meter.dueAt = idle ? null : (meter.dueAt ?? midnightAfter(at));
      return meter;
    });
  }

  /** Charges a day its mean level, as far as credits reach. */
  private closeDay(account: Account, meter: Meter, midnight: Instant): void {
    const levelTime = plus(meter.accrued, times(meter.level, fraction(midnight - meter.readAt)));
    const mean = rounded(times(over(levelTime, fraction(DAY)), fraction(1_000_000)), 'half_up');
    meter.accrued = fraction(0);
    meter.readAt = midnight;
    meter.dueAt = meter.level.n > 0n ? midnight + DAY : null;
    const usage = { gb_days: Number(fromAmount(mean)) };
    const item = { operation: meter.operation, usage };
    const [{ unit, amount }] = this.prices(account.plan, topUpsEnabled(account), [item]);
    const slices = this.draw(account, unit, amount, midnight);
    meter.shortfall += amount - total(slices);
    const { operation } = meter;
    this.log(account, 'usage', unit, midnight, negative(slices), { operation });
  }

  // How time passes.

  settleDue(): void {
    for (const account of this.accounts.values()) {
      if (this.settle(account, this.now)) this.topUpIfLow(account, this.now);
    }
  }

  /** Does what falls due until an instant, one instant after another. Says whether there was anything. */
  private settle(account: Account, until: Instant, metersUntil = until): boolean {
    let anything = false;
    const { topUps } = account;
    if (topUps && topUps.lookAgainAt !== null && topUps.lookAgainAt <= until) {
      topUps.lookAgainAt = null;
      anything = true;
    }
    for (;;) {
      const dates = this.dueDates(account).filter(
        ({ at, meter }) => at <= until && (!meter || at <= metersUntil),
      );
      if (dates.length === 0) return anything;
      anything = true;
      this.fallDue(account, dates.map(({ at }) => at).reduce(least), metersUntil);
    }
  }

  private dueDates(account: Account): { at: Instant; meter: boolean }[] {
    const lots = account.lots.filter((lot) => available(lot) > 0n).map((lot) => lot.expiresAt);
    const holds = account.holds.filter((hold) => hold.status === 'open');
    const others = [...lots, ...holds.map((hold) => hold.expiresAt), account.period?.end ?? null];
    return [
      ...others.filter((at) => at !== null).map((at) => ({ at, meter: false })),
      ...account.meters
        .map((meter) => meter.dueAt)
        .filter((at) => at !== null)
        .map((at) => ({ at, meter: true })),
    ];
  }

  /** At one instant: holds end, lots expire, roll over or reset, the plan changes, refill, meters. */
  private fallDue(account: Account, at: Instant, metersUntil: Instant): void {
    for (const hold of account.holds) {
      if (hold.status === 'open' && hold.expiresAt === at)
        this.endHold(account, hold, 'expired', at);
    }
    this.letLapse(account, at);
    if (account.plan !== null && account.period?.end === at) {
      const present = this.plan(account.plan);
      if (account.cancels) this.endIncluded(account, at);
      else this.rollOver(account, present, at);
      this.nextPeriod(account, present, at);
    }
    for (const meter of account.meters) {
      if (meter.dueAt === at && at <= metersUntil) this.closeDay(account, meter, at);
    }
  }

  private nextPeriod(account: Account, present: PlanRow, at: Instant): void {
    if (account.cancels) {
      account.plan = null;
      account.period = null;
      account.cancels = false;
      return;
    }
    const plan = account.pendingPlan === null ? present : this.plan(account.pendingPlan);
    const sort = this.sort(plan.plan);
    const resumed = sort === this.sort(present.plan) ? null : this.resumable(account, sort, at);
    const anchor = account.period?.anchor ?? at;
    const next =
      plan.cadence === present.cadence
        ? followingPeriod(plan, anchor, at)
        : newPeriod(plan, at, at);
    if (resumed) this.resume(account, plan, resumed, at);
    else this.enter(account, plan, next, at);
  }

  /** What is over what may be carried ends, the oldest first. What is held never does. */
  private rollOver(account: Account, plan: PlanRow, at: Instant): void {
    for (const allowance of this.allowances(plan)) {
      const { unit = MAIN, rollover = 'none' } = allowance;
      if (rollover === 'all') continue;
      const included = account.lots.filter((lot) => lot.unit === unit && lot.bucket === 'included');
      const carried = sum(included.map((lot) => available(lot) + lot.held));
      let excess = carried - (rollover === 'capped' ? this.cap(allowance) : 0n);
      for (const lot of included) {
        const trimmed = least(available(lot), atLeastNone(excess));
        if (trimmed > 0n) this.forfeit(account, 'expiry', lot, trimmed, at);
        excess -= trimmed;
        // What a hold or a refund returns to it later is lost.
        if (rollover === 'none') lot.expiresAt = least(at, lot.expiresAt);
      }
    }
  }

  /** Included credits end with a subscription that is cancelled; what returns to them later is lost. */
  private endIncluded(account: Account, at: Instant): void {
    const included = account.lots.filter((lot) => lot.bucket === 'included');
    for (const lot of included) lot.expiresAt = least(at, lot.expiresAt);
    for (const { unit } of this.catalog.units) {
      for (const lot of included) {
        if (lot.unit === unit && available(lot) > 0n) {
          this.forfeit(account, 'expiry', lot, available(lot), at);
        }
      }
    }
  }

  /** Nobody's any more: what returned to the lot of a reversed purchase, and what is in a lot that has expired. */
  private letLapse(account: Account, at: Instant): void {
    for (const lot of account.lots) {
      const purchase = lot.purchaseId === null ? null : findPurchase(account, lot.purchaseId);
      const returned = least(available(lot), purchase?.shortfall ?? 0n);
      if (purchase && returned > 0n) {
        purchase.shortfall -= returned;
        this.forfeit(account, 'revocation', lot, returned, at, { purchaseId: purchase.purchaseId });
      }
      if (available(lot) > 0n && lot.expiresAt !== null && lot.expiresAt <= at) {
        this.forfeit(account, 'expiry', lot, available(lot), at);
      }
    }
  }

  /** A cap in whole steps of the unit, never above what was said. */
  private cap({ unit = MAIN, amount, rollover_cap, rollover_cap_multiple }: AllowanceRow): Amount {
    const cap =
      rollover_cap === undefined
        ? times(fraction(rollover_cap_multiple ?? 0), fraction(amount))
        : fraction(rollover_cap);
    const millionths = rounded(times(cap, fraction(1_000_000)), 'down');
    return millionths - (millionths % this.step(unit));
  }

  // Reading.

  balances(accountId: string, at: Instant | null): Balance[] {
    const account = copy(this.find(accountId));
    const present = this.timeOf(account);
    const then = at ?? present;
    this.settle(account, then, present);
    return this.catalog.units.map(({ unit }) => {
      const usable = this.inDrawOrder(account, unit, then);
      const inBucket = (bucket: Bucket) =>
        sum(usable.filter((lot) => lot.bucket === bucket).map(available));
      const included = inBucket('included');
      const additional = inBucket('additional');
      const held = sum(account.lots.filter((lot) => lot.unit === unit).map((lot) => lot.held));
      const nextRefillAt = this.nextRefillAt(account, unit);
      return { unit, included, additional, held, total: included + additional, nextRefillAt };
    });
  }

  /** The instants from now on at which something of an account falls due, soonest first: what tests aim at. */
  upcoming(accountId: string): Instant[] {
    const account = this.accounts.get(accountId);
    if (!account) return [];
    const lots = account.lots.filter((lot) => lot.granted > lot.spent + lot.forfeited);
    const attempts = account.purchases.map((purchase) => purchase.nextAttemptAt);
    const instants = [
      ...this.dueDates(account).map(({ at }) => at),
      ...lots.map((lot) => lot.expiresAt),
      ...attempts,
      account.left.paid?.period.end ?? null,
      account.left.free?.period.end ?? null,
    ].filter((at) => at !== null);
    return [...new Set(instants)].filter((at) => at > this.now).sort((a, b) => (a < b ? -1 : 1));
  }

  private nextRefillAt(account: Account, unit: string): Instant | null {
    const next = account.pendingPlan ?? account.plan;
    if (next === null || account.cancels) return null;
    const refills = this.allowances(this.plan(next)).some(
      (row) => (row.unit ?? MAIN) === unit && toAmount(String(row.amount)) > 0n,
    );
    return refills ? (account.period?.end ?? null) : null;
  }

  private inDrawOrder(account: Account, unit: string, at: Instant): Lot[] {
    const rank = (lot: Lot): (number | bigint)[] => [
      lot.bucket === 'included' ? 0 : 1,
      lot.priority,
      lot.expiresAt === null ? 1 : 0,
      lot.expiresAt ?? 0n,
      lot.paid ? 1 : 0,
      lot.startsAt,
      lot.lotId,
    ];
    return account.lots
      .filter((lot) => lot.unit === unit && available(lot) > 0n && lot.startsAt <= at)
      .filter((lot) => lot.expiresAt === null || at < lot.expiresAt)
      .sort((a, b) => {
        const [as, bs] = [rank(a), rank(b)];
        const differs = as.findIndex((value, index) => value !== bs[index]);
        return as[differs] < bs[differs] ? -1 : 1;
      });
  }

  // The log.

  private newLot(
    account: Account,
    at: Instant,
    draft: Pick<Lot, 'unit' | 'bucket' | 'granted' | 'expiresAt' | 'source'> & Partial<Lot>,
  ): Lot {
    const lot: Lot = {
      lotId: account.lots.length + 1,
      priority: 100,
      spent: 0n,
      held: 0n,
      forfeited: 0n,
      startsAt: at,
      purchaseId: null,
      paid: false,
      ...draft,
    };
    account.lots.push(lot);
    return lot;
  }

  private addLot(
    account: Account,
    kind: Entry['kind'],
    at: Instant,
    draft: Parameters<WholeLedger['newLot']>[2],
    labels: Partial<Entry> = {},
  ): Lot {
    const lot = this.newLot(account, at, draft);
    const slice = { lotId: lot.lotId, amount: lot.granted };
    this.log(account, kind, lot.unit, at, [slice], labels);
    return lot;
  }

  private forfeit(
    account: Account,
    kind: 'expiry' | 'revocation',
    lot: Lot,
    amount: Amount,
    at: Instant,
    labels: Partial<Entry> = {},
  ): Entry {
    const slice = { lotId: lot.lotId, amount: -amount };
    return this.log(account, kind, lot.unit, at, [slice], labels);
  }

  /** Writes an entry and changes the lots by it; a lot that is new has been granted already. */
  private log(
    account: Account,
    kind: Entry['kind'],
    unit: string,
    at: Instant,
    slices: Slice[],
    labels: Partial<Entry> = {},
  ): Entry {
    const isNew = (lot: Lot) => !account.entries.some((entry) => touches(entry, lot));
    const inBucket = (bucket: Bucket) =>
      total(slices.filter((slice) => lotOf(account, slice).bucket === bucket));
    for (const slice of slices) {
      const lot = lotOf(account, slice);
      if (kind === 'expiry' || kind === 'revocation') lot.forfeited -= slice.amount;
      else if (kind === 'usage' || (kind === 'refund' && !isNew(lot))) lot.spent -= slice.amount;
    }
    const lots = account.lots.filter((lot) => lot.unit === unit);
    const entry: Entry = {
      seq: account.entries.length + 1,
      unit,
      kind,
      operation: null,
      amount: total(slices),
      included: inBucket('included'),
      additional: inBucket('additional'),
      balanceAfter: sum(lots.map((lot) => available(lot) + lot.held)),
      memberId: null,
      key: null,
      refundsSeq: null,
      holdId: null,
      purchaseId: null,
      late: false,
      occurredAt: at,
      slices,
      ...labels,
    };
    account.entries.push(entry);
    return entry;
  }

  // What everything above asks.

  find(accountId: string): Account {
    const account = this.accounts.get(accountId);
    if (!account) throw new Refused('PC404', { what: 'account', key: accountId });
    return account;
  }

  private plan(name: string): PlanRow {
    const plan = this.catalog.plans.find((row) => row.plan === name);
    if (!plan) throw new Refused('PC404', { what: 'plan', key: name });
    return plan;
  }

  private sort(plan: string): 'paid' | 'free' {
    return this.catalog.plans.find((row) => row.plan === plan)?.paid ? 'paid' : 'free';
  }

  private allowances(plan: PlanRow): AllowanceRow[] {
    return this.catalog.allowances
      .filter((row) => row.plan === plan.plan)
      .sort((a, b) => ((a.unit ?? MAIN) < (b.unit ?? MAIN) ? -1 : 1));
  }

  /** The smallest amount of a unit. */
  private step(unit: string): Amount {
    const row = this.catalog.units.find((one) => one.unit === unit);
    if (!row) throw new Refused('PC422', { field: 'unit', reason: 'unknown' });
    return 10n ** BigInt(6 - row.scale);
  }

  /** An amount that a caller gives: above 0 and within the unit's scale. */
  private checked(amount: string, unit: string): Amount {
    const step = this.step(unit);
    const millionths = times(fraction(amount), fraction(1_000_000));
    if (millionths.n <= 0n) throw new Refused('PC422', { field: 'amount', reason: 'not_positive' });
    if (millionths.n % (millionths.d * step) !== 0n) {
      throw new Refused('PC422', { field: 'amount', reason: 'too_fine' });
    }
    return millionths.n / millionths.d;
  }

  /** The clock, but never behind the account's last entry. */
  timeOf(account: Account): Instant {
    const last = account.entries.at(-1);
    return last && last.occurredAt > this.now ? last.occurredAt : this.now;
  }

  /** Does a write at the account's time, after what was due: all of it or nothing. */
  private write<Result>(
    accountId: string,
    work: (account: Account, at: Instant) => Result,
  ): Result {
    const draft = copy(this.find(accountId));
    const at = this.timeOf(draft);
    if (this.settle(draft, at)) this.topUpIfLow(draft, at);
    const result = work(draft, at);
    this.accounts.set(accountId, draft);
    return result;
  }

  /** A write with a key: the same request again makes nothing new, another one is refused. */
  private once(
    accountId: string,
    key: string | null,
    request: string,
    work: (account: Account, at: Instant) => number[],
  ): number[] {
    const original = key === null ? undefined : this.find(accountId).requests.get(key);
    if (original && original.request !== request) {
      throw new Refused('PC409', { reason: 'idempotency_key_reused', idempotency_key: key });
    }
    if (original) return original.made;
    return this.write(accountId, (account, at) => {
      const made = work(account, at);
      if (key !== null) account.requests.set(key, { request, made });
      return made;
    });
  }
}

function newAccount(): Account {
  return {
    plan: null,
    period: null,
    pendingPlan: null,
    cancels: false,
    left: { paid: null, free: null },
    lots: [],
    entries: [],
    holds: [],
    purchases: [],
    members: new Map(),
    topUps: null,
    additionalEnabled: true,
    additionalLimit: null,
    meters: [],
    requests: new Map(),
  };
}

/** The same account, free to change; entries and requests never change. */
function copy({ entries, requests, ...account }: Account): Account {
  return { ...structuredClone(account), entries: [...entries], requests: new Map(requests) };
}

function newPeriod(plan: PlanRow, anchor: Instant, at: Instant): Period {
  return { start: at, end: periodAt(plan, anchor, at).end, anchor, granted: new Map() };
}

/** Two plans whose periods are the same, if they are anchored alike. */
function hasSamePeriods(a: PlanRow, b: PlanRow): boolean {
  const periods = ({ cadence, anchored_to = 'subscription', time_zone = 'UTC' }: PlanRow) =>
    [cadence, anchored_to, time_zone].join();
  return periods(a) === periods(b);
}

/**
 * The period that begins where another one ends. If that is no boundary of the plan's, its periods count from there, and the
 * first one ends at the boundary that is nearest to a whole period.
 */
function followingPeriod(plan: PlanRow, anchor: Instant, at: Instant): Period {
  const { start, end } = periodAt(plan, anchor, at);
  if (start === at) return { start, end, anchor, granted: new Map() };
  const halves = { day: 12n, week: 84n, month: 365n, year: 4383n, none: 0n };
  const nearest = periodAt(plan, at, at + halves[plan.cadence] * HOUR).end;
  return { start: at, end: nearest, anchor: at, granted: new Map() };
}

/** When an allowance ends: with its period, or, if it rolls over, after the periods that it lives, or never. */
function endOfAllowance(plan: PlanRow, period: Period, allowance: AllowanceRow): Instant | null {
  if ((allowance.rollover ?? 'none') === 'none') return period.end;
  if (allowance.lives_periods === undefined || period.end === null) return null;
  if (allowance.lives_periods === 1) return period.end;
  // The period may be one of other plans, which this one's follow.
  const next = followingPeriod(plan, period.anchor, period.end);
  return endOfPeriods(plan, next.anchor, next.end as Instant, allowance.lives_periods - 2);
}

function findHold(account: Account, holdId: number): Hold {
  const hold = account.holds[holdId - 1];
  if (!hold) throw new Refused('PC404', { what: 'hold', key: String(holdId) });
  return hold;
}

function findPurchase(account: Account, purchaseId: number): Purchase {
  const purchase = account.purchases[purchaseId - 1];
  if (!purchase) throw new Refused('PC404', { what: 'purchase', key: String(purchaseId) });
  return purchase;
}

function gateRefusal(gate: { requires: string; operation: string }): Refused {
  return new Refused('PC403', { requires: gate.requires, operation: gate.operation });
}

const lotOf = (account: Account, slice: Slice): Lot => account.lots[slice.lotId - 1];
const touches = (entry: Entry, lot: Lot) => entry.slices.some((slice) => slice.lotId === lot.lotId);
const total = (slices: Slice[]): Amount => sum(slices.map((slice) => slice.amount));
const negated = (slice: Slice): Slice => ({ lotId: slice.lotId, amount: -slice.amount });
const negative = (slices: Slice[]): Slice[] => slices.map(negated);
const topUpsEnabled = (account: Account): boolean => account.topUps?.enabled ?? false;
const isPendingTopUp = (one: Purchase): boolean =>
  one.kind === 'top_up' && one.status === 'pending';
const openHolds = (account: Account, at: Instant): Hold[] =>
  account.holds.filter((hold) => hold.status === 'open' && hold.expiresAt > at);

/** The first slices that come to an amount, the last of them in part. */
function firstOf(slices: Slice[], amount: Amount): Slice[] {
  let due = amount;
  return slices.flatMap((slice) => {
    const part = least(slice.amount, due);
    due -= part;
    return part > 0n ? [{ lotId: slice.lotId, amount: part }] : [];
  });
}

/** What is left of slices after the first that come to an amount. */
function withoutFirst(slices: Slice[], amount: Amount): Slice[] {
  let gone = amount;
  return slices.flatMap((slice) => {
    const part = least(slice.amount, gone);
    gone -= part;
    return part < slice.amount ? [{ lotId: slice.lotId, amount: slice.amount - part }] : [];
  });
}

/** A job as requests are compared: usage in any order is the same. */
function jobOf(items: Item[]): unknown {
  return items.map(({ operation, usage = {} }) => [
    operation,
    Object.entries(usage).sort(([a], [b]) => (a < b ? -1 : 1)),
  ]);
}

const operationOf = (items: Item[]): string | null =>
  items.every((item) => item.operation === items[0].operation) ? items[0].operation : null;

const midnightAfter = (at: Instant): Instant => at - (at % DAY) + DAY;

function startOfMonth(at: Instant): Instant {
  return instant(`${localTime(at, 'UTC').toPlainDate().with({ day: 1 })}T00:00Z`);
}

function later(at: Instant, duration: string): Instant {
  return instantOf(localTime(at, 'UTC').add(duration), 'UTC');
}
