import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findInString, findOutsideString } from '../../../../src/kernel/json/byte-search.ts';

describe.each([
  ['in a string', findInString, '"\\\n'],
  ['outside strings', findOutsideString, '"[]{}\r\n'],
] as const)('the search %s', (_, find, stops) => {
  /** Byte by byte, as anyone would write it. */
  function expected(bytes: Uint8Array, from: number, end: number): number {
    for (let at = from; at < end; at++) if (stops.includes(String.fromCharCode(bytes[at]!))) return at;
    return end;
  }

  test('knows each of the 256 bytes at each place of a word', () => {
    for (let byte = 0; byte < 256; byte++) {
      for (const filling of [0x00, 0x20, 0x78, 0x80, 0xff]) {
        for (let at = 0; at < 9; at++) {
          const bytes = new Uint8Array(9).fill(filling);
          bytes[at] = byte;
          expect(find(new DataView(bytes.buffer), 0, 9), `${byte} at ${at}`).toBe(expected(bytes, 0, 9));
        }
      }
    }
  });

  test('finds the first of any bytes, from any place, and nothing behind the end', () => {
    // neighbours of the bytes looked for, and those that differ from them in one bit
    const near = stops.split('').flatMap((stop) => [-1, 0, 1].map((step) => stop.charCodeAt(0) + step));
    const byte = fc.oneof(
      fc.constantFrom(...near),
      fc.constantFrom(...near).map((b) => b ^ 0x80),
      fc.nat(255),
    );
    fc.assert(
      fc.property(
        fc.array(byte, { maxLength: 40 }),
        fc.nat(),
        fc.nat(),
        fc.nat(3),
        (values, a, b, offset) => {
          const bytes = Uint8Array.from([...new Array<number>(offset).fill(0x22), ...values]).subarray(
            offset,
          );
          const [from, end] = [a % (values.length + 1), b % (values.length + 1)].toSorted((x, y) => x - y);
          const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
          expect(find(words, from!, end!)).toBe(expected(bytes, from!, end!));
        },
      ),
      { numRuns: 2000 },
    );
  });
});
