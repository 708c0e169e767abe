import { describe, expect, test } from 'vitest';
import { refused, workshop } from '../support/workshop.ts';

const shop = workshop();
const END = '2026-03-10T13:00:00Z';

describe('release', () => {
  test('gives everything back to its lots; again it returns what it is', async () => {
    const team = await shop.team('ws_pro');
    await team.grant(50);
    await team.hold(120);
    await shop.at('2026-03-10T12:20:00Z');
    const rows = await team.release(1);
    expect(rows).toMatchObject([
      { hold_id: 1, status: 'released', captured: 0, ended_at: new Date('2026-03-10T12:20Z') },
    ]);
    expect(await team.figures()).toEqual([
      [100, 0, 0, 0],
      [10, 0, 0, 0],
      [50, 0, 0, 0],
    ]);
    await shop.at('2026-03-11T12:20:00Z');
    expect(await team.release(1)).toEqual(rows);
    expect(await team.lines(3)).toEqual([]);
  });

  test('of several units', async () => {
    const team = await shop.team('ws_pro');
    await team.all('authorize', { operation: 'film', usage: { n: 4, footage: true, minutes: 6 } });
    expect(await team.release(1)).toMatchObject([
      { unit: 'credit', status: 'released' },
      { unit: 'minute', status: 'released' },
    ]);
    expect(await team.figures()).toEqual([
      [100, 0, 0, 0],
      [10, 0, 0, 0],
    ]);
  });

  test('after the expiry returns it as expired', async () => {
    const team = await shop.team(10);
    await team.hold(10);
    await shop.at(END);
    expect(await team.release(1)).toMatchObject([{ status: 'expired', ended_at: new Date(END) }]);
    await shop.at('2026-03-12T00:00:00Z');
    expect(await team.release(1)).toMatchObject([{ status: 'expired', ended_at: new Date(END) }]);
  });
});

describe('a hold is over at expires_at, with no job', () => {
  test('just before it protects; at the instant everything is spendable', async () => {
    const team = await shop.team(10);
    await team.hold(10);
    await shop.at('2026-03-10T12:59:59.999999Z');
    expect(await team.balance()).toMatchObject({ held: 10, total: 0 });
    expect(await refused(team.spend(1))).toMatchObject({ code: 'PC402', available: 0 });
    await shop.at(END);
    expect(await team.balance()).toMatchObject({ held: 0, total: 10 });
    expect(await team.all('quote', { operation: 'job', usage: { n: 10 } })).toMatchObject([
      { available: 10, affordable: true },
    ]);
    expect(await team.spend(10)).toMatchObject([{ balance_after: 0 }]);
    expect(await team.holds()).toMatchObject([{ status: 'expired', ended_at: new Date(END) }]);
  });

  test('the sweep writes it down, and a forecast knows', async () => {
    const team = await shop.team(10);
    await team.hold(4);
    expect(await team.balance('credit', END)).toMatchObject({ held: 0, total: 10 });
    expect(await team.balance('credit', '2026-03-10T12:59:59Z')).toMatchObject({
      held: 4,
      total: 6,
    });
    await shop.at('2026-03-11T00:00:00Z');
    await shop.settle();
    expect(await team.holds()).toMatchObject([{ status: 'expired', ended_at: new Date(END) }]);
    expect(await team.figures()).toEqual([[10, 0, 0, 0]]);
    expect(await team.lines(1)).toEqual([]);
  });

  test('the rest of another hold stays held', async () => {
    const team = await shop.team(10);
    await team.hold(4);
    await team.hold(3, { expires_in: '2 hours' });
    await shop.at(END);
    expect(await team.balance()).toMatchObject({ held: 3, total: 7 });
    await shop.at('2026-03-10T14:00:00Z');
    expect(await team.balance()).toMatchObject({ held: 0, total: 10 });
  });
});

describe('a late capture', () => {
  test('is a fresh charge at the hold’s rates, and says so', async () => {
    const team = await shop.team(10);
    await team.hold(10, { metadata: { job: 1 } });
    await shop.at('2026-03-10T12:30:00Z');
    const dearer = await team.grant(10, { priority: 1 });
    await shop.at('2026-03-10T15:00:00Z');
    const entries = await team.capture(1);
    expect(entries).toMatchObject([
      {
        amount: -10,
        hold_id: 1,
        metadata: { job: 1, late: true },
        occurred_at: new Date('2026-03-10T15:00Z'),
      },
    ]);
    expect(await team.postings(entries[0].seq)).toEqual([[dearer, -10]]);
    expect(await team.holds()).toMatchObject([{ status: 'captured', captured: 10 }]);
    expect(await team.capture(1)).toEqual(entries);
    expect(await refused(team.capture(1, { amount: 9 }))).toMatchObject({
      code: 'PC409',
      reason: 'already_captured',
    });
  });

  test('at expires_at itself is late, just before is not', async () => {
    const team = await shop.team(10);
    await team.hold(4);
    await team.hold(4, { expires_in: '1 hour 1 microsecond' });
    await shop.at(END);
    expect(await team.capture(1)).toMatchObject([{ metadata: { late: true } }]);
    expect(await team.capture(2)).toMatchObject([{ metadata: null }]);
  });

  test('that cannot be paid: PC402; once it can, it is', async () => {
    const team = await shop.team(10);
    await team.hold(10);
    await shop.at('2026-03-10T15:00:00Z');
    await team.spend(3);
    const before = await team.everything();
    expect(await refused(team.capture(1))).toMatchObject({
      code: 'PC402',
      required: 10,
      available: 7,
      shortfall: 3,
    });
    expect(await team.everything()).toEqual(before);
    await team.grant(3);
    expect(await team.capture(1)).toMatchObject([{ amount: -10, metadata: { late: true } }]);
  });

  test('of nothing leaves it expired', async () => {
    const team = await shop.team(10);
    await team.hold(10);
    await shop.at(END);
    expect(await team.capture(1, { amount: 0 })).toEqual([]);
    expect(await team.release(1)).toMatchObject([{ status: 'expired' }]);
  });
});

describe('held credits survive their lot’s expiry', () => {
  const expiring = async () => {
    const team = await shop.team();
    await team.grant(10, { expires_at: '2026-03-10T12:30:00Z' });
    await team.grant(10);
    await team.hold(15);
    await shop.at('2026-03-10T12:40:00Z');
    return team;
  };

  test('a capture draws from it', async () => {
    const team = await expiring();
    expect(await team.balance()).toMatchObject({ held: 15, total: 5 });
    const entries = await team.capture(1);
    expect(await team.postings(entries[0].seq)).toEqual([
      [1, -10],
      [2, -5],
    ]);
    expect(await team.lines(2)).toEqual([['usage', -15]]);
  });

  test('a capture of less forfeits what returns to it, at once', async () => {
    const team = await expiring();
    const [entry] = await team.capture(1, { amount: 4 });
    expect(await team.lines(2)).toEqual([
      ['usage', -4],
      ['expiry', -6],
    ]);
    expect(await team.log()).toMatchObject([
      {},
      {},
      { seq: entry.seq },
      { seq: entry.seq + 1, occurred_at: new Date('2026-03-10T12:40Z'), balance_after: 10 },
    ]);
    expect(await team.figures()).toEqual([
      [0, 0, 4, 6],
      [10, 0, 0, 0],
    ]);
  });

  test('a release forfeits its slice', async () => {
    const team = await expiring();
    await team.release(1);
    expect(await team.lines(2)).toEqual([['expiry', -10]]);
    expect(await team.balance()).toMatchObject({ held: 0, total: 10 });
  });

  test('the end of the hold forfeits its slice, at that instant', async () => {
    const team = await expiring();
    await shop.at('2026-03-10T18:00:00Z');
    expect(await team.balance()).toMatchObject({ held: 0, total: 10 });
    await shop.settle();
    expect(await team.log()).toMatchObject([
      {},
      {},
      { kind: 'expiry', amount: -10, occurred_at: new Date(END) },
    ]);
  });

  test('a capture above cannot draw more from it', async () => {
    const team = await expiring();
    expect(await refused(team.capture(1, { amount: 20.01 }))).toMatchObject({
      code: 'PC402',
      available: 5,
    });
    expect(await team.capture(1, { amount: 20 })).toMatchObject([{ balance_after: 0 }]);
  });
});

describe('across a period’s end', () => {
  const END_OF_PERIOD = '2026-04-10T12:00:00Z';
  /** A subscriber who holds 80 from before the period's end until an hour after it. */
  const crossing = async (plan: string, held = 80) => {
    const team = await shop.team(plan);
    await shop.at('2026-04-10T11:30:00Z');
    await team.hold(held, { expires_in: '90 minutes' });
    await shop.at(END_OF_PERIOD);
    return team;
  };

  test('rollover none: what is not held expires, what is held is still there', async () => {
    const team = await crossing('ws_pro');
    expect(await team.balance()).toMatchObject({ included: 100, held: 80, total: 100 });
    await shop.settle();
    expect(await team.figures()).toEqual([
      [0, 80, 0, 20],
      [0, 0, 0, 10],
      [100, 0, 0, 0],
      [10, 0, 0, 0],
    ]);
    expect(await team.capture(1, { amount: 70 })).toMatchObject([
      { amount: -70, balance_after: 110 },
    ]);
    expect(await team.lines(6)).toEqual([
      ['usage', -70],
      ['expiry', -10],
    ]);
  });

  test('rollover capped: what is held counts, and is never trimmed', async () => {
    const team = await crossing('ws_capped', 60);
    // 100 carried at a cap of 50: 50 have to go, but only 40 are not held.
    expect(await team.balance()).toMatchObject({ included: 100, held: 60, total: 100 });
    await shop.settle();
    expect(await team.figures()).toEqual([
      [0, 60, 0, 40],
      [100, 0, 0, 0],
    ]);
    await team.release(1);
    expect(await team.balance()).toMatchObject({ included: 160, total: 160 });
  });

  test('rollover capped: the oldest that is not held is trimmed', async () => {
    const team = await crossing('ws_capped', 30);
    await shop.settle();
    expect(await team.figures()).toEqual([
      [20, 30, 0, 50],
      [100, 0, 0, 0],
    ]);
  });

  test('rollover all: a hold makes no difference', async () => {
    const team = await crossing('ws_saver', 30);
    expect(await team.balance()).toMatchObject({ included: 50, held: 30 });
    await team.release(1);
    expect(await team.balance()).toMatchObject({ included: 80, held: 0 });
  });

  test('an included gift without expiry resets with the rest: what returns to it later is forfeited', async () => {
    const team = await shop.team('ws_pro');
    await team.grant(10, { bucket: 'included', priority: 1 });
    await shop.at('2026-04-10T11:30:00Z');
    await team.hold(10);
    await shop.at(END_OF_PERIOD);
    await team.release(1);
    expect(await team.balance()).toMatchObject({ included: 100, held: 0 });
    expect((await team.log()).at(-1)).toMatchObject({ kind: 'expiry', amount: -10 });
  });

  test('a hold that ends with the period returns first, and then expires with the rest', async () => {
    const team = await shop.team('ws_pro');
    await shop.at('2026-04-10T11:00:00Z');
    await team.hold(80);
    await shop.at(END_OF_PERIOD);
    await shop.settle();
    expect((await team.lines(2)).filter(([kind]) => kind === 'expiry')).toEqual([
      ['expiry', -100],
      ['expiry', -10],
    ]);
    expect(await team.balance()).toMatchObject({ included: 100, held: 0, total: 100 });
  });
});
