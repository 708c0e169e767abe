-- Tells the worker at once that a top-up waits. Only a wake-up call: a lost one costs a minute, the sweep finds the rest.
-- The one function that is not the engine's: graphile_worker's queue belongs to whoever installed it.

create or replace function credits_private.wake_worker(account_id text, purchase_id bigint)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if to_regprocedure('graphile_worker.add_job(text,json,text,timestamptz,int,text,int,text[],text)') is not null then
    execute 'select graphile_worker.add_job($1, $2, job_key => $3)'
    using 'charge_top_up', json_build_object('account_id', account_id, 'purchase_id', purchase_id),
      'top_up:' || account_id || ':' || purchase_id;
  end if;
exception when others then
  -- A queue that is not ours to write to, or out of order, is no reason to refuse a spend.
  raise warning 'pgcredits could not wake its worker: %', sqlerrm;
end
$$;
