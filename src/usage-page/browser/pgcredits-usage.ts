/**
 * `<pgcredits-usage>`: what a team has, what it used, what things cost, and buying more. One element for any page; it speaks
 * GraphQL alone, as whoever its token is for.
 */

import { Task } from '@lit/task';
import pico from '@picocss/pico/css/pico.min.css';
import {
  html,
  LitElement,
  nothing,
  type PropertyValues,
  type TemplateResult,
  unsafeCSS,
} from 'lit';
import { Api, ApiError } from './api.ts';
import { amount } from './format.ts';
import { watchBalances } from './live.ts';
import { OVERVIEW, type Overview, type Purchase } from './operations.ts';
import { type Outcome, takeOutcome } from './returning.ts';
import { define, explain } from './section.ts';
import styles from './styles.css';
import { View } from './view.ts';
import './activity.ts';
import './balance.ts';
import './buy.ts';
import './calculator.ts';
import type { UsageChart } from './chart.ts';
import './chart.ts';
import './limits.ts';
import './rate-card.ts';
import './top-ups.ts';

const SECTIONS = ['balance', 'chart', 'activity', 'calculator', 'rates'];

/** How often to ask whether a payment was confirmed, in milliseconds. */
const CONFIRMATION = 2_000;

/** Pico knows a theme that is set on a page or on a part of it; this one is set on the element. */
const themed = pico.replaceAll(/(?<=^|[,{}])\[data-theme=dark\]/g, ':host([data-theme=dark])');

export class PgcreditsUsage extends LitElement {
  static override styles = [unsafeCSS(themed), unsafeCSS(styles)];
  static override properties = {
    endpoint: {},
    token: {},
    accountId: { attribute: 'account-id' },
    memberNames: { attribute: 'member-names', type: Object },
    sections: {},
    returnUrl: { attribute: 'return-url' },
    claimPrefix: { attribute: 'claim-prefix' },
    theme: { attribute: 'data-theme' },
  };
  /** Where the API is. */
  declare endpoint: string;
  /** The token of whoever is reading. */
  declare token: string;
  /** The account, for a token that is good for any. */
  declare accountId: string | null;
  /** Names of members by their ids. */
  declare memberNames: Record<string, string>;
  /** Which parts to show, in this order: balance chart activity calculator rates. */
  declare sections: string;
  /** Where a checkout comes back to: this page, unless set. */
  declare returnUrl: string;
  /** What stands before the names of the claims in the token. */
  declare claimPrefix: string;
  /** light or dark; else as the reader's system is. */
  declare theme: string | null;

  readonly #view = new Task(this, {
    task: async ([endpoint, token, accountId, memberNames, returnUrl, claimPrefix], { signal }) => {
      if (!token) return null;
      const api = new Api(endpoint, token, { accountId, claimPrefix });
      const { account, ...rest } = await api.ask<Overview>(
        OVERVIEW,
        { accountId: api.reader.accountId },
        signal,
      );
      if (account === null) throw new ApiError('PC404', 'not found', { what: 'account' });
      return new View(api, account, rest, { memberNames, returnUrl });
    },
    args: () =>
      [
        this.endpoint,
        this.token,
        this.accountId,
        this.memberNames,
        this.returnUrl,
        this.claimPrefix,
      ] as const,
    onComplete: (view) => {
      this.#awaitPayment(view);
      this.#follow(view);
      if (view)
        this.#tell('loaded', { product: view.product, accountId: view.api.reader.accountId });
    },
    onError: (error) => {
      const unauthorized = error instanceof ApiError && error.code === 'UNAUTHENTICATED';
      this.#tell(unauthorized ? 'unauthorized' : 'error', { error });
    },
  });

  /** Of the checkout that the reader comes back from. */
  #outcome: Outcome | null = null;
  #followed: string | null = null;
  #stop: () => void = () => {};
  #waiting: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.endpoint = '/graphql';
    this.token = '';
    this.accountId = null;
    this.memberNames = {};
    this.sections = SECTIONS.join(' ');
    this.returnUrl = '';
    this.claimPrefix = '';
    this.theme = null;
    this.addEventListener('pgcredits-changed', () => this.refresh());
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#outcome ??= takeOutcome();
    this.#follow(this.#view.value ?? null);
    document.addEventListener('visibilitychange', this.#lookAgain);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#waiting);
    this.#unfollow();
    document.removeEventListener('visibilitychange', this.#lookAgain);
  }

  protected override updated(changed: PropertyValues<this>): void {
    // A canvas has no styles of its own.
    if (changed.has('theme')) this.renderRoot.querySelector('pgcredits-chart')?.requestUpdate();
  }

  /** Asks for everything anew. */
  async refresh(): Promise<void> {
    await this.#view.run().catch(() => {});
  }

  /** Asks for everything anew when something changes the balance, as long as the element is there. */
  #follow(view: View | null): void {
    if (!view || !this.isConnected) {
      this.#unfollow();
      return;
    }
    const { endpoint, token, reader } = view.api;
    const what = [endpoint, token, reader.accountId].join(' ');
    if (this.#followed === what) return;
    this.#unfollow();
    this.#followed = what;
    const known = () => this.#view.value?.balances ?? [];
    this.#stop = watchBalances(view.api, known, () => this.refresh());
  }

  #unfollow(): void {
    this.#stop();
    this.#stop = () => {};
    this.#followed = null;
  }

  /** A provider may report a payment a moment after the buyer is back. */
  #awaitPayment(view: View | null): void {
    clearTimeout(this.#waiting);
    const pending = view?.account.purchases.nodes.some(({ status }) => status === 'pending');
    if (this.#outcome === 'paid' && pending) {
      this.#waiting = setTimeout(() => this.refresh(), CONFIRMATION);
    }
  }

  readonly #lookAgain = (): void => {
    if (document.visibilityState === 'visible') this.refresh();
  };

  #tell(what: string, detail: object): void {
    this.dispatchEvent(
      new CustomEvent(`pgcredits-${what}`, { detail, bubbles: true, composed: true }),
    );
  }

  protected override render(): TemplateResult {
    return html`<div class="page">${this.#view.render({
      pending: () => this.#content(this.#view.value, true),
      complete: (view) => this.#content(view, false),
      error: (error) => html`
        <article class="card">
          <p class="callout error" role="alert">${explain(error)}</p>
          <button type="button" class="secondary" @click=${() => this.refresh()}>Try again</button>
        </article>`,
    })}</div>`;
  }

  #content(view: View | null | undefined, busy: boolean): TemplateResult {
    if (!view) {
      return busy && this.token
        ? html`<article class="card" aria-busy="true">Loading usage…</article>`
        : html`<article class="card"><p class="empty-state">Open this page from your application, so that it knows whose usage to show.</p></article>`;
    }
    const wanted = this.sections.split(/\s+/).filter((name) => SECTIONS.includes(name));
    return html`
      ${this.#notice(view)}
      ${wanted.map((name) => part(name, view))}
    `;
  }

  #notice(view: View): TemplateResult | typeof nothing {
    const purchases = view.account.purchases.nodes;
    const setting = view.account.topUpSetting;
    const said = (purchase: Purchase) => amount(purchase.amount, view.unit(purchase.unit));
    const bought = purchases.find(({ kind }) => kind === 'pack');
    if (this.#outcome === 'left' && bought?.status === 'failed') {
      return html`<p class="callout error" role="status">The payment was declined. Nothing was charged.</p>`;
    }
    if (this.#outcome === 'left') {
      return html`<p class="callout" role="status">You left the checkout. Nothing was charged.</p>`;
    }
    if (this.#outcome === 'paid' && bought?.status === 'settled') {
      return html`<p class="callout ok" role="status">Thank you. ${said(bought)} were added to your balance.</p>`;
    }
    if (this.#outcome === 'paid' && bought?.status === 'pending') {
      return html`<p class="callout" role="status" aria-busy="true">Your payment is being confirmed. ${said(bought)} will be here as soon as it is.</p>`;
    }
    if (setting?.suspendedReason) {
      return html`<p class="callout error" role="status">Automatic top-ups were turned off: the card was declined. ${
        view.admin ? 'Configure them to turn them on again.' : view.askAnAdmin
      }</p>`;
    }
    const topUp = purchases.find(({ kind, status }) => kind === 'top_up' && status === 'pending');
    if (topUp) {
      return html`<p class="callout" role="status">A top-up of ${said(topUp)} is on its way.</p>`;
    }
    const gated = [...view.operations.values()].filter(({ gates }) =>
      gates.nodes.some(({ requires }) => requires === 'top_ups'),
    );
    if (gated.length > 0 && !setting?.enabled) {
      return html`<p class="callout">Some features need automatic top-ups: ${gated
        .map(({ name }) => name)
        .join(', ')}. ${view.admin ? 'Enable them to use these.' : view.askAnAdmin}</p>`;
    }
    return nothing;
  }
}

function part(name: string, view: View): TemplateResult {
  switch (name) {
    case 'balance':
      return html`<pgcredits-balance .view=${view}></pgcredits-balance>`;
    case 'chart':
      return html`<pgcredits-chart .view=${view}></pgcredits-chart>`;
    case 'activity':
      return html`<pgcredits-activity .view=${view}></pgcredits-activity>`;
    case 'calculator':
      return html`<pgcredits-calculator .view=${view}></pgcredits-calculator>`;
    default:
      return html`<pgcredits-rate-card .view=${view}></pgcredits-rate-card>`;
  }
}

define('pgcredits-usage', PgcreditsUsage);

declare global {
  interface HTMLElementTagNameMap {
    'pgcredits-chart': UsageChart;
    'pgcredits-usage': PgcreditsUsage;
  }
  interface HTMLElementEventMap {
    'pgcredits-loaded': CustomEvent<{ product: string; accountId: string }>;
  }
}
