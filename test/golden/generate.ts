import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { archiveFileName, archiveKey, indexKey, MARKER_KEY, manifestKey } from '../../src/archive/layout.ts';
import type { Compression } from '../../src/kernel/codec.ts';
import { encodeCollectionName, formatBackupId } from '../../src/model/backup-id.ts';
import { ARCHIVE_VERSION, encodeManifest, encodeMarker, FORMAT } from '../../src/model/manifest.ts';
import { formatInstant, formatPlainTime } from '../../src/model/time.ts';
import { zlibCodec } from '../../src/platform/zlib-codec.ts';
import { openDirectoryStore } from '../../src/stores/directory.ts';
import { onePiece, type Store } from '../../src/stores/store.ts';
import { writeArchive } from '../support/archives.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { testPlatform } from '../support/test-platform.ts';
import type { GoldenDocument } from './documents.ts';
import { expectationOf } from './expectation.ts';
import { GOLDEN_BACKUPS, GOLDEN_STORES, type GoldenBackup } from './stores.ts';

/**
 * Makes the golden stores: `node test/golden/generate.ts DIRECTORY`. They follow from the documents, a fixed clock and
 * fixed chance, except that another version of zlib or zstd may compress otherwise. The stores of a format that has
 * been released are never made again: a new format gets a new directory.
 */
const directory = process.argv[2];
if (directory === undefined || existsSync(directory)) {
  throw new Error('name a directory that does not exist yet');
}
mkdirSync(join(directory, 'expected'), { recursive: true });
const stores = GOLDEN_STORES.map((compression) => ({
  compression,
  store: openDirectoryStore(testPlatform(), join(directory, compression)),
}));
for (const { store } of stores) await store.put(MARKER_KEY, onePiece(marker()));
for (const backup of GOLDEN_BACKUPS) {
  const backupId = backupIdOf(backup);
  const documents = backup.documents();
  const indexHashes: Record<string, string> = {};
  for (const { store, compression } of stores) {
    indexHashes[compression] = await write(store, backup, documents, compression);
  }
  const { collection, shape } = backup;
  const expectation = {
    backup_id: backupId,
    collection,
    document_shape: shape,
    index_sha256: indexHashes,
    ...expectationOf(documents),
  };
  writeFileSync(join(directory, 'expected', `${backupId}.json`), `${JSON.stringify(expectation, null, 1)}\n`);
}

function marker(): Uint8Array {
  return encodeMarker(zlibCodec, {
    format: FORMAT,
    repository_id: Buffer.from(seededRandom(1).bytes(16)).toString('hex'),
    created_at: formatInstant(Date.UTC(2025, 0, 8)),
    source: { host: 'api.example.com', project: null },
  });
}

function backupIdOf({ collection, startedAt }: GoldenBackup): string {
  const encodedCollection = encodeCollectionName(zlibCodec, collection);
  return formatBackupId({ encodedCollection, backupType: 'full', startedAt });
}

/** Returns the hash of the index. */
async function write(
  store: Store,
  backup: GoldenBackup,
  documents: readonly GoldenDocument[],
  compression: Compression,
): Promise<string> {
  const { collection, shape, startedAt } = backup;
  const backupId = backupIdOf(backup);
  const header = { backupId, collection, shape, timestamp: formatPlainTime(startedAt) };
  const archive = await writeArchive(
    documents.map(({ bytes }) => bytes),
    header,
    { compression, level: 6 },
    [3, 1, 20],
  );
  const hashOf = (bytes: Uint8Array): string =>
    Buffer.from(zlibCodec.sha256(bytes), 'latin1').toString('hex');
  const { totals, index } = archive;
  const indexHeader = index.subarray(0, archive.indexHeaderLength);
  const manifest = encodeManifest(zlibCodec, {
    format: FORMAT,
    backup_id: backupId,
    run_id: '20250109_143000_0a1b2c3d',
    collection,
    backup_type: 'full',
    base_backup_id: null,
    file_name: archiveFileName(backupId, compression),
    object_path: archiveKey(backupId, compression),
    file_size: archive.fileSize,
    document_count: totals.documentCount,
    deleted_count: 0,
    status: 'completed',
    version: ARCHIVE_VERSION,
    created_at: formatPlainTime(startedAt),
    completed_at: formatPlainTime(startedAt + 45_123.5),
    source: { host: 'api.example.com', project: null, dialect: 'A' },
    window: { start: formatInstant(startedAt), end: formatInstant(startedAt + 44_000.25) },
    consistency: 'window',
    missing: [],
    document_shape: shape,
    table_definition: null,
    not_included: [],
    raw_size: archive.rawSize,
    line_breaks_replaced: 0,
    unkeyed_count: totals.unkeyedCount,
    invalid_utf8_count: totals.invalidUtf8Count,
    sha256: archive.sha256,
    index: {
      size: index.length,
      sha256: hashOf(index),
      header_size: indexHeader.length,
      header_sha256: hashOf(indexHeader),
    },
    documents_digest: totals.documentsDigest,
    content_digest: totals.contentDigest,
    compression,
    encryption: null,
    tool_version: '0.1.0',
    ...backup.manifest,
  });
  await store.put(archiveKey(backupId, compression), onePiece(archive.stored));
  await store.put(indexKey(backupId), onePiece(index));
  await store.put(manifestKey(backupId), onePiece(manifest));
  return hashOf(index);
}
