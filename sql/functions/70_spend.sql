-- Spending. One path for all of it, and for holds:
--
--   lock ──> replay, if the key is known ──> settle what is due ──> gates, price ──> draw, or refuse ──> post
--
-- What a statement costs is mostly its setting up, and an index's one row is the cheapest: so this path asks for single rows, of
-- few columns, and joins nothing. sql/README.md says what was measured.

-- The labels and keys that a caller may give; null is none.
create or replace function credits_private.fits(label text)
returns boolean
language sql immutable
return label is null or length(label) between 1 and 255;

-- PC422.
create or replace function credits_private.check_labels(idempotency_key text, member_id text)
returns void
language plpgsql immutable
as $$
begin
  if not credits_private.fits(idempotency_key) then
    perform credits_private.fail_invalid('idempotency_key', 'length', 'Give 1 to 255 characters, or null.');
  end if;
  if not credits_private.fits(member_id) then
    perform credits_private.fail_invalid('member_id', 'length', 'Give 1 to 255 characters, or null.');
  end if;
end
$$;

-- Items with their usage as it is compared: null is {}.
create or replace function credits_private.items(items credits.item[])
returns credits.item[]
language sql immutable
return array(select credits.item(i.operation, i.usage) from unnest(items) with ordinality i order by i.ordinality);

-- A request as it is logged, and held against a repetition: one item as it is, a job as the list of its items.
create or replace function credits_private.logged(items credits.item[], out operation text, out usage jsonb)
language plpgsql immutable
as $$
begin
  if cardinality(items) = 1 then
    if jsonb_typeof(items[1].usage) <> 'object' then
      perform credits_private.fail_invalid('usage', 'not_an_object', 'Give usage as a JSON object.',
        jsonb_build_object('operation', items[1].operation));
    end if;
    operation := items[1].operation;
    usage := items[1].usage;
    return;
  end if;
  select case when min(i.operation) = max(i.operation) and count(i.operation) = count(*) then min(i.operation) end,
    jsonb_agg(jsonb_build_object('operation', i.operation, 'usage', i.usage) order by i.ordinality)
  into operation, usage
  from unnest(items) with ordinality i;
end
$$;

-- original: what the key was used for. PC409.
create or replace function credits_private.fail_key_reused(idempotency_key text, original jsonb)
returns void
language plpgsql volatile
as $$
begin
  perform credits_private.fail_conflict('idempotency_key_reused', 'Use a new idempotency key for a new request.',
    jsonb_build_object('idempotency_key', idempotency_key) || original);
end
$$;

-- Refuses a key that another family of functions has used: a family finds its own before it asks. Called under the account's
-- lock. PC409.
create or replace function credits_private.check_key_is_new(account_id text, idempotency_key text)
returns void
language plpgsql stable
as $$
declare
  original jsonb;
begin
  select jsonb_strip_nulls(jsonb_build_object('kind', k.kind, 'seq', k.seq, 'hold_id', k.hold_id, 'purchase_id', k.purchase_id))
  into original
  from credits_private.used_keys k
  where k.account_id = check_key_is_new.account_id and k.idempotency_key = check_key_is_new.idempotency_key
  order by k.seq
  limit 1;
  if found then
    perform credits_private.fail_key_reused(idempotency_key, original);
  end if;
end
$$;

-- That a hold or a purchase has a key, for spends to know that there are keys outside the log. Called under the account's lock.
create or replace function credits_private.note_key(account_id text)
returns void
language sql volatile
begin atomic
  update credits.accounts a set has_other_keys = true where a.account_id = note_key.account_id and not a.has_other_keys;
end;

-- Raises what stands between an account and a price. PC402, PC403.
create or replace function credits_private.refuse(account credits.accounts, line credits.quote_line, member_id text)
returns void
language plpgsql stable
as $$
declare
  shortage jsonb := jsonb_build_object('unit', line.unit, 'required', line.amount, 'available', line.available,
    'shortfall', line.amount - line.available, 'next_refill_at', credits_private.next_refill(account, line.unit));
begin
  case line.blocked_by
    when 'member_cap' then
      perform credits_private.fail('PC403',
        shortage || jsonb_build_object('requires', 'member_cap', 'member_id', member_id, 'period_end', account.period_end,
          'period_cap', (select m.period_cap from credits.members m
            where m.account_id = account.account_id and m.member_id = refuse.member_id)),
        'Have an admin raise the member''s cap, or wait for the next period.');
    when 'additional_paused' then
      perform credits_private.fail('PC402', shortage || jsonb_build_object('limit', 'additional_paused'),
        'Have an admin resume additional credits, or wait for the next refill.');
    when 'period_limit' then
      perform credits_private.fail('PC402',
        shortage || jsonb_build_object('limit', 'period_limit', 'period_limit', account.additional_period_limit),
        'Have an admin raise the limit on additional credits, or wait for the next period.');
    when 'insufficient_credits' then
      perform credits_private.fail('PC402',
        shortage || jsonb_build_object('smallest_pack', credits_private.smallest_pack(account, line.unit, line.amount - line.available)),
        case when shortage -> 'next_refill_at' = 'null' then 'Add credits.' else 'Wait for the next refill, or add credits.' end);
  end case;
end
$$;

-- The smallest pack that an account may buy and that would make up for a shortfall.
create or replace function credits_private.smallest_pack(account credits.accounts, unit text, shortfall numeric)
returns text
language sql stable
as $$
  select p.pack
  from credits.packs p
  where p.rate_card = account.rate_card and p.unit = smallest_pack.unit and p.amount >= shortfall and p.retired_at is null
    and (p.plans is null or account.plan = any (p.plans))
    and exists (select from credits.pack_prices r where r.rate_card = p.rate_card and r.pack = p.pack)
  order by p.amount, p.pack
  limit 1
$$;

-- The user was shown a price: refuse to charge more. PC409; PC422 when there is no one price to compare.
create or replace function credits_private.check_max_amount(max_amount numeric, prices credits_private.price[])
returns void
language plpgsql immutable
as $$
declare
  priced_units int;
  above record;
begin
  if max_amount is null then
    return;
  elsif not (max_amount >= 0 and max_amount < 'infinity') then
    perform credits_private.fail_invalid('max_amount', 'not_a_price', 'Give a number from 0.');
  end if;

  select count(*) into priced_units from unnest(prices) p where p.amount > 0;
  if priced_units > 1 then
    perform credits_private.fail_invalid('max_amount', 'several_units',
      'A price in several units has no one maximum: leave max_amount out.');
  end if;
  select p.unit, p.amount into above from unnest(prices) p where p.amount > max_amount;
  if found then
    perform credits_private.fail_conflict('price_above_max_amount', 'Show the new price and ask again.',
      jsonb_build_object('unit', above.unit, 'amount', above.amount, 'max_amount', max_amount));
  end if;
end
$$;

-- What a job costs an account, unless a gate bars it. PC403, PC404, PC409 price above max_amount, PC422.
create or replace function credits_private.price_job(
  account credits.accounts, top_ups boolean, items credits.item[], max_amount numeric, at timestamptz)
returns credits_private.price[]
language plpgsql stable
as $$
declare
  prices credits_private.price[];
begin
  perform credits_private.check_gates(account, top_ups, items);
  prices := credits_private.rate_items(account.rate_card, account.plan, top_ups, items, at);
  if max_amount is not null then
    perform credits_private.check_max_amount(max_amount, prices);
  end if;
  return prices;
end
$$;

-- The slices of a price, within all limits. Where they do not reach it, a refusal with the reason that a quote would show.
-- PC402, PC403.
create or replace function credits_private.draw_price(
  account credits.accounts, price credits_private.price, member_id text, at timestamptz)
returns credits_private.slice[]
language plpgsql stable
as $$
declare
  first_lot record;
  slices credits_private.slice[];
begin
  if account.additional_enabled and account.additional_period_limit is null then
    -- Mostly the first lot has enough.
    select l.lot_id, l.counts_as, l.available into first_lot
    from credits.lots l
    where l.account_id = account.account_id and l.unit = price.unit and l.open and l.available > 0
      and credits_private.usable(l, at)
    order by credits_private.draw_place(l)
    limit 1;
    if first_lot.available >= price.amount and price.amount > 0
      and price.amount > credits_private.member_allowed(account, member_id, price.unit, at) is not true then
      return array[(first_lot.lot_id, first_lot.counts_as, price.amount, 0)::credits_private.slice];
    end if;
  end if;
  slices := credits_private.draw(
    array(select l from credits.lots l where l.account_id = account.account_id and l.unit = price.unit and l.open),
    price.unit, price.amount, at, credits_private.additional_allowed(account, price.unit, at));
  if price.amount > least(
    (select coalesce(sum(s.spent), 0) from unnest(slices) s), credits_private.member_allowed(account, member_id, price.unit, at)) then
    perform credits_private.refuse(
      account, credits_private.assess(account, null, null, price, member_id, at), member_id);
  end if;
  return slices;
end
$$;

create or replace function credits_private.charge(
  account_id text, items credits.item[], idempotency_key text, member_id text, max_amount numeric, metadata jsonb)
returns credits.entries[]
language plpgsql volatile
as $$
declare
  operation text := items[1].operation;
  usage jsonb := items[1].usage;
  account credits.accounts;
  last record;
  at timestamptz;
  prices credits_private.price[];
  price credits_private.price;
  entries credits.entries[];
begin
  if not (credits_private.fits(idempotency_key) and credits_private.fits(member_id)) then
    perform credits_private.check_labels(idempotency_key, member_id);
  end if;
  if cardinality(items) <> 1 or jsonb_typeof(usage) <> 'object' then
    select l.operation, l.usage into operation, usage from credits_private.logged(items) l;
  end if;

  -- As lock_account() does, which is for what is out of the ordinary.
  select a.* into account from credits.accounts a where a.account_id = charge.account_id for no key update;
  if not found or account.watched_until is not null then
    account := credits_private.lock_account(account_id);
  end if;

  -- What there is to know under the lock, at once. The subqueries name the account, not e: they are asked once, by their indexes, and
  -- the planner has no reason to read a whole table for many rows of e.
  select e.seq, e.unit, e.balance_after, e.occurred_at,
    exists (
      select from credits.entries k
      where k.account_id = charge.account_id and k.idempotency_key = charge.idempotency_key) as key_is_used,
    exists (
      select from credits.gates g where g.rate_card = account.rate_card and g.operation = items[1].operation) as is_gated
  into last
  from credits.entries e
  where e.account_id = charge.account_id
  order by e.seq desc
  limit 1;
  if last.key_is_used is not false or (account.has_other_keys and idempotency_key is not null) then
    entries := credits_private.earlier_charge(account_id, idempotency_key, operation, usage, member_id);
    if entries <> '{}' then
      return entries;
    end if;
  end if;

  at := greatest(credits_private.now(), last.occurred_at);
  if account.next_due_at <= at then
    account := credits_private.settled(account, at);
    last.seq := null;
  end if;
  if last.is_gated is not false or cardinality(items) > 1 then
    perform credits_private.check_gates(account, account.top_ups, items);
  end if;
  prices := credits_private.rate_items(account.rate_card, account.plan, account.top_ups, items, at);
  if max_amount is not null then
    perform credits_private.check_max_amount(max_amount, prices);
  end if;

  foreach price in array prices loop
    entries := entries || credits_private.post(account_id, price.unit, 'usage', at,
      credits_private.draw_price(account, price, member_id, at), operation => operation, usage => usage,
      breakdown => price.breakdown, member_id => member_id, idempotency_key => idempotency_key, metadata => metadata,
      last_seq => last.seq, balance => case when last.unit = price.unit then last.balance_after end);
    last.seq := null;
  end loop;
  if account.top_ups then
    perform credits_private.top_up_if_low(account, at);
  end if;
  return entries;
end
$$;

-- What the same request was charged before, by its key; empty if the key is new. Called under the account's lock.
-- PC409 if the key was used for anything else.
create or replace function credits_private.earlier_charge(
  account_id text, idempotency_key text, operation text, usage jsonb, member_id text)
returns credits.entries[]
language plpgsql stable
as $$
declare
  entries credits.entries[];
begin
  entries := array(
    select e from credits.entries e
    where e.account_id = earlier_charge.account_id and e.idempotency_key = earlier_charge.idempotency_key
    order by e.seq);
  if entries = '{}' then
    perform credits_private.check_key_is_new(account_id, idempotency_key);
  elsif entries[1].kind <> 'usage' or (entries[1].operation, entries[1].usage, entries[1].member_id)
      is distinct from (operation, usage, member_id) then
    perform credits_private.fail_key_reused(
      idempotency_key, jsonb_build_object('kind', entries[1].kind, 'seq', entries[1].seq));
  end if;
  return entries;
end
$$;

create or replace function credits.spend_items(
  account_id text, items credits.item[], idempotency_key text default null, member_id text default null,
  max_amount numeric default null, metadata jsonb default null)
returns setof credits.entries
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  perform credits_private.check_service();
  return query select * from unnest(credits_private.charge(
    account_id, credits_private.items(items), idempotency_key, member_id, max_amount, metadata));
end
$$;
comment on function credits.spend_items(text, credits.item[], text, text, numeric, jsonb) is
  'Charges several operations together, all or nothing: one entry a unit for the whole job. The same idempotency key again returns the original entries. PC402 not enough credits; PC403 a gate or a member''s cap; PC404 unknown account or operation; PC409 key reused, or price above max_amount; PC422 bad usage. Service only.';

create or replace function credits.spend(
  account_id text, operation text, usage jsonb default '{}', idempotency_key text default null,
  member_id text default null, max_amount numeric default null, metadata jsonb default null)
returns setof credits.entries
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  entry credits.entries;
begin
  if not credits_private.caller_is('credits_service') then
    perform credits_private.check_service();
  end if;
  foreach entry in array credits_private.charge(
    account_id, array[credits.item(operation, usage)], idempotency_key, member_id, max_amount, metadata)
  loop
    return next entry;
  end loop;
end
$$;
comment on function credits.spend(text, text, jsonb, text, text, numeric, jsonb) is
  'Charges one operation: rates the usage, draws lots in draw order, and returns the entries, one a unit. max_amount is the price that the user was shown. The same idempotency key again returns the original entries. PC402 not enough credits; PC403 a gate or a member''s cap; PC404 unknown account or operation; PC409 key reused, or price above max_amount; PC422 bad usage. Service only.';
