-- The clock is asked once: a volatile function in the condition would be asked for every row, and keep the index out.

create or replace view credits_report.accounts_due with (security_invoker = true) as
select a.account_id, a.rate_card, a.plan, a.next_due_at, (select credits_private.now()) - a.next_due_at as overdue
from credits.accounts a
where a.next_due_at <= (select credits_private.now()) and a.next_due_at < 'infinity';

comment on view credits_report.accounts_due is
  'Accounts in which something has fallen due that is not written down yet. Their balances are right all the same; rows that stay say that no worker is running, or that it cannot settle them and says so in its log.';
comment on column credits_report.accounts_due.account_id is 'The account.';
comment on column credits_report.accounts_due.rate_card is 'Its rate card.';
comment on column credits_report.accounts_due.plan is 'Its plan; null: none.';
comment on column credits_report.accounts_due.next_due_at is 'When the first thing fell due.';
comment on column credits_report.accounts_due.overdue is 'How long ago that was.';
