import type { Change } from './planted-changes.ts';

/** Changes of the scan that look right and lose documents. */
interface Defect extends Change {
  /** Where it shows itself soonest. */
  readonly dialect: 'A' | 'B';
}

export const DEFECTS: Readonly<Record<string, Defect>> = {
  'seen documents count as overlap': {
    dialect: 'A',
    file: 'sources/scan/covered-offset.ts',
    find: 'count > 0 && this.#isBehind(values[0]!)',
    replace: 'answer.fresh.includes(false)',
  },
  'a tie with the furthest value counts': {
    dialect: 'A',
    file: 'sources/scan/covered-offset.ts',
    find: 'count > 0 && this.#isBehind(values[0]!)',
    replace: 'count > 0 && !this.#observed.strictlyBefore(this.#furthest ?? values[0]!, values[0]!)',
  },
  'a page that does not count is skipped over': {
    dialect: 'A',
    file: 'sources/scan/covered-offset.ts',
    find: 'this.#offset = Math.max(0, this.#offset - stepBack);',
    replace: 'this.#furthest = values.at(-1) ?? this.#furthest; this.#offset += count;',
  },
  'nothing behind a page ends the scan': {
    dialect: 'B',
    file: 'sources/scan/covered-offset.ts',
    find: 'isShort && (yield* this.#nothingFollows(answer.identities, limit))',
    replace: 'true',
  },
  'a short page ends the scan': {
    dialect: 'A',
    file: 'sources/scan/keyset.ts',
    find: 'if (count === 0) {',
    replace:
      'if (count > 0 && count < reader.limit) { yield page; return { proved: true }; }\n    if (count === 0) {',
  },
  'an empty answer to a filter ends the scan': {
    dialect: 'A',
    file: 'sources/scan/keyset.ts',
    find: 'if (!isOwedMore()) return { proved: true };',
    replace: 'return { proved: true };',
  },
  'two ends are believed at once': {
    dialect: 'A',
    file: 'sources/scan/two-ends.ts',
    find: 'if (evident || (former',
    replace: 'if (true || evident || (former',
  },
  'agreement of passes proves': {
    dialect: 'B',
    file: 'sources/scan/counted-passes.ts',
    find: 'if (!provable || reader.missing.size > 0) {',
    replace:
      'if (pass > 0 && collector.count === known) return { proved: true };\n      if (!provable || reader.missing.size > 0) {',
  },
  'keys received once confirm the count': {
    dialect: 'B',
    file: 'sources/scan/counted-passes.ts',
    find: '&& !fresh[index]',
    replace: '',
  },
  'what cannot be served is passed over in silence': {
    dialect: 'A',
    file: 'sources/scan/page-reader.ts',
    find: 'this.missing.add(',
    replace: 'String(',
  },
  'keys of all kinds are the same': {
    dialect: 'A',
    file: 'sources/scan/collector.ts',
    find: 'if (text[0] !== QUOTE[0]) return text;',
    replace: 'return decodedKey(text, 0, text.length);',
  },
};
