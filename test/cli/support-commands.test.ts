import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Credits, createCredits } from '../../src/client.ts';
import { atelierDatabase } from '../support/atelier.ts';
import { run } from '../support/command.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';

let database: TestDatabase;
let credits: Credits;
let accounts = 0;
let team: string;

beforeAll(async () => {
  database = await atelierDatabase(['atelier']);
  credits = createCredits(database.pool);
});
afterAll(() => database.close());
verifyAfterEach(() => database);
beforeEach(async () => {
  team = `team-${++accounts}`;
  await credits.openAccount({ accountId: team, plan: 'atelier_pro', anchor: '2026-03-01' });
});

const pgcredits = (...args: string[]) => run(args, { DATABASE_URL: database.url });

/** The cells of a table, a row a line, with one space between them. */
const cells = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().replace(/ +/g, ' '));

async function json(...args: string[]) {
  const { status, stdout } = await pgcredits(...args, '--json');
  expect(status).toBe(0);
  return JSON.parse(stdout);
}

describe('quote', () => {
  test('shows the price, whether it can be paid, and what it consists of', async () => {
    const { status, stdout } = await pgcredits('quote', team, 'image', 'resolution=4K', 'count=11');
    expect(status).toBe(0);
    expect(cells(stdout)).toEqual([
      'unit amount available affordable blocked_by',
      'credit 110.00 100.00 false insufficient_credits',
      '',
      'component quantity measure per price multiplier count amount unit',
      'base 1 1 5 2 11 110 credit',
    ]);
  });

  test('takes numbers as exact as they were written', async () => {
    // A minute that has begun counts, by however little.
    for (const usage of ['seconds=60.00000000000000001', '{"seconds": 60.00000000000000001}']) {
      expect((await json('quote', team, 'film', usage))[1].amount).toBe('2');
    }
  });

  test('takes numbers, texts and JSON', async () => {
    const [credit, minute] = await json('quote', team, 'film', 'seconds=61');
    expect([credit.amount, minute.amount]).toEqual(['20.00', '2']);
    const usage = ['{"quality": "pro"}', 'seconds=60', 'note=a=b'];
    expect(await json('quote', team, 'video', ...usage)).toMatchObject([{ amount: '20.00' }]);
    expect(await json('quote', team, 'edit')).toMatchObject([{ amount: '0.00' }]);
  });
});

test.each([
  ['balance', '--at', ['--at', 'bogus']],
  ['activity', '--since', ['--since', 'bogus']],
  ['activity', '--until', ['--until', '2026-02-30']],
  ['grant', 'amount', ['abc', '--reason', 'x']],
  ['grant', '--expires', ['5', '--reason', 'x', '--expires', 'bogus']],
  ['quote', 'quality', ['video', 'quality=high', 'quality=low']],
  ['quote', 'quality', ['video', '{"quality": "high"}', 'quality=low']],
])('%s: what cannot be read is wrong usage, which names %s', async (command, named, args) => {
  const { status, stdout, stderr } = await pgcredits(command, team, ...args);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(/^error: .*\. (Write|Give) .*\.\n/);
  expect(stderr.split('\n')[0]).toContain(named);
});

describe('balance', () => {
  test('shows every unit', async () => {
    await credits.grant({ accountId: team, amount: 20 });
    await credits.authorize({ accountId: team, operation: 'image' });
    expect(cells((await pgcredits('balance', team)).stdout)).toEqual([
      'unit included additional held total next_refill_at',
      'credit 95.00 20.00 5.00 115.00 2026-04-01 00:00:00Z',
      'minute 10 0 0 10 2026-04-01 00:00:00Z',
    ]);
  });

  test('at another time', async () => {
    await credits.spend({ accountId: team, operation: 'image' });
    const [{ total, next_refill_at }] = await json('balance', team, '--at', '2026-04-01');
    expect([total, next_refill_at]).toEqual(['100.00', '2026-05-01T00:00:00.000Z']);
  });
});

describe('activity', () => {
  beforeEach(async () => {
    await credits.spend({
      accountId: team,
      operation: 'image',
      usage: { count: 2 },
      memberId: 'ann',
    });
    await credits.spend({ accountId: team, operation: 'print', memberId: 'bob' });
  });

  test('shows the log, newest first', async () => {
    expect(cells((await pgcredits('activity', team)).stdout)).toEqual([
      'seq occurred_at kind operation usage member_id unit amount balance_after reason',
      '4 2026-03-10 12:00:00Z usage print bob credit -3.00 87.00',
      '3 2026-03-10 12:00:00Z usage image count=2 ann credit -10.00 90.00',
      '2 2026-03-10 12:00:00Z refill minute 10 10',
      '1 2026-03-10 12:00:00Z refill credit 100 100',
    ]);
  });

  test('sums up a job of several items, and has them all as JSON', async () => {
    const items = [{ operation: 'image' }, { operation: 'print' }, { operation: 'image' }];
    await credits.spendItems({ accountId: team, items });
    const [, job] = cells((await pgcredits('activity', team, '--limit', '1')).stdout);
    expect(job).toMatch(/ usage 2 image, 1 print credit -13\.00 /);
    const [{ usage }] = await json('activity', team, '--limit', '1');
    expect(usage).toHaveLength(3);
  });

  test('of a time, of some kinds, of a member, so many', async () => {
    const seqs = async (...args: string[]) =>
      (await json('activity', team, ...args)).map(({ seq }: { seq: string }) => Number(seq));
    expect(
      await Promise.all([
        seqs('--member', 'ann'),
        seqs('--kind', 'refill', 'grant'),
        seqs('--limit', '3'),
        seqs('--since', '2026-03-10 12:00', '--until', '2026-03-10 12:01'),
        seqs('--since', '2026-03-10 12:01'),
      ]),
    ).toEqual([[3], [2, 1], [4, 3, 2], [4, 3, 2, 1], []]);
    const [short, empty] = await Promise.all([
      pgcredits('activity', team, '--limit', '2'),
      pgcredits('activity', team, '--member', 'eve'),
    ]);
    expect(short.stdout).toMatch(/\nThe newest 2; --limit shows more\.\n$/);
    expect(empty.stdout).toBe('No entries.\n');
  });
});

describe('grant', () => {
  test('gives, and says what the account has now and how to take it back', async () => {
    const { status, stdout } = await pgcredits('grant', team, '2.5', '--reason', 'A broken render');
    expect(status).toBe(0);
    const [gave, now, back] = stdout.split('\n');
    expect(gave).toBe(`Gave 2.5 credit to ${team}: additional, without expiry, lot 3.`);
    expect(now).toBe('Available now: 102.50 credit.');
    expect(await credits.activity({ accountId: team, kinds: ['grant'] })).toMatchObject([
      { amount: '2.5', reason: 'A broken render' },
    ]);
    await database.query(back.replace('To take it back, in SQL: ', ''));
    expect(await json('balance', team)).toMatchObject([{ total: '100.00' }, { total: '10' }]);
  });

  test('says in its help that a reason is required', async () => {
    expect((await pgcredits('grant', '--help')).stdout).toMatch(/--reason <text> +.*required/);
  });

  test('of a unit, in a bucket, with an expiry', async () => {
    const options = ['--unit', 'minute', '--bucket', 'included', '--expires', '2026-04-15'];
    expect(await json('grant', team, '3', '--reason', 'x', ...options)).toMatchObject({
      unit: 'minute',
      bucket: 'included',
      granted: '3',
      expires_at: '2026-04-15T00:00:00.000Z',
      replayed: false,
    });
  });

  test('with the same key gives nothing more, and says so', async () => {
    const again = ['grant', team, '5', '--reason', 'x', '--key', 'ticket-7'];
    expect((await pgcredits(...again)).stdout).toMatch(/^Gave 5 /);
    const { status, stdout } = await pgcredits(...again);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Had given 5 .*nothing was added\.\nAvailable now: 105\.00 credit\./);
    expect(await json(...again)).toMatchObject({ replayed: true });

    const other = await pgcredits('grant', team, '6', '--reason', 'x', '--key', 'ticket-7');
    expect(other).toMatchObject({ status: 1, stdout: '' });
    expect(other.stderr).toMatch(/^Conflict: idempotency key reused\. \(PC409\)\n/);
  });
});

describe('an error of the contract is a sentence, what else there is to know, and what to do', () => {
  test.each<[string, () => string[], RegExp]>([
    [
      'PC404',
      () => ['balance', 'nobody'],
      /^There is no account "nobody"\. \(PC404\)\nOpen it with credits\.open_account\.\n$/,
    ],
    [
      'PC422',
      () => ['grant', team, '0.001', '--reason', 'x'],
      /^Wrong amount: too fine\. \(PC422\)\n {2}scale: 2\n {2}amount: 0\.001\n\S.*\n$/,
    ],
  ])('%s', async (_, args, told) => {
    const { status, stdout, stderr } = await pgcredits(...args());
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(told);
  });

  test('and with --json an object on stderr', async () => {
    const { status, stdout, stderr } = await pgcredits('balance', 'nobody', '--json');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(JSON.parse(stderr)).toMatchObject({
      code: 'PC404',
      detail: { what: 'account', key: 'nobody' },
      hint: expect.any(String),
    });
  });
});
