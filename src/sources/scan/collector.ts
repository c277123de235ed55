import type { Codec } from '../../kernel/codec.ts';
import { BackupError } from '../../kernel/errors.ts';
import type { DocumentBatch, DocumentShape } from '../../model/document.ts';
import { scanKey } from '../../model/shape.ts';
import type { PageReader } from './page-reader.ts';
import { fingerprint } from './page-reader.ts';
import type { SeenKeys } from './seen-keys.ts';

/** An offset that no collection reaches. */
const BEYOND_EVERYTHING = 1_000_000_000;

/** Keeps apart what an answer adds from what was received before, for the ways that read documents repeatedly. */
export class Collector {
  readonly shape: DocumentShape;
  readonly #codec: Codec;
  readonly #seen: SeenKeys;
  #lastFingerprint = '';
  #lastOffset = -1;

  constructor(codec: Codec, seen: SeenKeys, shape: DocumentShape) {
    this.#codec = codec;
    this.#seen = seen;
    this.shape = shape;
  }

  get count(): number {
    return this.#seen.count;
  }

  /** Hash of what identifies a document: its scan key, or its bytes where it has none. */
  keyHash(batch: DocumentBatch, index: number): string {
    const key = scanKey(batch, index, this.shape);
    return this.#codec.sha256(key ?? batch.bytes.subarray(batch.spans.start(index), batch.spans.end(index)));
  }

  /** Which documents of a batch are new; they count as received from now on. */
  async newOnes(batch: DocumentBatch): Promise<boolean[]> {
    const fresh: boolean[] = [];
    for (let index = 0; index < batch.spans.count; index++) {
      fresh.push(await this.#seen.add(this.keyHash(batch, index)));
    }
    return fresh;
  }

  /** Throws SOURCE_OFFSET_IGNORED if two equal pages in a row turn out to come from a server that ignores the offset. */
  async assertOffsetHonoured(reader: PageReader, batch: DocumentBatch, offset: number): Promise<void> {
    const print = fingerprint(batch, this.shape);
    const repeated = print !== '' && print === this.#lastFingerprint && offset !== this.#lastOffset;
    this.#lastFingerprint = print;
    this.#lastOffset = offset;
    if (!repeated) return;
    const beyond = await reader.read({ limit: 1, offset: BEYOND_EVERYTHING });
    if (beyond.spans.count === 0) return;
    throw new BackupError(
      'SOURCE_OFFSET_IGNORED',
      `the server ignores the offset when reading ${reader.pages.collection}: every page is page one`,
      {
        object: reader.pages.collection,
        cure: 'Try another --dialect; this one cannot read more than one page.',
      },
    );
  }
}

/** The batch with only the documents marked; null if none is. */
export function onlyMarked(batch: DocumentBatch, marks: readonly boolean[]): DocumentBatch | null {
  if (!marks.includes(true)) return null;
  if (marks.includes(false)) batch.spans.retain((index) => marks[index]!);
  return batch;
}
