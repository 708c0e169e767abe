/** How figures, dates and keys are written for people. Amounts come as decimal texts, and are never computed with. */
import type { Attributes, Unit } from './operations.ts';

const numbers = new Map<string, Intl.NumberFormat>();

function numberFormat(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = JSON.stringify(options);
  let format = numbers.get(key);
  if (!format) {
    format = new Intl.NumberFormat(undefined, options);
    numbers.set(key, format);
  }
  return format;
}

/** A number, exact if it is a decimal text: 2500.50 is 2,500.5. */
export function number(value: string | number, options: Intl.NumberFormatOptions = {}): string {
  return numberFormat({ maximumFractionDigits: 10, ...options }).format(
    value as Intl.StringNumericLiteral,
  );
}

/** An amount with its unit: 2,500 credits; 1 video minute. */
export function amount(value: string | number, unit: Pick<Unit, 'name'>): string {
  return `${number(value)} ${unitName(value, unit.name)}`;
}

/** The unit's name as it follows an amount. */
export function unitName(value: string | number, name: string): string {
  return Number(value) === 1 ? singular(name) : name;
}

/** A change of a balance, with its sign: +500, −13. */
export function change(value: string): string {
  return number(value, { signDisplay: 'exceptZero' }).replace('-', '−');
}

export function money(price: string, currency: string): string {
  const options: Intl.NumberFormatOptions = { style: 'currency', currency };
  // Prices of single credits are smaller than the smallest coin.
  return Number.isInteger(Number(price))
    ? numberFormat({ ...options, minimumFractionDigits: 0 }).format(
        price as Intl.StringNumericLiteral,
      )
    : numberFormat({ ...options, maximumFractionDigits: 6 }).format(
        price as Intl.StringNumericLiteral,
      );
}

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });
const SHORT_DAY = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' });
const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

export const day = (instant: string | Date): string => DAY.format(new Date(instant));
export const shortDay = (instant: string | Date): string => SHORT_DAY.format(new Date(instant));
export const time = (instant: string | Date): string => TIME.format(new Date(instant));

/** A key as a label: ai_twin is AI twin. */
export function label(key: string): string {
  const words = key.split('_').map((word) => ACRONYMS[word] ?? word);
  words[0] = words[0].replace(/^[a-z]/, (letter) => letter.toUpperCase());
  return words.join(' ');
}

const ACRONYMS: Record<string, string> = {
  ai: 'AI',
  api: 'API',
  gb: 'GB',
  hd: 'HD',
  id: 'ID',
  url: 'URL',
};

/** A value of an attribute: keys as labels, names of models and the like as they are. */
export function value(of: unknown): string {
  if (of === true) return 'Yes';
  if (of === false) return 'No';
  if (Array.isArray(of)) return of.map(value).join(', ');
  if (typeof of === 'number') return number(of);
  return /^[a-z]+(_[a-z]+)*$/.test(String(of)) ? label(String(of)) : String(of);
}

/** Attributes as a phrase: Quality: Pro, Actor, 5 seconds. */
export function attributes(match: Attributes): string {
  return Object.entries(match)
    .map(([key, of]) => {
      if (of === true) return label(key);
      return typeof of === 'number'
        ? `${number(of)} ${measureName(key)}`
        : `${label(key)}: ${value(of)}`;
    })
    .join(', ');
}

/** What a measure counts, in the plural: seconds, GB-days. */
export function measureName(measure: string): string {
  return measure
    .split('_')
    .map((word) => ACRONYMS[word] ?? word)
    .join('-');
}

/** What a price is for: per second, per minute, per 100 characters. */
export function per(measure: string, quantity: string): string {
  if (measure === 'seconds' && Number(quantity) === 60) return 'minute';
  if (measure === 'seconds' && Number(quantity) === 3600) return 'hour';
  const name = measureName(measure);
  return Number(quantity) === 1 ? singular(name) : `${number(quantity)} ${name}`;
}

/** Joins names: Ada, Grace or Lin. */
export function list(names: string[], type: 'conjunction' | 'disjunction' = 'conjunction'): string {
  return new Intl.ListFormat('en', { type }).format(names);
}

/** The sum of amounts, exactly. Only for adding up what the API lists; a balance or a price is the API's to say. */
export function sum(amounts: string[]): string {
  const total = amounts.reduce((so_far, text) => so_far + millionths(text), 0n);
  const digits = String(total < 0n ? -total : total).padStart(7, '0');
  return `${total < 0n ? '-' : ''}${digits.slice(0, -6)}.${digits.slice(-6)}`;
}

/** An amount has six decimal places at most. */
function millionths(text: string): bigint {
  const [whole, fraction = ''] = text.split('.');
  return BigInt(whole + fraction.padEnd(6, '0').slice(0, 6));
}

export function singular(name: string): string {
  return name.replace(/s$/, '');
}
