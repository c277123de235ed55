import { archiveFileName, archiveKey } from '../../archive/layout.ts';
import { ArchiveWriter } from '../../archive/writer.ts';
import type { Compression } from '../../kernel/codec.ts';
import { BackupError } from '../../kernel/errors.ts';
import type { OnEvent } from '../../kernel/events.ts';
import type { Scratch } from '../../kernel/sorted-runs.ts';
import { encodeCollectionName, takeBackupId } from '../../model/backup-id.ts';
import {
  ARCHIVE_VERSION,
  encodeManifest,
  FORMAT,
  type Manifest,
  parseManifest,
  type UnsignedManifest,
} from '../../model/manifest.ts';
import { formatInstant, formatPlainTime } from '../../model/time.ts';
import type { Repository } from '../../repository.ts';
import { BackupDraft } from '../backup-draft.ts';
import { readBackArchive } from '../read-back.ts';
import { type Examined, readPredecessor } from './examine.ts';
import type { FoundFile } from './found-files.ts';
import { Repeats } from './repeats.ts';

export interface Conversion {
  readonly runId: string;
  readonly source: { readonly host: string; readonly project: string | null };
  readonly compression: Compression;
  readonly dryRun: boolean;
  /** Awaited before anything is stored. */
  readonly beforeStoring: () => Promise<void>;
  readonly takenIds: Set<string>;
  readonly scratch: Scratch;
  readonly signal: AbortSignal | undefined;
  readonly onEvent: OnEvent;
}

const BLOCKS_IN_FLIGHT = 3;

/**
 * Makes a backup of a file that was examined, on the same road as every other: archive, read-back, index, manifest.
 * Returns the manifest as stored or, in a dry run, as it would be. The file itself is only read.
 */
export async function convert(
  repository: Repository,
  file: FoundFile,
  examined: Examined,
  job: Conversion,
): Promise<{ readonly manifest: Manifest; readonly repeated: number }> {
  const { codec, host } = repository.platform;
  const { collection, backupType, startedAt, endedAt, shape } = examined;
  const encodedCollection = encodeCollectionName(codec, collection);
  const backupId = takeBackupId({ encodedCollection, backupType, startedAt }, job.takenIds);
  const writer = new ArchiveWriter(
    codec,
    job.scratch,
    {
      backupId,
      collection,
      backupType,
      timestamp: formatPlainTime(startedAt),
      sinceTimestamp: examined.sinceTimestamp,
      baseBackupId: null,
      shape,
    },
    { compression: job.compression, level: null, inFlight: BLOCKS_IN_FLIGHT },
  );
  const repeats = new Repeats(codec, job.scratch, shape);
  const draft = new BackupDraft(repository, backupId, { dryRun: job.dryRun, readBack: true }, job.signal);
  try {
    if (!job.dryRun) await job.beforeStoring();
    const key = archiveKey(backupId, job.compression);
    const reading = readPredecessor(repository.platform, file, job.signal);
    const batches = watched(reading.batches(), examined, job.onEvent);
    await draft.put(key, writer.pieces(examined.mayRepeat ? repeats.leftOutOf(batches) : batches));
    if (reading.found().sha256 !== examined.sha256) throw changedMeanwhile(file);
    const sha256 = writer.fileHash();
    if (!job.dryRun) {
      const expected = { key, backupId, collection, compression: job.compression, sha256, writer };
      await readBackArchive(repository, expected, job.onEvent, job.signal);
    }
    const missing = whatIsMissing(examined, repeats.versions);
    const fields: UnsignedManifest = {
      format: FORMAT,
      backup_id: backupId,
      run_id: job.runId,
      collection,
      backup_type: backupType,
      base_backup_id: null,
      file_name: archiveFileName(backupId, job.compression),
      object_path: key,
      file_size: writer.fileSize,
      document_count: writer.totals.documentCount,
      deleted_count: 0,
      status: missing.length === 0 ? 'completed' : 'incomplete',
      version: ARCHIVE_VERSION,
      created_at: formatPlainTime(startedAt),
      completed_at: formatPlainTime(endedAt),
      source: { ...job.source, dialect: shape === 'row' ? 'B' : 'A' },
      window: { start: formatInstant(startedAt), end: formatInstant(endedAt) },
      consistency: 'unproven',
      missing,
      document_shape: shape,
      table_definition: null,
      not_included: [],
      raw_size: writer.rawSize,
      line_breaks_replaced: 0,
      unkeyed_count: writer.totals.unkeyedCount,
      invalid_utf8_count: writer.totals.invalidUtf8Count,
      sha256,
      index: await draft.putIndex(writer),
      documents_digest: writer.totals.documentsDigest,
      content_digest: writer.totals.contentDigest,
      compression: job.compression,
      encryption: null,
      tool_version: host.toolVersion,
      adopted_from: {
        file_name: file.fileName,
        object_path: file.objectPath,
        file_size: examined.fileSize,
        sha256: examined.sha256,
      },
    };
    const manifest = encodeManifest(codec, fields);
    await draft.commit(manifest);
    return { manifest: parseManifest(codec, manifest, backupId), repeated: repeats.dropped };
  } catch (thrown) {
    await draft.withdraw();
    throw thrown;
  } finally {
    await writer.close();
  }
}

/**
 * The predecessor's incremental backups hold what changed since a full one, and never what was deleted. Where it read
 * two versions of one document, nobody knows what else moved meanwhile.
 */
function whatIsMissing({ backupType, sinceTimestamp }: Examined, versions: number): string[] {
  const missing: string[] = [];
  if (backupType === 'incremental') {
    missing.push(
      `an incremental backup of the predecessor: it holds only what changed since ${sinceTimestamp ?? 'a time that it does not name'}`,
      'documents that were deleted since then are not named in it',
    );
  }
  if (versions > 0) {
    missing.push(
      `the collection changed while the predecessor read it: ${versions} documents have the key of another one`,
    );
  }
  return missing;
}

async function* watched<Batch extends { readonly spans: { readonly count: number } }>(
  batches: AsyncIterable<Batch>,
  { collection, documentCount }: Examined,
  onEvent: OnEvent,
): AsyncGenerator<Batch> {
  let done = 0;
  for await (const batch of batches) {
    yield batch;
    done += batch.spans.count;
    onEvent({
      type: 'progress',
      object: collection,
      phase: 'convert',
      unit: 'documents',
      done,
      total: documentCount,
    });
  }
}

function changedMeanwhile(file: FoundFile): BackupError {
  return new BackupError('ADOPT_REFUSED', `${file.label} changed while it was read`, {
    object: file.label,
    kept: 'No backup was made of it.',
    cure: 'Run it again when nobody writes to this file.',
  });
}
