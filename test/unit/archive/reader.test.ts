import { createHash } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { withBlockLengths } from '../../../src/archive/block-lengths.ts';
import { headerText, TRAILER_START, trailerEnd } from '../../../src/archive/format.ts';
import type { Compression } from '../../../src/kernel/codec.ts';
import { BackupError } from '../../../src/kernel/errors.ts';
import { zlibCodec } from '../../../src/platform/zlib-codec.ts';
import { HEADER, limitsOf, type ReadBack, readStored, writeArchive } from '../../support/archives.ts';
import { backupError } from '../../support/expected-errors.ts';

const header = headerText(HEADER);
const trailer = TRAILER_START + trailerEnd(2, '0'.repeat(32));
const damaged = backupError('ARCHIVE_DAMAGED', HEADER.backupId);

/** An archive of these blocks, whatever is in them. */
async function archiveOf(
  texts: readonly (string | Buffer)[],
  compression: Compression = 'gzip',
): Promise<Buffer> {
  const blocks = await Promise.all(
    texts.map(async (text) => {
      const raw = Buffer.from(text);
      const compressed = await zlibCodec.compress(compression, 3, [raw]);
      return Buffer.concat(withBlockLengths(compression, compressed, raw.length));
    }),
  );
  return Buffer.concat(blocks);
}

const read = (stored: Buffer, rawSize = 1 << 20, compression: Compression = 'gzip'): Promise<ReadBack> =>
  readStored(stored, HEADER.backupId, { compression, fileSize: stored.length, rawSize, inFlight: 2 });

const readTexts = async (...texts: (string | Buffer)[]): Promise<ReadBack> => read(await archiveOf(texts));

describe('reading an archive', () => {
  it('gives documents, header and trailer', async () => {
    const { reader, documents } = await readTexts(header, '{"id":1},\n', '[ ]\n', trailer);
    expect(documents.map(String)).toEqual(['{"id":1}', '[ ]']);
    expect(reader.header).toEqual({
      backupId: HEADER.backupId,
      collection: 'users',
      backupType: 'full',
      timestamp: HEADER.timestamp,
      shape: 'flat',
    });
    expect(reader.trailer).toEqual({ documentCount: 2, documentsDigest: '0'.repeat(32), deletedKeys: [] });
    expect(reader.blocks.map(({ documents: count }) => count)).toEqual([0, 1, 1, 0]);
    expect(reader.rawSize).toBe(header.length + 10 + 4 + trailer.length);
  });

  it('takes pieces of any size', async () => {
    for (const compression of ['gzip', 'zstd'] as const) {
      const documents = Array.from({ length: 300 }, (_, at) =>
        Buffer.from(`{"id":${at},"x":"${'y'.repeat(10_000)}"}`),
      );
      const archive = await writeArchive(documents, {}, { compression });
      for (const length of [1, 7, 1000, archive.stored.length]) {
        const back = await readStored(archive.stored, HEADER.backupId, limitsOf(archive), length);
        expect(back.documents).toEqual(documents);
        expect(back.reader.blocks).toEqual(
          archive.blocks.map(({ offset, storedLength, rawLength, documents: count, hash }) => ({
            offset,
            storedLength,
            rawLength,
            documents: count,
            hash,
          })),
        );
      }
    }
  });

  it('takes a trailer in several blocks, cut at any byte', async () => {
    const long = Buffer.from(
      `],"deleted_ids":["é😀",17],"document_count":0,"documents_digest":"${'0'.repeat(32)}"}\n`,
    );
    for (let at = 1; at < long.length; at += 3) {
      const { reader } = await readTexts(header, long.subarray(0, at), long.subarray(at));
      expect(reader.trailer!.deletedKeys).toEqual([Buffer.from('é😀'), Buffer.from('17')]);
    }
  });

  it('takes a trailer that is longer than what is known of a zstd frame at first', async () => {
    const keys = Array.from({ length: 20_000 }, (_, at) =>
      createHash('md5').update(String(at)).digest('hex'),
    );
    const long = `],"deleted_ids":${JSON.stringify(keys)},"document_count":0,"documents_digest":"${'0'.repeat(32)}"}\n`;
    const stored = await archiveOf([header, long], 'zstd');
    for (const length of [1000, 100_000, 250_000, stored.length]) {
      const limits = { compression: 'zstd', fileSize: stored.length, rawSize: 1 << 20, inFlight: 2 } as const;
      const { reader } = await readStored(stored, HEADER.backupId, limits, length);
      expect(reader.trailer!.deletedKeys).toHaveLength(keys.length);
    }
  });

  it.each<[string, readonly (string | Buffer)[]]>([
    ['nothing', []],
    ['no header line', ['{"id":1},\n', '[]\n', trailer]],
    ['a header line that does not open the list', [header.replace('[\n', '\n'), trailer]],
    ['a header line that is cut', [header.slice(0, 100), trailer]],
    ['a header line with documents in its block', [`${header}{"id":1}\n`, trailer]],
    ['a header line twice', [header, header, trailer]],
    ['no trailer', [header, '{"id":1}\n']],
    ['no trailer and no documents', [header]],
    ['a trailer without its members', [header, '{"id":1}\n', ']}\n']],
    [
      'a trailer with another type',
      [header, `],"deleted_ids":{},"document_count":0,"documents_digest":""}\n`],
    ],
    ['a header line with a member more', [header.replace('"documents"', '"x":1,"documents"'), trailer]],
    ['a header line with a member less', [header.replace('"since_timestamp":null,', ''), trailer]],
    [
      'a header line in another order',
      [header.replace(/("format":[^,]+),(.*),"documents"/, '$2,$1,"documents"'), trailer],
    ],
    ['a trailer with a member more', [header, trailer.replace('}', ',"x":1}')]],
    ['a trailer that is cut', [header, '{"id":1}\n', trailer.slice(0, -3)]],
    ['something behind the trailer', [header, '{"id":1}\n', trailer, '{"id":2}\n']],
    ['another trailer', [header, '{"id":1}\n', trailer, trailer]],
    ['a missing block at the end of the documents', [header, '{"id":1},\n', trailer]],
    ['a missing comma between blocks', [header, '{"id":1}\n', '{"id":2}\n', trailer]],
    ['an empty block', [header, '', '{"id":1}\n', trailer]],
    ['a blank line', [header, '{"id":1},\n\n{"id":2}\n', trailer]],
    ['two documents in a line', [header, '{"id":1},{"id":2}\n', trailer]],
    ['a space where a line should end', [header, '{"id":1}, {"id":2}\n', trailer]],
    ['a space where the block should end', [header, '{"id":1}, ', '{"id":2}\n', trailer]],
    ['a space before a document', [header, ' {"id":1}\n', trailer]],
    ['a space behind a document', [header, '{"id":1} \n', trailer]],
    ['CR LF', [header, '{"id":1},\r\n{"id":2}\n', trailer]],
    ['a document in two lines', [header, '{"id":\n1}\n', trailer]],
    ['no line end', [header, '{"id":1}', trailer]],
    ['a comma without a line end', [header, '{"id":1},', '{"id":2}\n', trailer]],
    ['two commas', [header, '{"id":1},,\n', trailer]],
    ['a comma first', [header, ',{"id":1}\n', trailer]],
    ['an open bracket', [header, '{"id":[1}\n', trailer]],
    ['an open string', [header, '{"id":"1}\n', trailer]],
    ['a document cut between blocks', [header, '{"id"', ':1}\n', trailer]],
    ['no document', [header, 'é\n', trailer]],
  ])('refuses %s', async (_, texts) => {
    await expect(readTexts(...texts)).rejects.toEqual(damaged);
  });

  it('refuses the archive of another backup', async () => {
    const other = headerText({ ...HEADER, backupId: 'users_full_20250109_143001' });
    await expect(readTexts(other, '{"id":1}\n', trailer)).rejects.toEqual(damaged);
  });

  it('refuses a shape that nobody knows', async () => {
    await expect(readTexts(header.replace('"flat"', '"round"'), trailer)).rejects.toEqual(damaged);
  });

  it.each(['zerodb-backup/2', 'zerodb-backup/1.1', ''])(
    'refuses the format %j and says so',
    async (format) => {
      const newer = header.replace('zerodb-backup/1', format);
      await expect(readTexts(newer, '{"id":1}\n', trailer)).rejects.toMatchObject({
        code: 'FORMAT_UNKNOWN',
        cure: expect.stringContaining('newer zerodb-backup'),
      });
    },
  );

  it.each(['1.0.1', '2.0.0', ''])('refuses the version %j and says so', async (version) => {
    const newer = header.replace('"version":"1.0.0"', `"version":"${version}"`);
    await expect(readTexts(newer, trailer)).rejects.toMatchObject({ code: 'FORMAT_UNKNOWN' });
  });

  it('refuses a format or a version that is no text, however deep', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    for (const value of ['1', 'null', '{}', deep]) {
      await expect(readTexts(header.replace('"zerodb-backup/1"', value), trailer)).rejects.toEqual(damaged);
      await expect(readTexts(header.replace('"1.0.0"', value), trailer)).rejects.toEqual(damaged);
    }
  });

  it('refuses anything that is no block of ours', async () => {
    const plain = Buffer.from(header);
    for (const [compression, stored] of [
      ['gzip', gzipSync(header + trailer)],
      ['gzip', plain],
      ['gzip', await archiveOf([header, trailer], 'zstd')],
      ['zstd', await archiveOf([header, trailer], 'gzip')],
      ['zstd', plain],
      // without a content size
      ['zstd', streamedZstd(header)],
    ] as const) {
      await expect(read(stored, 1 << 20, compression)).rejects.toEqual(damaged);
    }
  });

  it('refuses bytes before, between and behind the blocks', async () => {
    for (const compression of ['gzip', 'zstd'] as const) {
      const blocks = await Promise.all(
        [header, '{"id":1}\n', trailer].map((text) => archiveOf([text], compression)),
      );
      const zeros = Buffer.alloc(40);
      for (let at = 0; at <= blocks.length; at++) {
        for (const junk of [zeros.subarray(0, 1), zeros]) {
          const stored = Buffer.concat([...blocks.slice(0, at), junk, ...blocks.slice(at)]);
          await expect(read(stored, 1 << 20, compression), `${compression} ${at}`).rejects.toEqual(damaged);
        }
      }
    }
  });
});

describe('lengths that a block claims', () => {
  const claims = async (stored: number | null, raw: number | null): Promise<Buffer> => {
    const archive = Buffer.concat([
      await archiveOf([header]),
      await archiveOf(['{"id":1}\n']),
      await archiveOf([trailer]),
    ]);
    if (stored !== null) archive.writeUInt32BE(stored, 16);
    if (raw !== null) archive.writeUInt32BE(raw, 20);
    return archive;
  };

  it.each([
    ['stored: none', 0, null],
    ['stored: less than a header', 5, null],
    ['stored: a byte less', -1, null],
    ['stored: a byte more', 1, null],
    ['stored: more than the file', 0xffffffff, null],
    ['raw: none', null, 0],
    ['raw: a byte less', null, header.length - 1],
    ['raw: a byte more', null, header.length + 1],
    ['raw: more than the whole text', null, 0xffffffff],
  ])('are not believed: %s', async (_, stored, raw) => {
    const right = (await archiveOf([header])).length;
    const claimed = stored !== null && Math.abs(stored) === 1 ? right + stored : stored;
    await expect(read(await claims(claimed, raw), 10_000)).rejects.toEqual(damaged);
  });

  it('do not make it read everything: text does not grow by being compressed', async () => {
    const archive = Buffer.concat([await claims(900_000, null), Buffer.alloc(1_000_000)]);
    await expect(read(archive)).rejects.toMatchObject({
      message: expect.stringContaining('claims a length'),
    });
  });

  it('bound a bomb: 64 MiB of blanks behind a claim of 1 KiB', async () => {
    for (const compression of ['gzip', 'zstd'] as const) {
      const bomb = await archiveOf([Buffer.alloc(64 << 20, ' ')], compression);
      if (compression === 'gzip') bomb.writeUInt32BE(1024, 20);
      await expect(read(bomb, 1024, compression)).rejects.toEqual(damaged);
    }
  });
});

describe('any damage to an archive', () => {
  it.each(['gzip', 'zstd'] as const)(
    'of %s is a BackupError or harms nothing: every byte, every cut',
    async (compression) => {
      const documents = ['{"id":"a","n":1}', '[2]', '{"id":"c","text":"ünïcode"}'].map((text) =>
        Buffer.from(text),
      );
      const archive = await writeArchive(documents, {}, { compression });
      let harmless = 0;
      for (let at = 0; at < archive.stored.length; at++) {
        for (const bit of [0x01, 0x80]) {
          const stored = Buffer.from(archive.stored);
          stored[at]! ^= bit;
          try {
            const back = await readStored(stored, HEADER.backupId, limitsOf(archive));
            expect(back.documents, `byte ${at}`).toEqual(documents);
            harmless++; // the time in a gzip header, say: the hash of the file tells
          } catch (thrown) {
            if (!(thrown instanceof BackupError)) throw thrown;
            expect(['ARCHIVE_DAMAGED', 'FORMAT_UNKNOWN']).toContain(thrown.code);
            expect(thrown.message).toContain(HEADER.backupId);
          }
        }
        const cut = readStored(archive.stored.subarray(0, at), HEADER.backupId, limitsOf(archive));
        await expect(cut, `cut at ${at}`).rejects.toEqual(damaged);
      }
      expect(harmless).toBeLessThan(archive.stored.length / 4);
    },
  );
});

/** A frame as a compressor makes it that does not know the length yet: the one-shot frame without its size. */
function streamedZstd(text: string): Buffer {
  const frame = zstdCompressSync(text);
  const [magic, rest] = [frame.subarray(0, 4), frame.subarray(4)];
  const sizeBytes = rest[0]! >> 6 === 1 ? 2 : 1;
  expect(rest[0]! & 0x20, 'a single segment').toBe(0x20);
  // no single segment, a window of 1 KiB instead of the content size
  return Buffer.concat([magic, Buffer.from([rest[0]! & 0x04, 0]), rest.subarray(1 + sizeBytes)]);
}
