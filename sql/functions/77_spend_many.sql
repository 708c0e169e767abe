-- Many spends in one call, each with the outcome that it would have alone.
--
--   lock and settle, account by account ──> charge together the accounts whose requests all fit
--                                       ──> the others: request by request, as spend does
--
-- Charging together is spend's rules for the plain case, a set at a time: new keys, no limit in the way, and enough for all.
-- Where the draw order puts an account's lots end to end, and its requests end to end as well, each request takes the lots
-- that it lies over.

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

-- Requests with their places. It is not inlined, so that the planner expects many rows and does not compare each with each.
create or replace function credits_private.numbered(requests credits.spend_request[])
returns table (index int, request credits.spend_request)
language plpgsql immutable rows 1000
as $$
begin
  return query select i, requests[i] from generate_subscripts(requests, 1) i;
end
$$;

-- The distinct jobs among requests, priced; without those that are refused, whatever for. A thousand requests mostly ask for
-- the same few things.
create or replace function credits_private.price_jobs(
  requests credits.spend_request[], accounts credits.accounts[], at timestamptz)
returns setof credits_private.priced_job
language plpgsql stable rows 100
as $$
declare
  job record;
  prices credits_private.price[];
begin
  for job in
    select distinct on (a.rate_card, a.plan, r.operation, usage, top_ups)
      a as account, r.operation, coalesce(r.usage, '{}') as usage, coalesce(t.enabled, false) as top_ups
    from unnest(requests) r
    join unnest(accounts) a on a.account_id = r.account_id
    left join credits.top_up_settings t on t.account_id = a.account_id
  loop
    begin
      prices := credits_private.price_job(job.account, job.top_ups, array[credits.item(job.operation, job.usage)], null, at);
      return next ((job.account).rate_card, (job.account).plan, job.top_ups, job.operation, job.usage, prices);
    exception when sqlstate 'PC403' or sqlstate 'PC404' or sqlstate 'PC422' then
      -- It is refused, or told what is wrong with it, request by request.
      null;
    end;
  end loop;
end
$$;

-- Whether a price passes for what the user was shown.
create or replace function credits_private.is_at_most(prices credits_private.price[], max_amount numeric)
returns boolean
language sql immutable
return max_amount >= 0 and max_amount < 'infinity'
  and (select count(*) filter (where p.amount > 0) <= 1 and max(p.amount) <= max_amount from unnest(prices) p);

-- Charges the requests of those accounts that can pay all of theirs and where nothing needs a second look; the accounts are
-- locked and settled. Returns what it charged; the requests of the other accounts are left alone.
create or replace function credits_private.charge_together(
  requests credits.spend_request[], accounts credits.accounts[], at timestamptz)
returns credits.spend_result[]
language plpgsql volatile
as $$
declare
  results credits.spend_result[];
begin
  with job as materialized (
    select * from credits_private.price_jobs(requests, accounts, at)
  ),
  request as materialized (
    select n.index, (n.request).account_id, (n.request).operation, coalesce((n.request).usage, '{}') as usage,
      (n.request).idempotency_key, (n.request).member_id, (n.request).max_amount, (n.request).metadata
    from credits_private.numbered(requests) n
  ),
  priced as materialized (
    select r.index, r.account_id, j.prices,
      -- Whatever needs a second look makes the account's requests go one by one.
      coalesce(bool_or(
        j.prices is null
        or a.next_due_at <= at or not a.additional_enabled or a.additional_period_limit is not null
        or length(r.idempotency_key) not between 1 and 255 or length(r.member_id) not between 1 and 255
        or (r.max_amount is not null and not credits_private.is_at_most(j.prices, r.max_amount))
        or (r.idempotency_key is not null and (
          exists (
            select from credits.entries e where e.account_id = r.account_id and e.idempotency_key = r.idempotency_key)
          or exists (
            select from credits.holds h where h.account_id = r.account_id and h.idempotency_key = r.idempotency_key)
          or exists (
            select from credits.purchases p where p.account_id = r.account_id and p.idempotency_key = r.idempotency_key)))
        or (r.member_id is not null and exists (
          select from credits.members m
          where m.account_id = r.account_id and m.member_id = r.member_id and m.period_cap is not null))
      ) over (partition by r.account_id), false) or k.is_repeated as is_special
    from request r
    join unnest(accounts) a on a.account_id = r.account_id
    left join credits.top_up_settings t on t.account_id = r.account_id
    left join job j on j.rate_card = a.rate_card and j.plan is not distinct from a.plan
      and j.top_ups = coalesce(t.enabled, false) and j.operation = r.operation and j.usage = r.usage
    join (
      select r.account_id, count(r.idempotency_key) > count(distinct r.idempotency_key) as is_repeated
      from request r group by r.account_id
    ) k on k.account_id = r.account_id
  ),
  -- A line for each request and unit. Those of an account and unit lie end to end, this one over (upto - amount, upto].
  charge as materialized (
    select r.index, r.account_id, p.ordinality as place, p.unit, p.amount,
      sum(p.amount) over (partition by r.account_id, p.unit order by r.index) as upto,
      row_number() over (partition by r.account_id order by r.index, p.ordinality) as number
    from priced r cross join unnest(r.prices) with ordinality p
    where not r.is_special
  ),
  last as materialized (
    select a.account_id, coalesce(e.seq, 0) as seq, coalesce(e.occurred_at <= at, true) as is_past
    from (select distinct c.account_id from charge c) a
    left join lateral (
      select e.seq, e.occurred_at from credits.entries e where e.account_id = a.account_id order by e.seq desc limit 1) e on true
  ),
  -- The account's lots in draw order, end to end likewise.
  lot as materialized (
    select l.account_id, l.lot_id, l.unit, l.counts_as, l.granted, l.spent, l.forfeited, l.version, u.available,
      sum(u.available) over (partition by l.account_id, l.unit order by credits_private.draw_place(l)) as upto,
      sum(l.granted - l.spent - l.forfeited) over (partition by l.account_id, l.unit) as balance
    from last a
    join credits.lots l on l.account_id = a.account_id and l.open
    cross join lateral (
      select case when l.starts_at <= at and coalesce(l.expires_at > at, true) then l.available else 0 end as available) u
  ),
  paid as materialized (
    select c.index, c.place, c.account_id, c.unit, c.amount, c.upto, c.seq, c.balance - c.upto as balance_after
    from (
      select c.*, a.seq + c.number as seq, coalesce(u.balance, 0) as balance,
        bool_and(c.upto <= coalesce(u.available, 0) and a.is_past) over (partition by c.account_id) as account_pays
      from charge c
      join last a on a.account_id = c.account_id
      left join (
        select l.account_id, l.unit, max(l.balance) as balance, max(l.upto) as available from lot l group by l.account_id, l.unit
      ) u on u.account_id = c.account_id and u.unit = c.unit
    ) c
    where c.account_pays
  ),
  slice as materialized (
    select c.account_id, c.seq, l.lot_id, l.counts_as, l.upto, l.granted, l.spent, l.forfeited, l.version,
      least(c.upto, l.upto) - greatest(c.upto - c.amount, l.upto - l.available) as taken
    from paid c
    join lot l on l.account_id = c.account_id and l.unit = c.unit
      and l.upto > c.upto - c.amount and c.upto > l.upto - l.available
  ),
  entry as (
    insert into credits.entries (
      account_id, seq, unit, kind, operation, amount, included, additional, balance_after, member_id, usage, breakdown,
      idempotency_key, occurred_at, recorded_at, metadata)
    select c.account_id, c.seq, c.unit, 'usage', r.operation, -coalesce(s.included, 0) - coalesce(s.additional, 0),
      -coalesce(s.included, 0), -coalesce(s.additional, 0), c.balance_after, r.member_id, r.usage, p.prices[c.place].breakdown, r.idempotency_key,
      at, at, r.metadata
    from paid c
    join request r on r.index = c.index
    join priced p on p.index = c.index
    left join (
      select s.account_id, s.seq, sum(s.taken) filter (where s.counts_as = 'included') as included,
        sum(s.taken) filter (where s.counts_as = 'additional') as additional
      from slice s group by s.account_id, s.seq
    ) s on s.account_id = c.account_id and s.seq = c.seq
    returning *
  ),
  posting as (
    insert into credits.postings (account_id, seq, ordinal, lot_id, version, amount, granted, spent, forfeited)
    select s.account_id, s.seq, row_number() over (partition by s.account_id, s.seq order by s.upto), s.lot_id,
      s.version + row_number() over in_lot, -s.taken, s.granted, s.spent + sum(s.taken) over in_lot, s.forfeited
    from slice s
    window in_lot as (partition by s.account_id, s.lot_id order by s.seq)
  ),
  drawn as (
    update credits.lots l
    set spent = l.spent + s.taken, version = l.version + s.postings, open = l.granted - l.spent - l.forfeited > s.taken
    from (
      select s.account_id, s.lot_id, sum(s.taken) as taken, count(*) as postings from slice s group by s.account_id, s.lot_id
    ) s
    where l.account_id = s.account_id and l.lot_id = s.lot_id
  )
  select array_agg(credits_private.spend_result(c.index, 'ok', e.*) order by c.seq) into results
  from entry e
  join paid c on c.account_id = e.account_id and c.seq = e.seq;

  perform credits_private.top_up_if_low(a, at)
  from unnest(accounts) a
  join credits.top_up_settings t on t.account_id = a.account_id and t.enabled
  where a.account_id in (select r.account_id from unnest(results) r);
  return coalesce(results, '{}');
end
$$;

create or replace function credits.spend_many(requests credits.spend_request[])
returns setof credits.spend_result
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  one text;
  account credits.accounts;
  accounts credits.accounts[];
  results credits.spend_result[];
  other record;
begin
  perform credits_private.check_service();
  -- One at a time in sorted order, so that two calls cannot wait for each other.
  foreach one in array array(
    select r.account_id from unnest(requests) r where r.account_id is not null
    group by r.account_id order by r.account_id collate "C")
  loop
    account := credits_private.lock_account(one, must_exist => false);
    if account.account_id is not null then
      if account.next_due_at <= credits_private.now() then
        account := credits_private.settled(account, credits_private.account_time(one));
      end if;
      accounts := accounts || account;
    end if;
  end loop;

  results := credits_private.charge_together(requests, accounts, credits_private.now());
  for other in
    select n.index, n.request
    from credits_private.numbered(requests) n
    left join unnest(results) r on r.request_index = n.index
    where r.request_index is null
    order by (n.request).account_id collate "C", n.index
  loop
    results := results || array(select r from credits_private.try_spend(other.request, other.index) r);
  end loop;
  return query select r.* from unnest(results) r order by r.request_index, r.seq;
end
$$;
comment on function credits.spend_many(credits.spend_request[]) is
  'Charges many requests, each as spend would: a row per request and unit, in order. Requests are independent: one that is refused has status refused, with error_code and error_detail, and fails no other. Within an account they take effect in the given order. Service only.';
