import 'postgraphile/presets/amber';
import { type PgResource, sideEffectWithPgClientTransaction } from 'postgraphile/@dataplan/pg';
import { access, constant, object, type Step, sideEffect } from 'postgraphile/grafast';
import { extendSchema, gql } from 'postgraphile/utils';
import { ConflictError, InvalidInputError } from '../errors.ts';
import { startCheckout } from './checkout.ts';
import type { WithClient } from './ledger.ts';
import type { PaymentProvider } from './provider.ts';

interface CheckoutInput {
  accountId: string;
  pack: string;
  successUrl: string;
  cancelUrl: string;
  idempotencyKey?: string | null;
  memberId?: string | null;
  currency?: string | null;
}

/**
 * The mutation `checkoutPack`: buys a pack with the caller's rights, as `credits.buy` does, commits that, and has the provider
 * begin its payment. Fails as `buy` and `startCheckout` do, and with PC409 where there is no provider.
 */
export function checkoutPlugin(options: {
  withClient: WithClient;
  provider: PaymentProvider | undefined;
}): GraphileConfig.Plugin {
  const { withClient, provider } = options;
  return extendSchema((build) => {
    const purchases = build.input.pgRegistry.pgResources.purchases as PgResource;
    return {
      typeDefs: gql`
        extend type Mutation {
          """
          Buys a pack, pending, and begins its payment: send the buyer to the url. The same idempotencyKey again gives the same
          purchase and page. Errors as buy, and PC409: no payment provider is configured, or the purchase is no longer to be paid.
          """
          checkoutPack("The exclusive input argument for this mutation." input: CheckoutPackInput!): CheckoutPackPayload
        }
        "All input for the \`checkoutPack\` mutation."
        input CheckoutPackInput {
          "Anything; the payload has it again."
          clientMutationId: String
          accountId: String!
          pack: String!
          "Where the buyer is sent after paying: an http or https address."
          successUrl: String!
          "Where the buyer is sent who does not pay."
          cancelUrl: String!
          "The caller's key of the request. Without one, each request is another purchase."
          idempotencyKey: String
          "Who buys, if the service asks; a member buys in their own name."
          memberId: String
          "One that the pack has a price in; left out: dollars, else the first."
          currency: String
        }
        "The output of our \`checkoutPack\` mutation."
        type CheckoutPackPayload {
          "What the input had."
          clientMutationId: String
          "The purchase, which the payment settles."
          purchase: Purchase
          "The provider's page on which the buyer pays."
          url: String!
          "Whether the payment is simulated: no money moves."
          simulated: Boolean!
        }`,
      objects: {
        Mutation: {
          plans: {
            checkoutPack(_$root, { $input }) {
              const input = $input as unknown as Step<
                CheckoutInput & { clientMutationId?: string }
              >;
              const $purchase = sideEffectWithPgClientTransaction(
                purchases.executor,
                [input],
                async (client, [input]) => {
                  // Refused first, so that no purchase is left behind.
                  checkPages(input);
                  requireProvider(provider);
                  const { accountId, pack, memberId, idempotencyKey, currency } = input;
                  const { rows } = await client.query<{ account_id: string; purchase_id: string }>({
                    text: 'select account_id, purchase_id from credits.buy($1, $2, $3, $4, $5)',
                    values: [accountId, pack, memberId, idempotencyKey, currency],
                  });
                  return rows[0];
                },
              );
              const $url = sideEffect([$purchase, input], async ([purchase, input]) =>
                startCheckout({
                  withClient,
                  provider: requireProvider(provider),
                  accountId: purchase.account_id,
                  purchaseId: purchase.purchase_id,
                  pages: { success: input.successUrl, cancel: input.cancelUrl },
                }),
              );
              return object({
                clientMutationId: access(input, 'clientMutationId'),
                accountId: access($purchase, 'account_id'),
                purchaseId: access($purchase, 'purchase_id'),
                url: $url,
              });
            },
          },
        },
        CheckoutPackPayload: {
          plans: {
            purchase: ($payload) =>
              purchases.get({
                account_id: access($payload, 'accountId'),
                purchase_id: access($payload, 'purchaseId'),
              }),
            simulated: () => constant(provider?.key === 'simulated'),
          },
        },
      },
    };
  }, 'PgcreditsCheckoutPlugin');
}

function requireProvider(provider: PaymentProvider | undefined): PaymentProvider {
  if (provider) return provider;
  const hint = 'Configure one: see "Payments" in the README.';
  throw new ConflictError('PC409', 'conflict', { reason: 'no_payment_provider' }, hint);
}

/** Throws the contract's PC422 for a page that a browser should not be sent to. */
function checkPages({ successUrl, cancelUrl }: CheckoutInput): void {
  for (const [field, url] of Object.entries({ successUrl, cancelUrl })) {
    if (/^https?:$/.test(URL.parse(url)?.protocol ?? '')) continue;
    const hint = 'Give a whole http or https address.';
    throw new InvalidInputError(
      'PC422',
      'invalid input',
      { field, reason: 'not_an_address' },
      hint,
    );
  }
}
