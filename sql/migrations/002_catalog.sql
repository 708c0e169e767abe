-- The catalog: what a product sells, in rows. One rate card a product; accounts, plans and packs point at it.
-- These tables are written by credits_private.apply_catalog alone, and are the same for every account.

create table credits.rate_cards (
  rate_card text not null,
  name text not null,
  source text,
  constraint rate_cards_pkey primary key (rate_card),
  constraint rate_card_name_fits check (length(rate_card) between 1 and 64)
);
comment on table credits.rate_cards is 'One product''s pricing: its units, operations, rates, plans and packs share this key.';
comment on column credits.rate_cards.rate_card is 'Key of the rate card, such as "invideo".';
comment on column credits.rate_cards.name is 'The product''s name for people.';
comment on column credits.rate_cards.source is 'Where the figures come from: the document and its date.';

create table credits.units (
  rate_card text not null,
  unit text not null,
  name text not null,
  scale smallint not null default 0,
  rounding text not null default 'half_up',
  main boolean not null default false,
  constraint units_pkey primary key (rate_card, unit),
  constraint units_rate_card_fkey foreign key (rate_card) references credits.rate_cards,
  constraint unit_scale_is_0_to_6 check (scale between 0 and 6),
  constraint unit_rounding_is_known check (rounding in ('half_up', 'up', 'down'))
);
create unique index units_one_main_unit_per_card on credits.units (rate_card) where main;
comment on table credits.units is 'What a rate card counts in: credits, video minutes. Prices are rounded to a unit''s scale.';
comment on column credits.units.rate_card is 'The card this unit belongs to.';
comment on column credits.units.unit is 'Key of the unit, such as "credit".';
comment on column credits.units.name is 'The product''s own name for it, such as "R-Credits".';
comment on column credits.units.scale is 'Decimal places of an amount, 0 to 6.';
comment on column credits.units.rounding is 'How a price is rounded to the scale: half_up, up or down.';
comment on column credits.units.main is 'The unit that caps, limits and top-ups count in; one a card.';

create table credits.operations (
  rate_card text not null,
  operation text not null,
  category text not null,
  name text not null,
  description text,
  retired_at timestamptz,
  constraint operations_pkey primary key (rate_card, operation),
  constraint operations_rate_card_fkey foreign key (rate_card) references credits.rate_cards
);
comment on table credits.operations is 'What can be bought with credits, by category, as a rate card lists it.';
comment on column credits.operations.rate_card is 'The card that prices it.';
comment on column credits.operations.operation is 'Key of the operation, such as "image"; unique within its card only.';
comment on column credits.operations.category is 'The heading it stands under on the rate card.';
comment on column credits.operations.name is 'Its name for people.';
comment on column credits.operations.description is 'What it does, and which usage it takes.';
comment on column credits.operations.retired_at is 'When the catalog stopped listing it, and its rates ended; kept for the log''s sake.';

create table credits.card_rates (
  rate_id bigint generated always as identity,
  rate_card text not null,
  operation text not null,
  component text not null default 'base',
  match jsonb not null default '{}',
  unit text not null default 'credit',
  price numeric,
  measure text,
  per numeric not null default 1,
  quantity_rounding text not null default 'exact',
  minimum_quantity numeric,
  tiers jsonb,
  minimum_charge numeric,
  maximum_charge numeric,
  optional boolean not null default false,
  source text,
  valid_from timestamptz not null default '-infinity',
  valid_until timestamptz not null default 'infinity',
  specificity int not null generated always as (jsonb_array_length(jsonb_path_query_array(match, '$.keyvalue()'))) stored,
  constraint card_rates_pkey primary key (rate_id),
  constraint card_rates_operation_fkey foreign key (rate_card, operation) references credits.operations,
  constraint card_rates_unit_fkey foreign key (rate_card, unit) references credits.units,
  constraint rate_component_has_a_name check (component <> ''),
  constraint rate_match_is_an_object check (jsonb_typeof(match) = 'object'),
  constraint rate_has_a_price_or_tiers check (num_nonnulls(price, tiers) = 1),
  constraint rate_price_is_finite check (price >= 0 and price <= 1e12),
  constraint rate_per_is_positive check (per > 0 and per <= 1e12),
  constraint rate_quantity_rounding_is_known check (quantity_rounding in ('exact', 'up')),
  constraint rate_minimum_quantity_is_finite check (minimum_quantity >= 0 and minimum_quantity <= 1e12),
  constraint rate_minimum_charge_is_finite check (minimum_charge >= 0 and minimum_charge <= 1e12),
  constraint rate_maximum_charge_is_finite check (maximum_charge >= 0 and maximum_charge <= 1e12),
  constraint rate_charges_are_in_order check (minimum_charge <= maximum_charge),
  constraint rate_quantities_need_a_measure
    check (measure is not null or (quantity_rounding = 'exact' and minimum_quantity is null and tiers is null and per = 1)),
  constraint rate_validity_is_in_order check (valid_from <= valid_until),
  constraint rates_alike_do_not_overlap_in_time exclude using gist (
    rate_card with =, operation with =, component with =, (match::text) with =, tstzrange(valid_from, valid_until) with &&)
);
create index card_rates_by_operation on credits.card_rates (rate_card, operation);
create index card_rates_by_unit on credits.card_rates (rate_card, unit);
comment on table credits.card_rates is
  'Every rate of every card with the time it holds: a price change ends one row and starts another. credits.rates() lists those that apply now.';
comment on column credits.card_rates.rate_id is 'Names this rate in an entry''s breakdown, for years.';
comment on column credits.card_rates.rate_card is 'The card.';
comment on column credits.card_rates.operation is 'The operation it prices.';
comment on column credits.card_rates.component is 'The part of the price: components are matched one by one and add up.';
comment on column credits.card_rates.match is 'Attributes that the usage must contain; of the rates that match, the one with most attributes applies.';
comment on column credits.card_rates.unit is 'What the price is in.';
comment on column credits.card_rates.price is 'Price for "per" of the measure, or for one use when there is no measure; null with tiers.';
comment on column credits.card_rates.measure is 'The number in the usage that is charged for, such as "seconds"; null: charged per use.';
comment on column credits.card_rates.per is 'How much of the measure the price is for, such as 60 (seconds).';
comment on column credits.card_rates.quantity_rounding is 'exact, or up: whole blocks of "per", so that a started one counts.';
comment on column credits.card_rates.minimum_quantity is 'At least this much of the measure is charged.';
comment on column credits.card_rates.tiers is 'Graduated prices: [{"up_to": 1, "price": 0}, {"price": 1.3}]; up_to counts in the measure, the last tier is open.';
comment on column credits.card_rates.minimum_charge is 'The component comes to at least this.';
comment on column credits.card_rates.maximum_charge is 'The component comes to at most this.';
comment on column credits.card_rates.optional is 'An add-on: no match is no charge. Otherwise no match is an error.';
comment on column credits.card_rates.source is 'Where the figure comes from; begins with "assumed" where no document gives it.';
comment on column credits.card_rates.valid_from is 'Applies from this instant.';
comment on column credits.card_rates.valid_until is 'Applies until just before this instant.';
comment on column credits.card_rates.specificity is 'How many attributes it matches on: more of them win.';

create table credits.card_multipliers (
  multiplier_id bigint generated always as identity,
  rate_card text not null,
  operation text not null,
  multiplier_group text not null,
  component text,
  match jsonb not null,
  factor numeric not null,
  source text,
  valid_from timestamptz not null default '-infinity',
  valid_until timestamptz not null default 'infinity',
  specificity int not null generated always as (jsonb_array_length(jsonb_path_query_array(match, '$.keyvalue()'))) stored,
  constraint card_multipliers_pkey primary key (multiplier_id),
  constraint card_multipliers_operation_fkey foreign key (rate_card, operation) references credits.operations,
  constraint multiplier_group_has_a_name check (multiplier_group <> ''),
  constraint multiplier_match_is_an_object check (jsonb_typeof(match) = 'object'),
  constraint multiplier_factor_is_finite check (factor >= 0 and factor <= 1e6),
  constraint multiplier_validity_is_in_order check (valid_from <= valid_until),
  constraint multipliers_alike_do_not_overlap_in_time exclude using gist (
    rate_card with =, operation with =, multiplier_group with =, coalesce(component, '') with =, (match::text) with =,
    tstzrange(valid_from, valid_until) with &&)
);
create index card_multipliers_by_operation on credits.card_multipliers (rate_card, operation);
comment on table credits.card_multipliers is
  'Factors on an operation''s price. In each group the most specific match applies; the groups multiply; no match is 1.';
comment on column credits.card_multipliers.multiplier_id is 'Key.';
comment on column credits.card_multipliers.rate_card is 'The card.';
comment on column credits.card_multipliers.operation is 'The operation it changes.';
comment on column credits.card_multipliers.multiplier_group is 'What it is about, such as "resolution" or "plan".';
comment on column credits.card_multipliers.component is 'The one component it applies to; null: all.';
comment on column credits.card_multipliers.match is 'Attributes that the usage must contain.';
comment on column credits.card_multipliers.factor is 'The price is multiplied by this; 0 makes it free.';
comment on column credits.card_multipliers.source is 'Where the figure comes from.';
comment on column credits.card_multipliers.valid_from is 'Applies from this instant.';
comment on column credits.card_multipliers.valid_until is 'Applies until just before this instant.';
comment on column credits.card_multipliers.specificity is 'How many attributes it matches on: more of them win.';

-- What a price needs to know, an operation a row, in the order in which it is asked: so that pricing reads one row by its key.
-- Made from the rates and multipliers when a catalog is loaded, by credits_private.price_list().
create type credits_private.listed_rate as (
  component text, match jsonb, unit text, scale int, rounding text, price numeric, tiers jsonb, measure text, per numeric,
  quantity_rounding text, minimum_quantity numeric, minimum_charge numeric, maximum_charge numeric, is_limited boolean,
  valid_from timestamptz, valid_until timestamptz, line jsonb);

create type credits_private.listed_multiplier as (
  multiplier_group text, component text, match jsonb, factor numeric, valid_from timestamptz, valid_until timestamptz);

create table credits_private.price_lists (
  rate_card text not null,
  operation text not null,
  since timestamptz not null,
  component_count int not null,
  rates credits_private.listed_rate[] not null,
  multipliers credits_private.listed_multiplier[] not null,
  constraint price_lists_pkey primary key (rate_card, operation),
  constraint price_lists_operation_fkey foreign key (rate_card, operation) references credits.operations
);
comment on table credits_private.price_lists is
  'The rates and multipliers of each operation as pricing reads them. verify() finds a list that is not as they are.';
comment on column credits_private.price_lists.rate_card is 'The card.';
comment on column credits_private.price_lists.operation is 'The operation.';
comment on column credits_private.price_lists.since is
  'Holds from this instant: what had ended by then is left out. A price at an earlier one asks the rates themselves.';
comment on column credits_private.price_lists.component_count is 'How many components the rates have.';
comment on column credits_private.price_lists.rates is
  'By component, the more specific first. scale and rounding are the unit''s; line is what a breakdown says of the rate.';
comment on column credits_private.price_lists.multipliers is
  'By group, those of one component before those of all, the more specific first.';

create table credits.plans (
  plan text not null,
  rate_card text not null,
  name text not null,
  cadence text not null default 'month',
  anchored_to text not null default 'subscription',
  time_zone text not null default 'UTC',
  source text,
  retired_at timestamptz,
  constraint plans_pkey primary key (plan),
  constraint plans_rate_card_fkey foreign key (rate_card) references credits.rate_cards,
  constraint plan_cadence_is_known check (cadence in ('day', 'week', 'month', 'year', 'none')),
  constraint plan_anchor_is_known check (anchored_to in ('subscription', 'calendar'))
);
create index plans_by_rate_card on credits.plans (rate_card);
comment on table credits.plans is 'What an account subscribes to. The allowance refills at the cadence, whatever the billing interval is.';
comment on column credits.plans.plan is 'Key of the plan, unique over all cards.';
comment on column credits.plans.rate_card is 'The card whose prices its subscribers pay.';
comment on column credits.plans.name is 'Its name for people.';
comment on column credits.plans.cadence is 'How often the allowance refills: day, week, month, year; none: once, when subscribing.';
comment on column credits.plans.anchored_to is 'subscription: periods count from its start; calendar: midnight, Monday, the 1st, January 1st.';
comment on column credits.plans.time_zone is 'The time zone in which periods begin and end.';
comment on column credits.plans.source is 'Where its figures come from.';
comment on column credits.plans.retired_at is 'When the catalog stopped listing it: nobody new, present subscribers keep it.';

create table credits.plan_prices (
  plan text not null,
  billing_interval text not null default 'month',
  currency text not null,
  price numeric not null,
  source text,
  constraint plan_prices_pkey primary key (plan, billing_interval, currency),
  constraint plan_prices_plan_fkey foreign key (plan) references credits.plans,
  constraint plan_billing_interval_is_known check (billing_interval in ('week', 'month', 'year')),
  constraint plan_price_is_finite check (price >= 0 and price <= 1e12),
  constraint plan_price_currency_is_iso_4217 check (currency ~ '^[A-Z]{3}$')
);
comment on table credits.plan_prices is 'What a plan costs, by billing interval and currency. A plan without a price above 0 is free.';
comment on column credits.plan_prices.plan is 'The plan.';
comment on column credits.plan_prices.billing_interval is 'How often money is taken: week, month or year. The refill has its own cadence.';
comment on column credits.plan_prices.currency is 'ISO 4217 code.';
comment on column credits.plan_prices.price is 'In whole currency units, such as dollars.';
comment on column credits.plan_prices.source is 'Where the figure comes from.';

create table credits.plan_allowances (
  plan text not null,
  rate_card text not null,
  unit text not null default 'credit',
  amount credits.amount not null,
  rollover text not null default 'none',
  rollover_cap numeric,
  rollover_cap_multiple numeric,
  lives_periods int,
  source text,
  constraint plan_allowances_pkey primary key (plan, unit),
  constraint plan_allowances_plan_fkey foreign key (plan) references credits.plans,
  constraint plan_allowances_unit_fkey foreign key (rate_card, unit) references credits.units,
  constraint allowance_rollover_is_known check (rollover in ('none', 'all', 'capped')),
  constraint allowance_has_a_cap_if_capped
    check (num_nonnulls(rollover_cap, rollover_cap_multiple) = case rollover when 'capped' then 1 else 0 end),
  constraint allowance_cap_is_finite check (rollover_cap >= 0 and rollover_cap <= 1e18),
  constraint allowance_cap_multiple_is_finite check (rollover_cap_multiple >= 0 and rollover_cap_multiple <= 1e6),
  constraint allowance_life_needs_rollover check (lives_periods is null or (rollover <> 'none' and lives_periods between 1 and 1000))
);
create index plan_allowances_by_unit on credits.plan_allowances (rate_card, unit);
comment on table credits.plan_allowances is 'What a plan puts into the included bucket each period, and what becomes of the unused part.';
comment on column credits.plan_allowances.plan is 'The plan.';
comment on column credits.plan_allowances.rate_card is 'The plan''s card.';
comment on column credits.plan_allowances.unit is 'The unit that is given.';
comment on column credits.plan_allowances.amount is 'How much a period, whole from the first one on.';
comment on column credits.plan_allowances.rollover is 'none: unused included expires at the boundary; all: it is carried; capped: carried up to the cap.';
comment on column credits.plan_allowances.rollover_cap is 'capped: at most this much is carried in total.';
comment on column credits.plan_allowances.rollover_cap_multiple is 'capped: at most this many allowances are carried in total.';
comment on column credits.plan_allowances.lives_periods is 'With rollover: each allowance lives this many periods in all; null: no limit.';
comment on column credits.plan_allowances.source is 'Where the figure comes from.';

create table credits.plan_features (
  plan text not null,
  feature text not null,
  value jsonb not null,
  source text,
  constraint plan_features_pkey primary key (plan, feature),
  constraint plan_features_plan_fkey foreign key (plan) references credits.plans
);
comment on table credits.plan_features is 'What a plan includes besides credits: watermark-free exports, queue, seats.';
comment on column credits.plan_features.plan is 'The plan.';
comment on column credits.plan_features.feature is 'Key of the feature.';
comment on column credits.plan_features.value is 'true, a number, a text or a list, as the application wants it.';
comment on column credits.plan_features.source is 'Where it comes from.';

create table credits.gates (
  gate_id bigint generated always as identity,
  rate_card text not null,
  operation text not null,
  match jsonb not null default '{}',
  requires text not null,
  plans text[],
  source text,
  constraint gates_pkey primary key (gate_id),
  constraint gates_operation_fkey foreign key (rate_card, operation) references credits.operations,
  constraint gate_match_is_an_object check (jsonb_typeof(match) = 'object'),
  constraint gate_requirement_is_known check (requires in ('plan', 'top_ups')),
  constraint gate_lists_plans_if_it_requires_one check ((requires = 'plan') = (plans is not null)),
  constraint gates_are_listed_once unique nulls not distinct (rate_card, operation, match, requires, plans)
);
comment on table credits.gates is 'Operations, or usages of them, that need one of certain plans or top-ups enabled. Every matching gate must be met.';
comment on column credits.gates.gate_id is 'Key.';
comment on column credits.gates.rate_card is 'The card.';
comment on column credits.gates.operation is 'The operation.';
comment on column credits.gates.match is 'The usage that the gate stands before; {} is all.';
comment on column credits.gates.requires is 'plan: one of "plans"; top_ups: automatic top-ups enabled.';
comment on column credits.gates.plans is 'The plans that pass.';
comment on column credits.gates.source is 'Where it comes from.';

create table credits.packs (
  rate_card text not null,
  pack text not null,
  name text not null,
  unit text not null default 'credit',
  amount credits.amount not null,
  plans text[],
  source text,
  retired_at timestamptz,
  constraint packs_pkey primary key (rate_card, pack),
  constraint packs_unit_fkey foreign key (rate_card, unit) references credits.units,
  constraint pack_amount_is_positive check (amount > 0)
);
create index packs_by_unit on credits.packs (rate_card, unit);
comment on table credits.packs is 'Credits that can be bought at once: additional, without expiry.';
comment on column credits.packs.rate_card is 'The card.';
comment on column credits.packs.pack is 'Key of the pack, unique within its card only.';
comment on column credits.packs.name is 'Its name for people.';
comment on column credits.packs.unit is 'What it gives.';
comment on column credits.packs.amount is 'How much it gives.';
comment on column credits.packs.plans is 'The plans whose subscribers may buy it; null: everyone.';
comment on column credits.packs.source is 'Where the figure comes from.';
comment on column credits.packs.retired_at is 'When the catalog stopped listing it.';

create table credits.pack_prices (
  rate_card text not null,
  pack text not null,
  currency text not null,
  price numeric not null,
  source text,
  constraint pack_prices_pkey primary key (rate_card, pack, currency),
  constraint pack_prices_pack_fkey foreign key (rate_card, pack) references credits.packs,
  constraint pack_price_is_finite check (price >= 0 and price <= 1e12),
  constraint pack_price_currency_is_iso_4217 check (currency ~ '^[A-Z]{3}$')
);
comment on table credits.pack_prices is 'What a pack costs, by currency.';
comment on column credits.pack_prices.rate_card is 'The card.';
comment on column credits.pack_prices.pack is 'The pack.';
comment on column credits.pack_prices.currency is 'ISO 4217 code.';
comment on column credits.pack_prices.price is 'In whole currency units, such as dollars.';
comment on column credits.pack_prices.source is 'Where the figure comes from.';

create table credits.top_up_prices (
  rate_card text not null,
  currency text not null,
  price numeric not null,
  source text,
  constraint top_up_prices_pkey primary key (rate_card, currency),
  constraint top_up_prices_rate_card_fkey foreign key (rate_card) references credits.rate_cards,
  constraint top_up_price_is_finite check (price >= 0 and price <= 1e12),
  constraint top_up_price_currency_is_iso_4217 check (currency ~ '^[A-Z]{3}$')
);
comment on table credits.top_up_prices is 'What one credit of an automatic top-up costs, by currency.';
comment on column credits.top_up_prices.rate_card is 'The card; top-ups are in its main unit.';
comment on column credits.top_up_prices.currency is 'ISO 4217 code.';
comment on column credits.top_up_prices.price is 'Per credit, in whole currency units, such as dollars.';
comment on column credits.top_up_prices.source is 'Where the figure comes from.';

create table credits.promotions (
  rate_card text not null,
  promotion text not null,
  name text not null,
  unit text not null default 'credit',
  amount credits.amount not null,
  priority int not null default 100,
  expires_after interval,
  source text,
  retired_at timestamptz,
  constraint promotions_pkey primary key (rate_card, promotion),
  constraint promotions_unit_fkey foreign key (rate_card, unit) references credits.units,
  constraint promotion_amount_is_positive check (amount > 0),
  constraint promotion_expires_later check (expires_after > interval '0')
);
create index promotions_by_unit on credits.promotions (rate_card, unit);
comment on table credits.promotions is 'One-time gifts of additional credits, such as 30 for a verified e-mail address.';
comment on column credits.promotions.rate_card is 'The card.';
comment on column credits.promotions.promotion is 'Key of the promotion, unique within its card only.';
comment on column credits.promotions.name is 'Its name for people.';
comment on column credits.promotions.unit is 'What it gives.';
comment on column credits.promotions.amount is 'How much it gives, once.';
comment on column credits.promotions.priority is 'Draw priority of the lot: lower is drawn first.';
comment on column credits.promotions.expires_after is 'How long the gift lives; null: without expiry.';
comment on column credits.promotions.source is 'Where the figure comes from.';
comment on column credits.promotions.retired_at is 'When the catalog stopped listing it.';
