-- An invented product whose figures are easy to do in the head.

begin;
select credits_private.begin_catalog('atelier', 'Atelier', 'invented');

insert into catalog_units (unit, name, scale, main) values
  ('credit', 'credits', 2, true),
  ('minute', 'video minutes', 0, false);

insert into catalog_operations (operation, category, name) values
  ('image', 'Pictures', 'Image'),
  ('print', 'Pictures', 'Print'),
  ('upscale', 'Pictures', 'Upscale'),
  ('video', 'Video', 'Video'),
  ('film', 'Video', 'Film'),
  ('edit', 'Tools', 'Edit'),
  ('storage', 'Tools', 'Storage');

insert into catalog_rates (operation, component, match, unit, price, measure, per, quantity_rounding) values
  ('image', 'base', '{}', 'credit', 5, null, 1, 'exact'),
  ('print', 'base', '{}', 'credit', 3, null, 1, 'exact'),
  ('upscale', 'base', '{}', 'credit', 2, null, 1, 'exact'),
  ('video', 'base', '{"quality": "pro"}', 'credit', 20, 'seconds', 60, 'exact'),
  ('video', 'base', '{"quality": "ultra"}', 'credit', 40, 'seconds', 60, 'exact'),
  ('film', 'base', '{}', 'credit', 20, null, 1, 'exact'),
  ('film', 'footage', '{}', 'minute', 1, 'seconds', 60, 'up'),
  ('edit', 'base', '{}', 'credit', 0, null, 1, 'exact'),
  ('storage', 'base', '{}', 'credit', 1, 'gb_days', 1, 'exact');

insert into catalog_multipliers (operation, multiplier_group, match, factor) values
  ('image', 'resolution', '{"resolution": "4K"}', 2);

insert into catalog_plans (plan, name, cadence) values
  ('atelier_free', 'Free', 'none'),
  ('atelier_pro', 'Pro', 'month'),
  ('atelier_studio', 'Studio', 'month'),
  ('atelier_saver', 'Saver', 'month');

insert into catalog_plan_prices (plan, currency, price) values
  ('atelier_pro', 'USD', 10),
  ('atelier_studio', 'USD', 50),
  ('atelier_saver', 'USD', 5);

insert into catalog_allowances (plan, unit, amount, rollover) values
  ('atelier_pro', 'credit', 100, 'none'),
  ('atelier_pro', 'minute', 10, 'none'),
  ('atelier_studio', 'credit', 1000, 'none'),
  ('atelier_saver', 'credit', 40, 'all');

insert into catalog_features (plan, feature, value) values
  ('atelier_pro', 'watermark_free', 'true'),
  ('atelier_pro', 'seats', '5');

insert into catalog_gates (operation, requires, plans) values
  ('print', 'plan', '{atelier_pro,atelier_studio}'),
  ('upscale', 'top_ups', null);

insert into catalog_packs (pack, name, amount) values
  ('box', 'Box', 50),
  ('crate', 'Crate', 500);

insert into catalog_pack_prices (pack, currency, price) values
  ('box', 'USD', 6),
  ('crate', 'USD', 50);

insert into catalog_top_up_prices (currency, price) values
  ('USD', 0.12);

insert into catalog_promotions (promotion, name, amount, expires_after) values
  ('welcome', 'Verified e-mail', 30, null),
  ('trial', 'A week of trying', 20, '7 days');

select * from credits_private.apply_catalog();
commit;
