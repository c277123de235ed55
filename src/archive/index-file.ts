import type { Codec } from '../kernel/codec.ts';
import type { Scratch } from '../kernel/sorted-runs.ts';
import { SortedRuns } from '../kernel/sorted-runs.ts';

/**
 * The index of an archive (design.md §5.3, byte by byte in docs/format.md). All numbers are big-endian.
 *
 * header  8 magic `ZDBINDEX` · u32 version 1 · u32 flags (bit 0: logical section) · u32 blocks · u64 documents ·
 *         u64 logical entries · u32 pages · u32 zero · blocks × 52 (u64 offset, u32 stored length, u32 raw length,
 *         u32 documents, 32 SHA-256 of the stored block) · pages × 32 (SHA-256 of each following 64 KiB page)
 * then    one 28-byte entry a document, sorted: SHA-256(scan key)[0..8) ‖ block u32 ‖ leaf
 * then    where flag bit 0 is set, 12-byte entries, sorted: SHA-256(logical id)[0..8) ‖ block u32
 */
const INDEX_MAGIC = 'ZDBINDEX';
const INDEX_VERSION = 1;
export const INDEX_PAGE_BYTES = 64 * 1024;
export const ENTRY_BYTES = 28;
export const LOGICAL_ENTRY_BYTES = 12;
const FIXED_BYTES = 44;
const BLOCK_BYTES = 52;
const FLAG_LOGICAL = 1;

/** One independently compressed piece of an archive. */
export interface Block {
  readonly offset: number;
  readonly storedLength: number;
  readonly rawLength: number;
  readonly documents: number;
  /** SHA-256 of the stored bytes, latin1. */
  readonly hash: string;
}

export interface EncodedIndex {
  readonly header: Buffer;
  /** The bytes behind the header; may be read repeatedly. */
  body(): AsyncIterable<Uint8Array>;
}

/** Collects the entries of an archive while it is written or read; `close` must be called. */
export class IndexBuilder {
  readonly #codec: Codec;
  readonly #entries: SortedRuns;
  readonly #logical: SortedRuns | null;

  /** @param withLogical whether the logical section is written: for every shape but `flat` */
  constructor(codec: Codec, scratch: Scratch, withLogical: boolean) {
    this.#codec = codec;
    this.#entries = new SortedRuns(scratch, ENTRY_BYTES);
    this.#logical = withLogical ? new SortedRuns(scratch, LOGICAL_ENTRY_BYTES) : null;
  }

  /** Hashes are latin1 strings of at least the length that is used of them. */
  add(scanKeyHash: string, block: number, leaf: string, logicalIdHash: string): void {
    const entry = this.#entries.slot();
    setHash(entry, 0, scanKeyHash, 8);
    entry.writeUInt32BE(block, 8);
    setHash(entry, 12, leaf, 16);
    this.#entries.added();
    if (this.#logical === null) return;
    const logical = this.#logical.slot();
    setHash(logical, 0, logicalIdHash, 8);
    logical.writeUInt32BE(block, 8);
    this.#logical.added();
  }

  /** True when `flush` must be awaited before the next `add`. */
  get full(): boolean {
    return this.#entries.full || this.#logical?.full === true;
  }

  async flush(): Promise<void> {
    if (this.#entries.full) await this.#entries.flush();
    if (this.#logical?.full === true) await this.#logical.flush();
  }

  async encode(blocks: readonly Block[]): Promise<EncodedIndex> {
    const entries = this.#entries;
    const logical = this.#logical;
    async function* sections() {
      yield* entries.sorted();
      if (logical !== null) yield* logical.sorted();
    }
    const pageHashes: string[] = [];
    for await (const page of inPages(sections())) pageHashes.push(this.#codec.sha256(page));
    const header = encodeHeader(blocks, entries.count, logical?.count ?? null, pageHashes);
    return { header, body: sections };
  }

  async close(): Promise<void> {
    await this.#entries.close();
    await this.#logical?.close();
  }
}

/** Puts the first `length` bytes of a hash in their place: so few that a call of `write` costs more. */
function setHash(entry: Buffer, at: number, hash: string, length: number): void {
  for (let index = 0; index < length; index++) entry[at + index] = hash.charCodeAt(index);
}

function encodeHeader(
  blocks: readonly Block[],
  documents: number,
  logicalEntries: number | null,
  pageHashes: readonly string[],
): Buffer {
  const header = Buffer.alloc(FIXED_BYTES + blocks.length * BLOCK_BYTES + pageHashes.length * 32);
  header.write(INDEX_MAGIC, 0, 8, 'latin1');
  header.writeUInt32BE(INDEX_VERSION, 8);
  header.writeUInt32BE(logicalEntries === null ? 0 : FLAG_LOGICAL, 12);
  header.writeUInt32BE(blocks.length, 16);
  header.writeBigUInt64BE(BigInt(documents), 20);
  header.writeBigUInt64BE(BigInt(logicalEntries ?? 0), 28);
  header.writeUInt32BE(pageHashes.length, 36);
  let at = FIXED_BYTES;
  for (const block of blocks) {
    header.writeBigUInt64BE(BigInt(block.offset), at);
    header.writeUInt32BE(block.storedLength, at + 8);
    header.writeUInt32BE(block.rawLength, at + 12);
    header.writeUInt32BE(block.documents, at + 16);
    header.write(block.hash, at + 20, 32, 'latin1');
    at += BLOCK_BYTES;
  }
  for (const hash of pageHashes) {
    header.write(hash, at, 32, 'latin1');
    at += 32;
  }
  return header;
}

export interface IndexHeader {
  readonly blocks: readonly Block[];
  readonly documents: number;
  readonly logicalEntries: number;
  readonly pageHashes: readonly string[];
}

/** Reads a header whose hash has been found good; null if it is not one of this version. */
export function parseIndexHeader(header: Buffer): IndexHeader | null {
  if (header.length < FIXED_BYTES || header.toString('latin1', 0, 8) !== INDEX_MAGIC) return null;
  if (header.readUInt32BE(8) !== INDEX_VERSION) return null;
  const blockCount = header.readUInt32BE(16);
  const pageCount = header.readUInt32BE(36);
  if (header.length !== FIXED_BYTES + blockCount * BLOCK_BYTES + pageCount * 32) return null;
  const blocks = Array.from({ length: blockCount }, (_, index): Block => {
    const at = FIXED_BYTES + index * BLOCK_BYTES;
    return {
      offset: Number(header.readBigUInt64BE(at)),
      storedLength: header.readUInt32BE(at + 8),
      rawLength: header.readUInt32BE(at + 12),
      documents: header.readUInt32BE(at + 16),
      hash: header.toString('latin1', at + 20, at + 52),
    };
  });
  const pagesAt = FIXED_BYTES + blockCount * BLOCK_BYTES;
  return {
    blocks,
    documents: Number(header.readBigUInt64BE(20)),
    logicalEntries: Number(header.readBigUInt64BE(28)),
    pageHashes: Array.from({ length: pageCount }, (_, index) =>
      header.toString('latin1', pagesAt + 32 * index, pagesAt + 32 * index + 32),
    ),
  };
}

/** Cuts a stream of pieces into pages of 64 KiB; the last may be shorter. A page is valid until the next pull. */
async function* inPages(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const page = Buffer.allocUnsafeSlow(INDEX_PAGE_BYTES);
  let filled = 0;
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const taken = Math.min(piece.length - at, INDEX_PAGE_BYTES - filled);
      page.set(piece.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
      if (filled === INDEX_PAGE_BYTES) {
        yield page;
        filled = 0;
      }
    }
  }
  if (filled > 0) yield page.subarray(0, filled);
}
