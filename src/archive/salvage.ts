import type { Codec, Compression } from '../kernel/codec.ts';
import type { DocumentSpans } from '../kernel/json/document-spans.ts';
import { type BlockLengths, blockLengths, hasChecksum } from './block-lengths.ts';
import { beginsTrailer, parseHeaderLine, scanDocumentLines } from './block-text.ts';
import { areBelievable, type LengthLimits } from './stored-blocks.ts';

/** Reads the bytes `[start, end)` of an archive; fewer where it ends before that. */
export type ReadArchive = (start: number, end: number) => Promise<Buffer>;

/** A block that decompresses (its checksum agrees) to text as the writer writes it. */
export interface SoundBlock {
  readonly offset: number;
  readonly storedLength: number;
  readonly text: Buffer;
  /** SHA-256 of the stored bytes, latin1. */
  readonly hash: string;
  /** Null in the header line and the trailer. */
  readonly spans: DocumentSpans | null;
  /** The members of the header line; null in other blocks. */
  readonly header: Readonly<Record<string, unknown>> | null;
}

/** Bytes that are no sound block. */
interface Gap {
  readonly start: number;
  readonly end: number;
}

/** What stands at some offset. */
interface Finding {
  readonly block: SoundBlock | null;
  /** Where it ends, as far as its own lengths can be believed. */
  readonly end: number | null;
  /** True where the archive ends. */
  readonly nothing: boolean;
}

/** The first bytes of a block: a gzip member with an extra field, a zstd frame. */
const MAGIC: Record<Compression, Buffer> = {
  gzip: Buffer.of(0x1f, 0x8b, 0x08, 0x04),
  zstd: Buffer.of(0x28, 0xb5, 0x2f, 0xfd),
};
const PIECE_BYTES = 1 << 20;
const HEAD_BYTES = 64 * 1024;

/**
 * Takes an archive apart of which bytes are damaged, without an index: each block must prove itself. Behind a block that
 * is not sound it goes on where that one claims to end, if another begins there, else at the next place that looks like
 * the beginning of a block and is a sound one. (So what is inside a block is looked at only where its head is damaged: a
 * document may hold the bytes of a whole block.)
 */
export class Salvage {
  readonly #codec: Codec;
  readonly #read: ReadArchive;
  readonly #limits: LengthLimits;
  #window: { readonly start: number; readonly bytes: Buffer } = { start: 0, bytes: Buffer.alloc(0) };

  constructor(codec: Codec, read: ReadArchive, limits: LengthLimits) {
    this.#codec = codec;
    this.#read = read;
    this.#limits = limits;
  }

  /** Sound blocks and the gaps between them, in order, to the end of the archive, or to where it should end. */
  async *parts(): AsyncGenerator<SoundBlock | Gap> {
    let at = 0;
    let trailed = false;
    let found = await this.#findAt(0);
    while (!found.nothing) {
      if (found.block !== null) {
        trailed = found.block.spans === null && found.block.header === null;
        yield found.block;
        at += found.block.storedLength;
        found = await this.#findAt(at);
        continue;
      }
      const next = await this.#behind(at, found);
      const end = next.found.nothing ? Math.max(next.at, this.#limits.fileSize) : next.at;
      yield { start: at, end };
      at = end;
      found = next.found;
    }
    if (at < this.#limits.fileSize && !trailed) yield { start: at, end: this.#limits.fileSize };
  }

  /** Where it goes on behind what is not sound. */
  async #behind(start: number, { end }: Finding): Promise<{ readonly at: number; readonly found: Finding }> {
    if (end !== null) {
      const found = await this.#findAt(end);
      if (found.block !== null || found.end !== null || found.nothing) return { at: end, found };
    }
    const magic = MAGIC[this.#limits.compression];
    for (let at = start + 1; ; ) {
      const piece = await this.#bytes(at, PIECE_BYTES);
      const place = piece.indexOf(magic);
      if (place >= 0) {
        at += place;
        const found = await this.#findAt(at);
        if (found.block !== null) return { at, found };
        at++;
      } else if (piece.length < PIECE_BYTES) {
        at += piece.length;
        return { at, found: { block: null, end: null, nothing: true } };
      } else {
        at += piece.length - magic.length + 1;
      }
    }
  }

  async #findAt(offset: number): Promise<Finding> {
    const head = await this.#bytes(offset, 1);
    if (head.length === 0) return { block: null, end: null, nothing: true };
    const lengths = await this.#lengthsAt(offset);
    if (lengths === null) return { block: null, end: null, nothing: false };
    const { storedLength, rawLength } = lengths;
    const end = offset + storedLength;
    const stored = await this.#bytes(offset, storedLength);
    const block = stored.length < storedLength ? null : await this.#sound(offset, stored, rawLength);
    return { block, end: stored.length < storedLength ? null : end, nothing: false };
  }

  /** Null where no block can begin. */
  async #lengthsAt(offset: number): Promise<BlockLengths | null> {
    for (let length = HEAD_BYTES; ; length *= 2) {
      const head = await this.#bytes(offset, length);
      let lengths: BlockLengths | null;
      try {
        lengths = blockLengths(this.#limits.compression, head);
      } catch {
        return null;
      }
      if (lengths !== null) return areBelievable(lengths, this.#limits) ? lengths : null;
      if (head.length < length) return null;
    }
  }

  async #sound(offset: number, stored: Buffer, rawLength: number): Promise<SoundBlock | null> {
    const { compression } = this.#limits;
    if (!hasChecksum(compression, stored)) return null;
    const raw = await this.#codec.decompress(compression, stored, rawLength).catch(() => null);
    if (raw === null) return null;
    const text = Buffer.from(raw.buffer, raw.byteOffset, raw.length);
    const facts = { offset, storedLength: stored.length, text, hash: this.#codec.sha256(stored) };
    if (beginsTrailer(text)) return { ...facts, spans: null, header: null };
    try {
      return { ...facts, spans: null, header: parseHeaderLine(text) };
    } catch {
      // not the header line
    }
    try {
      const { spans } = scanDocumentLines(text, (what) => new Error(what));
      return { ...facts, spans, header: null };
    } catch {
      return null;
    }
  }

  /** So many bytes from here on, fewer at the end; valid until the next call. */
  async #bytes(offset: number, length: number): Promise<Buffer> {
    const { start, bytes } = this.#window;
    const from = offset - start;
    const held = from >= 0 && from + length <= bytes.length;
    if (!held) {
      const read = await this.#read(offset, offset + Math.max(length, PIECE_BYTES));
      this.#window = { start: offset, bytes: read };
      return read.subarray(0, length);
    }
    return bytes.subarray(from, from + length);
  }
}
