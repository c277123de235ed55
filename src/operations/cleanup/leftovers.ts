import { blockLengths } from '../../archive/block-lengths.ts';
import {
  ARCHIVE_PREFIX,
  backupIdOfArchiveKey,
  backupIdOfIndexKey,
  INDEX_PREFIX,
  MARK_PREFIX,
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
export async function leftovers(
  { store }: Repository,
  { backups, adopted }: Catalog,
  now: number,
  signal?: AbortSignal,
): Promise<string[]> {
  const known = new Set([...backups.map(({ backup_id }) => backup_id), ...adopted]);
  const keys: string[] = [];
  for (const [prefix, idOf] of OF_BACKUPS) {
    for await (const { key } of store.list(prefix, signal)) {
      const id = idOf(key);
      const startedAt = id === null || known.has(id) ? null : (parseBackupId(id)?.startedAt ?? null);
      const isOld = startedAt !== null && now - startedAt > GRACE_MS;
      if (isOld && (prefix !== ARCHIVE_PREFIX || (await isOurArchive(store, key, signal)))) keys.push(key);
    }
  }
  const kept: string[] = [];
  for await (const { key } of store.list(RESTORE_PREFIX, signal)) {
    const startedAt = restoreStartedAt(restoreIdOfObject(key) ?? '');
    if (startedAt !== null && now - startedAt > RESTORES_MS) kept.push(key);
  }
  // the record first, so that nobody takes for a restore what is no longer whole
  const isRecord = (key: string): number => (key.endsWith('/plan.json') ? 0 : 1);
  return [...keys.sort(), ...kept.sort((a, b) => isRecord(a) - isRecord(b) || (a < b ? -1 : 1))];
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
