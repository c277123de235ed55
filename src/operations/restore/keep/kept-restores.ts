import {
  RESTORE_PREFIX,
  restoreArchiveKey,
  restoreIdOfKey,
  restoreRecordKey,
} from '../../../archive/layout.ts';
import { BackupError } from '../../../kernel/errors.ts';
import { RECORD_BYTES_MAX } from '../../../model/canonical-record.ts';
import { isRestoreId, parseRestoreRecord, type RestoreRecord } from '../../../model/restore-record.ts';
import type { Repository } from '../../../repository.ts';
import { readObject } from '../../../stores/store.ts';

/** What was kept of a restore. Throws RESTORE_MISSING, RECORD_DAMAGED, FORMAT_UNKNOWN, a store's error. */
export async function readRestoreRecord(
  repository: Repository,
  restoreId: string,
  signal?: AbortSignal,
): Promise<RestoreRecord> {
  const { platform, store } = repository;
  if (!isRestoreId(restoreId)) throw await missing(repository, restoreId, signal);
  let bytes: Uint8Array;
  try {
    bytes = await readObject(store, restoreRecordKey(restoreId), RECORD_BYTES_MAX, signal);
  } catch (thrown) {
    if (!(thrown instanceof BackupError && thrown.code === 'STORE_MISSING')) throw thrown;
    throw await missing(repository, restoreId, signal);
  }
  const record = parseRestoreRecord(platform.codec, bytes, restoreId);
  const { changes, pre_images: preImages, bystanders } = record;
  const isOwn =
    record.restore_id === restoreId &&
    changes.object_path === restoreArchiveKey(restoreId, 'changes') &&
    (preImages === null || preImages.object_path === restoreArchiveKey(restoreId, 'pre-images')) &&
    (bystanders === null || bystanders.object_path === restoreArchiveKey(restoreId, 'bystanders'));
  if (isOwn) return record;
  throw new BackupError('RECORD_DAMAGED', `record of restore ${restoreId} is that of another restore`, {
    object: restoreId,
    cure: 'Restore a backup that is older than that restore: `list` shows them.',
  });
}

/** Ids of the restores that can be undone, newest first. */
export async function listRestores(repository: Repository, signal?: AbortSignal): Promise<string[]> {
  const ids: string[] = [];
  for await (const { key } of repository.store.list(RESTORE_PREFIX, signal)) {
    const id = restoreIdOfKey(key);
    if (id !== null && isRestoreId(id)) ids.push(id);
  }
  return ids.sort().reverse();
}

const LISTED_MAX = 5;

async function missing(
  repository: Repository,
  restoreId: string,
  signal?: AbortSignal,
): Promise<BackupError> {
  const known = await listRestores(repository, signal);
  const newest = known.slice(0, LISTED_MAX).join(', ');
  return new BackupError('RESTORE_MISSING', `there is no restore ${restoreId} in ${repository.store.label}`, {
    object: restoreId,
    kept: 'Nothing was done.',
    cure:
      known.length === 0
        ? 'No restore was made from this store; a restore prints its id when it ends.'
        : `The newest of ${known.length} there are: ${newest}.`,
  });
}
