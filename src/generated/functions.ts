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
  /** When the present period began, as last settled: at its boundary, or at the instant within it at which the plan did. */
  period_start: Date | null;
  /** End of the present period as last settled; the next refill is due then. */
  period_end: Date | null;
  /** The plan that takes over at the period's end. */
  pending_plan: string | null;
  /** The plan ends with the period, and the included credits with it. */
  cancels_at_period_end: boolean;
  /** false: additional credits are paused, only included ones are drawn. */
  additional_enabled: boolean;
  /** At most this much of the additional credits is drawn in a period, in the card's main unit; null: no limit. */
  additional_period_limit: string | null;
  /** Whether automatic top-ups are enabled, as top_up_settings has it. */
  top_ups: boolean;
  /** Whether a hold or a purchase of it has an idempotency key. If none has, a spend looks for its key in the log alone. */
  has_other_keys: boolean;
  /** Nothing falls due before this instant: the first period end, expiry of a lot or end of a hold ahead. */
  next_due_at: Date;
  /** When the account was opened. */
  opened_at: Date;
  /** Changes before this instant are announced to who watches the balances; null: nobody did. */
  watched_until: Date | null;
  /** When the worker tries again to settle it, which it could not; null: it always could. */
  sweep_again_at: Date | null;
}

/** What an account has in one unit; total = included + additional, without what is held. */
export interface BalanceRow {
  /** The unit. */
  unit: string;
  /** What is available of the plan's allowance. */
  included: string;
  /** What is available of what was bought, topped up or given. */
  additional: string;
  /** What is reserved by open holds, and so not available. */
  held: string;
  /** What is available: included + additional. */
  total: string;
  /** When the plan next grants this unit; null: not at all. */
  next_refill_at: Date | null;
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
  /** The hold that this entry captured. */
  hold_id: string | null;
  /** The purchase that this entry credited or took back. */
  purchase_id: string | null;
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
  /** What it is, such as "seats". */
  feature: string;
  /** How much or which of it, as JSON. */
  value: Json;
}

/** Credits reserved for a job whose price is not known yet: a row a unit, all of one request with one hold_id. */
export interface HoldsRow {
  /** Whose credits are held. */
  account_id: string;
  /** Counts the account's holds from 1. */
  hold_id: string;
  /** The unit that is held. */
  unit: string;
  /** How much was held; 0 for a unit that only the capture brought. */
  amount: string;
  /** How much of it, or above it, was charged in the end. */
  captured: string;
  /** open, captured, released or expired. */
  status: string;
  /** What it was authorized for; null where the items of the job differ. */
  operation: string | null;
  /** The usage it was authorized for; a list of {operation, usage} where the job had several items. */
  usage: Json;
  /** What the amount consisted of. */
  breakdown: Json;
  /** The plan at the authorization: a capture is priced at its rates. */
  plan: string | null;
  /** Whether top-ups were enabled at the authorization. */
  top_ups: boolean;
  /** The application's label of who asked for it. */
  member_id: string | null;
  /** The caller's key of the authorization. */
  idempotency_key: string | null;
  /** When it was taken: the instant whose rates apply. */
  authorized_at: Date;
  /** It is over from this instant, unless captured or released before. */
  expires_at: Date;
  /** When it was captured, released or expired. */
  ended_at: Date | null;
  /** What was captured, to tell a repeated capture from another one. */
  capture_request: Json | null;
  /** The application's own. */
  metadata: Json | null;
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
  /** The bucket's place in the draw order, copied so that drawing needs no join. */
  draw_order: number;
  /** Whether the bucket counts as included or additional, copied likewise. */
  counts_as: string;
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
  /** The plan whose allowance it is. */
  plan: string | null;
  /** Why it was granted, as the caller put it. */
  reason: string | null;
  /** The purchase that paid for it. */
  purchase_id: string | null;
  /** What was paid; null where nothing was. */
  price: string | null;
  /** The currency of the price, ISO 4217. */
  currency: string | null;
}

/** Members of a team with a role or a cap of their own. A spend may name others too: member_id is a label. */
export interface MembersRow {
  /** The team. */
  account_id: string;
  /** The application's id of the person. */
  member_id: string;
  /** admin: may buy, configure and manage members; member: may not. */
  role: string;
  /** At most this much may they draw in a period, in the card's main unit; null: no cap. */
  period_cap: string | null;
  /** When they were added. */
  added_at: Date;
}

/** Gauges: each UTC day is charged the time-weighted mean of the level, at midnight. */
export interface MetersRow {
  /** Whose meter it is. */
  account_id: string;
  /** Counts the account's meters from 1. */
  meter_id: string;
  /** The operation that is charged. */
  operation: string;
  /** The attributes of what is measured. */
  usage: Json;
  /** The measure of the operation's rates: the mean level is charged as so much of it a day. */
  measure: string;
  /** The present level, such as 12.5 GB. */
  level: string;
  /** Since when the level holds, or since when it is accrued. */
  read_at: Date;
  /** Level times seconds since charged_until, until read_at. */
  accrued: string;
  /** The start of the UTC day that is not yet charged. */
  charged_until: Date;
  /** What it is charged in. */
  unit: string;
  /** What could not be charged because the credits had run out, in all. */
  shortfall: string;
}

/** Who an account is at a payment provider: top-ups are charged to the card that this customer has saved there. */
export interface PaymentCustomersRow {
  /** The account. */
  account_id: string;
  /** The provider, such as "stripe". */
  provider: string;
  /** The provider's own id of the customer. */
  customer_id: string;
  /** When it was saved, or last changed. */
  saved_at: Date;
}

/** Packs bought and automatic top-ups. Nothing of a purchase is spendable until it is settled. */
export interface PurchasesRow {
  /** Who buys. */
  account_id: string;
  /** Counts the account's purchases from 1. */
  purchase_id: string;
  /** pack, bought by a person; or top_up, by a balance below the threshold. */
  kind: string;
  /** The pack of the rate card. */
  pack: string | null;
  /** What is bought. */
  unit: string;
  /** How much of it. */
  amount: string;
  /** What it costs, in whole currency units such as dollars. */
  price: string;
  /** ISO 4217 code. */
  currency: string;
  /** pending, settled, failed or reversed. */
  status: string;
  /** The payment provider's id of the payment that settled it. */
  payment_reference: string | null;
  /** What a reversal could not take back, because it was spent or held, and has not returned to the lot since. */
  shortfall: string;
  /** How much of it was reversed, taken back or not, in all. */
  reversed_amount: string;
  /** How much of what was reversed was given back since, as by a dispute that was won. */
  reinstated_amount: string;
  /** How often the charge of a top-up was declined in a row. */
  declines: number;
  /** When the worker tries to charge a top-up again. */
  next_attempt_at: Date | null;
  /** Why it failed or was reversed. */
  reason: string | null;
  /** Who bought it. */
  member_id: string | null;
  /** The caller's key of the request. */
  idempotency_key: string | null;
  /** When it was recorded. */
  created_at: Date;
  /** When the payment was reported. */
  settled_at: Date | null;
}

/** What an operation costs in one unit, and whether the account can pay it. */
export interface QuoteLineRow {
  /** The unit. */
  unit: string;
  /** The price, rounded to the unit's scale. */
  amount: string;
  /** What this spend could draw, after pauses and limits. */
  available: string;
  /** Whether spend would charge it now. */
  affordable: boolean;
  /** Null, or the first of plan_required, top_ups_required, additional_paused, period_limit, member_cap, insufficient_credits. */
  blocked_by: string | null;
  /** Lines whose amounts add up to the amount. */
  breakdown: Json;
}

/** One line of the rate card that applies to an account. */
export interface RateRow {
  /** The heading it stands under. */
  category: string;
  /** The operation that it prices. */
  operation: string;
  /** The operation's name for people. */
  operation_name: string;
  /** The part of the price: components add up. */
  component: string;
  /** Attributes that the usage must contain. */
  match: Json;
  /** What the price is in. */
  unit: string;
  /** Price for "per" of the measure, or for one use; null with tiers. */
  price: string | null;
  /** The number in the usage that is charged for; null: charged per use. */
  measure: string | null;
  /** How much of the measure the price is for. */
  per: string;
  /** exact, or up: whole blocks of "per", so that a started one counts. */
  quantity_rounding: string;
  /** At least this much of the measure is charged; null: no minimum. */
  minimum_quantity: string | null;
  /** Graduated prices in place of one; null with a price. */
  tiers: Json | null;
  /** The component comes to at least this; null: no minimum. */
  minimum_charge: string | null;
  /** The component comes to at most this; null: no maximum. */
  maximum_charge: string | null;
  /** An add-on: no match is no charge. */
  optional: boolean;
  /** What multiplies it: a list of {group, match, factor}, empty where nothing does. */
  multipliers: Json;
  /** Names this rate in the breakdown of an entry. */
  rate_id: string;
}

/** The outcome of one request of spend_many in one unit. */
export interface SpendResultRow {
  /** Which request, from 1. */
  request_index: number;
  /** ok, replayed or refused. */
  status: string;
  /** The SQLSTATE, such as PC402; null unless refused. */
  error_code: string | null;
  /** The DETAIL of the error; null unless refused. */
  error_detail: Json | null;
  /** The account of the request; null if the request names none. */
  account_id: string | null;
  /** The entry; null, as the rest of it, when refused. */
  seq: string | null;
  /** The unit that was charged, or null. */
  unit: string | null;
  /** usage, or null. */
  kind: string | null;
  /** The operation of the request; null if it names none. */
  operation: string | null;
  /** The change, negative, or null. */
  amount: string | null;
  /** The part of the amount in included credits, or null. */
  included: string | null;
  /** The part of the amount in additional credits, or null. */
  additional: string | null;
  /** Available and held in this unit after the change, or null. */
  balance_after: string | null;
  /** The application's label of who did it, or null. */
  member_id: string | null;
  /** The usage of the request, or null. */
  usage: Json | null;
  /** What the price consisted of, or null. */
  breakdown: Json | null;
  /** The caller's key of the request, or null. */
  idempotency_key: string | null;
  /** When it took effect, or null. */
  occurred_at: Date | null;
  /** When it was written, or null. */
  recorded_at: Date | null;
  /** The application's own, or null. */
  metadata: Json | null;
  /** The HINT of the error; null unless refused. */
  error_hint: string | null;
}

/** Automatic top-ups of an account; no row: never configured. */
export interface TopUpSettingsRow {
  /** Whose settings they are. */
  account_id: string;
  /** Whether a balance below the threshold is topped up. */
  enabled: boolean;
  /** Topped up when the total is below this, in the card's main unit. */
  threshold: string | null;
  /** How much is added each time, in the card's main unit. */
  amount: string | null;
  /** At most this many credits are added in a UTC month; null: no limit. */
  monthly_limit: string | null;
  /** Why top-ups were turned off by themselves: the card was declined three times. */
  suspended_reason: string | null;
  /** When a top-up that the month's limit did not allow is looked at again: at the start of the next month. */
  look_again_at: Date | null;
}

/** What one member was charged for one operation in one unit on one day. */
export interface UsageDayRow {
  /** The day, in the time zone that was asked for. */
  day: Date;
  /** The operation; null: jobs of several operations. */
  operation: string | null;
  /** The application's label of who did it; null: none given. */
  member_id: string | null;
  /** The unit. */
  unit: string;
  /** How many charges. */
  charges: string;
  /** What they came to. */
  amount: string;
}

/** An invariant of the ledger that does not hold. */
export interface ViolationRow {
  /** Whose ledger it is in. */
  account_id: string;
  /** What does not hold, such as seq_has_a_gap. */
  rule: string;
  /** Where, and the figures that disagree. */
  detail: Json;
}

/** One operation of a job, with its usage. */
export interface ItemInput {
  /** The operation. */
  operation: string;
  /** Its attributes and measures, as a JSON object; null: none. */
  usage?: Json | null;
}

/** One request of spend_many: the arguments of spend. */
export interface SpendRequestInput {
  /** The account. */
  account_id: string;
  /** The operation. */
  operation: string;
  /** Its attributes and measures, as a JSON object; null: none. */
  usage?: Json | null;
  /** The caller's key of the request; null: none. */
  idempotency_key?: string | null;
  /** The application's label of who does it, or null. */
  member_id?: string | null;
  /** The price that the user was shown; null: any. */
  max_amount?: string | number | null;
  /** The application's own, or null. */
  metadata?: Json | null;
}

/** The functions of the schema `credits`: what each takes, and a row of what it returns. */
export interface Functions {
  /** The log of an account, newest first: entries that occurred in [since, until), of these kinds, by this member. Shows what has been settled. PC403 another account; PC404 unknown account; PC422 unknown kinds. */
  activity: {
    arguments: { account_id: string; since?: Date | string | null; until?: Date | string | null; kinds?: string[] | null; member_id?: string | null };
    row: EntriesRow;
  };
  /** Makes a member known, or changes one: role admin or member, and a cap on what they draw in a period, in the card's main unit (null: none). PC403 unless an admin; PC404 unknown account; PC422 bad member_id, role or cap. */
  add_member: {
    arguments: { account_id: string; member_id: string; role?: string | null; period_cap?: string | number | null; acting_member_id?: string | null };
    row: MembersRow;
  };
  /** Holds what an operation costs, until it is captured, released, or expires_in has passed: a row a unit, all with one hold_id. Held credits cannot be spent. Errors as spend. Service only. */
  authorize: {
    arguments: { account_id: string; operation: string; usage?: Json | null; idempotency_key?: string | null; member_id?: string | null; expires_in?: string | null; max_amount?: string | number | null; metadata?: Json | null };
    row: HoldsRow;
  };
  /** Holds what several operations cost together, all or nothing: a row a unit, all with one hold_id. Held credits cannot be spent. Errors as spend_items. Service only. */
  authorize_items: {
    arguments: { account_id: string; items: ItemInput[]; idempotency_key?: string | null; member_id?: string | null; expires_in?: string | null; max_amount?: string | number | null; metadata?: Json | null };
    row: HoldsRow;
  };
  /** What an account has: one row for every unit of its card, the main unit first. total = included + additional; held is apart. at later than now: a forecast with no further usage and no meters; earlier: what was spendable then. PC403 another account; PC404 unknown account; PC422 over 100 years ahead. */
  balances: {
    arguments: { account_id: string; at?: Date | string | null };
    row: BalanceRow;
  };
  /** Records the purchase of a pack, pending: nothing is spendable until it is settled. currency: one that the pack has a price in (default: dollars, else the first). PC403 unless an admin, or a pack for other plans; PC404 unknown account or pack; PC409 key reused; PC422 no price in this currency. */
  buy: {
    arguments: { account_id: string; pack: string; member_id?: string | null; idempotency_key?: string | null; currency?: string | null };
    row: PurchasesRow;
  };
  /** Ends the plan at the period's end, or at once: the included credits end with it, additional ones stay and stay spendable at the card's prices. Without a plan it changes nothing. PC404 unknown account. Service only. */
  cancel_subscription: {
    arguments: { account_id: string; immediately?: boolean | null };
    row: AccountsRow;
  };
  /** Charges a hold and returns the usage entries. With neither usage nor amount: all of it. With usage: what that usage costs at the hold's rates. With amount: that much. The rest returns to its lots; what is above is drawn afresh; 0 is a release. The same capture again returns the original entries; a late one is a fresh charge. PC402 cannot be paid; PC403 a gate that the hold did not pass, or a member's cap; PC404 unknown account or hold; PC409 captured otherwise, or released; PC422 bad usage or amount. Service only. */
  capture: {
    arguments: { account_id: string; hold_id: string | number | bigint; usage?: Json | null; amount?: string | number | null };
    row: EntriesRow;
  };
  /** Charges a hold what the job came to, at the hold's rates, and returns the usage entries. As capture otherwise. Service only. */
  capture_items: {
    arguments: { account_id: string; hold_id: string | number | bigint; items: ItemInput[] };
    row: EntriesRow;
  };
  /** Gives an account a one-time promotion: once per claimant (a verified e-mail address, compared in lower case and without white space around it) and once per account. PC404 unknown account or promotion; PC409 already claimed; PC422 no claimant. Service only. */
  claim: {
    arguments: { account_id: string; promotion: string; claimant: string };
    row: LotsRow;
  };
  /** Pauses (enabled false) or caps (period_limit, in the card's main unit; null keeps the present cap, infinity removes it) what a period may draw from additional credits. PC403 unless an admin; PC404 unknown account; PC422 bad limit. */
  configure_additional: {
    arguments: { account_id: string; enabled?: boolean | null; period_limit?: string | number | null; member_id?: string | null };
    row: AccountsRow;
  };
  /** Turns automatic top-ups on or off, and sets when (total below threshold), how much, and how much at most in a UTC month, in the card's main unit; null keeps the present value, a monthly_limit of infinity removes it. Configuring ends a suspension; turning off ends a declined top-up that waits for its next try. PC403 unless an admin; PC404 unknown account; PC422 first enabled without threshold or amount, bad figures, or a card that sells no top-ups. */
  configure_top_up: {
    arguments: { account_id: string; enabled: boolean; threshold?: string | number | null; amount?: string | number | null; monthly_limit?: string | number | null; member_id?: string | null };
    row: TopUpSettingsRow;
  };
  /** The same entries as activity, in no order: for a caller that sorts and pages by seq itself, as the API does. PC403 another account; PC404 unknown account; PC422 unknown kinds. */
  entries_matching: {
    arguments: { account_id: string; since?: Date | string | null; until?: Date | string | null; kinds?: string[] | null; member_id?: string | null };
    row: EntriesRow;
  };
  /** Reports that the payment of a purchase failed. For a top-up this is one decline: it stays pending and is tried again (after 1, then 6 hours); the third in a row makes it failed and suspends top-ups until they are configured again. attempt: how often it had been declined before this try; the same decline reported again then counts once. PC404 unknown account or purchase; PC409 settled or reversed. Service only. */
  fail_purchase: {
    arguments: { account_id: string; purchase_id: string | number | bigint; reason: string; attempt?: number | null };
    row: PurchasesRow;
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
  /** For whoever sends a buyer to a checkout page: the purchase of a pack, if it is still to be paid. PC404 unknown account or purchase; PC409 settled, failed, reversed, or a top-up. Service only. */
  purchase_to_pay: {
    arguments: { account_id: string; purchase_id: string | number | bigint };
    row: PurchasesRow;
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
  /** Records the present level of a gauge, such as stored GB. Each UTC day is charged its time-weighted mean at midnight, with no job needed; where credits have run out, what is available is charged and the meter records the shortfall. PC403 a gate, unless it is no more than before; PC404 unknown account or operation; PC422 bad quantity or usage, or an operation that is not priced by one measure in one unit. Service only. */
  record_meter: {
    arguments: { account_id: string; operation: string; quantity: string | number; usage?: Json | null };
    row: MetersRow;
  };
  /** Refunds a usage entry, in whole (what is left of it) or in part: back to the lots it was drawn from, the last drawn first. What returns to an expired lot is forfeited at once, unless regrant: then it is a new lot until the current period's end; what returns to a reversed purchase's is taken back, up to the shortfall. PC404 unknown account or entry; PC409 more than was charged, or key reused; PC422 not a charge, bad amount. Service only. */
  refund: {
    arguments: { account_id: string; seq: string | number | bigint; amount?: string | number | null; reason?: string | null; idempotency_key?: string | null; regrant?: boolean | null };
    row: EntriesRow;
  };
  /** Reports that a reversal was undone, as by a dispute that was won, in whole or for an amount of its credits: lowers the shortfall, and gives the rest back to the purchase's own lot. Where nothing is reversed, it returns the row as it is. PC404 unknown account or purchase; PC409 more than is reversed, or the purchase was never settled; PC422 bad amount. Service only. */
  reinstate_purchase: {
    arguments: { account_id: string; purchase_id: string | number | bigint; reason: string; amount?: string | number | null };
    row: PurchasesRow;
  };
  /** Ends a hold and gives everything back to its lots; what returns to an expired lot is forfeited, and to a reversed purchase's, taken back up to the shortfall. A hold that is released or expired is returned as it is. PC404 unknown account or hold; PC409 captured already. Service only. */
  release: {
    arguments: { account_id: string; hold_id: string | number | bigint };
    row: HoldsRow;
  };
  /** Removes a member's role and cap, and returns what they were; the log keeps the name. PC403 unless an admin; PC404 unknown account or member. */
  remove_member: {
    arguments: { account_id: string; member_id: string; acting_member_id?: string | null };
    row: MembersRow;
  };
  /** Reports how much of a payment has been returned in all so far, by refunds and chargebacks together, and how much of that has come back (reinstated), by disputes that were won; all in any unit of money that paid is in too. The purchase is reversed in that proportion. The same report again, or an older one, changes nothing. Before settlement, a payment returned in part settles the purchase first, one returned whole bars it. PC404 unknown account or purchase; PC409 another payment settled it; PC422 bad sums. Service only. */
  reverse_payment: {
    arguments: { account_id: string; purchase_id: string | number | bigint; payment_reference: string; paid: string | number; returned: string | number; reason: string; reinstated?: string | number | null };
    row: PurchasesRow;
  };
  /** Reports a chargeback or a refunded payment, of the whole purchase or of an amount of its credits: takes back what is left of the purchase's own lot and records the shortfall, which is taken from what holds and refunds return to that lot later; no other lot is touched. Before settlement it bars settlement. Reversed whole, it returns the row as it is. PC404 unknown account or purchase; PC409 more than was bought; PC422 bad amount. Service only. */
  reverse_purchase: {
    arguments: { account_id: string; purchase_id: string | number | bigint; reason: string; amount?: string | number | null };
    row: PurchasesRow;
  };
  /** Takes back what is available in a lot, in whole or in part, and returns the revocation entry; none where nothing is left. PC402 more than is available; PC404 unknown account or lot; PC422 bad amount. Service only. */
  revoke: {
    arguments: { account_id: string; lot_id: string | number | bigint; amount?: string | number | null; reason?: string | null };
    row: EntriesRow;
  };
  /** Remembers who an account is at a payment provider, so that top-ups can be charged to the card saved there. A paid checkout does this by itself. PC404 unknown account; PC422 no provider or customer_id. Service only. */
  save_payment_customer: {
    arguments: { account_id: string; provider: string; customer_id: string };
    row: PaymentCustomersRow;
  };
  /** Writes down what has fallen due (expiries, rollovers, refills, ends of holds, meters) in up to "batch" accounts, skipping locked ones, and returns how many. One that cannot be settled is named in a warning, counted, and tried again in an hour. The worker calls it until it returns 0. Balances never wait for it. Service only. */
  settle_due: {
    arguments: { batch?: number | null };
    row: { settle_due: number };
  };
  /** Reports the payment of a purchase, pending or failed: grants its lot, additional and without expiry. The same payment_reference again returns the same row and grants nothing. PC404 unknown account or purchase; PC409 settled by another payment, reversed, or the payment settled another purchase; PC422 no payment_reference. Service only. */
  settle_purchase: {
    arguments: { account_id: string; purchase_id: string | number | bigint; payment_reference: string };
    row: PurchasesRow;
  };
  /** Charges one operation: rates the usage, draws lots in draw order, and returns the entries, one a unit. max_amount is the price that the user was shown. The same idempotency key again returns the original entries. PC402 not enough credits; PC403 a gate or a member's cap; PC404 unknown account or operation; PC409 key reused, or price above max_amount; PC422 bad usage. Service only. */
  spend: {
    arguments: { account_id: string; operation: string; usage?: Json | null; idempotency_key?: string | null; member_id?: string | null; max_amount?: string | number | null; metadata?: Json | null };
    row: EntriesRow;
  };
  /** Charges several operations together, all or nothing: one entry a unit for the whole job. The same idempotency key again returns the original entries. PC402 not enough credits; PC403 a gate or a member's cap; PC404 unknown account or operation; PC409 key reused, or price above max_amount; PC422 bad usage. Service only. */
  spend_items: {
    arguments: { account_id: string; items: ItemInput[]; idempotency_key?: string | null; member_id?: string | null; max_amount?: string | number | null; metadata?: Json | null };
    row: EntriesRow;
  };
  /** Charges many requests, each as spend would: a row per request and unit, in order. Requests are independent: one that is refused has status refused, with error_code and error_detail, and fails no other. Within an account they take effect in the given order. Service only. */
  spend_many: {
    arguments: { requests: SpendRequestInput[] };
    row: SpendResultRow;
  };
  /** Subscribes an account to a plan, or changes its plan. A first plan, and one from price 0 to paid, begins at once with its whole allowance; a larger one with the same cadence, anchoring and time zone takes over at once and adds what it has more; anything else waits for the period's end (pending_plan). Leaving a plan and coming back within its period resumes it, with the plan that was left if the new one has other periods. anchor sets the phase of the periods (default: now). PC404 unknown account or plan; PC409 a plan of another card. Service only: the application has taken the money. */
  subscribe: {
    arguments: { account_id: string; plan: string; anchor?: Date | string | null };
    row: AccountsRow;
  };
  /** For the worker that was told of a top-up: the purchase, if it is to be charged now. Service only. */
  top_up_due: {
    arguments: { account_id: string; purchase_id: string | number | bigint };
    row: PurchasesRow;
  };
  /** For the worker's sweep: top-ups to be charged now, those whose wake-up was lost and those to be tried again, up to "batch" of them in the order of their accounts, from after_account_id on. Service only. */
  top_ups_due: {
    arguments: { batch?: number | null; after_account_id?: string | null };
    row: PurchasesRow;
  };
  /** What was charged in [since, until), by day of the time zone, operation, member and unit; refunds are not taken off. Shows what has been settled. PC403 another account; PC404 unknown account; PC422 unknown time zone. */
  usage_by_day: {
    arguments: { account_id: string; since?: Date | string | null; until?: Date | string | null; time_zone?: string | null };
    row: UsageDayRow;
  };
  /** Audits the ledger, of one account or of all: a row for every invariant that does not hold, none when it is sound. PC403 unless service or analyst. */
  verify: {
    arguments: { account_id?: string | null };
    row: ViolationRow;
  };
  /** For an hour and more, each change of the account is announced: NOTIFY on the channel credits_balances, with the account_id. Listen first, then call this, then read the balances. Returns until when it is announced. PC403 another account; PC404 unknown account. */
  watch_balances: {
    arguments: { account_id: string };
    row: { watch_balances: Date };
  };
}

/** The SQL types of their arguments, in order, and whether they return any number of rows or exactly one. */
export const functions = {
  activity: { arguments: { account_id: 'text', since: 'timestamp with time zone', until: 'timestamp with time zone', kinds: 'text[]', member_id: 'text' }, set: true },
  add_member: { arguments: { account_id: 'text', member_id: 'text', role: 'text', period_cap: 'numeric', acting_member_id: 'text' }, set: false },
  authorize: { arguments: { account_id: 'text', operation: 'text', usage: 'jsonb', idempotency_key: 'text', member_id: 'text', expires_in: 'interval', max_amount: 'numeric', metadata: 'jsonb' }, set: true },
  authorize_items: { arguments: { account_id: 'text', items: 'credits.item[]', idempotency_key: 'text', member_id: 'text', expires_in: 'interval', max_amount: 'numeric', metadata: 'jsonb' }, set: true },
  balances: { arguments: { account_id: 'text', at: 'timestamp with time zone' }, set: true },
  buy: { arguments: { account_id: 'text', pack: 'text', member_id: 'text', idempotency_key: 'text', currency: 'text' }, set: false },
  cancel_subscription: { arguments: { account_id: 'text', immediately: 'boolean' }, set: false },
  capture: { arguments: { account_id: 'text', hold_id: 'bigint', usage: 'jsonb', amount: 'numeric' }, set: true },
  capture_items: { arguments: { account_id: 'text', hold_id: 'bigint', items: 'credits.item[]' }, set: true },
  claim: { arguments: { account_id: 'text', promotion: 'text', claimant: 'text' }, set: false },
  configure_additional: { arguments: { account_id: 'text', enabled: 'boolean', period_limit: 'numeric', member_id: 'text' }, set: false },
  configure_top_up: { arguments: { account_id: 'text', enabled: 'boolean', threshold: 'numeric', amount: 'numeric', monthly_limit: 'numeric', member_id: 'text' }, set: false },
  entries_matching: { arguments: { account_id: 'text', since: 'timestamp with time zone', until: 'timestamp with time zone', kinds: 'text[]', member_id: 'text' }, set: true },
  fail_purchase: { arguments: { account_id: 'text', purchase_id: 'bigint', reason: 'text', attempt: 'integer' }, set: false },
  features: { arguments: { account_id: 'text' }, set: true },
  grant: { arguments: { account_id: 'text', amount: 'numeric', unit: 'text', bucket: 'text', expires_at: 'timestamp with time zone', priority: 'integer', reason: 'text', idempotency_key: 'text' }, set: false },
  item: { arguments: { operation: 'text', usage: 'jsonb' }, set: false },
  open_account: { arguments: { account_id: 'text', plan: 'text', anchor: 'timestamp with time zone', rate_card: 'text' }, set: false },
  purchase_to_pay: { arguments: { account_id: 'text', purchase_id: 'bigint' }, set: false },
  quote: { arguments: { account_id: 'text', operation: 'text', usage: 'jsonb' }, set: true },
  quote_items: { arguments: { account_id: 'text', items: 'credits.item[]' }, set: true },
  rates: { arguments: { account_id: 'text' }, set: true },
  record_meter: { arguments: { account_id: 'text', operation: 'text', quantity: 'numeric', usage: 'jsonb' }, set: false },
  refund: { arguments: { account_id: 'text', seq: 'bigint', amount: 'numeric', reason: 'text', idempotency_key: 'text', regrant: 'boolean' }, set: true },
  reinstate_purchase: { arguments: { account_id: 'text', purchase_id: 'bigint', reason: 'text', amount: 'numeric' }, set: false },
  release: { arguments: { account_id: 'text', hold_id: 'bigint' }, set: true },
  remove_member: { arguments: { account_id: 'text', member_id: 'text', acting_member_id: 'text' }, set: false },
  reverse_payment: { arguments: { account_id: 'text', purchase_id: 'bigint', payment_reference: 'text', paid: 'numeric', returned: 'numeric', reason: 'text', reinstated: 'numeric' }, set: false },
  reverse_purchase: { arguments: { account_id: 'text', purchase_id: 'bigint', reason: 'text', amount: 'numeric' }, set: false },
  revoke: { arguments: { account_id: 'text', lot_id: 'bigint', amount: 'numeric', reason: 'text' }, set: true },
  save_payment_customer: { arguments: { account_id: 'text', provider: 'text', customer_id: 'text' }, set: false },
  settle_due: { arguments: { batch: 'integer' }, set: false },
  settle_purchase: { arguments: { account_id: 'text', purchase_id: 'bigint', payment_reference: 'text' }, set: false },
  spend: { arguments: { account_id: 'text', operation: 'text', usage: 'jsonb', idempotency_key: 'text', member_id: 'text', max_amount: 'numeric', metadata: 'jsonb' }, set: true },
  spend_items: { arguments: { account_id: 'text', items: 'credits.item[]', idempotency_key: 'text', member_id: 'text', max_amount: 'numeric', metadata: 'jsonb' }, set: true },
  spend_many: { arguments: { requests: 'credits.spend_request[]' }, set: true },
  subscribe: { arguments: { account_id: 'text', plan: 'text', anchor: 'timestamp with time zone' }, set: false },
  top_up_due: { arguments: { account_id: 'text', purchase_id: 'bigint' }, set: true },
  top_ups_due: { arguments: { batch: 'integer', after_account_id: 'text' }, set: true },
  usage_by_day: { arguments: { account_id: 'text', since: 'timestamp with time zone', until: 'timestamp with time zone', time_zone: 'text' }, set: true },
  verify: { arguments: { account_id: 'text' }, set: true },
  watch_balances: { arguments: { account_id: 'text' }, set: false },
} as const;
