/** Races that are really run: each waits until PostgreSQL says that one backend waits for another. */
import type { PoolClient } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { atelierDatabase, NOON } from '../support/atelier.ts';
import { type Arguments, call, sqlError } from '../support/calls.ts';
import { creditsError, type TestDatabase, verifyAfterEach } from '../support/database.ts';
import { backendPid, untilBlocked, untilBlockedCount } from '../support/locks.ts';

let database: TestDatabase;
let team: string;
let number = 0;
let first: PoolClient;
let second: PoolClient;
verifyAfterEach(() => database);

beforeAll(async () => {
  database = await atelierDatabase();
});
beforeEach(async () => {
  await database.setNow(NOON);
  number += 1;
  team = `team ${number}`;
  first = await database.pool.connect();
  second = await database.pool.connect();
});
afterEach(async () => {
  for (const client of [first, second]) {
    await client.query('rollback');
    client.release();
  }
});
afterAll(() => database.close());

/** An account with so many credits, additional ones, and nothing else. */
const opened = async (credits: number, account_id = team) => {
  await call(database.pool, 'open_account', { account_id, rate_card: 'atelier' });
  if (credits > 0) await call(database.pool, 'grant', { account_id, amount: credits });
};
const spend = (on: PoolClient | TestDatabase['pool'], cost: number, rest: Arguments = {}) =>
  call(on, 'spend', {
    account_id: team,
    operation: 'video',
    usage: { quality: 'pro', seconds: cost * 3 },
    ...rest,
  });
const log = async (account_id = team) =>
  (await call(database.pool, 'activity', { account_id })).toReversed();
const total = async (account_id = team) =>
  (await call(database.pool, 'balances', { account_id }))[0].total;

/** Begins something on the second connection and resolves when it waits for the first. */
const untilItWaits = async <Result>(work: (client: PoolClient) => Promise<Result>) => {
  const pid = await backendPid(second);
  const outcome = work(second);
  // Whatever comes of it is looked at later.
  outcome.catch(() => {});
  await untilBlocked(database.pool, pid);
  return { outcome };
};

describe('two spends that together exceed the balance', () => {
  test('one succeeds, and the other is told what is left', async () => {
    await opened(100);
    await first.query('begin');
    await spend(first, 75);
    const { outcome } = await untilItWaits((client) => spend(client, 75));
    await first.query('commit');
    expect(await creditsError(outcome)).toMatchObject({
      code: 'PC402',
      detail: { required: 75, available: 25, shortfall: 50 },
    });
    expect(await total()).toBe(25);
  });

  test('the second succeeds when the first is rolled back, without a gap', async () => {
    await opened(100);
    await first.query('begin');
    expect(await spend(first, 75)).toMatchObject([{ seq: 2 }]);
    const { outcome } = await untilItWaits((client) => spend(client, 75));
    await first.query('rollback');
    expect(await outcome).toMatchObject([{ seq: 2, amount: -75, balance_after: 25 }]);
    expect((await log()).map(({ seq }) => seq)).toEqual([1, 2]);
  });

  test('what a transaction spent and took back is there for the next', async () => {
    await opened(100);
    await first.query('begin');
    await spend(first, 60);
    await first.query('savepoint before_the_refusal');
    expect(await creditsError(spend(first, 60))).toMatchObject({ code: 'PC402' });
    await first.query('rollback to before_the_refusal');
    await spend(first, 40);
    await first.query('commit');
    expect((await log()).map(({ amount }) => amount)).toEqual([100, -60, -40]);
  });
});

test('20 parallel spends of 75 on 500: exactly 6 succeed', async () => {
  await opened(500);
  await first.query('begin');
  await first.query('select from credits.accounts where account_id = $1 for update', [team]);
  const spends = Promise.allSettled(Array.from({ length: 20 }, () => spend(database.pool, 75)));
  await untilBlockedCount(database.pool, 20);
  await first.query('commit');
  const outcomes = await spends;
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(6);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason.code).toBe('PC402');
  }
  expect(await total()).toBe(50);
  expect((await log()).map(({ balance_after }) => balance_after)).toEqual([
    500, 425, 350, 275, 200, 125, 50,
  ]);
});

describe('the same idempotency key at the same time', () => {
  test('charges once, and both get the same rows', async () => {
    await opened(100);
    await call(database.pool, 'grant', { account_id: team, amount: 5, unit: 'minute' });
    const film = (client: PoolClient) =>
      call(client, 'spend', {
        account_id: team,
        operation: 'film',
        usage: { seconds: 61 },
        idempotency_key: 'film',
      });
    await first.query('begin');
    const original = await film(first);
    expect(original).toHaveLength(2);
    const { outcome } = await untilItWaits(film);
    await first.query('commit');
    expect(await outcome).toEqual(original);
    expect(await total()).toBe(80);
  });

  test('charges by the second when the first is rolled back', async () => {
    await opened(100);
    await first.query('begin');
    await spend(first, 10, { idempotency_key: 'key' });
    const { outcome } = await untilItWaits((client) =>
      spend(client, 10, { idempotency_key: 'key' }),
    );
    await first.query('rollback');
    expect(await outcome).toMatchObject([{ seq: 2, balance_after: 90 }]);
  });

  test('is PC409 for a different request', async () => {
    await opened(100);
    await first.query('begin');
    await spend(first, 10, { idempotency_key: 'key' });
    const { outcome } = await untilItWaits((client) =>
      call(client, 'grant', { account_id: team, amount: 10, idempotency_key: 'key' }),
    );
    await first.query('commit');
    expect(await creditsError(outcome)).toMatchObject({
      code: 'PC409',
      detail: { reason: 'idempotency_key_reused', kind: 'usage', seq: 2 },
    });
  });

  test('grants once', async () => {
    await opened(0);
    const grant = (client: PoolClient) =>
      call(client, 'grant', { account_id: team, amount: 10, idempotency_key: 'key' });
    await first.query('begin');
    const lots = await grant(first);
    const { outcome } = await untilItWaits(grant);
    await first.query('commit');
    expect(await outcome).toEqual(lots);
    expect(await total()).toBe(10);
  });
});

describe('settling what is due', () => {
  const due = async (account_id = team) => {
    await database.setNow(NOON);
    await call(database.pool, 'open_account', { account_id, plan: 'atelier_saver' });
  };
  const settled = [
    ['refill', 40, '2026-03-10T12:00:00.000Z'],
    ['refill', 40, '2026-04-10T12:00:00.000Z'],
    ['refill', 40, '2026-05-10T12:00:00.000Z'],
  ];
  const lines = async () =>
    (await log()).map(({ kind, amount, occurred_at }) => [kind, amount, occurred_at.toISOString()]);
  const LATER = '2026-05-20T00:00:00Z';

  beforeAll(async () => {
    // What other tests opened is not to be counted here.
    await database.setNow(LATER);
    await call(database.pool, 'settle_due', {});
  });

  test('the sweep leaves an account to the spend that has it, and finds nothing after it', async () => {
    await due();
    await database.setNow(LATER);
    await first.query('begin');
    await spend(first, 100);
    expect(await call(second, 'settle_due', {})).toEqual([{ settle_due: 0 }]);
    await first.query('commit');
    expect(await call(second, 'settle_due', {})).toEqual([{ settle_due: 0 }]);
    expect(await lines()).toEqual([...settled, ['usage', -100, '2026-05-20T00:00:00.000Z']]);
  });

  test('a spend waits for the sweep that has its account, and settles nothing twice', async () => {
    await due();
    await database.setNow(LATER);
    await first.query('begin');
    expect(await call(first, 'settle_due', {})).toEqual([{ settle_due: 1 }]);
    const { outcome } = await untilItWaits((client) => spend(client, 100));
    await first.query('commit');
    expect(await outcome).toMatchObject([{ seq: 4, balance_after: 20 }]);
    expect(await lines()).toEqual([...settled, ['usage', -100, '2026-05-20T00:00:00.000Z']]);
  });

  test('a spend settles by itself when the sweep is rolled back', async () => {
    await due();
    await database.setNow(LATER);
    await first.query('begin');
    await call(first, 'settle_due', {});
    const { outcome } = await untilItWaits((client) => spend(client, 100));
    await first.query('rollback');
    expect(await outcome).toMatchObject([{ seq: 4, balance_after: 20 }]);
    expect(await lines()).toEqual([...settled, ['usage', -100, '2026-05-20T00:00:00.000Z']]);
  });

  test('two sweeps share the accounts, and settle each once', async () => {
    const teams = Array.from({ length: 7 }, (_, index) => `${team} / ${index}`);
    for (const account_id of teams) await due(account_id);
    await database.setNow(LATER);
    await first.query('begin');
    expect(await call(first, 'settle_due', { batch: 3 })).toEqual([{ settle_due: 3 }]);
    expect(await call(second, 'settle_due', { batch: 10 })).toEqual([{ settle_due: 4 }]);
    await first.query('commit');
    expect(await call(second, 'settle_due', { batch: 10 })).toEqual([{ settle_due: 0 }]);
    for (const account_id of teams) expect(await log(account_id)).toHaveLength(3);
  });
});

describe('opening an account twice at once', () => {
  const open = (client: PoolClient, plan: string) =>
    call(client, 'open_account', { account_id: team, plan });

  test('opens it once, with one allowance, and both get the same account', async () => {
    await first.query('begin');
    const account = await open(first, 'atelier_pro');
    const { outcome } = await untilItWaits((client) => open(client, 'atelier_pro'));
    await first.query('commit');
    expect(await outcome).toEqual(account);
    expect((await log()).map(({ kind, unit }) => [kind, unit])).toEqual([
      ['refill', 'credit'],
      ['refill', 'minute'],
    ]);
  });

  test('opens it by the second when the first is rolled back', async () => {
    await first.query('begin');
    await open(first, 'atelier_pro');
    const { outcome } = await untilItWaits((client) => open(client, 'atelier_studio'));
    await first.query('rollback');
    expect(await outcome).toMatchObject([{ plan: 'atelier_studio' }]);
    expect(await total()).toBe(1000);
  });

  test('is PC409 when the plans differ', async () => {
    await first.query('begin');
    await open(first, 'atelier_pro');
    const { outcome } = await untilItWaits((client) => open(client, 'atelier_studio'));
    await first.query('commit');
    expect(await creditsError(outcome)).toMatchObject({
      code: 'PC409',
      detail: { reason: 'open_with_another_plan', plan: 'atelier_pro' },
    });
    expect(await total()).toBe(100);
  });

  test('subscribing twice at once gives one allowance', async () => {
    await opened(0);
    const subscribe = (client: PoolClient) =>
      call(client, 'subscribe', { account_id: team, plan: 'atelier_pro' });
    await first.query('begin');
    const account = await subscribe(first);
    const { outcome } = await untilItWaits(subscribe);
    await first.query('commit');
    expect(await outcome).toEqual(account);
    expect(await total()).toBe(100);
  });
});

describe('claiming a promotion', () => {
  const claim = (client: PoolClient, account_id: string, claimant: string) =>
    call(client, 'claim', { account_id, promotion: 'welcome', claimant });
  const refused = { code: 'PC409', detail: { reason: 'already_claimed', promotion: 'welcome' } };

  test('by one claimant for two accounts at once gives it to one', async () => {
    await opened(0);
    await opened(0, `${team} too`);
    await first.query('begin');
    await claim(first, team, `ada ${number}`);
    const { outcome } = await untilItWaits((client) =>
      claim(client, `${team} too`, `ADA ${number}`),
    );
    await first.query('commit');
    expect(await creditsError(outcome)).toMatchObject(refused);
    expect([await total(), await total(`${team} too`)]).toEqual([30, 0]);
  });

  test('goes to the second account when the first is rolled back', async () => {
    await opened(0);
    await opened(0, `${team} too`);
    await first.query('begin');
    await claim(first, team, `ada ${number}`);
    const { outcome } = await untilItWaits((client) =>
      claim(client, `${team} too`, `ada ${number}`),
    );
    await first.query('rollback');
    expect(await outcome).toMatchObject([{ account_id: `${team} too`, granted: 30 }]);
    expect([await total(), await total(`${team} too`)]).toEqual([0, 30]);
  });

  test('by two claimants for one account at once gives it once', async () => {
    await opened(0);
    await first.query('begin');
    await claim(first, team, `ada ${number}`);
    const { outcome } = await untilItWaits((client) => claim(client, team, `grace ${number}`));
    await first.query('commit');
    expect(await creditsError(outcome)).toMatchObject(refused);
    expect(await total()).toBe(30);
  });
});

describe('time', () => {
  test('never goes back along the log, however early a transaction began', async () => {
    await opened(100);
    await database.setNow(null);
    await first.query('begin');
    await first.query('select now()');
    const [early] = await spend(second, 10);
    const [late] = await spend(first, 10);
    await first.query('commit');
    expect([early.seq, late.seq]).toEqual([2, 3]);
    expect(late.occurred_at >= early.occurred_at).toBe(true);
    expect(late.recorded_at >= early.recorded_at).toBe(true);
  });

  test('is read after the wait for the account', async () => {
    await opened(100);
    await database.setNow(null);
    await first.query('begin');
    await spend(first, 10);
    const { outcome } = await untilItWaits((client) => spend(client, 10));
    await first.query(`select set_config('test.waited_until', clock_timestamp()::text, false)`);
    await first.query('commit');
    const [{ seq }] = await outcome;
    expect(
      await first
        .query(
          `select occurred_at >= current_setting('test.waited_until')::timestamptz as later
           from credits.entries where account_id = $1 and seq = $2`,
          [team, seq],
        )
        .then(({ rows }) => rows),
    ).toEqual([{ later: true }]);
  });
});

describe('others are not kept waiting', () => {
  test('neither another account, nor anyone who reads', async () => {
    await opened(100);
    await opened(100, `${team} too`);
    await first.query('begin');
    await spend(first, 75);
    await second.query(`set lock_timeout = '1ms'`);
    try {
      expect(await spend(second, 75, { account_id: `${team} too` })).toHaveLength(1);
      expect(await call(second, 'balances', { account_id: team })).toMatchObject([
        { total: 100 },
        {},
      ]);
      expect(await call(second, 'quote', { account_id: team, operation: 'image' })).toMatchObject([
        { affordable: true, available: 100 },
      ]);
      expect(await call(second, 'activity', { account_id: team })).toHaveLength(1);
      expect(await call(second, 'verify', {})).toEqual([]);
    } finally {
      await second.query('reset lock_timeout');
    }
  });
});

describe.each(['repeatable read', 'serializable'])('a caller in %s', (isolation) => {
  const key = { idempotency_key: 'key' };
  const image = { operation: 'image' };
  const edit = { operation: 'edit' };

  test('gets what anybody gets when nobody comes between', async () => {
    await opened(100);
    await first.query(`begin isolation level ${isolation}`);
    expect(await spend(first, 60, key)).toMatchObject([{ seq: 2, balance_after: 40 }]);
    expect(await spend(first, 60, key)).toMatchObject([{ seq: 2 }]);
    expect(await spend(first, 40)).toMatchObject([{ seq: 3, balance_after: 0 }]);
    await first.query('savepoint refused');
    expect(await creditsError(spend(first, 1))).toMatchObject({ code: 'PC402' });
    await first.query('rollback to refused');
    await first.query('commit');
    expect(await total()).toBe(0);
  });

  test.each<[string, [string, Arguments], [string, Arguments]]>([
    ['two spends of one lot', ['spend', image], ['spend', image]],
    ['two spends of nothing', ['spend', edit], ['spend', edit]],
    ['one key', ['spend', { ...image, ...key }], ['spend', { ...image, ...key }]],
    ['one key of nothing', ['spend', { ...edit, ...key }], ['spend', { ...edit, ...key }]],
    ['two holds', ['authorize', image], ['authorize', image]],
    [
      'one key of two holds',
      ['authorize', { ...image, ...key }],
      ['authorize', { ...image, ...key }],
    ],
    ['two purchases', ['buy', { pack: 'box' }], ['buy', { pack: 'box' }]],
    [
      'one key of two purchases',
      ['buy', { pack: 'box', ...key }],
      ['buy', { pack: 'box', ...key }],
    ],
    ['a grant, then a spend', ['grant', { amount: 5 }], ['spend', image]],
    ['two grants', ['grant', { amount: 5 }], ['grant', { amount: 5 }]],
    ['a subscription, then a spend', ['subscribe', { plan: 'atelier_pro' }], ['spend', image]],
  ])('gets a serialization failure where its snapshot is behind: %s', async (_, before, after) => {
    await opened(100);
    // Something that falls due sooner, so that a hold leaves the account's row as it is.
    await call(second, 'authorize', { account_id: team, ...edit, expires_in: '1 minute' });
    await first.query(`begin isolation level ${isolation}`);
    await first.query('select from credits.accounts');
    await call(second, before[0], { account_id: team, ...before[1] });
    const known = await log();
    expect(await sqlError(call(first, after[0], { account_id: team, ...after[1] }))).toEqual({
      code: '40001',
    });
    await first.query('rollback');
    expect(await log()).toEqual(known);
    // Tried again, it succeeds.
    await first.query(`begin isolation level ${isolation}`);
    expect(await call(first, after[0], { account_id: team, ...after[1] })).toHaveLength(1);
    await first.query('commit');
  });

  test.each([image, edit])('and so it does with spend_many: %o', async (job) => {
    await opened(100);
    await first.query(`begin isolation level ${isolation}`);
    await first.query('select from credits.accounts');
    await call(second, 'spend', { account_id: team, ...job });
    const requests = [job, job].map((job) => ({ account_id: team, ...job }));
    expect(await sqlError(call(first, 'spend_many', { requests }))).toEqual({ code: '40001' });
    await first.query('rollback');
    await first.query(`begin isolation level ${isolation}`);
    expect(await call(first, 'spend_many', { requests })).toMatchObject([
      { status: 'ok', seq: 3 },
      { status: 'ok', seq: 4 },
    ]);
    await first.query('commit');
  });

  test.each(['atelier_pro', 'atelier_saver'])(
    'and where a period has ended since: %s',
    async (plan) => {
      const request = { account_id: team, ...image };
      await call(database.pool, 'open_account', { account_id: team, plan });
      await call(database.pool, 'grant', { account_id: team, amount: 50 });
      const { period_end } = (
        await database.query('select * from credits.accounts where account_id = $1', [team])
      )[0];
      for (const [comes, between] of [
        ['spend', request],
        ['spend', { ...request, ...edit }],
        ['grant', { account_id: team, amount: 1 }],
      ] as const) {
        for (const [name, args] of [
          ['spend', request],
          ['spend', { ...request, ...edit }],
          ['spend_many', { requests: [request] }],
          ['grant', { account_id: team, amount: 1 }],
          ['authorize', request],
          ['subscribe', { account_id: team, plan: 'atelier_studio' }],
          ['settle_due', {}],
        ] as const) {
          const before = `${comes} comes between, then ${name}`;
          await database.setNow(NOON);
          await first.query(`begin isolation level ${isolation}`);
          await first.query('select from credits.accounts');
          await second.query('begin');
          await call(second, comes, between);
          await second.query('commit');
          await database.setNow(period_end);
          expect(await sqlError(call(first, name, args)), before).toEqual({ code: '40001' });
          await first.query('rollback');
          // Tried again, it succeeds; and is undone, for the next.
          await first.query(`begin isolation level ${isolation}`);
          expect(await call(first, name, args), before).toHaveLength(1);
          expect(await call(first, 'verify', { account_id: team }), before).toEqual([]);
          await first.query('rollback');
        }
      }
      expect(
        await database.query('select sweep_again_at from credits.accounts where account_id = $1', [
          team,
        ]),
      ).toEqual([{ sweep_again_at: null }]);
    },
  );

  test('and where it waited for another', async () => {
    await opened(100);
    await first.query('begin');
    await spend(first, 75);
    await second.query(`begin isolation level ${isolation}`);
    const { outcome } = await untilItWaits((client) => spend(client, 75));
    await first.query('commit');
    expect(await sqlError(outcome)).toEqual({ code: '40001' });
    await second.query('rollback');
    expect(await total()).toBe(25);
  });
});
