-- Time: month ends, rollover, missed periods and forecasts, on an invented product. One transaction, rolled back.
--
-- It travels in time with the setting credits.now, so it needs a database with sql/testing/clock.sql.

begin;
set local timezone = 'UTC';
set local credits.now = '2026-01-31 10:00:00+00';

-- A small price list: a plan that carries up to 150 unused credits over, and one that carries nothing.
select credits_private.begin_catalog('almanac', 'Almanac', 'invented');
insert into catalog_units (unit, name, main) values ('credit', 'credits', true);
insert into catalog_operations (operation, category, name) values ('page', 'Pages', 'Page');
insert into catalog_rates (operation, price) values ('page', 1);
insert into catalog_plans (plan, name, cadence) values
  ('almanac_carry', 'Carry', 'month'),
  ('almanac_reset', 'Reset', 'month');
insert into catalog_allowances (plan, amount, rollover, rollover_cap) values
  ('almanac_carry', 100, 'capped', 150),
  ('almanac_reset', 100, 'none', null);
select what, count(*) from credits_private.apply_catalog() group by what order by what;

-- Anchored on January 31st, periods end on the last day of shorter months, and come back to the 31st.
select account_id, period_start, period_end from credits.open_account('carry', 'almanac_carry');
select account_id, period_end from credits.open_account('reset', 'almanac_reset');

select n as period, credits_private.boundary(p, '2026-01-31 10:00:00+00', n) as begins
from credits.plans p, generate_series(0, 5) n
where p.plan = 'almanac_carry';

select amount, balance_after from credits.spend('carry', 'page', '{"count": 30}');
select amount, balance_after from credits.spend('reset', 'page', '{"count": 30}');

-- A forecast with no further usage: one account resets to 100, the other carries 70, then 150 and the fresh 100.
select to_char(at, 'YYYY-MM-DD HH24:MI') as at, carry.total as carry, reset.total as reset
from (values (timestamptz '2026-02-28 09:59:00+00'), ('2026-02-28 10:00:00+00'), ('2026-03-31 10:00:00+00'),
    ('2026-04-30 10:00:00+00')) t(at),
  credits.balances('carry', at) carry, credits.balances('reset', at) reset;

-- Three months later. No worker has run and nobody has spent: the balance is right, the tables have not moved.
set local credits.now = '2026-05-15 00:00:00+00';

select carry.total as carry, reset.total as reset, carry.next_refill_at
from credits.balances('carry') carry, credits.balances('reset') reset;

select account_id, count(*) as entries from credits.entries
where account_id in ('carry', 'reset') group by account_id order by account_id;

-- The worker's sweep writes it all down, boundary by boundary, each entry at its own instant.
select credits.settle_due();

select seq, kind, amount, balance_after, occurred_at, recorded_at::date as recorded
from credits.activity('carry') order by seq;

-- Nothing is due any more, and the balance is what it was.
select credits.settle_due();

select carry.total as carry, reset.total as reset, carry.next_refill_at
from credits.balances('carry') carry, credits.balances('reset') reset;

select * from credits.verify();

rollback;
