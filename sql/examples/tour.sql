-- A team's first weeks with credits: prices, charges, refusals, gifts and the log, on the price list of the catalog
-- "videodraft". Everything happens in one transaction that is rolled back, so it leaves nothing behind.
--
-- tour.expected is this file with what each statement returns. The dates in it come from the setting credits.now, which
-- means something only where sql/testing/clock.sql is installed; elsewhere the tour runs all the same, today.

begin;
set local timezone = 'UTC';
set local credits.now = '2026-01-31 09:00:00+00';

-- A team subscribes. Its allowance is there at once, whole.
select account_id, rate_card, plan, period_end from credits.open_account('acme', 'videodraft_starter');

select unit, included, additional, held, total, next_refill_at from credits.balances('acme');

-- What things cost, a few lines of it.
select category, operation, match, price, measure, per
from credits.rates('acme')
where operation in ('script', 'speech', 'scene_enhancement');

-- The price of a job before it is done: a one-minute marketing video.
select unit, amount, available, affordable
from credits.quote_items('acme', array[
  credits.item('script', '{"seconds": 60}'),
  credits.item('image', '{"model": "flux-1.1-pro", "count": 6}'),
  credits.item('video', '{"model": "kling-2.1", "count": 2}'),
  credits.item('speech', '{"characters": 600}')
]);

-- Line by line: the amounts add up to the price, and stay with the charge for good.
select line ->> 'operation' as operation, line ->> 'quantity' as quantity, line ->> 'price' as price,
  line ->> 'count' as count, line ->> 'amount' as amount
from credits.quote_items('acme', array[
  credits.item('image', '{"model": "flux-1.1-pro", "count": 6}'),
  credits.item('speech', '{"characters": 601}')
]) q, jsonb_array_elements(q.breakdown) line;

-- The charge: all of it or nothing. The key makes it safe to send twice, max_amount is the price that the user saw.
select seq, unit, amount, balance_after, member_id, idempotency_key
from credits.spend_items('acme', array[
  credits.item('script', '{"seconds": 60}'),
  credits.item('image', '{"model": "flux-1.1-pro", "count": 6}'),
  credits.item('video', '{"model": "kling-2.1", "count": 2}'),
  credits.item('speech', '{"characters": 600}')
], idempotency_key => 'render-1', member_id => 'ada', max_amount => 96);

-- Sent again, it returns the same entry, and nothing more is charged.
select seq, unit, amount, balance_after, member_id, idempotency_key
from credits.spend_items('acme', array[
  credits.item('script', '{"seconds": 60}'),
  credits.item('image', '{"model": "flux-1.1-pro", "count": 6}'),
  credits.item('video', '{"model": "kling-2.1", "count": 2}'),
  credits.item('speech', '{"characters": 600}')
], idempotency_key => 'render-1', member_id => 'ada', max_amount => 96);

-- More than there is: refused, with what is short and when there will be more. A refusal leaves no trace.
savepoint refused;
select * from credits.spend('acme', 'video', '{"model": "veo-2", "seconds": 5}');
rollback to refused;

-- A model that the price list does not know.
select * from credits.spend('acme', 'image', '{"model": "flux-9"}');
rollback to refused;

-- A gift that ends in February, and one that does not end. Within the additional credits, what ends sooner is used first.
select lot_id, unit, bucket, granted, expires_at, reason
from credits.grant('acme', 50, expires_at => '2026-02-10 00:00:00+00', reason => 'sorry for the outage');

select lot_id, unit, bucket, granted, expires_at, reason
from credits.grant('acme', 500, reason => 'contest');

select unit, included, additional, total from credits.balances('acme');

-- Included credits go first: what is left of them, then the lot that ends sooner, then the other.
set local credits.now = '2026-02-01 12:00:00+00';

select seq, amount, included, additional, balance_after
from credits.spend('acme', 'video', '{"model": "veo-2", "seconds": 5}', member_id => 'grace');

select p.lot_id, p.amount, l.bucket, l.expires_at, l.available
from credits.postings p join credits.lots l using (account_id, lot_id)
where p.account_id = 'acme' and p.seq = 5
order by p.ordinal;

-- What the balance will be if nobody spends any more.
select at, total, next_refill_at
from (values (timestamptz '2026-02-01 12:00:00+00'), ('2026-02-28 09:00:00+00'), ('2026-03-31 09:00:00+00')) t(at),
  credits.balances('acme', at);

-- The next period begins on the last of February. It does so without anybody writing it down.
set local credits.now = '2026-03-01 00:00:00+00';

select unit, included, additional, total, next_refill_at from credits.balances('acme');

-- The log has what was written. The next charge writes what fell due, each at its own instant, and then itself.
select seq, amount, balance_after from credits.spend('acme', 'speech', '{"characters": 250}');

select seq, kind, operation, amount, included, additional, balance_after, member_id, occurred_at
from credits.activity('acme')
order by seq;

-- The auditor has nothing to say.
select * from credits.verify('acme');

rollback;
