import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { choice, count, duration, list, onOff, rate, text } from '../../../src/config/kinds.ts';

describe('list', () => {
  const names = list('a,b');

  it('takes texts separated by commas, and lists', () => {
    expect(names.parse('users, events')).toEqual(['users', 'events']);
    expect(names.parse(['a,b', 'c'])).toEqual(['a,b', 'c']);
  });

  it.each(['', ' ', ',', 'users,', ',users', 'a,,b'])('refuses the empty entry in %j', (raw) => {
    expect(() => names.parse(raw)).toThrow(/empty/);
  });

  it('refuses lists without entries, and with entries that are no text', () => {
    expect(() => names.parse([])).toThrow('is empty');
    expect(() => names.parse(['a', 3])).toThrow('holds 3 where text is needed');
  });
});

it('shows a refused value on one line', () => {
  expect(() => count(1, 2).parse('\u007f')).toThrow('is "\\x7f", not');
});

describe('duration', () => {
  it.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['90', 90_000],
    [1.5, 1_500],
  ])('reads %j', (raw, milliseconds) => {
    expect(duration.parse(raw)).toBe(milliseconds);
  });

  it.each(['0', '-1s', 'soon', '5 weeks', '', '1e3', `${'9'.repeat(309)}s`, { toString: 1 }, ['1s']])(
    'refuses %j',
    (raw) => {
      expect(() => duration.parse(raw)).toThrow('not a time such as');
    },
  );

  it('writes what it reads', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 ** 9 }), (milliseconds) => {
        expect(duration.parse(duration.format(milliseconds))).toBe(milliseconds);
      }),
    );
    expect(duration.format(86_400_000)).toBe('1d');
    expect(duration.format(90_000)).toBe('90s');
  });
});

describe('the other kinds', () => {
  it('trim text and refuse none', () => {
    expect(text.parse(' a b ')).toBe('a b');
    expect(() => text.parse('  ')).toThrow('is empty');
    expect(() => text.parse(12)).toThrow('is 12, not text');
    expect(() => text.parse(null)).toThrow('is empty, not text');
  });

  it('take switches in the usual spellings', () => {
    expect([true, 'TRUE', 'yes', '1', 1].map((raw) => onOff.parse(raw))).toEqual(Array(5).fill(true));
    expect([false, 'False', 'no', '0', 0].map((raw) => onOff.parse(raw))).toEqual(Array(5).fill(false));
    expect(() => onOff.parse('on')).toThrow('is "on", not true or false');
  });

  it('keep numbers within bounds', () => {
    expect(count(1, 64).parse('64')).toBe(64);
    for (const raw of ['0', '65', '1.5', 'x', '', '0x']) {
      expect(() => count(1, 64).parse(raw)).toThrow('not a whole number from 1 to 64');
    }
    expect(rate.parse('0.5')).toBe(0.5);
    for (const raw of ['0', '-1', 'NaN', 'Infinity']) expect(() => rate.parse(raw)).toThrow('above 0');
  });

  it('name the choices that there are', () => {
    expect(choice(['gzip', 'zstd']).parse('zstd')).toBe('zstd');
    expect(() => choice(['gzip', 'zstd']).parse('GZIP')).toThrow('is "GZIP", not one of gzip, zstd');
  });
});
