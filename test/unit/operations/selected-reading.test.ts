import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IndexBuilder } from '../../../src/archive/index-file.ts';
import { readCatalog } from '../../../src/catalog/catalog.ts';
import type { Codec } from '../../../src/kernel/codec.ts';
import type { OnEvent } from '../../../src/kernel/events.ts';
import type { DocumentShape } from '../../../src/model/document.ts';
import { readSelected, type SelectedReading } from '../../../src/operations/selected-reading.ts';
import { zlibCodec } from '../../../src/platform/zlib-codec.ts';
import { openRepository, type Repository } from '../../../src/repository.ts';
import { openDirectoryStore } from '../../../src/stores/directory.ts';
import type { Expectation } from '../../golden/expectation.ts';
import { batchOf, SCRATCH } from '../../support/archives.ts';
import { backupError } from '../../support/expected-errors.ts';
import {
  countingStore,
  failingStore,
  flippedBytes,
  type StoredBackup,
  storeBackup,
  storeBatches,
} from '../../support/stored-backups.ts';
import { testPlatform } from '../../support/test-platform.ts';

type Event = Parameters<OnEvent>[0];

interface Read {
  readonly documents: readonly string[];
  readonly selected: SelectedReading;
}

async function select(
  { repository, manifest }: Pick<StoredBackup, 'repository' | 'manifest'>,
  ids: readonly string[],
  events: Event[] = [],
): Promise<Read> {
  const documents: string[] = [];
  const selected = await readSelected(
    repository,
    SCRATCH,
    manifest,
    ids,
    (event) => events.push(event),
    undefined,
    ({ bytes, spans }, index) => {
      documents.push(latin1(bytes.subarray(spans.start(index), spans.end(index))));
    },
  );
  const again: string[] = [];
  for await (const { bytes, spans } of selected.batches()) {
    expect(spans.count).toBeGreaterThan(0);
    for (let at = 0; at < spans.count; at++)
      again.push(latin1(bytes.subarray(spans.start(at), spans.end(at))));
  }
  expect(again, 'the same documents the second time').toEqual(documents);
  expect(selected.documents).toBe(documents.length);
  return { documents, selected };
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const asBytes = (text: string): string => latin1(Buffer.from(text));

/** A document of each shape with this JSON text as the id of its payload. */
const FORMS: Record<DocumentShape, (id: string, at: number) => string> = {
  flat: (id, at) => `{"id":${id},"at":${at}}`,
  id_data: (id, at) => `{"id":"k${at}","data":{"id":${id},"at":${at}}}`,
  row: (id, at) => `{"row_id":"r${at}","row_data":{"at":${at},"id":${id}}}`,
  flat_id: (id, at) => `{"_id":"u${at}","id":${id},"at":${at}}`,
};
const SHAPES = Object.keys(FORMS) as DocumentShape[];

describe('reading the documents with some ids', () => {
  it('finds exactly those that a plain reading finds, in every shape', async () => {
    const id = fc.oneof(
      fc.nat(30).map(String),
      fc.nat(30).map((number) => JSON.stringify(String(number))),
      fc.constantFrom(
        '1.0',
        '1e0',
        '-1',
        '"ünï😀"',
        '"\\ud800"',
        '"\\u0061"',
        '"a"',
        '"a/b"',
        '""',
        'null',
        '[1]',
      ),
      fc.string({ unit: 'grapheme' }).map((text) => JSON.stringify(text)),
    );
    const cases = fc.record({
      shape: fc.constantFrom(...SHAPES),
      ids: fc.array(id, { maxLength: 40 }),
      wanted: fc.array(id, { minLength: 1, maxLength: 6 }),
      blockBytes: fc.constantFrom(1, 100, 400, 1 << 20),
      compression: fc.constantFrom('gzip', 'zstd'),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ shape, ids, wanted, ...options }) => {
        const documents = ids.map((text, at) => FORMS[shape](text, at));
        const asked = wanted.map(plainId).filter((text) => text !== null);
        const backup = await storeBackup(
          documents.map((text) => Buffer.from(text)),
          { shape, ...options },
        );
        const { documents: found, selected } = await select(backup, asked);
        const expected = documents.filter((_, at) => asked.includes(plainId(ids[at]!)!));
        expect(found).toEqual(expected.map(asBytes));
        const present = new Set(ids.map(plainId));
        expect(selected.missing).toEqual([...new Set(asked)].filter((text) => !present.has(text)));
        expect(selected.warnings).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it.each(SHAPES)('finds documents without an id by their scan key or hash: %s', async (shape) => {
    const documents = ['{"a":1}', '{"row_id":"r","row_data":{}}', '{"_id":7}', '{"id":"k","data":[]}'].map(
      (text) => Buffer.from(text),
    );
    const backup = await storeBackup(documents, { shape });
    const key = { flat: 'k', id_data: 'k', row: 'r', flat_id: 'k' }[shape];
    const { documents: found } = await select(backup, [key]);
    expect(found).toEqual([latin1(documents[shape === 'row' ? 1 : 3]!)]);
    const hash = `sha256:${Buffer.from(zlibCodec.sha256(documents[0]!), 'latin1').toString('hex')}`;
    expect((await select(backup, [hash])).documents).toEqual(['{"a":1}']);
  });

  it('finds nothing where there is nothing', async () => {
    for (const shape of SHAPES) {
      const { documents, selected } = await select(await storeBackup([], { shape }), ['a', '', 'b', 'a']);
      expect(documents).toEqual([]);
      expect(selected.missing).toEqual(['a', '', 'b']);
    }
  });

  it('finds ids in an index of many pages, entries across two of them included', async () => {
    const count = 9000;
    for (const shape of ['flat', 'row'] as const) {
      const documents = Array.from({ length: count }, (_, at) =>
        Buffer.from(FORMS[shape](String(at % 8000), at)),
      );
      const backup = await storeBackup(documents, { shape, blockBytes: 4000 });
      for (let from = 0; from < 8000; from += 800) {
        const wanted = Array.from({ length: 800 }, (_, at) => String(from + at));
        const { documents: found, selected } = await select(backup, wanted);
        expect(found.map((text) => Number(/"at":(\d+)/.exec(text)![1])).toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: count }, (_, at) => at).filter(
            (at) => Math.floor((at % 8000) / 800) * 800 === from,
          ),
        );
        expect(selected.missing).toEqual([]);
      }
    }
  });

  it.each([0, 3])('tells ids apart whose hashes begin alike (%d bits left)', async (bits) => {
    const codec = weakHashes(bits);
    for (const shape of SHAPES) {
      const documents = Array.from({ length: 6000 }, (_, at) =>
        Buffer.from(FORMS[shape](`"n${at % 5990}"`, at)),
      );
      const backup = await storeBackup(documents, { shape, codec, blockBytes: 20_000 });
      const { documents: found, selected } = await select(backup, ['n3', 'n4999', 'other']);
      expect(found).toEqual([3, 4999, 5993].map((at) => latin1(documents[at]!)));
      expect(selected.missing).toEqual(['other']);
      expect(selected.warnings).toEqual([]);
    }
  });

  it('takes no document that an entry names and that has another id', async () => {
    const documents = ['a', 'b', 'c'].map((id) => Buffer.from(`{"id":"${id}","at":1}`));
    const hash = (text: string): string => zlibCodec.sha256(Buffer.from(text));
    const backup = await storeBackup(documents, {
      blockBytes: 1,
      index: () => {
        const builder = new IndexBuilder(zlibCodec, SCRATCH, false);
        builder.add(hash('a'), 1, hash('x'), '');
        builder.add(hash('a'), 2, hash('x'), '');
        builder.add(hash('c'), 2, hash('x'), '');
        return builder;
      },
    });
    expect((await select(backup, ['a'])).documents).toEqual(['{"id":"a","at":1}']);
    expect((await select(backup, ['c'])).selected.missing).toEqual(['c']);
  });

  it.each(['gzip', 'zstd'] as const)(
    'finds every document of the golden store in %s',
    async (compression) => {
      const directory = join(import.meta.dirname, '../../golden/format-1');
      const platform = testPlatform();
      const repository = openRepository(
        platform,
        openDirectoryStore(platform, join(directory, compression)),
        tmpdir(),
      );
      let found = 0;
      for (const manifest of (await readCatalog(repository)).backups) {
        const path = join(directory, 'expected', `${manifest.backup_id}.json`);
        const expected = (JSON.parse(readFileSync(path, 'utf8')) as Expectation).documents ?? [];
        const byId = new Map<string, string[]>();
        for (const { logical_id, sha256 } of expected) {
          const id = Buffer.from(logical_id, 'hex');
          if (!isUtf8(id)) continue; // nobody can ask for it
          byId.set(id.toString(), [...(byId.get(id.toString()) ?? []), sha256]);
        }
        for (const [id, hashes] of byId) {
          const { documents, selected } = await select({ repository, manifest }, [id]);
          expect(documents.map((text) => hexOf(zlibCodec.sha256(Buffer.from(text, 'latin1'))))).toEqual(
            hashes,
          );
          expect(selected.missing).toEqual([]);
          found += hashes.length;
        }
      }
      expect(found).toBeGreaterThan(100);
    },
  );
});

describe('what is read of the store', () => {
  it('is the header of the index, few pages and the blocks that are named; twice costs no more', async () => {
    const count = 52_000; // of 1 kB, which do not compress
    const ids = (at: number): string => `id-${at}`;
    function* batches() {
      let state = 1;
      for (let from = 0; from < count; from += 1000) {
        yield batchOf(
          Array.from({ length: 1000 }, (_, at) => {
            let noise = '';
            while (noise.length < 940) {
              state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
              noise += state.toString(36);
            }
            return Buffer.from(
              `{"row_id":"r${from + at}","row_data":{"id":"${ids(from + at)}","noise":"${noise}"}}`,
            );
          }),
        );
      }
    }
    const backup = await storeBatches(batches(), { shape: 'row' });
    expect(backup.manifest.raw_size).toBeGreaterThan(50e6);
    for (const at of [0, 1, 17_000, 51_999]) {
      const store = countingStore(backup.repository.store);
      const repository: Repository = { ...backup.repository, store };
      const { documents, selected } = await select({ repository, manifest: backup.manifest }, [ids(at)]);
      expect(documents).toHaveLength(1);
      expect(store.read).toBeLessThan(2 << 20);
      expect(selected.bytesRead).toBe(store.read);
    }
    const store = countingStore(backup.repository.store);
    await select({ repository: { ...backup.repository, store }, manifest: backup.manifest }, ['nobody']);
    expect(store.read).toBeLessThan(backup.manifest.index.header_size + 4 * 65_536);
  });

  it('stops when it is told to', async () => {
    const { repository, manifest } = await storeBackup([Buffer.from('{"id":"a"}')]);
    const reason = new Error('stop');
    const reading = readSelected(repository, SCRATCH, manifest, ['a'], () => {}, AbortSignal.abort(reason));
    await expect(reading).rejects.toBe(reason);
  });
});

describe('reading some documents of a damaged backup', () => {
  const documents = Array.from({ length: 12 }, (_, at) => Buffer.from(FORMS.row(`"n${at}"`, at)));
  const options = { shape: 'row', blockBytes: 120 } as const;

  it('never gives a wrong document, whichever byte of the archive is flipped', async () => {
    const backup = await storeBackup(documents, options);
    const whole = backup.objects.get(backup.archiveKey)!;
    const expected = (await select(backup, ['n2', 'n3'])).documents;
    let refused = 0;
    for (const { at, changed } of flippedBytes(whole)) {
      backup.objects.set(backup.archiveKey, changed);
      const reading = select(backup, ['n2', 'n3']);
      if (holds(backup, at, ['n2', 'n3'])) {
        await expect(reading).rejects.toEqual(backupError('ARCHIVE_DAMAGED', backup.manifest.backup_id));
        refused++;
      } else expect((await reading).documents).toEqual(expected);
    }
    expect(refused).toBeGreaterThan(50);
  });

  it('reads the whole archive where a byte of the index is flipped, and says so', async () => {
    const backup = await storeBackup(documents, options);
    const whole = backup.objects.get(backup.indexKey)!;
    const expected = (await select(backup, ['n2', 'n9'])).documents;
    let fallbacks = 0;
    for (const { changed } of flippedBytes(whole)) {
      backup.objects.set(backup.indexKey, changed);
      const events: Event[] = [];
      const { documents: found, selected } = await select(backup, ['n2', 'n9', 'n99'], events);
      expect(found).toEqual(expected);
      expect(selected.missing).toEqual(['n99']);
      expect(selected.warnings).toMatchObject([{ code: 'INDEX_DAMAGED', object: backup.manifest.backup_id }]);
      expect(events).toContainEqual(expect.objectContaining({ type: 'warning', code: 'INDEX_DAMAGED' }));
      expect(selected.bytesRead).toBeGreaterThanOrEqual(2 * backup.manifest.file_size);
      fallbacks++;
    }
    expect(fallbacks).toBe(whole.length);
    for (const length of [0, 10, backup.manifest.index.header_size, whole.length - 1]) {
      backup.objects.set(backup.indexKey, whole.subarray(0, length));
      expect((await select(backup, ['n2', 'n9'])).documents).toEqual(expected);
    }
    backup.objects.delete(backup.indexKey);
    expect((await select(backup, ['n2', 'n9'])).selected.warnings).toHaveLength(1);
    backup.objects.set(backup.indexKey, whole);
    const failing = failingStore(backup, backup.indexKey, 'EIO');
    expect((await select(failing, ['n2', 'n9'])).selected.warnings).toHaveLength(1);
    await expect(select(failingStore(backup, backup.indexKey, 'EMFILE'), ['n2'])).rejects.toMatchObject({
      code: 'STORE_FAILED',
    });
  });

  it('refuses an index that is intact and tells of other blocks', async () => {
    const hash = zlibCodec.sha256(Buffer.from('n2'));
    const backup = await storeBackup(documents, {
      ...options,
      index: () => {
        const builder = new IndexBuilder(zlibCodec, SCRATCH, true);
        for (const at of documents.keys()) builder.add(hash, at === 0 ? 0 : 99, hash, hash);
        return builder;
      },
    });
    const { documents: found, selected } = await select(backup, ['n2']);
    expect(found).toEqual([latin1(documents[2]!)]);
    expect(selected.warnings).toMatchObject([{ code: 'INDEX_DAMAGED' }]);
  });

  it('fails where both are damaged, or the archive is gone', async () => {
    const backup = await storeBackup(documents, options);
    backup.objects.delete(backup.archiveKey);
    const error = backupError('ARCHIVE_DAMAGED', backup.manifest.backup_id);
    await expect(select(backup, ['n2'])).rejects.toEqual(error);
    backup.objects.delete(backup.indexKey);
    await expect(select(backup, ['n2'])).rejects.toEqual(error);
  });

  it('does not take an incremental backup for the whole', async () => {
    const { manifest, repository } = await storeBackup(documents, options);
    const increment = { ...manifest, backup_type: 'incremental' } as const;
    await expect(select({ repository, manifest: increment }, ['n2'])).rejects.toMatchObject({
      code: 'FORMAT_UNKNOWN',
    });
  });
});

/** Whether the block in which this byte stands holds one of these ids. */
function holds({ blocks }: StoredBackup, at: number, ids: readonly string[]): boolean {
  const number = blocks.findIndex(({ offset, storedLength }) => at >= offset && at < offset + storedLength);
  const before = blocks.slice(0, number).reduce((sum, { documents }) => sum + documents, 0);
  const held = Array.from({ length: blocks[number]!.documents }, (_, index) => `n${before + index}`);
  return held.some((id) => ids.includes(id));
}

/** The text that asks for an id that has this JSON text; null where it identifies nothing. */
function plainId(json: string): string | null {
  const value: unknown = JSON.parse(json);
  if (typeof value === 'number') return json;
  return typeof value === 'string' && value !== '' ? value : null;
}

/** SHA-256 of which the first eight bytes are nearly always the same. */
function weakHashes(bits: number): Codec {
  const weakened = (hash: string): string =>
    `\0\0\0\0\0\0\0${String.fromCharCode(hash.charCodeAt(7) & ((1 << bits) - 1))}${hash.slice(8)}`;
  return {
    ...zlibCodec,
    sha256: (bytes) => weakened(zlibCodec.sha256(bytes)),
    createSha256: () => {
      const stream = zlibCodec.createSha256();
      return {
        update: (bytes) => stream.update(bytes),
        hex: () => hexOf(weakened(Buffer.from(stream.hex(), 'hex').toString('latin1'))),
      };
    },
  };
}

function hexOf(hash: string): string {
  return Buffer.from(hash, 'latin1').toString('hex');
}
