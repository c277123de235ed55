import type { MemberNames } from './member-names.ts';

/**
 * Finds the documents in a server's answer, or in a block of an archive, without parsing them: where each starts
 * and ends, and where the values of a few top-level members stand. One pass, no recursion, no copy; numbers, key
 * order, escapes and invalid UTF-8 stay as they are. It can be fed the buffer piece by piece.
 *
 * It takes the structure apart; it does not validate JSON. Guaranteed to be noticed: text that is not a list, an
 * unclosed or mismatched bracket, an unclosed string, missing or doubled separators between documents and between
 * the members of a document, a raw line feed in a string, text after the end.
 *
 * The one change it makes to the buffer: CR and LF inside a document but outside strings become spaces
 * (design.md §5.2), counted in `lineBreaks`.
 */
export class DocumentScanner {
  readonly spans: DocumentSpans;
  lineBreaks = 0;
  /** Where values of envelope members stand, two numbers a name; end 0 where a member is absent. */
  readonly envelopeSpans: Uint32Array;

  readonly #members: MemberNames;
  readonly #envelope: MemberNames | null;
  readonly #listNames: number;

  #at = 0;
  #depth = 0;
  #brackets = new Uint8Array(64);
  /** Depth at which documents stand; −1 while the list has not been met. */
  #itemDepth = -1;
  /** Depth whose keys are looked at; −1 where the current document is not an object. */
  #memberDepth = -1;
  #list: 'ahead' | 'inside' | 'done' = 'ahead';
  #item: 'none' | 'open' | 'closed' = 'none';
  #itemStart = 0;
  #itemEnd = 0;
  #afterComma = false;
  #expect: 'key' | 'key or end' | 'colon' | 'value' | 'comma or end' = 'key or end';
  /** Index of the member whose value is being read; −1 if nobody asked for it. */
  #member = -1;
  #memberStart = -1;
  #inString = false;
  #stringStart = 0;
  #stringEscaped = false;
  #escapePending = false;
  #topDone = false;

  /**
   * @param members names looked out for in each document; their spans land in `spans`
   * @param envelope for a server's answer: the names of an enclosing object. The first `listNames` of them may hold
   *   the list of documents (the first that holds an array wins). Null for the lines of an archive block: documents
   *   separated by commas, without brackets around them.
   */
  constructor(members: MemberNames, envelope: { names: MemberNames; listNames: number } | null) {
    this.#members = members;
    this.#envelope = envelope?.names ?? null;
    this.#listNames = envelope?.listNames ?? 0;
    this.envelopeSpans = new Uint32Array(2 * (envelope?.names.count ?? 0));
    this.spans = new DocumentSpans(members.count);
    if (envelope === null) {
      this.#itemDepth = 0;
      this.#list = 'inside';
    }
  }

  /** True if the lines ended with a comma: more documents follow in the next block. */
  get endsWithComma(): boolean {
    return this.#afterComma;
  }

  /** Goes on to `end`. `bytes` may be another buffer than last time, with the same content up to the old end. */
  advance(bytes: Uint8Array, end: number): void {
    let at = this.#at;
    while (at < end) {
      if (this.#inString) {
        at = this.#skipString(bytes, at, end);
        continue;
      }
      const watched = this.#memberDepth >= 0 ? this.#memberDepth : this.#itemDepth;
      if (watched >= 0 && this.#depth > watched) {
        at = this.#skipUnwatched(bytes, at, end, watched);
        continue;
      }
      switch (bytes[at]) {
        case 0x20: // white space
        case 0x09:
          at++;
          break;
        case 0x0a: // line breaks
        case 0x0d:
          if (this.#item === 'open') {
            bytes[at] = 0x20;
            this.lineBreaks++;
          }
          at++;
          break;
        case 0x22: // "
          this.#beginToken(at);
          this.#inString = true;
          this.#stringStart = ++at;
          this.#stringEscaped = false;
          break;
        case 0x5b: // [
        case 0x7b: // {
          this.#open(bytes[at]!, at);
          at++;
          break;
        case 0x5d: // ]
        case 0x7d: // }
          this.#close(bytes[at]!, at);
          at++;
          break;
        case 0x2c: // ,
          this.#comma(at);
          at++;
          break;
        case 0x3a: // :
          if (this.#expect !== 'colon' || this.#depth !== this.#memberDepth) throw unexpected(':', at);
          this.#expect = 'value';
          at++;
          break;
        default: {
          const resumed = this.#continuesScalar(at);
          if (!resumed) this.#beginToken(at);
          at = runEnd(SCALAR_ENDS, bytes, at, end);
          this.#endScalar(at);
        }
      }
    }
    this.#at = at;
  }

  /** Call once after the last byte: throws JsonMalformed where the text is not whole. */
  finish(): void {
    if (this.#inString) throw new JsonMalformed('the text ends inside a string', this.#at);
    if (this.#depth > 0) throw new JsonMalformed('the text ends inside brackets', this.#at);
    if (this.#envelope === null) {
      if (this.#item !== 'none') this.#endItem();
      return;
    }
    if (!this.#topDone) throw new JsonMalformed('the text is empty', this.#at);
    if (this.#list === 'ahead')
      throw new JsonMalformed('there is no list of documents in the answer', this.#at);
  }

  #skipString(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    if (this.#escapePending) {
      if (bytes[at] === 0x0a) throw new JsonMalformed('a string holds a raw line feed', at);
      this.#escapePending = false;
      at++;
    }
    for (;;) {
      at = runEnd(STRING_STOPS, bytes, at, end);
      if (at === end) return at;
      const byte = bytes[at];
      if (byte === 0x22) {
        this.#inString = false;
        this.#endString(bytes, at);
        return at + 1;
      }
      if (byte === 0x0a) throw new JsonMalformed('a string holds a raw line feed', at);
      this.#stringEscaped = true;
      if (++at === end) {
        this.#escapePending = true;
        return at;
      }
      if (bytes[at] === 0x0a) throw new JsonMalformed('a string holds a raw line feed', at);
      at++;
    }
  }

  /** The inside of values that nobody asked for: only strings and brackets matter. */
  #skipUnwatched(bytes: Uint8Array, from: number, end: number, watched: number): number {
    let at = from;
    for (;;) {
      at = runEnd(UNWATCHED_STOPS, bytes, at, end);
      if (at === end) return at;
      const byte = bytes[at]!;
      if (byte === 0x22) {
        this.#inString = true;
        this.#stringStart = at + 1;
        this.#stringEscaped = false;
        at = this.#skipString(bytes, at + 1, end);
        if (this.#inString) return at;
      } else if (byte === 0x5b || byte === 0x7b) {
        this.#push(byte);
        at++;
      } else if (byte === 0x5d || byte === 0x7d) {
        this.#pop(byte, at);
        at++;
        if (this.#depth === watched) {
          this.#endValue(at);
          return at;
        }
      } else {
        if (this.#item === 'open') {
          bytes[at] = 0x20;
          this.lineBreaks++;
        }
        at++;
      }
    }
  }

  /** A value (or key) starts at `at`, at the depth of documents, of their members, or of the envelope. */
  #beginToken(at: number): void {
    if (this.#depth === this.#itemDepth) {
      if (this.#item !== 'none') throw new JsonMalformed('two documents without a comma between them', at);
      this.#item = 'open';
      this.#afterComma = false;
      this.#itemStart = at;
      this.spans.begin();
    } else if (this.#depth === this.#memberDepth) {
      if (this.#expect === 'value') {
        this.#memberStart = at;
        this.#expect = 'comma or end';
      } else if (this.#expect !== 'key' && this.#expect !== 'key or end') {
        throw new JsonMalformed('a value where none may stand', at);
      }
    } else {
      throw new JsonMalformed('the answer is not a list of documents', at);
    }
  }

  #open(bracket: number, at: number): void {
    if (this.#depth === 0 && this.#envelope !== null) {
      if (this.#topDone) throw unexpected('text after the end', at);
      this.#push(bracket);
      if (bracket === 0x5b) {
        this.#itemDepth = 1;
        this.#list = 'inside';
      } else {
        this.#memberDepth = 1;
        this.#expect = 'key or end';
      }
      return;
    }
    const inKeyPosition = this.#depth === this.#memberDepth && this.#expect !== 'value';
    if (inKeyPosition) throw unexpected('a bracket', at);
    const atItems = this.#depth === this.#itemDepth;
    this.#beginToken(at);
    this.#push(bracket);
    if (atItems) {
      if (bracket === 0x7b) {
        this.#memberDepth = this.#depth;
        this.#expect = 'key or end';
        this.#member = -1;
      }
    } else if (this.#list === 'ahead' && bracket === 0x5b && this.#depth === 2) {
      if (this.#member >= 0 && this.#member < this.#listNames) {
        this.#list = 'inside';
        this.#itemDepth = 2;
        this.#memberDepth = -1;
        this.#afterComma = false;
      }
    }
  }

  #close(bracket: number, at: number): void {
    if (this.#depth === this.#itemDepth) {
      // the bracket that closes the list
      if (this.#item !== 'none') this.#endItem();
      else if (this.#afterComma) throw unexpected('a closing bracket after a comma', at);
      this.#pop(bracket, at);
      this.#list = 'done';
      this.#itemDepth = -1;
      if (this.#depth === 0) {
        this.#topDone = true;
      } else {
        this.#memberDepth = 1;
        this.#expect = 'comma or end';
        this.#member = -1;
      }
      return;
    }
    if (this.#depth !== this.#memberDepth) throw unexpected('a closing bracket', at);
    if (this.#expect !== 'key or end' && this.#expect !== 'comma or end') {
      throw unexpected('a closing bracket', at);
    }
    this.#pop(bracket, at);
    this.#memberDepth = -1;
    if (this.#depth === this.#itemDepth) this.#closeItem(at + 1);
    else this.#topDone = true;
  }

  #comma(at: number): void {
    if (this.#depth === this.#itemDepth) {
      if (this.#item === 'none') throw unexpected('a comma', at);
      this.#endItem();
      this.#afterComma = true;
    } else if (this.#depth === this.#memberDepth && this.#expect === 'comma or end') {
      this.#expect = 'key';
      this.#member = -1;
    } else {
      throw unexpected('a comma', at);
    }
  }

  #endString(bytes: Uint8Array, quoteAt: number): void {
    if (this.#depth !== this.#memberDepth || this.#expect === 'comma or end') {
      this.#endValue(quoteAt + 1);
      return;
    }
    // a key
    const names = this.#itemDepth < 0 ? this.#envelope! : this.#members;
    this.#member = this.#stringEscaped
      ? names.names.indexOf(unescapedKey(bytes, this.#stringStart, quoteAt))
      : names.find(bytes, this.#stringStart, quoteAt);
    this.#expect = 'colon';
  }

  /** A number or literal that the last piece of the buffer cut in two goes on at `at`. */
  #continuesScalar(at: number): boolean {
    return this.#at === at && this.#scalarEnd === at && at > 0;
  }
  #scalarEnd = 0;

  #endScalar(at: number): void {
    this.#scalarEnd = at;
    if (this.#depth === this.#memberDepth && this.#expect !== 'comma or end') {
      throw new JsonMalformed('a key that is not a string', at);
    }
    this.#endValue(at);
  }

  /** The value that stands at the watched depth ends before `at`. */
  #endValue(at: number): void {
    if (this.#depth === this.#itemDepth) {
      this.#closeItem(at);
    } else if (this.#depth === this.#memberDepth && this.#member >= 0) {
      if (this.#itemDepth < 0) {
        this.envelopeSpans[2 * this.#member] = this.#memberStart;
        this.envelopeSpans[2 * this.#member + 1] = at;
      } else {
        this.spans.setMember(this.#member, this.#memberStart, at);
      }
    }
  }

  #closeItem(end: number): void {
    this.#item = 'closed';
    this.#itemEnd = end;
  }

  #endItem(): void {
    this.spans.finish(this.#itemStart, this.#itemEnd);
    this.#item = 'none';
  }

  #push(bracket: number): void {
    if (this.#depth === this.#brackets.length) {
      const wider = new Uint8Array(2 * this.#brackets.length);
      wider.set(this.#brackets);
      this.#brackets = wider;
    }
    this.#brackets[this.#depth++] = bracket;
  }

  #pop(bracket: number, at: number): void {
    // in ASCII a closing bracket is its opening one plus two
    if (this.#depth === 0 || this.#brackets[this.#depth - 1] !== bracket - 2) {
      throw unexpected('a closing bracket', at);
    }
    this.#depth--;
  }
}

/** Where documents and some of their members stand in a buffer; ends are exclusive. */
export class DocumentSpans {
  count = 0;
  readonly #stride: number;
  #values: Uint32Array;

  constructor(memberCount: number) {
    this.#stride = 2 + 2 * memberCount;
    this.#values = new Uint32Array(64 * this.#stride);
  }

  start(index: number): number {
    return this.#values[index * this.#stride]!;
  }
  end(index: number): number {
    return this.#values[index * this.#stride + 1]!;
  }
  memberStart(index: number, member: number): number {
    return this.#values[index * this.#stride + 2 + 2 * member]!;
  }
  /** 0 if the document has no such member, or is not an object. */
  memberEnd(index: number, member: number): number {
    return this.#values[index * this.#stride + 3 + 2 * member]!;
  }
  hasMember(index: number, member: number): boolean {
    return this.memberEnd(index, member) !== 0;
  }

  /** The scanner's own: a document starts; its spans are not known yet. */
  begin(): void {
    const base = this.count * this.#stride;
    if (base + this.#stride > this.#values.length) {
      const wider = new Uint32Array(2 * this.#values.length);
      wider.set(this.#values);
      this.#values = wider;
    }
    this.#values.fill(0, base, base + this.#stride);
  }
  setMember(member: number, start: number, end: number): void {
    const base = this.count * this.#stride + 2 + 2 * member;
    this.#values[base] = start;
    this.#values[base + 1] = end;
  }
  finish(start: number, end: number): void {
    const base = this.count * this.#stride;
    this.#values[base] = start;
    this.#values[base + 1] = end;
    this.count++;
  }
}

export class JsonMalformed extends Error {
  override readonly name = 'JsonMalformed';
  /** Byte at which it was noticed. */
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

function unexpected(what: string, at: number): JsonMalformed {
  return new JsonMalformed(`${what} where none may stand`, at);
}

function unescapedKey(bytes: Uint8Array, start: number, end: number): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start - 1, end - start + 2).toString('utf8');
  try {
    return JSON.parse(text) as string;
  } catch {
    return ''; // an invalid escape: no name that anybody looks for
  }
}

function stops(characters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of characters) table[character.charCodeAt(0)] = 1;
  return table;
}
const STRING_STOPS = stops('"\\\n');
const UNWATCHED_STOPS = stops('"[]{}\r\n');
const SCALAR_ENDS = stops('"[]{}:, \t\r\n');

/**
 * First position from `from` on whose byte is in the table; `end` if there is none. The table comes as a parameter
 * because V8 reads a module's constant anew for every byte, which halves the rate of the whole scan.
 */
function runEnd(table: Uint8Array, bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && table[bytes[at]!] === 0) at++;
  return at;
}
