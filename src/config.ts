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
  /** PGCREDITS_JWKS_URL: in place of a secret, where an identity provider serves the public keys of its tokens. */
  jwksUrl: string | null;
  /** PGCREDITS_JWT_AUDIENCE: what the tokens' `aud` must be or contain. Null: any. */
  jwtAudience: string | null;
  /** PGCREDITS_JWT_ISSUER: what the tokens' `iss` must be. Null: any. */
  jwtIssuer: string | null;
  /** PGCREDITS_JWT_CLAIM_PREFIX: stands before `role`, `account_id`, `member_id` and `member_role` in tokens. */
  jwtClaimPrefix: string | null;
  /** PGCREDITS_GRAPHIQL: `off` for no GraphiQL, and no schema without a token. */
  graphiql: boolean;
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
  const jwksUrl = env.PGCREDITS_JWKS_URL || null;
  if (jwksUrl !== null && jwtSecret !== null) {
    throw new StartupError(
      'Both PGCREDITS_JWT_SECRET and PGCREDITS_JWKS_URL are set; tokens are verified by one kind of key.',
      'Leave one out.',
    );
  }
  if (jwksUrl !== null && !isTrustworthy(jwksUrl)) {
    throw new StartupError(
      `PGCREDITS_JWKS_URL is ${JSON.stringify(jwksUrl)}, which is not an https address.`,
      "Keys that come unprotected could be anybody's. Without https it must be of this machine.",
    );
  }
  return {
    databaseUrl: env.DATABASE_URL || null,
    host: env.PGCREDITS_HOST || '127.0.0.1',
    port,
    dataFolder: resolve(env.PGCREDITS_DATA || '.pgcredits'),
    jwtSecret,
    jwksUrl,
    jwtAudience: env.PGCREDITS_JWT_AUDIENCE || null,
    jwtIssuer: env.PGCREDITS_JWT_ISSUER || null,
    jwtClaimPrefix: env.PGCREDITS_JWT_CLAIM_PREFIX || null,
    graphiql: env.PGCREDITS_GRAPHIQL !== 'off',
    stripeSecretKey: env.STRIPE_SECRET_KEY || null,
    stripeWebhookSecret: env.STRIPE_WEBHOOK_SECRET || null,
    stripeApiUrl: env.STRIPE_API_URL || null,
    simulatePayments: env.PGCREDITS_SIMULATE_PAYMENTS === '1',
  };
}

function isTrustworthy(address: string): boolean {
  const url = URL.parse(address);
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(url?.hostname ?? '');
  return url?.protocol === 'https:' || (url?.protocol === 'http:' && isLocal);
}
