-- Loading a catalog: a catalog file calls begin_catalog, fills the temporary tables that it makes, and calls
-- apply_catalog, all in one transaction. sql/README.md describes the format; sql/catalogs holds four of them.
--
-- apply_catalog compares what was staged with what is there, and changes only the difference: a rate that changed ends
-- now and its successor starts now; a plan, pack, operation or promotion that is gone is retired, not deleted.

create or replace function credits_private.begin_catalog(rate_card text, name text, source text default null)
returns void
language plpgsql volatile
set client_min_messages = warning
as $$
declare
  target text;
begin
  -- Loading one catalog after another in a transaction starts afresh each time.
  foreach target in array array[
    'units', 'operations', 'rates', 'multipliers', 'gates', 'plans', 'plan_prices', 'allowances', 'features', 'packs',
    'pack_prices', 'top_up_prices', 'promotions', 'cards']
  loop
    execute format('drop table if exists pg_temp.%I', 'catalog_' || target);
  end loop;

  create temp table catalog_cards (like credits.rate_cards including constraints) on commit drop;
  insert into pg_temp.catalog_cards values (begin_catalog.rate_card, begin_catalog.name, begin_catalog.source);

  create temp table catalog_units (like credits.units including defaults including constraints) on commit drop;
  create temp table catalog_operations (like credits.operations including constraints) on commit drop;
  create temp table catalog_rates (like credits.card_rates including defaults including constraints) on commit drop;
  create temp table catalog_multipliers (like credits.card_multipliers including constraints) on commit drop;
  create temp table catalog_gates (like credits.gates including defaults including constraints) on commit drop;
  create temp table catalog_plans (like credits.plans including defaults including constraints) on commit drop;
  create temp table catalog_plan_prices (like credits.plan_prices including defaults including constraints) on commit drop;
  create temp table catalog_allowances (like credits.plan_allowances including defaults including constraints) on commit drop;
  create temp table catalog_features (like credits.plan_features including constraints) on commit drop;
  create temp table catalog_packs (like credits.packs including defaults including constraints) on commit drop;
  create temp table catalog_pack_prices (like credits.pack_prices including constraints) on commit drop;
  create temp table catalog_top_up_prices (like credits.top_up_prices including constraints) on commit drop;
  create temp table catalog_promotions (like credits.promotions including defaults including constraints) on commit drop;

  -- A catalog says neither which card its rows belong to, nor ids, nor what is retired.
  foreach target in array array[
    'units', 'operations', 'rates', 'multipliers', 'gates', 'plans', 'allowances', 'packs', 'pack_prices',
    'top_up_prices', 'promotions']
  loop
    execute format('alter table pg_temp.%I alter rate_card set default %L', 'catalog_' || target, begin_catalog.rate_card);
  end loop;
  foreach target in array array['operations', 'plans', 'packs', 'promotions'] loop
    execute format('alter table pg_temp.%I drop retired_at', 'catalog_' || target);
  end loop;
  alter table pg_temp.catalog_rates drop rate_id, drop specificity;
  alter table pg_temp.catalog_multipliers drop multiplier_id, drop specificity;
  alter table pg_temp.catalog_gates drop gate_id;

  -- A rate without dates holds from the load that brings it, until a load that no longer has it.
  alter table pg_temp.catalog_rates alter valid_from drop not null, alter valid_from drop default;
  alter table pg_temp.catalog_multipliers
    alter valid_from drop not null, alter valid_until set default 'infinity';
end
$$;
comment on function credits_private.begin_catalog(text, text, text) is
  'Starts a catalog: makes the temporary tables catalog_units, catalog_rates and so on for the file to fill.';

-- Everything that is staged, row by row, for the checks that are the same for every table.
create or replace function credits_private.staged_rows()
returns table (what text, the_row jsonb)
language plpgsql volatile
as $$
begin
  return query
    select 'units', to_jsonb(t) from pg_temp.catalog_units t
    union all select 'operations', to_jsonb(t) from pg_temp.catalog_operations t
    union all select 'rates', to_jsonb(t) from pg_temp.catalog_rates t
    union all select 'multipliers', to_jsonb(t) from pg_temp.catalog_multipliers t
    union all select 'gates', to_jsonb(t) from pg_temp.catalog_gates t
    union all select 'plans', to_jsonb(t) from pg_temp.catalog_plans t
    union all select 'plan_prices', to_jsonb(t) from pg_temp.catalog_plan_prices t
    union all select 'allowances', to_jsonb(t) from pg_temp.catalog_allowances t
    union all select 'features', to_jsonb(t) from pg_temp.catalog_features t
    union all select 'packs', to_jsonb(t) from pg_temp.catalog_packs t
    union all select 'pack_prices', to_jsonb(t) from pg_temp.catalog_pack_prices t
    union all select 'top_up_prices', to_jsonb(t) from pg_temp.catalog_top_up_prices t
    union all select 'promotions', to_jsonb(t) from pg_temp.catalog_promotions t;
end
$$;

-- What is wrong with the staged catalog, the first thing found. Names the rows. PC422.
create or replace function credits_private.check_catalog()
returns void
language plpgsql volatile
as $$
declare
  wrong record;
begin
  if (select count(*) from pg_temp.catalog_units where main) <> 1 then
    perform credits_private.fail_invalid('units', 'one_main_unit', 'Mark one unit of the card as main.');
  end if;

  for wrong in
    select s.what, (jsonb_agg(s.the_row) -> 0) as first_row, (jsonb_agg(s.the_row) -> 1) as second_row
    from credits_private.staged_rows() s
    join (values ('units', array['unit']), ('operations', array['operation']), ('plans', array['plan']),
      ('plan_prices', array['plan', 'billing_interval', 'currency']), ('allowances', array['plan', 'unit']),
      ('features', array['plan', 'feature']), ('packs', array['pack']), ('pack_prices', array['pack', 'currency']),
      ('top_up_prices', array['currency']), ('promotions', array['promotion']),
      ('gates', array['operation', 'match', 'requires', 'plans'])) k(what, columns) on k.what = s.what
    group by s.what, (select jsonb_agg(s.the_row -> c) from unnest(k.columns) c)
    having count(*) > 1
  loop
    perform credits_private.fail_invalid(wrong.what, 'listed_twice', 'Drop one of the two rows.',
      jsonb_build_object('first', wrong.first_row, 'second', wrong.second_row));
  end loop;

  -- What a row points at is in the same catalog.
  for wrong in
    select s.what, s.the_row, r.target, s.the_row -> r.target as value
    from credits_private.staged_rows() s
    join (values ('rates', 'operation'), ('multipliers', 'operation'), ('gates', 'operation'), ('rates', 'unit'),
      ('allowances', 'unit'), ('packs', 'unit'), ('promotions', 'unit'), ('plan_prices', 'plan'), ('allowances', 'plan'),
      ('features', 'plan'), ('pack_prices', 'pack')) r(what, target) on r.what = s.what
    where not exists (
      select from credits_private.staged_rows() t
      where t.what = r.target || 's' and t.the_row -> r.target = s.the_row -> r.target)
    limit 1
  loop
    perform credits_private.fail_invalid(wrong.what, 'unknown_' || wrong.target,
      format('Name only %ss of this catalog.', wrong.target),
      jsonb_build_object(wrong.target, wrong.value, 'row', wrong.the_row));
  end loop;

  -- A plan that is retired still has subscribers: it may be named where a rule is about plans.
  for wrong in
    select n.what, n.the_row, n.plan
    from (
      select s.what, s.the_row, jsonb_array_elements_text(nullif(s.the_row -> 'plans', 'null')) as plan
      from credits_private.staged_rows() s where s.what in ('gates', 'packs')
      union all
      select s.what, s.the_row, s.the_row -> 'match' ->> 'plan'
      from credits_private.staged_rows() s where s.the_row -> 'match' ? 'plan'
    ) n
    where not exists (select from pg_temp.catalog_plans p where p.plan = n.plan)
      and not exists (
        select from credits.plans p join pg_temp.catalog_cards c on c.rate_card = p.rate_card where p.plan = n.plan)
  loop
    perform credits_private.fail_invalid(wrong.what, 'unknown_plan', 'Name only plans of this catalog.',
      jsonb_build_object('plan', wrong.plan, 'row', wrong.the_row));
  end loop;

  for wrong in
    select to_jsonb(m) as the_row, m.component from pg_temp.catalog_multipliers m
    where m.component is not null
      and not exists (select from pg_temp.catalog_rates r where r.operation = m.operation and r.component = m.component)
  loop
    perform credits_private.fail_invalid('multipliers', 'unknown_component',
      'Name a component that the operation''s rates have, or null for all.',
      jsonb_build_object('component', wrong.component, 'row', wrong.the_row));
  end loop;

  for wrong in
    select s.the_row
    from credits_private.staged_rows() s
    where s.what in ('rates', 'multipliers', 'gates')
      and (s.the_row ->> 'measure' = 'count' or exists (
        select from jsonb_each(s.the_row -> 'match') m
        where jsonb_typeof(m.value) in ('object', 'array', 'null') or m.key = 'count'
          or (m.key = 'top_ups' and jsonb_typeof(m.value) <> 'boolean')))
  loop
    perform credits_private.fail_invalid('match', 'match_not_plain',
      'Match on texts, numbers and booleans (top_ups: true or false). "count" multiplies the item and is no attribute.',
      jsonb_build_object('row', wrong.the_row));
  end loop;

  for wrong in
    select to_jsonb(r) as the_row from pg_temp.catalog_rates r
    where r.tiers is not null and not credits_private.tiers_are_sound(r.tiers)
  loop
    perform credits_private.fail_invalid('tiers', 'tiers_not_sound',
      'Tiers are a list of {"up_to": ..., "price": ...} with rising up_to; the last one has no up_to.',
      jsonb_build_object('row', wrong.the_row));
  end loop;

  for wrong in
    select o.operation from pg_temp.catalog_operations o
    where not exists (select from pg_temp.catalog_rates r where r.operation = o.operation)
  loop
    perform credits_private.fail_invalid('operations', 'operation_without_rate',
      'Give every operation a rate, at price 0 if it is free.', jsonb_build_object('operation', wrong.operation));
  end loop;

  for wrong in
    select r.operation, r.component from pg_temp.catalog_rates r
    group by r.operation, r.component having count(distinct r.optional) > 1
  loop
    perform credits_private.fail_invalid('rates', 'component_partly_optional',
      'Mark all rates of a component as optional, or none.',
      jsonb_build_object('operation', wrong.operation, 'component', wrong.component));
  end loop;

  -- Two that can match the same usage agree on the attributes that they share. The same match twice is the plainest case.
  for wrong in
    with rule as (
      select row_number() over () as n, 'rates' as what, r.operation || ' / ' || r.component as place, r.match,
        tstzrange(r.valid_from, r.valid_until) as validity, to_jsonb(r) as the_row
      from pg_temp.catalog_rates r
      union all
      select row_number() over (), 'multipliers',
        m.operation || ' / ' || m.multiplier_group || coalesce(' / ' || m.component, ''), m.match,
        tstzrange(m.valid_from, m.valid_until), to_jsonb(m)
      from pg_temp.catalog_multipliers m
    )
    select a.what, a.the_row as first_row, b.the_row as second_row
    from rule a
    join rule b on b.what = a.what and b.place = a.place and b.n > a.n and b.validity && a.validity
    where credits_private.specificity(a.match) = credits_private.specificity(b.match)
      and a.match || b.match = b.match || a.match
    limit 1
  loop
    perform credits_private.fail_invalid(wrong.what, 'ambiguous',
      'Both rows can match the same usage and have equally many attributes: add an attribute to one, or drop one.',
      jsonb_build_object('first', wrong.first_row, 'second', wrong.second_row));
  end loop;

  for wrong in
    select p.plan, p.rate_card from pg_temp.catalog_plans c
    join credits.plans p on p.plan = c.plan and p.rate_card <> c.rate_card
  loop
    perform credits_private.fail_invalid('plans', 'plan_of_another_card', 'Plan names are unique over all cards.',
      jsonb_build_object('plan', wrong.plan, 'rate_card', wrong.rate_card));
  end loop;

  -- An account counts its periods from its anchor: another cadence would move the period that it is in.
  for wrong in
    select to_jsonb(c) as the_row, p.cadence, p.anchored_to, p.time_zone
    from pg_temp.catalog_plans c
    join credits.plans p on p.plan = c.plan
    where (p.cadence, p.anchored_to, p.time_zone) <> (c.cadence, c.anchored_to, c.time_zone)
      and (exists (select from credits.accounts a where a.plan = p.plan)
        or exists (select from credits.interrupted_periods i where i.plan = p.plan and i.period_end > credits_private.now()))
  loop
    perform credits_private.fail_invalid('plans', 'plan_has_subscribers',
      'Cadence, anchored_to and time_zone of a plan with subscribers stay: make another plan.',
      jsonb_build_object('row', wrong.the_row, 'cadence', wrong.cadence, 'anchored_to', wrong.anchored_to,
        'time_zone', wrong.time_zone));
  end loop;

  for wrong in select to_jsonb(p) as the_row, p.time_zone from pg_temp.catalog_plans p loop
    begin
      perform timestamptz 'epoch' at time zone wrong.time_zone;
    exception when invalid_parameter_value then
      perform credits_private.fail_invalid('plans', 'unknown_time_zone', 'Use a name of pg_timezone_names.',
        jsonb_build_object('time_zone', wrong.time_zone, 'row', wrong.the_row));
    end;
  end loop;

  -- What becomes a lot is in whole steps of its unit, as the amount of a grant is.
  for wrong in
    select gift.what, gift.the_row, u.scale
    from (
      select 'allowances' as what, a.unit, a.amount::numeric as amount, to_jsonb(a) as the_row
      from pg_temp.catalog_allowances a
      union all
      select 'packs', p.unit, p.amount, to_jsonb(p) from pg_temp.catalog_packs p
      union all
      select 'promotions', p.unit, p.amount, to_jsonb(p) from pg_temp.catalog_promotions p
    ) gift
    join pg_temp.catalog_units u on u.unit = gift.unit
    where gift.amount <> round(gift.amount, u.scale)
  loop
    perform credits_private.fail_invalid(wrong.what, 'too_fine', format('Give at most %s decimal places.', wrong.scale),
      jsonb_build_object('row', wrong.the_row));
  end loop;

  for wrong in
    select u.unit, u.scale from pg_temp.catalog_units c
    join credits.units u on u.rate_card = c.rate_card and u.unit = c.unit and u.scale > c.scale
  loop
    perform credits_private.fail_invalid('units', 'scale_reduced', 'Balances may have amounts of the finer scale.',
      jsonb_build_object('unit', wrong.unit, 'scale', wrong.scale));
  end loop;
end
$$;

-- Brings a table with a natural key to what was staged. What is no longer staged is retired or deleted, or stays.
create or replace function credits_private.merge_catalog_table(
  staged text, target text, keys text[], scope text, when_missing text, at timestamptz)
returns table (change text, what text, key text)
language plpgsql volatile
as $$
declare
  columns text;
  others text;
  key_list text := array_to_string(keys, ', ');
  key_text text := format('concat_ws('' / '', %s)', (select string_agg('t.' || k, ', ') from unnest(keys) k));
  revived text := case when_missing when 'retire' then ' or t.retired_at is not null' else '' end;
  rate_card text := (select c.rate_card from pg_temp.catalog_cards c);
begin
  select string_agg(quote_ident(a.attname), ', ' order by a.attnum),
    string_agg(quote_ident(a.attname), ', ' order by a.attnum) filter (where a.attname <> all (keys))
  into columns, others
  from pg_attribute a
  where a.attrelid = ('pg_temp.' || staged)::regclass and a.attnum > 0 and not a.attisdropped;

  if when_missing = 'retire' then
    return query execute format(
      'update credits.%1$I t set retired_at = $1
       where %2$s and t.retired_at is null
         and not exists (select from pg_temp.%3$I s where (%4$s) = (%5$s))
       returning ''retired'', %6$L, %7$s',
      target, scope, staged,
      (select string_agg('s.' || k, ', ') from unnest(keys) k), (select string_agg('t.' || k, ', ') from unnest(keys) k),
      target, key_text) using at, rate_card;
  elsif when_missing = 'delete' then
    return query execute format(
      'delete from credits.%1$I t
       where %2$s and not exists (select from pg_temp.%3$I s where (%4$s) = (%5$s))
       returning ''removed'', %6$L, %7$s',
      target, scope, staged,
      (select string_agg('s.' || k, ', ') from unnest(keys) k), (select string_agg('t.' || k, ', ') from unnest(keys) k),
      target, key_text) using at, rate_card;
  end if;

  return query execute format(
    'insert into credits.%1$I as t (%2$s) select %2$s from pg_temp.%3$I
     on conflict (%4$s) do update set (%5$s%9$s) = row (%6$s%10$s)
     where (%7$s) is distinct from (%6$s)%8$s
     returning case when xmax = 0 then ''added'' else ''changed'' end, %11$L, %12$s',
    target, columns, staged, key_list, others,
    (select string_agg('excluded.' || o, ', ') from unnest(string_to_array(others, ', ')) o),
    (select string_agg('t.' || o, ', ') from unnest(string_to_array(others, ', ')) o),
    revived,
    case when_missing when 'retire' then ', retired_at' else '' end,
    case when_missing when 'retire' then ', null' else '' end,
    target, key_text);
end
$$;

create or replace function credits_private.apply_catalog()
returns table (change text, what text, key text)
language plpgsql volatile
as $$
#variable_conflict use_column
declare
  card text := (select c.rate_card from pg_temp.catalog_cards c);
  at timestamptz;
  -- The first rates of a card have always held; later ones hold from now.
  since timestamptz;
  changed_plans text[];
  accounts credits.accounts[];
begin
  -- One load at a time, and the time is read after the lock: a load never begins its rates before the one that it follows.
  perform pg_advisory_xact_lock(hashtextextended('credits.catalog', 0));
  at := credits_private.now();
  perform credits_private.check_catalog();
  since := case when exists (select from credits.card_rates r where r.rate_card = card) then at else '-infinity' end;

  return query select * from credits_private.merge_catalog_table(
    'catalog_cards', 'rate_cards', array['rate_card'], 'true', 'keep', at);
  -- The old main unit first, or two would be main for a moment.
  update credits.units u set main = false
  where u.rate_card = card and u.main
    and not exists (select from pg_temp.catalog_units s where s.unit = u.unit and s.main);
  return query select * from credits_private.merge_catalog_table(
    'catalog_units', 'units', array['rate_card', 'unit'], 't.rate_card = $2', 'keep', at);
  return query select * from credits_private.merge_catalog_table(
    'catalog_operations', 'operations', array['rate_card', 'operation'], 't.rate_card = $2', 'retire', at);

  -- Rates and multipliers keep their history: what is not staged as it stands ends now.
  return query
    with documented as (
      update credits.card_rates r set source = s.source
      from pg_temp.catalog_rates s
      where r.rate_card = card and r.valid_until > at and r.source is distinct from s.source
        and credits_private.same_rule(to_jsonb(s), to_jsonb(r), at)
      returning r.operation, r.component, r.match
    )
    select 'changed', 'card_rates', concat_ws(' / ', d.operation, d.component, d.match::text) from documented d;
  return query
    with ended as (
      update credits.card_rates r set valid_until = greatest(at, r.valid_from)
      where r.rate_card = card and r.valid_until > at
        and not exists (select from pg_temp.catalog_rates s where credits_private.same_rule(to_jsonb(s), to_jsonb(r), at))
      returning r.operation, r.component, r.match
    )
    select 'ended', 'card_rates', concat_ws(' / ', e.operation, e.component, e.match::text) from ended e;
  return query
    with added as (
      insert into credits.card_rates (
        rate_card, operation, component, match, unit, price, measure, per, quantity_rounding, minimum_quantity, tiers,
        minimum_charge, maximum_charge, optional, source, valid_from, valid_until)
      select s.rate_card, s.operation, s.component, s.match, s.unit, s.price, s.measure, s.per, s.quantity_rounding,
        s.minimum_quantity, s.tiers, s.minimum_charge, s.maximum_charge, s.optional, s.source,
        greatest(s.valid_from, since), s.valid_until
      from pg_temp.catalog_rates s
      where s.valid_until > since and not exists (
        select from credits.card_rates r where r.rate_card = card and credits_private.same_rule(to_jsonb(s), to_jsonb(r), at))
      returning operation, component, match
    )
    select 'added', 'card_rates', concat_ws(' / ', a.operation, a.component, a.match::text) from added a;
  return query
    with documented as (
      update credits.card_multipliers m set source = s.source
      from pg_temp.catalog_multipliers s
      where m.rate_card = card and m.valid_until > at and m.source is distinct from s.source
        and credits_private.same_rule(to_jsonb(s), to_jsonb(m), at)
      returning m.operation, m.multiplier_group, m.match
    )
    select 'changed', 'card_multipliers', concat_ws(' / ', d.operation, d.multiplier_group, d.match::text) from documented d;
  return query
    with ended as (
      update credits.card_multipliers m set valid_until = greatest(at, m.valid_from)
      where m.rate_card = card and m.valid_until > at
        and not exists (select from pg_temp.catalog_multipliers s where credits_private.same_rule(to_jsonb(s), to_jsonb(m), at))
      returning m.operation, m.multiplier_group, m.match
    )
    select 'ended', 'card_multipliers', concat_ws(' / ', e.operation, e.multiplier_group, e.match::text) from ended e;
  return query
    with added as (
      insert into credits.card_multipliers (
        rate_card, operation, multiplier_group, component, match, factor, source, valid_from, valid_until)
      select s.rate_card, s.operation, s.multiplier_group, s.component, s.match, s.factor, s.source,
        greatest(s.valid_from, since), s.valid_until
      from pg_temp.catalog_multipliers s
      where s.valid_until > since and not exists (
        select from credits.card_multipliers m
        where m.rate_card = card and credits_private.same_rule(to_jsonb(s), to_jsonb(m), at))
      returning operation, multiplier_group, match
    )
    select 'added', 'card_multipliers', concat_ws(' / ', a.operation, a.multiplier_group, a.match::text) from added a;

  return query select * from credits_private.merge_catalog_table(
    'catalog_plans', 'plans', array['plan'], 't.rate_card = $2', 'retire', at);
  return query select * from credits_private.merge_catalog_table(
    'catalog_plan_prices', 'plan_prices', array['plan', 'billing_interval', 'currency'],
    't.plan in (select plan from pg_temp.catalog_plans)', 'delete', at);
  -- Refills that are due already are at the old allowances, also those of a plan that begins with them. All accounts are
  -- locked before the first is settled: what a statement that locks reads besides is older than its locks.
  changed_plans := array(
    select c.plan
    from (
      (select p.plan, to_jsonb(p) - 'source' from credits.plan_allowances p where p.plan in (select plan from pg_temp.catalog_plans)
        except select s.plan, to_jsonb(s) - 'source' from pg_temp.catalog_allowances s)
      union all
      (select s.plan, to_jsonb(s) - 'source' from pg_temp.catalog_allowances s
        except select p.plan, to_jsonb(p) - 'source' from credits.plan_allowances p)
    ) c(plan));
  accounts := array(
    select a from credits.accounts a
    where a.rate_card = card and a.next_due_at <= at
      and (a.plan = any (changed_plans) or a.pending_plan = any (changed_plans))
    order by a.account_id
    for no key update);
  perform credits_private.settle_all(accounts, at);
  return query select * from credits_private.merge_catalog_table(
    'catalog_allowances', 'plan_allowances', array['plan', 'unit'],
    't.plan in (select plan from pg_temp.catalog_plans)', 'delete', at);
  return query select * from credits_private.merge_catalog_table(
    'catalog_features', 'plan_features', array['plan', 'feature'],
    't.plan in (select plan from pg_temp.catalog_plans)', 'delete', at);
  return query select * from credits_private.merge_catalog_table(
    'catalog_packs', 'packs', array['rate_card', 'pack'], 't.rate_card = $2', 'retire', at);
  return query select * from credits_private.merge_catalog_table(
    'catalog_pack_prices', 'pack_prices', array['rate_card', 'pack', 'currency'], 't.rate_card = $2', 'delete', at);
  return query select * from credits_private.merge_catalog_table(
    'catalog_top_up_prices', 'top_up_prices', array['rate_card', 'currency'], 't.rate_card = $2', 'delete', at);
  return query select * from credits_private.merge_catalog_table(
    'catalog_promotions', 'promotions', array['rate_card', 'promotion'], 't.rate_card = $2', 'retire', at);

  -- Gates have no key of their own: what differs in anything but its source is another gate.
  return query
    with removed as (
      delete from credits.gates g
      where g.rate_card = card and not exists (
        select from pg_temp.catalog_gates s
        where (s.operation, s.match, s.requires) = (g.operation, g.match, g.requires) and s.plans is not distinct from g.plans)
      returning g.operation, g.match, g.requires
    )
    select 'removed', 'gates', concat_ws(' / ', r.operation, r.match::text, r.requires) from removed r;
  return query
    with added as (
      insert into credits.gates (rate_card, operation, match, requires, plans, source)
      select s.rate_card, s.operation, s.match, s.requires, s.plans, s.source from pg_temp.catalog_gates s
      on conflict (rate_card, operation, match, requires, plans)
        do update set source = excluded.source where credits.gates.source is distinct from excluded.source
      returning operation, match, requires, case when xmax = 0 then 'added' else 'changed' end as change
    )
    select a.change, 'gates', concat_ws(' / ', a.operation, a.match::text, a.requires) from added a;

  perform credits_private.list_prices(card, at);
end
$$;
comment on function credits_private.apply_catalog() is
  'Brings the card to what was staged since begin_catalog. Returns a row a change; none when all was there already.';

-- Whether a staged rate or multiplier is the one that is there: same figures, same end, and either both apply already or
-- both begin at the same time. When one that applies began is history, and no load changes that.
create or replace function credits_private.same_rule(staged jsonb, present jsonb, at timestamptz)
returns boolean
language sql stable
return staged - array['source', 'valid_from'] = present - array['source', 'valid_from', 'rate_id', 'multiplier_id', 'specificity']
  and greatest((staged ->> 'valid_from')::timestamptz, at) = greatest((present ->> 'valid_from')::timestamptz, at);
