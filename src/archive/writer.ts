import type { Codec, Sha256Stream } from '../kernel/codec.ts';
import { releaseMemory } from '../kernel/memory.ts';
import type { Scratch } from '../kernel/sorted-runs.ts';
import type { DocumentBatch } from '../model/document.ts';
import { withBlockLengths } from './block-lengths.ts';
import { DocumentHasher, DocumentTotals } from './document-hashes.ts';
import { type ArchiveHeader, type ArchiveSettings, headerText, TRAILER_START, trailerEnd } from './format.ts';
import { type Block, IndexBuilder } from './index-file.ts';

const COMMA = 0x2c;
const LINE_FEED = 0x0a;
const COMMA_LINE = Buffer.of(COMMA, LINE_FEED);
const LINE = Buffer.from('\n');
const GZIP_LEVEL = 6;
const ZSTD_LEVELS = [1, 3] as const;

/** A block as the read-back must find it. */
export interface WrittenBlock extends Block {
  /** CRC-32 of the raw bytes, taken before compression. */
  readonly rawCrc: number;
}

/**
 * Turns documents into the bytes of one archive. `pieces` is pulled by the store; while it waits, up to
 * `settings.inFlight` blocks are being compressed. When it has ended, the other members tell what was written.
 *
 * Whoever creates a writer closes it.
 */
export class ArchiveWriter {
  readonly totals = new DocumentTotals();
  readonly blocks: WrittenBlock[] = [];
  readonly index: IndexBuilder;
  rawSize = 0;
  fileSize = 0;

  readonly #codec: Codec;
  readonly #header: ArchiveHeader;
  readonly #settings: ArchiveSettings;
  readonly #hasher: DocumentHasher;
  readonly #fileHash: Sha256Stream;
  /** A block is closed before the document that would take it beyond this; a larger document has a block of its own. */
  readonly #blockBytesMax: number;
  readonly #freeBuffers: Buffer[] = [];
  readonly #queue: Promise<CompressedBlock>[] = [];
  /** Settled by the first block where it is left to us. */
  #level: Promise<number> | null;

  #block: Buffer;
  #used = 0;
  #documents = 0;
  /** Number of the block that is being filled; block 0 is the header line. */
  #blockNumber = 1;

  constructor(codec: Codec, scratch: Scratch, header: ArchiveHeader, settings: ArchiveSettings) {
    this.#codec = codec;
    this.#header = header;
    this.#settings = settings;
    this.#blockBytesMax = scratch.sizes.blockBytes;
    this.#hasher = new DocumentHasher(codec, header.shape);
    this.#fileHash = codec.createSha256();
    const level = settings.level ?? (settings.compression === 'gzip' ? GZIP_LEVEL : null);
    this.#level = level === null ? null : Promise.resolve(level);
    this.#block = Buffer.allocUnsafeSlow(this.#blockBytesMax);
    this.index = new IndexBuilder(codec, scratch, header.shape !== 'flat');
  }

  /**
   * Takes over the batches: their memory is released as soon as their documents are in blocks. `deletedKeys` is asked
   * behind the last one: JSON texts of the scan keys of documents that the base holds and the state does not.
   */
  async *pieces(
    batches: AsyncIterable<DocumentBatch>,
    deletedKeys: () => readonly Uint8Array[] = () => [],
  ): AsyncGenerator<Uint8Array> {
    this.#enqueue([Buffer.from(headerText(this.#header))], 0);
    for await (const batch of batches) {
      this.totals.addEncoding(batch);
      let allCopied = true;
      for (let index = 0; index < batch.spans.count; index++) {
        const length = batch.spans.end(index) - batch.spans.start(index);
        const separator = this.#documents > 0 ? COMMA_LINE.length : 0;
        if (this.#used > 0 && this.#used + separator + length + COMMA_LINE.length > this.#blockBytesMax) {
          yield* this.#closeBlock(COMMA_LINE);
        }
        const hashes = this.#hasher.read(batch, index);
        this.totals.add(hashes);
        this.index.add(hashes.scanKeyHash, this.#blockNumber, hashes.leaf, hashes.logicalIdHash);
        if (this.index.full) await this.index.flush();
        if (length + COMMA_LINE.length > this.#blockBytesMax) {
          yield* this.#largeDocument(batch, index);
          allCopied = false;
        } else {
          this.#append(batch, index);
        }
      }
      if (allCopied) releaseMemory(batch.bytes);
    }
    yield* this.#closeBlock(LINE);
    yield* this.#trailer(deletedKeys());
    yield* this.#drain(0);
  }

  /** In blocks as large as those of documents; only the first begins as no document does. */
  async *#trailer(deletedKeys: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
    let parts: Uint8Array[] = [Buffer.from(TRAILER_START)];
    let length = 0;
    for (const [index, key] of deletedKeys.entries()) {
      if (length + key.length > this.#blockBytesMax) {
        this.#enqueue(parts, 0);
        yield* this.#drain(this.#settings.inFlight);
        [parts, length] = [[], 0];
      }
      if (index > 0) parts.push(Buffer.of(COMMA));
      parts.push(key);
      length += key.length + 1;
    }
    parts.push(Buffer.from(trailerEnd(this.totals.documentCount, this.totals.documentsDigest)));
    this.#enqueue(parts, 0);
  }

  /** SHA-256 of the whole archive in hex; once, after `pieces` has ended. */
  fileHash(): string {
    return this.#fileHash.hex();
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#queue);
    await this.index.close();
  }

  #append(batch: DocumentBatch, index: number): void {
    if (this.#documents > 0) {
      this.#block[this.#used++] = COMMA;
      this.#block[this.#used++] = LINE_FEED;
    }
    const start = batch.spans.start(index);
    const end = batch.spans.end(index);
    this.#block.set(batch.bytes.subarray(start, end), this.#used);
    this.#used += end - start;
    this.#documents++;
  }

  /**
   * A document of its own block is compressed straight from the answer it came in, without a copy. Whether a comma
   * follows is known only when the next document comes, so it waits in `#large` for `#closeBlock`.
   */
  async *#largeDocument(batch: DocumentBatch, index: number): AsyncGenerator<Uint8Array> {
    yield* this.#drain(0);
    this.#large = batch.bytes.subarray(batch.spans.start(index), batch.spans.end(index));
    this.#used = this.#large.length;
    this.#documents = 1;
  }
  #large: Uint8Array | null = null;

  /** Hands the current block over to the compressor, ended with `,\n` if another document follows, else `\n`. */
  async *#closeBlock(ending: Buffer): AsyncGenerator<Uint8Array> {
    if (this.#documents === 0) return;
    if (this.#large !== null) {
      this.#enqueue([this.#large, ending], 1);
      this.#large = null;
    } else {
      const length = this.#used + ending.copy(this.#block, this.#used);
      const block = this.#block;
      this.#enqueue([block.subarray(0, length)], this.#documents, block);
      this.#block = this.#freeBuffers.pop() ?? Buffer.allocUnsafeSlow(this.#blockBytesMax);
    }
    this.#used = 0;
    this.#documents = 0;
    this.#blockNumber++;
    yield* this.#drain(this.#settings.inFlight);
  }

  #enqueue(parts: readonly Uint8Array[], documents: number, buffer?: Buffer): void {
    const job = this.#compress(parts, documents).finally(() => {
      if (buffer !== undefined) this.#freeBuffers.push(buffer);
    });
    job.catch(() => {}); // seen by whoever drains the queue
    this.#queue.push(job);
  }

  async #compress(parts: readonly Uint8Array[], documents: number): Promise<CompressedBlock> {
    let rawLength = 0;
    let rawCrc = 0;
    for (const part of parts) {
      rawLength += part.length;
      rawCrc = this.#codec.crc32(part, rawCrc);
    }
    const { compression } = this.#settings;
    if (documents > 0) this.#level ??= this.#chooseZstdLevel(parts);
    const level = (await this.#level) ?? ZSTD_LEVELS[1];
    const stored = withBlockLengths(
      compression,
      await this.#codec.compress(compression, level, parts),
      rawLength,
    );
    return { stored, rawLength, rawCrc, documents };
  }

  async #chooseZstdLevel(parts: readonly Uint8Array[]): Promise<number> {
    const [fast, small] = await Promise.all(
      ZSTD_LEVELS.map(async (level) => totalLength(await this.#codec.compress('zstd', level, parts))),
    );
    return fast! <= small! * 1.02 ? ZSTD_LEVELS[0] : ZSTD_LEVELS[1];
  }

  /** Yields finished blocks in their order until at most `left` are unfinished. */
  async *#drain(left: number): AsyncGenerator<Uint8Array> {
    while (this.#queue.length > left) {
      const block = await this.#queue.shift()!;
      const blockHash = this.#codec.createSha256();
      const offset = this.fileSize;
      for (const piece of block.stored) {
        blockHash.update(piece);
        this.#fileHash.update(piece);
        this.fileSize += piece.length;
      }
      this.rawSize += block.rawLength;
      this.blocks.push({
        offset,
        storedLength: this.fileSize - offset,
        rawLength: block.rawLength,
        documents: block.documents,
        hash: Buffer.from(blockHash.hex(), 'hex').toString('latin1'),
        rawCrc: block.rawCrc,
      });
      yield* block.stored;
      for (const piece of block.stored) releaseMemory(piece);
    }
  }
}

interface CompressedBlock {
  readonly stored: readonly Uint8Array[];
  readonly rawLength: number;
  readonly rawCrc: number;
  readonly documents: number;
}

function totalLength(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}
