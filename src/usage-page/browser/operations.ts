/** What the page asks the API, and the shape of the answers: amounts and prices are decimal texts, and stay texts. */

export interface Unit {
  unit: string;
  name: string;
  scale: number;
  main: boolean;
  packs: { nodes: Pack[] };
}

export interface Pack {
  pack: string;
  name: string;
  unit: string;
  amount: string;
  plans: string[] | null;
  retiredAt: string | null;
  packPrices: { nodes: Price[] };
}

export interface Price {
  currency: string;
  price: string;
}

export interface Operation {
  operation: string;
  name: string;
  category: string;
  description: string | null;
  gates: { nodes: Gate[] };
}

export interface Gate {
  match: Attributes;
  requires: 'plan' | 'top_ups';
  plans: string[] | null;
}

export type Attributes = Record<string, string | number | boolean>;

export interface Balance {
  unit: string;
  included: string;
  additional: string;
  held: string;
  total: string;
  nextRefillAt: string | null;
}

export interface TopUpSetting {
  enabled: boolean;
  threshold: string | null;
  amount: string | null;
  monthlyLimit: string | null;
  suspendedReason: string | null;
}

export interface Member {
  memberId: string;
  role: 'admin' | 'member';
}

export interface Rate {
  category: string;
  operation: string;
  operationName: string;
  component: string;
  match: Attributes;
  unit: string;
  price: string | null;
  measure: string | null;
  per: string;
  quantityRounding: 'exact' | 'up';
  minimumQuantity: string | null;
  tiers: { up_to?: number; price: number }[] | null;
  minimumCharge: string | null;
  maximumCharge: string | null;
  optional: boolean;
  multipliers: { group: string; match: Attributes; factor: number }[];
}

export interface Account {
  plan: string | null;
  cancelsAtPeriodEnd: boolean;
  periodEnd: string | null;
  additionalEnabled: boolean;
  additionalPeriodLimit: string | null;
  planByPlan: {
    name: string;
    planAllowances: { nodes: { unit: string; amount: string }[] };
  } | null;
  planByPendingPlan: { name: string } | null;
  rateCardByRateCard: {
    name: string;
    units: { nodes: Unit[] };
    topUpPrices: { nodes: Price[] };
    operations: { nodes: Operation[] };
    plans: { nodes: { plan: string; name: string }[] };
  };
  topUpSetting: TopUpSetting | null;
  members: { nodes: Member[] };
  purchases: { nodes: Purchase[] };
}

export interface Purchase {
  purchaseId: string;
  kind: 'pack' | 'top_up';
  unit: string;
  amount: string;
  price: string;
  currency: string;
  status: 'pending' | 'settled' | 'failed' | 'reversed';
}

export interface Feature {
  feature: string;
  value: unknown;
}

export interface Overview {
  account: Account | null;
  balances: Balance[];
  features: Feature[];
  rates: Rate[];
}

const PURCHASE = 'purchaseId kind unit amount price currency status';

const BALANCE = 'unit included additional held total nextRefillAt';

export const OVERVIEW = /* GraphQL */ `
  query UsageOverview($accountId: String!) {
    account(accountId: $accountId) {
      plan cancelsAtPeriodEnd periodEnd additionalEnabled additionalPeriodLimit
      planByPlan { name planAllowances(first: 20) { nodes { unit amount } } }
      planByPendingPlan { name }
      rateCardByRateCard {
        name
        units(first: 20) { nodes {
          unit name scale main
          packs(first: 50) { nodes {
            pack name unit amount plans retiredAt packPrices(first: 20) { nodes { currency price } }
          } }
        } }
        topUpPrices(first: 20) { nodes { currency price } }
        operations(first: 500) { nodes {
          operation name category description gates(first: 20) { nodes { match requires plans } }
        } }
        plans(first: 100) { nodes { plan name } }
      }
      topUpSetting { enabled threshold amount monthlyLimit suspendedReason }
      members(first: 200) { nodes { memberId role } }
      purchases(first: 5, orderBy: PRIMARY_KEY_DESC) { nodes { ${PURCHASE} } }
    }
    balances(accountId: $accountId) { ${BALANCE} }
    features(accountId: $accountId) { feature value }
    rates(accountId: $accountId) {
      category operation operationName component match unit price measure per quantityRounding
      minimumQuantity tiers minimumCharge maximumCharge optional multipliers
    }
  }
`;

export const LIVE_BALANCES = /* GraphQL */ `
  subscription UsageBalances($accountId: String!) {
    balances(accountId: $accountId) { ${BALANCE} }
  }
`;

export interface UsageDay {
  day: string;
  operation: string | null;
  memberId: string | null;
  unit: string;
  charges: string;
  amount: string;
}

export const USAGE_BY_DAY = /* GraphQL */ `
  query UsageByDay($accountId: String!, $since: Datetime, $timeZone: String) {
    usageByDay(accountId: $accountId, since: $since, timeZone: $timeZone) {
      day operation memberId unit charges amount
    }
  }
`;

export interface BreakdownLine {
  operation?: string;
  component: string;
  measure?: string | null;
  quantity?: number | null;
  per?: number;
  price?: number | null;
  multiplier?: number;
  count?: number;
  amount: number;
}

export interface Entry {
  seq: string;
  kind: string;
  operation: string | null;
  unit: string;
  amount: string;
  balanceAfter: string;
  memberId: string | null;
  occurredAt: string;
  breakdown: BreakdownLine[] | null;
  reason: string | null;
}

export interface ActivityPage {
  nodes: Entry[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

export const ACTIVITY = /* GraphQL */ `
  query UsageActivity(
    $accountId: String!, $since: Datetime, $kinds: [String], $memberId: String, $first: Int, $after: Cursor
  ) {
    activity(
      accountId: $accountId, since: $since, kinds: $kinds, memberId: $memberId, first: $first, after: $after
    ) {
      nodes { seq kind operation unit amount balanceAfter memberId occurredAt breakdown reason }
      pageInfo { hasNextPage endCursor }
    }
  }
`;

export interface QuoteLine {
  unit: string;
  amount: string;
  available: string;
  affordable: boolean;
  blockedBy: string | null;
  breakdown: BreakdownLine[];
}

export const QUOTE = /* GraphQL */ `
  query UsageQuote($accountId: String!, $operation: String!, $usage: JSON) {
    quote(accountId: $accountId, operation: $operation, usage: $usage) {
      unit amount available affordable blockedBy breakdown
    }
  }
`;

export interface Checkout {
  /** Where the buyer pays. */
  url: string;
}

export const CHECKOUT = /* GraphQL */ `
  mutation UsageCheckout($input: CheckoutPackInput!) {
    checkoutPack(input: $input) { url }
  }
`;

export const CONFIGURE_TOP_UP = /* GraphQL */ `
  mutation UsageConfigureTopUp($input: ConfigureTopUpInput!) {
    configureTopUp(input: $input) { result { enabled } }
  }
`;

export const CONFIGURE_ADDITIONAL = /* GraphQL */ `
  mutation UsageConfigureAdditional($input: ConfigureAdditionalInput!) {
    configureAdditional(input: $input) { result { additionalEnabled } }
  }
`;
