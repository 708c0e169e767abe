-- What customers have paid for and not had yet. Included credits are left out: they end with their period.

create or replace view credits_report.liability with (security_invoker = true) as
select a.rate_card, l.account_id, l.unit, l.source, l.currency,
  count(*) as lots,
  sum(l.available + l.held) as unspent,
  sum(l.price) as paid,
  -- Of what was paid for a lot, the share that is left in it.
  sum(round(l.price * (l.available + l.held) / l.granted, 4)) as paid_for_unspent
from credits.lots l
join credits.buckets b on b.bucket = l.bucket
join credits.accounts a on a.account_id = l.account_id
where l.open and b.counts_as = 'additional'
group by a.rate_card, l.account_id, l.unit, l.source, l.currency;

comment on view credits_report.liability is
  'Unspent additional credits with what was paid for them, by account, unit, source and currency, as last settled.';
comment on column credits_report.liability.rate_card is 'The account''s rate card.';
comment on column credits_report.liability.account_id is 'The account.';
comment on column credits_report.liability.unit is 'The unit.';
comment on column credits_report.liability.source is 'Where they come from: purchase, top_up, grant, promotion or refund.';
comment on column credits_report.liability.currency is 'What was paid in, ISO 4217; null: nothing was paid.';
comment on column credits_report.liability.lots is 'How many lots have something left.';
comment on column credits_report.liability.unspent is 'What is left in them, held credits included.';
comment on column credits_report.liability.paid is 'What was paid for these lots as a whole; null: nothing.';
comment on column credits_report.liability.paid_for_unspent is
  'The share of it for what is left, to four decimal places; null: nothing was paid.';
