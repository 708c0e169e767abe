import { expect, test } from 'vitest';
import { toMinorUnits } from '../../src/payments/minor-units.ts';

test.each([
  // A hundredth, as nearly everywhere.
  ['9.99', 'USD', 999],
  ['9', 'USD', 900],
  ['0.05', 'EUR', 5],
  ['0', 'USD', 0],
  ['1.005', 'USD', 101],
  ['1.00499999999999999999', 'USD', 100],
  ['1.6665', 'USD', 167],
  ['0.29', 'USD', 29],
  ['1.10', 'GBP', 110],
  ['123456789.12', 'USD', 12345678912],
  ['1000.5', 'HUF', 100050],
  // Without decimals.
  ['500', 'JPY', 500],
  ['499.5', 'JPY', 500],
  ['499.49', 'JPY', 499],
  ['10000.0', 'KRW', 10000],
  // A thousandth, whose last digit is 0.
  ['5.124', 'KWD', 5120],
  ['5.125', 'KWD', 5130],
  ['2.755', 'BHD', 2760],
  ['1', 'TND', 1000],
  // Without decimals, and yet with two zeros.
  ['5', 'ISK', 500],
  ['5.5', 'UGX', 600],
  ['5.49', 'ISK', 500],
])('%s %s is %d', (price, currency, amount) => {
  expect(toMinorUnits(price, currency)).toBe(amount);
});

test.each(['', '-1', 'NaN', '1e3', '1.', '.5', '1,5', ' 1'])('"%s" is no price', (price) => {
  expect(() => toMinorUnits(price, 'USD')).toThrow(RangeError);
});
