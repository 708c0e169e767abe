-- The price of a job for an account, and whether it may be paid. Whoever spends or holds asks the same function before it
-- draws, so that what is shown is what is charged.

-- The first entry of an account at or after an instant: its place, or one past the last. seq has no gaps and occurred_at
-- never decreases along it, so the log is a sorted list and this is a binary search: 20 steps in a million entries.
create or replace function credits_private.first_seq_since(account_id text, instant timestamptz)
returns bigint
language plpgsql stable
as $$
declare
  low bigint := 1;
  high bigint;
  middle bigint;
begin
  select coalesce(max(e.seq), 0) + 1 into high from credits.entries e where e.account_id = first_seq_since.account_id;
  while low < high loop
    middle := (low + high) / 2;
    if (select e.occurred_at from credits.entries e where e.account_id = first_seq_since.account_id and e.seq = middle) < instant then
      low := middle + 1;
    else
      high := middle;
    end if;
  end loop;
  return low;
end
$$;

create or replace function credits_private.main_unit(rate_card text)
returns text
language sql stable
as $$
  select u.unit from credits.units u where u.rate_card = main_unit.rate_card and u.main
$$;

-- What has been drawn in the account's present period, in the main unit, by spends and by holds that are open: from
-- additional lots, or by one member. Without a cadence, the period is the UTC month.
create or replace function credits_private.drawn_in_period(
  account credits.accounts, at timestamptz, out additional numeric, out by_member numeric, member_id text default null)
language plpgsql stable
as $$
declare
  main text := credits_private.main_unit(account.rate_card);
  since bigint := credits_private.first_seq_since(account.account_id,
    coalesce(account.period_start, date_trunc('month', at, 'UTC')));
begin
  select coalesce(-sum(e.additional), 0), coalesce(-sum(e.amount) filter (where e.member_id = drawn_in_period.member_id), 0)
  into additional, by_member
  from credits.entries e
  where e.account_id = account.account_id and e.seq >= since and e.kind = 'usage' and e.unit = main;

  select additional + coalesce(sum(s.amount) filter (where l.counts_as = 'additional'), 0),
    by_member + coalesce(sum(s.amount) filter (where h.member_id = drawn_in_period.member_id), 0)
  into additional, by_member
  from credits.holds h
  join credits.hold_lots s on s.account_id = h.account_id and s.hold_id = h.hold_id and s.unit = h.unit
  join credits.lots l on l.account_id = s.account_id and l.lot_id = s.lot_id
  where h.account_id = account.account_id and h.status = 'open' and h.expires_at > at and h.unit = main;
end
$$;

-- See additional_allowed().
create or replace function credits_private.left_of_period_limit(
  account credits.accounts, unit text, at timestamptz, pending credits_private.due_event[])
returns numeric
language plpgsql stable
as $$
begin
  if unit <> credits_private.main_unit(account.rate_card) then
    return null;
  end if;
  return greatest(0, account.additional_period_limit - (credits_private.drawn_in_period(account, at)).additional - (
    select coalesce(sum(s.spent), 0) from unnest(pending) e cross join unnest(e.slices) s
    where e.kind = 'meter' and e.unit = left_of_period_limit.unit and s.counts_as = 'additional'
      and e.at >= coalesce(account.period_start, date_trunc('month', left_of_period_limit.at, 'UTC'))));
end
$$;

-- How much of the additional lots may still be drawn in a unit; null: no limit. pending: events that are not written down,
-- which meters draw in too.
create or replace function credits_private.additional_allowed(
  account credits.accounts, unit text, at timestamptz, pending credits_private.due_event[] default '{}')
returns numeric
language sql stable
return case
  when not account.additional_enabled then 0
  when account.additional_period_limit is not null then credits_private.left_of_period_limit(account, unit, at, pending)
end;

-- See member_allowed().
create or replace function credits_private.left_of_cap(account credits.accounts, member_id text, unit text, at timestamptz)
returns numeric
language plpgsql stable
as $$
declare
  cap numeric;
begin
  select m.period_cap into cap from credits.members m
  where m.account_id = account.account_id and m.member_id = left_of_cap.member_id;
  if cap is null or unit <> credits_private.main_unit(account.rate_card) then
    return null;
  end if;
  return greatest(0, cap - (credits_private.drawn_in_period(account, at, member_id => member_id)).by_member);
end
$$;

-- How much a member may still draw in a unit; null: no cap.
create or replace function credits_private.member_allowed(account credits.accounts, member_id text, unit text, at timestamptz)
returns numeric
language sql stable
return case when member_id is not null then credits_private.left_of_cap(account, member_id, unit, at) end;

-- The gate that an account does not pass for a job, if there is one: every gate that matches must be met. passed: items that
-- were let through before; what bars them too is no matter any more.
create or replace function credits_private.unmet_gate(
  account credits.accounts, top_ups boolean, items credits.item[], passed credits.item[] default '{}')
returns credits.gates
language plpgsql stable
as $$
declare
  unmet credits.gates;
begin
  -- Most operations have none, and a spend is mostly of one operation.
  if cardinality(items) = 1 and not exists (
    select from credits.gates g where g.rate_card = account.rate_card and g.operation = items[1].operation) then
    return null;
  end if;
  select g.* into unmet
  from unnest(items) i
  join credits.gates g on g.rate_card = account.rate_card and g.operation = i.operation
  where credits_private.trusted_usage(i.usage, account.plan, top_ups) @> g.match
    and not case g.requires
      when 'plan' then account.plan is not null and account.plan = any (g.plans)
      when 'top_ups' then top_ups
    end
    and not exists (
      select from unnest(passed) p
      where p.operation = g.operation and credits_private.trusted_usage(p.usage, account.plan, top_ups) @> g.match)
  order by g.requires, g.gate_id
  limit 1;
  return unmet;
end
$$;

-- PC403.
create or replace function credits_private.refuse_gate(account credits.accounts, gate credits.gates)
returns void
language plpgsql stable
as $$
begin
  if gate.requires = 'plan' then
    perform credits_private.fail('PC403',
      jsonb_build_object('requires', 'plan', 'operation', gate.operation, 'plans', gate.plans, 'plan', account.plan),
      'Subscribe to one of these plans.');
  end if;
  perform credits_private.fail('PC403', jsonb_build_object('requires', 'top_ups', 'operation', gate.operation),
    'Have an admin enable automatic top-ups.');
end
$$;

-- Refuses a job that a gate bars. PC403.
create or replace function credits_private.check_gates(account credits.accounts, top_ups boolean, items credits.item[])
returns void
language plpgsql stable
as $$
declare
  gate credits.gates := credits_private.unmet_gate(account, top_ups, items);
begin
  if gate.gate_id is not null then
    perform credits_private.refuse_gate(account, gate);
  end if;
end
$$;

-- What stands between an account and a price, and how much could be drawn: the line that a quote shows. The account as it
-- stands at the instant; lots and pending: where they are not as written, the lots, and what happened until then.
create or replace function credits_private.assess(
  account credits.accounts, lots credits.lots[], gate credits.gates, price credits_private.price, member_id text,
  at timestamptz, pending credits_private.due_event[] default '{}')
returns credits.quote_line
language plpgsql stable
as $$
declare
  included numeric;
  additional numeric;
  additional_allowed numeric := credits_private.additional_allowed(account, price.unit, at, pending);
  available numeric;
  blocked_by text;
begin
  if lots is null then
    select coalesce(sum(l.available) filter (where l.counts_as = 'included'), 0),
      coalesce(sum(l.available) filter (where l.counts_as = 'additional'), 0)
    into included, additional
    from credits.lots l
    where l.account_id = account.account_id and l.unit = price.unit and l.open and credits_private.usable(l, at);
  else
    select coalesce(sum(l.available) filter (where l.counts_as = 'included'), 0),
      coalesce(sum(l.available) filter (where l.counts_as = 'additional'), 0)
    into included, additional
    from unnest(lots) l
    where l.unit = price.unit and credits_private.usable(l, at);
  end if;
  available := round(
    least(included + least(additional, additional_allowed), credits_private.member_allowed(account, member_id, price.unit, at)),
    scale(price.amount));
  if gate.gate_id is not null or price.amount > available then
    blocked_by := case
      when gate.gate_id is not null then gate.requires || '_required'
      when price.amount > included + additional then 'insufficient_credits'
      when price.amount > included + additional_allowed and not account.additional_enabled then 'additional_paused'
      when price.amount > included + additional_allowed then 'period_limit'
      else 'member_cap'
    end;
  end if;
  return (price.unit, price.amount, available, blocked_by is null, blocked_by, price.breakdown)::credits.quote_line;
end
$$;

create or replace function credits.item(operation text, usage jsonb default '{}')
returns credits.item
language sql immutable
return (operation, coalesce(nullif(usage, 'null'), '{}'))::credits.item;
comment on function credits.item(text, jsonb) is
  'An operation with its usage, for quote_items and spend_items: array[credits.item(''upload'', ''{"asset":"video"}''), ...].';

create or replace function credits_private.quote(account_id text, items credits.item[])
returns credits.quote_line[]
language plpgsql stable
as $$
declare
  account credits.accounts;
  known record;
  at timestamptz;
  present credits_private.projection;
  gate credits.gates;
  prices credits_private.price[];
  price credits_private.price;
  lines credits.quote_line[];
begin
  if credits_private.caller_is('credits_service') then
    select a.* into account from credits.accounts a where a.account_id = quote.account_id;
  end if;
  if account.account_id is null then
    account := credits_private.visible_account(account_id);
  end if;
  select (select e.occurred_at from credits.entries e where e.account_id = quote.account_id order by e.seq desc limit 1) as last_at,
    exists (
      select from credits.gates g where g.rate_card = account.rate_card and g.operation = items[1].operation) as is_gated
  into known;
  at := greatest(credits_private.now(), known.last_at);
  if account.next_due_at <= at then
    present := credits_private.project(account, at);
    account := present.account;
  end if;

  if known.is_gated or cardinality(items) > 1 then
    gate := credits_private.unmet_gate(account, account.top_ups, items);
  end if;
  if gate.gate_id is null then
    prices := credits_private.rate_items(account.rate_card, account.plan, account.top_ups, items, at);
  else
    begin
      prices := credits_private.rate_items(account.rate_card, account.plan, account.top_ups, items, at);
    exception when sqlstate 'PC422' then
      -- There may be no price for those who do not pass the gate: then the gate is the answer.
      perform credits_private.refuse_gate(account, gate);
    end;
  end if;
  foreach price in array prices loop
    lines := lines || credits_private.assess(
      account, present.lots, gate, price, credits_private.claim('member_id'), at, present.events);
  end loop;
  return lines;
end
$$;

create or replace function credits.quote_items(account_id text, items credits.item[])
returns setof credits.quote_line
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  line credits.quote_line;
begin
  foreach line in array credits_private.quote(account_id, items) loop
    return next line;
  end loop;
end
$$;
comment on function credits.quote_items(text, credits.item[]) is
  'The price of several operations together, before they are spent: one row a unit with amount, what is available, and what blocks it. PC403 another account; PC404 unknown account or operation; PC422 bad usage, or no rate for it.';

create or replace function credits.quote(account_id text, operation text, usage jsonb default '{}')
returns setof credits.quote_line
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  line credits.quote_line;
begin
  foreach line in array credits_private.quote(account_id, array[credits.item(operation, usage)]) loop
    return next line;
  end loop;
end
$$;
comment on function credits.quote(text, text, jsonb) is
  'The price of one operation, before it is spent: one row a unit with amount, what is available, and what blocks it. PC403 another account; PC404 unknown account or operation; PC422 bad usage, or no rate for it.';
