-- The one source of time. A writer reads it once, after it has the account's lock (see lock_account).

create or replace function credits_private.now()
returns timestamptz
language sql volatile
return clock_timestamp();

comment on function credits_private.now() is
  'The wall clock. sql/testing/clock.sql replaces it in test databases, and nothing else does.';
