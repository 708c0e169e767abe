import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { atelierDatabase } from '../support/atelier.ts';
import { type Arguments, call, type Row, sqlError } from '../support/calls.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';

let database: TestDatabase;
verifyAfterEach(() => database);

const ACCOUNTS = ['pro', 'saver', 'bare', 'coins'];
const JUNE = '2026-06-15T12:00:00Z';

/** Rows of a report as the analyst reads them, figures as numbers. */
const report = async (view: string, order: string): Promise<Row[]> =>
  (
    await database.as('credits_analyst', {}, (query) =>
      query(`select to_jsonb(v) as row from credits_report.${view} v order by ${order}`),
    )
  ).map(({ row }) => row);

// From March to June: refills, expiries, usage of several members on both sides of midnight, a job of several
// operations, a rounded price, and a bought lot of which half is left.
beforeAll(async () => {
  database = await atelierDatabase();
  const at = async (now: string, name: string, args: Arguments) => {
    await database.setNow(now);
    return call(database.pool, name, args);
  };
  const spend = (now: string, account_id: string, operation: string, rest: Arguments = {}) =>
    at(now, 'spend', { account_id, operation, ...rest });
  const start = '2026-03-10T00:00:00Z';
  await at(start, 'open_account', { account_id: 'pro', plan: 'atelier_pro' });
  await at(start, 'open_account', { account_id: 'saver', plan: 'atelier_saver' });
  await at(start, 'open_account', { account_id: 'bare', rate_card: 'atelier' });
  await at(start, 'open_account', { account_id: 'coins', plan: 'bazaar_pro' });

  const ada = { member_id: 'ada' };
  await spend('2026-03-10T23:59:59Z', 'pro', 'image', ada);
  await spend('2026-03-11T00:00:00Z', 'pro', 'image', { ...ada, usage: { count: 2 } });
  await spend('2026-03-11T12:00:00Z', 'pro', 'image', { usage: { resolution: '4K' } });
  await spend('2026-03-11T13:00:00Z', 'pro', 'film', { usage: { seconds: 90 } });
  await spend('2026-03-11T13:00:00Z', 'saver', 'image', ada);
  await spend('2026-03-12T00:00:00Z', 'coins', 'image', ada);
  await at('2026-03-12T00:00:00Z', 'spend_items', {
    account_id: 'pro',
    items: [
      ['image', {}],
      ['video', { quality: 'pro', seconds: 10 }],
    ],
  });
  await spend('2026-03-12T01:00:00Z', 'pro', 'edit');
  await at('2026-04-20T00:00:00Z', 'grant', { account_id: 'bare', amount: 60 });
  await at('2026-04-20T00:00:00Z', 'grant', { account_id: 'bare', amount: 200 });
  // What a purchase will write once there is one to settle.
  await database.query(
    `update credits.lots set source = 'purchase', price = 10, currency = 'USD'
     where account_id = 'bare' and lot_id = 2`,
  );
  await spend('2026-04-20T00:00:00Z', 'bare', 'video', { usage: { quality: 'pro', seconds: 480 } });
  await at('2026-04-20T00:00:00Z', 'claim', {
    account_id: 'bare',
    promotion: 'welcome',
    claimant: 'ada',
  });
  await database.setNow(JUNE);
});
afterAll(() => database.close());

/** The balances of all accounts, as the functions give them. */
const balances = async () =>
  (
    await Promise.all(
      ACCOUNTS.toSorted().map(async (account_id) =>
        (
          await call(database.pool, 'balances', { account_id })
        ).map(({ unit, included, additional, total, held }) => ({
          account_id,
          unit,
          included,
          additional,
          total,
          held,
        })),
      ),
    )
  ).flat();
const settle = () => call(database.pool, 'settle_due', {});

describe('accounts_due', () => {
  test('lists what has fallen due and is not written down', async () => {
    const due = await report('accounts_due', 'account_id');
    expect(due).toEqual([
      {
        account_id: 'coins',
        rate_card: 'bazaar',
        plan: 'bazaar_pro',
        next_due_at: expect.any(String),
        overdue: '66 days 12:00:00',
      },
      expect.objectContaining({ account_id: 'pro', plan: 'atelier_pro' }),
      expect.objectContaining({ account_id: 'saver', overdue: '66 days 12:00:00' }),
    ]);
    expect(new Date(due[0].next_due_at)).toEqual(new Date('2026-04-10T00:00:00Z'));
    await database.setNow('2026-04-09T23:59:59Z');
    expect(await report('accounts_due', 'account_id')).toEqual([]);
    await database.setNow('2026-04-10T00:00:00Z');
    expect(await report('accounts_due', 'account_id')).toMatchObject([
      { account_id: 'coins', overdue: '00:00:00' },
      { account_id: 'pro' },
      { account_id: 'saver' },
    ]);
    await database.setNow(JUNE);
  });

  test('is empty once it is settled', async () => {
    const unsettled = (await report('balances', 'account_id, unit'))
      .filter(({ due }) => due)
      .map(({ account_id }) => account_id);
    expect(new Set(unsettled)).toEqual(new Set(['coins', 'pro', 'saver']));
    await settle();
    expect(await report('accounts_due', 'account_id')).toEqual([]);
  });
});

describe('balances', () => {
  test('says what credits.balances says of every account', async () => {
    await settle();
    const rows = await report('balances', 'account_id, unit');
    expect(
      rows.map(({ rate_card, plan, due, ...figures }) => {
        expect(due).toBe(false);
        return figures;
      }),
    ).toEqual(await balances());
    expect(rows.filter(({ account_id }) => account_id === 'bare')).toMatchObject([
      { rate_card: 'atelier', plan: null, unit: 'credit', additional: 130, total: 130 },
      { rate_card: 'atelier', plan: null, unit: 'minute', total: 0 },
    ]);
  });
});

describe('liability', () => {
  test('is what is left of additional credits, and of what was paid for them', async () => {
    expect(await report('liability', 'source')).toEqual([
      {
        rate_card: 'atelier',
        account_id: 'bare',
        unit: 'credit',
        source: 'promotion',
        currency: null,
        lots: 1,
        unspent: 30,
        paid: null,
        paid_for_unspent: null,
      },
      {
        rate_card: 'atelier',
        account_id: 'bare',
        unit: 'credit',
        source: 'purchase',
        currency: 'USD',
        lots: 1,
        unspent: 100,
        paid: 10,
        paid_for_unspent: 5,
      },
    ]);
  });

  test('adds up to the additional credits of all balances', async () => {
    await settle();
    const sum = (rows: Row[], column: string) =>
      rows.reduce((total, row) => total + row[column], 0);
    expect(sum(await report('liability', 'source'), 'unspent')).toBe(
      sum(await balances(), 'additional'),
    );
  });
});

describe('usage_by_day', () => {
  test('is by UTC day, account, operation, member and unit', async () => {
    const rows = await report('usage_by_day', 'day, account_id, operation, member_id, unit');
    expect(
      rows.map((row) => [
        row.day,
        row.account_id,
        row.operation,
        row.member_id,
        row.unit,
        row.entries,
        row.amount,
        row.included,
        row.additional,
      ]),
    ).toEqual([
      ['2026-03-10', 'pro', 'image', 'ada', 'credit', 1, 5, 5, 0],
      ['2026-03-11', 'pro', 'film', null, 'credit', 1, 20, 20, 0],
      ['2026-03-11', 'pro', 'film', null, 'minute', 1, 2, 2, 0],
      ['2026-03-11', 'pro', 'image', 'ada', 'credit', 1, 10, 10, 0],
      ['2026-03-11', 'pro', 'image', null, 'credit', 1, 10, 10, 0],
      ['2026-03-11', 'saver', 'image', 'ada', 'credit', 1, 5, 5, 0],
      ['2026-03-12', 'coins', 'image', 'ada', 'coin', 1, 7, 7, 0],
      ['2026-03-12', 'pro', 'edit', null, 'credit', 1, 0, 0, 0],
      ['2026-03-12', 'pro', null, null, 'credit', 1, 8.33, 8.33, 0],
      ['2026-04-20', 'bare', 'video', null, 'credit', 1, 160, 0, 160],
    ]);
  });

  test('is the same whatever zone the reader is in', async () => {
    const days = (zone: string) =>
      database.as('credits_analyst', {}, async (query) => {
        await query(`select set_config('timezone', $1, true)`, [zone]);
        return query(
          'select day::text, sum(amount)::text from credits_report.usage_by_day group by day order by day',
        );
      });
    expect(await days('Pacific/Kiritimati')).toEqual(await days('America/Los_Angeles'));
  });

  test('adds up to the usage of the log', async () => {
    const [{ entries, amount }] = await database.query(
      `select count(*)::int as entries, -sum(amount)::float as amount from credits.entries where kind = 'usage'`,
    );
    const rows = await report('usage_by_day', 'day');
    expect(rows.reduce((sum, row) => sum + row.entries, 0)).toBe(entries);
    expect(rows.reduce((sum, row) => sum + row.amount, 0)).toBeCloseTo(amount, 9);
  });
});

describe('refills_and_expiries_by_month', () => {
  test('is by UTC month, account and unit', async () => {
    await settle();
    const rows = await report('refills_and_expiries_by_month', 'account_id, unit, month');
    expect(
      rows.map((row) => [
        row.account_id,
        row.unit,
        row.month,
        row.refills,
        row.refilled,
        row.expiries,
        row.expired,
      ]),
    ).toEqual([
      ['coins', 'coin', '2026-03-01', 1, 70, 0, 0],
      ['coins', 'coin', '2026-04-01', 1, 70, 1, 63],
      ['coins', 'coin', '2026-05-01', 1, 70, 1, 70],
      ['coins', 'coin', '2026-06-01', 1, 70, 1, 70],
      ['pro', 'credit', '2026-03-01', 1, 100, 0, 0],
      ['pro', 'credit', '2026-04-01', 1, 100, 1, 46.67],
      ['pro', 'credit', '2026-05-01', 1, 100, 1, 100],
      ['pro', 'credit', '2026-06-01', 1, 100, 1, 100],
      ['pro', 'minute', '2026-03-01', 1, 10, 0, 0],
      ['pro', 'minute', '2026-04-01', 1, 10, 1, 8],
      ['pro', 'minute', '2026-05-01', 1, 10, 1, 10],
      ['pro', 'minute', '2026-06-01', 1, 10, 1, 10],
      ['saver', 'credit', '2026-03-01', 1, 40, 0, 0],
      ['saver', 'credit', '2026-04-01', 1, 40, 0, 0],
      ['saver', 'credit', '2026-05-01', 1, 40, 0, 0],
      ['saver', 'credit', '2026-06-01', 1, 40, 0, 0],
    ]);
  });
});

describe('revenue_by_rate', () => {
  test('is what each rate brought in, with what rounding changed', async () => {
    const rows = await report('revenue_by_rate', 'rate_card, unit, operation, component, rate_id');
    expect(
      rows.map((row) => [
        row.rate_card,
        row.unit,
        row.operation,
        row.component,
        row.match,
        row.price,
        row.lines,
        row.quantity,
        Number(row.amount.toFixed(6)),
      ]),
    ).toEqual([
      ['atelier', 'credit', 'edit', 'base', {}, 0, 1, 1, 0],
      ['atelier', 'credit', 'film', 'base', {}, 20, 1, 1, 20],
      ['atelier', 'credit', 'image', 'base', {}, 5, 5, 6, 35],
      ['atelier', 'credit', 'video', 'base', { quality: 'pro' }, 20, 2, 490, 163.333333],
      ['atelier', 'credit', null, 'rounding', null, null, 1, null, -0.003333],
      ['atelier', 'minute', 'film', 'footage', {}, 1, 1, 120, 2],
      ['bazaar', 'coin', 'image', 'base', {}, 7, 1, 1, 7],
    ]);
  });

  test('adds up to the usage of the log, to the last place', async () => {
    expect(
      await database.as('credits_analyst', {}, (query) =>
        query(`
          select revenue.unit, revenue.amount - log.amount = 0 as adds_up
          from (select unit, sum(amount) as amount from credits_report.revenue_by_rate group by unit) revenue
          join (select unit, -sum(amount) as amount from credits.entries where kind = 'usage' group by unit) log using (unit)
          order by unit`),
      ),
    ).toEqual(['coin', 'credit', 'minute'].map((unit) => ({ unit, adds_up: true })));
  });
});

describe('the reports', () => {
  const views = async () =>
    (
      await database.query(
        `select relname from pg_class where relnamespace = 'credits_report'::regnamespace order by 1`,
      )
    ).map(({ relname }) => relname);

  test('are for the analyst alone', async () => {
    for (const view of await views()) {
      for (const role of ['credits_service', 'credits_member', 'credits_engine']) {
        expect(
          await sqlError(
            database.as(role, { account_id: 'pro' }, (query) =>
              query(`select from credits_report.${view}`),
            ),
          ),
        ).toEqual({ code: '42501' });
      }
    }
  });

  test("show nobody more than the tables do: they run with their reader's rights", async () => {
    await database.query(
      'grant usage on schema credits_report to credits_member; grant select on credits_report.usage_by_day to credits_member',
    );
    try {
      expect(
        await database.as('credits_member', { account_id: 'saver' }, (query) =>
          query('select distinct account_id from credits_report.usage_by_day'),
        ),
      ).toEqual([{ account_id: 'saver' }]);
    } finally {
      await database.query(
        'revoke usage on schema credits_report from credits_member; revoke select on credits_report.usage_by_day from credits_member',
      );
    }
    expect(
      await database.query(
        `select relname from pg_class
         where relnamespace = 'credits_report'::regnamespace
           and not coalesce(reloptions @> array['security_invoker=true'], false)`,
      ),
    ).toEqual([]);
  });

  test('change nothing', async () => {
    for (const view of await views()) {
      for (const statement of [
        `delete from credits_report.${view}`,
        `drop view credits_report.${view}`,
      ]) {
        expect(
          (await sqlError(database.as('credits_analyst', {}, (query) => query(statement)))).code,
        ).toMatch(/^(42501|55000)$/);
      }
    }
  });
});
