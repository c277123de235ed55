/**
 * The two searches in which a scan spends its time. They look at four bytes at a time: where a byte of a 32-bit word is
 * zero, `(word - 0x01010101) & ~word & 0x80808080` has a bit. Above the lowest such bit others may be set wrongly, so
 * only the lowest counts. To look for another byte than zero, the word is first XORed with four copies of it.
 *
 * `words` covers the buffer from its byte 0 at least to `end`. If nothing is found, the result is `end`.
 */

/** Position of the first quote, backslash or line feed. */
export function findInString(words: DataView, from: number, end: number): number {
  let at = from;
  for (; at + 4 <= end; at += 4) {
    const word = words.getInt32(at, true);
    const quote = word ^ 0x22222222;
    const backslash = word ^ 0x5c5c5c5c;
    const lineFeed = word ^ 0x0a0a0a0a;
    const zeros =
      (((quote - 0x01010101) & ~quote) |
        ((backslash - 0x01010101) & ~backslash) |
        ((lineFeed - 0x01010101) & ~lineFeed)) &
      0x80808080;
    if (zeros !== 0) return at + lowestByte(zeros);
  }
  return firstOf(IN_STRING, words, at, end);
}

/** Position of the first quote, bracket, brace, line feed or carriage return. */
export function findOutsideString(words: DataView, from: number, end: number): number {
  let at = from;
  for (; at + 4 <= end; at += 4) {
    const word = words.getInt32(at, true);
    const quote = word ^ 0x22222222;
    const lineFeed = word ^ 0x0a0a0a0a;
    const carriageReturn = word ^ 0x0d0d0d0d;
    // in ASCII this bit makes [ into { and ] into }
    const opening = (word | 0x20202020) ^ 0x7b7b7b7b;
    const closing = (word | 0x20202020) ^ 0x7d7d7d7d;
    const zeros =
      (((quote - 0x01010101) & ~quote) |
        ((lineFeed - 0x01010101) & ~lineFeed) |
        ((carriageReturn - 0x01010101) & ~carriageReturn) |
        ((opening - 0x01010101) & ~opening) |
        ((closing - 0x01010101) & ~closing)) &
      0x80808080;
    if (zeros !== 0) return at + lowestByte(zeros);
  }
  return firstOf(OUTSIDE_STRING, words, at, end);
}

function lowestByte(zeros: number): number {
  return (31 - Math.clz32(zeros & -zeros)) >> 3;
}

const IN_STRING = Buffer.from('"\\\n');
const OUTSIDE_STRING = Buffer.from('"[]{}\n\r');

function firstOf(stops: Uint8Array, words: DataView, from: number, end: number): number {
  let at = from;
  while (at < end && !stops.includes(words.getUint8(at))) at++;
  return at;
}
