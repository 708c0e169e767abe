/**
 * Whom a request is from, as its JWT says. A token is verified by one kind of key, chosen by the server: either the secret
 * that it shares with the application (HS256), or the public keys of an identity provider (RS256, PS256, ES256, EdDSA). So
 * no token can choose how it is verified, a public key is never taken for a secret, and `none` is nothing.
 */
import { createRemoteJWKSet, errors, type JWTVerifyOptions, jwtVerify } from 'jose';
import { SafeError } from 'postgraphile/grafast';
import { LIMITS } from './graphql-limits.ts';

export interface TokenOptions {
  /** The secret that the application signs its tokens with, HS256: 32 characters or more. Either this or `jwksUrl`. */
  jwtSecret?: string | null;
  /** Where the public keys are, as a JSON Web Key Set. They are kept, and fetched again when a token has a new key's id. */
  jwksUrl?: string | null;
  /** What `aud` must be or contain. Without it, any is taken. */
  jwtAudience?: string | null;
  /** What `iss` must be. Without it, any is taken. */
  jwtIssuer?: string | null;
  /** Stands before the names of the four claims in tokens of a provider that wants a namespace, such as `https://example.com/`. */
  jwtClaimPrefix?: string | null;
}

/** Who is calling, as a verified token says. */
export interface Caller {
  role: 'credits_service' | 'credits_member';
  accountId: string;
  memberId: string;
  memberRole: string;
  /** When the token is no longer taken, in milliseconds since 1970. */
  expires: number;
}

/** Clocks may differ by so many seconds. */
const CLOCK_TOLERANCE = 5;

/**
 * A token that was verified is known for so long at most, in milliseconds, and no longer than it is good: by so much later are
 * keys gone that their provider withdraws. No more tokens than these are known at once.
 */
const KNOWN_FOR = 60_000;
const MOST_KNOWN = 1000;

/** Who sends an Authorization header; throws what the caller is told, a SafeError. */
export type Verify = (header: string) => Promise<Caller>;

/** Throws a RangeError if the options do not say one kind of key, or the secret is too short. */
export function tokenVerifier(options: TokenOptions, log: (line: string) => void): Verify {
  const verify = signatureVerifier(options);
  const prefix = options.jwtClaimPrefix ?? '';
  const known = new Map<string, Caller>();
  let knownSince = 0;
  return async (header) => {
    if (known.size >= MOST_KNOWN || Date.now() - knownSince >= KNOWN_FOR) {
      known.clear();
      knownSince = Date.now();
    }
    const callerKnown = known.get(header);
    if (callerKnown && callerKnown.expires > Date.now()) return callerKnown;
    const token = /^Bearer +(\S+)$/i.exec(header)?.[1];
    if (!token) throw unauthenticated('The Authorization header is not "Bearer" and a token.');
    const { payload } = await verify(token).catch((error) => {
      if (isOfTheToken(error)) throw unauthenticated(`The token is not valid: ${error.message}.`);
      log(`The keys that tokens are verified with could not be had: ${error}`);
      throw new SafeError('Tokens cannot be verified at the moment.', {
        statusCode: 503,
        code: 'UNAVAILABLE',
        hint: 'Try again in a few seconds.',
      });
    });
    const caller = callerOf(
      (name) => payload[prefix + name],
      1000 * ((payload.exp ?? 0) + CLOCK_TOLERANCE),
      prefix,
    );
    known.set(header, caller);
    return caller;
  };
}

function signatureVerifier(options: TokenOptions) {
  const { jwtSecret, jwksUrl, jwtAudience: audience, jwtIssuer: issuer } = options;
  if ((jwtSecret == null) === (jwksUrl == null)) {
    throw new RangeError('Tokens are verified by either jwtSecret or jwksUrl.');
  }
  const rules: JWTVerifyOptions = {
    audience: audience ?? undefined,
    issuer: issuer ?? undefined,
    requiredClaims: ['exp'],
    clockTolerance: CLOCK_TOLERANCE,
  };
  if (jwksUrl != null) {
    const keys = createRemoteJWKSet(new URL(jwksUrl));
    const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'];
    return (token: string) => jwtVerify(token, keys, { ...rules, algorithms });
  }
  if (jwtSecret == null || jwtSecret.length < 32) {
    throw new RangeError('jwtSecret needs 32 characters or more.');
  }
  const key = new TextEncoder().encode(jwtSecret);
  return (token: string) => jwtVerify(token, key, { ...rules, algorithms: ['HS256'] });
}

/** Whether verification failed for what the token is, and not for want of keys. */
function isOfTheToken(error: unknown): error is Error {
  return (
    error instanceof errors.JOSEError &&
    !(error instanceof errors.JWKSTimeout) &&
    !(error instanceof errors.JWKSInvalid) &&
    error.code !== 'ERR_JOSE_GENERIC'
  );
}

function callerOf(claim: (name: string) => unknown, expires: number, prefix: string): Caller {
  const role = claim('role');
  if (role !== 'credits_service' && role !== 'credits_member') {
    throw unauthenticated(
      `The claim "${prefix}role" is neither credits_service nor credits_member.`,
    );
  }
  const text = (name: string): string => {
    const value = claim(name) ?? '';
    if (typeof value === 'string' && !value.includes('\0')) return value;
    throw unauthenticated(`The claim "${prefix}${name}" is not a text.`);
  };
  const caller: Caller = {
    role,
    accountId: text('account_id'),
    memberId: text('member_id'),
    memberRole: text('member_role'),
    expires,
  };
  if (role === 'credits_member' && caller.accountId === '') {
    throw unauthenticated(`A token of a credits_member needs the claim "${prefix}account_id".`);
  }
  return caller;
}

/**
 * What each transaction sets before anything else, for itself alone. All of it every time: a claim that the caller lacks is
 * set to nothing, so that none can be inherited from the connection, its login or its database. Without a caller nothing
 * but introspection gets this far; if it did, it would see no account.
 */
export function settingsOf(caller: Caller | null): Record<string, string> {
  return {
    role: caller?.role ?? 'credits_member',
    'credits.account_id': caller?.accountId ?? '',
    'credits.member_id': caller?.memberId ?? '',
    'credits.member_role': caller?.memberRole ?? '',
    // What the application does is its own affair.
    statement_timeout: caller?.role === 'credits_service' ? '0' : LIMITS.statement,
  };
}

export function unauthenticated(message: string): SafeError {
  return new SafeError(message, {
    statusCode: 401,
    code: 'UNAUTHENTICATED',
    hint: 'Send "Authorization: Bearer <JWT>", signed with a key of this server\'s, before it expires.',
  });
}
