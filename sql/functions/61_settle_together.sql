-- The plain case of what falls due, a set of accounts at a time: one period of the same plan ends, and with it lots end whole or are
-- carried whole, and the allowance refills. project() defines what falls due, and write_down() writes the same rows.

-- Those of the accounts of which nothing is due but the end of one period, and nothing needs a second look: when that is, and the
-- end of the next one. It is a function so that the planner expects many, and does not compare each with each.
create or replace function credits_private.after_plain_boundary(accounts credits.accounts[], at timestamptz)
returns table (account_id text, plan text, anchor timestamptz, period_index int, period_start timestamptz, period_end timestamptz)
language plpgsql stable rows 50
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
      and a.plan not in (select r.plan from credits.plan_allowances r where r.rollover = 'capped')
      and not exists (select from credits.holds h where h.account_id = a.account_id and h.status = 'open')
      and not exists (select from credits.meters m where m.account_id = a.account_id)
      and not exists (select from credits.top_up_settings t where t.account_id = a.account_id and t.look_again_at is not null)
      and not exists (
        select from credits.lots l
        where l.account_id = a.account_id and l.open and l.expires_at <= at and l.expires_at <> a.period_end);
end
$$;

-- Settles those of the accounts that are locked for which that is all, and returns them as they are then; leaves the others alone.
create or replace function credits_private.settle_together(accounts credits.accounts[], at timestamptz)
returns credits.accounts[]
language plpgsql volatile
-- What an account has is asked for by its id, be it one account or hundreds. Were pages thought dear, a table that is short would be
-- read whole, and once planned, for as long as the session lasts.
set random_page_cost = 0.1
as $$
declare
  settled credits.accounts[];
begin
  with account as materialized (
    select a.*,
      coalesce((select max(e.seq) from credits.entries e where e.account_id = a.account_id), 0) as last_seq,
      coalesce((select max(l.lot_id) from credits.lots l where l.account_id = a.account_id), 0) as last_lot_id
    from credits_private.after_plain_boundary(accounts, at) a
  ),
  -- A line for each open lot and each refill, in the order of project(): lots that expire at the boundary, lots that are reset or
  -- carried, refills. "change" is what it does to the balance; version, spent and forfeited are the lot's after that.
  line as materialized (
    select l.account_id, l.at, l.unit, l.counts_as, l.step, l.version, l.granted, l.spent, l.forfeited, l.expires_at, l.change,
      l.last_seq + count(*) filter (where l.change <> 0) over in_log as seq,
      coalesce(l.lot_id, l.last_lot_id + count(*) filter (where l.step = 3) over in_log) as lot_id,
      sum(l.remaining) over in_unit + sum(l.change) over (in_unit order by l.step, l.lot_id) as balance_after
    from (
      select a.account_id, a.period_start as at, a.last_seq, a.last_lot_id,
        case when l.expires_at = a.period_start then 1 else 2 end as step, l.lot_id, l.unit, l.counts_as,
        l.granted, l.spent, l.granted - l.spent as forfeited, l.version + 1 as version, l.expires_at,
        l.granted - l.spent - l.forfeited as remaining,
        case when l.expires_at = a.period_start or r.unit is not null then l.spent + l.forfeited - l.granted else 0 end as change
      from account a
      join credits.lots l on l.account_id = a.account_id and l.open
      left join credits.plan_allowances r
        on r.plan = a.plan and r.unit = l.unit and r.rollover = 'none' and l.counts_as = 'included'
      union all
      select a.account_id, a.period_start, a.last_seq, a.last_lot_id, 3, null, r.unit, b.counts_as, r.amount, 0, 0, 1,
        case r.rollover when 'none' then a.period_end
          else credits_private.end_of_life(p, a.anchor, a.period_end, r.lives_periods) end,
        0, r.amount
      from account a
      join credits.plans p on p.plan = a.plan
      join credits.plan_allowances r on r.plan = a.plan and r.amount > 0
      join credits.buckets b on b.bucket = 'included'
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
    select l.account_id, l.lot_id, l.unit, b.bucket, b.draw_order, b.counts_as, l.granted, l.at, l.expires_at, 'refill', a.plan
    from line l
    join account a on a.account_id = l.account_id
    join credits.buckets b on b.bucket = 'included'
    where l.step = 3
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
    set period_index = a.period_index, period_start = a.period_start, period_end = a.period_end,
      next_due_at = least(a.period_end, n.expires_at)
    from account a
    left join (
      select l.account_id, min(l.expires_at) as expires_at from line l where l.change = 0 group by l.account_id
    ) n on n.account_id = a.account_id
    where o.account_id = a.account_id
    returning o as account
  )
  select coalesce(array_agg(u.account), '{}') into settled from updated u;

  perform credits_private.top_up_if_low(a, at) from unnest(settled) a where a.top_ups;
  return settled;
end
$$;
