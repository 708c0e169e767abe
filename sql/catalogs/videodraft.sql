-- VideoDraft AI: images and clips by model, speech by the characters, four plans that reset each month.
--
-- From the help page "What are AI Credits?". It gives the credits of every operation, the allowances, and what is
-- unlimited on which plan. Marked "assumed": the depths of a consultation and the price of a minute of script (the page
-- gives ranges), money, and the names of the annual plans.
--
-- Where the page disagrees with itself, its price table stands: 200 credits buy 8 Kling clips of 25, not "about 6".

begin;
select credits_private.begin_catalog('videodraft', 'VideoDraft AI', 'VideoDraft, What are AI Credits?');

insert into catalog_units (unit, name, scale, main) values
  ('credit', 'AI credits', 2, true);

insert into catalog_operations (operation, category, name, description) values
  ('image',              'Image generation',  'Image',                 'One image. model: flux-schnell (fast, basic), flux-kontext-pro (context-aware), flux-1.1-pro (high quality), gpt-image-1 (DALL-E; premium, creative) or imagen-4 (premium, realistic).'),
  ('video',              'Video generation',  'Video clip',            'One clip. model: luma-ray-flash, luma-ray-2 or kling-2.1 (5 seconds), veo-2 with seconds 5 or 8, veo-3 (with sound) or veo-3-fast.'),
  ('speech',             'Speech generation', 'Google text-to-speech', 'Speech in any voice, by the characters of the text.'),
  ('silent_audio',       'Speech generation', 'Silent audio',          'A silent audio track.'),
  ('script',             'Other operations',  'Script',                'A script by GPT-4. seconds: how long the video is to be.'),
  ('scene_enhancement',  'Other operations',  'Scene enhancement',     'Enhances one scene; count for several.'),
  ('agent_consultation', 'Other operations',  'AI agent consultation', 'Asks an AI agent. depth: standard or deep.');

insert into catalog_rates (operation, match, price, measure, per, quantity_rounding, minimum_charge, maximum_charge, source) values
  ('image', '{"model": "flux-schnell"}',              5, null, 1, 'exact', null, null, 'VideoDraft, What are AI Credits?'),
  ('image', '{"model": "flux-kontext-pro"}',          5, null, 1, 'exact', null, null, 'VideoDraft, What are AI Credits?'),
  ('image', '{"model": "flux-1.1-pro"}',              5, null, 1, 'exact', null, null, 'VideoDraft, What are AI Credits?'),
  ('image', '{"model": "gpt-image-1"}',              10, null, 1, 'exact', null, null, 'VideoDraft, What are AI Credits?'),
  ('image', '{"model": "imagen-4"}',                 10, null, 1, 'exact', null, null, 'VideoDraft, What are AI Credits?'),

  ('video', '{"model": "luma-ray-flash"}',           30, null, 1, 'exact', null, null, 'VideoDraft, What are AI Credits?: a clip of 5 seconds'),
  ('video', '{"model": "luma-ray-2"}',               90, null, 1, 'exact', null, null, 'VideoDraft, What are AI Credits?: a clip of 5 seconds'),
  ('video', '{"model": "kling-2.1"}',                25, null, 1, 'exact', null, null, 'VideoDraft, What are AI Credits?: a clip of 5 seconds'),
  ('video', '{"model": "veo-2", "seconds": 5}',     300, null, 1, 'exact', null, null, 'VideoDraft, What are AI Credits?'),
  ('video', '{"model": "veo-2", "seconds": 8}',     400, null, 1, 'exact', null, null, 'VideoDraft, What are AI Credits?'),
  ('video', '{"model": "veo-3"}',                   600, null, 1, 'exact', null, null, 'VideoDraft, What are AI Credits?: a clip of any length'),
  ('video', '{"model": "veo-3-fast"}',              320, null, 1, 'exact', null, null, 'VideoDraft, What are AI Credits?: a clip of any length'),

  ('speech',       '{}', 1, 'characters', 100, 'up',    null, null, 'VideoDraft, What are AI Credits?: 1 per 100 characters'),
  ('silent_audio', '{}', 0, null,           1, 'exact', null, null, 'VideoDraft, What are AI Credits?'),

  ('script', '{}', 10, 'seconds', 60, 'exact', 5, 20, 'assumed: 10 a minute; at least 5, at most 20 and "depends on length" are from VideoDraft, What are AI Credits?'),
  ('scene_enhancement',  '{}',                     5, null, 1, 'exact', null, null, 'VideoDraft, What are AI Credits?'),
  ('agent_consultation', '{"depth": "standard"}',  5, null, 1, 'exact', null, null, 'assumed: the lower end of "5-10 per consultation" in VideoDraft, What are AI Credits?'),
  ('agent_consultation', '{"depth": "deep"}',     10, null, 1, 'exact', null, null, 'assumed: the upper end of "5-10 per consultation" in VideoDraft, What are AI Credits?');

insert into catalog_multipliers (operation, multiplier_group, match, factor, source) values
  ('speech', 'plan', '{"plan": "videodraft_visionary"}',        0, 'VideoDraft, What are AI Credits?: unlimited speech'),
  ('speech', 'plan', '{"plan": "videodraft_visionary_annual"}', 0, 'VideoDraft, What are AI Credits?: unlimited speech'),
  ('speech', 'plan', '{"plan": "videodraft_studio"}',           0, 'VideoDraft, What are AI Credits?: unlimited speech'),
  ('speech', 'plan', '{"plan": "videodraft_studio_annual"}',    0, 'VideoDraft, What are AI Credits?: unlimited speech'),
  ('image',  'plan', '{"plan": "videodraft_studio"}',           0, 'VideoDraft, What are AI Credits?: unlimited images'),
  ('image',  'plan', '{"plan": "videodraft_studio_annual"}',    0, 'VideoDraft, What are AI Credits?: unlimited images');

-- Credits reset on the billing date, the same day each month, on annual plans too, and do not roll over.
insert into catalog_plans (plan, name, source) values
  ('videodraft_starter',          'Starter',           'VideoDraft, What are AI Credits?'),
  ('videodraft_pro',              'Pro',               'VideoDraft, What are AI Credits?'),
  ('videodraft_pro_annual',       'Pro, annual',       'VideoDraft, What are AI Credits?: annual plans reset monthly; the name is assumed'),
  ('videodraft_visionary',        'Visionary',         'VideoDraft, What are AI Credits?'),
  ('videodraft_visionary_annual', 'Visionary, annual', 'VideoDraft, What are AI Credits?: annual plans reset monthly; the name is assumed'),
  ('videodraft_studio',           'Studio',            'VideoDraft, What are AI Credits?'),
  ('videodraft_studio_annual',    'Studio, annual',    'VideoDraft, What are AI Credits?: annual plans reset monthly; the name is assumed');

insert into catalog_plan_prices (plan, billing_interval, currency, price, source) values
  ('videodraft_starter',          'month', 'USD',    0, 'VideoDraft, What are AI Credits?: Starter (Free)'),
  ('videodraft_pro',              'month', 'USD',   25, 'assumed: about $0.01 a credit'),
  ('videodraft_pro_annual',       'year',  'USD',  250, 'assumed: twelve months for the price of ten'),
  ('videodraft_visionary',        'month', 'USD',   75, 'assumed: about $0.01 a credit'),
  ('videodraft_visionary_annual', 'year',  'USD',  750, 'assumed: twelve months for the price of ten'),
  ('videodraft_studio',           'month', 'USD',  249, 'assumed: about $0.0083 a credit'),
  ('videodraft_studio_annual',    'year',  'USD', 2490, 'assumed: twelve months for the price of ten');

insert into catalog_allowances (plan, amount, source) values
  ('videodraft_starter',            200, 'VideoDraft, What are AI Credits?'),
  ('videodraft_pro',               2500, 'VideoDraft, What are AI Credits?'),
  ('videodraft_pro_annual',        2500, 'VideoDraft, What are AI Credits?'),
  ('videodraft_visionary',         7500, 'VideoDraft, What are AI Credits?'),
  ('videodraft_visionary_annual',  7500, 'VideoDraft, What are AI Credits?'),
  ('videodraft_studio',           30000, 'VideoDraft, What are AI Credits?'),
  ('videodraft_studio_annual',    30000, 'VideoDraft, What are AI Credits?');

insert into catalog_features (plan, feature, value, source)
select p.plan, f.feature, f.value, 'VideoDraft, What are AI Credits?'
from catalog_plans p
cross join lateral (values
  ('unlimited_images', to_jsonb(p.plan like 'videodraft_studio%')),
  ('unlimited_speech', to_jsonb(p.plan like 'videodraft_studio%' or p.plan like 'videodraft_visionary%')),
  -- Without credits one can still enter, see one's projects and use everything that is not AI.
  ('non_ai_features',  'true'::jsonb)
) f(feature, value);

-- Packs are "coming soon": there are none.
insert into catalog_top_up_prices (currency, price, source) values
  ('USD', 0.01, 'assumed: as in the plans, about $0.01 a credit');

select * from credits_private.apply_catalog();
commit;
