/** What every object of the schemas keeps to, read from the system catalogue: also what is added later is held to it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sqlError } from '../support/calls.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase({ catalogs: false });
});
afterAll(() => database.close());

/** The rows of a query that lists offenders: there should be none. */
const offenders = (text: string, values?: unknown[]) => database.query(text, values);
const NOT_OF_AN_EXTENSION = `not exists (
  select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')`;

/** The functions of the contract, as the contract writes them. */
const FUNCTIONS: Record<
  string,
  [args: string, result: string, volatility?: 'immutable' | 'volatile']
> = {
  item: [`operation text, usage jsonb default '{}'`, 'credits.item', 'immutable'],
  quote: [`account_id text, operation text, usage jsonb default '{}'`, 'setof credits.quote_line'],
  quote_items: ['account_id text, items credits.item[]', 'setof credits.quote_line'],
  balances: ['account_id text, at timestamptz default null', 'setof credits.balance'],
  activity: [
    'account_id text, since timestamptz default null, until timestamptz default null, kinds text[] default null, member_id text default null',
    'setof credits.entries',
  ],
  features: ['account_id text', 'setof credits.feature'],
  rates: ['account_id text', 'setof credits.rate'],
  verify: ['account_id text default null', 'setof credits.violation'],
  spend: [
    `account_id text, operation text, usage jsonb default '{}', idempotency_key text default null, member_id text default null, max_amount numeric default null, metadata jsonb default null`,
    'setof credits.entries',
    'volatile',
  ],
  spend_items: [
    'account_id text, items credits.item[], idempotency_key text default null, member_id text default null, max_amount numeric default null, metadata jsonb default null',
    'setof credits.entries',
    'volatile',
  ],
  open_account: [
    'account_id text, plan text default null, anchor timestamptz default null, rate_card text default null',
    'credits.accounts',
    'volatile',
  ],
  subscribe: [
    'account_id text, plan text, anchor timestamptz default null',
    'credits.accounts',
    'volatile',
  ],
  grant: [
    `account_id text, amount numeric, unit text default 'credit', bucket text default 'additional', expires_at timestamptz default null, priority int default 100, reason text default null, idempotency_key text default null`,
    'credits.lots',
    'volatile',
  ],
  claim: ['account_id text, promotion text, claimant text', 'credits.lots', 'volatile'],
  spend_many: ['requests credits.spend_request[]', 'setof credits.spend_result', 'volatile'],
  authorize: [
    `account_id text, operation text, usage jsonb default '{}', idempotency_key text default null, member_id text default null, expires_in interval default '01:00:00', max_amount numeric default null, metadata jsonb default null`,
    'setof credits.holds',
    'volatile',
  ],
  authorize_items: [
    `account_id text, items credits.item[], idempotency_key text default null, member_id text default null, expires_in interval default '01:00:00', max_amount numeric default null, metadata jsonb default null`,
    'setof credits.holds',
    'volatile',
  ],
  capture: [
    'account_id text, hold_id bigint, usage jsonb default null, amount numeric default null',
    'setof credits.entries',
    'volatile',
  ],
  capture_items: [
    'account_id text, hold_id bigint, items credits.item[]',
    'setof credits.entries',
    'volatile',
  ],
  release: ['account_id text, hold_id bigint', 'setof credits.holds', 'volatile'],
  refund: [
    'account_id text, seq bigint, amount numeric default null, reason text default null, idempotency_key text default null, regrant boolean default false',
    'setof credits.entries',
    'volatile',
  ],
  cancel_subscription: [
    'account_id text, immediately boolean default false',
    'credits.accounts',
    'volatile',
  ],
  revoke: [
    'account_id text, lot_id bigint, amount numeric default null, reason text default null',
    'setof credits.entries',
    'volatile',
  ],
  // currency is an addition to the contract, at the end and with a default; so is attempt.
  buy: [
    'account_id text, pack text, member_id text default null, idempotency_key text default null, currency text default null',
    'credits.purchases',
    'volatile',
  ],
  settle_purchase: [
    'account_id text, purchase_id bigint, payment_reference text',
    'credits.purchases',
    'volatile',
  ],
  fail_purchase: [
    'account_id text, purchase_id bigint, reason text, attempt int default null',
    'credits.purchases',
    'volatile',
  ],
  reverse_purchase: [
    'account_id text, purchase_id bigint, reason text, amount numeric default null',
    'credits.purchases',
    'volatile',
  ],
  configure_top_up: [
    'account_id text, enabled boolean, threshold numeric default null, amount numeric default null, monthly_limit numeric default null, member_id text default null',
    'credits.top_up_settings',
    'volatile',
  ],
  configure_additional: [
    'account_id text, enabled boolean default true, period_limit numeric default null, member_id text default null',
    'credits.accounts',
    'volatile',
  ],
  add_member: [
    `account_id text, member_id text, role text default 'member', period_cap numeric default null, acting_member_id text default null`,
    'credits.members',
    'volatile',
  ],
  remove_member: [
    'account_id text, member_id text, acting_member_id text default null',
    'credits.members',
    'volatile',
  ],
  record_meter: [
    `account_id text, operation text, quantity numeric, usage jsonb default '{}'`,
    'credits.meters',
    'volatile',
  ],
};
/** Functions beside the contract's. */
const MORE: typeof FUNCTIONS = {
  entries_matching: FUNCTIONS.activity,
  settle_due: ['batch int default 500', 'int', 'volatile'],
  watch_balances: ['account_id text', 'timestamptz', 'volatile'],
  purchase_to_pay: ['account_id text, purchase_id bigint', 'credits.purchases'],
  reinstate_purchase: [
    'account_id text, purchase_id bigint, reason text, amount numeric default null',
    'credits.purchases',
    'volatile',
  ],
  reverse_payment: [
    'account_id text, purchase_id bigint, payment_reference text, paid numeric, returned numeric, reason text, reinstated numeric default 0',
    'credits.purchases',
    'volatile',
  ],
  save_payment_customer: [
    'account_id text, provider text, customer_id text',
    'credits.payment_customers',
    'volatile',
  ],
  top_up_due: ['account_id text, purchase_id bigint', 'setof credits.purchases'],
  top_ups_due: [
    'batch int default 100, after_account_id text default null',
    'setof credits.purchases',
  ],
};
/** Those that run with their caller's rights; what they name was looked up when they were created. */
const INVOKERS = ['activity', 'entries_matching', 'item'];

describe('the functions of schema credits', () => {
  test('are called as the contract says', async () => {
    const rows = await database.query(
      `select p.proname as name, pg_get_function_arguments(p.oid) as args, pg_get_function_result(p.oid) as result,
         case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end as volatility
       from pg_proc p where p.pronamespace = 'credits'::regnamespace`,
    );
    const plain = (text: string) =>
      text
        .replaceAll('timestamp with time zone', 'timestamptz')
        .replaceAll('integer', 'int')
        .replaceAll('DEFAULT', 'default')
        .replaceAll('SETOF', 'setof')
        .replaceAll('NULL', 'null')
        .replaceAll(/::\w+(\[\])?/g, '');
    expect(
      Object.fromEntries(
        rows.map(({ name, args, result, volatility }) => [
          name,
          [plain(args), plain(result), volatility],
        ]),
      ),
    ).toEqual(
      Object.fromEntries(
        Object.entries({ ...FUNCTIONS, ...MORE }).map(([name, [args, result, volatility]]) => [
          name,
          [args, result, volatility ?? 'stable'],
        ]),
      ),
    );
  });

  test('have one signature each, helpers too', async () => {
    expect(
      await offenders(
        `select p.pronamespace::regnamespace::text, p.proname from pg_proc p
         where p.pronamespace::regnamespace::text in ('credits', 'credits_private') and ${NOT_OF_AN_EXTENSION}
         group by 1, 2 having count(*) > 1`,
      ),
    ).toEqual([]);
  });

  test("run as the engine, with a pinned search_path, or with their caller's rights and nothing left to look up", async () => {
    expect(
      await database.query(
        `select p.proname as name from pg_proc p
         where p.pronamespace = 'credits'::regnamespace and not p.prosecdef order by 1`,
      ),
    ).toEqual(INVOKERS.map((name) => ({ name })));
    expect(
      await offenders(
        `select p.proname from pg_proc p
         where p.pronamespace = 'credits'::regnamespace and not p.prosecdef and p.prosqlbody is null`,
      ),
    ).toEqual([]);
    expect(
      await offenders(
        `select p.oid::regprocedure, p.proconfig from pg_proc p
         where p.pronamespace::regnamespace::text ~ '^credits' and p.prosecdef
           and not coalesce('search_path=pg_catalog, pg_temp' = any (p.proconfig), false)`,
      ),
    ).toEqual([]);
    // The worker's queue is not the engine's: whoever installed it is who can add to it.
    expect(
      await database.query(
        `select p.oid::regprocedure::text as name from pg_proc p
         where p.pronamespace::regnamespace::text ~ '^credits' and p.prosecdef and p.proowner <> 'credits_engine'::regrole`,
      ),
    ).toEqual([{ name: 'credits_private.wake_worker(text,bigint)' }]);
  });

  test('answer a null argument with an error of the contract, not with nothing', async () => {
    expect(
      await offenders(
        `select p.oid::regprocedure from pg_proc p
         where p.pronamespace::regnamespace::text in ('credits', 'credits_private') and ${NOT_OF_AN_EXTENSION}
           and p.proisstrict`,
      ),
    ).toEqual([]);
  });

  test('take account_id first, as a plain text', async () => {
    expect(
      await offenders(
        `select p.oid::regprocedure from pg_proc p
         where p.pronamespace = 'credits'::regnamespace and 'account_id' = any (p.proargnames)
           and (p.proargnames[1] <> 'account_id' or p.proargtypes[0] <> 'text'::regtype)`,
      ),
    ).toEqual([]);
  });
});

describe('time', () => {
  test('comes from one function, which is the wall clock', async () => {
    expect(
      await database.query(
        `select p.oid::regprocedure::text as name from pg_proc p
         cross join lateral regexp_replace(pg_get_functiondef(p.oid), 'credits_private\\.now\\(\\)', '', 'g') as body
         where p.pronamespace::regnamespace::text ~ '^credits' and ${NOT_OF_AN_EXTENSION}
           and body ~* '\\m(now|transaction_timestamp|statement_timestamp|clock_timestamp|timeofday)\\(|\\m(current|local)_?(time|timestamp|date)\\M'
         order by 1`,
      ),
    ).toEqual([{ name: 'credits_private.now()' }]);
    expect(
      await offenders(
        `select c.oid::regclass from pg_class c
         cross join lateral regexp_replace(pg_get_viewdef(c.oid), 'credits_private\\.now\\(\\)', '', 'g') as body
         where c.relnamespace::regnamespace::text ~ '^credits' and c.relkind = 'v'
           and body ~* '\\mnow\\(|_timestamp\\M|current_date'`,
      ),
    ).toEqual([]);
  });
});

describe('every object has a comment', () => {
  test.each([
    [
      'schemas',
      `select nspname from pg_namespace where nspname ~ '^credits' and obj_description(oid, 'pg_namespace') is null`,
    ],
    [
      'tables and views',
      `select oid::regclass from pg_class
       where relnamespace::regnamespace::text in ('credits', 'credits_report') and relkind in ('r', 'p', 'v', 'm')
         and obj_description(oid, 'pg_class') is null`,
    ],
    [
      'their columns, and those of composite types',
      `select a.attrelid::regclass, a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
       where c.relnamespace::regnamespace::text in ('credits', 'credits_report') and c.relkind in ('r', 'p', 'v', 'm', 'c')
         and a.attnum > 0 and not a.attisdropped and col_description(a.attrelid, a.attnum) is null`,
    ],
    [
      'functions',
      `select oid::regprocedure from pg_proc
       where pronamespace = 'credits'::regnamespace and obj_description(oid, 'pg_proc') is null`,
    ],
    [
      'types and domains',
      `select t.oid::regtype from pg_type t left join pg_class c on c.oid = t.typrelid
       where t.typnamespace = 'credits'::regnamespace and t.typelem = 0 and coalesce(c.relkind, 'c') = 'c'
         and obj_description(t.oid, 'pg_type') is null`,
    ],
  ])('%s', async (_, text) => {
    expect(await offenders(text)).toEqual([]);
  });

  test('that names the errors that a function raises, and the service where it is alone', async () => {
    expect(
      await offenders(
        `select p.proname from pg_proc p cross join lateral obj_description(p.oid, 'pg_proc') as comment
         where p.pronamespace = 'credits'::regnamespace and p.proname <> 'item'
           and comment !~ case when p.prosrc ~ 'check_service' then 'Service only' else 'PC403' end`,
      ),
    ).toEqual([]);
  });
});

describe('constraints', () => {
  test('are named by hand', async () => {
    expect(
      await offenders(
        `select conname, coalesce(conrelid::regclass::text, contypid::regtype::text) from pg_constraint
         where connamespace::regnamespace::text ~ '^credits'
           and conname ~ case contype when 'c' then '_check[0-9]*$' when 'x' then '_excl[0-9]*$' when 'u' then '_key[0-9]*$' else '^$' end`,
      ),
    ).toEqual([]);
  });

  test('have names of their own, for an error tells no more', async () => {
    expect(
      await offenders(
        `select conname from pg_constraint
         where connamespace::regnamespace::text ~ '^credits' and contype <> 'n'
         group by 1 having count(*) > 1`,
      ),
    ).toEqual([]);
  });

  test('that point at another table have an index, or a key that leaves one row', async () => {
    expect(
      await offenders(
        `select f.conrelid::regclass, f.conname from pg_constraint f
         where f.connamespace::regnamespace::text ~ '^credits' and f.contype = 'f' and not exists (
           select from pg_index i
           cross join lateral (select array(select k::smallint from unnest(i.indkey) k) as columns) key
           where i.indrelid = f.conrelid and i.indexprs is null
             -- An index of the rows that point anywhere at all is one of all that matter.
             and (i.indpred is null or exists (
               select from pg_attribute a where a.attrelid = f.conrelid and a.attnum = any (f.conkey)
                 and pg_get_expr(i.indpred, i.indrelid) = format('(%I IS NOT NULL)', a.attname)))
             and (key.columns[1:cardinality(f.conkey)] @> f.conkey
               or (i.indisunique and i.indpred is null and f.conkey @> key.columns[1:i.indnkeyatts])))`,
      ),
    ).toEqual([]);
  });

  test('are all in force', async () => {
    expect(
      await offenders(
        `select conname from pg_constraint where connamespace::regnamespace::text ~ '^credits' and not convalidated`,
      ),
    ).toEqual([]);
  });
});

describe('numbers', () => {
  test('are numeric where they may be fractions, never floating point or money', async () => {
    expect(
      await offenders(
        `select a.attrelid::regclass, a.attname, a.atttypid::regtype from pg_attribute a join pg_class c on c.oid = a.attrelid
         where c.relnamespace::regnamespace::text ~ '^credits' and c.relkind in ('r', 'p', 'v', 'c') and a.attnum > 0
           and a.atttypid in ('float4'::regtype, 'float8'::regtype, 'money'::regtype)
         union all
         select p.oid::regclass, p.proname, t from pg_proc p
         cross join unnest(p.proargtypes::oid[] || p.prorettype) t
         where p.pronamespace::regnamespace::text ~ '^credits' and ${NOT_OF_AN_EXTENSION}
           and t in ('float4'::regtype, 'float8'::regtype, 'money'::regtype)`,
      ),
    ).toEqual([]);
  });

  test('in columns refuse NaN, both infinities and whatever has no bound', async () => {
    const columns = await database.query(
      `select a.attrelid::regclass::text as "table", a.attname as "column", a.atttypid::regtype::text as type,
         t.typtype = 'd' as is_domain,
         (select string_agg(pg_get_expr(k.conbin, k.conrelid), ' and ') from pg_constraint k
          where k.conrelid = a.attrelid and k.contype = 'c' and k.conkey = array[a.attnum]) as checks
       from pg_attribute a
       join pg_class c on c.oid = a.attrelid
       join pg_type t on t.oid = a.atttypid
       where c.relnamespace::regnamespace::text ~ '^credits' and c.relkind in ('r', 'p') and a.attnum > 0
         and not a.attisdropped and coalesce(nullif(t.typbasetype, 0), t.oid) = 'numeric'::regtype
       order by 1, a.attnum`,
    );
    expect(columns.length).toBeGreaterThan(20);
    for (const { table, column, type, is_domain, checks } of columns) {
      for (const value of ['NaN', 'Infinity', '-Infinity', '1e300', '-1e300']) {
        const refused = is_domain
          ? (await sqlError(database.query(`select '${value}'::${type}`))).code === '23514'
          : checks !== null &&
            (
              await database.query(
                `select not (${checks}) as refused from (select '${value}'::numeric as "${column}") t`,
              )
            )[0].refused;
        expect({ table, column, value, refused }).toEqual({ table, column, value, refused: true });
      }
    }
  });
});

describe('the schema can be distributed by account', () => {
  const KEYED = `select c.oid, a.attnum from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'account_id'
    where c.relnamespace = 'credits'::regnamespace and c.relkind in ('r', 'p')`;

  test('by a column that is the same in every table', async () => {
    const columns = await database.query(
      `select c.relname as "table", format_type(a.atttypid, a.atttypmod) as type, l.collname as collation, a.attnotnull as required
       from (${KEYED}) k join pg_class c on c.oid = k.oid
       join pg_attribute a on a.attrelid = k.oid and a.attnum = k.attnum
       left join pg_collation l on l.oid = a.attcollation order by 1`,
    );
    expect(columns.map(({ table }) => table)).toEqual([
      'accounts',
      'entries',
      'hold_lots',
      'holds',
      'interrupted_periods',
      'lots',
      'members',
      'meters',
      'payment_customers',
      'postings',
      'promotion_claims',
      'purchases',
      'top_up_settings',
    ]);
    for (const { table, ...column } of columns) {
      expect([table, column]).toEqual([table, { type: 'text', collation: 'C', required: true }]);
    }
  });

  test('which is first in every key but one: who claimed a promotion', async () => {
    expect(
      await database.query(
        `select i.indexrelid::regclass::text as key
         from (${KEYED}) k join pg_index i on i.indrelid = k.oid
         where (i.indisunique or i.indisexclusion) and i.indkey[0] <> k.attnum`,
      ),
    ).toEqual([{ key: 'credits.promotion_claims_pkey' }]);
    expect(
      await offenders(
        `select k.oid::regclass from (${KEYED}) k
         where not exists (select from pg_index i where i.indrelid = k.oid and i.indisprimary)`,
      ),
    ).toEqual([]);
  });

  test('also in every foreign key between them', async () => {
    expect(
      await offenders(
        `select f.conname from pg_constraint f
         join (${KEYED}) here on here.oid = f.conrelid
         join (${KEYED}) there on there.oid = f.confrelid
         where f.contype = 'f' and (f.conkey[1] <> here.attnum or f.confkey[1] <> there.attnum)`,
      ),
    ).toEqual([]);
  });

  test('without a foreign key from a catalog table to them', async () => {
    expect(
      await offenders(
        `select f.conname from pg_constraint f
         join (${KEYED}) there on there.oid = f.confrelid
         where f.contype = 'f' and f.conrelid not in (select k.oid from (${KEYED}) k)`,
      ),
    ).toEqual([]);
  });

  test('without triggers and rules', async () => {
    expect(
      await offenders(
        `select t.tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid
         where c.relnamespace::regnamespace::text ~ '^credits' and not t.tgisinternal
         union all
         select r.rulename from pg_rewrite r join pg_class c on c.oid = r.ev_class
         where c.relnamespace::regnamespace::text ~ '^credits' and c.relkind <> 'v'
         union all
         select e.evtname from pg_event_trigger e`,
      ),
    ).toEqual([]);
  });

  test('without a sequence that all accounts would share', async () => {
    expect(
      await offenders(
        `select k.oid::regclass, a.attname from (${KEYED}) k join pg_attribute a on a.attrelid = k.oid
         left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
         where a.attnum > 0 and (a.attidentity <> '' or pg_get_expr(d.adbin, d.adrelid) ~ 'nextval')`,
      ),
    ).toEqual([]);
  });
});

describe('the tables', () => {
  const columns = async (table: string) =>
    (
      await database.query(
        `select attname from pg_attribute where attrelid = ('credits.' || $1)::regclass and attnum > 0 and not attisdropped`,
        [table],
      )
    ).map(({ attname }) => attname);

  test.each([
    [
      'entries',
      'account_id seq unit kind operation amount included additional balance_after member_id usage breakdown idempotency_key refunds_seq occurred_at recorded_at metadata',
    ],
    [
      'lots',
      'account_id lot_id unit bucket priority granted spent held forfeited available starts_at expires_at source purchase_id price currency',
    ],
    ['accounts', 'account_id rate_card plan'],
    ['holds', 'account_id hold_id unit amount captured status expires_at'],
    [
      'purchases',
      'account_id purchase_id kind pack unit amount price currency status payment_reference shortfall',
    ],
    ['members', 'account_id member_id role period_cap'],
    ['postings', 'account_id seq lot_id amount'],
    ['top_up_settings', 'account_id enabled threshold amount monthly_limit'],
    ['plans', 'plan rate_card name cadence'],
    ['plan_prices', 'plan billing_interval currency price'],
    ['packs', 'rate_card pack unit amount'],
    ['pack_prices', 'rate_card pack currency price'],
    ['units', 'rate_card unit name scale'],
    ['operations', 'rate_card operation category'],
  ])('%s has the columns of the contract', async (table, names) => {
    expect(await columns(table)).toEqual(expect.arrayContaining(names.split(' ')));
  });
});
