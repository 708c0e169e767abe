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
language sql immutable
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
create or replace function credits_private.charged_quantity(rate credits.card_rates, usage jsonb)
returns numeric
language plpgsql immutable
as $$
declare
  quantity numeric := greatest(
    credits_private.usage_number(rate.operation, usage, rate.measure, 0, 1e12, false), rate.minimum_quantity);
begin
  if rate.quantity_rounding = 'up' then
    quantity := (div(quantity, rate.per) + case when mod(quantity, rate.per) > 0 then 1 else 0 end) * rate.per;
  end if;
  return quantity;
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
language sql immutable
return round(
  (div(numerator * 10::numeric ^ scale, denominator)
    + case
        when rounding = 'up' and mod(numerator * 10::numeric ^ scale, denominator) > 0 then 1
        when rounding = 'half_up' and 2 * mod(numerator * 10::numeric ^ scale, denominator) >= denominator then 1
        else 0
      end) / 10::numeric ^ scale,
  scale);

-- The text values of a usage, its trusted attributes aside.
create or replace function credits_private.text_values(usage jsonb)
returns jsonb
language sql immutable
return jsonb_path_query_array(usage - '{plan,top_ups}'::text[], '$.* ? (@.type() == "string")');

-- The price of a job: one a unit, main unit first. at: the instant whose rates apply.
-- PC404 unknown operation; PC422 bad usage, or no rate for it.
--
-- Every spend and every keystroke of a calculator comes through here. So it asks for one row at a time by an index, which
-- costs a fifth of what joining them does, and does the arithmetic here.
create or replace function credits_private.rate_items(
  rate_card text, plan text, top_ups boolean, items credits.item[], at timestamptz)
returns credits_private.price[]
language plpgsql stable
as $$
declare
  item credits.item;
  component_count int;
  multiplier_count int;
  facts jsonb;
  item_count numeric;
  charges credits_private.charge[];
  found_components int;
  rate credits.card_rates;
  quantity numeric;
  charge numeric;
  tiered record;
  multiplied record;
  known jsonb;
  line jsonb;
begin
  if cardinality(items) between 1 and 1000 is not true then
    perform credits_private.fail_invalid('items', case when cardinality(items) > 1000 then 'too_many' else 'missing' end,
      'Give 1 to 1000 items; "count" multiplies one.');
  end if;

  foreach item in array items loop
    if jsonb_typeof(item.usage) is distinct from 'object' then
      item.usage := credits_private.no_usage(item);
    end if;
    select o.component_count, o.multiplier_count into component_count, multiplier_count
    from credits.operations o
    where o.rate_card = rate_items.rate_card and o.operation = item.operation
      and (o.retired_at is null or o.retired_at > at);
    if not found then
      perform credits_private.fail_not_found('operation', item.operation,
        'credits.operations lists the operations of the account''s rate card.');
    end if;
    item_count := 1;
    if item.usage ? 'count' and item.usage -> 'count' <> 'null' then
      item_count := credits_private.usage_number(item.operation, item.usage, 'count', 1, 1e6, true);
    end if;
    facts := credits_private.trusted_usage(item.usage, plan, top_ups);
    known := '{}';
    found_components := 0;
    rate.component := '';

    loop
      -- The most specific rate of the next component.
      select r.* into rate
      from credits.card_rates r
      where r.rate_card = rate_items.rate_card and r.operation = item.operation and r.component > rate.component
        and r.valid_from <= at and r.valid_until > at and facts @> r.match
      order by r.component, r.specificity desc
      limit 1;
      exit when not found;
      found_components := found_components + 1;
      known := known || rate.match;

      quantity := 1;
      if rate.measure is not null then
        quantity := credits_private.charged_quantity(rate, item.usage);
      end if;
      line := jsonb_build_object('operation', rate.operation, 'component', rate.component, 'rate_id', rate.rate_id,
        'measure', rate.measure, 'quantity', trim_scale(quantity), 'per', rate.per, 'price', rate.price, 'multiplier', 1,
        'count', item_count);
      if rate.tiers is null then
        charge := quantity * rate.price;
      else
        tiered := credits_private.price_in_tiers(rate.tiers, quantity);
        charge := tiered.charge;
        line := line || jsonb_build_object('tiers', tiered.lines);
      end if;
      if multiplier_count > 0 then
        multiplied := credits_private.multiplier(rate, facts, at);
        charge := charge * multiplied.factor;
        line := line || jsonb_build_object('multiplier', trim_scale(multiplied.factor));
        known := known || multiplied.known;
      end if;
      if charge < rate.minimum_charge * rate.per then
        charge := rate.minimum_charge * rate.per;
        line := line || '{"limited_by": "minimum_charge"}';
      elsif charge > rate.maximum_charge * rate.per then
        charge := rate.maximum_charge * rate.per;
        line := line || '{"limited_by": "maximum_charge"}';
      end if;
      charges := charges || (rate.unit, charge * item_count, rate.per,
        trim_scale(round(charge * item_count / rate.per, 12)), line)::credits_private.charge;
      exit when found_components = component_count;
    end loop;

    -- What the rates and multipliers matched on is known; any other text value is looked up.
    if item.usage @? '$.* ? (@.type() == "string")'
      and jsonb_array_length(credits_private.text_values(item.usage)) > jsonb_array_length(credits_private.text_values(known)) then
      perform credits_private.check_known_values(rate_card, item.operation, item.usage, at);
    end if;
    if found_components < component_count then
      perform credits_private.check_required_components(rate_card, item, facts, at);
    end if;
  end loop;
  return credits_private.rounded_prices(rate_card, charges);
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

-- The charges of a job summed by unit, each sum rounded once to its unit's scale, main unit first. A breakdown adds up: where
-- rounding changed the sum, its last line says by how much.
create or replace function credits_private.rounded_prices(rate_card text, charges credits_private.charge[])
returns credits_private.price[]
language plpgsql stable
as $$
declare
  units text[];
  unit_scale int;
  unit_rounding text;
  charge credits_private.charge;
  numerator numeric;
  denominator numeric;
  shown numeric;
  lines jsonb;
  amount numeric;
  prices credits_private.price[];
begin
  if cardinality(charges) = 1 then
    units := array[charges[1].unit];
  else
    units := array(
      select u.unit from credits.units u
      where u.rate_card = rounded_prices.rate_card
        -- A job of nothing but add-ons, none of them chosen, is free.
        and (u.unit in (select c.unit from unnest(charges) c) or (u.main and charges is null))
      order by u.main desc, u.unit);
  end if;

  for position in 1 .. cardinality(units) loop
    select u.scale, u.rounding into unit_scale, unit_rounding
    from credits.units u where u.rate_card = rounded_prices.rate_card and u.unit = units[position];
    numerator := 0;
    denominator := 1;
    shown := 0;
    lines := '[]';
    foreach charge in array coalesce(charges, '{}') loop
      continue when charge.unit <> units[position];
      -- a/b + c/d, over the least common denominator
      numerator := numerator * div(lcm(denominator, charge.denominator), denominator)
        + charge.numerator * div(lcm(denominator, charge.denominator), charge.denominator);
      denominator := lcm(denominator, charge.denominator);
      shown := shown + charge.shown;
      lines := lines || (charge.line || jsonb_build_object('amount', charge.shown));
    end loop;
    amount := credits_private.round_fraction(numerator, denominator, unit_scale, unit_rounding);
    if amount <> shown then
      lines := lines || jsonb_build_object('component', 'rounding', 'amount', trim_scale(amount - shown));
    end if;
    prices := prices || (units[position], amount, lines)::credits_private.price;
  end loop;
  return prices;
end
$$;

-- What the multipliers make of a rate: in each group the most specific one that matches, one for the rate's own component
-- before one for all; the groups multiply. known: the attributes that they matched on.
create or replace function credits_private.multiplier(
  rate credits.card_rates, facts jsonb, at timestamptz, out factor numeric, out known jsonb)
language plpgsql stable
as $$
declare
  multiplier record;
begin
  factor := 1;
  known := '{}';
  for multiplier in
    select distinct on (m.multiplier_group) m.factor, m.match
    from credits.card_multipliers m
    where m.rate_card = rate.rate_card and m.operation = rate.operation
      and m.valid_from <= at and m.valid_until > at and facts @> m.match
      and (m.component is null or m.component = rate.component)
    order by m.multiplier_group, m.component is null, m.specificity desc
  loop
    factor := factor * multiplier.factor;
    known := known || multiplier.match;
  end loop;
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
