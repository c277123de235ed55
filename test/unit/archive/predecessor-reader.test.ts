import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NotPredecessor, PredecessorReader } from '../../../src/archive/predecessor-reader.ts';
import { HEADER, textOf, writeArchive } from '../../support/archives.ts';
import { asPythonPrints, predecessorText } from '../../support/predecessor.ts';

async function read(text: string | Uint8Array, pieceLength = 64 * 1024) {
  const bytes = Buffer.from(text as string);
  async function* pieces() {
    const piece = Buffer.alloc(pieceLength);
    for (let at = 0; at < bytes.length; at += pieceLength) {
      // one buffer that is overwritten with each, as decompressors may do
      const length = bytes.copy(piece, 0, at, at + pieceLength);
      yield piece.subarray(0, length);
    }
  }
  const reader = new PredecessorReader();
  const documents: string[] = [];
  let batches = 0;
  for await (const { bytes: batch, spans } of reader.batches(pieces())) {
    batches++;
    for (let index = 0; index < spans.count; index++) {
      documents.push(Buffer.from(batch.subarray(spans.start(index), spans.end(index))).toString());
    }
  }
  return { documents, facts: reader.facts, batches };
}

const DOCUMENTS = [
  '{"id":"u1","name":"Zo\\u00eb \\"q\\" \\\\","n":1.0,"big":9007199254740993,"e":-1.5e-300,"none":null}',
  '{"id":"u2","empty":{},"list":[],"nested":{"a":[1,[2,{"b":" { [ , ] } : "}]]},"lone":"\\ud800"}',
  '{}',
  '{"id":"u4","text":"line\\nbreak\\ttab\\u007f \\ud83d\\ude00"}',
];

describe('an archive of the predecessor', () => {
  test.each([1, 2, 3, 7, 64, 65536])('is read in pieces of %i bytes', async (pieceLength) => {
    const text = predecessorText({ collection: 'users', documents: DOCUMENTS });
    expect(text).toContain('\n      "empty": {},');
    const { documents, facts } = await read(text, pieceLength);
    expect(documents).toEqual(DOCUMENTS);
    expect(documents).toEqual(DOCUMENTS.map(asPythonPrints));
    expect(facts).toEqual({
      collection: 'users',
      backupType: 'full',
      endedAt: Date.UTC(2025, 0, 9, 14, 30, 2) + 123.456,
      documentCount: 4,
      sinceTimestamp: null,
    });
  });

  test('of any documents gives them without the white space', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.json({ stringUnit: 'binary' }), { maxLength: 6 }),
        fc.integer({ min: 1, max: 40 }),
        async (values, pieceLength) => {
          const { documents } = await read(
            predecessorText({ collection: 'users', documents: values }),
            pieceLength,
          );
          expect(documents).toEqual(values.map(asPythonPrints));
        },
      ),
      { numRuns: 200 },
    );
  });

  test('comes in batches, one of them for a document that is larger', async () => {
    const documents = Array.from({ length: 3000 }, (_, n) => `{"id":${n},"text":"${'x'.repeat(1000)}"}`);
    documents.push(`{"id":"large","text":"${'y'.repeat(9 << 20)}"}`, '{"id":"last"}');
    const result = await read(predecessorText({ collection: 'users', documents }));
    expect(result.documents.length).toBe(documents.length);
    expect(result.documents.every((document, at) => document === documents[at])).toBe(true);
    expect(result.batches).toBeGreaterThan(2);
  });

  test('may have no documents, members in another order, and any time that Python prints', async () => {
    for (const [timestamp, endedAt] of [
      ['2025-01-09T14:30:02', Date.UTC(2025, 0, 9, 14, 30, 2)],
      ['2025-01-09T14:30:02.500000+00:00', Date.UTC(2025, 0, 9, 14, 30, 2, 500)],
      ['2025-01-09T16:30:02+02:00', Date.UTC(2025, 0, 9, 14, 30, 2)],
      ['2025-01-09T09:30:02-05:00', Date.UTC(2025, 0, 9, 14, 30, 2)],
    ] as const) {
      expect(
        (await read(predecessorText({ collection: 'c', timestamp, documents: [] }))).facts,
      ).toMatchObject({ endedAt });
    }
    const turned = `{"documents": [ ], "version": "1.0.0", "since_timestamp": null, "document_count": 0,
      "timestamp": "2025-01-09T14:30:02", "backup_type": "full", "collection": "\\"documents\\": ["}`;
    expect((await read(turned, 1)).facts?.collection).toBe('"documents": [');
  });
});

const GOOD = predecessorText({ collection: 'users', documents: DOCUMENTS });

test.each([
  ['is empty', '', /not JSON/],
  ['is no JSON', 'hello', /not JSON/],
  ['is a list', '[{"id":1}]', /collection|expected/],
  ['is cut in the list', GOOD.slice(0, -40), /ends in the middle/],
  ['is cut behind the list', GOOD.slice(0, -2), /ends in the middle/],
  ['is followed by text', `${GOOD}{}`, /not JSON/],
  [
    'counts otherwise',
    GOOD.replace('"document_count": 4', '"document_count": 5'),
    /document_count is 5.*4 documents/,
  ],
  ['lacks a member', GOOD.replace(/ *"since_timestamp": null,\n/, ''), /since_timestamp/],
  ['has a member more', GOOD.replace('"version"', '"vectors": [], "version"'), /vectors/],
  ['has another version', GOOD.replace('1.0.0', '2.0.0'), /version/],
  ['has no time', GOOD.replace('2025-01-09T', 'yesterday '), /timestamp/],
  [
    'is full since a time',
    GOOD.replace('"since_timestamp": null', '"since_timestamp": "2025-01-01T00:00:00"'),
    /since_timestamp/,
  ],
  ['holds two lists', GOOD.replace('"collection"', '"documents": [1], "collection"'), /two lists/],
  ['holds a value twice', GOOD.replace('"none": null', '"none": null null'), /side by side/],
  ['holds a broken number', GOOD.replace('9007199254740993', '9007 199254740993'), /side by side/],
  ['lacks a comma', GOOD.replace('"n": 1.0,', '"n": 1.0'), /not a document/],
  ['has a comma too many', GOOD.replace('    {},\n', '    {},,\n'), /comma too many/],
  ['has a bracket of another kind', GOOD.replace('"list": []', '"list": [}'), /not a document|ends/],
  ['holds a line feed in a string', GOOD.replace('\\n', '\n'), /line feed/],
  ['holds text without end', `{"collection": "${'x'.repeat(100_000)}"}`, /more than the members/],
])('a text that %s is refused', async (_what, text, message) => {
  for (const pieceLength of [5, 100_000]) {
    const refused = await read(text, pieceLength).catch((thrown: unknown) => thrown);
    expect(refused).toBeInstanceOf(NotPredecessor);
    expect((refused as NotPredecessor).message).toMatch(message);
    expect((refused as NotPredecessor).isOurs).toBe(false);
  }
});

test('an archive of ours is told apart', async () => {
  const written = await writeArchive(
    DOCUMENTS.map((text) => Buffer.from(text)),
    HEADER,
  );
  const text = textOf(written.stored, written.blocks, 'gzip');
  for (const own of [text, Buffer.from(text.toString().replace('backup/1', 'backup/7'))]) {
    await expect(read(own)).rejects.toMatchObject({ name: 'NotPredecessor', isOurs: true });
  }
});

test('every cut of the text is noticed', async () => {
  for (let length = 0; length < GOOD.length; length++) {
    await expect(read(GOOD.slice(0, length)), `${length}`).rejects.toBeInstanceOf(NotPredecessor);
  }
});

const PRINT = 'import json, sys; sys.stdout.write(json.dumps(json.load(sys.stdin), indent=2, default=str))';
const python = spawnSync('python3', ['-c', PRINT], {
  input: JSON.stringify(JSON.parse(GOOD))
    .replace('"n":1,', '"n":1.0,')
    .replace(/"big":\d+/, '"big":9007199254740993'),
  encoding: 'utf8',
  timeout: 30_000,
});

test.skipIf(python.status !== 0)('the archives of these tests are what Python prints', () => {
  expect(python.stdout).toBe(GOOD);
});
