-- An invented product for the tests of what moves credits: prices that need no arithmetic, and one of everything else.

begin;
select credits_private.begin_catalog('workshop', 'Workshop', 'invented');

insert into catalog_units (unit, name, scale, main) values
  ('credit', 'credits', 2, true),
  ('minute', 'minutes', 0, false);

insert into catalog_operations (operation, category, name) values
  ('job', 'Work', 'Job'),
  ('film', 'Work', 'Film'),
  ('talk', 'Work', 'Talk'),
  ('free', 'Work', 'Free'),
  ('agent', 'Gated', 'Agent'),
  ('poster', 'Gated', 'Poster'),
  ('storage', 'Stored', 'Storage');

insert into catalog_rates (operation, component, match, unit, price, measure, optional) values
  ('job', 'base', '{}', 'credit', 1, 'n', false),
  ('film', 'base', '{}', 'credit', 1, 'n', false),
  ('film', 'length', '{"footage": true}', 'minute', 1, 'minutes', true),
  ('talk', 'base', '{}', 'credit', 1, 'n', false),
  ('free', 'base', '{}', 'credit', 0, null, false),
  ('agent', 'base', '{}', 'credit', 1, 'n', false),
  ('poster', 'base', '{"quality": "low"}', 'credit', 2, null, false),
  ('poster', 'base', '{"quality": "high"}', 'credit', 9, null, false),
  ('storage', 'base', '{}', 'credit', 2, 'gb_days', false),
  ('storage', 'base', '{"tier": "cold"}', 'credit', 1, 'gb_days', false),
  ('storage', 'base', '{"tier": "cellar"}', 'credit', 1, 'gb_days', false);

insert into catalog_plans (plan, name, cadence) values
  ('ws_free', 'Free', 'none'),
  ('ws_pro', 'Pro', 'month'),
  ('ws_capped', 'Capped', 'month'),
  ('ws_saver', 'Saver', 'month'),
  ('ws_daily', 'Daily', 'day');

insert into catalog_plan_prices (plan, currency, price) values
  ('ws_pro', 'USD', 10), ('ws_capped', 'USD', 12), ('ws_saver', 'USD', 5), ('ws_daily', 'USD', 3);

insert into catalog_allowances (plan, unit, amount, rollover, rollover_cap) values
  ('ws_pro', 'credit', 100, 'none', null),
  ('ws_pro', 'minute', 10, 'none', null),
  ('ws_capped', 'credit', 100, 'capped', 50),
  ('ws_saver', 'credit', 40, 'all', null),
  ('ws_daily', 'credit', 10, 'none', null);

-- A talk is half price on Pro; storage is free on Capped.
insert into catalog_multipliers (operation, multiplier_group, match, factor) values
  ('talk', 'plan', '{"plan": "ws_pro"}', 0.5),
  ('storage', 'plan', '{"plan": "ws_capped"}', 0);

insert into catalog_gates (operation, match, requires, plans) values
  ('agent', '{}', 'plan', '{ws_pro, ws_saver}'),
  ('poster', '{"quality": "high"}', 'plan', '{ws_pro}'),
  ('poster', '{"quality": "high"}', 'top_ups', null),
  ('storage', '{"tier": "cellar"}', 'top_ups', null);

insert into catalog_top_up_prices (currency, price) values ('USD', 0.1);
insert into catalog_packs (pack, name, amount) values ('small', 'Small', 50), ('large', 'Large', 500);
insert into catalog_pack_prices (pack, currency, price) values ('small', 'USD', 5), ('large', 'USD', 40);

select * from credits_private.apply_catalog();
commit;
