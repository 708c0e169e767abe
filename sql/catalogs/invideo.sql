-- invideo AI: credits for generated media and video minutes for stock media, on plans that reset weekly (Free) or monthly.
--
-- Three sources, which do not agree everywhere:
--   * invideo's help page "How are the credits and video minutes calculated on version 4?": what a video, an actor, a
--     remix and a stock minute cost. Where it and the guide differ, it is right: an actor costs 5 a started minute.
--   * Coggnix's guide "What are generative credits in InVideo AI", May 2026: models, when credits reset, what each plan
--     includes, the add-on, prices in lei. It charges 20 a minute for an actor; that is kept as an option of its own, ai_twin.
--   * invideo's help pages on plans and on extra credits, 2025: credits and dollars of each plan. The guide has about 30
--     dollars for Plus and 100 for Max, and counts Generative as 15 minutes of video, which would be 300 credits; here
--     Plus is 35, Max is 60, and Generative has 100 credits.
-- Every "assumed" figure is in none of them.

begin;
select credits_private.begin_catalog('invideo', 'invideo AI',
  'invideo, How are the credits and video minutes calculated on version 4?; Coggnix, What are generative credits in InVideo AI, May 2026; invideo help, plans and extra credits, 2025');

insert into catalog_units (unit, name, scale, main) values
  ('credit',       'credits',       2, true),
  ('video_minute', 'video minutes', 0, false);

insert into catalog_operations (operation, category, name, description) values
  ('generative_video', 'Video creation',  'Video from generative media', 'quality: basic, pro or ultra. seconds: its length, charged by the second from 30 up. actor: true for a human or virtual pro actor; ai_twin: true for an AI twin.'),
  ('stock_video',      'Video creation',  'Video from stock media',      'seconds: its length, charged in started video minutes. actor: true for a human or virtual pro actor, who costs credits.'),
  ('remix',            'Video creation',  'Remix',                       'Media generated while a video is edited. media: image, or clip with its seconds.'),
  ('agent_one',        'Agents & models', 'Agent One',                   'A video of up to 30 minutes from one prompt. credits: what the models behind it came to; unknown until it is done, so authorize first and capture then. Paid plans only.'),
  ('model_video',      'Agents & models', 'Video clip by model',         'model: kling-2.6-standard, kling-3.0, sora-2-pro or veo-3.1. seconds: its length. resolution: 720p (if left out), 1080p or 4K; audio: true; video_input: true.'),
  ('model_image',      'Agents & models', 'Image by model',              'model: nano-banana or nano-banana-pro. resolution: 1K (if left out), 2K or 4K. count: how many outputs.'),
  ('voiceover',        'Agents & models', 'Voiceover',                   'characters: the length of the text.'),
  ('music',            'Agents & models', 'Music',                       'A track by ElevenLabs Music. seconds: its length.'),
  ('edit',             'Free of charge',  'Basic editing',               'Trimming, adding text, transitions.'),
  ('export',           'Free of charge',  'Export',                      'Exporting a video.'),
  ('download',         'Free of charge',  'Download',                    'Downloading a video.'),
  ('share',            'Free of charge',  'Watch and share',             'Watching a video, and sharing it.');

insert into catalog_rates (operation, component, match, unit, price, measure, per, quantity_rounding, minimum_quantity, optional, source) values
  ('generative_video', 'video',   '{"quality": "basic"}', 'credit',       10,   'seconds',    60, 'exact', 30,   false, 'assumed: half of Pro'),
  ('generative_video', 'video',   '{"quality": "pro"}',   'credit',       20,   'seconds',    60, 'exact', 30,   false, 'invideo, How are the credits and video minutes calculated on version 4?'),
  ('generative_video', 'video',   '{"quality": "ultra"}', 'credit',       40,   'seconds',    60, 'exact', 30,   false, 'invideo, How are the credits and video minutes calculated on version 4?'),
  ('generative_video', 'actor',   '{"actor": true}',      'credit',        5,   'seconds',    60, 'up',    30,   true,  'invideo, How are the credits and video minutes calculated on version 4?: 5 a started minute'),
  ('generative_video', 'ai_twin', '{"ai_twin": true}',    'credit',       20,   'seconds',    60, 'exact', 30,   true,  'Coggnix, What are generative credits in InVideo AI, May 2026: an extra 20 a minute'),

  ('stock_video',      'video',   '{}',                   'video_minute',  1,   'seconds',    60, 'up',    60,   false, 'invideo, How are the credits and video minutes calculated on version 4?: rounded up to the next whole minute, at least 1'),
  ('stock_video',      'footage', '{}',                   'credit',        0,   null,          1, 'exact', null, false, 'invideo, How are the credits and video minutes calculated on version 4?: without an actor, no credits'),
  ('stock_video',      'actor',   '{"actor": true}',      'credit',        5,   'seconds',    60, 'up',    60,   true,  'invideo, How are the credits and video minutes calculated on version 4?: 5 a started minute'),

  ('remix',            'base',    '{"media": "image"}',   'credit',        0.2, null,          1, 'exact', null, false, 'invideo, How are the credits and video minutes calculated on version 4?'),
  ('remix',            'base',    '{"media": "clip"}',    'credit',       20,   'seconds',    60, 'exact', null, false, 'invideo, How are the credits and video minutes calculated on version 4?: 1 for 3 seconds, 1.67 for 5'),

  ('agent_one',        'base',    '{}',                   'credit',        1,   'credits',     1, 'exact', null, false, 'Coggnix, What are generative credits in InVideo AI, May 2026: depends on the models behind it'),
  ('voiceover',        'base',    '{}',                   'credit',        1,   'characters', 1000, 'exact', null, false, 'assumed'),
  ('music',            'base',    '{}',                   'credit',        2,   'seconds',    60, 'exact', null, false, 'assumed'),
  ('edit',             'base',    '{}',                   'credit',        0,   null,          1, 'exact', null, false, 'Coggnix, What are generative credits in InVideo AI, May 2026'),
  ('export',           'base',    '{}',                   'credit',        0,   null,          1, 'exact', null, false, 'Coggnix, What are generative credits in InVideo AI, May 2026'),
  ('download',         'base',    '{}',                   'credit',        0,   null,          1, 'exact', null, false, 'Coggnix, What are generative credits in InVideo AI, May 2026'),
  ('share',            'base',    '{}',                   'credit',        0,   null,          1, 'exact', null, false, 'Coggnix, What are generative credits in InVideo AI, May 2026');

-- "Video models are priced per second. Resolution, video input, and audio generation affect the rate." Two rates are given:
-- 0.5 a second for Kling 2.6 Standard, and 10 for Veo 3.1 in 4K with audio, which is 2.5 x 2 x 2 here.
insert into catalog_rates (operation, match, price, measure, source) values
  ('model_video', '{"model": "kling-2.6-standard"}', 0.5, 'seconds', 'Coggnix, What are generative credits in InVideo AI, May 2026'),
  ('model_video', '{"model": "kling-3.0"}',          1,   'seconds', 'assumed'),
  ('model_video', '{"model": "sora-2-pro"}',         4,   'seconds', 'assumed'),
  ('model_video', '{"model": "veo-3.1"}',            2.5, 'seconds', 'assumed: a quarter of the 10 in 4K with audio of Coggnix, What are generative credits in InVideo AI, May 2026'),
  ('model_image', '{"model": "nano-banana"}',        0.2, null,      'assumed: as an image of a remix'),
  ('model_image', '{"model": "nano-banana-pro"}',    0.6, null,      'assumed');

insert into catalog_multipliers (operation, multiplier_group, match, factor, source) values
  ('model_video', 'resolution',  '{"resolution": "720p"}',  1,   'assumed'),
  ('model_video', 'resolution',  '{"resolution": "1080p"}', 1.5, 'assumed'),
  ('model_video', 'resolution',  '{"resolution": "4K"}',    2,   'assumed'),
  ('model_video', 'audio',       '{"audio": true}',         2,   'assumed'),
  ('model_video', 'video_input', '{"video_input": true}',   1.5, 'assumed'),
  ('model_image', 'resolution',  '{"resolution": "1K"}',    1,   'assumed'),
  ('model_image', 'resolution',  '{"resolution": "2K"}',    1.5, 'assumed'),
  ('model_image', 'resolution',  '{"resolution": "4K"}',    2,   'assumed');

-- Free resets weekly on Monday at 00:00 UTC. Paid plans reset monthly, those that are billed yearly too. Nothing rolls over.
insert into catalog_plans (plan, name, cadence, anchored_to, source) values
  ('invideo_free',              'Free',               'week',  'calendar',     'Coggnix, What are generative credits in InVideo AI, May 2026'),
  ('invideo_plus',              'Plus',               'month', 'subscription', 'invideo help, plans, 2025'),
  ('invideo_plus_annual',       'Plus, annual',       'month', 'subscription', 'Coggnix, What are generative credits in InVideo AI, May 2026: annual plans reset monthly'),
  ('invideo_max',               'Max',                'month', 'subscription', 'invideo help, plans, 2025'),
  ('invideo_max_annual',        'Max, annual',        'month', 'subscription', 'Coggnix, What are generative credits in InVideo AI, May 2026: annual plans reset monthly'),
  ('invideo_generative',        'Generative',         'month', 'subscription', 'invideo help, plans, 2025'),
  ('invideo_generative_annual', 'Generative, annual', 'month', 'subscription', 'Coggnix, What are generative credits in InVideo AI, May 2026: annual plans reset monthly'),
  ('invideo_team',              'Team',               'month', 'subscription', 'invideo help, plans, 2025'),
  ('invideo_team_annual',       'Team, annual',       'month', 'subscription', 'Coggnix, What are generative credits in InVideo AI, May 2026: annual plans reset monthly');

-- Lei are those of Romania's App Store, the lowest where the guide has a range (Plus to 129.99, Max to 499.99).
insert into catalog_plan_prices (plan, billing_interval, currency, price, source) values
  ('invideo_free',              'month', 'USD',    0,    'Coggnix, What are generative credits in InVideo AI, May 2026'),
  ('invideo_plus',              'month', 'USD',   35,    'invideo help, plans, 2025'),
  ('invideo_plus',              'month', 'RON',   99.99, 'Coggnix, What are generative credits in InVideo AI, May 2026: from 99.99'),
  ('invideo_plus_annual',       'year',  'USD',  350,    'assumed: twelve months for the price of ten'),
  ('invideo_max',               'month', 'USD',   60,    'invideo help, plans, 2025'),
  ('invideo_max',               'month', 'RON',  299.99, 'Coggnix, What are generative credits in InVideo AI, May 2026: from 299.99'),
  ('invideo_max_annual',        'year',  'USD',  600,    'assumed: twelve months for the price of ten'),
  ('invideo_generative',        'month', 'USD',  120,    'invideo help, plans, 2025'),
  ('invideo_generative',        'month', 'RON',  699.99, 'Coggnix, What are generative credits in InVideo AI, May 2026'),
  ('invideo_generative_annual', 'year',  'USD', 1200,    'assumed: twelve months for the price of ten'),
  ('invideo_team',              'month', 'USD',  999,    'invideo help, plans, 2025'),
  ('invideo_team_annual',       'year',  'USD', 9990,    'assumed: twelve months for the price of ten');

insert into catalog_allowances (plan, unit, amount, source) values
  ('invideo_free',              'credit',         10, 'assumed'),
  ('invideo_free',              'video_minute',   10, 'assumed'),
  ('invideo_plus',              'credit',         10, 'invideo help, plans, 2025'),
  ('invideo_plus',              'video_minute',   50, 'assumed'),
  ('invideo_plus_annual',       'credit',         10, 'invideo help, plans, 2025'),
  ('invideo_plus_annual',       'video_minute',   50, 'assumed'),
  ('invideo_max',               'credit',         25, 'invideo help, plans, 2025'),
  ('invideo_max',               'video_minute',  200, 'assumed'),
  ('invideo_max_annual',        'credit',         25, 'invideo help, plans, 2025'),
  ('invideo_max_annual',        'video_minute',  200, 'assumed'),
  ('invideo_generative',        'credit',        100, 'invideo help, plans, 2025'),
  ('invideo_generative',        'video_minute',  200, 'assumed'),
  ('invideo_generative_annual', 'credit',        100, 'invideo help, plans, 2025'),
  ('invideo_generative_annual', 'video_minute',  200, 'assumed'),
  ('invideo_team',              'credit',       1000, 'invideo help, plans, 2025'),
  ('invideo_team',              'video_minute', 2000, 'assumed'),
  ('invideo_team_annual',       'credit',       1000, 'invideo help, plans, 2025'),
  ('invideo_team_annual',       'video_minute', 2000, 'assumed');

insert into catalog_gates (operation, requires, plans, source) values
  ('agent_one', 'plan',
    '{invideo_plus, invideo_plus_annual, invideo_max, invideo_max_annual, invideo_generative, invideo_generative_annual, invideo_team, invideo_team_annual}',
    'Coggnix, What are generative credits in InVideo AI, May 2026: not on Free');

-- The guide's table of what each plan includes. It gives Free limited stock footage, and elsewhere none of the premium
-- kind: both are kept. The two limits on extra credits are where invideo starts from; a team sets its own.
insert into catalog_features (plan, feature, value, source)
select p.plan, f.feature, v.value::jsonb, case when p.plan like 'invideo_team%' then 'assumed: as Max' else f.source end
from catalog_plans p
cross join (values
  ('ai_models',               '"limited"', '"200+"',                      'Coggnix, What are generative credits in InVideo AI, May 2026'),
  ('stock_footage',           '"limited"', '["iStock", "Storyblocks"]',   'Coggnix, What are generative credits in InVideo AI, May 2026'),
  ('premium_stock_footage',   'false',     'true',                        'Coggnix, What are generative credits in InVideo AI, May 2026'),
  ('watermark_free_exports',  'false',     'true',                        'Coggnix, What are generative credits in InVideo AI, May 2026'),
  ('agent_one',               'false',     'true',                        'Coggnix, What are generative credits in InVideo AI, May 2026'),
  ('agent_one_minutes',       '0',         '30',                          'Coggnix, What are generative credits in InVideo AI, May 2026'),
  ('generation_queue',        '"slower"',  '"standard"',                  'Coggnix, What are generative credits in InVideo AI, May 2026'),
  ('extra_credits_per_cycle', null,        '80',                          'invideo help, extra credits, 2025'),
  ('auto_reload_below',       null,        '20',                          'invideo help, extra credits, 2025')
) f(feature, on_free, on_paid, source)
cross join lateral (select case when p.plan = 'invideo_free' then f.on_free else f.on_paid end as value) v
where v.value is not null;

-- The guide sells additional minutes at 8 to 10 dollars each, on any plan. They are taken as video minutes: as 20 credits
-- each, a credit would cost far less than on any plan.
insert into catalog_packs (pack, name, unit, amount, plans, source) values
  ('generative_add_on', 'Generative add-on',      'credit',       10, '{invideo_plus, invideo_plus_annual, invideo_max, invideo_max_annual}', 'assumed amount; that it is for Plus and Max is from Coggnix, What are generative credits in InVideo AI, May 2026'),
  ('extra_minute',      'Extra video minute',     'video_minute',  1, null, 'Coggnix, What are generative credits in InVideo AI, May 2026'),
  ('extra_minutes_10',  '10 extra video minutes', 'video_minute', 10, null, 'assumed amount; the minute at the lower price of Coggnix, What are generative credits in InVideo AI, May 2026');

insert into catalog_pack_prices (pack, currency, price, source) values
  ('generative_add_on', 'USD', 15,    'Coggnix, What are generative credits in InVideo AI, May 2026'),
  ('generative_add_on', 'RON', 69.99, 'Coggnix, What are generative credits in InVideo AI, May 2026'),
  ('extra_minute',      'USD', 10,    'Coggnix, What are generative credits in InVideo AI, May 2026: 8 to 10 a minute'),
  ('extra_minutes_10',  'USD', 80,    'Coggnix, What are generative credits in InVideo AI, May 2026: 8 to 10 a minute');

insert into catalog_top_up_prices (currency, price, source) values
  ('USD', 1.50, 'assumed: as in the Generative add-on'),
  ('RON', 7,    'assumed: as in the Generative add-on');

select * from credits_private.apply_catalog();
commit;
