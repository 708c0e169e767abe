/** The README's query does what it says. */
import * as fs from 'node:fs';
import { expect, test } from 'vitest';
import { memberOf, startApi } from '../support/api.ts';
import { testDatabase } from '../support/database.ts';

test('the query in the README can be asked', async () => {
  const readme = fs.readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [, query = ''] = /```graphql\n([\s\S]*?)```/.exec(readme) ?? [];
  const database = await testDatabase();
  await database.setNow('2026-03-10T12:00:00Z');
  await database.query(
    `select credits.open_account('team', 'videodraft_pro');
     select credits.spend('team', 'image', '{"model": "imagen-4"}', member_id => 'ada')`,
  );
  const api = await startApi(database.url);
  try {
    const { balances, quote, activity } = await api.data(query, { team: 'team' }, memberOf('team'));
    expect(balances).toHaveLength(1);
    expect(quote).toMatchObject([{ affordable: true, blockedBy: null }]);
    expect(activity.nodes).toMatchObject([
      { operation: 'image', postings: { nodes: [{ lot: { bucket: 'included' } }] } },
    ]);
  } finally {
    await api.stop();
    await database.close();
  }
});
