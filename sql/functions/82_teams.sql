-- What a team sets for itself: members, their roles and caps, and the use of additional credits.

-- Who may administer an account: the claims' admin; or the service, for an admin or for the system itself. PC403.
create or replace function credits_private.check_admin(account_id text, acting_member_id text)
returns void
language plpgsql stable
as $$
declare
  acting_role text;
begin
  perform credits_private.check_caller(account_id);
  if not credits_private.caller_is('credits_service') then
    acting_member_id := credits_private.claim('member_id');
    acting_role := coalesce(credits_private.claim('member_role'), 'none');
  elsif acting_member_id is not null then
    select m.role into acting_role from credits.members m
    where m.account_id = check_admin.account_id and m.member_id = acting_member_id;
    acting_role := coalesce(acting_role, 'none');
  end if;
  if acting_role <> 'admin' then
    perform credits_private.fail('PC403', jsonb_build_object('requires', 'admin', 'member_id', acting_member_id),
      'Ask an admin of the team.');
  end if;
end
$$;

-- A number of credits that a team sets as a limit: from 0, within the main unit's scale; null where none is meant. PC422.
create or replace function credits_private.check_limit(rate_card text, field text, amount numeric)
returns void
language plpgsql stable
as $$
declare
  unit_scale int;
begin
  select u.scale into unit_scale from credits.units u where u.rate_card = check_limit.rate_card and u.main;
  if amount is not null and not (amount >= 0 and amount <= 1e12) then
    perform credits_private.fail_invalid(field, 'out_of_range', 'Give a number from 0 to 1e12, or null.');
  elsif amount <> round(amount, unit_scale) then
    perform credits_private.fail_invalid(field, 'too_fine', format('Give at most %s decimal places.', unit_scale));
  end if;
end
$$;

create or replace function credits.add_member(
  account_id text, member_id text, role text default 'member', period_cap numeric default null,
  acting_member_id text default null)
returns credits.members
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  account credits.accounts;
  member credits.members;
begin
  perform credits_private.check_admin(add_member.account_id, acting_member_id);
  if coalesce(length(add_member.member_id), 0) not between 1 and 255 then
    perform credits_private.fail_invalid('member_id', 'length', 'Give 1 to 255 characters.');
  elsif coalesce(add_member.role not in ('admin', 'member'), true) then
    perform credits_private.fail_invalid('role', 'unknown', 'Give admin or member.');
  end if;
  account := credits_private.lock_account(add_member.account_id);
  perform credits_private.check_limit(account.rate_card, 'period_cap', add_member.period_cap);
  insert into credits.members as m (account_id, member_id, role, period_cap, added_at)
  values (add_member.account_id, add_member.member_id, add_member.role, add_member.period_cap, credits_private.account_time(add_member.account_id))
  on conflict on constraint members_pkey do update set role = excluded.role, period_cap = excluded.period_cap
  returning m.* into member;
  return member;
end
$$;
comment on function credits.add_member(text, text, text, numeric, text) is
  'Makes a member known, or changes one: role admin or member, and a cap on what they draw in a period, in the card''s main unit (null: none). PC403 unless an admin; PC404 unknown account; PC422 bad member_id, role or cap.';

create or replace function credits.remove_member(account_id text, member_id text, acting_member_id text default null)
returns credits.members
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  account credits.accounts;
  member credits.members;
begin
  perform credits_private.check_admin(account_id, acting_member_id);
  account := credits_private.lock_account(account_id);
  delete from credits.members m
  where m.account_id = remove_member.account_id and m.member_id = remove_member.member_id
  returning m.* into member;
  if not found then
    perform credits_private.fail_not_found('member', member_id, 'credits.members lists the members.');
  end if;
  return member;
end
$$;
comment on function credits.remove_member(text, text, text) is
  'Removes a member''s role and cap, and returns what they were; the log keeps the name. PC403 unless an admin; PC404 unknown account or member.';

create or replace function credits.configure_additional(
  account_id text, enabled boolean default true, period_limit numeric default null, member_id text default null)
returns credits.accounts
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  present credits_private.writing;
  account credits.accounts;
begin
  perform credits_private.check_admin(account_id, member_id);
  present := credits_private.begin_writing(account_id);
  perform credits_private.check_limit((present.account).rate_card, 'period_limit', nullif(period_limit, 'infinity'));
  update credits.accounts a
  set additional_enabled = coalesce(enabled, true),
    additional_period_limit = nullif(coalesce(period_limit, a.additional_period_limit), 'infinity')
  where a.account_id = configure_additional.account_id
  returning a.* into account;
  if account.additional_enabled and not (present.account).additional_enabled then
    perform credits_private.top_up_if_low(account, present.at);
  end if;
  return account;
end
$$;
comment on function credits.configure_additional(text, boolean, numeric, text) is
  'Pauses (enabled false) or caps (period_limit, in the card''s main unit; null keeps the present cap, infinity removes it) what a period may draw from additional credits. PC403 unless an admin; PC404 unknown account; PC422 bad limit.';
