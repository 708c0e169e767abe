-- VideoGen: a team's shared balance of included and additional credits, packs, and automatic top-ups that some features need.
--
-- From the help page "Credits and usage overview". It gives the rate card's categories and units of measure, the sizes of the
-- packs, and what needs top-ups or a Pro plan. It gives no price in credits, no plan but "Pro", and no money: those figures
-- are marked "assumed".

begin;
select credits_private.begin_catalog('videogen', 'VideoGen', 'VideoGen, Credits and usage overview');

insert into catalog_units (unit, name, scale, main) values
  ('credit', 'credits', 2, true);

insert into catalog_operations (operation, category, name, description) values
  ('video_export',       'Video export',        'Video export',             'seconds: the length of the output.'),
  ('ai_video',           'AI video generation', 'AI video clip',            'seconds: the length of the clip. Needs automatic top-ups.'),
  ('ai_image',           'AI image generation', 'AI image',                 'One image. quality: low (budget-friendly), standard (recommended for most) or high (professional; needs a Pro plan and automatic top-ups).'),
  ('voiceover',          'AI audio',            'AI voiceover',             'characters: the length of the text.'),
  ('background_removal', 'AI effects',          'Video background removal', 'seconds: the length of the video. Needs automatic top-ups.'),
  ('website_scan',       'AI effects',          'Website scan',             'One scan of a website. Needs automatic top-ups.'),
  ('storage',            'Storage',             'Flexible storage',         'gb_days: gigabytes times days. Needs automatic top-ups.');

insert into catalog_rates (operation, match, price, measure, source) values
  ('video_export',       '{}',                        0.5,  'seconds',    'assumed; that exports are priced per second of output is from VideoGen, Credits and usage overview'),
  ('ai_video',           '{}',                       20,    'seconds',    'assumed'),
  ('ai_image',           '{"quality": "low"}',        2,    null,         'assumed; the three qualities, by the image, are from VideoGen, Credits and usage overview'),
  ('ai_image',           '{"quality": "standard"}',   5,    null,         'assumed; the three qualities, by the image, are from VideoGen, Credits and usage overview'),
  ('ai_image',           '{"quality": "high"}',      20,    null,         'assumed; the three qualities, by the image, are from VideoGen, Credits and usage overview'),
  ('voiceover',          '{}',                        0.05, 'characters', 'assumed; that audio is priced per character is from VideoGen, Credits and usage overview'),
  ('background_removal', '{}',                        2,    'seconds',    'assumed'),
  ('website_scan',       '{}',                       25,    null,         'assumed'),
  ('storage',            '{}',                        1,    'gb_days',    'assumed; that storage is priced per GB and day is from VideoGen, Credits and usage overview');

insert into catalog_gates (operation, match, requires, plans, source) values
  ('ai_video',           '{}',                  'top_ups', null,                                 'VideoGen, Credits and usage overview'),
  ('ai_image',           '{"quality": "high"}', 'top_ups', null,                                 'VideoGen, Credits and usage overview'),
  ('ai_image',           '{"quality": "high"}', 'plan',    '{videogen_pro, videogen_business}',  'VideoGen, Credits and usage overview: a Pro plan; that Business is above it is assumed'),
  ('background_removal', '{}',                  'top_ups', null,                                 'VideoGen, Credits and usage overview'),
  ('website_scan',       '{}',                  'top_ups', null,                                 'VideoGen, Credits and usage overview'),
  ('storage',            '{}',                  'top_ups', null,                                 'VideoGen, Credits and usage overview');

-- Every plan has a monthly allowance that refills at the start of each billing cycle.
insert into catalog_plans (plan, name, source) values
  ('videogen_free',     'Free',     'assumed'),
  ('videogen_pro',      'Pro',      'VideoGen, Credits and usage overview'),
  ('videogen_business', 'Business', 'assumed');

insert into catalog_plan_prices (plan, billing_interval, currency, price, source) values
  ('videogen_free',     'month', 'USD',  0, 'assumed'),
  ('videogen_pro',      'month', 'USD', 29, 'assumed'),
  ('videogen_business', 'month', 'USD', 99, 'assumed');

insert into catalog_allowances (plan, amount, rollover, source) values
  ('videogen_free',      200, 'none', 'assumed amount; monthly is from VideoGen, Credits and usage overview'),
  ('videogen_pro',      3000, 'none', 'assumed amount; monthly is from VideoGen, Credits and usage overview'),
  ('videogen_business', 12000, 'none', 'assumed amount; monthly is from VideoGen, Credits and usage overview');

insert into catalog_features (plan, feature, value, source) values
  ('videogen_free',     'high_quality_images', 'false', 'VideoGen, Credits and usage overview: a Pro plan'),
  ('videogen_pro',      'high_quality_images', 'true',  'VideoGen, Credits and usage overview: a Pro plan, with automatic top-ups'),
  ('videogen_business', 'high_quality_images', 'true',  'assumed: as Pro'),
  ('videogen_free',     'shared_team_balance', 'true',  'VideoGen, Credits and usage overview'),
  ('videogen_pro',      'shared_team_balance', 'true',  'VideoGen, Credits and usage overview'),
  ('videogen_business', 'shared_team_balance', 'true',  'VideoGen, Credits and usage overview');

insert into catalog_packs (pack, name, amount, source) values
  ('mini',     'Mini',      2000, 'VideoGen, Credits and usage overview'),
  ('standard', 'Standard',  5000, 'VideoGen, Credits and usage overview'),
  ('large',    'Large',    10000, 'VideoGen, Credits and usage overview'),
  ('bulk',     'Bulk',     25000, 'VideoGen, Credits and usage overview');

insert into catalog_pack_prices (pack, currency, price, source) values
  ('mini',     'USD',  20, 'assumed'),
  ('standard', 'USD',  45, 'assumed'),
  ('large',    'USD',  80, 'assumed'),
  ('bulk',     'USD', 175, 'assumed');

insert into catalog_top_up_prices (currency, price, source) values
  ('USD', 0.01, 'assumed: as in the Mini pack');

select * from credits_private.apply_catalog();
commit;
