-- A price list of one's own: stage it, load it, change a price, and see a mistake refused. Needs the right to install
-- (the role that ran migrate). One transaction, rolled back.

begin;
set local timezone = 'UTC';
set local credits.now = '2026-03-01 00:00:00+00';

select credits_private.begin_catalog('bakery', 'Bakery', 'the board above the counter');

insert into catalog_units (unit, name, scale, main) values ('crumb', 'crumbs', 1, true);

insert into catalog_operations (operation, category, name) values
  ('bread', 'Oven', 'Bread'),
  ('parking', 'Yard', 'Parking');

-- Bread by the gram, 2 crumbs per started 500 g, at least 4; rye has a rate of its own. The first half hour of parking is
-- free, then 0.1 a minute.
insert into catalog_rates (operation, match, unit, price, measure, per, quantity_rounding, minimum_charge, tiers) values
  ('bread', '{}', 'crumb', 2, 'grams', 500, 'up', 4, null),
  ('bread', '{"flour": "rye"}', 'crumb', 3, 'grams', 500, 'up', 4, null),
  ('parking', '{}', 'crumb', null, 'minutes', 1, 'exact', null, '[{"up_to": 30, "price": 0}, {"price": 0.1}]');

-- Sliced is half as much again; regulars pay four fifths.
insert into catalog_multipliers (operation, multiplier_group, match, factor) values
  ('bread', 'cut', '{"sliced": true}', 1.5),
  ('bread', 'plan', '{"plan": "bakery_regular"}', 0.8);

insert into catalog_plans (plan, name, cadence, anchored_to) values ('bakery_regular', 'Regular', 'week', 'calendar');
insert into catalog_plan_prices (plan, billing_interval, currency, price) values ('bakery_regular', 'week', 'EUR', 5);
insert into catalog_allowances (plan, unit, amount) values ('bakery_regular', 'crumb', 40);

-- What loading it changes: everything is new.
select * from credits_private.apply_catalog();

select account_id, rate_card from credits.open_account('walk-in', rate_card => 'bakery');
select account_id, plan, period_start, period_end from credits.open_account('regular', 'bakery_regular');

-- The same bread for two customers.
select a.account_id, u.usage, q.amount
from (values ('walk-in'), ('regular')) a(account_id),
  (values ('{"grams": 750}'::jsonb), ('{"grams": 1100}'), ('{"grams": 1100, "flour": "rye"}'),
    ('{"grams": 1100, "flour": "rye", "sliced": true, "count": 2}')) u(usage),
  credits.quote(a.account_id, 'bread', u.usage) q;

select u.usage, q.amount
from (values ('{"minutes": 30}'::jsonb), ('{"minutes": 45}')) u(usage),
  credits.quote('walk-in', 'parking', u.usage) q;

-- A charge explains itself.
select amount, jsonb_path_query_array(breakdown, '$[*].multiplier') as multipliers, balance_after
from credits.spend('regular', 'bread', '{"grams": 1100, "sliced": true}');

-- In April rye costs more. Load the whole list again: the old rate ends, the new one starts, the rest stays.
set local credits.now = '2026-04-01 00:00:00+00';

select credits_private.begin_catalog('bakery', 'Bakery', 'the board above the counter');
insert into catalog_units (unit, name, scale, main) values ('crumb', 'crumbs', 1, true);
insert into catalog_operations (operation, category, name) values
  ('bread', 'Oven', 'Bread'),
  ('parking', 'Yard', 'Parking');
insert into catalog_rates (operation, match, unit, price, measure, per, quantity_rounding, minimum_charge, tiers) values
  ('bread', '{}', 'crumb', 2, 'grams', 500, 'up', 4, null),
  ('bread', '{"flour": "rye"}', 'crumb', 3.5, 'grams', 500, 'up', 4, null),
  ('parking', '{}', 'crumb', null, 'minutes', 1, 'exact', null, '[{"up_to": 30, "price": 0}, {"price": 0.1}]');
insert into catalog_multipliers (operation, multiplier_group, match, factor) values
  ('bread', 'cut', '{"sliced": true}', 1.5),
  ('bread', 'plan', '{"plan": "bakery_regular"}', 0.8);
insert into catalog_plans (plan, name, cadence, anchored_to) values ('bakery_regular', 'Regular', 'week', 'calendar');
insert into catalog_plan_prices (plan, billing_interval, currency, price) values ('bakery_regular', 'week', 'EUR', 5);
insert into catalog_allowances (plan, unit, amount) values ('bakery_regular', 'crumb', 40);
select * from credits_private.apply_catalog();

select operation, match, price, valid_from, valid_until
from credits.card_rates where rate_card = 'bakery' and operation = 'bread' order by match, valid_from;

-- Two rates that one usage could meet, and neither more specific: refused, with both rows named.
savepoint refused;
select credits_private.begin_catalog('bakery', 'Bakery', 'the board above the counter');
insert into catalog_units (unit, name, scale, main) values ('crumb', 'crumbs', 1, true);
insert into catalog_operations (operation, category, name) values ('bread', 'Oven', 'Bread');
insert into catalog_rates (operation, match, unit, price) values
  ('bread', '{"flour": "rye"}', 'crumb', 3),
  ('bread', '{"seeds": true}', 'crumb', 4);
select * from credits_private.apply_catalog();
rollback to refused;

rollback;
