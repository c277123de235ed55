import { batchesOf } from '../../../archive/document-lines.ts';
import { type RestoreArchive, restoreArchiveKey } from '../../../archive/layout.ts';
import { ArchiveWriter } from '../../../archive/writer.ts';
import type { Scratch } from '../../../kernel/sorted-runs.ts';
import type { DocumentShape } from '../../../model/document.ts';
import type { KeptArchive } from '../../../model/restore-record.ts';
import { formatPlainTime } from '../../../model/time.ts';
import type { Repository } from '../../../repository.ts';
import { readBackArchive } from '../../read-back.ts';

const BLOCKS_IN_FLIGHT = 1;

/**
 * Stores documents beside the record of a restore, in the format of backups (docs/format.md), and reads them back.
 * Resolves with what has to be known to read them again.
 */
export async function keepArchive(
  repository: Repository,
  scratch: Scratch,
  kept: {
    readonly restoreId: string;
    readonly what: RestoreArchive;
    readonly collection: string;
    readonly shape: DocumentShape;
  },
  documents: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<KeptArchive> {
  const { codec, clock } = repository.platform;
  const { restoreId, collection, shape } = kept;
  const key = restoreArchiveKey(restoreId, kept.what);
  const created = formatPlainTime(clock.now());
  const header = {
    backupId: restoreId,
    collection,
    backupType: 'full' as const,
    timestamp: created,
    sinceTimestamp: null,
    baseBackupId: null,
    shape,
  };
  const settings = { compression: 'gzip' as const, level: 1, inFlight: BLOCKS_IN_FLIGHT };
  const writer = new ArchiveWriter(codec, scratch, header, settings);
  try {
    await repository.store.put(key, writer.pieces(batchesOf(documents)), signal);
    const sha256 = writer.fileHash();
    const expected = { key, backupId: restoreId, collection, compression: 'gzip' as const, sha256, writer };
    await readBackArchive(repository, expected, () => {}, signal);
    return {
      backup_id: restoreId,
      object_path: key,
      collection,
      backup_type: 'full',
      base_backup_id: null,
      created_at: created,
      document_shape: shape,
      document_count: writer.totals.documentCount,
      deleted_count: 0,
      documents_digest: writer.totals.documentsDigest,
      content_digest: writer.totals.contentDigest,
      compression: 'gzip',
      file_size: writer.fileSize,
      raw_size: writer.rawSize,
      sha256,
    };
  } finally {
    await writer.close();
  }
}
