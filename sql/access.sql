-- Who may do what: the whole policy. Applied again after every change of the schemas, so it begins by taking everything away.

-- Ownership: tables and views belong to credits_owner, functions to credits_engine, which is what they run as.
grant create on schema credits, credits_private, credits_report to credits_owner, credits_engine;
do $$
declare
  object record;
begin
  for object in
    select format('alter %s %s owner to %I', k.kind, k.name, k.owner) as command
    from (
      select case c.relkind when 'v' then 'view' else 'table' end as kind, c.oid::regclass::text as name, 'credits_owner' as owner, c.relowner as present
      from pg_class c
      where c.relnamespace in ('credits'::regnamespace, 'credits_private'::regnamespace, 'credits_report'::regnamespace)
        and c.relkind in ('r', 'p', 'v')
      union all
      select 'function', p.oid::regprocedure::text, 'credits_engine', p.proowner
      from pg_proc p
      where p.pronamespace in ('credits'::regnamespace, 'credits_private'::regnamespace)
        and not exists (select from pg_depend d where d.objid = p.oid and d.classid = 'pg_proc'::regclass and d.deptype = 'e')
        and p.prokind = 'f' and p.proname not in ('begin_catalog', 'check_catalog', 'merge_catalog_table', 'apply_catalog', 'wake_worker')
    ) k
    where k.present <> k.owner::regrole
  loop
    execute object.command;
  end loop;
end
$$;
revoke create on schema credits, credits_private, credits_report from credits_owner, credits_engine;

revoke all on schema credits, credits_private, credits_report from public, credits_service, credits_member, credits_analyst, credits_engine;
revoke all on all tables in schema credits, credits_private, credits_report
  from public, credits_service, credits_member, credits_analyst, credits_engine;
revoke all on all functions in schema credits, credits_private
  from public, credits_service, credits_member, credits_analyst;

grant usage on schema credits to credits_owner, credits_engine, credits_service, credits_member, credits_analyst;
grant usage on schema credits_private to credits_owner, credits_engine;
grant usage on schema credits_report to credits_analyst;

-- Readers. Rows of accounts are chosen by the policies below.
grant select on all tables in schema credits to credits_service, credits_member, credits_analyst;
revoke select on credits.promotion_claims, credits.payment_customers from credits_member;
grant select on all tables in schema credits_report to credits_analyst;

-- Every function checks its caller itself, and answers PC403.
grant execute on all functions in schema credits to credits_service, credits_member, credits_analyst;
grant execute on function credits_private.check_account(text), credits_private.check_kinds(text[]) to credits_service, credits_member, credits_analyst;
-- Views ask for the time with their reader's rights.
grant execute on function credits_private.now() to credits_analyst;

-- The engine: what the functions need, and no more. Entries and postings are append-only.
grant select on all tables in schema credits, credits_private to credits_engine;
grant insert, update on credits.accounts to credits_engine;
grant insert, update on credits.lots to credits_engine;
grant insert on credits.entries, credits.postings, credits.hold_lots to credits_engine;
grant insert, update on credits.holds, credits.purchases, credits.top_up_settings, credits.meters, credits.interrupted_periods,
  credits.payment_customers to credits_engine;
grant insert, update, delete on credits.members to credits_engine;
grant insert on credits.promotion_claims to credits_engine;
grant execute on function credits_private.wake_worker(text, bigint) to credits_engine;
grant execute on all functions in schema credits, credits_private to credits_owner;

-- Rows. Catalog tables are the same for everyone; account-keyed ones have a policy a reader.
do $$
declare
  name text;
begin
  foreach name in array array[
    'accounts', 'lots', 'entries', 'postings', 'holds', 'hold_lots', 'meters', 'members', 'purchases', 'top_up_settings',
    'interrupted_periods', 'promotion_claims', 'payment_customers'] loop
    execute format('alter table credits.%I enable row level security', name);
    execute format('drop policy if exists engine_sees_all on credits.%I', name);
    execute format('drop policy if exists service_reads_all on credits.%I', name);
    execute format('drop policy if exists member_reads_own_account on credits.%I', name);
    execute format('create policy engine_sees_all on credits.%I to credits_engine using (true) with check (true)', name);
    execute format('create policy service_reads_all on credits.%I for select to credits_service, credits_analyst using (true)', name);
    execute format('create policy member_reads_own_account on credits.%I for select to credits_member
      using (account_id = nullif(current_setting(''credits.account_id'', true), ''''))', name);
  end loop;
end
$$;
