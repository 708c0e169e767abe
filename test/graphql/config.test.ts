/** What the environment says of tokens. */
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { StartupError } from '../../src/errors.ts';
import { run } from '../support/command.ts';

const SECRET = 'a secret of more than thirty-two characters';

describe('the configuration of tokens', () => {
  test('is a secret or the address of keys, and what tokens must say', () => {
    expect(readConfig({})).toMatchObject({
      jwtSecret: null,
      jwksUrl: null,
      jwtAudience: null,
      jwtIssuer: null,
      jwtClaimPrefix: null,
      graphiql: true,
    });
    expect(
      readConfig({
        PGCREDITS_JWKS_URL: 'https://id.example.com/keys',
        PGCREDITS_JWT_AUDIENCE: 'credits',
        PGCREDITS_JWT_ISSUER: 'https://id.example.com/',
        PGCREDITS_JWT_CLAIM_PREFIX: 'https://example.com/',
        PGCREDITS_GRAPHIQL: 'off',
      }),
    ).toMatchObject({
      jwksUrl: 'https://id.example.com/keys',
      jwtAudience: 'credits',
      jwtIssuer: 'https://id.example.com/',
      jwtClaimPrefix: 'https://example.com/',
      graphiql: false,
    });
  });

  test.each<[string, NodeJS.ProcessEnv]>([
    ['a short secret', { PGCREDITS_JWT_SECRET: 'short' }],
    [
      'two kinds of key',
      { PGCREDITS_JWT_SECRET: SECRET, PGCREDITS_JWKS_URL: 'https://id.example.com/' },
    ],
    ['keys that come unprotected', { PGCREDITS_JWKS_URL: 'http://id.example.com/keys' }],
    ['keys of nowhere', { PGCREDITS_JWKS_URL: 'keys' }],
    ['keys in a file', { PGCREDITS_JWKS_URL: 'file:///etc/keys' }],
  ])('is refused: %s', (_, environment) => {
    expect(() => readConfig(environment)).toThrow(StartupError);
  });

  test.each(['http://127.0.0.1:8080/keys', 'http://localhost/keys', 'http://[::1]/keys'])(
    'may be without https on this machine: %s',
    (address) => {
      expect(readConfig({ PGCREDITS_JWKS_URL: address }).jwksUrl).toBe(address);
    },
  );

  test('of others does not go with "up", which signs its own', async () => {
    const { status, output } = await run(['up'], {
      PGCREDITS_JWKS_URL: 'https://id.example.com/keys',
    });
    expect(status).toBe(1);
    expect(output).toContain('PGCREDITS_JWKS_URL');
  });
});
