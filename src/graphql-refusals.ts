/**
 * What is refused before it is looked at as GraphQL: a body that cannot be read, a list of operations, another content type.
 * Grafserv says so by its status and a message; callers get a code and a hint too, as with every other error.
 */
import type {} from 'postgraphile/grafserv';
import { LIMITS } from './graphql-limits.ts';

const REFUSALS: Record<number, object> = {
  400: {
    code: 'BAD_REQUEST',
    hint: 'Send one operation as a JSON object, with "query" and, as it needs them, "variables" and "operationName".',
  },
  405: { code: 'METHOD_NOT_ALLOWED', hint: 'Send it by POST.' },
  406: { code: 'NOT_ACCEPTABLE', hint: 'Accept application/json.' },
  413: {
    code: 'LIMIT',
    detail: { limit: 'body', at_most: LIMITS.body },
    hint: 'Send less in one request.',
  },
  415: { code: 'UNSUPPORTED_MEDIA_TYPE', hint: 'Send "Content-Type: application/json".' },
};

interface Body {
  errors: { extensions?: Record<string, unknown>; locations?: unknown }[];
}

export const RefusalsPlugin: GraphileConfig.Plugin = {
  name: 'PgcreditsRefusalsPlugin',
  grafserv: {
    middleware: {
      async processRequest(next, { requestDigest, instance }) {
        const result = await next();
        if (result?.type !== 'buffer' || requestDigest.path !== instance.dynamicOptions.graphqlPath)
          return result;
        const refusal = REFUSALS[result.statusCode];
        if (!refusal) return result;
        const body = JSON.parse(result.buffer.toString()) as Body;
        for (const error of body.errors) {
          // What is wrong with an operation, GraphQL says by itself, and where.
          if (!error.locations) error.extensions = { ...refusal, ...error.extensions };
        }
        const buffer = Buffer.from(JSON.stringify(body));
        const headers = { ...result.headers, 'content-length': String(buffer.length) };
        return { ...result, headers, buffer };
      },
    },
  },
};
