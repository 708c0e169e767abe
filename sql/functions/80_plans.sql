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

-- Begins a plan in a locked, settled account: the period that contains now, and its whole allowance.
create or replace function credits_private.begin_plan(
  account credits.accounts, plan credits.plans, anchor timestamptz, at timestamptz)
returns credits.accounts
language plpgsql volatile
as $$
declare
  n int := credits_private.period_containing(plan, anchor, at);
  last_lot_id bigint;
begin
  select coalesce(max(l.lot_id), 0) into last_lot_id from credits.lots l where l.account_id = account.account_id;
  perform credits_private.post(
    array(
      select credits_private.draft_entry(account.account_id, row_number() over (order by f.lot_id)::int, f.unit, 'refill', at)
      from credits_private.allowance_lots(plan, anchor, n, last_lot_id) f),
    array(
      select (account.account_id, row_number() over (order by f.lot_id)::int, 1, f.lot_id, f.amount, 0, 0)::credits_private.movement
      from credits_private.allowance_lots(plan, anchor, n, last_lot_id) f),
    array(
      select credits_private.draft_lot(account.account_id, f.lot_id, f.unit, 'included', at, f.expires_at, 'refill')
      from credits_private.allowance_lots(plan, anchor, n, last_lot_id) f));

  update credits.accounts a
  set plan = (begin_plan.plan).plan,
    rate_card = (begin_plan.plan).rate_card,
    anchor = begin_plan.anchor,
    period_index = n,
    period_start = credits_private.boundary(begin_plan.plan, begin_plan.anchor, n),
    period_end = credits_private.boundary(begin_plan.plan, begin_plan.anchor, n + 1),
    next_due_at = credits_private.next_due(a.account_id, credits_private.boundary(begin_plan.plan, begin_plan.anchor, n + 1))
  where a.account_id = account.account_id
  returning a.* into account;
  return account;
end
$$;

create or replace function credits.open_account(
  account_id text, plan text default null, anchor timestamptz default null, rate_card text default null)
returns credits.accounts
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  account credits.accounts;
  chosen credits.plans;
  card text := rate_card;
  at timestamptz;
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

  account := credits_private.lock_account(account_id);
  at := credits_private.account_time(account_id);
  account := credits_private.settled(account, at);
  if fresh and plan is not null then
    return credits_private.begin_plan(account, chosen, coalesce(anchor, at), at);
  elsif plan <> account.plan or (plan is not null and account.plan is null) then
    perform credits_private.fail_conflict('open_with_another_plan', 'Change the plan with credits.subscribe.',
      jsonb_build_object('plan', account.plan, 'requested', plan));
  elsif card <> account.rate_card then
    perform credits_private.fail_conflict('open_with_another_rate_card', 'An account keeps its rate card.',
      jsonb_build_object('rate_card', account.rate_card, 'requested', card));
  end if;
  return account;
end
$$;
comment on function credits.open_account(text, text, timestamptz, text) is
  'Opens an account, on a plan if one is named: its first allowance is there at once. Repeatable: an open account is returned as it is. anchor sets the phase of the periods (default: now). PC404 unknown plan; PC409 open with another plan or card; PC422 no rate card to choose, or bad account_id. Service only.';

create or replace function credits.subscribe(account_id text, plan text, anchor timestamptz default null)
returns credits.accounts
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  account credits.accounts;
  chosen credits.plans;
  at timestamptz;
begin
  perform credits_private.check_service();
  perform credits_private.check_anchor(anchor);
  account := credits_private.lock_account(account_id);
  chosen := credits_private.find_plan(plan, account.plan);
  at := credits_private.account_time(account_id);
  account := credits_private.settled(account, at);
  if chosen.rate_card <> account.rate_card then
    perform credits_private.fail_conflict('plan_of_another_rate_card', 'Choose a plan of the account''s rate card.',
      jsonb_build_object('plan', plan, 'rate_card', account.rate_card));
  elsif account.plan = plan then
    return account;
  elsif account.plan is not null then
    perform credits_private.fail_conflict('already_subscribed', 'An account keeps its plan.',
      jsonb_build_object('plan', account.plan, 'requested', plan));
  end if;
  return credits_private.begin_plan(account, chosen, coalesce(anchor, at), at);
end
$$;
comment on function credits.subscribe(text, text, timestamptz) is
  'Subscribes an account to a plan: the period that contains now begins, with its whole allowance. Again with the same plan changes nothing. anchor sets the phase of the periods (default: now). PC404 unknown account or plan; PC409 another plan, or a plan of another card. Service only: the application has taken the money.';

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
