/** Tokens of an identity provider: verified by the public keys that it serves, over HTTP, as they are renewed. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { graphqlPreset, type Server, startServer } from '../../src/graphql.ts';
import { clientOf, memberOf, SECRET } from '../support/api.ts';
import { atelierDatabase } from '../support/atelier.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';

const BALANCES = '{ balances(accountId: "team") { unit } }';
const [ISSUER, AUDIENCE] = ['https://id.example.com/', 'credits'];

type Key = { kid: string; alg: string; privateKey: CryptoKey; publicKey: CryptoKey; jwk: JWK };

async function newKey(kid: string, alg: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
  return { kid, alg, privateKey, publicKey, jwk };
}

let database: TestDatabase;
let rsa: Key;
let ec: Key;
let edwards: Key;
let next: Key;
let log: string[] = [];
const servers: Server[] = [];

/** What the key server has, how it answers, and how often it was asked. */
const keys = { served: [] as JWK[], status: 200, asked: 0 };
const keyServer = createServer((_request, response) => {
  keys.asked++;
  response.writeHead(keys.status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ keys: keys.served }));
});
let jwksUrl: string;

beforeAll(async () => {
  database = await atelierDatabase();
  await database.query(`select credits.open_account('team', 'atelier_pro')`);
  [rsa, ec, edwards, next] = await Promise.all([
    newKey('rsa-1', 'RS256'),
    newKey('ec-1', 'ES256'),
    newKey('ed-1', 'EdDSA'),
    newKey('ec-2', 'ES256'),
  ]);
  keyServer.listen(0, '127.0.0.1');
  await once(keyServer, 'listening');
  jwksUrl = `http://127.0.0.1:${(keyServer.address() as AddressInfo).port}/keys`;
});
beforeEach(() => {
  Object.assign(keys, { served: [rsa.jwk, ec.jwk, edwards.jwk], status: 200, asked: 0 });
  log = [];
});
afterEach(async () => {
  vi.useRealTimers();
  for (const server of servers.splice(0)) await server.stop();
});
afterAll(async () => {
  await once(keyServer.close(), 'close');
  await database.close();
});
verifyAfterEach(() => database);

async function serve(options = {}) {
  const server = await startServer({
    connectionString: database.url,
    port: 0,
    jwksUrl,
    jwtAudience: AUDIENCE,
    jwtIssuer: ISSUER,
    log: (line) => log.push(line),
    ...options,
  });
  servers.push(server);
  const { send } = clientOf(server.url);
  /** The status of a query with a token, and the code of its error. */
  return async (token: Promise<string> | string, operation = BALANCES) => {
    const { status, errors } = await send(operation, {}, `Bearer ${await token}`);
    return errors ? [status, errors[0].extensions.code] : [status];
  };
}

interface Signing {
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  iss?: string;
  aud?: string | string[];
  exp?: string | number | null;
}

function signed(
  key: Key,
  { claims, header, iss = ISSUER, aud = AUDIENCE, exp = '1 hour' }: Signing = {},
) {
  const token = new SignJWT(claims ?? memberOf('team'))
    .setProtectedHeader({ alg: key.alg, kid: key.kid, ...header })
    .setIssuer(iss)
    .setAudience(aud);
  if (exp !== null) token.setExpirationTime(exp);
  return token.sign(key.privateKey);
}

const REFUSED = [401, 'UNAUTHENTICATED'];

describe('a token of a provider', () => {
  test('is verified by its public key, whatever sort it is', async () => {
    const status = await serve();
    for (const key of [rsa, ec, edwards]) expect(await status(signed(key))).toEqual([200]);
    expect(await status(signed(ec, { aud: ['other', AUDIENCE] }))).toEqual([200]);
    // The keys were fetched once.
    expect(keys.asked).toBe(1);
  });

  test('says who calls, and no more than that', async () => {
    const status = await serve();
    const theirs = '{ balances(accountId: "other") { unit } }';
    expect(await status(signed(ec), theirs)).toEqual([200, 'PC403']);
    expect(await status(signed(ec, { claims: { role: 'credits_service' } }), theirs)).toEqual([
      200,
      'PC404',
    ]);
    expect(await status(signed(ec, { claims: { role: 'postgres' } }))).toEqual(REFUSED);
    expect(await status(signed(ec, { claims: { account_id: 'team' } }))).toEqual(REFUSED);
  });

  test.each<[string, Signing]>([
    ['for somebody else', { aud: 'another' }],
    ['for everybody', { aud: [] }],
    ['by another issuer', { iss: 'https://id.example.org/' }],
    ['that has expired', { exp: '10 seconds ago' }],
    ['that never expires', { exp: null }],
    ['with the id of another key', { header: { kid: 'rsa-1' } }],
    ['with the id of no key', { header: { kid: 'nobody' } }],
    ['that brings its own key', { header: { kid: 'nobody', jku: 'http://127.0.0.1:1/keys' } }],
  ])('is refused: %s', async (_, signing) => {
    const status = await serve();
    expect(await status(signed(ec, signing))).toEqual(REFUSED);
  });

  test('is taken for a few seconds more, as clocks differ', async () => {
    const status = await serve();
    expect(await status(signed(ec, { exp: '2 seconds ago' }))).toEqual([200]);
  });

  test('is refused when somebody else signed it', async () => {
    const status = await serve();
    const forged = await newKey('ec-1', 'ES256');
    expect(await status(signed(forged))).toEqual(REFUSED);
    const [header, , signature] = (await signed(ec)).split('.');
    const claims = { ...memberOf('other'), iss: ISSUER, aud: AUDIENCE, exp: 4e9 };
    const payload = Buffer.from(JSON.stringify(claims)).toString('base64url');
    expect(await status(`${header}.${payload}.${signature}`)).toEqual(REFUSED);
  });

  test('is refused when its signature is made with what is public', async () => {
    const status = await serve();
    const claims = { ...memberOf('team'), iss: ISSUER, aud: AUDIENCE };
    for (const secret of [
      await exportSPKI(rsa.publicKey),
      JSON.stringify(rsa.jwk),
      rsa.jwk.n ?? '',
      SECRET,
    ]) {
      for (const kid of ['rsa-1', undefined]) {
        const token = new SignJWT(claims)
          .setProtectedHeader({ alg: 'HS256', kid })
          .setExpirationTime('1 hour')
          .sign(new TextEncoder().encode(secret));
        expect(await status(token)).toEqual(REFUSED);
      }
    }
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const payload = part({ ...claims, exp: 4e9 });
    for (const alg of ['none', 'None', '']) {
      expect(await status(`${part({ alg, kid: 'rsa-1' })}.${payload}.`)).toEqual(REFUSED);
    }
  });

  test('is verified by the new keys once they are renewed, and no more by the old', async () => {
    const status = await serve();
    expect(await status(signed(ec))).toEqual([200]);
    keys.served = [next.jwk];
    // Keys are not fetched for every unknown id: that would let anybody keep the provider busy.
    expect(await status(signed(next))).toEqual(REFUSED);
    expect(keys.asked).toBe(1);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31_000 });
    expect(await status(signed(next))).toEqual([200]);
    expect(keys.asked).toBe(2);
    expect(await status(signed(ec))).toEqual(REFUSED);
  });

  test('is good for a minute at most once it was seen, when its key is withdrawn', async () => {
    const status = await serve();
    const token = await signed(ec);
    const begun = Date.now();
    expect(await status(token)).toEqual([200]);
    keys.served = [next.jwk];
    vi.useFakeTimers({ toFake: ['Date'], now: begun + 31_000 });
    expect(await status(signed(next))).toEqual([200]);
    expect(await status(token)).toEqual([200]);
    vi.setSystemTime(begun + 65_000);
    expect(await status(token)).toEqual(REFUSED);
  });

  test('is refused once it has expired, also when it was seen before', async () => {
    const status = await serve();
    const token = await signed(ec, { exp: '10 seconds' });
    expect(await status(token)).toEqual([200]);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 16_000 });
    expect(await status(token)).toEqual(REFUSED);
  });

  test('that was seen before is nobody else’s', async () => {
    const status = await serve();
    const token = await signed(ec);
    expect(await status(token)).toEqual([200]);
    const [header, , signature] = token.split('.');
    const claims = { ...memberOf('other'), iss: ISSUER, aud: AUDIENCE, exp: 4e9 };
    const payload = Buffer.from(JSON.stringify(claims)).toString('base64url');
    expect(await status(`${header}.${payload}.${signature}`)).toEqual(REFUSED);
    expect(await status(signed(ec, { claims: memberOf('other') }))).toEqual([200, 'PC403']);
  });

  test('waits for a provider that does not answer, and is not called bad for it', async () => {
    keys.status = 500;
    const status = await serve();
    expect(await status(signed(ec))).toEqual([503, 'UNAVAILABLE']);
    expect(log).toHaveLength(1);
    keys.status = 200;
    expect(await status(signed(ec))).toEqual([200]);
  });

  test('may have its claims under a name of its own', async () => {
    const status = await serve({ jwtClaimPrefix: 'https://example.com/' });
    const claims = Object.fromEntries(
      Object.entries(memberOf('team')).map(([name, value]) => [
        `https://example.com/${name}`,
        value,
      ]),
    );
    expect(await status(signed(ec, { claims }))).toEqual([200]);
    expect(await status(signed(ec, { claims: { ...claims, ...memberOf('other') } }))).toEqual([
      200,
    ]);
    expect(await status(signed(ec))).toEqual(REFUSED);
  });
});

describe('a token signed with the shared secret', () => {
  const secretly = ({ claims, iss, aud }: Signing = {}, alg = 'HS256') => {
    const token = new SignJWT(claims ?? memberOf('team')).setProtectedHeader({ alg });
    if (iss) token.setIssuer(iss);
    if (aud) token.setAudience(aud);
    return token.setExpirationTime('1 hour').sign(new TextEncoder().encode(SECRET));
  };
  const shared = { jwksUrl: undefined, jwtSecret: SECRET };

  test('is for this audience, by this issuer, where the server has them', async () => {
    const status = await serve(shared);
    expect(await status(secretly({ iss: ISSUER, aud: AUDIENCE }))).toEqual([200]);
    expect(await status(secretly({ iss: ISSUER }))).toEqual(REFUSED);
    expect(await status(secretly({ aud: AUDIENCE }))).toEqual(REFUSED);
    expect(await status(secretly({ iss: ISSUER, aud: AUDIENCE }, 'HS512'))).toEqual(REFUSED);
    expect(await status(signed(rsa))).toEqual(REFUSED);
    expect(keys.asked).toBe(0);
  });
});

describe('the server', () => {
  test('takes one kind of key, and says so', async () => {
    const options = { pool: database.pool };
    expect(() => graphqlPreset(options)).toThrow(RangeError);
    expect(() => graphqlPreset({ ...options, jwtSecret: 'short' })).toThrow(RangeError);
    expect(() => graphqlPreset({ ...options, jwtSecret: SECRET, jwksUrl })).toThrow(RangeError);
  });
});
