import { setTimeout as sleep } from 'node:timers/promises';
import type { CreditsDatabase } from './calls.ts';
import { type Calls, createCredits } from './client.ts';
import { creditsError } from './errors.ts';

type Arguments<Name extends keyof Calls> = NonNullable<Parameters<Calls[Name]>[0]>;
type Rows<Name extends keyof Calls> = Awaited<ReturnType<Calls[Name]>>;

/** What is held: the arguments of `authorize`, or of `authorizeItems` for several operations together. */
export type HoldRequest = Arguments<'authorize'> | Arguments<'authorizeItems'>;

/** What a job came to: a usage, an amount, or the items of a job of several operations. */
export type Cost =
  | Omit<Arguments<'capture'>, 'accountId' | 'holdId'>
  | Pick<Arguments<'captureItems'>, 'items'>;

/** A hold while the work that it is for is under way. */
export interface Hold {
  readonly holdId: string;
  /** A row a unit, as `authorize` returned them. */
  readonly held: Rows<'authorize'>;
  /**
   * Charges what the job came to, at the hold's prices, and returns the entries; without a cost, all that is held. The rest
   * goes back. Given a transaction of the application, it commits with what else is in there, such as the job's result. If that
   * is rolled back, nothing is charged: throw then, so that the hold is released. Work that returns all the same leaves it open
   * until it ends by itself, as nobody here can tell a transaction that was rolled back from one that commits later.
   * Rejects as `capture` does: with an InsufficientCreditsError where the job came to more than is held and available; the
   * hold stands then, and `capture()` charges what was held.
   */
  capture(cost?: Cost, transaction?: CreditsDatabase): Promise<Rows<'capture'>>;
}

export type WithHold = <Result>(
  request: HoldRequest,
  work: (hold: Hold) => Promise<Result> | Result,
) => Promise<Result>;

/** How long a failure waits for the release of its hold where a transaction may keep that from happening. */
const RELEASE_WAIT_MS = 1_000;

/** Makes `withHold`, which `Credits` describes. */
export function createWithHold(credits: Calls): WithHold {
  /** Releases under way, which a run again must not overtake: it would work under a hold that is about to end. */
  const releases = new Map<string, Promise<void>>();

  const release = async (accountId: string, holdId: string) => {
    try {
      await credits.release({ accountId, holdId });
    } catch {
      // What went wrong first is what counts: a hold that was captured stays so, and any other ends by itself at the latest.
    }
  };

  return async (request, work) => {
    const job = JSON.stringify([request.accountId, request.idempotencyKey]);
    if (request.idempotencyKey) await releases.get(job);
    const held = await authorize(credits, request);
    const [{ accountId, holdId }] = held;
    let captured = false;
    let inTransaction = false;
    const hold: Hold = {
      holdId,
      held,
      async capture(cost = {}, transaction) {
        inTransaction ||= transaction !== undefined;
        const on = transaction ? createCredits(transaction) : credits;
        const entries =
          'items' in cost
            ? await on.captureItems({ accountId, holdId, ...cost })
            : await on.capture({ accountId, holdId, ...cost });
        captured = true;
        return entries;
      },
    };
    try {
      const result = await work(hold);
      if (!captured) await hold.capture();
      return result;
    } catch (error) {
      const released = release(accountId, holdId).finally(() => {
        if (releases.get(job) === released) releases.delete(job);
      });
      releases.set(job, released);
      // A transaction that captured it may still be open, and its owner waiting for us.
      const limit = inTransaction ? [sleep(RELEASE_WAIT_MS, undefined, { ref: false })] : [];
      await Promise.race([released, ...limit]);
      throw error;
    }
  };
}

/** The hold to work under: a new one, or the open or expired one that an earlier run with the same key left. */
async function authorize(credits: Calls, request: HoldRequest): Promise<Rows<'authorize'>> {
  for (let run = 1; ; run += 1) {
    const key = request.idempotencyKey;
    const idempotencyKey = key && run > 1 ? `${key} (${run})` : key;
    const held =
      'items' in request
        ? await credits.authorizeItems({ ...request, idempotencyKey })
        : await credits.authorize({ ...request, idempotencyKey });
    const [{ holdId, status }] = held;
    if (status === 'captured') {
      throw creditsError(
        'PC409',
        { reason: 'already_captured', hold_id: Number(holdId) },
        'An earlier run with this key was charged: use what it made, or another key.',
      );
    }
    if (status !== 'released') return held;
  }
}
