import { type Catalog, readCatalog } from '../../catalog/catalog.ts';
import type { Compression } from '../../kernel/codec.ts';
import { BackupError, combinedExit, toBackupError } from '../../kernel/errors.ts';
import type { OperationContext, OperationEvent } from '../../kernel/events.ts';
import { randomHex } from '../../kernel/random.ts';
import { compactTime } from '../../model/backup-id.ts';
import type { Manifest } from '../../model/manifest.ts';
import {
  type AdoptedArchive,
  type AdoptReport,
  exitOf,
  type ReportedWarning,
  reportError,
} from '../../model/report.ts';
import { formatInstant } from '../../model/time.ts';
import { claimStore, openScratch, type Repository, readMarker } from '../../repository.ts';
import { leased } from '../leased.ts';
import { type Conversion, convert } from './convert.ts';
import { documentsDigest, type Examined, examine, refusal } from './examine.ts';
import { type FoundFile, filesBelow, filesInStore } from './found-files.ts';

export interface AdoptRequest {
  /** Where the files lie; null: in the store itself, among its archives. */
  readonly from: string | null;
  /** Whose documents they are, where the store's marker does not say; null if nothing is configured. */
  readonly source: { readonly host: string; readonly project: string | null } | null;
  readonly compression: Compression;
  /** Read everything, write nothing. */
  readonly dryRun: boolean;
}

/**
 * Makes backups of archives that the predecessor wrote (docs/adr/0003-adopt.md). The files stay as they are; one that
 * cannot be adopted is reported and stops none of the others, and what was adopted before is not adopted again.
 */
export async function adopt(
  home: Repository,
  request: AdoptRequest,
  context: OperationContext = {},
): Promise<AdoptReport> {
  const { clock, random, files: localFiles } = home.platform;
  const { signal } = context;
  await using lease = await leased(home, request.dryRun ? null : 'shared', 'rebuild --adopt', signal);
  const { repository } = lease;
  const begun = clock.monotonic();
  const runId = `${compactTime(clock.now())}_${randomHex(random, 4)}`;
  const warnings: ReportedWarning[] = [];
  const onEvent = (event: OperationEvent): void => {
    if (event.type === 'warning') {
      const { type: _type, ...warning } = event;
      warnings.push(warning);
    }
    context.onEvent?.(event);
  };

  const source = await sourceOf(repository, request, signal);
  const catalog = await catalogOf(repository, request, signal);
  const files =
    request.from === null
      ? await filesInStore(repository, catalog.backups, signal)
      : await filesBelow(localFiles, request.from, signal);
  const known = [...catalog.backups];
  const job: Conversion = {
    runId,
    source,
    compression: request.compression,
    dryRun: request.dryRun,
    beforeStoring: await claimStore(repository, source, true, signal),
    takenIds: takenIds(catalog),
    scratch: await openScratch(repository),
    signal,
    onEvent,
  };
  onEvent({
    type: 'run:started',
    operation: 'rebuild',
    run_id: runId,
    objects: files.map(({ label }) => label),
  });

  const results: AdoptedArchive[] = [];
  for (const file of files) {
    onEvent({ type: 'object:started', object: file.label });
    try {
      const result = await adoptFile(repository, file, known, job);
      results.push(result);
      onEvent({ type: 'object:finished', object: file.label, outcome: result.outcome });
    } catch (thrown) {
      signal?.throwIfAborted();
      const kept = 'The file is untouched.';
      const error = toBackupError(refusal(file, thrown), { operation: 'rebuild', object: file.label, kept });
      results.push({ ...fileOnly(file, 'failed'), error: reportError(error) });
      onEvent({ type: 'object:failed', object: file.label, code: error.code, message: error.message });
    }
  }

  const errors = results.flatMap(({ error }) => (error === undefined ? [] : [error]));
  if (files.length === 0) errors.push(reportError(nothingFound(repository, request)));
  return {
    operation: 'rebuild',
    dry_run: request.dryRun,
    run_id: runId,
    exit_code: combinedExit([
      ...results.filter(({ error }) => error === undefined).map(() => 0),
      ...errors.map(exitOf),
    ]),
    duration_ms: Math.round(clock.monotonic() - begun),
    backups: results,
    warnings,
    errors,
  };
}

async function adoptFile(
  repository: Repository,
  file: FoundFile,
  known: Manifest[],
  job: Conversion,
): Promise<AdoptedArchive> {
  const { platform } = repository;
  const onBytes = (done: number, bytes: number): void =>
    job.onEvent({
      type: 'progress',
      object: file.label,
      phase: 'examine',
      unit: 'documents',
      done,
      bytes,
    });
  const examined = await examine(platform, job.scratch, file, onBytes, job.signal);
  if (examined === null) return fileOnly(file, 'ours');
  const twin = await twinOf(repository, file, examined, known, job);
  if (twin !== null) return { ...factsOf(file, twin), outcome: 'known', backup_id: twin.backup_id };
  const { manifest, repeated } = await convert(repository, file, examined, job);
  known.push(manifest);
  job.onEvent({
    type: 'warning',
    object: file.label,
    code: 'ADOPTED_UNPROVEN',
    message: `${file.label}: the predecessor read its pages in no safe order, so documents of ${manifest.collection} may be missing from it`,
  });
  if (repeated > 0) {
    job.onEvent({
      type: 'warning',
      object: file.label,
      code: 'ADOPTED_REPEATED',
      message: `${file.label}: ${repeated} documents were in it twice, byte for byte, and are kept once`,
    });
  }
  const backup_id = job.dryRun ? null : manifest.backup_id;
  return { ...factsOf(file, manifest), outcome: 'adopted', backup_id };
}

/** The backup that was made of this file or of a copy of it: of the same collection, type and time, with the same documents. */
async function twinOf(
  { platform }: Repository,
  file: FoundFile,
  examined: Examined,
  known: readonly Manifest[],
  { scratch, signal }: Conversion,
): Promise<Manifest | null> {
  const end = formatInstant(examined.endedAt);
  const alike = known.filter(
    (manifest) =>
      manifest.collection === examined.collection &&
      manifest.backup_type === examined.backupType &&
      manifest.window.end === end,
  );
  if (alike.length === 0) return null;
  const ofSameFile = alike.find(({ adopted_from }) => adopted_from?.sha256 === examined.sha256);
  if (ofSameFile !== undefined) return ofSameFile;
  const digest = await documentsDigest(platform, scratch, file, examined.shape, signal);
  return alike.find(({ documents_digest }) => documents_digest === digest) ?? null;
}

async function sourceOf(
  repository: Repository,
  { source }: AdoptRequest,
  signal?: AbortSignal,
): Promise<Conversion['source']> {
  const marker = await readMarker(repository, signal);
  if (marker !== null) return { host: marker.source.host, project: marker.source.project };
  if (source !== null) return source;
  throw new BackupError('CONFIG_INVALID', 'nothing says which server these archives come from', {
    object: 'source',
    kept: 'Nothing was written.',
    cure: 'Set ZERODB_API_BASE_URL (or --source) to its address, and ZERODB_PROJECT_ID where it has projects: it is not contacted.',
  });
}

/** A store that is not there yet may be filled from elsewhere. */
async function catalogOf(
  repository: Repository,
  { from }: AdoptRequest,
  signal?: AbortSignal,
): Promise<Catalog> {
  try {
    return await readCatalog(repository, signal);
  } catch (thrown) {
    const isMissing = thrown instanceof BackupError && thrown.code === 'STORE_MISSING';
    if (from === null || !isMissing) throw thrown;
    return { backups: [], damaged: [], marks: new Map(), unfinished: [], adopted: [] };
  }
}

/** An empty directory is no good news: a disk that is not mounted looks the same. */
function nothingFound({ store }: Repository, { from }: AdoptRequest): BackupError {
  return new BackupError('BACKUP_MISSING', `there are no files to adopt in ${from ?? store.label}`, {
    cure:
      from === null
        ? 'Name the directory where the archives of the predecessor lie with --from.'
        : 'Check --from, and that its disk is mounted: files are looked for whose names end with .json.gz.',
  });
}

/** Those in the names of the files as well: no manifest claims them, so the catalog takes them for unfinished. */
function takenIds({ backups, damaged, unfinished, adopted }: Catalog): Set<string> {
  return new Set([
    ...backups.map(({ backup_id }) => backup_id),
    ...damaged.map(({ backupId }) => backupId),
    ...unfinished,
    ...adopted,
  ]);
}

function factsOf(file: FoundFile, { collection, status, document_count, missing }: Manifest) {
  return { file: file.label, collection, status, document_count, missing };
}

function fileOnly(file: FoundFile, outcome: 'ours' | 'failed'): AdoptedArchive {
  return {
    file: file.label,
    outcome,
    backup_id: null,
    collection: null,
    status: null,
    document_count: 0,
    missing: [],
  };
}
