import type { IncomingHttpHeaders } from 'node:http';
import { ConflictError, NotFoundError, toCreditsError } from '../errors.ts';
import { type WithClient, writeDown } from './ledger.ts';
import { BadSignatureError, type PaymentProvider } from './provider.ts';

/** What a webhook request is answered. The provider sends it again later unless the status is 200. */
export interface WebhookResponse {
  status: 200 | 400 | 404 | 500;
  body: string;
}

/**
 * Answers a provider's webhook requests. Takes the body as it came, byte for byte: the signature is over that. Events may
 * come late, twice and out of order; what each reports is written down in a way that does not mind. One about a purchase
 * that is not known is answered 404, because its transaction may be about to commit. The handler never throws.
 */
export function webhookHandler(options: {
  withClient: WithClient;
  provider: PaymentProvider;
  log?: (line: string) => void;
}): (rawBody: Buffer, headers: IncomingHttpHeaders) => Promise<WebhookResponse> {
  const { withClient, provider, log = () => {} } = options;
  return async (rawBody, headers) => {
    let what = `A webhook of ${provider.name}`;
    try {
      const report = await provider.readWebhook(rawBody, headers);
      if (report === null) return { status: 200, body: 'not about a purchase' };
      what = `${provider.name}: ${report.kind}, purchase ${report.purchaseId} of ${report.accountId}`;
      await withClient((client) => writeDown(client, provider, report));
      return { status: 200, body: 'written down' };
    } catch (cause) {
      const error = toCreditsError(cause);
      if (error instanceof BadSignatureError) {
        log(`${what} was refused: ${error.message}`);
        return { status: 400, body: 'bad signature' };
      }
      if (error instanceof ConflictError) {
        // Sending it again would not help: it comes too late, or somebody has paid twice.
        log(`${what}, changes nothing: ${error.detail.reason}`);
        return { status: 200, body: error.detail.reason };
      }
      if (error instanceof NotFoundError) {
        log(`${what}, is not known yet, or not here.`);
        return { status: 404, body: 'unknown purchase' };
      }
      log(`${what}, was not written down: ${(error as Error).message}`);
      return { status: 500, body: 'try again later' };
    }
  };
}
