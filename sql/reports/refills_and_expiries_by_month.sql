create or replace view credits_report.refills_and_expiries_by_month with (security_invoker = true) as
select date_trunc('month', e.occurred_at at time zone 'UTC')::date as month,
  e.account_id, e.unit,
  count(*) filter (where e.kind = 'refill') as refills,
  coalesce(sum(e.amount) filter (where e.kind = 'refill'), 0) as refilled,
  count(*) filter (where e.kind = 'expiry') as expiries,
  -coalesce(sum(e.amount) filter (where e.kind = 'expiry'), 0) as expired
from credits.entries e
where e.kind in ('refill', 'expiry')
group by 1, e.account_id, e.unit;

comment on view credits_report.refills_and_expiries_by_month is
  'What plans gave and what ended unspent, by UTC month, account and unit.';
comment on column credits_report.refills_and_expiries_by_month.month is 'First day of the month, in UTC.';
comment on column credits_report.refills_and_expiries_by_month.account_id is 'The account.';
comment on column credits_report.refills_and_expiries_by_month.unit is 'The unit.';
comment on column credits_report.refills_and_expiries_by_month.refills is 'How many refills.';
comment on column credits_report.refills_and_expiries_by_month.refilled is 'How much they gave.';
comment on column credits_report.refills_and_expiries_by_month.expiries is 'How many times something expired.';
comment on column credits_report.refills_and_expiries_by_month.expired is 'How much ended unspent.';
