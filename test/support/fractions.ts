import type { Figure } from './catalog.ts';

/** An exact number: n / d, with d above 0. */
export interface Fraction {
  n: bigint;
  d: bigint;
}

/** The fraction that a decimal number is, as PostgreSQL or JavaScript writes it. */
export function fraction(figure: Figure | bigint): Fraction {
  const [, sign, whole, decimals = ''] =
    /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(figure)) ?? fail(`not a decimal number: ${figure}`);
  const n = BigInt(whole + decimals);
  return { n: sign ? -n : n, d: 10n ** BigInt(decimals.length) };
}

export const plus = (a: Fraction, b: Fraction): Fraction => ({
  n: a.n * b.d + b.n * a.d,
  d: a.d * b.d,
});
export const minus = (a: Fraction, b: Fraction): Fraction => plus(a, { n: -b.n, d: b.d });
export const times = (a: Fraction, b: Fraction): Fraction => ({ n: a.n * b.n, d: a.d * b.d });
export const over = (a: Fraction, b: Fraction): Fraction => ({ n: a.n * b.d, d: a.d * b.n });
export const compare = (a: Fraction, b: Fraction): number => Number(sign(minus(a, b).n));
export const least = (a: Fraction, b: Fraction): Fraction => (compare(a, b) <= 0 ? a : b);
export const greatest = (a: Fraction, b: Fraction): Fraction => (compare(a, b) >= 0 ? a : b);

/** A fraction that is not negative, in whole numbers. */
export function rounded(a: Fraction, how: 'half_up' | 'up' | 'down'): bigint {
  if (how === 'up') return (a.n + a.d - 1n) / a.d;
  if (how === 'down') return a.n / a.d;
  return (2n * a.n + a.d) / (2n * a.d);
}

const sign = (n: bigint): bigint => (n > 0n ? 1n : n < 0n ? -1n : 0n);

function fail(message: string): never {
  throw new Error(message);
}
