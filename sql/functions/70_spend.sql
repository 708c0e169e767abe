-- Spending. One path for all of it:
--
--   lock ──> replay, if the key is known ──> settle what is due ──> assess: price and limits ──> refuse ──> draw ──> post

-- What a request with this idempotency key wrote, if there was one. The same key for a different request: PC409.
-- Called under the account's lock.
create or replace function credits_private.replayed_usage(
  account_id text, idempotency_key text, operation text, usage jsonb, member_id text)
returns setof credits.entries
language plpgsql stable
as $$
declare
  entry credits.entries;
begin
  for entry in
    select e.* from credits.entries e
    where e.account_id = replayed_usage.account_id and e.idempotency_key = replayed_usage.idempotency_key
    order by e.seq
  loop
    if entry.kind <> 'usage'
      or (entry.operation, entry.usage, entry.member_id) is distinct from (operation, usage, member_id) then
      perform credits_private.fail_key_reused(idempotency_key, entry);
    end if;
    return next entry;
  end loop;
end
$$;

create or replace function credits_private.fail_key_reused(idempotency_key text, original credits.entries)
returns void
language plpgsql volatile
as $$
begin
  perform credits_private.fail_conflict('idempotency_key_reused',
    'Use a new idempotency key for a new request.',
    jsonb_build_object('idempotency_key', idempotency_key, 'kind', original.kind, 'seq', original.seq));
end
$$;

-- The labels and keys that a caller may give. PC422.
create or replace function credits_private.check_labels(idempotency_key text, member_id text)
returns void
language plpgsql immutable
as $$
begin
  if length(idempotency_key) not between 1 and 255 then
    perform credits_private.fail_invalid('idempotency_key', 'length', 'Give 1 to 255 characters, or null.');
  end if;
  if length(member_id) not between 1 and 255 then
    perform credits_private.fail_invalid('member_id', 'length', 'Give 1 to 255 characters, or null.');
  end if;
end
$$;

-- Raises what an assessment found, or returns.
create or replace function credits_private.refuse(
  account credits.accounts, items credits.item[], line credits.quote_line)
returns void
language plpgsql stable
as $$
declare
  gate credits.gates;
begin
  case line.blocked_by
    when 'plan_required' then
      gate := credits_private.unmet_gate(account, credits_private.top_ups_enabled(account.account_id), items);
      perform credits_private.fail('PC403',
        jsonb_build_object('requires', 'plan', 'operation', gate.operation, 'plans', gate.plans, 'plan', account.plan),
        'Subscribe to one of these plans.');
    when 'top_ups_required' then
      gate := credits_private.unmet_gate(account, credits_private.top_ups_enabled(account.account_id), items);
      perform credits_private.fail('PC403',
        jsonb_build_object('requires', 'top_ups', 'operation', gate.operation),
        'Have an admin enable automatic top-ups.');
    when 'insufficient_credits' then
      perform credits_private.fail('PC402',
        jsonb_build_object('unit', line.unit, 'required', line.amount, 'available', line.available,
          'shortfall', line.amount - line.available, 'next_refill_at', credits_private.next_refill(account, line.unit)),
        'Wait for the next refill, or add credits.');
    else
      return;
  end case;
end
$$;

create or replace function credits_private.charge(
  account_id text, items credits.item[], idempotency_key text, member_id text, max_amount numeric, metadata jsonb)
returns setof credits.entries
language plpgsql volatile
as $$
declare
  account credits.accounts;
  at timestamptz;
  operation text;
  usage jsonb;
  lines credits.quote_line[];
  line credits.quote_line;
  entries credits.entries[] := '{}';
  movements credits_private.movement[] := '{}';
begin
  perform credits_private.check_labels(idempotency_key, member_id);
  account := credits_private.lock_account(account_id);

  -- One item is logged as it is, a job as the list of its items: the log is also what a repeated request is held against.
  items := array(select credits.item(i.operation, i.usage) from unnest(items) i);
  select case when min(i.operation) = max(i.operation) then min(i.operation) end,
    case when count(*) = 1 then jsonb_agg(i.usage) -> 0
      else jsonb_agg(jsonb_build_object('operation', i.operation, 'usage', i.usage) order by i.ordinality) end
  into operation, usage
  from unnest(items) with ordinality i;

  if idempotency_key is not null then
    return query select * from credits_private.replayed_usage(account_id, idempotency_key, operation, usage, member_id);
    if found then
      return;
    end if;
  end if;

  at := credits_private.account_time(account_id);
  account := credits_private.settled(account, at);

  lines := array(select l from credits_private.assess(account, items, at) l);
  perform credits_private.check_max_amount(max_amount, lines);

  foreach line in array lines loop
    perform credits_private.refuse(account, items, line);
    entries := entries || credits_private.draft_entry(account_id, cardinality(entries) + 1, line.unit, 'usage', at,
      operation => operation, member_id => member_id, usage => usage, breakdown => line.breakdown,
      idempotency_key => idempotency_key, metadata => metadata);
    movements := movements || array(
      select (account_id, cardinality(entries), s.ordinal, s.lot_id, 0, s.amount, 0)::credits_private.movement
      from credits_private.draw(account_id, line.unit, line.amount, at) s);
  end loop;

  return query select * from credits_private.post(entries, movements);
end
$$;

-- The user was shown a price: refuse to charge more. PC409; PC422 when there is no one price to compare.
create or replace function credits_private.check_max_amount(max_amount numeric, lines credits.quote_line[])
returns void
language plpgsql immutable
as $$
declare
  priced_units int;
  line record;
begin
  if max_amount is null then
    return;
  elsif not (max_amount >= 0 and max_amount < 'infinity') then
    perform credits_private.fail_invalid('max_amount', 'not_a_price', 'Give a number from 0.');
  end if;

  select count(*) filter (where l.amount > 0) into priced_units from unnest(lines) l;
  if priced_units > 1 then
    perform credits_private.fail_invalid('max_amount', 'several_units',
      'A price in several units has no one maximum: leave max_amount out.');
  end if;
  select l.unit, l.amount into line from unnest(lines) l where l.amount > max_amount;
  if found then
    perform credits_private.fail_conflict('price_above_max_amount', 'Show the new price and ask again.',
      jsonb_build_object('unit', line.unit, 'amount', line.amount, 'max_amount', max_amount));
  end if;
end
$$;

create or replace function credits.spend_items(
  account_id text, items credits.item[], idempotency_key text default null, member_id text default null,
  max_amount numeric default null, metadata jsonb default null)
returns setof credits.entries
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  perform credits_private.check_service();
  return query select * from credits_private.charge(account_id, items, idempotency_key, member_id, max_amount, metadata);
end
$$;
comment on function credits.spend_items(text, credits.item[], text, text, numeric, jsonb) is
  'Charges several operations together, all or nothing: one entry a unit for the whole job. The same idempotency_key again returns the original entries. PC402 not enough credits; PC403 a gate; PC404 unknown account or operation; PC409 key reused, or price above max_amount; PC422 bad usage. Service only.';

create or replace function credits.spend(
  account_id text, operation text, usage jsonb default '{}', idempotency_key text default null,
  member_id text default null, max_amount numeric default null, metadata jsonb default null)
returns setof credits.entries
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  perform credits_private.check_service();
  return query select * from credits_private.charge(
    account_id, array[credits.item(operation, usage)], idempotency_key, member_id, max_amount, metadata);
end
$$;
comment on function credits.spend(text, text, jsonb, text, text, numeric, jsonb) is
  'Charges one operation: rates the usage, draws lots in draw order, and returns the entries, one a unit. max_amount is the price that the user was shown. The same idempotency_key again returns the original entries. PC402 not enough credits; PC403 a gate; PC404 unknown account or operation; PC409 key reused, or price above max_amount; PC422 bad usage. Service only.';
