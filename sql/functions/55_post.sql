-- The one writer of entries, postings and lots.
--
-- Callers say what happened, as drafts: entries numbered from 1 in each account, the movements of each entry, and the
-- lots that are new. post() gives them their place in the log, works out every running figure, and writes. It is
-- set-based: one spend or the refills of a thousand accounts are the same statement.
--
-- The caller has the accounts' locks.

create or replace function credits_private.draft_entry(
  account_id text, seq int, unit text, kind text, at timestamptz, operation text default null,
  member_id text default null, usage jsonb default null, breakdown jsonb default null,
  idempotency_key text default null, refunds_seq bigint default null, reason text default null,
  metadata jsonb default null)
returns credits.entries
language plpgsql volatile
as $$
declare
  entry credits.entries;
begin
  entry.account_id := account_id;
  entry.seq := seq;
  entry.unit := unit;
  entry.kind := kind;
  entry.operation := operation;
  entry.member_id := member_id;
  entry.usage := usage;
  entry.breakdown := breakdown;
  entry.idempotency_key := idempotency_key;
  entry.refunds_seq := refunds_seq;
  entry.reason := reason;
  entry.occurred_at := at;
  entry.recorded_at := credits_private.now();
  entry.metadata := metadata;
  return entry;
end
$$;

create or replace function credits_private.post(
  entries credits.entries[], movements credits_private.movement[], lots credits.lots[] default '{}')
returns setof credits.entries
language plpgsql volatile
as $$
#variable_conflict use_column
begin
  return query
    with movement as materialized (
      select m.account_id, m.seq, m.ordinal, m.lot_id, coalesce(l.bucket, n.bucket) as bucket,
        m.granted - m.spent - m.forfeited as amount,
        coalesce(l.version, 0) + row_number() over lot as version,
        coalesce(l.granted, 0) + sum(m.granted) over lot as granted,
        coalesce(l.spent, 0) + sum(m.spent) over lot as spent,
        coalesce(l.forfeited, 0) + sum(m.forfeited) over lot as forfeited,
        row_number() over (partition by m.account_id, m.lot_id order by m.seq desc, m.ordinal desc) = 1 as last
      from unnest(post.movements) m
      left join credits.lots l on l.account_id = m.account_id and l.lot_id = m.lot_id
      left join unnest(post.lots) n on n.account_id = m.account_id and n.lot_id = m.lot_id
      window lot as (partition by m.account_id, m.lot_id order by m.seq, m.ordinal rows unbounded preceding)
    ),
    entry as materialized (
      select e.*, last.seq as last_seq, coalesce(sums.included, 0) as included_sum, coalesce(sums.additional, 0) as additional_sum,
        coalesce(balance.amount, 0)
          + sum(coalesce(sums.included + sums.additional, 0)) over (
            partition by e.account_id, e.unit order by e.seq rows unbounded preceding) as balance
      from unnest(post.entries) e
      cross join lateral (
        select coalesce(max(x.seq), 0) as seq from credits.entries x where x.account_id = e.account_id
      ) last
      left join lateral (
        select sum(l.granted - l.spent - l.forfeited) as amount
        from credits.lots l where l.account_id = e.account_id and l.unit = e.unit and l.open
      ) balance on true
      left join (
        select m.account_id, m.seq,
          coalesce(sum(m.amount) filter (where b.counts_as = 'included'), 0) as included,
          coalesce(sum(m.amount) filter (where b.counts_as = 'additional'), 0) as additional
        from movement m join credits.buckets b on b.bucket = m.bucket
        group by m.account_id, m.seq
      ) sums on sums.account_id = e.account_id and sums.seq = e.seq
    ),
    granted_lot as (
      insert into credits.lots (
        account_id, lot_id, unit, bucket, priority, granted, spent, forfeited, version, starts_at, expires_at, source,
        reason, purchase_id, price, currency)
      select n.account_id, n.lot_id, n.unit, n.bucket, n.priority, m.granted, m.spent, m.forfeited, m.version,
        n.starts_at, n.expires_at, n.source, n.reason, n.purchase_id, n.price, n.currency
      from unnest(post.lots) n
      join movement m on m.account_id = n.account_id and m.lot_id = n.lot_id and m.last
    ),
    moved_lot as (
      update credits.lots l
      set granted = m.granted, spent = m.spent, forfeited = m.forfeited, version = m.version
      from movement m
      where m.last and l.account_id = m.account_id and l.lot_id = m.lot_id
    ),
    posting as (
      insert into credits.postings (account_id, seq, ordinal, lot_id, version, amount, granted, spent, forfeited)
      select m.account_id, e.last_seq + m.seq, m.ordinal, m.lot_id, m.version, m.amount, m.granted, m.spent, m.forfeited
      from movement m
      join entry e on e.account_id = m.account_id and e.seq = m.seq
    ),
    written as (
      insert into credits.entries (
        account_id, seq, unit, kind, operation, amount, included, additional, balance_after, member_id, usage,
        breakdown, idempotency_key, refunds_seq, reason, occurred_at, recorded_at, metadata)
      select e.account_id, e.last_seq + e.seq, e.unit, e.kind, e.operation, e.included_sum + e.additional_sum,
        e.included_sum, e.additional_sum, e.balance, e.member_id, e.usage, e.breakdown, e.idempotency_key,
        e.refunds_seq, e.reason, e.occurred_at, e.recorded_at, e.metadata
      from entry e
      -- The lock rules conflicts out, but for a caller whose snapshot is older than the lock (repeatable read). With this
      -- clause that one gets a serialization failure, which it knows to retry, instead of a duplicate key.
      on conflict (account_id, seq) do nothing
      returning *
    )
    select w.* from written w order by w.account_id, w.seq;
end
$$;
