import type { DocumentHashes } from '../../../archive/document-hashes.ts';
import type { Codec } from '../../../kernel/codec.ts';
import { memberTexts, valueText } from '../../../kernel/json/value-text.ts';
import { type Scratch, SortedRuns } from '../../../kernel/sorted-runs.ts';
import type { DocumentBatch, DocumentShape } from '../../../model/document.ts';
import { payload, scanKeyText } from '../../../model/shape.ts';
import { HASH_BYTES, RecordCursor, sameBytes, writeKey } from '../match/records.ts';
import type { HashFilter } from '../target/hash-filter.ts';
import { LiveDocuments } from '../target/live-documents.ts';

/** What is known of a document's content: one hash or several. */
export type Hashing = (codec: Codec, batch: DocumentBatch, index: number, shape: DocumentShape) => string[];

/** Identity hash ‖ side ‖ hash of content ‖ scan key hash ‖ place of the name. */
const FACT = {
  side: HASH_BYTES,
  hash: HASH_BYTES + 1,
  key: 2 * HASH_BYTES + 1,
  name: 3 * HASH_BYTES + 1,
  width: 3 * HASH_BYTES + 9,
} as const;
const TARGET = 0;
const BACKUP = 1;

/**
 * Says more of some documents than whether their bytes are equal. Both sides are read once more for it; only documents
 * whose identity is among `wanted` are looked at. Memory does not depend on how many these are.
 */
export class ContentFacts {
  readonly #codec: Codec;
  readonly #hashing: Hashing;
  readonly #wanted: HashFilter;
  readonly #facts: SortedRuns;
  readonly names: LiveDocuments;

  constructor(codec: Codec, scratch: Scratch, hashing: Hashing, wanted: HashFilter) {
    this.#codec = codec;
    this.#hashing = hashing;
    this.#wanted = wanted;
    this.#facts = new SortedRuns(scratch, FACT.width);
    this.names = new LiveDocuments(scratch);
  }

  async addTarget(batch: DocumentBatch, index: number, shape: DocumentShape, hashes: DocumentHashes) {
    await this.#add(TARGET, batch, index, shape, hashes);
  }

  async addBackup(batch: DocumentBatch, index: number, shape: DocumentShape, hashes: DocumentHashes) {
    await this.#add(BACKUP, batch, index, shape, hashes);
  }

  /**
   * The documents of the backup one by one, in the order of identity and key: what the target holds under it, and what the backup.
   */
  async *pairs(): AsyncGenerator<ContentPair> {
    await this.names.seal();
    const cursor = await RecordCursor.open(this.#facts);
    while (cursor.current !== null) {
      const identity = Buffer.from(cursor.current.subarray(0, HASH_BYTES));
      const target = new Set<string>();
      const backup = new Map<string, ContentPair>();
      while (cursor.current !== null && sameBytes(cursor.current, 0, identity, 0, HASH_BYTES)) {
        const fact: Buffer = cursor.current;
        const hash = fact.toString('latin1', FACT.hash, FACT.key);
        if (fact[FACT.side] === TARGET) target.add(hash);
        else {
          const key = Buffer.from(fact.subarray(FACT.key, FACT.name));
          const place = Buffer.from(fact.subarray(FACT.name, FACT.width));
          const name = key.toString('latin1');
          const pair = backup.get(name) ?? { identity, key, name: place, target, backup: new Set() };
          pair.backup.add(hash);
          backup.set(name, pair);
        }
        await cursor.advance();
      }
      yield* [...backup.values()].sort((a, b) => a.key.compare(b.key));
    }
  }

  async close(): Promise<void> {
    await this.#facts.close();
    await this.names.close();
  }

  async #add(
    side: number,
    batch: DocumentBatch,
    index: number,
    shape: DocumentShape,
    hashes: DocumentHashes,
  ): Promise<void> {
    if (!this.#wanted.mayHold(hashes.logicalIdHash)) return;
    // hashes are valid until the next document is read
    const { logicalIdHash, scanKeyHash, numericId, numericKey } = hashes;
    const writeName = side === BACKUP ? await this.names.add(scanKeyText(batch, index, shape)) : () => {};
    for (const hash of this.#hashing(this.#codec, batch, index, shape)) {
      if (this.#facts.full) await this.#facts.flush();
      const fact = this.#facts.slot();
      fact.fill(0, FACT.name, FACT.width);
      writeKey(fact, 0, logicalIdHash, numericId);
      fact[FACT.side] = side;
      fact.write(hash, FACT.hash, HASH_BYTES, 'latin1');
      writeKey(fact, FACT.key, scanKeyHash, numericKey);
      writeName(fact, FACT.name);
      this.#facts.added();
    }
  }
}

export interface ContentPair {
  readonly identity: Buffer;
  /** Scan key hash of the backup's document. */
  readonly key: Buffer;
  /** Where its name stands in `names`. */
  readonly name: Buffer;
  readonly target: ReadonlySet<string>;
  readonly backup: Set<string>;
}

/** SHA-256 (latin1) of a payload's value: the same for every way of writing it, as far as it is JSON. */
export function valueHash(codec: Codec, batch: DocumentBatch, index: number, shape: DocumentShape): string {
  const bytes = payload(batch, index, shape);
  const text = valueText(textOf(bytes));
  return codec.sha256(text === null ? bytes : Buffer.from(text, 'utf8'));
}

export const byValue: Hashing = (...document) => [valueHash(...document)];

/** A hash of each member of a payload, name and value; of the whole where it has none that can be told apart. */
export const byMembers: Hashing = (codec, batch, index, shape) => {
  const bytes = payload(batch, index, shape);
  const members = memberTexts(textOf(bytes));
  if (members === null) return [codec.sha256(bytes)];
  // the first stands for the object itself, which may have no members
  return ['', ...members].map((text) => codec.sha256(Buffer.from(text, 'utf8')));
};

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}
