import { createHash, hash } from 'node:crypto';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import * as zlib from 'node:zlib';
import { type Codec, GzipDamaged } from '../kernel/codec.ts';
import { noteBuffers } from './buffer-garbage.ts';
import { noteShortLived } from './young-heap.ts';

/** Up to this size, and in one part, input is compressed in one go: the fast path for blocks. */
const ONE_GO_BYTES_MAX = 4 * 1024 * 1024;

const STREAM_CHUNK_BYTES = 256 * 1024;

/** zlib refuses smaller output buffers. */
const CHUNK_BYTES_MIN = 64;

/** As many bytes can become of one: of deflate's shortest code 258 by one bit, of a zstd block of 4 bytes 128 KiB. */
const GROWTH_MAX = { gzip: 1032, zstd: 32_768 } as const;

/** Node's one-shot functions copy the output once more wherever it came in two parts, so engines are run directly. */
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
    const length = summedLength(parts);
    const inOneGo = parts.length <= 1 && length <= ONE_GO_BYTES_MAX;
    // JSON shrinks to less than half: one output buffer, and none that is much too large
    const chunkSize = inOneGo ? (length >> 1) + 4096 : STREAM_CHUNK_BYTES;
    const engine =
      compression === 'gzip'
        ? // told of the end with its only input, zlib does it in one step
          zlib.createGzip({ level, chunkSize, ...(inOneGo && { flush: zlib.constants.Z_FINISH }) })
        : zlib.createZstdCompress({ ...zstdOptions(level, length), chunkSize });
    const stored: Buffer[] = [];
    engine.on('data', (part: Buffer) => stored.push(part));
    await Promise.all([finished(engine), feed(engine, parts)]);
    return stored;
  },

  async decompress(compression, stored, rawLength) {
    // one output buffer for all of it, but none for what a block merely claims
    const possible = Math.min(rawLength + 1, GROWTH_MAX[compression] * stored.length);
    noteBuffers(possible);
    noteShortLived();
    const options = { chunkSize: Math.max(possible, CHUNK_BYTES_MIN), rejectGarbageAfterEnd: true };
    const engine = compression === 'gzip' ? zlib.createGunzip(options) : zlib.createZstdDecompress(options);
    const parts: Buffer[] = [];
    let length = 0;
    engine.on('data', (part: Buffer) => {
      parts.push(part);
      length += part.length;
      if (length > rawLength) engine.destroy(new Error(`the content is longer than ${rawLength} bytes`));
    });
    engine.end(stored);
    await finished(engine);
    if (engine.bytesWritten !== stored.length) {
      throw new Error(`${stored.length - engine.bytesWritten} bytes follow the compressed data`);
    }
    if (length !== rawLength) {
      throw new Error(`the content is ${length} bytes long instead of ${rawLength}`);
    }
    return joined(parts, length);
  },

  async *gunzip(stored) {
    const engine = zlib.createGunzip({ chunkSize: STREAM_CHUNK_BYTES });
    let pulledBytes = 0;
    // what pulling throws is handed through the engine, and must not be taken for a finding of its own
    let pullFailed = false;
    async function* counted() {
      for await (const piece of stored) {
        pulledBytes += piece.length;
        yield piece;
      }
    }
    const fed = feedAll(engine, counted()).catch((thrown: unknown) => {
      pullFailed = !engine.destroyed;
      engine.destroy(thrown as Error);
    });
    try {
      for await (const piece of engine as AsyncIterable<Buffer>) {
        noteBuffers(piece.length);
        yield piece;
      }
      await fed;
    } catch (cause) {
      if (pullFailed) throw cause;
      throw new GzipDamaged((cause as Error).message, { cause });
    } finally {
      engine.destroy();
      await fed;
    }
    if (engine.bytesWritten !== pulledBytes) throw new GzipDamaged('other bytes follow the compressed data');
  },
};

/** The parts in one buffer; without a copy where they are neighbours in one already. */
function joined(parts: readonly Buffer[], length: number): Uint8Array {
  const [first] = parts;
  if (first === undefined) return new Uint8Array();
  let end = first.byteOffset;
  for (const part of parts) {
    if (part.buffer !== first.buffer || part.byteOffset !== end) return Buffer.concat(parts, length);
    end += part.length;
  }
  return Buffer.from(first.buffer, first.byteOffset, length);
}

/**
 * Hands over each part before the next, and the last one before the end: told of its last bytes and of the end at
 * once, Node's zstd finishes the frame twice, and a second, empty frame follows the first.
 */
async function feed(compressor: Writable, parts: readonly Uint8Array[]): Promise<void> {
  for (const part of parts) await write(compressor, part);
  compressor.end();
}

/** Rejects also when the engine is closed before its end: a write that waits for room is then never answered. */
async function feedAll(decompressor: Writable, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const closed = new Promise<never>((_resolve, reject) => {
    decompressor.once('close', () => reject(new Error('nobody reads on')));
  });
  closed.catch(() => {});
  for await (const piece of pieces) await Promise.race([write(decompressor, piece), closed]);
  decompressor.end();
}

/** Resolves when the engine has used the bytes up. */
function write(engine: Writable, part: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    engine.write(part, (error) => (error ? reject(error) : resolve()));
  });
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

function summedLength(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}
