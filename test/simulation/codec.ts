import * as zlib from 'node:zlib';
import { type Codec, GzipDamaged } from '../../src/kernel/codec.ts';
import { zlibCodec } from '../../src/platform/zlib-codec.ts';

/** The real codec without threads, which end in an order that no seed decides. */
export const codec: Codec = {
  ...zlibCodec,

  async compress(compression, level, parts) {
    const raw = Buffer.concat(parts);
    if (compression === 'gzip') return [zlib.gzipSync(raw, { level })];
    const params = {
      [zlib.constants.ZSTD_c_compressionLevel]: level,
      [zlib.constants.ZSTD_c_checksumFlag]: 1,
    };
    return [zlib.zstdCompressSync(raw, { pledgedSrcSize: raw.length, params })];
  },

  async decompress(compression, stored, rawLength) {
    const options = { maxOutputLength: rawLength + 1, info: true, rejectGarbageAfterEnd: true } as const;
    const { buffer, engine } = (compression === 'gzip'
      ? zlib.gunzipSync(stored, options)
      : zlib.zstdDecompressSync(stored, options)) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    if (buffer.length !== rawLength || engine.bytesWritten !== stored.length) {
      throw new Error(`not one member of ${rawLength} bytes`);
    }
    return buffer;
  },

  async *gunzip(stored) {
    const pieces: Buffer[] = [];
    for await (const piece of stored) pieces.push(Buffer.from(piece));
    const whole = Buffer.concat(pieces);
    try {
      const { buffer, engine } = zlib.gunzipSync(whole, { info: true }) as unknown as {
        buffer: Buffer;
        engine: { bytesWritten: number };
      };
      if (engine.bytesWritten !== whole.length) throw new Error('other bytes follow');
      yield buffer;
    } catch (cause) {
      throw new GzipDamaged((cause as Error).message, { cause });
    }
  },
};
