/** The mutation checkoutPack, over HTTP: a pack is bought and its payment begins. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SIMULATED_CHECKOUT_PATH } from '../../src/payments/routes.ts';
import { simulatedProvider } from '../../src/payments/simulated.ts';
import { type Account, account, kioskDatabase, NOON } from '../purchases/kiosk.ts';
import { type Api, memberOf, SERVICE, startApi } from '../support/api.ts';
import { type TestDatabase, verifyAfterEach } from '../support/database.ts';
import { startFakeStripe } from './fake-stripe.ts';
import { stripeOf } from './payments.ts';

let database: TestDatabase;
let api: Api;
let team: Account;
let number = 0;
verifyAfterEach(() => database);

beforeAll(async () => {
  database = await kioskDatabase();
  const checkout = { url: '', secret: 'a secret' };
  api = await startApi(database.url, simulatedProvider(checkout));
  checkout.url = `${api.url}${SIMULATED_CHECKOUT_PATH}`;
});
beforeEach(async () => {
  await database.setNow(NOON);
  number += 1;
  team = account(database, `team ${number}`);
  await team.opened();
});
afterAll(async () => {
  await api.stop();
  await database.close();
});

const CHECKOUT = `mutation ($input: CheckoutPackInput!) {
  checkoutPack(input: $input) { clientMutationId url simulated purchase { purchaseId status pack amount price currency memberId } }
}`;
const input = (rest: object = {}) => ({
  input: {
    accountId: team.id,
    pack: 'small',
    successUrl: 'https://shop.invalid/thanks',
    cancelUrl: 'http://localhost:3000/packs?a=1&b=2',
    ...rest,
  },
});
const admin = () => memberOf(team.id, { member_id: 'ann', member_role: 'admin' });

test('an admin buys, pays on the page, and has the credits', async () => {
  const { checkoutPack } = await api.data(CHECKOUT, input({ clientMutationId: 'x' }), admin());
  expect(checkoutPack).toMatchObject({
    clientMutationId: 'x',
    simulated: true,
    purchase: {
      purchaseId: '1',
      status: 'pending',
      pack: 'small',
      amount: '200',
      price: '9',
      currency: 'USD',
      memberId: 'ann',
    },
  });
  expect(await team.total()).toBe(0);

  const page = await (await fetch(checkoutPack.url)).text();
  expect(page).toContain('This payment is simulated');
  expect(page).toContain('9 USD');
  const fields = new URLSearchParams([
    ...new URL(checkoutPack.url).searchParams,
    ['outcome', 'pay'],
  ]);
  const paid = await fetch(checkoutPack.url, { method: 'POST', body: fields, redirect: 'manual' });
  expect(paid.headers.get('location')).toBe('https://shop.invalid/thanks');
  expect(await team.total()).toBe(200);
});

test('the same key again is the same purchase and page, until it is paid', async () => {
  const once = input({ idempotencyKey: 'once' });
  const first = await api.data(CHECKOUT, once, admin());
  expect(await api.data(CHECKOUT, once, admin())).toEqual(first);
  expect(await team.purchases()).toHaveLength(1);
  await team.settle(1);
  expect(await api.error(CHECKOUT, once, admin())).toMatchObject({
    extensions: { code: 'PC409', detail: { reason: 'already_settled' } },
  });
});

test('in a currency of its own, for the service in the name of a member', async () => {
  await team.one('add_member', { member_id: 'bob', role: 'admin' });
  const { checkoutPack } = await api.data(
    CHECKOUT,
    input({ currency: 'EUR', memberId: 'bob' }),
    SERVICE,
  );
  expect(checkoutPack.purchase).toMatchObject({ price: '8', currency: 'EUR', memberId: 'bob' });
});

describe('refuses, and leaves no purchase', () => {
  const refused = async (rest: object, claims: object = admin()) => {
    const { extensions } = await api.error(CHECKOUT, input(rest), { ...claims });
    expect(await team.purchases()).toEqual([]);
    return extensions;
  };

  test('who is no admin, and whoever acts for another account', async () => {
    const member = memberOf(team.id, { member_id: 'joe', member_role: 'member' });
    expect(await refused({}, member)).toMatchObject({
      code: 'PC403',
      detail: { requires: 'admin' },
    });
    const other = memberOf('other', { member_id: 'ann', member_role: 'admin' });
    expect(await refused({}, other)).toMatchObject({
      code: 'PC403',
      detail: { requires: 'account' },
    });
  });

  test('a pack that there is not, and a currency that it has no price in', async () => {
    expect(await refused({ pack: 'large' })).toMatchObject({
      code: 'PC404',
      detail: { what: 'pack', key: 'large' },
    });
    expect(await refused({ currency: 'CHF' })).toMatchObject({
      code: 'PC422',
      detail: { field: 'currency', reason: 'no_price' },
    });
  });

  test.each(['javascript:alert(1)', '/thanks', '', 'data:text/html,hi'])(
    'a page such as %j',
    async (url) => {
      expect(await refused({ successUrl: url })).toMatchObject({
        code: 'PC422',
        detail: { field: 'successUrl', reason: 'not_an_address' },
      });
      expect(await refused({ cancelUrl: url })).toMatchObject({ detail: { field: 'cancelUrl' } });
    },
  );

  test('where there is no payment provider', async () => {
    const without = await startApi(database.url);
    try {
      expect((await without.error(CHECKOUT, input(), admin())).extensions).toMatchObject({
        code: 'PC409',
        detail: { reason: 'no_payment_provider' },
      });
      expect(await team.purchases()).toEqual([]);
    } finally {
      await without.stop();
    }
  });
});

test('with Stripe, the page is a Checkout session, which is not simulated', async () => {
  const stripe = await startFakeStripe();
  const shop = await startApi(database.url, stripeOf(stripe));
  try {
    const { checkoutPack } = await shop.data(CHECKOUT, input({ idempotencyKey: 'once' }), admin());
    expect(checkoutPack).toMatchObject({ simulated: false, purchase: { status: 'pending' } });
    expect(checkoutPack.url).toMatch(/^https?:/);
    const again = await shop.data(CHECKOUT, input({ idempotencyKey: 'once' }), admin());
    expect(again.checkoutPack.url).toBe(checkoutPack.url);

    stripe.down = 503;
    const error = await shop.error(CHECKOUT, input(), admin());
    expect(error.extensions).toMatchObject({ code: 'INTERNAL' });
  } finally {
    await shop.stop();
    await stripe.stop();
  }
});
