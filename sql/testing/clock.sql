-- For test databases only; migrate never applies it. With this, the setting credits.now (a timestamptz) is the time of
-- every function; without it, the setting changes nothing.

create or replace function credits_private.now()
returns timestamptz
language sql volatile
return coalesce(nullif(current_setting('credits.now', true), '')::timestamptz, clock_timestamp());
