-- Beginning to write: the lock, the time, and what has fallen due.

-- Whether a writer sees all that was committed before it had its lock: at read committed. Above that its snapshot may be older, and
-- then it must write by post(), which tells its caller to try again.
create or replace function credits_private.sees_what_it_locked()
returns boolean
language sql stable
return current_setting('transaction_isolation') = 'read committed';

-- Locks an account for the rest of the transaction; every writer of the account comes through here first. PC404, unless it
-- need not exist: then null.
create or replace function credits_private.lock_account(account_id text, must_exist boolean default true)
returns credits.accounts
language plpgsql volatile
as $$
declare
  account credits.accounts;
begin
  select a.* into account from credits.accounts a where a.account_id = lock_account.account_id for no key update;
  if not found and must_exist then
    perform credits_private.fail_not_found('account', account_id, 'Open it with credits.open_account.');
  end if;
  if account.watched_until is not null then
    perform credits_private.tell_watchers(account);
  end if;
  return account;
end
$$;

-- The account's time: the clock, but never behind its last entry. A writer reads it once, after it has the lock.
create or replace function credits_private.account_time(account_id text)
returns timestamptz
language plpgsql volatile
as $$
begin
  return greatest(credits_private.now(), (
    select e.occurred_at from credits.entries e where e.account_id = account_time.account_id order by e.seq desc limit 1));
end
$$;

-- Writes events down, of one account that the caller has locked: those that fell due, or those of a change of plan. Each
-- entry bears its own instant, so that the log reads as if it had been written then. Returns the account after them.
create or replace function credits_private.write_down(account_id text, events credits_private.due_event[])
returns credits.accounts
language plpgsql volatile
as $$
declare
  event credits_private.due_event;
  lot credits.lots;
  account credits.accounts;
begin
  foreach event in array events loop
    case event.kind
      when 'hold_end' then
        update credits.holds h set status = 'expired', ended_at = event.at
        where h.account_id = write_down.account_id and h.hold_id = event.hold_id and h.status = 'open';
        update credits.lots l set held = l.held - event.amount
        where l.account_id = write_down.account_id and l.lot_id = event.lot_id;
      when 'reset' then
        update credits.lots l set expires_at = event.at
        where l.account_id = write_down.account_id and l.counts_as = 'included' and (l.expires_at > event.at) is not false
          and (event.plan is null or l.unit in (
            select a.unit from credits.plan_allowances a where a.plan = event.plan and a.rollover = 'none'));
      when 'take_back' then
        perform credits_private.take_back_returned(account_id, event);
      when 'top_up' then
        -- settle_event_by_event() looks; whether it is still to be put off shows then.
        update credits.top_up_settings t set look_again_at = null where t.account_id = write_down.account_id;
      when 'expiry' then
        perform credits_private.post(account_id, event.unit, 'expiry', event.at,
          array[(event.lot_id, event.counts_as, 0, event.amount)::credits_private.slice]);
      when 'refill' then
        lot := credits_private.new_lot(account_id, event.unit, 'included', event.amount, event.at, event.expires_at, 'refill');
        lot.plan := event.plan;
        perform credits_private.post(account_id, event.unit, 'refill', event.at, '{}', array[lot]);
      when 'period' then
        account := event.account;
      when 'meter' then
        perform credits_private.post(account_id, event.unit, 'usage', event.at, event.slices,
          operation => (event.item).operation, usage => (event.item).usage, breakdown => event.breakdown);
        update credits.meters m
        set accrued = 0, read_at = event.at, charged_until = event.at,
          -- Settling an account must not fail: what is beyond all counting is not counted.
          shortfall = least(m.shortfall + event.amount, 1e18)
        where m.account_id = write_down.account_id and m.meter_id = event.meter_id;
    end case;
  end loop;

  if account.account_id is not null then
    update credits.accounts a
    set plan = account.plan, anchor = account.anchor, period_index = account.period_index, period_start = account.period_start,
      period_end = account.period_end, pending_plan = account.pending_plan, cancels_at_period_end = account.cancels_at_period_end,
      next_due_at = credits_private.next_due(write_down.account_id, account.period_end)
    where a.account_id = write_down.account_id
    returning a.* into account;
    return account;
  end if;
  return credits_private.look_ahead(account_id);
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
    (select t.look_again_at from credits.top_up_settings t where t.account_id = next_due.account_id),
    'infinity')
$$;

-- Brings next_due_at up to date, after something that may have changed it.
create or replace function credits_private.look_ahead(account_id text)
returns credits.accounts
language plpgsql volatile
as $$
declare
  account credits.accounts;
begin
  update credits.accounts a set next_due_at = credits_private.next_due(a.account_id, a.period_end)
  where a.account_id = look_ahead.account_id
  returning a.* into account;
  return account;
end
$$;

-- Settles an account that its writer has locked, whatever has fallen due: what project() lists is written down.
create or replace function credits_private.settle_event_by_event(account credits.accounts, at timestamptz)
returns credits.accounts
language plpgsql volatile
as $$
declare
  events credits_private.due_event[] := (credits_private.project(account, at)).events;
begin
  account := credits_private.write_down(account.account_id, events);
  -- next_due_at may be too early: what it announced has been spent by then.
  if cardinality(events) > 0 then
    perform credits_private.top_up_if_low(account, at);
  end if;
  return account;
end
$$;

-- An account that its writer has locked, settled until "at". Mostly a period has ended and that is all, the plain case.
create or replace function credits_private.settled(account credits.accounts, at timestamptz)
returns credits.accounts
language plpgsql volatile
as $$
begin
  if account.next_due_at > at then
    return account;
  end if;
  if account.period_end <= at and credits_private.settle_together(array[account], at) <> '{}' then
    select a.* into account from credits.accounts a where a.account_id = account.account_id;
    return account;
  end if;
  return credits_private.settle_event_by_event(account, at);
end
$$;

-- How a writer begins: it locks the account, reads the account's time once, and settles it. PC404.
create or replace function credits_private.begin_writing(account_id text)
returns credits_private.writing
language plpgsql volatile
as $$
declare
  account credits.accounts := credits_private.lock_account(account_id);
  at timestamptz := credits_private.account_time(account_id);
begin
  return (credits_private.settled(account, at), at)::credits_private.writing;
end
$$;
