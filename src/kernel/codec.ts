/** Hashes and compression, as the outside world hands them in (in a simulation they are synchronous inside). */

export type Compression = 'gzip' | 'zstd';

export interface Codec {
  /** SHA-256 as 32 characters of one byte each (latin1): the cheapest form to take apart. */
  sha256(bytes: Uint8Array): string;
  createSha256(): Sha256Stream;
  /** CRC-32 (as in gzip), continued from `previous`. */
  crc32(bytes: Uint8Array, previous?: number): number;
  /**
   * One gzip member or zstd frame (with its checksum) holding the parts one after the other. The parts must not
   * change until the promise settles.
   */
  compress(
    compression: Compression,
    level: number,
    parts: readonly Uint8Array[],
  ): Promise<readonly Uint8Array[]>;
  /**
   * The content of exactly one member or frame, which must be exactly `rawLength` bytes long: anything longer,
   * shorter, damaged or followed by other bytes rejects. Never allocates more than `rawLength` for the output.
   */
  decompress(compression: Compression, stored: Uint8Array, rawLength: number): Promise<Uint8Array>;
  /**
   * The content of a gzip file of any length and number of members, in pieces that the receiver may keep. Each stored
   * piece is used up before the next one is pulled. Throws GzipDamaged where the bytes are cut, damaged or followed by
   * others; what pulling throws passes unchanged.
   */
  gunzip(stored: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}

/** Lower-case hex of a hash as `sha256` gives it. */
export function hexOf(hash: string): string {
  return Buffer.from(hash, 'latin1').toString('hex');
}

/** The bytes are not one whole gzip file; nothing that was read of it counts. */
export class GzipDamaged extends Error {
  override readonly name = 'GzipDamaged';
}

export interface Sha256Stream {
  update(bytes: Uint8Array): void;
  /** Lower-case hex. Ends the stream. */
  hex(): string;
}
