-- Telling who watches a balance that it changed. Transactions that tell anything commit one after the other, in the whole
-- server; so a writer tells of an account only while somebody watches it. That it does costs other accounts nothing: the
-- account's row, which the writer has locked, says so.

-- By the writer, once it has the lock. It is heard when the transaction commits, and not at all when it does not.
create or replace function credits_private.tell_watchers(account credits.accounts)
returns void
language plpgsql volatile
as $$
begin
  if account.watched_until > credits_private.now() then
    perform pg_notify('credits_balances', account.account_id);
  end if;
end
$$;

-- Locks the account's row for a moment, and writes at most once an hour, however many watch.
create or replace function credits.watch_balances(account_id text)
returns timestamptz
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  watched_until timestamptz := (credits_private.visible_account(account_id)).watched_until;
  now timestamptz := credits_private.now();
begin
  if watched_until > now + interval '1 hour' then
    return watched_until;
  end if;
  update credits.accounts a set watched_until = now + interval '2 hours'
  where a.account_id = watch_balances.account_id;
  return now + interval '2 hours';
end
$$;
comment on function credits.watch_balances(text) is
  'For an hour and more, each change of the account is announced: NOTIFY on the channel credits_balances, with the account_id. Listen first, then call this, then read the balances. Returns until when it is announced. PC403 another account; PC404 unknown account.';
