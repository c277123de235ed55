import { DocumentHasher } from '../../../archive/document-hashes.ts';
import { BackupError } from '../../../kernel/errors.ts';
import { HASH_BYTES } from '../match/records.ts';
import { BY_PAGES_ONLY, type TargetReading, type TargetState } from './reading.ts';

/** What was read longer ago is looked at once more before it is written over or deleted. */
const TRUSTED_MS = 10_000;

/**
 * Whether documents still are as they were read. A plan may wait for hours until somebody agrees to it, and a large
 * restore takes as long: what others write meanwhile is in no pre-image, and would be lost.
 */
export class SecondLook {
  readonly #reading: TargetReading;
  readonly #hasher: DocumentHasher;
  readonly #readAt: number;
  /** False once the server turns out not to serve documents by their keys. */
  #possible = true;

  constructor(reading: TargetReading, { shape, readAt }: Pick<TargetState, 'shape' | 'readAt'>) {
    this.#reading = reading;
    this.#hasher = new DocumentHasher(reading.platform.codec, shape);
    this.#readAt = readAt;
  }

  /** @param payload the first 128 bits of its hash; true also of a document that is gone */
  async isAsRead(key: Uint8Array, payload: Buffer): Promise<boolean> {
    const { platform, collection, signal } = this.#reading;
    if (!this.#possible || platform.clock.monotonic() - this.#readAt < TRUSTED_MS) return true;
    try {
      const now = await collection.document(key, signal);
      if (now === null) return true;
      return this.#hasher.read(now, 0).payloadHash.startsWith(payload.toString('latin1', 0, HASH_BYTES));
    } catch (thrown) {
      if (!(thrown instanceof BackupError && BY_PAGES_ONLY.includes(thrown.code))) throw thrown;
      this.#possible = false;
      return true;
    }
  }
}
