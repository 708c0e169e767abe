-- Generated from the database by scripts/dump-schema.ts, to be read. Do not edit or run.


-- ---- roles

role credits_analyst

role credits_engine

role credits_member

role credits_owner

role credits_service


-- ---- schemas

schema credits owner postgres
grant usage on schema credits to credits_analyst;
grant usage on schema credits to credits_engine;
grant usage on schema credits to credits_member;
grant usage on schema credits to credits_owner;
grant usage on schema credits to credits_service;

schema credits_private owner postgres
grant usage on schema credits_private to credits_engine;
grant usage on schema credits_private to credits_owner;

schema credits_report owner postgres
grant usage on schema credits_report to credits_analyst;


-- ---- types

create domain credits.amount as numeric
  constraint amount_is_finite_and_not_negative CHECK (((VALUE >= (0)::numeric) AND (VALUE <= '1000000000000000000'::numeric)));

create type credits.balance as (
  unit text,
  included numeric,
  additional numeric,
  held numeric,
  total numeric,
  next_refill_at timestamp with time zone
);

create domain credits.entry_kind as text
  constraint entry_kind_is_known CHECK ((VALUE = ANY (ARRAY['refill'::text, 'grant'::text, 'purchase'::text, 'top_up'::text, 'usage'::text, 'refund'::text, 'expiry'::text, 'revocation'::text])));

create type credits.feature as (
  feature text,
  value jsonb
);

create type credits.item as (
  operation text,
  usage jsonb
);

create domain credits.lot_source as text
  constraint lot_source_is_known CHECK ((VALUE = ANY (ARRAY['refill'::text, 'grant'::text, 'promotion'::text, 'purchase'::text, 'top_up'::text, 'refund'::text])));

create domain credits.money as numeric
  constraint money_is_finite_and_not_negative CHECK (((VALUE >= (0)::numeric) AND (VALUE <= '1000000000000'::numeric)));

create type credits.quote_line as (
  unit text,
  amount numeric,
  available numeric,
  affordable boolean,
  blocked_by text,
  breakdown jsonb
);

create type credits.rate as (
  category text,
  operation text,
  operation_name text,
  component text,
  match jsonb,
  unit text,
  price numeric,
  measure text,
  per numeric,
  quantity_rounding text,
  minimum_quantity numeric,
  tiers jsonb,
  minimum_charge numeric,
  maximum_charge numeric,
  optional boolean,
  multipliers jsonb,
  rate_id bigint
);

create domain credits.signed_amount as numeric
  constraint signed_amount_is_finite CHECK (((VALUE >= '-1000000000000000000'::numeric) AND (VALUE <= '1000000000000000000'::numeric)));

create type credits.spend_request as (
  account_id text,
  operation text,
  usage jsonb,
  idempotency_key text,
  member_id text,
  max_amount numeric,
  metadata jsonb
);

create type credits.spend_result as (
  request_index integer,
  status text,
  error_code text,
  error_detail jsonb,
  account_id text,
  seq bigint,
  unit text,
  kind text,
  operation text,
  amount numeric,
  included numeric,
  additional numeric,
  balance_after numeric,
  member_id text,
  usage jsonb,
  breakdown jsonb,
  idempotency_key text,
  occurred_at timestamp with time zone,
  recorded_at timestamp with time zone,
  metadata jsonb,
  error_hint text
);

create type credits.usage_day as (
  day date,
  operation text,
  member_id text,
  unit text,
  charges bigint,
  amount numeric
);

create type credits.violation as (
  account_id text,
  rule text,
  detail jsonb
);

create type credits_private.asked_job as (
  rate_card text,
  plan text,
  top_ups boolean,
  operation text,
  usage jsonb,
  indexes integer[],
  account_ids text[],
  last_seqs bigint[]
);

create type credits_private.charge as (
  unit text,
  scale integer,
  rounding text,
  numerator numeric,
  denominator numeric,
  shown numeric,
  lines jsonb
);

create type credits_private.draw_place as (
  draw_order smallint,
  priority integer,
  expires_at timestamp with time zone,
  paid boolean,
  starts_at timestamp with time zone,
  lot_id bigint
);

create type credits_private.due_event as (
  account_id text,
  at timestamp with time zone,
  kind text,
  unit text,
  lot_id bigint,
  counts_as text,
  amount numeric,
  expires_at timestamp with time zone,
  plan text,
  hold_id bigint,
  account credits.accounts,
  meter_id bigint,
  item credits.item,
  breakdown jsonb,
  slices credits_private.slice[]
);

create type credits_private.listed_multiplier as (
  multiplier_group text,
  component text,
  match jsonb,
  factor numeric,
  valid_from timestamp with time zone,
  valid_until timestamp with time zone
);

create type credits_private.listed_rate as (
  component text,
  match jsonb,
  unit text,
  scale integer,
  rounding text,
  price numeric,
  tiers jsonb,
  measure text,
  per numeric,
  quantity_rounding text,
  minimum_quantity numeric,
  minimum_charge numeric,
  maximum_charge numeric,
  is_limited boolean,
  valid_from timestamp with time zone,
  valid_until timestamp with time zone,
  line jsonb
);

create type credits_private.price as (
  unit text,
  amount numeric,
  breakdown jsonb
);

create type credits_private.priced_line as (
  index integer,
  seq bigint,
  amount numeric,
  breakdown jsonb
);

create type credits_private.projection as (
  account credits.accounts,
  lots credits.lots[],
  events credits_private.due_event[]
);

create type credits_private.purse as (
  account_id text,
  unit text,
  balance numeric,
  lines credits_private.priced_line[],
  lots credits.lots[]
);

create type credits_private.slice as (
  lot_id bigint,
  counts_as text,
  spent numeric,
  forfeited numeric
);

create type credits_private.writing as (
  account credits.accounts,
  at timestamp with time zone
);


-- ---- tables

create table credits.accounts (
  account_id text collate "C" not null,
  rate_card text not null,
  plan text,
  anchor timestamp with time zone,
  period_index integer,
  period_start timestamp with time zone,
  period_end timestamp with time zone,
  pending_plan text,
  cancels_at_period_end boolean not null default false,
  additional_enabled boolean not null default true,
  additional_period_limit credits.amount,
  top_ups boolean not null default false,
  has_other_keys boolean not null default false,
  next_due_at timestamp with time zone not null default 'infinity'::timestamp with time zone,
  opened_at timestamp with time zone not null,
  watched_until timestamp with time zone,
  sweep_again_at timestamp with time zone,
  constraint accounts_pkey PRIMARY KEY (account_id),
  constraint account_change_waits_for_a_period CHECK (((period_end IS NOT NULL) OR ((pending_plan IS NULL) AND (NOT cancels_at_period_end)))),
  constraint account_has_one_change_pending CHECK (((pending_plan IS NULL) OR (NOT cancels_at_period_end))),
  constraint account_id_is_1_to_64_characters CHECK (((length(account_id) >= 1) AND (length(account_id) <= 64))),
  constraint account_period_is_in_order CHECK ((period_start < period_end)),
  constraint account_period_is_whole CHECK ((num_nulls(period_index, period_start, period_end) = ANY (ARRAY[0, 3]))),
  constraint accounts_pending_plan_fkey FOREIGN KEY (pending_plan) REFERENCES credits.plans(plan),
  constraint accounts_plan_fkey FOREIGN KEY (plan) REFERENCES credits.plans(plan),
  constraint accounts_rate_card_fkey FOREIGN KEY (rate_card) REFERENCES credits.rate_cards(rate_card)
);
CREATE INDEX accounts_by_pending_plan ON credits.accounts USING btree (pending_plan) WHERE (pending_plan IS NOT NULL);
CREATE INDEX accounts_by_plan ON credits.accounts USING btree (plan);
CREATE INDEX accounts_by_rate_card ON credits.accounts USING btree (rate_card);
CREATE INDEX accounts_due ON credits.accounts USING btree (next_due_at) WHERE (next_due_at < 'infinity'::timestamp with time zone);
alter table credits.accounts owner to credits_owner;
alter table credits.accounts enable row level security;
create policy engine_sees_all on credits.accounts for all to credits_engine using (true) with check (true);
create policy member_reads_own_account on credits.accounts for select to credits_member using ((account_id = NULLIF(current_setting('credits.account_id'::text, true), ''::text)));
create policy service_reads_all on credits.accounts for select to credits_analyst, credits_service using (true);
grant insert, select, update on credits.accounts to credits_engine;
grant select on credits.accounts to credits_analyst;
grant select on credits.accounts to credits_member;
grant select on credits.accounts to credits_service;

create table credits.buckets (
  bucket text not null,
  draw_order smallint not null,
  counts_as text not null,
  name text not null,
  constraint buckets_pkey PRIMARY KEY (bucket),
  constraint buckets_are_drawn_one_after_another UNIQUE (draw_order),
  constraint bucket_counts_as_included_or_additional CHECK ((counts_as = ANY (ARRAY['included'::text, 'additional'::text])))
);
alter table credits.buckets owner to credits_owner;
grant select on credits.buckets to credits_analyst;
grant select on credits.buckets to credits_engine;
grant select on credits.buckets to credits_member;
grant select on credits.buckets to credits_service;

create table credits.card_multipliers (
  multiplier_id bigint not null generated always as identity,
  rate_card text not null,
  operation text not null,
  multiplier_group text not null,
  component text,
  match jsonb not null,
  factor numeric not null,
  source text,
  valid_from timestamp with time zone not null default '-infinity'::timestamp with time zone,
  valid_until timestamp with time zone not null default 'infinity'::timestamp with time zone,
  specificity integer not null generated always as (jsonb_array_length(jsonb_path_query_array(match, '$.keyvalue()'::jsonpath))) stored,
  constraint card_multipliers_pkey PRIMARY KEY (multiplier_id),
  constraint multipliers_alike_do_not_overlap_in_time EXCLUDE USING gist (rate_card WITH =, operation WITH =, multiplier_group WITH =, COALESCE(component, ''::text) WITH =, ((match)::text) WITH =, tstzrange(valid_from, valid_until) WITH &&),
  constraint multiplier_factor_is_finite CHECK (((factor >= (0)::numeric) AND (factor <= '1000000'::numeric))),
  constraint multiplier_group_has_a_name CHECK ((multiplier_group <> ''::text)),
  constraint multiplier_match_is_an_object CHECK ((jsonb_typeof(match) = 'object'::text)),
  constraint multiplier_validity_is_in_order CHECK ((valid_from <= valid_until)),
  constraint card_multipliers_operation_fkey FOREIGN KEY (rate_card, operation) REFERENCES credits.operations(rate_card, operation)
);
CREATE INDEX card_multipliers_by_operation ON credits.card_multipliers USING btree (rate_card, operation);
alter table credits.card_multipliers owner to credits_owner;
grant select on credits.card_multipliers to credits_analyst;
grant select on credits.card_multipliers to credits_engine;
grant select on credits.card_multipliers to credits_member;
grant select on credits.card_multipliers to credits_service;

create table credits.card_rates (
  rate_id bigint not null generated always as identity,
  rate_card text not null,
  operation text not null,
  component text not null default 'base'::text,
  match jsonb not null default '{}'::jsonb,
  unit text not null default 'credit'::text,
  price numeric,
  measure text,
  per numeric not null default 1,
  quantity_rounding text not null default 'exact'::text,
  minimum_quantity numeric,
  tiers jsonb,
  minimum_charge numeric,
  maximum_charge numeric,
  optional boolean not null default false,
  source text,
  valid_from timestamp with time zone not null default '-infinity'::timestamp with time zone,
  valid_until timestamp with time zone not null default 'infinity'::timestamp with time zone,
  specificity integer not null generated always as (jsonb_array_length(jsonb_path_query_array(match, '$.keyvalue()'::jsonpath))) stored,
  constraint card_rates_pkey PRIMARY KEY (rate_id),
  constraint rates_alike_do_not_overlap_in_time EXCLUDE USING gist (rate_card WITH =, operation WITH =, component WITH =, ((match)::text) WITH =, tstzrange(valid_from, valid_until) WITH &&),
  constraint rate_charges_are_in_order CHECK ((minimum_charge <= maximum_charge)),
  constraint rate_component_has_a_name CHECK ((component <> ''::text)),
  constraint rate_has_a_price_or_tiers CHECK ((num_nonnulls(price, tiers) = 1)),
  constraint rate_match_is_an_object CHECK ((jsonb_typeof(match) = 'object'::text)),
  constraint rate_maximum_charge_is_finite CHECK (((maximum_charge >= (0)::numeric) AND (maximum_charge <= '1000000000000'::numeric))),
  constraint rate_minimum_charge_is_finite CHECK (((minimum_charge >= (0)::numeric) AND (minimum_charge <= '1000000000000'::numeric))),
  constraint rate_minimum_quantity_is_finite CHECK (((minimum_quantity >= (0)::numeric) AND (minimum_quantity <= '1000000000000'::numeric))),
  constraint rate_per_is_positive CHECK (((per > (0)::numeric) AND (per <= '1000000000000'::numeric))),
  constraint rate_price_is_finite CHECK (((price >= (0)::numeric) AND (price <= '1000000000000'::numeric))),
  constraint rate_quantities_need_a_measure CHECK (((measure IS NOT NULL) OR ((quantity_rounding = 'exact'::text) AND (minimum_quantity IS NULL) AND (tiers IS NULL) AND (per = (1)::numeric)))),
  constraint rate_quantity_rounding_is_known CHECK ((quantity_rounding = ANY (ARRAY['exact'::text, 'up'::text]))),
  constraint rate_validity_is_in_order CHECK ((valid_from <= valid_until)),
  constraint card_rates_operation_fkey FOREIGN KEY (rate_card, operation) REFERENCES credits.operations(rate_card, operation),
  constraint card_rates_unit_fkey FOREIGN KEY (rate_card, unit) REFERENCES credits.units(rate_card, unit)
);
CREATE INDEX card_rates_by_operation ON credits.card_rates USING btree (rate_card, operation);
CREATE INDEX card_rates_by_unit ON credits.card_rates USING btree (rate_card, unit);
alter table credits.card_rates owner to credits_owner;
grant select on credits.card_rates to credits_analyst;
grant select on credits.card_rates to credits_engine;
grant select on credits.card_rates to credits_member;
grant select on credits.card_rates to credits_service;

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
  occurred_at timestamp with time zone not null,
  recorded_at timestamp with time zone not null,
  metadata jsonb,
  constraint entries_pkey PRIMARY KEY (account_id, seq),
  constraint entry_amount_is_the_sum_of_its_buckets CHECK (((amount)::numeric = ((included)::numeric + (additional)::numeric))),
  constraint entries_hold_fkey FOREIGN KEY (account_id, hold_id, unit) REFERENCES credits.holds(account_id, hold_id, unit),
  constraint entries_purchase_fkey FOREIGN KEY (account_id, purchase_id) REFERENCES credits.purchases(account_id, purchase_id),
  constraint entries_refunds_fkey FOREIGN KEY (account_id, refunds_seq) REFERENCES credits.entries(account_id, seq)
);
CREATE UNIQUE INDEX entries_idempotency_key ON credits.entries USING btree (account_id, idempotency_key, unit) WHERE (idempotency_key IS NOT NULL);
CREATE INDEX entries_of_holds ON credits.entries USING btree (account_id, hold_id, unit) WHERE (hold_id IS NOT NULL);
CREATE INDEX entries_of_purchases ON credits.entries USING btree (account_id, purchase_id) WHERE (purchase_id IS NOT NULL);
CREATE INDEX entries_refunds ON credits.entries USING btree (account_id, refunds_seq) WHERE (refunds_seq IS NOT NULL);
alter table credits.entries owner to credits_owner;
alter table credits.entries enable row level security;
create policy engine_sees_all on credits.entries for all to credits_engine using (true) with check (true);
create policy member_reads_own_account on credits.entries for select to credits_member using ((account_id = NULLIF(current_setting('credits.account_id'::text, true), ''::text)));
create policy service_reads_all on credits.entries for select to credits_analyst, credits_service using (true);
grant insert, select on credits.entries to credits_engine;
grant select on credits.entries to credits_analyst;
grant select on credits.entries to credits_member;
grant select on credits.entries to credits_service;

create table credits.gates (
  gate_id bigint not null generated always as identity,
  rate_card text not null,
  operation text not null,
  match jsonb not null default '{}'::jsonb,
  requires text not null,
  plans text[],
  source text,
  constraint gates_pkey PRIMARY KEY (gate_id),
  constraint gates_are_listed_once UNIQUE NULLS NOT DISTINCT (rate_card, operation, match, requires, plans),
  constraint gate_lists_plans_if_it_requires_one CHECK (((requires = 'plan'::text) = (plans IS NOT NULL))),
  constraint gate_match_is_an_object CHECK ((jsonb_typeof(match) = 'object'::text)),
  constraint gate_requirement_is_known CHECK ((requires = ANY (ARRAY['plan'::text, 'top_ups'::text]))),
  constraint gates_operation_fkey FOREIGN KEY (rate_card, operation) REFERENCES credits.operations(rate_card, operation)
);
alter table credits.gates owner to credits_owner;
grant select on credits.gates to credits_analyst;
grant select on credits.gates to credits_engine;
grant select on credits.gates to credits_member;
grant select on credits.gates to credits_service;

create table credits.hold_lots (
  account_id text collate "C" not null,
  hold_id bigint not null,
  unit text not null,
  ordinal integer not null,
  lot_id bigint not null,
  amount credits.amount not null,
  constraint hold_lots_pkey PRIMARY KEY (account_id, hold_id, unit, ordinal),
  constraint hold_lots_hold_fkey FOREIGN KEY (account_id, hold_id, unit) REFERENCES credits.holds(account_id, hold_id, unit),
  constraint hold_lots_lot_fkey FOREIGN KEY (account_id, lot_id) REFERENCES credits.lots(account_id, lot_id)
);
CREATE INDEX hold_lots_by_lot ON credits.hold_lots USING btree (account_id, lot_id);
alter table credits.hold_lots owner to credits_owner;
alter table credits.hold_lots enable row level security;
create policy engine_sees_all on credits.hold_lots for all to credits_engine using (true) with check (true);
create policy member_reads_own_account on credits.hold_lots for select to credits_member using ((account_id = NULLIF(current_setting('credits.account_id'::text, true), ''::text)));
create policy service_reads_all on credits.hold_lots for select to credits_analyst, credits_service using (true);
grant insert, select on credits.hold_lots to credits_engine;
grant select on credits.hold_lots to credits_analyst;
grant select on credits.hold_lots to credits_member;
grant select on credits.hold_lots to credits_service;

create table credits.holds (
  account_id text collate "C" not null,
  hold_id bigint not null,
  unit text not null,
  amount credits.amount not null,
  captured credits.amount not null default 0,
  status text not null default 'open'::text,
  operation text,
  usage jsonb not null,
  breakdown jsonb not null,
  plan text,
  top_ups boolean not null,
  member_id text,
  idempotency_key text,
  authorized_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  capture_request jsonb,
  metadata jsonb,
  constraint holds_pkey PRIMARY KEY (account_id, hold_id, unit),
  constraint hold_ends_when_it_is_no_longer_open CHECK (((status = 'open'::text) = (ended_at IS NULL))),
  constraint hold_expires_later CHECK ((authorized_at < expires_at)),
  constraint hold_is_captured_with_a_request CHECK (((status = 'captured'::text) = (capture_request IS NOT NULL))),
  constraint hold_status_is_known CHECK ((status = ANY (ARRAY['open'::text, 'captured'::text, 'released'::text, 'expired'::text]))),
  constraint holds_account_fkey FOREIGN KEY (account_id) REFERENCES credits.accounts(account_id)
);
CREATE UNIQUE INDEX holds_idempotency_key ON credits.holds USING btree (account_id, idempotency_key, unit) WHERE (idempotency_key IS NOT NULL);
CREATE INDEX holds_open ON credits.holds USING btree (account_id, expires_at) WHERE (status = 'open'::text);
alter table credits.holds owner to credits_owner;
alter table credits.holds enable row level security;
create policy engine_sees_all on credits.holds for all to credits_engine using (true) with check (true);
create policy member_reads_own_account on credits.holds for select to credits_member using ((account_id = NULLIF(current_setting('credits.account_id'::text, true), ''::text)));
create policy service_reads_all on credits.holds for select to credits_analyst, credits_service using (true);
grant insert, select, update on credits.holds to credits_engine;
grant select on credits.holds to credits_analyst;
grant select on credits.holds to credits_member;
grant select on credits.holds to credits_service;

create table credits.interrupted_periods (
  account_id text collate "C" not null,
  paid boolean not null,
  plan text not null,
  anchor timestamp with time zone not null,
  period_index integer not null,
  period_start timestamp with time zone not null,
  period_end timestamp with time zone not null,
  constraint interrupted_periods_pkey PRIMARY KEY (account_id, paid),
  constraint interrupted_period_is_in_order CHECK ((period_start < period_end)),
  constraint interrupted_periods_account_fkey FOREIGN KEY (account_id) REFERENCES credits.accounts(account_id),
  constraint interrupted_periods_plan_fkey FOREIGN KEY (plan) REFERENCES credits.plans(plan)
);
CREATE INDEX interrupted_periods_by_plan ON credits.interrupted_periods USING btree (plan);
alter table credits.interrupted_periods owner to credits_owner;
alter table credits.interrupted_periods enable row level security;
create policy engine_sees_all on credits.interrupted_periods for all to credits_engine using (true) with check (true);
create policy member_reads_own_account on credits.interrupted_periods for select to credits_member using ((account_id = NULLIF(current_setting('credits.account_id'::text, true), ''::text)));
create policy service_reads_all on credits.interrupted_periods for select to credits_analyst, credits_service using (true);
grant insert, select, update on credits.interrupted_periods to credits_engine;
grant select on credits.interrupted_periods to credits_analyst;
grant select on credits.interrupted_periods to credits_member;
grant select on credits.interrupted_periods to credits_service;

create table credits.lots (
  account_id text collate "C" not null,
  lot_id bigint not null,
  unit text not null,
  bucket text not null,
  draw_order smallint not null,
  counts_as text not null,
  priority integer not null default 100,
  granted credits.amount not null,
  spent credits.amount not null default 0,
  held credits.amount not null default 0,
  forfeited credits.amount not null default 0,
  available credits.amount not null generated always as (((((granted)::numeric - (spent)::numeric) - (held)::numeric) - (forfeited)::numeric)) stored,
  open boolean not null default true,
  version bigint not null default 1,
  starts_at timestamp with time zone not null,
  expires_at timestamp with time zone,
  source credits.lot_source not null,
  plan text,
  reason text,
  purchase_id bigint,
  price credits.money,
  currency text,
  constraint lots_pkey PRIMARY KEY (account_id, lot_id),
  constraint lot_does_not_end_before_it_starts CHECK ((starts_at <= expires_at)),
  constraint lot_figures_are_explained_by_a_posting FOREIGN KEY (account_id, lot_id, version, granted, spent, forfeited) REFERENCES credits.postings(account_id, lot_id, version, granted, spent, forfeited) DEFERRABLE INITIALLY DEFERRED,
  constraint lots_purchase_fkey FOREIGN KEY (account_id, purchase_id) REFERENCES credits.purchases(account_id, purchase_id)
);
CREATE INDEX lots_by_purchase ON credits.lots USING btree (account_id, purchase_id) WHERE (purchase_id IS NOT NULL);
CREATE INDEX lots_open ON credits.lots USING btree (account_id, unit) WHERE open;
alter table credits.lots owner to credits_owner;
alter table credits.lots enable row level security;
create policy engine_sees_all on credits.lots for all to credits_engine using (true) with check (true);
create policy member_reads_own_account on credits.lots for select to credits_member using ((account_id = NULLIF(current_setting('credits.account_id'::text, true), ''::text)));
create policy service_reads_all on credits.lots for select to credits_analyst, credits_service using (true);
grant insert, select, update on credits.lots to credits_engine;
grant select on credits.lots to credits_analyst;
grant select on credits.lots to credits_member;
grant select on credits.lots to credits_service;

create table credits.members (
  account_id text collate "C" not null,
  member_id text not null,
  role text not null default 'member'::text,
  period_cap credits.amount,
  added_at timestamp with time zone not null,
  constraint members_pkey PRIMARY KEY (account_id, member_id),
  constraint member_id_is_1_to_255_characters CHECK (((length(member_id) >= 1) AND (length(member_id) <= 255))),
  constraint member_role_is_known CHECK ((role = ANY (ARRAY['admin'::text, 'member'::text]))),
  constraint members_account_fkey FOREIGN KEY (account_id) REFERENCES credits.accounts(account_id)
);
alter table credits.members owner to credits_owner;
alter table credits.members enable row level security;
create policy engine_sees_all on credits.members for all to credits_engine using (true) with check (true);
create policy member_reads_own_account on credits.members for select to credits_member using ((account_id = NULLIF(current_setting('credits.account_id'::text, true), ''::text)));
create policy service_reads_all on credits.members for select to credits_analyst, credits_service using (true);
grant delete, insert, select, update on credits.members to credits_engine;
grant select on credits.members to credits_analyst;
grant select on credits.members to credits_member;
grant select on credits.members to credits_service;

create table credits.meters (
  account_id text collate "C" not null,
  meter_id bigint not null,
  operation text not null,
  usage jsonb not null default '{}'::jsonb,
  measure text not null,
  level numeric not null,
  read_at timestamp with time zone not null,
  accrued numeric not null default 0,
  charged_until timestamp with time zone not null,
  unit text not null,
  shortfall credits.amount not null default 0,
  constraint meters_pkey PRIMARY KEY (account_id, meter_id),
  constraint meters_are_listed_once UNIQUE (account_id, operation, usage),
  constraint meter_accrual_is_finite CHECK (((accrued >= (0)::numeric) AND (accrued <= '1000000000000000000'::numeric))),
  constraint meter_is_read_in_the_day_that_is_open CHECK ((charged_until <= read_at)),
  constraint meter_level_is_finite CHECK (((level >= (0)::numeric) AND (level <= '1000000000000'::numeric))),
  constraint meters_account_fkey FOREIGN KEY (account_id) REFERENCES credits.accounts(account_id)
);
alter table credits.meters owner to credits_owner;
alter table credits.meters enable row level security;
create policy engine_sees_all on credits.meters for all to credits_engine using (true) with check (true);
create policy member_reads_own_account on credits.meters for select to credits_member using ((account_id = NULLIF(current_setting('credits.account_id'::text, true), ''::text)));
create policy service_reads_all on credits.meters for select to credits_analyst, credits_service using (true);
grant insert, select, update on credits.meters to credits_engine;
grant select on credits.meters to credits_analyst;
grant select on credits.meters to credits_member;
grant select on credits.meters to credits_service;

create table credits.operations (
  rate_card text not null,
  operation text not null,
  category text not null,
  name text not null,
  description text,
  retired_at timestamp with time zone,
  constraint operations_pkey PRIMARY KEY (rate_card, operation),
  constraint operations_rate_card_fkey FOREIGN KEY (rate_card) REFERENCES credits.rate_cards(rate_card)
);
alter table credits.operations owner to credits_owner;
grant select on credits.operations to credits_analyst;
grant select on credits.operations to credits_engine;
grant select on credits.operations to credits_member;
grant select on credits.operations to credits_service;

create table credits.pack_prices (
  rate_card text not null,
  pack text not null,
  currency text not null,
  price numeric not null,
  source text,
  constraint pack_prices_pkey PRIMARY KEY (rate_card, pack, currency),
  constraint pack_price_currency_is_iso_4217 CHECK ((currency ~ '^[A-Z]{3}$'::text)),
  constraint pack_price_is_finite CHECK (((price >= (0)::numeric) AND (price <= '1000000000000'::numeric))),
  constraint pack_prices_pack_fkey FOREIGN KEY (rate_card, pack) REFERENCES credits.packs(rate_card, pack)
);
alter table credits.pack_prices owner to credits_owner;
grant select on credits.pack_prices to credits_analyst;
grant select on credits.pack_prices to credits_engine;
grant select on credits.pack_prices to credits_member;
grant select on credits.pack_prices to credits_service;

create table credits.packs (
  rate_card text not null,
  pack text not null,
  name text not null,
  unit text not null default 'credit'::text,
  amount credits.amount not null,
  plans text[],
  source text,
  retired_at timestamp with time zone,
  constraint packs_pkey PRIMARY KEY (rate_card, pack),
  constraint pack_amount_is_positive CHECK (((amount)::numeric > (0)::numeric)),
  constraint packs_unit_fkey FOREIGN KEY (rate_card, unit) REFERENCES credits.units(rate_card, unit)
);
CREATE INDEX packs_by_unit ON credits.packs USING btree (rate_card, unit);
alter table credits.packs owner to credits_owner;
grant select on credits.packs to credits_analyst;
grant select on credits.packs to credits_engine;
grant select on credits.packs to credits_member;
grant select on credits.packs to credits_service;

create table credits.payment_customers (
  account_id text collate "C" not null,
  provider text not null,
  customer_id text not null,
  saved_at timestamp with time zone not null,
  constraint payment_customers_pkey PRIMARY KEY (account_id, provider),
  constraint payment_customer_id_is_1_to_255_characters CHECK (((length(customer_id) >= 1) AND (length(customer_id) <= 255))),
  constraint payment_provider_is_1_to_64_characters CHECK (((length(provider) >= 1) AND (length(provider) <= 64))),
  constraint payment_customers_account_fkey FOREIGN KEY (account_id) REFERENCES credits.accounts(account_id)
);
alter table credits.payment_customers owner to credits_owner;
alter table credits.payment_customers enable row level security;
create policy engine_sees_all on credits.payment_customers for all to credits_engine using (true) with check (true);
create policy member_reads_own_account on credits.payment_customers for select to credits_member using ((account_id = NULLIF(current_setting('credits.account_id'::text, true), ''::text)));
create policy service_reads_all on credits.payment_customers for select to credits_analyst, credits_service using (true);
grant insert, select, update on credits.payment_customers to credits_engine;
grant select on credits.payment_customers to credits_analyst;
grant select on credits.payment_customers to credits_service;

create table credits.plan_allowances (
  plan text not null,
  rate_card text not null,
  unit text not null default 'credit'::text,
  amount credits.amount not null,
  rollover text not null default 'none'::text,
  rollover_cap numeric,
  rollover_cap_multiple numeric,
  lives_periods integer,
  source text,
  constraint plan_allowances_pkey PRIMARY KEY (plan, unit),
  constraint allowance_cap_is_finite CHECK (((rollover_cap >= (0)::numeric) AND (rollover_cap <= '1000000000000000000'::numeric))),
  constraint allowance_cap_multiple_is_finite CHECK (((rollover_cap_multiple >= (0)::numeric) AND (rollover_cap_multiple <= '1000000'::numeric))),
  constraint allowance_has_a_cap_if_capped CHECK ((num_nonnulls(rollover_cap, rollover_cap_multiple) =
CASE rollover
    WHEN 'capped'::text THEN 1
    ELSE 0
END)),
  constraint allowance_life_needs_rollover CHECK (((lives_periods IS NULL) OR ((rollover <> 'none'::text) AND ((lives_periods >= 1) AND (lives_periods <= 1000))))),
  constraint allowance_rollover_is_known CHECK ((rollover = ANY (ARRAY['none'::text, 'all'::text, 'capped'::text]))),
  constraint plan_allowances_plan_fkey FOREIGN KEY (plan) REFERENCES credits.plans(plan),
  constraint plan_allowances_unit_fkey FOREIGN KEY (rate_card, unit) REFERENCES credits.units(rate_card, unit)
);
CREATE INDEX plan_allowances_by_unit ON credits.plan_allowances USING btree (rate_card, unit);
alter table credits.plan_allowances owner to credits_owner;
grant select on credits.plan_allowances to credits_analyst;
grant select on credits.plan_allowances to credits_engine;
grant select on credits.plan_allowances to credits_member;
grant select on credits.plan_allowances to credits_service;

create table credits.plan_features (
  plan text not null,
  feature text not null,
  value jsonb not null,
  source text,
  constraint plan_features_pkey PRIMARY KEY (plan, feature),
  constraint plan_features_plan_fkey FOREIGN KEY (plan) REFERENCES credits.plans(plan)
);
alter table credits.plan_features owner to credits_owner;
grant select on credits.plan_features to credits_analyst;
grant select on credits.plan_features to credits_engine;
grant select on credits.plan_features to credits_member;
grant select on credits.plan_features to credits_service;

create table credits.plan_prices (
  plan text not null,
  billing_interval text not null default 'month'::text,
  currency text not null,
  price numeric not null,
  source text,
  constraint plan_prices_pkey PRIMARY KEY (plan, billing_interval, currency),
  constraint plan_billing_interval_is_known CHECK ((billing_interval = ANY (ARRAY['week'::text, 'month'::text, 'year'::text]))),
  constraint plan_price_currency_is_iso_4217 CHECK ((currency ~ '^[A-Z]{3}$'::text)),
  constraint plan_price_is_finite CHECK (((price >= (0)::numeric) AND (price <= '1000000000000'::numeric))),
  constraint plan_prices_plan_fkey FOREIGN KEY (plan) REFERENCES credits.plans(plan)
);
alter table credits.plan_prices owner to credits_owner;
grant select on credits.plan_prices to credits_analyst;
grant select on credits.plan_prices to credits_engine;
grant select on credits.plan_prices to credits_member;
grant select on credits.plan_prices to credits_service;

create table credits.plans (
  plan text not null,
  rate_card text not null,
  name text not null,
  cadence text not null default 'month'::text,
  anchored_to text not null default 'subscription'::text,
  time_zone text not null default 'UTC'::text,
  source text,
  retired_at timestamp with time zone,
  constraint plans_pkey PRIMARY KEY (plan),
  constraint plan_anchor_is_known CHECK ((anchored_to = ANY (ARRAY['subscription'::text, 'calendar'::text]))),
  constraint plan_cadence_is_known CHECK ((cadence = ANY (ARRAY['day'::text, 'week'::text, 'month'::text, 'year'::text, 'none'::text]))),
  constraint plans_rate_card_fkey FOREIGN KEY (rate_card) REFERENCES credits.rate_cards(rate_card)
);
CREATE INDEX plans_by_rate_card ON credits.plans USING btree (rate_card);
alter table credits.plans owner to credits_owner;
grant select on credits.plans to credits_analyst;
grant select on credits.plans to credits_engine;
grant select on credits.plans to credits_member;
grant select on credits.plans to credits_service;

create table credits.postings (
  account_id text collate "C" not null,
  seq bigint not null,
  ordinal integer not null,
  lot_id bigint not null,
  version bigint not null,
  amount credits.signed_amount not null,
  granted credits.amount not null,
  spent credits.amount not null,
  forfeited credits.amount not null,
  constraint postings_pkey PRIMARY KEY (account_id, seq, ordinal),
  constraint postings_explain_the_lot UNIQUE (account_id, lot_id, version, granted, spent, forfeited)
);
alter table credits.postings owner to credits_owner;
alter table credits.postings enable row level security;
create policy engine_sees_all on credits.postings for all to credits_engine using (true) with check (true);
create policy member_reads_own_account on credits.postings for select to credits_member using ((account_id = NULLIF(current_setting('credits.account_id'::text, true), ''::text)));
create policy service_reads_all on credits.postings for select to credits_analyst, credits_service using (true);
grant insert, select on credits.postings to credits_engine;
grant select on credits.postings to credits_analyst;
grant select on credits.postings to credits_member;
grant select on credits.postings to credits_service;

create table credits.promotion_claims (
  rate_card text not null,
  promotion text not null,
  claimant text not null,
  account_id text collate "C" not null,
  claimed_at timestamp with time zone not null,
  constraint promotion_claims_pkey PRIMARY KEY (rate_card, promotion, claimant),
  constraint promotion_is_claimed_once_per_account UNIQUE (account_id, rate_card, promotion),
  constraint claimant_is_in_lower_case CHECK (((claimant = lower(claimant)) AND ((length(claimant) >= 1) AND (length(claimant) <= 320)))),
  constraint promotion_claims_promotion_fkey FOREIGN KEY (rate_card, promotion) REFERENCES credits.promotions(rate_card, promotion)
);
alter table credits.promotion_claims owner to credits_owner;
alter table credits.promotion_claims enable row level security;
create policy engine_sees_all on credits.promotion_claims for all to credits_engine using (true) with check (true);
create policy member_reads_own_account on credits.promotion_claims for select to credits_member using ((account_id = NULLIF(current_setting('credits.account_id'::text, true), ''::text)));
create policy service_reads_all on credits.promotion_claims for select to credits_analyst, credits_service using (true);
grant insert, select on credits.promotion_claims to credits_engine;
grant select on credits.promotion_claims to credits_analyst;
grant select on credits.promotion_claims to credits_service;

create table credits.promotions (
  rate_card text not null,
  promotion text not null,
  name text not null,
  unit text not null default 'credit'::text,
  amount credits.amount not null,
  priority integer not null default 100,
  expires_after interval,
  source text,
  retired_at timestamp with time zone,
  constraint promotions_pkey PRIMARY KEY (rate_card, promotion),
  constraint promotion_amount_is_positive CHECK (((amount)::numeric > (0)::numeric)),
  constraint promotion_expires_later CHECK ((expires_after > '00:00:00'::interval)),
  constraint promotions_unit_fkey FOREIGN KEY (rate_card, unit) REFERENCES credits.units(rate_card, unit)
);
CREATE INDEX promotions_by_unit ON credits.promotions USING btree (rate_card, unit);
alter table credits.promotions owner to credits_owner;
grant select on credits.promotions to credits_analyst;
grant select on credits.promotions to credits_engine;
grant select on credits.promotions to credits_member;
grant select on credits.promotions to credits_service;

create table credits.purchases (
  account_id text collate "C" not null,
  purchase_id bigint not null,
  kind text not null,
  pack text,
  unit text not null,
  amount credits.amount not null,
  price numeric not null,
  currency text not null,
  status text not null default 'pending'::text,
  payment_reference text,
  shortfall credits.amount not null default 0,
  reversed_amount credits.amount not null default 0,
  reinstated_amount credits.amount not null default 0,
  declines integer not null default 0,
  next_attempt_at timestamp with time zone,
  reason text,
  member_id text,
  idempotency_key text,
  created_at timestamp with time zone not null,
  settled_at timestamp with time zone,
  constraint purchases_pkey PRIMARY KEY (account_id, purchase_id),
  constraint purchase_is_settled_by_a_payment CHECK (((status <> 'settled'::text) OR ((payment_reference IS NOT NULL) AND (settled_at IS NOT NULL)))),
  constraint purchase_kind_is_known CHECK ((kind = ANY (ARRAY['pack'::text, 'top_up'::text]))),
  constraint purchase_of_a_pack_names_it CHECK (((kind = 'pack'::text) = (pack IS NOT NULL))),
  constraint purchase_price_is_finite CHECK (((price >= (0)::numeric) AND (price <= '1000000000000'::numeric))),
  constraint purchase_reverses_at_most_its_amount CHECK ((((((reversed_amount)::numeric - (reinstated_amount)::numeric) >= (0)::numeric) AND (((reversed_amount)::numeric - (reinstated_amount)::numeric) <= (amount)::numeric)) AND ((shortfall)::numeric <= ((reversed_amount)::numeric - (reinstated_amount)::numeric)))),
  constraint purchase_status_is_known CHECK ((status = ANY (ARRAY['pending'::text, 'settled'::text, 'failed'::text, 'reversed'::text]))),
  constraint purchases_account_fkey FOREIGN KEY (account_id) REFERENCES credits.accounts(account_id)
);
CREATE UNIQUE INDEX purchases_idempotency_key ON credits.purchases USING btree (account_id, idempotency_key) WHERE (idempotency_key IS NOT NULL);
CREATE INDEX purchases_of_the_month ON credits.purchases USING btree (account_id, created_at) WHERE (kind = 'top_up'::text);
CREATE UNIQUE INDEX purchases_one_pending_top_up ON credits.purchases USING btree (account_id) WHERE ((kind = 'top_up'::text) AND (status = 'pending'::text));
CREATE UNIQUE INDEX purchases_payment_reference ON credits.purchases USING btree (account_id, payment_reference) WHERE (payment_reference IS NOT NULL);
CREATE INDEX purchases_pending ON credits.purchases USING btree (next_attempt_at) WHERE ((kind = 'top_up'::text) AND (status = 'pending'::text));
alter table credits.purchases owner to credits_owner;
alter table credits.purchases enable row level security;
create policy engine_sees_all on credits.purchases for all to credits_engine using (true) with check (true);
create policy member_reads_own_account on credits.purchases for select to credits_member using ((account_id = NULLIF(current_setting('credits.account_id'::text, true), ''::text)));
create policy service_reads_all on credits.purchases for select to credits_analyst, credits_service using (true);
grant insert, select, update on credits.purchases to credits_engine;
grant select on credits.purchases to credits_analyst;
grant select on credits.purchases to credits_member;
grant select on credits.purchases to credits_service;

create table credits.rate_cards (
  rate_card text not null,
  name text not null,
  source text,
  constraint rate_cards_pkey PRIMARY KEY (rate_card),
  constraint rate_card_name_fits CHECK (((length(rate_card) >= 1) AND (length(rate_card) <= 64)))
);
alter table credits.rate_cards owner to credits_owner;
grant select on credits.rate_cards to credits_analyst;
grant select on credits.rate_cards to credits_engine;
grant select on credits.rate_cards to credits_member;
grant select on credits.rate_cards to credits_service;

create table credits.top_up_prices (
  rate_card text not null,
  currency text not null,
  price numeric not null,
  source text,
  constraint top_up_prices_pkey PRIMARY KEY (rate_card, currency),
  constraint top_up_price_currency_is_iso_4217 CHECK ((currency ~ '^[A-Z]{3}$'::text)),
  constraint top_up_price_is_finite CHECK (((price >= (0)::numeric) AND (price <= '1000000000000'::numeric))),
  constraint top_up_prices_rate_card_fkey FOREIGN KEY (rate_card) REFERENCES credits.rate_cards(rate_card)
);
alter table credits.top_up_prices owner to credits_owner;
grant select on credits.top_up_prices to credits_analyst;
grant select on credits.top_up_prices to credits_engine;
grant select on credits.top_up_prices to credits_member;
grant select on credits.top_up_prices to credits_service;

create table credits.top_up_settings (
  account_id text collate "C" not null,
  enabled boolean not null default false,
  threshold credits.amount,
  amount credits.amount,
  monthly_limit credits.amount,
  suspended_reason text,
  look_again_at timestamp with time zone,
  constraint top_up_settings_pkey PRIMARY KEY (account_id),
  constraint top_ups_enabled_have_threshold_and_amount CHECK (((NOT enabled) OR ((threshold IS NOT NULL) AND (amount IS NOT NULL) AND ((amount)::numeric > (0)::numeric)))),
  constraint top_ups_suspended_are_not_enabled CHECK (((NOT enabled) OR (suspended_reason IS NULL))),
  constraint top_up_settings_account_fkey FOREIGN KEY (account_id) REFERENCES credits.accounts(account_id)
);
alter table credits.top_up_settings owner to credits_owner;
alter table credits.top_up_settings enable row level security;
create policy engine_sees_all on credits.top_up_settings for all to credits_engine using (true) with check (true);
create policy member_reads_own_account on credits.top_up_settings for select to credits_member using ((account_id = NULLIF(current_setting('credits.account_id'::text, true), ''::text)));
create policy service_reads_all on credits.top_up_settings for select to credits_analyst, credits_service using (true);
grant insert, select, update on credits.top_up_settings to credits_engine;
grant select on credits.top_up_settings to credits_analyst;
grant select on credits.top_up_settings to credits_member;
grant select on credits.top_up_settings to credits_service;

create table credits.units (
  rate_card text not null,
  unit text not null,
  name text not null,
  scale smallint not null default 0,
  rounding text not null default 'half_up'::text,
  main boolean not null default false,
  constraint units_pkey PRIMARY KEY (rate_card, unit),
  constraint unit_rounding_is_known CHECK ((rounding = ANY (ARRAY['half_up'::text, 'up'::text, 'down'::text]))),
  constraint unit_scale_is_0_to_6 CHECK (((scale >= 0) AND (scale <= 6))),
  constraint units_rate_card_fkey FOREIGN KEY (rate_card) REFERENCES credits.rate_cards(rate_card)
);
CREATE UNIQUE INDEX units_one_main_unit_per_card ON credits.units USING btree (rate_card) WHERE main;
alter table credits.units owner to credits_owner;
grant select on credits.units to credits_analyst;
grant select on credits.units to credits_engine;
grant select on credits.units to credits_member;
grant select on credits.units to credits_service;

create table credits_private.price_lists (
  rate_card text not null,
  operation text not null,
  since timestamp with time zone not null,
  component_count integer not null,
  rates credits_private.listed_rate[] not null,
  multipliers credits_private.listed_multiplier[] not null,
  constraint price_lists_pkey PRIMARY KEY (rate_card, operation),
  constraint price_lists_operation_fkey FOREIGN KEY (rate_card, operation) REFERENCES credits.operations(rate_card, operation)
);
alter table credits_private.price_lists owner to credits_owner;
grant select on credits_private.price_lists to credits_engine;


-- ---- views

create view credits_private.used_keys as
 SELECT e.account_id,
    e.idempotency_key,
    (e.kind)::text AS kind,
    e.seq,
    NULL::bigint AS hold_id,
    NULL::bigint AS purchase_id
   FROM credits.entries e
  WHERE (e.idempotency_key IS NOT NULL)
UNION ALL
 SELECT h.account_id,
    h.idempotency_key,
    'hold'::text AS kind,
    NULL::bigint AS seq,
    h.hold_id,
    NULL::bigint AS purchase_id
   FROM credits.holds h
  WHERE (h.idempotency_key IS NOT NULL)
UNION ALL
 SELECT p.account_id,
    p.idempotency_key,
    'purchase'::text AS kind,
    NULL::bigint AS seq,
    NULL::bigint AS hold_id,
    p.purchase_id
   FROM credits.purchases p
  WHERE (p.idempotency_key IS NOT NULL);
alter view credits_private.used_keys owner to credits_owner;
grant select on credits_private.used_keys to credits_engine;

create view credits_private.violations as
 SELECT e.account_id,
    'seq_has_a_gap'::text AS rule,
    jsonb_build_object('seq', e.seq, 'expected', e.place) AS detail
   FROM ( SELECT entries.account_id,
            entries.seq,
            row_number() OVER (PARTITION BY entries.account_id ORDER BY entries.seq) AS place
           FROM credits.entries) e
  WHERE (e.seq <> e.place)
UNION ALL
 SELECT e.account_id,
    'time_goes_back'::text AS rule,
    jsonb_build_object('seq', e.seq, 'occurred_at', e.occurred_at, 'previous', e.previous) AS detail
   FROM ( SELECT entries.account_id,
            entries.seq,
            entries.occurred_at,
            lag(entries.occurred_at) OVER (PARTITION BY entries.account_id ORDER BY entries.seq) AS previous
           FROM credits.entries) e
  WHERE (e.occurred_at < e.previous)
UNION ALL
 SELECT e.account_id,
    'entry_of_no_account'::text AS rule,
    jsonb_build_object('seq', e.seq) AS detail
   FROM credits.entries e
  WHERE (NOT (EXISTS ( SELECT
           FROM credits.accounts a
          WHERE (a.account_id = e.account_id))))
UNION ALL
 SELECT p.account_id,
    'posting_of_no_entry'::text AS rule,
    jsonb_build_object('seq', p.seq, 'lot_id', p.lot_id) AS detail
   FROM credits.postings p
  WHERE (NOT (EXISTS ( SELECT
           FROM credits.entries e
          WHERE ((e.account_id = p.account_id) AND (e.seq = p.seq)))))
UNION ALL
 SELECT p.account_id,
    'posting_of_no_lot'::text AS rule,
    jsonb_build_object('seq', p.seq, 'lot_id', p.lot_id) AS detail
   FROM credits.postings p
  WHERE (NOT (EXISTS ( SELECT
           FROM credits.lots l
          WHERE ((l.account_id = p.account_id) AND (l.lot_id = p.lot_id)))))
UNION ALL
 SELECT l.account_id,
    'lot_is_not_as_its_bucket'::text AS rule,
    jsonb_build_object('lot_id', l.lot_id, 'bucket', l.bucket, 'draw_order', l.draw_order, 'counts_as', l.counts_as) AS detail
   FROM credits.lots l
  WHERE (NOT (EXISTS ( SELECT
           FROM credits.buckets b
          WHERE ((b.bucket = l.bucket) AND (b.draw_order = l.draw_order) AND (b.counts_as = l.counts_as)))))
UNION ALL
 SELECT e.account_id,
    'balance_is_not_the_running_sum'::text AS rule,
    jsonb_build_object('seq', e.seq, 'unit', e.unit, 'balance_after', e.balance_after, 'sum', e.running) AS detail
   FROM ( SELECT entries.account_id,
            entries.seq,
            entries.unit,
            entries.balance_after,
            sum((entries.amount)::numeric) OVER (PARTITION BY entries.account_id, entries.unit ORDER BY entries.seq) AS running
           FROM credits.entries) e
  WHERE ((e.balance_after)::numeric <> e.running)
UNION ALL
 SELECT e.account_id,
    'entry_is_not_the_sum_of_its_postings'::text AS rule,
    jsonb_build_object('seq', e.seq, 'included', e.included, 'additional', e.additional, 'postings_included', COALESCE(p.included, (0)::numeric), 'postings_additional', COALESCE(p.additional, (0)::numeric)) AS detail
   FROM (credits.entries e
     LEFT JOIN ( SELECT p_1.account_id,
            p_1.seq,
            sum((p_1.amount)::numeric) FILTER (WHERE (l.counts_as = 'included'::text)) AS included,
            sum((p_1.amount)::numeric) FILTER (WHERE (l.counts_as = 'additional'::text)) AS additional
           FROM (credits.postings p_1
             JOIN credits.lots l ON (((l.account_id = p_1.account_id) AND (l.lot_id = p_1.lot_id))))
          GROUP BY p_1.account_id, p_1.seq) p ON (((p.account_id = e.account_id) AND (p.seq = e.seq))))
  WHERE (((e.included)::numeric <> COALESCE(p.included, (0)::numeric)) OR ((e.additional)::numeric <> COALESCE(p.additional, (0)::numeric)))
UNION ALL
 SELECT p.account_id,
    'posting_is_in_another_unit'::text AS rule,
    jsonb_build_object('seq', p.seq, 'lot_id', p.lot_id, 'unit', e.unit, 'lot_unit', l.unit) AS detail
   FROM ((credits.postings p
     JOIN credits.entries e ON (((e.account_id = p.account_id) AND (e.seq = p.seq))))
     JOIN credits.lots l ON (((l.account_id = p.account_id) AND (l.lot_id = p.lot_id))))
  WHERE (e.unit <> l.unit)
UNION ALL
 SELECT e.account_id,
    'breakdown_does_not_add_up'::text AS rule,
    jsonb_build_object('seq', e.seq, 'amount', e.amount, 'breakdown', b.amount) AS detail
   FROM (credits.entries e
     CROSS JOIN LATERAL ( SELECT sum(
                CASE jsonb_typeof((l.value -> 'amount'::text))
                    WHEN 'number'::text THEN ((l.value ->> 'amount'::text))::numeric
                    ELSE NULL::numeric
                END) AS amount
           FROM jsonb_array_elements(
                CASE jsonb_typeof(e.breakdown)
                    WHEN 'array'::text THEN e.breakdown
                    ELSE NULL::jsonb
                END) l(value)) b)
  WHERE (((e.kind)::text = 'usage'::text) AND ((- (e.amount)::numeric) <> COALESCE(b.amount, (0)::numeric)))
UNION ALL
 SELECT p.account_id,
    'posting_does_not_follow'::text AS rule,
    jsonb_build_object('lot_id', p.lot_id, 'version', p.version, 'seq', p.seq) AS detail
   FROM ( SELECT p_1.account_id,
            p_1.seq,
            p_1.ordinal,
            p_1.lot_id,
            p_1.version,
            p_1.amount,
            p_1.granted,
            p_1.spent,
            p_1.forfeited,
            row_number() OVER lot AS place,
            ((((p_1.granted)::numeric - (p_1.spent)::numeric) - (p_1.forfeited)::numeric) - COALESCE(lag((((p_1.granted)::numeric - (p_1.spent)::numeric) - (p_1.forfeited)::numeric)) OVER lot, (0)::numeric)) AS change,
            lag(p_1.seq) OVER lot AS previous_seq
           FROM credits.postings p_1
          WINDOW lot AS (PARTITION BY p_1.account_id, p_1.lot_id ORDER BY p_1.version)) p
  WHERE ((p.version <> p.place) OR ((p.amount)::numeric <> p.change) OR (p.previous_seq > p.seq))
UNION ALL
 SELECT l.account_id,
    'lot_is_not_as_its_last_posting'::text AS rule,
    jsonb_build_object('lot_id', l.lot_id, 'version', l.version, 'last_version', p.version, 'granted', l.granted, 'spent', l.spent, 'forfeited', l.forfeited) AS detail
   FROM (credits.lots l
     LEFT JOIN ( SELECT DISTINCT ON (p_1.account_id, p_1.lot_id) p_1.account_id,
            p_1.seq,
            p_1.ordinal,
            p_1.lot_id,
            p_1.version,
            p_1.amount,
            p_1.granted,
            p_1.spent,
            p_1.forfeited
           FROM credits.postings p_1
          ORDER BY p_1.account_id, p_1.lot_id, p_1.version DESC) p ON (((p.account_id = l.account_id) AND (p.lot_id = l.lot_id))))
  WHERE ((((l.version IS DISTINCT FROM p.version) OR ((l.granted)::numeric IS DISTINCT FROM (p.granted)::numeric)) OR ((l.spent)::numeric IS DISTINCT FROM (p.spent)::numeric)) OR ((l.forfeited)::numeric IS DISTINCT FROM (p.forfeited)::numeric))
UNION ALL
 SELECT l.account_id,
    'lot_is_open_or_closed_by_mistake'::text AS rule,
    jsonb_build_object('lot_id', l.lot_id, 'open', l.open) AS detail
   FROM credits.lots l
  WHERE (l.open <> ((((l.granted)::numeric - (l.spent)::numeric) - (l.forfeited)::numeric) > (0)::numeric))
UNION ALL
 SELECT l.account_id,
    'held_is_not_the_sum_of_open_holds'::text AS rule,
    jsonb_build_object('lot_id', l.lot_id, 'held', l.held, 'holds', COALESCE(h.amount, (0)::numeric)) AS detail
   FROM (credits.lots l
     LEFT JOIN ( SELECT s.account_id,
            s.lot_id,
            sum((s.amount)::numeric) AS amount
           FROM (credits.hold_lots s
             JOIN credits.holds h_1 ON (((h_1.account_id = s.account_id) AND (h_1.hold_id = s.hold_id) AND (h_1.unit = s.unit))))
          WHERE (h_1.status = 'open'::text)
          GROUP BY s.account_id, s.lot_id) h ON (((h.account_id = l.account_id) AND (h.lot_id = l.lot_id))))
  WHERE ((l.held)::numeric <> COALESCE(h.amount, (0)::numeric))
UNION ALL
 SELECT h.account_id,
    'hold_is_not_the_sum_of_its_slices'::text AS rule,
    jsonb_build_object('hold_id', h.hold_id, 'unit', h.unit, 'amount', h.amount, 'slices', COALESCE(s.amount, (0)::numeric)) AS detail
   FROM (credits.holds h
     LEFT JOIN ( SELECT s_1.account_id,
            s_1.hold_id,
            s_1.unit,
            sum((s_1.amount)::numeric) AS amount
           FROM credits.hold_lots s_1
          GROUP BY s_1.account_id, s_1.hold_id, s_1.unit) s ON (((s.account_id = h.account_id) AND (s.hold_id = h.hold_id) AND (s.unit = h.unit))))
  WHERE ((h.amount)::numeric <> COALESCE(s.amount, (0)::numeric))
UNION ALL
 SELECT e.account_id,
    'refunded_more_than_charged'::text AS rule,
    jsonb_build_object('seq', e.seq, 'charged', (- (e.amount)::numeric), 'refunded', r.amount) AS detail
   FROM (credits.entries e
     JOIN ( SELECT r_1.account_id,
            r_1.refunds_seq,
            sum((r_1.amount)::numeric) AS amount
           FROM credits.entries r_1
          WHERE ((r_1.kind)::text = 'refund'::text)
          GROUP BY r_1.account_id, r_1.refunds_seq) r ON (((r.account_id = e.account_id) AND (r.refunds_seq = e.seq))))
  WHERE (r.amount > (- (e.amount)::numeric))
UNION ALL
 SELECT p.account_id,
    'purchase_is_not_its_lot'::text AS rule,
    jsonb_build_object('purchase_id', p.purchase_id, 'status', p.status, 'amount', p.amount, 'granted', COALESCE(l.granted, (0)::numeric)) AS detail
   FROM (credits.purchases p
     LEFT JOIN ( SELECT l_1.account_id,
            l_1.purchase_id,
            sum((l_1.granted)::numeric) AS granted
           FROM credits.lots l_1
          WHERE (l_1.purchase_id IS NOT NULL)
          GROUP BY l_1.account_id, l_1.purchase_id) l ON (((l.account_id = p.account_id) AND (l.purchase_id = p.purchase_id))))
  WHERE (COALESCE(l.granted, (0)::numeric) <>
        CASE
            WHEN (p.settled_at IS NULL) THEN (0)::numeric
            ELSE (p.amount)::numeric
        END)
UNION ALL
 SELECT p.account_id,
    'purchase_is_short_of_what_its_lot_has'::text AS rule,
    jsonb_build_object('purchase_id', p.purchase_id, 'shortfall', p.shortfall, 'lot_id', l.lot_id, 'available', l.available) AS detail
   FROM (credits.purchases p
     JOIN credits.lots l ON (((l.account_id = p.account_id) AND (l.purchase_id = p.purchase_id))))
  WHERE (((p.shortfall)::numeric > (0)::numeric) AND ((l.available)::numeric > (0)::numeric))
UNION ALL
 SELECT a.account_id,
    'top_ups_are_not_as_set'::text AS rule,
    jsonb_build_object('top_ups', a.top_ups) AS detail
   FROM (credits.accounts a
     LEFT JOIN credits.top_up_settings t ON ((t.account_id = a.account_id)))
  WHERE (a.top_ups <> COALESCE(t.enabled, false))
UNION ALL
 SELECT k.account_id,
    'other_key_is_overlooked'::text AS rule,
    jsonb_build_object('idempotency_key', k.idempotency_key) AS detail
   FROM (credits_private.used_keys k
     JOIN credits.accounts a ON (((a.account_id = k.account_id) AND (NOT a.has_other_keys))))
  WHERE (k.seq IS NULL)
UNION ALL
 SELECT a.account_id,
    'due_later_than_it_falls_due'::text AS rule,
    jsonb_build_object('next_due_at', a.next_due_at, 'falls_due', LEAST(a.period_end, l.expires_at, h.expires_at, m.due_at, t.look_again_at)) AS detail
   FROM ((((credits.accounts a
     LEFT JOIN ( SELECT lots.account_id,
            min(lots.expires_at) AS expires_at
           FROM credits.lots
          WHERE (lots.open AND ((lots.available)::numeric > (0)::numeric))
          GROUP BY lots.account_id) l ON ((l.account_id = a.account_id)))
     LEFT JOIN ( SELECT holds.account_id,
            min(holds.expires_at) AS expires_at
           FROM credits.holds
          WHERE (holds.status = 'open'::text)
          GROUP BY holds.account_id) h ON ((h.account_id = a.account_id)))
     LEFT JOIN ( SELECT meters.account_id,
            min(credits_private.next_midnight(meters.charged_until)) AS due_at
           FROM credits.meters
          WHERE ((meters.level > (0)::numeric) OR (meters.accrued > (0)::numeric))
          GROUP BY meters.account_id) m ON ((m.account_id = a.account_id)))
     LEFT JOIN credits.top_up_settings t ON ((t.account_id = a.account_id)))
  WHERE (a.next_due_at > LEAST(a.period_end, l.expires_at, h.expires_at, m.due_at, t.look_again_at))
UNION ALL
 SELECT NULL::text AS account_id,
    'price_list_is_not_as_its_rates'::text AS rule,
    jsonb_build_object('rate_card', o.rate_card, 'operation', o.operation) AS detail
   FROM ((credits.operations o
     LEFT JOIN credits_private.price_lists l ON (((l.rate_card = o.rate_card) AND (l.operation = o.operation))))
     CROSS JOIN LATERAL credits_private.price_list(o.rate_card, o.operation, l.since) p(rate_card, operation, since, component_count, rates, multipliers))
  WHERE ((l.operation IS NULL) OR (((l.component_count IS DISTINCT FROM p.component_count) OR (l.rates IS DISTINCT FROM p.rates)) OR (l.multipliers IS DISTINCT FROM p.multipliers)));
alter view credits_private.violations owner to credits_owner;
grant select on credits_private.violations to credits_engine;

create view credits_report.accounts_due with (security_invoker=true) as
 SELECT account_id,
    rate_card,
    plan,
    next_due_at,
    (( SELECT credits_private.now() AS now) - next_due_at) AS overdue
   FROM credits.accounts a
  WHERE ((next_due_at <= ( SELECT credits_private.now() AS now)) AND (next_due_at < 'infinity'::timestamp with time zone));
alter view credits_report.accounts_due owner to credits_owner;
grant select on credits_report.accounts_due to credits_analyst;

create view credits_report.balances with (security_invoker=true) as
 SELECT a.account_id,
    a.rate_card,
    a.plan,
    u.unit,
    COALESCE(l.included, (0)::numeric) AS included,
    COALESCE(l.additional, (0)::numeric) AS additional,
    (COALESCE(l.included, (0)::numeric) + COALESCE(l.additional, (0)::numeric)) AS total,
    COALESCE(l.held, (0)::numeric) AS held,
    (a.next_due_at <= ( SELECT credits_private.now() AS now)) AS due
   FROM ((credits.accounts a
     JOIN credits.units u ON ((u.rate_card = a.rate_card)))
     LEFT JOIN ( SELECT l_1.account_id,
            l_1.unit,
            sum((l_1.available)::numeric) FILTER (WHERE (b.counts_as = 'included'::text)) AS included,
            sum((l_1.available)::numeric) FILTER (WHERE (b.counts_as = 'additional'::text)) AS additional,
            sum((l_1.held)::numeric) AS held
           FROM (credits.lots l_1
             JOIN credits.buckets b ON ((b.bucket = l_1.bucket)))
          WHERE l_1.open
          GROUP BY l_1.account_id, l_1.unit) l ON (((l.account_id = a.account_id) AND (l.unit = u.unit))));
alter view credits_report.balances owner to credits_owner;
grant select on credits_report.balances to credits_analyst;

create view credits_report.liability with (security_invoker=true) as
 SELECT a.rate_card,
    l.account_id,
    l.unit,
    l.source,
    l.currency,
    count(*) AS lots,
    sum(((l.available)::numeric + (l.held)::numeric)) AS unspent,
    sum((l.price)::numeric) AS paid,
    sum(round((((l.price)::numeric * ((l.available)::numeric + (l.held)::numeric)) / (l.granted)::numeric), 4)) AS paid_for_unspent
   FROM ((credits.lots l
     JOIN credits.buckets b ON ((b.bucket = l.bucket)))
     JOIN credits.accounts a ON ((a.account_id = l.account_id)))
  WHERE (l.open AND (b.counts_as = 'additional'::text))
  GROUP BY a.rate_card, l.account_id, l.unit, l.source, l.currency;
alter view credits_report.liability owner to credits_owner;
grant select on credits_report.liability to credits_analyst;

create view credits_report.refills_and_expiries_by_month with (security_invoker=true) as
 SELECT (date_trunc('month'::text, (occurred_at AT TIME ZONE 'UTC'::text)))::date AS month,
    account_id,
    unit,
    count(*) FILTER (WHERE ((kind)::text = 'refill'::text)) AS refills,
    COALESCE(sum((amount)::numeric) FILTER (WHERE ((kind)::text = 'refill'::text)), (0)::numeric) AS refilled,
    count(*) FILTER (WHERE ((kind)::text = 'expiry'::text)) AS expiries,
    (- COALESCE(sum((amount)::numeric) FILTER (WHERE ((kind)::text = 'expiry'::text)), (0)::numeric)) AS expired
   FROM credits.entries e
  WHERE ((kind)::text = ANY (ARRAY['refill'::text, 'expiry'::text]))
  GROUP BY ((date_trunc('month'::text, (occurred_at AT TIME ZONE 'UTC'::text)))::date), account_id, unit;
alter view credits_report.refills_and_expiries_by_month owner to credits_owner;
grant select on credits_report.refills_and_expiries_by_month to credits_analyst;

create view credits_report.revenue_by_rate with (security_invoker=true) as
 SELECT a.rate_card,
    e.unit,
    COALESCE((line.value ->> 'operation'::text), e.operation) AS operation,
    (line.value ->> 'component'::text) AS component,
    r.match,
    r.price,
    r.measure,
    r.per,
    r.rate_id,
    count(*) AS lines,
    sum((((line.value ->> 'quantity'::text))::numeric * ((line.value ->> 'count'::text))::numeric)) AS quantity,
    sum(((line.value ->> 'amount'::text))::numeric) AS amount
   FROM (((credits.entries e
     JOIN credits.accounts a ON ((a.account_id = e.account_id)))
     CROSS JOIN LATERAL jsonb_array_elements(e.breakdown) line(value))
     LEFT JOIN credits.card_rates r ON ((r.rate_id = ((line.value ->> 'rate_id'::text))::bigint)))
  WHERE ((e.kind)::text = 'usage'::text)
  GROUP BY a.rate_card, e.unit, COALESCE((line.value ->> 'operation'::text), e.operation), (line.value ->> 'component'::text), r.rate_id;
alter view credits_report.revenue_by_rate owner to credits_owner;
grant select on credits_report.revenue_by_rate to credits_analyst;

create view credits_report.usage_by_day with (security_invoker=true) as
 SELECT ((occurred_at AT TIME ZONE 'UTC'::text))::date AS day,
    account_id,
    operation,
    member_id,
    unit,
    count(*) AS entries,
    (- sum((amount)::numeric)) AS amount,
    (- sum((included)::numeric)) AS included,
    (- sum((additional)::numeric)) AS additional
   FROM credits.entries e
  WHERE ((kind)::text = 'usage'::text)
  GROUP BY (((occurred_at AT TIME ZONE 'UTC'::text))::date), account_id, operation, member_id, unit;
alter view credits_report.usage_by_day owner to credits_owner;
grant select on credits_report.usage_by_day to credits_analyst;


-- ---- functions

function credits."grant"(account_id text, amount numeric, unit text DEFAULT 'credit'::text, bucket text DEFAULT 'additional'::text, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, priority integer DEFAULT 100, reason text DEFAULT NULL::text, idempotency_key text DEFAULT NULL::text)
  returns credits.lots
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan owner credits_engine
grant execute on function credits."grant" to credits_analyst;
grant execute on function credits."grant" to credits_member;
grant execute on function credits."grant" to credits_owner;
grant execute on function credits."grant" to credits_service;

function credits.activity(account_id text, since timestamp with time zone DEFAULT NULL::timestamp with time zone, until timestamp with time zone DEFAULT NULL::timestamp with time zone, kinds text[] DEFAULT NULL::text[], member_id text DEFAULT NULL::text)
  returns SETOF credits.entries
  language sql stable owner credits_engine
grant execute on function credits.activity to credits_analyst;
grant execute on function credits.activity to credits_member;
grant execute on function credits.activity to credits_owner;
grant execute on function credits.activity to credits_service;

function credits.add_member(account_id text, member_id text, role text DEFAULT 'member'::text, period_cap numeric DEFAULT NULL::numeric, acting_member_id text DEFAULT NULL::text)
  returns credits.members
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.add_member to credits_analyst;
grant execute on function credits.add_member to credits_member;
grant execute on function credits.add_member to credits_owner;
grant execute on function credits.add_member to credits_service;

function credits.authorize(account_id text, operation text, usage jsonb DEFAULT '{}'::jsonb, idempotency_key text DEFAULT NULL::text, member_id text DEFAULT NULL::text, expires_in interval DEFAULT '01:00:00'::interval, max_amount numeric DEFAULT NULL::numeric, metadata jsonb DEFAULT NULL::jsonb)
  returns SETOF credits.holds
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan set enable_seqscan=off owner credits_engine
grant execute on function credits.authorize to credits_analyst;
grant execute on function credits.authorize to credits_member;
grant execute on function credits.authorize to credits_owner;
grant execute on function credits.authorize to credits_service;

function credits.authorize_items(account_id text, items credits.item[], idempotency_key text DEFAULT NULL::text, member_id text DEFAULT NULL::text, expires_in interval DEFAULT '01:00:00'::interval, max_amount numeric DEFAULT NULL::numeric, metadata jsonb DEFAULT NULL::jsonb)
  returns SETOF credits.holds
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan set enable_seqscan=off owner credits_engine
grant execute on function credits.authorize_items to credits_analyst;
grant execute on function credits.authorize_items to credits_member;
grant execute on function credits.authorize_items to credits_owner;
grant execute on function credits.authorize_items to credits_service;

function credits.balances(account_id text, at timestamp with time zone DEFAULT NULL::timestamp with time zone)
  returns SETOF credits.balance
  language plpgsql stable security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.balances to credits_analyst;
grant execute on function credits.balances to credits_member;
grant execute on function credits.balances to credits_owner;
grant execute on function credits.balances to credits_service;

function credits.buy(account_id text, pack text, member_id text DEFAULT NULL::text, idempotency_key text DEFAULT NULL::text, currency text DEFAULT NULL::text)
  returns credits.purchases
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.buy to credits_analyst;
grant execute on function credits.buy to credits_member;
grant execute on function credits.buy to credits_owner;
grant execute on function credits.buy to credits_service;

function credits.cancel_subscription(account_id text, immediately boolean DEFAULT false)
  returns credits.accounts
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan owner credits_engine
grant execute on function credits.cancel_subscription to credits_analyst;
grant execute on function credits.cancel_subscription to credits_member;
grant execute on function credits.cancel_subscription to credits_owner;
grant execute on function credits.cancel_subscription to credits_service;

function credits.capture(account_id text, hold_id bigint, usage jsonb DEFAULT NULL::jsonb, amount numeric DEFAULT NULL::numeric)
  returns SETOF credits.entries
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan set enable_seqscan=off owner credits_engine
grant execute on function credits.capture to credits_analyst;
grant execute on function credits.capture to credits_member;
grant execute on function credits.capture to credits_owner;
grant execute on function credits.capture to credits_service;

function credits.capture_items(account_id text, hold_id bigint, items credits.item[])
  returns SETOF credits.entries
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan set enable_seqscan=off owner credits_engine
grant execute on function credits.capture_items to credits_analyst;
grant execute on function credits.capture_items to credits_member;
grant execute on function credits.capture_items to credits_owner;
grant execute on function credits.capture_items to credits_service;

function credits.claim(account_id text, promotion text, claimant text)
  returns credits.lots
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan owner credits_engine
grant execute on function credits.claim to credits_analyst;
grant execute on function credits.claim to credits_member;
grant execute on function credits.claim to credits_owner;
grant execute on function credits.claim to credits_service;

function credits.configure_additional(account_id text, enabled boolean DEFAULT true, period_limit numeric DEFAULT NULL::numeric, member_id text DEFAULT NULL::text)
  returns credits.accounts
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.configure_additional to credits_analyst;
grant execute on function credits.configure_additional to credits_member;
grant execute on function credits.configure_additional to credits_owner;
grant execute on function credits.configure_additional to credits_service;

function credits.configure_top_up(account_id text, enabled boolean, threshold numeric DEFAULT NULL::numeric, amount numeric DEFAULT NULL::numeric, monthly_limit numeric DEFAULT NULL::numeric, member_id text DEFAULT NULL::text)
  returns credits.top_up_settings
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.configure_top_up to credits_analyst;
grant execute on function credits.configure_top_up to credits_member;
grant execute on function credits.configure_top_up to credits_owner;
grant execute on function credits.configure_top_up to credits_service;

function credits.entries_matching(account_id text, since timestamp with time zone DEFAULT NULL::timestamp with time zone, until timestamp with time zone DEFAULT NULL::timestamp with time zone, kinds text[] DEFAULT NULL::text[], member_id text DEFAULT NULL::text)
  returns SETOF credits.entries
  language sql stable owner credits_engine
grant execute on function credits.entries_matching to credits_analyst;
grant execute on function credits.entries_matching to credits_member;
grant execute on function credits.entries_matching to credits_owner;
grant execute on function credits.entries_matching to credits_service;

function credits.fail_purchase(account_id text, purchase_id bigint, reason text, attempt integer DEFAULT NULL::integer)
  returns credits.purchases
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.fail_purchase to credits_analyst;
grant execute on function credits.fail_purchase to credits_member;
grant execute on function credits.fail_purchase to credits_owner;
grant execute on function credits.fail_purchase to credits_service;

function credits.features(account_id text)
  returns SETOF credits.feature
  language plpgsql stable security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.features to credits_analyst;
grant execute on function credits.features to credits_member;
grant execute on function credits.features to credits_owner;
grant execute on function credits.features to credits_service;

function credits.item(operation text, usage jsonb DEFAULT '{}'::jsonb)
  returns credits.item
  language sql immutable owner credits_engine
grant execute on function credits.item to credits_analyst;
grant execute on function credits.item to credits_member;
grant execute on function credits.item to credits_owner;
grant execute on function credits.item to credits_service;

function credits.open_account(account_id text, plan text DEFAULT NULL::text, anchor timestamp with time zone DEFAULT NULL::timestamp with time zone, rate_card text DEFAULT NULL::text)
  returns credits.accounts
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan owner credits_engine
grant execute on function credits.open_account to credits_analyst;
grant execute on function credits.open_account to credits_member;
grant execute on function credits.open_account to credits_owner;
grant execute on function credits.open_account to credits_service;

function credits.purchase_to_pay(account_id text, purchase_id bigint)
  returns credits.purchases
  language plpgsql stable security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.purchase_to_pay to credits_analyst;
grant execute on function credits.purchase_to_pay to credits_member;
grant execute on function credits.purchase_to_pay to credits_owner;
grant execute on function credits.purchase_to_pay to credits_service;

function credits.quote(account_id text, operation text, usage jsonb DEFAULT '{}'::jsonb)
  returns SETOF credits.quote_line
  language plpgsql stable security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan set enable_seqscan=off owner credits_engine
grant execute on function credits.quote to credits_analyst;
grant execute on function credits.quote to credits_member;
grant execute on function credits.quote to credits_owner;
grant execute on function credits.quote to credits_service;

function credits.quote_items(account_id text, items credits.item[])
  returns SETOF credits.quote_line
  language plpgsql stable security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan set enable_seqscan=off owner credits_engine
grant execute on function credits.quote_items to credits_analyst;
grant execute on function credits.quote_items to credits_member;
grant execute on function credits.quote_items to credits_owner;
grant execute on function credits.quote_items to credits_service;

function credits.rates(account_id text)
  returns SETOF credits.rate
  language plpgsql stable security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.rates to credits_analyst;
grant execute on function credits.rates to credits_member;
grant execute on function credits.rates to credits_owner;
grant execute on function credits.rates to credits_service;

function credits.record_meter(account_id text, operation text, quantity numeric, usage jsonb DEFAULT '{}'::jsonb)
  returns credits.meters
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan owner credits_engine
grant execute on function credits.record_meter to credits_analyst;
grant execute on function credits.record_meter to credits_member;
grant execute on function credits.record_meter to credits_owner;
grant execute on function credits.record_meter to credits_service;

function credits.refund(account_id text, seq bigint, amount numeric DEFAULT NULL::numeric, reason text DEFAULT NULL::text, idempotency_key text DEFAULT NULL::text, regrant boolean DEFAULT false)
  returns SETOF credits.entries
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan owner credits_engine
grant execute on function credits.refund to credits_analyst;
grant execute on function credits.refund to credits_member;
grant execute on function credits.refund to credits_owner;
grant execute on function credits.refund to credits_service;

function credits.reinstate_purchase(account_id text, purchase_id bigint, reason text, amount numeric DEFAULT NULL::numeric)
  returns credits.purchases
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.reinstate_purchase to credits_analyst;
grant execute on function credits.reinstate_purchase to credits_member;
grant execute on function credits.reinstate_purchase to credits_owner;
grant execute on function credits.reinstate_purchase to credits_service;

function credits.release(account_id text, hold_id bigint)
  returns SETOF credits.holds
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan set enable_seqscan=off owner credits_engine
grant execute on function credits.release to credits_analyst;
grant execute on function credits.release to credits_member;
grant execute on function credits.release to credits_owner;
grant execute on function credits.release to credits_service;

function credits.remove_member(account_id text, member_id text, acting_member_id text DEFAULT NULL::text)
  returns credits.members
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.remove_member to credits_analyst;
grant execute on function credits.remove_member to credits_member;
grant execute on function credits.remove_member to credits_owner;
grant execute on function credits.remove_member to credits_service;

function credits.reverse_payment(account_id text, purchase_id bigint, payment_reference text, paid numeric, returned numeric, reason text, reinstated numeric DEFAULT 0)
  returns credits.purchases
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.reverse_payment to credits_analyst;
grant execute on function credits.reverse_payment to credits_member;
grant execute on function credits.reverse_payment to credits_owner;
grant execute on function credits.reverse_payment to credits_service;

function credits.reverse_purchase(account_id text, purchase_id bigint, reason text, amount numeric DEFAULT NULL::numeric)
  returns credits.purchases
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.reverse_purchase to credits_analyst;
grant execute on function credits.reverse_purchase to credits_member;
grant execute on function credits.reverse_purchase to credits_owner;
grant execute on function credits.reverse_purchase to credits_service;

function credits.revoke(account_id text, lot_id bigint, amount numeric DEFAULT NULL::numeric, reason text DEFAULT NULL::text)
  returns SETOF credits.entries
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan owner credits_engine
grant execute on function credits.revoke to credits_analyst;
grant execute on function credits.revoke to credits_member;
grant execute on function credits.revoke to credits_owner;
grant execute on function credits.revoke to credits_service;

function credits.save_payment_customer(account_id text, provider text, customer_id text)
  returns credits.payment_customers
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.save_payment_customer to credits_analyst;
grant execute on function credits.save_payment_customer to credits_member;
grant execute on function credits.save_payment_customer to credits_owner;
grant execute on function credits.save_payment_customer to credits_service;

function credits.settle_due(batch integer DEFAULT 500)
  returns integer
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan owner credits_engine
grant execute on function credits.settle_due to credits_analyst;
grant execute on function credits.settle_due to credits_member;
grant execute on function credits.settle_due to credits_owner;
grant execute on function credits.settle_due to credits_service;

function credits.settle_purchase(account_id text, purchase_id bigint, payment_reference text)
  returns credits.purchases
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.settle_purchase to credits_analyst;
grant execute on function credits.settle_purchase to credits_member;
grant execute on function credits.settle_purchase to credits_owner;
grant execute on function credits.settle_purchase to credits_service;

function credits.spend(account_id text, operation text, usage jsonb DEFAULT '{}'::jsonb, idempotency_key text DEFAULT NULL::text, member_id text DEFAULT NULL::text, max_amount numeric DEFAULT NULL::numeric, metadata jsonb DEFAULT NULL::jsonb)
  returns SETOF credits.entries
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan set enable_seqscan=off owner credits_engine
grant execute on function credits.spend to credits_analyst;
grant execute on function credits.spend to credits_member;
grant execute on function credits.spend to credits_owner;
grant execute on function credits.spend to credits_service;

function credits.spend_items(account_id text, items credits.item[], idempotency_key text DEFAULT NULL::text, member_id text DEFAULT NULL::text, max_amount numeric DEFAULT NULL::numeric, metadata jsonb DEFAULT NULL::jsonb)
  returns SETOF credits.entries
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan set enable_seqscan=off owner credits_engine
grant execute on function credits.spend_items to credits_analyst;
grant execute on function credits.spend_items to credits_member;
grant execute on function credits.spend_items to credits_owner;
grant execute on function credits.spend_items to credits_service;

function credits.spend_many(requests credits.spend_request[])
  returns SETOF credits.spend_result
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan owner credits_engine
grant execute on function credits.spend_many to credits_analyst;
grant execute on function credits.spend_many to credits_member;
grant execute on function credits.spend_many to credits_owner;
grant execute on function credits.spend_many to credits_service;

function credits.subscribe(account_id text, plan text, anchor timestamp with time zone DEFAULT NULL::timestamp with time zone)
  returns credits.accounts
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan owner credits_engine
grant execute on function credits.subscribe to credits_analyst;
grant execute on function credits.subscribe to credits_member;
grant execute on function credits.subscribe to credits_owner;
grant execute on function credits.subscribe to credits_service;

function credits.top_up_due(account_id text, purchase_id bigint)
  returns SETOF credits.purchases
  language plpgsql stable security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.top_up_due to credits_analyst;
grant execute on function credits.top_up_due to credits_member;
grant execute on function credits.top_up_due to credits_owner;
grant execute on function credits.top_up_due to credits_service;

function credits.top_ups_due(batch integer DEFAULT 100, after_account_id text DEFAULT NULL::text)
  returns SETOF credits.purchases
  language plpgsql stable security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.top_ups_due to credits_analyst;
grant execute on function credits.top_ups_due to credits_member;
grant execute on function credits.top_ups_due to credits_owner;
grant execute on function credits.top_ups_due to credits_service;

function credits.usage_by_day(account_id text, since timestamp with time zone DEFAULT NULL::timestamp with time zone, until timestamp with time zone DEFAULT NULL::timestamp with time zone, time_zone text DEFAULT 'UTC'::text)
  returns SETOF credits.usage_day
  language plpgsql stable security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.usage_by_day to credits_analyst;
grant execute on function credits.usage_by_day to credits_member;
grant execute on function credits.usage_by_day to credits_owner;
grant execute on function credits.usage_by_day to credits_service;

function credits.verify(account_id text DEFAULT NULL::text)
  returns SETOF credits.violation
  language plpgsql stable security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.verify to credits_analyst;
grant execute on function credits.verify to credits_member;
grant execute on function credits.verify to credits_owner;
grant execute on function credits.verify to credits_service;

function credits.watch_balances(account_id text)
  returns timestamp with time zone
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.watch_balances to credits_analyst;
grant execute on function credits.watch_balances to credits_member;
grant execute on function credits.watch_balances to credits_owner;
grant execute on function credits.watch_balances to credits_service;

function credits_private.account_time(account_id text)
  returns timestamp with time zone
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.account_time to credits_owner;

function credits_private.add_lot(kind text, lot credits.lots, idempotency_key text DEFAULT NULL::text)
  returns credits.lots
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.add_lot to credits_owner;

function credits_private.add_purchase(purchase credits.purchases)
  returns credits.purchases
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.add_purchase to credits_owner;

function credits_private.additional_allowed(account credits.accounts, unit text, at timestamp with time zone, pending credits_private.due_event[] DEFAULT '{}'::credits_private.due_event[])
  returns numeric
  language sql stable owner credits_engine
grant execute on function credits_private.additional_allowed to credits_owner;

function credits_private.after_plain_boundary(accounts credits.accounts[], at timestamp with time zone)
  returns TABLE(account_id text, plan text, anchor timestamp with time zone, period_index integer, period_start timestamp with time zone, period_end timestamp with time zone)
  language plpgsql stable owner credits_engine
grant execute on function credits_private.after_plain_boundary to credits_owner;

function credits_private.apply_catalog()
  returns TABLE(change text, what text, key text)
  language plpgsql volatile owner postgres
grant execute on function credits_private.apply_catalog to credits_owner;

function credits_private.assess(account credits.accounts, lots credits.lots[], gate credits.gates, price credits_private.price, member_id text, at timestamp with time zone, pending credits_private.due_event[] DEFAULT '{}'::credits_private.due_event[])
  returns credits.quote_line
  language plpgsql stable owner credits_engine
grant execute on function credits_private.assess to credits_owner;

function credits_private.begin_catalog(rate_card text, name text, source text DEFAULT NULL::text)
  returns void
  language plpgsql volatile set client_min_messages=warning owner postgres
grant execute on function credits_private.begin_catalog to credits_owner;

function credits_private.begin_writing(account_id text)
  returns credits_private.writing
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.begin_writing to credits_owner;

function credits_private.boundary(plan credits.plans, anchor timestamp with time zone, n integer)
  returns timestamp with time zone
  language sql stable owner credits_engine
grant execute on function credits_private.boundary to credits_owner;

function credits_private.caller_is(role_name text)
  returns boolean
  language sql stable owner credits_engine
grant execute on function credits_private.caller_is to credits_owner;

function credits_private.capture(account_id text, hold_id bigint, items credits.item[], amount numeric)
  returns SETOF credits.entries
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.capture to credits_owner;

function credits_private.capture_prices(account credits.accounts, rows credits.holds[], items credits.item[], amount numeric)
  returns credits_private.price[]
  language plpgsql stable owner credits_engine
grant execute on function credits_private.capture_prices to credits_owner;

function credits_private.capture_slices(account credits.accounts, held credits.holds, price credits_private.price, at timestamp with time zone)
  returns credits_private.slice[]
  language plpgsql stable owner credits_engine
grant execute on function credits_private.capture_slices to credits_owner;

function credits_private.change_plan(account credits.accounts, chosen credits.plans, anchor timestamp with time zone, at timestamp with time zone)
  returns credits.accounts
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.change_plan to credits_owner;

function credits_private.charge(account_id text, items credits.item[], idempotency_key text, member_id text, max_amount numeric, metadata jsonb)
  returns credits.entries[]
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.charge to credits_owner;

function credits_private.charge_meter(account credits.accounts, lots credits.lots[], meter credits.meters, at timestamp with time zone, before credits_private.due_event[])
  returns credits_private.projection
  language plpgsql stable owner credits_engine
grant execute on function credits_private.charge_meter to credits_owner;

function credits_private.charge_together(requests credits.spend_request[], purses credits_private.purse[], at timestamp with time zone)
  returns credits.spend_result[]
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.charge_together to credits_owner;

function credits_private.charged_quantity(item credits.item, measure text, minimum_quantity numeric, per numeric, quantity_rounding text)
  returns numeric
  language plpgsql immutable owner credits_engine
grant execute on function credits_private.charged_quantity to credits_owner;

function credits_private.check_account(account_id text)
  returns boolean
  language sql stable security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits_private.check_account to credits_analyst;
grant execute on function credits_private.check_account to credits_member;
grant execute on function credits_private.check_account to credits_owner;
grant execute on function credits_private.check_account to credits_service;

function credits_private.check_admin(account_id text, acting_member_id text)
  returns void
  language plpgsql stable owner credits_engine
grant execute on function credits_private.check_admin to credits_owner;

function credits_private.check_amount(rate_card text, unit text, amount numeric, at_most numeric DEFAULT '1000000000000'::numeric)
  returns void
  language plpgsql stable owner credits_engine
grant execute on function credits_private.check_amount to credits_owner;

function credits_private.check_anchor(anchor timestamp with time zone)
  returns void
  language plpgsql stable owner credits_engine
grant execute on function credits_private.check_anchor to credits_owner;

function credits_private.check_auditor()
  returns boolean
  language plpgsql stable owner credits_engine
grant execute on function credits_private.check_auditor to credits_owner;

function credits_private.check_caller(account_id text)
  returns boolean
  language plpgsql stable owner credits_engine
grant execute on function credits_private.check_caller to credits_owner;

function credits_private.check_captured(account credits.accounts, held credits.holds, items credits.item[])
  returns void
  language plpgsql stable owner credits_engine
grant execute on function credits_private.check_captured to credits_owner;

function credits_private.check_catalog()
  returns void
  language plpgsql volatile owner postgres
grant execute on function credits_private.check_catalog to credits_owner;

function credits_private.check_components(rate_card text, item credits.item, facts jsonb, known jsonb, at timestamp with time zone)
  returns void
  language plpgsql stable owner credits_engine
grant execute on function credits_private.check_components to credits_owner;

function credits_private.check_day_price(price numeric)
  returns void
  language plpgsql stable owner credits_engine
grant execute on function credits_private.check_day_price to credits_owner;

function credits_private.check_gates(account credits.accounts, top_ups boolean, items credits.item[])
  returns void
  language plpgsql stable owner credits_engine
grant execute on function credits_private.check_gates to credits_owner;

function credits_private.check_key_is_new(account_id text, idempotency_key text)
  returns void
  language plpgsql stable owner credits_engine
grant execute on function credits_private.check_key_is_new to credits_owner;

function credits_private.check_kinds(kinds text[])
  returns boolean
  language plpgsql stable security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits_private.check_kinds to credits_analyst;
grant execute on function credits_private.check_kinds to credits_member;
grant execute on function credits_private.check_kinds to credits_owner;
grant execute on function credits_private.check_kinds to credits_service;

function credits_private.check_known_values(rate_card text, operation text, usage jsonb, at timestamp with time zone)
  returns void
  language plpgsql stable owner credits_engine
grant execute on function credits_private.check_known_values to credits_owner;

function credits_private.check_labels(idempotency_key text, member_id text)
  returns void
  language plpgsql immutable owner credits_engine
grant execute on function credits_private.check_labels to credits_owner;

function credits_private.check_limit(rate_card text, field text, amount numeric)
  returns void
  language plpgsql stable owner credits_engine
grant execute on function credits_private.check_limit to credits_owner;

function credits_private.check_max_amount(max_amount numeric, prices credits_private.price[])
  returns void
  language plpgsql immutable owner credits_engine
grant execute on function credits_private.check_max_amount to credits_owner;

function credits_private.check_required_components(rate_card text, item credits.item, facts jsonb, at timestamp with time zone)
  returns void
  language plpgsql stable owner credits_engine
grant execute on function credits_private.check_required_components to credits_owner;

function credits_private.check_service()
  returns boolean
  language plpgsql stable owner credits_engine
grant execute on function credits_private.check_service to credits_owner;

function credits_private.choose_currency(currencies text[])
  returns text
  language sql immutable owner credits_engine
grant execute on function credits_private.choose_currency to credits_owner;

function credits_private.claim(name text)
  returns text
  language sql stable owner credits_engine
grant execute on function credits_private.claim to credits_owner;

function credits_private.close_day(meter credits.meters, midnight timestamp with time zone, OUT closed credits.meters, OUT quantity numeric)
  returns record
  language plpgsql immutable owner credits_engine
grant execute on function credits_private.close_day to credits_owner;

function credits_private.compare_allowances(present_plan text, new_plan text)
  returns text
  language sql stable owner credits_engine
grant execute on function credits_private.compare_allowances to credits_owner;

function credits_private.draw(lots credits.lots[], unit text, amount numeric, at timestamp with time zone, additional_allowed numeric)
  returns credits_private.slice[]
  language plpgsql stable owner credits_engine
grant execute on function credits_private.draw to credits_owner;

function credits_private.draw_place(lot credits.lots)
  returns credits_private.draw_place
  language sql immutable owner credits_engine
grant execute on function credits_private.draw_place to credits_owner;

function credits_private.draw_price(account credits.accounts, price credits_private.price, member_id text, at timestamp with time zone)
  returns credits_private.slice[]
  language plpgsql stable owner credits_engine
grant execute on function credits_private.draw_price to credits_owner;

function credits_private.drawn_in_period(account credits.accounts, at timestamp with time zone, OUT additional numeric, OUT by_member numeric, member_id text DEFAULT NULL::text)
  returns record
  language plpgsql stable owner credits_engine
grant execute on function credits_private.drawn_in_period to credits_owner;

function credits_private.due(account_id text, at timestamp with time zone, kind text, unit text DEFAULT NULL::text, lot_id bigint DEFAULT NULL::bigint, counts_as text DEFAULT NULL::text, amount numeric DEFAULT NULL::numeric, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, plan text DEFAULT NULL::text, hold_id bigint DEFAULT NULL::bigint, account credits.accounts DEFAULT NULL::credits.accounts, meter_id bigint DEFAULT NULL::bigint, item credits.item DEFAULT NULL::credits.item, breakdown jsonb DEFAULT NULL::jsonb, slices credits_private.slice[] DEFAULT NULL::credits_private.slice[])
  returns credits_private.due_event
  language sql immutable owner credits_engine
grant execute on function credits_private.due to credits_owner;

function credits_private.earlier_charge(account_id text, idempotency_key text, operation text, usage jsonb, member_id text)
  returns credits.entries[]
  language plpgsql stable owner credits_engine
grant execute on function credits_private.earlier_charge to credits_owner;

function credits_private.end_hold(account_id text, hold_id bigint, new_status text, request jsonb, at timestamp with time zone, unit text DEFAULT NULL::text)
  returns void
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.end_hold to credits_owner;

function credits_private.end_of_life(plan credits.plans, anchor timestamp with time zone, period_end timestamp with time zone, periods integer)
  returns timestamp with time zone
  language plpgsql stable owner credits_engine
grant execute on function credits_private.end_of_life to credits_owner;

function credits_private.expiry(lot credits.lots, at timestamp with time zone, amount numeric)
  returns credits_private.due_event
  language sql immutable owner credits_engine
grant execute on function credits_private.expiry to credits_owner;

function credits_private.fail(code text, detail jsonb, hint text)
  returns void
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.fail to credits_owner;

function credits_private.fail_conflict(reason text, hint text, facts jsonb DEFAULT '{}'::jsonb)
  returns void
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.fail_conflict to credits_owner;

function credits_private.fail_invalid(field text, reason text, hint text, facts jsonb DEFAULT '{}'::jsonb)
  returns void
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.fail_invalid to credits_owner;

function credits_private.fail_key_reused(idempotency_key text, original jsonb)
  returns void
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.fail_key_reused to credits_owner;

function credits_private.fail_not_found(what text, key text, hint text)
  returns void
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.fail_not_found to credits_owner;

function credits_private.find_hold(account_id text, hold_id bigint)
  returns credits.holds[]
  language plpgsql stable owner credits_engine
grant execute on function credits_private.find_hold to credits_owner;

function credits_private.find_plan(plan text, present_plan text)
  returns credits.plans
  language plpgsql stable owner credits_engine
grant execute on function credits_private.find_plan to credits_owner;

function credits_private.find_purchase(account_id text, purchase_id bigint)
  returns credits.purchases
  language plpgsql stable owner credits_engine
grant execute on function credits_private.find_purchase to credits_owner;

function credits_private.first_seq_since(account_id text, instant timestamp with time zone)
  returns bigint
  language plpgsql stable owner credits_engine
grant execute on function credits_private.first_seq_since to credits_owner;

function credits_private.fits(label text)
  returns boolean
  language sql immutable owner credits_engine
grant execute on function credits_private.fits to credits_owner;

function credits_private.following_period(plan credits.plans, previous_anchor timestamp with time zone, ends_at timestamp with time zone, OUT anchor timestamp with time zone, OUT n integer)
  returns record
  language plpgsql stable owner credits_engine
grant execute on function credits_private.following_period to credits_owner;

function credits_private.granted_in_period(account_id text, plan credits.plans, period_start timestamp with time zone)
  returns jsonb
  language sql stable owner credits_engine
grant execute on function credits_private.granted_in_period to credits_owner;

function credits_private.has_more_text(usage jsonb, known jsonb)
  returns boolean
  language plpgsql immutable owner credits_engine
grant execute on function credits_private.has_more_text to credits_owner;

function credits_private.have_same_periods(one credits.plans, other credits.plans)
  returns boolean
  language sql immutable owner credits_engine
grant execute on function credits_private.have_same_periods to credits_owner;

function credits_private.hold(account_id text, items credits.item[], idempotency_key text, member_id text, expires_in interval, max_amount numeric, metadata jsonb)
  returns SETOF credits.holds
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.hold to credits_owner;

function credits_private.in_draw_order(lots credits.lots[])
  returns credits.lots[]
  language plpgsql stable owner credits_engine
grant execute on function credits_private.in_draw_order to credits_owner;

function credits_private.is_paid(plan text)
  returns boolean
  language sql stable owner credits_engine
grant execute on function credits_private.is_paid to credits_owner;

function credits_private.item_count(item credits.item)
  returns numeric
  language plpgsql immutable owner credits_engine
grant execute on function credits_private.item_count to credits_owner;

function credits_private.items(items credits.item[])
  returns credits.item[]
  language sql immutable owner credits_engine
grant execute on function credits_private.items to credits_owner;

function credits_private.lapses(lots credits.lots[], at timestamp with time zone, before credits_private.due_event[] DEFAULT '{}'::credits_private.due_event[])
  returns credits_private.due_event[]
  language plpgsql stable owner credits_engine
grant execute on function credits_private.lapses to credits_owner;

function credits_private.leave_plan(account credits.accounts, cancelled boolean, at timestamp with time zone)
  returns credits_private.due_event[]
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.leave_plan to credits_owner;

function credits_private.left_of_cap(account credits.accounts, member_id text, unit text, at timestamp with time zone)
  returns numeric
  language plpgsql stable owner credits_engine
grant execute on function credits_private.left_of_cap to credits_owner;

function credits_private.left_of_period_limit(account credits.accounts, unit text, at timestamp with time zone, pending credits_private.due_event[])
  returns numeric
  language plpgsql stable owner credits_engine
grant execute on function credits_private.left_of_period_limit to credits_owner;

function credits_private.let_lapse(account_id text, at timestamp with time zone)
  returns void
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.let_lapse to credits_owner;

function credits_private.limited_charge(priced numeric, tiers jsonb, quantity numeric, factor numeric, minimum_charge numeric, maximum_charge numeric, OUT charge numeric, OUT notes jsonb)
  returns record
  language plpgsql immutable owner credits_engine
grant execute on function credits_private.limited_charge to credits_owner;

function credits_private.list_prices(card text, at timestamp with time zone)
  returns void
  language sql volatile owner credits_engine
grant execute on function credits_private.list_prices to credits_owner;

function credits_private.lock_account(account_id text, must_exist boolean DEFAULT true)
  returns credits.accounts
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.lock_account to credits_owner;

function credits_private.lock_due(batch integer, at timestamp with time zone)
  returns credits.accounts[]
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.lock_due to credits_owner;

function credits_private.logged(items credits.item[], OUT operation text, OUT usage jsonb)
  returns record
  language plpgsql immutable owner credits_engine
grant execute on function credits_private.logged to credits_owner;

function credits_private.look_ahead(account_id text)
  returns credits.accounts
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.look_ahead to credits_owner;

function credits_private.main_unit(rate_card text)
  returns text
  language sql stable owner credits_engine
grant execute on function credits_private.main_unit to credits_owner;

function credits_private.may_be_charged(purchase credits.purchases, at timestamp with time zone)
  returns boolean
  language sql immutable owner credits_engine
grant execute on function credits_private.may_be_charged to credits_owner;

function credits_private.member_allowed(account credits.accounts, member_id text, unit text, at timestamp with time zone)
  returns numeric
  language sql stable owner credits_engine
grant execute on function credits_private.member_allowed to credits_owner;

function credits_private.merge_catalog_table(staged text, target text, keys text[], scope text, when_missing text, at timestamp with time zone)
  returns TABLE(change text, what text, key text)
  language plpgsql volatile owner postgres
grant execute on function credits_private.merge_catalog_table to credits_owner;

function credits_private.new_lot(account_id text, unit text, bucket text, amount numeric, starts_at timestamp with time zone, expires_at timestamp with time zone, source text)
  returns credits.lots
  language plpgsql stable owner credits_engine
grant execute on function credits_private.new_lot to credits_owner;

function credits_private.next_due(account_id text, period_end timestamp with time zone)
  returns timestamp with time zone
  language sql stable owner credits_engine
grant execute on function credits_private.next_due to credits_owner;

function credits_private.next_midnight(instant timestamp with time zone)
  returns timestamp with time zone
  language sql immutable owner credits_engine
grant execute on function credits_private.next_midnight to credits_owner;

function credits_private.next_period(account credits.accounts, at timestamp with time zone)
  returns credits.accounts
  language plpgsql stable owner credits_engine
grant execute on function credits_private.next_period to credits_owner;

function credits_private.next_refill(account credits.accounts, unit text)
  returns timestamp with time zone
  language sql stable owner credits_engine
grant execute on function credits_private.next_refill to credits_owner;

function credits_private.no_usage(item credits.item)
  returns jsonb
  language plpgsql immutable owner credits_engine
grant execute on function credits_private.no_usage to credits_owner;

function credits_private.note_key(account_id text)
  returns void
  language sql volatile owner credits_engine
grant execute on function credits_private.note_key to credits_owner;

function credits_private.now()
  returns timestamp with time zone
  language sql volatile owner credits_engine
grant execute on function credits_private.now to credits_analyst;
grant execute on function credits_private.now to credits_owner;

function credits_private.past_balances(account credits.accounts, at timestamp with time zone)
  returns SETOF credits.balance
  language sql stable owner credits_engine
grant execute on function credits_private.past_balances to credits_owner;

function credits_private.payable(price numeric, currency text)
  returns numeric
  language sql immutable owner credits_engine
grant execute on function credits_private.payable to credits_owner;

function credits_private.period_containing(plan credits.plans, anchor timestamp with time zone, at timestamp with time zone)
  returns integer
  language plpgsql stable owner credits_engine
grant execute on function credits_private.period_containing to credits_owner;

function credits_private.post(account_id text, unit text, kind text, at timestamp with time zone, slices credits_private.slice[], new_lots credits.lots[] DEFAULT '{}'::credits.lots[], operation text DEFAULT NULL::text, usage jsonb DEFAULT NULL::jsonb, breakdown jsonb DEFAULT NULL::jsonb, member_id text DEFAULT NULL::text, idempotency_key text DEFAULT NULL::text, metadata jsonb DEFAULT NULL::jsonb, refunds_seq bigint DEFAULT NULL::bigint, hold_id bigint DEFAULT NULL::bigint, purchase_id bigint DEFAULT NULL::bigint, reason text DEFAULT NULL::text, last_seq bigint DEFAULT NULL::bigint, balance numeric DEFAULT NULL::numeric)
  returns credits.entries
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.post to credits_owner;

function credits_private.price_in_tiers(tiers jsonb, quantity numeric, OUT charge numeric, OUT lines jsonb)
  returns record
  language sql immutable owner credits_engine
grant execute on function credits_private.price_in_tiers to credits_owner;

function credits_private.price_job(account credits.accounts, top_ups boolean, items credits.item[], max_amount numeric, at timestamp with time zone)
  returns credits_private.price[]
  language plpgsql stable owner credits_engine
grant execute on function credits_private.price_job to credits_owner;

function credits_private.price_list(rate_card text, operation text, at timestamp with time zone)
  returns credits_private.price_lists
  language sql stable owner credits_engine
grant execute on function credits_private.price_list to credits_owner;

function credits_private.priced_lines(requests credits.spend_request[], accounts credits.accounts[], at timestamp with time zone)
  returns TABLE(index integer, account_id text, last_seq bigint, place bigint, unit text, amount numeric, breakdown jsonb)
  language plpgsql stable owner credits_engine
grant execute on function credits_private.priced_lines to credits_owner;

function credits_private.project(account credits.accounts, until timestamp with time zone, meters_until timestamp with time zone DEFAULT 'infinity'::timestamp with time zone)
  returns credits_private.projection
  language plpgsql stable owner credits_engine
grant execute on function credits_private.project to credits_owner;

function credits_private.purses(requests credits.spend_request[], accounts credits.accounts[], at timestamp with time zone)
  returns credits_private.purse[]
  language plpgsql stable set enable_bitmapscan=off owner credits_engine
grant execute on function credits_private.purses to credits_owner;

function credits_private.quote(account_id text, items credits.item[])
  returns credits.quote_line[]
  language plpgsql stable owner credits_engine
grant execute on function credits_private.quote to credits_owner;

function credits_private.rate_item(rate_card text, plan text, top_ups boolean, item credits.item, at timestamp with time zone)
  returns credits_private.charge[]
  language plpgsql stable owner credits_engine
grant execute on function credits_private.rate_item to credits_owner;

function credits_private.rate_items(rate_card text, plan text, top_ups boolean, items credits.item[], at timestamp with time zone)
  returns credits_private.price[]
  language plpgsql stable owner credits_engine
grant execute on function credits_private.rate_items to credits_owner;

function credits_private.refills(account credits.accounts, plan credits.plans, at timestamp with time zone, granted jsonb, last_lot_id bigint)
  returns credits_private.due_event[]
  language sql stable owner credits_engine
grant execute on function credits_private.refills to credits_owner;

function credits_private.refuse(account credits.accounts, line credits.quote_line, member_id text)
  returns void
  language plpgsql stable owner credits_engine
grant execute on function credits_private.refuse to credits_owner;

function credits_private.refuse_gate(account credits.accounts, gate credits.gates)
  returns void
  language plpgsql stable owner credits_engine
grant execute on function credits_private.refuse_gate to credits_owner;

function credits_private.roll_over(account credits.accounts, lots credits.lots[], plan_ends boolean, at timestamp with time zone)
  returns credits_private.projection
  language plpgsql stable owner credits_engine
grant execute on function credits_private.roll_over to credits_owner;

function credits_private.round_fraction(numerator numeric, denominator numeric, scale integer, rounding text)
  returns numeric
  language plpgsql immutable owner credits_engine
grant execute on function credits_private.round_fraction to credits_owner;

function credits_private.same_rule(staged jsonb, present jsonb, at timestamp with time zone)
  returns boolean
  language sql stable owner credits_engine
grant execute on function credits_private.same_rule to credits_owner;

function credits_private.sees_what_it_locked()
  returns boolean
  language sql stable owner credits_engine
grant execute on function credits_private.sees_what_it_locked to credits_owner;

function credits_private.set_reversed(purchase credits.purchases, reversed_amount numeric, reinstated_amount numeric, at timestamp with time zone, reason text)
  returns credits.purchases
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.set_reversed to credits_owner;

function credits_private.settle_all(accounts credits.accounts[], at timestamp with time zone)
  returns integer
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.settle_all to credits_owner;

function credits_private.settle_event_by_event(account credits.accounts, at timestamp with time zone)
  returns credits.accounts
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.settle_event_by_event to credits_owner;

function credits_private.settle_others(accounts credits.accounts[], at timestamp with time zone)
  returns integer
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.settle_others to credits_owner;

function credits_private.settle_together(accounts credits.accounts[], at timestamp with time zone)
  returns text[]
  language plpgsql volatile set plan_cache_mode=force_generic_plan set enable_seqscan=off set enable_hashjoin=off set enable_mergejoin=off set enable_bitmapscan=off owner credits_engine
grant execute on function credits_private.settle_together to credits_owner;

function credits_private.settled(account credits.accounts, at timestamp with time zone)
  returns credits.accounts
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.settled to credits_owner;

function credits_private.smallest_pack(account credits.accounts, unit text, shortfall numeric)
  returns text
  language sql stable owner credits_engine
grant execute on function credits_private.smallest_pack to credits_owner;

function credits_private.specificity(match jsonb)
  returns integer
  language sql immutable owner credits_engine
grant execute on function credits_private.specificity to credits_owner;

function credits_private.spend_result(request_index integer, status text, entry credits.entries)
  returns credits.spend_result
  language sql immutable owner credits_engine
grant execute on function credits_private.spend_result to credits_owner;

function credits_private.staged_rows()
  returns TABLE(what text, the_row jsonb)
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.staged_rows to credits_owner;

function credits_private.summed(rate_card text, charges credits_private.charge[])
  returns credits_private.charge[]
  language plpgsql stable owner credits_engine
grant execute on function credits_private.summed to credits_owner;

function credits_private.take_back(lot credits.lots, amount numeric, at timestamp with time zone, reason text, purchase_id bigint)
  returns credits.entries
  language sql volatile owner credits_engine
grant execute on function credits_private.take_back to credits_owner;

function credits_private.take_back_returned(account_id text, event credits_private.due_event)
  returns void
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.take_back_returned to credits_owner;

function credits_private.take_plan(ended credits_private.due_event[], account credits.accounts, plan credits.plans, granted jsonb, at timestamp with time zone)
  returns credits.accounts
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.take_plan to credits_owner;

function credits_private.tell_watchers(account credits.accounts)
  returns void
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.tell_watchers to credits_owner;

function credits_private.tiers_are_sound(tiers jsonb)
  returns boolean
  language plpgsql immutable owner credits_engine
grant execute on function credits_private.tiers_are_sound to credits_owner;

function credits_private.top_up_if_low(account credits.accounts, at timestamp with time zone)
  returns void
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.top_up_if_low to credits_owner;

function credits_private.top_up_price(rate_card text, amount numeric, OUT currency text, OUT price numeric)
  returns record
  language sql stable owner credits_engine
grant execute on function credits_private.top_up_price to credits_owner;

function credits_private.trusted_usage(usage jsonb, plan text, top_ups boolean)
  returns jsonb
  language sql stable owner credits_engine
grant execute on function credits_private.trusted_usage to credits_owner;

function credits_private.try_spend(request credits.spend_request, request_index integer)
  returns SETOF credits.spend_result
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.try_spend to credits_owner;

function credits_private.unmet_gate(account credits.accounts, top_ups boolean, items credits.item[], passed credits.item[] DEFAULT '{}'::credits.item[])
  returns credits.gates
  language plpgsql stable owner credits_engine
grant execute on function credits_private.unmet_gate to credits_owner;

function credits_private.usable(lot credits.lots, at timestamp with time zone)
  returns boolean
  language sql immutable owner credits_engine
grant execute on function credits_private.usable to credits_owner;

function credits_private.usage_number(operation text, usage jsonb, field text, at_least numeric, at_most numeric, whole boolean)
  returns numeric
  language plpgsql immutable owner credits_engine
grant execute on function credits_private.usage_number to credits_owner;

function credits_private.visible_account(account_id text)
  returns credits.accounts
  language plpgsql stable owner credits_engine
grant execute on function credits_private.visible_account to credits_owner;

function credits_private.wake_worker(account_id text, purchase_id bigint)
  returns void
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp owner postgres
grant execute on function credits_private.wake_worker to credits_engine;
grant execute on function credits_private.wake_worker to credits_owner;

function credits_private.with_interrupted_period(account credits.accounts, plan credits.plans, interrupted credits.interrupted_periods)
  returns credits.accounts
  language plpgsql stable owner credits_engine
grant execute on function credits_private.with_interrupted_period to credits_owner;

function credits_private.with_period(account credits.accounts, plan credits.plans, anchor timestamp with time zone, at timestamp with time zone, n integer)
  returns credits.accounts
  language plpgsql stable owner credits_engine
grant execute on function credits_private.with_period to credits_owner;

function credits_private.without_plan(account credits.accounts)
  returns credits.accounts
  language plpgsql stable owner credits_engine
grant execute on function credits_private.without_plan to credits_owner;

function credits_private.write_down(account_id text, events credits_private.due_event[])
  returns credits.accounts
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.write_down to credits_owner;
