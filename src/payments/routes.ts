import type { IncomingHttpHeaders } from 'node:http';
import type { WithClient } from './ledger.ts';
import { BadSignatureError, type PaymentProvider } from './provider.ts';
import type { SimulatedProvider } from './simulated.ts';
import { webhookHandler } from './webhook.ts';

/** Where a provider sends its events. */
export const WEBHOOK_PATH = '/payments/webhook';
/** Where simulated payments show their checkout page. */
export const SIMULATED_CHECKOUT_PATH = '/payments/simulated-checkout';

/** A request as any HTTP server has it. */
export interface PaymentRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  /** The body as it came, byte for byte. Asked for only where it is needed. */
  rawBody: () => Promise<Buffer>;
}

export interface PaymentResponse {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/**
 * The HTTP side of payments: the webhook, and for simulated payments the checkout page. The handler returns null for a
 * request that is for somebody else, and throws only what `rawBody` throws.
 */
export function paymentRoutes(options: {
  withClient: WithClient;
  provider: PaymentProvider;
  log?: (line: string) => void;
}): (request: PaymentRequest) => Promise<PaymentResponse | null> {
  const { provider } = options;
  const webhook = webhookHandler(options);
  return async ({ method, path, query, headers, rawBody }) => {
    if (path === WEBHOOK_PATH) {
      if (method !== 'POST') return text(405, 'POST only', { allow: 'POST' });
      const { status, body } = await webhook(await rawBody(), headers);
      return text(status, body);
    }
    if (path === SIMULATED_CHECKOUT_PATH && isSimulated(provider)) {
      if (method !== 'POST') return page(provider, query);
      const form = await rawBody();
      const { status, body } = await webhook(form, headers);
      if (status !== 200) return text(status, body);
      const fields = new URLSearchParams(form.toString('utf8'));
      const next = fields.get('outcome') === 'pay' ? 'success' : 'cancel';
      return text(303, '', { location: fields.get(next) ?? '/' });
    }
    return null;
  };
}

function isSimulated(provider: PaymentProvider): provider is SimulatedProvider {
  return 'checkoutPage' in provider;
}

function page(provider: SimulatedProvider, query: URLSearchParams): PaymentResponse {
  try {
    const body = provider.checkoutPage(query);
    return { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body };
  } catch (error) {
    if (!(error instanceof BadSignatureError)) throw error;
    return text(400, error.message);
  }
}

function text(status: number, body: string, headers: Record<string, string> = {}): PaymentResponse {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body };
}
