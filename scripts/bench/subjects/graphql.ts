/** Balances over the API, against the same query of a client that has a connection. */
import { SignJWT } from 'jose';
import type { Recipe } from '../clients.ts';
import { startCommand } from '../processes.ts';
import { runCases, type Subject } from '../subject.ts';

const SECRET = 'a secret of the benchmark, for itself alone';

export const graphqlSubject: Subject = async (context) => {
  if (context.options.mode === 'profile') return [];
  const { accounts, clients } = context.options;
  const api = await startCommand('api', 'serve', /(http:\/\/[\d.]+:\d+)/, {
    DATABASE_URL: context.ledger.adminUrl,
    PGCREDITS_JWT_SECRET: SECRET,
    PGCREDITS_HOST: '127.0.0.1',
    PORT: '0',
  });
  const token = await new SignJWT({ role: 'credits_service' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1 day')
    .sign(new TextEncoder().encode(SECRET));
  const account: Recipe = { kind: 'account', among: accounts };
  const one = (count: number) => ({
    name: 'balances over GraphQL',
    clients: count,
    unit: 'calls',
    ours: {
      statement: {
        text: `query ($a0: String!) { balances(accountId: $a0) { unit included additional held total nextRefillAt } }`,
        values: [account],
        api: { url: `${api.found}/graphql`, token },
      },
    },
    against: 'the same query through pg',
    floor: { statement: { text: 'select * from credits.balances($1)', values: [account] } },
    atLeast: 0.3,
  });
  try {
    return await runCases(context, 'graphql', [one(clients), one(1)]);
  } finally {
    await api.stop();
  }
};
