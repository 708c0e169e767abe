-- Agentic Video Studio (AVS): one price list for chat, uploads, generation, rendering and the public API, in "R-Credits".
--
-- From "Credits & Pricing", updated April 9, 2026. The document gives every price in credits, the resolution
-- multipliers, the 30 credits for a verified e-mail address, and that unused credits roll over. It names no plan, no
-- money and no size of an allowance: those figures are marked "assumed".

begin;
select credits_private.begin_catalog('avs', 'Agentic Video Studio', 'AVS, Credits & Pricing, April 9, 2026');

insert into catalog_units (unit, name, scale, main) values
  ('credit', 'R-Credits', 2, true);

insert into catalog_operations (operation, category, name, description) values
  ('chat_message',              'Assistant',  'Chat message',              'Each message sent to an AI assistant.'),
  ('live_voice_chat',           'Assistant',  'Live voice chat',           'Each voice interaction via Gemini Live Audio.'),
  ('text_to_speech',            'Generation', 'Text-to-speech',            'Generate a voiceover clip.'),
  ('image_generation',          'Generation', 'Image generation',          'Generate an image with Imagen.'),
  ('music_generation',          'Generation', 'Music generation',          'Generate a music track with Lyria.'),
  ('video_generation',          'Generation', 'Video generation',          'Generate a video clip with Veo. resolution: 720p (if left out), 1080p or 4K.'),
  ('ai_creation',               'Public API', 'Public API AI creation',    'A prompt-based job of the public API, which uses the AVS creator loop. Its uploads and its render are charged beside it.'),
  ('render',                    'Rendering',  'Render',                    'Export the final video, in the editor or by a job of the public API.'),
  ('upload',                    'Uploads',    'Upload',                    'Upload a file to a project. asset: video, image, audio or screen_recording (a .vidova bundle). A remote asset URL given to the public API is an upload too.'),
  ('screen_recording_analysis', 'Uploads',    'Screen recording analysis', 'The optional analysis pipeline for screen recordings.');

insert into catalog_rates (operation, match, price, source) values
  ('chat_message',              '{}',                              3, 'AVS, Credits & Pricing, April 9, 2026'),
  ('live_voice_chat',           '{}',                              3, 'AVS, Credits & Pricing, April 9, 2026'),
  ('text_to_speech',            '{}',                              2, 'AVS, Credits & Pricing, April 9, 2026'),
  ('image_generation',          '{}',                              4, 'AVS, Credits & Pricing, April 9, 2026'),
  ('music_generation',          '{}',                              8, 'AVS, Credits & Pricing, April 9, 2026'),
  ('video_generation',          '{}',                             10, 'AVS, Credits & Pricing, April 9, 2026: the base cost, at 720p'),
  ('ai_creation',               '{}',                              3, 'AVS, Credits & Pricing, April 9, 2026'),
  ('render',                    '{}',                              5, 'AVS, Credits & Pricing, April 9, 2026'),
  ('upload',                    '{"asset": "video"}',              5, 'AVS, Credits & Pricing, April 9, 2026'),
  ('upload',                    '{"asset": "image"}',              0, 'AVS, Credits & Pricing, April 9, 2026'),
  ('upload',                    '{"asset": "audio"}',              3, 'AVS, Credits & Pricing, April 9, 2026'),
  ('upload',                    '{"asset": "screen_recording"}',   0, 'AVS, Credits & Pricing, April 9, 2026'),
  ('screen_recording_analysis', '{}',                              5, 'AVS, Credits & Pricing, April 9, 2026');

insert into catalog_multipliers (operation, multiplier_group, match, factor, source) values
  ('video_generation', 'resolution', '{"resolution": "720p"}',  1, 'AVS, Credits & Pricing, April 9, 2026'),
  ('video_generation', 'resolution', '{"resolution": "1080p"}', 2, 'AVS, Credits & Pricing, April 9, 2026'),
  ('video_generation', 'resolution', '{"resolution": "4K"}',    4, 'AVS, Credits & Pricing, April 9, 2026');

-- The free tier has no allowance: its credits are the promotion below.
insert into catalog_plans (plan, name, cadence, source) values
  ('avs_free',    'Free',    'none',  'AVS, Credits & Pricing, April 9, 2026: the free tier'),
  ('avs_creator', 'Creator', 'month', 'AVS, Credits & Pricing, April 9, 2026: subscriptions; the name and the month are assumed');

insert into catalog_plan_prices (plan, billing_interval, currency, price, source) values
  ('avs_free',    'month', 'USD',  0, 'AVS, Credits & Pricing, April 9, 2026: the free tier'),
  ('avs_creator', 'month', 'USD', 20, 'assumed: no price is given');

insert into catalog_allowances (plan, amount, rollover, source) values
  ('avs_creator', 500, 'all', 'assumed amount; that unused credits roll over is from AVS, Credits & Pricing, April 9, 2026');

insert into catalog_top_up_prices (currency, price, source) values
  ('USD', 0.05, 'assumed: a little above the 0.04 of the subscription');

insert into catalog_promotions (promotion, name, amount, source) values
  ('avs_verified_email', 'Verify your e-mail address', 30, 'AVS, Credits & Pricing, April 9, 2026: 30 free R-Credits, one-time');

select * from credits_private.apply_catalog();
commit;
