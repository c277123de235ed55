import { describe, expect, it } from 'vitest';
import { printable, truncated } from '../../../src/kernel/printable.ts';

describe('printable text', () => {
  it('shows what a terminal would obey', () => {
    expect(printable('a\n\r\t\u0000\u001b\u007f\u0085\u2028\u202e\u2066')).toBe(
      'a\\n\\r\\t\\x00\\x1b\\x7f\\x85\\u2028\\u202e\\u2066',
    );
  });
  it('leaves letters, marks and emoji alone', () => {
    const text = 'naïve — 日本語 👩‍👩‍👧 é \u00a0';
    expect(printable(text)).toBe(text);
  });
});

describe('truncated text', () => {
  it('keeps to the length and parts no pair', () => {
    expect(truncated('abc', 3)).toBe('abc');
    expect(truncated('abcd', 3)).toBe('ab…');
    expect(truncated('a😀bc', 3)).toBe('a…');
  });
});
