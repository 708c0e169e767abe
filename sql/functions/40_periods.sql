-- Periods, and what falls due by itself.
--
-- project() is the one definition of that: given an account as it stands, it lists what falls due until an instant,
-- boundary by boundary, and says how the account and its lots stand then. settled() has it written down; balances, quotes
-- and forecasts only look. So the worker's sweep, the settlement before a spend and a forecast cannot disagree.

-- The start of period n: anchor + n periods on the plan's own clock, never "the previous end + 1", so that what is
-- anchored on January 31st ends on February 28th and then on March 31st. The anchor itself is kept as it is: in the hour
-- that clocks go through twice, its time of day alone would not tell which one is meant.
create or replace function credits_private.boundary(plan credits.plans, anchor timestamptz, n int)
returns timestamptz
language sql stable
return date_add(
  case plan.anchored_to
    when 'calendar' then timestamp '2001-01-01' at time zone plan.time_zone -- a Monday, a 1st, a January
    else anchor
  end,
  n * case plan.cadence
    when 'day' then interval '1 day'
    when 'week' then interval '1 week'
    when 'month' then interval '1 month'
    when 'year' then interval '1 year'
  end,
  plan.time_zone);

-- The n of the period that contains an instant; negative before the anchor. Null for a plan without periods.
create or replace function credits_private.period_containing(plan credits.plans, anchor timestamptz, at timestamptz)
returns int
language plpgsql stable
as $$
declare
  n int;
begin
  if plan.cadence = 'none' then
    return null;
  end if;
  -- A guess by mean length, at most a few periods off, then the exact one.
  n := floor(extract(epoch from at - credits_private.boundary(plan, anchor, 0))
    / case plan.cadence when 'day' then 86400 when 'week' then 604800 when 'month' then 2629746 else 31556952 end);
  while credits_private.boundary(plan, anchor, n) > at loop
    n := n - 1;
  end loop;
  while credits_private.boundary(plan, anchor, n + 1) <= at loop
    n := n + 1;
  end loop;
  return n;
end
$$;

-- The phase and number of the period of a plan that begins where another one ends. Usually it is the next one. Where the end is
-- no boundary of the plan, because the period before was of a plan with another anchoring or time zone, its periods count from
-- there, and the first runs to the boundary that is nearest to a whole period: nobody gets an allowance for a few hours.
create or replace function credits_private.following_period(
  plan credits.plans, previous_anchor timestamptz, ends_at timestamptz, out anchor timestamptz, out n int)
language plpgsql stable
as $$
begin
  anchor := previous_anchor;
  n := credits_private.period_containing(plan, anchor, ends_at);
  if credits_private.boundary(plan, anchor, n) <> ends_at then
    anchor := ends_at;
    n := credits_private.period_containing(plan, anchor, ends_at
      + case plan.cadence when 'day' then 12 when 'week' then 84 when 'month' then 365 else 4383 end * interval '1 hour');
  end if;
end
$$;

-- When an allowance ends that lives so many periods, the first of which ends at period_end; null periods: never. A period that
-- is empty, because the clocks of a time zone left its day out, is none of them.
create or replace function credits_private.end_of_life(
  plan credits.plans, anchor timestamptz, period_end timestamptz, periods int)
returns timestamptz
language plpgsql stable
as $$
declare
  following record;
  ends_at timestamptz := period_end;
begin
  if periods is null or period_end is null then
    return null;
  elsif periods = 1 then
    return period_end;
  end if;
  following := credits_private.following_period(plan, anchor, period_end);
  for i in 2 .. periods loop
    while credits_private.boundary(plan, following.anchor, following.n + 1) = ends_at loop
      following.n := following.n + 1;
    end loop;
    following.n := following.n + 1;
    ends_at := credits_private.boundary(plan, following.anchor, following.n);
  end loop;
  return ends_at;
end
$$;

-- Something that falls due, of a kind that project() lists.
create or replace function credits_private.due(
  account_id text, at timestamptz, kind text, unit text default null, lot_id bigint default null,
  counts_as text default null, amount numeric default null,
  expires_at timestamptz default null, plan text default null, hold_id bigint default null, account credits.accounts default null,
  meter_id bigint default null, item credits.item default null, breakdown jsonb default null,
  slices credits_private.slice[] default null)
returns credits_private.due_event
language sql immutable
return (account_id, at, kind, unit, lot_id, counts_as, amount, expires_at, plan, hold_id, account, meter_id, item, breakdown,
  slices)::credits_private.due_event;

-- Whether a plan costs money. Changes between plans go by their sort: paid, or price 0.
create or replace function credits_private.is_paid(plan text)
returns boolean
language sql stable
return exists (select from credits.plan_prices p where p.plan = is_paid.plan and p.price > 0);

-- What a plan still grants in the account's present period, a lot a unit, as events. granted: what the period has been
-- granted already, by unit. lot_ids count on from last_lot_id.
create or replace function credits_private.refills(
  account credits.accounts, plan credits.plans, at timestamptz, granted jsonb, last_lot_id bigint)
returns credits_private.due_event[]
language sql stable
as $$
  select coalesce(array_agg(
    credits_private.due(account.account_id, at, 'refill', unit => r.unit, lot_id => r.lot_id, amount => r.amount,
      expires_at => r.expires_at, plan => r.plan)
    order by r.lot_id), '{}')
  from (
    select a.plan, a.unit, a.amount - coalesce((granted ->> a.unit)::numeric, 0) as amount,
      last_lot_id + row_number() over (order by a.unit) as lot_id,
      credits_private.end_of_life(refills.plan, account.anchor, account.period_end,
        case a.rollover when 'none' then 1 else a.lives_periods end) as expires_at
    from credits.plan_allowances a
    where a.plan = (refills.plan).plan and a.amount > coalesce((granted ->> a.unit)::numeric, 0)
  ) r
$$;

-- The largest allowance of a plan's sort that its period has been granted, by unit: what came at its start, and what upgrades
-- added. The period of a plan without a cadence never ends: what such plans granted counts for good. period_start null: a
-- period that begins now.
create or replace function credits_private.granted_in_period(account_id text, plan credits.plans, period_start timestamptz)
returns jsonb
language sql stable
as $$
  select coalesce(jsonb_object_agg(g.unit, g.amount), '{}')
  from (
    select l.unit,
      greatest(
        sum(l.granted) filter (where l.starts_at >= granted_in_period.period_start),
        sum(l.granted) filter (where p.cadence = 'none' and (granted_in_period.plan).cadence = 'none')) as amount
    from credits.lots l
    join credits.plans p on p.plan = l.plan
    where l.account_id = granted_in_period.account_id and l.source = 'refill'
      and credits_private.is_paid(l.plan) = credits_private.is_paid((granted_in_period.plan).plan)
    group by l.unit
  ) g
$$;

-- What becomes of the included lots when a period ends: under the plan's rollover rule (the oldest is trimmed first,
-- what is held never is, though it counts), or, when the plan ends, all of them end. Returns the lots and the events.
create or replace function credits_private.roll_over(
  account credits.accounts, lots credits.lots[], plan_ends boolean, at timestamptz)
returns credits_private.projection
language plpgsql stable
as $$
declare
  result credits_private.projection;
  events credits_private.due_event[];
  rule record;
  lot credits.lots;
  is_left boolean := false;
  excess numeric;
  ending numeric;
begin
  -- What is reset has ended, also for what a hold or a refund returns to it later.
  events := array[credits_private.due(account.account_id, at, 'reset', plan => case when not plan_ends then account.plan end)];
  result.lots := lots;
  result.events := events;
  foreach lot in array lots loop
    is_left := is_left or (lot.counts_as = 'included' and lot.available + lot.held > 0);
  end loop;
  if not is_left then
    return result;
  end if;

  for rule in
    select l.unit, a.rollover, trunc(coalesce(a.rollover_cap, a.rollover_cap_multiple * a.amount), u.scale) as cap, sum(l.available + l.held) as carried
    from unnest(lots) l
    left join credits.plan_allowances a on a.plan = account.plan and a.unit = l.unit
    left join credits.units u on u.rate_card = a.rate_card and u.unit = a.unit
    where l.counts_as = 'included' and (plan_ends or a.plan is not null)
    group by l.unit, a.rollover, cap
    order by l.unit
  loop
    excess := case when plan_ends or rule.rollover = 'none' then rule.carried
      when rule.rollover = 'capped' then rule.carried - rule.cap else 0 end;
    for i in 1 .. cardinality(lots) loop
      if lots[i].unit = rule.unit and lots[i].counts_as = 'included' then
        ending := least(lots[i].available, excess);
        if ending > 0 then
          events := events || credits_private.expiry(lots[i], at, ending);
          lots[i].available := lots[i].available - ending;
          excess := excess - ending;
        end if;
        if plan_ends or rule.rollover = 'none' then
          lots[i].expires_at := least(lots[i].expires_at, at);
        end if;
      end if;
    end loop;
  end loop;
  result.lots := lots;
  result.events := events;
  return result;
end
$$;

create or replace function credits_private.expiry(lot credits.lots, at timestamptz, amount numeric)
returns credits_private.due_event
language sql immutable
return credits_private.due(lot.account_id, at, 'expiry', unit => lot.unit, lot_id => lot.lot_id, counts_as => lot.counts_as,
  amount => amount);

-- What lots have that is nobody's to spend: in the lot of a reversed purchase, what has come back to it since, up to the
-- shortfall; in a lot that has expired, everything. before: events that are not written down.
create or replace function credits_private.lapses(
  lots credits.lots[], at timestamptz, before credits_private.due_event[] default '{}')
returns credits_private.due_event[]
language plpgsql stable
as $$
declare
  events credits_private.due_event[] := '{}';
  lot credits.lots;
  owed numeric;
begin
  foreach lot in array lots loop
    continue when lot.available = 0;
    owed := 0;
    if lot.purchase_id is not null then
      select least(lot.available, p.shortfall - coalesce((
        select sum(e.amount) from unnest(before) e where e.kind = 'take_back' and e.lot_id = lot.lot_id), 0))
      into owed
      from credits.purchases p where p.account_id = lot.account_id and p.purchase_id = lot.purchase_id;
    end if;
    if owed > 0 then
      events := events || credits_private.due(lot.account_id, at, 'take_back', unit => lot.unit, lot_id => lot.lot_id,
        counts_as => lot.counts_as, amount => owed);
    end if;
    if lot.expires_at <= at and lot.available > owed then
      events := events || credits_private.expiry(lot, at, lot.available - owed);
    end if;
  end loop;
  return events;
end
$$;

-- The account after a boundary: the next period of its plan, of the plan that was waiting, or of none.
create or replace function credits_private.next_period(account credits.accounts, at timestamptz)
returns credits.accounts
language plpgsql stable
as $$
declare
  plan credits.plans;
  next_plan credits.plans;
  interrupted credits.interrupted_periods;
  following record;
begin
  if account.cancels_at_period_end then
    return credits_private.without_plan(account);
  end if;
  select p.* into plan from credits.plans p where p.plan = account.plan;
  select p.* into next_plan from credits.plans p where p.plan = coalesce(account.pending_plan, account.plan);
  if next_plan.plan <> plan.plan and next_plan.cadence <> 'none'
    and credits_private.is_paid(plan.plan) <> credits_private.is_paid(next_plan.plan) then
    select i.* into interrupted from credits.interrupted_periods i
    where i.account_id = account.account_id and i.paid = credits_private.is_paid(next_plan.plan) and i.period_end > at;
    if found then
      return credits_private.with_interrupted_period(account, next_plan, interrupted);
    end if;
  end if;
  if next_plan.cadence <> plan.cadence then
    -- Another cadence counts from here, and its first period is the one that contains now.
    return credits_private.with_period(account, next_plan, at, at, credits_private.period_containing(next_plan, at, at));
  end if;
  following := credits_private.following_period(next_plan, account.anchor, at);
  return credits_private.with_period(account, next_plan, following.anchor, at, following.n);
end
$$;

-- The account in period n of a plan, from an instant on.
create or replace function credits_private.with_period(
  account credits.accounts, plan credits.plans, anchor timestamptz, at timestamptz, n int)
returns credits.accounts
language plpgsql stable
as $$
begin
  account.plan := plan.plan;
  account.pending_plan := null;
  account.cancels_at_period_end := false;
  account.anchor := anchor;
  account.period_index := n;
  account.period_start := case when plan.cadence <> 'none' then at end;
  account.period_end := credits_private.boundary(plan, anchor, n + 1);
  return account;
end
$$;

-- Whether a period of one plan may be a period of the other.
create or replace function credits_private.have_same_periods(one credits.plans, other credits.plans)
returns boolean
language sql immutable
return (one.cadence, one.anchored_to, one.time_zone) = (other.cadence, other.anchored_to, other.time_zone);

-- The account in a period that it had left. A plan whose own periods are others waits for its end, as it does for the end of
-- one that was not left: taking over, it would top up a day to a month's allowance, and grant that again a day later.
create or replace function credits_private.with_interrupted_period(
  account credits.accounts, plan credits.plans, interrupted credits.interrupted_periods)
returns credits.accounts
language plpgsql stable
as $$
declare
  left_plan credits.plans;
begin
  select p.* into left_plan from credits.plans p where p.plan = interrupted.plan;
  if credits_private.have_same_periods(plan, left_plan) then
    account.plan := plan.plan;
    account.pending_plan := null;
  else
    account.plan := left_plan.plan;
    account.pending_plan := plan.plan;
  end if;
  account.cancels_at_period_end := false;
  account.anchor := interrupted.anchor;
  account.period_index := interrupted.period_index;
  account.period_start := interrupted.period_start;
  account.period_end := interrupted.period_end;
  return account;
end
$$;

create or replace function credits_private.without_plan(account credits.accounts)
returns credits.accounts
language plpgsql stable
as $$
begin
  account.plan := null;
  account.pending_plan := null;
  account.cancels_at_period_end := false;
  account.anchor := null;
  account.period_index := null;
  account.period_start := null;
  account.period_end := null;
  return account;
end
$$;

-- Midnight after an instant, in UTC.
create or replace function credits_private.next_midnight(instant timestamptz)
returns timestamptz
language sql immutable
return date_trunc('day', instant, 'UTC') + interval '24 hours';

-- The meter after a midnight, with what the day comes to: level times days.
create or replace function credits_private.close_day(meter credits.meters, midnight timestamptz, out closed credits.meters, out quantity numeric)
language plpgsql immutable
as $$
begin
  quantity := trim_scale(round(
    (meter.accrued + meter.level * extract(epoch from midnight - meter.read_at)) / 86400, 6));
  closed := meter;
  closed.accrued := 0;
  closed.read_at := midnight;
  closed.charged_until := midnight;
end
$$;

-- What a day of a meter costs, drawn from lots as far as they reach: the entry, its slices, and the lots after it; before: what
-- fell due before it. A price that the card no longer has must not stop the account: then nothing is charged.
create or replace function credits_private.charge_meter(
  account credits.accounts, lots credits.lots[], meter credits.meters, at timestamptz, before credits_private.due_event[])
returns credits_private.projection
language plpgsql stable
as $$
declare
  result credits_private.projection;
  slices credits_private.slice[];
  item credits.item;
  price credits_private.price;
  slice credits_private.slice;
  drawn numeric := 0;
begin
  result.lots := lots;
  item := (meter.operation,
    meter.usage || jsonb_build_object(meter.measure, (credits_private.close_day(meter, at)).quantity))::credits.item;
  begin
    price := (credits_private.rate_items(account.rate_card, account.plan, account.top_ups, array[item], at))[1];
  exception when sqlstate 'PC404' or sqlstate 'PC422' then
    price := (meter.unit, 0, jsonb_build_array(jsonb_build_object('component', 'no_rate', 'amount', 0)))::credits_private.price;
  end;

  slices := credits_private.draw(lots, price.unit, price.amount, at,
    credits_private.additional_allowed(account, price.unit, at, before));
  foreach slice in array slices loop
    drawn := drawn + slice.spent;
    for i in 1 .. cardinality(lots) loop
      if lots[i].lot_id = slice.lot_id then
        result.lots[i].available := lots[i].available - slice.spent;
      end if;
    end loop;
  end loop;

  result.events := array[credits_private.due(account.account_id, at, 'meter', unit => price.unit, amount => price.amount - drawn,
    meter_id => meter.meter_id, item => item, slices => slices,
    breakdown => case when drawn = price.amount then price.breakdown
      else price.breakdown || jsonb_build_object('component', 'shortfall', 'amount', drawn - price.amount) end)];
  return result;
end
$$;

-- The account as it stands at an instant, and what falls due until then, in the order in which it takes effect. At one
-- instant: holds end, what lots have lapses, included credits roll over or reset, the plan changes, the allowance refills, meters
-- charge their day (until meters_until: a forecast goes on without them).
--
-- Kinds of events: hold_end (a slice returns to its lot), take_back (of what returned to a reversed purchase's lot), expiry (of an
-- amount of a lot), reset (of the included lots that a plan does not carry; no plan: of all), period (the account after a boundary), refill (a new lot),
-- meter (a usage entry), top_up (one that waited for the month is looked at again). PC422 where there would be no end of them.
create or replace function credits_private.project(
  account credits.accounts, until timestamptz, meters_until timestamptz default 'infinity')
returns credits_private.projection
language plpgsql stable
as $$
declare
  result credits_private.projection;
  live credits.lots[];
  slices credits_private.due_event[];
  events credits_private.due_event[] := '{}';
  event credits_private.due_event;
  rolled credits_private.projection;
  plan credits.plans;
  due_at timestamptz;
  last_lot_id bigint;
  lot credits.lots;
  meters credits.meters[] := '{}';
  charged credits_private.projection;
begin
  live := array(select l from credits.lots l where l.account_id = account.account_id and l.open order by l.lot_id);
  if account.next_due_at > until then
    result := (account, live, events);
    return result;
  end if;

  select coalesce(max(l.lot_id), 0) into last_lot_id from credits.lots l where l.account_id = account.account_id;
  events := array(
    select credits_private.due(t.account_id, t.look_again_at, 'top_up') from credits.top_up_settings t
    where t.account_id = account.account_id and t.look_again_at <= until);
  slices := array(
    select credits_private.due(h.account_id, h.expires_at, 'hold_end', hold_id => h.hold_id, unit => h.unit, lot_id => s.lot_id,
      amount => s.amount)
    from credits.holds h
    left join credits.hold_lots s on s.account_id = h.account_id and s.hold_id = h.hold_id and s.unit = h.unit
    where h.account_id = account.account_id and h.status = 'open' and h.expires_at <= until
    order by h.expires_at, h.hold_id, h.unit, s.ordinal desc);

  meters := array(
    select m from credits.meters m
    where m.account_id = account.account_id and (m.level > 0 or m.accrued > 0)
      and credits_private.next_midnight(m.charged_until) <= meters_until
    order by m.meter_id);

  loop
    -- A lot that has expired but is still held is past: only what is available has to end.
    due_at := account.period_end;
    foreach lot in array live loop
      if lot.available > 0 then
        due_at := least(due_at, lot.expires_at);
      end if;
    end loop;
    foreach event in array slices loop
      due_at := least(due_at, event.at);
    end loop;
    for i in 1 .. cardinality(meters) loop
      due_at := least(due_at, credits_private.next_midnight(meters[i].charged_until));
    end loop;
    exit when due_at is null or due_at > until;
    if cardinality(events) > 100000 then
      perform credits_private.fail_invalid('at', 'too_far_ahead', 'Ask for an instant with fewer periods before it.');
    end if;

    foreach event in array slices loop
      if event.at = due_at then
        events := events || event;
        for i in 1 .. cardinality(live) loop
          if live[i].lot_id = event.lot_id then
            live[i].held := live[i].held - event.amount;
            live[i].available := live[i].available + event.amount;
          end if;
        end loop;
      end if;
    end loop;
    if cardinality(slices) > 0 then
      slices := array(select s from unnest(slices) s where s.at > due_at);
    end if;

    foreach event in array credits_private.lapses(live, due_at, events) loop
      events := events || event;
      for i in 1 .. cardinality(live) loop
        if live[i].lot_id = event.lot_id then
          live[i].available := live[i].available - event.amount;
        end if;
      end loop;
    end loop;

    if due_at = account.period_end then
      rolled := credits_private.roll_over(account, live, account.cancels_at_period_end, due_at);
      live := rolled.lots;
      account := credits_private.next_period(account, due_at);
      events := events || rolled.events
        || credits_private.due(account.account_id, due_at, 'period', account => account);

      if account.plan is not null then
        if plan.plan is distinct from account.plan then
          select p.* into plan from credits.plans p where p.plan = account.plan;
        end if;
        -- A period that is resumed has been granted something; one that begins now has not.
        foreach event in array credits_private.refills(account, plan, due_at,
          case when account.period_start < due_at or plan.cadence = 'none'
            then credits_private.granted_in_period(account.account_id, plan, account.period_start)
            else '{}' end, last_lot_id)
        loop
          events := events || event;
          last_lot_id := event.lot_id;
          lot := credits_private.new_lot(account.account_id, event.unit, 'included', event.amount, due_at, event.expires_at, 'refill');
          lot.lot_id := event.lot_id;
          live := live || lot;
        end loop;
      end if;
    end if;

    for i in 1 .. cardinality(meters) loop
      if credits_private.next_midnight(meters[i].charged_until) = due_at then
        charged := credits_private.charge_meter(account, live, meters[i], due_at, events);
        live := charged.lots;
        events := events || charged.events;
        meters[i] := (credits_private.close_day(meters[i], due_at)).closed;
      end if;
    end loop;
    if cardinality(meters) > 0 then
      meters := array(
        select m from unnest(meters) m
        where (m.level > 0 or m.accrued > 0) and credits_private.next_midnight(m.charged_until) <= meters_until);
    end if;

    -- Spent and expired lots fall out, or a long forecast would carry them all along.
    live := array(select l from unnest(live) l where l.available + l.held > 0);
  end loop;

  result := (account, live, events);
  return result;
end
$$;
