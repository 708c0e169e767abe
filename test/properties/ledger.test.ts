import fc from 'fast-check';
import { afterAll, beforeAll, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { runs } from '../support/runs.ts';
import type { Instant } from '../support/time.ts';
import * as random from './arbitraries.ts';
import { SideBySide } from './side-by-side.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase({ catalogs: false });
  for (const { bucket, drawOrder, countsAs } of random.MORE_BUCKETS.slice(2)) {
    await database.query('insert into credits.buckets values ($1, $2, $3, $1)', [
      bucket,
      drawOrder,
      countsAs,
    ]);
  }
});
afterAll(() => database.close());

/** Does one operation on both sides; moments and plans are looked up as they stand by then. */
async function perform(
  both: SideBySide,
  operation: random.Operation,
  done: random.Operation[],
): Promise<void> {
  const { model } = both;
  const plan = (index: number) => model.catalog.plans?.[index].plan ?? '';
  const resolve = (moment: random.Moment, who: string): Instant => {
    if (moment.from === 'now') return model.now + moment.by;
    const upcoming = model.accounts.has(who) ? model.upcoming(who) : [];
    return (upcoming[moment.index % Math.max(upcoming.length, 1)] ?? model.now) + moment.by;
  };
  switch (operation.do) {
    case 'wait': {
      const until = resolve(operation.until, operation.who);
      if (until > model.now) await both.setNow(until);
      await both.compareAll(operation.who);
      break;
    }
    case 'set the clock back':
      await both.setNow(model.now - operation.by);
      break;
    case 'settle':
      await both.settleDue();
      for (const who of model.accounts.keys()) await both.compareAll(who);
      break;
    case 'open':
    case 'subscribe': {
      const { who, anchor } = operation;
      const from = anchor === null ? null : model.now + anchor;
      if (operation.do === 'open') {
        await both.openAccount(who, operation.plan === null ? null : plan(operation.plan), from);
      } else if (model.accounts.get(who)?.plan == null) {
        await both.subscribe(who, plan(operation.plan ?? 0), from);
      }
      break;
    }
    case 'grant': {
      const { who, expires, paid, ...grant } = operation;
      const expiresAt =
        expires === 'past'
          ? model.now
          : expires === null || expires === 'infinity'
            ? expires
            : resolve(expires, who);
      await both.grant(who, { ...grant, expiresAt, paid: paid && grant.key === null });
      break;
    }
    case 'claim':
      await both.claim(operation.who, operation.promotion, operation.claimant);
      break;
    case 'spend':
      await both.spend(operation.who, operation.items, operation);
      break;
    case 'repeat': {
      const earlier = done.filter(
        (one) => (one.do === 'spend' || one.do === 'grant') && one.key !== null,
      );
      const again = earlier.at(-1 - (operation.back % Math.max(earlier.length, 1)));
      if (again) await perform(both, changed(again, operation.changed), done);
      break;
    }
    case 'quote':
      await both.quote(operation.who, operation.items);
      break;
    case 'forecast': {
      const at = resolve(operation.at, operation.who);
      const opened = model.accounts.has(operation.who);
      const present = opened ? model.present(operation.who) : model.now;
      if (at > present) await both.balances(operation.who, at);
      break;
    }
  }
}

/** A request like an earlier one, in all or in all but one thing. */
function changed(
  request: random.Operation,
  what: 'nothing' | 'form' | 'member' | 'amount',
): random.Operation {
  if (request.do === 'spend' && what === 'form') return { ...request, asJob: !request.asJob };
  if (request.do === 'spend' && what === 'member') return { ...request, member: 'm3' };
  if (request.do === 'spend' && what === 'amount') {
    return { ...request, items: [...request.items, { operation: 'edit', usage: {} }] };
  }
  if (request.do === 'grant' && what === 'amount') return { ...request, amount: '77' };
  return request;
}

const story = random.start.chain((now) =>
  fc.record({
    now: fc.constant(now),
    plans: random.plans,
    timeZone: random.timeZone,
    anchor: random.anchorNear(now),
    operations: fc.noBias(fc.array(random.operation, { maxLength: 80, size: 'max' })),
  }),
);

test('whatever happens to two accounts, the database says what the model says', async () => {
  await fc.assert(
    fc.asyncProperty(story, async ({ operations, anchor, plans, ...setting }) => {
      const catalog = random.catalogWith(plans, SideBySide.freshName());
      const buckets = random.MORE_BUCKETS;
      await SideBySide.run(database, { ...setting, catalog, buckets }, async (both) => {
        await both.openAccount('alice', catalog.plans?.[0].plan ?? '', anchor);
        await both.openAccount('bob', null, null);
        const done: random.Operation[] = [];
        for (const operation of operations) {
          await perform(both, operation, done);
          done.push(operation);
        }
      });
    }),
    { numRuns: runs(35) },
  );
}, 300_000);
