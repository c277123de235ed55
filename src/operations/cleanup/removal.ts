import { indexKey, manifestKey, markKey } from '../../archive/layout.ts';
import { readManifest } from '../../catalog/catalog.ts';
import { BackupError } from '../../kernel/errors.ts';
import type { Manifest } from '../../model/manifest.ts';
import { MARK_KINDS } from '../../model/mark.ts';
import type { Repository } from '../../repository.ts';
import { removeIfThere } from '../../stores/store.ts';

/**
 * Removes a backup: first its manifest, so that it ceases to be one, then its data. The manifest is read again just
 * before; one that is not the one that was decided about throws CLEANUP_REFUSED.
 */
export async function removeBackup(
  repository: Repository,
  { backup_id, object_path, manifest_sha256 }: Manifest,
  signal?: AbortSignal,
): Promise<void> {
  const now = await readManifest(repository, backup_id, signal);
  if (now.manifest_sha256 !== manifest_sha256) {
    throw new BackupError('CLEANUP_REFUSED', `${backup_id} is another backup than a moment ago`, {
      object: backup_id,
      kept: 'It was left alone.',
      cure: 'Find out who else writes to this store, then run the cleanup again.',
    });
  }
  // somebody may have pinned it since it was decided about
  if ((await repository.store.size(markKey(backup_id, 'pin'), signal)) !== null) {
    throw new BackupError('CLEANUP_REFUSED', `${backup_id} is pinned`, {
      object: backup_id,
      kept: 'It was left alone.',
      cure: '`unpin` it if it is to go.',
    });
  }
  signal?.throwIfAborted();
  await removeObjectsOf(repository, { backup_id, object_path });
}

/** All objects of a backup, in the reverse of the order in which it was made: first it ceases to be one. */
export async function removeObjectsOf(
  repository: Repository,
  { backup_id, object_path }: Pick<Manifest, 'backup_id' | 'object_path'>,
): Promise<void> {
  for (const key of [
    manifestKey(backup_id),
    indexKey(backup_id),
    object_path,
    ...MARK_KINDS.map((kind) => markKey(backup_id, kind)),
  ]) {
    await removeIfThere(repository.store, key);
  }
}
