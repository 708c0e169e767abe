import { describe, expect, test } from 'vitest';
import { refused, workshop } from '../support/workshop.ts';

const shop = workshop();

describe('revoke', () => {
  test('takes what is left of a lot, and counts as forfeited', async () => {
    const team = await shop.team(100);
    await team.grant(50);
    await team.spend(30);
    await team.hold(20);
    expect(await team.all('revoke', { lot_id: 1, reason: 'a mistake' })).toMatchObject([
      {
        seq: 4,
        kind: 'revocation',
        unit: 'credit',
        amount: -50,
        additional: -50,
        balance_after: 70,
        reason: 'a mistake',
      },
    ]);
    expect(await team.figures()).toEqual([
      [0, 20, 30, 50],
      [50, 0, 0, 0],
    ]);
    expect(await team.balance()).toMatchObject({ held: 20, total: 50 });
    // Nothing is left of it, and nothing happens.
    expect(await team.all('revoke', { lot_id: 1 })).toEqual([]);
  });

  test('a part', async () => {
    const team = await shop.team(100);
    await team.all('revoke', { lot_id: 1, amount: 30.5 });
    expect(await team.figures()).toEqual([[69.5, 0, 0, 30.5]]);
    await team.all('revoke', { lot_id: 1 });
    expect(await team.figures()).toEqual([[0, 0, 0, 100]]);
  });

  test('at most what is available in that lot', async () => {
    const team = await shop.team(100);
    await team.grant(50);
    await team.hold(60);
    const before = await team.everything();
    expect(await refused(team.all('revoke', { lot_id: 1, amount: 40.01 }))).toMatchObject({
      code: 'PC402',
      unit: 'credit',
      required: 40.01,
      available: 40,
      shortfall: 0.01,
      next_refill_at: null,
    });
    expect(await team.everything()).toEqual(before);
    expect(await team.all('revoke', { lot_id: 1, amount: 40 })).toHaveLength(1);
    expect(await team.capture(1)).toMatchObject([{ amount: -60 }]);
  });

  test('a lot that has expired has nothing left', async () => {
    const team = await shop.team();
    await team.grant(10, { expires_at: '2026-03-11T00:00:00Z' });
    await shop.at('2026-03-11T00:00:00Z');
    expect(await team.all('revoke', { lot_id: 1 })).toEqual([]);
    expect(await team.lines(1)).toEqual([['expiry', -10]]);
  });

  test('what a hold gives back can be taken then', async () => {
    const team = await shop.team(10);
    await team.hold(10);
    expect(await team.all('revoke', { lot_id: 1 })).toEqual([]);
    await shop.at('2026-03-10T13:00:00Z');
    expect(await team.all('revoke', { lot_id: 1 })).toMatchObject([{ amount: -10 }]);
  });

  test('a refund into it is there again', async () => {
    const team = await shop.team(10);
    await team.spend(4);
    await team.all('revoke', { lot_id: 1 });
    await team.refund(2);
    expect(await team.figures()).toEqual([[4, 0, 0, 6]]);
    expect((await team.balance()).total).toBe(4);
  });

  test('bad input', async () => {
    const team = await shop.team(10);
    const other = await shop.team();
    expect(await refused(other.all('revoke', { lot_id: 1 }))).toEqual({
      code: 'PC404',
      what: 'lot',
      key: '1',
    });
    expect(await refused(team.all('revoke', { account_id: 'nobody', lot_id: 1 }))).toMatchObject({
      code: 'PC404',
      what: 'account',
    });
    for (const [amount, reason] of [
      [0, 'not_positive'],
      [-1, 'not_positive'],
      ['NaN', 'not_positive'],
      [0.001, 'too_fine'],
    ]) {
      expect(await refused(team.all('revoke', { lot_id: 1, amount }))).toMatchObject({
        code: 'PC422',
        field: 'amount',
        reason,
      });
    }
  });
});
