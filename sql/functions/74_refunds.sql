-- Refunds and take-backs.

create or replace function credits.refund(
  account_id text, seq bigint, amount numeric default null, reason text default null,
  idempotency_key text default null, regrant boolean default false)
returns setof credits.entries
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  present credits_private.writing;
  charge credits.entries;
  original credits.entries;
  refunded numeric;
  slices credits_private.slice[];
  lapsed record;
  lot credits.lots;
  new_lots credits.lots[] := '{}';
begin
  perform credits_private.check_service();
  perform credits_private.check_labels(idempotency_key, null);
  present := credits_private.begin_writing(account_id);

  select e.* into charge from credits.entries e where e.account_id = refund.account_id and e.seq = refund.seq;
  if not found then
    perform credits_private.fail_not_found('entry', seq::text, 'credits.activity lists the entries.');
  elsif charge.kind <> 'usage' then
    perform credits_private.fail_invalid('seq', 'not_a_charge', 'Only usage entries are refunded.',
      jsonb_build_object('kind', charge.kind));
  end if;

  if idempotency_key is not null then
    select e.* into original from credits.entries e
    where e.account_id = refund.account_id and e.idempotency_key = refund.idempotency_key;
    if found then
      -- Without an amount it is all that was left then.
      select coalesce(sum(e.amount), 0) into refunded from credits.entries e
      where e.account_id = refund.account_id and e.refunds_seq = refund.seq and e.seq < original.seq;
      if original.kind <> 'refund' or original.refunds_seq <> seq
        or original.amount <> coalesce(amount, -charge.amount - refunded) then
        perform credits_private.fail_key_reused(idempotency_key, jsonb_build_object('kind', original.kind, 'seq', original.seq));
      end if;
      return next original;
      return;
    end if;
    perform credits_private.check_key_is_new(account_id, idempotency_key);
  end if;

  select coalesce(sum(e.amount), 0) into refunded from credits.entries e
  where e.account_id = refund.account_id and e.refunds_seq = refund.seq and e.kind = 'refund';
  if amount is not null then
    perform credits_private.check_amount((present.account).rate_card, charge.unit, amount);
  end if;
  amount := coalesce(amount, -charge.amount - refunded);
  if amount <= 0 or amount > -charge.amount - refunded then
    perform credits_private.fail_conflict('more_refunded_than_charged', 'Refund at most what is left of the charge.',
      jsonb_build_object('charged', -charge.amount, 'refunded', refunded, 'requested', amount));
  end if;

  -- Back to the lots it was drawn from, the last drawn first, beyond what earlier refunds returned.
  slices := array(
    select (p.lot_id, p.counts_as, greatest(p.before, refunded) - least(p.after, refunded + amount), 0)::credits_private.slice
    from (
      select p.ordinal, p.lot_id, l.counts_as, sum(-p.amount) over (order by p.ordinal desc) as after,
        sum(-p.amount) over (order by p.ordinal desc) + p.amount as before
      from credits.postings p
      join credits.lots l on l.account_id = p.account_id and l.lot_id = p.lot_id
      where p.account_id = refund.account_id and p.seq = refund.seq
    ) p
    where p.after > refunded and p.before < refunded + amount
    order by p.ordinal desc);

  if regrant then
    -- What would return to an expired lot becomes a new one in the same bucket, until the current period's end.
    for lapsed in
      select l.bucket, sum(-s.spent) as amount
      from unnest(slices) s
      join credits.lots l on l.account_id = refund.account_id and l.lot_id = s.lot_id and l.expires_at <= present.at
      group by l.bucket order by l.bucket
    loop
      lot := credits_private.new_lot(account_id, charge.unit, lapsed.bucket, lapsed.amount, present.at,
        coalesce((present.account).period_end, date_add(date_trunc('month', present.at, 'UTC'), interval '1 month', 'UTC')), 'refund');
      lot.reason := reason;
      new_lots := new_lots || lot;
    end loop;
    slices := array(
      select (s.lot_id, s.counts_as, s.spent, s.forfeited)::credits_private.slice from unnest(slices) with ordinality s
      join credits.lots l on l.account_id = refund.account_id and l.lot_id = s.lot_id
      where l.expires_at is null or l.expires_at > present.at
      order by s.ordinality);
  end if;

  return next credits_private.post(account_id, charge.unit, 'refund', present.at, slices, new_lots,
    operation => charge.operation, member_id => charge.member_id, idempotency_key => idempotency_key, refunds_seq => seq,
    reason => reason);
  perform credits_private.look_ahead(account_id);
  perform credits_private.let_lapse(account_id, present.at);
end
$$;
comment on function credits.refund(text, bigint, numeric, text, text, boolean) is
  'Refunds a usage entry, in whole (what is left of it) or in part: back to the lots it was drawn from, the last drawn first. What returns to an expired lot is forfeited at once, unless regrant: then it is a new lot until the current period''s end; what returns to a reversed purchase''s is taken back, up to the shortfall. PC404 unknown account or entry; PC409 more than was charged, or key reused; PC422 not a charge, bad amount. Service only.';

create or replace function credits.revoke(
  account_id text, lot_id bigint, amount numeric default null, reason text default null)
returns setof credits.entries
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  present credits_private.writing;
  lot credits.lots;
begin
  perform credits_private.check_service();
  present := credits_private.begin_writing(account_id);
  select l.* into lot from credits.lots l where l.account_id = revoke.account_id and l.lot_id = revoke.lot_id;
  if not found then
    perform credits_private.fail_not_found('lot', lot_id::text, 'credits.lots lists the lots.');
  elsif amount is not null then
    perform credits_private.check_amount((present.account).rate_card, lot.unit, amount);
  end if;
  amount := coalesce(amount, lot.available);
  if amount > lot.available then
    perform credits_private.fail('PC402',
      jsonb_build_object('unit', lot.unit, 'required', amount, 'available', lot.available,
        'shortfall', amount - lot.available, 'next_refill_at', credits_private.next_refill(present.account, lot.unit),
        'lot_id', lot_id),
      'Revoke at most what is available in the lot.');
  end if;
  if amount > 0 then
    return next credits_private.take_back(lot, amount, present.at, reason, null);
  end if;
end
$$;
comment on function credits.revoke(text, bigint, numeric, text) is
  'Takes back what is available in a lot, in whole or in part, and returns the revocation entry; none where nothing is left. PC402 more than is available; PC404 unknown account or lot; PC422 bad amount. Service only.';

create or replace function credits_private.take_back(
  lot credits.lots, amount numeric, at timestamptz, reason text, purchase_id bigint)
returns credits.entries
language sql volatile
return credits_private.post(lot.account_id, lot.unit, 'revocation', at,
  array[(lot.lot_id, lot.counts_as, 0, amount)::credits_private.slice], purchase_id => purchase_id, reason => reason);

-- Takes back what has returned to the lot of a reversed purchase, which is then that much less short.
create or replace function credits_private.take_back_returned(account_id text, event credits_private.due_event)
returns void
language plpgsql volatile
as $$
declare
  lot credits.lots;
  purchase credits.purchases;
begin
  select l.* into lot from credits.lots l
  where l.account_id = take_back_returned.account_id and l.lot_id = event.lot_id;
  update credits.purchases p set shortfall = p.shortfall - event.amount
  where p.account_id = lot.account_id and p.purchase_id = lot.purchase_id
  returning p.* into purchase;
  perform credits_private.take_back(lot, event.amount, event.at, purchase.reason, purchase.purchase_id);
end
$$;
