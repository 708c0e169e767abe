-- The ledger: lots, and the entries and postings that explain every figure of them.
--
-- No key leads from an entry to its account, and from a posting to its entry and its lot: each would be 4 % of a spend and 15 % of a
-- row of spend_many, for what post() cannot get wrong under the account's lock. None leads from a lot to its account and its bucket: each
-- would be 8 % of a row of the sweep, and all writers would lock the one row of the bucket. verify() finds what lacks one.
--
-- An entry is one change of an account's balance in one unit. It touches lots; each movement is a posting. A lot says
-- what is left of one grant, and its last posting must say the same: the deferred key below has the database refuse
-- a figure that no posting explains, whoever types it.

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
  open boolean not null default true,
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
  constraint lots_purchase_fkey foreign key (account_id, purchase_id) references credits.purchases,
  constraint lot_does_not_end_before_it_starts check (starts_at <= expires_at)
) with (fillfactor = 50);
create index lots_open on credits.lots (account_id, unit) where open;
create index lots_by_purchase on credits.lots (account_id, purchase_id) where purchase_id is not null;
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
  constraint entries_hold_fkey foreign key (account_id, hold_id, unit) references credits.holds,
  constraint entries_purchase_fkey foreign key (account_id, purchase_id) references credits.purchases,
  constraint entries_refunds_fkey foreign key (account_id, refunds_seq) references credits.entries,
  constraint entry_amount_is_the_sum_of_its_buckets check (amount = included + additional)
);
create unique index entries_idempotency_key on credits.entries (account_id, idempotency_key, unit)
  where idempotency_key is not null;
create index entries_refunds on credits.entries (account_id, refunds_seq) where refunds_seq is not null;
create index entries_of_purchases on credits.entries (account_id, purchase_id) where purchase_id is not null;
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
  constraint postings_explain_the_lot unique (account_id, lot_id, version, granted, spent, forfeited)
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

create table credits.hold_lots (
  account_id text collate "C" not null,
  hold_id bigint not null,
  unit text not null,
  ordinal int not null,
  lot_id bigint not null,
  amount credits.amount not null,
  constraint hold_lots_pkey primary key (account_id, hold_id, unit, ordinal),
  constraint hold_lots_hold_fkey foreign key (account_id, hold_id, unit) references credits.holds,
  constraint hold_lots_lot_fkey foreign key (account_id, lot_id) references credits.lots
);
create index hold_lots_by_lot on credits.hold_lots (account_id, lot_id);
comment on table credits.hold_lots is 'Which lots a hold was taken from, in draw order.';
comment on column credits.hold_lots.account_id is 'Whose hold it is.';
comment on column credits.hold_lots.hold_id is 'The hold.';
comment on column credits.hold_lots.unit is 'The unit of the hold.';
comment on column credits.hold_lots.ordinal is 'The order in which the lots were drawn.';
comment on column credits.hold_lots.lot_id is 'The lot.';
comment on column credits.hold_lots.amount is 'How much was taken from it.';

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

-- Keys are one namespace per account, over all functions that take one.
create view credits_private.used_keys as
select e.account_id, e.idempotency_key, e.kind::text as kind, e.seq, null::bigint as hold_id, null::bigint as purchase_id
from credits.entries e where e.idempotency_key is not null
union all
select h.account_id, h.idempotency_key, 'hold', null, h.hold_id, null
from credits.holds h where h.idempotency_key is not null
union all
select p.account_id, p.idempotency_key, 'purchase', null, null, p.purchase_id
from credits.purchases p where p.idempotency_key is not null;
comment on view credits_private.used_keys is 'The idempotency keys of each account, and what they were used for.';
