import type { IncomingHttpHeaders } from 'node:http';
import type {} from 'postgraphile/grafserv';
import type { WithClient } from './ledger.ts';
import type { PaymentProvider } from './provider.ts';
import { paymentRoutes } from './routes.ts';

/** The payment routes as a plugin of the server that serves GraphQL. */
export function paymentsPlugin(options: {
  withClient: WithClient;
  provider: PaymentProvider;
  log?: (line: string) => void;
}): GraphileConfig.Plugin {
  const routes = paymentRoutes(options);
  return {
    name: 'PgcreditsPaymentsPlugin',
    grafserv: {
      middleware: {
        async processRequest(next, { requestDigest }) {
          const { method, path, headers } = requestDigest;
          const query = (await requestDigest.getQueryParams()) as Record<string, string>;
          const answer = await routes({
            method,
            path,
            query: new URLSearchParams(query),
            headers: headers as IncomingHttpHeaders,
            rawBody: async () => {
              const body = await requestDigest.getBody();
              if (body.type !== 'buffer') throw new Error('The body is not as it came.');
              return body.buffer;
            },
          });
          if (answer === null) return next();
          const { status, headers: answered, body } = answer;
          return {
            type: 'buffer',
            statusCode: status,
            headers: answered,
            buffer: Buffer.from(body),
          };
        },
      },
    },
  };
}
