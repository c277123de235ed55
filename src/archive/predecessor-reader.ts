import { findInString } from '../kernel/json/byte-search.ts';
import { DocumentScanner, JsonMalformed } from '../kernel/json/document-scanner.ts';
import { releaseMemory } from '../kernel/memory.ts';
import { type DocumentBatch, MEMBERS } from '../model/document.ts';
import { isOwnArchive, type PredecessorFacts, parsePredecessorFacts } from '../model/predecessor.ts';

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPENING_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

/** All that stands around the documents; the predecessor's is some 250 bytes. */
const FRAME_BYTES_MAX = 64 * 1024;
const BATCH_BYTES = 1 << 20;

/** The text is no archive of the predecessor. `isOurs`: it is one of our own. */
export class NotPredecessor extends Error {
  override readonly name = 'NotPredecessor';
  readonly isOurs: boolean;
  constructor(message: string, isOurs = false, cause?: unknown) {
    super(message, { cause });
    this.isOurs = isOurs;
  }
}

/**
 * Reads the text of an archive of the predecessor: one JSON object, whose member `documents` holds them all, printed by
 * Python with an indent. White space outside strings is left out of the documents (docs/adr/0003-adopt.md); strings,
 * numbers, escapes and the order of members stay byte for byte. Bounded memory: a batch of about 1 MiB, or one document.
 */
export class PredecessorReader {
  /** Set when the batches have ended. */
  facts: PredecessorFacts | null = null;
  documentCount = 0;

  /** The text around the documents, with `[]` in their place. */
  readonly #frame = Buffer.alloc(FRAME_BYTES_MAX);
  #frameUsed = 0;
  #list: 'ahead' | 'open' | 'done' = 'ahead';

  #inString = false;
  /** The last byte was a backslash in a string. */
  #escaped = false;
  #depth = 0;
  /** The last byte outside strings that was no white space belongs to a number or literal. */
  #afterScalar = false;
  /** White space came since. */
  #gap = false;

  /** Documents without white space, with commas between them. */
  #buffer = Buffer.allocUnsafeSlow(2 * BATCH_BYTES);
  #used = 0;
  /** Of those in the buffer: how many are whole, where they end, where the next begins. */
  #whole = 0;
  #wholeEnd = 0;
  #nextStart = 0;

  /** Takes over nothing: pieces may be reused after the next pull. A batch is the receiver's own. Throws NotPredecessor. */
  async *batches(text: AsyncIterable<Uint8Array>): AsyncGenerator<DocumentBatch> {
    for await (const piece of text) {
      this.#makeRoom(piece.length);
      for (let at = 0; at < piece.length; ) {
        at = this.#list === 'open' ? this.#takeDocuments(piece, at) : this.#takeFrame(piece, at);
      }
      if (this.#whole > 0 && this.#used >= BATCH_BYTES) yield this.#cutBatch();
    }
    if (this.#whole > 0) yield this.#cutBatch();
    if (this.#inString || this.#depth > 0) throw new NotPredecessor('the text ends in the middle');
    this.facts = this.#parseFrame();
    if (this.facts.documentCount !== this.documentCount) {
      throw new NotPredecessor(
        `document_count is ${this.facts.documentCount}, and it holds ${this.documentCount} documents`,
      );
    }
  }

  #takeFrame(piece: Uint8Array, from: number): number {
    for (let at = from; at < piece.length; at++) {
      const byte = piece[at]!;
      if (this.#frameUsed + 1 === FRAME_BYTES_MAX) {
        throw new NotPredecessor('it holds more than the members that the predecessor wrote');
      }
      this.#frame[this.#frameUsed++] = byte;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
      } else if (byte === QUOTE) {
        this.#inString = true;
      } else if (byte === OPENING_BRACE || byte === OPENING_BRACKET) {
        this.#depth++;
        if (byte === OPENING_BRACKET && this.#depth === 2 && this.#opensList()) return at + 1;
      } else if (byte === CLOSING_BRACE || byte === CLOSING_BRACKET) {
        this.#depth--;
      }
    }
    return piece.length;
  }

  #opensList(): boolean {
    const text = this.#frame.toString('latin1', 0, this.#frameUsed);
    if (!/[{,]\s*"documents"\s*:\s*\[$/.test(text)) return false;
    if (this.#list === 'done') throw new NotPredecessor('it holds two lists of documents');
    if (isOwnArchive(parsedOrNull(`${text}]}`))) {
      throw new NotPredecessor('it is an archive of zerodb-backup', true);
    }
    this.#list = 'open';
    return true;
  }

  /** Copies documents up to the end of the list, or of the piece, without the white space outside strings. */
  #takeDocuments(piece: Uint8Array, from: number): number {
    const words = new DataView(piece.buffer, piece.byteOffset, piece.length);
    const end = piece.length;
    // what every byte touches is kept in local variables: fields would halve the rate
    const out = this.#buffer;
    let at = from;
    let used = this.#used;
    let inString = this.#inString;
    let depth = this.#depth;
    while (at < end && this.#list === 'open') {
      if (inString) {
        if (this.#escaped) {
          out[used++] = piece[at++]!;
          this.#escaped = false;
          continue;
        }
        const stop = findInString(words, at, end);
        while (at < stop) out[used++] = piece[at++]!;
        if (at === end) break;
        const byte = piece[at++]!;
        out[used++] = byte;
        if (byte === QUOTE) inString = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else throw new NotPredecessor('a string holds a raw line feed');
        continue;
      }
      const byte = piece[at++]!;
      if (byte === SPACE || byte === LINE_FEED || byte === CARRIAGE_RETURN || byte === TAB) {
        this.#gap = true;
        continue;
      }
      let isScalar = false;
      if (byte === QUOTE) {
        inString = true;
      } else if (byte === OPENING_BRACE || byte === OPENING_BRACKET) {
        depth++;
      } else if (byte === CLOSING_BRACE || byte === CLOSING_BRACKET) {
        depth--;
        if (depth === 1) {
          if (byte !== CLOSING_BRACKET) throw new NotPredecessor('the list of documents is not closed');
          this.#endDocument(used, this.documentCount === 0);
          this.#frame[this.#frameUsed++] = byte;
          this.#list = 'done';
          break;
        }
      } else if (byte === COMMA && depth === 2) {
        this.#endDocument(used, false);
        this.#nextStart = used + 1;
      } else if (byte !== COMMA && byte !== COLON) {
        isScalar = true;
        // without the white space they would be one
        if (this.#afterScalar && this.#gap) throw new NotPredecessor('two values stand side by side');
      }
      this.#afterScalar = isScalar;
      this.#gap = false;
      out[used++] = byte;
    }
    this.#used = used;
    this.#inString = inString;
    this.#depth = depth;
    return at;
  }

  #endDocument(at: number, mayBeNone: boolean): void {
    if (at === this.#nextStart) {
      if (mayBeNone) return;
      throw new NotPredecessor('the list of documents has a comma too many');
    }
    this.#wholeEnd = at;
    this.#whole++;
    this.documentCount++;
  }

  /** The whole documents of the buffer, checked in the way in which every other document is. */
  #cutBatch(): DocumentBatch {
    const bytes = this.#buffer.subarray(0, this.#wholeEnd);
    const rest =
      this.#nextStart > this.#wholeEnd
        ? this.#buffer.subarray(this.#nextStart, this.#used)
        : bytes.subarray(0, 0);
    this.#buffer = Buffer.allocUnsafeSlow(2 * BATCH_BYTES + rest.length);
    this.#used = rest.copy(this.#buffer);
    const expected = this.#whole;
    this.#whole = 0;
    this.#wholeEnd = 0;
    this.#nextStart = 0;
    const scanner = new DocumentScanner(MEMBERS, null);
    try {
      scanner.advance(bytes, bytes.length);
      scanner.finish();
    } catch (cause) {
      if (!(cause instanceof JsonMalformed)) throw cause;
      throw new NotPredecessor(`it holds text that is not a document: ${cause.message}`, false, cause);
    }
    if (scanner.spans.count !== expected) throw new NotPredecessor('its documents cannot be told apart');
    return { bytes, spans: scanner.spans };
  }

  /** What is left out never makes the text longer. */
  #makeRoom(length: number): void {
    const needed = this.#used + length;
    if (needed <= this.#buffer.length) return;
    const smaller = this.#buffer;
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(needed, 2 * smaller.length));
    smaller.copy(this.#buffer, 0, 0, this.#used);
    releaseMemory(smaller);
  }

  #parseFrame(): PredecessorFacts {
    let value: unknown;
    try {
      value = JSON.parse(
        new TextDecoder('utf-8', { fatal: true }).decode(this.#frame.subarray(0, this.#frameUsed)),
      );
    } catch (cause) {
      throw new NotPredecessor('it is not JSON', false, cause);
    }
    if (isOwnArchive(value)) throw new NotPredecessor('it is an archive of zerodb-backup', true);
    try {
      return parsePredecessorFacts(value);
    } catch (cause) {
      throw new NotPredecessor((cause as Error).message, false, cause);
    }
  }
}

function parsedOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
