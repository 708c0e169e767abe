import { describe, expect, test } from 'vitest';
import { refused, workshop } from '../support/workshop.ts';

const shop = workshop();

describe('a hold', () => {
  test('takes lots in the draw order, and is no entry', async () => {
    const team = await shop.team('ws_pro');
    await team.grant(50);
    const rows = await team.all('authorize', { operation: 'job', usage: { n: 120 } });
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      hold_id: 1,
      unit: 'credit',
      amount: 120,
      captured: 0,
      status: 'open',
      operation: 'job',
      usage: { n: 120 },
      authorized_at: new Date('2026-03-10T12:00Z'),
      expires_at: new Date('2026-03-10T13:00Z'),
    });
    expect(await team.figures()).toEqual([
      [0, 100, 0, 0],
      [10, 0, 0, 0],
      [30, 20, 0, 0],
    ]);
    expect(await team.balance()).toMatchObject({
      included: 0,
      additional: 30,
      held: 120,
      total: 30,
    });
    expect(await team.lines()).toEqual([
      ['refill', 100],
      ['refill', 10],
      ['grant', 50],
    ]);
  });

  test('cannot be spent, nor held again', async () => {
    const team = await shop.team(100);
    await team.hold(60);
    const before = await team.everything();
    for (const again of [() => team.spend(41), () => team.hold(41)]) {
      expect(await refused(again())).toMatchObject({
        code: 'PC402',
        unit: 'credit',
        required: 41,
        available: 40,
        shortfall: 1,
        smallest_pack: 'small',
      });
    }
    expect(await team.everything()).toEqual(before);
    await team.spend(40);
  });

  test('counts in balance_after until it is captured', async () => {
    const team = await shop.team(100);
    await team.hold(60);
    expect(await team.spend(10)).toMatchObject([{ balance_after: 90 }]);
  });

  test('is numbered by account', async () => {
    const [a, b] = [await shop.team(10), await shop.team(10)];
    expect((await a.hold(1)).hold_id).toBe(1);
    expect((await a.hold(1)).hold_id).toBe(2);
    expect((await b.hold(3)).hold_id).toBe(1);
    await b.release(1);
    expect((await a.balance()).held).toBe(2);
    expect(await refused(b.capture(2))).toEqual({ code: 'PC404', what: 'hold', key: '2' });
  });

  test('of nothing is a row of 0', async () => {
    const team = await shop.team();
    const rows = await team.all('authorize', { operation: 'free' });
    expect(rows).toMatchObject([{ unit: 'credit', amount: 0, status: 'open' }]);
    expect(await team.capture(1)).toEqual([]);
    expect(await team.holds()).toMatchObject([{ status: 'released' }]);
  });

  test('protects its own lots and no other', async () => {
    const team = await shop.team();
    await team.grant(10, { expires_at: '2026-03-10T12:30:00Z' });
    await team.grant(10, { expires_at: '2026-03-10T12:30:00Z' });
    await team.hold(10);
    await shop.at('2026-03-10T12:30:00Z');
    expect(await team.balance()).toMatchObject({ held: 10, total: 0 });
    await shop.settle();
    expect(await team.figures()).toEqual([
      [0, 10, 0, 0],
      [0, 0, 0, 10],
    ]);
  });
});

describe('several units and items', () => {
  test('a row a unit with one hold_id, all or nothing', async () => {
    const team = await shop.team('ws_pro');
    const items: [string, object][] = [
      ['film', { n: 3, footage: true, minutes: 4 }],
      ['job', { n: 5 }],
      ['film', { n: 2, footage: true, minutes: 5 }],
    ];
    expect(await team.holdItems(items)).toMatchObject([
      { hold_id: 1, unit: 'credit', amount: 10, operation: null },
      { hold_id: 1, unit: 'minute', amount: 9, operation: null },
    ]);
    const before = await team.everything();
    expect(await refused(team.holdItems(items))).toMatchObject({
      code: 'PC402',
      unit: 'minute',
      available: 1,
    });
    expect(await team.everything()).toEqual(before);
    expect((await team.balance('minute')).held).toBe(9);
  });

  test('items of one operation name it', async () => {
    const team = await shop.team(10);
    expect(
      await team.holdItems([
        ['job', { n: 1 }],
        ['job', { n: 2 }],
      ]),
    ).toMatchObject([
      {
        operation: 'job',
        amount: 3,
        usage: [
          { operation: 'job', usage: { n: 1 } },
          { operation: 'job', usage: { n: 2 } },
        ],
      },
    ]);
  });

  test('no items: PC422', async () => {
    const team = await shop.team(10);
    expect(await refused(team.holdItems([]))).toMatchObject({ code: 'PC422', field: 'items' });
  });
});

describe('arguments', () => {
  test('max_amount', async () => {
    const team = await shop.team('ws_pro');
    expect(await refused(team.hold(10, { max_amount: 9.99 }))).toMatchObject({
      code: 'PC409',
      reason: 'price_above_max_amount',
      unit: 'credit',
      amount: 10,
      max_amount: 9.99,
    });
    expect(await team.hold(10, { max_amount: 10 })).toMatchObject({ amount: 10 });
    expect(
      await refused(
        team.all('authorize', {
          operation: 'film',
          usage: { n: 1, footage: true, minutes: 1 },
          max_amount: 100,
        }),
      ),
    ).toMatchObject({ code: 'PC422', field: 'max_amount', reason: 'several_units' });
  });

  test.each(['0', '-1 second', '10 years 1 day', null])(
    'expires_in %s: PC422',
    async (expires_in) => {
      const team = await shop.team(10);
      expect(await refused(team.hold(1, { expires_in }))).toMatchObject({
        code: 'PC422',
        field: 'expires_in',
      });
    },
  );

  test('expires_in from a microsecond to ten years', async () => {
    const team = await shop.team(10);
    expect(await team.hold(1, { expires_in: '10 years' })).toMatchObject({
      expires_at: new Date('2036-03-10T12:00Z'),
    });
    expect(await team.hold(1, { expires_in: '1 microsecond' })).toMatchObject({ status: 'open' });
  });

  test('expires_in counts days and months in UTC, whatever the session has', async () => {
    const team = await shop.team(10);
    const client = await shop.database.pool.connect();
    try {
      await client.query(`set time zone 'Europe/Berlin'`);
      // The clocks of Berlin go forward on March 29th.
      expect(await team.hold(1, { expires_in: '20 days' }, client)).toMatchObject({
        expires_at: new Date('2026-03-30T12:00Z'),
      });
    } finally {
      await client.query('reset time zone');
      client.release();
    }
  });

  test('member_id and metadata are kept, and pass to the entry', async () => {
    const team = await shop.team(10);
    await team.hold(4, { member_id: 'ann', metadata: { job: 7 } });
    expect(await team.holds()).toMatchObject([{ member_id: 'ann', metadata: { job: 7 } }]);
    expect(await team.capture(1)).toMatchObject([
      { member_id: 'ann', metadata: { job: 7 }, hold_id: 1 },
    ]);
  });

  test('unknown account, operation; bad usage; labels', async () => {
    const team = await shop.team(10);
    expect(await refused(team.hold(1, { account_id: 'nobody' }))).toEqual({
      code: 'PC404',
      what: 'account',
      key: 'nobody',
    });
    expect(await refused(team.hold(1, { operation: 'nothing' }))).toMatchObject({
      code: 'PC404',
      what: 'operation',
    });
    expect(await refused(team.hold(1, { usage: { n: -1 } }))).toMatchObject({
      code: 'PC422',
      field: 'n',
    });
    expect(await refused(team.hold(1, { member_id: '' }))).toMatchObject({
      code: 'PC422',
      field: 'member_id',
    });
    expect(await refused(team.hold(1, { idempotency_key: '' }))).toMatchObject({
      code: 'PC422',
      field: 'idempotency_key',
    });
  });
});

describe('idempotency keys', () => {
  test('the same request again returns the hold as it is now', async () => {
    const team = await shop.team(100);
    const film = { operation: 'job', usage: { n: 30 }, idempotency_key: 'k', member_id: 'ann' };
    const rows = await team.all('authorize', film);
    expect(
      await team.all('authorize', {
        ...film,
        expires_in: '2 hours',
        max_amount: 1,
        metadata: { x: 1 },
      }),
    ).toEqual(rows);
    const { operation: _, usage, ...rest } = film;
    expect(await team.all('authorize_items', { ...rest, items: [['job', usage]] })).toEqual(rows);
    await team.capture(1, { amount: 10 });
    expect(await team.all('authorize', film)).toMatchObject([
      { hold_id: 1, status: 'captured', captured: 10 },
    ]);
    expect((await team.balance()).total).toBe(90);
  });

  test('another request: PC409', async () => {
    const team = await shop.team(100);
    await team.hold(30, { idempotency_key: 'k' });
    for (const other of [{ usage: { n: 31 } }, { operation: 'talk' }, { member_id: 'bob' }]) {
      expect(await refused(team.hold(30, { idempotency_key: 'k', ...other }))).toMatchObject({
        code: 'PC409',
        reason: 'idempotency_key_reused',
        idempotency_key: 'k',
        kind: 'hold',
        hold_id: 1,
      });
    }
  });

  test('are one namespace with spends, grants, refunds and purchases', async () => {
    const team = await shop.team(100);
    await team.hold(1, { idempotency_key: 'hold' });
    await team.spend(2, { idempotency_key: 'spend' });
    await team.grant(1, { idempotency_key: 'grant' });
    await team.refund(2, { amount: 1, idempotency_key: 'refund' });
    await team.one('buy', { pack: 'small', idempotency_key: 'buy' });
    const families: Record<string, (key: string) => Promise<unknown>> = {
      hold: (idempotency_key) => team.hold(1, { idempotency_key }),
      spend: (idempotency_key) => team.spend(2, { idempotency_key }),
      grant: (idempotency_key) => team.grant(1, { idempotency_key }),
      refund: (idempotency_key) => team.refund(2, { amount: 1, idempotency_key }),
      buy: (idempotency_key) => team.one('buy', { pack: 'small', idempotency_key }),
    };
    const before = await team.everything();
    for (const [family, attempt] of Object.entries(families)) {
      await attempt(family);
      for (const other of Object.keys(families).filter((key) => key !== family)) {
        expect(await refused(attempt(other)), `${family} with the key of ${other}`).toMatchObject({
          code: 'PC409',
          reason: 'idempotency_key_reused',
        });
      }
    }
    expect(await team.everything()).toEqual(before);
  });

  test('a refusal keeps no key', async () => {
    const team = await shop.team(5);
    expect(await refused(team.hold(6, { idempotency_key: 'k' }))).toMatchObject({ code: 'PC402' });
    expect(await team.hold(5, { idempotency_key: 'k' })).toMatchObject({ hold_id: 1 });
  });

  test('two accounts have their own', async () => {
    const [a, b] = [await shop.team(10), await shop.team(10)];
    await a.hold(1, { idempotency_key: 'k' });
    expect(await b.hold(2, { idempotency_key: 'k' })).toMatchObject({
      account_id: b.id,
      amount: 2,
    });
  });
});
