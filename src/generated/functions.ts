// Generated from the database by scripts/generate-types.ts. Do not edit.

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json | undefined };

/** A team or user of the application that has a balance. */
export interface AccountsRow {
  /** The application's own id, 1 to 64 characters. */
  account_id: string;
  /** The card whose prices apply; kept when the plan ends. */
  rate_card: string;
  /** The plan that it is subscribed to; null: none. */
  plan: string | null;
  /** Sets the phase of the periods: they end at anchor + n periods. */
  anchor: Date | null;
  /** The n of the present period, which begins at anchor + n periods. */
  period_index: number | null;
  /** Start of the present period as last settled. */
  period_start: Date | null;
  /** End of the present period as last settled; the next refill is due then. */
  period_end: Date | null;
  /** Nothing falls due before this instant: the first period end or expiry ahead. */
  next_due_at: Date;
  /** When the account was opened. */
  opened_at: Date;
}

/** What an account has in one unit; total = included + additional, without what is held. */
export interface BalanceRow {
  unit: string;
  included: string;
  additional: string;
  held: string;
  total: string;
  next_refill_at: Date;
}

/** The log of every change of a balance, append-only. seq has no gaps and occurred_at never decreases along it. */
export interface EntriesRow {
  /** Whose balance changed. */
  account_id: string;
  /** Counts the account's entries from 1. */
  seq: string;
  /** The unit that changed; an operation priced in two units gives two entries. */
  unit: string;
  /** refill, grant, purchase, top_up, usage, refund, expiry or revocation. */
  kind: string;
  /** What was used; null where nothing was, or where the items of a job differ. */
  operation: string | null;
  /** The change, negative when credits leave. */
  amount: string;
  /** The part of the amount in included credits. */
  included: string;
  /** The part of the amount in additional credits. */
  additional: string;
  /** Available and held in this unit, after the change. */
  balance_after: string;
  /** The application's label of who did it. */
  member_id: string | null;
  /** The usage of the operation; a list of {operation, usage} where a job had several items. */
  usage: Json | null;
  /** What the price consisted of: lines whose amounts add up to what was charged. */
  breakdown: Json | null;
  /** The caller's key of the request. */
  idempotency_key: string | null;
  /** The entry that this one refunds. */
  refunds_seq: string | null;
  /** Why, as the caller put it. */
  reason: string | null;
  /** When it took effect: a boundary's own instant, even if it was recorded later. */
  occurred_at: Date;
  /** When it was written. */
  recorded_at: Date;
  /** The application's own. */
  metadata: Json | null;
}

/** Something that a plan includes besides credits. */
export interface FeatureRow {
  feature: string;
  value: Json;
}

/** One operation of a job, with its usage. */
export interface ItemRow {
  /** The operation. */
  operation: string;
  /** Its attributes and measures, as a JSON object; null: none. */
  usage: Json | null;
}

/** One grant of one unit in one bucket, usable in [starts_at, expires_at). granted = available + held + spent + forfeited. */
export interface LotsRow {
  /** Whose lot it is. */
  account_id: string;
  /** Counts the account's lots from 1. */
  lot_id: string;
  /** What was granted. */
  unit: string;
  /** included is drawn before additional. */
  bucket: string;
  /** Within a bucket, lower is drawn first. */
  priority: number;
  /** How much was granted. */
  granted: string;
  /** How much was used, less refunds. */
  spent: string;
  /** How much is reserved by open holds. */
  held: string;
  /** How much expired unspent or was taken back. */
  forfeited: string;
  /** What can be drawn: granted - spent - held - forfeited. */
  available: string;
  /** Whether anything is available or held. */
  open: boolean;
  /** Counts its postings: the last one explains granted, spent and forfeited. */
  version: string;
  /** Usable from this instant. */
  starts_at: Date;
  /** Usable until just before this instant; null: without expiry. */
  expires_at: Date | null;
  /** refill, grant, promotion, purchase, top_up or refund. */
  source: string;
  /** Why it was granted, as the caller put it. */
  reason: string | null;
  /** The purchase that paid for it. */
  purchase_id: string | null;
  /** What was paid; null where nothing was. */
  price: string | null;
  /** The currency of the price, ISO 4217. */
  currency: string | null;
}

/** What an operation costs in one unit, and whether the account can pay it. */
export interface QuoteLineRow {
  unit: string;
  /** The price, rounded to the unit's scale. */
  amount: string;
  /** What this spend could draw, after pauses and limits. */
  available: string;
  affordable: boolean;
  /** Null, or the first of plan_required, top_ups_required, additional_paused, period_limit, member_cap, insufficient_credits. */
  blocked_by: string | null;
  /** Lines whose amounts add up to the amount. */
  breakdown: Json;
}

/** One line of the rate card that applies to an account. */
export interface RateRow {
  category: string;
  operation: string;
  operation_name: string;
  component: string;
  match: Json;
  unit: string;
  price: string;
  measure: string;
  per: string;
  quantity_rounding: string;
  minimum_quantity: string;
  tiers: Json;
  minimum_charge: string;
  maximum_charge: string;
  optional: boolean;
  multipliers: Json;
  rate_id: string;
}

/** An invariant of the ledger that does not hold. */
export interface ViolationRow {
  account_id: string;
  rule: string;
  detail: Json;
}

/** One operation of a job, with its usage. */
export interface ItemInput {
  /** The operation. */
  operation: string;
  /** Its attributes and measures, as a JSON object; null: none. */
  usage?: Json | null;
}

/** The functions of the schema `credits`: what each takes, and a row of what it returns. */
export interface Functions {
  /** The log of an account, newest first: entries that occurred in [since, until), of these kinds, by this member. Shows what has been settled. PC403 another account; PC404 unknown account. */
  activity: {
    arguments: { account_id: string; since?: Date | string | null; until?: Date | string | null; kinds?: string[] | null; member_id?: string | null };
    row: EntriesRow;
  };
  /** What an account has: one row for every unit of its card, the main unit first. total = included + additional; held is apart. at later than now: a forecast with no further usage. PC403 another account; PC404 unknown account; PC422 a time in the past, or over 100 years ahead. */
  balances: {
    arguments: { account_id: string; at?: Date | string | null };
    row: BalanceRow;
  };
  /** Gives an account a one-time promotion: once per claimant (a verified e-mail address, compared in lower case) and once per account. PC404 unknown account or promotion; PC409 already claimed; PC422 no claimant. Service only. */
  claim: {
    arguments: { account_id: string; promotion: string; claimant: string };
    row: LotsRow;
  };
  /** The same entries as activity, in no order: for a caller that sorts and pages by seq itself, as the API does. PC403 another account; PC404 unknown account. */
  entries_matching: {
    arguments: { account_id: string; since?: Date | string | null; until?: Date | string | null; kinds?: string[] | null; member_id?: string | null };
    row: EntriesRow;
  };
  /** What the account's plan includes besides credits. PC403 another account; PC404 unknown account. */
  features: {
    arguments: { account_id: string };
    row: FeatureRow;
  };
  /** Gives an account credits: one lot, and its entry. expires_at null: without expiry. Lower priority is drawn first within the bucket. PC404 unknown account; PC409 key reused; PC422 amount not positive or finer than the unit's scale, unknown unit or bucket, expiry in the past. Service only. */
  grant: {
    arguments: { account_id: string; amount: string | number; unit?: string | null; bucket?: string | null; expires_at?: Date | string | null; priority?: number | null; reason?: string | null; idempotency_key?: string | null };
    row: LotsRow;
  };
  /** An operation with its usage, for quote_items and spend_items: array[credits.item('upload', '{"asset":"video"}'), ...]. */
  item: {
    arguments: { operation: string; usage?: Json | null };
    row: ItemRow;
  };
  /** Opens an account, on a plan if one is named: its first allowance is there at once. Repeatable: an open account is returned as it is. anchor sets the phase of the periods (default: now). PC404 unknown plan; PC409 open with another plan or card; PC422 no rate card to choose, or bad account_id. Service only. */
  open_account: {
    arguments: { account_id: string; plan?: string | null; anchor?: Date | string | null; rate_card?: string | null };
    row: AccountsRow;
  };
  /** The price of one operation, before it is spent: one row a unit with amount, what is available, and what blocks it. PC403 another account; PC404 unknown account or operation; PC422 bad usage, or no rate for it. */
  quote: {
    arguments: { account_id: string; operation: string; usage?: Json | null };
    row: QuoteLineRow;
  };
  /** The price of several operations together, before they are spent: one row a unit with amount, what is available, and what blocks it. PC403 another account; PC404 unknown account or operation; PC422 bad usage, or no rate for it. */
  quote_items: {
    arguments: { account_id: string; items: ItemInput[] };
    row: QuoteLineRow;
  };
  /** The rate card that applies to the account now, by category: a row a rate, with the multipliers on it. PC403 another account; PC404 unknown account. */
  rates: {
    arguments: { account_id: string };
    row: RateRow;
  };
  /** Writes down what has fallen due (expiries, rollovers, refills) in up to "batch" accounts, skipping locked ones, and returns how many. The worker calls it until it returns 0. Balances never wait for it. Service only. */
  settle_due: {
    arguments: { batch?: number | null };
    row: { settle_due: number };
  };
  /** Charges one operation: rates the usage, draws lots in draw order, and returns the entries, one a unit. max_amount is the price that the user was shown. The same idempotency_key again returns the original entries. PC402 not enough credits; PC403 a gate; PC404 unknown account or operation; PC409 key reused, or price above max_amount; PC422 bad usage. Service only. */
  spend: {
    arguments: { account_id: string; operation: string; usage?: Json | null; idempotency_key?: string | null; member_id?: string | null; max_amount?: string | number | null; metadata?: Json | null };
    row: EntriesRow;
  };
  /** Charges several operations together, all or nothing: one entry a unit for the whole job. The same idempotency_key again returns the original entries. PC402 not enough credits; PC403 a gate; PC404 unknown account or operation; PC409 key reused, or price above max_amount; PC422 bad usage. Service only. */
  spend_items: {
    arguments: { account_id: string; items: ItemInput[]; idempotency_key?: string | null; member_id?: string | null; max_amount?: string | number | null; metadata?: Json | null };
    row: EntriesRow;
  };
  /** Subscribes an account to a plan: the period that contains now begins, with its whole allowance. Again with the same plan changes nothing. anchor sets the phase of the periods (default: now). PC404 unknown account or plan; PC409 another plan, or a plan of another card. Service only: the application has taken the money. */
  subscribe: {
    arguments: { account_id: string; plan: string; anchor?: Date | string | null };
    row: AccountsRow;
  };
  /** Audits the ledger, of one account or of all: a row for every invariant that does not hold, none when it is sound. PC403 unless service or analyst. */
  verify: {
    arguments: { account_id?: string | null };
    row: ViolationRow;
  };
}

/** The SQL types of their arguments, in order, and whether they return any number of rows or exactly one. */
export const functions = {
  activity: { arguments: { account_id: 'text', since: 'timestamp with time zone', until: 'timestamp with time zone', kinds: 'text[]', member_id: 'text' }, set: true },
  balances: { arguments: { account_id: 'text', at: 'timestamp with time zone' }, set: true },
  claim: { arguments: { account_id: 'text', promotion: 'text', claimant: 'text' }, set: false },
  entries_matching: { arguments: { account_id: 'text', since: 'timestamp with time zone', until: 'timestamp with time zone', kinds: 'text[]', member_id: 'text' }, set: true },
  features: { arguments: { account_id: 'text' }, set: true },
  grant: { arguments: { account_id: 'text', amount: 'numeric', unit: 'text', bucket: 'text', expires_at: 'timestamp with time zone', priority: 'integer', reason: 'text', idempotency_key: 'text' }, set: false },
  item: { arguments: { operation: 'text', usage: 'jsonb' }, set: false },
  open_account: { arguments: { account_id: 'text', plan: 'text', anchor: 'timestamp with time zone', rate_card: 'text' }, set: false },
  quote: { arguments: { account_id: 'text', operation: 'text', usage: 'jsonb' }, set: true },
  quote_items: { arguments: { account_id: 'text', items: 'credits.item[]' }, set: true },
  rates: { arguments: { account_id: 'text' }, set: true },
  settle_due: { arguments: { batch: 'integer' }, set: false },
  spend: { arguments: { account_id: 'text', operation: 'text', usage: 'jsonb', idempotency_key: 'text', member_id: 'text', max_amount: 'numeric', metadata: 'jsonb' }, set: true },
  spend_items: { arguments: { account_id: 'text', items: 'credits.item[]', idempotency_key: 'text', member_id: 'text', max_amount: 'numeric', metadata: 'jsonb' }, set: true },
  subscribe: { arguments: { account_id: 'text', plan: 'text', anchor: 'timestamp with time zone' }, set: false },
  verify: { arguments: { account_id: 'text' }, set: true },
} as const;
