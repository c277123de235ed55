import { indexKey } from '../archive/layout.ts';
import { readCatalog } from '../catalog/catalog.ts';
import { BackupError, combinedExit, toBackupError } from '../kernel/errors.ts';
import type { OperationContext } from '../kernel/events.ts';
import type { Scratch } from '../kernel/sorted-runs.ts';
import type { Manifest } from '../model/manifest.ts';
import { exitOf, type RebuildReport, type RebuiltIndex, reportError } from '../model/report.ts';
import { openScratch, type Repository } from '../repository.ts';
import type { Target } from '../sources/target.ts';
import { onePiece } from '../stores/store.ts';
import { leased } from './leased.ts';
import { mirror } from './mirror.ts';
import { archiveDamaged, proveArchive } from './verified-reading.ts';
import { noBackups } from './verify.ts';

export interface RebuildRequest {
  /** Read and prove everything, write nothing. */
  readonly dryRun: boolean;
  /** Opens the project in which people query the mirror; null or left out: there is none to bring up to date. */
  readonly openMirror?: (() => Promise<Target>) | null;
}

/**
 * Makes indexes that are missing or damaged again, from archives that were proved against their manifests, and brings
 * the mirror up to date. Touches nothing else; a backup that cannot be helped stays as it is, is reported, and stops none
 * of the others.
 */
export async function rebuild(
  home: Repository,
  { dryRun, openMirror = null }: RebuildRequest,
  context: OperationContext = {},
): Promise<RebuildReport> {
  const { clock } = home.platform;
  const begun = clock.monotonic();
  await using lease = await leased(home, dryRun ? null : 'exclusive', 'rebuild', context.signal);
  const { repository } = lease;
  const catalog = await readCatalog(repository, context.signal);
  const scratch = await openScratch(repository);
  const results: RebuiltIndex[] = catalog.damaged.map(({ backupId, error }) => ({
    backup_id: backupId,
    collection: '',
    outcome: 'failed',
    index: null,
    error: reportError(error),
  }));
  context.onEvent?.({
    type: 'run:started',
    operation: 'rebuild',
    objects: catalog.backups.map(({ backup_id }) => backup_id),
  });
  for (const manifest of catalog.backups) {
    const { backup_id, collection } = manifest;
    context.onEvent?.({ type: 'object:started', object: backup_id });
    let index: RebuiltIndex['index'] = null;
    try {
      const found = await lookAtIndex(repository, manifest, context.signal);
      index = found.state;
      if (index !== 'good') await rebuildIndex(repository, scratch, manifest, found, dryRun, context);
      const outcome = index === 'good' ? 'good' : 'rebuilt';
      results.push({ backup_id, collection, outcome, index });
      context.onEvent?.({ type: 'object:finished', object: backup_id, outcome });
    } catch (thrown) {
      context.signal?.throwIfAborted();
      const error = toBackupError(thrown, { operation: 'rebuild', object: backup_id });
      results.push({ backup_id, collection, outcome: 'failed', index, error: reportError(error) });
      const { code, message } = error;
      context.onEvent?.({ type: 'object:failed', object: backup_id, code, message });
    }
  }

  const errors = results.flatMap(({ error }) => (error === undefined ? [] : [error]));
  if (results.length === 0) errors.push(noBackups(repository, catalog.unfinished.length));
  let mirrored: number | null = null;
  if (openMirror !== null && !dryRun) {
    try {
      mirrored = await mirror(repository, openMirror, { there: catalog.backups, gone: new Set() }, context);
    } catch (thrown) {
      if (!(thrown instanceof BackupError && thrown.code === 'MIRROR_FAILED')) throw thrown;
      errors.push(reportError(thrown));
    }
  }
  const rebuilt = results.filter(({ outcome }) => outcome === 'rebuilt');
  return {
    operation: 'rebuild',
    dry_run: dryRun,
    exit_code: combinedExit([...rebuilt.map(() => 0), ...errors.map(exitOf)]),
    ...(mirrored !== null && { mirrored }),
    duration_ms: Math.round(clock.monotonic() - begun),
    backups: results,
    warnings: [],
    errors,
  };
}

interface Look {
  readonly state: 'good' | 'missing' | 'damaged';
  /** Hex SHA-256 of what is there; null if nothing is. */
  readonly sha256: string | null;
}

/** Whether the stored index is the one that the manifest names: every byte of it is read. */
async function lookAtIndex(
  { store, platform }: Repository,
  { backup_id, index }: Manifest,
  signal?: AbortSignal,
): Promise<Look> {
  const key = indexKey(backup_id);
  if ((await store.size(key, signal)) === null) return { state: 'missing', sha256: null };
  const hash = platform.codec.createSha256();
  for await (const piece of store.get(key, undefined, signal)) hash.update(piece);
  const sha256 = hash.hex();
  return { state: sha256 === index.sha256 ? 'good' : 'damaged', sha256 };
}

async function rebuildIndex(
  repository: Repository,
  scratch: Scratch,
  manifest: Manifest,
  found: Look,
  dryRun: boolean,
  { signal, onEvent = () => {} }: OperationContext,
): Promise<void> {
  await proveArchive(repository, scratch, manifest, onEvent, signal, undefined, async (index, sha256) => {
    if (sha256 !== manifest.index.sha256)
      throw archiveDamaged(manifest, 'its index was made of other documents');
    if (dryRun) return;
    signal?.throwIfAborted();
    async function* pieces() {
      yield* onePiece(index.header);
      yield* index.body();
    }
    await replaceIndex(repository, manifest, found, pieces());
  });
}

/**
 * The damaged index is taken away only now that the good one is at hand, and only if a second look finds the same
 * bytes: it may have been misread, or another rebuild was quicker. A crash behind the removal leaves a backup without
 * its index, no worse off than with a damaged one, and the next rebuild begins there. So a signal is not heeded any more.
 */
async function replaceIndex(
  repository: Repository,
  manifest: Manifest,
  before: Look,
  pieces: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { store } = repository;
  const key = indexKey(manifest.backup_id);
  const now = await lookAtIndex(repository, manifest);
  if (now.state === 'good') return;
  if (now.state === 'damaged') {
    if (now.sha256 !== before.sha256) throw storeFailing(repository, manifest, 'reads otherwise each time');
    await store.remove(key);
  }
  try {
    await store.put(key, pieces);
  } catch (thrown) {
    // another rebuild has been quicker: what counts is what is there
    if (!(thrown instanceof BackupError && thrown.code === 'STORE_EXISTS')) throw thrown;
  }
  if ((await lookAtIndex(repository, manifest)).state === 'good') return;
  throw storeFailing(repository, manifest, 'is not given back as it was written');
}

function storeFailing({ store }: Repository, { backup_id }: Manifest, what: string): BackupError {
  return new BackupError('STORE_DAMAGED', `${indexKey(backup_id)} in ${store.label} ${what}`, {
    object: backup_id,
    kept: 'Archive and manifest are whole: this backup restores.',
    cure: 'Check the disk or the storage service, then run `zerodb-backup rebuild` again.',
  });
}
