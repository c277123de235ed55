import { indexKey } from '../archive/layout.ts';
import { type Catalog, isGood, noSuchBackup, readCatalog } from '../catalog/catalog.ts';
import { BackupError, combinedExit, toBackupError } from '../kernel/errors.ts';
import type { OperationContext } from '../kernel/events.ts';
import type { Scratch } from '../kernel/sorted-runs.ts';
import type { Manifest } from '../model/manifest.ts';
import {
  exitOf,
  type ReportedError,
  reportError,
  type VerifiedBackup,
  type VerifyLevel,
  type VerifyReport,
} from '../model/report.ts';
import { parseInstant } from '../model/time.ts';
import { openScratch, type Repository, readMarker } from '../repository.ts';
import { onEveryStore } from './every-store.ts';
import { baseOf, isOnBase } from './state-reading.ts';
import { VerificationMarks } from './verification-marks.ts';
import { archiveDamaged, proveArchive } from './verified-reading.ts';

export interface VerifyRequest {
  /** Null: every backup of the store. */
  readonly backupIds: readonly string[] | null;
  /** `presence`: objects and their sizes; `checksum`: every stored byte; `decode`: every document as well. */
  readonly level: VerifyLevel;
  /** Report collections whose newest good backup is older; null: none. */
  readonly maxAgeMs: number | null;
}

/**
 * Compares stored bytes with what their manifests say, in one store or in each of several, and notes beside each backup
 * what was found. Damage is reported, never thrown; an id that no store knows throws.
 */
export async function verify(
  stores: Repository | readonly Repository[],
  request: VerifyRequest,
  context: OperationContext = {},
): Promise<VerifyReport> {
  if ('store' in stores) return await verifyStore(stores, request, context);
  const stale = new Set<string>();
  const unfinished = new Set<string>();
  const report = await onEveryStore(
    stores,
    async (store) => {
      const ofStore = await verifyStore(store, request, context);
      for (const name of ofStore.stale_collections) stale.add(name);
      for (const id of ofStore.unfinished) unfinished.add(id);
      return ofStore;
    },
    context.signal,
  );
  return { ...report, stale_collections: [...stale].sort(), unfinished: [...unfinished].sort() };
}

async function verifyStore(
  repository: Repository,
  request: VerifyRequest,
  context: OperationContext,
): Promise<VerifyReport> {
  const { clock } = repository.platform;
  const begun = clock.monotonic();
  const catalog = await readCatalog(repository, context.signal);
  const wanted = request.backupIds === null ? null : new Set(request.backupIds);
  for (const id of wanted ?? []) {
    const known =
      catalog.backups.some((manifest) => manifest.backup_id === id) ||
      catalog.damaged.some(({ backupId }) => backupId === id);
    if (!known) throw noSuchBackup(id, repository);
  }
  const manifests = catalog.backups.filter((manifest) => wanted?.has(manifest.backup_id) ?? true);
  const damaged = catalog.damaged.filter(({ backupId }) => wanted?.has(backupId) ?? true);
  const scratch = await openScratch(repository);
  context.onEvent?.({
    type: 'run:started',
    operation: 'verify',
    objects: manifests.map(({ backup_id }) => backup_id),
  });

  const errors: ReportedError[] = [];
  const notes = new VerificationMarks(repository, catalog.marks, request.level, context);
  const results: VerifiedBackup[] = damaged.map(({ backupId, error }) => ({
    backup_id: backupId,
    collection: '',
    outcome: error.code === 'MANIFEST_DAMAGED' ? 'damaged' : 'failed',
    bytes_read: 0,
    errors: [reportError(error)],
  }));
  for (const manifest of manifests) {
    context.onEvent?.({ type: 'object:started', object: manifest.backup_id });
    const result = await verifyBackup(repository, scratch, manifest, request.level, context);
    context.onEvent?.({ type: 'object:finished', object: manifest.backup_id, outcome: result.outcome });
    results.push(result);
    await notes.note(result);
  }
  const marker = wanted === null ? await markerErrors(repository, context.signal) : [];
  errors.push(...marker);
  const nothing =
    wanted === null && results.length === 0 ? noBackups(repository, catalog.unfinished.length) : null;
  if (nothing !== null) errors.push(nothing);
  const stale =
    request.maxAgeMs === null
      ? []
      : staleCollections({ ...catalog, marks: notes.marks }, clock.now() - request.maxAgeMs);
  errors.push(...results.flatMap((result) => result.errors), ...stale.map(staleError));

  const exits = results.map((result) =>
    result.errors.length === 0 ? 0 : damageFirst(result.errors.map(exitOf)),
  );
  exits.push(...marker.map(exitOf));
  if (nothing !== null) exits.push(exitOf(nothing));
  const exit = damageFirst(exits);
  return {
    operation: 'verify',
    level: request.level,
    exit_code: exit === 0 && stale.length > 0 ? 3 : exit,
    duration_ms: Math.round(clock.monotonic() - begun),
    backups: results,
    stale_collections: stale,
    unfinished: catalog.unfinished,
    warnings: notes.warnings,
    errors,
  };
}

function damageFirst(exits: readonly number[]): number {
  return exits.includes(4) ? 4 : combinedExit(exits);
}

/** All that is wrong with one backup: each of its objects is looked at even if another one is damaged. */
async function verifyBackup(
  repository: Repository,
  scratch: Scratch,
  manifest: Manifest,
  level: VerifyLevel,
  context: OperationContext,
): Promise<VerifiedBackup> {
  const errors: ReportedError[] = [];
  let bytesRead = 0;
  const attempt = async (action: () => Promise<void>): Promise<void> => {
    try {
      await action();
    } catch (thrown) {
      context.signal?.throwIfAborted();
      errors.push(
        reportError(missingIsDamage(toBackupError(thrown, { object: manifest.backup_id }), manifest)),
      );
    }
  };
  await attempt(async () => {
    if (level === 'presence')
      return assertSize(repository, manifest, manifest.object_path, manifest.file_size);
    if (level === 'checksum') {
      bytesRead += await assertHash(
        repository,
        manifest,
        manifest.object_path,
        manifest.file_size,
        manifest.sha256,
        context,
      );
      return;
    }
    const { indexSha256 } = await proveArchive(
      repository,
      scratch,
      manifest,
      (event) => context.onEvent?.(event),
      context.signal,
    );
    bytesRead += manifest.file_size;
    if (indexSha256 !== manifest.index.sha256)
      throw archiveDamaged(manifest, 'its index was made of other documents');
  });
  await attempt(async () => {
    const key = indexKey(manifest.backup_id);
    if (level === 'presence') return assertSize(repository, manifest, key, manifest.index.size);
    bytesRead += await assertHash(
      repository,
      manifest,
      key,
      manifest.index.size,
      manifest.index.sha256,
      context,
    );
  });
  if (isOnBase(manifest)) {
    await attempt(async () => {
      const base = await baseOf(repository, manifest, context.signal);
      await assertSize(repository, base, base.object_path, base.file_size);
    });
  }
  const damage = errors.some(({ code }) => code.endsWith('_DAMAGED') || code === 'CHAIN_BROKEN');
  return {
    backup_id: manifest.backup_id,
    collection: manifest.collection,
    outcome: errors.length === 0 ? 'good' : damage ? 'damaged' : 'failed',
    bytes_read: bytesRead,
    errors,
  };
}

async function assertSize(
  repository: Repository,
  manifest: Manifest,
  key: string,
  size: number,
): Promise<void> {
  const found = await repository.store.size(key);
  if (found === size) return;
  throw objectDamaged(manifest, key, found === null ? 'is gone' : `has ${found} bytes instead of ${size}`);
}

async function assertHash(
  repository: Repository,
  manifest: Manifest,
  key: string,
  size: number,
  sha256: string,
  context: OperationContext,
): Promise<number> {
  const hash = repository.platform.codec.createSha256();
  let bytes = 0;
  for await (const piece of repository.store.get(key, undefined, context.signal)) {
    hash.update(piece);
    bytes += piece.length;
    const { backup_id: object } = manifest;
    context.onEvent?.({ type: 'progress', object, phase: 'verify', unit: 'bytes', done: bytes, total: size });
  }
  if (bytes !== size) throw objectDamaged(manifest, key, `has ${bytes} bytes instead of ${size}`);
  if (hash.hex() !== sha256) throw objectDamaged(manifest, key, 'holds other bytes than were stored');
  return bytes;
}

function objectDamaged(manifest: Manifest, key: string, what: string): BackupError {
  if (key === manifest.object_path) return archiveDamaged(manifest, `it ${what}`);
  return new BackupError('INDEX_DAMAGED', `the index ${key} ${what}`, {
    object: manifest.backup_id,
    kept: 'The archive does not depend on it: this backup still restores.',
    cure: 'Run `zerodb-backup rebuild`: it makes the index again from the archive.',
  });
}

/** What a manifest promises and the store does not have is damage of the backup, not a failure of the store. */
function missingIsDamage(error: BackupError, manifest: Manifest): BackupError {
  if (error.code !== 'STORE_MISSING') return error;
  return objectDamaged(
    manifest,
    error.object === indexKey(manifest.backup_id) ? error.object : manifest.object_path,
    'is gone',
  );
}

async function markerErrors(repository: Repository, signal?: AbortSignal): Promise<ReportedError[]> {
  try {
    await readMarker(repository, signal);
    return [];
  } catch (thrown) {
    signal?.throwIfAborted();
    return [reportError(toBackupError(thrown))];
  }
}

function staleCollections({ backups, marks }: Catalog, oldest: number): string[] {
  const newest = new Map<string, number>();
  for (const manifest of backups) {
    const time = isGood(manifest, marks) ? parseInstant(manifest.created_at) : Number.NEGATIVE_INFINITY;
    newest.set(
      manifest.collection,
      Math.max(time, newest.get(manifest.collection) ?? Number.NEGATIVE_INFINITY),
    );
  }
  return [...newest]
    .filter(([, time]) => time < oldest)
    .map(([collection]) => collection)
    .sort();
}

function staleError(collection: string): ReportedError {
  return reportError(
    new BackupError('BACKUP_STALE', `collection ${collection} has no good backup young enough`, {
      object: collection,
      cure: `Run \`zerodb-backup backup --collections ${collection}\`.`,
    }),
  );
}

/** An empty store is no good news: a disk that is not mounted looks the same. */
export function noBackups(repository: Repository, unfinished: number): ReportedError {
  const archives = unfinished === 0 ? '' : `, but ${unfinished} archives without a manifest`;
  return reportError(
    new BackupError('BACKUP_MISSING', `there are no backups in ${repository.store.label}${archives}`, {
      cure: 'Check --store, and that its disk is mounted; then make a backup.',
    }),
  );
}
