import { type Codec, hexOf } from '../kernel/codec.ts';
import { BackupError } from '../kernel/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import {
  ENTRY_BYTES,
  INDEX_PAGE_BYTES,
  type IndexHeader,
  LOGICAL_ENTRY_BYTES,
  parseIndexHeader,
} from './index-file.ts';

/** Reads the bytes `[start, end)` of an index; fewer where it ends before that. */
export type ReadIndex = (start: number, end: number) => Promise<Buffer>;

/** Hash of an id as far as entries hold it. */
const PREFIX_BYTES = 8;
/** Hashes are spread evenly, so a place that is calculated is nearly right; more often than this it is not calculated. */
const CALCULATED_MAX = 6;
const PAGES_KEPT = 32;

/** Sorted entries of one width; each begins with the first bytes of a hash and the number of a block. */
interface Section {
  /** Of its first entry, from the end of the header. */
  readonly offset: number;
  readonly width: number;
  readonly count: number;
}

interface Entries {
  readonly first: number;
  readonly count: number;
  readonly bytes: Buffer;
}

/** Reads and proves the header of an index. Throws INDEX_DAMAGED. */
export async function readIndexHeader(
  codec: Codec,
  read: ReadIndex,
  manifest: Manifest,
): Promise<IndexHeader> {
  const { header_size, header_sha256, size } = manifest.index;
  const bytes = await read(0, header_size);
  const hash = hexOf(codec.sha256(bytes));
  if (bytes.length !== header_size || hash !== header_sha256) {
    throw indexDamaged(manifest, 'its header is not what was written');
  }
  const header = parseIndexHeader(bytes);
  if (header === null) throw indexDamaged(manifest, 'its header is not that of an index');
  const { documents, logicalEntries, blocks } = header;
  const bodyLength = documents * ENTRY_BYTES + logicalEntries * LOGICAL_ENTRY_BYTES;
  let end = 0;
  const adjoining = blocks.every(({ offset, storedLength }) => {
    const adjoins = offset === end;
    end += storedLength;
    return adjoins;
  });
  const fits =
    documents === manifest.document_count &&
    logicalEntries === (manifest.document_shape === 'flat' ? 0 : documents) &&
    size === header_size + bodyLength &&
    header.pageHashes.length === Math.ceil(bodyLength / INDEX_PAGE_BYTES) &&
    adjoining &&
    end === manifest.file_size &&
    blocks.reduce((sum, block) => sum + block.documents, 0) === documents;
  if (!fits) throw indexDamaged(manifest, 'it is that of another archive');
  return header;
}

/** Finds blocks by the logical ids of documents in them, reading only the pages that it needs, each proved. */
export class IndexLookup {
  readonly header: IndexHeader;
  readonly #codec: Codec;
  readonly #read: ReadIndex;
  readonly #manifest: Manifest;
  readonly #section: Section;
  /** The pages used last, the latest at the end. */
  readonly #pages = new Map<number, Buffer>();

  constructor(codec: Codec, read: ReadIndex, manifest: Manifest, header: IndexHeader) {
    this.header = header;
    this.#codec = codec;
    this.#read = read;
    this.#manifest = manifest;
    const entries = { offset: 0, width: ENTRY_BYTES, count: header.documents };
    // where the payload is the document, its scan key is its logical id
    this.#section =
      manifest.document_shape === 'flat'
        ? entries
        : {
            offset: header.documents * ENTRY_BYTES,
            width: LOGICAL_ENTRY_BYTES,
            count: header.logicalEntries,
          };
  }

  /**
   * Numbers of the blocks, ascending, that hold all documents with these ids, and perhaps none: eight bytes of a hash
   * may be those of another id. Takes SHA-256 of the ids (latin1). Throws INDEX_DAMAGED.
   */
  async blocksOf(idHashes: Iterable<string>): Promise<readonly number[]> {
    const prefixes = [...idHashes].map((hash) => Buffer.from(hash.slice(0, PREFIX_BYTES), 'latin1'));
    const blocks = new Set<number>();
    // in the order of the entries, so that pages that are kept are used again
    for (const prefix of prefixes.toSorted((one, other) => one.compare(other))) {
      for (let at = await this.#lowerBound(prefix); at < this.#section.count; at++) {
        const { first, bytes } = await this.#entriesAround(at);
        const start = (at - first) * this.#section.width;
        if (prefixAt(bytes, start).compare(prefix) !== 0) break;
        blocks.add(this.#existing(bytes.readUInt32BE(start + PREFIX_BYTES)));
      }
    }
    return [...blocks].toSorted((one, other) => one - other);
  }

  /** Index of the first entry that is not below `prefix`. */
  async #lowerBound(prefix: Buffer): Promise<number> {
    const { width } = this.#section;
    const wanted = asFraction(prefix);
    let [low, high] = [0, this.#section.count];
    let [below, above] = [0, 1];
    for (let turn = 0; low < high; turn++) {
      const share = turn < CALCULATED_MAX && above > below ? (wanted - below) / (above - below) : 0.5;
      const guess = Math.min(high - 1, Math.max(low, Math.floor(low + share * (high - low))));
      const { first, count, bytes } = await this.#entriesAround(guess);
      const [lowest, highest] = [prefixAt(bytes, 0), prefixAt(bytes, (count - 1) * width)];
      if (prefix.compare(lowest) <= 0) {
        high = first;
        above = asFraction(lowest);
      } else if (prefix.compare(highest) > 0) {
        low = first + count;
        below = asFraction(highest);
      } else {
        return first + lowerBoundIn(bytes, count, width, prefix);
      }
    }
    return low;
  }

  /** The entries that lie wholly in the page in which this one begins; of one that lies across two pages, itself. */
  async #entriesAround(index: number): Promise<Entries> {
    const { offset, width, count } = this.#section;
    const start = offset + index * width;
    const number = Math.floor(start / INDEX_PAGE_BYTES);
    const page = await this.#page(number);
    const pageStart = number * INDEX_PAGE_BYTES;
    const pageEnd = pageStart + INDEX_PAGE_BYTES;
    if (start + width > pageEnd) {
      const rest = (await this.#page(number + 1)).subarray(0, start + width - pageEnd);
      return { first: index, count: 1, bytes: Buffer.concat([page.subarray(start - pageStart), rest]) };
    }
    const first = Math.max(0, Math.ceil((pageStart - offset) / width));
    const end = Math.min(count, Math.floor((pageEnd - offset) / width));
    const from = offset + first * width - pageStart;
    return { first, count: end - first, bytes: page.subarray(from, from + (end - first) * width) };
  }

  async #page(number: number): Promise<Buffer> {
    const kept = this.#pages.get(number);
    this.#pages.delete(number);
    const page = kept ?? (await this.#readPage(number));
    this.#pages.set(number, page);
    for (const oldest of this.#pages.keys()) {
      if (this.#pages.size <= PAGES_KEPT) break;
      this.#pages.delete(oldest);
    }
    return page;
  }

  async #readPage(number: number): Promise<Buffer> {
    const { header_size, size } = this.#manifest.index;
    const start = header_size + number * INDEX_PAGE_BYTES;
    const end = Math.min(start + INDEX_PAGE_BYTES, size);
    const page = await this.#read(start, end);
    if (page.length !== end - start || this.#codec.sha256(page) !== this.header.pageHashes[number]) {
      throw indexDamaged(this.#manifest, `page ${number} is not what was written`);
    }
    return page;
  }

  #existing(block: number): number {
    if ((this.header.blocks[block]?.documents ?? 0) > 0) return block;
    throw indexDamaged(this.#manifest, `it names block ${block}, which holds no documents`);
  }
}

export function indexDamaged(manifest: Manifest, what: string, cause?: unknown): BackupError {
  return new BackupError('INDEX_DAMAGED', `the index of ${manifest.backup_id} is damaged: ${what}`, {
    object: manifest.backup_id,
    kept: 'The archive does not depend on it: this backup still restores.',
    cure: 'Make a new backup; a restore works from the archive alone.',
    cause,
  });
}

function lowerBoundIn(entries: Buffer, count: number, width: number, prefix: Buffer): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (prefixAt(entries, middle * width).compare(prefix) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function prefixAt(entries: Buffer, start: number): Buffer {
  return entries.subarray(start, start + PREFIX_BYTES);
}

/** Where a hash stands among all hashes, from 0 to 1. */
function asFraction(prefix: Buffer): number {
  return prefix.readUInt32BE(0) / 2 ** 32 + prefix.readUInt32BE(4) / 2 ** 64;
}
