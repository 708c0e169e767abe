-- An invented product that sells packs and top-ups, and one that does so in yen.

begin;
select credits_private.begin_catalog('kiosk', 'Kiosk', 'invented');
insert into catalog_units (unit, name, scale, main) values ('credit', 'credits', 2, true), ('minute', 'minutes', 0, false);
insert into catalog_operations (operation, category, name) values ('job', 'Tools', 'Job'), ('film', 'Tools', 'Film');
insert into catalog_rates (operation, unit, price, measure) values ('job', 'credit', 1, 'n'), ('film', 'minute', 1, 'n');
insert into catalog_plans (plan, name) values ('kiosk_pro', 'Pro'), ('kiosk_studio', 'Studio');
insert into catalog_plan_prices (plan, currency, price) values ('kiosk_pro', 'USD', 10), ('kiosk_studio', 'USD', 20);
insert into catalog_allowances (plan, unit, amount) values ('kiosk_pro', 'credit', 100), ('kiosk_studio', 'credit', 300);
insert into catalog_packs (pack, name, unit, amount, plans) values
  ('small', '200 credits', 'credit', 200, null),
  ('odd', '100 credits', 'credit', 100, null),
  ('film', '30 minutes', 'minute', 30, null),
  ('studio', 'Studio pack', 'credit', 1000, '{kiosk_studio}'),
  ('free', 'A gift', 'credit', 5, null),
  ('unpriced', 'Not for sale yet', 'credit', 1, null);
insert into catalog_pack_prices (pack, currency, price) values
  ('small', 'EUR', 8), ('small', 'USD', 9), ('small', 'JPY', 1300), ('small', 'KWD', 2.755),
  ('odd', 'CHF', 5), ('odd', 'EUR', 4.5),
  ('film', 'USD', 3),
  ('studio', 'USD', 40),
  ('free', 'USD', 0);
insert into catalog_top_up_prices (currency, price) values ('USD', 0.05), ('EUR', 0.04);
select * from credits_private.apply_catalog();
commit;

begin;
select credits_private.begin_catalog('yatai', 'Yatai', 'invented');
insert into catalog_units (unit, name, scale, main) values ('coin', 'coins', 0, true);
insert into catalog_operations (operation, category, name) values ('job', 'Tools', 'Job');
insert into catalog_rates (operation, unit, price, measure) values ('job', 'coin', 1, 'n');
insert into catalog_top_up_prices (currency, price) values ('JPY', 1.5);
select * from credits_private.apply_catalog();
commit;

-- One that sells no top-ups.
begin;
select credits_private.begin_catalog('stall', 'Stall', 'invented');
insert into catalog_units (unit, name, scale, main) values ('credit', 'credits', 2, true);
insert into catalog_operations (operation, category, name) values ('job', 'Tools', 'Job');
insert into catalog_rates (operation, price, measure) values ('job', 1, 'n');
select * from credits_private.apply_catalog();
commit;
