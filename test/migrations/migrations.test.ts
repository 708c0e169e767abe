import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Pool } from 'pg';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { createPool } from '../../src/database.ts';
import { startEmbeddedPostgres } from '../../src/embedded-postgres.ts';
import { StartupError } from '../../src/errors.ts';
import { installScript, migrate, SQL_FOLDER } from '../../src/migrate.ts';
import { untilBlockedCount } from '../support/locks.ts';
import { connected, createDatabase, databaseUrl } from '../support/server.ts';

let database: Awaited<ReturnType<typeof createDatabase>>;
let pool: Pool;
let folder: string;

beforeEach(async () => {
  database = await createDatabase(inject('serverUrl'));
  pool = createPool({ connectionString: database.url });
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pgcredits-migrations-'));
  fs.cpSync(SQL_FOLDER, folder, { recursive: true });
});

afterEach(async () => {
  await pool.end();
  await database.drop();
  fs.rmSync(folder, { recursive: true });
});

const append = (file: string, text: string) => fs.appendFileSync(path.join(folder, file), text);
const query = async (text: string) => (await pool.query(text)).rows;
const grantsOf = () =>
  query(`
    select p.oid::regprocedure::text as function, p.proowner::regrole::text as owner, array(select unnest(p.proacl)::text order by 1) as grants
    from pg_proc p where p.pronamespace in ('credits'::regnamespace, 'credits_private'::regnamespace)
    order by 1`);

describe('migrate', () => {
  test('applies everything once, and nothing the second time', async () => {
    const applied = await migrate(database.url);
    expect(applied.at(0)).toMatch(/^migrations\//);
    expect(applied.at(-1)).toBe('access.sql');
    expect(await query('select file from pgcredits.migrations order by file')).toEqual(
      applied.toSorted().map((file) => ({ file })),
    );
    expect(await migrate(database.url)).toEqual([]);
    expect(await query('select * from credits.verify()')).toEqual([]);
  });

  test('is safe for two at once: one works, the other waits and finds nothing to do', async () => {
    const blocker = await pool.connect();
    await blocker.query(`select pg_advisory_lock(hashtextextended('pgcredits migrate', 0))`);
    const both = Promise.all([migrate(database.url), migrate(database.url)]);
    await untilBlockedCount(pool, 2);
    await blocker.query('select pg_advisory_unlock_all()');
    blocker.release();
    const counts = (await both).map((applied) => applied.length).sort((a, b) => a - b);
    expect(counts[0]).toBe(0);
    expect(counts[1]).toBeGreaterThan(0);
  });

  test('applies a function file again when its text changes, and sets its grants anew', async () => {
    await migrate(database.url, { folder });
    const before = await grantsOf();
    const [file] = fs.readdirSync(path.join(folder, 'functions')).sort();
    append(`functions/${file}`, '\n-- changed\n');
    expect(await migrate(database.url, { folder })).toEqual([`functions/${file}`, 'access.sql']);
    expect(await grantsOf()).toEqual(before);
  });

  test('applies access.sql again after a new migration', async () => {
    await migrate(database.url, { folder });
    append('migrations/999_more.sql', 'create table credits.more (more_id bigint primary key);');
    expect(await migrate(database.url, { folder })).toEqual([
      'migrations/999_more.sql',
      'access.sql',
    ]);
    expect(
      await query(`select relowner::regrole::text as owner from pg_class where relname = 'more'`),
    ).toEqual([{ owner: 'credits_owner' }]);
  });

  test('refuses a versioned file that changed after it was applied', async () => {
    await migrate(database.url, { folder });
    const [file] = fs.readdirSync(path.join(folder, 'migrations')).sort();
    append(`migrations/${file}`, '\n-- changed\n');
    append('functions/99_new.sql', 'select 1;');
    await expect(migrate(database.url, { folder })).rejects.toThrow(StartupError);
    expect(await query(`select from pgcredits.migrations where file like '%99_new.sql'`)).toEqual(
      [],
    );
  });

  test('leaves nothing of a file that fails, and names its line', async () => {
    await migrate(database.url, { folder });
    append('migrations/999_wrong.sql', 'create table credits.wrong ();\nselect nonsense;\n');
    const failure: StartupError = await migrate(database.url, { folder }).then(
      () => expect.fail('should have failed'),
      (error) => error,
    );
    expect(failure).toBeInstanceOf(StartupError);
    expect(failure.message).toContain('sql/migrations/999_wrong.sql:2:');
    expect(await query(`select to_regclass('credits.wrong') as it`)).toEqual([{ it: null }]);

    fs.rmSync(path.join(folder, 'migrations/999_wrong.sql'));
    expect(await migrate(database.url, { folder })).toEqual([]);
  });

  test('keeps all function files or none when one fails', async () => {
    await migrate(database.url, { folder });
    append(
      'functions/98_good.sql',
      'create function credits.good() returns int language sql return 1;',
    );
    append('functions/99_wrong.sql', 'select nonsense;');
    await expect(migrate(database.url, { folder })).rejects.toThrow(StartupError);
    expect(await query(`select from pg_proc where proname = 'good'`)).toEqual([]);
  });

  test('works as a role that is no superuser', async () => {
    // A server of its own: here no other role has created the roles before.
    const data = fs.mkdtempSync(path.join(os.tmpdir(), 'pgcredits-roles-'));
    const server = await startEmbeddedPostgres({ folder: data, test: true });
    try {
      await connected(server.connectionString, async (client) => {
        await client.query(`create role installer login createrole password 'installer'`);
        await client.query('create database application owner installer');
      });
      const url = new URL(databaseUrl(server.connectionString, 'application'));
      url.username = 'installer';
      url.password = 'installer';
      expect(await migrate(url.href)).not.toEqual([]);
      expect(await migrate(url.href)).toEqual([]);
      await connected(databaseUrl(server.connectionString, 'application'), async (client) => {
        expect((await client.query('select * from credits.verify()')).rows).toEqual([]);
      });
    } finally {
      await server.stop();
      fs.rmSync(data, { recursive: true });
    }
  });
});

describe('the install script', () => {
  // What starts with a backslash is for psql.
  const script = () => installScript(folder).replace(/^\\.*$/gm, '');

  test('installs into a bare database what migrate would', async () => {
    await pool.query(script());
    expect(await query('select * from credits.verify()')).toEqual([]);
    expect(await migrate(database.url, { folder })).toEqual([]);
  });

  test('changes nothing where pgcredits is installed, and says so', async () => {
    await pool.query(script());
    const before = await query('select * from pgcredits.migrations order by file');
    await expect(pool.query(script())).rejects.toThrow('already installed');
    expect(await query('select * from pgcredits.migrations order by file')).toEqual(before);
  });
});
