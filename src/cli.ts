#!/usr/bin/env node
/**
 * The command line. Each command reads the configuration, does one thing, and says in plain text what it did. The API and
 * the worker are loaded by the commands that run them; the others start at once without.
 */
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { Command } from 'commander';
import { Client } from 'pg';
import { CATALOGS, loadCatalog } from './catalog.ts';
import { type Config, readConfig } from './config.ts';
import { StartupError } from './errors.ts';
import { installScript, migrate } from './migrate.ts';

const { version } = JSON.parse(
  fs.readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string };

const print = (line = '') => {
  process.stdout.write(`${line}\n`);
};

const program = new Command('pgcredits')
  .description('A credits ledger that lives in PostgreSQL.')
  .version(version)
  .addHelpText(
    'after',
    `
Environment:
  DATABASE_URL          the application's database; "up" starts a PostgreSQL of its own without it
  PORT                  the port the API listens on: 5678 unless set
  PGCREDITS_HOST        the address the API listens on: 127.0.0.1 unless set
  PGCREDITS_DATA        the folder of the embedded PostgreSQL: .pgcredits unless set
  PGCREDITS_JWT_SECRET  the HS256 secret of the API's tokens; "up" makes one up without it
  PGCREDITS_JWKS_URL    in place of a secret: where an identity provider serves the keys of its tokens
  PGCREDITS_JWT_AUDIENCE, PGCREDITS_JWT_ISSUER  what a token's "aud" and "iss" must be: anything unless set
  PGCREDITS_JWT_CLAIM_PREFIX  stands before the claims role, account_id, member_id and member_role
  PGCREDITS_GRAPHIQL    "off": no GraphiQL, and no schema without a token
  STRIPE_SECRET_KEY     payments are Stripe's; without it they are simulated: credits are given, nothing is paid
  STRIPE_WEBHOOK_SECRET of the endpoint /payments/webhook, as Stripe shows it`,
  );

program
  .command('up')
  .description('starts everything: database, schemas, catalogs, worker, API')
  .option('--demo', 'also opens an account on a plan of each product and shows it at work')
  .action(async ({ demo = false }: { demo?: boolean }) => {
    print(`pgcredits ${version}`);
    const { up } = await import('./up.ts');
    await up({ config: readConfig(), demo, stopSignal: stopSignal(), print });
  });

program
  .command('migrate')
  .description('creates or upgrades the schemas; safe to run twice, or by two at once')
  .action(async () => {
    const applied = await migrate(databaseUrl(readConfig()), { report: print });
    print(applied.length === 0 ? 'Up to date.' : `Applied ${applied.length} files.`);
  });

program
  .command('catalog')
  .description('works on catalogs: the prices and plans of a product')
  .command('load')
  .description('loads catalogs; loading one again changes nothing')
  .argument('<name-or-file...>', `${CATALOGS.join(', ')}, or a file of your own`)
  .action(async (names: string[]) => {
    await withDatabase(async (client) => {
      for (const name of names) {
        const changes = await loadCatalog(client, name);
        for (const change of changes) print(change);
        print(`${name}: ${changes.length === 0 ? 'unchanged' : `${changes.length} changes`}`);
      }
    });
  });

program
  .command('serve')
  .description('runs the API alone')
  .action(async () => {
    const config = readConfig();
    const connectionString = databaseUrl(config);
    const { host, port, jwtSecret, jwksUrl } = config;
    if (jwtSecret === null && jwksUrl === null) {
      throw new StartupError(
        'PGCREDITS_JWT_SECRET is not set, so the API could not tell who is calling.',
        'Set it to the secret that your application signs its tokens with, or set PGCREDITS_JWKS_URL.',
      );
    }
    const signal = stopSignal();
    const { startServer } = await import('./graphql.ts');
    const { configuredProvider } = await import('./payments/configured.ts');
    const { SIMULATED_CHECKOUT_PATH } = await import('./payments/routes.ts');
    const provider = configuredProvider(config, {
      url: `http://${host}:${port}${SIMULATED_CHECKOUT_PATH}`,
      secret: jwtSecret ?? randomUUID(),
    });
    const api = await startServer({
      ...config,
      connectionString,
      provider,
      log: print,
    });
    print(`Listening on ${api.url}, with ${provider.name}`);
    await signal;
    await api.stop();
  });

program
  .command('worker')
  .description('runs the worker alone')
  .action(async () => {
    const config = readConfig();
    const connectionString = databaseUrl(config);
    const signal = stopSignal();
    const { startWorker } = await import('./worker.ts');
    const { configuredProvider } = await import('./payments/configured.ts');
    const provider = configuredProvider(config, null);
    const worker = await startWorker({ connectionString, provider, log: print });
    print(`Working. Payments: ${provider.name}.`);
    await Promise.race([signal, worker.ended]);
    await worker.stop();
  });

program
  .command('verify')
  .description('prints what is wrong with the ledger; exit status 1 if anything is')
  .action(async () => {
    await withDatabase(async (client) => {
      const { rows } = await client.query('select * from credits.verify(null)');
      for (const { account_id, rule, detail } of rows) {
        print(`${account_id}  ${rule}  ${JSON.stringify(detail)}`);
      }
      if (rows.length > 0) process.exitCode = 1;
      else print('No violations.');
    });
  });

program
  .command('sql')
  .description('prints one file that installs everything with psql')
  .action(() => print(installScript()));

function databaseUrl(config: Config): string {
  if (config.databaseUrl !== null) return config.databaseUrl;
  throw new StartupError(
    'DATABASE_URL is not set.',
    'Set it to a database of yours, or to the one that "pgcredits up" prints.',
  );
}

async function withDatabase(work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: databaseUrl(readConfig()) });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/** Resolves at the first Ctrl-C or SIGTERM; another one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked: number | undefined;
    const ask = () => {
      asked ??= Date.now();
      // One Ctrl-C arrives twice under npm, from the terminal and from npm.
      if (Date.now() - asked > 1_000) process.exit(130);
      resolve();
    };
    process.on('SIGINT', ask);
    process.on('SIGTERM', ask);
  });
}

/** What went wrong, in words; the stack only where none of this foresaw it. */
function describe(error: unknown): string {
  if (error instanceof StartupError) return `${error.message}\n${error.hint}`;
  // A refused connection to a name with several addresses has an error for each.
  const first = (error as AggregateError).errors?.[0] ?? error;
  const { code, address, port, message, severity, detail, hint, stack } = first;
  if (code === 'EADDRINUSE') {
    return `Port ${port} on ${address} is taken.\nSet PORT to another one, or to 0 for any that is free.`;
  }
  if (['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT', 'EHOSTUNREACH', 'EAI_AGAIN'].includes(code)) {
    return `The database cannot be reached: ${message}.\nSee that it runs and that DATABASE_URL is right.`;
  }
  if (severity) return [`${message} (${code})`, detail, hint].filter(Boolean).join('\n');
  return stack ?? String(error);
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever read our output, such as head, has enough.
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${describe(error)}\n`);
  process.exitCode = 1;
}
