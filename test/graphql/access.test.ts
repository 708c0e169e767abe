import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Api,
  type Claims,
  memberOf,
  SECRET,
  SERVICE,
  sign,
  startApi,
} from '../support/api.ts';
import { atelierDatabase } from '../support/atelier.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';

let database: TestDatabase;
let api: Api;

const BALANCES = '{ balances(accountId: "team") { unit } }';

beforeAll(async () => {
  database = await atelierDatabase();
  for (const account of ['team', 'other']) {
    await database.query(
      `select credits.open_account('${account}', 'atelier_pro');
       select credits.cancel_subscription('${account}', true);
       select credits.subscribe('${account}', 'atelier_pro');
       select credits.claim('${account}', 'welcome', '${account}@example.com');
       select credits.spend('${account}', 'image');
       select credits.authorize('${account}', 'image');
       select credits.buy('${account}', 'box');
       select credits.configure_top_up('${account}', false);
       select credits.add_member('${account}', 'ann');
       select credits.record_meter('${account}', 'storage', 1)`,
    );
  }
  // What a connection without claims of its own would act as: more than any caller here may.
  await database.query(`
    do $$ begin
      execute format('alter database %I set credits.account_id = ''other''', current_database());
      execute format('alter database %I set credits.member_id = ''boss''', current_database());
      execute format('alter database %I set credits.member_role = ''admin''', current_database());
    end $$;
    create function credits.seen_claims() returns jsonb language sql stable
    return jsonb_build_object('role', current_setting('role'), 'account_id', current_setting('credits.account_id'),
      'member_id', current_setting('credits.member_id'), 'member_role', current_setting('credits.member_role'));
    create function credits.seen_timeout() returns text language sql stable
    return current_setting('statement_timeout')`);
  api = await startApi(database.url);
});
afterAll(async () => {
  await api.stop();
  await database.close();
});
verifyAfterEach(() => database);

describe('a token', () => {
  const secret = 'the secret of somebody else, 32 characters or more';
  const none = () =>
    [{ alg: 'none' }, { role: 'credits_service' }, '']
      .map((part) => part && Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
  const bearer = async (token: string | Promise<string>) => `Bearer ${await token}`;

  test.each<[string, () => Promise<string> | string]>([
    ['signed with another secret', () => bearer(sign(SERVICE, { secret }))],
    ['that has expired', () => bearer(sign(SERVICE, { expires: '10 seconds ago' }))],
    [
      'that never expires',
      () =>
        bearer(
          new SignJWT(SERVICE)
            .setProtectedHeader({ alg: 'HS256' })
            .sign(new TextEncoder().encode(SECRET)),
        ),
    ],
    ['that is not good yet', () => bearer(sign({ ...SERVICE, nbf: Date.now() / 1000 + 60 }))],
    ['without a signature', () => bearer(none())],
    ['signed by another algorithm', () => bearer(sign(SERVICE, { alg: 'HS512' }))],
    ['that is none', () => bearer('hello')],
    ['without Bearer', () => sign(SERVICE)],
    ['without a role', () => bearer(sign({}))],
    ['of another role', () => bearer(sign({ role: 'credits_engine' }))],
    ['of the login itself', () => bearer(sign({ role: 'none' }))],
    ['of a member of no account', () => bearer(sign({ role: 'credits_member' }))],
    [
      'with an account that is no text',
      () => bearer(sign({ role: 'credits_member', account_id: 7 })),
    ],
    [
      'with a list as member_role',
      () => bearer(sign({ ...memberOf('team'), member_role: ['admin'] })),
    ],
  ])('%s is refused', async (_, authorization) => {
    const { status, data, errors } = await api.send(BALANCES, {}, await authorization());
    expect(status).toBe(401);
    expect(data).toBeUndefined();
    expect(errors).toMatchObject([
      { message: expect.any(String), extensions: { code: 'UNAUTHENTICATED' } },
    ]);
  });

  test('is refused for introspection too when it is bad', async () => {
    const { status } = await api.send('{ __typename }', {}, 'Bearer hello');
    expect(status).toBe(401);
  });
});

describe('without a token', () => {
  test.each([
    ['a query', BALANCES],
    ['a table that is the same for everyone', '{ plans { nodes { plan } } }'],
    [
      'a mutation',
      'mutation { subscribe(input: { accountId: "team", plan: "atelier_studio" }) { clientMutationId } }',
    ],
    ['data beside introspection', `{ __typename balances(accountId: "team") { unit } }`],
    [
      'data by way of a fragment',
      'query { ...all } fragment all on Query { plans { nodes { plan } } }',
    ],
    ['another operation of the document', `query a { __typename } query b ${BALANCES}`],
    ['what is no GraphQL', '{'],
  ])('%s is refused', async (_, operation) => {
    const { status, data, errors } = await api.send(operation, {}, null);
    expect(status).toBe(401);
    expect(data).toBeUndefined();
    expect(errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }]);
  });

  test('GraphiQL may ask for the schema', async () => {
    const { status, data } = await api.send('{ __schema { queryType { name } } }', {}, null);
    expect(status).toBe(200);
    expect(data).toEqual({ __schema: { queryType: { name: 'Query' } } });
  });
});

describe('a member', () => {
  test('sees the rows of its own account alone, in every table', async () => {
    const tables = await database.query(`
      select c.relname as name
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'account_id'
      where c.relnamespace = 'credits'::regnamespace and c.relkind in ('r', 'p', 'v')
        and has_table_privilege('credits_member', c.oid, 'select')
      order by 1`);
    expect(tables.length).toBeGreaterThanOrEqual(11);
    for (const { name } of tables) {
      const field = name.replace(/_([a-z])/g, (_: string, letter: string) => letter.toUpperCase());
      // Logs are not counted.
      const counted = !['entries', 'postings'].includes(field);
      const operation = `{ ${field} { ${counted ? 'totalCount' : ''} nodes { accountId } } }`;
      const accounts = async (claims: Claims) => {
        const result = (await api.data(operation, {}, claims))[field];
        if (counted) expect(result.totalCount).toBe(result.nodes.length);
        return new Set(result.nodes.map((row: { accountId: string }) => row.accountId));
      };
      expect([name, await accounts(SERVICE)]).toEqual([name, new Set(['team', 'other'])]);
      expect([name, await accounts(memberOf('team'))]).toEqual([name, new Set(['team'])]);
    }
  });

  test('finds no row of another account by its key, or through a row that is the same for everyone', async () => {
    expect(
      await api.data(
        `{ account(accountId: "other") { accountId }
           entry(accountId: "other", seq: "1") { amount }
           plan(plan: "atelier_pro") { accountsByPlan { nodes { accountId } } } }`,
        {},
        memberOf('team'),
      ),
    ).toEqual({
      account: null,
      entry: null,
      plan: { accountsByPlan: { nodes: [{ accountId: 'team' }] } },
    });
  });

  test('reaches no row of another account by any way through the schema', async () => {
    const { __schema } = await api.data(
      '{ __schema { types { name fields { name args { name } type { name ofType { name } } } } } }',
    );
    type Field = {
      name: string;
      args: { name: string }[];
      type: { name: string; ofType: { name: string } | null };
    };
    const typeOf = ({ type }: Field) => type.name ?? type.ofType?.name;
    const fields = new Map<string, Field[]>(
      __schema.types.map(({ name, fields }: { name: string; fields: Field[] }) => [
        name,
        fields ?? [],
      ]),
    );
    /** Each way from a type to rows, `steps` relations long, as a selection. */
    function ways(type: string, steps: number): string[] {
      if (fields.get(type)?.some(({ name }) => name === 'accountId') === undefined) return [];
      const own = fields.get(type)?.some(({ name }) => name === 'accountId') ? ['accountId'] : [];
      if (steps === 0) return own;
      return [
        ...own,
        ...(fields.get(type) ?? []).flatMap((field) => {
          const target = typeOf(field) ?? '';
          const isPage = target.endsWith('Connection');
          const rows = isPage ? target.replace('Connection', '') : target;
          if (rows === 'Query' || !fields.get(rows)?.length) return [];
          return ways(rows, steps - 1).map((way) =>
            isPage ? `${field.name}(first: 20) { nodes { ${way} } }` : `${field.name} { ${way} }`,
          );
        }),
      ];
    }
    const pages = (fields.get('Query') ?? []).filter(
      (field) => typeOf(field)?.endsWith('Connection') && field.name !== 'activity',
    );
    let seen = 0;
    const hidden = ['promotionClaims', 'paymentCustomers'];
    for (const page of pages.filter(({ name }) => !hidden.includes(name))) {
      const rows = typeOf(page)?.replace('Connection', '') ?? '';
      for (const way of ways(rows, 2).filter(
        (selection) => !hidden.some((name) => selection.includes(name)),
      )) {
        const { data, errors } = await api.as(
          memberOf('team'),
          `{ ${page.name}(first: 20) { nodes { ${way} } } }`,
        );
        // Round and round is too deep.
        if (errors?.[0].extensions.code === 'LIMIT') continue;
        expect([way, errors]).toEqual([way, undefined]);
        const accounts = JSON.stringify(data).match(/(?<="accountId":")[^"]*/g) ?? [];
        expect([page.name, way, [...new Set(accounts)].filter((id) => id !== 'team')]).toEqual([
          page.name,
          way,
          [],
        ]);
        seen += accounts.length;
      }
    }
    expect(seen).toBeGreaterThan(400);
    // There are no ids that would find any row, whatever it is.
    expect(fields.get('Query')?.map(({ name }) => name)).not.toContain('node');
  });

  const readings: [string, (account: string) => string][] = [
    ['quote', (id) => `quote(accountId: "${id}", operation: "image") { amount }`],
    [
      'quoteItems',
      (id) => `quoteItems(accountId: "${id}", items: [{ operation: "image" }]) { amount }`,
    ],
    ['balances', (id) => `balances(accountId: "${id}") { total }`],
    ['activity', (id) => `activity(accountId: "${id}") { nodes { seq } }`],
    ['features', (id) => `features(accountId: "${id}") { feature }`],
    ['rates', (id) => `rates(accountId: "${id}") { price }`],
  ];

  test.each(readings)('reads its own account, and no other: %s', async (name, read) => {
    const own = (await api.data(`{ ${read('team')} }`, {}, memberOf('team')))[name];
    expect((own.nodes ?? own).length).toBeGreaterThan(0);
    for (const account of ['other', 'nobody']) {
      const error = await api.error(`{ ${read(account)} }`, {}, memberOf('team'));
      expect(error.extensions).toMatchObject({
        code: 'PC403',
        detail: { requires: 'account', account_id: account },
      });
    }
  });

  const forTheServiceAlone: [string, string][] = [
    ['openAccount', 'accountId: "team"'],
    ['subscribe', 'accountId: "team", plan: "atelier_studio"'],
    ['grant', 'accountId: "team", amount: "5"'],
    ['claim', 'accountId: "team", promotion: "trial", claimant: "me@example.com"'],
    ['spend', 'accountId: "team", operation: "image"'],
    ['spendItems', 'accountId: "team", items: [{ operation: "image" }]'],
    ['spendMany', 'requests: [{ accountId: "team", operation: "image" }]'],
    ['authorize', 'accountId: "team", operation: "image"'],
    ['authorizeItems', 'accountId: "team", items: [{ operation: "image" }]'],
    ['capture', 'accountId: "team", holdId: "1"'],
    ['captureItems', 'accountId: "team", holdId: "1", items: [{ operation: "image" }]'],
    ['release', 'accountId: "team", holdId: "1"'],
    ['refund', 'accountId: "team", seq: "6"'],
    ['revoke', 'accountId: "team", lotId: "3"'],
    ['cancelSubscription', 'accountId: "team"'],
    ['settlePurchase', 'accountId: "team", purchaseId: "1", paymentReference: "mine"'],
    ['failPurchase', 'accountId: "team", purchaseId: "1", reason: "mine"'],
    ['reversePurchase', 'accountId: "team", purchaseId: "1", reason: "mine"'],
    ['reinstatePurchase', 'accountId: "team", purchaseId: "1", reason: "mine"'],
    [
      'reversePayment',
      'accountId: "team", purchaseId: "1", paymentReference: "mine", paid: "6", returned: "6", reason: "mine"',
    ],
    ['savePaymentCustomer', 'accountId: "team", provider: "bank", customerId: "me"'],
    ['recordMeter', 'accountId: "team", operation: "storage", quantity: "0"'],
  ];
  const forAdmins: [string, string][] = [
    ['buy', 'accountId: "team", pack: "box"'],
    ['configureTopUp', 'accountId: "team", enabled: false'],
    ['configureAdditional', 'accountId: "team", enabled: true'],
    ['addMember', 'accountId: "team", memberId: "joe"'],
    ['removeMember', 'accountId: "team", memberId: "joe"'],
  ];

  test('finds every mutation here', async () => {
    const { __schema } = await api.data('{ __schema { mutationType { fields { name } } } }');
    expect(__schema.mutationType.fields.map(({ name }: { name: string }) => name).sort()).toEqual(
      // Who may check out is tested with payments.
      [...forTheServiceAlone, ...forAdmins, ['checkoutPack']].map(([name]) => name).sort(),
    );
  });

  test.each(forAdmins)('may administer its own account as an admin: %s', async (name, input) => {
    const operation = (account: string) =>
      `mutation { ${name}(input: { ${input.replace('team', account)} }) { result { accountId } } }`;
    const admin = memberOf('team', { member_id: 'ann', member_role: 'admin' });
    const member = memberOf('team', { member_id: 'ann', member_role: 'member' });
    expect(await api.data(operation('team'), {}, admin)).toEqual({
      [name]: { result: { accountId: 'team' } },
    });
    expect((await api.error(operation('team'), {}, member)).extensions).toMatchObject({
      code: 'PC403',
      detail: { requires: 'admin', member_id: 'ann' },
    });
    expect((await api.error(operation('other'), {}, admin)).extensions).toMatchObject({
      code: 'PC403',
      detail: { requires: 'account', account_id: 'other' },
    });
  });

  test.each(forTheServiceAlone)(
    'may not call what is for the service alone: %s',
    async (name, input) => {
      const error = await api.error(
        `mutation { ${name}(input: { ${input} }) { clientMutationId } }`,
        {},
        memberOf('team', { member_id: 'ann', member_role: 'admin' }),
      );
      expect(error.extensions).toMatchObject({ code: 'PC403', detail: { requires: 'service' } });
    },
  );

  test('may not audit', async () => {
    const error = await api.error('{ verify(accountId: "team") { rule } }', {}, memberOf('team'));
    expect(error.extensions).toMatchObject({ code: 'PC403' });
  });
});

describe('the claims of a request', () => {
  const SEEN = '{ seenClaims }';

  test('are those of its token and nothing else, whatever the connection has', async () => {
    const seen = (claims: Claims) => api.data(SEEN, {}, claims);
    expect(await seen(memberOf('team'))).toEqual({
      seenClaims: { role: 'credits_member', account_id: 'team', member_id: '', member_role: '' },
    });
    expect(await seen(SERVICE)).toEqual({
      seenClaims: { role: 'credits_service', account_id: '', member_id: '', member_role: '' },
    });
  });

  test('cannot be had by asking for them', async () => {
    const body = {
      query: SEEN,
      variables: { role: 'credits_service', 'credits.account_id': 'other' },
      extensions: { pgSettings: { role: 'credits_service', 'credits.account_id': 'other' } },
      pgSettings: { role: 'credits_service' },
      role: 'credits_service',
    };
    const token = await sign(
      memberOf('team', {
        'credits.account_id': 'other',
        pgSettings: { role: 'credits_service' },
        accountId: 'other',
        aud: 'credits_service',
        roles: ['credits_service'],
      }),
    );
    const response = await fetch(`${api.url}/graphql?role=credits_service&account_id=other`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${token}`,
        role: 'credits_service',
        'x-hasura-role': 'credits_service',
        'credits.account_id': 'other',
        'x-credits-account-id': 'other',
      },
      body: JSON.stringify(body),
    });
    expect(await response.json()).toEqual({
      data: {
        seenClaims: { role: 'credits_member', account_id: 'team', member_id: '', member_role: '' },
      },
    });
  });

  test('bring a limit of time to what a member asks, and none to the service', async () => {
    const timeout = async (claims: Claims) =>
      (await api.data('{ seenTimeout }', {}, claims)).seenTimeout;
    expect(await timeout(memberOf('team'))).toBe('10s');
    expect(await timeout(SERVICE)).toBe('0');
  });

  test('do not stay on a pooled connection, also when many share it and some fail', async () => {
    const callers = Array.from({ length: 60 }, (_, i): Claims => {
      if (i % 3 === 0) return SERVICE;
      return memberOf(
        `account-${i}`,
        i % 3 === 1 ? { member_id: `m${i}`, member_role: 'admin' } : {},
      );
    });
    const replies = await Promise.all(
      callers.map((claims) =>
        api.as(claims, `{ seenClaims balances(accountId: "team") { unit } }`),
      ),
    );
    for (const [i, { data, errors }] of replies.entries()) {
      const { role, account_id = '', member_id = '', member_role = '' } = callers[i];
      expect(data.seenClaims).toEqual({ role, account_id, member_id, member_role });
      expect(errors?.[0].extensions.code).toBe(role === 'credits_service' ? undefined : 'PC403');
    }
  });
});
