import { describe, expect, test } from 'vitest';
import { type Account, refused, workshop } from '../support/workshop.ts';

const shop = workshop();

/** 10 included, 20 until March 20th, 70 without expiry, and a spend of 50 over all three: entry 4. */
async function spentOverThreeLots(): Promise<Account> {
  const team = await shop.team();
  await team.grant(10, { bucket: 'included' });
  await team.grant(20, { expires_at: '2026-03-20T00:00:00Z' });
  await team.grant(70);
  await team.spend(50, { member_id: 'ann' });
  return team;
}

describe('a refund goes back to the lots it was drawn from', () => {
  test('in whole', async () => {
    const team = await spentOverThreeLots();
    await shop.at('2026-03-11T00:00:00Z');
    expect(await team.refund(4, { reason: 'failed render' })).toMatchObject([
      {
        seq: 5,
        kind: 'refund',
        unit: 'credit',
        operation: 'job',
        amount: 50,
        included: 10,
        additional: 40,
        balance_after: 100,
        refunds_seq: 4,
        member_id: 'ann',
        reason: 'failed render',
        occurred_at: new Date('2026-03-11T00:00Z'),
      },
    ]);
    expect(await team.postings(5)).toEqual([
      [3, 20],
      [2, 20],
      [1, 10],
    ]);
    expect(await team.figures()).toEqual([
      [10, 0, 0, 0],
      [20, 0, 0, 0],
      [70, 0, 0, 0],
    ]);
    expect(await team.balance()).toMatchObject({ included: 10, additional: 90, total: 100 });
  });

  test('in parts, the last drawn first', async () => {
    const team = await spentOverThreeLots();
    await team.refund(4, { amount: 5.5 });
    expect(await team.postings(5)).toEqual([[3, 5.5]]);
    expect(await team.refund(4, { amount: 20 })).toMatchObject([{ included: 0, additional: 20 }]);
    expect(await team.postings(6)).toEqual([
      [3, 14.5],
      [2, 5.5],
    ]);
    await team.refund(4, { amount: 14.5 });
    expect(await team.postings(7)).toEqual([[2, 14.5]]);
    expect(await team.refund(4)).toMatchObject([{ amount: 10, included: 10, additional: 0 }]);
    expect(await team.postings(8)).toEqual([[1, 10]]);
    expect((await team.balance()).total).toBe(100);
  });

  test('what was spent of them since stays spent', async () => {
    const team = await spentOverThreeLots();
    await team.spend(50);
    await team.refund(4);
    expect(await team.figures()).toEqual([
      [10, 0, 0, 0],
      [20, 0, 0, 0],
      [20, 0, 50, 0],
    ]);
    await team.refund(5, { amount: 50 });
    expect((await team.balance()).total).toBe(100);
  });

  test('at most what was charged, in all refunds together', async () => {
    const team = await spentOverThreeLots();
    await team.refund(4, { amount: 30 });
    const before = await team.everything();
    expect(await refused(team.refund(4, { amount: 20.01 }))).toEqual({
      code: 'PC409',
      reason: 'more_refunded_than_charged',
      charged: 50,
      refunded: 30,
      requested: 20.01,
    });
    expect(await team.everything()).toEqual(before);
    await team.refund(4, { amount: 20 });
    for (const rest of [{}, { amount: 0.01 }]) {
      expect(await refused(team.refund(4, rest))).toMatchObject({ code: 'PC409', refunded: 50 });
    }
  });

  test('a charge of nothing has nothing to refund', async () => {
    const team = await shop.team();
    await team.all('spend', { operation: 'free' });
    expect(await refused(team.refund(1))).toMatchObject({ code: 'PC409', charged: 0 });
  });
});

describe('what returns to an expired lot', () => {
  test('is forfeited at once: a refund entry, then an expiry entry', async () => {
    const team = await spentOverThreeLots();
    await shop.at('2026-03-20T00:00:00Z');
    expect(await team.refund(4)).toMatchObject([{ seq: 5, amount: 50, balance_after: 100 }]);
    expect((await team.log()).slice(4)).toMatchObject([
      { seq: 5, kind: 'refund', amount: 50 },
      {
        seq: 6,
        kind: 'expiry',
        amount: -20,
        balance_after: 80,
        occurred_at: new Date('2026-03-20T00:00Z'),
      },
    ]);
    expect(await team.figures()).toEqual([
      [10, 0, 0, 0],
      [0, 0, 0, 20],
      [70, 0, 0, 0],
    ]);
    expect((await team.balance()).total).toBe(80);
  });

  test('just before the expiry it is still usable', async () => {
    const team = await spentOverThreeLots();
    await shop.at('2026-03-19T23:59:59.999999Z');
    await team.refund(4);
    expect((await team.balance()).total).toBe(100);
    await shop.at('2026-03-20T00:00:00Z');
    expect((await team.balance()).total).toBe(80);
    await shop.settle();
    expect((await team.lines()).at(-1)).toEqual(['expiry', -20]);
  });

  test('of a past period’s allowance too', async () => {
    const team = await shop.team('ws_pro');
    await team.spend(30);
    await shop.at('2026-04-10T12:00:00Z');
    await team.refund(3);
    expect(await team.balance()).toMatchObject({ included: 100, total: 100 });
    expect((await team.lines()).slice(-2)).toEqual([
      ['refund', 30],
      ['expiry', -30],
    ]);
  });
});

test('what returns to included credits that a reset has ended is forfeited', async () => {
  const team = await shop.team('ws_pro');
  const { period_end } = await team.row();
  await team.grant(10, { bucket: 'included' });
  await team.spend((await team.balance()).total);
  const spent = (await team.log()).at(-1);
  await shop.at(period_end.toISOString());
  await team.refund(spent.seq);
  expect((await team.balance()).additional).toBe(0);
  expect((await team.lots())[1]).toMatchObject({ available: 0, spent: 0, forfeited: 10 });
});

describe('regrant', () => {
  test('without a plan: a new lot of the same bucket until the UTC month’s end', async () => {
    const team = await spentOverThreeLots();
    await shop.at('2026-03-25T00:00:00Z');
    const [entry] = await team.refund(4, { amount: 45, regrant: true, reason: 'late' });
    expect(entry).toMatchObject({
      seq: 5,
      kind: 'refund',
      amount: 45,
      included: 5,
      additional: 40,
    });
    expect((await team.lots()).slice(3)).toMatchObject([
      {
        lot_id: 4,
        bucket: 'additional',
        granted: 20,
        source: 'refund',
        reason: 'late',
        starts_at: new Date('2026-03-25T00:00Z'),
        expires_at: new Date('2026-04-01T00:00Z'),
      },
    ]);
    expect(await team.postings(5)).toEqual([
      [3, 20],
      [1, 5],
      [4, 20],
    ]);
    expect((await team.balance()).total).toBe(95);
    await shop.at('2026-04-01T00:00:00Z');
    expect((await team.balance()).total).toBe(75);
    // What is left of the charge goes where it came from.
    await team.refund(4);
    expect((await team.balance()).total).toBe(80);
  });

  test('counts the month in UTC, whatever the session has', async () => {
    const team = await spentOverThreeLots();
    await shop.at('2026-03-25T00:00:00Z');
    const client = await shop.database.pool.connect();
    try {
      await client.query(`set time zone 'America/New_York'`);
      await team.refund(4, { regrant: true }, client);
    } finally {
      await client.query('reset time zone');
      client.release();
    }
    expect((await team.lots())[3]).toMatchObject({ expires_at: new Date('2026-04-01T00:00Z') });
  });

  test('with a plan: until its period’s end, one lot a bucket', async () => {
    const team = await shop.team('ws_pro');
    await team.grant(10, { bucket: 'included', expires_at: '2026-03-20T00:00:00Z' });
    await team.grant(15, { expires_at: '2026-03-20T00:00:00Z' });
    await team.grant(5, { expires_at: '2026-03-21T00:00:00Z' });
    await team.spend(130);
    await shop.at('2026-04-15T00:00:00Z');
    await team.refund(6, { regrant: true });
    expect(
      (await team.lots())
        .filter(({ source }) => source === 'refund')
        .map(({ bucket, granted, expires_at }) => [bucket, granted, expires_at.toISOString()]),
    ).toEqual([
      ['additional', 20, '2026-05-10T12:00:00.000Z'],
      ['included', 110, '2026-05-10T12:00:00.000Z'],
    ]);
    expect(await team.balance()).toMatchObject({ included: 210, additional: 20 });
    expect((await team.lines()).at(-1)).toEqual(['refund', 130]);
    await shop.at('2026-05-10T12:00:00Z');
    expect(await team.balance()).toMatchObject({ included: 100, additional: 0 });
  });

  test('where no lot has expired it is a plain refund', async () => {
    const team = await spentOverThreeLots();
    await team.refund(4, { regrant: true });
    expect(await team.lots()).toHaveLength(3);
    expect((await team.balance()).total).toBe(100);
  });

  test('never raises what an upgrade in the period adds', async () => {
    const team = await shop.team('ws_saver');
    await team.spend(40);
    await team.refund(2, { regrant: true });
    await team.one('subscribe', { plan: 'ws_capped' });
    expect((await team.balance()).included).toBe(100);
  });
});

describe('of what', () => {
  test('a captured hold: its own lots and those above it', async () => {
    const team = await spentOverThreeLots();
    await team.refund(4);
    await team.hold(25);
    const [entry] = await team.capture(1, { amount: 35 });
    expect(await team.postings(entry.seq)).toEqual([
      [1, -10],
      [2, -15],
      [2, -5],
      [3, -5],
    ]);
    await team.refund(entry.seq, { amount: 7 });
    expect(await team.postings(entry.seq + 1)).toEqual([
      [3, 5],
      [2, 2],
    ]);
    await team.refund(entry.seq);
    expect((await team.balance()).total).toBe(100);
    expect(await team.holds()).toMatchObject([{ status: 'captured', captured: 35 }]);
  });

  test('a spend in two units: each entry by itself', async () => {
    const team = await shop.team('ws_pro');
    await team.all('spend', { operation: 'film', usage: { n: 20, footage: true, minutes: 4 } });
    expect(await team.refund(4, { amount: 3 })).toMatchObject([
      { unit: 'minute', amount: 3, balance_after: 9 },
    ]);
    expect((await team.balance()).total).toBe(80);
    expect(await refused(team.refund(4, { amount: 0.5 }))).toMatchObject({
      code: 'PC422',
      field: 'amount',
      reason: 'too_fine',
    });
    expect(await team.refund(3)).toMatchObject([
      { unit: 'credit', amount: 20, balance_after: 100 },
    ]);
    expect((await team.balance('minute')).total).toBe(9);
  });

  test('not of a grant, nor of a refund', async () => {
    const team = await spentOverThreeLots();
    await team.refund(4);
    for (const [seq, kind] of [
      [1, 'grant'],
      [5, 'refund'],
    ] as const) {
      expect(await refused(team.refund(seq))).toMatchObject({
        code: 'PC422',
        field: 'seq',
        reason: 'not_a_charge',
        kind,
      });
    }
  });

  test('not of what there is not', async () => {
    const team = await spentOverThreeLots();
    const other = await shop.team(1);
    expect(await refused(team.refund(5))).toEqual({ code: 'PC404', what: 'entry', key: '5' });
    expect(await refused(other.refund(4))).toEqual({ code: 'PC404', what: 'entry', key: '4' });
    expect(await refused(team.refund(4, { account_id: 'nobody' }))).toMatchObject({
      code: 'PC404',
      what: 'account',
    });
    for (const amount of [0, -1, 'NaN', 'Infinity']) {
      expect(await refused(team.refund(4, { amount }))).toMatchObject({
        code: 'PC422',
        field: 'amount',
        reason: 'not_positive',
      });
    }
    expect(await refused(team.refund(4, { amount: 0.001 }))).toMatchObject({
      code: 'PC422',
      reason: 'too_fine',
    });
  });
});

describe('the same key again', () => {
  test('returns the original, also after more was refunded', async () => {
    const team = await spentOverThreeLots();
    const original = await team.refund(4, { amount: 5, idempotency_key: 'k' });
    await team.refund(4);
    expect(await team.refund(4, { amount: '5.00', idempotency_key: 'k', reason: 'again' })).toEqual(
      original,
    );
    expect((await team.balance()).total).toBe(100);
  });

  test('of all that was left', async () => {
    const team = await spentOverThreeLots();
    await team.refund(4, { amount: 5 });
    const original = await team.refund(4, { idempotency_key: 'k' });
    expect(original).toMatchObject([{ amount: 45 }]);
    expect(await team.refund(4, { idempotency_key: 'k' })).toEqual(original);
  });

  test('for another amount or entry: PC409', async () => {
    const team = await spentOverThreeLots();
    await team.spend(5);
    await team.refund(4, { amount: 5, idempotency_key: 'k' });
    const before = await team.everything();
    for (const [seq, rest] of [
      [4, { amount: 6 }],
      [5, { amount: 5 }],
      [4, {}],
    ] as const) {
      expect(
        await refused(team.refund(seq, { ...rest, idempotency_key: 'k' })),
        JSON.stringify(rest),
      ).toMatchObject({
        code: 'PC409',
        reason: 'idempotency_key_reused',
        kind: 'refund',
        seq: 6,
      });
    }
    expect(await team.everything()).toEqual(before);
  });

  test('two at once refund once', async () => {
    const team = await spentOverThreeLots();
    const { outcome } = await shop.race(
      (client) => team.refund(4, { amount: 30, idempotency_key: 'k' }, client),
      (client) => team.refund(4, { amount: 30, idempotency_key: 'k' }, client),
    );
    expect(await outcome).toMatchObject([{ seq: 5, amount: 30 }]);
    expect((await team.balance()).total).toBe(80);
  });

  test('two at once without a key never refund more than was charged', async () => {
    const team = await spentOverThreeLots();
    const { outcome } = await shop.race(
      (client) => team.refund(4, { amount: 30 }, client),
      (client) => team.refund(4, { amount: 30 }, client),
    );
    expect(await refused(outcome)).toMatchObject({
      code: 'PC409',
      charged: 50,
      refunded: 30,
      requested: 30,
    });
  });
});
