import {
  ARCHIVE_PREFIX,
  archiveFileName,
  archiveKey,
  backupIdOfArchiveKey,
  backupIdOfIndexKey,
  backupIdOfManifestKey,
  INDEX_PREFIX,
  MANIFEST_PREFIX,
  manifestKey,
} from '../archive/layout.ts';
import { BackupError, toBackupError } from '../kernel/errors.ts';
import type { Platform } from '../kernel/platform.ts';
import { runWorkers } from '../kernel/workers.ts';
import {
  type BackupIdParts,
  type BackupType,
  encodeCollectionName,
  parseBackupId,
} from '../model/backup-id.ts';
import { type Manifest, parseManifest, RECORD_BYTES_MAX } from '../model/manifest.ts';
import type { MarkKind } from '../model/mark.ts';
import { readObject, type Store } from '../stores/store.ts';
import type { ManifestCache } from './manifest-cache.ts';
import { listMarks, type Marks } from './marks.ts';

/** What a catalog is read from; a Repository is one. */
export interface CatalogHome {
  readonly platform: Pick<Platform, 'codec'>;
  readonly store: Store;
}

/** Every backup of a store, derived from its manifests. */
export interface Catalog {
  /** Newest first. */
  readonly backups: readonly Manifest[];
  /** Manifests that exist but cannot be read or trusted. */
  readonly damaged: readonly { readonly backupId: string; readonly error: BackupError }[];
  /** Backup ids of archives and indexes without a manifest: interrupted runs, or runs at work right now. */
  readonly unfinished: readonly string[];
  /** What was noted beside backups. */
  readonly marks: Marks;
  /** Ids in the names of the predecessor's files that backups were made of: taken, and of no further interest. */
  readonly adopted: readonly string[];
}

const READS_AT_ONCE = 8;
const DATA_OBJECTS = [
  [ARCHIVE_PREFIX, backupIdOfArchiveKey],
  [INDEX_PREFIX, backupIdOfIndexKey],
] as const;

export interface CatalogOptions {
  /** Copies of manifests that are as good as those in the store for what the catalog is wanted for. */
  readonly cache?: ManifestCache | null;
  /** False: `unfinished` and `adopted` stay empty, and the store is listed once instead of three times. */
  readonly wantUnfinished?: boolean;
}

/** Reads all manifests. Throws where the store cannot be listed; a manifest that fails is reported, never dropped. */
export async function readCatalog(
  home: CatalogHome,
  signal?: AbortSignal,
  { cache = null, wantUnfinished = true }: CatalogOptions = {},
): Promise<Catalog> {
  const { store } = home;
  const sizes = new Map<string, number>();
  for await (const { key, size } of store.list(MANIFEST_PREFIX, signal)) {
    const id = backupIdOfManifestKey(key);
    if (id !== null) sizes.set(id, size);
  }
  const ids = [...sizes.keys()];
  await cache?.keep(new Set(ids));
  const unfinished = new Set<string>();
  for (const [prefix, backupIdOf] of wantUnfinished ? DATA_OBJECTS : []) {
    for await (const { key } of store.list(prefix, signal)) {
      const id = backupIdOf(key);
      if (id !== null && !sizes.has(id)) unfinished.add(id);
    }
  }
  const backups: Manifest[] = [];
  const damaged: { backupId: string; error: BackupError }[] = [];
  const readNext = async (): Promise<void> => {
    for (let id = ids.pop(); id !== undefined; id = ids.pop()) {
      try {
        if (parseBackupId(id) === null) throw misnamed(id);
        backups.push(await readManifest(home, id, signal, cache, sizes.get(id)));
      } catch (thrown) {
        signal?.throwIfAborted();
        damaged.push({ backupId: id, error: toBackupError(thrown, { object: id }) });
      }
    }
  };
  await runWorkers(READS_AT_ONCE, readNext);
  backups.sort(newestFirst);
  damaged.sort((a, b) => (a.backupId < b.backupId ? -1 : 1));
  const adopted = adoptedIds(backups).filter((id) => unfinished.delete(id));
  const marks = await listMarks(home, signal);
  return { backups, damaged, marks, unfinished: [...unfinished].sort(), adopted };
}

function adoptedIds(backups: readonly Manifest[]): string[] {
  return backups.flatMap(({ adopted_from }) => backupIdOfArchiveKey(adopted_from?.object_path ?? '') ?? []);
}

/**
 * Throws BACKUP_MISSING, MANIFEST_DAMAGED, FORMAT_UNKNOWN or a store's error.
 * @param size as the store lists it; a copy in the cache must have it
 */
export async function readManifest(
  home: CatalogHome,
  backupId: string,
  signal?: AbortSignal,
  cache: ManifestCache | null = null,
  size = -1,
): Promise<Manifest> {
  const parts = parseBackupId(backupId);
  if (parts === null) throw noSuchBackup(backupId, home);
  const copy = size < 0 ? null : await cache?.read(backupId, size);
  if (copy) {
    try {
      return parsedManifest(home, copy, parts, backupId);
    } catch {
      // a damaged copy says nothing about the store
    }
  }
  let bytes: Buffer;
  try {
    bytes = await readObject(home.store, manifestKey(backupId), RECORD_BYTES_MAX, signal);
  } catch (thrown) {
    if (thrown instanceof BackupError && thrown.code === 'STORE_MISSING') throw noSuchBackup(backupId, home);
    throw thrown;
  }
  const manifest = parsedManifest(home, bytes, parts, backupId);
  await cache?.write(backupId, bytes);
  return manifest;
}

function parsedManifest(home: CatalogHome, bytes: Buffer, parts: BackupIdParts, backupId: string): Manifest {
  const manifest = parseManifest(home.platform.codec, bytes, backupId);
  assertOwnNames(home, manifest, parts);
  return manifest;
}

/** What a manifest calls its archive, its type and its collection follows from its id; nothing else is ever opened. */
function assertOwnNames({ platform }: CatalogHome, manifest: Manifest, parts: BackupIdParts): void {
  const { backup_id, object_path, file_name, collection, backup_type, compression } = manifest;
  if (
    object_path === archiveKey(backup_id, compression) &&
    file_name === archiveFileName(backup_id, compression) &&
    backup_type === parts.backupType &&
    encodeCollectionName(platform.codec, collection) === parts.encodedCollection
  )
    return;
  throw new BackupError(
    'MANIFEST_DAMAGED',
    `manifest of ${backup_id} names an archive or a collection that are not its own`,
    {
      object: backup_id,
      cure: 'Somebody has rewritten it: bring it back from another copy of the store, or restore another backup of this collection.',
    },
  );
}

function misnamed(id: string): BackupError {
  return new BackupError('MANIFEST_DAMAGED', `${manifestKey(id)} does not have the name of a backup`, {
    object: id,
    cure: 'Find out where this file comes from and move it out of the store.',
  });
}

export function noSuchBackup(backupId: string, home: CatalogHome): BackupError {
  return new BackupError('BACKUP_MISSING', `there is no backup ${backupId} in ${home.store.label}`, {
    object: backupId,
    cure: 'Run `zerodb-backup list` to see what there is.',
  });
}

export interface CatalogFilter {
  readonly collection?: string;
  readonly backupType?: BackupType;
}

export function matches(manifest: Manifest, filter: CatalogFilter): boolean {
  return (
    (filter.collection === undefined || manifest.collection === filter.collection) &&
    (filter.backupType === undefined || manifest.backup_type === filter.backupType)
  );
}

/** Complete, without an anomaly that nobody has acknowledged, and not found damaged. */
export function isGood(manifest: Manifest, marks: Marks = NO_MARKS): boolean {
  const kinds = marks.get(manifest.backup_id);
  return (
    manifest.status === 'completed' && (kinds === undefined || !(hasOpenAnomaly(kinds) || kinds.has('bad')))
  );
}

/** Good, and so is what it is built on. */
export function isGoodChain(manifest: Manifest, { backups, marks }: Catalog): boolean {
  if (!isGood(manifest, marks)) return false;
  const { base_backup_id } = manifest;
  if (base_backup_id === null) return true;
  const base = backups.find(({ backup_id }) => backup_id === base_backup_id);
  return base !== undefined && isGood(base, marks);
}

const NO_MARKS: Marks = new Map();

export function hasOpenAnomaly(kinds: ReadonlySet<MarkKind>): boolean {
  return kinds.has('anomaly') && !kinds.has('ack');
}

export function newestFirst(a: Manifest, b: Manifest): number {
  if (a.created_at !== b.created_at) return a.created_at < b.created_at ? 1 : -1;
  return a.backup_id < b.backup_id ? -1 : 1;
}
