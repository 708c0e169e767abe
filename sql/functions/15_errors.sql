-- The five errors of the contract, and the only place that raises them. MESSAGE is stable and has no values in it,
-- DETAIL is a JSON object with the facts, HINT is the next thing to do.

create or replace function credits_private.fail(code text, detail jsonb, hint text)
returns void
language plpgsql volatile
as $$
begin
  raise exception using
    errcode = code,
    message = case code
      when 'PC402' then 'insufficient credits'
      when 'PC403' then 'not allowed'
      when 'PC404' then 'not found'
      when 'PC409' then 'conflict'
      when 'PC422' then 'invalid input'
    end,
    detail = detail::text,
    hint = hint;
end
$$;

create or replace function credits_private.fail_not_found(what text, key text, hint text)
returns void
language plpgsql volatile
as $$
begin
  perform credits_private.fail('PC404', jsonb_build_object('what', what, 'key', coalesce(key, '')), hint);
end
$$;

create or replace function credits_private.fail_invalid(field text, reason text, hint text, facts jsonb default '{}')
returns void
language plpgsql volatile
as $$
begin
  perform credits_private.fail('PC422', jsonb_build_object('field', field, 'reason', reason) || facts, hint);
end
$$;

create or replace function credits_private.fail_conflict(reason text, hint text, facts jsonb default '{}')
returns void
language plpgsql volatile
as $$
begin
  perform credits_private.fail('PC409', jsonb_build_object('reason', reason) || facts, hint);
end
$$;
