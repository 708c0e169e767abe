/**
 * What the four products' price lists say, as cases: each must cost exactly this, whichever way it is asked for.
 * Amounts are per unit, as decimal strings without trailing zeros. A note that begins with "assumed" marks a figure that no
 * price list gives.
 */
export interface SeedCase {
  catalog: 'avs' | 'invideo' | 'videodraft' | 'videogen';
  plan: string;
  operation: string;
  usage: Record<string, unknown>;
  amounts: Record<string, string>;
  note?: string;
  /** The account needs automatic top-ups enabled, or the operation is refused. */
  topUps?: boolean;
}

/** Several operations priced together, and rounded once. */
export interface SeedJob extends Omit<SeedCase, 'operation' | 'usage'> {
  note: string;
  items: { operation: string; usage: Record<string, unknown> }[];
}

type Line = [usage: Record<string, unknown>, amount: string, note?: string];

/** Cases of one operation that differ in their usage only, priced in credits. */
function cases(plan: string, operation: string, lines: Line[], topUps?: boolean): SeedCase[] {
  const catalog = plan.split('_')[0] as SeedCase['catalog'];
  return lines.map(([usage, credit, note]) => ({
    catalog,
    plan,
    operation,
    usage,
    amounts: { credit },
    ...(note && { note }),
    ...(topUps && { topUps }),
  }));
}

const avs: SeedCase[] = [
  ...cases('avs_creator', 'chat_message', [[{}, '3']]),
  ...cases('avs_creator', 'live_voice_chat', [[{}, '3']]),
  ...cases('avs_creator', 'text_to_speech', [[{}, '2']]),
  ...cases('avs_creator', 'image_generation', [[{}, '4']]),
  ...cases('avs_creator', 'music_generation', [[{}, '8']]),
  ...cases('avs_creator', 'video_generation', [
    [{}, '10', 'the base cost is that of 720p'],
    [{ resolution: '720p' }, '10'],
    [{ resolution: '1080p' }, '20'],
    [{ resolution: '4K' }, '40'],
    [{ resolution: '4K', count: 3 }, '120'],
  ]),
  ...cases('avs_creator', 'ai_creation', [[{}, '3']]),
  ...cases('avs_creator', 'render', [[{}, '5']]),
  ...cases('avs_creator', 'screen_recording_analysis', [[{}, '5']]),
  ...cases('avs_creator', 'upload', [
    [{ asset: 'video' }, '5'],
    [{ asset: 'image' }, '0'],
    [{ asset: 'audio' }, '3'],
    [{ asset: 'screen_recording' }, '0'],
    [{ asset: 'video', count: 2 }, '10'],
  ]),
  ...cases('avs_free', 'chat_message', [[{}, '3', 'the same on every plan']]),
];

const invideo: SeedCase[] = [
  ...cases('invideo_generative', 'generative_video', [
    [{ quality: 'pro', seconds: 10 }, '10', 'charged as 30 seconds'],
    [{ quality: 'pro', seconds: 30 }, '10'],
    [{ quality: 'pro', seconds: 60 }, '20'],
    [{ quality: 'pro', seconds: 210 }, '70'],
    [{ quality: 'pro', seconds: 31 }, '10.33', 'by the second'],
    [{ quality: 'ultra', seconds: 30 }, '20'],
    [{ quality: 'ultra', seconds: 60 }, '40'],
    [{ quality: 'ultra', seconds: 210 }, '140'],
    [{ quality: 'basic', seconds: 60 }, '10', 'assumed: half of Pro'],
    [{ quality: 'pro', seconds: 60, actor: true }, '25'],
    [{ quality: 'pro', seconds: 60, actor: false }, '20'],
    [{ quality: 'pro', seconds: 90, actor: true }, '40', '30 and two started minutes'],
    [{ quality: 'pro', seconds: 300, actor: true }, '125'],
    [{ quality: 'ultra', seconds: 120, actor: true }, '90'],
    [{ quality: 'pro', seconds: 60, ai_twin: true }, '40'],
    [{ quality: 'pro', seconds: 90, ai_twin: true }, '60', 'an AI twin goes by the second'],
    [{ quality: 'pro', seconds: 10, ai_twin: true }, '20', 'both charged as 30 seconds'],
    [{ quality: 'pro', seconds: 60, count: 2 }, '40'],
  ]),
  ...[
    { usage: { seconds: 1 }, video_minute: '1', credit: '0' },
    { usage: { seconds: 60 }, video_minute: '1', credit: '0' },
    { usage: { seconds: 61 }, video_minute: '2', credit: '0' },
    { usage: { seconds: 300 }, video_minute: '5', credit: '0' },
    { usage: { seconds: 301 }, video_minute: '6', credit: '0' },
    { usage: { seconds: 60, actor: true }, video_minute: '1', credit: '5' },
    { usage: { seconds: 180, actor: true }, video_minute: '3', credit: '15' },
    { usage: { seconds: 190, actor: true }, video_minute: '4', credit: '20' },
  ].map(
    ({ usage, ...amounts }): SeedCase => ({
      catalog: 'invideo',
      plan: 'invideo_plus',
      operation: 'stock_video',
      usage,
      amounts,
    }),
  ),
  ...cases('invideo_plus', 'remix', [
    [{ media: 'image' }, '0.2'],
    [{ media: 'clip', seconds: 5 }, '1.67'],
    [{ media: 'clip', seconds: 3 }, '1'],
    [{ media: 'clip', seconds: 1 }, '0.33', 'no minimum'],
    [{ media: 'clip', seconds: 5, count: 3 }, '5', 'rounded once, after the count'],
  ]),
  ...cases('invideo_max', 'model_video', [
    [{ model: 'kling-2.6-standard', seconds: 10 }, '5'],
    [{ model: 'veo-3.1', resolution: '4K', audio: true, seconds: 8 }, '80'],
    [{ model: 'veo-3.1', seconds: 8 }, '20', 'assumed'],
    [{ model: 'veo-3.1', resolution: '720p', seconds: 8 }, '20', 'assumed'],
    [{ model: 'veo-3.1', resolution: '4K', seconds: 8 }, '40', 'assumed'],
    [{ model: 'veo-3.1', resolution: '1080p', audio: true, seconds: 8 }, '60', 'assumed'],
    [{ model: 'kling-3.0', seconds: 10, video_input: true }, '15', 'assumed'],
    [{ model: 'sora-2-pro', seconds: 10 }, '40', 'assumed'],
  ]),
  ...cases('invideo_max', 'model_image', [
    [{ model: 'nano-banana' }, '0.2', 'assumed'],
    [{ model: 'nano-banana', count: 4 }, '0.8', 'assumed; four outputs cost four times as much'],
    [{ model: 'nano-banana-pro', resolution: '1K' }, '0.6', 'assumed'],
    [{ model: 'nano-banana-pro', resolution: '4K', count: 2 }, '2.4', 'assumed'],
  ]),
  ...cases('invideo_max', 'voiceover', [[{ characters: 500 }, '0.5', 'assumed']]),
  ...cases('invideo_max', 'music', [[{ seconds: 90 }, '3', 'assumed']]),
  ...cases('invideo_max', 'agent_one', [[{ credits: 42.5 }, '42.5', 'what it came to']]),
  ...cases('invideo_free', 'export', [[{}, '0']]),
  ...cases('invideo_free', 'download', [[{}, '0']]),
  ...cases('invideo_free', 'edit', [[{}, '0']]),
  ...cases('invideo_free', 'share', [[{}, '0']]),
];

const videodraft: SeedCase[] = [
  ...cases('videodraft_pro', 'image', [
    [{ model: 'flux-schnell' }, '5'],
    [{ model: 'flux-kontext-pro' }, '5'],
    [{ model: 'flux-1.1-pro' }, '5'],
    [{ model: 'gpt-image-1' }, '10'],
    [{ model: 'imagen-4' }, '10'],
  ]),
  ...cases('videodraft_starter', 'image', [
    [{ model: 'flux-schnell', count: 40 }, '200', 'the whole free allowance'],
  ]),
  ...cases('videodraft_pro', 'video', [
    [{ model: 'luma-ray-flash' }, '30'],
    [{ model: 'luma-ray-2' }, '90'],
    [{ model: 'kling-2.1' }, '25'],
    [{ model: 'veo-2', seconds: 5 }, '300'],
    [{ model: 'veo-2', seconds: 8 }, '400'],
    [{ model: 'veo-3' }, '600'],
    [{ model: 'veo-3-fast' }, '320'],
  ]),
  ...cases('videodraft_pro', 'speech', [
    [{ characters: 600 }, '6'],
    [{ characters: 601 }, '7', 'a started hundred counts'],
    [{ characters: 2000 }, '20'],
    [{ characters: 1 }, '1'],
  ]),
  ...cases('videodraft_pro', 'silent_audio', [[{}, '0']]),
  ...cases('videodraft_pro', 'script', [
    [{ seconds: 10 }, '5', 'assumed: at least 5'],
    [{ seconds: 30 }, '5', 'assumed: 10 a minute'],
    [{ seconds: 60 }, '10', 'assumed: 10 a minute'],
    [{ seconds: 180 }, '20', 'at most 20'],
    [{ seconds: 600 }, '20', 'at most 20'],
  ]),
  ...cases('videodraft_pro', 'scene_enhancement', [
    [{}, '5'],
    [{ count: 4 }, '20'],
  ]),
  ...cases('videodraft_pro', 'agent_consultation', [
    [{ depth: 'standard' }, '5', 'assumed: the name of the depth'],
    [{ depth: 'deep' }, '10', 'assumed: the name of the depth'],
  ]),
  ...cases('videodraft_visionary', 'speech', [[{ characters: 2000 }, '0', 'unlimited speech']]),
  ...cases('videodraft_visionary_annual', 'speech', [[{ characters: 2000 }, '0']]),
  ...cases('videodraft_visionary', 'image', [[{ model: 'imagen-4' }, '10', 'images are not']]),
  ...cases('videodraft_studio', 'speech', [[{ characters: 2000 }, '0', 'unlimited speech']]),
  ...cases('videodraft_studio', 'image', [[{ model: 'imagen-4' }, '0', 'unlimited images']]),
  ...cases('videodraft_studio_annual', 'image', [[{ model: 'flux-schnell' }, '0']]),
  ...cases('videodraft_studio', 'video', [[{ model: 'kling-2.1' }, '25', 'clips are not']]),
];

const videogen: SeedCase[] = [
  ...cases('videogen_free', 'video_export', [[{ seconds: 61 }, '30.5', 'assumed']]),
  ...cases('videogen_free', 'ai_image', [
    [{ quality: 'low' }, '2', 'assumed'],
    [{ quality: 'standard' }, '5', 'assumed'],
  ]),
  ...cases('videogen_free', 'voiceover', [[{ characters: 601 }, '30.05', 'assumed']]),
  ...cases('videogen_pro', 'ai_image', [[{ quality: 'high' }, '20', 'assumed']], true),
  ...cases('videogen_business', 'ai_image', [[{ quality: 'high' }, '20', 'assumed']], true),
  ...cases('videogen_free', 'ai_video', [[{ seconds: 8 }, '160', 'assumed']], true),
  ...cases('videogen_free', 'background_removal', [[{ seconds: 12.5 }, '25', 'assumed']], true),
  ...cases('videogen_free', 'website_scan', [[{}, '25', 'assumed']], true),
  ...cases('videogen_free', 'storage', [[{ gb_days: 12.5 }, '12.5', 'assumed']], true),
];

export const SEED_CASES: SeedCase[] = [...avs, ...invideo, ...videodraft, ...videogen];

export const SEED_JOBS: SeedJob[] = [
  {
    note: 'public API, prompt to mp4, with one uploaded video and one image',
    catalog: 'avs',
    plan: 'avs_creator',
    items: [
      { operation: 'upload', usage: { asset: 'video' } },
      { operation: 'upload', usage: { asset: 'image' } },
      { operation: 'ai_creation', usage: {} },
      { operation: 'render', usage: {} },
    ],
    amounts: { credit: '13' },
  },
  {
    note: 'public API, json to mp4, with two remote videos and an audio file',
    catalog: 'avs',
    plan: 'avs_creator',
    items: [
      { operation: 'upload', usage: { asset: 'video', count: 2 } },
      { operation: 'upload', usage: { asset: 'audio' } },
      { operation: 'render', usage: {} },
    ],
    amounts: { credit: '18' },
  },
  {
    note: 'a video edited with remix: three clips of 5 seconds and an image, rounded once',
    catalog: 'invideo',
    plan: 'invideo_plus',
    items: [
      { operation: 'remix', usage: { media: 'clip', seconds: 5 } },
      { operation: 'remix', usage: { media: 'clip', seconds: 5 } },
      { operation: 'remix', usage: { media: 'clip', seconds: 5 } },
      { operation: 'remix', usage: { media: 'image' } },
    ],
    amounts: { credit: '5.2' },
  },
  {
    note: 'a stock video with an actor, its export and a voiceover: two units',
    catalog: 'invideo',
    plan: 'invideo_plus',
    items: [
      { operation: 'stock_video', usage: { seconds: 190, actor: true } },
      { operation: 'voiceover', usage: { characters: 500 } },
      { operation: 'export', usage: {} },
    ],
    amounts: { credit: '20.5', video_minute: '4' },
  },
  {
    note: 'a 60-second marketing video',
    catalog: 'videodraft',
    plan: 'videodraft_pro',
    items: [
      { operation: 'script', usage: { seconds: 60 } },
      { operation: 'image', usage: { model: 'flux-1.1-pro', count: 6 } },
      { operation: 'video', usage: { model: 'kling-2.1', count: 2 } },
      { operation: 'speech', usage: { characters: 600 } },
    ],
    amounts: { credit: '96' },
  },
  {
    note: 'a 3-minute educational video',
    catalog: 'videodraft',
    plan: 'videodraft_pro',
    items: [
      { operation: 'script', usage: { seconds: 180 } },
      { operation: 'image', usage: { model: 'flux-schnell', count: 8 } },
      { operation: 'image', usage: { model: 'imagen-4', count: 4 } },
      { operation: 'video', usage: { model: 'veo-2', seconds: 5, count: 4 } },
      { operation: 'speech', usage: { characters: 2000 } },
    ],
    amounts: { credit: '1320' },
  },
];
