/** Payments that take no money, for trying things out. Whatever shows says so. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import {
  BadSignatureError,
  type Payment,
  type PaymentProvider,
  type PaymentReport,
} from './provider.ts';

export interface SimulatedCheckout {
  /** Where `checkoutPage` is shown, and where its form is posted to: both the same address. May be set once it is known. */
  url: string;
  /** Signs the address of each checkout page, so that only who was sent there can "pay". */
  secret: string;
}

/** The simulated provider, which shows its checkout page itself. */
export interface SimulatedProvider extends PaymentProvider {
  /** The checkout page that an address leads to, as HTML. Throws a BadSignatureError for an address that was not given out. */
  checkoutPage(query: URLSearchParams): string;
}

const SIGNED = ['account_id', 'purchase_id', 'description', 'price', 'success', 'cancel'];

/**
 * A provider that charges nobody: top-ups succeed at once, packs when the buyer presses the button. Without `checkout` only
 * top-ups do, which is what a worker needs. Throws nothing.
 */
export function simulatedProvider(checkout: SimulatedCheckout | null): SimulatedProvider {
  const signatureOf = (fields: URLSearchParams) => {
    if (checkout === null) throw new BadSignatureError('There is no simulated checkout here.');
    return createHmac('sha256', checkout.secret)
      .update(JSON.stringify(SIGNED.map((field) => fields.get(field))))
      .digest();
  };
  const check = (fields: URLSearchParams) => {
    const given = Buffer.from(fields.get('signature') ?? '', 'hex');
    const expected = signatureOf(fields);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new BadSignatureError('Not an address of the simulated checkout.');
    }
  };
  return {
    key: 'simulated',
    name: 'simulated payments',

    async startCheckout(payment, pages) {
      const fields = new URLSearchParams({
        account_id: payment.accountId,
        purchase_id: payment.purchaseId,
        description: payment.description,
        price: `${payment.price} ${payment.currency}`,
        ...pages,
      });
      fields.set('signature', signatureOf(fields).toString('hex'));
      return `${checkout?.url}?${fields}`;
    },

    async chargeTopUp(payment) {
      return { outcome: 'paid', reference: referenceOf(payment) };
    },

    async readWebhook(rawBody) {
      const form = new URLSearchParams(rawBody.toString('utf8'));
      check(form);
      const accountId = form.get('account_id') as string;
      const purchaseId = form.get('purchase_id') as string;
      const report: PaymentReport =
        form.get('outcome') === 'pay'
          ? {
              kind: 'paid',
              accountId,
              purchaseId,
              reference: referenceOf({ purchaseId }),
              customerId: `simulated_${accountId}`,
            }
          : { kind: 'failed', accountId, purchaseId, reason: 'simulated_decline', attempt: null };
      return report;
    },

    checkoutPage(query) {
      check(query);
      const field = (name: string) => escapeHtml(query.get(name) ?? '');
      const hidden = [...SIGNED, 'signature'].map(
        (name) => `<input type="hidden" name="${name}" value="${field(name)}">`,
      );
      return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Simulated checkout</title>
<link rel="icon" href="data:,">
<h1>Simulated checkout</h1>
<p>This payment is simulated: no money moves, and no card is asked for.</p>
<p>${field('description')}: ${field('price')}</p>
<form method="post">
${hidden.join('\n')}
<button name="outcome" value="pay">Simulate a payment</button>
<button name="outcome" value="decline">Simulate a decline</button>
</form>
<p><a href="${field('cancel')}">Back without paying</a></p>
</html>
`;
    },
  };
}

function referenceOf({ purchaseId }: Pick<Payment, 'purchaseId'>): string {
  return `simulated_${purchaseId}`;
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return text.replace(/[&<>"]/g, (character) => entities[character]);
}
