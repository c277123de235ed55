import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ObservedOrder, type SortValue } from '../../src/sources/scan/order.ts';

const lower = (value: string) => value.toLowerCase();
const byLetters = (a: string, b: string) => (lower(a) < lower(b) ? -1 : lower(a) > lower(b) ? 1 : 0);
const sortValue = (text: string): SortValue => ({ text: Buffer.from(text), isNumber: false });

/** Capitals, small letters and what lies between them in ASCII; letters whose lower case is longer, or another script's. */
const key = fc.string({
  unit: fc.constantFrom('a', 'A', 'b', 'B', 'Z', 'z', '_', '[', '0', 'k', '\u212a', 'İ', 'Σ', 'é', '😀'),
  maxLength: 6,
});

test('text sorted without regard to case is an order that is known', () => {
  fc.assert(
    fc.property(fc.array(key, { maxLength: 20 }), (keys) => {
      const order = new ObservedOrder('key', 'asc');
      expect(order.observe(keys.toSorted(byLetters).map(sortValue))).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test('text that contradicts every order is not explained', () => {
  fc.assert(
    fc.property(key, key, (a, b) => {
      fc.pre(byLetters(a, b) < 0);
      const order = new ObservedOrder('key', 'asc');
      // leaves only the order without regard to case
      expect(order.observe(['a', 'B', 'c'].map(sortValue))).toBe(true);
      expect(order.observe([b, a].map(sortValue))).toBe(false);
    }),
    { numRuns: 2000 },
  );
});
