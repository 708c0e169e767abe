/** Who may do what: the grants and policies of every table and function, and what becomes of those who try more. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { atelierDatabase } from '../support/atelier.ts';
import { type Arguments, call, callText, sqlError } from '../support/calls.ts';
import { creditsError, type TestDatabase, verifyAfterEach } from '../support/database.ts';

let database: TestDatabase;
let tables: string[];
let accountTables: string[];
verifyAfterEach(() => database);

const ROLES = ['credits_service', 'credits_member', 'credits_analyst', 'credits_engine'];
const READERS = ['credits_service', 'credits_member', 'credits_analyst'];
const CLAIMS = { account_id: 'team', member_id: 'ada', member_role: 'admin' };
const DENIED = { code: '42501' };

/** What the engine may do besides reading: what its functions need, and no more. */
const WRITTEN: Record<string, string> = {
  accounts: 'INSERT, SELECT, UPDATE',
  entries: 'INSERT, SELECT',
  hold_lots: 'INSERT, SELECT',
  holds: 'INSERT, SELECT, UPDATE',
  interrupted_periods: 'INSERT, SELECT, UPDATE',
  lots: 'INSERT, SELECT, UPDATE',
  members: 'DELETE, INSERT, SELECT, UPDATE',
  meters: 'INSERT, SELECT, UPDATE',
  payment_customers: 'INSERT, SELECT, UPDATE',
  postings: 'INSERT, SELECT',
  promotion_claims: 'INSERT, SELECT',
  purchases: 'INSERT, SELECT, UPDATE',
  top_up_settings: 'INSERT, SELECT, UPDATE',
};

/** What members do not read, their own account's rows neither. */
const NOT_FOR_MEMBERS = ['payment_customers', 'promotion_claims'];

// Two accounts that have a row in every table: holds 1 to 4 are open, purchases 1 to 5 pending, and grace is an admin.
beforeAll(async () => {
  database = await atelierDatabase();
  for (const account_id of ['team', 'other']) {
    const doing = (name: string, args: Arguments) =>
      call(database.pool, name, { account_id, ...args });
    await doing('open_account', { plan: 'atelier_pro' });
    await doing('spend', { operation: 'image' });
    await doing('cancel_subscription', { immediately: true });
    await doing('subscribe', { plan: 'atelier_pro' });
    await doing('claim', { promotion: 'welcome', claimant: account_id });
    await doing('grant', { amount: 1000 });
    await doing('configure_top_up', { enabled: false, threshold: 10, amount: 20 });
    await doing('add_member', { member_id: 'grace', role: 'admin' });
    await doing('record_meter', { operation: 'storage', quantity: 1 });
    await doing('save_payment_customer', { provider: 'bank', customer_id: account_id });
    for (let i = 0; i < 4; i++) await doing('authorize', { operation: 'image' });
    for (let i = 0; i < 5; i++) await doing('buy', { pack: 'box' });
  }
  const names = async (where: string) =>
    (
      await database.query(
        `select c.relname from pg_class c
         where c.relnamespace = 'credits'::regnamespace and c.relkind in ('r', 'p', 'v') and ${where}
         order by 1`,
      )
    ).map(({ relname }) => relname);
  tables = await names('true');
  accountTables = await names(
    `exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'account_id')`,
  );
});
afterAll(() => database.close());

/** Runs one statement as a role. */
const as = (role: string, claims: Record<string, string>, text: string, values?: unknown[]) =>
  database.as(role, claims, (query) => query(text, values));
const callAs = (role: string, claims: Record<string, string>, name: string, args: Arguments) => {
  const { text, values } = callText(name, args);
  return as(role, claims, text, values);
};

describe('the roles', () => {
  test('are reached through others: none logs in, none has powers over the rest', async () => {
    expect(
      await database.query(
        `select rolname from pg_roles
         where rolname ~ '^credits_(owner|engine|service|member|analyst)$'
           and not (rolcanlogin or rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)
         order by 1`,
      ),
    ).toEqual(
      ['analyst', 'engine', 'member', 'owner', 'service'].map((name) => ({
        rolname: `credits_${name}`,
      })),
    );
  });

  test('are not members of each other', async () => {
    expect(
      await database.query(
        `select roleid::regrole, member::regrole from pg_auth_members
         where roleid::regrole::text ~ '^credits_' and member::regrole::text ~ '^credits_'`,
      ),
    ).toEqual([]);
  });
});

describe('the grants', () => {
  test('on tables are these and no others', async () => {
    const granted = await database.query(
      `select c.relname as "table", case a.grantee when 0 then 'public' else a.grantee::regrole::text end as role,
         string_agg(a.privilege_type, ', ' order by a.privilege_type) as privileges
       from pg_class c cross join aclexplode(c.relacl) a
       where c.relnamespace = 'credits'::regnamespace and c.relkind in ('r', 'p', 'v', 'S')
         and a.grantee <> c.relowner
       group by 1, 2 order by 1, 2`,
    );
    const expected = tables.flatMap((table) => [
      { table, role: 'credits_analyst', privileges: 'SELECT' },
      { table, role: 'credits_engine', privileges: WRITTEN[table] ?? 'SELECT' },
      ...(NOT_FOR_MEMBERS.includes(table)
        ? []
        : [{ table, role: 'credits_member', privileges: 'SELECT' }]),
      { table, role: 'credits_service', privileges: 'SELECT' },
    ]);
    expect(granted).toEqual(expected);
  });

  test('are not on single columns', async () => {
    expect(
      await database.query(
        `select attrelid::regclass, attname from pg_attribute
         where attacl is not null and attrelid::regclass::text ~ '^credits'`,
      ),
    ).toEqual([]);
  });

  test('on functions leave out everybody else, and on helpers everybody', async () => {
    const granted = async (schema: string) =>
      database.query(
        `select p.proname as name, string_agg(
           case a.grantee when 0 then 'public' else a.grantee::regrole::text end, ', ' order by a.grantee::regrole::text
         ) filter (where a.grantee not in (p.proowner, 'credits_owner'::regrole)) as roles
         from pg_proc p
         cross join aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
         where p.pronamespace = $1::regnamespace
           and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
         group by p.oid order by 1`,
        [schema],
      );
    const everybody = 'credits_analyst, credits_member, credits_service';
    for (const { name, roles } of await granted('credits')) {
      expect([name, roles]).toEqual([name, everybody]);
    }
    expect((await granted('credits_private')).filter(({ roles }) => roles !== null)).toEqual([
      // What these may call is reached from credits.activity and from the reports, which run with their caller's rights.
      { name: 'check_account', roles: everybody },
      { name: 'check_kinds', roles: everybody },
      { name: 'now', roles: 'credits_analyst' },
      // It is not the engine's own.
      { name: 'wake_worker', roles: 'credits_engine' },
    ]);
  });

  test('on schemas let in those who need to', async () => {
    expect(
      await database.query(
        `select n.nspname as schema, case a.grantee when 0 then 'public' else a.grantee::regrole::text end as role,
           a.privilege_type as privilege
         from pg_namespace n cross join aclexplode(n.nspacl) a
         where n.nspname ~ '^credits' and a.grantee not in (n.nspowner, 'credits_owner'::regrole)
         order by 1, 2`,
      ),
    ).toEqual([
      ...['analyst', 'engine', 'member', 'service'].map((name) => ({
        schema: 'credits',
        role: `credits_${name}`,
        privilege: 'USAGE',
      })),
      { schema: 'credits_private', role: 'credits_engine', privilege: 'USAGE' },
      { schema: 'credits_report', role: 'credits_analyst', privilege: 'USAGE' },
    ]);
  });

  test('give nobody but the owner what is theirs: the engine owns functions, and no table', async () => {
    expect(
      await database.query(
        `select distinct relowner::regrole::text as owner from pg_class
         where relnamespace::regnamespace::text ~ '^credits' and relkind in ('r', 'p', 'v')`,
      ),
    ).toEqual([{ owner: 'credits_owner' }]);
  });
});

describe('the row policies', () => {
  test('are on every table with an account_id', async () => {
    expect(accountTables).toContain('entries');
    expect(
      await database.query(
        `select c.relname as "table", c.relrowsecurity as enabled,
           array(
             select p.polname || ' ' || p.polcmd::text || ' ' || array_to_string(array(select r::regrole::text from unnest(p.polroles) r order by 1), ',')
             from pg_policy p where p.polrelid = c.oid order by 1
           ) as policies
         from pg_class c
         where c.relnamespace = 'credits'::regnamespace and c.relname = any ($1) order by 1`,
        [accountTables],
      ),
    ).toEqual(
      accountTables.map((table) => ({
        table,
        enabled: true,
        policies: [
          'engine_sees_all * credits_engine',
          'member_reads_own_account r credits_member',
          'service_reads_all r credits_analyst,credits_service',
        ],
      })),
    );
  });

  test('are on no other: catalogs are the same for everyone', async () => {
    for (const table of tables.filter((name) => !accountTables.includes(name))) {
      const counts = await Promise.all(
        READERS.map((role) => as(role, {}, `select count(*) from credits.${table}`)),
      );
      expect(new Set(counts.map(([{ count }]) => count)).size).toBe(1);
    }
  });
});

describe.each(ROLES)('%s', (role) => {
  test('changes no table by itself', async () => {
    for (const table of tables) {
      const [{ column }] = await database.query(
        `select attname as column from pg_attribute
         where attrelid = ('credits.' || $1)::regclass and attnum > 0 and attidentity = '' limit 1`,
        [table],
      );
      for (const [command, statement, needs] of [
        ['insert', `insert into credits.${table} default values`, /INSERT/],
        ['update', `update credits.${table} set ${column} = ${column} where false`, /UPDATE/],
        ['delete', `delete from credits.${table} where false`, /DELETE/],
        ['truncate', `truncate credits.${table}`, /TRUNCATE/],
        ['lock', `lock table credits.${table} in exclusive mode`, /UPDATE|DELETE|TRUNCATE/],
      ] as const) {
        // What the engine may, the grants say; here it is about what they do not.
        if (role === 'credits_engine' && needs.test(WRITTEN[table] ?? 'SELECT')) continue;
        expect({ table, command, ...(await sqlError(as(role, CLAIMS, statement))) }).toEqual({
          table,
          command,
          ...DENIED,
        });
      }
    }
  });

  test('makes nothing in the schemas', async () => {
    for (const schema of ['credits', 'credits_private', 'credits_report', 'public']) {
      expect(await sqlError(as(role, CLAIMS, `create table ${schema}.mine ()`))).toEqual(DENIED);
    }
  });
});

describe('the engine', () => {
  test('adds to the log and never changes it, not even of an account at hand', async () => {
    for (const table of ['entries', 'postings']) {
      for (const statement of [
        `update credits.${table} set amount = 0`,
        `update credits.${table} set amount = amount where account_id = 'team'`,
        `delete from credits.${table}`,
        `truncate credits.${table}`,
        `select from credits.${table} for update`,
      ]) {
        expect(await sqlError(as('credits_engine', {}, statement))).toEqual(DENIED);
      }
    }
  });
});

/**
 * Every function, who may call it, and a call. `reader`: the service, or a member with claims for the account. `admin`: the
 * same, the member being an admin.
 */
const FUNCTIONS: Record<
  string,
  ['anyone' | 'reader' | 'admin' | 'auditor' | 'service', Arguments]
> = {
  item: ['anyone', { operation: 'image' }],
  quote: ['reader', { account_id: 'team', operation: 'image' }],
  quote_items: ['reader', { account_id: 'team', items: [['image']] }],
  balances: ['reader', { account_id: 'team' }],
  activity: ['reader', { account_id: 'team' }],
  entries_matching: ['reader', { account_id: 'team' }],
  usage_by_day: ['reader', { account_id: 'team' }],
  features: ['reader', { account_id: 'team' }],
  rates: ['reader', { account_id: 'team' }],
  watch_balances: ['reader', { account_id: 'team' }],
  verify: ['auditor', { account_id: 'team' }],
  open_account: ['service', { account_id: 'team' }],
  cancel_subscription: ['service', { account_id: 'team' }],
  subscribe: ['service', { account_id: 'team', plan: 'atelier_pro' }],
  spend: ['service', { account_id: 'team', operation: 'image' }],
  spend_items: ['service', { account_id: 'team', items: [['image']] }],
  spend_many: ['service', { requests: [{ account_id: 'team', operation: 'image' }] }],
  authorize: ['service', { account_id: 'team', operation: 'image' }],
  authorize_items: ['service', { account_id: 'team', items: [['image']] }],
  capture: ['service', { account_id: 'team', hold_id: 1 }],
  capture_items: ['service', { account_id: 'team', hold_id: 2, items: [['image']] }],
  release: ['service', { account_id: 'team', hold_id: 3 }],
  refund: ['service', { account_id: 'team', seq: 3 }],
  grant: ['service', { account_id: 'team', amount: 1 }],
  revoke: ['service', { account_id: 'team', lot_id: 3, amount: 1 }],
  claim: ['service', { account_id: 'team', promotion: 'trial', claimant: 'ada' }],
  record_meter: ['service', { account_id: 'team', operation: 'storage', quantity: 2 }],
  buy: ['admin', { account_id: 'team', pack: 'box' }],
  purchase_to_pay: ['service', { account_id: 'team', purchase_id: 1 }],
  settle_purchase: ['service', { account_id: 'team', purchase_id: 2, payment_reference: 'paid' }],
  fail_purchase: ['service', { account_id: 'team', purchase_id: 3, reason: 'declined' }],
  reverse_purchase: ['service', { account_id: 'team', purchase_id: 2, reason: 'chargeback' }],
  reinstate_purchase: ['service', { account_id: 'team', purchase_id: 2, reason: 'won' }],
  reverse_payment: [
    'service',
    {
      account_id: 'team',
      purchase_id: 4,
      payment_reference: 'paid too',
      paid: 6,
      returned: 3,
      reason: 'refund',
    },
  ],
  save_payment_customer: [
    'service',
    { account_id: 'team', provider: 'bank', customer_id: 'customer' },
  ],
  configure_top_up: ['admin', { account_id: 'team', enabled: true }],
  configure_additional: ['admin', { account_id: 'team', enabled: true }],
  add_member: ['admin', { account_id: 'team', member_id: 'alan' }],
  remove_member: ['admin', { account_id: 'team', member_id: 'alan' }],
  top_up_due: ['service', { account_id: 'team', purchase_id: 5 }],
  top_ups_due: ['service', {}],
  settle_due: ['service', {}],
};
const of = (who: string) => Object.entries(FUNCTIONS).filter(([, [by]]) => by === who);

describe('the functions', () => {
  test('are all known here', async () => {
    expect(
      (
        await database.query(
          `select proname from pg_proc where pronamespace = 'credits'::regnamespace order by 1`,
        )
      ).map(({ proname }) => proname),
    ).toEqual(Object.keys(FUNCTIONS).sort());
  });

  test('do for the service whatever it asks, for any account', async () => {
    for (const [name, [, args]] of Object.entries(FUNCTIONS)) {
      await callAs('credits_service', {}, name, args);
      if ('account_id' in args && name !== 'claim') {
        await callAs('credits_service', CLAIMS, name, { ...args, account_id: 'other' });
      }
    }
  });

  test('read for a member the account of the claims', async () => {
    for (const [name, [, args]] of [...of('reader'), ...of('anyone')]) {
      for (const member_role of ['admin', 'member']) {
        expect(await callAs('credits_member', { ...CLAIMS, member_role }, name, args)).toEqual(
          await callAs('credits_service', {}, name, args),
        );
      }
    }
  });

  const notTheAccount = (account_id: string | null) => ({
    code: 'PC403',
    detail: { requires: 'account', account_id },
    hint: expect.any(String),
  });

  test('PC403 for a member who asks for another account, be it there or not', async () => {
    for (const [name, [, args]] of [...of('reader'), ...of('admin')]) {
      for (const account_id of ['other', 'nobody', 'TEAM', 'team ', '']) {
        expect(
          await creditsError(callAs('credits_member', CLAIMS, name, { ...args, account_id })),
        ).toEqual(notTheAccount(account_id));
      }
    }
  });

  test('PC403 for a member without claims, or with empty ones', async () => {
    for (const claims of [{}, { account_id: '' }, { member_id: 'ada', member_role: 'admin' }]) {
      for (const [name, [, args]] of [...of('reader'), ...of('admin')]) {
        for (const account_id of ['team', '']) {
          expect(
            await creditsError(
              callAs('credits_member', claims as Record<string, string>, name, {
                ...args,
                account_id,
              }),
            ),
          ).toEqual(notTheAccount(account_id));
        }
      }
    }
  });

  test('PC403 for a member or an analyst where only the service may', async () => {
    for (const role of ['credits_member', 'credits_analyst']) {
      for (const [name, [, args]] of of('service')) {
        for (const member_role of ['member', 'admin', 'service']) {
          expect(await creditsError(callAs(role, { ...CLAIMS, member_role }, name, args))).toEqual({
            code: 'PC403',
            detail: { requires: 'service' },
            hint: expect.any(String),
          });
        }
      }
    }
  });

  const notAnAdmin = (member_id: string | null) => ({
    code: 'PC403',
    detail: { requires: 'admin', member_id },
    hint: expect.any(String),
  });
  /** The arguments of an admin's call that say who is acting. */
  const acting = (name: string, member_id: string | null) => ({
    [/_member$/.test(name) ? 'acting_member_id' : 'member_id']: member_id,
  });

  test('administer for a member whose claims say admin, whatever the table of members says', async () => {
    for (const [name, [, args]] of of('admin')) {
      const [row] = await callAs('credits_member', CLAIMS, name, args);
      expect(row).toMatchObject({ account_id: 'team' });
    }
  });

  test('PC403 for a member whose claims do not, even in the name of an admin', async () => {
    for (const [name, [, args]] of of('admin')) {
      for (const member_role of ['member', 'service', 'Admin', '']) {
        for (const member_id of [null, 'grace']) {
          const named = { ...args, ...acting(name, member_id) };
          // The claims come from a token, and count for more than an argument.
          expect(
            await creditsError(callAs('credits_member', { ...CLAIMS, member_role }, name, named)),
          ).toEqual(notAnAdmin('ada'));
          expect(
            await creditsError(
              callAs('credits_member', { account_id: 'team', member_role }, name, named),
            ),
          ).toEqual(notAnAdmin(null));
        }
      }
    }
  });

  test('administer for the service in the name of an admin, and PC403 in that of anyone else', async () => {
    await call(database.pool, 'add_member', { account_id: 'team', member_id: 'linus' });
    for (const [name, [, args]] of of('admin')) {
      const [row] = await callAs('credits_service', {}, name, {
        ...args,
        ...acting(name, 'grace'),
      });
      expect(row).toMatchObject({ account_id: 'team' });
      for (const member_id of ['linus', 'nobody', 'Grace', '']) {
        const named = { ...args, ...acting(name, member_id) };
        // What a member's claims say is no matter to the service.
        expect(await creditsError(callAs('credits_service', CLAIMS, name, named))).toEqual(
          notAnAdmin(member_id),
        );
      }
    }
  });

  test('PC403 for a member who would audit', async () => {
    for (const args of [{ account_id: 'team' }, {}]) {
      expect(await creditsError(callAs('credits_member', CLAIMS, 'verify', args))).toEqual({
        code: 'PC403',
        detail: { requires: 'service' },
        hint: expect.any(String),
      });
    }
  });

  test('audit for the analyst, and otherwise know no analyst: claims are for members', async () => {
    expect(await callAs('credits_analyst', {}, 'verify', {})).toEqual([]);
    expect(await callAs('credits_analyst', {}, 'verify', { account_id: 'team' })).toEqual([]);
    for (const [name, [, args]] of [...of('reader'), ...of('admin')]) {
      expect(await creditsError(callAs('credits_analyst', CLAIMS, name, args))).toEqual(
        notTheAccount('team'),
      );
    }
  });
});

describe('a member', () => {
  const rows = (table: string, claims: Record<string, string>) =>
    as('credits_member', claims, `select account_id from credits.${table} group by 1`);

  test('reads in every table the rows of one account', async () => {
    for (const table of accountTables.filter((name) => !NOT_FOR_MEMBERS.includes(name))) {
      expect([table, await rows(table, CLAIMS)]).toEqual([table, [{ account_id: 'team' }]]);
      expect(
        await as(
          'credits_member',
          CLAIMS,
          `select from credits.${table} where account_id = 'other'`,
        ),
      ).toEqual([]);
    }
  });

  test('does not read who claimed a promotion, or who the account is at a payment provider', async () => {
    for (const table of NOT_FOR_MEMBERS) {
      expect(await sqlError(as('credits_member', CLAIMS, `select from credits.${table}`))).toEqual(
        DENIED,
      );
    }
  });

  test('reads nothing without a claim to an account, or with an empty one', async () => {
    for (const claims of [
      {},
      { account_id: '' },
      { account_id: 'nobody' },
      { member_id: 'team' },
    ]) {
      for (const table of accountTables.filter((name) => !NOT_FOR_MEMBERS.includes(name))) {
        expect([table, await rows(table, claims as Record<string, string>)]).toEqual([table, []]);
      }
    }
  });

  // The claims are plain settings. What keeps them honest is that no one logs in as credits_member: the server sets
  // them from a verified token, in the transaction that runs the member's request, and lets no member type SQL.
  test('is whoever the claims say: they are to be set by the server alone', async () => {
    expect(
      await database.as('credits_member', CLAIMS, async (query) => {
        await query(`select set_config('credits.account_id', 'other', true)`);
        return query('select account_id from credits.accounts');
      }),
    ).toEqual([{ account_id: 'other' }]);
    // They go with the transaction.
    expect(
      await database.query(
        `select coalesce(current_setting('credits.account_id', true), '') as claim`,
      ),
    ).toEqual([{ claim: '' }]);
  });
});

describe('service and analyst', () => {
  test('read every row of every table', async () => {
    for (const role of ['credits_service', 'credits_analyst']) {
      for (const table of accountTables) {
        expect(
          await as(role, {}, `select account_id from credits.${table} group by 1 order by 1`),
        ).toEqual([{ account_id: 'other' }, { account_id: 'team' }]);
      }
    }
  });
});

describe('the helpers', () => {
  test('are out of reach, by name and by view', async () => {
    for (const role of READERS) {
      for (const statement of [
        'select credits_private.now()',
        `select credits_private.check_account('team')`,
        `select credits_private.lock_account('team')`,
        `select credits_private.fail('PC402', '{}', '')`,
        'select * from credits_private.violations',
        `select credits_private.begin_catalog('mine', 'Mine')`,
        'select * from credits_private.apply_catalog()',
      ]) {
        expect(await sqlError(as(role, CLAIMS, statement))).toEqual(DENIED);
      }
    }
  });

  test('cannot be called by those who know them by number either', async () => {
    // USAGE on the schema is asked for when a name is looked up; EXECUTE when it is called.
    expect(
      await database.query(
        `select p.oid::regprocedure from pg_proc p cross join unnest($1::text[]) r(role)
         where p.pronamespace = 'credits_private'::regnamespace
           and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
           and has_function_privilege(r.role, p.oid, 'execute')
           and p.proname not in ('check_account', 'check_kinds', 'now')`,
        [READERS],
      ),
    ).toEqual([]);
  });
});
