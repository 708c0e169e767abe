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
import type { ConnectionInitMessage, Context } from 'graphql-ws';
import { type Extra, useServer } from 'graphql-ws/use/ws';
import type { Pool } from 'pg';
import { makeSchema, postgraphile } from 'postgraphile';
import { makePgService } from 'postgraphile/adaptors/pg';
import { isSafeError } from 'postgraphile/grafast';
import { makeGraphQLWSConfig } from 'postgraphile/grafserv';
import { grafserv } from 'postgraphile/grafserv/node';
import {
  GraphQLError,
  Kind,
  lexicographicSortSchema,
  parse,
  printSchema,
} from 'postgraphile/graphql';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { WebSocketServer } from 'ws';
import { createPool, requireSchema } from './database.ts';
import { CreditsError, creditsError, toCreditsError } from './errors.ts';
import { createWithPgClient } from './graphql-adaptor.ts';
import { LIMITS, LimitsPlugin } from './graphql-limits.ts';
import { BalanceWatches, LivePlugin } from './graphql-live.ts';
import { RefusalsPlugin } from './graphql-refusals.ts';
import { SchemaShapePreset } from './graphql-schema.ts';
import {
  type Caller,
  settingsOf,
  type TokenOptions,
  tokenVerifier,
  unauthenticated,
  type Verify,
} from './graphql-tokens.ts';
import { checkoutPlugin } from './payments/checkout-plugin.ts';
import { paymentsPlugin } from './payments/grafserv-plugin.ts';
import { lendingFrom } from './payments/ledger.ts';
import type { PaymentProvider } from './payments/provider.ts';
import { usagePagePlugin } from './usage-page/plugin.ts';

export interface ServerOptions extends TokenOptions {
  /** A login that is, or may `set role` to, `credits_service` and `credits_member`. */
  connectionString: string;
  /** The address to listen on. Default: 127.0.0.1. */
  host?: string;
  /** The port to listen on; 0 takes a free one. */
  port: number;
  /** GraphiQL at `/`, and the schema without a token, for its sake. Default: true. */
  graphiql?: boolean;
  /**
   * Takes the payments that `checkoutPack` begins: its events come to `/payments/webhook`, and its checkout page is shown where
   * it is ours. Without one, neither is served.
   */
  provider?: PaymentProvider;
  /** Told what an operator should know: broken connections, and errors that callers do not get to see. */
  log?: (line: string) => void;
}

interface PresetOptions extends TokenOptions {
  pool: Pool;
  graphiql?: boolean;
  provider?: PaymentProvider;
  log?: (line: string) => void;
}

export interface Server {
  /** `http://host:port`, without a slash at the end. */
  url: string;
  port: number;
  /** Takes no new request, finishes those under way, and closes its connections. */
  stop(): Promise<void>;
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
 * Starts the API: GraphQL at `/graphql`, by POST and by web socket, the usage page at `/usage`, GraphiQL at `/`, and
 * `/healthz`, which answers 200 while the database does. Throws if the database cannot be reached or has no pgcredits, the
 * port is taken or the secret too short.
 *
 * A request bears a JWT, `Authorization: Bearer …`, with the claims `role` (`credits_service`, or `credits_member` with
 * `account_id` and, as the application likes, `member_id` and `member_role`) and `exp`. Any other token, and none, is
 * answered with 401; without one, the schema can still be asked for. A web socket (graphql-ws) has it in the payload of
 * its `connection_init`, `{"authorization": "Bearer …"}`, and is closed when the token expires.
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { connectionString, host = '127.0.0.1', port, provider, log = () => {} } = options;
  const pool = createPool({ connectionString, application_name: 'pgcredits api', log });
  const { preset, watches, connect } = api({ ...options, pool });
  await requireSchema(pool).catch(async (error) => {
    await pool.end();
    throw error;
  });
  const plugins = [healthPlugin(pool), usagePagePlugin()];
  if (provider) plugins.push(paymentsPlugin({ withClient: lendingFrom(pool), provider, log }));
  const pgl = postgraphile({ extends: [preset], plugins });
  const release = async () => {
    await pgl.release();
    await pool.end();
  };
  try {
    await pgl.getSchema();
    const server = createServer();
    const serv = pgl.createServ(grafserv);
    await serv.addTo(server, false);
    const sockets = new WebSocketServer({ noServer: true, maxPayload: LIMITS.body });
    const operations = useServer(
      { ...(makeGraphQLWSConfig(serv) as object), onConnect: connect },
      sockets,
    );
    server.on('upgrade', (request, socket, head) => {
      if (!serv.shouldHandleUpgrade(request, socket, head)) return socket.destroy();
      sockets.handleUpgrade(request, socket, head, (webSocket) =>
        sockets.emit('connection', webSocket, request),
      );
    });
    // Once stopping, a connection that is kept alive goes with its last response.
    const closeIdle = () => setImmediate(() => server.closeIdleConnections());
    server.on('request', (_request, response) => {
      response.on('close', () => {
        if (!server.listening) closeIdle();
      });
    });
    server.listen(port, host);
    await once(server, 'listening');
    const address = server.address() as AddressInfo;
    return {
      url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
      port: address.port,
      async stop() {
        const closed = once(server, 'close');
        server.close();
        closeIdle();
        watches.close();
        await operations.dispose();
        await closed;
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
export function graphqlPreset(options: PresetOptions): GraphileConfig.Preset {
  return api(options).preset;
}

function api(options: PresetOptions) {
  const { pool, graphiql = true, provider, log = () => {} } = options;
  const verify = tokenVerifier(options, log);
  const watches = new BalanceWatches(pool, log);
  const callers: Callers = new WeakMap();
  const withPgClient = createWithPgClient({ pool });
  const preset: GraphileConfig.Preset = {
    extends: [PostGraphileAmberPreset, PgSimplifyInflectionPreset, SchemaShapePreset],
    plugins: [
      LimitsPlugin,
      RefusalsPlugin,
      authenticationPlugin(verify, callers, graphiql),
      LivePlugin,
      OutputPlugin,
      checkoutPlugin({ provider, withClient: lendingFrom(pool) }),
    ],
    pgServices: [makePgService({ pool, schemas: ['credits'], pubsub: false })],
    grafast: {
      context({ pgcreditsCaller, ws }) {
        const caller = pgcreditsCaller ?? (ws?.socket && callers.get(ws.socket)) ?? null;
        return {
          pgSettings: settingsOf(caller),
          // In place of the service's, which keeps every query that it carried for five seconds more.
          withPgClient,
          balanceChanges: { subscribe: (accountId) => watches.watch(caller, accountId) },
        };
      },
    },
    grafserv: {
      graphiql,
      outputDataAsString: true,
      maxRequestLength: LIMITS.body,
      maskError: (error) => maskError(error, log),
    },
  };

  /** Whether a web socket may stay: until its token expires. */
  async function connect({ connectionParams, extra: { socket } }: SocketContext): Promise<boolean> {
    const caller = await verify(String(connectionParams?.authorization)).catch(() => null);
    if (!caller) return false;
    callers.set(socket, caller);
    const expiry = setTimeout(
      () => socket.close(4403, 'The token has expired.'),
      Math.min(caller.expires - Date.now(), 2 ** 31 - 1),
    );
    socket.once('close', () => clearTimeout(expiry));
    return true;
  }

  return { preset, watches, connect };
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

/** Who is at the other end of a web socket, once its token is verified. */
type Callers = WeakMap<object, Caller>;

type SocketContext = Context<ConnectionInitMessage['payload'], Extra>;

/** Verifies the token of every GraphQL request. Without one, only introspection is answered, for GraphiQL's sake. */
function authenticationPlugin(
  verify: Verify,
  callers: Callers,
  graphiql: boolean,
): GraphileConfig.Plugin {
  return {
    name: 'PgcreditsAuthenticationPlugin',
    grafserv: {
      middleware: {
        async processGraphQLRequestBody(next, { request, graphqlWsContext, body }) {
          const header = request?.getHeader('authorization');
          if (request && header) {
            request.requestContext.pgcreditsCaller = await verify(header);
          } else if (graphqlWsContext) {
            const { connectionParams, extra } = graphqlWsContext as SocketContext;
            // Verified when it connected; or here, in a server of the application's.
            const caller =
              callers.get(extra.socket) ?? (await verify(String(connectionParams?.authorization)));
            if (caller.expires <= Date.now()) throw unauthenticated('The token has expired.');
            callers.set(extra.socket, caller);
          } else if (!graphiql || !isIntrospection(body.query)) {
            throw unauthenticated('This request has no token.');
          }
          return next();
        },
      },
    },
  };
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

/** Of a table that the caller is not granted. A grant that is missing within a function would be a mistake of ours. */
const forTheService = creditsError(
  'PC403',
  { requires: 'service' },
  'Among what was asked for is something that only the application reads: leave it out.',
);

/**
 * What a caller gets to see of an error: the contract's five in full, and those of GraphQL itself. A table that is not
 * granted is not allowed, and an argument that cannot be read is invalid input. Everything else, such as a database error of
 * another sort, goes to the log under an id.
 */
function maskError(error: GraphQLError, log: (line: string) => void): GraphQLError {
  const { nodes, source, positions, path, originalError } = error;
  const told = (message: string, extensions: Record<string, unknown>) =>
    new GraphQLError(message, { nodes, source, positions, path, extensions });
  const known = toCreditsError(originalError);
  if (known instanceof CreditsError) {
    const { code, hint } = known;
    const isMalformed = known.detail.reason === 'malformed';
    const detail = isMalformed ? { ...known.detail, field: path?.at(-1) ?? null } : known.detail;
    return told(known.message, { code, detail, hint });
  }
  if (!originalError || originalError instanceof GraphQLError) return error;
  if (isSafeError(originalError)) {
    if (!/^Invalid ('(before|after)' )?cursor/.test(error.message)) return error;
    return told('invalid input', {
      code: 'PC422',
      detail: { reason: 'malformed', field: 'cursor' },
      hint: 'Give the endCursor or startCursor of a page in the same order, or null.',
    });
  }
  const { code = '-', where, stack } = originalError as Error & { code?: string; where?: string };
  if (code === '42501' && where === undefined) {
    const { message, code, detail, hint } = forTheService;
    return told(message, { code, detail, hint });
  }
  if (code === '57014') {
    const hint = 'Ask for less at once: a shorter time, a smaller page.';
    return told('It took too long.', { code: 'TIMEOUT', hint });
  }
  const id = randomUUID();
  log(`Error ${id} (${code}): ${stack}`);
  return told('An error occurred; the server logged it.', { code: 'INTERNAL', id });
}

/** What goes out over HTTP is made as text right away. A web socket's answers are objects, for graphql-ws to write. */
const OutputPlugin: GraphileConfig.Plugin = {
  name: 'PgcreditsOutputPlugin',
  grafast: {
    middleware: {
      execute(next, { args }) {
        args.outputDataAsString = args.requestContext?.http !== undefined;
        return next();
      },
    },
  },
};

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
