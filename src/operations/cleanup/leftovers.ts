import { blockLengths } from '../../archive/block-lengths.ts';
import {
  ARCHIVE_PREFIX,
  backupIdOfArchiveKey,
  backupIdOfIndexKey,
  DOCTOR_PREFIX,
  INDEX_PREFIX,
  MARK_PREFIX,
  manifestKey,
  markOfKey,
  RESTORE_PREFIX,
  restoreIdOfObject,
} from '../../archive/layout.ts';
import type { Catalog } from '../../catalog/catalog.ts';
import { parseBackupId } from '../../model/backup-id.ts';
import { restoreStartedAt } from '../../model/restore-record.ts';
import type { Repository } from '../../repository.ts';
import type { Store } from '../../stores/store.ts';

/** Longer than any backup takes: its data stands there without a manifest until it is done. */
const GRACE_MS = 7 * 24 * 60 * 60 * 1000;
/** How long a restore can be undone. */
const RESTORES_MS = 30 * 24 * 60 * 60 * 1000;

/**
 * Objects that nobody needs any more: data of interrupted runs, marks of backups that are gone, and what restores kept.
 * Age is read off their names, which our own clock gave them.
 */
export async function* leftovers(
  { store }: Repository,
  { backups }: Catalog,
  now: number,
  signal?: AbortSignal,
): AsyncGenerator<string> {
  const known = new Set(backups.map(({ backup_id }) => backup_id));
  // the manifest of a base may come back from a copy: what is built on it needs its archive then
  for (const { base_backup_id } of backups) if (base_backup_id !== null) known.add(base_backup_id);
  for (const [prefix, idOf] of OF_BACKUPS) {
    for (const [key, id] of await listed(store, prefix, idOf, signal)) {
      const startedAt = known.has(id) ? null : (parseBackupId(id)?.startedAt ?? null);
      if (startedAt === null || now - startedAt <= GRACE_MS) continue;
      if (prefix === ARCHIVE_PREFIX && !(await isOurArchive(store, key, signal))) continue;
      // a copy of an old backup may have been committed since the catalog was read
      if ((await store.size(manifestKey(id), signal)) === null) yield key;
    }
  }
  const kept = await listed(store, RESTORE_PREFIX, restoreIdOfObject, signal);
  // the record first, so that nobody takes for a restore what is no longer whole
  const isRecord = (key: string): number => (key.endsWith('/plan.json') ? 0 : 1);
  for (const [key, id] of kept.sort(([a], [b]) => isRecord(a) - isRecord(b) || (a < b ? -1 : 1))) {
    const startedAt = restoreStartedAt(id);
    if (startedAt !== null && now - startedAt > RESTORES_MS) yield key;
  }
  for (const [key] of await listed(store, DOCTOR_PREFIX, (name) => name, signal)) yield key;
}

/** Keys and what they belong to, in order: a list must not be read while what it lists is removed. */
async function listed(
  store: Store,
  prefix: string,
  idOf: (key: string) => string | null,
  signal: AbortSignal | undefined,
): Promise<(readonly [key: string, id: string])[]> {
  const found: (readonly [string, string])[] = [];
  for await (const { key } of store.list(prefix, signal)) {
    const id = idOf(key);
    if (id !== null) found.push([key, id]);
  }
  return found.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The predecessor's archives have names like ours, and no manifests: they are whole, and wanted. */
async function isOurArchive(store: Store, key: string, signal?: AbortSignal): Promise<boolean> {
  if (!key.endsWith('.gz')) return true;
  const pieces: Buffer[] = [];
  for await (const piece of store.get(key, { start: 0, end: FIRST_BYTES }, signal))
    pieces.push(Buffer.from(piece));
  try {
    return blockLengths('gzip', Buffer.concat(pieces)) !== null;
  } catch {
    return false;
  }
}
const FIRST_BYTES = 64;

const OF_BACKUPS = [
  [ARCHIVE_PREFIX, backupIdOfArchiveKey],
  [INDEX_PREFIX, backupIdOfIndexKey],
  [MARK_PREFIX, (key: string) => markOfKey(key)?.backupId ?? null],
] as const;
