import { createClient } from 'graphql-ws';
import type { Api } from './api.ts';
import { type Balance, LIVE_BALANCES } from './operations.ts';

/**
 * Calls `changed` whenever the account's balances are no longer those that `known` returns. Returns how to stop. Where there
 * is no web socket to the API, it stays silent: the page looks again when its reader does.
 */
export function watchBalances(api: Api, known: () => Balance[], changed: () => void): () => void {
  const url = new URL(api.endpoint, location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  const client = createClient({
    url: url.href,
    connectionParams: { authorization: `Bearer ${api.token}` },
    shouldRetry: () => true,
  });
  let stopped = false;
  const subscribe = () =>
    client.subscribe<{ balances: Balance[] }>(
      { query: LIVE_BALANCES, variables: { accountId: api.reader.accountId } },
      {
        next({ data }) {
          if (data && JSON.stringify(data.balances) !== JSON.stringify(known())) changed();
        },
        error() {},
        // It ends now and then, and with the token.
        complete() {
          if (!stopped && Date.now() < api.expires) subscribe();
        },
      },
    );
  subscribe();
  return () => {
    stopped = true;
    client.dispose();
  };
}
