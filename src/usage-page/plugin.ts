import { createHash } from 'node:crypto';
import type {} from 'postgraphile/grafserv';
import { usagePageFiles } from './files.ts';
import { USAGE_PAGE_PATH } from './link.ts';

const TYPES: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
};

/** The page needs nothing from elsewhere, and nothing but its own script runs in it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * Serves the usage page at `/usage`, and beside it `/usage/pgcredits-usage.js`: the element for other pages. There is nothing
 * secret in them; what they show comes from the API, for the token that their reader has.
 */
export function usagePagePlugin(): GraphileConfig.Plugin {
  return {
    name: 'PgcreditsUsagePagePlugin',
    grafserv: {
      middleware: {
        async processRequest(next, { requestDigest: { method, path, headers } }) {
          const name = path === USAGE_PAGE_PATH ? 'page.html' : nameIn(path);
          const text =
            name && (method === 'GET' || method === 'HEAD')
              ? (await usagePageFiles())[name]
              : undefined;
          if (!name || text === undefined) return next();
          const etag = `"${createHash('sha256').update(text).digest('base64url')}"`;
          const unchanged = headers['if-none-match'] === etag;
          return {
            type: 'buffer',
            statusCode: unchanged ? 304 : 200,
            headers: {
              'content-type': TYPES[name.split('.').at(-1) as string],
              'cache-control': 'no-cache',
              etag,
              'x-content-type-options': 'nosniff',
              ...(name === 'page.html'
                ? { 'content-security-policy': POLICY, 'referrer-policy': 'no-referrer' }
                : { 'access-control-allow-origin': '*' }),
            },
            buffer: Buffer.from(unchanged ? '' : text),
          };
        },
      },
    },
  };
}

/** The file that a path below the page's asks for. The page itself is found without its name. */
function nameIn(path: string): string | null {
  const name = path.startsWith(`${USAGE_PAGE_PATH}/`) ? path.slice(USAGE_PAGE_PATH.length + 1) : '';
  return /^[\w-]+\.(css|js)$/.test(name) ? name : null;
}
