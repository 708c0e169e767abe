-- The reports run with their reader's own rights (security_invoker): the analyst may read every row of the tables beneath
-- them, and somebody who is let into a report by mistake sees no more than before. They show what has been settled, as
-- the tables do; what is due and not written down yet is in accounts_due.

create or replace view credits_report.balances with (security_invoker = true) as
select a.account_id, a.rate_card, a.plan, u.unit,
  coalesce(l.included, 0) as included,
  coalesce(l.additional, 0) as additional,
  coalesce(l.included, 0) + coalesce(l.additional, 0) as total,
  coalesce(l.held, 0) as held,
  a.next_due_at <= (select credits_private.now()) as due
from credits.accounts a
join credits.units u on u.rate_card = a.rate_card
left join (
  select l.account_id, l.unit,
    sum(l.available) filter (where b.counts_as = 'included') as included,
    sum(l.available) filter (where b.counts_as = 'additional') as additional,
    sum(l.held) as held
  from credits.lots l
  join credits.buckets b on b.bucket = l.bucket
  where l.open
  group by l.account_id, l.unit
) l on l.account_id = a.account_id and l.unit = u.unit;

comment on view credits_report.balances is
  'What every account has, a row for every unit of its card, as last settled: where nothing is due, what credits.balances() says.';
comment on column credits_report.balances.account_id is 'The account.';
comment on column credits_report.balances.rate_card is 'Its rate card.';
comment on column credits_report.balances.plan is 'Its plan; null: none.';
comment on column credits_report.balances.unit is 'The unit.';
comment on column credits_report.balances.included is 'Available from the plan''s allowance.';
comment on column credits_report.balances.additional is 'Available of what was bought, topped up or given.';
comment on column credits_report.balances.total is 'included + additional.';
comment on column credits_report.balances.held is 'Reserved by open holds, apart from the total.';
comment on column credits_report.balances.due is 'Whether something has fallen due that is not in these figures yet.';
