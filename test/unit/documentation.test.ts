import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../src/kernel/errors.ts';
import { errorTable, optionTable } from '../support/reference-tables.ts';

function page(name: string): string[] {
  return readFileSync(join(import.meta.dirname, '..', '..', 'docs', name), 'utf8').split('\n');
}

/** The table of a page that starts with this row. */
function tableOf(lines: readonly string[], firstRow: string): string[] {
  const from = lines.indexOf(firstRow);
  const table = lines.slice(from);
  const end = table.findIndex((line) => !line.startsWith('|'));
  return from < 0 ? [] : table.slice(0, end);
}

describe('the documentation', () => {
  it('lists exactly the error codes that there are', () => {
    expect(tableOf(page('errors.md'), errorTable()[0]!)).toEqual(errorTable());
  });

  it('explains every exit code', () => {
    const explained = page('errors.md').flatMap((line) => /^\| (\d+) \|/.exec(line)?.[1] ?? []);
    const used = Object.values(ERROR_CODES).map(({ exit }) => String(exit));
    expect(used.filter((exit) => !explained.includes(exit))).toEqual([]);
  });

  it('lists exactly the options that there are', () => {
    expect(tableOf(page('configuration.md'), optionTable()[0]!)).toEqual(optionTable());
  });
});
