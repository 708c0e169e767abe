/**
 * Installs and upgrades the schemas from `sql/`.
 *
 * `migrations/` is versioned: each file is applied once, in a transaction of its own that also logs it. `functions/` and
 * `reports/` are repeatable: a file is applied again whenever its text has changed, all of them in one transaction with
 * `access.sql`, which comes last and sets every owner and grant anew.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, type ClientBase, type DatabaseError, escapeLiteral } from 'pg';
import { StartupError } from './errors.ts';

export interface MigrateOptions {
  /** The folder laid out like `sql/`; the package's own unless set. */
  folder?: string;
  /** Told each file as it is applied. */
  report?: (line: string) => void;
}

interface SqlFile {
  /** Relative to the folder, such as `functions/spend.sql`: its key in the log. */
  name: string;
  text: string;
  hash: string;
}

/** The package's `sql/`, beside `src/` as beside `dist/`. */
export const SQL_FOLDER = fileURLToPath(new URL('../sql', import.meta.url));

const OLDEST_SERVER = 160000;

const CREATE_LOG = `
create schema if not exists pgcredits;
comment on schema pgcredits is 'What pgcredits has installed in this database.';
create table if not exists pgcredits.migrations (
  file text constraint migrations_pkey primary key,
  hash text not null,
  applied_at timestamptz not null default now()
);
comment on table pgcredits.migrations is 'The files of sql/ that were applied, with the hash of their text.';
`;

const LOG_FILE = `
insert into pgcredits.migrations (file, hash) values ($1, $2)
on conflict (file) do update set hash = excluded.hash, applied_at = excluded.applied_at`;

/**
 * Brings a database up to date and returns the files it applied; none when it was already. Several at once are safe: one
 * works and the others wait. Needs a role that may create roles, and schemas in this database; no superuser.
 *
 * Throws a StartupError if a file fails (naming it and the line), if a versioned file was changed after it was applied,
 * or if the server is too old; what was applied before that stays.
 */
export async function migrate(
  connectionString: string,
  options: MigrateOptions = {},
): Promise<string[]> {
  const { folder = SQL_FOLDER, report = () => {} } = options;
  const client = new Client({ connectionString, application_name: 'pgcredits migrate' });
  client.on('error', () => {
    // The query under way reports it.
  });
  await client.connect();
  try {
    await checkServer(client);
    // Names in sql/ are complete; nothing on the path of the role that installs can get in between.
    await client.query(`set search_path = ''`);
    await client.query(`select pg_advisory_lock(hashtextextended('pgcredits migrate', 0))`);
    await client.query(CREATE_LOG);
    const log = await readLog(client);
    const versioned = await applyVersioned(client, readFiles(folder, 'migrations'), log, report);
    const repeated = await applyRepeatable(client, folder, log, versioned.length > 0, report);
    return [...versioned, ...repeated];
  } finally {
    await client.end();
  }
}

/**
 * All of `sql/` as one file for `psql -f`: it installs in one transaction, logs what it did so that `migrate` can upgrade
 * it later, and refuses a database that has pgcredits already. Throws nothing but what reading the files throws.
 */
export function installScript(folder: string = SQL_FOLDER): string {
  const files = [...readFiles(folder, 'migrations'), ...readRepeatable(folder)];
  const rows = files.map(({ name, hash }) => `  (${escapeLiteral(name)}, ${escapeLiteral(hash)})`);
  return `-- pgcredits: installs everything, in one transaction. Use: psql -f this-file "$DATABASE_URL"
-- Needs PostgreSQL 16 or newer and a role that may create roles, and schemas in this database.
\\set ON_ERROR_STOP on

begin;
set local search_path = '';
set local client_min_messages = warning;

do $$
begin
  if to_regclass('pgcredits.migrations') is not null then
    raise exception 'pgcredits is already installed in this database; nothing was changed'
      using hint = 'To upgrade it, run: pgcredits migrate';
  end if;
end
$$;
${CREATE_LOG}
${files.map(({ name, text }) => `-- ---- sql/${name}\n\n${text.trim()}\n`).join('\n')}
insert into pgcredits.migrations (file, hash) values
${rows.join(',\n')};

commit;
`;
}

async function checkServer(client: ClientBase): Promise<void> {
  const { rows } = await client.query('show server_version_num');
  if (Number(rows[0].server_version_num) >= OLDEST_SERVER) return;
  const { rows: version } = await client.query('show server_version');
  throw new StartupError(
    `This server is PostgreSQL ${version[0].server_version}; pgcredits needs 16 or newer.`,
    'Set DATABASE_URL to a newer server.',
  );
}

function readFiles(folder: string, subfolder: string): SqlFile[] {
  const directory = path.join(folder, subfolder);
  if (!fs.existsSync(directory)) return [];
  return fs
    .readdirSync(directory)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => readFile(folder, `${subfolder}/${file}`));
}

function readRepeatable(folder: string): SqlFile[] {
  const access = fs.existsSync(path.join(folder, 'access.sql'))
    ? [readFile(folder, 'access.sql')]
    : [];
  return [...readFiles(folder, 'functions'), ...readFiles(folder, 'reports'), ...access];
}

function readFile(folder: string, name: string): SqlFile {
  // Windows line ends change nothing.
  const text = fs.readFileSync(path.join(folder, name), 'utf8').replaceAll('\r\n', '\n');
  return { name, text, hash: createHash('sha256').update(text).digest('hex') };
}

async function readLog(client: ClientBase): Promise<Map<string, string>> {
  const { rows } = await client.query('select file, hash from pgcredits.migrations');
  return new Map(rows.map(({ file, hash }) => [file, hash]));
}

async function applyVersioned(
  client: ClientBase,
  files: SqlFile[],
  log: Map<string, string>,
  report: (line: string) => void,
): Promise<string[]> {
  const changed = files.find(({ name, hash }) => log.has(name) && log.get(name) !== hash);
  if (changed) {
    throw new StartupError(
      `sql/${changed.name} has changed since it was applied to this database.`,
      'Restore the file, and put the change into a new migration.',
    );
  }
  // The other commands, which read this file too, start sooner without.
  const { Umzug } = await import('umzug');
  const umzug = new Umzug({
    migrations: files.map((file) => ({
      name: file.name,
      up: () => inTransaction(client, () => apply(client, file, report)),
    })),
    storage: {
      executed: async () => [...log.keys()],
      // Logged by `apply`, in the transaction of the migration itself.
      logMigration: async () => {},
      unlogMigration: async () => {},
    },
    logger: undefined,
  });
  try {
    return (await umzug.up()).map(({ name }) => name);
  } catch (error) {
    // Umzug wraps what it catches.
    throw (error as Error).cause ?? error;
  }
}

async function applyRepeatable(
  client: ClientBase,
  folder: string,
  log: Map<string, string>,
  migrated: boolean,
  report: (line: string) => void,
): Promise<string[]> {
  const files = readRepeatable(folder);
  const changed = files.filter(({ name, hash }) => log.get(name) !== hash);
  if (changed.length === 0 && !migrated) return [];
  // What is created anew belongs to whoever runs this, so the owners and grants are always set after it.
  const due = files.filter((file) => changed.includes(file) || file.name === 'access.sql');
  await inTransaction(client, async () => {
    for (const file of due) await apply(client, file, report);
  });
  return due.map(({ name }) => name);
}

async function inTransaction(client: ClientBase, work: () => Promise<void>): Promise<void> {
  await client.query('begin');
  try {
    await work();
    await client.query('commit');
  } catch (error) {
    // When the connection is gone, so is the transaction.
    await client.query('rollback').catch(() => {});
    throw error;
  }
}

async function apply(
  client: ClientBase,
  file: SqlFile,
  report: (line: string) => void,
): Promise<void> {
  report(`sql/${file.name}`);
  try {
    await client.query(file.text);
  } catch (error) {
    const { message, code, detail, hint, position } = error as DatabaseError;
    const line = position ? `:${file.text.slice(0, Number(position)).split('\n').length}` : '';
    throw new StartupError(
      `sql/${file.name}${line}: ${message} (${code})${detail ? `. ${detail}` : ''}`,
      code === '42501'
        ? 'Connect as a role that may create roles, and schemas in this database.'
        : (hint ?? 'Nothing of this file was applied.'),
      { cause: error },
    );
  }
  await client.query(LOG_FILE, [file.name, file.hash]);
}
