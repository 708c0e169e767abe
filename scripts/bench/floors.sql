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

-- Ceiling C1: what the disk format allows. The rows of real charges are inserted again and again, in the order in which the
-- ledger wrote them, into tables with the same columns and indexes, and without foreign keys.

-- Makes the tables anew: bench.entries and bench.postings as full as the ledger's, and empty ones for rows set aside; and the
-- function that inserts a batch of these, whatever columns the ledger has.
create function bench.begin_staging()
returns void
language plpgsql volatile
as $$
declare
  name text;
  inserts text[];
begin
  foreach name in array array['entries', 'postings'] loop
    execute format('drop table if exists bench.%1$I, bench.staged_%1$I', name);
    execute format('create table bench.%1$I (like credits.%1$I including defaults including indexes)', name);
    execute format('insert into bench.%1$I select * from credits.%1$I', name);
    execute format('create table bench.staged_%1$I (like credits.%1$I, batch int not null)', name);
    execute format('create index on bench.staged_%1$I (batch)', name);
    execute format('grant select, insert on bench.%1$I, bench.staged_%1$I to bench_client', name);
    inserts := inserts || (
      select format('insert into bench.%1$I (%2$s) select %3$s from bench.staged_%1$I s where s.batch = call %% batches',
        name, string_agg(quote_ident(a.attname), ', ' order by a.attnum),
        string_agg(case a.attname
          when 'seq' then 's.seq + further'
          when 'version' then 's.version + further'
          when 'idempotency_key' then 'prefix || substr(s.idempotency_key, 9)'
          else 's.' || quote_ident(a.attname) end, ', ' order by a.attnum))
      from pg_attribute a
      where a.attrelid = format('credits.%I', name)::regclass and a.attnum > 0 and not a.attisdropped);
  end loop;
  -- The number of the call gives new places in the log and new keys.
  execute format($f$
    create or replace function bench.c1(call bigint, batches int)
    returns void
    language plpgsql volatile
    as $c1$
    declare
      further bigint := (1 + call / batches) * 1000000;
      prefix text := lpad(to_hex(call), 8, '0');
    begin
      with entries as (%s) %s;
    end
    $c1$ $f$, inserts[1], inserts[2]);
end
$$;

-- Sets the rows of these entries aside as a batch.
create function bench.stage(batch int, accounts text[], seqs bigint[])
returns void
language plpgsql volatile
as $$
begin
  create temp table staged on commit drop as select * from unnest(accounts, seqs) as s (account_id, seq);
  analyze staged;
  insert into bench.staged_entries
  select e.*, stage.batch from credits.entries e join staged using (account_id, seq) order by e.account_id, e.seq;
  insert into bench.staged_postings
  select p.*, stage.batch from credits.postings p join staged using (account_id, seq) order by p.account_id, p.seq, p.ordinal;
end
$$;
