-- Reading: balances, the log, and what the plan and the card say. Nothing here writes.

-- What was spendable at an instant that is settled: each lot as its last posting until then left it, less the holds that
-- were open.
create or replace function credits_private.past_balances(account credits.accounts, at timestamptz)
returns setof credits.balance
language sql stable
as $$
  with lot as (
    select l.unit, l.counts_as, p.granted - p.spent - p.forfeited - coalesce(h.amount, 0) as available,
      coalesce(h.amount, 0) as held, credits_private.usable(l, at) as usable
    from credits.lots l
    cross join lateral (
      select p.granted, p.spent, p.forfeited
      from credits.postings p
      where p.account_id = l.account_id and p.lot_id = l.lot_id
        and p.seq < credits_private.first_seq_since(l.account_id, at + interval '1 microsecond')
      order by p.version desc
      limit 1
    ) p
    left join lateral (
      select sum(s.amount) as amount
      from credits.hold_lots s
      join credits.holds h on h.account_id = s.account_id and h.hold_id = s.hold_id and h.unit = s.unit
      where s.account_id = l.account_id and s.lot_id = l.lot_id
        and h.authorized_at <= at and h.expires_at > at and (h.ended_at is null or h.ended_at > at)
    ) h on true
    where l.account_id = (past_balances.account).account_id
  )
  select u.unit,
    round(coalesce(sum(l.available) filter (where l.usable and l.counts_as = 'included'), 0), u.scale),
    round(coalesce(sum(l.available) filter (where l.usable and l.counts_as = 'additional'), 0), u.scale),
    round(coalesce(sum(l.held), 0), u.scale),
    round(coalesce(sum(l.available) filter (where l.usable), 0), u.scale),
    coalesce(
      (select min(e.occurred_at) from credits.entries e
        where e.account_id = (past_balances.account).account_id and e.unit = u.unit and e.kind = 'refill' and e.occurred_at > at),
      credits_private.next_refill(past_balances.account, u.unit))
  from credits.units u
  left join lot l on l.unit = u.unit
  where u.rate_card = (past_balances.account).rate_card
  group by u.unit, u.main, u.scale
  order by u.main desc, u.unit
$$;

create or replace function credits.balances(account_id text, at timestamptz default null)
returns setof credits.balance
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  account credits.accounts := credits_private.visible_account(account_id);
  now timestamptz := credits_private.account_time(account_id);
  until timestamptz := coalesce(at, now);
  present credits_private.projection;
begin
  if until > now + interval '100 years' then
    perform credits_private.fail_invalid('at', 'too_far_ahead', 'Give a time within 100 years.');
  end if;

  -- Everything before next_due_at is settled and in the log; what comes after it is projected.
  if until < now and until < account.next_due_at then
    return query select * from credits_private.past_balances(account, until);
    return;
  end if;
  present := credits_private.project(account, until, meters_until => now);
  return query
    select u.unit, round(coalesce(l.included, 0), u.scale), round(coalesce(l.additional, 0), u.scale),
      round(coalesce(l.held, 0), u.scale), round(coalesce(l.included + l.additional, 0), u.scale), credits_private.next_refill(present.account, u.unit)
    from credits.units u
    left join (
      select l.unit,
        coalesce(sum(l.available) filter (where l.counts_as = 'included' and credits_private.usable(l, until)), 0) as included,
        coalesce(sum(l.available) filter (where l.counts_as = 'additional' and credits_private.usable(l, until)), 0) as additional,
        sum(l.held) as held
      from unnest(present.lots) l
      group by l.unit
    ) l on l.unit = u.unit
    where u.rate_card = account.rate_card
    order by u.main desc, u.unit;
end
$$;
comment on function credits.balances(text, timestamptz) is
  'What an account has: one row for every unit of its card, the main unit first. total = included + additional; held is apart. at later than now: a forecast with no further usage and no meters; earlier: what was spendable then. PC403 another account; PC404 unknown account; PC422 over 100 years ahead.';

-- PC422. Kinds are those of the domain credits.entry_kind.
create or replace function credits_private.check_kinds(kinds text[])
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  known text[] := '{refill,grant,purchase,top_up,usage,refund,expiry,revocation}';
begin
  if not kinds <@ known then
    perform credits_private.fail_invalid('kinds', 'unknown_value', 'Give kinds of entries, or null for all.',
      jsonb_build_object('known', known));
  end if;
  return true;
end
$$;

-- Both run with the caller's own rights, so that the planner sees through them: a page costs what the page costs. With an
-- ORDER BY of its own, a caller of the sorted one would have the whole log sorted first; such a caller takes the other.
-- The coalesce is for an account_id of null: the planner would see that nothing equals it, and not check it at all.
create or replace function credits.entries_matching(
  account_id text, since timestamptz default null, until timestamptz default null, kinds text[] default null,
  member_id text default null)
returns setof credits.entries
language sql stable
begin atomic
  select e.*
  from credits.entries e
  where credits_private.check_account(entries_matching.account_id)
    and e.account_id = coalesce(entries_matching.account_id, '')
    and (entries_matching.since is null or e.occurred_at >= entries_matching.since)
    and (entries_matching.until is null or e.occurred_at < entries_matching.until)
    and credits_private.check_kinds(entries_matching.kinds)
    and (entries_matching.kinds is null or e.kind = any (entries_matching.kinds))
    and (entries_matching.member_id is null or e.member_id = entries_matching.member_id);
end;
comment on function credits.entries_matching(text, timestamptz, timestamptz, text[], text) is
  'The same entries as activity, in no order: for a caller that sorts and pages by seq itself, as the API does. PC403 another account; PC404 unknown account; PC422 unknown kinds.';

create or replace function credits.activity(
  account_id text, since timestamptz default null, until timestamptz default null, kinds text[] default null,
  member_id text default null)
returns setof credits.entries
language sql stable
begin atomic
  select e.*
  from credits.entries_matching(
    activity.account_id, activity.since, activity.until, activity.kinds, activity.member_id) e
  order by e.seq desc;
end;
comment on function credits.activity(text, timestamptz, timestamptz, text[], text) is
  'The log of an account, newest first: entries that occurred in [since, until), of these kinds, by this member. Shows what has been settled. PC403 another account; PC404 unknown account; PC422 unknown kinds.';

create or replace function credits.usage_by_day(
  account_id text, since timestamptz default null, until timestamptz default null, time_zone text default 'UTC')
returns setof credits.usage_day
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  first_seq bigint;
  end_seq bigint;
begin
  perform credits_private.visible_account(account_id);
  begin
    perform timestamptz 'epoch' at time zone time_zone;
  exception when invalid_parameter_value then
    perform credits_private.fail_invalid('time_zone', 'unknown', 'Use a name of pg_timezone_names.');
  end;
  first_seq := case when since is null then 1 else credits_private.first_seq_since(account_id, since) end;
  end_seq := credits_private.first_seq_since(account_id, coalesce(until, 'infinity'));
  return query
    select (e.occurred_at at time zone time_zone)::date, e.operation, e.member_id, e.unit, count(*), -sum(e.amount)
    from credits.entries e
    where e.account_id = usage_by_day.account_id and e.seq >= first_seq and e.seq < end_seq and e.kind = 'usage'
    group by 1, 2, 3, 4
    order by 1, 4, 2, 3;
end
$$;
comment on function credits.usage_by_day(text, timestamptz, timestamptz, text) is
  'What was charged in [since, until), by day of the time zone, operation, member and unit; refunds are not taken off. Shows what has been settled. PC403 another account; PC404 unknown account; PC422 unknown time zone.';

create or replace function credits.features(account_id text)
returns setof credits.feature
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  account credits.accounts := credits_private.visible_account(account_id);
begin
  return query
    select f.feature, f.value from credits.plan_features f where f.plan = account.plan order by f.feature;
end
$$;
comment on function credits.features(text) is
  'What the account''s plan includes besides credits. PC403 another account; PC404 unknown account.';

create or replace function credits.rates(account_id text)
returns setof credits.rate
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  account credits.accounts := credits_private.visible_account(account_id);
  at timestamptz := credits_private.now();
begin
  return query
    select o.category, o.operation, o.name, r.component, r.match, r.unit, r.price, r.measure, r.per,
      r.quantity_rounding, r.minimum_quantity, r.tiers, r.minimum_charge, r.maximum_charge, r.optional,
      multiplier.list, r.rate_id
    from credits.operations o
    join credits.card_rates r on r.rate_card = o.rate_card and r.operation = o.operation
      and r.valid_from <= at and r.valid_until > at
    cross join lateral (
      select coalesce(jsonb_agg(
        jsonb_build_object('group', m.multiplier_group, 'match', m.match, 'factor', m.factor)
        order by m.multiplier_group, m.factor, m.match), '[]') as list
      from credits.card_multipliers m
      where m.rate_card = o.rate_card and m.operation = o.operation and m.valid_from <= at and m.valid_until > at
        and (m.component is null or m.component = r.component)
    ) multiplier
    where o.rate_card = account.rate_card and o.retired_at is null
    order by o.category, o.operation, r.component, r.specificity, r.match;
end
$$;
comment on function credits.rates(text) is
  'The rate card that applies to the account now, by category: a row a rate, with the multipliers on it. PC403 another account; PC404 unknown account.';
