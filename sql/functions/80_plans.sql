-- Accounts and their plans.

-- A plan that can be subscribed to: one that the catalog lists, or the one that the account has. PC404.
create or replace function credits_private.find_plan(plan text, present_plan text)
returns credits.plans
language plpgsql stable
as $$
declare
  found_plan credits.plans;
begin
  select p.* into found_plan from credits.plans p where p.plan = find_plan.plan and (p.retired_at is null or p.plan = present_plan);
  if not found then
    perform credits_private.fail_not_found('plan', plan, 'credits.plans lists the plans.');
  end if;
  return found_plan;
end
$$;

-- Ends the plan of a locked, settled account at once: included credits go by the plan's rollover rule, or all of them when
-- the subscription is cancelled. The rest of the period is remembered: see credits.interrupted_periods. Returns the events.
create or replace function credits_private.leave_plan(account credits.accounts, cancelled boolean, at timestamptz)
returns credits_private.due_event[]
language plpgsql volatile
as $$
declare
  lots credits.lots[] := array(select l from credits.lots l where l.account_id = account.account_id and l.open order by l.lot_id);
begin
  if account.period_end > at then
    insert into credits.interrupted_periods as i (account_id, paid, plan, anchor, period_index, period_start, period_end)
    values (account.account_id, credits_private.is_paid(account.plan), account.plan, account.anchor, account.period_index,
      account.period_start, account.period_end)
    on conflict on constraint interrupted_periods_pkey do update
    set plan = excluded.plan, anchor = excluded.anchor, period_index = excluded.period_index, period_start = excluded.period_start,
      period_end = excluded.period_end;
  end if;
  return (credits_private.roll_over(account, lots, cancelled, at)).events;
end
$$;

-- Writes a change of plan into a locked, settled account: what ended, the account as it is now, and what the period of its
-- plan is still granted, beyond what it was granted already.
create or replace function credits_private.take_plan(
  ended credits_private.due_event[], account credits.accounts, plan credits.plans, granted jsonb, at timestamptz)
returns credits.accounts
language plpgsql volatile
as $$
declare
  last_lot_id bigint;
begin
  select coalesce(max(l.lot_id), 0) into last_lot_id from credits.lots l where l.account_id = account.account_id;
  account := credits_private.write_down(account.account_id,
    ended
    || credits_private.due(account.account_id, at, 'period', account => account)
    || case when plan.plan is null then '{}' else credits_private.refills(account, plan, at, granted, last_lot_id) end);
  return account;
end
$$;

-- How two plans compare, unit by unit: equal, larger (in some unit, and smaller in none), or smaller.
create or replace function credits_private.compare_allowances(present_plan text, new_plan text)
returns text
language sql stable
as $$
  select case
    when bool_or(c.new_amount < c.present_amount) then 'smaller'
    when bool_or(c.new_amount > c.present_amount) then 'larger'
    else 'equal'
  end
  from (
    select u.unit,
      coalesce((select a.amount from credits.plan_allowances a where a.plan = present_plan and a.unit = u.unit), 0) as present_amount,
      coalesce((select a.amount from credits.plan_allowances a where a.plan = new_plan and a.unit = u.unit), 0) as new_amount
    from (select distinct a.unit from credits.plan_allowances a where a.plan in (present_plan, new_plan)) u
  ) c
$$;

create or replace function credits.open_account(
  account_id text, plan text default null, anchor timestamptz default null, rate_card text default null)
returns credits.accounts
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  present credits_private.writing;
  chosen credits.plans;
  card text := rate_card;
  fresh boolean;
begin
  perform credits_private.check_service();
  if account_id is null or length(account_id) not between 1 and 64 then
    perform credits_private.fail_invalid('account_id', 'length', 'Give the application''s own id, 1 to 64 characters.');
  end if;
  perform credits_private.check_anchor(anchor);

  if plan is not null then
    chosen := credits_private.find_plan(plan,
      (select a.plan from credits.accounts a where a.account_id = open_account.account_id));
    if rate_card <> chosen.rate_card then
      perform credits_private.fail_invalid('rate_card', 'not_the_plans', 'Leave rate_card out: the plan has one.',
        jsonb_build_object('plan', plan, 'rate_card', chosen.rate_card));
    end if;
    card := chosen.rate_card;
  end if;
  if card is null then
    -- The account keeps the card that it has; a new one takes the only card there is.
    select coalesce(
      (select a.rate_card from credits.accounts a where a.account_id = open_account.account_id),
      (select min(c.rate_card) from credits.rate_cards c having count(*) = 1)) into card;
  end if;
  if card is null or not exists (select from credits.rate_cards c where c.rate_card = card) then
    perform credits_private.fail_invalid('rate_card', case when card is null then 'missing' else 'unknown' end,
      'Name a plan, or one of credits.rate_cards.', jsonb_build_object('rate_card', card));
  end if;

  insert into credits.accounts (account_id, rate_card, opened_at)
  values (account_id, card, credits_private.now())
  on conflict do nothing;
  fresh := found;

  present := credits_private.begin_writing(account_id);
  if fresh and plan is not null then
    return credits_private.change_plan(present.account, chosen, anchor, present.at);
  elsif plan <> (present.account).plan or (plan is not null and (present.account).plan is null) then
    perform credits_private.fail_conflict('open_with_another_plan', 'Change the plan with credits.subscribe.',
      jsonb_build_object('plan', (present.account).plan, 'requested', plan));
  elsif card <> (present.account).rate_card then
    perform credits_private.fail_conflict('open_with_another_rate_card', 'An account keeps its rate card.',
      jsonb_build_object('rate_card', (present.account).rate_card, 'requested', card));
  end if;
  return present.account;
end
$$;
comment on function credits.open_account(text, text, timestamptz, text) is
  'Opens an account, on a plan if one is named: its first allowance is there at once. Repeatable: an open account is returned as it is. anchor sets the phase of the periods (default: now). PC404 unknown plan; PC409 open with another plan or card; PC422 no rate card to choose, or bad account_id. Service only.';

-- Subscribes a locked, settled account to a plan: now, or at the period's end.
create or replace function credits_private.change_plan(
  account credits.accounts, chosen credits.plans, anchor timestamptz, at timestamptz)
returns credits.accounts
language plpgsql volatile
as $$
declare
  present credits.plans;
  chosen_paid boolean := credits_private.is_paid(chosen.plan);
  present_paid boolean;
  interrupted credits.interrupted_periods;
  ended credits_private.due_event[] := '{}';
  comparison text;
begin
  if account.plan is not null then
    select p.* into present from credits.plans p where p.plan = account.plan;
    present_paid := credits_private.is_paid(present.plan);
  end if;

  -- From no plan, from price 0 to paid, or from a plan that has no period to one that has: now. A period of the new plan's
  -- sort that was left before its end is resumed, and counts even where there is no period to resume it in.
  if account.plan is null or (chosen_paid and not present_paid) or (account.period_end is null and chosen.cadence <> 'none') then
    if chosen_paid and not present_paid then
      ended := credits_private.leave_plan(account, false, at);
    end if;
    select i.* into interrupted from credits.interrupted_periods i
    where i.account_id = account.account_id and i.paid = chosen_paid and i.period_end > at;
    if found and chosen.cadence <> 'none' then
      account := credits_private.with_interrupted_period(account, chosen, interrupted);
      -- The plan that was left, if the chosen one has to wait.
      select p.* into chosen from credits.plans p where p.plan = account.plan;
    else
      anchor := coalesce(anchor, at);
      account := credits_private.with_period(account, chosen, anchor, at, credits_private.period_containing(chosen, anchor, at));
    end if;
    return credits_private.take_plan(ended, account, chosen,
      credits_private.granted_in_period(account.account_id, chosen, interrupted.period_start), at);
  end if;

  -- Between plans of one sort whose periods are the same, not smaller in any unit: now, and the period stays as it is. So between
  -- plans that have no period.
  comparison := credits_private.compare_allowances(present.plan, chosen.plan);
  if (chosen_paid = present_paid and comparison <> 'smaller'
      and credits_private.have_same_periods(present, chosen))
    or account.period_end is null then
    account.plan := chosen.plan;
    account.pending_plan := null;
    account.cancels_at_period_end := false;
    return credits_private.take_plan('{}', account, chosen,
      credits_private.granted_in_period(account.account_id, chosen, account.period_start), at);
  end if;

  -- Everything else: at the period's end.
  update credits.accounts a set pending_plan = chosen.plan, cancels_at_period_end = false
  where a.account_id = account.account_id
  returning a.* into account;
  return account;
end
$$;

create or replace function credits.subscribe(account_id text, plan text, anchor timestamptz default null)
returns credits.accounts
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  present credits_private.writing;
  chosen credits.plans;
begin
  perform credits_private.check_service();
  perform credits_private.check_anchor(anchor);
  present := credits_private.begin_writing(account_id);
  chosen := credits_private.find_plan(plan, (present.account).plan);
  if chosen.rate_card <> (present.account).rate_card then
    perform credits_private.fail_conflict('plan_of_another_rate_card', 'Choose a plan of the account''s rate card.',
      jsonb_build_object('plan', plan, 'rate_card', (present.account).rate_card));
  end if;
  return credits_private.change_plan(present.account, chosen, anchor, present.at);
end
$$;
comment on function credits.subscribe(text, text, timestamptz) is
  'Subscribes an account to a plan, or changes its plan. A first plan, and one from price 0 to paid, begins at once with its whole allowance; a larger one with the same cadence, anchoring and time zone takes over at once and adds what it has more; anything else waits for the period''s end (pending_plan). Leaving a plan and coming back within its period resumes it, with the plan that was left if the new one has other periods. anchor sets the phase of the periods (default: now). PC404 unknown account or plan; PC409 a plan of another card. Service only: the application has taken the money.';

create or replace function credits.cancel_subscription(account_id text, immediately boolean default false)
returns credits.accounts
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  present credits_private.writing;
  account credits.accounts;
begin
  perform credits_private.check_service();
  present := credits_private.begin_writing(account_id);
  if (present.account).plan is null then
    return present.account;
  elsif immediately or (present.account).period_end is null then
    return credits_private.take_plan(credits_private.leave_plan(present.account, true, present.at),
      credits_private.without_plan(present.account), null, '{}', present.at);
  end if;
  update credits.accounts a set cancels_at_period_end = true, pending_plan = null
  where a.account_id = (present.account).account_id
  returning a.* into account;
  return account;
end
$$;
comment on function credits.cancel_subscription(text, boolean) is
  'Ends the plan at the period''s end, or at once: the included credits end with it, additional ones stay and stay spendable at the card''s prices. Without a plan it changes nothing. PC404 unknown account. Service only.';

-- PC422.
create or replace function credits_private.check_anchor(anchor timestamptz)
returns void
language plpgsql stable
as $$
begin
  if anchor not between '1900-01-01' and '2200-01-01' then
    perform credits_private.fail_invalid('anchor', 'out_of_range', 'Give a time from 1900 to 2200, or null for now.');
  end if;
end
$$;
