import { describe, expect, test } from 'vitest';
import { untilBlockedCount } from '../support/locks.ts';
import { refused, workshop } from '../support/workshop.ts';

const shop = workshop();

test('20 parallel holds of 75 on 500: exactly 6 succeed', async () => {
  const team = await shop.team(500);
  const gate = await shop.database.pool.connect();
  await gate.query('begin');
  await gate.query('select from credits.accounts where account_id = $1 for update', [team.id]);
  const holds = Promise.allSettled(Array.from({ length: 20 }, () => team.hold(75)));
  await untilBlockedCount(shop.database.pool, 20);
  await gate.query('commit');
  gate.release();

  const outcomes = await holds;
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(6);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason.code).toBe('PC402');
  }
  expect((await team.holds()).map(({ hold_id, amount }) => [hold_id, amount])).toEqual(
    [1, 2, 3, 4, 5, 6].map((hold_id) => [hold_id, 75]),
  );
  expect(await team.balance()).toMatchObject({ held: 450, total: 50 });
});

describe('two at once', () => {
  const held = async () => {
    const team = await shop.team(100);
    await team.hold(60);
    return team;
  };

  test('capture before release: the release is PC409', async () => {
    const team = await held();
    const { outcome } = await shop.race(
      (client) => team.capture(1, { amount: 20 }, client),
      (client) => team.release(1, client),
    );
    expect(await refused(outcome)).toMatchObject({
      code: 'PC409',
      reason: 'already_captured',
      hold_id: 1,
    });
    expect(await team.balance()).toMatchObject({ held: 0, total: 80 });
  });

  test('release before capture: the capture is PC409', async () => {
    const team = await held();
    const { outcome } = await shop.race(
      (client) => team.release(1, client),
      (client) => team.capture(1, {}, client),
    );
    expect(await refused(outcome)).toMatchObject({ code: 'PC409', reason: 'already_released' });
    expect(await team.balance()).toMatchObject({ held: 0, total: 100 });
  });

  test('a release that is rolled back leaves the capture its hold', async () => {
    const team = await held();
    const { outcome } = await shop.race(
      (client) => team.release(1, client),
      (client) => team.capture(1, {}, client),
      'rollback',
    );
    expect(await outcome).toMatchObject([{ amount: -60, metadata: null }]);
  });

  test('the same capture charges once, and both get its entries', async () => {
    const team = await held();
    const entries: unknown[] = [];
    const { outcome } = await shop.race(
      async (client) => entries.push(...(await team.capture(1, { amount: 30 }, client))),
      (client) => team.capture(1, { amount: 30 }, client),
    );
    expect(await outcome).toEqual(entries);
    expect(await team.lines(1)).toEqual([['usage', -30]]);
  });

  test('two captures of different amounts: the second is PC409', async () => {
    const team = await held();
    const { outcome } = await shop.race(
      (client) => team.capture(1, { amount: 30 }, client),
      (client) => team.capture(1, { amount: 31 }, client),
    );
    expect(await refused(outcome)).toMatchObject({ code: 'PC409', reason: 'already_captured' });
    expect((await team.balance()).total).toBe(70);
  });

  test('the same key holds once', async () => {
    const team = await shop.team(100);
    const hold = (client: Parameters<typeof team.capture>[2]) =>
      team.hold(60, { idempotency_key: 'k' }, client);
    const { outcome } = await shop.race(hold, hold);
    expect(await outcome).toMatchObject({ hold_id: 1 });
    expect(await team.balance()).toMatchObject({ held: 60, total: 40 });
  });

  test('a spend waits for a hold, and finds what it left', async () => {
    const team = await shop.team(100);
    const { outcome } = await shop.race(
      (client) => team.hold(60, {}, client),
      (client) => team.spend(41, {}, client),
    );
    expect(await refused(outcome)).toMatchObject({ code: 'PC402', required: 41, available: 40 });
  });
});

describe('at the end of a hold', () => {
  const LATER = '2026-03-10T13:00:00Z';

  test('a spend settles it first: the capture that waited is late, and cannot be paid', async () => {
    const team = await shop.team(100);
    await team.hold(60);
    await shop.at(LATER);
    const { outcome } = await shop.race(
      (client) => team.spend(90, {}, client),
      (client) => team.capture(1, {}, client),
    );
    expect(await refused(outcome)).toMatchObject({ code: 'PC402', required: 60, available: 10 });
    expect(await team.holds()).toMatchObject([{ status: 'expired' }]);
  });

  test('a late capture goes first: the sweep leaves it alone, and a release is PC409', async () => {
    const team = await shop.team(100);
    await team.hold(60);
    await shop.at(LATER);
    const { outcome } = await shop.race(
      (client) => team.capture(1, {}, client),
      (client) => team.release(1, client),
    );
    expect(await refused(outcome)).toMatchObject({ code: 'PC409', reason: 'already_captured' });
    await shop.settle();
    expect(await team.lines(1)).toEqual([['usage', -60]]);
    expect(await team.holds()).toMatchObject([{ status: 'captured' }]);
  });

  test('the sweep goes first: the capture that waited is late', async () => {
    const team = await shop.team(100);
    await team.hold(60);
    await shop.at(LATER);
    const { outcome } = await shop.race(
      (client) => client.query('select credits.settle_due()'),
      (client) => team.capture(1, {}, client),
    );
    expect(await outcome).toMatchObject([{ amount: -60, metadata: { late: true } }]);
  });
});
