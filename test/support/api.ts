import { SignJWT } from 'jose';
import { startServer } from '../../src/graphql.ts';
import type { PaymentProvider } from '../../src/payments/provider.ts';

// biome-ignore lint/suspicious/noExplicitAny: results are of any shape, and tests look into them freely
type Any = any;

export const SECRET = 'a secret of the tests, 32 characters or more';

export type Claims = Record<string, unknown>;

export const SERVICE: Claims = { role: 'credits_service' };

/** The claims of a member of an account. */
export const memberOf = (account_id: string, rest: Claims = {}): Claims => ({
  role: 'credits_member',
  account_id,
  ...rest,
});

/** A token that is good for an hour, unless told otherwise. */
export function sign(
  claims: Claims,
  { secret = SECRET, alg = 'HS256', expires = '1 hour' } = {},
): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg })
    .setExpirationTime(expires)
    .sign(new TextEncoder().encode(secret));
}

export interface Reply {
  status: number;
  data: Any;
  errors: Any[] | undefined;
}

export interface Api {
  url: string;
  /** What the server logged. */
  log: string[];
  /** Sends an operation over HTTP with an Authorization header, or none. */
  send(operation: string, variables: object, authorization: string | null): Promise<Reply>;
  /** The same with a good token of these claims. */
  as(claims: Claims, operation: string, variables?: object): Promise<Reply>;
  /** The data of an operation that succeeds, by default as the service. */
  data(operation: string, variables?: object, claims?: Claims): Promise<Any>;
  /** The one error of an operation that fails, by default as the service. */
  error(operation: string, variables?: object, claims?: Claims): Promise<Any>;
  stop(): Promise<void>;
}

/** The API over a database, on a free port. Its connections have the clock that the database has now. */
export async function startApi(connectionString: string, provider?: PaymentProvider): Promise<Api> {
  const log: string[] = [];
  const server = await startServer({
    connectionString,
    port: 0,
    jwtSecret: SECRET,
    provider,
    log: (line) => log.push(line),
  });
  return { ...clientOf(server.url), url: server.url, log, stop: server.stop };
}

/** Calls to a server of the API. */
export function clientOf(url: string): Pick<Api, 'send' | 'as' | 'data' | 'error'> {
  const send: Api['send'] = async (query, variables, authorization) => {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(authorization && { authorization }) },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await response.json()) as Omit<Reply, 'status'>;
    return { status: response.status, data, errors };
  };
  const as: Api['as'] = async (claims, operation, variables = {}) =>
    send(operation, variables, `Bearer ${await sign(claims)}`);

  return {
    send,
    as,
    async data(operation, variables, claims = SERVICE) {
      const { data, errors } = await as(claims, operation, variables);
      if (errors) throw new Error(`expected data, got ${JSON.stringify(errors)}`);
      return data;
    },
    async error(operation, variables, claims = SERVICE) {
      const { data, errors } = await as(claims, operation, variables);
      if (errors?.length !== 1)
        throw new Error(`expected an error, got ${JSON.stringify({ data, errors })}`);
      return errors[0];
    },
  };
}
