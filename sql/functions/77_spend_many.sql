-- Many spends in one call, each with the outcome that it would have alone.
--
--   lock and settle, account by account ──> charge together the accounts whose requests all fit
--                                       ──> the others: request by request, as spend does
--
-- Charging together is spend's rules for the plain case, a set at a time: new keys, no limit in the way, and one lot that has enough
-- for all that the account's requests cost in a unit. A batch that reaches from one lot into the next goes request by request: that
-- is once in a lot's life.
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
    select (a.rate_card, a.plan, a.top_ups, r.operation, coalesce(r.usage, '{}'),
      array_agg(i), array_agg(a.account_id), array_agg(a.last_seq))::credits_private.asked_job
    from generate_subscripts(requests, 1) i
    cross join lateral (select (requests[i]).*) r
    join account a on a.account_id = r.account_id and a.is_plain
    group by a.rate_card, a.plan, a.top_ups, r.operation, coalesce(r.usage, '{}'));
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

-- Charges the requests of those accounts whose requests are all plain; the accounts are locked and settled. Returns what it
-- charged; the requests of the other accounts are left alone.
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
      or length(r.idempotency_key) not between 1 and 255 or length(r.member_id) not between 1 and 255
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
  -- Each line's place in the account's log, and what the account's lines in its unit come to with it: so much, in so many postings.
  charge as materialized (
    select l.*, sum(l.amount) over in_unit as upto, count(*) filter (where l.amount > 0) over in_unit as postings,
      l.last_seq + row_number() over (partition by l.account_id order by l.index, l.place) as seq
    from line l
    where l.account_id not in (select s.account_id from special s)
    window in_unit as (partition by l.account_id, l.unit order by l.index)
  ),
  -- For each account and unit: what all lines come to, the balance, and the lot that is drawn first.
  purse as materialized (
    select c.account_id, c.unit, c.total, c.postings, b.balance, l.*
    from (
      select c.account_id, c.unit, max(c.upto) as total, max(c.postings) as postings
      from charge c group by c.account_id, c.unit
    ) c
    cross join lateral (
      select coalesce(sum(l.granted - l.spent - l.forfeited), 0) as balance
      from credits.lots l where l.account_id = c.account_id and l.unit = c.unit and l.open
    ) b
    left join lateral (
      select l.lot_id, l.counts_as, l.granted, l.spent, l.forfeited, l.available, l.version
      from credits.lots l
      where l.account_id = c.account_id and l.unit = c.unit and l.open and l.available > 0 and credits_private.usable(l, at)
      order by credits_private.draw_place(l)
      limit 1
    ) l on true
  ),
  -- Accounts whose requests that lot cannot pay: theirs go one by one as well.
  short as materialized (
    select p.account_id from purse p where coalesce(p.available, 0) < p.total
  ),
  paid as materialized (
    select c.index, c.account_id, c.seq, c.unit, c.breakdown, p.balance - c.upto as balance_after,
      case when p.counts_as = 'included' and c.amount > 0 then -c.amount else 0 end as included,
      case when p.counts_as = 'additional' and c.amount > 0 then -c.amount else 0 end as additional,
      p.lot_id, p.version + c.postings as version, p.granted, p.spent + c.upto as spent, p.forfeited
    from charge c
    join purse p on p.account_id = c.account_id and p.unit = c.unit
    where c.account_id not in (select s.account_id from short s)
  ),
  entry as (
    insert into credits.entries (
      account_id, seq, unit, kind, operation, amount, included, additional, balance_after, member_id, usage, breakdown,
      idempotency_key, occurred_at, recorded_at, metadata)
    select p.account_id, p.seq, p.unit, 'usage', r.operation, p.included + p.additional, p.included, p.additional, p.balance_after,
      r.member_id, coalesce(r.usage, '{}'), p.breakdown, r.idempotency_key, at, at, r.metadata
    from paid p
    cross join lateral (select (requests[p.index]).*) r
  ),
  posting as (
    insert into credits.postings (account_id, seq, ordinal, lot_id, version, amount, granted, spent, forfeited)
    select p.account_id, p.seq, 1, p.lot_id, p.version, p.included + p.additional, p.granted, p.spent, p.forfeited
    from paid p
    where p.included + p.additional < 0
  ),
  drawn as (
    update credits.lots l
    set spent = l.spent + p.total, version = l.version + p.postings, open = l.granted - l.spent - l.forfeited > p.total
    from purse p
    where l.account_id = p.account_id and l.lot_id = p.lot_id and p.total > 0
      and p.account_id not in (select s.account_id from short s)
  )
  select array_agg((p.index, p.seq, p.unit, p.included, p.additional, p.balance_after, p.breakdown)::credits_private.charged)
  into result
  from paid p;

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
      coalesce((requests[c.index]).usage, '{}'), c.breakdown, (requests[c.index]).idempotency_key, at, at,
      (requests[c.index]).metadata, null::text
    from unnest(charged) c
    union all
    select * from unnest(others)
    order by 1, 6;
end
$$;
comment on function credits.spend_many(credits.spend_request[]) is
  'Charges many requests, each as spend would: a row per request and unit, in order. Requests are independent: one that is refused has status refused, with error_code and error_detail, and fails no other. Within an account they take effect in the given order. Service only.';
