import { expect, it } from 'vitest';
import { type IndexHeader, parseIndexHeader } from '../../src/archive/index-file.ts';
import { writeArchive } from '../support/archives.ts';
import { bufferBytesOf, FUZZ_TIMEOUT, fuzz } from '../support/fuzzing.ts';
import { untrusted } from '../support/mutations.ts';

const archive = await writeArchive(
  Array.from({ length: 50 }, (_, at) => Buffer.from(`{"id":${at}}`)),
  { shape: 'id_data' },
);
const header = archive.index.subarray(0, archive.indexHeaderLength);
const small = (await writeArchive([])).index;

it('the header of an index is what its bytes say, or none', FUZZ_TIMEOUT, async () => {
  await fuzz(untrusted([header, small]), 6000, (bytes) => {
    const read = parseIndexHeader(bytes);
    if (read === null) expect(bytes.equals(header) || bytes.equals(small)).toBe(false);
    else expect(printed(read)).toBe(simpleReading(bytes));
  });
});

it('no list of a claimed length is made', async () => {
  for (const at of [16, 36]) {
    const claim = Buffer.from(header);
    claim.writeUInt32BE(0xffffffff, at);
    const bytes = await bufferBytesOf(async () => expect(parseIndexHeader(claim)).toBeNull());
    expect(bytes).toBeLessThan(1 << 20);
  }
});

function printed({ blocks, documents, logicalEntries, pageHashes }: IndexHeader): string {
  const lines = blocks.map((block) => {
    const hash = Buffer.from(block.hash, 'latin1').toString('hex');
    return [block.offset, block.storedLength, block.rawLength, block.documents, hash].join(' ');
  });
  const pages = pageHashes.map((hash) => Buffer.from(hash, 'latin1').toString('hex'));
  return [documents, logicalEntries, ...lines, ...pages].join('\n');
}

/** By docs/format.md, with hexadecimal digits cut out of the whole. */
function simpleReading(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  let at = 0;
  const take = (length: number): string => {
    at += length;
    return hex.slice(2 * (at - length), 2 * at);
  };
  const number = (length: number): number => Number(`0x${take(length)}`);
  expect([take(8), number(4)]).toEqual([Buffer.from('ZDBINDEX').toString('hex'), 1]);
  take(4);
  const blockCount = number(4);
  const counts = [number(8), number(8)];
  const pageCount = number(4);
  take(4);
  const lines = Array.from({ length: blockCount }, () =>
    [number(8), number(4), number(4), number(4), take(32)].join(' '),
  );
  const pages = Array.from({ length: pageCount }, () => take(32));
  expect(at).toBe(bytes.length);
  return [...counts, ...lines, ...pages].join('\n');
}
