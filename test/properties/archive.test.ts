import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Compression } from '../../src/kernel/codec.ts';
import type { DocumentShape } from '../../src/model/document.ts';
import {
  HEADER,
  limitsOf,
  readStored,
  textOf,
  type WrittenArchive,
  writeArchive,
} from '../support/archives.ts';
import { jsonDocument, jsonValue } from '../support/json-arbitrary.ts';
import { referenceDigest, referenceLeaf, unkeyed } from '../support/reference-digest.ts';

const MIB = 1 << 20;
const NUM_RUNS = 100;

const compression = fc.constantFrom<Compression>('gzip', 'zstd');
const batchSizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });
const pieceLength = fc.constantFrom(1, 13, 1000, 65_536, 1 << 22);

/** Documents as they can be in an archive: line breaks outside strings have become spaces. */
const document = fc
  .oneof(
    jsonDocument(['id', 'data', '_id']).map(({ text }) => text),
    jsonValue,
  )
  .map((text) => Buffer.from(text.replaceAll(/[\r\n]/g, ' ').trim()));

/** Lengths that fill blocks to the last byte, and a bit less or more. */
const length = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 9, max: 3000 }) },
  { weight: 2, arbitrary: fc.integer({ min: MIB / 4 - 6, max: MIB / 4 + 2 }) },
  { weight: 2, arbitrary: fc.integer({ min: MIB / 2 - 6, max: MIB / 2 + 2 }) },
  { weight: 2, arbitrary: fc.integer({ min: MIB - 6, max: MIB + 2 }) },
  { weight: 1, arbitrary: fc.integer({ min: 2 * MIB, max: 2 * MIB + 10 }) },
);

async function readBack(archive: WrittenArchive, piece: number): Promise<readonly Buffer[]> {
  const { reader, documents } = await readStored(archive.stored, HEADER.backupId, limitsOf(archive), piece);
  expect(reader.rawSize).toBe(archive.rawSize);
  expect(reader.trailer!.documentCount).toBe(archive.totals.documentCount);
  expect(reader.trailer!.documentsDigest).toBe(archive.totals.documentsDigest);
  expect(reader.blocks.map(({ hash }) => hash)).toEqual(archive.blocks.map(({ hash }) => hash));
  return documents;
}

/** Where two lists of documents differ first: far quicker than `toEqual` on megabytes. */
function difference(found: readonly Buffer[], expected: readonly Buffer[]): number | null {
  const at = expected.findIndex((document, index) => found[index]?.equals(document) !== true);
  return at >= 0 ? at : found.length === expected.length ? null : expected.length;
}

describe('an archive', () => {
  it('gives back any documents, byte for byte, in their order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(document, { maxLength: 30 }),
        compression,
        batchSizes,
        pieceLength,
        async (documents, method, sizes, piece) => {
          const archive = await writeArchive(documents, {}, { compression: method }, sizes);
          expect(difference(await readBack(archive, piece), documents)).toBeNull();
        },
      ),
      { numRuns: NUM_RUNS },
    );
  });

  it('cuts its blocks at 1 MiB, wherever the documents end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(length, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 0, max: 4 }),
        batchSizes,
        async (lengths, inFlight, sizes) => {
          const documents = lengths.map((size, at) => Buffer.from(`{"i":${at % 10}${' '.repeat(size - 7)}}`));
          const archive = await writeArchive(documents, {}, { inFlight }, sizes);
          expect(difference(await readBack(archive, 65_536), documents)).toBeNull();
          const blocks = archive.blocks.slice(1, -1);
          for (const [at, block] of blocks.entries()) {
            expect(block.rawLength <= MIB || block.documents === 1).toBe(true);
            const next = blocks[at + 1];
            if (next === undefined) continue;
            const text = textOf(archive.stored, [next], 'gzip');
            const first = text.indexOf('\n') - (text[text.indexOf('\n') - 1] === 0x2c ? 1 : 0);
            expect(block.rawLength + first + 2, 'the next document would not have fitted').toBeGreaterThan(
              MIB,
            );
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  it('has digests that do not depend on order and batches, as docs/format.md computes them', async () => {
    const shapes: Record<DocumentShape, (key: string, payload: string) => string> = {
      flat: (_, payload) => payload,
      id_data: (key, payload) => `{"id":${key},"data":${payload}}`,
      row: (key, payload) => `{"row_data":${payload},"row_id":${key}}`,
      flat_id: (key, payload) => `{"_id":${key},${payload.slice(1)}`,
    };
    const shape = fc.constantFrom<DocumentShape>('flat', 'id_data', 'row', 'flat_id');
    const id = fc.option(fc.integer({ min: 0, max: 50 }), { nil: null });
    const facts = fc.record({ key: id, own: id, value: fc.integer() });
    await fc.assert(
      fc.asyncProperty(shape, fc.array(facts, { maxLength: 25 }), batchSizes, async (form, all, sizes) => {
        const made = all.map(({ key, own, value }) => {
          const payload = `{"v":${value},"id":${own}}`;
          const text = Buffer.from(shapes[form](String(key), payload));
          const inner = Buffer.from(form === 'flat' || form === 'flat_id' ? text : payload);
          const usable = form === 'flat' ? own : key;
          const scanKey = usable === null ? unkeyed(text) : Buffer.from(String(usable));
          return {
            text,
            leaf: referenceLeaf(scanKey, text),
            content: referenceLeaf(own === null ? scanKey : Buffer.from(String(own)), inner),
          };
        });
        const expected = {
          documentsDigest: referenceDigest(made.map(({ leaf }) => leaf)),
          contentDigest: referenceDigest(made.map(({ content }) => content)),
        };
        for (const order of [made, made.toReversed(), made.toSorted((a, b) => a.leaf.compare(b.leaf))]) {
          const { totals } = await writeArchive(
            order.map(({ text }) => text),
            { shape: form },
            {},
            sizes,
          );
          expect({ documentsDigest: totals.documentsDigest, contentDigest: totals.contentDigest }).toEqual(
            expected,
          );
        }
      }),
      { numRuns: NUM_RUNS },
    );
  });

  it('has an index that does not depend on batches', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(document, { maxLength: 30 }),
        batchSizes,
        batchSizes,
        async (documents, sizes, others) => {
          const one = await writeArchive(documents, {}, {}, sizes);
          const other = await writeArchive(documents, {}, {}, others);
          expect(other.index.equals(one.index)).toBe(true);
          expect(other.stored.equals(one.stored)).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });
});
