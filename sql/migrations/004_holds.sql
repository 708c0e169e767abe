-- Holds: credits taken from lots but not yet spent. A hold is no entry; capturing it is.

create table credits.holds (
  account_id text collate "C" not null,
  hold_id bigint not null,
  unit text not null,
  amount credits.amount not null,
  captured credits.amount not null default 0,
  status text not null default 'open',
  operation text,
  usage jsonb not null,
  breakdown jsonb not null,
  plan text,
  top_ups boolean not null,
  member_id text,
  idempotency_key text,
  authorized_at timestamptz not null,
  expires_at timestamptz not null,
  ended_at timestamptz,
  capture_request jsonb,
  metadata jsonb,
  constraint holds_pkey primary key (account_id, hold_id, unit),
  constraint holds_account_fkey foreign key (account_id) references credits.accounts,
  constraint hold_status_is_known check (status in ('open', 'captured', 'released', 'expired')),
  constraint hold_ends_when_it_is_no_longer_open check ((status = 'open') = (ended_at is null)),
  constraint hold_is_captured_with_a_request check ((status = 'captured') = (capture_request is not null)),
  constraint hold_expires_later check (authorized_at < expires_at)
);
create unique index holds_idempotency_key on credits.holds (account_id, idempotency_key, unit) where idempotency_key is not null;
create index holds_open on credits.holds (account_id, expires_at) where status = 'open';
comment on table credits.holds is 'Credits reserved for a job whose price is not known yet: a row a unit, all of one request with one hold_id.';
comment on column credits.holds.account_id is 'Whose credits are held.';
comment on column credits.holds.hold_id is 'Counts the account''s holds from 1.';
comment on column credits.holds.unit is 'The unit that is held.';
comment on column credits.holds.amount is 'How much was held; 0 for a unit that only the capture brought.';
comment on column credits.holds.captured is 'How much of it, or above it, was charged in the end.';
comment on column credits.holds.status is 'open, captured, released or expired.';
comment on column credits.holds.operation is 'What it was authorized for; null where the items of the job differ.';
comment on column credits.holds.usage is 'The usage it was authorized for; a list of {operation, usage} where the job had several items.';
comment on column credits.holds.breakdown is 'What the amount consisted of.';
comment on column credits.holds.plan is 'The plan at the authorization: a capture is priced at its rates.';
comment on column credits.holds.top_ups is 'Whether top-ups were enabled at the authorization.';
comment on column credits.holds.member_id is 'The application''s label of who asked for it.';
comment on column credits.holds.idempotency_key is 'The caller''s key of the authorization.';
comment on column credits.holds.authorized_at is 'When it was taken: the instant whose rates apply.';
comment on column credits.holds.expires_at is 'It is over from this instant, unless captured or released before.';
comment on column credits.holds.ended_at is 'When it was captured, released or expired.';
comment on column credits.holds.capture_request is 'What was captured, to tell a repeated capture from another one.';
comment on column credits.holds.metadata is 'The application''s own.';

create table credits.hold_lots (
  account_id text collate "C" not null,
  hold_id bigint not null,
  unit text not null,
  ordinal int not null,
  lot_id bigint not null,
  amount credits.amount not null,
  constraint hold_lots_pkey primary key (account_id, hold_id, unit, ordinal),
  constraint hold_lots_hold_fkey foreign key (account_id, hold_id, unit) references credits.holds,
  constraint hold_lots_lot_fkey foreign key (account_id, lot_id) references credits.lots
);
create index hold_lots_by_lot on credits.hold_lots (account_id, lot_id);
comment on table credits.hold_lots is 'Which lots a hold was taken from, in draw order.';
comment on column credits.hold_lots.account_id is 'Whose hold it is.';
comment on column credits.hold_lots.hold_id is 'The hold.';
comment on column credits.hold_lots.unit is 'The unit of the hold.';
comment on column credits.hold_lots.ordinal is 'The order in which the lots were drawn.';
comment on column credits.hold_lots.lot_id is 'The lot.';
comment on column credits.hold_lots.amount is 'How much was taken from it.';

-- A plan that is cancelled in the very instant in which it began leaves lots that are held and were never usable.
alter table credits.lots drop constraint lot_is_usable_for_some_time;
alter table credits.lots add constraint lot_does_not_end_before_it_starts check (starts_at <= expires_at);

alter table credits.entries add constraint entries_hold_fkey
  foreign key (account_id, hold_id, unit) references credits.holds;
