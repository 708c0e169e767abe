/** A PostgreSQL of the benchmark's own, as durable as in production, with the ledger installed and a catalog loaded. */
import * as fs from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';
import { loadCatalog } from '../../src/catalog.ts';
import { startEmbeddedPostgres } from '../../src/embedded-postgres.ts';
import { migrate } from '../../src/migrate.ts';

/** What a server of this size would be given. A checkpoint in the middle of a slice would be noise. */
const SETTINGS = {
  shared_buffers: '1GB',
  max_wal_size: '8GB',
  checkpoint_timeout: '30min',
  max_connections: '100',
};

/** Shown in the output, as the server has them. */
const SHOWN = ['fsync', 'synchronous_commit', 'full_page_writes', 'wal_sync_method', 'autovacuum'];

export interface BenchServer {
  /** As the application's backend, which is a member of credits_service and no more. */
  clientUrl: string;
  /** As the superuser. */
  admin: Client;
  settings: Record<string, string>;
  stop(): Promise<void>;
}

export async function startServer(
  folder: string,
  progress: (line: string) => void,
  preload = '',
): Promise<BenchServer> {
  fs.mkdirSync(folder, { recursive: true });
  const data = fs.mkdtempSync(path.join(folder, 'data-'));
  const options = { folder: data, database: 'bench' };
  progress('starting a server of its own');
  let server = await startEmbeddedPostgres(options);
  const remove = () => {
    // As root, the data may be elsewhere, behind a link.
    const real = fs.realpathSync(path.join(data, 'postgres'));
    fs.rmSync(data, { recursive: true });
    fs.rmSync(real, { recursive: true, force: true });
  };
  try {
    await withClient(server.connectionString, async (client) => {
      const settings = { ...SETTINGS, ...(preload && { shared_preload_libraries: preload }) };
      for (const [name, value] of Object.entries(settings)) {
        await client.query(`alter system set ${name} = '${value}'`);
      }
    });
    await server.stop();
    server = await startEmbeddedPostgres(options);
    await migrate(server.connectionString);
    const admin = new Client(server.connectionString);
    await admin.connect();
    await loadCatalog(admin, 'avs');
    await admin.query(fs.readFileSync(new URL('floors.sql', import.meta.url), 'utf8'));
    await admin.query(`
      create role bench_client login password 'bench' in role credits_service;
      grant usage on schema bench to bench_client;
      grant select, insert, update on all tables in schema bench to bench_client`);
    const clientUrl = new URL(server.connectionString);
    clientUrl.username = 'bench_client';
    clientUrl.password = 'bench';
    const { rows } = await admin.query(
      `select name, current_setting(name) as value from unnest($1::text[]) name
       union all select 'server', split_part(version(), ' on ', 1)`,
      [[...SHOWN, ...Object.keys(SETTINGS)]],
    );
    return {
      clientUrl: clientUrl.href,
      admin,
      settings: Object.fromEntries(rows.map(({ name, value }) => [name, value])),
      async stop() {
        await admin.end();
        await server.stop();
        remove();
      },
    };
  } catch (error) {
    await server.stop();
    remove();
    throw error;
  }
}

async function withClient(url: string, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client(url);
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
