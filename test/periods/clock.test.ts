import { expect, test } from 'vitest';
import { creditsError } from '../support/database.ts';
import { databaseWithPlans, Timeline } from './timeline.ts';

// A writer reads the clock once and never goes behind the account's last entry.

const OPENED = '2026-01-10T00:00:00Z';
const BOUNDARY = '2026-02-10T00:00:00Z';
const BACK = '2026-02-09T23:00:00Z';

const database = databaseWithPlans({
  none: { cadence: 'month', gives: [{ amount: 100 }] },
});

test('when the clock goes back, time stands still for the account until it has caught up', async () => {
  const timeline = await Timeline.open(database(), 'none', OPENED);
  await timeline.setNow(BOUNDARY);
  await timeline.spend(10);
  await timeline.setNow(BACK);
  expect(await timeline.credits()).toEqual({ included: 90, additional: 0 });
  expect(await timeline.available()).toBe(90);
  await timeline.spend(20);
  await timeline.grant(5);
  await timeline.settle();
  expect(await timeline.credits()).toEqual({ included: 70, additional: 5 });
  await timeline.setNow('2026-02-10T01:00:00Z');
  await timeline.spend(1);
  expect(await timeline.log()).toEqual([
    `${OPENED} refill 100`,
    `${BOUNDARY} expiry -100`,
    `${BOUNDARY} refill 100`,
    `${BOUNDARY} usage -10`,
    `${BOUNDARY} usage -20`,
    `${BOUNDARY} grant 5`,
    '2026-02-10T01:00:00Z usage -1',
  ]);
});

test('an expiry between the clock and the last entry is in the past', async () => {
  const timeline = await Timeline.open(database(), 'none', OPENED);
  await timeline.setNow(BOUNDARY);
  await timeline.spend(10);
  await timeline.setNow(BACK);
  const { code, detail } = await creditsError(timeline.grant(5, { until: '2026-02-09T23:30:00Z' }));
  expect({ code, ...detail }).toMatchObject({
    code: 'PC422',
    field: 'expires_at',
    reason: 'in_the_past',
  });
});

test('it is the account that has a last entry: others go by the clock', async () => {
  const ahead = await Timeline.open(database(), 'none', OPENED);
  await ahead.setNow(BOUNDARY);
  await ahead.spend(10);
  const other = await Timeline.open(database(), 'none', BACK);
  await other.spend(1);
  expect(await other.log()).toEqual([`${BACK} refill 100`, `${BACK} usage -1`]);
});

test.each(['UTC', 'America/Los_Angeles', 'Asia/Kathmandu'])(
  "the connection's own time zone (%s) changes nothing",
  async (timeZone) => {
    const timeline = await Timeline.open(database(), 'none', '2026-03-01T03:00:00Z');
    const client = await database().pool.connect();
    try {
      await client.query(`set timezone = '${timeZone}'`);
      const { rows } = await client.query(
        `select extract(epoch from expires_at)::int as expires, (
         select extract(epoch from next_refill_at)::int from credits.balances($1, '2026-05-31 03:00Z') where unit = 'credit'
       ) as refills
       from credits.claim($1, 'trial', 'ada')`,
        [timeline.accountId],
      );
      expect(rows).toEqual([
        {
          expires: Date.parse('2026-03-15T03:00:00Z') / 1000,
          refills: Date.parse('2026-06-01T03:00:00Z') / 1000,
        },
      ]);
    } finally {
      await client.query('reset timezone');
      client.release();
    }
  },
);
