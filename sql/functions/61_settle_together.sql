-- The plain case of what falls due, a set of accounts at a time: one period of the same plan ends, and with it lots end whole or are
-- carried whole, and the allowance refills. project() defines what falls due, and write_down() writes the same rows.

-- Those of the accounts of which nothing is due but the end of one period, and nothing needs a second look: when that is, and the
-- end of the next one. With "offset 0" what an account has is looked up by its index, however little there is in the table.
create or replace function credits_private.after_plain_boundary(accounts credits.accounts[], at timestamptz)
returns table (account_id text, plan text, anchor timestamptz, period_index int, period_start timestamptz, period_end timestamptz)
language plpgsql stable rows 1
as $$
#variable_conflict use_column
begin
  return query
    select a.account_id, a.plan, a.anchor, a.period_index + 1, a.period_end, credits_private.boundary(p, a.anchor, a.period_index + 2)
    from unnest(accounts) a
    join credits.plans p on p.plan = a.plan
    where a.period_end <= at and credits_private.boundary(p, a.anchor, a.period_index + 2) > at
      and credits_private.boundary(p, a.anchor, a.period_index + 1) = a.period_end
      and a.pending_plan is null and not a.cancels_at_period_end
      and not exists (select from credits.plan_allowances r where r.plan = a.plan and r.rollover = 'capped' offset 0)
      and not exists (select from credits.holds h where h.account_id = a.account_id and h.status = 'open' offset 0)
      and not exists (select from credits.meters m where m.account_id = a.account_id offset 0)
      and not exists (select from credits.top_up_settings t where t.account_id = a.account_id and t.look_again_at is not null offset 0)
      and not exists (
        select from credits.lots l
        where l.account_id = a.account_id and l.open and l.expires_at <= at and l.expires_at <> a.period_end offset 0);
end
$$;

-- Settles those of the accounts that are locked for which that is all, and returns their ids; leaves the others alone.
--
-- For one account as for hundreds, what an account has is asked for by key: so no line is joined with another, and the planner is kept
-- from reading whole what is short on the day that it plans.
create or replace function credits_private.settle_together(accounts credits.accounts[], at timestamptz)
returns text[]
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_bitmapscan = off
as $$
declare
  settled text[];
begin
  if not credits_private.sees_what_it_locked() then
    return '{}';
  end if;

  with account as materialized (
    select a.*,
      coalesce((select max(e.seq) from credits.entries e where e.account_id = a.account_id), 0) as last_seq,
      coalesce((select max(l.lot_id) from credits.lots l where l.account_id = a.account_id), 0) as last_lot_id
    from credits_private.after_plain_boundary(accounts, at) a
  ),
  -- A line for each open lot, each refill and each account, in the order of project(): lots that expire at the boundary (1), lots
  -- that are reset or carried (2), refills (3), the next period (4). "change" is what it does to the balance; version, spent and
  -- forfeited are the lot's after that. What does not change falls due when it expires.
  line as materialized (
    select l.account_id, l.plan, l.at, l.unit, l.counts_as, l.step, l.version, l.granted, l.spent, l.forfeited, l.expires_at, l.change,
      l.last_seq + count(*) filter (where l.change <> 0) over in_log as seq,
      coalesce(l.lot_id, l.last_lot_id + count(*) filter (where l.step = 3) over in_log) as lot_id,
      sum(l.remaining) over in_unit + sum(l.change) over (in_unit order by l.step, l.lot_id) as balance_after,
      min(l.expires_at) filter (where l.change = 0) over in_log as next_due_at
    from (
      select a.account_id, a.plan, a.period_start as at, a.last_seq, a.last_lot_id,
        case when l.expires_at = a.period_start then 1 else 2 end as step, l.lot_id, l.unit, l.counts_as,
        l.granted, l.spent, l.granted - l.spent as forfeited, l.version + 1 as version, l.expires_at,
        l.granted - l.spent - l.forfeited as remaining,
        case when l.expires_at = a.period_start or (l.counts_as = 'included' and exists (
            select from credits.plan_allowances r where r.plan = a.plan and r.unit = l.unit and r.rollover = 'none' offset 0))
          then l.spent + l.forfeited - l.granted else 0 end as change
      from account a
      join credits.lots l on l.account_id = a.account_id and l.open
      union all
      select a.account_id, a.plan, a.period_start, a.last_seq, a.last_lot_id, 3, null, r.unit,
        (select b.counts_as from credits.buckets b where b.bucket = 'included'), r.amount, 0, 0, 1,
        case r.rollover when 'none' then a.period_end
          else credits_private.end_of_life(p, a.anchor, a.period_end, r.lives_periods) end,
        0, r.amount
      from account a
      join credits.plans p on p.plan = a.plan
      join credits.plan_allowances r on r.plan = a.plan and r.amount > 0
      union all
      select a.account_id, a.plan, a.period_start, a.last_seq, a.last_lot_id, 4, null, null, null, null, null, null, null,
        a.period_end, 0, 0
      from account a
    ) l
    window in_unit as (partition by l.account_id, l.unit),
      in_log as (partition by l.account_id order by l.step, case when l.step > 1 then l.unit end, l.lot_id)
  ),
  entry as (
    insert into credits.entries (
      account_id, seq, unit, kind, amount, included, additional, balance_after, occurred_at, recorded_at)
    select l.account_id, l.seq, l.unit, case l.step when 3 then 'refill' else 'expiry' end, l.change,
      case l.counts_as when 'included' then l.change else 0 end, case l.counts_as when 'included' then 0 else l.change end,
      l.balance_after, l.at, credits_private.now()
    from line l where l.change <> 0
  ),
  posting as (
    insert into credits.postings (account_id, seq, ordinal, lot_id, version, amount, granted, spent, forfeited)
    select l.account_id, l.seq, 1, l.lot_id, l.version, l.change, l.granted, l.spent, l.forfeited
    from line l where l.change <> 0
  ),
  refilled as (
    insert into credits.lots (
      account_id, lot_id, unit, bucket, draw_order, counts_as, granted, starts_at, expires_at, source, plan)
    select l.account_id, l.lot_id, l.unit, 'included', (select b.draw_order from credits.buckets b where b.bucket = 'included'),
      l.counts_as, l.granted, l.at, l.expires_at, 'refill', l.plan
    from line l where l.step = 3
  ),
  ended as (
    update credits.lots o
    set forfeited = l.forfeited, version = l.version, open = false, expires_at = least(o.expires_at, l.at)
    from line l
    where o.account_id = l.account_id and o.lot_id = l.lot_id and l.step < 3 and l.change <> 0
  ),
  -- What is reset has ended, also for what a refund returns to it later.
  reset as (
    update credits.lots o set expires_at = a.period_start
    from account a
    where o.account_id = a.account_id and o.counts_as = 'included' and not o.open
      and (o.expires_at > a.period_start) is not false
      and (a.plan, o.unit) in (select r.plan, r.unit from credits.plan_allowances r where r.rollover = 'none')
  ),
  updated as (
    update credits.accounts o
    set period_index = o.period_index + 1, period_start = l.at, period_end = l.expires_at, next_due_at = l.next_due_at
    from line l
    where o.account_id = l.account_id and l.step = 4
    returning o.account_id
  )
  select coalesce(array_agg(u.account_id), '{}') into settled from updated u;

  perform credits_private.top_up_if_low(a, at)
  from credits.accounts a
  where a.account_id = any (settled) and a.top_ups;
  return settled;
end
$$;
