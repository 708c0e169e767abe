-- Meters: the present level of something that is charged by the day, such as stored GB.

create table credits.meters (
  account_id text collate "C" not null,
  meter_id bigint not null,
  operation text not null,
  usage jsonb not null default '{}',
  measure text not null,
  level numeric not null,
  read_at timestamptz not null,
  accrued numeric not null default 0,
  charged_until timestamptz not null,
  unit text not null,
  shortfall credits.amount not null default 0,
  constraint meters_pkey primary key (account_id, meter_id),
  constraint meters_account_fkey foreign key (account_id) references credits.accounts,
  constraint meters_are_listed_once unique (account_id, operation, usage),
  constraint meter_level_is_finite check (level >= 0 and level <= 1e12),
  constraint meter_accrual_is_finite check (accrued >= 0 and accrued <= 1e18),
  constraint meter_is_read_in_the_day_that_is_open check (charged_until <= read_at)
);
comment on table credits.meters is 'Gauges: each UTC day is charged the time-weighted mean of the level, at midnight.';
comment on column credits.meters.account_id is 'Whose meter it is.';
comment on column credits.meters.meter_id is 'Counts the account''s meters from 1.';
comment on column credits.meters.operation is 'The operation that is charged.';
comment on column credits.meters.usage is 'The attributes of what is measured.';
comment on column credits.meters.measure is 'The measure of the operation''s rates: the mean level is charged as so much of it a day.';
comment on column credits.meters.level is 'The present level, such as 12.5 GB.';
comment on column credits.meters.read_at is 'Since when the level holds, or since when it is accrued.';
comment on column credits.meters.accrued is 'Level times seconds since charged_until, until read_at.';
comment on column credits.meters.charged_until is 'The start of the UTC day that is not yet charged.';
comment on column credits.meters.unit is 'What it is charged in.';
comment on column credits.meters.shortfall is 'What could not be charged because the credits had run out, in all.';
