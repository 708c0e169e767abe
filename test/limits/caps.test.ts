import { describe, expect, test } from 'vitest';
import { type Account, refused, workshop } from '../support/workshop.ts';

const shop = workshop();

const quote = async (team: Account, n: number, operation = 'job') =>
  (await team.all('quote', { operation, usage: { n } }))[0];
/** The quote that a member sees. */
const memberQuote = (team: Account, member_id: string, n: number) =>
  shop.database.as(
    'credits_member',
    { account_id: team.id, member_id, member_role: 'member' },
    async (query) => {
      const [row] = await query(
        `select amount::float8, available::float8, affordable, blocked_by from credits.quote($1, 'job', $2)`,
        [team.id, JSON.stringify({ n })],
      );
      return row;
    },
  );

describe('a member’s cap', () => {
  /** A subscriber with 100 included and 100 additional credits, and ann capped at 50. */
  const capped = async (plan: string | null = 'ws_pro') => {
    const team = plan ? await shop.team(plan) : await shop.team(100);
    await team.grant(100);
    await team.one('add_member', { member_id: 'ann', period_cap: 50 });
    return team;
  };
  const ann = { member_id: 'ann' };

  test('counts spends and open holds, of that member alone', async () => {
    const team = await capped();
    await team.spend(20, ann);
    await team.hold(20, ann);
    await team.spend(100, { member_id: 'bob' });
    await team.spend(10);
    const before = await team.everything();
    for (const charge of [() => team.spend(10.01, ann), () => team.hold(10.01, ann)]) {
      expect(await refused(charge())).toEqual({
        code: 'PC403',
        requires: 'member_cap',
        member_id: 'ann',
        period_cap: 50,
        unit: 'credit',
        required: 10.01,
        available: 10,
        shortfall: 0.01,
        next_refill_at: '2026-04-10T12:00:00+00:00',
        period_end: '2026-04-10T12:00:00+00:00',
      });
    }
    expect(await team.everything()).toEqual(before);
    await team.spend(10, ann);
    expect(await refused(team.hold(0.01, ann))).toMatchObject({ code: 'PC403', available: 0 });
    await team.spend(0, ann);
  });

  test('a quote with the member’s claims applies it, and names it', async () => {
    const team = await capped();
    await team.spend(20, ann);
    expect(await memberQuote(team, 'ann', 31)).toEqual({
      amount: 31,
      available: 30,
      affordable: false,
      blocked_by: 'member_cap',
    });
    expect(await memberQuote(team, 'ann', 30)).toMatchObject({
      affordable: true,
      blocked_by: null,
    });
    expect(await memberQuote(team, 'bob', 180)).toMatchObject({ affordable: true, available: 180 });
    expect(await quote(team, 180)).toMatchObject({ affordable: true });
  });

  test('a released hold counts no more, a captured one counts what it came to', async () => {
    const team = await capped();
    await team.hold(30, ann);
    await team.hold(20, ann);
    await team.release(1);
    await team.capture(2, { amount: 5 });
    await team.spend(45, ann);
    expect(await refused(team.spend(0.01, ann))).toMatchObject({ requires: 'member_cap' });
  });

  test('an expired hold counts no more, at its instant', async () => {
    const team = await capped();
    await team.hold(50, ann);
    await shop.at('2026-03-10T12:59:59.999999Z');
    expect(await memberQuote(team, 'ann', 1)).toMatchObject({
      available: 0,
      blocked_by: 'member_cap',
    });
    await shop.at('2026-03-10T13:00:00Z');
    expect(await memberQuote(team, 'ann', 50)).toMatchObject({ available: 50, affordable: true });
    await team.spend(50, ann);
  });

  test('a capture above its hold may go up to the cap, and not over', async () => {
    const team = await capped();
    await team.hold(30, ann);
    const before = await team.everything();
    expect(await refused(team.capture(1, { amount: 50.01 }))).toMatchObject({
      code: 'PC403',
      requires: 'member_cap',
      required: 20.01,
      available: 20,
    });
    expect(await team.everything()).toEqual(before);
    expect(await team.capture(1, { amount: 50 })).toMatchObject([{ amount: -50 }]);
  });

  test('a late capture is bound by it like a spend', async () => {
    const team = await capped();
    await team.hold(30, ann);
    await shop.at('2026-03-10T14:00:00Z');
    await team.spend(25, ann);
    expect(await refused(team.capture(1))).toMatchObject({ requires: 'member_cap', available: 25 });
    await team.capture(1, { amount: 25 });
  });

  test('begins anew with the period, which spends and holds may outlive', async () => {
    const team = await capped();
    await team.spend(40, ann);
    await shop.at('2026-04-10T11:59:00Z');
    expect(await refused(team.spend(11, ann))).toMatchObject({ requires: 'member_cap' });
    await team.hold(10, ann);
    await shop.at('2026-04-10T12:00:00Z');
    // The hold is open in the new period, and counts there.
    expect(await memberQuote(team, 'ann', 41)).toMatchObject({
      available: 40,
      blocked_by: 'member_cap',
    });
    await team.spend(40, ann);
    expect(await refused(team.spend(0.01, ann))).toMatchObject({
      requires: 'member_cap',
      period_end: '2026-05-10T12:00:00+00:00',
    });
  });

  test('without a cadence it is the UTC month’s', async () => {
    const team = await capped(null);
    await shop.at('2026-03-31T23:59:59Z');
    await team.spend(50, ann);
    expect(await refused(team.spend(1, ann))).toMatchObject({
      requires: 'member_cap',
      period_end: null,
    });
    await shop.at('2026-04-01T00:00:00Z');
    await team.spend(50, ann);
    expect(await refused(team.spend(1, ann))).toMatchObject({ requires: 'member_cap' });
  });

  test('is in the main unit: other units are free of it', async () => {
    const team = await capped();
    const film = (n: number) =>
      team.all('spend', { operation: 'film', usage: { n, footage: true, minutes: 5 }, ...ann });
    await film(50);
    expect(await refused(film(1))).toMatchObject({ requires: 'member_cap', unit: 'credit' });
    await film(0);
    expect((await team.balance('minute')).included).toBe(0);
  });

  test('is changed and removed with the member', async () => {
    const team = await capped();
    await team.spend(50, ann);
    await team.one('add_member', { member_id: 'ann', period_cap: 60 });
    await team.spend(10, ann);
    expect(await refused(team.spend(1, ann))).toMatchObject({
      requires: 'member_cap',
      period_cap: 60,
    });
    await team.one('remove_member', ann);
    await team.spend(1, ann);
    await team.one('add_member', { member_id: 'ann', period_cap: 0 });
    expect(await refused(team.spend(1, ann))).toMatchObject({
      requires: 'member_cap',
      period_cap: 0,
      available: 0,
    });
  });

  test('two spends at once: the second finds what the first left of it', async () => {
    const team = await capped();
    const { outcome } = await shop.race(
      (client) => team.spend(30, ann, client),
      (client) => team.spend(30, ann, client),
    );
    expect(await refused(outcome)).toMatchObject({
      requires: 'member_cap',
      required: 30,
      available: 20,
    });
  });

  test('a hold and a spend at once, too', async () => {
    const team = await capped();
    const { outcome } = await shop.race(
      (client) => team.hold(30, ann, client),
      (client) => team.spend(30, ann, client),
    );
    expect(await refused(outcome)).toMatchObject({ requires: 'member_cap', available: 20 });
  });

  test('a cap that is set first binds the spend that waited', async () => {
    const team = await capped();
    const { outcome } = await shop.race(
      (client) => team.one('add_member', { member_id: 'ann', period_cap: 10 }, client),
      (client) => team.spend(30, ann, client),
    );
    expect(await refused(outcome)).toMatchObject({ requires: 'member_cap', period_cap: 10 });
  });
});

describe('additional credits paused', () => {
  const paused = async () => {
    const team = await shop.team('ws_pro');
    await team.grant(60);
    await team.one('configure_additional', { enabled: false });
    return team;
  };

  test('only included ones are drawn; quotes and PC402 name it', async () => {
    const team = await paused();
    expect(await quote(team, 101)).toMatchObject({
      available: 100,
      affordable: false,
      blocked_by: 'additional_paused',
    });
    for (const charge of [() => team.spend(101), () => team.hold(101)]) {
      expect(await refused(charge())).toEqual({
        code: 'PC402',
        limit: 'additional_paused',
        unit: 'credit',
        required: 101,
        available: 100,
        shortfall: 1,
        next_refill_at: '2026-04-10T12:00:00+00:00',
      });
    }
    expect(await quote(team, 100)).toMatchObject({ affordable: true });
    await team.spend(100);
    expect(await team.figures()).toMatchObject([
      [0, 0, 100, 0],
      [10, 0, 0, 0],
      [60, 0, 0, 0],
    ]);
  });

  test('where there would not be enough anyway, that is the reason', async () => {
    const team = await shop.team('ws_pro');
    await team.one('configure_additional', { enabled: false });
    const detail = await refused(team.spend(101));
    expect(detail).toMatchObject({ code: 'PC402', available: 100 });
    expect(detail).not.toHaveProperty('limit');
    expect(await quote(team, 101)).toMatchObject({ blocked_by: 'insufficient_credits' });
  });

  test('balances and forecasts ignore it', async () => {
    const team = await paused();
    expect(await team.balance()).toMatchObject({ included: 100, additional: 60, total: 160 });
    expect(await team.balance('credit', '2026-05-01T00:00:00Z')).toMatchObject({
      additional: 60,
      total: 160,
    });
  });

  test('so does every unit', async () => {
    const team = await paused();
    await team.grant(5, { unit: 'minute' });
    const film = (minutes: number) =>
      team.all('spend', { operation: 'film', usage: { n: 0, footage: true, minutes } });
    expect(await refused(film(11))).toMatchObject({
      code: 'PC402',
      unit: 'minute',
      limit: 'additional_paused',
    });
    await film(10);
  });

  test('resumed, they are drawn again', async () => {
    const team = await paused();
    await team.one('configure_additional', { enabled: true });
    await team.spend(160);
  });

  test('what a hold took before the pause is captured', async () => {
    const team = await shop.team(60);
    await team.hold(50);
    await team.one('configure_additional', { enabled: false });
    expect(await refused(team.capture(1, { amount: 51 }))).toMatchObject({
      limit: 'additional_paused',
      available: 0,
    });
    expect(await team.capture(1)).toMatchObject([{ amount: -50 }]);
  });
});

describe('additional credits capped per period', () => {
  const limited = async (plan: string | null = 'ws_pro') => {
    const team = plan ? await shop.team(plan) : await shop.team();
    await team.grant(200);
    await team.one('configure_additional', { period_limit: 50 });
    return team;
  };

  test('what a period may draw from them; included ones are free of it', async () => {
    const team = await limited();
    await team.spend(130);
    expect(await quote(team, 21)).toMatchObject({
      available: 20,
      affordable: false,
      blocked_by: 'period_limit',
    });
    for (const charge of [() => team.spend(21), () => team.hold(21)]) {
      expect(await refused(charge())).toEqual({
        code: 'PC402',
        limit: 'period_limit',
        period_limit: 50,
        unit: 'credit',
        required: 21,
        available: 20,
        shortfall: 1,
        next_refill_at: '2026-04-10T12:00:00+00:00',
      });
    }
    await team.spend(20);
    expect(await team.balance()).toMatchObject({ included: 0, additional: 150, total: 150 });
    expect(await team.balance('credit', '2026-04-10T12:00:00Z')).toMatchObject({ total: 250 });
  });

  test('open holds count, by what they took of additional lots', async () => {
    const team = await limited();
    await team.hold(120);
    expect(await quote(team, 31)).toMatchObject({ available: 30, blocked_by: 'period_limit' });
    await team.capture(1, { amount: 110 });
    expect(await quote(team, 41)).toMatchObject({ available: 40 });
    await shop.at('2026-03-10T13:00:00Z');
    await team.spend(40);
  });

  test('a capture above its hold may go up to the limit, and not over', async () => {
    const team = await limited(null);
    await team.hold(30);
    const before = await team.everything();
    expect(await refused(team.capture(1, { amount: 51 }))).toMatchObject({
      code: 'PC402',
      limit: 'period_limit',
      required: 21,
      available: 20,
    });
    expect(await team.everything()).toEqual(before);
    await team.capture(1, { amount: 50 });
  });

  test('of the lots after one that is bounded, included ones are still drawn', async () => {
    await shop.database.query(
      `insert into credits.buckets values ('reserve', 9, 'included', 'Reserve') on conflict do nothing`,
    );
    const team = await limited(null);
    await team.grant(30, { bucket: 'reserve' });
    const [entry] = await team.spend(80);
    expect(entry).toMatchObject({ included: -30, additional: -50 });
    expect(await refused(team.spend(1))).toMatchObject({ limit: 'period_limit', available: 0 });
  });

  test('begins anew with the period', async () => {
    const team = await limited();
    await team.spend(150);
    await shop.at('2026-04-10T12:00:00Z');
    expect(await quote(team, 150)).toMatchObject({ affordable: true, available: 150 });
    await team.spend(150);
    expect(await refused(team.spend(1))).toMatchObject({ limit: 'period_limit' });
  });

  test('without a cadence it is the UTC month’s', async () => {
    const team = await limited(null);
    await shop.at('2026-03-31T23:59:59Z');
    await team.spend(50);
    expect(await refused(team.spend(1))).toMatchObject({ limit: 'period_limit' });
    await shop.at('2026-04-01T00:00:00Z');
    await team.spend(50);
    expect(await refused(team.spend(1))).toMatchObject({ limit: 'period_limit' });
  });

  test('is in the main unit', async () => {
    const team = await limited(null);
    await team.grant(80, { unit: 'minute' });
    await team.all('spend', { operation: 'film', usage: { n: 50, footage: true, minutes: 80 } });
  });

  test('0 is a pause of the main unit; null keeps it, infinity lifts it', async () => {
    const team = await limited(null);
    await team.one('configure_additional', { period_limit: 0 });
    expect(await refused(team.spend(1))).toMatchObject({ limit: 'period_limit', available: 0 });
    await team.one('configure_additional', { enabled: false });
    expect(await team.one('configure_additional', {})).toMatchObject({
      additional_enabled: true,
      additional_period_limit: 0,
    });
    expect(await refused(team.spend(1))).toMatchObject({ limit: 'period_limit' });
    await team.one('configure_additional', { period_limit: 'Infinity' });
    expect(await team.one('configure_additional', {})).toMatchObject({
      additional_period_limit: null,
    });
    await team.spend(200);
  });

  test('together with a member’s cap: the smaller binds', async () => {
    const team = await limited(null);
    await team.one('add_member', { member_id: 'ann', period_cap: 20 });
    expect(await memberQuote(team, 'ann', 30)).toMatchObject({
      available: 20,
      blocked_by: 'member_cap',
    });
    expect(await memberQuote(team, 'ann', 60)).toMatchObject({
      available: 20,
      blocked_by: 'period_limit',
    });
    await team.spend(40);
    expect(await memberQuote(team, 'ann', 15)).toMatchObject({
      available: 10,
      blocked_by: 'period_limit',
    });
  });

  test('two spends at once: the second finds what the first left of it', async () => {
    const team = await limited(null);
    const { outcome } = await shop.race(
      (client) => team.spend(30, {}, client),
      (client) => team.spend(30, {}, client),
    );
    expect(await refused(outcome)).toMatchObject({
      limit: 'period_limit',
      required: 30,
      available: 20,
    });
  });
});

test('where credits are short: the next refill and the smallest pack that would do', async () => {
  const team = await shop.team('ws_pro');
  expect(await refused(team.spend(150))).toMatchObject({
    code: 'PC402',
    shortfall: 50,
    smallest_pack: 'small',
    next_refill_at: '2026-04-10T12:00:00+00:00',
  });
  expect(await refused(team.spend(150.01))).toMatchObject({ smallest_pack: 'large' });
  expect(await refused(team.spend(601))).toMatchObject({ shortfall: 501, smallest_pack: null });
  await team.one('cancel_subscription', {});
  expect(await refused(team.spend(150))).toMatchObject({ next_refill_at: null });
});
