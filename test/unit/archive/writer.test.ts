import { describe, expect, it } from 'vitest';
import { ArchiveWriter } from '../../../src/archive/writer.ts';
import type { Codec } from '../../../src/kernel/codec.ts';
import { SIZES, type Sizes } from '../../../src/kernel/sizes.ts';
import { zlibCodec } from '../../../src/platform/zlib-codec.ts';
import {
  batchOf,
  HEADER,
  limitsOf,
  readStored,
  SCRATCH,
  SETTINGS,
  textOf,
  writeArchive,
} from '../../support/archives.ts';
import { sha256 } from '../../support/reference-digest.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const MIB = 1 << 20;

/** A flat document of exactly this many bytes. */
function documentOf(length: number, fill = 'x'): Buffer {
  const start = '{"id":"';
  return Buffer.from(`${start}${fill.repeat(length - start.length - 2)}"}`);
}

/** What `documents` are in an archive whose writer has this room. */
async function sizedBlocks(documents: readonly Buffer[], sizes: Sizes): Promise<number[]> {
  const scratch = { ...SCRATCH, sizes };
  const writer = new ArchiveWriter(zlibCodec, scratch, HEADER, SETTINGS);
  async function* batches() {
    yield batchOf(documents);
  }
  try {
    for await (const _ of writer.pieces(batches()));
    return writer.blocks.slice(1, -1).map((block) => block.documents);
  } finally {
    await writer.close();
  }
}

async function blocksOf(lengths: readonly number[]): Promise<{ rawLength: number; documents: number }[]> {
  const archive = await writeArchive(lengths.map((length) => documentOf(length)));
  const { documents } = await readStored(archive.stored, HEADER.backupId, limitsOf(archive));
  expect(documents.map(({ length }) => length)).toEqual(lengths);
  return archive.blocks
    .slice(1, -1)
    .map(({ rawLength, documents: count }) => ({ rawLength, documents: count }));
}

it('blocks are as large as there is room for', async () => {
  const documents = Array.from({ length: 5 }, () => documentOf(100));
  expect(await sizedBlocks(documents, SIZES)).toEqual([5]);
  expect(await sizedBlocks(documents, { ...SIZES, blockBytes: 204 })).toEqual([2, 2, 1]);
  expect(await sizedBlocks(documents, { ...SIZES, blockBytes: 50 })).toEqual([1, 1, 1, 1, 1]);
});

describe('the text of an archive', () => {
  it('is the header line, documents one a line, the trailer', async () => {
    const documents = ['{"id":1.0}', '[ 1 , 2 ]', 'null'].map((text) => Buffer.from(text));
    const archive = await writeArchive(documents, { collection: 'odd "name"\n' }, {}, [2]);
    const text = textOf(archive.stored, archive.blocks, 'gzip').toString();
    expect(text).toBe(
      `${[
        String.raw`{"format":"zerodb-backup/1","backup_id":"users_full_20250109_143000","collection":"odd \"name\"\n","backup_type":"full","timestamp":"2025-01-09T14:30:00.000000","since_timestamp":null,"base_backup_id":null,"version":"1.0.0","document_shape":"flat","documents":[`,
        '{"id":1.0},',
        '[ 1 , 2 ],',
        'null',
        `],"deleted_ids":[],"document_count":3,"documents_digest":"${archive.totals.documentsDigest}"}`,
      ].join('\n')}\n`,
    );
    expect(JSON.parse(text)).toMatchObject({ documents: [{ id: 1 }, [1, 2], null], document_count: 3 });
    expect(archive.rawSize).toBe(Buffer.byteLength(text));
  });

  it('without documents is header line and trailer', async () => {
    const archive = await writeArchive([]);
    expect(archive.blocks).toHaveLength(2);
    expect(JSON.parse(textOf(archive.stored, archive.blocks, 'gzip').toString())).toMatchObject({
      documents: [],
      document_count: 0,
      documents_digest: '0'.repeat(32),
    });
  });
});

describe('blocks', () => {
  it('hold what fits into 1 MiB with comma and line end', async () => {
    const half = MIB / 2 - 2;
    expect(await blocksOf([half, half])).toEqual([{ rawLength: MIB - 1, documents: 2 }]);
    expect(await blocksOf([half, half, 10])).toEqual([
      { rawLength: MIB, documents: 2 },
      { rawLength: 11, documents: 1 },
    ]);
    expect(await blocksOf([half, half + 1])).toEqual([
      { rawLength: half + 2, documents: 1 },
      { rawLength: half + 2, documents: 1 },
    ]);
  });

  it.each([-1, 0, 1])('of one document at the limit, %i', async (difference) => {
    const length = MIB - 2 + difference;
    expect(await blocksOf([length])).toEqual([{ rawLength: length + 1, documents: 1 }]);
    expect(await blocksOf([10, length, 10])).toEqual([
      { rawLength: 12, documents: 1 },
      { rawLength: length + 2, documents: 1 },
      { rawLength: 11, documents: 1 },
    ]);
    expect(await blocksOf([length, length])).toEqual([
      { rawLength: length + 2, documents: 1 },
      { rawLength: length + 1, documents: 1 },
    ]);
  });

  it('of large documents in a row have one each, also the first and the last', async () => {
    const large = 3 * MIB;
    expect((await blocksOf([large, large, 10, 10, large])).map(({ documents }) => documents)).toEqual([
      1, 1, 2, 1,
    ]);
  });

  it('are where the writer says, with their hashes; the file hash is that of all', async () => {
    for (const compression of ['gzip', 'zstd'] as const) {
      const documents = Array.from({ length: 40 }, (_, at) => documentOf(100_000 + at, String(at % 10)));
      const archive = await writeArchive(documents, {}, { compression, level: null });
      expect(archive.blocks.length).toBeGreaterThan(4);
      let offset = 0;
      for (const block of archive.blocks) {
        expect(block.offset).toBe(offset);
        const stored = archive.stored.subarray(offset, offset + block.storedLength);
        expect(Buffer.from(block.hash, 'latin1')).toEqual(sha256(stored));
        offset += block.storedLength;
      }
      expect(offset).toBe(archive.stored.length);
      expect(archive.fileSize).toBe(archive.stored.length);
      expect(archive.sha256).toBe(sha256(archive.stored).toString('hex'));
    }
  });

  it('of gzip carry their lengths, as RFC 1952 allows', async () => {
    const archive = await writeArchive([documentOf(100), documentOf(2 * MIB)]);
    for (const { offset, storedLength, rawLength } of archive.blocks) {
      const head = archive.stored.subarray(offset, offset + 24);
      expect(head.subarray(0, 4).toString('hex')).toBe('1f8b0804');
      expect(head.subarray(10, 16).toString('hex')).toBe('0c005a420800');
      expect(head.readUInt32BE(16)).toBe(storedLength);
      expect(head.readUInt32BE(20)).toBe(rawLength);
      const end = offset + storedLength;
      expect(archive.stored.readUInt32LE(end - 4)).toBe(rawLength); // ISIZE
    }
  });

  it('of zstd are frames with content size and checksum', async () => {
    const archive = await writeArchive(
      [documentOf(100), documentOf(2 * MIB)],
      {},
      { compression: 'zstd', level: 3 },
    );
    for (const { offset } of archive.blocks) {
      expect(archive.stored.readUInt32LE(offset)).toBe(0xfd2fb528);
      const descriptor = archive.stored[offset + 4]!;
      expect(descriptor & 4, 'checksum').toBe(4);
      expect(descriptor >> 6 !== 0 || (descriptor & 0x20) !== 0, 'content size').toBe(true);
      expect(descriptor & 3, 'no dictionary').toBe(0);
    }
  });
});

describe('the writer', () => {
  it('gives the same bytes however the documents come and however many blocks are compressed at once', async () => {
    const documents = Array.from({ length: 60 }, (_, at) => documentOf(50_000 + 7 * at, 'abc'));
    const archives = await Promise.all(
      [
        { sizes: [60], inFlight: 1 },
        { sizes: [1], inFlight: 0 },
        { sizes: [7, 2, 30], inFlight: 5 },
      ].map(({ sizes, inFlight }) => writeArchive(documents, {}, { inFlight }, sizes)),
    );
    expect(new Set(archives.map(({ sha256: hash }) => hash)).size).toBe(1);
    expect(new Set(archives.map(({ index }) => index.toString('hex'))).size).toBe(1);
  });

  it('counts documents that are not valid UTF-8 or have no id, and keeps them', async () => {
    const documents = [
      Buffer.from('{"id":"ok"}'),
      Buffer.from('{"id":"\xff\xfe"}', 'latin1'),
      Buffer.from('{}'),
      Buffer.from('"\xff"', 'latin1'),
    ];
    const archive = await writeArchive(documents);
    expect(archive.totals).toMatchObject({ documentCount: 4, unkeyedCount: 2, invalidUtf8Count: 2 });
    expect((await readStored(archive.stored, HEADER.backupId, limitsOf(archive))).documents).toEqual(
      documents,
    );
  });

  it('passes on what the compressor throws, and lets go of everything', async () => {
    const failure = new Error('out of memory');
    let calls = 0;
    const codec: Codec = {
      ...zlibCodec,
      compress: (...parameters) =>
        ++calls === 3 ? Promise.reject(failure) : zlibCodec.compress(...parameters),
    };
    const documents = Array.from({ length: 30 }, () => documentOf(200_000));
    const writer = new ArchiveWriter(codec, SCRATCH, HEADER, SETTINGS);
    const writing = async () => {
      for await (const _ of writer.pieces(one(documents)));
    };
    await expect(writing()).rejects.toBe(failure);
    await writer.close();
  });

  it('can be left in the middle', async () => {
    const writer = new ArchiveWriter(zlibCodec, SCRATCH, HEADER, SETTINGS);
    for await (const _ of writer.pieces(one(Array.from({ length: 30 }, () => documentOf(200_000))))) break;
    await expect(writer.close()).resolves.toBeUndefined();
  });

  it('takes the faster level of zstd where the first block is hardly larger so', async () => {
    const levels = async (text: string, copies = 1): Promise<number> => {
      const used: number[] = [];
      const codec: Codec = {
        ...zlibCodec,
        compress: (compression, level, parts) => {
          used.push(level);
          return zlibCodec.compress(compression, level, parts);
        },
      };
      const writer = new ArchiveWriter(codec, SCRATCH, HEADER, {
        compression: 'zstd',
        level: null,
        inFlight: 1,
      });
      const documents = Array.from({ length: 12 }, (_, at) =>
        Buffer.from(`{"id":${at},"text":"${text.repeat(copies)}"}`),
      );
      for await (const _ of writer.pieces(one(documents)));
      await writer.close();
      return used.at(-1)!;
    };
    expect(await levels(Buffer.from(seededRandom(1).bytes(4000)).toString('base64'))).toBe(1);
    const vocabulary = Array.from({ length: 400 }, (_, at) => (at * 7919).toString(36));
    const words = Array.from(seededRandom(2).bytes(20_000), (byte, at) => vocabulary[byte + (at % 144)]).join(
      ' ',
    );
    expect(await levels(words, 1)).toBe(3);
  });
});

async function* one(documents: readonly Buffer[]) {
  yield batchOf(documents);
}
