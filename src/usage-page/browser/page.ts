/** The page: hands the element the token that came in the address, and keeps it for this tab alone. */
import type { PgcreditsUsage } from './pgcredits-usage.ts';

const KEPT = 'pgcredits-token';

const element = document.querySelector('pgcredits-usage') as PgcreditsUsage;

/** The token of the address is taken out of it: neither the history nor a payment provider gets to see it. */
function takeToken(): void {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given) {
    sessionStorage.setItem(KEPT, given);
    history.replaceState(null, '', location.pathname + location.search);
  }
  element.token = sessionStorage.getItem(KEPT) ?? '';
}

element.addEventListener('pgcredits-loaded', ({ detail }) => {
  document.title = `Usage · ${detail.product}`;
  (document.querySelector('h1 + p') as HTMLElement).textContent = detail.product;
});
window.addEventListener('hashchange', takeToken);
takeToken();
