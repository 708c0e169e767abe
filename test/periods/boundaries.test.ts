import { expect, test } from 'vitest';
import { instant, iso } from '../support/time.ts';
import { databaseWithPlans, type PlanData, Timeline } from './timeline.ts';

// A period's end is anchor + n periods in the plan's time zone, never the previous end and one more.

const gives = [{ amount: 100 }];
const plan = (row: Omit<PlanData, 'gives'>): PlanData => ({ ...row, gives });

const CASES: [
  rule: string,
  plan: PlanData,
  opened: string,
  anchor: string | null,
  ends: string[],
][] = [
  [
    'monthly from January 31st: the last day of a shorter month, and the 31st again',
    plan({ cadence: 'month' }),
    '2026-01-31T10:00:00Z',
    null,
    [
      '2026-02-28T10:00:00Z',
      '2026-03-31T10:00:00Z',
      '2026-04-30T10:00:00Z',
      '2026-05-31T10:00:00Z',
    ],
  ],
  [
    'monthly from January 31st of a leap year',
    plan({ cadence: 'month' }),
    '2028-01-31T10:00:00Z',
    null,
    ['2028-02-29T10:00:00Z', '2028-03-31T10:00:00Z', '2028-04-30T10:00:00Z'],
  ],
  [
    'monthly from the 30th',
    plan({ cadence: 'month' }),
    '2027-12-30T23:59:59.999999Z',
    null,
    ['2028-01-30T23:59:59.999999Z', '2028-02-29T23:59:59.999999Z', '2028-03-30T23:59:59.999999Z'],
  ],
  [
    'yearly from February 29th',
    plan({ cadence: 'year' }),
    '2028-02-29T12:00:00Z',
    null,
    [
      '2029-02-28T12:00:00Z',
      '2030-02-28T12:00:00Z',
      '2031-02-28T12:00:00Z',
      '2032-02-29T12:00:00Z',
    ],
  ],
  [
    'yearly by the calendar',
    plan({ cadence: 'year', anchored_to: 'calendar' }),
    '2026-06-15T12:00:00Z',
    null,
    ['2027-01-01T00:00:00Z', '2028-01-01T00:00:00Z'],
  ],
  [
    'weekly from a Wednesday noon',
    plan({ cadence: 'week' }),
    '2026-03-11T12:00:00Z',
    null,
    ['2026-03-18T12:00:00Z', '2026-03-25T12:00:00Z'],
  ],
  [
    'weekly by the calendar: Monday 00:00',
    plan({ cadence: 'week', anchored_to: 'calendar' }),
    '2026-03-11T12:00:00Z',
    null,
    ['2026-03-16T00:00:00Z', '2026-03-23T00:00:00Z', '2026-03-30T00:00:00Z'],
  ],
  [
    'weekly by the calendar, opened on a Monday at 00:00',
    plan({ cadence: 'week', anchored_to: 'calendar' }),
    '2026-03-16T00:00:00Z',
    null,
    ['2026-03-23T00:00:00Z'],
  ],
  [
    'monthly by the calendar, where summer time comes and goes',
    plan({ cadence: 'month', anchored_to: 'calendar', time_zone: 'America/New_York' }),
    '2026-02-10T00:00:00Z',
    null,
    ['2026-03-01T05:00:00Z', '2026-04-01T04:00:00Z', '2026-05-01T04:00:00Z'],
  ],
  [
    'monthly by the calendar, 5 hours and 45 minutes ahead',
    plan({ cadence: 'month', anchored_to: 'calendar', time_zone: 'Asia/Kathmandu' }),
    '2026-02-10T00:00:00Z',
    null,
    ['2026-02-28T18:15:00Z', '2026-03-31T18:15:00Z'],
  ],
  [
    'monthly by the calendar, over a change of the date line',
    plan({ cadence: 'month', anchored_to: 'calendar', time_zone: 'Pacific/Apia' }),
    '2011-11-15T00:00:00Z',
    null,
    ['2011-12-01T10:00:00Z', '2011-12-31T10:00:00Z', '2012-01-31T10:00:00Z'],
  ],
  [
    'monthly at a local time of day, in winter and in summer',
    plan({ cadence: 'month', time_zone: 'America/New_York' }),
    '2026-02-08T14:00:00Z',
    null,
    ['2026-03-08T13:00:00Z', '2026-04-08T13:00:00Z'],
  ],
  [
    'daily at 2:30, a time that the clocks skip one night',
    plan({ cadence: 'day', time_zone: 'America/New_York' }),
    '2026-03-06T07:30:00Z',
    null,
    ['2026-03-07T07:30:00Z', '2026-03-08T07:30:00Z', '2026-03-09T06:30:00Z'],
  ],
  [
    'daily at 1:30, a time that the clocks show twice one night: the second one',
    plan({ cadence: 'day', time_zone: 'America/New_York' }),
    '2026-10-30T05:30:00Z',
    null,
    ['2026-10-31T05:30:00Z', '2026-11-01T06:30:00Z', '2026-11-02T06:30:00Z'],
  ],
  [
    'daily by the calendar, over a night without a midnight',
    plan({ cadence: 'day', anchored_to: 'calendar', time_zone: 'Africa/Cairo' }),
    '2026-04-22T12:00:00Z',
    null,
    ['2026-04-22T22:00:00Z', '2026-04-23T22:00:00Z', '2026-04-24T21:00:00Z'],
  ],
  [
    'daily by the calendar, over a day that was left out: no time is in it, so no period is',
    plan({ cadence: 'day', anchored_to: 'calendar', time_zone: 'Pacific/Apia' }),
    '2011-12-28T12:00:00Z',
    null,
    ['2011-12-29T10:00:00Z', '2011-12-30T10:00:00Z', '2011-12-31T10:00:00Z'],
  ],
  [
    'opened in the hour that the clocks show twice, the first time: a month, not an hour',
    plan({ cadence: 'month', time_zone: 'America/New_York' }),
    '2025-11-02T05:30:00Z',
    null,
    ['2025-12-02T06:30:00Z', '2026-01-02T06:30:00Z'],
  ],
  [
    'opened in the hour that the clocks show twice, the second time',
    plan({ cadence: 'month', time_zone: 'America/New_York' }),
    '2025-11-02T06:30:00Z',
    null,
    ['2025-12-02T06:30:00Z'],
  ],
  [
    'an anchor in the past sets the phase',
    plan({ cadence: 'month' }),
    '2026-02-10T00:00:00Z',
    '2020-01-31T08:00:00Z',
    ['2026-02-28T08:00:00Z', '2026-03-31T08:00:00Z', '2026-04-30T08:00:00Z'],
  ],
  [
    'an anchor in the future makes a short first period',
    plan({ cadence: 'month' }),
    '2026-01-20T00:00:00Z',
    '2026-01-31T08:00:00Z',
    ['2026-01-31T08:00:00Z', '2026-02-28T08:00:00Z', '2026-03-31T08:00:00Z'],
  ],
  [
    'an anchor far in the future sets the phase all the same',
    plan({ cadence: 'month' }),
    '2026-01-20T00:00:00Z',
    '2027-08-31T08:00:00Z',
    ['2026-01-31T08:00:00Z', '2026-02-28T08:00:00Z', '2026-03-31T08:00:00Z'],
  ],
  [
    'an anchor at this very instant',
    plan({ cadence: 'day' }),
    '2026-01-20T00:00:00Z',
    '2026-01-20T00:00:00Z',
    ['2026-01-21T00:00:00Z', '2026-01-22T00:00:00Z'],
  ],
  [
    'the calendar heeds no anchor',
    plan({ cadence: 'month', anchored_to: 'calendar' }),
    '2026-01-20T00:00:00Z',
    '2026-01-25T08:00:00Z',
    ['2026-02-01T00:00:00Z', '2026-03-01T00:00:00Z'],
  ],
];

const database = databaseWithPlans(
  Object.fromEntries(CASES.map(([, plan], index) => [`plan ${index}`, plan])),
);

test.each(CASES)('%s', async (rule, _, opened, anchor, ends) => {
  const name = `plan ${CASES.findIndex((one) => one[0] === rule)}`;
  const timeline = await Timeline.open(database(), name, opened, anchor);
  const log = [`${opened} refill 100`];

  // Seen from the day it was opened: each period ends where the next one begins.
  let at = opened;
  for (const end of ends) {
    expect(await timeline.nextRefill(at)).toBe(end);
    expect(await timeline.nextRefill(iso(instant(end) - 1n))).toBe(end);
    at = end;
  }
  // And when the time comes.
  for (const end of ends) {
    await timeline.fallsDue(end, {
      from: { included: 100 },
      to: { included: 100 },
      log: ['expiry -100', 'refill 100'],
    });
    log.push(`${end} expiry -100`, `${end} refill 100`);
  }
  expect(await timeline.log()).toEqual(log);
});
