-- Granting: a lot and the entry that explains it.

-- An amount that a caller gives: above 0, at most so much, within the unit's scale. PC422.
create or replace function credits_private.check_amount(rate_card text, unit text, amount numeric, at_most numeric default 1e12)
returns void
language plpgsql stable
as $$
declare
  unit_scale int;
begin
  select u.scale into unit_scale from credits.units u where u.rate_card = check_amount.rate_card and u.unit = check_amount.unit;
  if not found then
    perform credits_private.fail_invalid('unit', 'unknown', 'credits.units lists the units of the account''s rate card.',
      jsonb_build_object('unit', unit));
  elsif amount is null or not (amount > 0 and amount <= at_most) then
    perform credits_private.fail_invalid('amount', case when amount > at_most and amount < 'infinity' then 'too_large' else 'not_positive' end,
      format('Give a number above 0, at most %s.', trim_scale(at_most)), jsonb_build_object('amount', amount::text));
  elsif amount <> round(amount, unit_scale) then
    perform credits_private.fail_invalid('amount', 'too_fine', format('Give at most %s decimal places.', unit_scale),
      jsonb_build_object('amount', amount, 'scale', unit_scale));
  end if;
end
$$;

-- Writes a new lot with its entry into a locked, settled account. Returns the lot's row.
create or replace function credits_private.add_lot(kind text, lot credits.lots, idempotency_key text default null)
returns credits.lots
language plpgsql volatile
as $$
declare
  entry credits.entries := credits_private.post(lot.account_id, lot.unit, kind, lot.starts_at, '{}', array[lot],
    idempotency_key => idempotency_key, purchase_id => lot.purchase_id, reason => lot.reason);
begin
  if lot.expires_at is not null then
    perform credits_private.look_ahead(lot.account_id);
  end if;
  select l.* into lot
  from credits.postings p join credits.lots l on l.account_id = p.account_id and l.lot_id = p.lot_id
  where p.account_id = entry.account_id and p.seq = entry.seq;
  return lot;
end
$$;

create or replace function credits.grant(
  account_id text, amount numeric, unit text default 'credit', bucket text default 'additional',
  expires_at timestamptz default null, priority int default 100, reason text default null,
  idempotency_key text default null)
returns credits.lots
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  present credits_private.writing;
  original credits.entries;
  lot credits.lots;
begin
  perform credits_private.check_service();
  perform credits_private.check_labels(idempotency_key, null);
  present := credits_private.begin_writing(account_id);

  -- The lot as it is now, also after an expiry.
  if idempotency_key is not null then
    select e.* into original from credits.entries e
    where e.account_id = "grant".account_id and e.idempotency_key = "grant".idempotency_key;
    if found then
      select l.* into lot
      from credits.postings p join credits.lots l on l.account_id = p.account_id and l.lot_id = p.lot_id
      where p.account_id = original.account_id and p.seq = original.seq;
      if original.kind <> 'grant' or (lot.unit, lot.bucket, original.amount::numeric) is distinct from (unit, bucket, amount) then
        perform credits_private.fail_key_reused(idempotency_key, jsonb_build_object('kind', original.kind, 'seq', original.seq));
      end if;
      return lot;
    end if;
    perform credits_private.check_key_is_new(account_id, idempotency_key);
  end if;

  perform credits_private.check_amount((present.account).rate_card, unit, amount);
  if not exists (select from credits.buckets b where b.bucket = "grant".bucket) then
    perform credits_private.fail_invalid('bucket', 'unknown', 'credits.buckets lists the buckets.',
      jsonb_build_object('bucket', bucket));
  elsif priority is null then
    perform credits_private.fail_invalid('priority', 'missing', 'Give a whole number; lower is drawn first.');
  elsif expires_at <= present.at then
    perform credits_private.fail_invalid('expires_at', 'in_the_past', 'Give a later time, or null for no expiry.',
      jsonb_build_object('expires_at', expires_at, 'now', present.at));
  end if;

  lot := credits_private.new_lot(account_id, unit, bucket, amount, present.at, nullif(expires_at, 'infinity'), 'grant');
  lot.priority := priority;
  lot.reason := reason;
  return credits_private.add_lot('grant', lot, idempotency_key);
end
$$;
comment on function credits.grant(text, numeric, text, text, timestamptz, int, text, text) is
  'Gives an account credits: one lot, and its entry. expires_at null: without expiry. Lower priority is drawn first within the bucket. PC404 unknown account; PC409 key reused; PC422 amount not positive or finer than the unit''s scale, unknown unit or bucket, expiry in the past. Service only.';

create or replace function credits.claim(account_id text, promotion text, claimant text)
returns credits.lots
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  present credits_private.writing;
  gift credits.promotions;
  lot credits.lots;
begin
  perform credits_private.check_service();
  claimant := lower(regexp_replace(claimant, '^\s+|\s+$', '', 'g'));
  if claimant is null or length(claimant) not between 1 and 320 then
    perform credits_private.fail_invalid('claimant', 'length', 'Give the verified e-mail address, 1 to 320 characters.');
  end if;
  present := credits_private.begin_writing(account_id);

  select p.* into gift from credits.promotions p
  where p.rate_card = (present.account).rate_card and p.promotion = claim.promotion and p.retired_at is null;
  if not found then
    perform credits_private.fail_not_found('promotion', promotion,
      'credits.promotions lists the promotions of the account''s rate card.');
  end if;

  -- The keys of the table decide; another transaction with the same claimant is waited for.
  insert into credits.promotion_claims (rate_card, promotion, claimant, account_id, claimed_at)
  values (gift.rate_card, gift.promotion, claimant, account_id, present.at)
  on conflict do nothing;
  if not found then
    perform credits_private.fail_conflict('already_claimed', 'A promotion is claimed once per person and once per account.',
      jsonb_build_object('promotion', promotion));
  end if;

  -- A week is a week wherever the caller's session says that it is: days are counted in UTC.
  lot := credits_private.new_lot(account_id, gift.unit, 'additional', gift.amount, present.at,
    date_add(present.at, gift.expires_after, 'UTC'), 'promotion');
  lot.priority := gift.priority;
  lot.reason := gift.promotion;
  return credits_private.add_lot('grant', lot);
end
$$;
comment on function credits.claim(text, text, text) is
  'Gives an account a one-time promotion: once per claimant (a verified e-mail address, compared in lower case and without white space around it) and once per account. PC404 unknown account or promotion; PC409 already claimed; PC422 no claimant. Service only.';
