import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ScanModule } from './schedule-readers.ts';

/** A change to one file of the scan that looks right and loses documents. */
interface Defect {
  /** Where it shows itself soonest. */
  readonly dialect: 'A' | 'B';
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const SCAN = new URL('../../src/sources/scan/', import.meta.url);

export const DEFECTS: Readonly<Record<string, Defect>> = {
  'seen documents count as overlap': {
    dialect: 'A',
    file: 'covered-offset.ts',
    find: 'count > 0 && this.#isBehind(values[0]!)',
    replace: 'answer.fresh.includes(false)',
  },
  'a tie with the furthest value counts': {
    dialect: 'A',
    file: 'covered-offset.ts',
    find: 'count > 0 && this.#isBehind(values[0]!)',
    replace: 'count > 0 && !this.#observed.strictlyBefore(this.#furthest ?? values[0]!, values[0]!)',
  },
  'a page that does not count is skipped over': {
    dialect: 'A',
    file: 'covered-offset.ts',
    find: 'this.#offset = Math.max(0, this.#offset - stepBack);',
    replace: 'this.#furthest = values.at(-1) ?? this.#furthest; this.#offset += count;',
  },
  'nothing behind a page ends the scan': {
    dialect: 'B',
    file: 'covered-offset.ts',
    find: 'isShort && (yield* this.#nothingFollows(answer.identities, limit))',
    replace: 'true',
  },
  'a short page ends the scan': {
    dialect: 'A',
    file: 'keyset.ts',
    find: 'if (count === 0) {',
    replace:
      'if (count > 0 && count < reader.limit) { yield page; return { proved: true }; }\n    if (count === 0) {',
  },
  'an empty answer to a filter ends the scan': {
    dialect: 'A',
    file: 'keyset.ts',
    find: 'if (!isOwedMore()) return { proved: true };',
    replace: 'return { proved: true };',
  },
  'two ends are believed at once': {
    dialect: 'A',
    file: 'two-ends.ts',
    find: 'if (evident || (former',
    replace: 'if (true || evident || (former',
  },
  'agreement of passes proves': {
    dialect: 'B',
    file: 'counted-passes.ts',
    find: 'if (!provable || reader.missing.size > 0) {',
    replace:
      'if (pass > 0 && collector.count === known) return { proved: true };\n      if (!provable || reader.missing.size > 0) {',
  },
  'keys received once confirm the count': {
    dialect: 'B',
    file: 'counted-passes.ts',
    find: '&& !fresh[index]',
    replace: '',
  },
  'what cannot be served is passed over in silence': {
    dialect: 'A',
    file: 'page-reader.ts',
    find: 'this.missing.add(',
    replace: 'String(',
  },
  'keys of all kinds are the same': {
    dialect: 'A',
    file: 'collector.ts',
    find: 'if (text[0] !== QUOTE[0]) return text;',
    replace: 'return decodedKey(text, 0, text.length);',
  },
};

/** The scan with a defect, in a directory of its own; its other modules are those of this process. */
export async function loadScanWith(name: string): Promise<ScanModule> {
  const defect = DEFECTS[name];
  if (defect === undefined) throw new Error(`no defect is called ${name}`);
  const directory = mkdtempSync(join(tmpdir(), 'scan-with-a-defect-'));
  for (const file of readdirSync(SCAN)) {
    let text = readFileSync(new URL(file, SCAN), 'utf8');
    if (file === defect.file) {
      if (text.split(defect.find).length < 2) throw new Error(`${name}: the text is no longer in ${file}`);
      text = text.replaceAll(defect.find, defect.replace);
    }
    const rebased = text.replaceAll(
      /from '(\.\.\/[^']*)'/g,
      (_, path: string) => `from '${new URL(path, SCAN).href}'`,
    );
    writeFileSync(join(directory, file), rebased);
  }
  try {
    return (await import(pathToFileURL(join(directory, 'scan.ts')).href)) as ScanModule;
  } finally {
    rmSync(directory, { recursive: true });
  }
}
