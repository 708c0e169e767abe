-- Types that the functions take and return.

create type credits.item as (operation text, usage jsonb);
comment on type credits.item is 'One operation of a job, with its usage.';
comment on column credits.item.operation is 'The operation.';
comment on column credits.item.usage is 'Its attributes and measures, as a JSON object; null: none.';

create type credits.spend_request as (
  account_id text, operation text, usage jsonb, idempotency_key text, member_id text, max_amount numeric, metadata jsonb);
comment on type credits.spend_request is 'One request of spend_many: the arguments of spend.';
comment on column credits.spend_request.account_id is 'The account.';
comment on column credits.spend_request.operation is 'The operation.';
comment on column credits.spend_request.usage is 'Its attributes and measures, as a JSON object; null: none.';
comment on column credits.spend_request.idempotency_key is 'The caller''s key of the request; null: none.';
comment on column credits.spend_request.member_id is 'The application''s label of who does it, or null.';
comment on column credits.spend_request.max_amount is 'The price that the user was shown; null: any.';
comment on column credits.spend_request.metadata is 'The application''s own, or null.';

create type credits.quote_line as (
  unit text, amount numeric, available numeric, affordable boolean, blocked_by text, breakdown jsonb);
comment on type credits.quote_line is 'What an operation costs in one unit, and whether the account can pay it.';
comment on column credits.quote_line.unit is 'The unit.';
comment on column credits.quote_line.amount is 'The price, rounded to the unit''s scale.';
comment on column credits.quote_line.available is 'What this spend could draw, after pauses and limits.';
comment on column credits.quote_line.affordable is 'Whether spend would charge it now.';
comment on column credits.quote_line.blocked_by is
  'Null, or the first of plan_required, top_ups_required, additional_paused, period_limit, member_cap, insufficient_credits.';
comment on column credits.quote_line.breakdown is 'Lines whose amounts add up to the amount.';

create type credits.balance as (
  unit text, included numeric, additional numeric, held numeric, total numeric, next_refill_at timestamptz);
comment on type credits.balance is 'What an account has in one unit; total = included + additional, without what is held.';
comment on column credits.balance.unit is 'The unit.';
comment on column credits.balance.included is 'What is available of the plan''s allowance.';
comment on column credits.balance.additional is 'What is available of what was bought, topped up or given.';
comment on column credits.balance.held is 'What is reserved by open holds, and so not available.';
comment on column credits.balance.total is 'What is available: included + additional.';
comment on column credits.balance.next_refill_at is 'When the plan next grants this unit; null: not at all.';

create type credits.usage_day as (
  day date, operation text, member_id text, unit text, charges bigint, amount numeric);
comment on type credits.usage_day is 'What one member was charged for one operation in one unit on one day.';
comment on column credits.usage_day.day is 'The day, in the time zone that was asked for.';
comment on column credits.usage_day.operation is 'The operation; null: jobs of several operations.';
comment on column credits.usage_day.member_id is 'The application''s label of who did it; null: none given.';
comment on column credits.usage_day.unit is 'The unit.';
comment on column credits.usage_day.charges is 'How many charges.';
comment on column credits.usage_day.amount is 'What they came to.';

create type credits.feature as (feature text, value jsonb);
comment on type credits.feature is 'Something that a plan includes besides credits.';
comment on column credits.feature.feature is 'What it is, such as "seats".';
comment on column credits.feature.value is 'How much or which of it, as JSON.';

create type credits.rate as (
  category text, operation text, operation_name text, component text, match jsonb, unit text, price numeric, measure text,
  per numeric, quantity_rounding text, minimum_quantity numeric, tiers jsonb, minimum_charge numeric,
  maximum_charge numeric, optional boolean, multipliers jsonb, rate_id bigint);
comment on type credits.rate is 'One line of the rate card that applies to an account.';
comment on column credits.rate.category is 'The heading it stands under.';
comment on column credits.rate.operation is 'The operation that it prices.';
comment on column credits.rate.operation_name is 'The operation''s name for people.';
comment on column credits.rate.component is 'The part of the price: components add up.';
comment on column credits.rate.match is 'Attributes that the usage must contain.';
comment on column credits.rate.unit is 'What the price is in.';
comment on column credits.rate.price is 'Price for "per" of the measure, or for one use; null with tiers.';
comment on column credits.rate.measure is 'The number in the usage that is charged for; null: charged per use.';
comment on column credits.rate.per is 'How much of the measure the price is for.';
comment on column credits.rate.quantity_rounding is 'exact, or up: whole blocks of "per", so that a started one counts.';
comment on column credits.rate.minimum_quantity is 'At least this much of the measure is charged; null: no minimum.';
comment on column credits.rate.tiers is 'Graduated prices in place of one; null with a price.';
comment on column credits.rate.minimum_charge is 'The component comes to at least this; null: no minimum.';
comment on column credits.rate.maximum_charge is 'The component comes to at most this; null: no maximum.';
comment on column credits.rate.optional is 'An add-on: no match is no charge.';
comment on column credits.rate.multipliers is 'What multiplies it: a list of {group, match, factor}, empty where nothing does.';
comment on column credits.rate.rate_id is 'Names this rate in the breakdown of an entry.';

create type credits.violation as (account_id text, rule text, detail jsonb);
comment on type credits.violation is 'An invariant of the ledger that does not hold.';
comment on column credits.violation.account_id is 'Whose ledger it is in.';
comment on column credits.violation.rule is 'What does not hold, such as seq_has_a_gap.';
comment on column credits.violation.detail is 'Where, and the figures that disagree.';

-- The price of a job in one unit. See functions/rating.
create type credits_private.price as (unit text, amount numeric, breakdown jsonb);

-- What lots are sorted by when they are drawn. See functions/lots.
create type credits_private.draw_place as (
  draw_order smallint, priority int, expires_at timestamptz, paid boolean, starts_at timestamptz, lot_id bigint);

-- What several requests of spend_many ask for, and which they are. See functions/spend_many.
create type credits_private.asked_job as (
  rate_card text, plan text, top_ups boolean, operation text, usage jsonb, indexes int[], account_ids text[], last_seqs bigint[]);

-- A request of spend_many and its price in one unit, with its place in the log.
create type credits_private.priced_line as (index int, seq bigint, amount numeric, breakdown jsonb);

-- What an account is charged for in one unit, and what it is taken from. See functions/spend_many.
create type credits_private.purse as (
  account_id text, unit text, balance numeric, lines credits_private.priced_line[], lots credits.lots[]);

-- What one component of an item comes to, or all of them in one unit: a fraction, as the breakdown shows it, and the lines there.
-- scale and rounding are the unit's.
create type credits_private.charge as (
  unit text, scale int, rounding text, numerator numeric, denominator numeric, shown numeric, lines jsonb);

-- What an entry does to a lot: how much more of it is spent or forfeited. counts_as is the lot's.
create type credits_private.slice as (lot_id bigint, counts_as text, spent numeric, forfeited numeric);

-- Something that falls due by itself: the end of a hold, a lot's expiry, a period, a refill. See functions/periods.
create type credits_private.due_event as (
  account_id text, at timestamptz, kind text, unit text, lot_id bigint, counts_as text, amount numeric, expires_at timestamptz, plan text,
  hold_id bigint, account credits.accounts, meter_id bigint, item credits.item, breakdown jsonb,
  slices credits_private.slice[]);

-- An account as it stands at an instant, now or later: the account, its open lots, and what fell due until then.
create type credits_private.projection as (
  account credits.accounts, lots credits.lots[], events credits_private.due_event[]);

-- An account as its writer begins: locked, settled, and at which instant.
create type credits_private.writing as (account credits.accounts, at timestamptz);

-- The outcome of one request of spend_many, and the entry that it wrote.
create type credits.spend_result as (
  request_index int, status text, error_code text, error_detail jsonb, account_id text, seq bigint, unit text, kind text,
  operation text, amount numeric, included numeric, additional numeric, balance_after numeric, member_id text, usage jsonb,
  breakdown jsonb, idempotency_key text, occurred_at timestamptz, recorded_at timestamptz, metadata jsonb,
  error_hint text);
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
comment on column credits.spend_result.error_hint is 'The HINT of the error; null unless refused.';
