import type { SortField } from '../source.ts';

/** A value that documents are sorted by: decoded text, and whether it was a JSON number. */
export interface SortValue {
  readonly text: Buffer;
  readonly isNumber: boolean;
}

type Compare = (a: SortValue, b: SortValue) => number;

const byBytes: Compare = (a, b) => a.text.compare(b.text);

const byUtf16: Compare = (a, b) => {
  let at = 0;
  while (at < a.text.length && a.text[at] === b.text[at]) at++;
  const [unit, otherUnit] = [a.text[at] ?? 0, b.text[at] ?? 0];
  // where ASCII characters differ both orders are one; that spares decoding nearly all keys
  if (unit !== otherUnit && unit < 0x80 && otherUnit < 0x80) return unit - otherUnit;
  const [left, right] = [a.text.toString('utf8'), b.text.toString('utf8')];
  return left === right ? 0 : left < right ? -1 : 1;
};

/** Nothing is known of the order of two that differ only in case. */
const byLetters: Compare = (a, b) => {
  // as above; behind a character that is not ASCII, lower case is left to those who know all languages
  for (let at = 0; ; at++) {
    const [unit, otherUnit] = [asciiLetter(a.text[at]), asciiLetter(b.text[at])];
    if (unit >= 0x80 || otherUnit >= 0x80) break;
    if (unit !== otherUnit) return unit - otherUnit;
    if (unit < 0) return 0;
  }
  const [left, right] = [a.text.toString('utf8').toLowerCase(), b.text.toString('utf8').toLowerCase()];
  return left === right ? 0 : left < right ? -1 : 1;
};

/** A byte with capitals made small; −1 behind the end. */
function asciiLetter(byte: number | undefined): number {
  if (byte === undefined) return -1;
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}

/** Numbers by their value, text as `byText` has it; a number and a text have no known order. */
function byKind(byText: Compare): Compare {
  return (a, b) => {
    if (!a.isNumber && !b.isNumber) return byText(a, b);
    if (a.isNumber !== b.isNumber) return Number.NaN;
    const [left, right] = [numberOf(a.text), numberOf(b.text)];
    return left < right ? -1 : left > right ? 1 : 0;
  };
}

/** Times with and without fraction, zone or `T`; text order is wrong for them: `…00Z` sorts after `…00.5Z`. */
const byTime: Compare = (a, b) => {
  const [left, right] = [instantOf(a.text), instantOf(b.text)];
  if (left === null || right === null) return Number.NaN;
  return (
    left.seconds - right.seconds ||
    (left.fraction === right.fraction ? 0 : left.fraction < right.fraction ? -1 : 1)
  );
};

function numberOf(text: Buffer): bigint | number {
  const source = text.toString('latin1');
  return /^-?\d+$/.test(source) ? BigInt(source) : Number(source);
}

/** Seconds since 1970 and the digits behind the point; a time without a zone is UTC. Null if it is no time. */
export function instantOf(text: Buffer): { seconds: number; fraction: string } | null {
  const match = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?$/.exec(
    text.toString('latin1'),
  );
  if (match === null) return null;
  const zone = match[4] ?? 'Z';
  const seconds = Date.parse(
    `${match[1]}T${match[2]}${zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone}`,
  );
  return Number.isNaN(seconds)
    ? null
    : { seconds: seconds / 1000, fraction: (match[3] ?? '').replace(/0+$/, '') };
}

/**
 * All orders that agree with everything seen so far: a comparison and a direction. Nobody documents how a server
 * compares text, so several candidates are kept until an answer contradicts them, and what is concluded must hold
 * under each that is left.
 */
export class ObservedOrder {
  #candidates: Compare[];

  constructor(field: SortField, direction: 'asc' | 'desc' | 'unknown') {
    const comparisons = field === 'key' ? [byBytes, byUtf16, byLetters].map(byKind) : [byTime, byBytes];
    this.#candidates = comparisons.flatMap((compare): Compare[] => {
      const reversed: Compare = (a, b) => compare(b, a);
      return direction === 'asc' ? [compare] : direction === 'desc' ? [reversed] : [compare, reversed];
    });
  }

  /** Values as they followed each other in one answer; false if no known order explains them any more. */
  observe(values: readonly SortValue[]): boolean {
    this.#candidates = this.#candidates.filter((compare) =>
      values.every((value, index) => index === 0 || compare(values[index - 1]!, value) <= 0),
    );
    return this.#candidates.length > 0;
  }

  /** Whether `a` stands strictly before `b`, whichever candidate is the true one. */
  strictlyBefore(a: SortValue, b: SortValue): boolean {
    return this.#candidates.length > 0 && this.#candidates.every((compare) => compare(a, b) < 0);
  }

  /** Whether `a` stands strictly before `b` under one of the candidates. */
  mayBeBefore(a: SortValue, b: SortValue): boolean {
    return this.#candidates.some((compare) => compare(a, b) < 0);
  }

  /** Whether the two may share a place in the order. */
  mayTie(a: SortValue, b: SortValue): boolean {
    return this.#candidates.some((compare) => compare(a, b) === 0);
  }
}
