-- Holds: authorize takes credits from lots like a spend, capture charges what the job came to, release gives it back.

create or replace function credits_private.hold(
  account_id text, items credits.item[], idempotency_key text, member_id text, expires_in interval, max_amount numeric,
  metadata jsonb)
returns setof credits.holds
language plpgsql volatile
as $$
declare
  present credits_private.writing;
  account credits.accounts;
  at timestamptz;
  request record;
  original credits.holds;
  price credits_private.price;
  slices credits_private.slice[];
  new_hold_id bigint;
  hold_ends_at timestamptz;
begin
  perform credits_private.check_labels(idempotency_key, member_id);
  if expires_in is null or not (expires_in > interval '0' and expires_in <= interval '10 years') then
    perform credits_private.fail_invalid('expires_in', 'out_of_range', 'Give an interval above 0, at most 10 years.');
  end if;
  request := credits_private.logged(items);
  -- A hold that is over is over, also for a repetition of its request.
  present := credits_private.begin_writing(account_id);
  account := present.account;
  at := present.at;

  if idempotency_key is not null then
    for original in
      select h.* from credits.holds h
      where h.account_id = hold.account_id and h.idempotency_key = hold.idempotency_key
      order by h.unit
    loop
      if (original.operation, original.usage, original.member_id) is distinct from (request.operation, request.usage, member_id) then
        perform credits_private.fail_key_reused(idempotency_key, jsonb_build_object('kind', 'hold', 'hold_id', original.hold_id));
      end if;
      return next original;
    end loop;
    if found then
      return;
    end if;
    perform credits_private.check_key_is_new(account_id, idempotency_key);
  end if;

  -- A day is a day wherever the caller's session says that it is: days are counted in UTC.
  hold_ends_at := date_add(at, expires_in, 'UTC');
  select coalesce(max(h.hold_id), 0) + 1 into new_hold_id from credits.holds h where h.account_id = hold.account_id;

  foreach price in array credits_private.price_job(account, account.top_ups, items, max_amount, at) loop
    slices := credits_private.draw_price(account, price, member_id, at);
    insert into credits.holds (
      account_id, hold_id, unit, amount, operation, usage, breakdown, plan, top_ups, member_id, idempotency_key,
      authorized_at, expires_at, metadata)
    values (
      account_id, new_hold_id, price.unit, price.amount, request.operation, request.usage, price.breakdown,
      account.plan, account.top_ups, member_id, idempotency_key, at, hold_ends_at, metadata)
    -- Under the lock nobody has it, unless the caller's snapshot is older than the lock: a serialization failure, as in post().
    on conflict on constraint holds_pkey do nothing;
    insert into credits.hold_lots (account_id, hold_id, unit, ordinal, lot_id, amount)
    select hold.account_id, new_hold_id, price.unit, s.ordinality, s.lot_id, s.spent
    from unnest(slices) with ordinality s;
    update credits.lots l set held = l.held + s.spent
    from unnest(slices) s where l.account_id = hold.account_id and l.lot_id = s.lot_id;
  end loop;

  update credits.accounts a set next_due_at = hold_ends_at
  where a.account_id = hold.account_id and a.next_due_at > hold_ends_at;
  if idempotency_key is not null then
    perform credits_private.note_key(account_id);
  end if;
  perform credits_private.top_up_if_low(account, at);
  return query select h.* from credits.holds h where h.account_id = hold.account_id and h.hold_id = new_hold_id order by h.unit;
end
$$;

create or replace function credits.authorize_items(
  account_id text, items credits.item[], idempotency_key text default null, member_id text default null,
  expires_in interval default '1 hour', max_amount numeric default null, metadata jsonb default null)
returns setof credits.holds
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  perform credits_private.check_service();
  return query select * from credits_private.hold(
    account_id, credits_private.items(items), idempotency_key, member_id, expires_in, max_amount, metadata);
end
$$;
comment on function credits.authorize_items(text, credits.item[], text, text, interval, numeric, jsonb) is
  'Holds what several operations cost together, all or nothing: a row a unit, all with one hold_id. Held credits cannot be spent. Errors as spend_items. Service only.';

create or replace function credits.authorize(
  account_id text, operation text, usage jsonb default '{}', idempotency_key text default null,
  member_id text default null, expires_in interval default '1 hour', max_amount numeric default null,
  metadata jsonb default null)
returns setof credits.holds
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  perform credits_private.check_service();
  return query select * from credits_private.hold(
    account_id, array[credits.item(operation, usage)], idempotency_key, member_id, expires_in, max_amount, metadata);
end
$$;
comment on function credits.authorize(text, text, jsonb, text, text, interval, numeric, jsonb) is
  'Holds what an operation costs, until it is captured, released, or expires_in has passed: a row a unit, all with one hold_id. Held credits cannot be spent. Errors as spend. Service only.';

-- A hold's rows, under the account's lock. PC404.
create or replace function credits_private.find_hold(account_id text, hold_id bigint)
returns credits.holds[]
language plpgsql stable
as $$
declare
  rows credits.holds[];
begin
  rows := array(
    select h from credits.holds h
    where h.account_id = find_hold.account_id and h.hold_id = find_hold.hold_id order by h.unit);
  if rows = '{}' then
    perform credits_private.fail_not_found('hold', hold_id::text, 'Authorize it first.');
  end if;
  return rows;
end
$$;

-- Ends a hold, or one unit of it; if it was open, its slices return to their lots.
create or replace function credits_private.end_hold(
  account_id text, hold_id bigint, new_status text, request jsonb, at timestamptz, unit text default null)
returns void
language plpgsql volatile
as $$
begin
  update credits.lots l set held = l.held - s.amount
  from (
    select s.lot_id, sum(s.amount) as amount
    from credits.hold_lots s
    join credits.holds h on h.account_id = s.account_id and h.hold_id = s.hold_id and h.unit = s.unit
    where s.account_id = end_hold.account_id and s.hold_id = end_hold.hold_id and h.status = 'open'
      and (end_hold.unit is null or h.unit = end_hold.unit)
    group by s.lot_id
  ) s
  where l.account_id = end_hold.account_id and l.lot_id = s.lot_id;
  update credits.holds h set status = new_status, ended_at = at, capture_request = request
  where h.account_id = end_hold.account_id and h.hold_id = end_hold.hold_id
    and (end_hold.unit is null or h.unit = end_hold.unit);
  -- A lot that was held whole counts again.
  perform credits_private.look_ahead(account_id);
end
$$;

-- Takes out of lots what a hold or a refund has put there just now, and what is nobody's any more.
create or replace function credits_private.let_lapse(account_id text, at timestamptz)
returns void
language plpgsql volatile
as $$
begin
  perform credits_private.write_down(account_id, credits_private.lapses(array(
    select l from credits.lots l
    where l.account_id = let_lapse.account_id and l.open and l.available > 0
      and (l.expires_at <= at or l.purchase_id is not null)
    order by l.lot_id), at));
end
$$;

create or replace function credits.release(account_id text, hold_id bigint)
returns setof credits.holds
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  present credits_private.writing;
  rows credits.holds[];
begin
  perform credits_private.check_service();
  present := credits_private.begin_writing(account_id);
  rows := credits_private.find_hold(account_id, hold_id);
  if rows[1].status = 'captured' then
    perform credits_private.fail_conflict('already_captured', 'Refund the entries instead.',
      jsonb_build_object('hold_id', hold_id));
  elsif rows[1].status = 'open' then
    perform credits_private.end_hold(account_id, hold_id, 'released', null, present.at);
    perform credits_private.let_lapse(account_id, present.at);
  end if;
  return query select * from unnest(credits_private.find_hold(account_id, hold_id));
end
$$;
comment on function credits.release(text, bigint) is
  'Ends a hold and gives everything back to its lots; what returns to an expired lot is forfeited, and to a reversed purchase''s, taken back up to the shortfall. A hold that is released or expired is returned as it is. PC404 unknown account or hold; PC409 captured already. Service only.';

-- Whether more may be captured than was authorized: the gates of the account as it was then, for what the hold did not
-- name. PC403.
create or replace function credits_private.check_captured(
  account credits.accounts, held credits.holds, items credits.item[])
returns void
language plpgsql stable
as $$
declare
  gate credits.gates;
  authorized credits.item[] := case
    when jsonb_typeof(held.usage) = 'array' then array(
      select credits.item(i ->> 'operation', i -> 'usage') from jsonb_array_elements(held.usage) i)
    else array[credits.item(held.operation, held.usage)] end;
begin
  account.plan := held.plan;
  gate := credits_private.unmet_gate(account, held.top_ups, items, authorized);
  if gate.gate_id is not null then
    perform credits_private.refuse_gate(account, gate);
  end if;
end
$$;

-- What a capture comes to: the whole hold, an amount of it, or what the usage costs at the hold's rates. PC422.
create or replace function credits_private.capture_prices(
  account credits.accounts, rows credits.holds[], items credits.item[], amount numeric)
returns credits_private.price[]
language plpgsql stable
as $$
begin
  if items is not null then
    return credits_private.rate_items(account.rate_card, rows[1].plan, rows[1].top_ups, items, rows[1].authorized_at);
  elsif amount is null then
    return array(select (h.unit, h.amount, h.breakdown)::credits_private.price from unnest(rows) h);
  elsif cardinality(rows) > 1 then
    perform credits_private.fail_invalid('amount', 'several_units', 'The hold is in several units: capture usage instead.');
  elsif amount <> 0 then
    perform credits_private.check_amount(account.rate_card, rows[1].unit, amount, greatest(1e12, rows[1].amount));
  end if;
  amount := round(amount, scale(rows[1].amount)); -- as a price: what is available is shown to its scale
  return array[(rows[1].unit, amount, case when amount = rows[1].amount then rows[1].breakdown
    else jsonb_build_array(jsonb_build_object('operation', rows[1].operation, 'component', 'captured', 'amount', amount))
    end)::credits_private.price];
end
$$;

-- The slices of a captured price in one unit: the hold's own, the first drawn first; what is above them is drawn afresh
-- from lots that are not held. PC402, PC403.
create or replace function credits_private.capture_slices(
  account credits.accounts, held credits.holds, price credits_private.price, at timestamptz)
returns credits_private.slice[]
language plpgsql stable
as $$
declare
  slices credits_private.slice[];
  from_hold numeric := least(price.amount, case when held.status = 'open' then held.amount else 0 end);
  above credits_private.price := (price.unit, price.amount - from_hold, price.breakdown)::credits_private.price;
begin
  slices := array(
    select (s.lot_id, s.counts_as, least(s.amount, from_hold - s.before), 0)::credits_private.slice
    from (
      select s.ordinal, s.lot_id, l.counts_as, s.amount, sum(s.amount) over (order by s.ordinal) - s.amount as before
      from credits.hold_lots s
      join credits.lots l on l.account_id = s.account_id and l.lot_id = s.lot_id
      where s.account_id = held.account_id and s.hold_id = held.hold_id and s.unit = held.unit
    ) s
    where s.before < from_hold
    order by s.ordinal);
  if above.amount > 0 then
    slices := slices || credits_private.draw_price(account, above, held.member_id, at);
  end if;
  return slices;
end
$$;

create or replace function credits_private.capture(account_id text, hold_id bigint, items credits.item[], amount numeric)
returns setof credits.entries
language plpgsql volatile
as $$
declare
  present credits_private.writing;
  account credits.accounts;
  at timestamptz;
  prices credits_private.price[];
  rows credits.holds[];
  held credits.holds;
  request record;
  capture_request jsonb;
  price credits_private.price;
  slices credits_private.slice[];
begin
  present := credits_private.begin_writing(account_id);
  account := present.account;
  at := present.at;
  rows := credits_private.find_hold(account_id, hold_id);
  held := rows[1];
  if items is null then
    select held.operation, held.usage into request;
  else
    request := credits_private.logged(items);
  end if;
  capture_request := case
    when amount is not null then jsonb_build_object('amount', trim_scale(amount))
    when items is not null then jsonb_build_object('operation', request.operation, 'usage', request.usage)
    else '{}' end;

  if held.status = 'captured' and held.capture_request = capture_request then
    return query
      select e.* from credits.entries e where e.account_id = capture.account_id and e.hold_id = capture.hold_id order by e.seq;
    return;
  elsif held.status = 'captured' then
    perform credits_private.fail_conflict('already_captured', 'A hold is captured once.', jsonb_build_object('hold_id', hold_id));
  end if;

  if items is not null then
    perform credits_private.check_captured(account, held, items);
  end if;
  prices := credits_private.capture_prices(account, rows, items, amount);
  if not exists (select from unnest(prices) p where p.amount > 0) then
    -- Nothing to charge: a release.
    if held.status = 'open' then
      perform credits_private.end_hold(account_id, hold_id, 'released', null, at);
      perform credits_private.let_lapse(account_id, at);
    end if;
    return;
  elsif held.status = 'released' then
    perform credits_private.fail_conflict('already_released', 'Spend afresh.', jsonb_build_object('hold_id', hold_id));
  end if;

  foreach price in array prices loop
    select h.* into held from unnest(rows) h where h.unit = price.unit;
    if not found then
      -- A unit that only the capture brought.
      held := rows[1];
      held.unit := price.unit;
      held.amount := 0;
      insert into credits.holds (
        account_id, hold_id, unit, amount, operation, usage, breakdown, plan, top_ups, member_id, authorized_at, expires_at,
        status, ended_at, capture_request, metadata)
      values (account_id, hold_id, price.unit, 0, held.operation, held.usage, '[]', held.plan, held.top_ups, held.member_id,
        held.authorized_at, held.expires_at, 'captured', at, capture_request, held.metadata);
    end if;
    -- The hold still counts within the limits while what is above it is drawn.
    slices := credits_private.capture_slices(account, held, price, at);
    perform credits_private.end_hold(account_id, hold_id, 'captured', capture_request, at, price.unit);
    update credits.holds h set captured = price.amount
    where h.account_id = capture.account_id and h.hold_id = capture.hold_id and h.unit = price.unit;

    return next credits_private.post(account_id, price.unit, 'usage', at, slices,
      operation => request.operation, usage => request.usage, breakdown => price.breakdown, member_id => held.member_id,
      metadata => case when held.status = 'expired' then coalesce(held.metadata, '{}') || '{"late": true}' else held.metadata end,
      hold_id => hold_id);
  end loop;
  if exists (
    select from credits.holds h
    where h.account_id = capture.account_id and h.hold_id = capture.hold_id and h.status <> 'captured') then
    -- Units that came to nothing.
    perform credits_private.end_hold(account_id, hold_id, 'captured', capture_request, at);
  end if;
  perform credits_private.let_lapse(account_id, at);
  perform credits_private.top_up_if_low(account, at);
end
$$;

create or replace function credits.capture(
  account_id text, hold_id bigint, usage jsonb default null, amount numeric default null)
returns setof credits.entries
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  operation text;
begin
  perform credits_private.check_service();
  if usage is not null and amount is not null then
    perform credits_private.fail_invalid('amount', 'usage_and_amount', 'Give usage or amount, not both.');
  elsif amount is not null and not (amount >= 0 and amount < 'infinity') then
    perform credits_private.fail_invalid('amount', 'not_positive', 'Give a number from 0, at most 1e12.');
  elsif usage is null then
    return query select * from credits_private.capture(account_id, hold_id, null, amount);
    return;
  end if;
  select h.operation into operation from credits.holds h
  where h.account_id = capture.account_id and h.hold_id = capture.hold_id limit 1;
  if found and operation is null then
    perform credits_private.fail_invalid('usage', 'several_operations', 'The hold is of several operations: use capture_items.');
  end if;
  return query select * from credits_private.capture(account_id, hold_id, array[credits.item(operation, usage)], null);
end
$$;
comment on function credits.capture(text, bigint, jsonb, numeric) is
  'Charges a hold and returns the usage entries. With neither usage nor amount: all of it. With usage: what that usage costs at the hold''s rates. With amount: that much. The rest returns to its lots; what is above is drawn afresh; 0 is a release. The same capture again returns the original entries; a late one is a fresh charge. PC402 cannot be paid; PC403 a gate that the hold did not pass, or a member''s cap; PC404 unknown account or hold; PC409 captured otherwise, or released; PC422 bad usage or amount. Service only.';

create or replace function credits.capture_items(account_id text, hold_id bigint, items credits.item[])
returns setof credits.entries
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  perform credits_private.check_service();
  return query select * from credits_private.capture(account_id, hold_id,
    credits_private.items(items), null);
end
$$;
comment on function credits.capture_items(text, bigint, credits.item[]) is
  'Charges a hold what the job came to, at the hold''s rates, and returns the usage entries. As capture otherwise. Service only.';
