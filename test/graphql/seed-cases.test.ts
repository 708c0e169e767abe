import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Api, startApi } from '../support/api.ts';
import { type TestDatabase, testDatabase, verifyAfterEach } from '../support/database.ts';
import { plain } from '../support/numbers.ts';
import { SEED_CASES, SEED_JOBS, type SeedCase } from '../support/seed-cases.ts';
import { setTopUps } from '../support/top-ups.ts';

let database: TestDatabase;
let api: Api;

beforeAll(async () => {
  database = await testDatabase();
  api = await startApi(database.url);
});
afterAll(async () => {
  await api.stop();
  await database.close();
});
verifyAfterEach(() => database);

let accounts = 0;

/** An account on the case's plan with more than enough of every unit. */
async function richAccount({ plan, topUps }: Pick<SeedCase, 'plan' | 'topUps'>): Promise<string> {
  const accountId = `seed-${++accounts}`;
  const { openAccount } = await api.data(
    `mutation ($input: OpenAccountInput!) {
      openAccount(input: $input) { result { rateCardByRateCard { units { nodes { unit } } } } }
    }`,
    { input: { accountId, plan } },
  );
  for (const { unit } of openAccount.result.rateCardByRateCard.units.nodes) {
    await api.data('mutation ($input: GrantInput!) { grant(input: $input) { result { lotId } } }', {
      input: { accountId, unit, amount: '1000000' },
    });
  }
  if (topUps) {
    await setTopUps(database, accountId, true);
  }
  return accountId;
}

type Line = { unit: string; amount: string };

const amountsOf = (lines: Line[]) =>
  Object.fromEntries(lines.map(({ unit, amount }) => [unit, plain(amount)]));

const negated = (amounts: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(amounts).map(([unit, amount]) => [unit, amount === '0' ? '0' : `-${amount}`]),
  );

describe('through GraphQL, an operation costs what the price list says', () => {
  test.each(SEED_CASES)(
    '$plan $operation $usage',
    async ({ operation, usage, amounts, ...rest }) => {
      const variables = { accountId: await richAccount(rest), operation, usage };
      const { quote } = await api.data(
        `query ($accountId: String!, $operation: String!, $usage: JSON) {
        quote(accountId: $accountId, operation: $operation, usage: $usage) { unit amount affordable }
      }`,
        variables,
      );
      expect(amountsOf(quote)).toEqual(amounts);
      expect(quote.every((line: { affordable: boolean }) => line.affordable)).toBe(true);

      const { spend } = await api.data(
        'mutation ($input: SpendInput!) { spend(input: $input) { result { unit amount usage } } }',
        { input: variables },
      );
      expect(amountsOf(spend.result)).toEqual(negated(amounts));
      expect(spend.result[0].usage).toEqual(usage);
    },
  );
});

describe('through GraphQL, a job of several operations costs what the price list says', () => {
  test.each(SEED_JOBS)('$plan: $note', async ({ items, amounts, ...rest }) => {
    const variables = { accountId: await richAccount(rest), items };
    const { quoteItems } = await api.data(
      `query ($accountId: String!, $items: [ItemInput]!) {
        quoteItems(accountId: $accountId, items: $items) { unit amount }
      }`,
      variables,
    );
    expect(amountsOf(quoteItems)).toEqual(amounts);

    const { spendItems } = await api.data(
      'mutation ($input: SpendItemsInput!) { spendItems(input: $input) { result { unit amount } } }',
      { input: variables },
    );
    expect(amountsOf(spendItems.result)).toEqual(negated(amounts));
  });
});
