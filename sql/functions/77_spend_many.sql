-- Many spends in one call, each with the outcome that it would have alone.
--
--   lock and settle the accounts ──> charge together those whose requests all fit
--                                ──> the others: request by request, as spend does
--
-- Charging together is spend's rules for the plain case, a set at a time: new keys, no limit in the way, and enough for all.
-- Where the draw order puts an account's lots end to end, and its requests end to end as well, each request takes the lots
-- that it lies over.
--
-- requests and accounts are asked by place, as in requests[i], where they are needed: that is cheaper than to carry their columns
-- along. It holds for a generic plan, and not in a FOR loop, where each place is found by counting from the first.

-- A request's way alone, without raising the errors of the contract. The account is locked.
create or replace function credits_private.try_spend(request credits.spend_request, request_index int)
returns setof credits.spend_result
language plpgsql volatile
as $$
declare
  replayed boolean := request.idempotency_key is not null and exists (
    select from credits.entries e
    where e.account_id = request.account_id and e.idempotency_key = request.idempotency_key);
  result credits.spend_result;
  detail text;
begin
  return query
    select (credits_private.spend_result(request_index, case when replayed then 'replayed' else 'ok' end, e)).*
    from unnest(credits_private.charge(request.account_id, array[credits.item(request.operation, request.usage)],
      request.idempotency_key, request.member_id, request.max_amount, request.metadata)) e;
exception when sqlstate 'PC402' or sqlstate 'PC403' or sqlstate 'PC404' or sqlstate 'PC409' or sqlstate 'PC422' then
  get stacked diagnostics result.error_code = returned_sqlstate, detail = pg_exception_detail, result.error_hint = pg_exception_hint;
  result.request_index := request_index;
  result.status := 'refused';
  result.error_detail := detail;
  result.account_id := request.account_id;
  result.operation := request.operation;
  result.member_id := request.member_id;
  result.usage := request.usage;
  result.idempotency_key := request.idempotency_key;
  result.metadata := request.metadata;
  return next result;
end
$$;

create or replace function credits_private.spend_result(request_index int, status text, entry credits.entries)
returns credits.spend_result
language sql immutable
return (request_index, status, null, null, entry.account_id, entry.seq, entry.unit, entry.kind, entry.operation, entry.amount,
  entry.included, entry.additional, entry.balance_after, entry.member_id, entry.usage, entry.breakdown, entry.idempotency_key,
  entry.occurred_at, entry.recorded_at, entry.metadata, null)::credits.spend_result;

-- Requests with their prices, a line for each unit; a line without a unit where the job is refused, whatever for: request by request
-- it shows why. last_seq is the account's last place in the log. Requests of accounts where more than their credits may be in the
-- way are left out. A thousand requests mostly ask for the same few jobs, so it is these that are priced. ROWS has the planner
-- expect many, and not compare each with each.
create or replace function credits_private.priced_lines(
  requests credits.spend_request[], accounts credits.accounts[], at timestamptz)
returns table (index int, account_id text, last_seq bigint, place bigint, unit text, amount numeric, breakdown jsonb)
language plpgsql stable rows 1000
as $$
declare
  jobs credits_private.asked_job[];
  job credits_private.asked_job;
  account credits.accounts;
  prices credits_private.price[];
begin
  jobs := array(
    with account as materialized (
      select a.account_id, a.rate_card, a.plan, coalesce(t.enabled, false) as top_ups, coalesce(e.seq, 0) as last_seq,
        a.next_due_at > at and a.additional_enabled and a.additional_period_limit is null
          and coalesce(e.occurred_at <= at, true) as is_plain
      from generate_subscripts(accounts, 1) i
      cross join lateral (select (accounts[i]).*) a
      left join credits.top_up_settings t on t.account_id = a.account_id
      left join lateral (
        select e.seq, e.occurred_at from credits.entries e where e.account_id = a.account_id order by e.seq desc limit 1) e on true
    )
    select (a.rate_card, a.plan, a.top_ups, r.operation, coalesce(nullif(r.usage, 'null'), '{}'),
      array_agg(i), array_agg(a.account_id), array_agg(a.last_seq))::credits_private.asked_job
    from generate_subscripts(requests, 1) i
    cross join lateral (select (requests[i]).*) r
    join account a on a.account_id = r.account_id and a.is_plain
    group by a.rate_card, a.plan, a.top_ups, r.operation, coalesce(nullif(r.usage, 'null'), '{}'));
  foreach job in array jobs loop
    account.rate_card := job.rate_card;
    account.plan := job.plan;
    begin
      prices := credits_private.price_job(account, job.top_ups, array[credits.item(job.operation, job.usage)], null, at);
    exception when sqlstate 'PC403' or sqlstate 'PC404' or sqlstate 'PC422' then
      prices := null;
    end;
    return query
      select r.index, r.account_id, r.last_seq, p.ordinality, p.unit, p.amount, p.breakdown
      from unnest(job.indexes, job.account_ids, job.last_seqs) r(index, account_id, last_seq)
      left join unnest(prices) with ordinality p on true;
  end loop;
end
$$;

-- Charges the requests of those accounts that can pay all of theirs and where nothing needs a second look; the accounts are
-- locked and settled. Returns what it charged; the requests of the other accounts are left alone.
create or replace function credits_private.charge_together(
  requests credits.spend_request[], accounts credits.accounts[], at timestamptz)
returns credits_private.charged[]
language plpgsql volatile
as $$
declare
  result credits_private.charged[];
begin
  with line as materialized (
    select l.index, l.account_id collate "C" as account_id, l.last_seq, l.place, l.unit, l.amount, l.breakdown
    from credits_private.priced_lines(requests, accounts, at) l
  ),
  -- Accounts with a request that needs a second look: theirs go one by one. With "offset 0" each key is looked up by the index; the
  -- planner would rather read the whole log into memory, while it is short.
  special as materialized (
    select l.account_id
    from line l
    cross join lateral (select (requests[l.index]).*) r
    where l.unit is null
      or not credits_private.fits(r.idempotency_key) or not credits_private.fits(r.member_id)
      or (r.max_amount is not null and (l.place > 1 or (r.max_amount between l.amount and 1e18) is not true))
      or (r.idempotency_key is not null and exists (
        select from credits.entries e where e.account_id = l.account_id and e.idempotency_key = r.idempotency_key offset 0))
      or (r.member_id is not null and exists (
        select from credits.members m
        where m.account_id = l.account_id and m.member_id = r.member_id and m.period_cap is not null offset 0))
    union all
    select l.account_id
    from line l
    join credits.holds h on h.account_id = l.account_id and h.idempotency_key = (requests[l.index]).idempotency_key
    union all
    select l.account_id
    from line l
    join credits.purchases p on p.account_id = l.account_id and p.idempotency_key = (requests[l.index]).idempotency_key
    union all
    select l.account_id
    from line l
    cross join lateral (select (requests[l.index]).*) r
    where l.place = 1 and r.idempotency_key is not null
    group by l.account_id, r.idempotency_key having count(*) > 1
  ),
  -- The lines of an account and unit lie end to end, each over (upto - amount, upto].
  charge as materialized (
    select l.*, sum(l.amount) over (partition by l.account_id, l.unit order by l.index) as upto
    from line l
    where l.account_id not in (select s.account_id from special s)
  ),
  -- The accounts' lots in draw order, end to end likewise.
  lot as materialized (
    select w.account_id, w.unit, w.total, l.lot_id, l.counts_as, l.granted, l.spent, l.forfeited, l.version, l.available,
      sum(l.available) over (partition by w.account_id, w.unit order by l.place) as upto,
      sum(l.granted - l.spent - l.forfeited) over (partition by w.account_id, w.unit) as balance,
      row_number() over (partition by w.account_id, w.unit order by l.place) as number
    from (select c.account_id, c.unit, sum(c.amount) as total from charge c group by c.account_id, c.unit) w
    left join lateral (
      select l.lot_id, l.counts_as, l.granted, l.spent, l.forfeited, l.version, credits_private.draw_place(l) as place,
        case when credits_private.usable(l, at) then l.available else 0 end as available
      from credits.lots l where l.account_id = w.account_id and l.unit = w.unit and l.open
      offset 0
    ) l on true
  ),
  short as materialized (
    select l.account_id from lot l group by l.account_id, l.unit, l.total having coalesce(max(l.upto), 0) < l.total
  ),
  -- What each line takes of each lot that it lies over. A line of nothing is held against the first one.
  slice as materialized (
    select c.index, c.account_id, c.unit, c.breakdown, l.lot_id, l.granted, l.spent, l.forfeited, l.version, t.taken,
      coalesce(l.balance, 0) - c.upto as balance_after,
      c.last_seq + dense_rank() over (partition by c.account_id order by c.index, c.place) as seq,
      row_number() over (partition by c.account_id, c.index, c.place order by l.upto) as ordinal,
      sum(t.taken) filter (where l.counts_as = 'included') over (partition by c.account_id, c.index, c.place) as included,
      sum(t.taken) filter (where l.counts_as = 'additional') over (partition by c.account_id, c.index, c.place) as additional
    from charge c
    join lot l on l.account_id = c.account_id and l.unit = c.unit
      and case when c.amount > 0 then l.upto > c.upto - c.amount and c.upto > l.upto - l.available else l.number = 1 end
    cross join lateral (
      select greatest(0, least(c.upto, l.upto) - greatest(c.upto - c.amount, l.upto - l.available)) as taken) t
    where c.account_id not in (select s.account_id from short s)
  ),
  entry as (
    insert into credits.entries (
      account_id, seq, unit, kind, operation, amount, included, additional, balance_after, member_id, usage, breakdown,
      idempotency_key, occurred_at, recorded_at, metadata)
    select s.account_id, s.seq, s.unit, 'usage', r.operation, -coalesce(s.included, 0) - coalesce(s.additional, 0),
      -coalesce(s.included, 0), -coalesce(s.additional, 0), s.balance_after, r.member_id, coalesce(nullif(r.usage, 'null'), '{}'), s.breakdown,
      r.idempotency_key, at, at, r.metadata
    from slice s
    cross join lateral (select (requests[s.index]).*) r
    where s.ordinal = 1
  ),
  posting as (
    insert into credits.postings (account_id, seq, ordinal, lot_id, version, amount, granted, spent, forfeited)
    select s.account_id, s.seq, s.ordinal, s.lot_id, s.version + row_number() over in_lot, -s.taken, s.granted,
      s.spent + sum(s.taken) over in_lot, s.forfeited
    from slice s
    where s.taken > 0
    window in_lot as (partition by s.account_id, s.lot_id order by s.seq)
  ),
  drawn as (
    update credits.lots l
    set spent = l.spent + s.taken, version = l.version + s.postings, open = l.granted - l.spent - l.forfeited > s.taken
    from (
      select s.account_id, s.lot_id, sum(s.taken) as taken, count(*) as postings
      from slice s where s.taken > 0 group by s.account_id, s.lot_id
    ) s
    where l.account_id = s.account_id and l.lot_id = s.lot_id
  )
  select array_agg((s.index, s.seq, s.unit, -coalesce(s.included, 0), -coalesce(s.additional, 0), s.balance_after,
    s.breakdown)::credits_private.charged)
  into result
  from slice s
  where s.ordinal = 1;

  perform credits_private.top_up_if_low(a, at)
  from unnest(accounts) a
  join credits.top_up_settings t on t.account_id = a.account_id and t.enabled
  where a.account_id in (select (requests[c.index]).account_id from unnest(result) c);
  return coalesce(result, '{}');
end
$$;

create or replace function credits.spend_many(requests credits.spend_request[])
returns setof credits.spend_result
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  account_ids text[];
  account credits.accounts;
  accounts credits.accounts[];
  at timestamptz;
  is_settled boolean := true;
  charged credits_private.charged[];
  others credits.spend_result[] := '{}';
  index int;
begin
  perform credits_private.check_service();
  account_ids := array(select distinct (requests[i]).account_id from generate_subscripts(requests, 1) i);
  -- One at a time in sorted order, so that two calls cannot wait for each other.
  accounts := array(
    select a from credits.accounts a where a.account_id = any (account_ids) order by a.account_id for no key update);
  at := credits_private.now();
  for account in select a.* from unnest(accounts) a where a.next_due_at <= at or a.watched_until is not null loop
    perform credits_private.tell_watchers(account);
    if account.next_due_at <= at then
      perform credits_private.settled(account, credits_private.account_time(account.account_id));
      is_settled := false;
    end if;
  end loop;
  if not is_settled then
    -- As they are now.
    accounts := array(select a from credits.accounts a where a.account_id = any (account_ids));
    at := credits_private.now();
  end if;

  charged := credits_private.charge_together(requests, accounts, at);
  foreach index in array array(
    select i from generate_subscripts(requests, 1) i
    where i not in (select c.index from unnest(charged) c)
    order by (requests[i]).account_id collate "C", i)
  loop
    others := others || array(select r from credits_private.try_spend(requests[index], index) r);
  end loop;

  return query
    select c.index, 'ok', null::text, null::jsonb, (requests[c.index]).account_id, c.seq, c.unit, 'usage', (requests[c.index]).operation,
      c.included + c.additional, c.included, c.additional, c.balance_after, (requests[c.index]).member_id,
      coalesce(nullif((requests[c.index]).usage, 'null'), '{}'), c.breakdown, (requests[c.index]).idempotency_key, at, at,
      (requests[c.index]).metadata, null::text
    from unnest(charged) c
    union all
    select * from unnest(others)
    order by 1, 6;
end
$$;
comment on function credits.spend_many(credits.spend_request[]) is
  'Charges many requests, each as spend would: a row per request and unit, in order. Requests are independent: one that is refused has status refused, with error_code and error_detail, and fails no other. Within an account they take effect in the given order. Service only.';
