import type { Compression } from '../kernel/codec.ts';

/**
 * Where a block ends, told by the block itself, so that an archive can be taken apart without its index and without
 * decompressing twice.
 *
 * gzip: each member carries a FEXTRA subfield `ZB` (RFC 1952 §2.3.1.1; the idea is that of BGZF in the SAM
 * specification) of two big-endian u32: stored length of the member, raw length. zstd: frames are walked by their block
 * headers (RFC 8878 §3.1.1); the raw length is the frame's content size.
 */
export interface BlockLengths {
  readonly storedLength: number;
  readonly rawLength: number;
}

const EXTRA_HEADER_BYTES = 24;
const PLAIN_HEADER_BYTES = 10;

/** A compressed member or frame with its lengths in it; zstd frames have them already. */
export function withBlockLengths(
  compression: Compression,
  stored: readonly Uint8Array[],
  rawLength: number,
): readonly Uint8Array[] {
  if (compression === 'zstd') return stored;
  const first = stored[0]!;
  if (first.length < PLAIN_HEADER_BYTES || first[3] !== 0) {
    throw new Error('the compressor wrote a gzip header of another form');
  }
  const storedLength =
    stored.reduce((sum, part) => sum + part.length, 0) + EXTRA_HEADER_BYTES - PLAIN_HEADER_BYTES;
  const header = Buffer.alloc(EXTRA_HEADER_BYTES);
  header.set(first.subarray(0, PLAIN_HEADER_BYTES));
  header[3] = 4; // FEXTRA
  header.writeUInt16LE(12, 10);
  header.write('ZB', 12, 'latin1');
  header.writeUInt16LE(8, 14);
  header.writeUInt32BE(storedLength, 16);
  header.writeUInt32BE(rawLength, 20);
  return [header, first.subarray(PLAIN_HEADER_BYTES), ...stored.slice(1)];
}

/** Lengths of the block that starts at `bytes[0]`; null if more bytes are needed; throws if it is no block of ours. */
export function blockLengths(compression: Compression, bytes: Buffer): BlockLengths | null {
  return compression === 'gzip' ? memberLengths(bytes) : frameLengths(bytes);
}

function memberLengths(bytes: Buffer): BlockLengths | null {
  if (bytes.length < EXTRA_HEADER_BYTES) return null;
  const ours =
    bytes.readUInt32BE(0) === 0x1f8b0804 &&
    bytes.readUInt16LE(10) === 12 &&
    bytes.toString('latin1', 12, 14) === 'ZB' &&
    bytes.readUInt16LE(14) === 8;
  if (!ours) throw new Error('no gzip member with block lengths');
  return { storedLength: bytes.readUInt32BE(16), rawLength: bytes.readUInt32BE(20) };
}

const ZSTD_MAGIC = 0xfd2fb528;
const ZSTD_HEADER_BYTES_MAX = 18;
const ZSTD_CHECKSUM = 4;

function frameLengths(bytes: Buffer): BlockLengths | null {
  if (bytes.length < ZSTD_HEADER_BYTES_MAX) return null;
  if (bytes.readUInt32LE(0) !== ZSTD_MAGIC) throw new Error('no zstd frame');
  const descriptor = bytes[4]!;
  const singleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const contentSizeFlag = descriptor >> 6;
  const contentSizeAt = 5 + (singleSegment ? 0 : 1) + dictionaryBytes;
  const contentSizeBytes = contentSizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << contentSizeFlag;
  if (contentSizeBytes === 0) throw new Error('a zstd frame without its content size');
  const rawLength =
    contentSizeBytes === 8
      ? Number(bytes.readBigUInt64LE(contentSizeAt))
      : bytes.readUIntLE(contentSizeAt, contentSizeBytes) + (contentSizeBytes === 2 ? 256 : 0);
  let at = contentSizeAt + contentSizeBytes;
  for (;;) {
    if (at + 3 > bytes.length) return null;
    const block = bytes.readUIntLE(at, 3);
    const type = (block >> 1) & 3;
    if (type === 3) throw new Error('a zstd block of a reserved type');
    at += 3 + (type === 1 ? 1 : block >> 3);
    if (block & 1) break;
  }
  return { storedLength: at + ((descriptor & ZSTD_CHECKSUM) === 0 ? 0 : 4), rawLength };
}

/** Whether a whole block carries a checksum of its text: a gzip member always does, a zstd frame says so. */
export function hasChecksum(compression: Compression, stored: Uint8Array): boolean {
  return compression === 'gzip' || (stored[4]! & ZSTD_CHECKSUM) !== 0;
}
