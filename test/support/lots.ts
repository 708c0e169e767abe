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
  const drafts = lots.map((lot, index) => ({
    unit: 'credit',
    bucket: 'additional',
    priority: 100,
    starts_at: at,
    source: lot.price === undefined ? 'grant' : 'purchase',
    currency: lot.price === undefined ? null : 'USD',
    ...lot,
    account_id: accountId,
    lot_id: rows[0].last + index + 1,
    granted: lot.amount,
  }));
  await on.query(
    `with draft as (select d.* from jsonb_populate_recordset(null::credits.lots, $2) d)
     select credits_private.post(
       array(select credits_private.draft_entry($1, row_number() over (order by d.lot_id)::int, d.unit, 'grant', $3) from draft d),
       array(
         select ($1, row_number() over (order by d.lot_id), 1, d.lot_id, d.granted, 0, 0)::credits_private.movement
         from draft d),
       array(select d::credits.lots from draft d))`,
    [accountId, JSON.stringify(drafts), at],
  );
  await on.query(
    `update credits.accounts a set next_due_at = credits_private.next_due(a.account_id, a.period_end) where a.account_id = $1`,
    [accountId],
  );
  return drafts.map((draft) => draft.lot_id);
}
