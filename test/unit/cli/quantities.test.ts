import { describe, expect, it } from 'vitest';
import {
  formatClock,
  formatCount,
  formatMegabytes,
  formatSize,
  formatTime,
  plural,
} from '../../../src/cli/output/quantities.ts';

describe('quantities', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KB'],
    [125 * 1024, '125 KB'],
    [1024 * 1024 - 1, '1.0 MB'],
    [2_202_010, '2.1 MB'],
    [5_000_000_000, '4768.4 MB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });

  it('are written as people write them', () => {
    expect([999, 1000, 1234567].map(formatCount)).toEqual(['999', '1,000', '1,234,567']);
    expect(formatMegabytes(2_237_661)).toBe('2.134');
    expect([0, 7_000, 754_000, 11_100_000].map(formatClock)).toEqual(['0:00', '0:07', '12:34', '3:05:00']);
    expect(formatTime('2025-01-09T14:30:00.123456')).toBe('2025-01-09 14:30:00');
    expect([plural(1, 'document'), plural(2000, 'document')]).toEqual(['1 document', '2,000 documents']);
  });
});
