import type { DocumentHashes } from '../../../archive/document-hashes.ts';
import { type Scratch, SortedRuns } from '../../../kernel/sorted-runs.ts';

/**
 * A restore compares two sets of any size in bounded memory: one fixed-width record a document, sorted by what they are
 * compared by, read in step. Hashes are cut to 128 bits.
 */
export const HASH_BYTES = 16;

/** What tells a document of the target apart from others that share its content or id. */
const PLACE_BYTES = 8;

/**
 * One document: scan key hash ‖ identity hash ‖ payload hash ‖ flags ‖ place.
 *
 * The identity is what the same document has on another server: the payload's own id, else its value (servers write
 * one value in many ways).
 * The place is the archive's block and the document's index in it, two u32 (backup), or where its address stands (target, see LiveDocuments).
 */
export const RECORD = {
  key: 0,
  identity: HASH_BYTES,
  payload: 2 * HASH_BYTES,
  flags: 3 * HASH_BYTES,
  place: 3 * HASH_BYTES + 1,
  width: 3 * HASH_BYTES + 1 + PLACE_BYTES,
} as const;

export const BY_CONTENT = 1;
/** Its key is the empty text, under which no server takes it back, and it has no other id. */
export const NAMELESS = 2;

/** Of what a restore changed: it was about to be deleted and inserted again, and is on record nowhere. */
export const TAKEN_AWAY = 4;

export class DocumentRecords {
  readonly runs: SortedRuns;
  /** Without keys that the server keeps, a document without an id of its own is known by its content alone. */
  readonly keysLast: boolean;

  /** @param keysLast whether a document keeps its scan key when it is written to the target */
  constructor(scratch: Scratch, keysLast: boolean) {
    this.runs = new SortedRuns(scratch, RECORD.width);
    this.keysLast = keysLast;
  }

  /**
   * @param valueHash of the payload, for documents that are known by their content alone
   * @param emptyKey whether its scan key is the empty text
   */
  async add(
    hashes: DocumentHashes,
    valueHash: () => string,
    emptyKey: boolean,
    writePlace: (into: Buffer, at: number) => void,
  ): Promise<void> {
    if (this.runs.full) await this.runs.flush();
    const { identity, byContent } = identityOf(hashes, this.keysLast, valueHash);
    const record = this.runs.slot();
    writeKey(record, RECORD.key, hashes.scanKeyHash, hashes.numericKey);
    identity.copy(record, RECORD.identity);
    record.write(hashes.payloadHash, RECORD.payload, HASH_BYTES, 'latin1');
    const nameless = emptyKey && !hashes.ownId && this.keysLast;
    record[RECORD.flags] = byContent ? BY_CONTENT : nameless ? NAMELESS : 0;
    record.fill(0, RECORD.place, RECORD.width);
    writePlace(record, RECORD.place);
    this.runs.added();
  }
}

/** What a document is known by on a server that may have given it another key; hash as records have it. */
export function identityOf(
  hashes: DocumentHashes,
  keysLast: boolean,
  valueHash: () => string,
): { identity: Buffer; byContent: boolean } {
  const byContent = !hashes.ownId && !keysLast;
  const identity = Buffer.allocUnsafe(HASH_BYTES);
  writeKey(identity, 0, byContent ? valueHash() : hashes.logicalIdHash, !byContent && hashes.numericId);
  return { identity, byContent };
}

/** Where a document stands in an archive, as the place of its record. */
export function writePlace(into: Buffer, at: number, block: number, index: number): void {
  into.writeUInt32BE(block, at);
  into.writeUInt32BE(index, at + 4);
}

/** Reads sorted records one by one; `at` is undefined at the end. A record is valid until the next `advance`. */
export class RecordCursor {
  current: Buffer | null = null;
  readonly #pieces: AsyncIterator<Buffer>;
  readonly #width: number;
  #piece: Buffer = Buffer.alloc(0);
  #at = 0;

  private constructor(runs: SortedRuns) {
    this.#pieces = runs.sorted()[Symbol.asyncIterator]();
    this.#width = runs.width;
  }

  static async open(runs: SortedRuns): Promise<RecordCursor> {
    const cursor = new RecordCursor(runs);
    await cursor.advance();
    return cursor;
  }

  /** Goes on to the next record if it is at hand; false: `advance` must be awaited. Costs a tenth of it. */
  step(): boolean {
    if (this.#at >= this.#piece.length) return false;
    this.current = this.#piece.subarray(this.#at, this.#at + this.#width);
    this.#at += this.#width;
    return true;
  }

  /** Goes on to the first record that does not sort before the hash in `other`; whether it begins with that hash. */
  async seek(other: Buffer, at: number): Promise<boolean> {
    const order = (): number =>
      this.current === null ? 1 : this.current.compare(other, at, at + HASH_BYTES, 0, HASH_BYTES);
    while (order() < 0) await this.advance();
    return order() === 0;
  }

  async advance(): Promise<void> {
    if (this.#at >= this.#piece.length) {
      const next = await this.#pieces.next();
      if (next.done === true) {
        this.current = null;
        return;
      }
      this.#piece = next.value;
      this.#at = 0;
    }
    this.step();
  }
}

/**
 * Writes the hash of a key (latin1) into a record. Its last bit says whether the key is a number: the text "7" and the
 * number 7 have one hash and may be two documents. Sorted, they are neighbours.
 */
export function writeKey(record: Buffer, at: number, hash: string, numeric: boolean): void {
  record.write(hash, at, HASH_BYTES, 'latin1');
  const last = at + HASH_BYTES - 1;
  record[last] = (record[last]! & 0xfe) | (numeric ? 1 : 0);
}

/** True if two keys of records are equal but for what they are: such keys stand in URLs alike. */
export function sameAddress(a: Buffer, b: Buffer): boolean {
  const last = HASH_BYTES - 1;
  return sameBytes(a, 0, b, 0, last) && a[last]! >> 1 === b[last]! >> 1;
}

export function sameBytes(a: Buffer, aAt: number, b: Buffer, bAt: number, length: number): boolean {
  return a.compare(b, bAt, bAt + length, aAt, aAt + length) === 0;
}
