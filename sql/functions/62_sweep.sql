-- The worker's sweep: many accounts in one call, each settled as settled() does it.
--
--   lock, skipping locked ones ──> settle together the accounts of the plain case
--                              ──> the others: account by account, by settled()
--
-- project() defines what falls due. Settling together is its plain case, a set at a time: one period of the same plan ends, and
-- with it lots end whole or are carried whole, and the allowance refills. Both write the same rows.

-- Accounts as rows. It is not inlined, so that the planner expects many and does not compare each with each.
create or replace function credits_private.each_account(accounts credits.accounts[])
returns setof credits.accounts
language plpgsql immutable rows 1000
as $$
begin
  return query select a.* from unnest(accounts) a;
end
$$;

-- Settles those accounts of which nothing is due but the end of one period, and nothing needs a second look; they are locked.
-- Returns them as they are then; the others are left alone.
create or replace function credits_private.settle_together(accounts credits.accounts[], at timestamptz)
returns credits.accounts[]
language plpgsql volatile
as $$
declare
  settled credits.accounts[];
begin
  with account as materialized (
    select a.account_id, a.plan, a.anchor, p as plan_row, a.period_index + 1 as period_index, a.period_end as boundary,
      credits_private.boundary(p, a.anchor, a.period_index + 2) as next_boundary,
      coalesce((select max(e.seq) from credits.entries e where e.account_id = a.account_id), 0) as last_seq,
      coalesce((select max(l.lot_id) from credits.lots l where l.account_id = a.account_id), 0) as last_lot_id
    from credits_private.each_account(accounts) a
    join credits.plans p on p.plan = a.plan
    where a.period_end <= at and a.pending_plan is null and not a.cancels_at_period_end
      and credits_private.boundary(p, a.anchor, a.period_index + 1) = a.period_end
      and credits_private.boundary(p, a.anchor, a.period_index + 2) > at
      and not exists (select from credits.plan_allowances r where r.plan = a.plan and r.rollover = 'capped')
      and not exists (select from credits.holds h where h.account_id = a.account_id and h.status = 'open')
      and not exists (select from credits.meters m where m.account_id = a.account_id)
      and not exists (select from credits.top_up_settings t where t.account_id = a.account_id and t.look_again_at is not null)
      and not exists (
        select from credits.lots l
        left join credits.purchases u on u.account_id = l.account_id and u.purchase_id = l.purchase_id
        where l.account_id = a.account_id and l.open
          and (l.expires_at < a.period_end or (l.expires_at > a.period_end and l.expires_at <= at) or u.shortfall > 0))
  ),
  -- A line for each open lot, in the order of the steps of project() at a boundary: lots that expire at it, lots that are reset or
  -- carried, refills. amount: what it changes.
  line as materialized (
    select l.*, a.boundary, a.last_seq + count(*) filter (where l.amount <> 0) over in_log as seq,
      coalesce(l.present_lot_id, a.last_lot_id + count(*) filter (where l.step = 3) over in_log) as lot_id,
      sum(l.remaining) over in_unit + sum(l.amount) over (in_unit order by l.step, l.present_lot_id) as balance_after
    from account a
    join (
      select a.account_id, case when l.expires_at = a.boundary then 1 else 2 end as step, l.lot_id as present_lot_id, l.unit,
        l.counts_as, l.granted, l.spent, l.forfeited, l.version, l.expires_at, r.unit is not null as is_reset,
        l.granted - l.spent - l.forfeited as remaining,
        case when l.expires_at = a.boundary or r.unit is not null then l.forfeited + l.spent - l.granted else 0 end as amount
      from account a
      join credits.lots l on l.account_id = a.account_id and l.open
      left join credits.plan_allowances r
        on r.plan = a.plan and r.unit = l.unit and r.rollover = 'none' and l.counts_as = 'included'
      union all
      select a.account_id, 3, null, r.unit, b.counts_as, r.amount, 0, 0, 0,
        case r.rollover when 'none' then a.next_boundary
          else credits_private.end_of_life(a.plan_row, a.anchor, a.next_boundary, r.lives_periods) end,
        false, 0, r.amount
      from account a
      join credits.plan_allowances r on r.plan = a.plan and r.amount > 0
      join credits.buckets b on b.bucket = 'included'
    ) l on l.account_id = a.account_id
    window in_unit as (partition by l.account_id, l.unit),
      in_log as (partition by l.account_id order by l.step, case when l.step > 1 then l.unit end, l.present_lot_id)
  ),
  entry as (
    insert into credits.entries (
      account_id, seq, unit, kind, amount, included, additional, balance_after, occurred_at, recorded_at)
    select l.account_id, l.seq, l.unit, case l.step when 3 then 'refill' else 'expiry' end, l.amount,
      case l.counts_as when 'included' then l.amount else 0 end, case l.counts_as when 'included' then 0 else l.amount end,
      l.balance_after, l.boundary, at
    from line l where l.amount <> 0
  ),
  posting as (
    insert into credits.postings (account_id, seq, ordinal, lot_id, version, amount, granted, spent, forfeited)
    select l.account_id, l.seq, 1, l.lot_id, l.version + 1, l.amount, l.granted, l.spent,
      case l.step when 3 then 0 else l.forfeited - l.amount end
    from line l where l.amount <> 0
  ),
  refilled as (
    insert into credits.lots (
      account_id, lot_id, unit, bucket, draw_order, counts_as, granted, starts_at, expires_at, source, plan)
    select l.account_id, l.lot_id, l.unit, b.bucket, b.draw_order, b.counts_as, l.granted, l.boundary, l.expires_at, 'refill', a.plan
    from line l
    join account a on a.account_id = l.account_id
    join credits.buckets b on b.bucket = 'included'
    where l.step = 3
  ),
  ended as (
    update credits.lots o
    set forfeited = o.forfeited - l.amount, version = o.version + 1, open = false,
      expires_at = case when l.is_reset then least(o.expires_at, l.boundary) else o.expires_at end
    from line l
    where o.account_id = l.account_id and o.lot_id = l.lot_id and l.step < 3 and l.amount <> 0
  ),
  -- What is reset has ended, also for what a refund returns to it later.
  spent as (
    update credits.lots o set expires_at = a.boundary
    from account a
    join credits.plan_allowances r on r.plan = a.plan and r.rollover = 'none'
    where o.account_id = a.account_id and o.unit = r.unit and o.counts_as = 'included' and not o.open
      and (o.expires_at > a.boundary) is not false
  ),
  updated as (
    update credits.accounts o
    set period_index = a.period_index, period_start = a.boundary, period_end = a.next_boundary,
      next_due_at = least(a.next_boundary, n.expires_at)
    from account a
    left join (
      select l.account_id, min(l.expires_at) as expires_at from line l where l.amount = 0 group by l.account_id
    ) n on n.account_id = a.account_id
    where o.account_id = a.account_id
    returning o as account
  )
  select array_agg(u.account) into settled from updated u;

  perform credits_private.top_up_if_low(a, at)
  from unnest(settled) a
  join credits.top_up_settings t on t.account_id = a.account_id and t.enabled;
  return coalesce(settled, '{}');
end
$$;

-- Settles accounts that are locked, and returns how many. One that cannot be settled must not hold up the others: where a batch
-- fails, its halves are tried.
create or replace function credits_private.settle_all(accounts credits.accounts[], at timestamptz)
returns int
language plpgsql volatile
as $$
declare
  count int := cardinality(accounts);
  settled credits.accounts[];
begin
  settled := credits_private.settle_together(accounts, at);
  perform credits_private.settled(a, at) from unnest(accounts) a
  where a.account_id not in (select s.account_id from unnest(settled) s);
  perform credits_private.tell_watchers(a) from unnest(accounts) a where a.watched_until is not null;
  return count;
exception when others then
  if count = 1 then
    raise warning 'account % cannot be settled: %', accounts[1].account_id, sqlerrm;
    return 0;
  end if;
  return credits_private.settle_all(accounts[:count / 2], at) + credits_private.settle_all(accounts[count / 2 + 1:], at);
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
  at timestamptz := credits_private.now();
  accounts credits.accounts[];
begin
  perform credits_private.check_service();
  accounts := array(
    select a from credits.accounts a
    where a.next_due_at <= at and a.next_due_at < 'infinity'
    order by a.next_due_at
    limit greatest(batch, 0)
    for no key update skip locked);
  return credits_private.settle_all(accounts, at);
end
$$;
comment on function credits.settle_due(int) is
  'Writes down what has fallen due (expiries, rollovers, refills, ends of holds, meters) in up to "batch" accounts, skipping locked ones, and returns how many. The worker calls it until it returns 0. Balances never wait for it. Service only.';
