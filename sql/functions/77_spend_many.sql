-- Many spends in one call.

-- Charges one request and says what became of it, without raising the errors of the contract. The account is locked.
create or replace function credits_private.try_spend(request credits.spend_request, request_index int)
returns setof credits.spend_result
language plpgsql volatile
as $$
declare
  replayed boolean := request.idempotency_key is not null and exists (
    select from credits.entries e
    where e.account_id = request.account_id and e.idempotency_key = request.idempotency_key);
  result credits.spend_result;
  detail text;
begin
  return query
    select request_index, case when replayed then 'replayed' else 'ok' end, null::text, null::jsonb, e.account_id, e.seq, e.unit,
      e.kind::text, e.operation, e.amount::numeric, e.included::numeric, e.additional::numeric, e.balance_after::numeric,
      e.member_id, e.usage, e.breakdown, e.idempotency_key, e.occurred_at, e.recorded_at, e.metadata, null::text
    from credits_private.charge(request.account_id, array[credits.item(request.operation, request.usage)],
      request.idempotency_key, request.member_id, request.max_amount, request.metadata) e;
exception when sqlstate 'PC402' or sqlstate 'PC403' or sqlstate 'PC404' or sqlstate 'PC409' or sqlstate 'PC422' then
  get stacked diagnostics result.error_code = returned_sqlstate, detail = pg_exception_detail, result.error_hint = pg_exception_hint;
  result.request_index := request_index;
  result.status := 'refused';
  result.error_detail := detail;
  result.account_id := request.account_id;
  result.operation := request.operation;
  result.member_id := request.member_id;
  result.usage := request.usage;
  result.idempotency_key := request.idempotency_key;
  result.metadata := request.metadata;
  return next result;
end
$$;

create or replace function credits.spend_many(requests credits.spend_request[])
returns setof credits.spend_result
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  next_request record;
  locked_account text;
  account credits.accounts;
  results credits.spend_result[] := '{}';
begin
  perform credits_private.check_service();
  -- Account by account in sorted order, so that two calls cannot wait for each other; in each, in the given order.
  for next_request in
    select i as request_index, requests[i] as request
    from generate_subscripts(requests, 1) i
    order by requests[i].account_id collate "C", i
  loop
    if (next_request.request).account_id is distinct from locked_account then
      locked_account := (next_request.request).account_id;
      select a.* into account from credits.accounts a where a.account_id = locked_account for no key update;
      if found then
        account := credits_private.settled(account, credits_private.account_time(locked_account));
      end if;
    end if;
    results := results || array(
      select r from credits_private.try_spend(next_request.request, next_request.request_index) r);
  end loop;
  return query select r.* from unnest(results) r order by r.request_index, r.seq;
end
$$;
comment on function credits.spend_many(credits.spend_request[]) is
  'Charges many requests, each as spend would: a row per request and unit, in order. Requests are independent: one that is refused has status refused, with error_code and error_detail, and fails no other. Within an account they take effect in the given order. Service only.';
