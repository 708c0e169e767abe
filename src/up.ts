import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import path from 'node:path';
import { SignJWT } from 'jose';
import type { Pool } from 'pg';
import { CATALOGS, loadCatalog } from './catalog.ts';
import type { Config } from './config.ts';
import { createPool } from './database.ts';
import { runDemo } from './demo.ts';
import { DEMO_READERS, writeDemoHistory } from './demo-history.ts';
import { startEmbeddedPostgres } from './embedded-postgres.ts';
import { StartupError } from './errors.ts';
import { startServer } from './graphql.ts';
import { migrate } from './migrate.ts';
import { configuredProvider } from './payments/configured.ts';
import { SIMULATED_CHECKOUT_PATH } from './payments/routes.ts';
import { memberToken, usagePageLink } from './usage-page/link.ts';
import { startWorker } from './worker.ts';

export interface UpOptions {
  config: Config;
  /** Also opens demo accounts and shows them at work. */
  demo: boolean;
  /** Resolves when everything shall stop. */
  stopSignal: Promise<void>;
  print: (line?: string) => void;
}

/**
 * Runs everything until `stopSignal`: database, schemas, catalogs, worker, API, in that order, and stops it in the opposite one.
 * Throws a StartupError for what can be put right by whoever started it, such as a taken port.
 */
export async function up({ config, demo, stopSignal, print }: UpOptions): Promise<void> {
  const say = (part: string) => (line: string) => print(`${part.padEnd(10)}${line}`);
  const stops: (() => Promise<void>)[] = [];
  if (config.jwksUrl !== null) {
    throw new StartupError(
      '"up" signs tokens of its own, and PGCREDITS_JWKS_URL is for those of others.',
      'Run "pgcredits serve" and "pgcredits worker" instead.',
    );
  }
  try {
    const database = await startDatabase(config, say('database'));
    stops.push(database.stop);
    const { connectionString } = database;

    const applied = await migrate(connectionString, { report: say('migrate') });
    if (applied.length === 0) say('migrate')('up to date');

    const pool = createPool({ connectionString, log: say('database') });
    stops.push(() => pool.end());
    await loadCatalogs(pool, say('catalogs'));

    if (demo && config.databaseUrl === null) {
      await writeDemoHistory(pool, say('demo'));
    } else if (demo) {
      // A past needs a clock that can be set, and we do not set the clock of an application's database.
      say('demo')('accounts begin now: a past is written to the embedded PostgreSQL only');
    }

    const jwtSecret = config.jwtSecret ?? keptSecret(config.dataFolder);
    // Everything on one machine is for trying it out, so that payments may be simulated without being asked for.
    const checkout = { url: '', secret: jwtSecret };
    const provider = configuredProvider({ ...config, simulatePayments: true }, checkout);
    say('payments')(
      config.stripeSecretKey === null
        ? 'simulated: credits are given and nothing is paid; set STRIPE_SECRET_KEY for real ones'
        : 'Stripe',
    );

    const worker = await startWorker({ connectionString, provider, log: say('worker') });
    stops.push(() => worker.stop());
    say('worker')('running');

    const api = await startServer({
      ...config,
      connectionString,
      jwtSecret,
      provider,
      log: say('api'),
    });
    stops.push(() => api.stop());
    checkout.url = `${api.url}${SIMULATED_CHECKOUT_PATH}`;
    say('api')(`listening on ${api.url}`);

    if (demo) await runDemo(pool, print);
    print(await directions(api.url, connectionString, jwtSecret, demo));

    await Promise.race([stopSignal, database.ended, worker.ended]);
    print('Stopping.');
  } finally {
    // One that fails to stop must not keep the others from it.
    for (const stop of stops.reverse()) {
      await stop().catch((error: Error) => print(`While stopping: ${error.message}`));
    }
  }
}

async function startDatabase(
  config: Config,
  report: (line: string) => void,
): Promise<{ connectionString: string; ended: Promise<never>; stop: () => Promise<void> }> {
  if (config.databaseUrl !== null) {
    report('using DATABASE_URL');
    const never = new Promise<never>(() => {});
    return { connectionString: config.databaseUrl, ended: never, stop: async () => {} };
  }
  const postgres = await startEmbeddedPostgres({ folder: config.dataFolder, report });
  report(`PostgreSQL on ${new URL(postgres.connectionString).host}, data in ${config.dataFolder}`);
  const ended = postgres.ended.then(() => {
    throw new StartupError(
      'The embedded PostgreSQL has ended.',
      `Its log is ${path.join(config.dataFolder, 'postgres.log')}. Start again to go on.`,
    );
  });
  // Noticed only while everything runs; during start and stop, whoever uses the database says so.
  ended.catch(() => {});
  return { connectionString: postgres.connectionString, ended, stop: postgres.stop };
}

async function loadCatalogs(pool: Pool, report: (line: string) => void): Promise<void> {
  const client = await pool.connect();
  try {
    for (const name of CATALOGS) {
      const changes = await loadCatalog(client, name);
      report(`${name}: ${changes.length === 0 ? 'unchanged' : `${changes.length} rows loaded`}`);
    }
  } finally {
    client.release();
  }
}

/** The secret that tokens are signed with where none is configured: made up once and kept beside the data. */
function keptSecret(folder: string): string {
  const file = path.join(folder, 'jwt-secret');
  if (!fs.existsSync(file)) {
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(file, `${randomBytes(48).toString('base64url')}\n`, { mode: 0o600 });
  }
  return fs.readFileSync(file, 'utf8').trim();
}

/** Where everything is and what to try next, ready to paste. */
async function directions(
  api: string,
  connectionString: string,
  secret: string,
  demo: boolean,
): Promise<string> {
  const token = await new SignJWT({ role: 'credits_service' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1 day')
    .sign(new TextEncoder().encode(secret));
  return `
GraphiQL      ${api}
GraphQL       ${api}/graphql
  headers     {"Authorization": "Bearer ${token}"}
              (any account, for a day; an end user's token says credits_member and an account_id)
psql          psql '${connectionString}'
${demo ? await demoDirections(api, secret) : ''}
Ctrl-C stops everything; the data stays.
`;
}

async function demoDirections(api: string, secret: string): Promise<string> {
  const links = DEMO_READERS.map(async (reader) => {
    const link = usagePageLink(api, await memberToken(secret, reader, '1 day'));
    return `  ${reader.accountId}, as ${reader.memberId} (${reader.memberRole})\n    ${link}\n`;
  });
  return `
Try next
  in psql       select * from credits.rates('demo-invideo');
                select * from credits.balances('demo-avs', now() + interval '3 months');
                select * from credits.verify();
  in GraphiQL   { balances(accountId: "demo-avs") { unit total nextRefillAt } }

Usage pages, each link good for a day
${(await Promise.all(links)).join('')}`;
}
