import { findInString, findOutsideString } from './byte-search.ts';
import { JsonMalformed, unexpected } from './json-malformed.ts';

const LINE_FEED = 0x0a;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

/** A buffer as far as it is filled. */
export interface Piece {
  readonly bytes: Uint8Array;
  /** The same memory, from byte 0 to `end`. */
  readonly words: DataView;
  readonly end: number;
}

/**
 * Finds where a JSON value ends, in one piece or in several. One value at a time: as long as the answer is −1, the
 * same question must be asked again, with a buffer that is filled further.
 */
export class ValueEnd {
  /** Line breaks outside strings that became spaces. */
  lineBreaks = 0;

  /** Where to go on in the value that is not at its end yet; 0 if there is none. */
  #goOnAt = 0;
  #isScalar = false;
  #inString = false;
  #brackets = new Uint8Array(64);
  #depth = 0;

  /** Forgets the open value and the line breaks. */
  restart(): void {
    this.lineBreaks = 0;
    this.#goOnAt = 0;
    this.#isScalar = false;
    this.#inString = false;
    this.#depth = 0;
  }

  /** Whether a value was begun and its end not found. */
  get isOpen(): boolean {
    return this.#goOnAt !== 0;
  }
  /** Where the open value ends if the text does: only a number or a literal can; otherwise −1. */
  get endOfText(): number {
    return this.#isScalar ? this.#goOnAt : -1;
  }

  /**
   * Position behind the value that starts at `start`, or −1 if the piece ends first (also behind a number: another
   * digit may follow). Where `spaced`, line breaks between the tokens inside become spaces.
   */
  find(piece: Piece, start: number, spaced: boolean): number {
    const first = piece.bytes[start]!;
    if (first === QUOTE) return this.findOfString(piece, start);
    if (first === OPENING_BRACE || first === OPENING_BRACKET)
      return this.#findOfBrackets(piece, start, spaced);
    return this.#findOfScalar(piece, start);
  }

  /** The same for a value that is known to be a string. */
  findOfString({ bytes, words, end }: Piece, start: number): number {
    let at = this.#goOnAt || start + 1;
    for (;;) {
      at = findInString(words, at, end);
      if (at === end) break;
      const byte = bytes[at];
      if (byte === QUOTE) {
        this.#goOnAt = 0;
        return at + 1;
      }
      if (byte === LINE_FEED) throw new JsonMalformed('a string holds a raw line feed', at);
      if (at + 1 === end) break;
      // a line feed after the backslash is left for the next search to find
      at += bytes[at + 1] === LINE_FEED ? 1 : 2;
    }
    this.#goOnAt = at;
    return -1;
  }

  #findOfBrackets(piece: Piece, start: number, spaced: boolean): number {
    const { bytes, words, end } = piece;
    let at = start;
    if (!this.#inString && this.#goOnAt !== 0) {
      at = this.#goOnAt;
      this.#goOnAt = 0;
    }
    for (;;) {
      if (this.#inString) {
        at = this.findOfString(piece, at);
        if (at < 0) return -1;
        this.#inString = false;
      }
      // most strings follow upon the one before with a single character between them
      if (at < end && (bytes[at] === COMMA || bytes[at] === COLON)) at++;
      if (at === end || bytes[at] !== QUOTE) at = findOutsideString(words, at, end);
      if (at === end) {
        this.#goOnAt = at;
        return -1;
      }
      const byte = bytes[at]!;
      if (byte === QUOTE) {
        this.#inString = true;
        continue;
      }
      if (byte === OPENING_BRACE || byte === OPENING_BRACKET) {
        this.#open(byte);
      } else if (byte === CLOSING_BRACE || byte === CLOSING_BRACKET) {
        // in ASCII a closing bracket is its opening one plus two
        if (this.#brackets[--this.#depth] !== byte - 2) throw unexpected('a closing bracket', at);
        if (this.#depth === 0) return at + 1;
      } else if (spaced) {
        bytes[at] = SPACE;
        this.lineBreaks++;
      }
      at++;
    }
  }

  #open(bracket: number): void {
    if (this.#depth === this.#brackets.length) {
      const wider = new Uint8Array(2 * this.#brackets.length);
      wider.set(this.#brackets);
      this.#brackets = wider;
    }
    this.#brackets[this.#depth++] = bracket;
  }

  #findOfScalar({ bytes, end }: Piece, start: number): number {
    const at = runEnd(SCALAR_BYTES, bytes, this.#goOnAt || start, end);
    if (at === start) throw unexpected('a character that begins no value', at);
    this.#isScalar = at === end;
    this.#goOnAt = this.#isScalar ? at : 0;
    return this.#isScalar ? -1 : at;
  }
}

/** Digits, letters and the signs of numbers: also NaN and Infinity, which some servers send, are kept as sent. */
const SCALAR_BYTES = new Uint8Array(256);
for (const byte of Buffer.from('+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz')) {
  SCALAR_BYTES[byte] = 1;
}

/** The table comes as a parameter because V8 reads a module's constant anew for every byte. */
function runEnd(table: Uint8Array, bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && table[bytes[at]!] === 1) at++;
  return at;
}
