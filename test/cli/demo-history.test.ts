import * as fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { writeDemoHistory } from '../../src/demo-history.ts';
import { SQL_FOLDER } from '../../src/migrate.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

const CLOCK = fs.readFileSync(path.join(SQL_FOLDER, 'functions/10_clock.sql'), 'utf8');

/** The clock's definition and who may use it. */
const clock = (database: TestDatabase) =>
  database.query(`
    select pg_get_functiondef(oid) as definition, proowner::regrole::text as owner, proacl::text as grants
    from pg_proc where oid = 'credits_private.now'::regproc`);

describe('the history of the demo', () => {
  let database: TestDatabase;
  const lines: string[] = [];
  const clocksSeen: string[] = [];
  let before: unknown;

  beforeAll(async () => {
    database = await testDatabase();
    await database.query(CLOCK);
    before = await clock(database);
    let writing = true;
    const written = writeDemoHistory(database.pool, (line) => lines.push(line)).finally(() => {
      writing = false;
    });
    // What everybody else sees meanwhile.
    while (writing) {
      const [{ definition }] = (await clock(database)) as { definition: string }[];
      const [{ right }] = await database.query(
        `select credits_private.now() between clock_timestamp() - interval '1 minute' and clock_timestamp() as right`,
      );
      clocksSeen.push(right ? definition : 'wrong');
    }
    await written;
  });
  afterAll(() => database.close());

  test('is sound', async () => {
    expect(await database.verify()).toEqual([]);
  });

  test('says of each team that it is written', () => {
    expect(lines.map((line) => line.split(':')[0])).toEqual([
      'demo-avs',
      'demo-invideo',
      'demo-videodraft',
      'demo-videogen',
    ]);
  });

  test('leaves the clock as it was, and nobody else ever reads another one', async () => {
    expect(await clock(database)).toEqual(before);
    const [{ definition }] = before as { definition: string }[];
    expect(new Set(clocksSeen)).toEqual(new Set([definition]));
  });

  test('has in it what a team sees in ninety days', async () => {
    const kinds = await database.query(
      `select distinct account_id, kind from credits.entries order by account_id, kind`,
    );
    const of = (account: string) =>
      kinds.filter(({ account_id }) => account_id === account).map(({ kind }) => kind);
    expect(of('demo-avs')).toEqual(
      expect.arrayContaining(['grant', 'refill', 'refund', 'top_up', 'usage']),
    );
    expect(of('demo-invideo')).toEqual(
      expect.arrayContaining(['expiry', 'grant', 'purchase', 'refill', 'refund', 'usage']),
    );
    expect(of('demo-videodraft')).toEqual(
      expect.arrayContaining(['refill', 'refund', 'top_up', 'usage']),
    );
    expect(of('demo-videogen')).toEqual(expect.arrayContaining(['purchase', 'refill', 'usage']));
  });

  test('is of ninety days up to now, by every member, of many operations', async () => {
    const teams = await database.query(`
      select a.account_id,
        a.opened_at between now() - interval '91 days' and now() - interval '90 days' as opened,
        count(*) filter (where e.kind = 'usage') > 300 as busy,
        count(distinct e.operation) >= 6 as varied,
        max(e.occurred_at) between now() - interval '1 day' and now() as today,
        array(select m.member_id from credits.members m where m.account_id = a.account_id order by 1)
          = array_agg(distinct e.member_id order by e.member_id) filter (where e.kind = 'usage' and e.member_id is not null) as everyone
      from credits.accounts a join credits.entries e using (account_id)
      group by a.account_id order by a.account_id`);
    expect(teams).toEqual(
      ['demo-avs', 'demo-invideo', 'demo-videodraft', 'demo-videogen'].map((account_id) => ({
        account_id,
        opened: true,
        busy: true,
        varied: true,
        today: true,
        everyone: true,
      })),
    );
  });

  test('has quiet weekends and a busy week', async () => {
    const [{ weekend, workday, busiest, usual }] = await database.query(`
      with days as (
        select occurred_at::date as day, count(*) as entries from credits.entries
        where kind = 'usage' and operation <> 'storage' and occurred_at < now() - interval '1 day' group by 1
      ), weeks as (
        select date_bin('7 days', day, (now() - interval '90 days')::date) as week, sum(entries) as entries from days group by 1
      )
      select avg(entries) filter (where extract(isodow from day) >= 6) as weekend,
        avg(entries) filter (where extract(isodow from day) < 6) as workday,
        (select max(entries) from weeks) as busiest,
        (select percentile_cont(0.5) within group (order by entries) from weeks) as usual
      from days`);
    expect(Number(weekend)).toBeLessThan(Number(workday) / 2);
    expect(Number(busiest)).toBeGreaterThan(Number(usual) * 1.5);
  });

  test('ends with nothing to be charged, and with credits held', async () => {
    expect(await database.query(`select from credits.purchases where status = 'pending'`)).toEqual(
      [],
    );
    const held = await database.query(
      `select account_id from credits.holds where status = 'open' and expires_at > now() order by 1`,
    );
    expect(held).toEqual([{ account_id: 'demo-invideo' }, { account_id: 'demo-videodraft' }]);
  });

  test('is written once', async () => {
    const count = () => database.query('select count(*) from credits.entries');
    const first = await count();
    lines.length = 0;
    await writeDemoHistory(database.pool, (line) => lines.push(line));
    expect(await count()).toEqual(first);
    expect(lines).toEqual([]);
  });
});

describe('a history that cannot be written', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await testDatabase({ catalogs: false });
    await database.query(CLOCK);
    return () => database.close();
  });

  test('leaves nothing, and the clock as it was', async () => {
    const before = await clock(database);
    await expect(writeDemoHistory(database.pool, () => {})).rejects.toMatchObject({
      code: 'PC404',
      detail: { what: 'plan' },
    });
    expect(await clock(database)).toEqual(before);
    expect(await database.query('select from credits.accounts')).toEqual([]);
  });
});
