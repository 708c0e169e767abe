import { resolve } from 'node:path';
import { StartupError } from './errors.ts';

/** Everything that the environment decides. No other file reads it. */
export interface Config {
  /** DATABASE_URL: the application's own database. Null: an embedded PostgreSQL is started where a command can. */
  databaseUrl: string | null;
  /** PGCREDITS_HOST: the address the API listens on, 127.0.0.1 unless set. */
  host: string;
  /** PORT: the port the API listens on, 5678 unless set; 0 takes any free one. */
  port: number;
  /** PGCREDITS_DATA: the folder of the embedded PostgreSQL, `.pgcredits` unless set. */
  dataFolder: string;
  /** PGCREDITS_JWT_SECRET: the HS256 secret that the API's tokens are signed with. */
  jwtSecret: string | null;
  /** STRIPE_SECRET_KEY: payments are Stripe's. */
  stripeSecretKey: string | null;
  /** STRIPE_WEBHOOK_SECRET: of the webhook endpoint, as Stripe shows it. */
  stripeWebhookSecret: string | null;
  /** STRIPE_API_URL: where Stripe's API is, if not at Stripe. */
  stripeApiUrl: string | null;
  /** PGCREDITS_SIMULATE_PAYMENTS=1: without Stripe, payments are simulated: credits are given, and nothing is paid. */
  simulatePayments: boolean;
}

/** Reads the environment. Throws a StartupError for a value that cannot be used. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const port = Number(env.PORT || 5678);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new StartupError(
      `PORT is ${JSON.stringify(env.PORT)}, which is not a port.`,
      'Set it to a number from 1 to 65535, or leave it out.',
    );
  }
  const jwtSecret = env.PGCREDITS_JWT_SECRET || null;
  if (jwtSecret !== null && jwtSecret.length < 32) {
    throw new StartupError(
      'PGCREDITS_JWT_SECRET is shorter than 32 characters, which HS256 needs.',
      'Set a longer one: openssl rand -base64 48',
    );
  }
  return {
    databaseUrl: env.DATABASE_URL || null,
    host: env.PGCREDITS_HOST || '127.0.0.1',
    port,
    dataFolder: resolve(env.PGCREDITS_DATA || '.pgcredits'),
    jwtSecret,
    stripeSecretKey: env.STRIPE_SECRET_KEY || null,
    stripeWebhookSecret: env.STRIPE_WEBHOOK_SECRET || null,
    stripeApiUrl: env.STRIPE_API_URL || null,
    simulatePayments: env.PGCREDITS_SIMULATE_PAYMENTS === '1',
  };
}
