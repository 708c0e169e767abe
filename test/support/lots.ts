import type { ClientBase, Pool } from 'pg';

/** A lot as the owner of the database can write it: also one that was paid for, or that starts later. */
export interface GivenLot {
  amount: number | string;
  unit?: string;
  bucket?: string;
  priority?: number;
  starts_at?: string;
  expires_at?: string | null;
  price?: number;
  reason?: string;
}

/**
 * Puts lots into an account as they are given, each with its entry at `at`, and returns their ids. Past the functions that
 * the application calls, but through the ledger's own writer, so that the account stays sound.
 */
export async function giveLots(
  on: Pool | ClientBase,
  accountId: string,
  at: string,
  lots: GivenLot[],
): Promise<number[]> {
  const { rows } = await on.query(
    'select coalesce(max(lot_id), 0)::int as last from credits.lots where account_id = $1',
    [accountId],
  );
  const drafts = lots.map((lot) => ({
    unit: 'credit',
    bucket: 'additional',
    priority: 100,
    starts_at: at,
    source: lot.price === undefined ? 'grant' : 'purchase',
    currency: lot.price === undefined ? null : 'USD',
    ...lot,
    account_id: accountId,
    granted: lot.amount,
  }));
  await on.query(
    `select credits_private.post(
       $1, d.draft ->> 'unit', 'grant', $3, '{}',
       array[jsonb_populate_record(null::credits.lots, d.draft || d.bucket)])
     from (
       select l.draft, jsonb_build_object('draw_order', b.draw_order, 'counts_as', b.counts_as) as bucket
       from jsonb_array_elements($2) with ordinality l (draft, place)
       join credits.buckets b on b.bucket = l.draft ->> 'bucket'
       order by l.place
     ) d`,
    [accountId, JSON.stringify(drafts), at],
  );
  await on.query(
    `update credits.accounts a set next_due_at = credits_private.next_due(a.account_id, a.period_end) where a.account_id = $1`,
    [accountId],
  );
  return drafts.map((_, index) => rows[0].last + index + 1);
}
