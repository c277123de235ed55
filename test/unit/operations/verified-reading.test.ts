import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { encodeManifest, parseManifest } from '../../../src/model/manifest.ts';
import { proveArchive } from '../../../src/operations/verified-reading.ts';
import { zlibCodec } from '../../../src/platform/zlib-codec.ts';
import { openRepository } from '../../../src/repository.ts';
import { type HEADER, SCRATCH, writeArchive } from '../../support/archives.ts';
import { backupError } from '../../support/expected-errors.ts';
import { BACKUP_ID, MANIFEST_FIELDS } from '../../support/manifests.ts';
import { memoryStore } from '../../support/memory-store.ts';
import { testPlatform } from '../../support/test-platform.ts';

/** An archive with this header line, and the manifest of one that says what MANIFEST_FIELDS says. */
async function prove(header: Partial<typeof HEADER>, documents: readonly string[]) {
  const archive = await writeArchive(
    documents.map((text) => Buffer.from(text)),
    header,
  );
  const { totals } = archive;
  const manifest = encodeManifest(zlibCodec, {
    ...MANIFEST_FIELDS,
    file_size: archive.fileSize,
    raw_size: archive.rawSize,
    sha256: archive.sha256,
    document_count: totals.documentCount,
    documents_digest: totals.documentsDigest,
    content_digest: totals.contentDigest,
  });
  const store = memoryStore(new Map([[MANIFEST_FIELDS.object_path as string, archive.stored]]));
  const repository = openRepository(testPlatform(), store, tmpdir());
  return await proveArchive(repository, SCRATCH, parseManifest(zlibCodec, manifest, BACKUP_ID), () => {});
}

describe.each([[[]], [['{"id":"a"}']]])('an archive of %j', (documents) => {
  it('is proved against its manifest', async () => {
    expect((await prove({}, documents)).indexSha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each<Partial<typeof HEADER>>([
    { collection: 'events' },
    { backupType: 'incremental' },
    { timestamp: '2025-01-09T14:30:00.000001' },
    { shape: 'flat_id' },
  ])('is damaged where its header line says %j', async (header) => {
    await expect(prove(header, documents)).rejects.toEqual(backupError('ARCHIVE_DAMAGED', BACKUP_ID));
  });
});
