-- Automatic top-ups: a balance below the threshold records a pending purchase, in the transaction that brought it there;
-- the worker charges it, and settling it grants the lot.

-- What a top-up costs; null: the card sells none.
create or replace function credits_private.top_up_price(rate_card text, amount numeric, out currency text, out price numeric)
language sql stable
as $$
  select r.currency, r.price * amount
  from credits.top_up_prices r
  where r.rate_card = top_up_price.rate_card
    and r.currency = credits_private.choose_currency(array(
      select c.currency from credits.top_up_prices c where c.rate_card = top_up_price.rate_card))
$$;

-- Records a top-up if the account wants one. Called under the account's lock, after whatever may have lowered the balance.
create or replace function credits_private.top_up_if_low(account credits.accounts, at timestamptz)
returns void
language plpgsql volatile
as $$
declare
  settings credits.top_up_settings;
  main text;
  month timestamptz := date_trunc('month', at, 'UTC');
  purchase credits.purchases;
begin
  select t.* into settings from credits.top_up_settings t where t.account_id = account.account_id and t.enabled;
  if not found then
    return;
  end if;
  main := credits_private.main_unit(account.rate_card);
  if not account.additional_enabled
    or settings.threshold <= (
      select coalesce(sum(l.available), 0) from credits.lots l
      where l.account_id = account.account_id and l.unit = main and l.open and credits_private.usable(l, at))
    or exists (
      select from credits.purchases p where p.account_id = account.account_id and p.kind = 'top_up' and p.status = 'pending') then
    return;
  end if;
  if settings.monthly_limit < settings.amount + (
      select coalesce(sum(p.amount), 0) from credits.purchases p
      where p.account_id = account.account_id and p.kind = 'top_up' and p.status <> 'failed' and p.created_at >= month) then
    -- Looked at again when the next month begins.
    month := date_add(month, interval '1 month', 'UTC');
    if settings.look_again_at is distinct from month then
      update credits.top_up_settings t set look_again_at = month where t.account_id = account.account_id;
      perform credits_private.look_ahead(account.account_id);
    end if;
    return;
  end if;

  select t.currency, t.price into purchase.currency, purchase.price
  from credits_private.top_up_price(account.rate_card, settings.amount) t;
  if purchase.price is null or purchase.price > 1e12 then
    -- No longer for sale; that is no reason to refuse a spend.
    return;
  end if;
  purchase.account_id := account.account_id;
  purchase.kind := 'top_up';
  purchase.unit := main;
  purchase.amount := settings.amount;
  purchase.created_at := at;
  purchase := credits_private.add_purchase(purchase);
  perform credits_private.wake_worker(account.account_id, purchase.purchase_id);
end
$$;

create or replace function credits.configure_top_up(
  account_id text, enabled boolean, threshold numeric default null, amount numeric default null,
  monthly_limit numeric default null, member_id text default null)
returns credits.top_up_settings
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  present credits_private.writing;
  settings credits.top_up_settings;
  price numeric;
begin
  perform credits_private.check_admin(configure_top_up.account_id, configure_top_up.member_id);
  present := credits_private.begin_writing(configure_top_up.account_id);
  if configure_top_up.enabled is null then
    perform credits_private.fail_invalid('enabled', 'missing', 'Give true or false.');
  end if;
  perform credits_private.check_limit((present.account).rate_card, 'threshold', configure_top_up.threshold);
  perform credits_private.check_limit((present.account).rate_card, 'monthly_limit',
    nullif(configure_top_up.monthly_limit, 'infinity'));
  if configure_top_up.amount is not null then
    perform credits_private.check_amount((present.account).rate_card, credits_private.main_unit((present.account).rate_card), configure_top_up.amount);
  end if;

  select t.* into settings from credits.top_up_settings t where t.account_id = configure_top_up.account_id;
  settings.threshold := coalesce(configure_top_up.threshold, settings.threshold);
  settings.amount := coalesce(configure_top_up.amount, settings.amount);
  settings.monthly_limit := nullif(coalesce(configure_top_up.monthly_limit, settings.monthly_limit), 'infinity');
  if configure_top_up.enabled and (settings.threshold is null or settings.amount is null) then
    perform credits_private.fail_invalid(case when settings.threshold is null then 'threshold' else 'amount' end, 'missing',
      'Enable top-ups with a threshold and an amount.');
  end if;
  if configure_top_up.enabled then
    price := (credits_private.top_up_price((present.account).rate_card, settings.amount)).price;
    if price is null then
      perform credits_private.fail_invalid('enabled', 'no_top_up_price', 'The account''s rate card sells no top-ups: sell packs.',
        jsonb_build_object('rate_card', (present.account).rate_card));
    elsif price > 1e12 then
      perform credits_private.fail_invalid('amount', 'too_expensive', 'Give a smaller amount.');
    end if;
  end if;

  insert into credits.top_up_settings as t (account_id, enabled, threshold, amount, monthly_limit)
  values (configure_top_up.account_id, configure_top_up.enabled, settings.threshold, settings.amount, settings.monthly_limit)
  on conflict on constraint top_up_settings_pkey do update
  set enabled = excluded.enabled, threshold = excluded.threshold, amount = excluded.amount,
    monthly_limit = excluded.monthly_limit, suspended_reason = null, look_again_at = null
  returning t.* into settings;
  update credits.accounts a set top_ups = settings.enabled where a.account_id = configure_top_up.account_id;
  if not configure_top_up.enabled then
    -- A declined one that waits for its next try has none; one that may be being charged runs its course.
    update credits.purchases p set status = 'failed', next_attempt_at = null
    where p.account_id = configure_top_up.account_id and p.kind = 'top_up' and p.status = 'pending' and p.next_attempt_at > present.at;
  end if;
  perform credits_private.top_up_if_low(present.account, present.at);
  return settings;
end
$$;
comment on function credits.configure_top_up(text, boolean, numeric, numeric, numeric, text) is
  'Turns automatic top-ups on or off, and sets when (total below threshold), how much, and how much at most in a UTC month, in the card''s main unit; null keeps the present value, a monthly_limit of infinity removes it. Configuring ends a suspension; turning off ends a declined top-up that waits for its next try. PC403 unless an admin; PC404 unknown account; PC422 first enabled without threshold or amount, bad figures, or a card that sells no top-ups.';

-- Whether a top-up is to be charged now: a new one, or one whose time to be tried again has come.
create or replace function credits_private.may_be_charged(purchase credits.purchases, at timestamptz)
returns boolean
language sql immutable
return purchase.kind = 'top_up' and purchase.status = 'pending' and coalesce(purchase.next_attempt_at <= at, true);

create or replace function credits.top_up_due(account_id text, purchase_id bigint)
returns setof credits.purchases
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform credits_private.check_service();
  return query
    select p.* from credits.purchases p
    where p.account_id = top_up_due.account_id and p.purchase_id = top_up_due.purchase_id
      and credits_private.may_be_charged(p, credits_private.now());
end
$$;
comment on function credits.top_up_due(text, bigint) is
  'For the worker that was told of a top-up: the purchase, if it is to be charged now. Service only.';

create or replace function credits.top_ups_due(batch int default 100, after_account_id text default null)
returns setof credits.purchases
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  at timestamptz := credits_private.now();
begin
  perform credits_private.check_service();
  -- A new one is left to the worker that was told of it; after a minute, nobody was.
  return query
    select p.* from credits.purchases p
    where p.kind = 'top_up' and p.status = 'pending' and credits_private.may_be_charged(p, at)
      and p.created_at <= at - interval '1 minute'
      and p.account_id > coalesce(top_ups_due.after_account_id, '')
    order by p.account_id
    limit greatest(batch, 0);
end
$$;
comment on function credits.top_ups_due(int, text) is
  'For the worker''s sweep: top-ups to be charged now, those whose wake-up was lost and those to be tried again, up to "batch" of them in the order of their accounts, from after_account_id on. Service only.';
