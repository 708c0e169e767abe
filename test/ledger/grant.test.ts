import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { atelierDatabase, NOON } from '../support/atelier.ts';
import { type Arguments, call } from '../support/calls.ts';
import { creditsError, type TestDatabase, verifyAfterEach } from '../support/database.ts';

let database: TestDatabase;
let team: string;
let number = 0;
verifyAfterEach(() => database);

beforeAll(async () => {
  database = await atelierDatabase();
});
beforeEach(async () => {
  await database.setNow(NOON);
  number += 1;
  team = `team ${number}`;
  await call(database.pool, 'open_account', { account_id: team, rate_card: 'atelier' });
});
afterAll(() => database.close());

const grant = (amount: unknown, rest: Arguments = {}) =>
  call(database.pool, 'grant', { account_id: team, amount, ...rest });
const claim = (claimant: unknown, rest: Arguments = {}) =>
  call(database.pool, 'claim', { account_id: team, promotion: 'welcome', claimant, ...rest });
const balances = () => call(database.pool, 'balances', { account_id: team });
const log = () => call(database.pool, 'activity', { account_id: team });
const opened = async (account_id: string, rate_card = 'atelier') => {
  await call(database.pool, 'open_account', { account_id, rate_card });
  return account_id;
};

describe('grant', () => {
  test('gives additional credits without expiry unless told otherwise', async () => {
    expect(await grant(12.5)).toEqual([
      {
        account_id: team,
        lot_id: 1,
        unit: 'credit',
        bucket: 'additional',
        draw_order: 2,
        counts_as: 'additional',
        priority: 100,
        granted: 12.5,
        spent: 0,
        held: 0,
        forfeited: 0,
        available: 12.5,
        open: true,
        version: 1,
        starts_at: new Date(NOON),
        expires_at: null,
        source: 'grant',
        plan: null,
        reason: null,
        purchase_id: null,
        price: null,
        currency: null,
      },
    ]);
    expect(await balances()).toMatchObject([
      { unit: 'credit', included: 0, additional: 12.5, held: 0, total: 12.5 },
      { unit: 'minute', total: 0 },
    ]);
    expect(await log()).toMatchObject([
      {
        seq: 1,
        kind: 'grant',
        amount: 12.5,
        included: 0,
        additional: 12.5,
        balance_after: 12.5,
        operation: null,
        usage: null,
        breakdown: null,
        reason: null,
      },
    ]);
  });

  test('takes a unit, a bucket, an expiry, a priority and a reason', async () => {
    expect(
      await grant(3, {
        unit: 'minute',
        bucket: 'included',
        expires_at: '2026-03-10T12:00:00.000001Z',
        priority: -5,
        reason: 'a bad day',
        idempotency_key: 'sorry',
      }),
    ).toMatchObject([
      { unit: 'minute', bucket: 'included', priority: -5, source: 'grant', reason: 'a bad day' },
    ]);
    expect(await balances()).toMatchObject([{ total: 0 }, { unit: 'minute', included: 3 }]);
    expect(await log()).toMatchObject([
      { unit: 'minute', included: 3, additional: 0, reason: 'a bad day', idempotency_key: 'sorry' },
    ]);
    await database.setNow('2026-03-10T12:00:00.001Z');
    expect(await balances()).toMatchObject([{ total: 0 }, { unit: 'minute', total: 0 }]);
  });

  test('numbers the lots of an account from 1', async () => {
    const other = await opened(`${team} 2`);
    await grant(1);
    await grant(1, { account_id: other });
    expect(await grant(1)).toMatchObject([{ account_id: team, lot_id: 2 }]);
    expect(await grant(1, { account_id: other })).toMatchObject([{ account_id: other, lot_id: 2 }]);
  });

  test('settles what is due before it writes', async () => {
    await grant(5, { expires_at: '2026-03-12T00:00:00Z' });
    await database.setNow('2026-03-15T00:00:00Z');
    await grant(7);
    expect(await log()).toMatchObject([
      { seq: 3, kind: 'grant', amount: 7, balance_after: 7 },
      {
        seq: 2,
        kind: 'expiry',
        amount: -5,
        balance_after: 0,
        occurred_at: new Date('2026-03-12T00:00:00Z'),
        recorded_at: new Date('2026-03-15T00:00:00Z'),
      },
      { seq: 1, kind: 'grant', amount: 5 },
    ]);
  });

  test('takes the smallest amount of the scale, and the largest there is', async () => {
    await grant(0.01);
    await grant('1.00');
    await grant('1e12');
    expect(await balances()).toMatchObject([{ total: 1_000_000_000_001.01 }, {}]);
  });

  test('PC422 for an amount that is none', async () => {
    for (const [amount, reason] of [
      [0, 'not_positive'],
      [-1, 'not_positive'],
      ['-Infinity', 'not_positive'],
      ['NaN', expect.any(String)],
      ['Infinity', expect.any(String)],
      ['1e13', expect.any(String)],
      [null, expect.any(String)],
      [0.001, 'too_fine'],
      ['5.001', 'too_fine'],
    ]) {
      expect(await creditsError(grant(amount))).toMatchObject({
        code: 'PC422',
        detail: { field: 'amount', reason },
        hint: expect.any(String),
      });
    }
    expect(await creditsError(grant(0.5, { unit: 'minute' }))).toMatchObject({
      code: 'PC422',
      detail: { field: 'amount', reason: 'too_fine', scale: 0 },
    });
    expect(await log()).toEqual([]);
  });

  test('PC422 for an unknown unit or bucket, one of another card included', async () => {
    for (const [rest, field] of [
      [{ unit: 'coin' }, 'unit'],
      [{ unit: null }, 'unit'],
      [{ bucket: 'borrowed' }, 'bucket'],
      [{ bucket: null }, 'bucket'],
      [{ priority: null }, 'priority'],
    ] as const) {
      expect(await creditsError(grant(1, rest))).toMatchObject({
        code: 'PC422',
        detail: { field, reason: expect.any(String) },
        hint: expect.any(String),
      });
    }
    expect(
      await creditsError(grant(1, { account_id: await opened(`${team} 2`, 'bazaar') })),
    ).toMatchObject({ code: 'PC422', detail: { field: 'unit', unit: 'credit' } });
  });

  test('PC422 for an expiry that is not ahead', async () => {
    for (const expires_at of [NOON, '2026-03-10T11:59:59Z', '-infinity']) {
      expect(await creditsError(grant(1, { expires_at }))).toMatchObject({
        code: 'PC422',
        detail: { field: 'expires_at', reason: 'in_the_past' },
        hint: expect.any(String),
      });
    }
  });

  test('PC422 for a key of no or too much length', async () => {
    for (const idempotency_key of ['', 'x'.repeat(256)]) {
      expect(await creditsError(grant(1, { idempotency_key }))).toMatchObject({
        code: 'PC422',
        detail: { field: 'idempotency_key' },
      });
    }
  });

  test('PC404 for an unknown account', async () => {
    for (const account_id of ['nobody', null]) {
      expect(await creditsError(grant(1, { account_id }))).toEqual({
        code: 'PC404',
        detail: { what: 'account', key: account_id ?? '' },
        hint: expect.any(String),
      });
    }
  });
});

describe('claim', () => {
  test('gives the promotion as additional credits', async () => {
    expect(await claim(`ada+${number}@example.com`)).toMatchObject([
      {
        lot_id: 1,
        unit: 'credit',
        bucket: 'additional',
        granted: 30,
        expires_at: null,
        source: 'promotion',
        reason: 'welcome',
        price: null,
      },
    ]);
    expect(await balances()).toMatchObject([{ additional: 30, total: 30 }, {}]);
    expect(await log()).toMatchObject([
      { seq: 1, kind: 'grant', amount: 30, additional: 30, reason: 'welcome' },
    ]);
  });

  test('one with an expiry lives that long, to the hour, whatever zone the session is in', async () => {
    const client = await database.pool.connect();
    try {
      await database.setNow('2026-03-05T12:00:00Z');
      // Clocks there go forward on March 8th.
      await client.query(`set timezone = 'America/New_York'`);
      expect(
        await call(client, 'claim', {
          account_id: team,
          promotion: 'trial',
          claimant: `trier ${number}`,
        }),
      ).toMatchObject([{ granted: 20, expires_at: new Date('2026-03-12T12:00:00Z') }]);
    } finally {
      await client.query('reset timezone');
      client.release();
    }
    await database.setNow('2026-03-12T12:00:00Z');
    expect(await balances()).toMatchObject([{ total: 0 }, {}]);
  });

  const refused = (promotion = 'welcome') => ({
    code: 'PC409',
    detail: { reason: 'already_claimed', promotion },
    hint: expect.any(String),
  });

  test('once per claimant, in lower case, whichever account they use', async () => {
    const other = await opened(`${team} 2`);
    await claim('Ada@Example.com');
    for (const claimant of [
      'Ada@Example.com',
      'ADA@EXAMPLE.COM',
      ' ada@example.com\n\t',
      '\r\nada@example.com',
    ]) {
      expect(await creditsError(claim(claimant, { account_id: other }))).toEqual(refused());
    }
    await claim('\u00c9MILE@example.com', { account_id: other });
    const third = await opened(`${team} 3`);
    expect(await creditsError(claim('\u00e9mile@example.com', { account_id: third }))).toEqual(
      refused(),
    );
    expect(
      await database.query(
        `select claimant from credits.promotion_claims where account_id in ($1, $2) order by 1`,
        [team, other],
      ),
    ).toEqual([{ claimant: 'ada@example.com' }, { claimant: '\u00e9mile@example.com' }]);
  });

  test('once per account, whoever asks', async () => {
    await claim(`grace ${number}`);
    expect(await creditsError(claim(`alan ${number}`))).toEqual(refused());
    expect(await creditsError(claim(`grace ${number}`))).toEqual(refused());
    // What was refused used nothing up.
    const other = await opened(`${team} 2`);
    expect(await claim(`alan ${number}`, { account_id: other })).toHaveLength(1);
    expect(await balances()).toMatchObject([{ total: 30 }, {}]);
  });

  test('each promotion by itself, and each card', async () => {
    await claim(`ada ${number}`);
    expect(await claim(`ada ${number}`, { promotion: 'trial' })).toMatchObject([
      { lot_id: 2, granted: 20 },
    ]);
    expect(await creditsError(claim(`ada ${number}`, { promotion: 'trial' }))).toEqual(
      refused('trial'),
    );
    const elsewhere = await opened(`${team} 2`, 'bazaar');
    expect(await creditsError(claim(`ada ${number}`, { account_id: elsewhere }))).toMatchObject({
      code: 'PC404',
      detail: { what: 'promotion', key: 'welcome' },
    });
  });

  test('stays claimed after its credits are gone', async () => {
    await claim(`ada ${number}`, { promotion: 'trial' });
    await database.setNow('2026-04-10T12:00:00Z');
    expect(await creditsError(claim(`ada ${number}`, { promotion: 'trial' }))).toEqual(
      refused('trial'),
    );
  });

  test('PC404 for an unknown account, an unknown promotion and a retired one', async () => {
    expect(await creditsError(claim('x', { account_id: 'nobody' }))).toEqual({
      code: 'PC404',
      detail: { what: 'account', key: 'nobody' },
      hint: expect.any(String),
    });
    for (const promotion of ['farewell', null]) {
      expect(await creditsError(claim('x', { promotion }))).toEqual({
        code: 'PC404',
        detail: { what: 'promotion', key: promotion ?? '' },
        hint: expect.any(String),
      });
    }
    const client = await database.pool.connect();
    try {
      await client.query('begin');
      await client.query(`update credits.promotions set retired_at = $1`, [NOON]);
      expect(
        await creditsError(
          call(client, 'claim', { account_id: team, promotion: 'welcome', claimant: 'x' }),
        ),
      ).toMatchObject({ code: 'PC404', detail: { what: 'promotion', key: 'welcome' } });
    } finally {
      await client.query('rollback');
      client.release();
    }
  });

  test('PC422 for a claimant of no or too much length', async () => {
    for (const claimant of [null, '', 'x'.repeat(321)]) {
      expect(await creditsError(claim(claimant))).toMatchObject({
        code: 'PC422',
        detail: { field: 'claimant' },
        hint: expect.any(String),
      });
    }
    expect(await claim('x'.repeat(320))).toHaveLength(1);
  });
});
