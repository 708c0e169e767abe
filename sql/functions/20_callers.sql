-- Who is calling, and for which account. Inside a SECURITY DEFINER function current_user is its owner, so the caller is
-- the role that was set, or else the user who logged in.

create or replace function credits_private.caller_is(role_name text)
returns boolean
language sql stable
return pg_has_role(
  (case current_setting('role') when 'none' then session_user else current_setting('role') end)::name, role_name, 'USAGE');

create or replace function credits_private.claim(name text)
returns text
language sql stable
return nullif(current_setting('credits.' || name, true), '');

-- The service may act for any account; a member for the one in the claims. Else PC403.
create or replace function credits_private.check_caller(account_id text)
returns boolean
language plpgsql stable
as $$
begin
  if credits_private.caller_is('credits_service') then
    return true;
  end if;
  if credits_private.caller_is('credits_member') and credits_private.claim('account_id') = check_caller.account_id then
    return true;
  end if;
  perform credits_private.fail('PC403',
    jsonb_build_object('requires', 'account', 'account_id', check_caller.account_id),
    'Call as credits_service, or as credits_member with the claims of this account.');
end
$$;

-- What only the application's backend may do. Else PC403.
create or replace function credits_private.check_service()
returns boolean
language plpgsql stable
as $$
begin
  if credits_private.caller_is('credits_service') then
    return true;
  end if;
  perform credits_private.fail('PC403', jsonb_build_object('requires', 'service'), 'Call as credits_service.');
end
$$;

-- Reading across accounts, as an audit does. Else PC403.
create or replace function credits_private.check_auditor()
returns boolean
language plpgsql stable
as $$
begin
  if credits_private.caller_is('credits_service') or credits_private.caller_is('credits_analyst') then
    return true;
  end if;
  perform credits_private.fail('PC403', jsonb_build_object('requires', 'service'),
    'Call as credits_service or credits_analyst.');
end
$$;

-- The account, for a caller who may see it. PC403, PC404.
create or replace function credits_private.visible_account(account_id text)
returns credits.accounts
language plpgsql stable
as $$
declare
  account credits.accounts;
begin
  perform credits_private.check_caller(account_id);
  select a.* into account from credits.accounts a where a.account_id = visible_account.account_id;
  if not found then
    perform credits_private.fail_not_found('account', account_id, 'Open it with credits.open_account.');
  end if;
  return account;
end
$$;

-- The same for functions that run with the caller's own rights: true, or an error.
create or replace function credits_private.check_account(account_id text)
returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select (credits_private.visible_account(account_id)).account_id is not null
$$;
