-- What the ledger is measured against. Everything of the benchmark is in schema `bench`, beside the ledger.

create schema bench;

-- Floor F1: what any ledger in stored procedures must do. A balance goes down, and a log says so.
create table bench.accounts (
  account_id text collate "C" not null primary key,
  balance numeric not null
) with (fillfactor = 50);

create table bench.log (
  log_id bigint generated always as identity primary key,
  account_id text collate "C" not null,
  amount numeric not null,
  balance numeric not null,
  logged_at timestamptz not null
);

create function bench.f1(account_id text, amount numeric)
returns numeric
language plpgsql volatile
as $$
declare
  left_over numeric;
begin
  update bench.accounts a set balance = a.balance - amount where a.account_id = f1.account_id
  returning a.balance into left_over;
  insert into bench.log (account_id, amount, balance, logged_at) values (account_id, amount, left_over, clock_timestamp());
  return left_over;
end
$$;

-- Ceiling C1: what the disk format allows. The rows of real charges, into tables with the same columns and indexes, and
-- without foreign keys.
create table bench.entries (like credits.entries including defaults including indexes);
create table bench.postings (like credits.postings including defaults including indexes);

-- Real rows to insert again and again, in the order in which the ledger wrote them.
create table bench.staged_entries (like credits.entries, batch int not null);
create index on bench.staged_entries (batch);
create table bench.staged_postings (like credits.postings, batch int not null);
create index on bench.staged_postings (batch);

-- Inserts a staged batch: the call's number makes places in the log and keys new.
create function bench.c1(call bigint, batches int)
returns bigint
language plpgsql volatile
as $$
declare
  staged int := call % batches;
  further bigint := (1 + call / batches) * 1000000;
  prefix text := lpad(to_hex(call), 8, '0');
  inserted bigint;
begin
  with entries as (
    insert into bench.entries
    select s.account_id, s.seq + further, s.unit, s.kind, s.operation, s.amount, s.included, s.additional, s.balance_after, s.member_id,
      s.usage, s.breakdown, prefix || substr(s.idempotency_key, 9), s.refunds_seq, s.hold_id, s.purchase_id, s.reason,
      s.occurred_at, s.recorded_at, s.metadata
    from bench.staged_entries s where s.batch = staged
  )
  insert into bench.postings
  select s.account_id, s.seq + further, s.ordinal, s.lot_id, s.version + further, s.amount, s.granted, s.spent, s.forfeited
  from bench.staged_postings s where s.batch = staged;
  get diagnostics inserted = row_count;
  return inserted;
end
$$;
