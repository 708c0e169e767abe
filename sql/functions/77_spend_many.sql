-- Many spends in one call, each with the outcome that it would have alone.
--
--   lock and settle the accounts ──> charge together those whose requests all fit
--                                ──> the others: request by request, as spend does
--
-- Charging together is spend's rules for the plain case: new keys, no limit in the way, and enough for all. Each account's requests
-- are worked through with its lots at hand, and what comes of all of them is written in one statement a table.
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
      select a.account_id, a.rate_card, a.plan, a.top_ups, coalesce(e.seq, 0) as last_seq,
        a.next_due_at > at and a.additional_enabled and a.additional_period_limit is null
          and coalesce(e.occurred_at <= at, true) as is_plain
      from generate_subscripts(accounts, 1) i
      cross join lateral (select (accounts[i]).*) a
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

-- What is charged together: of each account and unit, the priced lines in order, and the lots to draw from in draw order. Only of
-- accounts that can pay all of theirs, and where nothing needs a second look; they are locked and settled.
create or replace function credits_private.purses(
  requests credits.spend_request[], accounts credits.accounts[], at timestamptz)
returns credits_private.purse[]
language plpgsql stable
-- An account's few lots, a thousand times: to make a bitmap of each costs more than it saves.
set enable_bitmapscan = off
as $$
begin
  if not credits_private.sees_what_it_locked() then
    return '{}';
  end if;
  return array(
    with line as materialized (
      select l.index, l.account_id collate "C" as account_id, l.place, l.unit, l.amount, l.breakdown,
        l.last_seq + row_number() over (partition by l.account_id collate "C" order by l.index, l.place) as seq
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
      select r.account_id
      from (select (requests[i]).account_id, (requests[i]).idempotency_key from generate_subscripts(requests, 1) i) r
      where r.account_id is not null and r.idempotency_key is not null
      group by r.account_id, r.idempotency_key having count(*) > 1
    ),
    purse as materialized (
      select w.account_id, w.unit, w.lines, w.total, l.lots, l.available, l.balance
      from (
        select l.account_id, l.unit, sum(l.amount) as total,
          array_agg((l.index, l.seq, l.amount, l.breakdown)::credits_private.priced_line order by l.index) as lines
        from line l
        where l.account_id not in (select s.account_id from special s)
        group by l.account_id, l.unit
      ) w
      cross join lateral (
        select coalesce(sum(l.available) filter (where credits_private.usable(l, at)), 0) as available,
          coalesce(sum(l.granted - l.spent - l.forfeited), 0) as balance,
          array_agg(l order by credits_private.draw_place(l)) filter (where l.available > 0 and credits_private.usable(l, at)) as lots
        from credits.lots l where l.account_id = w.account_id and l.unit = w.unit and l.open
      ) l
    )
    select (p.account_id, p.unit, p.balance, p.lines, p.lots)::credits_private.purse
    from purse p
    where p.account_id not in (select short.account_id from purse short where short.available < short.total));
end
$$;

-- Charges them: each line takes from the lot in hand, and from the next where that has not enough. The entries are what is returned.
create or replace function credits_private.charge_together(
  requests credits.spend_request[], purses credits_private.purse[], at timestamptz)
returns credits.spend_result[]
language plpgsql volatile
as $$
declare
  purse credits_private.purse;
  balance numeric;
  lots_used int;
  lot credits.lots;
  lot_left numeric;
  lot_spent numeric;
  lot_version bigint;
  line credits_private.priced_line;
  request credits.spend_request;
  owed numeric;
  taken numeric;
  included numeric;
  additional numeric;
  ordinal int;
  postings credits.postings[] := '{}';
  last_postings credits.postings[] := '{}';
  results credits.spend_result[] := '{}';
begin
  foreach purse in array purses loop
    balance := purse.balance;
    lots_used := 0;
    lot_left := 0;
    foreach line in array purse.lines loop
      owed := line.amount;
      included := 0;
      additional := 0;
      ordinal := 0;
      while owed > 0 loop
        if lot_left = 0 then
          lots_used := lots_used + 1;
          lot := purse.lots[lots_used];
          lot_left := lot.available;
          lot_spent := lot.spent;
          lot_version := lot.version;
        end if;
        taken := least(owed, lot_left);
        owed := owed - taken;
        lot_left := lot_left - taken;
        lot_spent := lot_spent + taken;
        lot_version := lot_version + 1;
        ordinal := ordinal + 1;
        if lot.counts_as = 'included' then
          included := included - taken;
        else
          additional := additional - taken;
        end if;
        postings := postings || (purse.account_id, line.seq, ordinal, lot.lot_id, lot_version, -taken, lot.granted,
          lot_spent, lot.forfeited)::credits.postings;
        if lot_left = 0 then
          last_postings := last_postings || postings[cardinality(postings)];
        end if;
      end loop;
      balance := balance - line.amount;
      request := requests[line.index];
      results := results || (line.index, 'ok', null, null, purse.account_id, line.seq, purse.unit, 'usage', request.operation,
        included + additional, included, additional, balance, request.member_id, coalesce(nullif(request.usage, 'null'), '{}'),
        line.breakdown, request.idempotency_key, at, at, request.metadata, null)::credits.spend_result;
    end loop;
    if lot_left > 0 then
      last_postings := last_postings || postings[cardinality(postings)];
    end if;
  end loop;

  insert into credits.entries (
    account_id, seq, unit, kind, operation, amount, included, additional, balance_after, member_id, usage, breakdown,
    idempotency_key, occurred_at, recorded_at, metadata)
  select r.account_id, r.seq, r.unit, r.kind, r.operation, r.amount, r.included, r.additional, r.balance_after, r.member_id, r.usage,
    r.breakdown, r.idempotency_key, r.occurred_at, r.recorded_at, r.metadata
  from unnest(results) r;
  insert into credits.postings select * from unnest(postings);
  -- A lot says what its last posting says.
  update credits.lots l
  set spent = p.spent, version = p.version, open = p.granted - p.spent - p.forfeited > 0
  from unnest(last_postings) p
  where l.account_id = p.account_id and l.lot_id = p.lot_id;
  return results;
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
  purses credits_private.purse[];
  charged credits.spend_result[];
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

  purses := credits_private.purses(requests, accounts, at);
  charged := credits_private.charge_together(requests, purses, at);
  perform credits_private.top_up_if_low(a, at)
  from unnest(accounts) a
  where a.top_ups and a.account_id in (select p.account_id from unnest(purses) p);

  foreach index in array array(
    select i from generate_subscripts(requests, 1) i
    where ((requests[i]).account_id in (select p.account_id from unnest(purses) p)) is not true
    order by (requests[i]).account_id collate "C", i)
  loop
    others := others || array(select r from credits_private.try_spend(requests[index], index) r);
  end loop;
  return query select r.* from unnest(charged || others) r order by r.request_index, r.seq;
end
$$;
comment on function credits.spend_many(credits.spend_request[]) is
  'Charges many requests, each as spend would: a row per request and unit, in order. Requests are independent: one that is refused has status refused, with error_code and error_detail, and fails no other. Within an account they take effect in the given order. Service only.';
