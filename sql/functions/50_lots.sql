-- Lots: how they stand at an instant, and the order in which they are drawn.

-- A lot that post() is to write; its figures come from the movements. amount is for lots that are only imagined.
create or replace function credits_private.draft_lot(
  account_id text, lot_id bigint, unit text, bucket text, starts_at timestamptz, expires_at timestamptz, source text,
  amount numeric default 0, priority int default 100, reason text default null)
returns credits.lots
language plpgsql immutable
as $$
declare
  lot credits.lots;
begin
  lot.account_id := account_id;
  lot.lot_id := lot_id;
  lot.unit := unit;
  lot.bucket := bucket;
  lot.priority := priority;
  lot.granted := amount;
  lot.spent := 0;
  lot.held := 0;
  lot.forfeited := 0;
  lot.available := amount;
  lot.version := 1;
  lot.starts_at := starts_at;
  lot.expires_at := expires_at;
  lot.source := source;
  lot.reason := reason;
  return lot;
end
$$;

-- The open lots of an account as they stand at an instant, now or later, with what falls due until then taken into
-- account and nothing written. After settle() this is just the table.
create or replace function credits_private.lots_at(account credits.accounts, at timestamptz)
returns table (lot_id bigint, unit text, bucket text, available numeric, held numeric, usable boolean)
language plpgsql stable
as $$
begin
  if account.next_due_at > at then
    return query
      select l.lot_id, l.unit, l.bucket, l.available::numeric, l.held::numeric,
        l.starts_at <= at and (l.expires_at is null or l.expires_at > at)
      from credits.lots l
      where l.account_id = account.account_id and l.open;
    return;
  end if;
  return query
    with due as materialized (select d.* from credits_private.due(account, at) d),
    lot as (
      select l.lot_id, l.unit, l.bucket, l.available::numeric, l.held::numeric, l.starts_at, l.expires_at
      from credits.lots l
      where l.account_id = account.account_id and l.open
      union all
      select d.lot_id, d.unit, d.bucket, d.amount, 0, d.at, d.expires_at from due d where d.kind = 'refill'
    ),
    ended as (select d.lot_id, sum(d.amount) as amount from due d where d.kind = 'expiry' group by d.lot_id)
    select l.lot_id, l.unit, l.bucket, l.available - coalesce(e.amount, 0), l.held,
      l.starts_at <= at and (l.expires_at is null or l.expires_at > at)
    from lot l left join ended e on e.lot_id = l.lot_id;
end
$$;

-- THE DRAW ORDER. Which lots an amount is taken from, and how much from each: the bucket's order (included first), lower
-- priority, sooner expiry (never is last), free before paid, granted earlier, lot_id. The slices come to less than the
-- amount when the account has less. The account must be settled until "at".
create or replace function credits_private.draw(account_id text, unit text, amount numeric, at timestamptz)
returns setof credits_private.slice
language sql stable
as $$
  select ordered.ordinal::int, ordered.lot_id, least(ordered.available, draw.amount - ordered.drawn_before)
  from (
    select l.lot_id, l.available::numeric, row_number() over draw_order as ordinal,
      sum(l.available) over draw_order - l.available as drawn_before
    from credits.lots l
    join credits.buckets b on b.bucket = l.bucket
    where l.account_id = draw.account_id and l.unit = draw.unit and l.open and l.available > 0
      and l.starts_at <= draw.at and (l.expires_at is null or l.expires_at > draw.at)
    window draw_order as (
      order by b.draw_order, l.priority, l.expires_at nulls last, coalesce(l.price, 0) > 0, l.starts_at, l.lot_id
      rows unbounded preceding)
  ) ordered
  where ordered.drawn_before < draw.amount
$$;

-- The account as it stands at an instant, now or later: the period that contains it.
create or replace function credits_private.account_at(account credits.accounts, at timestamptz)
returns credits.accounts
language plpgsql stable
as $$
declare
  period credits_private.due_event;
begin
  if account.next_due_at <= at then
    select d.* into period from credits_private.due(account, at) d where d.kind = 'period' order by d.step desc limit 1;
    if found then
      account.period_index := period.period_index;
      account.period_start := period.period_start;
      account.period_end := period.period_end;
    end if;
  end if;
  return account;
end
$$;

-- When a unit refills next, for an account as account_at gives it; null: never.
create or replace function credits_private.next_refill(account credits.accounts, unit text)
returns timestamptz
language sql stable
as $$
  select account.period_end
  from credits.plan_allowances a
  where a.plan = account.plan and a.unit = next_refill.unit and a.amount > 0
$$;
