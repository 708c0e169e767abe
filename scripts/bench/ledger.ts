/** Accounts to spend from. */
import type { Client } from 'pg';

/** The price list that is benchmarked: one rate and a multiplier, such as most charges have. */
export const OPERATION = 'video_generation';
export const USAGE = { resolution: '1080p' };

/**
 * Opens `account 0`, `account 1` and so on through the functions: each on a plan, with the plan's lot, one of included and
 * one of additional credits. Three lots to choose from, and never an end of them.
 */
export async function openAccounts(
  admin: Client,
  count: number,
  progress: (line: string) => void,
): Promise<void> {
  progress(`opening ${count} accounts`);
  const batch = 1000;
  for (let first = 0; first < count; first += batch) {
    await admin.query(
      `select credits.open_account(a.id, 'avs_creator'),
         credits.grant(a.id, 1e9, bucket => 'included', priority => 1), credits.grant(a.id, 1e6)
       from (select 'account ' || i as id from generate_series($1::int, $2) i) a`,
      [first, Math.min(first + batch, count) - 1],
    );
  }
  await admin.query(
    `insert into bench.accounts (account_id, balance) select account_id, 1e9 from credits.accounts`,
  );
}
