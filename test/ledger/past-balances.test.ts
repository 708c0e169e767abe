import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runs } from '../support/runs.ts';
import { type Account, refused, workshop } from '../support/workshop.ts';

const shop = workshop();
const MINUTE = 60_000;
const START = Date.parse('2026-03-10T12:00:00Z');

/** What an account has in all units, without what is to come. */
const amounts = async (team: Account, at: string | null = null) =>
  (await team.all('balances', { at })).map(({ unit, included, additional, held, total }) => [
    unit,
    included,
    additional,
    held,
    total,
  ]);

type Step =
  | { do: 'spend' | 'hold'; percent: number; minutes: number }
  | { do: 'film'; minutes: number }
  | { do: 'grant'; amount: number; bucket: string; days: number | null }
  | { do: 'capture'; which: number; percent: number }
  | { do: 'release' | 'refund' | 'revoke'; which: number; regrant: boolean }
  | { do: 'subscribe'; plan: string }
  | { do: 'cancel'; immediately: boolean }
  | { do: 'settle' }
  | { do: 'meter'; level: number };

const which = fc.nat({ max: 20 });
const percent = fc.integer({ min: 1, max: 120 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom('spend' as const, 'hold' as const),
    percent,
    minutes: fc.integer({ min: 1, max: 9000 }),
  }),
  fc.record({ do: fc.constant('film' as const), minutes: fc.integer({ min: 1, max: 4 }) }),
  fc.record({
    do: fc.constant('grant' as const),
    amount: fc.integer({ min: 1, max: 60 }),
    bucket: fc.constantFrom('included', 'additional'),
    days: fc.option(fc.integer({ min: 1, max: 20 })),
  }),
  fc.record({
    do: fc.constant('capture' as const),
    which,
    percent: fc.integer({ min: 0, max: 140 }),
  }),
  fc.record({
    do: fc.constantFrom('release' as const, 'refund' as const, 'revoke' as const),
    which,
    regrant: fc.boolean(),
  }),
  fc.record({
    do: fc.constant('subscribe' as const),
    plan: fc.constantFrom('ws_pro', 'ws_capped', 'ws_saver', 'ws_daily', 'ws_free'),
  }),
  fc.record({ do: fc.constant('cancel' as const), immediately: fc.boolean() }),
  fc.record({ do: fc.constant('settle' as const) }),
  fc.record({ do: fc.constant('meter' as const), level: fc.integer({ min: 0, max: 3 }) }),
);
/** Minutes until something happens, how many later somebody looks, and how many after that the next one may begin. */
const gap = fc.oneof(
  fc.integer({ min: 1, max: 120 }),
  fc.integer({ min: 1, max: 60 * 24 * 12 }),
  fc.constant(60 * 24),
);

async function take(team: Account, step: Step, now: number): Promise<void> {
  const { total } = await team.balance();
  const pick = <Thing>(things: Thing[], at: number): Thing | undefined =>
    things[at % (things.length || 1)];
  const part = (of: number, percents: number) => Math.round(of * percents) / 100;
  switch (step.do) {
    case 'spend':
      await team.spend(part(total, step.percent));
      return;
    case 'hold':
      await team.hold(part(total, step.percent), { expires_in: `${step.minutes} minutes` });
      return;
    case 'film':
      await team.all('authorize', {
        operation: 'film',
        usage: { n: 1, footage: true, minutes: step.minutes },
      });
      return;
    case 'grant': {
      const expires_at = step.days && new Date(now + step.days * 24 * 60 * MINUTE).toISOString();
      await team.grant(step.amount, { bucket: step.bucket, expires_at });
      return;
    }
    case 'capture': {
      const hold = pick(await team.holds(), step.which);
      if (hold && hold.operation === 'job')
        await team.capture(hold.hold_id, { amount: part(hold.amount, step.percent) });
      else if (hold) await team.capture(hold.hold_id);
      return;
    }
    case 'release': {
      const hold = pick(await team.holds(), step.which);
      if (hold) await team.release(hold.hold_id);
      return;
    }
    case 'refund': {
      const entry = pick(
        (await team.log()).filter(({ kind }) => kind === 'usage'),
        step.which,
      );
      if (entry) await team.refund(entry.seq, { regrant: step.regrant });
      return;
    }
    case 'revoke': {
      const lot = pick(await team.lots(), step.which);
      if (lot) await team.all('revoke', { lot_id: lot.lot_id });
      return;
    }
    case 'subscribe':
      await team.one('subscribe', { plan: step.plan });
      return;
    case 'cancel':
      await team.one('cancel_subscription', { immediately: step.immediately });
      return;
    case 'settle':
      await shop.settle();
      return;
    case 'meter':
      await team.one('record_meter', { operation: 'storage', quantity: step.level });
  }
}

test('a balance of the past is what the balance was then', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('ws_pro', 'ws_capped', 'ws_saver', 'ws_daily', 'ws_free'),
      fc.array(fc.tuple(gap, step, gap), { minLength: 3, maxLength: 14, size: 'max' }),
      async (plan, steps) => {
        let now = START;
        await shop.at(new Date(now).toISOString());
        const team = await shop.team(plan);
        await team.grant(40);
        const told: [at: string, amounts: unknown][] = [];
        const look = async () => {
          now += MINUTE;
          const at = new Date(now).toISOString();
          await shop.at(at);
          told.push([at, await amounts(team)]);
        };
        for (const [before, step, after] of steps) {
          now += before * MINUTE;
          await shop.at(new Date(now).toISOString());
          // A refusal is a part of life.
          await take(team, step, now).catch((error) => {
            if (!/^PC4/.test(error.code)) throw error;
          });
          await look();
          now += after * MINUTE;
          await look();
        }
        for (const [at, then] of told) expect([at, await amounts(team, at)]).toEqual([at, then]);
        // Also once everything is written down.
        await shop.settle();
        for (const [at, then] of told) expect([at, await amounts(team, at)]).toEqual([at, then]);
      },
    ),
    { numRuns: runs(30) },
  );
}, 120_000);

describe('at the instant', () => {
  test('an entry counts from its own instant on', async () => {
    const team = await shop.team(10);
    await shop.at('2026-03-11T00:00:00Z');
    await team.spend(4);
    await shop.at('2026-03-12T00:00:00Z');
    expect((await team.balance('credit', '2026-03-10T11:59:59.999999Z')).total).toBe(0);
    expect((await team.balance('credit', '2026-03-10T12:00:00Z')).total).toBe(10);
    expect((await team.balance('credit', '2026-03-10T23:59:59.999999Z')).total).toBe(10);
    expect((await team.balance('credit', '2026-03-11T00:00:00Z')).total).toBe(6);
  });

  test('a hold counts from its authorization until it ended', async () => {
    const team = await shop.team(10);
    await team.hold(4);
    await shop.at('2026-03-10T12:30:00Z');
    await team.capture(1, { amount: 1 });
    await shop.at('2026-03-12T00:00:00Z');
    const held = async (at: string) => {
      const { held, total } = await team.balance('credit', at);
      return [held, total];
    };
    expect(await held('2026-03-10T12:00:00Z')).toEqual([4, 6]);
    expect(await held('2026-03-10T12:29:59.999999Z')).toEqual([4, 6]);
    expect(await held('2026-03-10T12:30:00Z')).toEqual([0, 9]);
  });

  test('a hold that was captured late had been over since its expiry', async () => {
    const team = await shop.team(10);
    await team.hold(4);
    await shop.at('2026-03-11T00:00:00Z');
    await team.capture(1);
    await shop.at('2026-03-12T00:00:00Z');
    expect(await team.balance('credit', '2026-03-10T12:59:59Z')).toMatchObject({
      held: 4,
      total: 6,
    });
    expect(await team.balance('credit', '2026-03-10T13:00:00Z')).toMatchObject({
      held: 0,
      total: 10,
    });
    expect(await team.balance('credit', '2026-03-11T00:00:00Z')).toMatchObject({
      held: 0,
      total: 6,
    });
  });

  test('a lot counts while it was usable', async () => {
    const team = await shop.team();
    await team.grant(10, { expires_at: '2026-03-11T00:00:00Z' });
    await shop.at('2026-03-12T00:00:00Z');
    for (const settled of [false, true]) {
      if (settled) await shop.settle();
      expect((await team.balance('credit', '2026-03-10T23:59:59.999999Z')).total).toBe(10);
      expect((await team.balance('credit', '2026-03-11T00:00:00Z')).total).toBe(0);
    }
  });

  test('limits of today say nothing of then', async () => {
    const team = await shop.team(10);
    await shop.at('2026-03-11T00:00:00Z');
    await team.one('configure_additional', { enabled: false });
    expect((await team.balance('credit', '2026-03-10T12:00:00Z')).total).toBe(10);
  });

  test('units and accounts are apart', async () => {
    const [a, b] = [await shop.team('ws_pro'), await shop.team(5)];
    await shop.at('2026-03-11T00:00:00Z');
    expect(await amounts(a, '2026-03-10T12:00:00Z')).toEqual([
      ['credit', 100, 0, 0, 100],
      ['minute', 10, 0, 0, 10],
    ]);
    expect(await amounts(b, '2026-03-10T12:00:00Z')).toEqual([
      ['credit', 0, 5, 0, 5],
      ['minute', 0, 0, 0, 0],
    ]);
    expect(
      await refused(a.all('balances', { account_id: 'nobody', at: '2026-03-10T12:00:00Z' })),
    ).toMatchObject({
      code: 'PC404',
    });
  });
});
