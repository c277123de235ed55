import { DocumentHasher } from '../../archive/document-hashes.ts';
import type { Codec } from '../../kernel/codec.ts';
import { type Scratch, SortedRuns } from '../../kernel/sorted-runs.ts';
import type { DocumentBatch, DocumentShape } from '../../model/document.ts';
import { scanKeyText } from '../../model/shape.ts';
import { SeenKeys } from '../../sources/scan/seen-keys.ts';

/** Of each of two sets, beside a writer at work: a scan has one, and waits for its server. */
const REMEMBERED = 40_000;

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
    const sizes = { ...scratch.sizes, rememberedKeys: Math.min(REMEMBERED, scratch.sizes.rememberedKeys) };
    const small: Scratch = { sizes, openTemporary: () => scratch.openTemporary() };
    this.#documents = new SeenKeys(small);
    this.#keys = new SeenKeys(small);
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

const HASH_BYTES = 8;

/** Finds out whether any key may occur twice, whatever the shape: it needs less memory than `Repeats`, which few files need. */
export class RepeatedKeys {
  readonly #codec: Codec;
  readonly #hashes: SortedRuns;

  constructor(codec: Codec, scratch: Scratch) {
    this.#codec = codec;
    this.#hashes = new SortedRuns(scratch, HASH_BYTES);
  }

  async look(batch: DocumentBatch): Promise<void> {
    for (let index = 0; index < batch.spans.count; index++) {
      const key =
        scanKeyText(batch, index, 'row') ??
        scanKeyText(batch, index, 'flat') ??
        scanKeyText(batch, index, 'flat_id');
      if (key === null) continue;
      this.#hashes.slot().write(this.#codec.sha256(key).slice(0, HASH_BYTES), 0, 'latin1');
      this.#hashes.added();
      if (this.#hashes.full) await this.#hashes.flush();
    }
  }

  async any(): Promise<boolean> {
    let former = '';
    for await (const piece of this.#hashes.sorted()) {
      const text = Buffer.from(piece).toString('latin1');
      for (let at = 0; at < text.length; at += HASH_BYTES) {
        const hash = text.slice(at, at + HASH_BYTES);
        if (hash === former) return true;
        former = hash;
      }
    }
    return false;
  }

  async close(): Promise<void> {
    await this.#hashes.close();
  }
}
