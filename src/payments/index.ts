/** What an application needs of payments: to start a checkout, and to take a provider's events in a server of its own. */
export { startCheckout } from './checkout.ts';
export { configuredProvider, type PaymentSettings } from './configured.ts';
export { lendingFrom } from './ledger.ts';
export type { PaymentProvider } from './provider.ts';
export { webhookHandler } from './webhook.ts';
