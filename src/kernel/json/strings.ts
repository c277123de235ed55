const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The bytes of a scan key or logical id (design.md §5.3) that stands as a JSON value in `bytes[start, end)`: for a
 * string, quotes included in the span, its decoded content; for a number its source text.
 *
 * The content is UTF-8, with lone surrogates as three bytes each. Bytes that were not escaped are kept even where they
 * are not valid UTF-8, and so is an escape that JSON does not know. Without escapes the result is a view of `bytes`.
 */
export function decodedKey(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (bytes[start] !== QUOTE) return bytes.subarray(start, end);
  const content = bytes.subarray(start + 1, end - 1);
  const firstEscape = content.indexOf(BACKSLASH);
  return firstEscape < 0 ? content : unescaped(content, firstEscape);
}

/** Whether the value in `bytes[start, end)` can identify a document: a string that is not empty, or a number. */
export function usableKey(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[start] === QUOTE) return end - start > 2;
  const firstDigit = bytes[start] === 0x2d ? bytes[start + 1] : bytes[start];
  return end > start && firstDigit !== undefined && firstDigit >= 0x30 && firstDigit <= 0x39;
}

const SHORT_ESCAPES = new Map(
  Object.entries({ '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }).map(
    ([letter, character]) => [letter.charCodeAt(0), character.charCodeAt(0)],
  ),
);

function unescaped(content: Uint8Array, firstEscape: number): Uint8Array {
  // no escape is shorter than what it stands for
  const decoded = new Uint8Array(content.length);
  decoded.set(content.subarray(0, firstEscape));
  let length = firstEscape;
  let at = firstEscape;
  while (at < content.length) {
    if (content[at] !== BACKSLASH) {
      decoded[length++] = content[at++]!;
      continue;
    }
    const short = SHORT_ESCAPES.get(content[at + 1]!);
    if (short !== undefined) {
      decoded[length++] = short;
      at += 2;
      continue;
    }
    const unit = codeUnit(content, at);
    if (unit < 0) {
      decoded[length++] = content[at++]!;
      continue;
    }
    const low = isHighSurrogate(unit) ? codeUnit(content, at + 6) : -1;
    const paired = low >= 0xdc00 && low <= 0xdfff;
    length = writeUtf8(paired ? 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00) : unit, decoded, length);
    at += paired ? 12 : 6;
  }
  return decoded.subarray(0, length);
}

/** The UTF-16 code unit of the escape `\uXXXX` at `at`; −1 if none stands there. */
function codeUnit(content: Uint8Array, at: number): number {
  if (content[at] !== BACKSLASH || content[at + 1] !== 0x75) return -1;
  let unit = 0;
  for (let index = at + 2; index < at + 6; index++) {
    const digit = Number.parseInt(String.fromCharCode(content[index] ?? 0), 16);
    if (Number.isNaN(digit)) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

/** Writes one code point, a surrogate like any other of three bytes, and returns where it ends. */
function writeUtf8(codePoint: number, into: Uint8Array, from: number): number {
  let at = from;
  if (codePoint < 0x80) {
    into[at++] = codePoint;
  } else if (codePoint < 0x800) {
    into[at++] = 0xc0 | (codePoint >> 6);
    into[at++] = 0x80 | (codePoint & 0x3f);
  } else if (codePoint < 0x10000) {
    into[at++] = 0xe0 | (codePoint >> 12);
    into[at++] = 0x80 | ((codePoint >> 6) & 0x3f);
    into[at++] = 0x80 | (codePoint & 0x3f);
  } else {
    into[at++] = 0xf0 | (codePoint >> 18);
    into[at++] = 0x80 | ((codePoint >> 12) & 0x3f);
    into[at++] = 0x80 | ((codePoint >> 6) & 0x3f);
    into[at++] = 0x80 | (codePoint & 0x3f);
  }
  return at;
}
