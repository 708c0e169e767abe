/** Live balances: what a subscription sends, to whom, and when it ends. */
import { once } from 'node:events';
import { type Client, createClient } from 'graphql-ws';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Api, type Claims, memberOf, SERVICE, sign, startApi } from '../support/api.ts';
import { atelierDatabase } from '../support/atelier.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';

let database: TestDatabase;
let api: Api;
const clients: Client[] = [];

beforeAll(async () => {
  database = await atelierDatabase();
  for (const account of ['team', 'other', 'quiet']) {
    await database.query(`select credits.open_account('${account}', 'atelier_pro', '2026-03-01')`);
  }
  api = await startApi(database.url);
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.dispose();
});
afterAll(async () => {
  await api.stop();
  await database.close();
});
verifyAfterEach(() => database);

const BALANCES = 'subscription ($id: String!) { balances(accountId: $id) { unit total held } }';

function connect(claims: Claims, signing = {}): Client {
  const client = createClient({
    url: `${api.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: async () => ({ authorization: `Bearer ${await sign(claims, signing)}` }),
  });
  clients.push(client);
  return client;
}

const subscribe = (claims: Claims, id: string, query = BALANCES) =>
  connect(claims).iterate<{ balances: { unit: string; total: string; held: string }[] }>({
    query,
    variables: { id },
  });

/** What is sent next: the credits that are available. */
async function total(updates: ReturnType<typeof subscribe>): Promise<string | undefined> {
  const { value, done } = await updates.next();
  if (done) return undefined;
  if (value.errors) throw value.errors;
  return value.data?.balances[0].total;
}

describe('a subscription to balances', () => {
  test.each<[string, Claims]>([
    ['the service', SERVICE],
    ['a member', memberOf('team')],
  ])('sends them at once, and after each change: as %s', async (_, claims) => {
    const updates = subscribe(claims, 'team');
    const before = Number(await total(updates));
    await database.query(`select credits.spend('team', 'image')`);
    expect(await total(updates)).toBe((before - 5).toFixed(2));
    // Of what changes nothing in the log too.
    const [{ hold_id }] = await database.query(
      `select hold_id from credits.authorize('team', 'image')`,
    );
    expect(await total(updates)).toBe((before - 10).toFixed(2));
    await database.query(`select credits.release('team', ${hold_id})`);
    expect(await total(updates)).toBe((before - 5).toFixed(2));
    await database.query(
      `select credits.spend_many(array[row('team', 'image', '{}', null, null, null, null)::credits.spend_request])`,
    );
    expect(await total(updates)).toBe((before - 10).toFixed(2));
    await database.query(`select credits."grant"('team', 10)`);
    expect(await total(updates)).toBe(before.toFixed(2));
  });

  test('sends nothing of what was rolled back, or of another account', async () => {
    const updates = subscribe(memberOf('team'), 'team');
    const before = Number(await total(updates));
    await database.query(`begin; select credits.spend('team', 'image'); rollback`);
    await database.query(`select credits.spend('other', 'image')`);
    await database.query(`select credits.spend('team', 'image', '{"count": 2}')`);
    expect(await total(updates)).toBe((before - 10).toFixed(2));
  });

  test('is of the account of the claims, and no other', async () => {
    for (const [claims, account, extensions] of [
      [memberOf('team'), 'other', { code: 'PC403', detail: { requires: 'account' } }],
      [SERVICE, 'nobody', { code: 'PC404', detail: { what: 'account', key: 'nobody' } }],
    ] as const) {
      const { value } = await subscribe(claims, account).next();
      expect(value).toEqual({ errors: [expect.objectContaining({ message: expect.any(String) })] });
      expect(value.errors[0].extensions).toMatchObject(extensions);
    }
    // Nor is it announced that anything changed there.
    expect(
      await database.query(
        `select account_id from credits.accounts where watched_until is not null`,
      ),
    ).toEqual([{ account_id: 'team' }]);
  });

  test('reaches everybody who watches, and costs one write', async () => {
    const all = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const updates = subscribe(i % 2 ? SERVICE : memberOf('quiet'), 'quiet');
        expect(await total(updates)).toBe('100.00');
        return updates;
      }),
    );
    await database.query(`select credits.spend('quiet', 'image')`);
    for (const updates of all) expect(await total(updates)).toBe('95.00');
    // Twenty at once saw that nobody watched yet; the one that comes later sees that somebody does.
    const version = `select xmin from credits.accounts where account_id = 'quiet'`;
    const before = await database.query(version);
    await total(subscribe(SERVICE, 'quiet'));
    expect(await database.query(version)).toEqual(before);
  });

  test('is limited in number', async () => {
    const client = connect(memberOf('other'));
    const subscriptions = Array.from({ length: 101 }, () =>
      client.iterate({ query: BALANCES, variables: { id: 'other' } }),
    );
    const first = await Promise.all(
      subscriptions.map(async (updates) => (await updates.next()).value),
    );
    const refused = first.filter(({ errors }) => errors);
    expect(refused).toMatchObject([{ errors: [{ extensions: { code: 'LIMIT' } }] }]);
    // One that ends makes room for another.
    await subscriptions[first.findIndex(({ errors }) => !errors)].return?.();
    const another = client.iterate({ query: BALANCES, variables: { id: 'other' } });
    const { value } = await another.next();
    expect(value.errors).toBeUndefined();
  });

  test('comes by POST too', async () => {
    const response = await fetch(`${api.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${await sign(memberOf('team'))}`,
      },
      body: JSON.stringify({ query: BALANCES, variables: { id: 'team' } }),
    });
    expect(response.headers.get('content-type')).toContain('multipart/mixed');
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    const read = async (what: RegExp) => {
      for (let text = ''; !what.test(text); ) text += (await reader?.read())?.value ?? '';
    };
    await read(/"total":"\d+\.\d\d"/);
    await database.query(`select credits.spend('team', 'image')`);
    await read(/"total":"\d+\.\d\d"/);
    await reader?.cancel();
  });
});

describe('a web socket', () => {
  const socketWith = async (payload: unknown) => {
    const socket = new WebSocket(
      `${api.url.replace('http', 'ws')}/graphql`,
      'graphql-transport-ws',
    );
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'connection_init', payload }));
    return socket;
  };

  test.each<[string, () => unknown]>([
    ['no token', () => undefined],
    ['a bad one', () => ({ authorization: 'Bearer hello' })],
    ['no text', () => ({ authorization: { a: 1 } })],
    ['claims of its own', () => ({ 'credits.account_id': 'team', role: 'credits_service' })],
  ])('with %s is closed', async (_, payload) => {
    const [code] = await once(await socketWith(payload()), 'close');
    expect(code).toBe(4403);
  });

  test('with a token that has expired is closed', async () => {
    const authorization = `Bearer ${await sign(SERVICE, { expires: '10 seconds ago' })}`;
    const [code] = await once(await socketWith({ authorization }), 'close');
    expect(code).toBe(4403);
  });

  test('is closed when its token expires', async () => {
    // Good for the tolerance that clocks have, and then no more.
    const authorization = `Bearer ${await sign(memberOf('team'), { expires: '3 seconds ago' })}`;
    const [code] = await once(await socketWith({ authorization }), 'close');
    expect(code).toBe(4403);
  });

  test('takes queries and mutations as the caller of its token', async () => {
    const ask = async (query: string, claims: Claims) =>
      (await connect(claims).iterate({ query }).next()).value;
    expect(await ask('{ accounts { nodes { accountId } } }', memberOf('team'))).toEqual({
      data: { accounts: { nodes: [{ accountId: 'team' }] } },
    });
    expect(
      await ask(
        'mutation { spend(input: { accountId: "team", operation: "image" }) { clientMutationId } }',
        memberOf('team', { member_role: 'admin' }),
      ),
    ).toMatchObject({
      errors: [{ extensions: { code: 'PC403', detail: { requires: 'service' } } }],
    });
  });

  test('is answered as a request over HTTP is, character by character', async () => {
    const name = 'a "quoted" \\ name \u0001\n\u2028 äöü 😀 </script>';
    const metadata = { [name]: [name, 1.5, null, true, {}], empty: [] };
    await database.query(`select credits.open_account($1, 'atelier_pro', '2026-03-01')`, [name]);
    await database.query(`select credits.spend($1, 'image', metadata => $2)`, [name, metadata]);
    const query = `query ($id: String!) {
      activity(accountId: $id, kinds: ["usage"]) { nodes { accountId seq kind metadata postings { nodes { amount } } } pageInfo { hasNextPage } }
      nobody: balances(accountId: "nobody") { unit }
      all: __typename
    }`;
    const { value } = await connect(SERVICE)
      .iterate({ query, variables: { id: name } })
      .next();
    const { data, errors } = await api.as(SERVICE, query, { id: name });
    expect(data).toMatchObject({
      activity: { nodes: [{ accountId: name, metadata }] },
      nobody: null,
      all: 'Query',
    });
    expect(errors).toMatchObject([{ path: ['nobody'], extensions: { code: 'PC404' } }]);
    expect({ data, errors }).toEqual(value);
  });

  test('takes no message larger than a request may be', async () => {
    const socket = await socketWith({ authorization: 'x'.repeat(1_100_000) });
    const [code] = await once(socket, 'close');
    expect(code).toBe(1009);
  });

  test('is for GraphQL alone', async () => {
    const socket = new WebSocket(`${api.url.replace('http', 'ws')}/elsewhere`);
    const [error] = await once(socket, 'error');
    expect(error.message).toContain('hang up');
  });
});

describe('the server', () => {
  test('ends subscriptions when it stops', async () => {
    const other = await startApi(database.url);
    const client = createClient({
      url: `${other.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      connectionParams: async () => ({ authorization: `Bearer ${await sign(SERVICE)}` }),
    });
    const updates = client.iterate({ query: BALANCES, variables: { id: 'team' } });
    await updates.next();
    // Either the end of the subscription is heard first, or that of the connection.
    const ended = updates.next().then(
      ({ done }) => done,
      ({ code }) => code === 1001,
    );
    await other.stop();
    expect(await ended).toBe(true);
  });

  test('ends them when the connection that listens breaks, and listens again for the next', async () => {
    const updates = subscribe(SERVICE, 'team');
    await total(updates);
    await database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and query = 'listen credits_balances'`,
    );
    expect(await total(updates)).toBeUndefined();
    const again = subscribe(SERVICE, 'team');
    const before = Number(await total(again));
    await database.query(`select credits.spend('team', 'image')`);
    expect(await total(again)).toBe((before - 5).toFixed(2));
  });
});
