-- The ledger: accounts, their lots, and the entries and postings that explain every figure.
--
-- An entry is one change of an account's balance in one unit. It touches lots; each movement is a posting. A lot says
-- what is left of one grant, and its last posting must say the same: the deferred key below has the database refuse
-- a figure that no posting explains, whoever types it.
--
-- account_id stands first in every key, so that the tables can be distributed by account. There are no triggers.

create table credits.buckets (
  bucket text not null,
  draw_order smallint not null,
  counts_as text not null,
  name text not null,
  constraint buckets_pkey primary key (bucket),
  constraint buckets_are_drawn_one_after_another unique (draw_order),
  constraint buckets_as_lots_copy_them unique (bucket, draw_order, counts_as),
  constraint bucket_counts_as_included_or_additional check (counts_as in ('included', 'additional'))
);
comment on table credits.buckets is 'Where lots stand in the draw order. Another bucket is another row.';
comment on column credits.buckets.bucket is 'Key of the bucket.';
comment on column credits.buckets.draw_order is 'Lower is drawn first.';
comment on column credits.buckets.counts_as is
  'Which of the two figures of a balance it adds to. What counts as included obeys the plan''s rollover rule at each boundary.';
comment on column credits.buckets.name is 'Its name for people.';
insert into credits.buckets (bucket, draw_order, counts_as, name) values
  ('included', 1, 'included', 'Included credits'),
  ('additional', 2, 'additional', 'Additional credits');

create table credits.accounts (
  account_id text collate "C" not null,
  rate_card text not null,
  plan text,
  anchor timestamptz,
  period_index int,
  period_start timestamptz,
  period_end timestamptz,
  pending_plan text,
  cancels_at_period_end boolean not null default false,
  additional_enabled boolean not null default true,
  additional_period_limit credits.amount,
  next_due_at timestamptz not null default 'infinity',
  opened_at timestamptz not null,
  constraint accounts_pkey primary key (account_id),
  constraint accounts_rate_card_fkey foreign key (rate_card) references credits.rate_cards,
  constraint accounts_plan_fkey foreign key (plan) references credits.plans,
  constraint accounts_pending_plan_fkey foreign key (pending_plan) references credits.plans,
  constraint account_id_is_1_to_64_characters check (length(account_id) between 1 and 64),
  constraint account_period_is_in_order check (period_start < period_end),
  constraint account_period_is_whole check (num_nulls(period_index, period_start, period_end) in (0, 3)),
  constraint account_has_one_change_pending check (pending_plan is null or not cancels_at_period_end),
  constraint account_change_waits_for_a_period
    check (period_end is not null or (pending_plan is null and not cancels_at_period_end))
);
create index accounts_due on credits.accounts (next_due_at) where next_due_at < 'infinity';
create index accounts_by_rate_card on credits.accounts (rate_card);
create index accounts_by_plan on credits.accounts (plan);
create index accounts_by_pending_plan on credits.accounts (pending_plan) where pending_plan is not null;
comment on table credits.accounts is 'A team or user of the application that has a balance.';
comment on column credits.accounts.account_id is 'The application''s own id, 1 to 64 characters.';
comment on column credits.accounts.rate_card is 'The card whose prices apply; kept when the plan ends.';
comment on column credits.accounts.plan is 'The plan that it is subscribed to; null: none.';
comment on column credits.accounts.anchor is 'Sets the phase of the periods: they end at anchor + n periods.';
comment on column credits.accounts.period_index is 'The n of the present period, which begins at anchor + n periods.';
comment on column credits.accounts.period_start is
  'When the present period began, as last settled: at its boundary, or at the instant within it at which the plan did.';
comment on column credits.accounts.period_end is 'End of the present period as last settled; the next refill is due then.';
comment on column credits.accounts.pending_plan is 'The plan that takes over at the period''s end.';
comment on column credits.accounts.cancels_at_period_end is 'The plan ends with the period, and the included credits with it.';
comment on column credits.accounts.additional_enabled is 'false: additional credits are paused, only included ones are drawn.';
comment on column credits.accounts.additional_period_limit is
  'At most this much of the additional credits is drawn in a period, in the card''s main unit; null: no limit.';
comment on column credits.accounts.next_due_at is 'Nothing falls due before this instant: the first period end, expiry of a lot or end of a hold ahead.';
comment on column credits.accounts.opened_at is 'When the account was opened.';

create table credits.lots (
  account_id text collate "C" not null,
  lot_id bigint not null,
  unit text not null,
  bucket text not null,
  draw_order smallint not null,
  counts_as text not null,
  priority int not null default 100,
  granted credits.amount not null,
  spent credits.amount not null default 0,
  held credits.amount not null default 0,
  forfeited credits.amount not null default 0,
  available credits.amount not null generated always as (granted - spent - held - forfeited) stored,
  open boolean not null generated always as (granted - spent - forfeited > 0) stored,
  version bigint not null default 1,
  starts_at timestamptz not null,
  expires_at timestamptz,
  source credits.lot_source not null,
  plan text,
  reason text,
  purchase_id bigint,
  price credits.money,
  currency text,
  constraint lots_pkey primary key (account_id, lot_id),
  constraint lots_account_fkey foreign key (account_id) references credits.accounts,
  constraint lots_bucket_fkey foreign key (bucket, draw_order, counts_as)
    references credits.buckets (bucket, draw_order, counts_as) on update cascade,
  constraint lot_is_usable_for_some_time check (starts_at < expires_at)
) with (fillfactor = 50);
create index lots_open on credits.lots (account_id, unit) where open;
create index lots_by_bucket on credits.lots (bucket, draw_order, counts_as);
comment on table credits.lots is
  'One grant of one unit in one bucket, usable in [starts_at, expires_at). granted = available + held + spent + forfeited.';
comment on column credits.lots.account_id is 'Whose lot it is.';
comment on column credits.lots.lot_id is 'Counts the account''s lots from 1.';
comment on column credits.lots.unit is 'What was granted.';
comment on column credits.lots.bucket is 'included is drawn before additional.';
comment on column credits.lots.draw_order is 'The bucket''s place in the draw order, copied so that drawing needs no join.';
comment on column credits.lots.counts_as is 'Whether the bucket counts as included or additional, copied likewise.';
comment on column credits.lots.priority is 'Within a bucket, lower is drawn first.';
comment on column credits.lots.granted is 'How much was granted.';
comment on column credits.lots.spent is 'How much was used, less refunds.';
comment on column credits.lots.held is 'How much is reserved by open holds.';
comment on column credits.lots.forfeited is 'How much expired unspent or was taken back.';
comment on column credits.lots.available is 'What can be drawn: granted - spent - held - forfeited.';
comment on column credits.lots.open is 'Whether anything is available or held.';
comment on column credits.lots.version is 'Counts its postings: the last one explains granted, spent and forfeited.';
comment on column credits.lots.starts_at is 'Usable from this instant.';
comment on column credits.lots.expires_at is 'Usable until just before this instant; null: without expiry.';
comment on column credits.lots.source is 'refill, grant, promotion, purchase, top_up or refund.';
comment on column credits.lots.plan is 'The plan whose allowance it is.';
comment on column credits.lots.reason is 'Why it was granted, as the caller put it.';
comment on column credits.lots.purchase_id is 'The purchase that paid for it.';
comment on column credits.lots.price is 'What was paid; null where nothing was.';
comment on column credits.lots.currency is 'The currency of the price, ISO 4217.';

create table credits.entries (
  account_id text collate "C" not null,
  seq bigint not null,
  unit text not null,
  kind credits.entry_kind not null,
  operation text,
  amount credits.signed_amount not null,
  included credits.signed_amount not null,
  additional credits.signed_amount not null,
  balance_after credits.amount not null,
  member_id text,
  usage jsonb,
  breakdown jsonb,
  idempotency_key text,
  refunds_seq bigint,
  hold_id bigint,
  purchase_id bigint,
  reason text,
  occurred_at timestamptz not null,
  recorded_at timestamptz not null,
  metadata jsonb,
  constraint entries_pkey primary key (account_id, seq),
  constraint entries_account_fkey foreign key (account_id) references credits.accounts,
  constraint entries_refunds_fkey foreign key (account_id, refunds_seq) references credits.entries,
  constraint entry_amount_is_the_sum_of_its_buckets check (amount = included + additional and seq > 0)
);
create unique index entries_idempotency_key on credits.entries (account_id, idempotency_key, unit)
  where idempotency_key is not null;
create index entries_refunds on credits.entries (account_id, refunds_seq) where refunds_seq is not null;
create index entries_of_holds on credits.entries (account_id, hold_id, unit) where hold_id is not null;
comment on table credits.entries is 'The log of every change of a balance, append-only. seq has no gaps and occurred_at never decreases along it.';
comment on column credits.entries.account_id is 'Whose balance changed.';
comment on column credits.entries.seq is 'Counts the account''s entries from 1.';
comment on column credits.entries.unit is 'The unit that changed; an operation priced in two units gives two entries.';
comment on column credits.entries.kind is 'refill, grant, purchase, top_up, usage, refund, expiry or revocation.';
comment on column credits.entries.operation is 'What was used; null where nothing was, or where the items of a job differ.';
comment on column credits.entries.amount is 'The change, negative when credits leave.';
comment on column credits.entries.included is 'The part of the amount in included credits.';
comment on column credits.entries.additional is 'The part of the amount in additional credits.';
comment on column credits.entries.balance_after is 'Available and held in this unit, after the change.';
comment on column credits.entries.member_id is 'The application''s label of who did it.';
comment on column credits.entries.usage is 'The usage of the operation; a list of {operation, usage} where a job had several items.';
comment on column credits.entries.breakdown is 'What the price consisted of: lines whose amounts add up to what was charged.';
comment on column credits.entries.idempotency_key is 'The caller''s key of the request.';
comment on column credits.entries.refunds_seq is 'The entry that this one refunds.';
comment on column credits.entries.hold_id is 'The hold that this entry captured.';
comment on column credits.entries.purchase_id is 'The purchase that this entry credited or took back.';
comment on column credits.entries.reason is 'Why, as the caller put it.';
comment on column credits.entries.occurred_at is 'When it took effect: a boundary''s own instant, even if it was recorded later.';
comment on column credits.entries.recorded_at is 'When it was written.';
comment on column credits.entries.metadata is 'The application''s own.';

create table credits.postings (
  account_id text collate "C" not null,
  seq bigint not null,
  ordinal int not null,
  lot_id bigint not null,
  version bigint not null,
  amount credits.signed_amount not null,
  granted credits.amount not null,
  spent credits.amount not null,
  forfeited credits.amount not null,
  constraint postings_pkey primary key (account_id, seq, ordinal),
  constraint postings_explain_the_lot unique (account_id, lot_id, version, granted, spent, forfeited),
  constraint postings_entry_fkey foreign key (account_id, seq) references credits.entries,
  constraint postings_lot_fkey foreign key (account_id, lot_id) references credits.lots
);
comment on table credits.postings is 'What an entry did to a lot, and the lot''s figures after it; append-only.';
comment on column credits.postings.account_id is 'Whose entry and lot they are.';
comment on column credits.postings.seq is 'The entry.';
comment on column credits.postings.ordinal is 'The order within the entry: lots are drawn from 1 up and refunded from the last down.';
comment on column credits.postings.lot_id is 'The lot.';
comment on column credits.postings.version is 'Counts the lot''s postings from 1.';
comment on column credits.postings.amount is 'The change of what is left in the lot, negative when credits leave.';
comment on column credits.postings.granted is 'The lot''s granted after it.';
comment on column credits.postings.spent is 'The lot''s spent after it.';
comment on column credits.postings.forfeited is 'The lot''s forfeited after it.';

alter table credits.lots add constraint lot_figures_are_explained_by_a_posting
  foreign key (account_id, lot_id, version, granted, spent, forfeited)
  references credits.postings (account_id, lot_id, version, granted, spent, forfeited)
  deferrable initially deferred;

-- The one table with a key across accounts: a claimant claims once, whichever account they use.
create table credits.promotion_claims (
  rate_card text not null,
  promotion text not null,
  claimant text not null,
  account_id text collate "C" not null,
  claimed_at timestamptz not null,
  constraint promotion_claims_pkey primary key (rate_card, promotion, claimant),
  constraint promotion_is_claimed_once_per_account unique (account_id, rate_card, promotion),
  constraint promotion_claims_promotion_fkey foreign key (rate_card, promotion) references credits.promotions,
  constraint claimant_is_in_lower_case check (claimant = lower(claimant) and length(claimant) between 1 and 320)
);
comment on table credits.promotion_claims is 'Who claimed which one-time promotion: once per claimant and once per account.';
comment on column credits.promotion_claims.rate_card is 'The card of the promotion.';
comment on column credits.promotion_claims.promotion is 'The promotion.';
comment on column credits.promotion_claims.claimant is 'A verified e-mail address or another id of a person, in lower case.';
comment on column credits.promotion_claims.account_id is 'The account that got the credits.';
comment on column credits.promotion_claims.claimed_at is 'When.';

-- Composite types of the functions.

create type credits.item as (operation text, usage jsonb);
comment on type credits.item is 'One operation of a job, with its usage.';
comment on column credits.item.operation is 'The operation.';
comment on column credits.item.usage is 'Its attributes and measures, as a JSON object; null: none.';

create type credits.spend_request as (
  account_id text, operation text, usage jsonb, idempotency_key text, member_id text, max_amount numeric, metadata jsonb);
comment on type credits.spend_request is 'One request of spend_many: the arguments of spend.';
comment on column credits.spend_request.account_id is 'The account.';
comment on column credits.spend_request.operation is 'The operation.';
comment on column credits.spend_request.usage is 'Its attributes and measures, as a JSON object; null: none.';
comment on column credits.spend_request.idempotency_key is 'The caller''s key of the request; null: none.';
comment on column credits.spend_request.member_id is 'The application''s label of who does it, or null.';
comment on column credits.spend_request.max_amount is 'The price that the user was shown; null: any.';
comment on column credits.spend_request.metadata is 'The application''s own, or null.';

create type credits.quote_line as (
  unit text, amount numeric, available numeric, affordable boolean, blocked_by text, breakdown jsonb);
comment on type credits.quote_line is 'What an operation costs in one unit, and whether the account can pay it.';
comment on column credits.quote_line.unit is 'The unit.';
comment on column credits.quote_line.amount is 'The price, rounded to the unit''s scale.';
comment on column credits.quote_line.available is 'What this spend could draw, after pauses and limits.';
comment on column credits.quote_line.affordable is 'Whether spend would charge it now.';
comment on column credits.quote_line.blocked_by is
  'Null, or the first of plan_required, top_ups_required, additional_paused, period_limit, member_cap, insufficient_credits.';
comment on column credits.quote_line.breakdown is 'Lines whose amounts add up to the amount.';

create type credits.balance as (
  unit text, included numeric, additional numeric, held numeric, total numeric, next_refill_at timestamptz);
comment on type credits.balance is 'What an account has in one unit; total = included + additional, without what is held.';
comment on column credits.balance.unit is 'The unit.';
comment on column credits.balance.included is 'What is available of the plan''s allowance.';
comment on column credits.balance.additional is 'What is available of what was bought, topped up or given.';
comment on column credits.balance.held is 'What is reserved by open holds, and so not available.';
comment on column credits.balance.total is 'What is available: included + additional.';
comment on column credits.balance.next_refill_at is 'When the plan next grants this unit; null: not at all.';

create type credits.feature as (feature text, value jsonb);
comment on type credits.feature is 'Something that a plan includes besides credits.';
comment on column credits.feature.feature is 'What it is, such as "seats".';
comment on column credits.feature.value is 'How much or which of it, as JSON.';

create type credits.rate as (
  category text, operation text, operation_name text, component text, match jsonb, unit text, price numeric, measure text,
  per numeric, quantity_rounding text, minimum_quantity numeric, tiers jsonb, minimum_charge numeric,
  maximum_charge numeric, optional boolean, multipliers jsonb, rate_id bigint);
comment on type credits.rate is 'One line of the rate card that applies to an account.';
comment on column credits.rate.category is 'The heading it stands under.';
comment on column credits.rate.operation is 'The operation that it prices.';
comment on column credits.rate.operation_name is 'The operation''s name for people.';
comment on column credits.rate.component is 'The part of the price: components add up.';
comment on column credits.rate.match is 'Attributes that the usage must contain.';
comment on column credits.rate.unit is 'What the price is in.';
comment on column credits.rate.price is 'Price for "per" of the measure, or for one use; null with tiers.';
comment on column credits.rate.measure is 'The number in the usage that is charged for; null: charged per use.';
comment on column credits.rate.per is 'How much of the measure the price is for.';
comment on column credits.rate.quantity_rounding is 'exact, or up: whole blocks of "per", so that a started one counts.';
comment on column credits.rate.minimum_quantity is 'At least this much of the measure is charged; null: no minimum.';
comment on column credits.rate.tiers is 'Graduated prices in place of one; null with a price.';
comment on column credits.rate.minimum_charge is 'The component comes to at least this; null: no minimum.';
comment on column credits.rate.maximum_charge is 'The component comes to at most this; null: no maximum.';
comment on column credits.rate.optional is 'An add-on: no match is no charge.';
comment on column credits.rate.multipliers is 'What multiplies it: a list of {group, match, factor}, empty where nothing does.';
comment on column credits.rate.rate_id is 'Names this rate in the breakdown of an entry.';

create type credits.violation as (account_id text, rule text, detail jsonb);
comment on type credits.violation is 'An invariant of the ledger that does not hold.';
comment on column credits.violation.account_id is 'Whose ledger it is in.';
comment on column credits.violation.rule is 'What does not hold, such as seq_has_a_gap.';
comment on column credits.violation.detail is 'Where, and the figures that disagree.';

-- The price of a job in one unit. See functions/rating.
create type credits_private.price as (unit text, amount numeric, breakdown jsonb);

-- What an entry does to a lot: how much more of it is spent or forfeited. counts_as is the lot's.
create type credits_private.slice as (lot_id bigint, counts_as text, spent numeric, forfeited numeric);
