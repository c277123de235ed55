import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatInstant, formatPlainTime, parseInstant, parseMoment } from '../../../src/model/time.ts';

describe('times in records', () => {
  it('have six digits of a second, in UTC', () => {
    const time = Date.UTC(2025, 0, 9, 14, 30, 45) + 123.456;
    expect(formatPlainTime(time)).toBe('2025-01-09T14:30:45.123456');
    expect(formatInstant(time)).toBe('2025-01-09T14:30:45.123456Z');
    expect(formatInstant(0)).toBe('1970-01-01T00:00:00.000000Z');
    expect(formatInstant(-0.25)).toBe('1969-12-31T23:59:59.999750Z');
    expect(formatInstant(Date.UTC(2025, 0, 9) + 0.9996)).toBe('2025-01-09T00:00:00.000999Z');
  });

  it('are the same after reading and writing, to the microsecond', () => {
    const text = fc
      .record({
        seconds: fc.integer({ min: 0, max: 4_102_444_800 }),
        micros: fc.integer({ min: 0, max: 999_999 }),
      })
      .map(({ seconds, micros }) => {
        const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
        return `${whole}.${String(micros).padStart(6, '0')}`;
      });
    fc.assert(
      fc.property(text, (plain) => {
        expect(formatPlainTime(parseInstant(plain))).toBe(plain);
        expect(formatInstant(parseInstant(`${plain}Z`))).toBe(`${plain}Z`);
      }),
      { numRuns: 2000 },
    );
  });

  it('are not guessed from other forms', () => {
    for (const text of [
      '',
      '2025-01-09',
      '2025-01-09T14:30:45Z',
      '2025-01-09T14:30:45.123Z',
      '2025-01-09T14:30:45.1234567Z',
      '2025-01-09T14:30:45.123456+00:00',
      '2025-01-09 14:30:45.123456',
      ' 2025-01-09T14:30:45.123456Z',
      '2025-13-09T14:30:45.123456Z',
    ]) {
      expect(parseInstant(text), text).toBeNaN();
    }
  });
});

describe('times that people write', () => {
  it.each([
    ['2025-01-09', '2025-01-09T00:00:00.000000Z'],
    ['2025-01-09 14:30', '2025-01-09T14:30:00.000000Z'],
    ['2025-01-09 14:30:45', '2025-01-09T14:30:45.000000Z'],
    ['2025-01-09T14:30:45Z', '2025-01-09T14:30:45.000000Z'],
    ['2025-01-09t14:30:45.5z', '2025-01-09T14:30:45.500000Z'],
    ['2025-01-09T14:30:45.123456Z', '2025-01-09T14:30:45.123456Z'],
    ['2025-01-09T14:30:45.123456789+02:00', '2025-01-09T12:30:45.123456Z'],
    ['2025-01-01 00:30 +0100', '2024-12-31T23:30:00.000000Z'],
    ['2024-02-29', '2024-02-29T00:00:00.000000Z'],
  ])('%s is %s', (text, instant) => {
    expect(formatInstant(parseMoment(text))).toBe(instant);
  });

  it.each([
    '',
    'noon',
    '2025',
    '2025-02-29',
    '2025-13-01',
    '2025-01-09 24:30',
    '2025-01-09Z',
    '1736433045',
    '2025-01-09 14:30 CET',
    '2025-01-09T14:30:00+99:00',
  ])('%j is none', (text) => {
    expect(parseMoment(text)).toBeNaN();
  });
});
