import { describe, expect, it } from 'vitest';
import {
  type Block,
  ENTRY_BYTES,
  INDEX_PAGE_BYTES,
  IndexBuilder,
  LOGICAL_ENTRY_BYTES,
  parseIndexHeader,
} from '../../../src/archive/index-file.ts';
import { zlibCodec } from '../../../src/platform/zlib-codec.ts';
import { SCRATCH, writeArchive } from '../../support/archives.ts';
import { referenceLeaf, sha256 } from '../../support/reference-digest.ts';

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

async function encoded(
  builder: IndexBuilder,
  blocks: readonly Block[],
): Promise<{ header: Buffer; body: Buffer }> {
  const index = await builder.encode(blocks);
  const read = async (): Promise<Buffer> =>
    Buffer.concat((await Array.fromAsync(index.body())).map((piece) => Buffer.from(piece)));
  const first = await read();
  expect((await read()).equals(first), 'the body can be read again').toBe(true);
  await builder.close();
  return { header: index.header, body: first };
}

/** The numbers of blocks that may hold a key: by binary search over entries of this width. */
function blocksWith(entries: Buffer, width: number, key: Uint8Array): number[] {
  const wanted = sha256(key).subarray(0, 8);
  const count = entries.length / width;
  let low = 0;
  for (let high = count; low < high; ) {
    const middle = (low + high) >> 1;
    if (entries.compare(wanted, 0, 8, middle * width, middle * width + 8) < 0) low = middle + 1;
    else high = middle;
  }
  const blocks: number[] = [];
  for (let at = low; at < count && entries.subarray(at * width, at * width + 8).equals(wanted); at++) {
    blocks.push(entries.readUInt32BE(at * width + 8));
  }
  return blocks;
}

describe('an index', () => {
  it('has the bytes that docs/format.md says', async () => {
    const builder = new IndexBuilder(zlibCodec, SCRATCH, true);
    const add = (key: string, block: number, document: string, id: string) =>
      builder.add(
        latin1(sha256(Buffer.from(key))),
        block,
        latin1(referenceLeaf(Buffer.from(key), Buffer.from(document))),
        latin1(sha256(Buffer.from(id))),
      );
    add('b', 2, '{}', 'x');
    add('a', 1, '{}', 'y');
    add('a', 1, '{"other":1}', 'y');
    add('a', 0x01020304, '{}', 'y');
    const block: Block = {
      offset: 0x0102030405,
      storedLength: 7,
      rawLength: 0xfffffffe,
      documents: 4,
      hash: latin1(sha256(Buffer.from('stored'))),
    };
    const { header, body } = await encoded(builder, [block]);

    const hex = (text: string): string => sha256(Buffer.from(text)).toString('hex').slice(0, 16);
    const leaf = (key: string, document: string): string =>
      referenceLeaf(Buffer.from(key), Buffer.from(document)).toString('hex');
    const a = [
      `${hex('a')}00000001${leaf('a', '{}')}`,
      `${hex('a')}00000001${leaf('a', '{"other":1}')}`,
    ].sort();
    const entries = [
      ...a,
      `${hex('a')}01020304${leaf('a', '{}')}`,
      `${hex('b')}00000002${leaf('b', '{}')}`,
    ].sort();
    const logical = [
      `${hex('y')}00000001`,
      `${hex('y')}00000001`,
      `${hex('y')}01020304`,
      `${hex('x')}00000002`,
    ].sort();
    expect(body.toString('hex')).toBe([...entries, ...logical].join(''));
    expect(header.toString('hex')).toBe(
      [
        Buffer.from('ZDBINDEX').toString('hex'),
        '00000001', // version
        '00000001', // flags
        '00000001', // blocks
        '0000000000000004', // documents
        '0000000000000004', // logical entries
        '00000001', // pages
        '00000000',
        '0000000102030405', // offset
        '00000007',
        'fffffffe',
        '00000004',
        sha256(Buffer.from('stored')).toString('hex'),
        sha256(body).toString('hex'),
      ].join(''),
    );
    expect(parseIndexHeader(header)).toEqual({
      blocks: [block],
      documents: 4,
      logicalEntries: 4,
      pageHashes: [latin1(sha256(body))],
    });
  });

  it('without a logical section or documents', async () => {
    const { header, body } = await encoded(new IndexBuilder(zlibCodec, SCRATCH, false), []);
    expect(body).toHaveLength(0);
    expect(header).toHaveLength(44);
    expect(header.readUInt32BE(12)).toBe(0);
    expect(parseIndexHeader(header)).toEqual({ blocks: [], documents: 0, logicalEntries: 0, pageHashes: [] });
  });

  it('hashes every page of 64 KiB, the last one shorter, through both sections', async () => {
    // 65,536 is no multiple of 28: entries lie across pages
    for (const count of [2340, 2341, 3276, 3277, 5000]) {
      const builder = new IndexBuilder(zlibCodec, SCRATCH, true);
      for (let at = 0; at < count; at++) {
        const hash = zlibCodec.sha256(Buffer.from(String(at)));
        builder.add(hash, at >> 8, hash, hash);
      }
      const { header, body } = await encoded(builder, []);
      expect(body).toHaveLength(count * (ENTRY_BYTES + LOGICAL_ENTRY_BYTES));
      const pages = Array.from({ length: Math.ceil(body.length / INDEX_PAGE_BYTES) }, (_, page) =>
        latin1(sha256(body.subarray(page * INDEX_PAGE_BYTES, (page + 1) * INDEX_PAGE_BYTES))),
      );
      expect(parseIndexHeader(header)!.pageHashes).toEqual(pages);
    }
  });

  it('finds every document by scan key and by logical id, and none that is not there', async () => {
    const documents = Array.from({ length: 3000 }, (_, at) =>
      Buffer.from(`{"row_id":"r${at}","row_data":{"id":${at},"text":"${'x'.repeat(1000)}"}}`),
    );
    const archive = await writeArchive(documents, { shape: 'row' });
    const header = parseIndexHeader(archive.index.subarray(0, archive.indexHeaderLength))!;
    expect(header.blocks.length).toBeGreaterThan(4);
    expect(header.blocks).toEqual(
      archive.blocks.map(({ offset, storedLength, rawLength, documents: count, hash }) => ({
        offset,
        storedLength,
        rawLength,
        documents: count,
        hash,
      })),
    );
    const entries = archive.index.subarray(
      archive.indexHeaderLength,
      archive.indexHeaderLength + 3000 * ENTRY_BYTES,
    );
    const logical = archive.index.subarray(archive.indexHeaderLength + 3000 * ENTRY_BYTES);

    const firstOf: number[] = [];
    for (let sum = 0, at = 0; at < header.blocks.length; sum += header.blocks[at++]!.documents)
      firstOf.push(sum);
    for (let at = 0; at < 3000; at++) {
      const block = firstOf.findLastIndex(
        (first, number) => first <= at && header.blocks[number]!.documents > 0,
      );
      expect(blocksWith(entries, ENTRY_BYTES, Buffer.from(`r${at}`))).toEqual([block]);
      expect(blocksWith(logical, LOGICAL_ENTRY_BYTES, Buffer.from(String(at)))).toEqual([block]);
    }
    for (const key of ['r3000', 'r', '', '3000']) {
      expect(blocksWith(entries, ENTRY_BYTES, Buffer.from(key))).toEqual([]);
      expect(blocksWith(logical, LOGICAL_ENTRY_BYTES, Buffer.from(key))).toEqual([]);
    }
  });

  it.each<[string, (header: Buffer) => Buffer]>([
    ['another magic', (header) => header.fill('X', 0, 1)],
    ['another version', (header) => header.fill(2, 11, 12)],
    ['a block more than it has', (header) => header.fill(9, 19, 20)],
    ['a page more than it has', (header) => header.fill(9, 39, 40)],
    ['a byte less', (header) => header.subarray(0, -1)],
    ['a byte more', (header) => Buffer.concat([header, Buffer.alloc(1)])],
    ['hardly anything', (header) => header.subarray(0, 43)],
    ['nothing', () => Buffer.alloc(0)],
  ])('with %s is not understood', async (_, change) => {
    const { index, indexHeaderLength } = await writeArchive([Buffer.from('{"id":1}')]);
    const header = Buffer.from(index.subarray(0, indexHeaderLength));
    expect(parseIndexHeader(header)).not.toBeNull();
    expect(parseIndexHeader(change(header))).toBeNull();
  });
});
