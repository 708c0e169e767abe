import { Task } from '@lit/task';
import { html, nothing, type TemplateResult } from 'lit';
import { breakdown } from './breakdown.ts';
import { change, time, unitName } from './format.ts';
import { ACTIVITY, type ActivityPage, type Entry } from './operations.ts';
import { daysAgo, periods } from './periods.ts';
import { define, explain, Section } from './section.ts';

const PAGE = 10;

const KINDS: Record<string, string> = {
  usage: 'Usage',
  refill: 'Plan refill',
  purchase: 'Purchase',
  top_up: 'Automatic top-up',
  grant: 'Credit given',
  refund: 'Refund',
  expiry: 'Expired',
  revocation: 'Taken back',
};

/** The log: every change of the balance, newest first. */
class Activity extends Section {
  static override properties = {
    ...Section.properties,
    days: { state: true },
    kind: { state: true },
    member: { state: true },
    cursors: { state: true },
  };
  declare days: number;
  declare kind: string;
  declare member: string;
  /** Where each page so far begins, the first aside. */
  declare cursors: string[];

  readonly #page = new Task(this, {
    task: async ([view, days, kind, member, cursors], { signal }) => {
      const { activity } = await view.api.ask<{ activity: ActivityPage }>(
        ACTIVITY,
        {
          accountId: view.api.reader.accountId,
          since: daysAgo(days).toISOString(),
          kinds: kind ? [kind] : null,
          memberId: member || null,
          first: PAGE,
          after: cursors.at(-1) ?? null,
        },
        signal,
      );
      return activity;
    },
    args: () => [this.view, this.days, this.kind, this.member, this.cursors] as const,
  });

  constructor() {
    super();
    this.days = 7;
    this.kind = '';
    this.member = '';
    this.cursors = [];
  }

  protected override render(): TemplateResult {
    const page = this.#page.value;
    return html`
      <section class="card activity" aria-labelledby="activity-heading">
        <header>
          <h2 id="activity-heading">Activity</h2>
          <div class="filters">
            ${periods('activity-days', 'Show activity of', [1, 7, 30], this.days, (days) => this.#filter({ days }))}
            <label><span class="visually-hidden">Type</span>
              <select name="kind" @change=${(event: Event) => this.#filter({ kind: (event.target as HTMLSelectElement).value })}>
                <option value="">All types</option>
                ${Object.entries(KINDS).map(([kind, name]) => html`<option value=${kind}>${name}</option>`)}
              </select>
            </label>
            ${this.#members()}
          </div>
        </header>
        ${this.#page.render({
          pending: () =>
            page ? this.#table(page, true) : html`<p class="note" aria-busy="true">Loading…</p>`,
          complete: (loaded) => this.#table(loaded, false),
          error: (error) => html`<p class="callout error" role="alert">${explain(error)}</p>`,
        })}
      </section>
    `;
  }

  #members(): TemplateResult | typeof nothing {
    const members = this.view.account.members.nodes;
    if (members.length < 2) return nothing;
    return html`
      <label><span class="visually-hidden">Member</span>
        <select name="member" @change=${(event: Event) => this.#filter({ member: (event.target as HTMLSelectElement).value })}>
          <option value="">All members</option>
          ${members.map(({ memberId }) => html`<option value=${memberId}>${this.view.memberName(memberId)}</option>`)}
        </select>
      </label>
    `;
  }

  #filter(filter: Partial<Pick<Activity, 'days' | 'kind' | 'member'>>): void {
    Object.assign(this, filter, { cursors: [] });
  }

  #table({ nodes, pageInfo }: ActivityPage, busy: boolean): TemplateResult {
    const number = this.cursors.length + 1;
    const only = number === 1 && !pageInfo.hasNextPage;
    const filtered = this.kind !== '' || this.member !== '';
    return html`
      <div class=${busy ? 'stale' : ''}>
        ${
          nodes.length === 0
            ? html`<p class="empty-state">${filtered ? 'Nothing matches these filters.' : `Nothing happened in the last ${this.days === 1 ? 'day' : `${this.days} days`}.`}</p>`
            : html`
              <table class="log">
                <thead>
                  <tr><th scope="col">Date</th><th scope="col">Event</th><th scope="col">Member</th><th scope="col" class="figure">Amount</th></tr>
                </thead>
                <tbody>${nodes.map((entry) => this.#row(entry))}</tbody>
              </table>`
        }
        <nav class="pages" aria-label="Pages of activity">
          <p role="status">${only ? count(nodes.length) : `Page ${number}${pageInfo.hasNextPage ? '' : ', the last'}`}</p>
          <div ?hidden=${only}>
            <button type="button" class="secondary outline" aria-disabled=${this.cursors.length === 0} @click=${() => this.#turn(-1, null)}>Newer</button>
            <button type="button" class="secondary outline" aria-disabled=${!pageInfo.hasNextPage} @click=${() => this.#turn(1, pageInfo.hasNextPage ? pageInfo.endCursor : null)}>Older</button>
          </div>
        </nav>
      </div>
    `;
  }

  #turn(by: 1 | -1, cursor: string | null): void {
    if (by === -1) this.cursors = this.cursors.slice(0, -1);
    else if (cursor !== null) this.cursors = [...this.cursors, cursor];
  }

  #row(entry: Entry): TemplateResult {
    const unit = this.view.unit(entry.unit);
    const name =
      entry.kind === 'usage' ? this.view.operationName(entry.operation) : KINDS[entry.kind];
    const lines = entry.breakdown ?? [];
    return html`
      <tr>
        <td class="when"><time datetime=${entry.occurredAt}>${time(entry.occurredAt)}</time></td>
        <td class="event">
          ${
            lines.length === 0
              ? name
              : html`<details><summary>${name}</summary>${breakdown(this.view, [{ unit: entry.unit, lines }])}</details>`
          }
        </td>
        <td class="who">${entry.memberId === null ? nothing : this.view.memberName(entry.memberId)}</td>
        <td class="figure ${Number(entry.amount) > 0 ? 'gain' : ''}">${change(entry.amount)} <span class="unit-name">${unitName(entry.amount, unit.name)}</span></td>
      </tr>
    `;
  }
}

function count(entries: number): string {
  return entries === 0 ? '' : `${entries} ${entries === 1 ? 'entry' : 'entries'}`;
}

define('pgcredits-activity', Activity);
