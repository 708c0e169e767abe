-- Types that pass between the functions.

-- Something that falls due by itself: the end of a hold, a lot's expiry, a period, a refill. See functions/periods.
create type credits_private.due_event as (
  account_id text, at timestamptz, kind text, unit text, lot_id bigint, amount numeric, expires_at timestamptz, plan text,
  hold_id bigint, account credits.accounts, meter_id bigint, item credits.item, breakdown jsonb,
  slices credits_private.slice[]);

-- An account as it stands at an instant, now or later: the account, its open lots, and what fell due until then.
create type credits_private.projection as (
  account credits.accounts, lots credits.lots[], events credits_private.due_event[]);

-- A request that passed: everything that drawing it needs.
create type credits_private.admission as (
  account credits.accounts, at timestamptz, top_ups boolean, prices credits_private.price[], lots credits.lots[]);

-- The outcome of one request of spend_many, and the entry that it wrote.
create type credits.spend_result as (
  request_index int, status text, error_code text, error_detail jsonb, account_id text, seq bigint, unit text, kind text,
  operation text, amount numeric, included numeric, additional numeric, balance_after numeric, member_id text, usage jsonb,
  breakdown jsonb, idempotency_key text, occurred_at timestamptz, recorded_at timestamptz, metadata jsonb);
comment on type credits.spend_result is 'The outcome of one request of spend_many in one unit.';
comment on column credits.spend_result.request_index is 'Which request, from 1.';
comment on column credits.spend_result.status is 'ok, replayed or refused.';
comment on column credits.spend_result.error_code is 'refused: the SQLSTATE, such as PC402.';
comment on column credits.spend_result.error_detail is 'refused: the DETAIL of the error.';
