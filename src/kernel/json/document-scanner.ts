import { findInString } from './byte-search.ts';
import { DocumentSpans } from './document-spans.ts';
import { JsonMalformed, unexpected } from './json-malformed.ts';
import type { MemberNames } from './member-names.ts';
import { decodedKey } from './strings.ts';
import { type Piece, ValueEnd } from './value-end.ts';

export { DocumentSpans, JsonMalformed };

// not imported from one place: V8 reads an imported constant anew at each use, which costs 7 %
const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

/** What may stand next in the text; a key or value that the last piece cut stays expected until it is whole. */
type Expected =
  | 'key'
  | 'key or end'
  | 'colon'
  | 'value'
  | 'comma or end'
  | 'document'
  | 'document or end'
  | 'comma or end of list'
  | 'list or envelope'
  | 'nothing';

/**
 * Finds the documents in a server's answer, or in a block of an archive, without parsing them: where each starts
 * and ends, and where the values of a few top-level members stand. One pass, no recursion, no copy; numbers, key
 * order, escapes and invalid UTF-8 stay as they are. It can be fed the buffer piece by piece.
 *
 * It takes the structure apart; it does not validate JSON. Guaranteed to be noticed: text that is not a list, a second
 * list under the same name, an unclosed or mismatched bracket, an unclosed string, missing or doubled separators
 * between documents and between the members of a document, a raw line feed in a string, text after the end. Not
 * noticed: how numbers, literals and escapes are spelled, other control characters and invalid UTF-8 in strings,
 * separators further inside, lines of an archive that end between two documents.
 *
 * The one change it makes to the buffer: CR and LF inside a document but outside strings become spaces
 * (design.md §5.2), counted in `lineBreaks`.
 */
export class DocumentScanner {
  /** The documents whose end has been seen. */
  readonly spans: DocumentSpans;
  /** Where values of envelope members stand, two numbers a name; end 0 where a member is absent. */
  readonly envelopeSpans: Uint32Array;

  readonly #members: MemberNames;
  readonly #envelope: { names: MemberNames; listNames: number } | null;
  readonly #value = new ValueEnd();

  #at = 0;
  #expected: Expected;
  #list: 'ahead' | 'inside the envelope' | 'alone' | 'done' = 'ahead';
  /** The member that holds the list. */
  #listMember = -1;
  #inDocument = false;
  #documentStart = 0;
  /** Index of the member whose key was read last; −1 if nobody asked for it. */
  #member = -1;
  #lineBreaks = 0;

  /**
   * @param members names looked out for in each document; their spans land in `spans`
   * @param envelope for a server's answer: the names of an enclosing object. The first `listNames` of them may hold
   *   the list of documents (the first that holds an array wins). Null for the lines of an archive block: documents
   *   separated by commas, without brackets around them.
   */
  constructor(members: MemberNames, envelope: { names: MemberNames; listNames: number } | null) {
    this.#members = members;
    this.#envelope = envelope;
    this.envelopeSpans = new Uint32Array(2 * (envelope?.names.count ?? 0));
    this.spans = new DocumentSpans(members.count);
    this.#expected = envelope === null ? 'document or end' : 'list or envelope';
  }

  /** Begins anew with another text, that starts at `from` in its buffer; what was found so far is forgotten. */
  restart(from = 0): void {
    this.spans.clear();
    this.envelopeSpans.fill(0);
    this.#value.restart();
    this.#at = from;
    this.#expected = this.#envelope === null ? 'document or end' : 'list or envelope';
    this.#list = 'ahead';
    this.#inDocument = false;
    this.#member = -1;
    this.#lineBreaks = 0;
  }

  get lineBreaks(): number {
    return this.#lineBreaks + this.#value.lineBreaks;
  }

  /** After `finish`: true if the lines ended with a comma: more documents follow in the next block. */
  get endsWithComma(): boolean {
    return this.#expected === 'document';
  }

  /** Goes on to `end`. `bytes` may be another buffer than last time, with the same content up to the old end. */
  advance(bytes: Uint8Array, end: number): void {
    const words = new DataView(bytes.buffer, bytes.byteOffset, end);
    const piece: Piece = { bytes, words, end };
    // what every byte touches is kept in local variables: fields would halve the rate
    const value = this.#value;
    let at = this.#at;
    let expected = this.#expected;
    let inDocument = this.#inDocument;
    let member = this.#member;

    while (at < end) {
      const byte = bytes[at]!;
      if (byte === SPACE || (byte <= CARRIAGE_RETURN && isWhiteSpace(byte))) {
        if (inDocument && byte !== SPACE && byte !== TAB) {
          bytes[at] = SPACE;
          this.#lineBreaks++;
        }
        at++;
        continue;
      }
      if (expected === 'key' || expected === 'key or end') {
        if (byte === QUOTE) {
          const names = inDocument ? this.#members : this.#envelope!.names;
          const stop = value.isOpen ? end : findInString(words, at + 1, end);
          if (stop < end && bytes[stop] === QUOTE) {
            member = names.find(bytes, at + 1, stop);
            at = stop + 1;
          } else {
            const keyEnd = value.findOfString(piece, at);
            if (keyEnd < 0) break;
            const key = decodedKey(bytes, at, keyEnd);
            member = names.find(key, 0, key.length);
            at = keyEnd;
          }
          expected = 'colon';
          if (at < end && bytes[at] === COLON) {
            at++;
            expected = 'value';
          }
          continue;
        }
        if (byte !== CLOSING_BRACE || expected === 'key') throw unexpected('something that is no key', at);
        expected = this.#endObject(inDocument, ++at);
        inDocument = false;
      } else if (expected === 'value') {
        if (!inDocument && byte === OPENING_BRACKET && this.#beginsList(member, at)) {
          expected = 'document or end';
          at++;
          continue;
        }
        const valueEnd = value.find(piece, at, inDocument);
        if (valueEnd < 0) break;
        if (member >= 0) this.#setMember(inDocument, member, at, valueEnd);
        at = valueEnd;
        expected = 'comma or end';
        if (at < end && bytes[at] === COMMA) {
          at++;
          expected = 'key';
        }
      } else if (expected === 'comma or end') {
        if (byte === COMMA) {
          expected = 'key';
          at++;
        } else if (byte === CLOSING_BRACE) {
          expected = this.#endObject(inDocument, ++at);
          inDocument = false;
        } else {
          throw unexpected('something else than a comma or a closing brace', at);
        }
      } else if (expected === 'colon') {
        if (byte !== COLON) throw unexpected('something else than a colon', at);
        expected = 'value';
        at++;
      } else if (expected === 'comma or end of list') {
        if (byte === COMMA) expected = 'document';
        else expected = this.#endList(byte, at);
        at++;
      } else if (expected === 'document' || expected === 'document or end') {
        if (byte === OPENING_BRACE) {
          this.#documentStart = at;
          inDocument = true;
          expected = 'key or end';
          at++;
        } else if (byte === CLOSING_BRACKET && expected === 'document or end') {
          expected = this.#endList(byte, at);
          at++;
        } else {
          const valueEnd = value.find(piece, at, true);
          if (valueEnd < 0) break;
          this.spans.add(at, valueEnd);
          at = valueEnd;
          expected = 'comma or end of list';
        }
      } else if (expected === 'list or envelope') {
        if (byte === OPENING_BRACKET) {
          expected = 'document or end';
          this.#list = 'alone';
        } else if (byte === OPENING_BRACE) {
          expected = 'key or end';
        } else {
          throw new JsonMalformed('the answer is not a list of documents', at);
        }
        at++;
      } else {
        throw unexpected('text after the end', at);
      }
    }
    this.#at = at;
    this.#expected = expected;
    this.#inDocument = inDocument;
    this.#member = member;
  }

  /** Call once after the last byte: throws JsonMalformed where the text is not whole. */
  finish(): void {
    if (this.#value.isOpen) {
      const end = this.#value.endOfText;
      if (this.#envelope === null && !this.#inDocument && end > 0) {
        this.spans.add(this.#at, end);
        this.#expected = 'comma or end of list';
        return;
      }
      throw new JsonMalformed('the text ends inside a value', this.#at);
    }
    if (this.#envelope === null && !this.#inDocument) return;
    if (this.#expected === 'list or envelope') throw new JsonMalformed('the text is empty', this.#at);
    if (this.#expected !== 'nothing') throw new JsonMalformed('the text ends inside brackets', this.#at);
    if (this.#list === 'ahead')
      throw new JsonMalformed('there is no list of documents in the answer', this.#at);
  }

  #beginsList(member: number, at: number): boolean {
    if (member < 0 || member >= this.#envelope!.listNames) return false;
    if (member === this.#listMember) throw new JsonMalformed('the answer holds two lists of one name', at);
    if (this.#list !== 'ahead') return false;
    this.#list = 'inside the envelope';
    this.#listMember = member;
    return true;
  }

  #endList(byte: number, at: number): Expected {
    if (byte !== CLOSING_BRACKET || this.#envelope === null) {
      throw unexpected('something else than a comma or the end of the list', at);
    }
    const next = this.#list === 'alone' ? 'nothing' : 'comma or end';
    this.#list = 'done';
    return next;
  }

  #endObject(isDocument: boolean, end: number): Expected {
    if (!isDocument) return 'nothing';
    this.spans.add(this.#documentStart, end);
    return 'comma or end of list';
  }

  #setMember(inDocument: boolean, member: number, start: number, end: number): void {
    if (inDocument) {
      this.spans.setMember(member, start, end);
    } else {
      this.envelopeSpans[2 * member] = start;
      this.envelopeSpans[2 * member + 1] = end;
    }
  }
}

function isWhiteSpace(byte: number): boolean {
  return byte === SPACE || byte === LINE_FEED || byte === CARRIAGE_RETURN || byte === TAB;
}
