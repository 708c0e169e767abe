-- The audit: everything that the constraints cannot see.

create or replace function credits.verify(account_id text default null)
returns setof credits.violation
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform credits_private.check_auditor();
  if verify.account_id is null then
    return query select v.account_id, v.rule, v.detail from credits_private.violations v order by v.account_id, v.rule, v.detail::text;
  else
    -- By its keys, however large the ledger is.
    return query
      select v.account_id, v.rule, v.detail from credits_private.violations v
      where v.account_id = verify.account_id order by v.rule, v.detail::text;
  end if;
end
$$;
comment on function credits.verify(text) is
  'Audits the ledger, of one account or of all: a row for every invariant that does not hold, none when it is sound. PC403 unless service or analyst.';

create or replace view credits_private.violations as
-- The log has no gaps and never goes back in time.
select e.account_id, 'seq_has_a_gap' as rule, jsonb_build_object('seq', e.seq, 'expected', e.place) as detail
from (select account_id, seq, row_number() over (partition by account_id order by seq) as place from credits.entries) e
where e.seq <> e.place
union all
select e.account_id, 'time_goes_back', jsonb_build_object('seq', e.seq, 'occurred_at', e.occurred_at, 'previous', e.previous)
from (
  select account_id, seq, occurred_at, lag(occurred_at) over (partition by account_id order by seq) as previous
  from credits.entries
) e
where e.occurred_at < e.previous
union all
-- An entry belongs to an account, and a posting to an entry and a lot.
select e.account_id, 'entry_of_no_account', jsonb_build_object('seq', e.seq)
from credits.entries e
where not exists (select from credits.accounts a where a.account_id = e.account_id)
union all
select p.account_id, 'posting_of_no_entry', jsonb_build_object('seq', p.seq, 'lot_id', p.lot_id)
from credits.postings p
where not exists (select from credits.entries e where e.account_id = p.account_id and e.seq = p.seq)
union all
select p.account_id, 'posting_of_no_lot', jsonb_build_object('seq', p.seq, 'lot_id', p.lot_id)
from credits.postings p
where not exists (select from credits.lots l where l.account_id = p.account_id and l.lot_id = p.lot_id)
union all
-- A lot has the draw order of its bucket, and counts as it does. (Its account is that of its entry: each has a posting.)
select l.account_id, 'lot_is_not_as_its_bucket',
  jsonb_build_object('lot_id', l.lot_id, 'bucket', l.bucket, 'draw_order', l.draw_order, 'counts_as', l.counts_as)
from credits.lots l
where not exists (
  select from credits.buckets b where b.bucket = l.bucket and b.draw_order = l.draw_order and b.counts_as = l.counts_as)
union all
-- A balance is the running sum of the amounts.
select e.account_id, 'balance_is_not_the_running_sum',
  jsonb_build_object('seq', e.seq, 'unit', e.unit, 'balance_after', e.balance_after, 'sum', e.running)
from (
  select account_id, seq, unit, balance_after, sum(amount) over (partition by account_id, unit order by seq) as running
  from credits.entries
) e
where e.balance_after <> e.running
union all
-- An entry is the sum of its postings, bucket by bucket.
select e.account_id, 'entry_is_not_the_sum_of_its_postings',
  jsonb_build_object('seq', e.seq, 'included', e.included, 'additional', e.additional,
    'postings_included', coalesce(p.included, 0), 'postings_additional', coalesce(p.additional, 0))
from credits.entries e
left join (
  select p.account_id, p.seq, sum(p.amount) filter (where l.counts_as = 'included') as included,
    sum(p.amount) filter (where l.counts_as = 'additional') as additional
  from credits.postings p
  join credits.lots l on l.account_id = p.account_id and l.lot_id = p.lot_id
  group by p.account_id, p.seq
) p on p.account_id = e.account_id and p.seq = e.seq
where e.included <> coalesce(p.included, 0) or e.additional <> coalesce(p.additional, 0)
union all
-- An entry moves lots of its own unit.
select p.account_id, 'posting_is_in_another_unit',
  jsonb_build_object('seq', p.seq, 'lot_id', p.lot_id, 'unit', e.unit, 'lot_unit', l.unit)
from credits.postings p
join credits.entries e on e.account_id = p.account_id and e.seq = p.seq
join credits.lots l on l.account_id = p.account_id and l.lot_id = p.lot_id
where e.unit <> l.unit
union all
-- A breakdown explains what was charged.
select e.account_id, 'breakdown_does_not_add_up',
  jsonb_build_object('seq', e.seq, 'amount', e.amount, 'breakdown', b.amount)
from credits.entries e
cross join lateral (
  -- Whatever was put there, the audit goes on.
  select sum(case jsonb_typeof(l.value -> 'amount') when 'number' then (l.value ->> 'amount')::numeric end) as amount
  from jsonb_array_elements(case jsonb_typeof(e.breakdown) when 'array' then e.breakdown end) l
) b
where e.kind = 'usage' and -e.amount <> coalesce(b.amount, 0)
union all
-- Each posting continues from the one before it.
select p.account_id, 'posting_does_not_follow',
  jsonb_build_object('lot_id', p.lot_id, 'version', p.version, 'seq', p.seq)
from (
  select p.*, row_number() over lot as place,
    p.granted - p.spent - p.forfeited - coalesce(lag(p.granted - p.spent - p.forfeited) over lot, 0) as change,
    lag(p.seq) over lot as previous_seq
  from credits.postings p
  window lot as (partition by p.account_id, p.lot_id order by p.version)
) p
where p.version <> p.place or p.amount <> p.change or p.previous_seq > p.seq
union all
-- A lot is as its last posting left it.
select l.account_id, 'lot_is_not_as_its_last_posting',
  jsonb_build_object('lot_id', l.lot_id, 'version', l.version, 'last_version', p.version,
    'granted', l.granted, 'spent', l.spent, 'forfeited', l.forfeited)
from credits.lots l
left join (
  select distinct on (p.account_id, p.lot_id) p.* from credits.postings p order by p.account_id, p.lot_id, p.version desc
) p on p.account_id = l.account_id and p.lot_id = l.lot_id
where (l.version, l.granted, l.spent, l.forfeited) is distinct from (p.version, p.granted, p.spent, p.forfeited)
union all
-- A lot is open as long as anything is left in it.
select l.account_id, 'lot_is_open_or_closed_by_mistake', jsonb_build_object('lot_id', l.lot_id, 'open', l.open)
from credits.lots l
where l.open <> (l.granted - l.spent - l.forfeited > 0)
union all
-- Nothing is held but by an open hold.
select l.account_id, 'held_is_not_the_sum_of_open_holds',
  jsonb_build_object('lot_id', l.lot_id, 'held', l.held, 'holds', coalesce(h.amount, 0))
from credits.lots l
left join (
  select s.account_id, s.lot_id, sum(s.amount) as amount
  from credits.hold_lots s
  join credits.holds h on h.account_id = s.account_id and h.hold_id = s.hold_id and h.unit = s.unit
  where h.status = 'open'
  group by s.account_id, s.lot_id
) h on h.account_id = l.account_id and h.lot_id = l.lot_id
where l.held <> coalesce(h.amount, 0)
union all
-- A hold is the sum of its slices.
select h.account_id, 'hold_is_not_the_sum_of_its_slices',
  jsonb_build_object('hold_id', h.hold_id, 'unit', h.unit, 'amount', h.amount, 'slices', coalesce(s.amount, 0))
from credits.holds h
left join (
  select s.account_id, s.hold_id, s.unit, sum(s.amount) as amount from credits.hold_lots s group by s.account_id, s.hold_id, s.unit
) s on s.account_id = h.account_id and s.hold_id = h.hold_id and s.unit = h.unit
where h.amount <> coalesce(s.amount, 0)
union all
-- No more is refunded than was charged.
select e.account_id, 'refunded_more_than_charged', jsonb_build_object('seq', e.seq, 'charged', -e.amount, 'refunded', r.amount)
from credits.entries e
join (
  select r.account_id, r.refunds_seq, sum(r.amount) as amount
  from credits.entries r where r.kind = 'refund' group by r.account_id, r.refunds_seq
) r on r.account_id = e.account_id and r.refunds_seq = e.seq
where r.amount > -e.amount
union all
-- A settled purchase granted one lot of its amount; another one granted none.
select p.account_id, 'purchase_is_not_its_lot',
  jsonb_build_object('purchase_id', p.purchase_id, 'status', p.status, 'amount', p.amount, 'granted', coalesce(l.granted, 0))
from credits.purchases p
left join (
  select l.account_id, l.purchase_id, sum(l.granted) as granted from credits.lots l
  where l.purchase_id is not null group by l.account_id, l.purchase_id
) l on l.account_id = p.account_id and l.purchase_id = p.purchase_id
where coalesce(l.granted, 0) <> case when p.settled_at is null then 0 else p.amount end
union all
-- While a purchase is short, its lot has nothing to spend.
select p.account_id, 'purchase_is_short_of_what_its_lot_has',
  jsonb_build_object('purchase_id', p.purchase_id, 'shortfall', p.shortfall, 'lot_id', l.lot_id, 'available', l.available)
from credits.purchases p
join credits.lots l on l.account_id = p.account_id and l.purchase_id = p.purchase_id
where p.shortfall > 0 and l.available > 0
union all
-- An account says of its settings and keys what there is.
select a.account_id, 'top_ups_are_not_as_set', jsonb_build_object('top_ups', a.top_ups)
from credits.accounts a
left join credits.top_up_settings t on t.account_id = a.account_id
where a.top_ups <> coalesce(t.enabled, false)
union all
select k.account_id, 'other_key_is_overlooked', jsonb_build_object('idempotency_key', k.idempotency_key)
from credits_private.used_keys k
join credits.accounts a on a.account_id = k.account_id and not a.has_other_keys
where k.seq is null
union all
-- What falls due is not overlooked.
select a.account_id, 'due_later_than_it_falls_due',
  jsonb_build_object('next_due_at', a.next_due_at, 'falls_due', least(a.period_end, l.expires_at, h.expires_at, m.due_at, t.look_again_at))
from credits.accounts a
left join (
  select account_id, min(expires_at) as expires_at from credits.lots where open and available > 0 group by account_id
) l on l.account_id = a.account_id
left join (
  select account_id, min(expires_at) as expires_at from credits.holds where status = 'open' group by account_id
) h on h.account_id = a.account_id
left join (
  select account_id, min(credits_private.next_midnight(charged_until)) as due_at from credits.meters
  where level > 0 or accrued > 0 group by account_id
) m on m.account_id = a.account_id
left join credits.top_up_settings t on t.account_id = a.account_id
where a.next_due_at > least(a.period_end, l.expires_at, h.expires_at, m.due_at, t.look_again_at)
union all
-- Price lists are as the rates and multipliers. (Of no account: a card is everybody's.)
select null, 'price_list_is_not_as_its_rates', jsonb_build_object('rate_card', o.rate_card, 'operation', o.operation)
from credits.operations o
left join credits_private.price_lists l on l.rate_card = o.rate_card and l.operation = o.operation
cross join lateral credits_private.price_list(o.rate_card, o.operation, l.since) p
where l.operation is null or (l.component_count, l.rates, l.multipliers) is distinct from (p.component_count, p.rates, p.multipliers);
