-- Accounts, and what they have besides credits: members, settings, purchases, holds.
--
-- account_id stands first in every key, so that the tables can be distributed by account. There are no triggers.

create table credits.buckets (
  bucket text not null,
  draw_order smallint not null,
  counts_as text not null,
  name text not null,
  constraint buckets_pkey primary key (bucket),
  constraint buckets_are_drawn_one_after_another unique (draw_order),
  constraint bucket_counts_as_included_or_additional check (counts_as in ('included', 'additional'))
);
comment on table credits.buckets is 'Where lots stand in the draw order. Another bucket is another row.';
comment on column credits.buckets.bucket is 'Key of the bucket.';
comment on column credits.buckets.draw_order is 'Lower is drawn first. Lots have a copy: who changes it here changes it there, in the same transaction.';
comment on column credits.buckets.counts_as is
  'Which of the two figures of a balance it adds to. What counts as included obeys the plan''s rollover rule at each boundary. Lots have a copy.';
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
  top_ups boolean not null default false,
  has_other_keys boolean not null default false,
  next_due_at timestamptz not null default 'infinity',
  opened_at timestamptz not null,
  watched_until timestamptz,
  sweep_again_at timestamptz,
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
comment on column credits.accounts.top_ups is 'Whether automatic top-ups are enabled, as top_up_settings has it.';
comment on column credits.accounts.has_other_keys is
  'Whether a hold or a purchase of it has an idempotency key. If none has, a spend looks for its key in the log alone.';
comment on column credits.accounts.next_due_at is 'Nothing falls due before this instant: the first period end, expiry of a lot or end of a hold ahead.';
comment on column credits.accounts.opened_at is 'When the account was opened.';
comment on column credits.accounts.sweep_again_at is 'When the worker tries again to settle it, which it could not; null: it always could.';
comment on column credits.accounts.watched_until is 'Changes before this instant are announced to who watches the balances; null: nobody did.';

create table credits.members (
  account_id text collate "C" not null,
  member_id text not null,
  role text not null default 'member',
  period_cap credits.amount,
  added_at timestamptz not null,
  constraint members_pkey primary key (account_id, member_id),
  constraint members_account_fkey foreign key (account_id) references credits.accounts,
  constraint member_role_is_known check (role in ('admin', 'member')),
  constraint member_id_is_1_to_255_characters check (length(member_id) between 1 and 255)
);
comment on table credits.members is 'Members of a team with a role or a cap of their own. A spend may name others too: member_id is a label.';
comment on column credits.members.account_id is 'The team.';
comment on column credits.members.member_id is 'The application''s id of the person.';
comment on column credits.members.role is 'admin: may buy, configure and manage members; member: may not.';
comment on column credits.members.period_cap is 'At most this much may they draw in a period, in the card''s main unit; null: no cap.';
comment on column credits.members.added_at is 'When they were added.';

create table credits.top_up_settings (
  account_id text collate "C" not null,
  enabled boolean not null default false,
  threshold credits.amount,
  amount credits.amount,
  monthly_limit credits.amount,
  suspended_reason text,
  look_again_at timestamptz,
  constraint top_up_settings_pkey primary key (account_id),
  constraint top_up_settings_account_fkey foreign key (account_id) references credits.accounts,
  constraint top_ups_suspended_are_not_enabled check (not enabled or suspended_reason is null),
  constraint top_ups_enabled_have_threshold_and_amount 
    check (not enabled or (threshold is not null and amount is not null and amount > 0))
);
comment on table credits.top_up_settings is 'Automatic top-ups of an account; no row: never configured.';
comment on column credits.top_up_settings.account_id is 'Whose settings they are.';
comment on column credits.top_up_settings.enabled is 'Whether a balance below the threshold is topped up.';
comment on column credits.top_up_settings.suspended_reason is 'Why top-ups were turned off by themselves: the card was declined three times.';
comment on column credits.top_up_settings.look_again_at is
  'When a top-up that the month''s limit did not allow is looked at again: at the start of the next month.';
comment on column credits.top_up_settings.threshold is 'Topped up when the total is below this, in the card''s main unit.';
comment on column credits.top_up_settings.amount is 'How much is added each time, in the card''s main unit.';
comment on column credits.top_up_settings.monthly_limit is 'At most this many credits are added in a UTC month; null: no limit.';

-- A period whose plan was left before its end. Subscribing to a plan of the same sort resumes it, so that leaving and
-- coming back never grants an allowance twice.
create table credits.interrupted_periods (
  account_id text collate "C" not null,
  paid boolean not null,
  plan text not null,
  anchor timestamptz not null,
  period_index int not null,
  period_start timestamptz not null,
  period_end timestamptz not null,
  constraint interrupted_periods_pkey primary key (account_id, paid),
  constraint interrupted_periods_account_fkey foreign key (account_id) references credits.accounts,
  constraint interrupted_periods_plan_fkey foreign key (plan) references credits.plans,
  constraint interrupted_period_is_in_order check (period_start < period_end)
);
comment on table credits.interrupted_periods is 'Periods whose plan was left before their end: until then, a plan of the same sort resumes them.';
create index interrupted_periods_by_plan on credits.interrupted_periods (plan);
comment on column credits.interrupted_periods.account_id is 'Whose period it is.';
comment on column credits.interrupted_periods.paid is 'The sort of its plan: paid, or price 0.';
comment on column credits.interrupted_periods.plan is 'The plan that was left.';
comment on column credits.interrupted_periods.anchor is 'The phase of its plan''s periods.';
comment on column credits.interrupted_periods.period_index is 'Which period it is.';
comment on column credits.interrupted_periods.period_start is 'When it began.';
comment on column credits.interrupted_periods.period_end is 'When it ends or would have ended.';

create table credits.purchases (
  account_id text collate "C" not null,
  purchase_id bigint not null,
  kind text not null,
  pack text,
  unit text not null,
  amount credits.amount not null,
  price numeric not null,
  currency text not null,
  status text not null default 'pending',
  payment_reference text,
  shortfall credits.amount not null default 0,
  reversed_amount credits.amount not null default 0,
  reinstated_amount credits.amount not null default 0,
  declines int not null default 0,
  next_attempt_at timestamptz,
  reason text,
  member_id text,
  idempotency_key text,
  created_at timestamptz not null,
  settled_at timestamptz,
  constraint purchases_pkey primary key (account_id, purchase_id),
  constraint purchases_account_fkey foreign key (account_id) references credits.accounts,
  constraint purchase_kind_is_known check (kind in ('pack', 'top_up')),
  constraint purchase_of_a_pack_names_it check ((kind = 'pack') = (pack is not null)),
  constraint purchase_status_is_known check (status in ('pending', 'settled', 'failed', 'reversed')),
  constraint purchase_is_settled_by_a_payment check (status <> 'settled' or (payment_reference is not null and settled_at is not null)),
  constraint purchase_reverses_at_most_its_amount check (
    reversed_amount - reinstated_amount between 0 and amount and shortfall <= reversed_amount - reinstated_amount),
  constraint purchase_price_is_finite check (price >= 0 and price <= 1e12)
);
create unique index purchases_one_pending_top_up on credits.purchases (account_id) where kind = 'top_up' and status = 'pending';
create unique index purchases_payment_reference on credits.purchases (account_id, payment_reference) where payment_reference is not null;
create unique index purchases_idempotency_key on credits.purchases (account_id, idempotency_key) where idempotency_key is not null;
create index purchases_pending on credits.purchases (next_attempt_at) where kind = 'top_up' and status = 'pending';
create index purchases_of_the_month on credits.purchases (account_id, created_at) where kind = 'top_up';
comment on table credits.purchases is 'Packs bought and automatic top-ups. Nothing of a purchase is spendable until it is settled.';
comment on column credits.purchases.account_id is 'Who buys.';
comment on column credits.purchases.purchase_id is 'Counts the account''s purchases from 1.';
comment on column credits.purchases.kind is 'pack, bought by a person; or top_up, by a balance below the threshold.';
comment on column credits.purchases.pack is 'The pack of the rate card.';
comment on column credits.purchases.unit is 'What is bought.';
comment on column credits.purchases.amount is 'How much of it.';
comment on column credits.purchases.price is 'What it costs, in whole currency units such as dollars.';
comment on column credits.purchases.currency is 'ISO 4217 code.';
comment on column credits.purchases.status is 'pending, settled, failed or reversed.';
comment on column credits.purchases.payment_reference is 'The payment provider''s id of the payment that settled it.';
comment on column credits.purchases.shortfall is 'What a reversal could not take back, because it was spent or held, and has not returned to the lot since.';
comment on column credits.purchases.reversed_amount is 'How much of it was reversed, taken back or not, in all.';
comment on column credits.purchases.reinstated_amount is 'How much of what was reversed was given back since, as by a dispute that was won.';
comment on column credits.purchases.declines is 'How often the charge of a top-up was declined in a row.';
comment on column credits.purchases.next_attempt_at is 'When the worker tries to charge a top-up again.';
comment on column credits.purchases.reason is 'Why it failed or was reversed.';
comment on column credits.purchases.member_id is 'Who bought it.';
comment on column credits.purchases.idempotency_key is 'The caller''s key of the request.';
comment on column credits.purchases.created_at is 'When it was recorded.';
comment on column credits.purchases.settled_at is 'When the payment was reported.';

create table credits.holds (
  account_id text collate "C" not null,
  hold_id bigint not null,
  unit text not null,
  amount credits.amount not null,
  captured credits.amount not null default 0,
  status text not null default 'open',
  operation text,
  usage jsonb not null,
  breakdown jsonb not null,
  plan text,
  top_ups boolean not null,
  member_id text,
  idempotency_key text,
  authorized_at timestamptz not null,
  expires_at timestamptz not null,
  ended_at timestamptz,
  capture_request jsonb,
  metadata jsonb,
  constraint holds_pkey primary key (account_id, hold_id, unit),
  constraint holds_account_fkey foreign key (account_id) references credits.accounts,
  constraint hold_status_is_known check (status in ('open', 'captured', 'released', 'expired')),
  constraint hold_ends_when_it_is_no_longer_open check ((status = 'open') = (ended_at is null)),
  constraint hold_is_captured_with_a_request check ((status = 'captured') = (capture_request is not null)),
  constraint hold_expires_later check (authorized_at < expires_at)
);
create unique index holds_idempotency_key on credits.holds (account_id, idempotency_key, unit) where idempotency_key is not null;
create index holds_open on credits.holds (account_id, expires_at) where status = 'open';
comment on table credits.holds is 'Credits reserved for a job whose price is not known yet: a row a unit, all of one request with one hold_id.';
comment on column credits.holds.account_id is 'Whose credits are held.';
comment on column credits.holds.hold_id is 'Counts the account''s holds from 1.';
comment on column credits.holds.unit is 'The unit that is held.';
comment on column credits.holds.amount is 'How much was held; 0 for a unit that only the capture brought.';
comment on column credits.holds.captured is 'How much of it, or above it, was charged in the end.';
comment on column credits.holds.status is 'open, captured, released or expired.';
comment on column credits.holds.operation is 'What it was authorized for; null where the items of the job differ.';
comment on column credits.holds.usage is 'The usage it was authorized for; a list of {operation, usage} where the job had several items.';
comment on column credits.holds.breakdown is 'What the amount consisted of.';
comment on column credits.holds.plan is 'The plan at the authorization: a capture is priced at its rates.';
comment on column credits.holds.top_ups is 'Whether top-ups were enabled at the authorization.';
comment on column credits.holds.member_id is 'The application''s label of who asked for it.';
comment on column credits.holds.idempotency_key is 'The caller''s key of the authorization.';
comment on column credits.holds.authorized_at is 'When it was taken: the instant whose rates apply.';
comment on column credits.holds.expires_at is 'It is over from this instant, unless captured or released before.';
comment on column credits.holds.ended_at is 'When it was captured, released or expired.';
comment on column credits.holds.capture_request is 'What was captured, to tell a repeated capture from another one.';
comment on column credits.holds.metadata is 'The application''s own.';
