-- The writer of entries, postings and lots. A change of a balance comes through post(), under the account's lock; but for the plain
-- cases that are written as sets, by charge_together() and settle_together(), to the same effect.

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

-- Writes an entry, with what it does to lots: the slices of lots that there are, in order, and lots that are new. Gives
-- the entry its place in the log, works out the figures of entry, lots and postings, and returns the entry.
-- last_seq and balance: the account's last entry, and the balance of the unit, for callers that have read them.
create or replace function credits_private.post(
  account_id text, unit text, kind text, at timestamptz, slices credits_private.slice[],
  new_lots credits.lots[] default '{}', operation text default null, usage jsonb default null, breakdown jsonb default null,
  member_id text default null, idempotency_key text default null, metadata jsonb default null,
  refunds_seq bigint default null, hold_id bigint default null, purchase_id bigint default null, reason text default null,
  last_seq bigint default null, balance numeric default null)
returns credits.entries
language plpgsql volatile
as $$
declare
  last record;
  included numeric := 0;
  additional numeric := 0;
  slice credits_private.slice;
  lot credits.lots;
  entry credits.entries;
  figures record;
  ordinal int := 0;
begin
  if last_seq is null then
    select e.seq, e.unit, e.balance_after into last
    from credits.entries e where e.account_id = post.account_id order by e.seq desc limit 1;
    last_seq := coalesce(last.seq, 0);
    balance := case when last.unit = unit then last.balance_after end;
  end if;
  if balance is null then
    select coalesce(sum(l.granted - l.spent - l.forfeited), 0) into balance
    from credits.lots l where l.account_id = post.account_id and l.unit = post.unit and l.open;
  end if;

  foreach slice in array slices loop
    if slice.counts_as = 'included' then
      included := included - slice.spent - slice.forfeited;
    else
      additional := additional - slice.spent - slice.forfeited;
    end if;
  end loop;
  foreach lot in array new_lots loop
    if lot.counts_as = 'included' then
      included := included + lot.granted;
    else
      additional := additional + lot.granted;
    end if;
  end loop;

  entry := (account_id, last_seq + 1, unit, kind, operation, included + additional, included, additional,
    balance + included + additional, member_id, usage, breakdown, idempotency_key, refunds_seq, hold_id, purchase_id, reason,
    at, credits_private.now(), metadata)::credits.entries;
  if credits_private.sees_what_it_locked() then
    insert into credits.entries select entry.*;
  else
    -- A caller whose snapshot is older than the lock gets a serialization failure, which it knows to retry, instead of a
    -- duplicate key.
    insert into credits.entries select entry.* on conflict on constraint entries_pkey do nothing;
  end if;

  foreach slice in array slices loop
    ordinal := ordinal + 1;
    update credits.lots l
    set spent = l.spent + slice.spent, forfeited = l.forfeited + slice.forfeited, version = l.version + 1,
      open = l.granted - l.spent - l.forfeited > slice.spent + slice.forfeited
    where l.account_id = post.account_id and l.lot_id = slice.lot_id
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
