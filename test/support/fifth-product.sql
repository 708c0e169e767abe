-- Marginalia digitises archives: it transcribes, translates and stores manuscripts. An invented product, for what the
-- catalogs that come with pgcredits have no use for. Its pricing page:
--
--   Everything is paid in folios. A charge is rounded up to a tenth of a folio.
--
--   Transcription   0.7 a page, double for old hands, and 1 for every started 250 words.
--                   With an index: 0.4 a page more, at most 12 a document.
--   Translation     0.9 per 100 words; 0.6 on Archive.
--   Storage         The first GB is free, up to 10 GB it is 1.3 a GB and month, beyond that 0.95.
--
--   Visitor   free    5 folios a day, at midnight in Bucharest. What is left is gone.
--   Reader    free    40 folios a week, on Mondays in Bucharest. At most 60 unused ones are carried over.
--   Scholar   25 EUR  200 folios a month. Each month's folios live for three months.
--   Archive   80 EUR  500 folios a month. Up to two months' worth of unused ones is carried over.

begin;
select credits_private.begin_catalog('marginalia', 'Marginalia', 'invented');

insert into catalog_units (unit, name, scale, rounding, main) values
  ('credit', 'folios', 1, 'up', true);

insert into catalog_operations (operation, category, name, description) values
  ('transcribe', 'Manuscripts', 'Transcription', 'pages and words of the document. hand: old; index: true.'),
  ('translate',  'Manuscripts', 'Translation',   'words of the document.'),
  ('store',      'Storage',     'Storage',       'gb: how many, for a month.');

insert into catalog_rates (operation, component, match, price, measure, per, quantity_rounding, maximum_charge, optional, source) values
  ('transcribe', 'pages', '{}',              0.7, 'pages',   1, 'exact', null, false, 'pricing page'),
  ('transcribe', 'words', '{}',              1,   'words', 250, 'up',    null, false, 'pricing page'),
  ('transcribe', 'index', '{"index": true}', 0.4, 'pages',   1, 'exact', 12,   true,  'pricing page'),
  ('translate',  'base',  '{}',              0.9, 'words', 100, 'exact', null, false, 'pricing page'),
  ('translate',  'base',  '{"plan": "marginalia_archive"}',
                                             0.6, 'words', 100, 'exact', null, false, 'pricing page');

insert into catalog_rates (operation, tiers, measure, source) values
  ('store', '[{"up_to": 1, "price": 0}, {"up_to": 10, "price": 1.3}, {"price": 0.95}]', 'gb', 'pricing page');

insert into catalog_multipliers (operation, component, multiplier_group, match, factor, source) values
  ('transcribe', 'pages', 'hand', '{"hand": "old"}', 2, 'pricing page');

insert into catalog_plans (plan, name, cadence, anchored_to, time_zone, source) values
  ('marginalia_visitor', 'Visitor', 'day',   'calendar',     'Europe/Bucharest', 'pricing page'),
  ('marginalia_reader',  'Reader',  'week',  'calendar',     'Europe/Bucharest', 'pricing page'),
  ('marginalia_scholar', 'Scholar', 'month', 'subscription', 'UTC',              'pricing page'),
  ('marginalia_archive', 'Archive', 'month', 'subscription', 'UTC',              'pricing page');

insert into catalog_plan_prices (plan, currency, price, source) values
  ('marginalia_scholar', 'EUR', 25, 'pricing page'),
  ('marginalia_archive', 'EUR', 80, 'pricing page');

insert into catalog_allowances (plan, amount, rollover, rollover_cap, rollover_cap_multiple, lives_periods, source) values
  ('marginalia_visitor',   5, 'none',   null, null, null, 'pricing page'),
  ('marginalia_reader',   40, 'capped', 60,   null, null, 'pricing page'),
  ('marginalia_scholar', 200, 'all',    null, null, 3,    'pricing page'),
  ('marginalia_archive', 500, 'capped', null, 2,    null, 'pricing page');

select * from credits_private.apply_catalog();
commit;
