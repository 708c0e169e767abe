-- The worker's sweep: many accounts in one call, each settled as settled() does it.
--
--   lock, skipping locked ones ──> settle together the accounts of the plain case
--                              ──> the others: account by account

-- Locks up to "batch" accounts that are due, the longest overdue first, without waiting for those that somebody else writes to, and
-- without those that were put off.
create or replace function credits_private.lock_due(batch int, at timestamptz)
returns credits.accounts[]
language plpgsql volatile
as $$
begin
  return array(
    select a from credits.accounts a
    where a.next_due_at <= at and a.next_due_at < 'infinity' and (a.sweep_again_at <= at) is not false
    order by a.next_due_at
    limit greatest(batch, 0)
    for no key update skip locked);
end
$$;

-- Settles accounts that are locked, and returns how many.
create or replace function credits_private.settle_all(accounts credits.accounts[], at timestamptz)
returns int
language plpgsql volatile
as $$
declare
  settled text[] := credits_private.settle_together(accounts, at);
begin
  perform credits_private.settle_event_by_event(a, at) from unnest(accounts) a
  where a.account_id not in (select unnest(settled));
  perform credits_private.tell_watchers(a) from unnest(accounts) a where a.watched_until is not null;
  return cardinality(accounts);
end
$$;

-- The same, where one cannot be settled: it must not hold up the others. It is found by halves, and put off for an hour, or as many
-- of them as fill a batch would be all that the sweep ever sees. A stale snapshot says nothing of an account: the caller tries again.
create or replace function credits_private.settle_others(accounts credits.accounts[], at timestamptz)
returns int
language plpgsql volatile
as $$
declare
  count int := cardinality(accounts);
begin
  return credits_private.settle_all(accounts, at);
exception when serialization_failure then
  raise;
when others then
  if count = 1 then
    raise warning 'Account % cannot be settled: %', accounts[1].account_id, sqlerrm;
    update credits.accounts a set sweep_again_at = at + interval '1 hour' where a.account_id = accounts[1].account_id;
    return 1;
  end if;
  return credits_private.settle_others(accounts[:count / 2], at) + credits_private.settle_others(accounts[count / 2 + 1:], at);
end
$$;

-- For the worker: settles up to "batch" accounts that are due, skipping those that somebody else is writing to.
-- Returns how many it dealt with; fewer than "batch" means that the rest is done or in other hands.
create or replace function credits.settle_due(batch int default 500)
returns int
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  at timestamptz := credits_private.now();
begin
  perform credits_private.check_service();
  -- Accounts are locked in the block that updates them. Otherwise two transactions, in PostgreSQL's eyes, have marked each row, and
  -- an index scan never takes its entry for dead: each batch would walk past all that were settled before it.
  begin
    return credits_private.settle_all(credits_private.lock_due(batch, at), at);
  exception when serialization_failure then
    raise;
  when others then
    return credits_private.settle_others(credits_private.lock_due(batch, at), at);
  end;
end
$$;
comment on function credits.settle_due(int) is
  'Writes down what has fallen due (expiries, rollovers, refills, ends of holds, meters) in up to "batch" accounts, skipping locked ones, and returns how many. One that cannot be settled is named in a warning, counted, and tried again in an hour. The worker calls it until it returns 0. Balances never wait for it. Service only.';
