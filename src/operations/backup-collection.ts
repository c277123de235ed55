import { DocumentHasher, DocumentTotals } from '../archive/document-hashes.ts';
import { archiveFileName, archiveKey, manifestKey } from '../archive/layout.ts';
import { ArchiveWriter } from '../archive/writer.ts';
import type { Codec, Compression } from '../kernel/codec.ts';
import type { OnEvent } from '../kernel/events.ts';
import type { Scratch } from '../kernel/sorted-runs.ts';
import { encodeCollectionName, takeBackupId } from '../model/backup-id.ts';
import type { DocumentBatch } from '../model/document.ts';
import {
  ARCHIVE_VERSION,
  encodeManifest,
  FORMAT,
  type Manifest,
  parseManifest,
  type UnsignedManifest,
} from '../model/manifest.ts';
import { formatInstant, formatPlainTime } from '../model/time.ts';
import type { Repository } from '../repository.ts';
import type { Finding } from '../sources/scan/finding.ts';
import { Scan, ScanMustRestart } from '../sources/scan/scan.ts';
import type { ListedCollection, Source } from '../sources/source.ts';
import { BackupDraft } from './backup-draft.ts';
import { type Estimate, estimateBackup } from './backup-estimate.ts';
import type { BaseBackup } from './destinations.ts';
import { Increment, type IncrementLimits } from './incremental/increment.ts';
import { NotIncremental } from './incremental/not-incremental.ts';
import { openBase } from './incremental/proved-base.ts';
import { readBackArchive } from './read-back.ts';

export interface CollectionJob {
  readonly collection: ListedCollection;
  readonly runId: string;
  readonly compression: Compression;
  readonly dryRun: boolean;
  readonly readBack: boolean;
  /** Ask for the state of one moment: read twice and compare. */
  readonly point: boolean;
  /** The newest backup of this collection. */
  readonly before: Manifest | null;
  /** What the project holds beside documents, as the manifest says it. */
  readonly notIncluded: readonly string[];
  /** Awaited before anything is stored. */
  readonly beforeStoring: () => Promise<void>;
  /** What an incremental backup is built on; null: a full one is made. */
  readonly base: BaseBackup | null;
  readonly incrementLimits: IncrementLimits;
  /** Awaited before the manifest is stored, which makes the backup exist; in a dry run too. */
  readonly beforeCommit: (manifest: Manifest) => Promise<void>;
  /** Ids that are taken in the store; shared by the whole run. */
  readonly takenIds: Set<string>;
  /** Whether a collection that holds nothing gets a backup. */
  readonly backUpEmpty: boolean;
  readonly scratch: Scratch;
  readonly signal: AbortSignal | undefined;
  readonly onEvent: OnEvent;
}

const BLOCKS_IN_FLIGHT = 3;
const MISSING_LISTED_MAX = 100;
const POINT_ATTEMPTS_MAX = 3;

/** The collection changed between the two reads that `--consistency point` compares. */
class PointMissed extends Error {}

/** A backup that was made: the manifest as stored or, in a dry run, as it would be. */
export interface MadeBackup {
  readonly manifest: Manifest;
  /** Why it is a full one where an incremental one was asked for. */
  readonly fullBecause: string | null;
}

/**
 * One collection, scan to manifest. Null where the collection is empty and not to be backed up. Where an incremental
 * backup is not to be had it is a full one. A failure leaves nothing that a catalog would show.
 */
export async function backupCollection(
  repository: Repository,
  source: Source,
  job: CollectionJob,
): Promise<MadeBackup | null> {
  let withoutKeyset = false;
  let fullBecause: string | null = null;
  let attempts = 0;
  for (;;) {
    attempts++;
    const base = fullBecause === null ? job.base : null;
    try {
      const attempt = { base, withoutKeyset, mayRepeat: attempts < POINT_ATTEMPTS_MAX };
      const manifest = await backUpOnce(repository, source, job, attempt);
      return manifest === null ? null : { manifest, fullBecause };
    } catch (thrown) {
      if (thrown instanceof NotIncremental && base !== null) {
        fullBecause = thrown.message;
        continue;
      }
      if (thrown instanceof ScanMustRestart && !withoutKeyset) {
        withoutKeyset = true;
        job.onEvent({
          type: 'warning',
          object: job.collection.name,
          code: 'SCAN_RESTARTED',
          message: thrown.message,
        });
      } else if (!(thrown instanceof PointMissed)) {
        throw thrown;
      }
    }
  }
}

interface Attempt {
  readonly base: BaseBackup | null;
  readonly withoutKeyset: boolean;
  /** Whether it can be tried once more. */
  readonly mayRepeat: boolean;
}

/** source → scan → archive → store → read-back → index → manifest. */
async function backUpOnce(
  repository: Repository,
  source: Source,
  job: CollectionJob,
  { base: baseBackup, withoutKeyset, mayRepeat }: Attempt,
): Promise<Manifest | null> {
  const { platform } = repository;
  const { clock, codec } = platform;
  const { name } = job.collection;
  const openScan = () =>
    Scan.open(source.openCollection(name), {
      platform,
      scratch: job.scratch,
      withoutKeyset,
      signal: job.signal,
    });

  const begunAt = clock.monotonic();
  const scan = await openScan();
  if (scan.startsEmpty && !job.backUpEmpty) return null;
  await using opened = new AsyncDisposableStack();
  const increment = baseBackup === null ? null : await openIncrement(source, baseBackup, job);
  if (increment !== null) opened.defer(() => increment.close());
  const encodedCollection = encodeCollectionName(codec, name);
  const backupType = increment === null ? 'full' : 'incremental';
  const backupId = takeBackupId({ encodedCollection, backupType, startedAt: scan.startedAt }, job.takenIds);
  const startedAt = formatPlainTime(scan.startedAt);
  const writer = new ArchiveWriter(
    codec,
    job.scratch,
    {
      backupId,
      collection: name,
      backupType,
      timestamp: startedAt,
      sinceTimestamp: baseBackup?.manifest.created_at ?? null,
      baseBackupId: baseBackup?.manifest.backup_id ?? null,
      shape: scan.shape,
    },
    { compression: job.compression, level: null, inFlight: BLOCKS_IN_FLIGHT },
  );
  const draft = new BackupDraft(repository, backupId, job, job.signal);
  try {
    if (!job.dryRun) await job.beforeStoring();
    const key = archiveKey(backupId, job.compression);
    const watched = new WatchedBatches(job, (first) => {
      const { limitMax } = source.openCollection(name).traits;
      const elapsedMs = clock.monotonic() - begunAt;
      const { definition } = job.collection;
      const { before } = job;
      return estimateBackup({ first, requests: scan.requests, elapsedMs, limitMax, definition, before });
    });
    const scanned = watched.of(scan.batches());
    const batches = increment === null ? scanned : increment.changed(scan, scanned);
    await draft.put(
      key,
      writer.pieces(batches, () => increment?.deletedKeys ?? []),
    );
    const endedAt = clock.now();
    const sha256 = writer.fileHash();
    const { documentCount, documentsDigest } = writer.totals;
    increment?.assertStored({ documentCount, documentsDigest, fileSize: writer.fileSize });

    let consistency: Manifest['consistency'] = isComplete(scan.finding) ? 'window' : 'unproven';
    if (job.point && consistency === 'window') {
      const first = increment?.state ?? writer.totals;
      if (await readsTheSame(codec, await openScan(), first)) consistency = 'point';
      else if (mayRepeat) throw new PointMissed();
    }
    if (job.readBack && !job.dryRun) {
      const expected = { key, backupId, collection: name, compression: job.compression, sha256, writer };
      await readBackArchive(repository, expected, job.onEvent, job.signal);
    }
    const index = await draft.putIndex(writer);

    const fields: UnsignedManifest = {
      format: FORMAT,
      backup_id: backupId,
      run_id: job.runId,
      collection: name,
      backup_type: backupType,
      base_backup_id: baseBackup?.manifest.backup_id ?? null,
      file_name: archiveFileName(backupId, job.compression),
      object_path: key,
      file_size: writer.fileSize,
      document_count: writer.totals.documentCount,
      deleted_count: increment?.deletedKeys.length ?? 0,
      status: isComplete(scan.finding) ? 'completed' : 'incomplete',
      version: ARCHIVE_VERSION,
      created_at: startedAt,
      completed_at: formatPlainTime(clock.now()),
      source: { ...source.identity },
      window: { start: formatInstant(scan.startedAt), end: formatInstant(endedAt) },
      consistency,
      missing: whatIsMissing(scan.finding),
      document_shape: scan.shape,
      table_definition: job.collection.definition,
      not_included: [...job.notIncluded],
      raw_size: writer.rawSize,
      line_breaks_replaced: watched.lineBreaks,
      unkeyed_count: writer.totals.unkeyedCount,
      invalid_utf8_count: writer.totals.invalidUtf8Count,
      sha256,
      index,
      documents_digest: writer.totals.documentsDigest,
      content_digest: writer.totals.contentDigest,
      ...(increment !== null && {
        state_count: increment.state.documentCount,
        state_digest: increment.state.documentsDigest,
      }),
      compression: job.compression,
      encryption: null,
      tool_version: platform.host.toolVersion,
    };
    const bytes = encodeManifest(codec, fields);
    const manifest = parseManifest(codec, bytes, backupId);
    if (baseBackup !== null && !job.dryRun) await assertStillThere(baseBackup, job.signal);
    await job.beforeCommit(manifest);
    await draft.commit(bytes);
    return manifest;
  } catch (thrown) {
    await draft.withdraw();
    throw thrown;
  } finally {
    await writer.close();
  }
}

/** A cleanup elsewhere may have removed the base while the collection was read. */
async function assertStillThere({ repository, manifest }: BaseBackup, signal?: AbortSignal): Promise<void> {
  if ((await repository.store.size(manifestKey(manifest.backup_id), signal)) !== null) return;
  throw new NotIncremental(`${manifest.backup_id} was removed meanwhile`);
}

async function openIncrement(
  source: Source,
  { repository, manifest }: BaseBackup,
  { scratch, incrementLimits, signal }: CollectionJob,
): Promise<Increment> {
  const base = await openBase(repository, manifest, signal);
  return new Increment(source, base, scratch, incrementLimits, signal);
}

/** Reports progress while documents pass, and counts line breaks that the scanner had to replace. */
class WatchedBatches {
  lineBreaks = 0;
  readonly #job: CollectionJob;
  readonly #estimate: (first: DocumentBatch) => Estimate | null;

  constructor(job: CollectionJob, estimate: (first: DocumentBatch) => Estimate | null) {
    this.#job = job;
    this.#estimate = estimate;
  }

  async *of(batches: AsyncIterable<DocumentBatch>): AsyncGenerator<DocumentBatch> {
    let documents = 0;
    let bytes = 0;
    for await (const batch of batches) {
      const estimate = documents === 0 ? this.#estimate(batch) : null;
      if (estimate !== null) {
        this.#job.onEvent({ type: 'estimate', object: this.#job.collection.name, ...estimate });
      }
      yield batch;
      documents += batch.spans.count;
      bytes += batch.bytes.length;
      this.lineBreaks += batch.lineBreaks ?? 0;
      this.#job.onEvent({
        type: 'progress',
        object: this.#job.collection.name,
        phase: 'scan',
        unit: 'documents',
        done: documents,
        bytes,
        ...(batch.total === undefined ? {} : { total: Math.max(documents, batch.total) }),
      });
    }
  }
}

async function readsTheSame(
  codec: Codec,
  scan: Scan,
  first: Pick<DocumentTotals, 'documentCount' | 'documentsDigest'>,
): Promise<boolean> {
  const hasher = new DocumentHasher(codec, scan.shape);
  const second = new DocumentTotals();
  for await (const batch of scan.batches()) {
    for (let index = 0; index < batch.spans.count; index++) second.add(hasher.read(batch, index));
  }
  return (
    isComplete(scan.finding) &&
    second.documentCount === first.documentCount &&
    second.documentsDigest === first.documentsDigest
  );
}

function isComplete(finding: Finding): boolean {
  return finding.proved && finding.missing.length === 0;
}

/** One sentence for each thing that is missing or suspected missing; empty for a complete scan. */
function whatIsMissing(finding: Finding): string[] {
  const listed = finding.missing.slice(0, MISSING_LISTED_MAX);
  if (finding.missing.length > listed.length)
    listed.push(`and ${finding.missing.length - listed.length} more`);
  if (!finding.proved) listed.unshift(`not proved complete: ${finding.reason ?? 'no proof'}`);
  return listed;
}
