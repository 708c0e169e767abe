-- Schemas and roles.
--
-- credits          the contract: tables to read, functions to call; the only schema that the API exposes
-- credits_private  helpers of those functions; nobody else has USAGE
-- credits_report   views for DBAs and finance
--
-- Roles belong to the cluster, not to this database: another database may have created them, or be creating them now.

do $$
declare
  role_name text;
begin
  foreach role_name in array array['credits_owner', 'credits_engine', 'credits_service', 'credits_member', 'credits_analyst']
  loop
    begin
      execute format('create role %I nologin', role_name);
    exception when duplicate_object or unique_violation then
      null;
    end;
  end loop;

  -- Whoever installs without being a superuser must be able to hand objects to these two.
  if not (select rolsuper from pg_roles where rolname = current_user) then
    execute format('grant credits_owner, credits_engine to %I', current_user);
  end if;
end
$$;

create schema credits;
comment on schema credits is
  'pgcredits: balances, prices and plans. Read its tables, call its functions; every change to a balance goes through a function.';

create schema credits_private;
comment on schema credits_private is
  'Helpers of the functions in schema credits. Not part of the contract: call nothing here.';

create schema credits_report;
comment on schema credits_report is
  'Views for DBAs and finance, readable by credits_analyst.';

-- Trusted, part of contrib. Lets an exclusion constraint compare text with = beside a time range with &&.
create extension if not exists btree_gist with schema credits_private;

-- A figure's bounds cost nothing as a domain and 5 µs a statement as a CHECK of the table.
-- The upper bound is there for NaN and Infinity too, which pass ">= 0".
create domain credits.amount as numeric
  constraint amount_is_finite_and_not_negative check (value >= 0 and value <= 1e18);
comment on domain credits.amount is 'A number of credits (or another unit of a rate card), 0 to 1e18.';

create domain credits.signed_amount as numeric
  constraint signed_amount_is_finite check (value >= -1e18 and value <= 1e18);
comment on domain credits.signed_amount is 'A change in credits: negative when they leave the balance.';

create domain credits.entry_kind as text
  constraint entry_kind_is_known
  check (value in ('refill', 'grant', 'purchase', 'top_up', 'usage', 'refund', 'expiry', 'revocation'));
comment on domain credits.entry_kind is
  'Why a balance changed: refill, grant, purchase, top_up, usage, refund, expiry or revocation.';

create domain credits.lot_source as text
  constraint lot_source_is_known
  check (value in ('refill', 'grant', 'promotion', 'purchase', 'top_up', 'refund'));
comment on domain credits.lot_source is 'Where a lot comes from: refill, grant, promotion, purchase, top_up or refund.';

create domain credits.money as numeric
  constraint money_is_finite_and_not_negative check (value >= 0 and value <= 1e12);
comment on domain credits.money is 'An amount of money, in whole currency units such as dollars, 0 to 1e12.';
