import fc from 'fast-check';
import type { ClientBase, Pool } from 'pg';
import { describe, expect, test } from 'vitest';
import { type Row, withNumbers } from '../support/calls.ts';
import { creditsError } from '../support/database.ts';
import { backendPid, untilBlocked } from '../support/locks.ts';
import { runs } from '../support/runs.ts';
import { account, workshop } from '../support/workshop.ts';

const shop = workshop();

interface Request {
  account_id: string | null;
  operation?: string;
  usage?: unknown;
  idempotency_key?: string;
  member_id?: string;
  max_amount?: number;
  metadata?: unknown;
}

async function spendMany(
  requests: Request[],
  on: Pool | ClientBase = shop.database.pool,
): Promise<Row[]> {
  return withNumbers(
    await on.query(
      `select * from credits.spend_many(array(
         select r::credits.spend_request
         from jsonb_array_elements($1) with ordinality j(value, position),
           jsonb_populate_record(null::credits.spend_request, j.value) r
         order by position))`,
      [JSON.stringify(requests)],
    ),
  );
}
const job = (team: { id: string }, n: number, rest: Partial<Request> = {}): Request => ({
  account_id: team.id,
  operation: 'job',
  usage: { n },
  ...rest,
});

describe('a row per request and unit, in order', () => {
  test('replayed where a usage of null was asked for, or none', async () => {
    const team = await shop.team(10);
    const free = { account_id: team.id, operation: 'free', idempotency_key: 'k' };
    // What json calls null, which is not SQL's.
    const [row] = await shop.database.query(
      `select status, usage from credits.spend_many(array[($1, 'free', 'null', 'k', null, null, null)::credits.spend_request])`,
      [team.id],
    );
    expect(row).toEqual({ status: 'ok', usage: {} });
    expect(await spendMany([free, { ...free, usage: {} }])).toMatchObject([
      { status: 'replayed' },
      { status: 'replayed' },
    ]);
  });

  test('ok, replayed and refused', async () => {
    const [a, b] = [await shop.team('ws_pro'), await shop.team(10)];
    await b.spend(3, { idempotency_key: 'before' });
    const film = { n: 4, footage: true, minutes: 2 };
    const rows = await spendMany([
      job(b, 3, { idempotency_key: 'before' }),
      {
        account_id: a.id,
        operation: 'film',
        usage: film,
        idempotency_key: 'k',
        member_id: 'ann',
        metadata: { x: 1 },
      },
      job(b, 8),
      { account_id: a.id, operation: 'film', usage: film, idempotency_key: 'k', member_id: 'ann' },
      job(b, 7),
      { account_id: a.id, operation: 'free' },
    ]);
    expect(
      rows.map(({ request_index, status, account_id, seq, unit, amount }) => [
        request_index,
        status,
        account_id,
        seq,
        unit,
        amount,
      ]),
    ).toEqual([
      [1, 'replayed', b.id, 2, 'credit', -3],
      [2, 'ok', a.id, 3, 'credit', -4],
      [2, 'ok', a.id, 4, 'minute', -2],
      [3, 'refused', b.id, null, null, null],
      [4, 'replayed', a.id, 3, 'credit', -4],
      [4, 'replayed', a.id, 4, 'minute', -2],
      [5, 'ok', b.id, 3, 'credit', -7],
      [6, 'ok', a.id, 5, 'credit', 0],
    ]);
    expect(rows[3]).toMatchObject({
      error_code: 'PC402',
      error_detail: { unit: 'credit', required: 8, available: 7, shortfall: 1 },
      operation: 'job',
      usage: { n: 8 },
    });
    const [entry] = (await a.log()).filter(({ seq }) => seq === 3);
    for (const [column, value] of Object.entries(rows[1])) {
      if (column in entry) expect(value, column).toEqual(entry[column]);
    }
    expect(rows[1]).toMatchObject({
      error_code: null,
      error_detail: null,
      member_id: 'ann',
      metadata: { x: 1 },
      kind: 'usage',
    });
  });

  test('no requests, no rows', async () => {
    expect(await spendMany([])).toEqual([]);
  });

  test('each error of the contract is reported in place', async () => {
    const team = await shop.team(10);
    await team.spend(1, { idempotency_key: 'k' });
    const rows = await spendMany([
      job(team, 11),
      { account_id: team.id, operation: 'agent', usage: { n: 1 } },
      { account_id: 'nobody', operation: 'job', usage: { n: 1 } },
      { account_id: null, operation: 'job', usage: { n: 1 } },
      { account_id: team.id, operation: 'nothing' },
      job(team, 2, { idempotency_key: 'k' }),
      job(team, 2, { max_amount: 1 }),
      { account_id: team.id, operation: 'job' },
      job(team, 1, { member_id: '' }),
      job(team, 9),
    ]);
    expect(
      rows.map(({ error_code, error_detail }) => [
        error_code,
        error_detail?.reason ?? error_detail?.what ?? error_detail?.requires,
      ]),
    ).toEqual([
      ['PC402', undefined],
      ['PC403', 'plan'],
      ['PC404', 'account'],
      ['PC404', 'account'],
      ['PC404', 'operation'],
      ['PC409', 'idempotency_key_reused'],
      ['PC409', 'price_above_max_amount'],
      ['PC422', expect.any(String)],
      ['PC422', 'length'],
      [null, undefined],
    ]);
    expect(await team.lines(2)).toEqual([['usage', -9]]);
  });

  test('a refusal keeps no key: a later request of the batch may use it', async () => {
    const team = await shop.team(10);
    const rows = await spendMany([
      job(team, 11, { idempotency_key: 'k' }),
      job(team, 10, { idempotency_key: 'k' }),
    ]);
    expect(rows.map(({ status }) => status)).toEqual(['refused', 'ok']);
  });

  test('within an account they take effect in the given order', async () => {
    const team = await shop.team(10);
    expect(
      (await spendMany([job(team, 6), job(team, 5), job(team, 4)])).map(({ status }) => status),
    ).toEqual(['ok', 'refused', 'ok']);
    const other = await shop.team(10);
    expect(
      (await spendMany([job(other, 5), job(other, 6), job(other, 4)])).map(({ status }) => status),
    ).toEqual(['ok', 'refused', 'ok']);
    expect((await other.log()).map(({ seq, amount }) => [seq, amount])).toEqual([
      [1, 10],
      [2, -5],
      [3, -4],
    ]);
  });

  test('a free request moves no lot, whatever the others move', async () => {
    const team = await shop.team(10);
    const free = { account_id: team.id, operation: 'free' };
    await spendMany([free, job(team, 6), free, job(team, 4), free]);
    const { rows } = await shop.database.pool.query(
      'select seq::int, version::int, amount::float from credits.postings where account_id = $1 order by seq',
      [team.id],
    );
    expect(rows).toEqual([
      { seq: 1, version: 1, amount: 10 },
      { seq: 3, version: 2, amount: -6 },
      { seq: 5, version: 3, amount: -4 },
    ]);
  });

  test('requests that reach from one lot into the next', async () => {
    const [one, two] = [await shop.team(10), await shop.team(10)];
    for (const team of [one, two]) await team.grant(10);
    await spendMany([job(one, 6), job(one, 6), job(one, 6)]);
    for (let i = 0; i < 3; i++) await spendMany([job(two, 6)]);
    const lines = async (team: { id: string }) =>
      withNumbers(
        await shop.database.pool.query(
          'select seq, ordinal, lot_id, version, amount, spent from credits.postings where account_id = $1 order by seq, ordinal',
          [team.id],
        ),
      );
    expect(await lines(one)).toEqual(await lines(two));
    expect((await lines(one)).length).toBe(6);
  });

  test('keys belong to their account', async () => {
    const [a, b] = [await shop.team(10), await shop.team(10)];
    const rows = await spendMany([
      job(a, 1, { idempotency_key: 'k' }),
      job(b, 2, { idempotency_key: 'k' }),
    ]);
    expect(rows.map(({ status }) => status)).toEqual(['ok', 'ok']);
  });

  test('what is due is settled first, even where all are refused', async () => {
    const team = await shop.team('ws_pro');
    await shop.at('2026-04-10T12:00:00Z');
    expect(await spendMany([job(team, 101), job(team, 100)])).toMatchObject([
      { status: 'refused', error_detail: { available: 100 } },
      { status: 'ok', occurred_at: new Date('2026-04-10T12:00Z') },
    ]);
  });

  test('all of it is undone with the transaction', async () => {
    const team = await shop.team(10);
    const before = await team.everything();
    const client = await shop.database.pool.connect();
    await client.query('begin');
    expect(await spendMany([job(team, 1), job(team, 2)], client)).toHaveLength(2);
    await client.query('rollback');
    client.release();
    expect(await team.everything()).toEqual(before);
  });
});

test('it is the same as the requests one by one', async () => {
  const request = fc.record({
    team: fc.constantFrom('a', 'b', 'nobody'),
    operation: fc.oneof(
      { weight: 6, arbitrary: fc.constant('job') },
      { weight: 2, arbitrary: fc.constant('film') },
      { weight: 1, arbitrary: fc.constantFrom('agent', 'nothing', 'free') },
    ),
    n: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 0, max: 45 }) },
      { weight: 1, arbitrary: fc.constant(-1) },
    ),
    key: fc.option(fc.constantFrom('k1', 'k2', 'k3'), { freq: 2 }),
    member: fc.option(fc.constantFrom('ann', 'bob'), { freq: 2 }),
    max: fc.option(fc.integer({ min: 10, max: 40 }), { freq: 8 }),
  });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { maxLength: 12, size: 'max' }),
      fc.nat({ max: 12 }),
      async (requests, alreadyDone) => {
        run += 1;
        await shop.at('2026-03-10T12:00:00Z');
        // The same accounts twice: for one batch, and for one call a request.
        const world = async (prefix: string) => {
          const of = (name: string) => `${name} of ${prefix} ${run}`;
          for (const [name, plan] of [
            ['a', 'ws_pro'],
            ['b', 'ws_saver'],
          ]) {
            const team = account(shop.database, of(name));
            await team.opened(plan);
            await team.grant(30);
            await team.one('add_member', { member_id: 'ann', period_cap: 60 });
          }
          return requests.map(
            ({ team, operation, n, key, member, max }): Request => ({
              account_id: of(team),
              operation,
              usage:
                operation === 'free'
                  ? undefined
                  : operation === 'film'
                    ? { n, footage: true, minutes: 3 }
                    : { n },
              idempotency_key: key ?? undefined,
              member_id: member ?? undefined,
              max_amount: max ?? undefined,
              metadata: { n },
            }),
          );
        };
        const outcome = (row: Row) => {
          const { account_id, recorded_at: _, error_detail, ...rest } = row;
          return {
            ...rest,
            account: account_id?.split(' ')[0],
            error_detail: error_detail && { ...error_detail, key: undefined },
          };
        };

        const batch = await world('a batch');
        // Some were sent before, so that the batch repeats them.
        await spendMany(batch.slice(0, alreadyDone));
        const together = (await spendMany(batch)).map(outcome);

        const single = await world('single calls');
        for (const request of single.slice(0, alreadyDone)) await spendMany([request]);
        const oneByOne: Row[] = [];
        for (const [index, request] of single.entries()) {
          for (const row of await spendOne(request))
            oneByOne.push(outcome({ ...row, request_index: index + 1 }));
        }
        expect(together.map(comparable)).toEqual(oneByOne.map(comparable));
        expect(await movements(`of a batch ${run}`)).toEqual(
          await movements(`of single calls ${run}`),
        );
      },
    ),
    { numRuns: runs(25) },
  );
}, 120_000);

/** What became of the lots of both accounts. */
const movements = async (accounts: string): Promise<Row[]> =>
  withNumbers(
    await shop.database.pool.query(
      `select split_part(p.account_id, ' ', 1) as account, p.seq, p.ordinal, p.lot_id, p.version, p.amount, p.granted,
         p.spent, p.forfeited, l.version as last_version, l.spent as spent_in_all, l.available, l.open
       from credits.postings p join credits.lots l on l.account_id = p.account_id and l.lot_id = p.lot_id
       where p.account_id = any ($1)
       order by account, p.seq, p.ordinal`,
      [['a', 'b'].map((team) => `${team} ${accounts}`)],
    ),
  );

/** What both ways tell; whether it was a replay only the batch says. */
function comparable(row: Row): Row {
  const { status, ...rest } = row;
  return { ...rest, refused: status === 'refused' };
}

/** A request by itself, through spend, with a refusal as spend_many reports it. */
async function spendOne(request: Request): Promise<Row[]> {
  const { usage, ...rest } = request;
  const team = account(shop.database, request.account_id ?? '');
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  try {
    const rows = await team.all('spend', { ...given, ...(usage !== undefined && { usage }) });
    return rows.map(({ refunds_seq, hold_id, purchase_id, reason, ...entry }) => ({
      ...entry,
      status: 'ok',
      error_code: null,
      error_detail: null,
      error_hint: null,
    }));
  } catch (error) {
    const { code, detail, hint } = await creditsError(Promise.reject(error));
    return [
      {
        account_id: request.account_id,
        operation: request.operation ?? null,
        usage: usage ?? null,
        idempotency_key: request.idempotency_key ?? null,
        member_id: request.member_id ?? null,
        metadata: request.metadata ?? null,
        status: 'refused',
        error_code: code,
        error_detail: detail,
        error_hint: hint,
        seq: null,
        unit: null,
        kind: null,
        amount: null,
        included: null,
        additional: null,
        balance_after: null,
        breakdown: null,
        occurred_at: null,
      },
    ];
  }
}

describe('at the same time', () => {
  test('two batches over the same accounts in opposite order wait, and do not deadlock', async () => {
    const teams = [await shop.team(10), await shop.team(10), await shop.team(10)];
    const forwards = teams.map((team) => job(team, 6));
    const { outcome } = await shop.race(
      (client) => spendMany(forwards, client),
      (client) => spendMany(forwards.toReversed(), client),
    );
    expect((await outcome).map(({ status, request_index }) => [request_index, status])).toEqual([
      [1, 'refused'],
      [2, 'refused'],
      [3, 'refused'],
    ]);
    for (const team of teams) expect((await team.balance()).total).toBe(4);
  });

  test('a batch that waits halfway holds only accounts that sort before the one it waits for', async () => {
    const [a, b, c] = [await shop.team(10), await shop.team(10), await shop.team(10)].sort(
      (x, y) => (x.id < y.id ? -1 : 1),
    );
    const holder = await shop.database.pool.connect();
    try {
      await holder.query('begin');
      await b.spend(1, {}, holder);
      const waiter = await shop.database.pool.connect();
      try {
        const pid = await backendPid(waiter);
        const outcome = spendMany([job(c, 1), job(b, 1), job(a, 1)], waiter);
        await untilBlocked(shop.database.pool, pid);
        // c is still free, so whoever has b may go on to c.
        await c.spend(1, {}, holder);
        await holder.query('commit');
        expect((await outcome).map(({ status }) => status)).toEqual(['ok', 'ok', 'ok']);
      } finally {
        waiter.release();
      }
    } finally {
      await holder.query('rollback');
      holder.release();
    }
    expect([
      (await a.balance()).total,
      (await b.balance()).total,
      (await c.balance()).total,
    ]).toEqual([9, 8, 8]);
  });

  test('the same batch twice charges once', async () => {
    const teams = [await shop.team(10), await shop.team(10)];
    const batch = teams.map((team, index) => job(team, 6, { idempotency_key: `k${index}` }));
    const { outcome } = await shop.race(
      (client) => spendMany(batch, client),
      (client) => spendMany(batch, client),
    );
    expect((await outcome).map(({ status }) => status)).toEqual(['replayed', 'replayed']);
    for (const team of teams) expect((await team.balance()).total).toBe(4);
  });
});
