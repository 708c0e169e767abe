/** Who counts as the caller, when applications bring roles of their own, and when somebody lays traps. */
import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { atelierDatabase } from '../support/atelier.ts';
import { call, sqlError } from '../support/calls.ts';
import { creditsError, type TestDatabase, verifyAfterEach } from '../support/database.ts';
import { connected } from '../support/server.ts';

let database: TestDatabase;
verifyAfterEach(() => database);

// Roles are the server's, which other test files share.
const suffix = randomBytes(6).toString('hex');
const STRANGER = `stranger_${suffix}`;
const BACKEND = `backend_${suffix}`; // inherits what credits_service may
const SWITCHING = `switching_${suffix}`; // may become credits_service or credits_member, and is neither
const APPLICATION = `application_${suffix}`;
const ROLES = [STRANGER, BACKEND, SWITCHING, APPLICATION];

beforeAll(async () => {
  database = await atelierDatabase();
  for (const account_id of ['team', 'other']) {
    await call(database.pool, 'open_account', { account_id, plan: 'atelier_studio' });
  }
  for (const role of ROLES) await database.query(`create role ${role} login password '${suffix}'`);
  await database.query(`
    grant credits_service to ${BACKEND};
    grant credits_service, credits_member to ${SWITCHING} with inherit false;
    grant credits_service to ${APPLICATION}`);
});
afterAll(async () => {
  // What they own or were granted is in this database alone.
  for (const role of ROLES) await database.query(`drop owned by ${role}; drop role ${role}`);
  await database.close();
});

/** Runs `work` on a connection that logged in as a role. */
const loggedIn = <Result>(role: string, work: (client: Client) => Promise<Result>) => {
  const url = new URL(database.url);
  url.username = role;
  url.password = suffix;
  return connected(url.href, work);
};
const image = { account_id: 'team', operation: 'image' };
const service = { code: 'PC403', detail: { requires: 'service' }, hint: expect.any(String) };

describe('a stranger', () => {
  test('has nothing: no table, no function, no schema', async () => {
    await loggedIn(STRANGER, async (client) => {
      for (const statement of [
        'select from credits.accounts',
        'select from credits.plans',
        `select credits.item('image')`,
        `select credits.spend('team', 'image')`,
        `select credits.balances('team')`,
        'select credits.verify()',
        'select credits_private.now()',
        'select from credits_report.accounts_due',
        'set role credits_service',
        'set role credits_member',
        'create table credits.mine ()',
      ]) {
        expect(await sqlError(client.query(statement))).toEqual({ code: '42501' });
      }
    });
  });

  test('sees no row of a table that was granted by mistake', async () => {
    await database.query(
      `grant usage on schema credits to ${STRANGER}; grant select on credits.entries to ${STRANGER}`,
    );
    try {
      await loggedIn(STRANGER, async (client) => {
        await client.query(`set credits.account_id = 'team'`);
        expect((await client.query('select from credits.entries')).rows).toEqual([]);
      });
    } finally {
      await database.query(`drop owned by ${STRANGER}`);
    }
  });

  test('is not let in by a function that was granted by mistake, nor is who only could become the service', async () => {
    for (const role of [STRANGER, SWITCHING]) {
      await database.query(`
        grant usage on schema credits to ${role};
        grant execute on all functions in schema credits to ${role}`);
      try {
        await loggedIn(role, async (client) => {
          await client.query(`set credits.account_id = 'team'`);
          expect(await creditsError(call(client, 'spend', image))).toEqual(service);
          expect(
            await creditsError(call(client, 'balances', { account_id: 'team' })),
          ).toMatchObject({
            code: 'PC403',
            detail: { requires: 'account', account_id: 'team' },
          });
        });
      } finally {
        await database.query(`
          revoke usage on schema credits from ${role};
          revoke execute on all functions in schema credits from ${role}`);
      }
    }
  });
});

describe('a login', () => {
  test('that inherits credits_service is the service, without more ado', async () => {
    await loggedIn(BACKEND, async (client) => {
      expect(await call(client, 'spend', image)).toMatchObject([{ amount: -5 }]);
      expect(await call(client, 'activity', { account_id: 'team' })).not.toEqual([]);
      expect((await client.query('select from credits.accounts')).rowCount).toBe(2);
      expect(await sqlError(client.query('delete from credits.entries'))).toEqual({
        code: '42501',
      });
    });
  });

  test('that may become the service is it once it says so', async () => {
    await loggedIn(SWITCHING, async (client) => {
      expect(await sqlError(call(client, 'spend', image))).toEqual({ code: '42501' });
      await client.query('set role credits_service');
      expect(await call(client, 'spend', image)).toHaveLength(1);
      await client.query('reset role');
      expect(await sqlError(call(client, 'spend', image))).toEqual({ code: '42501' });
    });
  });

  test('that became a member is no more than that', async () => {
    await loggedIn(SWITCHING, async (client) => {
      await client.query('begin');
      await client.query('set local role credits_member');
      await client.query(`set local credits.account_id = 'team'`);
      expect(await call(client, 'balances', { account_id: 'team' })).toHaveLength(2);
      expect((await client.query('select account_id from credits.accounts')).rows).toEqual([
        { account_id: 'team' },
      ]);
      expect(await creditsError(call(client, 'spend', image))).toEqual(service);
      await client.query('rollback');
    });
  });

  test('even a superuser is what it became', async () => {
    for (const role of ['credits_member', 'credits_analyst']) {
      expect(
        await creditsError(
          database.as(role, { account_id: 'team' }, (query) =>
            query(`select * from credits.spend('team', 'image')`),
          ),
        ),
      ).toEqual(service);
    }
    expect(await call(database.pool, 'spend', image)).toHaveLength(1);
  });
});

describe('a function of the application', () => {
  test("that runs as its owner lends nobody the owner's service", async () => {
    await database.query(`
      create schema application authorization ${APPLICATION};
      set role ${APPLICATION};
      create function application.spend_for_me() returns setof credits.entries
      language sql security definer set search_path = pg_catalog, pg_temp
      as $$ select * from credits.spend('team', 'image') $$;
      reset role;
      grant usage on schema application to ${STRANGER}, ${BACKEND};`);
    await loggedIn(STRANGER, async (client) => {
      expect(await creditsError(client.query('select * from application.spend_for_me()'))).toEqual(
        service,
      );
    });
    await loggedIn(BACKEND, async (client) => {
      expect((await client.query('select * from application.spend_for_me()')).rowCount).toBe(1);
    });
  });
});

describe('traps', () => {
  // Whatever is found on the path first: it says so, loudly.
  const trap = (schema: string) => `
    create function ${schema}.sprung() returns text language plpgsql
    as $$ begin raise exception 'the trap was sprung' using errcode = 'TRAPD'; end $$;
    create function ${schema}.now() returns timestamptz language sql as $$ select ${schema}.sprung()::timestamptz $$;
    create function ${schema}.lower(text) returns text language sql as $$ select ${schema}.sprung() $$;
    create function ${schema}.length(text) returns int language sql as $$ select ${schema}.sprung()::int $$;
    create function ${schema}.cardinality(anyarray) returns int language sql as $$ select ${schema}.sprung()::int $$;
    create function ${schema}.jsonb_typeof(jsonb) returns text language sql as $$ select ${schema}.sprung() $$;
    create function ${schema}.current_setting(text, boolean) returns text language sql as $$ select ${schema}.sprung() $$;
    create function ${schema}.current_setting(text) returns text language sql as $$ select ${schema}.sprung() $$;
    create function ${schema}.pg_has_role(name, text, text) returns boolean language sql as $$ select true $$;
    create function ${schema}.check_service() returns boolean language sql as $$ select true $$;
    create function ${schema}.check_account(text) returns boolean language sql as $$ select true $$;
    create function ${schema}.caller_is(text) returns boolean language sql as $$ select true $$;
    create function ${schema}.same(text, text) returns boolean language sql as $$ select ${schema}.sprung() is null $$;
    create operator ${schema}.= (function = ${schema}.same, leftarg = text, rightarg = text);
    create function ${schema}.before(timestamptz, timestamptz) returns boolean
    language sql as $$ select ${schema}.sprung() is null $$;
    create operator ${schema}.<= (function = ${schema}.before, leftarg = timestamptz, rightarg = timestamptz);`;
  const tables = [
    'accounts',
    'lots',
    'entries',
    'postings',
    'units',
    'card_rates',
    'buckets',
    'violations',
  ];

  test('on the path, in public and among temporary things are not stepped on', async () => {
    await database.query(`
      create schema traps;
      ${trap('traps')}
      ${tables.map((name) => `create table traps.${name} (account_id text);`).join('\n')}
      grant usage on schema traps to public;
      grant select on all tables in schema traps to public`);
    try {
      await loggedIn(BACKEND, async (client) => {
        await client.query('create temp table settings (value text)');
        await client.query(trap('pg_temp'));
        for (const name of tables) {
          await client.query(`create temp table ${name} as select 'team' as account_id`);
        }
        await client.query('set search_path = pg_temp, traps, pg_catalog');
        // The trap is a trap.
        expect(await sqlError(client.query(`select 1 where 'a'::text = 'a'::text`))).toEqual({
          code: 'TRAPD',
        });
        for (const [name, args] of [
          ['item', { operation: 'image' }],
          ['quote', image],
          ['quote_items', { account_id: 'team', items: [] }],
          ['balances', { account_id: 'team', at: '2027-01-01T00:00:00Z' }],
          ['features', { account_id: 'team' }],
          ['rates', { account_id: 'team' }],
          ['activity', { account_id: 'team', kinds: ['usage'], since: '2020-01-01T00:00:00Z' }],
          ['entries_matching', { account_id: 'team', member_id: 'ada' }],
          ['usage_by_day', { account_id: 'team', since: '2020-01-01T00:00:00Z' }],
          ['verify', {}],
          ['verify', { account_id: 'team' }],
          ['spend', { ...image, idempotency_key: 'trapped', member_id: 'ada', max_amount: 5 }],
          ['spend', { ...image, idempotency_key: 'trapped', member_id: 'ada', max_amount: 5 }],
          ['grant', { account_id: 'team', amount: 5, idempotency_key: 'lot' }],
          ['grant', { account_id: 'team', amount: 5, idempotency_key: 'lot' }],
          ['claim', { account_id: 'team', promotion: 'welcome', claimant: 'Ada' }],
          ['open_account', { account_id: 'trapped', plan: 'atelier_pro' }],
          ['subscribe', { account_id: 'trapped', plan: 'atelier_pro' }],
          ['settle_due', {}],
        ] as const) {
          const outcome = await call(client, name, args).then(
            () => 'as ever',
            ({ code }) => code,
          );
          expect([name, outcome]).toEqual([name, name === 'quote_items' ? 'PC422' : 'as ever']);
        }
      });
    } finally {
      await database.query('drop schema traps cascade');
    }
  });

  test('open no other account to a member', async () => {
    await database.query(
      `create schema traps; ${trap('traps')}; grant usage on schema traps to public`,
    );
    try {
      await loggedIn(SWITCHING, async (client) => {
        await client.query(`set search_path = traps, pg_catalog`);
        await client.query('set role credits_member');
        await client.query(`set credits.account_id = 'team'`);
        expect(await call(client, 'balances', { account_id: 'team' })).toHaveLength(2);
        for (const name of ['balances', 'activity', 'features', 'rates']) {
          expect(await creditsError(call(client, name, { account_id: 'other' }))).toMatchObject({
            code: 'PC403',
            detail: { requires: 'account', account_id: 'other' },
          });
        }
        expect(await creditsError(call(client, 'spend', image))).toEqual(service);
        expect((await client.query('select account_id from credits.accounts')).rows).toEqual([
          { account_id: 'team' },
        ]);
      });
    } finally {
      await database.query('drop schema traps cascade');
    }
  });
});
