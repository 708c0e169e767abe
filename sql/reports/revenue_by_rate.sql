-- Each line of a breakdown names the rate that it was priced at. What rounding changed has a row of its own, so that the
-- rows of a card and unit add up to what was charged.

create or replace view credits_report.revenue_by_rate with (security_invoker = true) as
select a.rate_card, e.unit,
  coalesce(line.value ->> 'operation', e.operation) as operation,
  line.value ->> 'component' as component,
  r.match, r.price, r.measure, r.per, r.rate_id,
  count(*) as lines,
  sum((line.value ->> 'quantity')::numeric * (line.value ->> 'count')::numeric) as quantity,
  sum((line.value ->> 'amount')::numeric) as amount
from credits.entries e
join credits.accounts a on a.account_id = e.account_id
cross join lateral jsonb_array_elements(e.breakdown) line
left join credits.card_rates r on r.rate_id = (line.value ->> 'rate_id')::bigint
where e.kind = 'usage'
group by a.rate_card, e.unit, 3, 4, r.rate_id;

comment on view credits_report.revenue_by_rate is
  'What each rate has brought in, in credits, over all accounts; refunds are not taken off. A rate that ended keeps its row.';
comment on column credits_report.revenue_by_rate.rate_card is 'The rate card.';
comment on column credits_report.revenue_by_rate.unit is 'The unit.';
comment on column credits_report.revenue_by_rate.operation is 'The operation; null: rounding of jobs of several operations.';
comment on column credits_report.revenue_by_rate.component is 'The part of the price; "rounding" where a price was rounded.';
comment on column credits_report.revenue_by_rate.match is 'Attributes of the usage that the rate is for.';
comment on column credits_report.revenue_by_rate.price is 'Its price; null with tiers.';
comment on column credits_report.revenue_by_rate.measure is 'What it charges for; null: for each use.';
comment on column credits_report.revenue_by_rate.per is 'How much of the measure the price is for.';
comment on column credits_report.revenue_by_rate.rate_id is 'The row of credits.card_rates; null: rounding.';
comment on column credits_report.revenue_by_rate.lines is 'How many times it was charged.';
comment on column credits_report.revenue_by_rate.quantity is 'How much of the measure, or how many uses, over all counts.';
comment on column credits_report.revenue_by_rate.amount is 'What that came to.';
