import { scanDocumentLines } from '../archive/block-text.ts';
import type { Block, IndexHeader } from '../archive/index-file.ts';
import { indexDamaged, type ReadIndex, readIndexHeader } from '../archive/index-lookup.ts';
import { indexKey } from '../archive/layout.ts';
import type { BlockBatch } from '../archive/reader.ts';
import { BackupError } from '../kernel/errors.ts';
import { diskCodeOf } from '../kernel/files.ts';
import { releaseMemory } from '../kernel/memory.ts';
import type { Manifest } from '../model/manifest.ts';
import type { Repository } from '../repository.ts';
import { READ_AHEAD } from './read-back.ts';
import { archiveDamaged } from './verified-reading.ts';

/** A block and its place in the archive. */
export interface NumberedBlock extends Block {
  readonly number: number;
}

/** Blocks up to this size in all stay in memory: what is selected is read more than once. */
const KEPT_BYTES_MAX = 4 << 20;
/** A length that is only claimed is believed once so many bytes have come. */
const CLAIM_BYTES_MAX = 1 << 20;

/** Reads ranges of a backup's objects, and blocks of its archive by their place and hash. Counts what it reads. */
export class BlockReading {
  bytesRead = 0;
  readonly #repository: Repository;
  readonly #manifest: Manifest;
  readonly #kept = new Map<number, Buffer>();
  #keptBytes = 0;

  constructor(repository: Repository, manifest: Manifest) {
    this.#repository = repository;
    this.#manifest = manifest;
  }

  /** For the parts of the index. What a manifest promises and the store or its disk does not have is INDEX_DAMAGED. */
  readIndex(signal: AbortSignal | undefined): ReadIndex {
    const key = indexKey(this.#manifest.backup_id);
    return async (start, end) => {
      try {
        return await this.range(key, start, end, signal);
      } catch (thrown) {
        if (isMissing(thrown)) throw indexDamaged(this.#manifest, 'it is gone', thrown);
        if (isUnreadable(thrown)) throw indexDamaged(this.#manifest, 'the disk cannot read it', thrown);
        throw thrown;
      }
    };
  }

  indexHeader(signal: AbortSignal | undefined): Promise<IndexHeader> {
    return readIndexHeader(this.#repository.platform.codec, this.readIndex(signal), this.#manifest);
  }

  /** The bytes `[start, end)` of an object, as many of them as there are. */
  async range(key: string, start: number, end: number, signal: AbortSignal | undefined): Promise<Buffer> {
    const length = end - start;
    if (length <= 0) return Buffer.alloc(0);
    let bytes = Buffer.alloc(0);
    let filled = 0;
    for await (const piece of this.#repository.store.get(key, { start, end }, signal)) {
      this.bytesRead += piece.length;
      if (filled + piece.length > length) throw new Error(`${key}: more bytes than were asked for`);
      if (filled + piece.length > bytes.length) {
        const wider = Math.max(2 * bytes.length, filled + piece.length);
        const believed = wider > CLAIM_BYTES_MAX ? length : Math.min(length, wider);
        bytes = Buffer.concat([bytes.subarray(0, filled)], believed);
      }
      bytes.set(piece, filled);
      filled += piece.length;
    }
    return bytes.subarray(0, filled);
  }

  /** The documents of each block, in this order. Throws ARCHIVE_DAMAGED at the first that is not what was written. */
  async *batches(
    blocks: readonly NumberedBlock[],
    signal: AbortSignal | undefined,
  ): AsyncGenerator<BlockBatch> {
    yield* inOrder(blocks, (block) => this.batch(block, signal));
  }

  /** The documents of one block; throws ARCHIVE_DAMAGED unless its stored bytes have the hash that it has here. */
  async batch(block: NumberedBlock, signal: AbortSignal | undefined): Promise<BlockBatch> {
    const { codec } = this.#repository.platform;
    const damaged = (what: string, cause?: unknown): BackupError =>
      archiveDamaged(this.#manifest, `block ${block.number} ${what}`, cause);
    const stored = this.#kept.get(block.number) ?? (await this.#read(block, damaged, signal));
    let text: Uint8Array;
    try {
      text = await codec.decompress(this.#manifest.compression, stored, block.rawLength);
    } catch (cause) {
      throw damaged('cannot be decompressed', cause);
    }
    if (!this.#kept.has(block.number)) releaseMemory(stored);
    const bytes = Buffer.from(text.buffer, text.byteOffset, text.length);
    const { spans } = scanDocumentLines(bytes, damaged);
    if (spans.count !== block.documents)
      throw damaged(`holds ${spans.count} documents instead of ${block.documents}`);
    return { block: block.number, bytes, spans };
  }

  /** Whether a block that holds no documents is what was written. */
  async isWhole(block: NumberedBlock, signal: AbortSignal | undefined): Promise<boolean> {
    const { object_path } = this.#manifest;
    const stored = await this.range(object_path, block.offset, block.offset + block.storedLength, signal);
    return this.#repository.platform.codec.sha256(stored) === block.hash;
  }

  async #read(
    block: NumberedBlock,
    damaged: (what: string, cause?: unknown) => BackupError,
    signal: AbortSignal | undefined,
  ): Promise<Buffer> {
    const { object_path } = this.#manifest;
    const { offset, storedLength } = block;
    let stored: Buffer;
    try {
      stored = await this.range(object_path, offset, offset + storedLength, signal);
    } catch (thrown) {
      if (!isMissing(thrown)) throw thrown;
      throw archiveDamaged(this.#manifest, 'it is gone', thrown);
    }
    if (stored.length < storedLength) throw damaged('is cut short');
    if (this.#repository.platform.codec.sha256(stored) !== block.hash)
      throw damaged('is not what was written');
    if (this.#keptBytes + storedLength <= KEPT_BYTES_MAX) {
      this.#kept.set(block.number, stored);
      this.#keptBytes += storedLength;
    }
    return stored;
  }
}

/** Results in the order of the items, the work on the next ones having begun. */
export async function* inOrder<Item, Result>(
  items: Iterable<Item>,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const ahead: Promise<Result>[] = [];
  try {
    for (const item of items) {
      const job = work(item);
      job.catch(() => {}); // seen when its turn comes
      ahead.push(job);
      if (ahead.length > READ_AHEAD) yield await ahead.shift()!;
    }
    while (ahead.length > 0) yield await ahead.shift()!;
  } finally {
    await Promise.allSettled(ahead);
  }
}

/** Whether a store failed because the disk has lost the bytes, which no repetition brings back. */
export function isUnreadable(thrown: unknown): boolean {
  return thrown instanceof BackupError && diskCodeOf(thrown.cause) === 'EIO';
}

function isMissing(thrown: unknown): boolean {
  return thrown instanceof BackupError && thrown.code === 'STORE_MISSING';
}
