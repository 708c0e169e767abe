-- The one writer of entries, postings and lots. Every change of a balance comes through post(), under the account's lock.

-- A lot as it is to be written. lot_id is given by post().
create or replace function credits_private.new_lot(
  account_id text, unit text, bucket text, amount numeric, starts_at timestamptz, expires_at timestamptz, source text)
returns credits.lots
language plpgsql stable
as $$
declare
  lot credits.lots;
begin
  lot.account_id := account_id;
  lot.unit := unit;
  lot.bucket := bucket;
  select b.draw_order, b.counts_as into lot.draw_order, lot.counts_as from credits.buckets b where b.bucket = new_lot.bucket;
  lot.priority := 100;
  lot.granted := amount;
  lot.spent := 0;
  lot.held := 0;
  lot.forfeited := 0;
  lot.available := amount;
  lot.version := 1;
  lot.starts_at := starts_at;
  lot.expires_at := expires_at;
  lot.source := source;
  return lot;
end
$$;

create or replace function credits_private.new_entry(account_id text, unit text, kind text, at timestamptz)
returns credits.entries
language plpgsql immutable
as $$
declare
  entry credits.entries;
begin
  entry.account_id := account_id;
  entry.unit := unit;
  entry.kind := kind;
  entry.occurred_at := at;
  return entry;
end
$$;

-- Writes an entry, with what it does to lots: the slices of lots that there are, in order, and lots that are new. Gives
-- the entry its place in the log, works out the figures of entry, lots and postings, and returns the entry.
create or replace function credits_private.post(
  entry credits.entries, slices credits_private.slice[], new_lots credits.lots[] default '{}')
returns credits.entries
language plpgsql volatile
as $$
declare
  last record;
  figures record;
  slice credits_private.slice;
  lot credits.lots;
  ordinal int := 0;
begin
  entry.included := 0;
  entry.additional := 0;
  foreach slice in array slices loop
    if slice.counts_as = 'included' then
      entry.included := entry.included - slice.spent - slice.forfeited;
    else
      entry.additional := entry.additional - slice.spent - slice.forfeited;
    end if;
  end loop;
  foreach lot in array new_lots loop
    if lot.counts_as = 'included' then
      entry.included := entry.included + lot.granted;
    else
      entry.additional := entry.additional + lot.granted;
    end if;
  end loop;
  entry.amount := entry.included + entry.additional;

  -- The place after the last entry. Its balance is the one to go on from, if it is in the same unit.
  select e.seq, e.unit, e.balance_after into last
  from credits.entries e where e.account_id = entry.account_id order by e.seq desc limit 1;
  entry.seq := coalesce(last.seq, 0) + 1;
  if last.unit = entry.unit then
    entry.balance_after := last.balance_after + entry.amount;
  else
    select coalesce(sum(l.granted - l.spent - l.forfeited), 0) + entry.amount into entry.balance_after
    from credits.lots l where l.account_id = entry.account_id and l.unit = entry.unit and l.open;
  end if;

  entry.recorded_at := credits_private.now();
  if current_setting('transaction_isolation') = 'read committed' then
    insert into credits.entries select entry.*;
  else
    -- A caller whose snapshot is older than the lock gets a serialization failure, which it knows to retry, instead of a
    -- duplicate key.
    insert into credits.entries select entry.* on conflict (account_id, seq) do nothing;
  end if;

  foreach slice in array slices loop
    ordinal := ordinal + 1;
    update credits.lots l
    set spent = l.spent + slice.spent, forfeited = l.forfeited + slice.forfeited, version = l.version + 1,
      open = l.granted - l.spent - l.forfeited > slice.spent + slice.forfeited
    where l.account_id = entry.account_id and l.lot_id = slice.lot_id
    returning l.version, l.granted, l.spent, l.forfeited into figures;
    insert into credits.postings (account_id, seq, ordinal, lot_id, version, amount, granted, spent, forfeited)
    values (entry.account_id, entry.seq, ordinal, slice.lot_id, figures.version, -slice.spent - slice.forfeited,
      figures.granted, figures.spent, figures.forfeited);
  end loop;

  foreach lot in array new_lots loop
    ordinal := ordinal + 1;
    select coalesce(max(l.lot_id), 0) + 1 into lot.lot_id from credits.lots l where l.account_id = lot.account_id;
    insert into credits.lots (
      account_id, lot_id, unit, bucket, draw_order, counts_as, priority, granted, starts_at, expires_at, source, plan, reason,
      purchase_id, price, currency)
    values (lot.account_id, lot.lot_id, lot.unit, lot.bucket, lot.draw_order, lot.counts_as, lot.priority, lot.granted,
      lot.starts_at, lot.expires_at, lot.source, lot.plan, lot.reason, lot.purchase_id, lot.price, lot.currency);
    insert into credits.postings (account_id, seq, ordinal, lot_id, version, amount, granted, spent, forfeited)
    values (lot.account_id, entry.seq, ordinal, lot.lot_id, 1, lot.granted, lot.granted, 0, 0);
  end loop;
  return entry;
end
$$;
