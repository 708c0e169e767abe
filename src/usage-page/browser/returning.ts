/** What the address says of a checkout that its reader comes back from. */
const PARAMETER = 'pgcredits-checkout';

export type Outcome = 'paid' | 'left';

/** Where a payment provider sends a buyer. A token in the fragment is not for its eyes. */
export function afterCheckout(returnUrl: string, outcome: Outcome): string {
  const url = new URL(returnUrl, location.href);
  url.hash = '';
  url.searchParams.set(PARAMETER, outcome);
  return url.href;
}

/** How the checkout ended that the reader comes back from, or null; said once, and taken out of the address. */
export function takeOutcome(): Outcome | null {
  const url = new URL(location.href);
  const outcome = url.searchParams.get(PARAMETER);
  if (outcome !== 'paid' && outcome !== 'left') return null;
  url.searchParams.delete(PARAMETER);
  history.replaceState(history.state, '', url);
  return outcome;
}
