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
  readonly #wanted: ReadonlySet<string>;
  /** Identity hash → hashes of the values that the target holds under it. */
  readonly #found = new Map<string, Set<string>>();

  constructor(codec: Codec, wanted: ReadonlySet<string>) {
    this.#codec = codec;
    this.#wanted = wanted;
  }

  addTarget(batch: DocumentBatch, index: number, shape: DocumentShape, hashes: DocumentHashes): void {
    const identity = this.#wantedIdentity(hashes);
    if (identity === null) return;
    const values = this.#found.get(identity) ?? new Set();
    values.add(this.#valueHash(batch, index, shape));
    this.#found.set(identity, values);
  }

  addBackup(batch: DocumentBatch, index: number, shape: DocumentShape, hashes: DocumentHashes): void {
    const identity = this.#wantedIdentity(hashes);
    if (identity === null) return;
    if (this.#found.get(identity)?.has(this.#valueHash(batch, index, shape)) === true) this.sameValue++;
    else this.different.push(nameOfDocument(batch, index, shape));
  }

  /** Only documents with an id of their own can come back different: others are known by their content. */
  #wantedIdentity(hashes: DocumentHashes): string | null {
    const identity = hashes.logicalIdHash.slice(0, HASH_BYTES);
    return this.#wanted.has(identity) ? identity : null;
  }

  #valueHash(batch: DocumentBatch, index: number, shape: DocumentShape): string {
    const bytes = payload(batch, index, shape);
    const text = valueText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
    return this.#codec.sha256(text === null ? bytes : Buffer.from(text, 'utf8'));
  }
}
