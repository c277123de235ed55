import { describe, expect, it } from 'vitest';
import type { Block } from '../../../src/archive/index-file.ts';
import { BackupError } from '../../../src/kernel/errors.ts';
import { lossInWords, type PartialReading, readPartially } from '../../../src/operations/partial-reading.ts';
import { zlibCodec } from '../../../src/platform/zlib-codec.ts';
import { backupError } from '../../support/expected-errors.ts';
import { FUZZ_TIMEOUT, fuzz } from '../../support/fuzzing.ts';
import { untrusted } from '../../support/mutations.ts';
import { failingStore, flippedBytes, type StoredBackup, storeBackup } from '../../support/stored-backups.ts';

const DOCUMENTS = Array.from({ length: 7 }, (_, at) =>
  Buffer.from(`{"id":"n${at}","ünï":${at}.0,"t":"${'xyz'.repeat(at)}"}`),
);
const COMPRESSIONS = ['gzip', 'zstd'] as const;
const small = (compression: 'gzip' | 'zstd') => storeBackup(DOCUMENTS, { compression, blockBytes: 100 });

interface Read extends PartialReading {
  readonly texts: readonly string[];
}

async function read({ repository, manifest }: Pick<StoredBackup, 'repository' | 'manifest'>): Promise<Read> {
  const texts: string[] = [];
  const reading = await readPartially(
    repository,
    manifest,
    () => {},
    undefined,
    (batch, index, hashes) => {
      const text = batch.bytes.subarray(batch.spans.start(index), batch.spans.end(index));
      const key = zlibCodec.sha256(
        Buffer.from((JSON.parse(Buffer.from(text).toString()) as { id: string }).id),
      );
      expect(hashes.scanKeyHash).toBe(key);
      texts.push(Buffer.from(text).toString('latin1'));
    },
  );
  const again: string[] = [];
  for await (const { bytes, spans } of reading.batches())
    for (let at = 0; at < spans.count; at++)
      again.push(Buffer.from(bytes.subarray(spans.start(at), spans.end(at))).toString('latin1'));
  expect(again, 'the same documents the second time').toEqual(texts);
  expect(reading.documents).toBe(texts.length);
  expect(reading.documents + reading.lostDocuments).toBe(manifest.document_count);
  return { ...reading, texts };
}

/** The documents of all blocks but some. */
function documentsBut(blocks: readonly Block[], but: (block: Block, number: number) => boolean): string[] {
  let next = 0;
  return blocks.flatMap((block, number) => {
    const from = next;
    next += block.documents;
    return but(block, number) ? [] : DOCUMENTS.slice(from, next).map((text) => text.toString('latin1'));
  });
}

const holds = ({ offset, storedLength }: Block, at: number): boolean =>
  at >= offset && at < offset + storedLength;

describe.each(COMPRESSIONS)('what is left of a damaged backup in %s', (compression) => {
  it('is all of it where nothing is damaged', async () => {
    const backup = await small(compression);
    expect(backup.blocks.length).toBeGreaterThan(4);
    const whole = await read(backup);
    expect([whole.texts, whole.lost, whole.warnings]).toEqual([
      documentsBut(backup.blocks, () => false),
      [],
      [],
    ]);
    expect(lossInWords(whole)).toBeNull();
    backup.objects.delete(backup.indexKey);
    const alone = await read(backup);
    expect([alone.texts, alone.lost]).toEqual([whole.texts, []]);
    expect(alone.warnings).toMatchObject([{ code: 'INDEX_DAMAGED' }]);
  });

  it('is every block but the one in which a byte is flipped', async () => {
    const backup = await small(compression);
    for (const { at, changed } of flippedBytes(backup.objects.get(backup.archiveKey)!)) {
      backup.objects.set(backup.archiveKey, changed);
      const number = backup.blocks.findIndex((block) => holds(block, at));
      const { offset, storedLength, documents } = backup.blocks[number]!;
      const left = await read(backup);
      expect(left.texts).toEqual(documentsBut(backup.blocks, (block) => holds(block, at)));
      expect(left.lost).toEqual([{ block: number, start: offset, end: offset + storedLength, documents }]);
      expect(left.warnings).toEqual([]);
    }
  });

  it('is the same without an index, or that block as well', async () => {
    const backup = await small(compression);
    backup.objects.delete(backup.indexKey);
    let harmless = 0;
    for (const { at, changed } of flippedBytes(backup.objects.get(backup.archiveKey)!)) {
      backup.objects.set(backup.archiveKey, changed);
      const { offset, storedLength, documents } = backup.blocks.find((block) => holds(block, at))!;
      const left = await read(backup);
      if (left.lost.length === 0) {
        // bytes of a head that nobody reads: time, operating system
        expect(left.texts).toEqual(documentsBut(backup.blocks, () => false));
        harmless++;
      } else {
        expect(left.texts).toEqual(documentsBut(backup.blocks, (block) => holds(block, at)));
        expect(left.lost).toEqual([
          { block: null, start: offset, end: offset + storedLength, documents: null },
        ]);
        expect(left.lostDocuments).toBe(documents);
      }
    }
    expect(harmless).toBeLessThan(10 * backup.blocks.length);
  });

  it('is what stands before a cut', async () => {
    for (const withIndex of [true, false]) {
      const backup = await small(compression);
      if (!withIndex) backup.objects.delete(backup.indexKey);
      const whole = backup.objects.get(backup.archiveKey)!;
      for (let length = 0; length < whole.length; length++) {
        backup.objects.set(backup.archiveKey, whole.subarray(0, length));
        const left = await read(backup);
        const cut = ({ offset, storedLength }: Block) => offset + storedLength > length;
        expect(left.texts).toEqual(documentsBut(backup.blocks, cut));
        expect(left.lost.at(-1)!.end).toBe(whole.length);
        expect(left.lost[0]!.start).toBe(backup.blocks.find(cut)!.offset);
        if (!withIndex) expect(left.lost).toHaveLength(1);
      }
    }
  });

  it('is what stands behind lost or foreign bytes, without an index too', async () => {
    const backup = await small(compression);
    const whole = backup.objects.get(backup.archiveKey)!;
    backup.objects.delete(backup.indexKey);
    const [second, third] = [backup.blocks[2]!, backup.blocks[3]!];
    const junk = Buffer.concat([Buffer.alloc(50, 0x1f), whole.subarray(third.offset, third.offset + 30)]);
    for (const by of [Buffer.alloc(0), junk, Buffer.alloc(3 << 20)]) {
      const parts = [whole.subarray(0, second.offset + 10), by, whole.subarray(third.offset)];
      backup.objects.set(backup.archiveKey, Buffer.concat(parts));
      const left = await read(backup);
      expect(left.texts).toEqual(documentsBut(backup.blocks, (block) => block === second));
      expect(left.lost).toHaveLength(1);
      expect(left.lost[0]).toMatchObject({ start: second.offset, end: second.offset + 10 + by.length });
    }
  });

  it('is never a document that was not in it, whatever was done to its bytes', FUZZ_TIMEOUT, async () => {
    const backup = await small(compression);
    const other = await storeBackup([Buffer.from('{"id":"other"}')], { compression });
    const whole = backup.objects.get(backup.archiveKey)!;
    const index = backup.objects.get(backup.indexKey)!;
    const all = documentsBut(backup.blocks, () => false);
    // of another archive blocks may be put in that no index disowns: only with the index is that noticed
    await fuzz(untrusted([whole, other.objects.get(other.archiveKey)!]), 300, async (bytes) => {
      backup.objects.set(backup.archiveKey, bytes);
      backup.objects.set(backup.indexKey, index);
      const left = await read(backup);
      const whichStand = documentsBut(backup.blocks, ({ offset, storedLength, hash }) => {
        return zlibCodec.sha256(bytes.subarray(offset, offset + storedLength)) !== hash;
      });
      expect(left.texts).toEqual(whichStand);
    });
    await fuzz(untrusted([whole]), 300, async (bytes) => {
      backup.objects.set(backup.archiveKey, bytes);
      backup.objects.delete(backup.indexKey);
      const left = await read(backup).catch((thrown: unknown) => thrown);
      if (left instanceof BackupError) expect(left.code).toBe('ARCHIVE_DAMAGED');
      else for (const text of (left as Read).texts) expect(all).toContain(text);
    });
  });

  it('does not include what is inside a document, even if it looks like a block', async () => {
    // compressors leave noise as it is, and with it a block in its midst
    const noise = withoutQuotes(
      Array.from({ length: 200 }, (_, at) => Buffer.from(zlibCodec.sha256(Buffer.from([at])), 'latin1')),
    );
    const block = await blockWithoutQuotes(compression);
    const parts = [
      Buffer.from('{"id":"holder","t":"'),
      noise.subarray(0, 3000),
      block,
      noise.subarray(3000),
      Buffer.from('"}'),
    ];
    const holder = Buffer.concat(parts);
    const backup = await storeBackup([Buffer.from('{"id":"a"}'), holder, Buffer.from('{"id":"b"}')], {
      compression,
      blockBytes: 50,
    });
    backup.objects.delete(backup.indexKey);
    const stored = backup.objects.get(backup.archiveKey)!;
    expect(stored.includes(block)).toBe(true);
    const damaged = Buffer.from(stored);
    damaged[backup.blocks[2]!.offset + backup.blocks[2]!.storedLength - 5]! ^= 1;
    backup.objects.set(backup.archiveKey, damaged);
    expect((await read(backup)).texts).toEqual(['{"id":"a"}', '{"id":"b"}']);
  });
});

/** What can stand in a string as it is. */
function withoutQuotes(parts: readonly Buffer[]): Buffer {
  return Buffer.concat(parts).filter((byte) => !QUOTES.includes(byte)) as Buffer;
}
const QUOTES: readonly number[] = [0x22, 0x5c, 0x0a, 0x0d];

/** A whole block with a document in it, of bytes that can stand in a string. */
async function blockWithoutQuotes(compression: 'gzip' | 'zstd'): Promise<Buffer> {
  for (let tries = 0; tries < 500; tries++) {
    // letters of a few kinds in no order: neither kept as they are nor repeated
    const letters = Array.from({ length: 8 }, (_, at) =>
      zlibCodec.sha256(Buffer.from([at, tries & 255, tries >> 8])),
    );
    const text = `{"id":"forged","t":"${Array.from(letters.join(''), (byte) => 'aaaaabbcd'[byte.charCodeAt(0) % 9]).join('')}"}`;
    const forged = await storeBackup([Buffer.from(text)], { compression });
    const { offset, storedLength } = forged.blocks[1]!;
    const block = forged.objects.get(forged.archiveKey)!.subarray(offset, offset + storedLength);
    if (!block.some((byte) => QUOTES.includes(byte))) return block;
  }
  throw new Error('every block has quotes');
}

describe('reading a damaged backup', () => {
  it('says what is lost', async () => {
    const backup = await small('gzip');
    const bytes = Buffer.from(backup.objects.get(backup.archiveKey)!);
    for (const number of [2, 4]) bytes[backup.blocks[number]!.offset + 30]! ^= 1;
    backup.objects.set(backup.archiveKey, bytes);
    const lost = backup.blocks[2]!.documents + backup.blocks[4]!.documents;
    expect(lossInWords(await read(backup))).toBe(`${lost} documents in blocks 2 and 4`);
    backup.objects.delete(backup.indexKey);
    const places = [2, 4].map((number) => {
      const { offset, storedLength } = backup.blocks[number]!;
      return `${offset} to ${offset + storedLength - 1}`;
    });
    expect(lossInWords(await read(backup))).toBe(`${lost} documents in bytes ${places.join(' and ')}`);
    bytes.fill(0, 0, 10);
    const reading = { documents: 0, warnings: [], batches: async function* () {} };
    const parts = Array.from({ length: 12 }, (_, block) => ({ block, start: 0, end: 1, documents: block }));
    expect(lossInWords({ ...reading, lostDocuments: 1, lost: parts.slice(0, 2) })).toBe(
      '1 document in block 1',
    );
    expect(lossInWords({ ...reading, lostDocuments: 66, lost: parts })).toBe(
      '66 documents in blocks 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 1 more',
    );
  });

  it('does without the index where any byte of its header is flipped, and with it where one of its pages is', async () => {
    const backup = await small('gzip');
    const all = documentsBut(backup.blocks, () => false);
    for (const { at, changed } of flippedBytes(backup.objects.get(backup.indexKey)!)) {
      backup.objects.set(backup.indexKey, changed);
      const left = await read(backup);
      expect(left.texts).toEqual(all);
      expect(left.warnings).toHaveLength(at < backup.manifest.index.header_size ? 1 : 0);
    }
  });

  it('is refused where there is nothing, or another backup', async () => {
    const backup = await small('gzip');
    const foreign = await storeBackup(DOCUMENTS, { header: { backupId: 'users_full_20250109_143001' } });
    backup.objects.set(backup.archiveKey, foreign.objects.get(foreign.archiveKey)!);
    const left = await read(backup);
    expect([left.documents, left.lost.length]).toEqual([0, backup.blocks.length]);
    backup.objects.delete(backup.indexKey);
    const error = backupError('ARCHIVE_DAMAGED', backup.manifest.backup_id);
    await expect(read(backup)).rejects.toEqual(error);
    backup.objects.delete(backup.archiveKey);
    await expect(read(backup)).rejects.toEqual(error);
  });

  it('is refused where blocks were put in', async () => {
    const backup = await small('gzip');
    backup.objects.delete(backup.indexKey);
    const whole = backup.objects.get(backup.archiveKey)!;
    const { offset, storedLength } = backup.blocks[1]!;
    const twice = [whole.subarray(0, offset + storedLength), whole.subarray(offset)];
    backup.objects.set(backup.archiveKey, Buffer.concat(twice));
    await expect(read(backup)).rejects.toEqual(backupError('ARCHIVE_DAMAGED', backup.manifest.backup_id));
  });

  it('takes bytes that the disk cannot read for lost, and no other failure', async () => {
    const backup = await small('gzip');
    const { offset, documents } = backup.blocks[3]!;
    const failing = (errno: string) => failingStore(backup, backup.archiveKey, errno, offset);
    await expect(read(failing('EMFILE'))).rejects.toMatchObject({ code: 'STORE_FAILED' });
    const left = await read(failing('EIO'));
    expect(left.lost).toMatchObject([{ block: 3, documents }]);
    expect(left.texts).toEqual(documentsBut(backup.blocks, (block) => block === backup.blocks[3]));
    const withoutIndex = await read(failingStore(backup, backup.indexKey, 'EIO'));
    expect([withoutIndex.lost, withoutIndex.warnings]).toMatchObject([[], [{ code: 'INDEX_DAMAGED' }]]);
  });

  it('does not hand out the second time what has changed meanwhile', async () => {
    const noise = (from: number): string =>
      Buffer.concat(
        Array.from({ length: 40_000 }, (_, at) =>
          Buffer.from(zlibCodec.sha256(Buffer.from(`${from} ${at}`)), 'latin1'),
        ),
      ).toString('base64');
    const documents = [0, 1, 2, 3, 4].map((at) => Buffer.from(`{"id":"${at}","t":"${noise(at)}"}`));
    const backup = await storeBackup(documents);
    const reading = await readPartially(backup.repository, backup.manifest, () => {});
    expect(reading.documents).toBe(5);
    const { length } = backup.objects.get(backup.archiveKey)!;
    expect(length, 'more than is kept in memory').toBeGreaterThan(4 << 20);
    backup.objects.set(backup.archiveKey, Buffer.alloc(length));
    const second = Array.fromAsync(reading.batches());
    await expect(second).rejects.toEqual(backupError('ARCHIVE_DAMAGED', backup.manifest.backup_id));
  });

  it('stops when it is told to', async () => {
    const { repository, manifest } = await small('gzip');
    const reason = new Error('stop');
    await expect(readPartially(repository, manifest, () => {}, AbortSignal.abort(reason))).rejects.toBe(
      reason,
    );
  });
});
