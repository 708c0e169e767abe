#!/usr/bin/env node
/**
 * The command line. Each command reads the configuration, does one thing, and says in plain text what it did: results on
 * stdout, progress and failures on stderr. The API and the worker are loaded by the commands that run them; the others start at
 * once without.
 */
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { Command, CommanderError } from 'commander';
import type { Client } from 'pg';
import { CATALOGS, loadCatalog } from './catalog.ts';
import { databaseUrl, print, printJson, report, withDatabase } from './commands/context.ts';
import { describeFailure, failureAsJson } from './commands/failure.ts';
import { addSupportCommands } from './commands/support.ts';
import { readConfig } from './config.ts';
import { creditsError, StartupError } from './errors.ts';
import { installScript, migrate } from './migrate.ts';
import { table } from './table.ts';

const { version } = JSON.parse(
  fs.readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string };

const program = new Command('pgcredits')
  .description('A credits ledger that lives in PostgreSQL.')
  .version(version)
  .exitOverride()
  .showHelpAfterError('(--help tells more)')
  .addHelpText(
    'after',
    `
Exit status:
  0                     done
  1                     refused, failed, or violations found; stderr says why and what to do
  2                     wrong usage of the command line

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
  STRIPE_SECRET_KEY     payments are Stripe's; without it, purchases stay pending
  STRIPE_WEBHOOK_SECRET of the endpoint /payments/webhook, as Stripe shows it
  PGCREDITS_SIMULATE_PAYMENTS  1: without Stripe, credits are given and nothing is paid, as "up" does`,
  );

program
  .command('up')
  .description('starts everything: database, schemas, catalogs, worker, API, usage page')
  .option('--demo', 'also opens an account on a plan of each product and shows it at work')
  .action(async ({ demo = false }: { demo?: boolean }) => {
    print(`pgcredits ${version}`);
    const { up } = await import('./up.ts');
    await up({ config: readConfig(), demo, stopSignal: stopSignal(), print });
  });

program
  .command('migrate')
  .description('creates or upgrades the schemas; safe to run twice, or by two at once')
  .option('--json', 'prints the files that it applied as JSON')
  .action(async ({ json }: { json?: boolean }) => {
    const applied = await migrate(databaseUrl(readConfig()), { report });
    if (json) printJson(applied);
    else print(applied.length === 0 ? 'Up to date.' : `Applied ${applied.length} files.`);
  });

program
  .command('catalog')
  .description('works on catalogs: the prices and plans of a product')
  .command('load')
  .description('loads catalogs; loading one again changes nothing')
  .argument('<name-or-file...>', `${CATALOGS.join(', ')}, or a file of your own`)
  .option('--json', 'prints the changes of each as JSON')
  .action(async (names: string[], { json }: { json?: boolean }) => {
    await withDatabase(async (client) => {
      const loaded: Record<string, string[]> = {};
      for (const name of names) {
        loaded[name] = await loadCatalog(client, name);
        if (json) continue;
        for (const change of loaded[name]) print(change);
        const count = loaded[name].length;
        print(`${name}: ${count === 0 ? 'unchanged' : `${count} changes`}`);
      }
      if (json) printJson(loaded);
    });
  });

program
  .command('serve')
  .description('runs the API alone, with the usage page')
  .action(async () => {
    const config = readConfig();
    const connectionString = databaseUrl(config);
    const { jwtSecret, jwksUrl } = config;
    if (jwtSecret === null && jwksUrl === null) {
      throw new StartupError(
        'PGCREDITS_JWT_SECRET is not set, so the API could not tell who is calling.',
        'Set it to the secret that your application signs its tokens with, or set PGCREDITS_JWKS_URL.',
      );
    }
    const signal = stopSignal();
    const { startServer } = await import('./graphql.ts');
    const { configuredProvider, NO_PAYMENTS } = await import('./payments/configured.ts');
    const { SIMULATED_CHECKOUT_PATH } = await import('./payments/routes.ts');
    const checkout = { url: '', secret: jwtSecret ?? randomUUID() };
    const provider = configuredProvider(config, checkout);
    const api = await startServer({
      ...config,
      connectionString,
      provider,
      log: print,
    });
    checkout.url = `${api.url}${SIMULATED_CHECKOUT_PATH}`;
    print(`Listening on ${api.url}. Payments: ${provider?.name ?? NO_PAYMENTS}.`);
    await signal;
    await api.stop();
  });

program
  .command('worker')
  .description('runs the worker alone: settles what is due, charges top-ups')
  .action(async () => {
    const config = readConfig();
    const connectionString = databaseUrl(config);
    const signal = stopSignal();
    const { startWorker } = await import('./worker.ts');
    const { configuredProvider, NO_PAYMENTS } = await import('./payments/configured.ts');
    const provider = configuredProvider(config, null);
    const worker = await startWorker({ connectionString, provider, log: print });
    print(`Working. Payments: ${provider?.name ?? NO_PAYMENTS}.`);
    await Promise.race([signal, worker.ended]);
    await worker.stop();
  });

program
  .command('verify')
  .description('prints what is wrong with the ledger; exit status 1 if anything is')
  .argument('[account]', 'of this account alone')
  .option('--json', 'prints the violations as JSON')
  .action(async (account: string | undefined, { json }: { json?: boolean }) => {
    await withDatabase(async (client) => {
      const { rows } = await client.query('select * from credits.verify($1)', [account ?? null]);
      if (rows.length > 0) process.exitCode = 1;
      else if (account !== undefined) await requireAccount(client, account);
      if (json) return printJson(rows);
      if (rows.length === 0) return print('No violations.');
      const columns = ['account_id', 'rule', 'detail'].map((name) => ({ name }));
      const cells = rows.map((row) => [row.account_id, row.rule, JSON.stringify(row.detail)]);
      print(table(columns, cells));
    });
  });

program
  .command('sql')
  .description('prints one file that installs everything with psql')
  .action(() => print(installScript()));

addSupportCommands(program);

/** Throws PC404 for an account that is not there, of which the audit has nothing to say. */
async function requireAccount(client: Client, account: string): Promise<void> {
  const { rows } = await client.query('select from credits.accounts where account_id = $1', [
    account,
  ]);
  if (rows.length > 0) return;
  const detail = { what: 'account', key: account };
  throw creditsError('PC404', detail, 'Open it with credits.open_account.');
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

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever read our output, such as head, has enough.
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // It has said so itself; help and version that were asked for are no mistake.
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    report(process.argv.includes('--json') ? failureAsJson(error) : describeFailure(error));
    process.exitCode = 1;
  }
}
