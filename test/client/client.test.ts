import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely';
import type { Pool } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, expectTypeOf, test } from 'vitest';
import { type Credits, createCredits } from '../../src/client.ts';
import { createPool } from '../../src/database.ts';
import {
  ConflictError,
  CreditsError,
  InsufficientCreditsError,
  InvalidInputError,
  NotAllowedError,
  NotFoundError,
} from '../../src/errors.ts';
import type { Json } from '../../src/generated/functions.ts';
import { atelierDatabase } from '../support/atelier.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';

/** The application's own table. */
interface Application {
  renders: { id: number; account: string };
}

let database: TestDatabase;
let pool: Pool;
let kysely: Kysely<Application>;
let credits: Credits;
let accounts = 0;
let team: string;
let other: string;

beforeAll(async () => {
  database = await atelierDatabase();
  await database.query('create table public.renders (id int primary key, account text not null)');
  pool = createPool({ connectionString: database.url });
  kysely = new Kysely({ dialect: new PostgresDialect({ pool }) });
  credits = createCredits(pool);
});
afterAll(async () => {
  await kysely.destroy();
  await database.close();
});
verifyAfterEach(() => database);

beforeEach(async () => {
  await database.query('truncate public.renders');
  [team, other] = [`team-${++accounts}`, `other-${accounts}`];
  for (const accountId of [team, other]) {
    await credits.openAccount({ accountId, plan: 'atelier_pro', anchor: '2026-03-01' });
  }
});

const total = async (accountId: string) => (await credits.balances({ accountId }))[0].total;

const renders = async () =>
  (await database.query('select id from public.renders order by id')).map(({ id }) => id);

/** What a promise is rejected with. */
const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => {
      throw new Error(`expected an error, got ${JSON.stringify(value)}`);
    },
    (error) => error,
  );

describe('a call', () => {
  test('of spend passes every argument and returns the entries', async () => {
    const entries = await credits.spend({
      accountId: team,
      operation: 'image',
      usage: { resolution: '4K', count: 2, note: `it's "quoted"` },
      idempotencyKey: 'key',
      memberId: 'ann',
      maxAmount: '20',
      metadata: { some_project: ['a', null, { deep_key: 1 }] },
    });
    expect(entries).toEqual([
      expect.objectContaining({
        accountId: team,
        seq: '3',
        kind: 'usage',
        operation: 'image',
        unit: 'credit',
        amount: '-20.00',
        balanceAfter: '80.00',
        memberId: 'ann',
        usage: { resolution: '4K', count: 2, note: `it's "quoted"` },
        idempotencyKey: 'key',
        metadata: { some_project: ['a', null, { deep_key: 1 }] },
        occurredAt: new Date('2026-03-10T12:00:00Z'),
      }),
    ]);
    expect(await total(team)).toBe('80.00');
    expect(await total(other)).toBe('100.00');
  });

  test('leaves to the database what is left out, and passes null as null', async () => {
    const plain = await credits.grant({ accountId: team, amount: '5' });
    expect(plain).toMatchObject({ bucket: 'additional', priority: 100, expiresAt: null });
    const error = await rejection(credits.grant({ accountId: team, amount: '5', priority: null }));
    expect(error).toMatchObject({ code: 'PC422', detail: { field: 'priority' } });
    const undefinedToo = await credits.grant({ accountId: team, amount: '5', priority: undefined });
    expect(undefinedToo.priority).toBe(100);
  });

  test('keeps amounts exact, as strings', async () => {
    await credits.grant({ accountId: team, amount: '900719925474.99' });
    await credits.grant({ accountId: team, amount: '0.01' });
    expect(await total(team)).toBe('900719925575.00');
  });

  test('of a function that takes items passes them in order', async () => {
    const items = [
      { operation: 'film', usage: { seconds: 61 } },
      { operation: 'image', usage: { note: 'a, (b) "c" \\' } },
    ];
    const lines = await credits.quoteItems({ accountId: team, items });
    expect(lines.map(({ unit, amount }) => [unit, amount])).toEqual([
      ['credit', '25.00'],
      ['minute', '2'],
    ]);
    const [entry] = await credits.spendItems({ accountId: team, items });
    expect(entry.usage).toEqual(items);
  });

  test('of each reading function', async () => {
    await credits.claim({ accountId: team, promotion: 'welcome', claimant: 'a@example.com' });
    expect(await credits.quote({ accountId: team, operation: 'image' })).toMatchObject([
      { unit: 'credit', amount: '5.00', available: '130.00', affordable: true, blockedBy: null },
    ]);
    expect(
      (await credits.balances({ accountId: team, at: new Date('2026-04-02T00:00:00Z') }))[0],
    ).toEqual({
      unit: 'credit',
      included: '100.00',
      additional: '30.00',
      held: '0.00',
      total: '130.00',
      nextRefillAt: new Date('2026-05-01T00:00:00Z'),
    });
    expect(
      (await credits.activity({ accountId: team, kinds: ['grant', 'refill'] })).map(
        ({ seq, kind }) => [seq, kind],
      ),
    ).toEqual([
      ['3', 'grant'],
      ['2', 'refill'],
      ['1', 'refill'],
    ]);
    expect(await credits.features({ accountId: team })).toContainEqual({
      feature: 'seats',
      value: 5,
    });
    expect((await credits.rates({ accountId: team })).length).toBeGreaterThan(5);
    expect(await credits.item({ operation: 'image' })).toEqual({ operation: 'image', usage: {} });
    expect(await credits.verify()).toEqual([]);
    expect(await credits.verify({ accountId: team })).toEqual([]);
    expect(await credits.settleDue({})).toEqual({ settleDue: 0 });
  });

  test('with an argument that the function does not have is refused, so that no key goes missing', async () => {
    const given = { accountId: team, operation: 'image', idempotency_key: 'key' };
    const error = await rejection(credits.spend(given));
    expect(error).toBeInstanceOf(TypeError);
    expect(await total(team)).toBe('100.00');
  });

  test('repeated with its key charges once', async () => {
    const request = { accountId: team, operation: 'image', idempotencyKey: 'once' };
    const first = await credits.spend(request);
    expect(await credits.spend(request)).toEqual(first);
    expect(await total(team)).toBe('95.00');
  });
});

describe('an error of the contract', () => {
  test('PC402 says how much is missing', async () => {
    const error = await rejection(
      credits.spend({ accountId: team, operation: 'image', usage: { count: 21 } }),
    );
    expect(error).toBeInstanceOf(InsufficientCreditsError);
    if (!(error instanceof InsufficientCreditsError)) return;
    expect(error.detail).toMatchObject({ unit: 'credit', required: 105, shortfall: 5 });
    expect(error.hint).toEqual(expect.any(String));
    expectTypeOf(error.detail.shortfall).toEqualTypeOf<number>();
  });

  test.each<[string, new (...args: never[]) => CreditsError, () => Promise<unknown>, object]>([
    [
      'PC403',
      NotAllowedError,
      () => credits.spend({ accountId: team, operation: 'upscale' }),
      { requires: 'top_ups' },
    ],
    ['PC404', NotFoundError, () => credits.balances({ accountId: 'nobody' }), { what: 'account' }],
    [
      'PC409',
      ConflictError,
      () => credits.openAccount({ accountId: team, plan: 'atelier_studio' }),
      { reason: 'open_with_another_plan' },
    ],
    [
      'PC422',
      InvalidInputError,
      () => credits.grant({ accountId: team, amount: '0.001' }),
      { field: 'amount' },
    ],
  ])('%s has a class of its own', async (code, type, refused, detail) => {
    const error = await rejection(refused());
    expect(error).toBeInstanceOf(type);
    expect(error).toBeInstanceOf(CreditsError);
    expect(error).toMatchObject({ code, detail, cause: { code } });
  });

  test.each<[string, string, () => Promise<unknown>]>([
    ['a number', '22P02', () => credits.grant({ accountId: team, amount: 'much' })],
    ['a time', '22007', () => credits.balances({ accountId: team, at: 'soon' })],
    ['a day', '22008', () => credits.balances({ accountId: team, at: '2026-02-30' })],
    ['a text', '22021', () => credits.balances({ accountId: 'te\0am' })],
  ])('and %s that PostgreSQL cannot read is invalid input', async (_, code, refused) => {
    const error = await rejection(refused());
    expect(error).toBeInstanceOf(InvalidInputError);
    expect(error).toMatchObject({
      code: 'PC422',
      detail: { reason: 'malformed', field: null },
      hint: expect.any(String),
      cause: { code },
    });
  });

  test('an invalid Date is not sent', async () => {
    const error = await rejection(credits.balances({ accountId: team, at: new Date('soon') }));
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({ message: expect.stringContaining(' at') });
  });

  test('and no other: the rest comes as the database raised it', async () => {
    const missing = createCredits({
      query: (_, values) => pool.query('select * from missing', values),
    });
    const error = await rejection(missing.balances({ accountId: team }));
    expect(error).not.toBeInstanceOf(CreditsError);
    expect(error).toMatchObject({ code: '42P01' });
  });
});

describe('inside a transaction of the application', () => {
  /** The application's row and the spend, together; then what the test wants to happen. */
  const withPg = async (id: number, then: (credits: Credits) => Promise<unknown>) => {
    const client = await pool.connect();
    try {
      await client.query('begin');
      await client.query('insert into public.renders values ($1, $2)', [id, team]);
      const inside = createCredits(client);
      await inside.spend({ accountId: team, operation: 'image' });
      await then(inside);
      await client.query('commit');
    } catch (error) {
      await client.query('rollback');
      throw error;
    } finally {
      client.release();
    }
  };

  const withKysely = (id: number, then: (credits: Credits) => Promise<unknown>) =>
    kysely.transaction().execute(async (transaction) => {
      await transaction.insertInto('renders').values({ id, account: team }).execute();
      const inside = createCredits(transaction);
      await inside.spend({ accountId: team, operation: 'image' });
      await then(inside);
    });

  describe.each([
    ['pg', withPg],
    ['Kysely', withKysely],
  ])('of %s', (_, transaction) => {
    test('a spend commits with its row', async () => {
      await transaction(1, async (inside) => {
        expect((await inside.balances({ accountId: team }))[0].total).toBe('95.00');
        // Nobody else sees it yet.
        expect(await total(team)).toBe('100.00');
      });
      expect(await renders()).toEqual([1]);
      expect(await total(team)).toBe('95.00');
      expect(await total(other)).toBe('100.00');
    });

    test('a spend is undone with its row', async () => {
      const failure = new Error('the render failed');
      expect(
        await rejection(
          transaction(2, async () => {
            throw failure;
          }),
        ),
      ).toBe(failure);
      expect(await renders()).toEqual([]);
      expect(await total(team)).toBe('100.00');
      expect(await credits.activity({ accountId: team, kinds: ['usage'] })).toEqual([]);
    });

    test('a refused spend undoes everything', async () => {
      const error = await rejection(
        transaction(3, (inside) =>
          inside.spend({ accountId: team, operation: 'image', usage: { count: 100 } }),
        ),
      );
      expect(error).toBeInstanceOf(InsufficientCreditsError);
      expect(await renders()).toEqual([]);
      expect(await total(team)).toBe('100.00');
    });
  });
});

describe('Kysely', () => {
  test('works outside a transaction too', async () => {
    const own = createCredits(kysely);
    expect(await own.spend({ accountId: team, operation: 'image' })).toMatchObject([
      { accountId: team, amount: '-5.00', balanceAfter: '95.00' },
    ]);
  });

  test('with a plugin that renames keys leaves the JSON in rows alone', async () => {
    const own = createCredits(kysely.withPlugin(new CamelCasePlugin()));
    const [entry] = await own.spend({
      accountId: team,
      operation: 'image',
      metadata: { some_project: { deep_key: 1 } },
    });
    expect(entry).toMatchObject({
      balanceAfter: '95.00',
      metadata: { some_project: { deep_key: 1 } },
      breakdown: [{ rate_id: expect.any(Number) }],
    });
  });
});

describe('types', () => {
  test('follow the functions', () => {
    expectTypeOf<Parameters<Credits['spend']>[0]>().toEqualTypeOf<{
      accountId: string;
      operation: string;
      usage?: Json | null;
      idempotencyKey?: string | null;
      memberId?: string | null;
      maxAmount?: string | number | null;
      metadata?: Json | null;
    }>();
    expectTypeOf<Parameters<Credits['quoteItems']>[0]>().toEqualTypeOf<{
      accountId: string;
      items: { operation: string; usage?: Json | null }[];
    }>();
    expectTypeOf<Parameters<Credits['verify']>>().toEqualTypeOf<
      [given?: { accountId?: string | null }]
    >();

    type Entry = Awaited<ReturnType<Credits['spend']>>[number];
    expectTypeOf<Entry['balanceAfter']>().toEqualTypeOf<string>();
    expectTypeOf<Entry['idempotencyKey']>().toEqualTypeOf<string | null>();
    expectTypeOf<Entry['occurredAt']>().toEqualTypeOf<Date>();
    expectTypeOf<
      Awaited<ReturnType<Credits['openAccount']>>['periodEnd']
    >().toEqualTypeOf<Date | null>();

    // @ts-expect-error: an account needs an id
    const missing: Parameters<Credits['openAccount']>[0] = { plan: 'atelier_pro' };
    // @ts-expect-error: names are in camel case
    const misspelt: Parameters<Credits['balances']>[0] = { account_id: 'team' };
    expect([missing, misspelt]).toHaveLength(2);
  });
});
