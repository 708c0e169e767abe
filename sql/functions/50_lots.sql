-- Lots: how they stand at an instant, and the order in which they are drawn.

-- A lot that post() is to write; its figures come from the movements. amount is for lots that are only imagined.
create or replace function credits_private.draft_lot(
  account_id text, lot_id bigint, unit text, bucket text, starts_at timestamptz, expires_at timestamptz, source text,
  amount numeric default 0, priority int default 100, reason text default null,
  plan text default null)
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
  lot.plan := plan;
  lot.reason := reason;
  return lot;
end
$$;

create or replace function credits_private.usable(lot credits.lots, at timestamptz)
returns boolean
language sql immutable
return lot.starts_at <= at and (lot.expires_at is null or lot.expires_at > at);

-- THE DRAW ORDER. Which lots an amount of a unit is taken from, and how much from each: the bucket's order (included
-- first), lower priority, sooner expiry (never is last), free before paid, granted earlier, lot_id. Of additional lots no
-- more than additional_allowed is taken, when that is given. The slices come to less than the amount where there is less.
create or replace function credits_private.draw(
  lots credits.lots[], unit text, amount numeric, at timestamptz, additional_allowed numeric)
returns setof credits_private.slice
language sql stable
as $$
  select d.ordinal, d.lot_id, least(d.drawable, draw.amount - d.drawn_before)
  from (
    select o.ordinal, o.lot_id, o.drawable,
      sum(o.drawable) over (order by o.ordinal rows unbounded preceding) - o.drawable as drawn_before
    from (
      select (row_number() over draw_order)::int as ordinal, l.lot_id,
        case when draw.additional_allowed is null or b.counts_as <> 'additional' then l.available
          else greatest(0, least(l.available,
            draw.additional_allowed + l.available - sum(l.available) filter (where b.counts_as = 'additional') over draw_order))
        end as drawable
      from unnest(draw.lots) l
      join credits.buckets b on b.bucket = l.bucket
      where l.unit = draw.unit and l.available > 0 and credits_private.usable(l, draw.at)
      window draw_order as (
        order by b.draw_order, l.priority, l.expires_at nulls last, coalesce(l.price, 0) > 0, l.starts_at, l.lot_id
        rows unbounded preceding)
    ) o
  ) d
  where d.drawable > 0 and d.drawn_before < draw.amount
  order by d.ordinal
$$;

-- When a unit refills next, for an account as project() gives it; null: never.
create or replace function credits_private.next_refill(account credits.accounts, unit text)
returns timestamptz
language sql stable
as $$
  select account.period_end
  from credits.plan_allowances a
  where a.plan = coalesce(account.pending_plan, account.plan) and a.unit = next_refill.unit and a.amount > 0
    and not account.cancels_at_period_end
$$;
