import { Temporal } from 'temporal-polyfill';

/** Microseconds since 1970, which is what PostgreSQL's timestamptz counts in. */
export type Instant = bigint;

export const SECOND = 1_000_000n;
export const HOUR = 3600n * SECOND;
export const DAY = 24n * HOUR;

/** The instant that a text with a zone or an offset names: `2026-01-31T10:00Z`. */
export function instant(text: string): Instant {
  return Temporal.Instant.from(text).epochNanoseconds / 1000n;
}

/** An instant as a text to the microsecond, in UTC. */
export function iso(at: Instant): string {
  return Temporal.Instant.fromEpochNanoseconds(at * 1000n).toString({
    smallestUnit: 'microsecond',
  });
}

/** What the clocks of a time zone show at an instant. */
export function localTime(at: Instant, timeZone: string): Temporal.PlainDateTime {
  return Temporal.Instant.fromEpochNanoseconds(at * 1000n)
    .toZonedDateTimeISO(timeZone)
    .toPlainDateTime();
}

/**
 * When the clocks of a time zone show a time. A time that they skip is taken by the offset before the gap, one that they
 * show twice is the second one: what PostgreSQL does.
 */
export function instantOf(local: Temporal.PlainDateTime, timeZone: string): Instant {
  return local.toZonedDateTime(timeZone, { disambiguation: 'later' }).epochNanoseconds / 1000n;
}
