-- Purchases: packs that people buy, and top-ups. Recorded first, spendable once the payment is reported.

-- The currency of a purchase: dollars where there is a price in dollars, else the first there is.
create or replace function credits_private.choose_currency(currencies text[])
returns text
language sql immutable
return (select c from unnest(currencies) c order by c <> 'USD', c limit 1);

-- A price that can be paid: one that is finer than the smallest coin of its currency is rounded up to it.
create or replace function credits_private.payable(price numeric, currency text)
returns numeric
language sql immutable
return (
  select case when price * coins = trunc(price * coins) then price else trim_scale(ceil(price * coins) / coins) end
  from (select case
    when currency in (
      'BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'MGA', 'PYG', 'RWF', 'UGX', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') then 1
    when currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 1000
    else 100 end as coins) c);

-- A purchase, under the account's lock. PC404.
create or replace function credits_private.find_purchase(account_id text, purchase_id bigint)
returns credits.purchases
language plpgsql stable
as $$
declare
  purchase credits.purchases;
begin
  select p.* into purchase from credits.purchases p
  where p.account_id = find_purchase.account_id and p.purchase_id = find_purchase.purchase_id;
  if not found then
    perform credits_private.fail_not_found('purchase', purchase_id::text, 'credits.purchases lists the purchases.');
  end if;
  return purchase;
end
$$;

create or replace function credits_private.add_purchase(purchase credits.purchases)
returns credits.purchases
language plpgsql volatile
as $$
begin
  select coalesce(max(p.purchase_id), 0) + 1 into purchase.purchase_id
  from credits.purchases p where p.account_id = purchase.account_id;
  purchase.price := credits_private.payable(purchase.price, purchase.currency);
  purchase.status := 'pending';
  purchase.shortfall := 0;
  purchase.reversed_amount := 0;
  purchase.reinstated_amount := 0;
  purchase.declines := 0;
  -- Under the lock nobody has it, unless the caller's snapshot is older than the lock: a serialization failure, as in post().
  insert into credits.purchases select purchase.* on conflict on constraint purchases_pkey do nothing;
  if purchase.idempotency_key is not null then
    perform credits_private.note_key(purchase.account_id);
  end if;
  return purchase;
end
$$;

create or replace function credits.buy(
  account_id text, pack text, member_id text default null, idempotency_key text default null,
  currency text default null)
returns credits.purchases
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  present credits_private.writing;
  original credits.purchases;
  chosen credits.packs;
  purchase credits.purchases;
  currencies text[];
begin
  perform credits_private.check_admin(account_id, member_id);
  perform credits_private.check_labels(idempotency_key, member_id);
  -- A member buys in their own name, whatever they say.
  if not credits_private.caller_is('credits_service') then
    member_id := credits_private.claim('member_id');
  end if;
  present := credits_private.begin_writing(account_id);

  if idempotency_key is not null then
    select p.* into original from credits.purchases p
    where p.account_id = buy.account_id and p.idempotency_key = buy.idempotency_key;
    if found then
      if (original.pack, original.member_id) is distinct from (pack, member_id) or currency <> original.currency then
        perform credits_private.fail_key_reused(idempotency_key,
          jsonb_build_object('kind', 'purchase', 'purchase_id', original.purchase_id));
      end if;
      return original;
    end if;
    perform credits_private.check_key_is_new(account_id, idempotency_key);
  end if;

  select p.* into chosen from credits.packs p
  where p.rate_card = (present.account).rate_card and p.pack = buy.pack and p.retired_at is null;
  if not found then
    perform credits_private.fail_not_found('pack', pack, 'credits.packs lists the packs of the account''s rate card.');
  elsif chosen.plans is not null and not coalesce((present.account).plan = any (chosen.plans), false) then
    perform credits_private.fail('PC403',
      jsonb_build_object('requires', 'plan', 'pack', pack, 'plans', chosen.plans, 'plan', (present.account).plan),
      'Subscribe to one of these plans.');
  end if;

  currencies := array(select r.currency from credits.pack_prices r where r.rate_card = chosen.rate_card and r.pack = chosen.pack);
  currency := coalesce(currency, credits_private.choose_currency(currencies));
  if currency is null or not currency = any (currencies) then
    perform credits_private.fail_invalid('currency', 'no_price', 'credits.pack_prices lists the prices of the pack.',
      jsonb_build_object('pack', pack, 'currency', currency, 'known', currencies));
  end if;

  purchase.account_id := account_id;
  purchase.kind := 'pack';
  purchase.pack := chosen.pack;
  purchase.unit := chosen.unit;
  purchase.amount := chosen.amount;
  purchase.currency := currency;
  select r.price into purchase.price from credits.pack_prices r
  where r.rate_card = chosen.rate_card and r.pack = chosen.pack and r.currency = buy.currency;
  purchase.member_id := member_id;
  purchase.idempotency_key := idempotency_key;
  purchase.created_at := present.at;
  return credits_private.add_purchase(purchase);
end
$$;
comment on function credits.buy(text, text, text, text, text) is
  'Records the purchase of a pack, pending: nothing is spendable until it is settled. currency: one that the pack has a price in (default: dollars, else the first). PC403 unless an admin, or a pack for other plans; PC404 unknown account or pack; PC409 key reused; PC422 no price in this currency.';

create or replace function credits.purchase_to_pay(account_id text, purchase_id bigint)
returns credits.purchases
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  account credits.accounts;
  purchase credits.purchases;
begin
  perform credits_private.check_service();
  account := credits_private.visible_account(account_id);
  purchase := credits_private.find_purchase(account_id, purchase_id);
  if purchase.status <> 'pending' then
    perform credits_private.fail_conflict('already_' || purchase.status, 'Buy another one.',
      jsonb_build_object('purchase_id', purchase_id));
  elsif purchase.kind = 'top_up' then
    perform credits_private.fail_conflict('charged_automatically', 'The worker charges top-ups to the card that is saved.',
      jsonb_build_object('purchase_id', purchase_id));
  end if;
  return purchase;
end
$$;
comment on function credits.purchase_to_pay(text, bigint) is
  'For whoever sends a buyer to a checkout page: the purchase of a pack, if it is still to be paid. PC404 unknown account or purchase; PC409 settled, failed, reversed, or a top-up. Service only.';

create or replace function credits.settle_purchase(account_id text, purchase_id bigint, payment_reference text)
returns credits.purchases
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  present credits_private.writing;
  purchase credits.purchases;
  lot credits.lots;
begin
  perform credits_private.check_service();
  if coalesce(length(payment_reference), 0) not between 1 and 255 then
    perform credits_private.fail_invalid('payment_reference', 'length', 'Give the provider''s id of the payment, 1 to 255 characters.');
  end if;
  present := credits_private.begin_writing(account_id);
  purchase := credits_private.find_purchase(account_id, purchase_id);

  if purchase.settled_at is not null and purchase.payment_reference = settle_purchase.payment_reference then
    return purchase;
  elsif purchase.status in ('settled', 'reversed') then
    perform credits_private.fail_conflict('already_' || purchase.status, 'A purchase is settled by one payment.',
      jsonb_build_object('purchase_id', purchase_id, 'payment_reference', purchase.payment_reference));
  elsif exists (
    select from credits.purchases p
    where p.account_id = settle_purchase.account_id and p.payment_reference = settle_purchase.payment_reference) then
    perform credits_private.fail_conflict('payment_reference_used', 'A payment settles one purchase.',
      jsonb_build_object('payment_reference', payment_reference));
  end if;

  update credits.purchases p
  set status = 'settled', payment_reference = settle_purchase.payment_reference, settled_at = present.at, declines = 0,
    next_attempt_at = null, reason = null
  where p.account_id = settle_purchase.account_id and p.purchase_id = settle_purchase.purchase_id
  returning p.* into purchase;

  lot := credits_private.new_lot(account_id, purchase.unit, 'additional', purchase.amount, present.at, null,
    case purchase.kind when 'pack' then 'purchase' else 'top_up' end);
  lot.purchase_id := purchase.purchase_id;
  lot.price := purchase.price;
  lot.currency := purchase.currency;
  perform credits_private.add_lot(lot.source, lot);
  perform credits_private.top_up_if_low(present.account, present.at);
  return purchase;
end
$$;
comment on function credits.settle_purchase(text, bigint, text) is
  'Reports the payment of a purchase, pending or failed: grants its lot, additional and without expiry. The same payment_reference again returns the same row and grants nothing. PC404 unknown account or purchase; PC409 settled by another payment, reversed, or the payment settled another purchase; PC422 no payment_reference. Service only.';

create or replace function credits.fail_purchase(
  account_id text, purchase_id bigint, reason text, attempt int default null)
returns credits.purchases
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  present credits_private.writing;
  purchase credits.purchases;
begin
  perform credits_private.check_service();
  present := credits_private.begin_writing(account_id);
  purchase := credits_private.find_purchase(account_id, purchase_id);
  if purchase.status in ('settled', 'reversed') then
    perform credits_private.fail_conflict('already_' || purchase.status, 'Reverse the purchase instead.',
      jsonb_build_object('purchase_id', purchase_id));
  elsif purchase.status = 'failed' or attempt <> purchase.declines then
    return purchase;
  end if;

  -- A declined top-up is tried again later; the third decline in a row ends it and suspends top-ups.
  update credits.purchases p
  set declines = p.declines + 1, reason = fail_purchase.reason,
    status = case when p.kind = 'pack' or p.declines + 1 >= 3 then 'failed' else 'pending' end,
    next_attempt_at = case when p.kind = 'top_up' and p.declines + 1 < 3 then present.at + interval '1 hour' * 6 ^ p.declines end
  where p.account_id = fail_purchase.account_id and p.purchase_id = fail_purchase.purchase_id
  returning p.* into purchase;
  if purchase.kind = 'top_up' and purchase.status = 'failed' then
    update credits.top_up_settings t
    set enabled = false, suspended_reason = coalesce(fail_purchase.reason, 'declined')
    where t.account_id = fail_purchase.account_id;
    update credits.accounts a set top_ups = false where a.account_id = fail_purchase.account_id;
  end if;
  return purchase;
end
$$;
comment on function credits.fail_purchase(text, bigint, text, int) is
  'Reports that the payment of a purchase failed. For a top-up this is one decline: it stays pending and is tried again (after 1, then 6 hours); the third in a row makes it failed and suspends top-ups until they are configured again. attempt: how often it had been declined before this try; the same decline reported again then counts once. PC404 unknown account or purchase; PC409 settled or reversed. Service only.';

-- Moves how much of a purchase is reversed and how much of that was given back, and with it the credits: what more is reversed is
-- taken out of its own lot as far as it is there, and recorded as the shortfall where it is not; what less is reversed lowers the
-- shortfall first, and then returns to the lot. The account is locked and settled.
create or replace function credits_private.set_reversed(
  purchase credits.purchases, reversed_amount numeric, reinstated_amount numeric, at timestamptz, reason text)
returns credits.purchases
language plpgsql volatile
as $$
declare
  more numeric := (reversed_amount - reinstated_amount) - (purchase.reversed_amount - purchase.reinstated_amount);
  lot credits.lots;
  moved numeric;
begin
  -- Before settlement nothing was granted, and nothing is short.
  select l.* into lot from credits.lots l
  where l.account_id = purchase.account_id and l.purchase_id = purchase.purchase_id;
  if found and more > 0 then
    moved := least(more, lot.available);
    if moved > 0 then
      perform credits_private.take_back(lot, moved, at, reason, purchase.purchase_id);
    end if;
    purchase.shortfall := purchase.shortfall + more - moved;
  elsif found and more < 0 then
    moved := greatest(-more - purchase.shortfall, 0);
    if moved > 0 then
      perform credits_private.post(lot.account_id, lot.unit, lot.source, at,
        array[(lot.lot_id, lot.counts_as, 0, -moved)::credits_private.slice], purchase_id => purchase.purchase_id,
        reason => reason);
    end if;
    purchase.shortfall := purchase.shortfall + more + moved;
  end if;

  update credits.purchases p
  set reversed_amount = set_reversed.reversed_amount, reinstated_amount = set_reversed.reinstated_amount,
    shortfall = purchase.shortfall, reason = set_reversed.reason, next_attempt_at = null,
    -- What was reversed before its settlement, no payment settles any more.
    status = case
      when p.settled_at is null or set_reversed.reversed_amount - set_reversed.reinstated_amount = p.amount then 'reversed'
      else 'settled' end
  where p.account_id = purchase.account_id and p.purchase_id = purchase.purchase_id
  returning p.* into purchase;
  -- No look at the threshold: whoever got their money back is not charged anew for that.
  return purchase;
end
$$;

create or replace function credits.reverse_purchase(
  account_id text, purchase_id bigint, reason text, amount numeric default null)
returns credits.purchases
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  present credits_private.writing;
  purchase credits.purchases;
  reversed numeric;
begin
  perform credits_private.check_service();
  present := credits_private.begin_writing(account_id);
  purchase := credits_private.find_purchase(account_id, purchase_id);
  reversed := purchase.reversed_amount - purchase.reinstated_amount;
  if amount is not null then
    perform credits_private.check_amount((present.account).rate_card, purchase.unit, amount);
  end if;
  if purchase.status = 'reversed' and (amount is null or purchase.settled_at is null) then
    return purchase;
  end if;
  amount := coalesce(amount, purchase.amount - reversed);
  if amount > purchase.amount - reversed then
    perform credits_private.fail_conflict('more_reversed_than_bought', 'Reverse at most what is left of the purchase.',
      jsonb_build_object('amount', purchase.amount, 'reversed', reversed, 'requested', amount));
  end if;
  return credits_private.set_reversed(purchase, purchase.reversed_amount + amount, purchase.reinstated_amount, present.at, reason);
end
$$;
comment on function credits.reverse_purchase(text, bigint, text, numeric) is
  'Reports a chargeback or a refunded payment, of the whole purchase or of an amount of its credits: takes back what is left of the purchase''s own lot and records the shortfall, which is taken from what holds and refunds return to that lot later; no other lot is touched. Before settlement it bars settlement. Reversed whole, it returns the row as it is. PC404 unknown account or purchase; PC409 more than was bought; PC422 bad amount. Service only.';

create or replace function credits.reinstate_purchase(
  account_id text, purchase_id bigint, reason text, amount numeric default null)
returns credits.purchases
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  present credits_private.writing;
  purchase credits.purchases;
  reversed numeric;
begin
  perform credits_private.check_service();
  present := credits_private.begin_writing(account_id);
  purchase := credits_private.find_purchase(account_id, purchase_id);
  reversed := purchase.reversed_amount - purchase.reinstated_amount;
  if amount is not null then
    perform credits_private.check_amount((present.account).rate_card, purchase.unit, amount);
  end if;
  if purchase.settled_at is null then
    perform credits_private.fail_conflict('never_settled', 'Nothing was taken back: buy again.',
      jsonb_build_object('purchase_id', purchase_id));
  elsif amount is null and reversed = 0 then
    return purchase;
  elsif amount > reversed then
    perform credits_private.fail_conflict('more_reinstated_than_reversed', 'Reinstate at most what is reversed.',
      jsonb_build_object('reversed', reversed, 'requested', amount));
  end if;
  return credits_private.set_reversed(
    purchase, purchase.reversed_amount, purchase.reinstated_amount + coalesce(amount, reversed), present.at, reason);
end
$$;
comment on function credits.reinstate_purchase(text, bigint, text, numeric) is
  'Reports that a reversal was undone, as by a dispute that was won, in whole or for an amount of its credits: lowers the shortfall, and gives the rest back to the purchase''s own lot. Where nothing is reversed, it returns the row as it is. PC404 unknown account or purchase; PC409 more than is reversed, or the purchase was never settled; PC422 bad amount. Service only.';

create or replace function credits.reverse_payment(
  account_id text, purchase_id bigint, payment_reference text, paid numeric, returned numeric, reason text,
  reinstated numeric default 0)
returns credits.purchases
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  present credits_private.writing;
  purchase credits.purchases;
  unit_scale int;
  new_reinstated numeric;
  new_reversed numeric;
begin
  perform credits_private.check_service();
  if paid is null or not (paid > 0 and paid <= 1e18) then
    perform credits_private.fail_invalid('paid', 'out_of_range', 'Give what was paid, above 0.');
  elsif returned is null or not (returned >= 0 and returned <= 1e18) then
    perform credits_private.fail_invalid('returned', 'out_of_range', 'Give what has been returned of it in all, from 0.');
  elsif reinstated is null or not (reinstated >= 0 and reinstated <= returned) then
    perform credits_private.fail_invalid('reinstated', 'out_of_range', 'Give what of the returned has come back in all, from 0.');
  end if;
  present := credits_private.begin_writing(account_id);
  purchase := credits_private.find_purchase(account_id, purchase_id);
  if purchase.settled_at is not null and purchase.payment_reference is distinct from reverse_payment.payment_reference then
    perform credits_private.fail_conflict('settled_by_another_payment', 'What was returned had bought nothing.',
      jsonb_build_object('purchase_id', purchase_id, 'payment_reference', purchase.payment_reference));
  elsif returned = 0 then
    return purchase;
  elsif purchase.settled_at is null and returned - reinstated < paid and (purchase.status <> 'reversed' or reinstated > 0) then
    -- What is returned in part was paid, though the report of that is still on its way. So was what came back after all.
    update credits.purchases p set status = 'failed', reversed_amount = 0
    where p.account_id = purchase.account_id and p.purchase_id = purchase.purchase_id and p.status = 'reversed';
    purchase := credits.settle_purchase(account_id, purchase_id, payment_reference);
  end if;

  -- Reports come late, twice and out of order; each names whole sums, which only grow. So the largest of each counts.
  select u.scale into unit_scale from credits.units u where u.rate_card = (present.account).rate_card and u.unit = purchase.unit;
  new_reinstated := greatest(purchase.reinstated_amount,
    least(round(purchase.amount * reinstated / paid, unit_scale), purchase.amount));
  new_reversed := greatest(purchase.reversed_amount,
    least(round(purchase.amount * returned / paid, unit_scale), purchase.amount + new_reinstated));
  if (new_reversed, new_reinstated) = (purchase.reversed_amount, purchase.reinstated_amount) then
    return purchase;
  end if;
  return credits_private.set_reversed(purchase, new_reversed, new_reinstated, present.at, reason);
end
$$;
comment on function credits.reverse_payment(text, bigint, text, numeric, numeric, text, numeric) is
  'Reports how much of a payment has been returned in all so far, by refunds and chargebacks together, and how much of that has come back (reinstated), by disputes that were won; all in any unit of money that paid is in too. The purchase is reversed in that proportion. The same report again, or an older one, changes nothing. Before settlement, a payment returned in part settles the purchase first, one returned whole bars it. PC404 unknown account or purchase; PC409 another payment settled it; PC422 bad sums. Service only.';
