import { LitElement } from 'lit';
import { ApiError } from './api.ts';
import { label, measureName } from './format.ts';
import type { View } from './view.ts';

/** A part of the page. It has no shadow of its own: labels and styles reach across the whole element. */
export abstract class Section extends LitElement {
  static override properties = { view: { attribute: false } };
  declare view: View;

  protected override createRenderRoot(): this {
    return this;
  }

  /** Has the page ask for everything anew. */
  protected changed(): void {
    this.dispatchEvent(new CustomEvent('pgcredits-changed', { bubbles: true, composed: true }));
  }
}

/** Makes an element known under a name, unless another copy of this script has. */
export function define(name: string, element: CustomElementConstructor): void {
  if (!customElements.get(name)) customElements.define(name, element);
}

/** What is wrong with a number. */
const REASONS: Record<string, string> = {
  missing: 'enter a number.',
  not_a_number: 'enter a number.',
  not_whole: 'enter a whole number.',
  too_small: 'that is too little.',
  too_large: 'that is too much.',
  too_fine: 'use fewer decimal places.',
  below_amount: 'it must be at least what one top-up adds.',
  out_of_range: 'enter a number that is not negative.',
};

/** What somebody who may not do something would need. */
const REFUSALS: Record<string, string> = {
  account: 'This is the account of another team.',
  admin: 'Only an admin of your team can do this.',
  plan: 'This is not part of your plan.',
  top_ups: 'This needs automatic top-ups.',
};

/** What went wrong, in words for the reader. */
export function explain(error: unknown): string {
  if (!(error instanceof ApiError)) return 'Something went wrong. Please try again.';
  const { code, detail } = error;
  if (code === 'UNAUTHENTICATED') {
    const what = detail.expired ? 'Your access has expired.' : 'This link is not valid.';
    return `${what} Open this page again from your application.`;
  }
  if (code === 'UNREACHABLE') return `${error.message} Check your connection and try again.`;
  if (code === 'PC422') {
    const { field, reason } = detail as { field?: string; reason?: string };
    if (reason === 'no_rate') return 'There is no price for this combination.';
    return `${field ? `${label(measureName(field))}: ` : ''}${REASONS[reason ?? ''] ?? 'that cannot be used.'}`;
  }
  if (code === 'PC403')
    return REFUSALS[String(detail.requires)] ?? 'You are not allowed to do this.';
  if (code === 'PC404') {
    return detail.what === 'account'
      ? 'This account has not been opened yet.'
      : 'That is no longer there. Load the page again.';
  }
  if (code === 'PC409') {
    return detail.reason === 'no_payment_provider'
      ? 'Nothing can be bought here yet: no payment provider is set up.'
      : 'Something changed in the meantime. Load the page again.';
  }
  return 'Something went wrong on the server. Please try again later.';
}
