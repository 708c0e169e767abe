-- The price of a job for an account, and whether it can be paid. spend() asks the same function before it draws, so that
-- what is shown is what is charged.

-- The gate that an account does not pass for a job, if there is one: every gate that matches must be met.
create or replace function credits_private.unmet_gate(account credits.accounts, top_ups boolean, items credits.item[])
returns credits.gates
language sql stable
as $$
  select g
  from unnest(items) i
  join credits.gates g on g.rate_card = account.rate_card and g.operation = i.operation
  where credits_private.trusted_usage(coalesce(i.usage, '{}'), account.plan, top_ups) @> g.match
    and not case g.requires
      when 'plan' then account.plan is not null and account.plan = any (g.plans)
      when 'top_ups' then top_ups
    end
  order by g.requires, g.gate_id
  limit 1
$$;

create or replace function credits_private.top_ups_enabled(account_id text)
returns boolean
language sql stable
as $$
  select coalesce((select t.enabled from credits.top_up_settings t where t.account_id = top_ups_enabled.account_id), false)
$$;

-- One row a unit. at: the instant of the spend; the account may be due, nothing is written. PC404, PC422.
create or replace function credits_private.assess(account credits.accounts, items credits.item[], at timestamptz)
returns setof credits.quote_line
language plpgsql stable
as $$
declare
  top_ups boolean := credits_private.top_ups_enabled(account.account_id);
  gate text;
begin
  gate := case (credits_private.unmet_gate(account, top_ups, items)).requires
    when 'plan' then 'plan_required' when 'top_ups' then 'top_ups_required' end;
  return query
    select priced.unit, priced.amount, priced.available, priced.blocked_by is null, priced.blocked_by, priced.breakdown
    from (
      select p.unit, p.amount, p.breakdown, usable.available,
        coalesce(gate, case when p.amount > usable.available then 'insufficient_credits' end) as blocked_by
      from credits_private.rate_items(account.rate_card, account.plan, top_ups, items, at) p
      cross join lateral (
        select coalesce(sum(l.available), 0) as available
        from credits_private.lots_at(account, at) l where l.unit = p.unit and l.usable
      ) usable
    ) priced;
end
$$;

create or replace function credits.item(operation text, usage jsonb default '{}')
returns credits.item
language sql immutable
return (operation, coalesce(nullif(usage, 'null'), '{}'))::credits.item;
comment on function credits.item(text, jsonb) is
  'An operation with its usage, for quote_items and spend_items: array[credits.item(''upload'', ''{"asset":"video"}''), ...].';

create or replace function credits.quote_items(account_id text, items credits.item[])
returns setof credits.quote_line
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  account credits.accounts := credits_private.visible_account(account_id);
  at timestamptz := credits_private.account_time(account_id);
begin
  return query select * from credits_private.assess(account, items, at);
end
$$;
comment on function credits.quote_items(text, credits.item[]) is
  'The price of several operations together, before they are spent: one row a unit with amount, what is available, and what blocks it. PC403 another account; PC404 unknown account or operation; PC422 bad usage, or no rate for it.';

create or replace function credits.quote(account_id text, operation text, usage jsonb default '{}')
returns setof credits.quote_line
language sql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
  select * from credits.quote_items(account_id, array[credits.item(operation, usage)])
$$;
comment on function credits.quote(text, text, jsonb) is
  'The price of one operation, before it is spent: one row a unit with amount, what is available, and what blocks it. PC403 another account; PC404 unknown account or operation; PC422 bad usage, or no rate for it.';
