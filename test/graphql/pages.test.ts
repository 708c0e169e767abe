import '../../src/graphile-environment.ts';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { postgraphile } from 'postgraphile';
import { grafserv } from 'postgraphile/grafserv/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPool } from '../../src/database.ts';
import { graphqlPreset } from '../../src/graphql.ts';
import {
  type Api,
  type Claims,
  clientOf,
  memberOf,
  SECRET,
  SERVICE,
  startApi,
} from '../support/api.ts';
import { atelierDatabase } from '../support/atelier.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';

const ENTRIES = 300;

let database: TestDatabase;
let api: Api;

const spend = (account: string, count: number) =>
  database.query(
    `do $$ begin for i in 1..${count} loop perform credits.spend('${account}', 'image', member_id => 'm' || i % 2); end loop; end $$`,
  );

beforeAll(async () => {
  database = await atelierDatabase();
  for (const account of ['team', 'other']) {
    await database.query(
      `select credits.open_account('${account}', rate_card => 'atelier');
       select credits."grant"('${account}', 100000)`,
    );
    await spend(account, ENTRIES - 1);
  }
  await database.query('analyze');
  api = await startApi(database.url);
});
afterAll(async () => {
  await api.stop();
  await database.close();
});
verifyAfterEach(() => database);

const PAGE = `query ($first: Int, $after: Cursor, $kinds: [String], $memberId: String) {
  activity(accountId: "team", first: $first, after: $after, kinds: $kinds, memberId: $memberId) {
    nodes { accountId seq }
    edges { cursor }
    pageInfo { hasNextPage endCursor }
  }
}`;

type Page = {
  nodes: { accountId: string; seq: string }[];
  edges: { cursor: string }[];
  pageInfo: { hasNextPage: boolean; endCursor: string };
};

/** All pages, one after the other; `between` is done after each. */
async function pages(
  variables: object,
  claims: Claims = SERVICE,
  between: () => Promise<unknown> = async () => {},
): Promise<Page[]> {
  const all: Page[] = [];
  for (let after: string | null = null; ; ) {
    const { activity }: { activity: Page } = await api.data(PAGE, { ...variables, after }, claims);
    all.push(activity);
    if (!activity.pageInfo.hasNextPage) return all;
    after = activity.pageInfo.endCursor;
    await between();
  }
}

const seqs = (all: Page[]) => all.flatMap(({ nodes }) => nodes.map(({ seq }) => Number(seq)));

/** What the pages must come to: every entry that matches, once, newest first. */
async function logged(condition = 'true'): Promise<number[]> {
  const rows = await database.query(
    `select seq from credits.entries where account_id = 'team' and ${condition} order by seq desc`,
  );
  return rows.map(({ seq }) => Number(seq));
}

describe('pages of activity', () => {
  test.each([7, 100, ENTRIES, ENTRIES + 1])(
    'of %i entries cover the log exactly once',
    async (first) => {
      const all = await pages({ first }, memberOf('team'));
      expect(seqs(all)).toEqual(await logged());
      expect(all).toHaveLength(Math.ceil((await logged()).length / first));
      for (const { nodes, edges, pageInfo } of all) {
        expect(nodes.every(({ accountId }) => accountId === 'team')).toBe(true);
        expect(edges.at(-1)?.cursor).toBe(pageInfo.endCursor);
      }
    },
  );

  test('go on after any entry, not only the last of a page', async () => {
    const [{ edges }] = await pages({ first: ENTRIES + 1 });
    const { activity } = await api.data(PAGE, { first: 3, after: edges[41].cursor });
    expect(seqs([activity])).toEqual((await logged()).slice(42, 45));
  });

  test('can be filtered', async () => {
    expect(seqs(await pages({ first: 50, memberId: 'm1' }))).toEqual(
      await logged(`member_id = 'm1'`),
    );
    expect(seqs(await pages({ first: 50, kinds: ['grant', 'refund'] }))).toEqual([1]);
  });

  test('neither repeat nor skip what was there while new entries are written', async () => {
    const before = await logged();
    const all = await pages({ first: 70 }, SERVICE, async () => {
      await spend('team', 3);
      await spend('other', 2);
    });
    expect(seqs(all)).toEqual(before);
  });

  test('go backwards by the same cursors', async () => {
    const BACK = `query ($last: Int, $before: Cursor) {
      activity(accountId: "team", last: $last, before: $before) {
        nodes { accountId seq }
        pageInfo { hasPreviousPage startCursor }
      }
    }`;
    const all: number[] = [];
    for (let before: string | null = null; ; ) {
      const { activity } = await api.data(BACK, { last: 70, before }, memberOf('team'));
      all.unshift(...seqs([activity]));
      if (!activity.pageInfo.hasPreviousPage) break;
      before = activity.pageInfo.startCursor;
      await spend('team', 2);
    }
    // What was written meanwhile is ahead of the last page, and in it.
    expect(all).toEqual(await logged());
    const [{ edges }] = await pages({ first: 10 });
    const { activity } = await api.data(BACK, { last: 3, before: edges[7].cursor });
    expect(seqs([activity])).toEqual((await logged()).slice(4, 7));
  });

  test('of another order have other cursors', async () => {
    const { entries } = await api.data(
      '{ entries(condition: { accountId: "team" }, first: 1) { pageInfo { endCursor } } }',
    );
    const { errors } = await api.as(SERVICE, PAGE, {
      first: 1,
      after: entries.pageInfo.endCursor,
    });
    expect(errors).toHaveLength(1);
  });
});

describe('what a page reads', () => {
  type Node = { 'Relation Name'?: string; 'Actual Rows': number; Plans?: Node[] };
  const scansOf = (node: Node): Node[] => [
    ...(node['Relation Name'] === 'entries' ? [node] : []),
    ...(node.Plans ?? []).flatMap(scansOf),
  ];

  test.each([
    ['the service', SERVICE],
    ['a member', memberOf('team')],
  ])('is the page, wherever it is in the log, as %s', async (_, claims) => {
    // The server says what it did for each statement: the very plans of the very queries.
    await database.query(`
      do $$ declare name text; begin
        foreach name in array array['session_preload_libraries = auto_explain', 'auto_explain.log_min_duration = 0',
          'auto_explain.log_analyze = on', 'auto_explain.log_format = json', 'auto_explain.log_level = notice'] loop
          execute format('alter database %I set %s', current_database(), name);
        end loop;
      end $$`);
    const read: number[] = [];
    const pool = createPool({ connectionString: database.url });
    pool.on('connect', (client) =>
      client.on('notice', ({ message = '' }) => {
        const { Plan } = JSON.parse(message.slice(message.indexOf('{')));
        for (const scan of scansOf(Plan)) read.push(scan['Actual Rows']);
      }),
    );
    const pgl = postgraphile(graphqlPreset({ pool, jwtSecret: SECRET }));
    const server = createServer();
    await pgl.createServ(grafserv).addTo(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { data } = clientOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    try {
      let after: string | null = null;
      for (let page = 0; page < 20; page++) {
        const { activity } = await data(PAGE, { first: 10, after }, claims);
        expect(activity.nodes).toHaveLength(10);
        after = activity.pageInfo.endCursor;
      }
    } finally {
      await once(server.close(), 'close');
      await pgl.release();
      await pool.end();
    }
    // One more than the page, to know whether there is another.
    expect(read).toEqual(Array(20).fill(11));
  });
});
