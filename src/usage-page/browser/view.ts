import type { Api } from './api.ts';
import { list } from './format.ts';
import type {
  Account,
  Attributes,
  Balance,
  Feature,
  Gate,
  Operation,
  Overview,
  Pack,
  Rate,
  Unit,
} from './operations.ts';

/** What every part of the page is given: the account as the API last told it, and names for its keys. */
export class View {
  readonly api: Api;
  readonly account: Account;
  readonly balances: Balance[];
  readonly features: Feature[];
  readonly rates: Rate[];
  readonly product: string;
  /** The main unit first. */
  readonly units: Unit[];
  readonly operations: Map<string, Operation>;
  /** Where a checkout comes back to. */
  readonly returnUrl: string;
  readonly #memberNames: Record<string, string>;
  readonly #planNames: Map<string, string>;

  constructor(
    api: Api,
    account: Account,
    { balances, features, rates }: Omit<Overview, 'account'>,
    { memberNames, returnUrl }: { memberNames: Record<string, string>; returnUrl: string },
  ) {
    const card = account.rateCardByRateCard;
    this.api = api;
    this.account = account;
    this.balances = balances;
    this.features = features;
    this.rates = rates;
    this.product = card.name;
    this.units = card.units.nodes.toSorted((a, b) => Number(b.main) - Number(a.main));
    this.operations = new Map(card.operations.nodes.map((row) => [row.operation, row]));
    this.returnUrl = returnUrl;
    this.#memberNames = memberNames;
    this.#planNames = new Map(card.plans.nodes.map(({ plan, name }) => [plan, name]));
  }

  get admin(): boolean {
    return this.api.reader.admin;
  }

  get mainUnit(): Unit {
    return this.units[0];
  }

  /** The packs that this account may buy, the smallest first. */
  get packs(): Pack[] {
    return this.units
      .flatMap(({ packs }) => packs.nodes)
      .filter(({ retiredAt, plans, packPrices }) => {
        if (retiredAt !== null || packPrices.nodes.length === 0) return false;
        return plans === null || plans.includes(this.account.plan ?? '');
      })
      .toSorted((a, b) => Number(a.amount) - Number(b.amount));
  }

  unit(key: string): Unit {
    return (
      this.units.find(({ unit }) => unit === key) ?? { ...this.mainUnit, unit: key, name: key }
    );
  }

  /** The rates of an operation, or all, that can apply to this account as it is. */
  ratesOf(operation?: string): Rate[] {
    const { plan, topUpSetting } = this.account;
    const topUps = topUpSetting?.enabled ?? false;
    const applies = ({ match }: { match: Attributes }) =>
      (match.plan === undefined || match.plan === plan) &&
      (match.top_ups === undefined || match.top_ups === topUps);
    return this.rates
      .filter((rate) => (operation === undefined || rate.operation === operation) && applies(rate))
      .map((rate) => ({ ...rate, multipliers: rate.multipliers.filter(applies) }));
  }

  operationName(key: string | null): string {
    return key === null ? 'Several operations' : (this.operations.get(key)?.name ?? key);
  }

  memberName(id: string | null): string {
    return id === null ? 'No member' : (this.#memberNames[id] ?? id);
  }

  planNames(plans: string[]): string {
    return list(
      plans.map((plan) => this.#planNames.get(plan) ?? plan),
      'disjunction',
    );
  }

  /** What an operation asks for that this account does not have. */
  unmetGates(operation: string): Gate[] {
    const { plan, topUpSetting } = this.account;
    return (this.operations.get(operation)?.gates.nodes ?? []).filter(({ requires, plans }) =>
      requires === 'top_ups' ? !topUpSetting?.enabled : !plans?.includes(plan ?? ''),
    );
  }

  /** What a gate asks for, in words. */
  gate({ requires, plans }: Gate): string {
    return requires === 'top_ups'
      ? 'Needs automatic top-ups'
      : `Needs ${this.planNames(plans ?? [])}`;
  }

  /** Whom those who are no admin may ask. */
  get askAnAdmin(): string {
    const admins = this.account.members.nodes.filter(({ role }) => role === 'admin');
    return admins.length === 0
      ? 'Ask an admin of your team.'
      : `Ask an admin of your team: ${list(
          admins.map(({ memberId }) => this.memberName(memberId)),
          'disjunction',
        )}.`;
  }
}
