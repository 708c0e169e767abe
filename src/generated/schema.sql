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

create type credits.violation as (
  account_id text,
  rule text,
  detail jsonb
);

create type credits_private.due_event as (
  account_id text,
  step integer,
  at timestamp with time zone,
  kind text,
  unit text,
  lot_id bigint,
  bucket text,
  amount numeric,
  expires_at timestamp with time zone,
  period_index integer,
  period_start timestamp with time zone,
  period_end timestamp with time zone
);

create type credits_private.movement as (
  account_id text,
  seq integer,
  ordinal integer,
  lot_id bigint,
  granted numeric,
  spent numeric,
  forfeited numeric
);

create type credits_private.price as (
  unit text,
  amount numeric,
  breakdown jsonb
);

create type credits_private.slice as (
  ordinal integer,
  lot_id bigint,
  amount numeric
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
  next_due_at timestamp with time zone not null default 'infinity'::timestamp with time zone,
  opened_at timestamp with time zone not null,
  constraint accounts_pkey PRIMARY KEY (account_id),
  constraint account_id_is_1_to_64_characters CHECK (((length(account_id) >= 1) AND (length(account_id) <= 64))),
  constraint account_period_is_in_order CHECK ((period_start < period_end)),
  constraint account_period_is_whole CHECK ((num_nulls(period_index, period_start, period_end) = ANY (ARRAY[0, 3]))),
  constraint accounts_plan_fkey FOREIGN KEY (plan) REFERENCES credits.plans(plan),
  constraint accounts_rate_card_fkey FOREIGN KEY (rate_card) REFERENCES credits.rate_cards(rate_card)
);
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
  constraint card_multipliers_pkey PRIMARY KEY (multiplier_id),
  constraint multipliers_alike_do_not_overlap_in_time EXCLUDE USING gist (rate_card WITH =, operation WITH =, multiplier_group WITH =, COALESCE(component, ''::text) WITH =, ((match)::text) WITH =, tstzrange(valid_from, valid_until) WITH &&),
  constraint multiplier_factor_is_finite CHECK (((factor >= (0)::numeric) AND (factor <= '1000000'::numeric))),
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
  constraint card_rates_pkey PRIMARY KEY (rate_id),
  constraint rates_alike_do_not_overlap_in_time EXCLUDE USING gist (rate_card WITH =, operation WITH =, component WITH =, ((match)::text) WITH =, tstzrange(valid_from, valid_until) WITH &&),
  constraint rate_charges_are_in_order CHECK ((minimum_charge <= maximum_charge)),
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
  reason text,
  occurred_at timestamp with time zone not null,
  recorded_at timestamp with time zone not null,
  metadata jsonb,
  constraint entries_pkey PRIMARY KEY (account_id, seq),
  constraint entry_amount_is_the_sum_of_its_buckets CHECK ((((amount)::numeric = ((included)::numeric + (additional)::numeric)) AND (seq > 0))),
  constraint entries_account_fkey FOREIGN KEY (account_id) REFERENCES credits.accounts(account_id)
);
CREATE UNIQUE INDEX entries_idempotency_key ON credits.entries USING btree (account_id, idempotency_key, unit) WHERE (idempotency_key IS NOT NULL);
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

create table credits.lots (
  account_id text collate "C" not null,
  lot_id bigint not null,
  unit text not null,
  bucket text not null,
  priority integer not null default 100,
  granted credits.amount not null,
  spent credits.amount not null default 0,
  held credits.amount not null default 0,
  forfeited credits.amount not null default 0,
  available credits.amount not null generated always as (((((granted)::numeric - (spent)::numeric) - (held)::numeric) - (forfeited)::numeric)) stored,
  open boolean not null generated always as (((((granted)::numeric - (spent)::numeric) - (forfeited)::numeric) > (0)::numeric)) stored,
  version bigint not null default 1,
  starts_at timestamp with time zone not null,
  expires_at timestamp with time zone,
  source text not null,
  reason text,
  purchase_id bigint,
  price numeric,
  currency text,
  constraint lots_pkey PRIMARY KEY (account_id, lot_id),
  constraint lot_is_usable_for_some_time CHECK ((starts_at < expires_at)),
  constraint lot_price_is_finite CHECK (((price >= (0)::numeric) AND (price <= '1000000000000'::numeric))),
  constraint lot_source_is_known CHECK ((source = ANY (ARRAY['refill'::text, 'grant'::text, 'promotion'::text, 'purchase'::text, 'top_up'::text, 'refund'::text]))),
  constraint lot_figures_are_explained_by_a_posting FOREIGN KEY (account_id, lot_id, version, granted, spent, forfeited) REFERENCES credits.postings(account_id, lot_id, version, granted, spent, forfeited) DEFERRABLE INITIALLY DEFERRED,
  constraint lots_account_fkey FOREIGN KEY (account_id) REFERENCES credits.accounts(account_id),
  constraint lots_bucket_fkey FOREIGN KEY (bucket) REFERENCES credits.buckets(bucket)
);
CREATE INDEX lots_by_bucket ON credits.lots USING btree (bucket);
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
  constraint postings_explain_the_lot UNIQUE (account_id, lot_id, version, granted, spent, forfeited),
  constraint postings_entry_fkey FOREIGN KEY (account_id, seq) REFERENCES credits.entries(account_id, seq),
  constraint postings_lot_fkey FOREIGN KEY (account_id, lot_id) REFERENCES credits.lots(account_id, lot_id)
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
  constraint top_up_settings_pkey PRIMARY KEY (account_id),
  constraint top_ups_enabled_have_threshold_and_amount CHECK (((NOT enabled) OR ((threshold IS NOT NULL) AND (amount IS NOT NULL) AND ((amount)::numeric > (0)::numeric)))),
  constraint top_up_settings_account_fkey FOREIGN KEY (account_id) REFERENCES credits.accounts(account_id)
);
alter table credits.top_up_settings owner to credits_owner;
alter table credits.top_up_settings enable row level security;
create policy engine_sees_all on credits.top_up_settings for all to credits_engine using (true) with check (true);
create policy member_reads_own_account on credits.top_up_settings for select to credits_member using ((account_id = NULLIF(current_setting('credits.account_id'::text, true), ''::text)));
create policy service_reads_all on credits.top_up_settings for select to credits_analyst, credits_service using (true);
grant select on credits.top_up_settings to credits_analyst;
grant select on credits.top_up_settings to credits_engine;
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


-- ---- views

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
            sum((p_1.amount)::numeric) FILTER (WHERE (b.counts_as = 'included'::text)) AS included,
            sum((p_1.amount)::numeric) FILTER (WHERE (b.counts_as = 'additional'::text)) AS additional
           FROM ((credits.postings p_1
             JOIN credits.lots l ON (((l.account_id = p_1.account_id) AND (l.lot_id = p_1.lot_id))))
             JOIN credits.buckets b ON ((b.bucket = l.bucket)))
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
    'held_is_not_the_sum_of_open_holds'::text AS rule,
    jsonb_build_object('lot_id', l.lot_id, 'held', l.held, 'holds', 0) AS detail
   FROM credits.lots l
  WHERE ((l.held)::numeric <> (0)::numeric)
UNION ALL
 SELECT a.account_id,
    'due_later_than_it_falls_due'::text AS rule,
    jsonb_build_object('next_due_at', a.next_due_at, 'falls_due', LEAST(a.period_end, l.expires_at)) AS detail
   FROM (credits.accounts a
     LEFT JOIN ( SELECT lots.account_id,
            min(lots.expires_at) AS expires_at
           FROM credits.lots
          WHERE (lots.open AND ((lots.available)::numeric > (0)::numeric))
          GROUP BY lots.account_id) l ON ((l.account_id = a.account_id)))
  WHERE (a.next_due_at > LEAST(a.period_end, l.expires_at));
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
    sum(l.price) AS paid,
    sum(round(((l.price * ((l.available)::numeric + (l.held)::numeric)) / (l.granted)::numeric), 4)) AS paid_for_unspent
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

function credits.balances(account_id text, at timestamp with time zone DEFAULT NULL::timestamp with time zone)
  returns SETOF credits.balance
  language plpgsql stable security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.balances to credits_analyst;
grant execute on function credits.balances to credits_member;
grant execute on function credits.balances to credits_owner;
grant execute on function credits.balances to credits_service;

function credits.claim(account_id text, promotion text, claimant text)
  returns credits.lots
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan owner credits_engine
grant execute on function credits.claim to credits_analyst;
grant execute on function credits.claim to credits_member;
grant execute on function credits.claim to credits_owner;
grant execute on function credits.claim to credits_service;

function credits.entries_matching(account_id text, since timestamp with time zone DEFAULT NULL::timestamp with time zone, until timestamp with time zone DEFAULT NULL::timestamp with time zone, kinds text[] DEFAULT NULL::text[], member_id text DEFAULT NULL::text)
  returns SETOF credits.entries
  language sql stable owner credits_engine
grant execute on function credits.entries_matching to credits_analyst;
grant execute on function credits.entries_matching to credits_member;
grant execute on function credits.entries_matching to credits_owner;
grant execute on function credits.entries_matching to credits_service;

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

function credits.quote(account_id text, operation text, usage jsonb DEFAULT '{}'::jsonb)
  returns SETOF credits.quote_line
  language sql stable security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan owner credits_engine
grant execute on function credits.quote to credits_analyst;
grant execute on function credits.quote to credits_member;
grant execute on function credits.quote to credits_owner;
grant execute on function credits.quote to credits_service;

function credits.quote_items(account_id text, items credits.item[])
  returns SETOF credits.quote_line
  language plpgsql stable security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan owner credits_engine
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

function credits.settle_due(batch integer DEFAULT 500)
  returns integer
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan owner credits_engine
grant execute on function credits.settle_due to credits_analyst;
grant execute on function credits.settle_due to credits_member;
grant execute on function credits.settle_due to credits_owner;
grant execute on function credits.settle_due to credits_service;

function credits.spend(account_id text, operation text, usage jsonb DEFAULT '{}'::jsonb, idempotency_key text DEFAULT NULL::text, member_id text DEFAULT NULL::text, max_amount numeric DEFAULT NULL::numeric, metadata jsonb DEFAULT NULL::jsonb)
  returns SETOF credits.entries
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan owner credits_engine
grant execute on function credits.spend to credits_analyst;
grant execute on function credits.spend to credits_member;
grant execute on function credits.spend to credits_owner;
grant execute on function credits.spend to credits_service;

function credits.spend_items(account_id text, items credits.item[], idempotency_key text DEFAULT NULL::text, member_id text DEFAULT NULL::text, max_amount numeric DEFAULT NULL::numeric, metadata jsonb DEFAULT NULL::jsonb)
  returns SETOF credits.entries
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan owner credits_engine
grant execute on function credits.spend_items to credits_analyst;
grant execute on function credits.spend_items to credits_member;
grant execute on function credits.spend_items to credits_owner;
grant execute on function credits.spend_items to credits_service;

function credits.subscribe(account_id text, plan text, anchor timestamp with time zone DEFAULT NULL::timestamp with time zone)
  returns credits.accounts
  language plpgsql volatile security definer set search_path=pg_catalog, pg_temp set plan_cache_mode=force_generic_plan owner credits_engine
grant execute on function credits.subscribe to credits_analyst;
grant execute on function credits.subscribe to credits_member;
grant execute on function credits.subscribe to credits_owner;
grant execute on function credits.subscribe to credits_service;

function credits.verify(account_id text DEFAULT NULL::text)
  returns SETOF credits.violation
  language plpgsql stable security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits.verify to credits_analyst;
grant execute on function credits.verify to credits_member;
grant execute on function credits.verify to credits_owner;
grant execute on function credits.verify to credits_service;

function credits_private.account_at(account credits.accounts, at timestamp with time zone)
  returns credits.accounts
  language plpgsql stable owner credits_engine
grant execute on function credits_private.account_at to credits_owner;

function credits_private.account_time(account_id text)
  returns timestamp with time zone
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.account_time to credits_owner;

function credits_private.add_lot(kind text, lot credits.lots, amount numeric, idempotency_key text DEFAULT NULL::text)
  returns credits.lots
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.add_lot to credits_owner;

function credits_private.allowance_lots(plan credits.plans, anchor timestamp with time zone, n integer, last_lot_id bigint)
  returns TABLE(unit text, lot_id bigint, amount numeric, expires_at timestamp with time zone)
  language sql stable owner credits_engine
grant execute on function credits_private.allowance_lots to credits_owner;

function credits_private.apply_catalog()
  returns TABLE(change text, what text, key text)
  language plpgsql volatile owner postgres
grant execute on function credits_private.apply_catalog to credits_owner;

function credits_private.assess(account credits.accounts, items credits.item[], at timestamp with time zone)
  returns SETOF credits.quote_line
  language plpgsql stable owner credits_engine
grant execute on function credits_private.assess to credits_owner;

function credits_private.begin_catalog(rate_card text, name text, source text DEFAULT NULL::text)
  returns void
  language plpgsql volatile set client_min_messages=warning owner postgres
grant execute on function credits_private.begin_catalog to credits_owner;

function credits_private.begin_plan(account credits.accounts, plan credits.plans, anchor timestamp with time zone, at timestamp with time zone)
  returns credits.accounts
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.begin_plan to credits_owner;

function credits_private.boundary(plan credits.plans, anchor timestamp with time zone, n integer)
  returns timestamp with time zone
  language sql stable owner credits_engine
grant execute on function credits_private.boundary to credits_owner;

function credits_private.caller_is(role_name text)
  returns boolean
  language sql stable owner credits_engine
grant execute on function credits_private.caller_is to credits_owner;

function credits_private.charge(account_id text, items credits.item[], idempotency_key text, member_id text, max_amount numeric, metadata jsonb)
  returns SETOF credits.entries
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.charge to credits_owner;

function credits_private.check_account(account_id text)
  returns boolean
  language sql stable security definer set search_path=pg_catalog, pg_temp owner credits_engine
grant execute on function credits_private.check_account to credits_analyst;
grant execute on function credits_private.check_account to credits_member;
grant execute on function credits_private.check_account to credits_owner;
grant execute on function credits_private.check_account to credits_service;

function credits_private.check_amount(rate_card text, unit text, amount numeric)
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

function credits_private.check_catalog()
  returns void
  language plpgsql volatile owner postgres
grant execute on function credits_private.check_catalog to credits_owner;

function credits_private.check_known_values(rate_card text, operation text, usage jsonb, at timestamp with time zone)
  returns void
  language plpgsql stable owner credits_engine
grant execute on function credits_private.check_known_values to credits_owner;

function credits_private.check_labels(idempotency_key text, member_id text)
  returns void
  language plpgsql immutable owner credits_engine
grant execute on function credits_private.check_labels to credits_owner;

function credits_private.check_max_amount(max_amount numeric, lines credits.quote_line[])
  returns void
  language plpgsql immutable owner credits_engine
grant execute on function credits_private.check_max_amount to credits_owner;

function credits_private.check_service()
  returns boolean
  language plpgsql stable owner credits_engine
grant execute on function credits_private.check_service to credits_owner;

function credits_private.claim(name text)
  returns text
  language sql stable owner credits_engine
grant execute on function credits_private.claim to credits_owner;

function credits_private.draft_entry(account_id text, seq integer, unit text, kind text, at timestamp with time zone, operation text DEFAULT NULL::text, member_id text DEFAULT NULL::text, usage jsonb DEFAULT NULL::jsonb, breakdown jsonb DEFAULT NULL::jsonb, idempotency_key text DEFAULT NULL::text, refunds_seq bigint DEFAULT NULL::bigint, reason text DEFAULT NULL::text, metadata jsonb DEFAULT NULL::jsonb)
  returns credits.entries
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.draft_entry to credits_owner;

function credits_private.draft_lot(account_id text, lot_id bigint, unit text, bucket text, starts_at timestamp with time zone, expires_at timestamp with time zone, source text, amount numeric DEFAULT 0, priority integer DEFAULT 100, reason text DEFAULT NULL::text)
  returns credits.lots
  language plpgsql immutable owner credits_engine
grant execute on function credits_private.draft_lot to credits_owner;

function credits_private.draw(account_id text, unit text, amount numeric, at timestamp with time zone)
  returns SETOF credits_private.slice
  language sql stable owner credits_engine
grant execute on function credits_private.draw to credits_owner;

function credits_private.due(account credits.accounts, until timestamp with time zone)
  returns SETOF credits_private.due_event
  language plpgsql stable owner credits_engine
grant execute on function credits_private.due to credits_owner;

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

function credits_private.fail_key_reused(idempotency_key text, original credits.entries)
  returns void
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.fail_key_reused to credits_owner;

function credits_private.fail_not_found(what text, key text, hint text)
  returns void
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.fail_not_found to credits_owner;

function credits_private.find_plan(plan text, present_plan text)
  returns credits.plans
  language plpgsql stable owner credits_engine
grant execute on function credits_private.find_plan to credits_owner;

function credits_private.lock_account(account_id text)
  returns credits.accounts
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.lock_account to credits_owner;

function credits_private.lots_at(account credits.accounts, at timestamp with time zone)
  returns TABLE(lot_id bigint, unit text, bucket text, available numeric, held numeric, usable boolean)
  language plpgsql stable owner credits_engine
grant execute on function credits_private.lots_at to credits_owner;

function credits_private.merge_catalog_table(staged text, target text, keys text[], scope text, when_missing text, at timestamp with time zone)
  returns TABLE(change text, what text, key text)
  language plpgsql volatile owner postgres
grant execute on function credits_private.merge_catalog_table to credits_owner;

function credits_private.next_due(account_id text, period_end timestamp with time zone)
  returns timestamp with time zone
  language sql stable owner credits_engine
grant execute on function credits_private.next_due to credits_owner;

function credits_private.next_refill(account credits.accounts, unit text)
  returns timestamp with time zone
  language sql stable owner credits_engine
grant execute on function credits_private.next_refill to credits_owner;

function credits_private.now()
  returns timestamp with time zone
  language sql volatile owner credits_engine
grant execute on function credits_private.now to credits_analyst;
grant execute on function credits_private.now to credits_owner;

function credits_private.period_containing(plan credits.plans, anchor timestamp with time zone, at timestamp with time zone)
  returns integer
  language plpgsql stable owner credits_engine
grant execute on function credits_private.period_containing to credits_owner;

function credits_private.post(entries credits.entries[], movements credits_private.movement[], lots credits.lots[] DEFAULT '{}'::credits.lots[])
  returns SETOF credits.entries
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.post to credits_owner;

function credits_private.rate_component(rate credits.card_rates, usage jsonb, multiplier numeric, OUT numerator numeric, OUT denominator numeric, OUT line jsonb)
  returns record
  language plpgsql immutable owner credits_engine
grant execute on function credits_private.rate_component to credits_owner;

function credits_private.rate_items(rate_card text, plan text, top_ups boolean, items credits.item[], at timestamp with time zone)
  returns SETOF credits_private.price
  language plpgsql stable owner credits_engine
grant execute on function credits_private.rate_items to credits_owner;

function credits_private.refuse(account credits.accounts, items credits.item[], line credits.quote_line)
  returns void
  language plpgsql stable owner credits_engine
grant execute on function credits_private.refuse to credits_owner;

function credits_private.replayed_usage(account_id text, idempotency_key text, operation text, usage jsonb, member_id text)
  returns SETOF credits.entries
  language plpgsql stable owner credits_engine
grant execute on function credits_private.replayed_usage to credits_owner;

function credits_private.round_fraction(numerator numeric, denominator numeric, scale integer, rounding text)
  returns numeric
  language plpgsql immutable owner credits_engine
grant execute on function credits_private.round_fraction to credits_owner;

function credits_private.same_rule(staged jsonb, present jsonb, at timestamp with time zone)
  returns boolean
  language sql stable owner credits_engine
grant execute on function credits_private.same_rule to credits_owner;

function credits_private.settle(account_ids text[], until timestamp with time zone)
  returns integer
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.settle to credits_owner;

function credits_private.settled(account credits.accounts, at timestamp with time zone)
  returns credits.accounts
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.settled to credits_owner;

function credits_private.specificity(match jsonb)
  returns integer
  language sql immutable owner credits_engine
grant execute on function credits_private.specificity to credits_owner;

function credits_private.staged_rows()
  returns TABLE(what text, the_row jsonb)
  language plpgsql volatile owner credits_engine
grant execute on function credits_private.staged_rows to credits_owner;

function credits_private.tiers_are_sound(tiers jsonb)
  returns boolean
  language plpgsql immutable owner credits_engine
grant execute on function credits_private.tiers_are_sound to credits_owner;

function credits_private.top_ups_enabled(account_id text)
  returns boolean
  language sql stable owner credits_engine
grant execute on function credits_private.top_ups_enabled to credits_owner;

function credits_private.trusted_usage(usage jsonb, plan text, top_ups boolean)
  returns jsonb
  language sql immutable owner credits_engine
grant execute on function credits_private.trusted_usage to credits_owner;

function credits_private.unmet_gate(account credits.accounts, top_ups boolean, items credits.item[])
  returns credits.gates
  language sql stable owner credits_engine
grant execute on function credits_private.unmet_gate to credits_owner;

function credits_private.usage_number(operation text, usage jsonb, field text, at_least numeric, at_most numeric, whole boolean)
  returns numeric
  language plpgsql immutable owner credits_engine
grant execute on function credits_private.usage_number to credits_owner;

function credits_private.visible_account(account_id text)
  returns credits.accounts
  language plpgsql stable owner credits_engine
grant execute on function credits_private.visible_account to credits_owner;
