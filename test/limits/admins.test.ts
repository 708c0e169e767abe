import { describe, expect, test } from 'vitest';
import { type Arguments, call } from '../support/calls.ts';
import { type Account, refused, workshop } from '../support/workshop.ts';

const shop = workshop();

/** What only an admin may do: with the name of the argument in which the service says who asks. */
const ADMINISTRATION: [name: string, args: Arguments, who: string][] = [
  ['buy', { pack: 'small' }, 'member_id'],
  ['configure_top_up', { enabled: false }, 'member_id'],
  ['configure_additional', { enabled: true }, 'member_id'],
  ['add_member', { member_id: 'zoe' }, 'acting_member_id'],
  ['remove_member', { member_id: 'cem' }, 'acting_member_id'],
];

const staffed = async (): Promise<Account> => {
  const team = await shop.team(10);
  await team.one('add_member', { member_id: 'ann', role: 'admin' });
  await team.one('add_member', { member_id: 'bob' });
  await team.one('add_member', { member_id: 'cem' });
  return team;
};
/** Calls as a role with claims, and undoes nothing. */
const as = (
  role: string,
  claims: Record<string, string>,
  account_id: string,
  name: string,
  args: object,
) =>
  shop.database.as(role, claims, async (query) => {
    const list = Object.entries({ account_id, ...args });
    return query(
      `select * from credits.${name}(${list.map(([key], index) => `${key} => $${index + 1}`).join(', ')})`,
      list.map(([, value]) => value),
    );
  });

describe.each(ADMINISTRATION)('%s', (name, args, who) => {
  test('called by the service, goes by the role of the member that it names', async () => {
    const team = await staffed();
    const before = await team.everything();
    for (const member of ['bob', 'a stranger']) {
      expect(await refused(team.one(name, { ...args, [who]: member }))).toEqual({
        code: 'PC403',
        requires: 'admin',
        member_id: member,
      });
    }
    expect(await team.everything()).toEqual(before);
    await team.one(name, { ...args, [who]: 'ann' });
  });

  test('called by the service for nobody, is the system’s', async () => {
    const team = await staffed();
    await as('credits_service', {}, team.id, name, args);
  });

  test('called with claims, goes by the claims', async () => {
    const team = await staffed();
    const member = { account_id: team.id, member_id: 'bob', member_role: 'member' };
    expect(await refused(as('credits_member', member, team.id, name, args))).toMatchObject({
      code: 'PC403',
      requires: 'admin',
      member_id: 'bob',
    });
    // Whom they name makes no difference.
    expect(
      await refused(as('credits_member', member, team.id, name, { ...args, [who]: 'ann' })),
    ).toMatchObject({
      code: 'PC403',
      requires: 'admin',
    });
    await as('credits_member', { ...member, member_role: 'admin' }, team.id, name, args);
    const other = await shop.team();
    expect(
      await refused(
        as('credits_member', { ...member, member_role: 'admin' }, other.id, name, args),
      ),
    ).toMatchObject({
      code: 'PC403',
      requires: 'account',
    });
  });
});

describe('members', () => {
  test('are added, changed and removed', async () => {
    const team = await shop.team();
    expect(await team.one('add_member', { member_id: 'ann' })).toMatchObject({
      account_id: team.id,
      member_id: 'ann',
      role: 'member',
      period_cap: null,
    });
    expect(
      await team.one('add_member', { member_id: 'ann', role: 'admin', period_cap: 12.5 }),
    ).toMatchObject({
      role: 'admin',
      period_cap: 12.5,
    });
    expect(await team.one('remove_member', { member_id: 'ann' })).toMatchObject({
      role: 'admin',
      period_cap: 12.5,
    });
    expect(await refused(team.one('remove_member', { member_id: 'ann' }))).toEqual({
      code: 'PC404',
      what: 'member',
      key: 'ann',
    });
  });

  test('of one team are nobody in another', async () => {
    const [a, b] = [await staffed(), await shop.team()];
    expect(await refused(b.one('configure_additional', { member_id: 'ann' }))).toMatchObject({
      code: 'PC403',
    });
    await a.one('configure_additional', { member_id: 'ann' });
  });

  test('bad input', async () => {
    const team = await shop.team();
    for (const [args, field] of [
      [{ member_id: '' }, 'member_id'],
      [{ member_id: null }, 'member_id'],
      [{ member_id: 'x'.repeat(256) }, 'member_id'],
      [{ member_id: 'ann', role: 'owner' }, 'role'],
      [{ member_id: 'ann', role: null }, 'role'],
      [{ member_id: 'ann', period_cap: -1 }, 'period_cap'],
      [{ member_id: 'ann', period_cap: 'NaN' }, 'period_cap'],
      [{ member_id: 'ann', period_cap: 0.001 }, 'period_cap'],
    ] as const) {
      expect(await refused(team.one('add_member', args)), JSON.stringify(args)).toMatchObject({
        code: 'PC422',
        field,
      });
    }
    for (const period_limit of [-1, 'NaN', '-Infinity', 0.001]) {
      expect(await refused(team.one('configure_additional', { period_limit }))).toMatchObject({
        code: 'PC422',
        field: 'period_limit',
      });
    }
    for (const name of ['add_member', 'remove_member', 'configure_additional']) {
      const rest = name === 'configure_additional' ? {} : { member_id: 'ann' };
      expect(
        await refused(call(shop.database.pool, name, { account_id: 'nobody', ...rest })),
      ).toMatchObject({
        code: 'PC404',
        what: 'account',
      });
    }
  });
});

test('granting, plans and settling are the service’s alone', async () => {
  const team = await staffed();
  const admin = { account_id: team.id, member_id: 'ann', member_role: 'admin' };
  for (const [name, args] of [
    ['subscribe', { plan: 'ws_pro' }],
    ['cancel_subscription', {}],
    ['grant', { amount: 1 }],
    ['revoke', { lot_id: 1 }],
    ['refund', { seq: 1 }],
    ['spend', { operation: 'job', usage: '{"n":1}' }],
    ['authorize', { operation: 'job', usage: '{"n":1}' }],
    ['capture', { hold_id: 1 }],
    ['release', { hold_id: 1 }],
    ['record_meter', { operation: 'storage', quantity: 1 }],
  ] as const) {
    const promise = as('credits_member', admin, team.id, name, args);
    const error = await promise.then(
      () => ({ code: 'nothing' }),
      (reason) => reason,
    );
    // Some are not even granted to members.
    expect(['PC403', '42501'], name).toContain(error.code);
  }
});
