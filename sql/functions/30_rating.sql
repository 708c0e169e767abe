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

-- What a component of one item comes to, before "count": a fraction, and its line of the breakdown.
create or replace function credits_private.rate_component(rate credits.card_rates, usage jsonb, multiplier numeric,
  out numerator numeric, out denominator numeric, out line jsonb)
language plpgsql immutable
as $$
declare
  quantity numeric := 1;
  tier record;
  tier_lines jsonb;
  limited_by text;
begin
  if rate.measure is not null then
    quantity := credits_private.usage_number(rate.operation, usage, rate.measure, 0, 1e12, false);
    quantity := greatest(quantity, rate.minimum_quantity);
    if rate.quantity_rounding = 'up' then
      quantity := (div(quantity, rate.per) + case when mod(quantity, rate.per) > 0 then 1 else 0 end) * rate.per;
    end if;
  end if;

  denominator := rate.per;
  if rate.tiers is null then
    numerator := quantity * rate.price;
  else
    numerator := 0;
    tier_lines := '[]';
    for tier in
      select least(quantity, t.up_to) - t.reached as quantity, t.price
      from (
        select (t.value ->> 'up_to')::numeric as up_to, (t.value ->> 'price')::numeric as price,
          coalesce(lag((t.value ->> 'up_to')::numeric) over (order by t.ordinality), 0) as reached, t.ordinality
        from jsonb_array_elements(rate.tiers) with ordinality t
      ) t
      where quantity > t.reached
      order by t.ordinality
    loop
      numerator := numerator + tier.quantity * tier.price;
      tier_lines := tier_lines || jsonb_build_object('quantity', tier.quantity, 'price', tier.price);
    end loop;
  end if;

  numerator := numerator * multiplier;
  if numerator < rate.minimum_charge * denominator then
    numerator := rate.minimum_charge * denominator;
    limited_by := 'minimum_charge';
  elsif numerator > rate.maximum_charge * denominator then
    numerator := rate.maximum_charge * denominator;
    limited_by := 'maximum_charge';
  end if;

  line := jsonb_build_object(
      'operation', rate.operation, 'component', rate.component, 'rate_id', rate.rate_id, 'measure', rate.measure,
      'quantity', trim_scale(quantity), 'per', rate.per, 'price', rate.price, 'multiplier', trim_scale(multiplier))
    || case when tier_lines is null then '{}' else jsonb_build_object('tiers', tier_lines) end
    || case when limited_by is null then '{}' else jsonb_build_object('limited_by', limited_by) end;
end
$$;

-- A fraction rounded to a unit's scale. Exact: it never divides before it knows the remainder.
create or replace function credits_private.round_fraction(
  numerator numeric, denominator numeric, scale int, rounding text)
returns numeric
language plpgsql immutable
as $$
declare
  scaled numeric := numerator * 10::numeric ^ scale;
  whole numeric := div(scaled, denominator);
  rest numeric := scaled - whole * denominator;
begin
  if rest > 0 and (rounding = 'up' or (rounding = 'half_up' and 2 * rest >= denominator)) then
    whole := whole + 1;
  end if;
  return round(whole / 10::numeric ^ scale, scale);
end
$$;

-- The price of a job: one a unit, main unit first. at: the instant whose rates apply.
-- PC404 unknown operation; PC422 bad usage, or no rate for it.
create or replace function credits_private.rate_items(
  rate_card text, plan text, top_ups boolean, items credits.item[], at timestamptz)
returns credits_private.price[]
language plpgsql stable
as $$
declare
  item credits.item;
  operation credits.operations;
  facts jsonb;
  item_count numeric;
  rates credits.card_rates[];
  rate credits.card_rates;
  charge record;
  amount numeric;
  common numeric;
  position int;
  units text[] := '{}';
  numerators numeric[] := '{}';
  denominators numeric[] := '{}';
  shown numeric[] := '{}';
  lines jsonb[] := '{}';
  unit credits.units;
  prices credits_private.price[] := '{}';
begin
  if coalesce(cardinality(items), 0) = 0 then
    perform credits_private.fail_invalid('items', 'missing', 'Give at least one item.');
  elsif cardinality(items) > 1000 then
    perform credits_private.fail_invalid('items', 'too_many', 'Give at most 1000 items; "count" multiplies one.');
  end if;

  foreach item in array items loop
    if item.usage is null or item.usage = 'null' then
      item.usage := '{}';
    elsif jsonb_typeof(item.usage) <> 'object' then
      perform credits_private.fail_invalid('usage', 'not_an_object', 'Give usage as a JSON object.',
        jsonb_build_object('operation', item.operation));
    end if;
    select o.* into operation from credits.operations o
    where o.rate_card = rate_items.rate_card and o.operation = item.operation
      and (o.retired_at is null or o.retired_at > at);
    if not found then
      perform credits_private.fail_not_found('operation', item.operation,
        'credits.operations lists the operations of the account''s rate card.');
    end if;
    item_count := case when item.usage ? 'count' and item.usage -> 'count' <> 'null'
      then credits_private.usage_number(item.operation, item.usage, 'count', 1, 1e6, true) else 1 end;
    if item.usage @? '$.* ? (@.type() == "string")' then
      perform credits_private.check_known_values(rate_card, item.operation, item.usage, at);
    end if;
    facts := credits_private.trusted_usage(item.usage, plan, top_ups);

    rates := array(
      select distinct on (r.component) r
      from credits.card_rates r
      where r.rate_card = rate_items.rate_card and r.operation = item.operation
        and r.valid_from <= at and r.valid_until > at and facts @> r.match
      order by r.component, r.specificity desc);
    if cardinality(rates) < operation.component_count then
      perform credits_private.check_required_components(rate_card, item, facts, at);
    end if;

    foreach rate in array rates loop
      charge := credits_private.rate_component(rate, item.usage,
        case when operation.multiplier_count > 0 then credits_private.multiplier(rate, facts, at) else 1 end);
      position := array_position(units, rate.unit);
      if position is null then
        units := units || rate.unit;
        position := cardinality(units);
        numerators[position] := 0;
        denominators[position] := 1;
        shown[position] := 0;
        lines[position] := '[]';
      end if;
      common := lcm(denominators[position], charge.denominator);
      numerators[position] := numerators[position] * div(common, denominators[position])
        + charge.numerator * item_count * div(common, charge.denominator);
      denominators[position] := common;
      amount := trim_scale(round(charge.numerator * item_count / charge.denominator, 12));
      shown[position] := shown[position] + amount;
      lines[position] := lines[position] || (charge.line || jsonb_build_object('count', item_count, 'amount', amount));
    end loop;
  end loop;

  -- A job of nothing but add-ons, none of them chosen, is free.
  for unit in
    select u.* from credits.units u
    where u.rate_card = rate_items.rate_card and (u.unit = any (units) or (u.main and units = '{}'))
    order by u.main desc, u.unit
  loop
    position := array_position(units, unit.unit);
    if position is null then
      prices := prices || (unit.unit, round(0, unit.scale), '[]')::credits_private.price;
    else
      amount := credits_private.round_fraction(numerators[position], denominators[position], unit.scale, unit.rounding);
      if amount <> shown[position] then
        lines[position] := lines[position]
          || jsonb_build_object('component', 'rounding', 'amount', trim_scale(amount - shown[position]));
      end if;
      prices := prices || (unit.unit, amount, lines[position])::credits_private.price;
    end if;
  end loop;
  return prices;
end
$$;

-- What the multipliers make of a rate: in each group the most specific one that matches, one for the rate's own component
-- before one for all; the groups multiply.
create or replace function credits_private.multiplier(rate credits.card_rates, facts jsonb, at timestamptz)
returns numeric
language plpgsql stable
as $$
declare
  product numeric := 1;
  factor numeric;
begin
  for factor in
    select distinct on (m.multiplier_group) m.factor
    from credits.card_multipliers m
    where m.rate_card = rate.rate_card and m.operation = rate.operation
      and m.valid_from <= at and m.valid_until > at and facts @> m.match
      and (m.component is null or m.component = rate.component)
    order by m.multiplier_group, m.component is null, m.specificity desc
  loop
    product := product * factor;
  end loop;
  return product;
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
