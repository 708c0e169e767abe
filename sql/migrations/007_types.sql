-- Types that pass between the functions.

-- Something that falls due by itself: the end of a hold, a lot's expiry, a period, a refill. See functions/periods.
create type credits_private.due_event as (
  account_id text, at timestamptz, kind text, unit text, lot_id bigint, counts_as text, amount numeric, expires_at timestamptz, plan text,
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
comment on column credits.spend_result.error_code is 'The SQLSTATE, such as PC402; null unless refused.';
comment on column credits.spend_result.error_detail is 'The DETAIL of the error; null unless refused.';
comment on column credits.spend_result.account_id is 'The account of the request; null if the request names none.';
comment on column credits.spend_result.seq is 'The entry; null, as the rest of it, when refused.';
comment on column credits.spend_result.unit is 'The unit that was charged, or null.';
comment on column credits.spend_result.kind is 'usage, or null.';
comment on column credits.spend_result.operation is 'The operation of the request; null if it names none.';
comment on column credits.spend_result.amount is 'The change, negative, or null.';
comment on column credits.spend_result.included is 'The part of the amount in included credits, or null.';
comment on column credits.spend_result.additional is 'The part of the amount in additional credits, or null.';
comment on column credits.spend_result.balance_after is 'Available and held in this unit after the change, or null.';
comment on column credits.spend_result.member_id is 'The application''s label of who did it, or null.';
comment on column credits.spend_result.usage is 'The usage of the request, or null.';
comment on column credits.spend_result.breakdown is 'What the price consisted of, or null.';
comment on column credits.spend_result.idempotency_key is 'The caller''s key of the request, or null.';
comment on column credits.spend_result.occurred_at is 'When it took effect, or null.';
comment on column credits.spend_result.recorded_at is 'When it was written, or null.';
comment on column credits.spend_result.metadata is 'The application''s own, or null.';
