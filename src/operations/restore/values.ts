import type { DocumentHashes } from '../../archive/document-hashes.ts';
import type { Codec } from '../../kernel/codec.ts';
import { valueText } from '../../kernel/json/value-text.ts';
import type { DocumentBatch, DocumentShape } from '../../model/document.ts';
import { nameOfDocument, payload } from '../../model/shape.ts';
import { HASH_BYTES } from './records.ts';

/**
 * Tells documents that a server wrote differently (`1.0` as `1`, members in another order) from documents that are
 * different. Both sides are read once more; only documents whose bytes differed are looked at.
 */
export class ValueComparison {
  sameValue = 0;
  readonly different: string[] = [];
  readonly #codec: Codec;
  readonly #keysLast: boolean;
  readonly #wanted: ReadonlySet<string>;
  /** Identity hash → hashes of the values that the target holds under it. */
  readonly #found = new Map<string, Set<string>>();

  /** @param keysLast as in DocumentRecords */
  constructor(codec: Codec, keysLast: boolean, wanted: ReadonlySet<string>) {
    this.#codec = codec;
    this.#keysLast = keysLast;
    this.#wanted = wanted;
  }

  addTarget(batch: DocumentBatch, index: number, shape: DocumentShape, hashes: DocumentHashes): void {
    const identity = this.#wantedIdentity(batch, index, shape, hashes);
    if (identity === null) return;
    const values = this.#found.get(identity) ?? new Set();
    values.add(valueHash(this.#codec, batch, index, shape));
    this.#found.set(identity, values);
  }

  addBackup(batch: DocumentBatch, index: number, shape: DocumentShape, hashes: DocumentHashes): void {
    const identity = this.#wantedIdentity(batch, index, shape, hashes);
    if (identity === null) return;
    if (this.#found.get(identity)?.has(valueHash(this.#codec, batch, index, shape)) === true)
      this.sameValue++;
    else this.different.push(nameOfDocument(batch, index, shape));
  }

  #wantedIdentity(
    batch: DocumentBatch,
    index: number,
    shape: DocumentShape,
    hashes: DocumentHashes,
  ): string | null {
    const byContent = !hashes.ownId && !this.#keysLast;
    const identity = (byContent ? valueHash(this.#codec, batch, index, shape) : hashes.logicalIdHash).slice(
      0,
      HASH_BYTES,
    );
    return this.#wanted.has(identity) ? identity : null;
  }
}

/** SHA-256 (latin1) of a payload's value: the same for every way of writing it, as far as it is JSON. */
export function valueHash(codec: Codec, batch: DocumentBatch, index: number, shape: DocumentShape): string {
  const bytes = payload(batch, index, shape);
  const text = valueText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
  return codec.sha256(text === null ? bytes : Buffer.from(text, 'utf8'));
}
