import type { TestDatabase } from './database.ts';

/** Turns top-ups on or off as configure_top_up does, also on a card that sells none. */
export async function setTopUps(
  database: Pick<TestDatabase, 'query'>,
  accountId: string,
  enabled: boolean,
): Promise<void> {
  await database.query(
    `with settings as (
       insert into credits.top_up_settings (account_id, enabled, threshold, amount) values ($1, $2, 1, 1)
       on conflict (account_id) do update set enabled = $2
     )
     update credits.accounts set top_ups = $2 where account_id = $1`,
    [accountId, enabled],
  );
}
