/**
 * Live balances: a subscription that sends the balances of an account at once, and again whenever something changed them.
 *
 *   subscribe ──> LISTEN ──> watch_balances, as the caller ──> balances ──> (a change commits) NOTIFY ──> balances ──> …
 *
 * One connection listens for all who watch. Whether a caller may see the account is asked with every answer.
 */
import type { Pool, PoolClient } from 'pg';
import { TYPES } from 'postgraphile/@dataplan/pg';
import { context, listen, SafeError } from 'postgraphile/grafast';
import { extendSchema, gql } from 'postgraphile/utils';
import { createWithPgClient } from './graphql-adaptor.ts';
import type { Caller } from './graphql-tokens.ts';
import { settingsOf } from './graphql-tokens.ts';

const CHANNEL = 'credits_balances';

/** A subscription ends after an hour, or with its token, and the client subscribes again: watch_balances lasts longer. */
const LONGEST = 60 * 60 * 1000;

/** Subscriptions to one account in one server. */
const MOST_PER_ACCOUNT = 100;

declare global {
  namespace Grafast {
    interface Context {
      /** Subscribes the caller of this request to changes of an account. */
      balanceChanges?: { subscribe(accountId: string): Promise<AsyncIterableIterator<string>> };
    }
  }
}

/** Who watches which account in this server, and the connection that listens for them, while there is any. */
export class BalanceWatches {
  readonly #pool: Pool;
  readonly #withPgClient: ReturnType<typeof createWithPgClient>;
  readonly #log: (line: string) => void;
  readonly #watches = new Map<string, Set<Watch>>();
  #listening: Promise<PoolClient> | null = null;
  /** How many are about to watch. */
  #coming = 0;
  #closed = false;

  constructor(pool: Pool, log: (line: string) => void) {
    this.#pool = pool;
    this.#withPgClient = createWithPgClient({ pool });
    this.#log = log;
  }

  /** Watches as a caller. Throws the contract's errors. */
  async watch(caller: Caller | null, accountId: string): Promise<Watch> {
    this.#coming++;
    try {
      const listening = this.#listen();
      await listening;
      await this.#withPgClient(settingsOf(caller), (client) =>
        client.query({ text: 'select credits.watch_balances($1)', values: [accountId] }),
      );
      if (this.#listening !== listening || this.#closed) {
        throw new SafeError('Changes cannot be told at the moment.', {
          code: 'UNAVAILABLE',
          hint: 'Subscribe again in a few seconds.',
        });
      }
      return this.#add(accountId, (caller?.expires ?? 0) - Date.now());
    } finally {
      this.#coming--;
      this.#rest();
    }
  }

  /** Ends all subscriptions, as if each were over, and takes no other. */
  close(): void {
    this.#closed = true;
    this.#endAll();
  }

  #add(accountId: string, left: number): Watch {
    const watches = this.#watches.get(accountId) ?? new Set();
    if (watches.size >= MOST_PER_ACCOUNT) {
      throw new SafeError('the request asks for too much', {
        code: 'LIMIT',
        detail: { limit: 'subscriptions', at_most: MOST_PER_ACCOUNT },
        hint: 'End subscriptions that nobody looks at.',
      });
    }
    const watch = new Watch(accountId, Math.min(LONGEST, left), () => {
      watches.delete(watch);
      if (watches.size === 0) this.#watches.delete(accountId);
      this.#rest();
    });
    this.#watches.set(accountId, watches.add(watch));
    return watch;
  }

  #endAll(): void {
    for (const watches of [...this.#watches.values()]) {
      for (const watch of [...watches]) watch.end();
    }
  }

  /** Listens no more when nobody is there. */
  #rest(): void {
    if (this.#watches.size === 0 && this.#coming === 0) this.#hangUp();
  }

  #hangUp(): void {
    const listening = this.#listening;
    this.#listening = null;
    // Closed rather than given back: a connection that listens would go on doing so.
    listening?.then(
      (client) => client.release(true),
      () => {},
    );
  }

  #listen(): Promise<PoolClient> {
    this.#listening ??= this.#connect();
    return this.#listening;
  }

  async #connect(): Promise<PoolClient> {
    const client = await this.#pool.connect();
    client.on('notification', ({ payload = '' }) => {
      for (const watch of this.#watches.get(payload) ?? []) watch.tell();
    });
    // What was told meanwhile is lost. Who subscribes again gets the present balances.
    client.on('error', (error) => {
      this.#log(`The connection that listens for changes broke: ${error.message}`);
      this.#hangUp();
      this.#endAll();
    });
    try {
      await client.query(`listen ${CHANNEL}`);
    } catch (error) {
      client.release(true);
      throw error;
    }
    return client;
  }
}

/** One subscription: says "now", then each time that the account may have changed; several changes at once are one. */
class Watch implements AsyncIterableIterator<string> {
  readonly accountId: string;
  readonly #forget: () => void;
  readonly #timer: NodeJS.Timeout;
  #changed = true;
  #over = false;
  #wake = () => {};

  constructor(accountId: string, lasting: number, forget: () => void) {
    this.accountId = accountId;
    this.#forget = forget;
    this.#timer = setTimeout(() => this.end(), lasting);
  }

  tell(): void {
    this.#changed = true;
    this.#wake();
  }

  end(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#forget();
    this.#wake();
  }

  async next(): Promise<IteratorResult<string>> {
    while (!this.#changed && !this.#over) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#over) return { done: true, value: undefined };
    this.#changed = false;
    return { done: false, value: this.accountId };
  }

  async return(): Promise<IteratorResult<string>> {
    this.end();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}

export const LivePlugin: GraphileConfig.Plugin = extendSchema((build) => {
  const { balances } = build.pgResources;
  return {
    typeDefs: gql`
      extend type Subscription {
        """
        The balances of an account, at once and again whenever something changed them: a spend, a hold, a purchase, a refill.
        Ends with the token, after an hour at the latest; subscribe again then. PC403 another account; PC404 unknown account.
        """
        balances(
          """The account: the application's own id of a team or user."""
          accountId: String!
        ): [Balance]
      }
    `,
    objects: {
      Subscription: {
        plans: {
          balances: {
            subscribePlan: (_$root, { $accountId }) =>
              listen(context().get('balanceChanges') as never, $accountId as never),
            plan: ($accountId) =>
              balances.execute([{ step: $accountId as never, pgCodec: TYPES.text }]),
          },
        },
      },
    },
  };
}, 'PgcreditsLivePlugin');
