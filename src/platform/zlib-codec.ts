import { createHash, hash } from 'node:crypto';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import * as zlib from 'node:zlib';
import type { Codec, Compression } from '../kernel/codec.ts';
import { noteBuffers } from './buffer-garbage.ts';

/** Up to this size, and in one part, input is compressed in one call: the fast path for blocks. */
const ONE_SHOT_BYTES_MAX = 4 * 1024 * 1024;

const STREAM_CHUNK_BYTES = 256 * 1024;

/** zlib refuses smaller output buffers. */
const CHUNK_BYTES_MIN = 64;

export const zlibCodec: Codec = {
  // `binary` is the older name of latin1, and the one that the types know
  sha256: (bytes) => hash('sha256', bytes, 'binary'),

  createSha256() {
    const stream = createHash('sha256');
    return {
      update: (bytes) => void stream.update(bytes),
      hex: () => stream.digest('hex'),
    };
  },

  crc32: (bytes, previous = 0) => zlib.crc32(bytes, previous),

  async compress(compression, level, parts) {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const [first] = parts;
    if (first === undefined || (parts.length === 1 && length <= ONE_SHOT_BYTES_MAX)) {
      return [await compressAtOnce(compression, level, first ?? new Uint8Array())];
    }
    return await compressStreaming(compression, level, parts, length);
  },

  decompress: (compression, stored, rawLength) =>
    new Promise((resolve, reject) => {
      const options = {
        chunkSize: Math.max(rawLength + 1, CHUNK_BYTES_MIN),
        maxOutputLength: Math.max(rawLength, 1),
        rejectGarbageAfterEnd: true,
        info: true,
      };
      // typed as a buffer, but `info` makes it a buffer and the engine that knows how much it took
      const settle = (error: Error | null, answer: unknown) => {
        if (error !== null) return reject(error);
        const { buffer, engine } = answer as { buffer: Uint8Array; engine: { bytesWritten: number } };
        if (engine.bytesWritten !== stored.length) {
          return reject(new Error(`${stored.length - engine.bytesWritten} bytes follow the compressed data`));
        }
        if (buffer.length !== rawLength) {
          return reject(new Error(`the content is ${buffer.length} bytes long instead of ${rawLength}`));
        }
        noteBuffers(rawLength);
        resolve(buffer);
      };
      if (compression === 'gzip') zlib.gunzip(stored, options, settle);
      else zlib.zstdDecompress(stored, options, settle);
    }),
};

function compressAtOnce(compression: Compression, level: number, bytes: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    // JSON shrinks to less than half: one output buffer, and none that is much too large
    const chunkSize = (bytes.length >> 1) + 4096;
    noteBuffers(chunkSize);
    const settle = (error: Error | null, stored: Uint8Array) =>
      error === null ? resolve(stored) : reject(error);
    if (compression === 'gzip') zlib.gzip(bytes, { level, chunkSize }, settle);
    else zlib.zstdCompress(bytes, { ...zstdOptions(level, bytes.length), chunkSize }, settle);
  });
}

async function compressStreaming(
  compression: Compression,
  level: number,
  parts: readonly Uint8Array[],
  length: number,
): Promise<readonly Uint8Array[]> {
  const chunkSize = STREAM_CHUNK_BYTES;
  const compressor =
    compression === 'gzip'
      ? zlib.createGzip({ level, chunkSize })
      : zlib.createZstdCompress({ ...zstdOptions(level, length), chunkSize });
  const stored: Uint8Array[] = [];
  compressor.on('data', (chunk: Uint8Array) => stored.push(chunk));
  await Promise.all([finished(compressor), feed(compressor, parts)]);
  return stored;
}

/**
 * Hands over each part before the next, and the last one before the end: told of its last bytes and of the end at
 * once, Node's zstd finishes the frame twice, and a second, empty frame follows the first.
 */
async function feed(compressor: Writable, parts: readonly Uint8Array[]): Promise<void> {
  for (const part of parts) {
    await new Promise<void>((resolve, reject) => {
      compressor.write(part, (error) => (error ? reject(error) : resolve()));
    });
  }
  compressor.end();
}

function zstdOptions(level: number, length: number): zlib.ZstdOptions {
  return {
    pledgedSrcSize: length,
    params: {
      [zlib.constants.ZSTD_c_compressionLevel]: level,
      [zlib.constants.ZSTD_c_checksumFlag]: 1,
    },
  };
}
