import fc from 'fast-check';
import { afterAll, beforeAll, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../support/database.ts';
import { fromAmount } from '../../support/model.ts';
import { runs } from '../../support/runs.ts';
import { DAY, type Instant } from '../../support/time.ts';
import * as random from './arbitraries.ts';
import { catalogWith, loadWholeCatalog } from './catalog.ts';
import type { Capture, Hold } from './model.ts';
import { SideBySide } from './side-by-side.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase({ catalogs: false });
  const plans = random.PLANS.map((plan) => ({
    plan,
    cadence: 'month' as const,
    paid: random.isPaid(plan),
  }));
  await loadWholeCatalog(database.pool, catalogWith({ plans, allowances: [] }));
});
afterAll(() => database.close());

const gift = { bucket: 'additional' as const, expiresAt: null, priority: 100, key: null };

/** Does one step on both sides; what it picks is looked up as it stands by then, the latest first. */
async function perform(both: SideBySide, step: random.Step, done: random.Step[]): Promise<void> {
  const { model } = both;
  const resolve = (moment: random.Moment, who: string): Instant => {
    if (moment.from === 'now') return model.now + moment.by;
    const upcoming = model.upcoming(who);
    return (upcoming[moment.index % Math.max(upcoming.length, 1)] ?? model.now) + moment.by;
  };
  const latest = <Row>(rows: Row[] | undefined, pick: number): Row | undefined =>
    rows?.at(-1 - (pick % Math.max(rows.length, 1)));

  switch (step.do) {
    case 'wait': {
      const until = resolve(step.until, step.who);
      if (until > model.now) await both.setNow(until);
      await both.compareAll(step.who);
      return;
    }
    case 'setBack':
      return both.setNow(model.now - step.by);
    case 'settle':
      return both.settleDue();
    case 'open':
    case 'subscribe': {
      const anchor = step.anchor === null ? null : model.now + step.anchor;
      if (step.do === 'subscribe') return both.subscribe(step.who, step.plan, anchor);
      return both.openAccount(step.who, step.plan, anchor);
    }
    case 'cancel':
      return both.cancelSubscription(step.who, step.immediately);
    case 'spend':
      return both.spend(step.who, step.items, step, step.asJob);
    case 'spendMany':
      return both.spendMany(step.requests);
    case 'authorize':
      return both.authorize(step.who, step.items, step);
    case 'capture': {
      const hold = latest(model.accounts.get(step.who)?.holds, step.pick);
      if (!hold && step.pick > 0) return;
      return both.capture(step.who, hold?.holdId ?? 1, captureOf(step.what, hold));
    }
    case 'release': {
      const hold = latest(model.accounts.get(step.who)?.holds, step.pick);
      if (!hold && step.pick > 0) return;
      return both.release(step.who, hold?.holdId ?? 1);
    }
    case 'grant': {
      const expiresAt = step.expires === null ? null : resolve(step.expires, step.who);
      return both.grant(step.who, { ...step, expiresAt });
    }
    case 'claim':
      return both.claim(step.who, step.promotion, step.claimant);
    case 'refund': {
      const entries = model.accounts.get(step.who)?.entries;
      const charges = entries?.filter((entry) => entry.kind === 'usage');
      const entry = latest(charges, step.pick) ?? latest(entries, step.pick);
      if (!entry && step.pick > 0) return;
      return both.refund(step.who, entry?.seq ?? 1, step);
    }
    case 'revoke': {
      const lot = latest(model.accounts.get(step.who)?.lots, step.pick);
      return both.revoke(step.who, lot?.lotId ?? 1, step.amount);
    }
    case 'buy':
      return both.buy(step.who, step.pack, step.member, step.key);
    case 'settlePurchase':
    case 'failPurchase':
    case 'reversePurchase':
    case 'reinstatePurchase': {
      const purchase = latest(model.accounts.get(step.who)?.purchases, step.pick);
      if (!purchase && step.pick > 0) return;
      const id = purchase?.purchaseId ?? 1;
      if (step.do === 'failPurchase') return both.failPurchase(step.who, id);
      if (step.do === 'reversePurchase') return both.reversePurchase(step.who, id, step.amount);
      if (step.do === 'reinstatePurchase') return both.reinstatePurchase(step.who, id, step.amount);
      return both.settlePurchase(
        step.who,
        id,
        step.reference === 'own' ? `own${id}` : step.reference,
      );
    }
    case 'chargeback': {
      const { who, item, hold, amount } = step;
      const options = { key: null, member: null, maxAmount: null };
      await both.buy(who, 'small', null, null);
      const id = model.accounts.get(who)?.purchases.at(-1)?.purchaseId ?? 1;
      await both.settlePurchase(who, id, `own${id}`);
      if (hold) await both.authorize(who, [item], { ...options, expiresIn: 3n * DAY });
      else await both.spend(who, [item], options, false);
      return both.reversePurchase(who, id, amount);
    }
    case 'configureTopUp':
      return both.configureTopUp(step.who, step);
    case 'configureAdditional':
      return both.configureAdditional(step.who, step.enabled, step.limit, step.member);
    case 'addMember':
      return both.addMember(step.who, step.memberId, step.role, step.cap, step.acting);
    case 'removeMember':
      return both.removeMember(step.who, step.memberId, step.acting);
    case 'recordMeter':
      return both.recordMeter(step.who, step.operation, step.level);
    case 'repeat': {
      const again = latest(
        done.filter((one) => 'key' in one || one.do === 'spendMany'),
        step.back,
      );
      return again && perform(both, again, done);
    }
    case 'quote':
      return both.quote(step.who, step.items);
    case 'forecast': {
      const at = resolve(step.at, step.who);
      const account = model.accounts.get(step.who);
      if (account && at <= model.timeOf(account)) return;
      return both.balances(step.who, at);
    }
    case 'lookBack':
      return both.comparePast(step.who, 5);
  }
}

/** A capture of so many quarters of what is held, in whole cents or minutes. */
function captureOf(what: random.CaptureOf, hold: Hold | undefined): Capture {
  if (what.of === 'usage') return { of: 'usage', usage: { frames: what.frames } };
  if (what.of !== 'quarters') return what;
  const [line] = hold?.lines ?? [];
  const step = line?.unit === 'minute' ? 1_000_000n : 10_000n;
  const steps = ((line?.amount ?? 0n) * BigInt(what.quarters)) / 4n / step;
  return { of: 'amount', amount: fromAmount(steps * step) };
}

test('whatever happens, the database says what the model says', async () => {
  await fc.assert(
    fc.asyncProperty(random.story, async ({ now, chosen, opened, steps }) => {
      await SideBySide.run(database, catalogWith(chosen), now, async (both) => {
        const anchor = opened.anchor === null ? null : now + opened.anchor;
        await both.openAccount('alice', opened.plan, anchor);
        await both.openAccount('bob', null, null);
        await both.grant('alice', { ...gift, unit: 'credit', amount: opened.credits });
        await both.grant('bob', { ...gift, unit: 'minute', amount: '25' });
        const done: random.Step[] = [];
        for (const step of steps) {
          await perform(both, step, done);
          done.push(step);
        }
      });
    }),
    { numRuns: runs(120) },
  );
}, 600_000);
