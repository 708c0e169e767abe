-- Another invented product, so that there is another rate card.

begin;
select credits_private.begin_catalog('bazaar', 'Bazaar', 'invented');
insert into catalog_units (unit, name, scale, main) values ('coin', 'coins', 0, true);
insert into catalog_operations (operation, category, name) values ('image', 'Pictures', 'Image');
insert into catalog_rates (operation, unit, price) values ('image', 'coin', 7);
insert into catalog_plans (plan, name, cadence) values ('bazaar_pro', 'Pro', 'month');
insert into catalog_plan_prices (plan, currency, price) values ('bazaar_pro', 'USD', 10);
insert into catalog_allowances (plan, unit, amount) values ('bazaar_pro', 'coin', 70);
select * from credits_private.apply_catalog();
commit;
