import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { BUCKETS } from '../support/model.ts';
import { runs } from '../support/runs.ts';
import { DAY, HOUR, type Instant } from '../support/time.ts';
import * as random from './arbitraries.ts';
import { SideBySide } from './side-by-side.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase({ catalogs: false });
});
afterAll(() => database.close());

const amount = fc.integer({ min: 1, max: 9000 }).map((cents) => (cents / 100).toFixed(2));

/** What happens to an account before anybody looks ahead. */
const history = fc.array(
  fc.oneof(
    fc.record({
      do: fc.constant('grant' as const),
      amount,
      bucket: fc.constantFrom('additional', 'included'),
      expires: fc.option(random.moment),
    }),
    fc.record({ do: fc.constant('spend' as const), frames: fc.integer({ min: 1, max: 150 }) }),
    fc.record({ do: fc.constant('wait' as const), by: fc.bigInt(1n, 20n * DAY) }),
  ),
  { maxLength: 8, size: 'max' },
);

const look = fc.record({ at: random.moment, settleFirst: fc.boolean() });

const story = random.start.chain((now) =>
  fc.record({
    now: fc.constant(now),
    plans: random.plans,
    timeZone: random.timeZone,
    anchor: random.anchorNear(now),
    history: fc.noBias(history),
    looks: fc.noBias(fc.array(look, { minLength: 1, maxLength: 6, size: 'max' })),
  }),
);

test('a balance turns out as it was forecast, whether or not anybody settled in between', async () => {
  await fc.assert(
    fc.asyncProperty(story, async ({ plans, anchor, history, looks, ...setting }) => {
      const catalog = random.catalogWith(plans, SideBySide.freshName());
      await SideBySide.run(database, { ...setting, catalog, buckets: BUCKETS }, async (both) => {
        const { model } = both;
        const resolve = (moment: random.Moment): Instant => {
          const upcoming = model.upcoming('alice', 6);
          const due =
            moment.from === 'due' ? upcoming[moment.index % (upcoming.length || 1)] : null;
          const at = (due ?? model.now) + moment.by;
          return at > model.now ? at : model.now + HOUR;
        };

        await both.openAccount('alice', catalog.plans?.[0].plan ?? '', anchor);
        for (const event of history) {
          if (event.do === 'wait') await both.setNow(model.now + event.by);
          else if (event.do === 'spend') {
            await both.spend('alice', [{ operation: 'frames', usage: { frames: event.frames } }]);
          } else {
            const expiresAt = event.expires && resolve(event.expires);
            await both.grant('alice', { amount: event.amount, bucket: event.bucket, expiresAt });
          }
        }

        // Each look ahead is taken now, and again from each of the others that comes before it.
        const ahead = looks
          .map((look) => ({ ...look, at: resolve(look.at) }))
          .sort((a, b) => (a.at < b.at ? -1 : 1));
        const forecasts: string[][] = [];
        for (const { at } of ahead) forecasts.push(await both.balances('alice', at));
        for (const [index, { at, settleFirst }] of ahead.entries()) {
          await both.setNow(at);
          if (settleFirst) await both.settleDue();
          expect(await both.balances('alice')).toEqual(forecasts[index]);
          const last = ahead.length - 1;
          expect(await both.balances('alice', ahead[last].at)).toEqual(forecasts[last]);
        }
      });
    }),
    { numRuns: runs(30) },
  );
}, 300_000);

test('the log of an account that slept reads like the log of one that never did', async () => {
  await fc.assert(
    fc.asyncProperty(story, async ({ plans, anchor, history, looks, ...setting }) => {
      const catalog = random.catalogWith(plans, SideBySide.freshName());
      await SideBySide.run(database, { ...setting, catalog, buckets: BUCKETS }, async (both) => {
        const { model } = both;
        const [plan] = catalog.plans ?? [];
        for (const account of ['asleep', 'awake']) {
          await both.openAccount(account, plan.plan, anchor);
          for (const event of history) {
            if (event.do !== 'grant') continue;
            const { amount, bucket, expires } = event;
            const expiresAt = expires && model.now + expires.by + DAY;
            await both.grant(account, { amount, bucket, expiresAt });
          }
        }
        for (const { at } of looks) {
          const due = at.from === 'due' ? model.upcoming('awake')[at.index] : undefined;
          await both.setNow(due ?? model.now + at.by + HOUR);
          await both.settleOne('awake');
        }
        await both.settleDue();
        const [asleep, awake] = [await both.log('asleep'), await both.log('awake')];
        expect(asleep).toEqual(awake);
      });
    }),
    { numRuns: runs(20) },
  );
}, 300_000);
