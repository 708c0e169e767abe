import type { Pool } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, expectTypeOf, test, vi } from 'vitest';
import {
  ConflictError,
  type Credits,
  createCredits,
  type Hold,
  InsufficientCreditsError,
} from '../../src/client.ts';
import { createPool } from '../../src/database.ts';
import { atelierDatabase, NOON } from '../support/atelier.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';

const LATER = '2026-03-10T13:30:00Z';

let database: TestDatabase;
let pool: Pool;
let credits: Credits;
let accounts = 0;
let team: string;

beforeAll(async () => {
  database = await atelierDatabase();
  await database.query('create table public.renders (id int primary key)');
  pool = createPool({ connectionString: database.url });
  credits = createCredits(pool);
});
afterAll(async () => {
  await pool.end();
  await database.close();
});
verifyAfterEach(() => database);

beforeEach(async () => {
  await at(NOON);
  await database.query('truncate public.renders');
  team = `team-${++accounts}`;
  await credits.openAccount({ accountId: team, plan: 'atelier_pro', anchor: '2026-03-01' });
});

/** Sets the clock of every connection, those of the client's pool included. */
async function at(now: string): Promise<void> {
  await database.setNow(now);
  const clients = await Promise.all(Array.from({ length: 10 }, () => pool.connect()));
  for (const client of clients) {
    await client.query(`set credits.now = '${now}'`);
    client.release();
  }
}

/** Four images, 20 credits, of the 100 that there are. */
const images = (rest: { idempotencyKey?: string; expiresIn?: string } = {}) => ({
  accountId: team,
  operation: 'image',
  usage: { count: 4 },
  ...rest,
});

const balance = async () => {
  const [{ total, held }] = await credits.balances({ accountId: team });
  return { total: Number(total), held: Number(held) };
};
const charges = async () =>
  (await credits.activity({ accountId: team, kinds: ['usage'] }))
    .toReversed()
    .map(({ amount }) => Number(amount));
const holds = () =>
  database.query(
    `select hold_id::int as id, status, idempotency_key as key from credits.holds where account_id = $1 order by hold_id`,
    [team],
  );

describe('the work is charged', () => {
  test('what it came to, and its result is returned', async () => {
    const result = await credits.withHold(images(), async ({ capture, holdId, held }) => {
      expect({ holdId, held }).toMatchObject({ holdId: '1', held: [{ amount: '20.00' }] });
      expect(await balance()).toEqual({ total: 80, held: 20 });
      const entries = await capture({ usage: { count: 3 } });
      expect(entries).toMatchObject([{ amount: '-15.00', holdId: '1' }]);
      return { url: 'video.mp4' };
    });
    expectTypeOf(result).toEqualTypeOf<{ url: string }>();
    expect(result).toEqual({ url: 'video.mp4' });
    expect(await balance()).toEqual({ total: 85, held: 0 });
  });

  test('all that was held, if it captures nothing', async () => {
    expect(await credits.withHold(images(), () => 'done')).toBe('done');
    expect(await charges()).toEqual([-20]);
  });

  test('an amount, or nothing', async () => {
    await credits.withHold(images(), (hold) => hold.capture({ amount: '1.50' }));
    await credits.withHold(images(), (hold) => hold.capture({ amount: 0 }));
    expect(await charges()).toEqual([-1.5]);
    expect((await holds()).map(({ status }) => status)).toEqual(['captured', 'released']);
  });

  test('the items of a job', async () => {
    const items = [{ operation: 'image' }, { operation: 'film', usage: { seconds: 61 } }];
    await credits.withHold({ accountId: team, items }, (hold) =>
      hold.capture({
        items: [{ operation: 'image' }, { operation: 'film', usage: { seconds: 60 } }],
      }),
    );
    expect(await charges()).toEqual([-25, -1]);
  });

  test('in a transaction with a row of the application, or not at all', async () => {
    const save = (id: number) => (hold: Hold) => inTransaction(hold, id);
    const inTransaction = async (hold: Hold, id: number) => {
      const client = await pool.connect();
      try {
        await client.query('begin');
        await hold.capture({ usage: { count: 1 } }, client);
        await client.query('insert into public.renders values ($1)', [id]);
        await client.query('commit');
      } catch (error) {
        await client.query('rollback');
        throw error;
      } finally {
        client.release();
      }
    };
    await credits.withHold(images(), save(1));
    await expect(credits.withHold(images(), save(1))).rejects.toMatchObject({ code: '23505' });
    expect(await charges()).toEqual([-5]);
    expect(await balance()).toEqual({ total: 95, held: 0 });
  });
});

test('a capture that is rolled back by work that returns all the same: nothing is charged, and the hold ends by itself', async () => {
  const client = await pool.connect();
  await client.query('begin');
  await credits.withHold(images(), (hold) => hold.capture({}, client));
  await client.query('rollback');
  client.release();
  expect(await balance()).toEqual({ total: 80, held: 20 });
  await at(LATER);
  expect(await balance()).toEqual({ total: 100, held: 0 });
});

describe('the work fails', () => {
  test.each<[string, (error: Error) => Promise<never>]>([
    ['later', async (error) => Promise.reject(error)],
    [
      'at once',
      (error) => {
        throw error;
      },
    ],
  ])('%s: everything is given back, and its own error is thrown', async (_, fail) => {
    const failure = new Error('the model is down');
    await expect(credits.withHold(images(), () => fail(failure))).rejects.toBe(failure);
    expect(await balance()).toEqual({ total: 100, held: 0 });
    expect(await charges()).toEqual([]);
  });

  test('and the release too: the error of the work is thrown, and the hold ends by itself', async () => {
    const failure = new Error('the network is down');
    const own = createPool({ connectionString: database.url });
    const outcome = createCredits(own).withHold(images(), async () => {
      await own.end();
      throw failure;
    });
    await expect(outcome).rejects.toBe(failure);
    expect(await balance()).toEqual({ total: 80, held: 20 });
    await at(LATER);
    expect(await balance()).toEqual({ total: 100, held: 0 });
  });

  test('after it captured: the charge stays', async () => {
    const failure = new Error('the upload failed');
    const outcome = credits.withHold(images(), async (hold) => {
      await hold.capture();
      throw failure;
    });
    await expect(outcome).rejects.toBe(failure);
    expect(await charges()).toEqual([-20]);
  });

  /** The same calls, on which a release waits for `letThrough`, and what was asked of the database in which order. */
  const slowRelease = () => {
    const asked: string[] = [];
    const { promise: letThrough, resolve: go } = Promise.withResolvers<void>();
    const query = async (text: string, values: unknown[]) => {
      const name = /"(\w+)"/.exec(text)?.[1] as string;
      if (name === 'release') await letThrough;
      asked.push(name);
      return pool.query(text, values);
    };
    return { slow: createCredits({ query }), asked, go };
  };

  test('after a transaction that captured it was rolled back: it is released before the error is thrown', async () => {
    const { slow, go } = slowRelease();
    const order: string[] = [];
    const outcome = slow.withHold(images(), async (hold) => {
      const client = await pool.connect();
      await client.query('begin');
      await hold.capture({}, client);
      await client.query('rollback');
      client.release();
      // Some round trips after the work has failed.
      void balance()
        .then(balance)
        .then(() => order.push('released'))
        .then(() => go());
      throw new Error('the upload failed');
    });
    await outcome.catch(() => order.push('failed'));
    expect(order).toEqual(['released', 'failed']);
    expect(await balance()).toEqual({ total: 100, held: 0 });
  });

  test('while the transaction that captured it is open: nobody waits for the other for long, and a run again for the release', async () => {
    const failure = new Error('the upload failed');
    const { slow, asked, go } = slowRelease();
    const client = await pool.connect();
    await client.query('begin');
    const outcome = slow.withHold(images({ idempotencyKey: 'job-3' }), async (hold) => {
      await hold.capture({}, client);
      throw failure;
    });
    await expect(outcome).rejects.toBe(failure);
    await client.query('rollback');
    client.release();
    const again = slow.withHold(images({ idempotencyKey: 'job-3' }), ({ holdId }) => holdId);
    go();
    expect(await again).toBe('2');
    expect(asked).toEqual(['authorize', 'release', 'authorize', 'authorize', 'capture']);
    expect(await charges()).toEqual([-20]);
  });
});

describe('credits do not suffice', () => {
  test('for the hold: there is no work', async () => {
    const work = vi.fn();
    const outcome = credits.withHold({ ...images(), usage: { count: 21 } }, work);
    await expect(outcome).rejects.toBeInstanceOf(InsufficientCreditsError);
    expect(work).not.toHaveBeenCalled();
  });

  test('for more than the hold: nothing is charged, or what was held', async () => {
    const tooMuch = { usage: { count: 21 } };
    await expect(
      credits.withHold(images(), (hold) => hold.capture(tooMuch)),
    ).rejects.toBeInstanceOf(InsufficientCreditsError);
    expect(await balance()).toEqual({ total: 100, held: 0 });

    await credits.withHold(images(), (hold) =>
      hold.capture(tooMuch).catch((error) => {
        if (error instanceof InsufficientCreditsError) return hold.capture();
        throw error;
      }),
    );
    expect(await charges()).toEqual([-20]);
  });
});

describe('the work outlives the hold', () => {
  test('it is charged afresh, and marked late', async () => {
    await credits.withHold(images(), async (hold) => {
      await at(LATER);
      expect(await hold.capture({ usage: { count: 2 } })).toMatchObject([
        { amount: '-10.00', metadata: { late: true } },
      ]);
    });
    expect(await balance()).toEqual({ total: 90, held: 0 });
  });

  test('and cannot be paid any more: it says so, and nothing is charged', async () => {
    const outcome = credits.withHold(images(), async () => {
      await at(LATER);
      await credits.spend({ accountId: team, operation: 'image', usage: { count: 17 } });
    });
    await expect(outcome).rejects.toBeInstanceOf(InsufficientCreditsError);
    expect(await charges()).toEqual([-85]);
  });
});

describe('a job is tried again with its key', () => {
  const job = { idempotencyKey: 'job-17' };

  test('while the hold of a run that died is open: under that hold', async () => {
    const [{ holdId }] = await credits.authorize(images(job));
    await credits.withHold(images(job), (hold) => expect(hold.holdId).toBe(holdId));
    expect(await charges()).toEqual([-20]);
    expect(await holds()).toHaveLength(1);
  });

  test('after the hold of a run that died has expired: under that hold, so that it is charged once', async () => {
    const [{ holdId }] = await credits.authorize(images(job));
    await at(LATER);
    await credits.withHold(images(job), (hold) => expect(hold.holdId).toBe(holdId));
    // The first run was only slow.
    await credits.capture({ accountId: team, holdId });
    expect(await charges()).toEqual([-20]);
  });

  test('after runs that failed: under a new hold each', async () => {
    const failure = new Error('again');
    for (let run = 1; run <= 2; run += 1) {
      await expect(credits.withHold(images(job), () => Promise.reject(failure))).rejects.toBe(
        failure,
      );
    }
    await credits.withHold(images(job), () => {});
    expect(await charges()).toEqual([-20]);
    expect(await holds()).toEqual([
      { id: 1, status: 'released', key: 'job-17' },
      { id: 2, status: 'released', key: 'job-17 (2)' },
      { id: 3, status: 'captured', key: 'job-17 (3)' },
    ]);
  });

  test('after a run that was charged: not at all', async () => {
    await credits.withHold(images(job), () => {});
    const work = vi.fn();
    const error = await credits.withHold(images(job), work).catch((error) => error);
    expect(error).toBeInstanceOf(ConflictError);
    expect(error.detail).toEqual({ reason: 'already_captured', hold_id: 1 });
    expect(work).not.toHaveBeenCalled();
    expect(await charges()).toEqual([-20]);
  });

  test('with another request: a conflict, as ever', async () => {
    await credits.authorize(images(job));
    await expect(
      credits.withHold({ ...images(job), usage: { count: 5 } }, () => {}),
    ).rejects.toMatchObject({ code: 'PC409', detail: { reason: 'idempotency_key_reused' } });
  });
});

test('types: a hold takes what authorize or authorizeItems take, a capture one sort of cost', () => {
  type Request = Parameters<Credits['withHold']>[0];
  const never = async () => {
    // @ts-expect-error: an operation, or items
    await credits.withHold({ accountId: team }, () => {});
    // @ts-expect-error: names are in camel case
    await credits.withHold({ ...images(), expires_in: '1 hour' }, () => {});
    // @ts-expect-error: a count is in the usage
    await credits.withHold(images(), (hold) => hold.capture({ count: 3 }));
  };
  expectTypeOf(never).returns.resolves.toBeVoid();
  expectTypeOf<{ accountId: string; operation: string }>().toExtend<Request>();
  expectTypeOf<{ accountId: string; items: { operation: string }[] }>().toExtend<Request>();
});
