import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withBlockLengths } from '../../src/archive/block-lengths.ts';
import type { Compression } from '../../src/kernel/codec.ts';
import { encodeManifest, type Manifest, parseManifest } from '../../src/model/manifest.ts';
import { proveArchive } from '../../src/operations/verified-reading.ts';
import { zlibCodec } from '../../src/platform/zlib-codec.ts';
import { openRepository } from '../../src/repository.ts';
import {
  HEADER,
  readStored,
  SCRATCH,
  textOf,
  type WrittenArchive,
  writeArchive,
} from '../support/archives.ts';
import { attempt, bufferBytesOf, FUZZ_TIMEOUT, fuzz } from '../support/fuzzing.ts';
import { MANIFEST_FIELDS } from '../support/manifests.ts';
import { memoryStore } from '../support/memory-store.ts';
import { untrusted } from '../support/mutations.ts';
import { testPlatform } from '../support/test-platform.ts';

const MIB = 1 << 20;
const DOCUMENTS = ['{"id":"a","n":1.0}', '[2]', '{"id":"ünïcode","x":{"y":[]}}', '"text"'].map((text) =>
  Buffer.from(text),
);
const LARGE = Buffer.from(`{"id":9,"t":"${'x'.repeat(MIB)}"}`);

describe.each(['gzip', 'zstd'] as const)('an archive of %s', (compression) => {
  it('is proved only if it is the one that was written', FUZZ_TIMEOUT, async () => {
    const archive = await writeArchive(DOCUMENTS, {}, { compression });
    const other = await writeArchive(DOCUMENTS.slice(1), {}, { compression });
    const manifest = manifestOf(archive, compression);
    await fuzz(untrusted([archive.stored, other.stored]), 2000, async (stored) => {
      const repository = openRepository(
        testPlatform(),
        memoryStore(new Map([[manifest.object_path, stored]])),
        '/nowhere',
      );
      const proved = await attempt(() => proveArchive(repository, SCRATCH, manifest, () => {}));
      if ('value' in proved) expect(stored.equals(archive.stored)).toBe(true);
      else expect(proved.error.code).toMatch(/^(ARCHIVE_DAMAGED|FORMAT_UNKNOWN)$/);
    });
  });

  it('gives the documents that any other reader would find, or is refused', FUZZ_TIMEOUT, async () => {
    const blocks = await textsOf(compression);
    const mutated = fc.tuple(fc.nat(blocks.length - 1), untrusted(blocks), fc.integer({ min: 1, max: 1000 }));
    await fuzz(mutated, 900, async ([which, text, piece]) => {
      const stored = await sealed(blocks.with(which, text), compression);
      const limits = { compression, fileSize: stored.length, rawSize: 4 * MIB, inFlight: 2 };
      const read = await attempt(() => readStored(stored, HEADER.backupId, limits, piece));
      if (!('value' in read)) return;
      const whole = blocks.with(which, text).map(String).join('');
      const documents = read.value.documents.map(String);
      const lines = whole.split('\n').slice(1, 1 + documents.length);
      expect(documents).toEqual(lines.map((line) => line.replace(/,$/, '')));
      const { documents: parsed } = asJson(whole) ?? {};
      if (parsed !== undefined) expect(documents.map((one) => JSON.parse(one) as unknown)).toEqual(parsed);
    });
  });

  it('cannot have more memory than its bytes are worth, whatever it claims', async () => {
    const claims = compression === 'gzip' ? gzipClaims : zstdClaims;
    for (const [name, stored] of await claims()) {
      const limits = { compression, fileSize: 2 ** 40, rawSize: 2 ** 52, inFlight: 2 };
      let code = 'none';
      const bytes = await bufferBytesOf(async () => {
        const read = await attempt(() => readStored(stored, HEADER.backupId, limits));
        if ('error' in read) code = read.error.code;
      });
      expect(code, name).toBe('ARCHIVE_DAMAGED');
      expect(bytes, `${name}: ${stored.length} bytes`).toBeLessThan(80 * MIB);
    }
  });
});

/** The texts of the blocks of an archive of several. */
async function textsOf(compression: Compression): Promise<Buffer[]> {
  const archive = await writeArchive([...DOCUMENTS, LARGE, ...DOCUMENTS], {}, { compression });
  const texts = archive.blocks.map((block) => Buffer.from(textOf(archive.stored, [block], compression)));
  // the large one only parted the others
  return texts.filter(({ length }) => length < MIB);
}

async function sealed(texts: readonly Uint8Array[], compression: Compression): Promise<Buffer> {
  const blocks = await Promise.all(
    texts.map(async (text) =>
      Buffer.concat(
        withBlockLengths(compression, await zlibCodec.compress(compression, 1, [text]), text.length),
      ),
    ),
  );
  const stored = Buffer.concat(blocks);
  const decompressed = compression === 'gzip' ? gunzipSync(stored) : zstdDecompressSync(blocks[0]!);
  expect(decompressed.subarray(0, texts[0]!.length).equals(texts[0]!)).toBe(true);
  return stored;
}

function asJson(text: string): { documents?: unknown } | null {
  try {
    return JSON.parse(text) as { documents?: unknown };
  } catch {
    return null;
  }
}

async function gzipClaims(): Promise<readonly (readonly [string, Buffer])[]> {
  const block = await sealed([Buffer.from('{}')], 'gzip');
  const claiming = (stored: number, raw: number, padding = 0): Buffer => {
    const bytes = Buffer.concat([block, Buffer.alloc(padding)]);
    bytes.writeUInt32BE(stored, 16);
    bytes.writeUInt32BE(raw, 20);
    return bytes;
  };
  return [
    ['4 GB of text', claiming(block.length, 0xffffffff)],
    ['2 GB of text', claiming(block.length, 0x7fffffff)],
    ['1 GB of text', claiming(block.length, 1 << 30)],
    ['1 GB of text in 64 KiB', claiming(65_536, 1 << 30, 65_536 - block.length)],
    ['4 GB stored', claiming(0xffffffff, 0xffffffff, 1000)],
  ];
}

async function zstdClaims(): Promise<readonly (readonly [string, Buffer])[]> {
  const frame = (size: bigint, ...blocks: readonly number[]): Buffer => {
    const head = Buffer.from('28b52ffde00000000000000000', 'hex');
    head.writeBigUInt64LE(size, 5);
    return Buffer.concat([head, Buffer.from(blocks), Buffer.alloc(20)]);
  };
  return [
    ['16 EB of text', frame(0xffffffffffffffffn, 1, 0, 0)],
    ['8 PB of text', frame(1n << 53n, 1, 0, 0)],
    ['4 GB of text', frame(1n << 32n, 1, 0, 0)],
    ['1 GB of text', frame(1n << 30n, 1, 0, 0)],
    ['2 MB in a block of 2 MB that is not there', frame(1n << 21n, 1, 0, 0xff)],
  ];
}

function manifestOf(archive: WrittenArchive, compression: Compression): Manifest {
  const { totals, rawSize, fileSize, sha256 } = archive;
  const name = `${HEADER.backupId}.json.${compression === 'gzip' ? 'gz' : 'zst'}`;
  const bytes = encodeManifest(zlibCodec, {
    ...MANIFEST_FIELDS,
    compression,
    file_name: name,
    object_path: `backups/${name}`,
    created_at: HEADER.timestamp,
    document_count: totals.documentCount,
    documents_digest: totals.documentsDigest,
    content_digest: totals.contentDigest,
    file_size: fileSize,
    raw_size: rawSize,
    sha256,
  });
  return parseManifest(zlibCodec, bytes, HEADER.backupId);
}
