/** A PostgreSQL of the benchmark's own, as durable as in production, and the ledgers in it. */
import * as fs from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';
import { CATALOGS, loadCatalog } from '../../src/catalog.ts';
import { startEmbeddedPostgres } from '../../src/embedded-postgres.ts';
import { migrate } from '../../src/migrate.ts';

/** What a server of this size would be given. A checkpoint in the middle of a slice would be noise. */
const SETTINGS = {
  shared_buffers: '1GB',
  max_wal_size: '8GB',
  checkpoint_timeout: '30min',
};

/** For profiles: statements inside functions, and the functions, are counted and timed. */
const PROFILING = {
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.track': 'all',
  track_functions: 'all',
};

/** Shown in the report as the server has them. */
const DURABILITY = [
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'wal_sync_method',
  'autovacuum',
];

const TEMPLATE = 'bench_template';

/** A database with pgcredits, the catalogs and the floors in it. */
export interface Ledger {
  name: string;
  /** As the superuser. */
  admin: Client;
  adminUrl: string;
  /** As the application's backend: a member of credits_service and no more. */
  clientUrl: string;
}

export interface BenchServer {
  settings: Record<string, string>;
  /** The server's own process. */
  pid: number;
  /** Makes another ledger, without accounts. */
  createLedger(name: string): Promise<Ledger>;
  /** Stops the server and removes its data. */
  stop(): Promise<void>;
}

export async function startServer(
  folder: string,
  { profile }: { profile: boolean },
): Promise<BenchServer> {
  fs.mkdirSync(folder, { recursive: true });
  const data = fs.mkdtempSync(path.join(folder, 'data-'));
  const options = { folder: data, database: TEMPLATE };
  const ledgers: Ledger[] = [];
  let server = await startEmbeddedPostgres(options);
  const interrupted = () => {
    stop().finally(() => process.exit(130));
  };
  const stop = async () => {
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    for (const { admin } of ledgers) await admin.end();
    await server.stop();
    // Run by root, the data may be elsewhere, behind a link.
    const real = fs.realpathSync(path.join(data, 'postgres'));
    fs.rmSync(data, { recursive: true });
    fs.rmSync(real, { recursive: true, force: true });
  };
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  try {
    await connected(server.connectionString, async (client) => {
      for (const [name, value] of Object.entries({ ...SETTINGS, ...(profile && PROFILING) })) {
        await client.query(`alter system set ${name} = '${value}'`);
      }
    });
    await server.stop();
    server = await startEmbeddedPostgres(options);
    await migrate(server.connectionString);
    const settings = await connected(server.connectionString, (client) => install(client, profile));
    const pidFile = path.join(data, 'postgres/postmaster.pid');
    return {
      settings,
      pid: Number(fs.readFileSync(pidFile, 'utf8').split('\n')[0]),
      async createLedger(name) {
        const at = (database: string, user?: string) => {
          const url = new URL(server.connectionString);
          url.pathname = database;
          if (user) url.username = url.password = user;
          return url.href;
        };
        await connected(at('postgres'), (client) =>
          client.query(`create database ${name} template ${TEMPLATE}`),
        );
        const admin = new Client(at(name));
        const ledger = { name, admin, adminUrl: at(name), clientUrl: at(name, 'bench_client') };
        ledgers.push(ledger);
        await admin.connect();
        return ledger;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Puts everything into the template. Returns the server's settings. */
async function install(client: Client, profile: boolean): Promise<Record<string, string>> {
  for (const name of CATALOGS) await loadCatalog(client, name);
  await client.query(fs.readFileSync(new URL('floors.sql', import.meta.url), 'utf8'));
  await client.query(`
    create role bench_client login password 'bench_client' in role credits_service;
    grant usage on schema bench to bench_client;
    grant select, insert, update on all tables in schema bench to bench_client`);
  if (profile) await client.query('create extension pg_stat_statements');
  const { rows } = await client.query(
    `select 'server' as name, split_part(version(), ' on ', 1) as value
     union all select name, current_setting(name) from unnest($1::text[]) name`,
    [[...DURABILITY, ...Object.keys(SETTINGS)]],
  );
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
}

/** After this, statistics and the visibility map are as autovacuum would leave them. */
export async function vacuum({ admin }: Ledger): Promise<void> {
  const { rows } = await admin.query(`
    select string_agg(oid::regclass::text, ', ') as tables from pg_class
    where relkind = 'r' and relnamespace::regnamespace::text in ('credits', 'bench')`);
  await admin.query(`vacuum analyze ${rows[0].tables}`);
}

export async function connected<Result>(
  url: string,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = new Client(url);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
