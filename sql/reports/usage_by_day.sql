create or replace view credits_report.usage_by_day with (security_invoker = true) as
select (e.occurred_at at time zone 'UTC')::date as day,
  e.account_id, e.operation, e.member_id, e.unit,
  count(*) as entries,
  -sum(e.amount) as amount,
  -sum(e.included) as included,
  -sum(e.additional) as additional
from credits.entries e
where e.kind = 'usage'
group by 1, e.account_id, e.operation, e.member_id, e.unit;

comment on view credits_report.usage_by_day is
  'What was charged, by UTC day, account, operation, member and unit; refunds are not taken off.';
comment on column credits_report.usage_by_day.day is 'The day in UTC.';
comment on column credits_report.usage_by_day.account_id is 'The account.';
comment on column credits_report.usage_by_day.operation is
  'The operation; null: jobs of several operations, which revenue_by_rate takes apart.';
comment on column credits_report.usage_by_day.member_id is 'The application''s label of who did it; null: none given.';
comment on column credits_report.usage_by_day.unit is 'The unit.';
comment on column credits_report.usage_by_day.entries is 'How many charges.';
comment on column credits_report.usage_by_day.amount is 'What they came to.';
comment on column credits_report.usage_by_day.included is 'The part of it in included credits.';
comment on column credits_report.usage_by_day.additional is 'The part of it in additional credits.';
