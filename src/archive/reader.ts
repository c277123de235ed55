import type { Codec } from '../kernel/codec.ts';
import { BackupError } from '../kernel/errors.ts';
import { decodedKey } from '../kernel/json/strings.ts';
import { truncated } from '../kernel/printable.ts';
import { DOCUMENT_SHAPES, type DocumentBatch, type DocumentShape } from '../model/document.ts';
import { ARCHIVE_VERSION, FORMAT } from '../model/manifest.ts';
import { beginsTrailer, parseHeaderLine, scanDocumentLines } from './block-text.ts';
import { HEADER_MEMBERS, TRAILER_MEMBERS } from './format.ts';
import type { Block } from './index-file.ts';
import { type LengthLimits, storedBlocks } from './stored-blocks.ts';

/** What an archive says about itself in its first line. */
export interface ReadHeader {
  readonly backupId: string;
  readonly collection: string;
  readonly backupType: unknown;
  readonly timestamp: unknown;
  readonly shape: DocumentShape;
}

export interface ReadTrailer {
  readonly documentCount: number;
  readonly documentsDigest: string;
  /** Scan keys, decoded as the hashes of keys take them (design.md §5.3). */
  readonly deletedKeys: readonly Uint8Array[];
}

/** The documents of one block. */
export interface BlockBatch extends DocumentBatch {
  /** Place of the block in the archive; the header line is block 0. */
  readonly block: number;
}

/** A block after decompression. */
export interface RawBlock {
  readonly number: number;
  readonly offset: number;
  readonly storedLength: number;
  readonly text: Buffer;
  /** SHA-256 of the stored bytes, latin1. */
  readonly hash: string;
}

export interface ReadLimits extends LengthLimits {
  /** Blocks decompressed ahead. */
  readonly inFlight: number;
}

/**
 * Takes an archive apart again, in bounded memory: block by block, each decompressed alone. Anything that is not as
 * the writer writes it throws ARCHIVE_DAMAGED with the number of the block.
 *
 * It proves the text's form, not its truth: compare `fileHash`, counts and digests with the manifest.
 */
export class ArchiveReader {
  header: ReadHeader | null = null;
  trailer: ReadTrailer | null = null;
  readonly blocks: Block[] = [];
  rawSize = 0;

  readonly #codec: Codec;
  readonly #backupId: string;
  readonly #limits: ReadLimits;

  constructor(codec: Codec, backupId: string, limits: ReadLimits) {
    this.#codec = codec;
    this.#backupId = backupId;
    this.#limits = limits;
  }

  /** The documents, block by block; the receiver may release a batch's memory when it pulls the next one. */
  async *batches(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<BlockBatch> {
    let moreToCome = true;
    const trailer: Buffer[] = [];
    for await (const block of this.rawBlocks(pieces)) {
      let documents = 0;
      const rawLength = block.text.length;
      if (block.number === 0) {
        this.header = this.#parseHeader(block.text);
      } else if (trailer.length > 0 || beginsTrailer(block.text)) {
        trailer.push(block.text);
      } else {
        if (!moreToCome) throw this.#damaged(block.number, 'holds documents after the last one');
        const scanner = scanDocumentLines(block.text, (what, cause) =>
          this.#damaged(block.number, what, cause),
        );
        documents = scanner.spans.count;
        moreToCome = scanner.endsWithComma;
        yield { block: block.number, bytes: block.text, spans: scanner.spans };
      }
      this.rawSize += rawLength;
      this.blocks.push({
        offset: block.offset,
        storedLength: block.storedLength,
        rawLength,
        documents,
        hash: block.hash,
      });
    }
    const anyDocuments = this.blocks.some((block) => block.documents > 0);
    if (anyDocuments && moreToCome)
      throw this.#damaged(this.blocks.length, 'is missing: more documents were to follow');
    this.trailer = this.#parseTrailer(Buffer.concat(trailer));
  }

  /** The blocks in their order, each at most once in memory together with those decompressed ahead. */
  async *rawBlocks(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<RawBlock> {
    const ahead: Promise<RawBlock>[] = [];
    try {
      let number = 0;
      let offset = 0;
      for await (const stored of storedBlocks(pieces, this.#limits, this.#damaged.bind(this))) {
        const job = this.#decompress(number, offset, stored.bytes, stored.rawLength);
        job.catch(() => {}); // seen when its turn comes
        ahead.push(job);
        number++;
        offset += stored.bytes.length;
        if (ahead.length > this.#limits.inFlight) yield await ahead.shift()!;
      }
      while (ahead.length > 0) yield await ahead.shift()!;
    } finally {
      await Promise.allSettled(ahead);
    }
  }

  async #decompress(number: number, offset: number, stored: Buffer, rawLength: number): Promise<RawBlock> {
    const hash = this.#codec.sha256(stored);
    try {
      const text = await this.#codec.decompress(this.#limits.compression, stored, rawLength);
      const buffer = Buffer.from(text.buffer, text.byteOffset, text.length);
      return { number, offset, storedLength: stored.length, text: buffer, hash };
    } catch (cause) {
      throw this.#damaged(number, 'cannot be decompressed', cause);
    }
  }

  #parseHeader(text: Buffer): ReadHeader {
    let value: Readonly<Record<string, unknown>>;
    try {
      value = parseHeaderLine(text);
    } catch (cause) {
      throw this.#damaged(0, 'is not the header line of an archive', cause);
    }
    if (value.format !== FORMAT) throw this.#unknown('format', value.format);
    if (value.version !== ARCHIVE_VERSION) throw this.#unknown('version', value.version);
    const shape = DOCUMENT_SHAPES.find((known) => known === value.document_shape);
    if (
      shape === undefined ||
      typeof value.collection !== 'string' ||
      value.backup_id !== this.#backupId ||
      !hasExactly(value, HEADER_MEMBERS)
    ) {
      throw this.#damaged(0, 'is the header line of another archive');
    }
    return {
      backupId: this.#backupId,
      collection: value.collection,
      backupType: value.backup_type,
      timestamp: value.timestamp,
      shape,
    };
  }

  #parseTrailer(text: Buffer): ReadTrailer {
    try {
      const value = JSON.parse(`{"documents":[${text.toString('utf8')}`, withKeyTexts) as Record<
        string,
        unknown
      >;
      const {
        document_count: documentCount,
        documents_digest: documentsDigest,
        deleted_ids: deletedKeys,
      } = value;
      if (
        typeof documentCount !== 'number' ||
        typeof documentsDigest !== 'string' ||
        !Array.isArray(deletedKeys) ||
        !deletedKeys.every((key) => key instanceof KeyText) ||
        !hasExactly(value, TRAILER_MEMBERS)
      ) {
        throw new Error('its members are others');
      }
      return { documentCount, documentsDigest, deletedKeys: deletedKeys.map((key) => key.decoded()) };
    } catch (cause) {
      throw this.#damaged(this.blocks.length, 'is not the trailer of an archive', cause);
    }
  }

  /** No value but text can be a format that anybody will ever write. */
  #unknown(member: 'format' | 'version', value: unknown): BackupError {
    if (typeof value !== 'string') return this.#damaged(0, `has a ${member} that is no text`);
    const shown = JSON.stringify(truncated(value, 50));
    return new BackupError('FORMAT_UNKNOWN', `archive of ${this.#backupId} has ${member} ${shown}`, {
      object: this.#backupId,
      cure: `Use a newer zerodb-backup: this one reads ${FORMAT}.`,
    });
  }

  #damaged(block: number, what: string, cause?: unknown): BackupError {
    return new BackupError('ARCHIVE_DAMAGED', `block ${block} of the archive of ${this.#backupId} ${what}`, {
      object: this.#backupId,
      cure: 'Restore another backup of this collection: `list` shows them.',
      cause,
    });
  }
}

/** JSON text of a key: a number has no other form that keeps its digits, a text none that keeps lone surrogates. */
class KeyText {
  readonly #json: Buffer;
  constructor(json: string) {
    this.#json = Buffer.from(json);
  }
  decoded(): Uint8Array {
    return decodedKey(this.#json, 0, this.#json.length);
  }
}

/** For JSON.parse: numbers and texts in lists become KeyTexts. */
function withKeyTexts(this: unknown, _name: string, value: unknown, context?: { source?: string }): unknown {
  if (!Array.isArray(this) || (typeof value !== 'string' && typeof value !== 'number')) return value;
  return new KeyText(typeof value === 'number' ? context!.source! : JSON.stringify(value));
}

function hasExactly(value: Readonly<Record<string, unknown>>, members: readonly string[]): boolean {
  return Object.keys(value).join() === members.join();
}
