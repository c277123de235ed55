import { createHash, randomBytes } from 'node:crypto';
import * as zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type Compression, GzipDamaged } from '../../../src/kernel/codec.ts';
import { zlibCodec } from '../../../src/platform/zlib-codec.ts';
import { bufferBytesOf } from '../../support/fuzzing.ts';

const COMPRESSIONS: readonly Compression[] = ['gzip', 'zstd'];
const TEXT = Buffer.from(
  Array.from({ length: 20 }, (_, at) => `{"id":"${at}","name":"somebody ${at * 7919}"}`).join('\n'),
);

async function compressed(compression: Compression, parts: readonly Uint8Array[]): Promise<Buffer> {
  return Buffer.concat(await zlibCodec.compress(compression, 3, parts));
}

describe.each(COMPRESSIONS)('%s', (compression) => {
  it.each([
    ['nothing', []],
    ['an empty part', [Buffer.alloc(0)]],
    ['one part', [TEXT]],
    ['several parts', [TEXT, Buffer.alloc(0), TEXT.subarray(0, 1)]],
    ['a part of incompressible bytes', [randomBytes(100_000)]],
    ['more than 4 MiB', [Buffer.alloc(5 * 1024 * 1024, 'abc ')]],
    ['more than 4 MiB in parts', [randomBytes(300_000), Buffer.alloc(5 * 1024 * 1024, 'abc ')]],
  ])('gives back %s', async (_name, parts) => {
    const raw = Buffer.concat(parts);
    const stored = await compressed(compression, parts);
    expect(raw.equals(await zlibCodec.decompress(compression, stored, raw.length))).toBe(true);
  });

  it.each([
    ['at once', [TEXT]],
    ['as a stream', [TEXT, TEXT]],
  ])('writes one member or frame %s, readable by a plain decoder', async (_name, parts) => {
    const stored = await compressed(compression, parts);
    const magic = compression === 'gzip' ? '1f8b08' : '28b52ffd';
    expect(stored.toString('hex').split(magic)).toHaveLength(2);
    const plain = compression === 'gzip' ? zlib.gunzipSync(stored) : zlib.zstdDecompressSync(stored);
    expect(plain).toEqual(Buffer.concat(parts));
  });

  it('allocates no more than its input can become, whatever length is stated', async () => {
    const stored = await compressed(compression, [Buffer.from('{}')]);
    let refused = false;
    const bytes = await bufferBytesOf(async () => {
      const claim = zlibCodec.decompress(compression, stored, 0xffffffff);
      await claim.catch(() => {
        refused = true;
      });
    });
    expect(refused).toBe(true);
    expect(bytes).toBeLessThan(16 << 20);
  });

  it('refuses content of another length than stated', async () => {
    const stored = await compressed(compression, [TEXT]);
    for (const wrong of [0, 1, TEXT.length - 1, TEXT.length + 1, TEXT.length + 1000]) {
      await expect(zlibCodec.decompress(compression, stored, wrong), `${wrong}`).rejects.toThrow();
    }
    const nothing = await compressed(compression, []);
    await expect(zlibCodec.decompress(compression, nothing, 1)).rejects.toThrow();
  });

  it('refuses input cut at any length', async () => {
    const stored = await compressed(compression, [TEXT]);
    for (let length = 0; length < stored.length; length++) {
      const cut = stored.subarray(0, length);
      await expect(zlibCodec.decompress(compression, cut, TEXT.length), `${length}`).rejects.toThrow();
    }
  });

  it('refuses anything after the end', async () => {
    const stored = await compressed(compression, [TEXT]);
    const nothing = await compressed(compression, []);
    for (const more of [Buffer.from('x'), Buffer.alloc(1), Buffer.alloc(512), stored, nothing]) {
      const longer = Buffer.concat([stored, more]);
      for (const length of [TEXT.length, 2 * TEXT.length]) {
        await expect(zlibCodec.decompress(compression, longer, length)).rejects.toThrow();
      }
      await expect(zlibCodec.decompress(compression, Buffer.concat([nothing, more]), 0)).rejects.toThrow();
    }
  });

  it('refuses two members that together have the stated length', async () => {
    const [head, tail] = [TEXT.subarray(0, 100), TEXT.subarray(100)];
    const two = Buffer.concat([await compressed(compression, [head]), await compressed(compression, [tail])]);
    await expect(zlibCodec.decompress(compression, two, TEXT.length)).rejects.toThrow();
  });

  it('never returns other content where a bit flipped', async () => {
    const stored = await compressed(compression, [TEXT]);
    let refused = 0;
    for (let bit = 0; bit < 8 * stored.length; bit++) {
      const flipped = Buffer.from(stored);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      try {
        expect(await zlibCodec.decompress(compression, flipped, TEXT.length)).toEqual(TEXT);
      } catch (error) {
        if ((error as Error).name === 'AssertionError') throw error;
        refused++;
      }
    }
    // a few bits of a gzip header mean nothing (time, operating system)
    expect(refused).toBeGreaterThan(8 * (stored.length - 8));
  });

  it('stops a bomb at the stated length', async () => {
    const bomb = await compressed(compression, [Buffer.alloc(64 * 1024 * 1024)]);
    const before = process.memoryUsage().arrayBuffers;
    await expect(zlibCodec.decompress(compression, bomb, 1000)).rejects.toThrow();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
  });
});

describe('hashes', () => {
  it('are the usual ones', () => {
    const expected = createHash('sha256').update(TEXT).digest();
    expect(Buffer.from(zlibCodec.sha256(TEXT), 'latin1')).toEqual(expected);
    const stream = zlibCodec.createSha256();
    stream.update(TEXT.subarray(0, 10));
    stream.update(TEXT.subarray(10));
    expect(stream.hex()).toBe(expected.toString('hex'));
    expect(zlibCodec.crc32(Buffer.from('123456789'))).toBe(0xcbf43926);
    expect(zlibCodec.crc32(Buffer.from('6789'), zlibCodec.crc32(Buffer.from('12345')))).toBe(0xcbf43926);
  });
});

describe('a gzip file of any length', () => {
  const members = [TEXT, Buffer.alloc(0), randomBytes(700_000), Buffer.alloc(3 << 20, 'abc ')];
  const whole = Buffer.concat(members.map((member) => zlib.gzipSync(member)));

  /** Pieces in one buffer that is overwritten with each, as stores may do. */
  async function* cut(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
    const buffer = Buffer.alloc(length);
    for (let at = 0; at < bytes.length; at += length) {
      const piece = bytes.subarray(at, at + length);
      buffer.fill(0xee);
      buffer.set(piece);
      yield buffer.subarray(0, piece.length);
    }
  }
  const content = async (pieces: AsyncIterable<Uint8Array>): Promise<Buffer> =>
    Buffer.concat(await Array.fromAsync(zlibCodec.gunzip(pieces)));

  it.each([1000, 65_536, 1 << 30])('gives its content from pieces of %i bytes', async (length) => {
    const pieceLength = Math.min(length, whole.length);
    expect((await content(cut(whole, pieceLength))).equals(Buffer.concat(members))).toBe(true);
  });

  it.each([
    ['cut', whole.subarray(0, -1)],
    ['cut in its first header', whole.subarray(0, 5)],
    ['followed by text', Buffer.concat([whole, Buffer.from('rest')])],
    ['followed by zeros', Buffer.concat([whole, Buffer.alloc(100)])],
    ['no gzip', TEXT],
  ])('is refused where it is %s', async (_what, bytes) => {
    for (const length of [100, 100_000]) {
      await expect(content(cut(bytes, length))).rejects.toBeInstanceOf(GzipDamaged);
    }
  });

  it('passes on what pulling throws', async () => {
    const failure = new Error('the store is gone');
    async function* failing() {
      yield whole.subarray(0, 100_000);
      throw failure;
    }
    await expect(content(failing())).rejects.toBe(failure);
  });

  it('lets go of its pieces when the receiver has had enough', async () => {
    let isClosed = false;
    async function* endless() {
      try {
        for (;;) yield zlib.gzipSync(Buffer.alloc(4 << 20));
      } finally {
        isClosed = true;
      }
    }
    for await (const piece of zlibCodec.gunzip(endless())) if (piece.length > 0) break;
    expect(isClosed).toBe(true);
  });
});
