-- What a team sets and buys: members and their caps, top-up settings, purchases, interrupted periods.

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
comment on column credits.top_up_settings.threshold is 'Topped up when the total is below this, in the card''s main unit.';
comment on column credits.top_up_settings.amount is 'How much is added each time, in the card''s main unit.';
comment on column credits.top_up_settings.monthly_limit is 'At most this many credits are added in a UTC month; null: no limit.';


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
  constraint purchase_reverses_at_most_its_amount check (reversed_amount <= amount and shortfall <= reversed_amount),
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
comment on column credits.purchases.shortfall is 'What a reversal could not take back, because it was spent or held.';
comment on column credits.purchases.reversed_amount is 'How much of it was reversed, taken back or not.';
comment on column credits.purchases.declines is 'How often the charge of a top-up was declined in a row.';
comment on column credits.purchases.next_attempt_at is 'When the worker tries to charge a top-up again.';
comment on column credits.purchases.reason is 'Why it failed or was reversed.';
comment on column credits.purchases.member_id is 'Who bought it.';
comment on column credits.purchases.idempotency_key is 'The caller''s key of the request.';
comment on column credits.purchases.created_at is 'When it was recorded.';
comment on column credits.purchases.settled_at is 'When the payment was reported.';

alter table credits.lots add constraint lots_purchase_fkey foreign key (account_id, purchase_id) references credits.purchases;
create index lots_by_purchase on credits.lots (account_id, purchase_id) where purchase_id is not null;
alter table credits.entries add constraint entries_purchase_fkey foreign key (account_id, purchase_id) references credits.purchases;
create index entries_of_purchases on credits.entries (account_id, purchase_id) where purchase_id is not null;

-- A period whose plan was left before its end. Subscribing to a plan of the same sort resumes it, so that leaving and
-- coming back never grants an allowance twice.
create table credits.interrupted_periods (
  account_id text collate "C" not null,
  paid boolean not null,
  anchor timestamptz not null,
  period_index int not null,
  period_start timestamptz not null,
  period_end timestamptz not null,
  constraint interrupted_periods_pkey primary key (account_id, paid),
  constraint interrupted_periods_account_fkey foreign key (account_id) references credits.accounts,
  constraint interrupted_period_is_in_order check (period_start < period_end)
);
comment on table credits.interrupted_periods is 'Periods whose plan was left before their end: until then, a plan of the same sort resumes them.';
comment on column credits.interrupted_periods.account_id is 'Whose period it is.';
comment on column credits.interrupted_periods.paid is 'The sort of its plan: paid, or price 0.';
comment on column credits.interrupted_periods.anchor is 'The phase of its plan''s periods.';
comment on column credits.interrupted_periods.period_index is 'Which period it is.';
comment on column credits.interrupted_periods.period_start is 'When it began.';
comment on column credits.interrupted_periods.period_end is 'When it ends or would have ended.';
