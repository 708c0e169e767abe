import type { IncomingHttpHeaders } from 'node:http';

/** A pending purchase, as a payment provider needs to know it. */
export interface Payment {
  accountId: string;
  purchaseId: string;
  /** What is bought, for people: on the checkout page and the receipt. */
  description: string;
  /** In whole currency units, exact: "9.99". */
  price: string;
  /** ISO 4217 code. */
  currency: string;
  createdAt: Date;
  /** How often it was declined before. */
  attempt: number;
  /** Who the account is at this provider; null: not known there yet. */
  customerId: string | null;
}

/** What came of charging a saved card. `unknown` leaves everything as it is: ask again with the same payment. */
export type ChargeOutcome =
  | { outcome: 'paid'; reference: string }
  | { outcome: 'declined'; reason: string }
  | { outcome: 'unknown'; reason: string };

/** What a provider reports about a purchase, the way the ledger wants to hear it. */
export type PaymentReport = { accountId: string; purchaseId: string } & (
  | {
      kind: 'paid';
      /** The provider's id of the payment. */
      reference: string;
      /** Who paid, if their card was saved. */
      customerId: string | null;
    }
  | {
      kind: 'failed';
      reason: string;
      /** Of a top-up: how often it had been declined before this try. */
      attempt: number | null;
    }
  | {
      kind: 'returned';
      reference: string;
      /** What was paid, and what has been returned of it so far, in the same unit of money. */
      paid: number;
      returned: number;
      /** What of the returned has come back, by disputes that were won. */
      reinstated: number;
      reason: string;
    }
);

/** A webhook request whose body is not what the provider sent: altered, too old, or sent by somebody else. */
export class BadSignatureError extends Error {
  override name = 'BadSignatureError';
}

/** Whoever takes the money. Knows nothing of the ledger: it is asked, and it reports. */
export interface PaymentProvider {
  /** Its key in `credits.payment_customers`. */
  readonly key: string;
  /** Its name as people get to see it. */
  readonly name: string;
  /**
   * Begins the payment of a pack and returns the address of the page to send the buyer to. The same payment again is the
   * same page, as long as it can be paid. Throws if the provider cannot be reached or refuses.
   */
  startCheckout(payment: Payment, pages: { success: string; cancel: string }): Promise<string>;
  /**
   * Charges a top-up to the card that the customer has saved. The same payment (purchase and attempt) is charged once,
   * however often and by however many it is asked for. Never throws.
   */
  chargeTopUp(payment: Payment): Promise<ChargeOutcome>;
  /**
   * What a webhook request says about a purchase; null if it says nothing. Takes the body as it came, byte for byte. Throws
   * a BadSignatureError, or another error if the provider had to be asked and did not answer: then let it be sent again.
   */
  readWebhook(rawBody: Buffer, headers: IncomingHttpHeaders): Promise<PaymentReport | null>;
}
