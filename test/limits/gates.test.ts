import { describe, expect, test } from 'vitest';
import { type Account, refused, workshop } from '../support/workshop.ts';

const shop = workshop();
const PAYING = ['ws_pro', 'ws_saver'];

/** Each way to charge for an operation: they ask the same gates. */
const WAYS: Record<string, (team: Account, operation: string, usage: object) => Promise<unknown>> =
  {
    spend: (team, operation, usage) => team.all('spend', { operation, usage }),
    spend_items: (team, operation, usage) =>
      team.all('spend_items', {
        items: [
          ['job', { n: 1 }],
          [operation, usage],
        ],
      }),
    authorize: (team, operation, usage) => team.all('authorize', { operation, usage }),
    authorize_items: (team, operation, usage) =>
      team.all('authorize_items', {
        items: [
          [operation, usage],
          ['job', { n: 1 }],
        ],
      }),
  };
const quote = async (team: Account, operation: string, usage: object) =>
  (await team.all('quote', { operation, usage }))[0];

describe.each(Object.keys(WAYS))('%s', (name) => {
  const charge = WAYS[name];

  test('a plan that is required', async () => {
    const team = await shop.team(100);
    const before = await team.everything();
    expect(await refused(charge(team, 'agent', { n: 5 }))).toEqual({
      code: 'PC403',
      requires: 'plan',
      operation: 'agent',
      plans: PAYING,
      plan: null,
    });
    expect(await team.everything()).toEqual(before);
    await team.one('subscribe', { plan: 'ws_free' });
    expect(await refused(charge(team, 'agent', { n: 5 }))).toMatchObject({
      requires: 'plan',
      plan: 'ws_free',
    });
    await team.one('subscribe', { plan: 'ws_saver' });
    await charge(team, 'agent', { n: 5 });
  });

  test('by attributes, and top-ups too', async () => {
    const team = await shop.team(100);
    await charge(team, 'poster', { quality: 'low' });
    expect(await refused(charge(team, 'poster', { quality: 'high' }))).toMatchObject({
      code: 'PC403',
      requires: 'plan',
    });
    await team.one('subscribe', { plan: 'ws_pro' });
    expect(await refused(charge(team, 'poster', { quality: 'high' }))).toEqual({
      code: 'PC403',
      requires: 'top_ups',
      operation: 'poster',
    });
    await team.one('configure_top_up', { enabled: true, threshold: 0, amount: 10 });
    await charge(team, 'poster', { quality: 'high' });
    await team.one('configure_top_up', { enabled: false });
    expect(await refused(charge(team, 'poster', { quality: 'high' }))).toMatchObject({
      requires: 'top_ups',
    });
  });

  test('a caller cannot say that the gate is passed', async () => {
    const team = await shop.team(100);
    expect(await refused(charge(team, 'agent', { n: 5, plan: 'ws_pro' }))).toMatchObject({
      code: 'PC403',
      requires: 'plan',
    });
  });

  test('a gate that is not met is PC403, never PC422 or PC402', async () => {
    const team = await shop.team();
    expect(await refused(charge(team, 'agent', {}))).toMatchObject({ code: 'PC403' });
    expect(await refused(charge(team, 'poster', { quality: 'high' }))).toMatchObject({
      code: 'PC403',
    });
    // Where no gate stands, it is the usage that is wrong.
    expect(await refused(charge(team, 'poster', { quality: 'huge' }))).toMatchObject({
      code: 'PC422',
    });
  });
});

describe('a capture', () => {
  const high = { quality: 'high' };
  const hold = async (team: Account, operation: string, usage: object) =>
    (await team.all('authorize', { operation, usage }))[0].hold_id;

  test('of what the hold did not name asks the gates', async () => {
    const team = await shop.team(100);
    const hold_id = await hold(team, 'poster', { quality: 'low' });
    expect(await refused(team.capture(hold_id, { usage: high }))).toMatchObject({
      code: 'PC403',
      requires: 'plan',
      operation: 'poster',
      plan: null,
    });
    const items = [
      ['poster', { quality: 'low' }],
      ['agent', { n: 1 }],
    ];
    expect(await refused(team.all('capture_items', { hold_id, items }))).toMatchObject({
      code: 'PC403',
      requires: 'plan',
      operation: 'agent',
    });
    expect(await team.capture(hold_id)).toMatchObject([{ amount: -2 }]);
    // Again, it is the same capture, and asks nothing.
    expect(await team.capture(hold_id)).toMatchObject([{ amount: -2 }]);
  });

  test('asks the gates of the authorization', async () => {
    const team = await shop.team('ws_pro');
    await team.one('configure_top_up', { enabled: true, threshold: 0, amount: 10 });
    const [first, second] = [
      await hold(team, 'poster', { quality: 'low' }),
      await hold(team, 'agent', { n: 5 }),
    ];
    await team.one('configure_top_up', { enabled: false });
    await team.grant(100);
    await team.one('cancel_subscription', { immediately: true });
    expect(await team.capture(first, { usage: high })).toMatchObject([{ amount: -9 }]);
    expect(await team.capture(second, { usage: { n: 7 } })).toMatchObject([{ amount: -7 }]);

    const other = await shop.team(100);
    const third = await hold(other, 'poster', { quality: 'low' });
    await other.one('subscribe', { plan: 'ws_pro' });
    await other.one('configure_top_up', { enabled: true, threshold: 0, amount: 10 });
    expect(await refused(other.capture(third, { usage: high }))).toMatchObject({
      requires: 'plan',
    });
  });

  test('does not ask about a gate that has come since for what the hold names', async () => {
    const team = await shop.team(100);
    const hold_id = await hold(team, 'job', { n: 5 });
    await shop.database.query(
      `insert into credits.gates (rate_card, operation, match, requires) values ('workshop', 'job', '{}', 'top_ups')`,
    );
    try {
      expect(await team.capture(hold_id, { usage: { n: 6 } })).toMatchObject([{ amount: -6 }]);
    } finally {
      await shop.database.query(`delete from credits.gates where operation = 'job'`);
    }
  });
});

describe('quote', () => {
  test('names the gate, and says the price', async () => {
    const team = await shop.team(100);
    expect(await quote(team, 'agent', { n: 5 })).toMatchObject({
      amount: 5,
      available: 100,
      affordable: false,
      blocked_by: 'plan_required',
    });
    await team.one('subscribe', { plan: 'ws_pro' });
    expect(await quote(team, 'agent', { n: 5 })).toMatchObject({
      affordable: true,
      blocked_by: null,
    });
    expect(await quote(team, 'poster', { quality: 'high' })).toMatchObject({
      amount: 9,
      blocked_by: 'top_ups_required',
    });
  });

  test('is PC403 where there is no price for those who do not pass', async () => {
    const team = await shop.team(100);
    expect(await refused(quote(team, 'agent', {}))).toMatchObject({
      code: 'PC403',
      requires: 'plan',
    });
  });

  test('sees a plan that has ended or begun by itself', async () => {
    const team = await shop.team('ws_pro');
    await team.grant(100);
    await team.one('subscribe', { plan: 'ws_saver' });
    await team.one('cancel_subscription', {});
    await shop.at('2026-04-10T12:00:00Z');
    expect(await quote(team, 'agent', { n: 5 })).toMatchObject({ blocked_by: 'plan_required' });
    expect(await refused(team.spend(5, { operation: 'agent' }))).toMatchObject({
      requires: 'plan',
      plan: null,
    });
  });
});
