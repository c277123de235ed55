import { describe, expect, it } from 'vitest';
import { clipped, displayWidth, padded, table } from '../../../src/cli/output/layout.ts';

describe('layout', () => {
  it('counts the columns that a text takes', () => {
    expect(displayWidth('users')).toBe(5);
    expect(displayWidth('用户')).toBe(4);
    expect(displayWidth('e\u0301')).toBe(1);
    expect(displayWidth('🙂')).toBe(2);
    expect(displayWidth('\x1b[32m✓\x1b[39m ok')).toBe(4);
  });

  it('clips to a width, wide characters included', () => {
    expect(clipped('users', 5)).toBe('users');
    expect(clipped('userss', 5)).toBe('user…');
    expect(clipped('用户用户', 5)).toBe('用户…');
    expect(displayWidth(padded('用户', 6))).toBe(6);
  });

  it('widens a column for what does not fit, and cuts nothing', () => {
    const columns = [
      { title: 'A', width: 4 },
      { title: 'B', width: 0 },
    ];
    expect(table(columns, [['longer', 'x']])).toEqual(['A       B', '---------', 'longer  x']);
  });
});
