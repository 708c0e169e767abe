/** What no key can see, the audit finds: each violation is forged by the tables' owner, and rolled back. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { atelierDatabase, NOON } from '../support/atelier.ts';
import { asOwnerRolledBack, call } from '../support/calls.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';

let database: TestDatabase;
verifyAfterEach(() => database);

// Each account has: 1 a refill of 100 credits (lot 1), 2 of 10 minutes (lot 2), 3 a grant of 20 credits (lot 3) that
// expires on March 20th, 4 and 5 spends of 5 and 3 from lot 1, 6 a spend of nothing.
beforeAll(async () => {
  database = await atelierDatabase();
  for (const account_id of ['team', 'other']) {
    await call(database.pool, 'open_account', { account_id, plan: 'atelier_pro' });
    await call(database.pool, 'grant', {
      account_id,
      amount: 20,
      expires_at: '2026-03-20T00:00:00Z',
    });
    for (const operation of ['image', 'print', 'edit']) {
      await call(database.pool, 'spend', { account_id, operation });
    }
  }
});
afterAll(() => database.close());

/** What the audit says of an account after statements that the keys, the deferred ones too, let pass. */
const found = (statements: string, account_id: string | null = 'team') =>
  asOwnerRolledBack(database.pool, async (query) => {
    await query(statements);
    await query('set constraints all immediate');
    await query('reset role');
    return query('select * from credits.verify($1)', [account_id]);
  });
const entry = (change: string, seq: number) =>
  `update credits.entries set ${change} where account_id = 'team' and seq = ${seq}`;
const posting = (change: string, seq: number) =>
  `update credits.postings set ${change} where account_id = 'team' and seq = ${seq}`;
const lot = (change: string, lot_id: number) =>
  `update credits.lots set ${change} where account_id = 'team' and lot_id = ${lot_id}`;
const account = (change: string) =>
  `update credits.accounts set ${change} where account_id = 'team'`;
/** What a lot repeats of its bucket. */
const ADDITIONAL = `select bucket, draw_order, counts_as from credits.buckets where bucket = 'additional'`;
const violation = (rule: string, detail: object = {}) => ({
  account_id: 'team',
  rule,
  detail: expect.objectContaining(detail),
});

describe('verify', () => {
  test('has nothing to say of a sound ledger, or of an account that is not there', async () => {
    expect(await call(database.pool, 'verify', {})).toEqual([]);
    expect(await call(database.pool, 'verify', { account_id: null })).toEqual([]);
    expect(await call(database.pool, 'verify', { account_id: 'team' })).toEqual([]);
    expect(await call(database.pool, 'verify', { account_id: 'nobody' })).toEqual([]);
  });

  test('finds an entry of no account, and a posting of no lot', async () => {
    const forged = `
      insert into credits.entries (account_id, seq, unit, kind, amount, included, additional, balance_after, occurred_at, recorded_at)
      values ('nobody', 1, 'credit', 'grant', 5, 0, 5, 5, '${NOON}', '${NOON}');
      insert into credits.postings (account_id, seq, ordinal, lot_id, version, amount, granted, spent, forfeited)
      values ('nobody', 1, 1, 1, 1, 5, 5, 0, 0)`;
    expect(await found(forged, 'nobody')).toEqual(
      expect.arrayContaining([
        { account_id: 'nobody', rule: 'entry_of_no_account', detail: { seq: 1 } },
        { account_id: 'nobody', rule: 'posting_of_no_lot', detail: { seq: 1, lot_id: 1 } },
      ]),
    );
  });

  test.each([`bucket = 'borrowed'`, `bucket = 'additional'`, 'draw_order = 2'])(
    'finds a lot that is not as its bucket: %s',
    async (change) => {
      expect(await found(lot(change, 1))).toEqual([
        violation('lot_is_not_as_its_bucket', { lot_id: 1 }),
      ]);
    },
  );

  test('finds a lot that counts as its bucket does not', async () => {
    expect(await found(lot(`counts_as = 'additional'`, 1))).toContainEqual(
      violation('lot_is_not_as_its_bucket', { lot_id: 1, counts_as: 'additional' }),
    );
  });

  test('finds a posting whose entry is gone, also the last one, and an entry before the first', async () => {
    expect(
      await found(`delete from credits.entries where account_id = 'team' and seq >= 5`),
    ).toContainEqual(violation('posting_of_no_entry', { seq: 5, lot_id: 1 }));
    expect(await found(entry('seq = 0', 1))).toContainEqual(
      violation('seq_has_a_gap', { seq: 0, expected: 1 }),
    );
  });

  test('finds a lot that is closed with something left in it', async () => {
    expect(await found(lot('open = false', 1))).toContainEqual(
      violation('lot_is_open_or_closed_by_mistake', { lot_id: 1, open: false }),
    );
  });

  test('finds an account that does not say what its settings and keys are', async () => {
    expect(await found(account('top_ups = true'))).toEqual([
      violation('top_ups_are_not_as_set', { top_ups: true }),
    ]);
    const held = `select credits.authorize('team', 'image', idempotency_key => 'held', expires_in => '1 year')`;
    expect(await found(`reset role; ${held}`)).toEqual([]);
    expect(await found(`reset role; ${held}; ${account('has_other_keys = false')}`)).toEqual([
      violation('other_key_is_overlooked', { idempotency_key: 'held' }),
    ]);
  });

  test('finds a price list that is not as its rates, of a card and so of no account', async () => {
    const stale = {
      account_id: null,
      rule: 'price_list_is_not_as_its_rates',
      detail: { rate_card: 'atelier', operation: 'image' },
    };
    for (const change of [
      `update credits.card_rates set price = price + 1 where rate_card = 'atelier' and operation = 'image'`,
      `delete from credits_private.price_lists where rate_card = 'atelier' and operation = 'image'`,
    ]) {
      expect(await found(change, null)).toEqual([stale]);
      expect(
        await found(`${change}; select credits_private.list_prices('atelier', '${NOON}')`, null),
      ).toEqual([]);
    }
  });

  test('audits one account or all of them', async () => {
    const forged = entry('balance_after = 1', 6);
    const violations = [violation('balance_is_not_the_running_sum', { seq: 6 })];
    expect(await found(forged, 'team')).toEqual(violations);
    expect(await found(forged, null)).toEqual(violations);
    expect(await found(forged, 'other')).toEqual([]);
  });

  test('finds all that is wrong, not the first thing', async () => {
    const rules = (
      await found(
        `${entry('balance_after = 1', 6)};
         ${lot('held = 1', 3)};
         ${account(`next_due_at = 'infinity'`)}`,
      )
    ).map(({ rule }) => rule);
    expect(rules).toEqual([
      'balance_is_not_the_running_sum',
      'due_later_than_it_falls_due',
      'held_is_not_the_sum_of_open_holds',
    ]);
  });

  test('writes nothing, and runs where nothing may be written', async () => {
    const client = await database.pool.connect();
    try {
      await client.query('begin read only');
      expect(await call(client, 'verify', {})).toEqual([]);
    } finally {
      await client.query('rollback');
      client.release();
    }
  });
});

describe('verify finds', () => {
  test('a gap in seq', async () => {
    expect(
      await found(`delete from credits.entries where account_id = 'team' and seq = 6;
        insert into credits.entries (account_id, seq, unit, kind, amount, included, additional, balance_after,
          occurred_at, recorded_at)
        values ('team', 7, 'credit', 'usage', 0, 0, 0, 112, '${NOON}', '${NOON}')`),
    ).toEqual([violation('seq_has_a_gap', { seq: 7, expected: 6 })]);
  });

  test('a log that does not begin at 1', async () => {
    expect(
      await found(
        `
        insert into credits.accounts (account_id, rate_card, opened_at) values ('new', 'atelier', '${NOON}');
        insert into credits.entries (account_id, seq, unit, kind, amount, included, additional, balance_after,
          occurred_at, recorded_at)
        values ('new', 2, 'credit', 'usage', 0, 0, 0, 0, '${NOON}', '${NOON}')`,
        'new',
      ),
    ).toEqual([{ ...violation('seq_has_a_gap', { seq: 2, expected: 1 }), account_id: 'new' }]);
  });

  test('time that goes back along the log', async () => {
    expect(await found(entry(`occurred_at = occurred_at - interval '1 microsecond'`, 4))).toEqual([
      violation('time_goes_back', { seq: 4 }),
    ]);
    expect(await found(entry(`occurred_at = occurred_at + interval '1 microsecond'`, 4))).toEqual([
      violation('time_goes_back', { seq: 5 }),
    ]);
  });

  test('a balance that is not the running sum of the amounts', async () => {
    expect(await found(entry('balance_after = balance_after + 0.01', 5))).toEqual([
      violation('balance_is_not_the_running_sum', { seq: 5, balance_after: 112.01, sum: 112 }),
    ]);
  });

  test('an amount that is not the sum of the postings', async () => {
    expect(
      await found(
        `${entry('amount = amount + 1, included = included + 1', 5)};
         ${entry('balance_after = balance_after + 1', 5)};
         ${entry('balance_after = balance_after + 1', 6)};
         ${entry(`breakdown = '[{"amount": 2}]'`, 5)}`,
      ),
    ).toEqual([
      violation('entry_is_not_the_sum_of_its_postings', {
        seq: 5,
        included: -2,
        postings_included: -3,
      }),
    ]);
  });

  test('a split over the buckets that is not that of the postings', async () => {
    expect(await found(entry('included = -2, additional = -1', 5))).toEqual([
      violation('entry_is_not_the_sum_of_its_postings', {
        seq: 5,
        additional: -1,
        postings_additional: 0,
      }),
    ]);
    expect(await found(lot(`(bucket, draw_order, counts_as) = (${ADDITIONAL})`, 2))).toEqual([
      violation('entry_is_not_the_sum_of_its_postings', { seq: 2, included: 10 }),
    ]);
  });

  test('an entry without its postings', async () => {
    expect(
      await found(
        `insert into credits.entries (account_id, seq, unit, kind, amount, included, additional, balance_after,
           occurred_at, recorded_at)
         values ('team', 7, 'credit', 'grant', 5, 0, 5, 117, '${NOON}', '${NOON}')`,
      ),
    ).toEqual([violation('entry_is_not_the_sum_of_its_postings', { seq: 7, additional: 5 })]);
  });

  test('a posting that moves a lot of another unit', async () => {
    expect(await found(lot(`unit = 'credit'`, 2))).toEqual([
      violation('posting_is_in_another_unit', {
        seq: 2,
        lot_id: 2,
        unit: 'minute',
        lot_unit: 'credit',
      }),
    ]);
  });

  test('a breakdown that does not add up, or is none', async () => {
    const wrong = [violation('breakdown_does_not_add_up', { seq: 4, amount: -5 })];
    for (const breakdown of [
      `'[{"amount": 4.99}]'`,
      `'[{"amount": 5}, {"component": "rounding", "amount": 0.01}]'`,
      `'[]'`,
      'null',
      `'null'`,
      `'{"amount": 5}'`,
      `'[{"amount": "5"}]'`,
      `'[5]'`,
      `'"5"'`,
    ]) {
      expect(await found(entry(`breakdown = ${breakdown}`, 4))).toEqual(wrong);
    }
  });

  test('a posting that does not follow from the one before it', async () => {
    // The figures of one that is no lot's last are held by no key.
    expect(await found(posting('spent = 4', 4))).toEqual([
      violation('posting_does_not_follow', { lot_id: 1, version: 2, seq: 4 }),
      violation('posting_does_not_follow', { lot_id: 1, version: 3, seq: 5 }),
    ]);
    expect(await found(posting('amount = -4', 4))).toEqual([
      violation('entry_is_not_the_sum_of_its_postings', { seq: 4 }),
      violation('posting_does_not_follow', { lot_id: 1, version: 2, seq: 4 }),
    ]);
  });

  test('a posting that is missing in between', async () => {
    expect(
      await found(`delete from credits.postings where account_id = 'team' and seq = 4`),
    ).toEqual([
      violation('entry_is_not_the_sum_of_its_postings', { seq: 4 }),
      violation('posting_does_not_follow', { lot_id: 1, version: 3, seq: 5 }),
    ]);
  });

  test('versions of a lot that do not count from 1', async () => {
    expect(await found(`${lot('version = 2', 2)}; ${posting('version = 2', 2)}`)).toEqual([
      violation('posting_does_not_follow', { lot_id: 2, version: 2, seq: 2 }),
    ]);
  });

  test('postings of a lot that change places', async () => {
    expect(
      await found(
        `${posting('seq = 4, ordinal = 2', 5)};
         ${posting('seq = 5', 4)} and ordinal = 1`,
      ),
    ).toEqual([
      violation('entry_is_not_the_sum_of_its_postings', { seq: 4, postings_included: -3 }),
      violation('entry_is_not_the_sum_of_its_postings', { seq: 5, postings_included: -5 }),
      violation('posting_does_not_follow', { lot_id: 1, version: 3, seq: 4 }),
    ]);
  });

  test('a lot that was set back to an older posting', async () => {
    expect(await found(lot('spent = 5, version = 2', 1))).toEqual([
      violation('lot_is_not_as_its_last_posting', {
        lot_id: 1,
        version: 2,
        last_version: 3,
        spent: 5,
      }),
    ]);
    expect(await found(lot('spent = 0, version = 1', 1))).toEqual([
      violation('lot_is_not_as_its_last_posting', { lot_id: 1, version: 1, last_version: 3 }),
    ]);
  });

  test('something held without a hold', async () => {
    expect(await found(lot('held = 0.01', 2))).toEqual([
      violation('held_is_not_the_sum_of_open_holds', { lot_id: 2, held: 0.01, holds: 0 }),
    ]);
  });

  test('an account that would be settled too late', async () => {
    // Lot 3 expires first, then the period ends.
    for (const next_due_at of [`'2026-03-20T00:00:00.000001Z'`, 'period_end', `'infinity'`]) {
      expect(await found(account(`next_due_at = ${next_due_at}`))).toEqual([
        violation('due_later_than_it_falls_due'),
      ]);
    }
    // Too early costs a look and nothing else.
    expect(await found(account(`next_due_at = '-infinity'`))).toEqual([]);
  });

  test('the same after time has passed and all was settled', async () => {
    await database.setNow('2026-08-01T00:00:00Z');
    await call(database.pool, 'settle_due', {});
    expect(await call(database.pool, 'verify', {})).toEqual([]);
    for (const next_due_at of [`period_end + interval '1 second'`, `'infinity'`]) {
      expect(await found(account(`next_due_at = ${next_due_at}`))).toEqual([
        violation('due_later_than_it_falls_due'),
      ]);
    }
  });
});
