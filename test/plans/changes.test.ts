import { describe, expect, test } from 'vitest';
import { loadCatalogData } from '../support/catalog.ts';
import { type Account, refused, workshop } from '../support/workshop.ts';
import { CATALOG, type PlanName, PRICES } from './plans.ts';

// Every period here begins on March 10th at noon, and ends on April 10th.
const shop = workshop(async (database) => {
  await loadCatalogData(database.pool, CATALOG);
  await database.query(PRICES);
});
const MID = '2026-03-20T00:00:00Z';
const END = '2026-04-10T12:00:00Z';
const NEXT_END = '2026-05-10T12:00:00Z';

const subscribe = (team: Account, plan: PlanName) => team.one('subscribe', { plan });
const cancel = (team: Account, immediately = false) =>
  team.one('cancel_subscription', { immediately });
const included = async (team: Account, unit = 'credit') => (await team.balance(unit)).included;
const instant = (text: string) => new Date(text);
/** What was refilled since, as `[unit, amount]`. */
const refills = async (team: Account, after = 0) =>
  (await team.log())
    .filter(({ seq, kind }) => kind === 'refill' && seq > after)
    .map(({ unit, amount }) => [unit, amount]);

describe('a first subscription', () => {
  test.each<PlanName>(['free', 'basic', 'studio', 'once', 'none_left'])(
    '%s begins now, whole',
    async (plan) => {
      const team = await shop.team();
      await team.grant(7);
      const row = await subscribe(team, plan);
      expect(row).toMatchObject({ plan, pending_plan: null, cancels_at_period_end: false });
      expect(row.period_end).toEqual(plan === 'once' ? null : instant(END));
      const { credit, minute } = { credit: 0, minute: 0, ...(await allowances(plan)) };
      expect(await included(team)).toBe(credit);
      expect(await included(team, 'minute')).toBe(minute);
      expect((await team.balance()).additional).toBe(7);
    },
  );

  const allowances = async (plan: string) =>
    Object.fromEntries(
      (
        await shop.database.query(
          'select unit, amount::float8 from credits.plan_allowances where plan = $1',
          [plan],
        )
      ).map(({ unit, amount }) => [unit, amount]),
    );

  test('to a plan that there is not, or of another card', async () => {
    const team = await shop.team();
    expect(await refused(team.one('subscribe', { plan: 'gold' }))).toEqual({
      code: 'PC404',
      what: 'plan',
      key: 'gold',
    });
    expect(
      await refused(team.one('subscribe', { account_id: 'nobody', plan: 'basic' })),
    ).toMatchObject({
      code: 'PC404',
      what: 'account',
    });
    await loadCatalogData(shop.database.pool, {
      rate_card: 'other',
      units: [{ unit: 'coin', scale: 0, main: true }],
      rates: [{ operation: 'job', price: 1, unit: 'coin' }],
      plans: [{ plan: 'foreign', cadence: 'month' }],
    });
    expect(await refused(team.one('subscribe', { plan: 'foreign' }))).toMatchObject({
      code: 'PC409',
      reason: 'plan_of_another_rate_card',
    });
    expect(
      await refused(team.one('subscribe', { plan: 'basic', anchor: '1800-01-01' })),
    ).toMatchObject({
      code: 'PC422',
      field: 'anchor',
    });
  });
});

describe('from price 0 to paid', () => {
  test('a new period begins now with the whole allowance; the old included lots end', async () => {
    const team = await shop.team('free');
    await team.grant(10);
    await team.spend(12);
    await shop.at(MID);
    expect(await subscribe(team, 'basic')).toMatchObject({
      plan: 'basic',
      period_start: instant(MID),
      period_end: instant('2026-04-20T00:00:00Z'),
    });
    expect(await team.lines(3)).toEqual([
      ['expiry', -18],
      ['refill', 100],
    ]);
    expect(await team.balance()).toMatchObject({ included: 100, additional: 10 });
  });

  test('with an anchor', async () => {
    const team = await shop.team('free');
    expect(
      await team.one('subscribe', { plan: 'basic', anchor: '2026-01-31T00:00:00Z' }),
    ).toMatchObject({
      period_end: instant('2026-03-31T00:00:00Z'),
    });
  });

  test.each([
    ['none', 'free', 18, 0],
    ['all', 'free_all', 0, 18],
    ['capped', 'free_capped', 8, 10],
  ])(
    'what was left goes by the old plan’s rollover rule: %s',
    async (rollover, plan, ends, stays) => {
      await shop.database.query(
        `insert into credits.plans (plan, rate_card, name, cadence) values ($1, 'workshop', $1, 'month') on conflict do nothing`,
        [plan],
      );
      await shop.database.query(
        `insert into credits.plan_allowances (plan, rate_card, unit, amount, rollover, rollover_cap)
       values ($1, 'workshop', 'credit', 30, $2, $3) on conflict do nothing`,
        [plan, rollover, rollover === 'capped' ? 10 : null],
      );
      const team = await shop.team(plan);
      await team.spend(12);
      await shop.at(MID);
      await subscribe(team, 'saver');
      expect(await included(team)).toBe(120 + stays);
      expect((await team.lines(2)).filter(([kind]) => kind === 'expiry')).toEqual(
        ends ? [['expiry', -ends]] : [],
      );
    },
  );

  test('what was spent of them stays spent, and what a refund returns of it is forfeited', async () => {
    const team = await shop.team('free');
    await team.spend(30);
    await team.one('subscribe', { plan: 'pro' });
    await team.refund(2);
    expect(await team.lines(2)).toEqual([
      ['refill', 300],
      ['refund', 30],
      ['expiry', -30],
    ]);
  });

  test('what is held stays held, and what returns of it is forfeited', async () => {
    const team = await shop.team('free');
    await team.hold(20);
    await shop.at('2026-03-10T12:30:00Z');
    await subscribe(team, 'basic');
    expect(await team.balance()).toMatchObject({ included: 100, held: 20 });
    await team.capture(1, { amount: 5 });
    expect(await team.lines(1)).toEqual([
      ['expiry', -10],
      ['refill', 100],
      ['usage', -5],
      ['expiry', -15],
    ]);
    expect(await included(team)).toBe(100);
  });
});

describe('between plans of one sort and cadence', () => {
  test('larger: at once, adding what is more; the period’s end stays', async () => {
    const team = await shop.team('basic');
    await team.spend(70);
    await shop.at(MID);
    expect(await subscribe(team, 'pro')).toMatchObject({
      plan: 'pro',
      pending_plan: null,
      period_start: instant('2026-03-10T12:00:00Z'),
      period_end: instant(END),
    });
    expect(await team.lines(2)).toEqual([['refill', 200]]);
    expect(await included(team)).toBe(230);
    await shop.at(END);
    expect(await included(team)).toBe(300);
  });

  test('larger in one unit and equal in the other', async () => {
    const team = await shop.team('pro');
    await subscribe(team, 'studio');
    expect(await refills(team, 1)).toEqual([['minute', 20]]);
    expect([await included(team), await included(team, 'minute')]).toEqual([300, 20]);
  });

  test('equal: at once, adding nothing', async () => {
    const team = await shop.team('basic');
    await team.spend(10);
    expect(await subscribe(team, 'twin')).toMatchObject({ plan: 'twin', pending_plan: null });
    expect(await team.lines(2)).toEqual([]);
    expect(await included(team)).toBe(90);
  });

  test('the same plan again: nothing', async () => {
    const team = await shop.team('basic');
    const before = await team.everything();
    await subscribe(team, 'basic');
    expect(await team.everything()).toEqual(before);
  });

  test.each<[PlanName, PlanName]>([
    ['pro', 'basic'],
    ['studio', 'pro'],
    ['studio', 'film'],
    ['film', 'studio'],
    ['basic', 'none_left'],
  ])('smaller in some unit (%s to %s): at the period’s end', async (from, to) => {
    const team = await shop.team(from);
    const before = await team.log();
    expect(await subscribe(team, to)).toMatchObject({
      plan: from,
      pending_plan: to,
      period_end: instant(END),
    });
    expect(await team.log()).toEqual(before);
    await shop.at(END);
    const fresh = await shop.team(to);
    for (const unit of ['credit', 'minute']) {
      expect(await included(team, unit)).toBe(await included(fresh, unit));
    }
    await shop.settle();
    expect(await team.row()).toMatchObject({
      plan: to,
      pending_plan: null,
      period_end: instant(NEXT_END),
    });
  });

  test('at price 0 too', async () => {
    const team = await shop.team('free');
    await subscribe(team, 'free_plus');
    expect(await included(team)).toBe(45);
    expect(await subscribe(team, 'free')).toMatchObject({ pending_plan: 'free' });
    await shop.at(END);
    expect(await included(team)).toBe(30);
  });

  test('only what exceeds the largest allowance of the period is added', async () => {
    const team = await shop.team('pro');
    await team.spend(300);
    await shop.at(MID);
    await cancel(team, true);
    await subscribe(team, 'basic');
    expect(await included(team)).toBe(0);
    await subscribe(team, 'pro');
    expect(await included(team)).toBe(0);
    await subscribe(team, 'studio');
    expect([await included(team), await included(team, 'minute')]).toEqual([0, 20]);
    await shop.at(END);
    expect([await included(team), await included(team, 'minute')]).toEqual([300, 20]);
  });

  test('what is held stays held through an upgrade, and returns', async () => {
    const team = await shop.team('basic');
    await team.hold(60);
    await subscribe(team, 'pro');
    expect(await team.balance()).toMatchObject({ included: 240, held: 60 });
    await team.release(1);
    expect(await included(team)).toBe(300);
  });

  test('a lot added by an upgrade lives as long as its plan says, counted in the plan’s own periods', async () => {
    const team = await shop.team('alike_calendar');
    await shop.at(MID);
    await subscribe(team, 'calendar');
    expect((await team.lots())[1].expires_at).toEqual(instant('2026-05-01T00:00:00Z'));
    expect((await team.lots()).map(({ granted }) => granted)).toEqual([70, 180]);
  });

  test.each<[PlanName, PlanName, string]>([
    ['alike', 'alike_calendar', '2026-05-01T00:00:00Z'],
    ['alike_calendar', 'alike', '2026-05-01T00:00:00Z'],
    ['alike', 'alike_zone', '2026-05-10T12:00:00Z'],
    ['alike_calendar', 'alike_calendar_zone', '2026-04-30T18:15:00Z'],
    ['alike_calendar_zone', 'alike_calendar', '2026-05-01T00:00:00Z'],
  ])(
    'anchored otherwise or in another time zone (%s to %s): at the period’s end',
    async (from, to, ends) => {
      const team = await shop.team(from);
      const { period_end } = await team.row();
      expect(await subscribe(team, to)).toMatchObject({ plan: from, pending_plan: to, period_end });
      expect(await refills(team)).toHaveLength(1);
      await shop.at(period_end.toISOString());
      await shop.settle();
      expect(await refills(team)).toHaveLength(2);
      const row = await team.row();
      expect(row).toMatchObject({ plan: to, period_start: period_end });
      expect(row.period_end.toISOString()).toBe(instant(ends).toISOString());
    },
  );

  test('a plan anchored otherwise that resumes a period counts from its end', async () => {
    const team = await shop.team('alike_calendar');
    await cancel(team, true);
    await subscribe(team, 'alike');
    await shop.at('2026-04-01T00:00:00Z');
    expect((await team.balance()).next_refill_at).toEqual(instant('2026-05-01T00:00:00Z'));
    await cancel(team, true);
    await subscribe(team, 'alike_calendar_zone');
    await shop.at('2026-05-01T00:00:00Z');
    // Not in a quarter of an hour less than six hours, which is when the month ends in Kathmandu.
    expect((await team.balance()).next_refill_at).toEqual(instant('2026-05-31T18:15:00Z'));
    await shop.settle();
    expect(await refills(team)).toHaveLength(3);
  });
});

describe('at the period’s end', () => {
  test.each<[PlanName, PlanName]>([
    ['basic', 'weekly'],
    ['basic', 'yearly'],
    ['weekly', 'basic'],
    ['basic', 'once'],
    ['basic', 'free'],
    ['none_left', 'free'],
    ['pro', 'free_plus'],
    ['pro', 'free_once'],
    ['free', 'free_weekly'],
  ])('%s to %s', async (from, to) => {
    const team = await shop.team(from);
    const { period_end } = await subscribe(team, to);
    expect(await team.row()).toMatchObject({ plan: from, pending_plan: to });
    await shop.at(period_end.toISOString());
    const fresh = await shop.team(to);
    expect(await included(team)).toBe(await included(fresh));
    await shop.settle();
    const row = await team.row();
    expect(row).toMatchObject({ plan: to, pending_plan: null, cancels_at_period_end: false });
    // Another cadence counts from here.
    expect(row.period_end).toEqual((await fresh.row()).period_end);
  });

  test('what is left goes by the old plan’s rule, and the fresh allowance is whole', async () => {
    const team = await shop.team('capped');
    await subscribe(team, 'basic');
    await shop.at(END);
    expect(await included(team)).toBe(60 + 100);
    await shop.at(NEXT_END);
    expect(await included(team)).toBe(100);
  });

  test('a forecast knows of it', async () => {
    const team = await shop.team('pro');
    await subscribe(team, 'basic');
    expect(await team.balance('credit', END)).toMatchObject({
      included: 100,
      next_refill_at: instant(NEXT_END),
    });
    expect((await team.balance()).next_refill_at).toEqual(instant(END));
    await subscribe(team, 'none_left');
    expect((await team.balance()).next_refill_at).toBeNull();
    await cancel(team);
    expect(await team.balance('credit', END)).toMatchObject({ included: 0, next_refill_at: null });
  });

  test('a later subscribe replaces what is pending', async () => {
    const team = await shop.team('pro');
    await subscribe(team, 'basic');
    expect(await subscribe(team, 'weekly')).toMatchObject({ plan: 'pro', pending_plan: 'weekly' });
    expect(await subscribe(team, 'studio')).toMatchObject({ plan: 'studio', pending_plan: null });
    expect(await subscribe(team, 'free')).toMatchObject({ pending_plan: 'free' });
    expect(await subscribe(team, 'studio')).toMatchObject({ plan: 'studio', pending_plan: null });
    await shop.at(END);
    expect(await included(team)).toBe(300);
  });

  test('a cancellation replaces it too, and is replaced', async () => {
    const team = await shop.team('pro');
    await subscribe(team, 'basic');
    expect(await cancel(team)).toMatchObject({
      plan: 'pro',
      pending_plan: null,
      cancels_at_period_end: true,
    });
    expect(await subscribe(team, 'basic')).toMatchObject({
      pending_plan: 'basic',
      cancels_at_period_end: false,
    });
    await cancel(team);
    expect(await subscribe(team, 'pro')).toMatchObject({
      pending_plan: null,
      cancels_at_period_end: false,
    });
    await shop.at(END);
    expect(await included(team)).toBe(300);
  });

  test('a pending plan that is subscribed to again before it begins stays pending', async () => {
    const team = await shop.team('pro');
    await subscribe(team, 'basic');
    await shop.at(MID);
    const before = await team.everything();
    await subscribe(team, 'basic');
    expect(await team.everything()).toEqual(before);
  });
});

describe('cancelled', () => {
  test('at the period’s end: included ends with it, additional stays spendable at the card it had', async () => {
    const team = await shop.team('basic');
    await team.grant(25);
    expect(await cancel(team)).toMatchObject({ plan: 'basic', cancels_at_period_end: true });
    expect(await team.balance()).toMatchObject({
      included: 100,
      additional: 25,
      next_refill_at: null,
    });
    await shop.at('2026-04-10T11:59:59Z');
    await team.spend(30);
    await shop.at(END);
    expect(await team.balance()).toMatchObject({ included: 0, additional: 25 });
    await team.spend(5);
    expect(await team.lines(2)).toEqual([
      ['usage', -30],
      ['expiry', -70],
      ['usage', -5],
    ]);
    expect(await team.row()).toMatchObject({
      plan: null,
      rate_card: 'workshop',
      cancels_at_period_end: false,
      period_end: null,
    });
    await shop.at('2026-07-01T00:00:00Z');
    expect((await team.balance()).total).toBe(20);
  });

  test('at the period’s end, whatever the rollover rule', async () => {
    const team = await shop.team('saver');
    await cancel(team);
    await shop.at(END);
    expect(await included(team)).toBe(0);
  });

  test('at once', async () => {
    const team = await shop.team('saver');
    await team.grant(25);
    await team.spend(20);
    await shop.at(MID);
    expect(await cancel(team, true)).toMatchObject({
      plan: null,
      period_end: null,
      pending_plan: null,
    });
    expect(await team.lines(3)).toEqual([['expiry', -100]]);
    expect(await team.balance()).toMatchObject({
      included: 0,
      additional: 25,
      next_refill_at: null,
    });
    await team.spend(25);
  });

  test('at once, what is held stays held, and what returns of it is forfeited', async () => {
    const team = await shop.team('saver');
    await team.hold(50);
    await cancel(team, true);
    expect(await team.balance()).toMatchObject({ included: 0, held: 50 });
    await team.capture(1, { amount: 20 });
    expect(await team.lines(1)).toEqual([
      ['expiry', -70],
      ['usage', -20],
      ['expiry', -30],
    ]);
  });

  test('a plan without a cadence ends at once', async () => {
    const team = await shop.team('once');
    expect(await cancel(team)).toMatchObject({ plan: null });
    expect(await included(team)).toBe(0);
  });

  test('without a plan it changes nothing; twice it is the same', async () => {
    const team = await shop.team(5);
    const before = await team.everything();
    await cancel(team);
    await cancel(team, true);
    expect(await team.everything()).toEqual(before);
    await subscribe(team, 'basic');
    await cancel(team);
    expect(await cancel(team)).toMatchObject({ cancels_at_period_end: true });
    expect(await cancel(team, true)).toMatchObject({ plan: null });
    expect(await refused(team.one('cancel_subscription', { account_id: 'nobody' }))).toMatchObject({
      code: 'PC404',
    });
  });
});

describe('coming back', () => {
  test('before the period’s original end resumes it, adding what exceeds', async () => {
    const team = await shop.team('basic');
    await shop.at('2026-03-15T00:00:00Z');
    await cancel(team, true);
    await shop.at(MID);
    expect(await subscribe(team, 'pro')).toMatchObject({
      plan: 'pro',
      period_start: instant('2026-03-10T12:00:00Z'),
      period_end: instant(END),
    });
    expect(await included(team)).toBe(200);
    await shop.at(END);
    expect(await included(team)).toBe(300);
  });

  test('to the same plan grants nothing until the period’s end', async () => {
    const team = await shop.team('basic');
    await cancel(team, true);
    await subscribe(team, 'basic');
    expect(await refills(team)).toEqual([['credit', 100]]);
    await shop.at('2026-04-10T11:59:59Z');
    await cancel(team, true);
    await subscribe(team, 'basic');
    expect(await included(team)).toBe(0);
    await shop.at(END);
    expect(await included(team)).toBe(100);
  });

  test('at its end or later begins a new period', async () => {
    const team = await shop.team('basic');
    await cancel(team, true);
    await shop.at(END);
    expect(await subscribe(team, 'basic')).toMatchObject({
      period_start: instant(END),
      period_end: instant(NEXT_END),
    });
    expect(await included(team)).toBe(100);
    const other = await shop.team('basic');
    await cancel(other);
    await shop.at('2026-05-10T12:00:00Z');
    await shop.settle();
    await shop.at('2026-05-15T00:00:00Z');
    expect(await subscribe(other, 'basic')).toMatchObject({
      period_end: instant('2026-06-15T00:00:00Z'),
    });
    expect(await included(other)).toBe(100);
  });

  test.each<[PlanName, PlanName, number, string]>([
    ['basic', 'weekly', 40, '2026-04-17T12:00:00Z'],
    ['basic', 'yearly', 2000, '2027-04-10T12:00:00Z'],
    ['basic', 'calendar', 250, '2026-05-01T00:00:00Z'],
  ])(
    'from %s to %s, whose periods are others: it resumes the period, and the new plan waits for its end',
    async (from, to, allowance, ends) => {
      const team = await shop.team(from);
      await cancel(team, true);
      await shop.at(MID);
      expect(await subscribe(team, to)).toMatchObject({
        plan: from,
        pending_plan: to,
        period_end: instant(END),
      });
      expect(await included(team)).toBe(0);
      await shop.at(END);
      expect(await included(team)).toBe(allowance);
      await shop.settle();
      expect(await team.row()).toMatchObject({
        plan: to,
        pending_plan: null,
        period_end: instant(ends),
      });
    },
  );

  test('from the other sort to a plan whose periods are others: so it is, at once and at a period’s end', async () => {
    const team = await shop.team('free_weekly');
    await subscribe(team, 'basic');
    await cancel(team, true);
    expect(await subscribe(team, 'free')).toMatchObject({
      plan: 'free_weekly',
      pending_plan: 'free',
      period_end: instant('2026-03-17T12:00:00Z'),
    });
    expect(await subscribe(team, 'yearly')).toMatchObject({
      plan: 'basic',
      pending_plan: 'yearly',
    });
    await shop.at('2026-03-17T12:00:00Z');
    expect((await team.balance()).included).toBe(0);

    const other = await shop.team('free');
    await subscribe(other, 'weekly');
    await subscribe(other, 'free_weekly');
    await shop.at('2026-03-24T12:00:00Z');
    await shop.settle();
    expect(await other.row()).toMatchObject({
      plan: 'free',
      pending_plan: 'free_weekly',
      period_end: instant('2026-04-17T12:00:00Z'),
    });
    expect(await included(other)).toBe(0);
  });

  test('to the other sort and back: each sort has its own period', async () => {
    const team = await shop.team('free');
    await shop.at('2026-03-12T00:00:00Z');
    await subscribe(team, 'basic'); // until April 12th
    await shop.at('2026-03-14T00:00:00Z');
    await cancel(team, true);
    expect(await subscribe(team, 'free')).toMatchObject({ period_end: instant(END) });
    expect(await included(team)).toBe(0);
    await shop.at(MID);
    expect(await subscribe(team, 'pro')).toMatchObject({
      period_end: instant('2026-04-12T00:00:00Z'),
    });
    expect(await included(team)).toBe(200);
    expect(await refills(team)).toEqual([
      ['credit', 30],
      ['credit', 100],
      ['credit', 200],
    ]);
  });

  test('what the other sort was granted meanwhile does not count', async () => {
    const team = await shop.team('basic');
    await cancel(team, true);
    await subscribe(team, 'free');
    await subscribe(team, 'pro');
    expect(await refills(team)).toEqual([
      ['credit', 100],
      ['credit', 30],
      ['credit', 200],
    ]);
  });

  test('a paid plan that ends within the free period’s time leaves it as it was', async () => {
    const team = await shop.team('free');
    await subscribe(team, 'weekly');
    await subscribe(team, 'free');
    await shop.at('2026-03-17T12:00:00Z');
    expect(await included(team)).toBe(0);
    await shop.settle();
    expect(await team.row()).toMatchObject({ plan: 'free', period_end: instant(END) });
    await shop.at(END);
    expect(await included(team)).toBe(30);
  });
});

describe('plans without a cadence', () => {
  const flips: [string, (team: Account) => Promise<unknown>][] = [
    ['cancelling', (team) => cancel(team, true)],
    [
      'a paid month that is cancelled at once',
      async (team) => {
        await subscribe(team, 'basic');
        await cancel(team, true);
      },
    ],
  ];

  test.each(flips)('grant once, whatever comes of %s', async (_, flip) => {
    const team = await shop.team('free_once');
    for (let time = 0; time < 3; time += 1) {
      await flip(team);
      await subscribe(team, 'free_once');
    }
    expect((await refills(team)).filter(([, amount]) => amount === 25)).toHaveLength(1);
    await subscribe(team, 'free_once_plus');
    expect((await refills(team)).at(-1)).toEqual(['credit', 15]);
  });

  test('to a larger one: at once, adding what is more, however much months have granted before', async () => {
    const team = await shop.team('basic');
    await shop.at('2026-06-15T00:00:00Z');
    await cancel(team);
    await shop.at('2026-07-15T00:00:00Z');
    await subscribe(team, 'once');
    expect(await included(team)).toBe(500);
    await subscribe(team, 'once_plus');
    expect(await included(team)).toBe(800);
    expect(await subscribe(team, 'once_plus')).toMatchObject({ period_end: null });
    expect(await included(team)).toBe(800);
  });

  test('to a monthly one: at once; what was granted for good goes by the new plan’s rule at its end', async () => {
    const team = await shop.team('once');
    await shop.at(MID);
    expect(await subscribe(team, 'basic')).toMatchObject({
      period_end: instant('2026-04-20T00:00:00Z'),
    });
    expect(await included(team)).toBe(600);
  });

  test('and back to a month that was left grants that month no second time', async () => {
    const team = await shop.team('basic');
    await cancel(team, true);
    await subscribe(team, 'once');
    await subscribe(team, 'basic');
    await cancel(team, true);
    await subscribe(team, 'basic');
    expect((await refills(team)).reduce((sum, [, amount]) => sum + Number(amount), 0)).toBe(500);

    const free = await shop.team('free');
    for (let time = 0; time < 2; time += 1) {
      await subscribe(free, 'once');
      await subscribe(free, 'free');
    }
    expect((await refills(free)).filter(([, amount]) => amount === 30)).toHaveLength(1);
    expect((await refills(free)).filter(([, amount]) => amount === 500)).toHaveLength(1);
  });
});
