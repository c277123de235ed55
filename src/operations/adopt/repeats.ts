import { DocumentHasher } from '../../archive/document-hashes.ts';
import type { Codec } from '../../kernel/codec.ts';
import type { Scratch } from '../../kernel/sorted-runs.ts';
import type { DocumentBatch, DocumentShape } from '../../model/document.ts';
import { SeenKeys } from '../../sources/scan/seen-keys.ts';

/**
 * Leaves out documents that the predecessor received twice: paging by offset, it met a document again when others were
 * inserted before it. Only the same key with the same bytes is a repetition; other bytes under a key that was there
 * are another version of the document, which is kept and counted.
 */
export class Repeats {
  /** Documents that were left out. */
  dropped = 0;
  /** Documents under a key that another one has. */
  versions = 0;
  readonly #codec: Codec;
  readonly #hasher: DocumentHasher;
  readonly #documents: SeenKeys;
  readonly #keys: SeenKeys;

  constructor(codec: Codec, scratch: Scratch, shape: DocumentShape) {
    this.#codec = codec;
    this.#hasher = new DocumentHasher(codec, shape);
    this.#documents = new SeenKeys(scratch);
    this.#keys = new SeenKeys(scratch);
  }

  async *leftOutOf(batches: AsyncIterable<DocumentBatch>): AsyncGenerator<DocumentBatch> {
    try {
      for await (const batch of batches) {
        const kept: boolean[] = [];
        for (let index = 0; index < batch.spans.count; index++) kept.push(await this.#isFirst(batch, index));
        batch.spans.retain((index) => kept[index]!);
        yield batch;
      }
    } finally {
      await this.#documents.close();
      await this.#keys.close();
    }
  }

  async #isFirst(batch: DocumentBatch, index: number): Promise<boolean> {
    const { unkeyed, leaf, scanKeyHash, numericKey } = this.#hasher.read(batch, index);
    if (unkeyed) return true; // nothing says that equal ones are one
    // the text "7" and the number 7 have one hash
    const key = this.#codec.sha256(Buffer.from(`${scanKeyHash}${numericKey ? 'n' : 't'}`, 'latin1'));
    if (!(await this.#documents.add(leaf))) {
      this.dropped++;
      return false;
    }
    if (!(await this.#keys.add(key))) this.versions++;
    return true;
  }
}
