/**
 * The GraphQL API: PostGraphile over the schema `credits` and no other.
 *
 *   request ──> verified JWT ──> caller ──> one transaction with its role and claims ──> tables and functions of `credits`
 *
 * Nothing here decides who may do what: that is the grants, the row-level security and the functions.
 */
import './graphile-environment.ts';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PgSimplifyInflectionPreset } from '@graphile/simplify-inflection';
import { jwtVerify } from 'jose';
import type { Pool } from 'pg';
import { makeSchema, postgraphile } from 'postgraphile';
import { makePgService } from 'postgraphile/adaptors/pg';
import { isSafeError, SafeError } from 'postgraphile/grafast';
import { grafserv } from 'postgraphile/grafserv/node';
import {
  GraphQLError,
  Kind,
  lexicographicSortSchema,
  parse,
  printSchema,
} from 'postgraphile/graphql';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { createPool, requireSchema } from './database.ts';
import { CreditsError, toCreditsError } from './errors.ts';
import { SchemaShapePreset } from './graphql-schema.ts';
import { checkoutPlugin } from './payments/checkout-plugin.ts';
import { paymentsPlugin } from './payments/grafserv-plugin.ts';
import { lendingFrom } from './payments/ledger.ts';
import type { PaymentProvider } from './payments/provider.ts';

export interface ServerOptions {
  /** A login that is, or may `set role` to, `credits_service` and `credits_member`. */
  connectionString: string;
  /** The address to listen on. Default: 127.0.0.1. */
  host?: string;
  /** The port to listen on; 0 takes a free one. */
  port: number;
  /** The secret that the application signs its tokens with, HS256: 32 characters or more. */
  jwtSecret: string;
  /**
   * Takes the payments that `checkoutPack` begins: its events come to `/payments/webhook`, and its checkout page is shown where
   * it is ours. Without one, neither is served.
   */
  provider?: PaymentProvider;
  /** Told what an operator should know: broken connections, and errors that callers do not get to see. */
  log?: (line: string) => void;
}

export interface Server {
  /** `http://host:port`, without a slash at the end. */
  url: string;
  port: number;
  /** Takes no new request, finishes those under way, and closes its connections. */
  stop(): Promise<void>;
}

/** Who is calling, as a verified token says. */
interface Caller {
  role: 'credits_service' | 'credits_member';
  accountId: string;
  memberId: string;
  memberRole: string;
}

declare global {
  namespace Grafast {
    interface RequestContext {
      /** Set once a request's token is verified. */
      pgcreditsCaller?: Caller | null;
    }
  }
}

/**
 * Starts the API: GraphQL at `/graphql`, GraphiQL at `/`, and `/healthz`, which answers 200 while the database does. Throws
 * if the database cannot be reached or has no pgcredits, the port is taken or the secret too short.
 *
 * A request bears a JWT of the application's, `Authorization: Bearer …`, with the claims `role` (`credits_service`, or
 * `credits_member` with `account_id` and, as the application likes, `member_id` and `member_role`) and `exp`. Any other
 * token, and none, is answered with 401; without one, the schema can still be asked for.
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const {
    connectionString,
    host = '127.0.0.1',
    port,
    jwtSecret,
    provider,
    log = () => {},
  } = options;
  const pool = createPool({ connectionString, application_name: 'pgcredits api', log });
  const preset = graphqlPreset({ pool, jwtSecret, provider, log });
  await requireSchema(pool).catch(async (error) => {
    await pool.end();
    throw error;
  });
  const plugins = [healthPlugin(pool)];
  if (provider) plugins.push(paymentsPlugin({ withClient: lendingFrom(pool), provider, log }));
  const pgl = postgraphile({ extends: [preset], plugins });
  const release = async () => {
    await pgl.release();
    await pool.end();
  };
  try {
    await pgl.getSchema();
    const server = createServer();
    await pgl.createServ(grafserv).addTo(server);
    server.on('request', (_request, response) => {
      // Once stopping, a connection that is kept alive goes with its last response.
      const closeIdle = () => {
        if (!server.listening) server.closeIdleConnections();
      };
      response.on('close', () => setImmediate(closeIdle));
    });
    server.listen(port, host);
    await once(server, 'listening');
    const address = server.address() as AddressInfo;
    return {
      url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
      port: address.port,
      async stop() {
        server.close();
        await once(server, 'close');
        await release();
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/**
 * The API as a PostGraphile preset, for an application that serves it from a server of its own. Tokens and the pool's login
 * are as for `startServer`; the application ends the pool. Throws if the secret is too short.
 */
export function graphqlPreset(options: {
  pool: Pool;
  jwtSecret: string;
  provider?: PaymentProvider;
  log?: (line: string) => void;
}): GraphileConfig.Preset {
  const { pool, jwtSecret, provider, log = () => {} } = options;
  if (jwtSecret.length < 32) throw new RangeError('jwtSecret needs 32 characters or more.');
  return {
    extends: [PostGraphileAmberPreset, PgSimplifyInflectionPreset, SchemaShapePreset],
    plugins: [
      authenticationPlugin(jwtSecret),
      checkoutPlugin({ provider, withClient: lendingFrom(pool) }),
    ],
    pgServices: [makePgService({ pool, schemas: ['credits'], pubsub: false })],
    grafast: {
      context: ({ pgcreditsCaller }) => ({ pgSettings: settingsOf(pgcreditsCaller ?? null) }),
    },
    grafserv: { maxRequestLength: 1_000_000, maskError: (error) => maskError(error, log) },
  };
}

/** The GraphQL schema of a migrated database, in the schema language and in alphabetical order. */
export async function printGraphqlSchema(connectionString: string): Promise<string> {
  const pool = createPool({ connectionString });
  try {
    const { schema } = await makeSchema(graphqlPreset({ pool, jwtSecret: randomUUID() }));
    return `${printSchema(lexicographicSortSchema(schema))}\n`;
  } finally {
    await pool.end();
  }
}

/**
 * What each transaction sets before anything else, for itself alone. All of it every time: a claim that the caller lacks is
 * set to nothing, so that none can be inherited from the connection, its login or its database. Without a caller nothing
 * but introspection gets this far; if it did, it would see no account.
 */
function settingsOf(caller: Caller | null): Record<string, string> {
  return {
    role: caller?.role ?? 'credits_member',
    'credits.account_id': caller?.accountId ?? '',
    'credits.member_id': caller?.memberId ?? '',
    'credits.member_role': caller?.memberRole ?? '',
  };
}

/** Verifies the token of every GraphQL request. Without one, only introspection is answered, for GraphiQL's sake. */
function authenticationPlugin(jwtSecret: string): GraphileConfig.Plugin {
  const key = new TextEncoder().encode(jwtSecret);
  return {
    name: 'PgcreditsAuthenticationPlugin',
    grafserv: {
      middleware: {
        async processGraphQLRequestBody(next, { request, body }) {
          const header = request?.getHeader('authorization');
          if (request && header) {
            request.requestContext.pgcreditsCaller = await verifyToken(header, key);
          } else if (!isIntrospection(body.query)) {
            throw unauthenticated('This request has no token.');
          }
          return next();
        },
      },
    },
  };
}

async function verifyToken(header: string, key: Uint8Array): Promise<Caller> {
  const token = /^Bearer +(\S+)$/i.exec(header)?.[1];
  if (!token) throw unauthenticated('The Authorization header is not "Bearer" and a token.');
  const { payload } = await jwtVerify(token, key, { algorithms: ['HS256'] }).catch((error) => {
    throw unauthenticated(`The token is not valid: ${error.message}.`);
  });
  const { role, account_id = '', member_id = '', member_role = '' } = payload;
  if (role !== 'credits_service' && role !== 'credits_member') {
    throw unauthenticated('The claim "role" is neither credits_service nor credits_member.');
  }
  for (const claim of [account_id, member_id, member_role]) {
    if (typeof claim !== 'string' || claim.includes('\0')) {
      throw unauthenticated('The claims account_id, member_id and member_role are texts.');
    }
  }
  if (role === 'credits_member' && account_id === '') {
    throw unauthenticated('A token of a credits_member needs the claim "account_id".');
  }
  return {
    role,
    accountId: account_id as string,
    memberId: member_id as string,
    memberRole: member_role as string,
  };
}

function unauthenticated(message: string): SafeError {
  return new SafeError(message, {
    statusCode: 401,
    code: 'UNAUTHENTICATED',
    hint: 'Send "Authorization: Bearer <JWT>", signed with HS256 and the secret of this server.',
  });
}

/** Whether a document asks for the schema alone. */
function isIntrospection(query: unknown): boolean {
  try {
    return parse(String(query)).definitions.every(
      (definition) =>
        definition.kind !== Kind.OPERATION_DEFINITION ||
        definition.selectionSet.selections.every(
          (selection) => selection.kind === Kind.FIELD && selection.name.value.startsWith('__'),
        ),
    );
  } catch {
    return false;
  }
}

/**
 * What a caller gets to see of an error: the contract's five in full, and those of GraphQL itself. Everything else, such as
 * a database error of another sort, goes to the log under an id.
 */
function maskError(error: GraphQLError, log: (line: string) => void): GraphQLError {
  const { nodes, source, positions, path, originalError } = error;
  const known = toCreditsError(originalError);
  if (known instanceof CreditsError) {
    const { code, detail, hint } = known;
    const extensions = { code, detail, hint };
    return new GraphQLError(known.message, { nodes, source, positions, path, extensions });
  }
  if (!originalError || originalError instanceof GraphQLError || isSafeError(originalError)) {
    return error;
  }
  const id = randomUUID();
  const { code = '-', stack } = originalError as Error & { code?: string };
  log(`Error ${id} (${code}): ${stack}`);
  return new GraphQLError('An error occurred; the server logged it.', {
    nodes,
    source,
    positions,
    path,
    extensions: { code: 'INTERNAL', id },
  });
}

function healthPlugin(pool: Pool): GraphileConfig.Plugin {
  return {
    name: 'PgcreditsHealthPlugin',
    grafserv: {
      middleware: {
        async processRequest(next, { requestDigest }) {
          if (requestDigest.path !== '/healthz') return next();
          const healthy = await pool.query('select 1').then(
            () => true,
            () => false,
          );
          return {
            type: 'json',
            statusCode: healthy ? 200 : 503,
            headers: { 'content-type': 'application/json' },
            json: { status: healthy ? 'ok' : 'the database does not answer' },
          };
        },
      },
    },
  };
}
