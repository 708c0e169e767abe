-- Rating: what a job costs, in each unit, and why.
--
--   usage ──> quantity, at least the minimum, in blocks ──> price or tiers ──> multipliers ──> minimum and maximum charge
--         ──> sum over components ──> times count ──> sum over items ──> rounded once
--
-- Sums are kept as a fraction (numerator over denominator) until the one rounding at the end: a third of a credit,
-- three times, is one credit and not a hair more, which matters where every charge is rounded up.

-- How specific a match is: the number of its attributes.
create or replace function credits_private.specificity(match jsonb)
returns int
language sql immutable
return (select count(*) from jsonb_object_keys(match));

create or replace function credits_private.tiers_are_sound(tiers jsonb)
returns boolean
language plpgsql immutable
as $$
declare
  tier jsonb;
  number bigint;
  reached numeric := 0;
begin
  if jsonb_typeof(tiers) <> 'array' or jsonb_array_length(tiers) = 0 then
    return false;
  end if;
  for tier, number in select t.value, t.ordinality from jsonb_array_elements(tiers) with ordinality t loop
    if jsonb_typeof(tier) <> 'object' or jsonb_typeof(tier -> 'price') is distinct from 'number'
      or not (tier ->> 'price')::numeric between 0 and 1e12
      or (tier ? 'up_to') = (number = jsonb_array_length(tiers)) then
      return false;
    end if;
    if tier ? 'up_to' then
      if jsonb_typeof(tier -> 'up_to') <> 'number' or (tier ->> 'up_to')::numeric <= reached
        or (tier ->> 'up_to')::numeric > 1e12 then
        return false;
      end if;
      reached := (tier ->> 'up_to')::numeric;
    end if;
  end loop;
  return true;
end
$$;

-- A number of the usage. PC422 if it is missing, not a number, or not within the bounds.
create or replace function credits_private.usage_number(
  operation text, usage jsonb, field text, at_least numeric, at_most numeric, whole boolean)
returns numeric
language plpgsql immutable
as $$
declare
  given jsonb := usage -> field;
  reason text;
begin
  if given is null or given = 'null' then
    reason := 'missing';
  elsif jsonb_typeof(given) <> 'number' then
    reason := 'not_a_number';
  elsif (given #>> '{}')::numeric < at_least then
    reason := 'too_small';
  elsif (given #>> '{}')::numeric > at_most then
    reason := 'too_large';
  elsif whole and (given #>> '{}')::numeric <> trunc((given #>> '{}')::numeric) then
    reason := 'not_whole';
  else
    return (given #>> '{}')::numeric;
  end if;
  perform credits_private.fail_invalid(field, reason,
    format('Give "%s" in usage: a %s from %s to %s.', field, case when whole then 'whole number' else 'number' end,
      at_least, at_most),
    jsonb_build_object('operation', operation, 'value', given));
end
$$;

-- The usage as it is matched: the caller's, with the attributes that only the server knows.
create or replace function credits_private.trusted_usage(usage jsonb, plan text, top_ups boolean)
returns jsonb
language sql stable
return case when jsonb_typeof(usage) = 'object' then usage else '{}' end || jsonb_build_object('plan', plan, 'top_ups', top_ups);

-- Refuses a text value that no rate or multiplier of the operation knows, in an attribute that they match on: "8K" is
-- a mistake, not the default resolution. PC422.
create or replace function credits_private.check_known_values(rate_card text, operation text, usage jsonb, at timestamptz)
returns void
language plpgsql stable
as $$
declare
  unknown record;
begin
  select given.key, given.value, known.values into unknown
  from jsonb_each(usage) given
  cross join lateral (
    select jsonb_agg(distinct m.match -> given.key) as values
    from (
      select r.match from credits.card_rates r
      where r.rate_card = check_known_values.rate_card and r.operation = check_known_values.operation
        and r.valid_from <= at and r.valid_until > at
      union all
      select m.match from credits.card_multipliers m
      where m.rate_card = check_known_values.rate_card and m.operation = check_known_values.operation
        and m.valid_from <= at and m.valid_until > at
    ) m
    where m.match ? given.key
  ) known
  where jsonb_typeof(given.value) = 'string' and given.key not in ('plan', 'top_ups')
    and known.values is not null and not known.values @> jsonb_build_array(given.value)
  order by given.key
  limit 1;
  if found then
    perform credits_private.fail_invalid(unknown.key, 'unknown_value', 'Use one of the known values.',
      jsonb_build_object('operation', operation, 'value', unknown.value, 'known', unknown.values));
  end if;
end
$$;

-- The quantity that a rate charges for: the usage's measure, at least the minimum, in whole blocks if it is rounded up. PC422.
create or replace function credits_private.charged_quantity(
  item credits.item, measure text, minimum_quantity numeric, per numeric, quantity_rounding text)
returns numeric
language plpgsql immutable
as $$
declare
  quantity numeric := greatest(credits_private.usage_number(item.operation, item.usage, measure, 0, 1e12, false), minimum_quantity);
begin
  if quantity_rounding = 'up' then
    quantity := (div(quantity, per) + case when mod(quantity, per) > 0 then 1 else 0 end) * per;
  end if;
  return trim_scale(quantity);
end
$$;

-- What a quantity comes to in graduated tiers (to be divided by "per"), and how much fell into each.
create or replace function credits_private.price_in_tiers(tiers jsonb, quantity numeric, out charge numeric, out lines jsonb)
language sql immutable
as $$
  select coalesce(sum(t.quantity * t.price), 0),
    coalesce(jsonb_agg(jsonb_build_object('quantity', t.quantity, 'price', t.price) order by t.ordinality), '[]')
  from (
    select least(quantity, t.up_to) - t.reached as quantity, t.price, t.ordinality
    from (
      select (t.value ->> 'up_to')::numeric as up_to, (t.value ->> 'price')::numeric as price, t.ordinality,
        coalesce(lag((t.value ->> 'up_to')::numeric) over (order by t.ordinality), 0) as reached
      from jsonb_array_elements(tiers) with ordinality t
    ) t
    where quantity > t.reached
  ) t
$$;

-- A fraction rounded to a unit's scale. Exact: it never divides before it knows the remainder.
create or replace function credits_private.round_fraction(
  numerator numeric, denominator numeric, scale int, rounding text)
returns numeric
language plpgsql immutable
as $$
declare
  shifted numeric := numerator * 10::numeric ^ scale;
  whole numeric := div(shifted, denominator);
  remainder numeric := shifted - whole * denominator;
begin
  if (rounding = 'up' and remainder > 0) or (rounding = 'half_up' and 2 * remainder >= denominator) then
    whole := whole + 1;
  end if;
  return round(whole / 10::numeric ^ scale, scale);
end
$$;

-- Whether a usage has more text values than the rules that it met know, its trusted attributes aside.
create or replace function credits_private.has_more_text(usage jsonb, known jsonb)
returns boolean
language plpgsql immutable
as $$
declare
  text_values jsonpath := '$.* ? (@.type() == "string")';
begin
  return jsonb_array_length(jsonb_path_query_array(usage - '{plan,top_ups}'::text[], text_values))
    > jsonb_array_length(jsonb_path_query_array(known - '{plan,top_ups}'::text[], text_values));
end
$$;

-- The price of a job: one a unit, main unit first. at: the instant whose rates apply.
-- PC404 unknown operation; PC422 bad usage, or no rate for it.
--
-- Every spend and every keystroke of a calculator comes through here. So it reads one row for each item, its price list, and leaves
-- to other functions what few jobs need: to name an operator costs more than to apply it.
create or replace function credits_private.rate_items(
  rate_card text, plan text, top_ups boolean, items credits.item[], at timestamptz)
returns credits_private.price[]
language plpgsql stable
as $$
declare
  item credits.item;
  charges credits_private.charge[];
  charge credits_private.charge;
  amount numeric;
  prices credits_private.price[];
begin
  if cardinality(items) between 1 and 1000 is not true then
    perform credits_private.fail_invalid('items', case when cardinality(items) > 1000 then 'too_many' else 'missing' end,
      'Give 1 to 1000 items; "count" multiplies one.');
  end if;
  foreach item in array items loop
    if jsonb_typeof(item.usage) is distinct from 'object' then
      item.usage := credits_private.no_usage(item);
    end if;
    charges := charges || credits_private.rate_item(rate_card, plan, top_ups, item, at);
  end loop;

  if cardinality(charges) is distinct from 1 then
    charges := credits_private.summed(rate_card, charges);
  end if;
  foreach charge in array charges loop
    amount := case when charge.denominator = 1 and charge.rounding = 'half_up' then round(charge.numerator, charge.scale)
      else credits_private.round_fraction(charge.numerator, charge.denominator, charge.scale, charge.rounding) end;
    if amount <> charge.shown then
      -- A breakdown adds up: where rounding changed the sum, the last line says by how much.
      charge.lines := charge.lines || jsonb_build_object('component', 'rounding', 'amount', trim_scale(amount - charge.shown));
    end if;
    prices := prices || (charge.unit, amount, charge.lines)::credits_private.price;
  end loop;
  return prices;
end
$$;

-- The rates and multipliers of an operation in the order in which rate_item() asks them, but for those that had ended by "at".
create or replace function credits_private.price_list(rate_card text, operation text, at timestamptz)
returns credits_private.price_lists
language sql stable
as $$
  select price_list.rate_card, price_list.operation, r.since, r.component_count, coalesce(r.rates, '{}'), coalesce(m.multipliers, '{}')
  from (
    select greatest(
        max(r.valid_until) filter (where r.valid_until <= at),
        (select max(m.valid_until) from credits.card_multipliers m
          where m.rate_card = price_list.rate_card and m.operation = price_list.operation and m.valid_until <= at),
        '-infinity') as since,
      count(distinct r.component) filter (where r.valid_until > at) as component_count,
      array_agg((
          r.component, r.match, r.unit, u.scale, u.rounding, r.price, r.tiers, r.measure, r.per, r.quantity_rounding, r.minimum_quantity,
          r.minimum_charge, r.maximum_charge, num_nonnulls(r.tiers, r.minimum_charge, r.maximum_charge) > 0, r.valid_from, r.valid_until,
          jsonb_build_object('operation', r.operation, 'component', r.component,
            'rate_id', r.rate_id, 'measure', r.measure, 'per', r.per, 'price', r.price)
        )::credits_private.listed_rate order by r.component, r.specificity desc, r.rate_id) filter (where r.valid_until > at) as rates
    from credits.card_rates r
    join credits.units u on u.rate_card = r.rate_card and u.unit = r.unit
    where r.rate_card = price_list.rate_card and r.operation = price_list.operation
  ) r
  cross join (
    select array_agg((m.multiplier_group, m.component, m.match, m.factor, m.valid_from, m.valid_until)::credits_private.listed_multiplier
      order by m.multiplier_group, m.component is null, m.specificity desc, m.multiplier_id) as multipliers
    from credits.card_multipliers m
    where m.rate_card = price_list.rate_card and m.operation = price_list.operation and m.valid_until > at
  ) m
$$;

-- Brings a card's price lists up to date. at: what has ended by then is left out.
create or replace function credits_private.list_prices(card text, at timestamptz)
returns void
language sql volatile
begin atomic
  insert into credits_private.price_lists as l
  select p.* from credits.operations o cross join lateral credits_private.price_list(o.rate_card, o.operation, at) p
  where o.rate_card = card
  on conflict (rate_card, operation) do update
  set since = excluded.since, component_count = excluded.component_count, rates = excluded.rates, multipliers = excluded.multipliers
  where (l.since, l.rates, l.multipliers) is distinct from (excluded.since, excluded.rates, excluded.multipliers);
end;

-- Lists that an earlier version of this file made are made anew.
do $$
begin
  perform credits_private.list_prices(c.rate_card, credits_private.now()) from credits.rate_cards c;
end
$$;

-- What an item comes to: a charge for each component, not rounded yet. PC404, PC422.
create or replace function credits_private.rate_item(
  rate_card text, plan text, top_ups boolean, item credits.item, at timestamptz)
returns credits_private.charge[]
language plpgsql stable
as $$
declare
  list credits_private.price_lists;
  facts jsonb := credits_private.trusted_usage(item.usage, plan, top_ups);
  rate credits_private.listed_rate;
  multiplier credits_private.listed_multiplier;
  last_group text;
  factor numeric := 1;
  known jsonb := '{}';
  item_count numeric;
  quantity numeric;
  charge numeric;
  shown numeric;
  component text;
  charges credits_private.charge[];
begin
  select l.* into list from credits_private.price_lists l where l.rate_card = rate_item.rate_card and l.operation = item.operation;
  if at >= list.since is not true then
    list := credits_private.price_list(rate_card, item.operation, at);
  end if;

  foreach rate in array list.rates loop
    -- Of each component the most specific rate.
    continue when rate.component = component or at < rate.valid_from or at >= rate.valid_until or not facts @> rate.match;
    known := known || rate.match;

    -- In each group the most specific multiplier, one for this component before one for all; the groups multiply.
    foreach multiplier in array list.multipliers loop
      continue when multiplier.multiplier_group = last_group or multiplier.component <> rate.component
        or at < multiplier.valid_from or at >= multiplier.valid_until or not facts @> multiplier.match;
      last_group := multiplier.multiplier_group;
      known := known || multiplier.match;
      factor := factor * multiplier.factor;
    end loop;

    item_count := case when item.usage ? 'count' then credits_private.item_count(item) else 1 end;
    quantity := case when rate.measure is null then 1 else credits_private.charged_quantity(
      item, rate.measure, rate.minimum_quantity, rate.per, rate.quantity_rounding) end;
    charge := quantity * rate.price * factor;
    if rate.is_limited then
      select c.charge, rate.line || c.notes into charge, rate.line
      from credits_private.limited_charge(
        charge, rate.tiers, quantity, factor, rate.minimum_charge * rate.per, rate.maximum_charge * rate.per) c;
    end if;
    shown := trim_scale(round(charge * item_count / rate.per, 12));
    charges := charges || (rate.unit, rate.scale, rate.rounding, charge * item_count, rate.per, shown,
      jsonb_build_array(rate.line || jsonb_build_object(
        'quantity', quantity, 'multiplier', trim_scale(factor), 'count', item_count, 'amount', shown)))::credits_private.charge;

    exit when cardinality(charges) = list.component_count;
    component := rate.component;
    last_group := null;
    factor := 1;
  end loop;

  if cardinality(charges) = list.component_count is not true then
    perform credits_private.check_components(rate_card, item, facts, known, at);
  -- What the rates and multipliers matched on is known; any other text value is looked up.
  elsif not known @> item.usage and credits_private.has_more_text(item.usage, known) then
    perform credits_private.check_known_values(rate_card, item.operation, item.usage, at);
  end if;
  return charges;
end
$$;

-- How many of an item: its count; 1 where it has none. PC422.
create or replace function credits_private.item_count(item credits.item)
returns numeric
language plpgsql immutable
as $$
begin
  if coalesce(item.usage -> 'count', 'null') = 'null' then
    return 1;
  end if;
  return credits_private.usage_number(item.operation, item.usage, 'count', 1, 1e6, true);
end
$$;

-- What tiers make of a quantity in place of a price, and a minimum and a maximum of the charge; notes: what the breakdown
-- says of it. Figures are to be divided by "per".
create or replace function credits_private.limited_charge(
  priced numeric, tiers jsonb, quantity numeric, factor numeric, minimum_charge numeric, maximum_charge numeric,
  out charge numeric, out notes jsonb)
language plpgsql immutable
as $$
declare
  tiered record;
begin
  charge := priced;
  notes := '{}';
  if tiers is not null then
    tiered := credits_private.price_in_tiers(tiers, quantity);
    charge := tiered.charge * factor;
    notes := jsonb_build_object('tiers', tiered.lines);
  end if;
  if charge < minimum_charge then
    charge := minimum_charge;
    notes := notes || '{"limited_by": "minimum_charge"}';
  elsif charge > maximum_charge then
    charge := maximum_charge;
    notes := notes || '{"limited_by": "maximum_charge"}';
  end if;
end
$$;

-- The charges of a job summed by unit, the main unit first.
create or replace function credits_private.summed(rate_card text, charges credits_private.charge[])
returns credits_private.charge[]
language plpgsql stable
as $$
declare
  total credits_private.charge;
  charge credits_private.charge;
  totals credits_private.charge[];
begin
  for total in
    select u.unit, u.scale, u.rounding, 0, 1, 0, '[]'
    from credits.units u
    where u.rate_card = summed.rate_card
      -- A job of nothing but add-ons, none of them chosen, is free.
      and (u.unit in (select c.unit from unnest(charges) c) or (u.main and charges is null))
    order by u.main desc, u.unit
  loop
    foreach charge in array coalesce(charges, '{}') loop
      continue when charge.unit <> total.unit;
      -- a/b + c/d, over the least common denominator
      total.numerator := total.numerator * div(lcm(total.denominator, charge.denominator), total.denominator)
        + charge.numerator * div(lcm(total.denominator, charge.denominator), charge.denominator);
      total.denominator := lcm(total.denominator, charge.denominator);
      total.shown := total.shown + charge.shown;
      total.lines := total.lines || charge.lines;
    end loop;
    totals := totals || total;
  end loop;
  return totals;
end
$$;

-- What stands for the usage of an item that has none. PC422 if it has one that is not an object.
create or replace function credits_private.no_usage(item credits.item)
returns jsonb
language plpgsql immutable
as $$
begin
  if item.usage <> 'null' then
    perform credits_private.fail_invalid('usage', 'not_an_object', 'Give usage as a JSON object.',
      jsonb_build_object('operation', item.operation));
  end if;
  return '{}';
end
$$;

-- Why no rate was found for one more component: the operation is unknown, or the usage wrong, or it is an add-on that was
-- left out. PC404, PC422 unless it is the last.
create or replace function credits_private.check_components(
  rate_card text, item credits.item, facts jsonb, known jsonb, at timestamptz)
returns void
language plpgsql stable
as $$
begin
  if not exists (
    select from credits.operations o
    where o.rate_card = check_components.rate_card and o.operation = item.operation
      and (o.retired_at is null or o.retired_at > at)) then
    perform credits_private.fail_not_found('operation', item.operation,
      'credits.operations lists the operations of the account''s rate card.');
  end if;
  perform credits_private.item_count(item);
  if credits_private.has_more_text(item.usage, known) then
    perform credits_private.check_known_values(rate_card, item.operation, item.usage, at);
  end if;
  perform credits_private.check_required_components(rate_card, item, facts, at);
end
$$;

-- Refuses an item whose usage matches no rate of a component that is required. Add-ons may all be left out; but where no
-- rate holds at this time, the price is unknown, not 0. PC422.
create or replace function credits_private.check_required_components(
  rate_card text, item credits.item, facts jsonb, at timestamptz)
returns void
language plpgsql stable
as $$
declare
  present int;
  missing text;
begin
  select count(*), min(c.component) filter (where not c.matched and not c.optional) into present, missing
  from (
    select r.component, bool_and(r.optional) as optional, bool_or(facts @> r.match) as matched
    from credits.card_rates r
    where r.rate_card = check_required_components.rate_card and r.operation = item.operation
      and r.valid_from <= at and r.valid_until > at
    group by r.component
  ) c;
  if present = 0 or missing is not null then
    perform credits_private.fail_invalid('usage', 'no_rate', 'credits.rates() lists the attributes that have a price.',
      jsonb_build_object('operation', item.operation, 'component', missing, 'usage', item.usage));
  end if;
end
$$;
