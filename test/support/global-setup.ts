/**
 * One server for the whole run, and in it two templates that each test file clones: `empty`, migrated, and `catalogs`, with
 * the four catalogs loaded as well. Both have the test clock, which reads the setting `credits.now`.
 */
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { CATALOGS, loadCatalog } from '../../src/catalog.ts';
import { readConfig } from '../../src/config.ts';
import { startEmbeddedPostgres } from '../../src/embedded-postgres.ts';
import { migrate, SQL_FOLDER } from '../../src/migrate.ts';
import { connected, createDatabase } from './server.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The server, as its superuser. */
    serverUrl: string;
    /** The names of the two templates. */
    templates: { empty: string; catalogs: string };
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startServer();
  const drops: (() => Promise<void>)[] = [];
  const teardown = async () => {
    for (const drop of drops) await drop();
    await server.stop();
  };
  try {
    const empty = await createDatabase(server.url);
    drops.push(empty.drop);
    await migrate(empty.url);
    await connected(empty.url, (client) =>
      client.query(fs.readFileSync(path.join(SQL_FOLDER, 'testing/clock.sql'), 'utf8')),
    );
    const catalogs = await createDatabase(server.url, empty.name);
    drops.push(catalogs.drop);
    await connected(catalogs.url, async (client) => {
      for (const name of CATALOGS) await loadCatalog(client, name);
    });
    project.provide('templates', { empty: empty.name, catalogs: catalogs.name });
  } catch (error) {
    await teardown();
    throw error;
  }
  project.provide('serverUrl', server.url);
  return teardown;
}

/** The server that DATABASE_URL names, or an embedded one in a folder that goes with it. */
async function startServer(): Promise<{ url: string; stop(): Promise<void> }> {
  const given = readConfig().databaseUrl;
  if (given) return { url: given, stop: async () => {} };
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pgcredits-test-'));
  const postgres = await startEmbeddedPostgres({ folder, database: 'postgres', test: true });
  return {
    url: postgres.connectionString,
    async stop() {
      await postgres.stop();
      fs.rmSync(folder, { recursive: true });
    },
  };
}
