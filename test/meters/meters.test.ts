import { describe, expect, test } from 'vitest';
import { call } from '../support/calls.ts';
import { type Account, refused, workshop } from '../support/workshop.ts';

// Storage is 2 credits for a GB and day; cold storage is 1.
const shop = workshop();

const record = (team: Account, quantity: number, usage?: object) =>
  team.one('record_meter', { operation: 'storage', quantity, ...(usage && { usage }) });
const meters = async (team: Account) =>
  (
    await shop.database.query(
      `select * from credits.meters where account_id = $1 order by meter_id`,
      [team.id],
    )
  ).map((meter) => ({
    ...meter,
    meter_id: Number(meter.meter_id),
    level: Number(meter.level),
    shortfall: Number(meter.shortfall),
  }));
/** What meters were charged: `[day's end, gb_days, amount]`. */
const charges = async (team: Account) => {
  await shop.settle();
  return (await team.log())
    .filter(({ kind, operation }) => kind === 'usage' && operation === 'storage')
    .map(({ occurred_at, usage, amount }) => [occurred_at.toISOString(), usage.gb_days, amount]);
};
const midnight = (day: string) => `2026-03-${day}T00:00:00.000Z`;

describe('a day is charged its time-weighted mean', () => {
  test('several readings, and the level goes on', async () => {
    const team = await shop.team(1000);
    expect(await record(team, 10)).toMatchObject({
      account_id: team.id,
      meter_id: 1,
      operation: 'storage',
      usage: {},
      measure: 'gb_days',
      level: 10,
      unit: 'credit',
      shortfall: 0,
    });
    await shop.at('2026-03-10T18:00:00Z');
    expect(await record(team, 20)).toMatchObject({ meter_id: 1, level: 20 });
    await shop.at('2026-03-12T12:00:00Z');
    // Half a day at 10 and 20, a quarter each; then a whole day at 20.
    expect(await charges(team)).toEqual([
      [midnight('11'), 7.5, -15],
      [midnight('12'), 20, -40],
    ]);
    expect((await team.log()).at(1)).toMatchObject({
      kind: 'usage',
      operation: 'storage',
      usage: { gb_days: 7.5 },
      breakdown: [
        {
          operation: 'storage',
          component: 'base',
          measure: 'gb_days',
          quantity: 7.5,
          price: 2,
          amount: 15,
        },
      ],
    });
  });

  test('what is not a whole number of micro-GB-days is rounded', async () => {
    const team = await shop.team(1000);
    await record(team, 1);
    await shop.at('2026-03-10T20:00:00Z');
    await record(team, 0);
    await shop.at('2026-03-12T00:00:00Z');
    expect(await charges(team)).toEqual([[midnight('11'), 0.333333, -0.67]]);
  });

  test('a level of 0 ends it: the rest of the day counts, later days do not', async () => {
    const team = await shop.team(1000);
    await record(team, 10);
    await shop.at('2026-03-10T18:00:00Z');
    await record(team, 0);
    await shop.at('2026-03-14T06:00:00Z');
    expect(await charges(team)).toEqual([[midnight('11'), 2.5, -5]]);
  });

  test('also where something else falls due before the midnight', async () => {
    const team = await shop.team(1000);
    await record(team, 10);
    await shop.at('2026-03-10T18:00:00Z');
    await record(team, 0);
    await team.hold(1, { expires_in: '1 hour' });
    await shop.at('2026-03-12T06:00:00Z');
    await team.spend(1);
    expect(await charges(team)).toEqual([[midnight('11'), 2.5, -5]]);
  });

  test('and may begin again days later', async () => {
    const team = await shop.team(1000);
    await record(team, 10);
    await shop.at('2026-03-10T18:00:00Z');
    await record(team, 0);
    await shop.at('2026-03-14T12:00:00Z');
    await record(team, 4);
    expect((await team.row()).next_due_at).toEqual(new Date(midnight('15')));
    await shop.at('2026-03-15T12:00:00Z');
    expect(await charges(team)).toEqual([
      [midnight('11'), 2.5, -5],
      [midnight('15'), 2, -4],
    ]);
  });

  test('a first reading of 0 costs nothing, and one after it counts from then', async () => {
    const team = await shop.team(1000);
    await record(team, 0);
    await shop.at('2026-03-13T18:00:00Z');
    await record(team, 8);
    await shop.at('2026-03-14T00:00:00Z');
    expect(await charges(team)).toEqual([[midnight('14'), 2, -4]]);
  });

  test('a clock that goes back never takes back what was read', async () => {
    const team = await shop.team();
    await record(team, 5);
    await shop.at('2026-03-09T11:00:00Z');
    expect(await record(team, 8)).toMatchObject({
      level: 8,
      read_at: new Date('2026-03-10T12:00Z'),
    });
    await team.grant(100);
    await shop.at('2026-03-11T00:00:00Z');
    expect(await charges(team)).toEqual([[midnight('11'), 4, -8]]);
  });

  test('a reading at midnight belongs to the day that begins', async () => {
    const team = await shop.team(1000);
    await record(team, 10);
    await shop.at('2026-03-11T00:00:00Z');
    await record(team, 1);
    await shop.at('2026-03-12T00:00:00Z');
    expect(await charges(team)).toEqual([
      [midnight('11'), 5, -10],
      [midnight('12'), 1, -2],
    ]);
  });

  test('several missed days are charged one by one, each at its midnight', async () => {
    const team = await shop.team(1000);
    await record(team, 3);
    await shop.at('2026-03-15T10:00:00Z');
    expect(await charges(team)).toEqual([
      [midnight('11'), 1.5, -3],
      [midnight('12'), 3, -6],
      [midnight('13'), 3, -6],
      [midnight('14'), 3, -6],
      [midnight('15'), 3, -6],
    ]);
  });

  test('the day is UTC’s, whatever the session has', async () => {
    const team = await shop.team(1000);
    const client = await shop.database.pool.connect();
    try {
      await client.query(`set time zone 'America/New_York'`);
      await call(client, 'record_meter', {
        account_id: team.id,
        operation: 'storage',
        quantity: 10,
      });
      await client.query(`set credits.now = '2026-03-12T00:00:00Z'`);
      await client.query('select credits.settle_due()');
    } finally {
      await client.query(`reset time zone; reset credits.now`);
      client.release();
    }
    await shop.at('2026-03-12T00:00:00Z');
    expect(await charges(team)).toEqual([
      [midnight('11'), 5, -10],
      [midnight('12'), 10, -20],
    ]);
  });
});

describe('at midnight, with no job', () => {
  test('balances, quotes and spends know of it', async () => {
    const team = await shop.team(100);
    await record(team, 20);
    await shop.at('2026-03-10T23:59:59.999999Z');
    expect((await team.balance()).total).toBe(100);
    await shop.at('2026-03-11T00:00:00Z');
    expect((await team.balance()).total).toBe(80);
    expect(await team.all('quote', { operation: 'job', usage: { n: 81 } })).toMatchObject([
      { available: 80, affordable: false },
    ]);
    expect(await refused(team.spend(81))).toMatchObject({ code: 'PC402', available: 80 });
    await team.spend(80);
    expect(await team.lines(1)).toEqual([
      ['usage', -20],
      ['usage', -80],
    ]);
  });

  test('holds end, lots expire and allowances refill before it; spends come after', async () => {
    const team = await shop.team();
    await team.one('subscribe', { plan: 'ws_daily', anchor: '2026-03-01T00:00:00Z' });
    await team.grant(5, { expires_at: '2026-03-11T00:00:00Z', priority: 1 });
    await team.grant(6);
    await team.spend(5); // of the day's 10
    await team.hold(16, { expires_in: '12 hours' });
    await record(team, 12); // 12 credits for the half day
    await shop.at('2026-03-11T00:00:00Z');
    expect(await team.balance()).toMatchObject({ included: 0, additional: 4, held: 0, total: 4 });
    await team.spend(4);
    expect(await team.lines(4)).toEqual([
      ['expiry', -5],
      ['expiry', -5],
      ['refill', 10],
      ['usage', -12],
      ['usage', -4],
    ]);
  });

  test('forecasts leave meters out', async () => {
    const team = await shop.team(100);
    await record(team, 10);
    await shop.at('2026-03-10T18:00:00Z');
    expect((await team.balance('credit', '2026-03-20T00:00:00Z')).total).toBe(100);
    await shop.at('2026-03-12T06:00:00Z');
    // What has fallen due by now is charged, though nobody has written it down.
    expect((await team.balance('credit', '2026-03-20T00:00:00Z')).total).toBe(70);
    expect((await team.balance('credit', '2026-03-11T12:00:00Z')).total).toBe(90);
    await shop.settle();
    expect((await team.balance('credit', '2026-03-20T00:00:00Z')).total).toBe(70);
    expect((await team.balance('credit', '2026-03-11T12:00:00Z')).total).toBe(90);
  });
});

describe('when credits run out', () => {
  test('what is available is charged, and the shortfall is recorded', async () => {
    const team = await shop.team(25);
    await record(team, 10);
    await shop.at('2026-03-13T06:00:00Z');
    expect(await charges(team)).toEqual([
      [midnight('11'), 5, -10],
      [midnight('12'), 10, -15],
      [midnight('13'), 10, 0],
    ]);
    expect(await meters(team)).toMatchObject([{ level: 10, shortfall: 25 }]);
    expect((await team.log()).at(2)).toMatchObject({
      breakdown: [
        { component: 'base', quantity: 10, amount: 20 },
        { component: 'shortfall', amount: -5 },
      ],
    });
    await team.grant(100);
    await shop.at('2026-03-14T00:00:00Z');
    await shop.settle();
    expect((await team.balance()).total).toBe(80);
    expect(await meters(team)).toMatchObject([{ shortfall: 25 }]);
  });

  test('what is held is not theirs', async () => {
    const team = await shop.team(25);
    await team.hold(20, { expires_in: '1 day' });
    await record(team, 10);
    await shop.at('2026-03-11T06:00:00Z');
    expect(await charges(team)).toEqual([[midnight('11'), 5, -5]]);
    expect(await team.capture(1)).toMatchObject([{ amount: -20, metadata: null }]);
    expect(await meters(team)).toMatchObject([{ shortfall: 5 }]);
  });

  test('paused additional credits are not drawn either', async () => {
    const team = await shop.team('ws_pro');
    await team.grant(100);
    await team.spend(95);
    await team.one('configure_additional', { enabled: false });
    await record(team, 10);
    await shop.at('2026-03-11T06:00:00Z');
    expect(await charges(team)).toEqual([[midnight('11'), 5, -5]]);
    expect(await team.balance()).toMatchObject({ included: 0, additional: 100 });
    expect(await meters(team)).toMatchObject([{ shortfall: 5 }]);
  });

  test('nor more of them than the team allows in a period', async () => {
    for (const settledDaily of [false, true]) {
      await shop.at('2026-03-10T12:00:00Z');
      const team = await shop.team('ws_pro');
      await team.grant(500);
      await team.spend(100);
      await team.spend(5);
      await team.one('configure_additional', { period_limit: 40 });
      await record(team, 10);
      for (const day of ['11', '12', '13']) {
        await shop.at(`2026-03-${day}T06:00:00Z`);
        if (settledDaily) await shop.settle();
      }
      expect(await charges(team)).toEqual([
        [midnight('11'), 5, -10],
        [midnight('12'), 10, -20],
        [midnight('13'), 10, -5],
      ]);
      expect(await meters(team)).toMatchObject([{ shortfall: 15 }]);
      // The next period has 100 included, and a limit of its own, which its first midnights reach.
      await shop.at('2026-04-20T06:00:00Z');
      expect(await team.balance()).toMatchObject({ included: 0, additional: 500 - 40 - 40 });
      await shop.settle();
      expect(await team.balance()).toMatchObject({ included: 0, additional: 500 - 40 - 40 });
    }
  });
});

describe('which meter', () => {
  test('two of one operation with different usage', async () => {
    const team = await shop.team(1000);
    await record(team, 10);
    await record(team, 10, { tier: 'cold' });
    expect(await record(team, 20, { tier: 'cold' })).toMatchObject({
      meter_id: 2,
      usage: { tier: 'cold' },
      level: 20,
    });
    await shop.at('2026-03-12T00:00:00Z');
    await shop.settle();
    expect(
      (await team.log())
        .slice(1)
        .map(({ occurred_at, usage, amount }) => [occurred_at.toISOString(), usage, amount]),
    ).toEqual([
      [midnight('11'), { gb_days: 5 }, -10],
      [midnight('11'), { gb_days: 10, tier: 'cold' }, -10],
      [midnight('12'), { gb_days: 10 }, -20],
      [midnight('12'), { gb_days: 20, tier: 'cold' }, -20],
    ]);
  });

  test('they are charged in order, as far as credits reach', async () => {
    const team = await shop.team(15);
    await record(team, 10, { tier: 'cold' });
    await record(team, 10);
    await shop.at('2026-03-11T00:00:00Z');
    await shop.settle();
    expect(await team.lines(1)).toEqual([
      ['usage', -5],
      ['usage', -10],
    ]);
    expect((await meters(team)).map(({ shortfall }) => shortfall)).toEqual([0, 0]);
  });

  test('another account has its own', async () => {
    const [a, b] = [await shop.team(100), await shop.team(100)];
    await record(a, 10);
    await record(b, 1);
    await shop.at('2026-03-11T00:00:00Z');
    expect([(await a.balance()).total, (await b.balance()).total]).toEqual([90, 99]);
  });
});

test('a price that the card no longer has charges nothing, and stops nothing', async () => {
  const team = await shop.team(100);
  await record(team, 10);
  await shop.at('2026-03-11T06:00:00Z');
  await shop.settle();
  await shop.database.query(
    `update credits.card_rates set valid_until = '2026-03-11T06:00Z' where operation = 'storage'`,
  );
  await shop.database.query(`select credits_private.list_prices('workshop', '2026-03-11Z')`);
  try {
    await shop.at('2026-03-12T06:00:00Z');
    expect((await team.balance()).total).toBe(90);
    await team.spend(1);
    expect((await team.log()).at(2)).toMatchObject({
      operation: 'storage',
      amount: 0,
      breakdown: [{ component: 'no_rate', amount: 0 }],
    });
  } finally {
    await shop.database.query(
      `update credits.card_rates set valid_until = 'infinity' where operation = 'storage'`,
    );
    await shop.database.query(`select credits_private.list_prices('workshop', '2026-03-11Z')`);
  }
  await shop.at('2026-03-13T00:00:00Z');
  expect((await team.balance()).total).toBe(69);
});

test('the price is that of the midnight, by the plan of then', async () => {
  const team = await shop.team(100);
  await record(team, 10);
  await shop.at('2026-03-11T06:00:00Z');
  await team.one('subscribe', { plan: 'ws_capped' });
  await shop.at('2026-03-12T00:00:00Z');
  expect(await charges(team)).toEqual([
    [midnight('11'), 5, -10],
    [midnight('12'), 10, 0],
  ]);
});

test('bad input', async () => {
  const team = await shop.team(100);
  for (const quantity of [-1, 'NaN', 'Infinity', 1e13, null]) {
    expect(
      await refused(team.one('record_meter', { operation: 'storage', quantity })),
      `${quantity}`,
    ).toMatchObject({
      code: 'PC422',
      field: 'quantity',
      reason: 'out_of_range',
    });
  }
  expect(await refused(record(team, 1, []))).toMatchObject({ code: 'PC422', field: 'usage' });
  expect(await refused(record(team, 1, { tier: 'frozen' }))).toMatchObject({
    code: 'PC422',
    reason: 'unknown_value',
  });
  expect(await refused(team.one('record_meter', { operation: 'nothing', quantity: 1 }))).toEqual({
    code: 'PC404',
    what: 'operation',
    key: 'nothing',
  });
  for (const operation of ['free', 'film']) {
    expect(await refused(team.one('record_meter', { operation, quantity: 1 }))).toMatchObject({
      code: 'PC422',
      field: 'operation',
      reason: 'not_a_meter',
    });
  }
  expect(
    await refused(
      record(team, 1, { account_id: 'x' }).then(() =>
        team.one('record_meter', { account_id: 'nobody', operation: 'storage', quantity: 1 }),
      ),
    ),
  ).toMatchObject({
    code: 'PC404',
    what: 'account',
  });
});

test('a level whose day nobody could pay is refused', async () => {
  const team = await shop.team(100);
  const tooLarge = { code: 'PC422', field: 'quantity', reason: 'too_large' };
  expect(await refused(record(team, 1e12, { count: 1e6 }))).toEqual(tooLarge);
  expect(await refused(record(team, 5e11 + 1))).toEqual(tooLarge);
  await record(team, 5e11);
  expect(await refused(record(team, 5e11 + 1))).toEqual(tooLarge);
  expect(await record(team, 5e11)).toMatchObject({ level: 5e11 });
});

test('a shortfall beyond all counting stops nothing', async () => {
  const team = await shop.team(100);
  await record(team, 5e11);
  await shop.database.query(
    `update credits.meters set shortfall = 1e18 - 1 where account_id = $1`,
    [team.id],
  );
  await shop.at('2026-03-12T00:00:00Z');
  await shop.settle();
  expect((await team.balance()).total).toBe(0);
  expect(await meters(team)).toMatchObject([{ shortfall: 1e18 }]);
});

describe('a gate', () => {
  test('bars a meter as it bars a spend', async () => {
    const team = await shop.team(100);
    const cellar = (quantity: number) =>
      team.one('record_meter', { operation: 'storage', quantity, usage: { tier: 'cellar' } });
    expect(await refused(cellar(5))).toMatchObject({
      code: 'PC403',
      requires: 'top_ups',
      operation: 'storage',
    });
    await record(team, 5);
    expect(await meters(team)).toHaveLength(1);
    await team.one('configure_top_up', { enabled: true, threshold: 1, amount: 10 });
    expect(await cellar(5)).toMatchObject({ level: 5 });
    // What is stored goes on to be charged; only more of it is barred.
    await team.one('configure_top_up', { enabled: false });
    expect(await refused(cellar(5.1))).toMatchObject({ code: 'PC403' });
    expect(await cellar(5)).toMatchObject({ level: 5 });
    expect(await cellar(2)).toMatchObject({ level: 2 });
    expect(await cellar(0)).toMatchObject({ level: 0 });
  });
});
