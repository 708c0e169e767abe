/** The ledger's side of payments: what is to be paid, and what was. Each is one call of a function, as credits_service. */
import type { Pool, PoolClient } from 'pg';
import { asService } from '../tasks/as-service.ts';
import type { Payment, PaymentProvider, PaymentReport } from './provider.ts';

/** Lends a connection for as long as `work` takes. */
export type WithClient = <Result>(work: (client: PoolClient) => Promise<Result>) => Promise<Result>;

/** Lends connections of a pool, which must be able to `set role credits_service`. */
export function lendingFrom(pool: Pool): WithClient {
  return async (work) => {
    const client = await pool.connect();
    try {
      return await work(client);
    } finally {
      client.release();
    }
  };
}

/** The purchase of a pack that is still to be paid. Throws the contract's PC404 and PC409. */
export async function purchaseToPay(
  client: PoolClient,
  provider: PaymentProvider,
  { accountId, purchaseId }: { accountId: string; purchaseId: string },
): Promise<Payment> {
  const [payment] = await payments(client, provider, 'credits.purchase_to_pay($2, $3)', [
    accountId,
    purchaseId,
  ]);
  return payment;
}

/** A top-up, if it is to be charged now. Throws what the database throws. */
export async function topUpDue(
  client: PoolClient,
  provider: PaymentProvider,
  { accountId, purchaseId }: { accountId: string; purchaseId: string },
): Promise<Payment | null> {
  const [payment = null] = await payments(client, provider, 'credits.top_up_due($2, $3)', [
    accountId,
    purchaseId,
  ]);
  return payment;
}

/** Top-ups that nobody was told of, or whose time has come to be tried again. Throws what the database throws. */
export async function topUpsDue(
  client: PoolClient,
  provider: PaymentProvider,
  { batch, afterAccountId }: { batch: number; afterAccountId: string | null },
): Promise<Payment[]> {
  return payments(client, provider, 'credits.top_ups_due($2, $3)', [batch, afterAccountId]);
}

/** Writes down what a provider reports; a repetition changes nothing. Throws the contract's errors. */
export async function writeDown(
  client: PoolClient,
  provider: PaymentProvider,
  report: PaymentReport,
): Promise<void> {
  const { accountId, purchaseId } = report;
  switch (report.kind) {
    case 'paid':
      if (report.customerId !== null) {
        await asService(client, 'select credits.save_payment_customer($1, $2, $3)', [
          accountId,
          provider.key,
          report.customerId,
        ]);
      }
      await asService(client, 'select credits.settle_purchase($1, $2, $3)', [
        accountId,
        purchaseId,
        report.reference,
      ]);
      break;
    case 'failed':
      await asService(client, 'select credits.fail_purchase($1, $2, $3, $4)', [
        accountId,
        purchaseId,
        report.reason,
        report.attempt,
      ]);
      break;
    case 'returned':
      await asService(client, 'select credits.reverse_payment($1, $2, $3, $4, $5, $6, $7)', [
        accountId,
        purchaseId,
        report.reference,
        report.paid,
        report.returned,
        report.reason,
        report.reinstated,
      ]);
      break;
  }
}

interface PaymentRow {
  account_id: string;
  purchase_id: string;
  description: string;
  price: string;
  currency: string;
  created_at: Date;
  declines: number;
  customer_id: string | null;
}

async function payments(
  client: PoolClient,
  provider: PaymentProvider,
  purchases: string,
  values: unknown[],
): Promise<Payment[]> {
  const rows = await asService<PaymentRow>(
    client,
    `select p.account_id, p.purchase_id, trim_scale(p.price)::text as price, p.currency, p.created_at, p.declines, c.customer_id,
       coalesce(k.name, concat_ws(' ', trim_scale(p.amount), u.name)) as description
     from ${purchases} p
     join credits.accounts a on a.account_id = p.account_id
     join credits.units u on u.rate_card = a.rate_card and u.unit = p.unit
     left join credits.packs k on k.rate_card = a.rate_card and k.pack = p.pack
     left join credits.payment_customers c on c.account_id = p.account_id and c.provider = $1
     order by p.account_id collate "C"`,
    [provider.key, ...values],
  );
  return rows.map((row) => ({
    accountId: row.account_id,
    purchaseId: row.purchase_id,
    description: row.description,
    price: row.price,
    currency: row.currency,
    createdAt: row.created_at,
    attempt: row.declines,
    customerId: row.customer_id,
  }));
}
