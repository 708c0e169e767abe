/** What the database itself refuses, whoever types it: everything here goes round the functions, as the tables' owner. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { atelierDatabase } from '../support/atelier.ts';
import { asOwnerRolledBack, call, sqlError } from '../support/calls.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';

let database: TestDatabase;
verifyAfterEach(() => database);

// The team's lot 1 has 100 granted and 8 spent, in two postings after the one that granted it; lot 2 is of minutes.
beforeAll(async () => {
  database = await atelierDatabase();
  for (const account_id of ['team', 'other']) {
    await call(database.pool, 'open_account', { account_id, plan: 'atelier_pro' });
    await call(database.pool, 'spend', { account_id, operation: 'image', idempotency_key: 'a' });
    await call(database.pool, 'spend', { account_id, operation: 'print', idempotency_key: 'b' });
  }
});
afterAll(() => database.close());

/** The error of a statement and of the deferred keys after it. */
const refusal = (statement: string) =>
  asOwnerRolledBack(database.pool, (query) =>
    sqlError(query(statement).then(() => query('set constraints all immediate'))),
  );
const unexplained = { code: '23503', constraint: 'lot_figures_are_explained_by_a_posting' };
const entry = (columns: Record<string, string>) => {
  const row: Record<string, string> = {
    account_id: `'team'`,
    seq: '5',
    unit: `'credit'`,
    kind: `'usage'`,
    amount: '0',
    included: '0',
    additional: '0',
    balance_after: '92',
    occurred_at: `'2026-03-11Z'`,
    recorded_at: `'2026-03-11Z'`,
    ...columns,
  };
  return `insert into credits.entries (${Object.keys(row)}) values (${Object.values(row)})`;
};

describe('a lot', () => {
  test.each([
    'granted = granted + 1',
    'granted = granted - 1',
    'spent = spent + 1',
    'spent = spent - 1',
    'spent = 0',
    'spent = 0.000001',
    'forfeited = forfeited + 1',
    'forfeited = available, held = 0',
    // What is available stays the same, and still nothing explains it.
    'granted = granted + 1, spent = spent + 1',
    'spent = spent - 1, forfeited = forfeited + 1',
    // Figures of another posting, or none.
    'version = version + 1',
    'version = version - 1',
    'granted = 0, spent = 0, forfeited = 0, version = 0',
  ])('refuses figures that no posting explains: %s', async (change) => {
    expect(
      await refusal(`update credits.lots set ${change} where account_id = 'team' and lot_id = 1`),
    ).toEqual(unexplained);
  });

  test('is refused at the commit at the latest', async () => {
    const client = await database.pool.connect();
    try {
      await client.query('begin');
      await client.query('set local role credits_owner');
      await client.query(
        `update credits.lots set spent = 0 where account_id = 'team' and lot_id = 1`,
      );
      expect(await sqlError(client.query('commit'))).toEqual(unexplained);
    } finally {
      client.release();
    }
    expect(
      await database.query(
        `select spent from credits.lots where account_id = 'team' and lot_id = 1`,
      ),
    ).toEqual([{ spent: '8.00' }]);
  });

  test('is not explained by what happened to another lot or in another account', async () => {
    // Lot 2 has 10 granted and nothing spent, in version 1.
    expect(
      await refusal(
        `update credits.lots set granted = 10, spent = 0, version = 1 where account_id = 'team' and lot_id = 1`,
      ),
    ).toEqual(unexplained);
  });

  test('cannot be inserted without a posting', async () => {
    expect(
      await refusal(`
        insert into credits.lots (account_id, lot_id, unit, bucket, draw_order, counts_as, granted, starts_at, source)
        select 'team', 3, 'credit', b.bucket, b.draw_order, b.counts_as, 1000, now(), 'grant'
        from credits.buckets b where b.bucket = 'additional'`),
    ).toEqual(unexplained);
  });

  test.each([
    ['spent = 101', 'amount_is_finite_and_not_negative'],
    ['forfeited = 93', 'amount_is_finite_and_not_negative'],
    ['held = 92.01', 'amount_is_finite_and_not_negative'],
    ['granted = 7', 'amount_is_finite_and_not_negative'],
    ['spent = -1', 'amount_is_finite_and_not_negative'],
    ['held = -1', 'amount_is_finite_and_not_negative'],
    [`granted = 'NaN'`, 'amount_is_finite_and_not_negative'],
    [`granted = 'Infinity'`, 'amount_is_finite_and_not_negative'],
    [`spent = 'NaN'`, 'amount_is_finite_and_not_negative'],
    [`price = 'NaN'`, 'money_is_finite_and_not_negative'],
    ['price = -1', 'money_is_finite_and_not_negative'],
    [`expires_at = starts_at - interval '1 microsecond'`, 'lot_does_not_end_before_it_starts'],
    [`source = 'thin air'`, 'lot_source_is_known'],
    ['purchase_id = 1', 'lots_purchase_fkey'],
  ])('is never of %s', async (change, constraint) => {
    expect(
      await refusal(`update credits.lots set ${change} where account_id = 'team' and lot_id = 1`),
    ).toMatchObject({ constraint });
  });

  test('computes what is available; nobody sets it', async () => {
    expect(await refusal('update credits.lots set available = 1000')).toEqual({ code: '428C9' });
  });
});

describe('a posting', () => {
  test('that explains a lot cannot be changed or go', async () => {
    for (const statement of [
      'update credits.postings set spent = 0',
      'update credits.postings set version = version + 1',
      'delete from credits.postings',
    ]) {
      expect(
        await refusal(`${statement} where account_id = 'team' and lot_id = 1 and version = 3`),
      ).toEqual(unexplained);
    }
  });
});

describe('an entry', () => {
  test.each([
    [{ amount: '-1' }, 'entry_amount_is_the_sum_of_its_buckets'],
    [{ included: '-1' }, 'entry_amount_is_the_sum_of_its_buckets'],
    [{ additional: '0.01' }, 'entry_amount_is_the_sum_of_its_buckets'],
    [{ amount: '5', included: '5', additional: '5' }, 'entry_amount_is_the_sum_of_its_buckets'],
    [{ amount: `'NaN'`, included: `'NaN'` }, 'signed_amount_is_finite'],
    [{ amount: `'Infinity'`, included: `'Infinity'` }, 'signed_amount_is_finite'],
    [{ amount: `'-Infinity'`, additional: `'-Infinity'` }, 'signed_amount_is_finite'],
    [{ balance_after: '-0.01' }, 'amount_is_finite_and_not_negative'],
    [{ balance_after: `'NaN'` }, 'amount_is_finite_and_not_negative'],
    [{ kind: `'gift'` }, 'entry_kind_is_known'],
    [{ seq: '4' }, 'entries_pkey'],
    [{ idempotency_key: `'a'` }, 'entries_idempotency_key'],
  ])('is refused with %o', async (columns, constraint) => {
    expect(await refusal(entry(columns as Record<string, string>))).toMatchObject({ constraint });
  });

  test('shares a key with one of another unit, and with another account', async () => {
    await asOwnerRolledBack(database.pool, async (query) => {
      await query(entry({ unit: `'minute'`, balance_after: '10', idempotency_key: `'a'` }));
    });
  });
});

describe('an account', () => {
  test.each([
    [`account_id = ''`, 'account_id_is_1_to_64_characters'],
    [`account_id = repeat('x', 65)`, 'account_id_is_1_to_64_characters'],
    ['period_end = period_start', 'account_period_is_in_order'],
    ['period_end = null', 'account_period_is_whole'],
    [`plan = 'atelier_gold'`, 'accounts_plan_fkey'],
    [`rate_card = 'souk'`, 'accounts_rate_card_fkey'],
  ])('is never of %s', async (change, constraint) => {
    expect(
      await refusal(`update credits.accounts set ${change} where account_id = 'other'`),
    ).toMatchObject({ constraint });
  });
});

describe('a claim', () => {
  const claim = (claimant: string, account: string) => `
    insert into credits.promotion_claims (rate_card, promotion, claimant, account_id, claimed_at)
    values ('atelier', 'welcome', '${claimant}', '${account}', now())`;

  test('is once per claimant and once per account, in lower case', async () => {
    expect(await refusal(`${claim('ada', 'team')}; ${claim('ada', 'other')}`)).toMatchObject({
      constraint: 'promotion_claims_pkey',
    });
    expect(await refusal(`${claim('ada', 'team')}; ${claim('grace', 'team')}`)).toMatchObject({
      constraint: 'promotion_is_claimed_once_per_account',
    });
    expect(await refusal(claim('Ada', 'team'))).toMatchObject({
      constraint: 'claimant_is_in_lower_case',
    });
    expect(await refusal(claim('', 'team'))).toMatchObject({
      constraint: 'claimant_is_in_lower_case',
    });
  });
});

describe('top-up settings', () => {
  test('that are enabled say when, and how much', async () => {
    for (const settings of ['null, 50', '20, null', '20, 0', 'null, null']) {
      expect(
        await refusal(`
          insert into credits.top_up_settings (account_id, enabled, threshold, amount)
          values ('team', true, ${settings})`),
      ).toMatchObject({ constraint: 'top_ups_enabled_have_threshold_and_amount' });
    }
  });
});
