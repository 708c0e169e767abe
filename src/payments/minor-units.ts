// docs.stripe.com/currencies: amounts are whole numbers of the smallest unit, which is not a hundredth everywhere.
const WITHOUT_DECIMALS = new Set(
  'BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF'.split(' '),
);
// A thousandth, of which the last digit must be 0.
const WITH_THREE_DECIMALS = new Set('BHD JOD KWD OMR TND'.split(' '));
// Without decimals in life, with two in Stripe's API, which must be 00.
const WITH_TWO_ZEROS = new Set('ISK UGX'.split(' '));

/**
 * A price in whole currency units, "9.99", as the whole number that Stripe takes for it, 999: rounded half up to what can be
 * charged in that currency. Throws a RangeError for what is not a price.
 */
export function toMinorUnits(price: string, currency: string): number {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(price);
  if (!match) throw new RangeError(`${JSON.stringify(price)} is not a price.`);
  const [, whole, fraction = ''] = match;
  const [perUnit, step] = WITHOUT_DECIMALS.has(currency)
    ? [1n, 1n]
    : WITH_THREE_DECIMALS.has(currency)
      ? [1000n, 10n]
      : WITH_TWO_ZEROS.has(currency)
        ? [100n, 100n]
        : [100n, 1n];
  const exact = BigInt(whole + fraction) * perUnit;
  const divisor = 10n ** BigInt(fraction.length) * step;
  return Number(((2n * exact + divisor) / (2n * divisor)) * step);
}
