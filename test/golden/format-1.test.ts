import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseIndexHeader } from '../../src/archive/index-file.ts';
import { readCatalog } from '../../src/catalog/catalog.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { proveArchive } from '../../src/operations/verified-reading.ts';
import { verify } from '../../src/operations/verify.ts';
import { openRepository, type Repository } from '../../src/repository.ts';
import { openDirectoryStore } from '../../src/stores/directory.ts';
import { readObject } from '../../src/stores/store.ts';
import { SCRATCH, textOf, writeArchive } from '../support/archives.ts';
import { sha256 } from '../support/reference-digest.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary-directory.ts';
import { testPlatform } from '../support/test-platform.ts';
import { type Expectation, expectationOf } from './expectation.ts';
import { GOLDEN_BACKUPS, GOLDEN_STORES } from './stores.ts';

const directory = join(import.meta.dirname, 'format-1');
const expectedFiles = readdirSync(join(directory, 'expected'));

interface StoredExpectation extends Expectation {
  readonly backup_id: string;
  readonly collection: string;
  readonly document_shape: string;
  readonly index_sha256: Readonly<Record<string, string>>;
}

const expectationFor = (backupId: string): StoredExpectation =>
  JSON.parse(readFileSync(join(directory, 'expected', `${backupId}.json`), 'utf8')) as StoredExpectation;

let scratch: TemporaryDirectory;
beforeAll(() => {
  scratch = temporaryDirectory();
});
afterAll(() => scratch[Symbol.dispose]());

describe.each(GOLDEN_STORES)('the golden store of format 1 in %s', (compression) => {
  let repository: Repository;
  let manifests: ReadonlyMap<string, Manifest>;
  beforeAll(async () => {
    const platform = testPlatform();
    const store = openDirectoryStore(platform, join(directory, compression));
    repository = openRepository(platform, store, scratch.path);
    const catalog = await readCatalog(repository);
    manifests = new Map(catalog.backups.map((manifest) => [manifest.backup_id, manifest]));
  });

  it('has a backup for each expectation', () => {
    expect([...manifests.keys()].map((id) => `${id}.json`).sort()).toEqual(expectedFiles.toSorted());
    expect([...manifests.values()].map(({ collection }) => collection).sort()).toEqual(
      GOLDEN_BACKUPS.map(({ collection }) => collection).sort(),
    );
  });

  it.each(['presence', 'checksum', 'decode'] as const)('is good: verify --level %s', async (level) => {
    const report = await verify(repository, { backupIds: null, level, maxAgeMs: null });
    expect(report.errors).toEqual([]);
    expect(report.exit_code).toBe(0);
    expect(report.backups.map(({ outcome }) => outcome)).toEqual(Array(expectedFiles.length).fill('good'));
    expect(report.unfinished).toEqual([]);
  });

  it.each(expectedFiles)('reads as it was written: %s', async (file) => {
    const manifest = manifests.get(file.slice(0, -'.json'.length))!;
    const expected = expectationFor(manifest.backup_id);
    const hashes: Buffer[] = [];
    const documents: unknown[] = [];
    const { indexSha256 } = await proveArchive(
      repository,
      SCRATCH,
      manifest,
      () => {},
      undefined,
      ({ bytes, spans }, at, found) => {
        const document = Buffer.from(bytes.subarray(spans.start(at), spans.end(at)));
        hashes.push(sha256(document));
        const entry = expected.documents?.[documents.length];
        documents.push({
          ...(entry?.bytes === undefined ? {} : { bytes: document.toString('base64') }),
          length: document.length,
          sha256: hashes.at(-1)!.toString('hex'),
          scan_key: hex(found.scanKeyHash),
          logical_id: hex(found.logicalIdHash),
          payload_sha256: hex(found.payloadHash),
          leaf: hex(found.leaf.slice(0, 16)),
          content_leaf: hex(found.contentLeaf.slice(0, 16)),
        });
      },
    );
    if (expected.documents !== undefined) expect(documents).toEqual(expected.documents.map(withKeysHashed));
    expect({
      collection: manifest.collection,
      document_shape: manifest.document_shape,
      index_sha256: indexSha256,
      document_count: manifest.document_count,
      unkeyed_count: manifest.unkeyed_count,
      invalid_utf8_count: manifest.invalid_utf8_count,
      documents_digest: manifest.documents_digest,
      content_digest: manifest.content_digest,
      documents_sha256: sha256(Buffer.concat(hashes)).toString('hex'),
    }).toEqual({
      collection: expected.collection,
      document_shape: expected.document_shape,
      index_sha256: expected.index_sha256[compression],
      document_count: expected.document_count,
      unkeyed_count: expected.unkeyed_count,
      invalid_utf8_count: expected.invalid_utf8_count,
      documents_digest: expected.documents_digest,
      content_digest: expected.content_digest,
      documents_sha256: expected.documents_sha256,
    });
  });

  it.each(GOLDEN_BACKUPS)('is written the same today: $collection', async (backup) => {
    const manifest = [...manifests.values()].find(({ collection }) => collection === backup.collection)!;
    const documents = backup.documents();
    const { backup_id: backupId, created_at: timestamp, document_shape: shape, collection } = manifest;
    const today = await writeArchive(
      documents.map(({ bytes }) => bytes),
      { backupId, collection, shape, timestamp },
      { compression },
    );

    const storedIndex = await readObject(repository.store, `indexes/${backupId}`, 1 << 24);
    const header = parseIndexHeader(storedIndex.subarray(0, manifest.index.header_size))!;
    const todaysHeader = parseIndexHeader(today.index.subarray(0, today.indexHeaderLength))!;
    const golden = textOf(
      await readObject(repository.store, manifest.object_path, 1 << 24),
      header.blocks,
      compression,
    );
    expect(textOf(today.stored, today.blocks, compression).equals(golden), 'the same text').toBe(true);
    expect(today.totals.documentsDigest).toBe(manifest.documents_digest);
    expect(today.totals.contentDigest).toBe(manifest.content_digest);
    expect(today.totals.unkeyedCount).toBe(manifest.unkeyed_count);
    expect(today.totals.invalidUtf8Count).toBe(manifest.invalid_utf8_count);
    expect(today.rawSize).toBe(manifest.raw_size);

    // compressed bytes may differ between versions of zlib, and with them offsets, stored lengths and hashes
    const cut = ({ rawLength, documents: count }: { rawLength: number; documents: number }) => [
      rawLength,
      count,
    ];
    expect(todaysHeader.blocks.map(cut)).toEqual(header.blocks.map(cut));
    expect({ ...todaysHeader, blocks: [] }).toEqual({ ...header, blocks: [] });
    const body = storedIndex.subarray(manifest.index.header_size);
    expect(today.index.subarray(today.indexHeaderLength).equals(body), 'the same entries').toBe(true);
  });

  it('is compared with expectations that follow from its documents', () => {
    for (const backup of GOLDEN_BACKUPS) {
      const manifest = [...manifests.values()].find(({ collection }) => collection === backup.collection)!;
      expect(expectationFor(manifest.backup_id)).toMatchObject({ ...expectationOf(backup.documents()) });
    }
  });
});

/** Keys as the reader under test knows them: by their SHA-256. */
function withKeysHashed<Document extends { scan_key: string; logical_id: string }>(
  document: Document,
): Document {
  const hashed = (key: string): string => sha256(Buffer.from(key, 'hex')).toString('hex');
  return { ...document, scan_key: hashed(document.scan_key), logical_id: hashed(document.logical_id) };
}

function hex(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('hex');
}
