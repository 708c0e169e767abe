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

-- Writes down what has fallen due in accounts that the caller has locked. Each entry bears its own instant, so that the
-- log reads as if it had been written then. Returns the number of entries.
create or replace function credits_private.settle(account_ids text[], until timestamptz)
returns int
language plpgsql volatile
as $$
declare
  due credits_private.due_event[];
  written int;
begin
  due := array(
    select d
    from credits.accounts a
    cross join lateral credits_private.due(a, until) d
    where a.account_id = any (account_ids) and a.next_due_at <= until
    order by d.account_id, d.step);

  with numbered as (
    select d.*, row_number() over (partition by d.account_id order by d.step)::int as seq
    from unnest(due) d where d.kind <> 'period'
  )
  select count(*) into written
  from credits_private.post(
    array(select credits_private.draft_entry(n.account_id, n.seq, n.unit, n.kind, n.at) from numbered n),
    array(
      select (n.account_id, n.seq, 1, n.lot_id,
        case n.kind when 'refill' then n.amount else 0 end, 0,
        case n.kind when 'expiry' then n.amount else 0 end)::credits_private.movement
      from numbered n),
    array(
      select credits_private.draft_lot(n.account_id, n.lot_id, n.unit, n.bucket, n.at, n.expires_at, 'refill')
      from numbered n where n.kind = 'refill'));

  with period as (
    select distinct on (d.account_id) d.* from unnest(due) d where d.kind = 'period' order by d.account_id, d.step desc
  )
  update credits.accounts a
  set period_index = coalesce(p.period_index, a.period_index),
    period_start = coalesce(p.period_start, a.period_start),
    period_end = coalesce(p.period_end, a.period_end),
    next_due_at = credits_private.next_due(a.account_id, coalesce(p.period_end, a.period_end))
  from unnest(account_ids) i(account_id)
  left join period p on p.account_id = i.account_id
  where a.account_id = i.account_id and a.next_due_at <= until;
  return written;
end
$$;

-- The first instant at which something of an account falls due.
create or replace function credits_private.next_due(account_id text, period_end timestamptz)
returns timestamptz
language sql stable
as $$
  select least(period_end, min(l.expires_at), 'infinity')
  from credits.lots l
  where l.account_id = next_due.account_id and l.open and l.available > 0
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
