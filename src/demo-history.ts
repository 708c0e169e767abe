/**
 * Ninety days of four teams at work, so that there is something to look at: several members, workdays and weekends, a campaign,
 * packs, top-ups, refills, holds, a refund. The same on every machine of the same date, as chance is a hash of what is asked.
 *
 * All of it goes through the ledger's own functions, with a clock that is set to the past. The clock is put in place and taken
 * out again in the transaction that writes a team's history, so nobody else ever reads it: for a database of our own, never
 * for one that an application's ledger is in.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import path from 'node:path';
import type { Pool, PoolClient } from 'pg';
import { type Credits, createCredits, InsufficientCreditsError, type Json } from './client.ts';
import { SQL_FOLDER } from './migrate.ts';

const DAYS = 90;
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

type Chance = () => number;
type Usage = { [attribute: string]: Json };

/** What a team does, how often of all that it does, and how much of it at a time. */
type Habit = [weight: number, operation: string, usage: (chance: Chance) => Usage];

/** Something that happens once, so many days after the first one. */
type Event = [day: number, work: (credits: Credits, accountId: string) => Promise<unknown>];

interface Team {
  account: string;
  plan: string;
  /** The first one is an admin. */
  members: string[];
  /** How many sittings a member has on a usual workday. */
  sittings: number;
  habits: Habit[];
  events: Event[];
}

const pick =
  <Value>(...values: Value[]) =>
  (chance: Chance): Value =>
    values[Math.floor(chance() * values.length)];

const between = (low: number, high: number) => (chance: Chance) =>
  Math.round(low + chance() * (high - low));

/** A job whose price shows only when it is done. */
const job =
  (operation: string, most: Usage, cameTo: Usage): Event[1] =>
  (credits, accountId) =>
    credits.withHold({ accountId, operation, usage: most, memberId: 'emil' }, (hold) =>
      hold.capture({ usage: cameTo }),
    );

const purchase =
  (pack: string, memberId: string): Event[1] =>
  async (credits, accountId) => {
    const { purchaseId } = await credits.buy({ accountId, pack, memberId });
    await credits.settlePurchase({ accountId, purchaseId, paymentReference: `demo-${purchaseId}` });
  };

const refundOfLast =
  (operation: string, reason: string): Event[1] =>
  async (credits, accountId) => {
    const entries = await credits.activity({ accountId, kinds: ['usage'] });
    const charge = entries.find(
      (entry) => entry.operation === operation && Number(entry.amount) < 0,
    );
    if (charge) await credits.refund({ accountId, seq: charge.seq, reason });
  };

const topUps =
  (threshold: number, amount: number, monthlyLimit: number): Event[1] =>
  (credits, accountId) =>
    credits.configureTopUp({ accountId, enabled: true, threshold, amount, monthlyLimit });

const level =
  (quantity: number): Event[1] =>
  (credits, accountId) =>
    credits.recordMeter({ accountId, operation: 'storage', quantity });

const reservation =
  (operation: string, usage: Usage): Event[1] =>
  (credits, accountId) =>
    credits.authorize({ accountId, operation, usage, expiresIn: '2 days' });

const TEAMS: Team[] = [
  {
    account: 'demo-avs',
    plan: 'avs_creator',
    members: ['ana', 'ben', 'chloe'],
    sittings: 0.7,
    habits: [
      [30, 'chat_message', (c) => ({ count: between(1, 3)(c) })],
      [6, 'text_to_speech', () => ({})],
      [8, 'image_generation', () => ({})],
      [2, 'music_generation', () => ({})],
      [3, 'video_generation', (c) => ({ resolution: pick('720p', '720p', '1080p', '4K')(c) })],
      [5, 'upload', (c) => ({ asset: pick('image', 'image', 'audio', 'video')(c) })],
      [4, 'render', () => ({})],
    ],
    events: [
      [
        0,
        (credits, accountId) =>
          credits.claim({
            accountId,
            promotion: 'avs_verified_email',
            claimant: 'ana@demo.example',
          }),
      ],
      [3, topUps(100, 200, 600)],
      [41, refundOfLast('video_generation', 'The clip came out black.')],
    ],
  },
  {
    account: 'demo-invideo',
    plan: 'invideo_plus',
    members: ['dana', 'emil', 'farah', 'george'],
    sittings: 0.6,
    habits: [
      [10, 'stock_video', (c) => ({ seconds: between(20, 150)(c) })],
      [14, 'remix', (c) => ({ media: 'image', count: between(1, 4)(c) })],
      [8, 'model_image', (c) => ({ model: pick('nano-banana', 'nano-banana-pro')(c) })],
      [3, 'voiceover', (c) => ({ characters: between(200, 1200)(c) })],
      [2, 'model_video', (c) => ({ model: 'kling-2.6-standard', seconds: between(3, 6)(c) })],
      [1, 'music', () => ({ seconds: 30 })],
      [4, 'export', () => ({})],
    ],
    events: [
      [8, purchase('extra_minutes_10', 'dana')],
      [
        12,
        (credits, accountId) =>
          credits.grant({
            accountId,
            amount: 10,
            reason: 'Sorry for the outage of last night.',
            idempotencyKey: 'ticket-1042',
          }),
      ],
      [14, (credits, accountId) => credits.subscribe({ accountId, plan: 'invideo_generative' })],
      [27, job('agent_one', { credits: 20 }, { credits: 13.5 })],
      [52, job('agent_one', { credits: 25 }, { credits: 21 })],
      [64, refundOfLast('stock_video', 'The wrong script was used.')],
      [80, job('agent_one', { credits: 20 }, { credits: 16.25 })],
      [DAYS, reservation('agent_one', { credits: 12 })],
    ],
  },
  {
    account: 'demo-videodraft',
    plan: 'videodraft_pro',
    members: ['ivy', 'jonas', 'kim', 'leo', 'mia'],
    sittings: 0.6,
    habits: [
      [
        20,
        'image',
        (c) => ({
          model: pick('flux-schnell', 'flux-1.1-pro', 'gpt-image-1', 'imagen-4')(c),
          count: between(1, 3)(c),
        }),
      ],
      [10, 'speech', (c) => ({ characters: between(150, 2500)(c) })],
      [6, 'script', (c) => ({ seconds: pick(30, 60, 90, 180)(c) })],
      [5, 'scene_enhancement', (c) => ({ count: between(1, 4)(c) })],
      [4, 'video', (c) => ({ model: pick('kling-2.1', 'kling-2.1', 'luma-ray-flash')(c) })],
      [0.4, 'video', (c) => ({ model: pick('luma-ray-2', 'veo-3-fast')(c) })],
      [2, 'agent_consultation', (c) => ({ depth: pick('standard', 'deep')(c) })],
    ],
    events: [
      [
        1,
        (credits, accountId) =>
          credits.addMember({ accountId, memberId: 'leo', role: 'member', periodCap: 600 }),
      ],
      [40, topUps(250, 500, 2000)],
      [66, refundOfLast('video', 'The clip was not what the script says.')],
      [DAYS, reservation('video', { model: 'luma-ray-2' })],
    ],
  },
  {
    account: 'demo-videogen',
    plan: 'videogen_pro',
    members: ['nora', 'omar', 'pia'],
    sittings: 0.7,
    habits: [
      [14, 'ai_image', (c) => ({ quality: pick('low', 'standard', 'standard', 'high')(c) })],
      [8, 'video_export', (c) => ({ seconds: between(15, 90)(c) })],
      [6, 'voiceover', (c) => ({ characters: between(200, 1500)(c) })],
      [2, 'ai_video', (c) => ({ seconds: between(3, 8)(c) })],
      [1, 'background_removal', (c) => ({ seconds: between(5, 30)(c) })],
      [1, 'website_scan', () => ({})],
    ],
    events: [
      [0, topUps(300, 1000, 4000)],
      [2, level(4.5)],
      [21, level(9)],
      [33, purchase('standard', 'nora')],
      [44, level(12.5)],
      [58, refundOfLast('ai_video', 'The generation failed halfway.')],
      [71, level(11)],
    ],
  },
];

/** Of each team, an admin and a member. */
export const DEMO_READERS = TEAMS.flatMap(({ account, members: [admin, member] }) => [
  { accountId: account, memberId: admin, memberRole: 'admin' as const },
  { accountId: account, memberId: member, memberRole: 'member' as const },
]);

/**
 * Writes the history of each demo team that is not there yet, up to now. A team is there whole or not at all. Throws what the
 * database throws.
 */
export async function writeDemoHistory(pool: Pool, report: (line: string) => void): Promise<void> {
  const { rows } = await pool.query(
    'select account_id from credits.accounts where account_id = any ($1)',
    [TEAMS.map(({ account }) => account)],
  );
  const there = new Set(rows.map(({ account_id }) => account_id));
  for (const team of TEAMS.filter(({ account }) => !there.has(account))) {
    report(`${team.account}: writing ninety days of ${team.members.length} members at work`);
    const client = await pool.connect();
    try {
      await client.query('begin');
      await withClock(client, (setTime) => writeHistory(client, team, setTime));
      await client.query('commit');
    } catch (error) {
      await client.query('rollback').catch(() => {});
      throw error;
    } finally {
      client.release();
    }
  }
}

/** Runs `work` with a clock that it sets; before and after it, inside the same transaction, the clock is the real one. */
async function withClock(
  client: PoolClient,
  work: (setTime: (time: number) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  await client.query(`
    create or replace function credits_private.now() returns timestamptz language sql volatile
    return current_setting('credits.demo_time')::timestamptz`);
  await work((time) =>
    client.query(`select set_config('credits.demo_time', $1, true)`, [
      new Date(time).toISOString(),
    ]),
  );
  await client.query(fs.readFileSync(path.join(SQL_FOLDER, 'functions/10_clock.sql'), 'utf8'));
}

async function writeHistory(
  client: PoolClient,
  team: Team,
  setTime: (time: number) => Promise<unknown>,
): Promise<void> {
  const { account: accountId, members } = team;
  const credits = createCredits(client);
  const now = Date.now();
  const start = now - DAYS * DAY;

  await setTime(start);
  // Not on a boundary, and today is in the middle of a month as well.
  const anchor = new Date(start - 12 * DAY);
  await credits.openAccount({ accountId, plan: team.plan, anchor });
  for (const [index, memberId] of members.entries()) {
    await credits.addMember({ accountId, memberId, role: index === 0 ? 'admin' : 'member' });
  }
  const story = [...sittings(team, start, now), ...events(team, start, now)];
  for (const { time, work } of story.sort((a, b) => a.time - b.time)) {
    await setTime(time);
    await unlessShort(client, () => work(credits));
    await payTopUp(client, credits, accountId);
  }
}

/** What a team cannot pay, it does not get, and goes on without. */
async function unlessShort(client: PoolClient, work: () => Promise<unknown>): Promise<void> {
  await client.query('savepoint before_work');
  try {
    await work();
    await client.query('release before_work');
  } catch (error) {
    if (!(error instanceof InsufficientCreditsError)) throw error;
    await client.query('rollback to before_work');
  }
}

interface Scene {
  time: number;
  work: (credits: Credits) => Promise<unknown>;
}

function events({ account, events }: Team, start: number, now: number): Scene[] {
  return events.map(([day, work], index) => ({
    // In the morning, and the last ones just now.
    time: Math.min(start + day * DAY + (index + 1) * MINUTE, now - (10 - index) * MINUTE),
    work: (credits) => work(credits, account),
  }));
}

/** Who sat down to work when, and what they made then: more on workdays, most in a campaign of a week, and all of them today. */
function sittings(team: Team, start: number, now: number): Scene[] {
  const midnight = start - (start % DAY);
  const scenes: Scene[] = [];
  for (let day = 0; day <= DAYS; day += 1) {
    const date = midnight + day * DAY;
    for (const memberId of team.members) {
      const chance = dice(`${team.account} ${memberId} ${day}`);
      const weekday = new Date(date).getUTCDay();
      const busy = weekday === 0 || weekday === 6 ? 0.15 : day >= 56 && day <= 62 ? 2.5 : 1;
      const count = Math.floor(team.sittings * busy + chance());
      for (let sitting = 0; sitting < count; sitting += 1) {
        const time = date + between(8 * 60, 18 * 60)(chance) * MINUTE;
        const work = together(team, memberId, `${memberId} ${day}.${sitting}`, chance);
        if (time > start && time < now - DAY / 4) scenes.push({ time, work });
      }
    }
  }
  for (const memberId of team.members) {
    const chance = dice(`${team.account} ${memberId} today`);
    const time = now - between(15, 300)(chance) * MINUTE;
    scenes.push({ time, work: together(team, memberId, `${memberId} today`, chance) });
  }
  return scenes;
}

/** What a member makes at one sitting. */
function together(
  team: Team,
  memberId: string,
  key: string,
  chance: Chance,
): (credits: Credits) => Promise<unknown> {
  const requests = Array.from({ length: between(1, 5)(chance) }, (_, index) => ({
    accountId: team.account,
    ...request(team.habits, chance),
    memberId,
    idempotencyKey: `${key}.${index}`,
  }));
  return (credits) => credits.spendMany({ requests });
}

function request(habits: Habit[], chance: Chance): { operation: string; usage: Usage } {
  const total = habits.reduce((sum, [weight]) => sum + weight, 0);
  let left = chance() * total;
  for (const [weight, operation, usage] of habits) {
    left -= weight;
    if (left < 0) return { operation, usage: usage(chance) };
  }
  throw new Error('There is a habit for every chance.');
}

/** Pays the top-up that is due, if one is, as the worker would. */
async function payTopUp(client: PoolClient, credits: Credits, accountId: string): Promise<void> {
  const { rows } = await client.query(
    `select purchase_id from credits.purchases
     where account_id = $1 and kind = 'top_up' and status = 'pending'`,
    [accountId],
  );
  for (const { purchase_id: purchaseId } of rows) {
    await credits.settlePurchase({ accountId, purchaseId, paymentReference: `demo-${purchaseId}` });
  }
}

/** Numbers from 0 to 1, the same each time for the same seed. */
function dice(seed: string): Chance {
  let throws = 0;
  return () => {
    throws += 1;
    const hash = createHash('sha256').update(`${seed} ${throws}`).digest();
    return hash.readUInt32BE() / 2 ** 32;
  };
}
