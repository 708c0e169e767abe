-- Lots: whether they are usable, and the order in which they are drawn.

create or replace function credits_private.usable(lot credits.lots, at timestamptz)
returns boolean
language sql immutable
return lot.starts_at <= at and (lot.expires_at is null or lot.expires_at > at);

-- THE DRAW ORDER, as what a lot is sorted by: the bucket's order (included first), lower priority, sooner expiry (never is
-- last), free before paid, granted earlier, lot_id.
create or replace function credits_private.draw_place(lot credits.lots)
returns credits_private.draw_place
language sql immutable
return (lot.draw_order, lot.priority, coalesce(lot.expires_at, 'infinity'), coalesce(lot.price, 0) > 0, lot.starts_at,
  lot.lot_id)::credits_private.draw_place;

create or replace function credits_private.in_draw_order(lots credits.lots[])
returns credits.lots[]
language plpgsql stable
as $$
begin
  if cardinality(lots) < 2 then
    return lots;
  end if;
  return array(select l from unnest(lots) l order by credits_private.draw_place(l));
end
$$;

-- Which lots an amount of a unit is taken from, and how much from each, in draw order. Of additional lots no more than
-- additional_allowed is taken, when that is given. Comes to less than the amount where there is less.
create or replace function credits_private.draw(
  lots credits.lots[], unit text, amount numeric, at timestamptz, additional_allowed numeric)
returns credits_private.slice[]
language plpgsql stable
as $$
declare
  slices credits_private.slice[] := '{}';
  lot credits.lots;
  taken numeric;
begin
  foreach lot in array credits_private.in_draw_order(lots) loop
    exit when amount <= 0;
    continue when lot.unit <> unit or lot.available <= 0 or not credits_private.usable(lot, at);
    taken := least(lot.available, amount);
    if lot.counts_as = 'additional' and additional_allowed is not null then
      taken := least(taken, additional_allowed);
      additional_allowed := additional_allowed - taken;
    end if;
    if taken > 0 then
      slices := slices || (lot.lot_id, lot.counts_as, taken, 0)::credits_private.slice;
      amount := amount - taken;
    end if;
  end loop;
  return slices;
end
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
