-- Beginning to write: the lock, the time, and what has fallen due.

-- Locks an account for the rest of the transaction; every writer of the account comes through here first. PC404.
create or replace function credits_private.lock_account(account_id text)
returns credits.accounts
language plpgsql volatile
as $$
declare
  account credits.accounts;
begin
  select a.* into account from credits.accounts a where a.account_id = lock_account.account_id for no key update;
  if not found then
    perform credits_private.fail_not_found('account', account_id, 'Open it with credits.open_account.');
  end if;
  return account;
end
$$;

-- The account's time: the clock, but never behind its last entry. A writer reads it once, after it has the lock.
create or replace function credits_private.account_time(account_id text)
returns timestamptz
language plpgsql volatile
as $$
declare
  last timestamptz;
begin
  select e.occurred_at into last
  from credits.entries e where e.account_id = account_time.account_id
  order by e.seq desc limit 1;
  return greatest(credits_private.now(), last);
end
$$;

-- Writes events down, of accounts that the caller has locked: those that fell due, or those of a change of plan. Each
-- entry bears its own instant, so that the log reads as if it had been written then.
create or replace function credits_private.write_down(events credits_private.due_event[])
returns void
language plpgsql volatile
as $$
declare
  written int;
begin
  update credits.holds h
  set status = 'expired', ended_at = e.at
  from (select distinct d.account_id, d.hold_id, d.at from unnest(events) d where d.kind = 'hold_end') e
  where h.account_id = e.account_id and h.hold_id = e.hold_id and h.status = 'open';

  update credits.lots l
  set held = l.held - e.returned, expires_at = coalesce(e.expires_at, l.expires_at)
  from (
    select d.account_id, d.lot_id, coalesce(sum(d.amount) filter (where d.kind = 'hold_end'), 0) as returned,
      min(d.expires_at) filter (where d.kind = 'lot_end') as expires_at
    from unnest(events) d where d.kind in ('hold_end', 'lot_end')
    group by d.account_id, d.lot_id
  ) e
  where l.account_id = e.account_id and l.lot_id = e.lot_id;

  with numbered as materialized (
    select d.*, (count(*) filter (where d.kind <> 'slice') over (
      partition by d.account_id order by d.ordinality rows unbounded preceding))::int as seq
    from unnest(events) with ordinality d where d.kind in ('expiry', 'refill', 'meter', 'slice')
  )
  select count(*) into written from credits_private.post(
    array(
      select credits_private.draft_entry(n.account_id, n.seq, n.unit, case n.kind when 'meter' then 'usage' else n.kind end,
        n.at, operation => (n.item).operation, usage => (n.item).usage, breakdown => n.breakdown)
      from numbered n where n.kind <> 'slice'),
    array(
      select (n.account_id, n.seq, coalesce(n.ordinal, 1), n.lot_id, case n.kind when 'refill' then n.amount else 0 end,
        case n.kind when 'slice' then n.amount else 0 end,
        case n.kind when 'expiry' then n.amount else 0 end)::credits_private.movement
      from numbered n where n.kind <> 'meter'),
    array(
      select credits_private.draft_lot(n.account_id, n.lot_id, n.unit, n.bucket, n.at, n.expires_at, 'refill', plan => n.plan)
      from numbered n where n.kind = 'refill'));

  -- The day that is open begins at the last midnight that was charged.
  update credits.meters m
  set accrued = 0, read_at = e.at, charged_until = e.at, shortfall = m.shortfall + e.shortfall
  from (
    select d.account_id, d.meter_id, max(d.at) as at, sum(d.amount) as shortfall
    from unnest(events) d where d.kind = 'meter' group by d.account_id, d.meter_id
  ) e
  where m.account_id = e.account_id and m.meter_id = e.meter_id;

  update credits.accounts a
  set (plan, anchor, period_index, period_start, period_end, pending_plan, cancels_at_period_end)
    = ((e.account).plan, (e.account).anchor, (e.account).period_index, (e.account).period_start, (e.account).period_end,
      (e.account).pending_plan, (e.account).cancels_at_period_end)
  from (
    select distinct on (d.account_id) d.account_id, d.account
    from unnest(events) with ordinality d where d.kind = 'period' order by d.account_id, d.ordinality desc
  ) e
  where a.account_id = e.account_id;

  update credits.accounts a
  set next_due_at = credits_private.next_due(a.account_id, a.period_end)
  where a.account_id in (select d.account_id from unnest(events) d);
end
$$;

-- Settles accounts that the caller has locked: writes down what has fallen due until an instant.
create or replace function credits_private.settle(account_ids text[], until timestamptz)
returns void
language plpgsql volatile
as $$
begin
  perform credits_private.write_down(array(
    select p.events[i]
    from credits.accounts a
    cross join lateral credits_private.project(a, until) p
    cross join lateral generate_subscripts(p.events, 1) i
    where a.account_id = any (account_ids) and a.next_due_at <= until
    order by a.account_id, i));

  -- Where the instant turned out to bring nothing, look ahead again.
  update credits.accounts a
  set next_due_at = credits_private.next_due(a.account_id, a.period_end)
  where a.account_id = any (account_ids) and a.next_due_at <= until;

  perform credits_private.top_up_if_low(a.account_id, until)
  from credits.accounts a
  join credits.top_up_settings t on t.account_id = a.account_id and t.enabled
  where a.account_id = any (account_ids);
end
$$;

-- The first instant at which something of an account falls due.
create or replace function credits_private.next_due(account_id text, period_end timestamptz)
returns timestamptz
language sql stable
as $$
  select least(
    period_end,
    (select min(l.expires_at) from credits.lots l
      where l.account_id = next_due.account_id and l.open and l.available > 0),
    (select min(h.expires_at) from credits.holds h where h.account_id = next_due.account_id and h.status = 'open'),
    (select min(credits_private.next_midnight(m.charged_until)) from credits.meters m
      where m.account_id = next_due.account_id and (m.level > 0 or m.accrued > 0)),
    'infinity')
$$;

-- An account that its writer has locked, settled until "at".
create or replace function credits_private.settled(account credits.accounts, at timestamptz)
returns credits.accounts
language plpgsql volatile
as $$
begin
  if account.next_due_at <= at then
    perform credits_private.settle(array[account.account_id], at);
    select a.* into account from credits.accounts a where a.account_id = account.account_id;
  end if;
  return account;
end
$$;

-- For the worker: settles up to "batch" accounts that are due, skipping those that somebody else is writing to.
-- Returns how many it settled; fewer than "batch" means that the rest is done or in other hands.
create or replace function credits.settle_due(batch int default 500)
returns int
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  at timestamptz;
  due text[];
begin
  perform credits_private.check_service();
  at := credits_private.now();
  due := array(
    select a.account_id from credits.accounts a
    where a.next_due_at <= at and a.next_due_at < 'infinity'
    order by a.next_due_at
    limit batch
    for no key update skip locked);
  if due <> '{}' then
    perform credits_private.settle(due, at);
  end if;
  return cardinality(due);
end
$$;
comment on function credits.settle_due(int) is
  'Writes down what has fallen due (expiries, rollovers, refills) in up to "batch" accounts, skipping locked ones, and returns how many. The worker calls it until it returns 0. Balances never wait for it. Service only.';
