-- Periods, and what falls due by itself.
--
-- due() is the one definition: given an account as it stands, it lists what falls due until an instant, boundary by
-- boundary. settle() writes that down, lots_at() looks at it without writing: so the worker's sweep, the settlement
-- before a spend, a balance and a forecast cannot disagree.

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

-- What a plan grants at the start of period n: a lot a unit, as drafts. lot_ids count on from last_lot_id.
create or replace function credits_private.allowance_lots(
  plan credits.plans, anchor timestamptz, n int, last_lot_id bigint)
returns table (unit text, lot_id bigint, amount numeric, expires_at timestamptz)
language sql stable
as $$
  select a.unit, last_lot_id + row_number() over (order by a.unit), a.amount::numeric,
    case
      when n is null then null
      when a.rollover = 'none' then credits_private.boundary(allowance_lots.plan, anchor, n + 1)
      else credits_private.boundary(allowance_lots.plan, anchor, n + a.lives_periods)
    end
  from credits.plan_allowances a
  where a.plan = (allowance_lots.plan).plan and a.amount > 0
  order by a.unit
$$;

-- What falls due in (the last settlement, until], in the order in which it takes effect. At one instant: lots expire,
-- then included credits roll over or reset, then the allowance refills. kind is expiry (of lot_id), refill (a new lot) or
-- period (the next one begins). PC422 when until is so far ahead that there is no end to it.
create or replace function credits_private.due(account credits.accounts, until timestamptz)
returns setof credits_private.due_event
language plpgsql stable
as $$
declare
  live credits.lots[];
  plan credits.plans;
  at timestamptz;
  step int := 0;
  last_lot_id bigint;
  allowance credits.plan_allowances;
  included text[] := array(select b.bucket from credits.buckets b where b.counts_as = 'included');
  excess numeric;
  trimmed numeric;
  fresh record;
begin
  if account.next_due_at > until then
    return;
  end if;
  select p.* into plan from credits.plans p where p.plan = account.plan;
  live := array(select l from credits.lots l where l.account_id = account.account_id and l.open order by l.lot_id);
  select coalesce(max(l.lot_id), 0) into last_lot_id from credits.lots l where l.account_id = account.account_id;

  loop
    -- A lot that has expired but holds back something is past: only what is available still has to end.
    select min(l.expires_at) into at from unnest(live) l where l.available > 0;
    at := least(at, account.period_end);
    exit when at is null or at > until;
    if step > 100000 then
      perform credits_private.fail_invalid('at', 'too_far_ahead', 'Ask for an instant with fewer periods before it.');
    end if;

    for i in 1 .. cardinality(live) loop
      if live[i].available > 0 and live[i].expires_at <= at then
        step := step + 1;
        return next (account.account_id, step, at, 'expiry', live[i].unit, live[i].lot_id, live[i].bucket,
          live[i].available, null, null, null, null)::credits_private.due_event;
        live[i].available := 0;
      end if;
    end loop;

    if at = account.period_end then
      -- What is carried over the boundary, under the rule of the period that ends: the oldest is trimmed first, and
      -- what is held never is, though it counts.
      for allowance in select a.* from credits.plan_allowances a where a.plan = account.plan order by a.unit loop
        select sum(l.available + l.held) into excess
        from unnest(live) l where l.unit = allowance.unit and l.bucket = any (included);
        excess := excess - case allowance.rollover
          when 'none' then 0
          when 'capped' then trunc(
            coalesce(allowance.rollover_cap, allowance.rollover_cap_multiple * allowance.amount),
            (select u.scale from credits.units u where u.rate_card = plan.rate_card and u.unit = allowance.unit))
          else excess
        end;
        for i in 1 .. cardinality(live) loop
          if excess > 0 and live[i].available > 0 and live[i].unit = allowance.unit and live[i].bucket = any (included) then
            trimmed := least(live[i].available, excess);
            step := step + 1;
            return next (account.account_id, step, at, 'expiry', live[i].unit, live[i].lot_id, live[i].bucket,
              trimmed, null, null, null, null)::credits_private.due_event;
            live[i].available := live[i].available - trimmed;
            excess := excess - trimmed;
          end if;
        end loop;
      end loop;

      -- Once, but for a day that a time zone leaves out (Apia's December 30th of 2011): no time is in it, so no period is.
      account.period_start := at;
      while account.period_end <= at loop
        account.period_index := account.period_index + 1;
        account.period_end := credits_private.boundary(plan, account.anchor, account.period_index + 1);
      end loop;
      step := step + 1;
      return next (account.account_id, step, at, 'period', null, null, null, null, null,
        account.period_index, account.period_start, account.period_end)::credits_private.due_event;

      for fresh in
        select * from credits_private.allowance_lots(plan, account.anchor, account.period_index, last_lot_id)
      loop
        step := step + 1;
        last_lot_id := fresh.lot_id;
        return next (account.account_id, step, at, 'refill', fresh.unit, fresh.lot_id, 'included', fresh.amount,
          fresh.expires_at, null, null, null)::credits_private.due_event;
        live := live || credits_private.draft_lot(account.account_id, fresh.lot_id, fresh.unit, 'included', at,
          fresh.expires_at, 'refill', amount => fresh.amount);
      end loop;
    end if;

    -- Spent and expired lots fall out, or a long forecast would carry them all along.
    live := array(select l from unnest(live) l where l.available + l.held > 0);
  end loop;
end
$$;
