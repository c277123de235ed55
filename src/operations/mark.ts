import { hasOpenAnomaly, readManifest } from '../catalog/catalog.ts';
import { listMarks, type Marks, putMark, removeMark } from '../catalog/marks.ts';
import { BackupError } from '../kernel/errors.ts';
import type { OperationContext } from '../kernel/events.ts';
import { parseBackupId } from '../model/backup-id.ts';
import type { MarkReport } from '../model/report.ts';
import type { Repository } from '../repository.ts';

/**
 * Notes something beside a backup, or takes the note away, in every store that has it. Throws BACKUP_MISSING,
 * USAGE_INVALID for an anomaly that is none, a store's error.
 */
export async function markBackup(
  stores: readonly Repository[],
  action: MarkReport['operation'],
  backupId: string,
  reason: string | null,
  { signal }: OperationContext = {},
): Promise<MarkReport> {
  const { clock } = stores[0]!.platform;
  const begun = clock.monotonic();
  let found = false;
  let missing: unknown = null;
  let wasPinned = action !== 'unpin';
  for (const repository of stores) {
    try {
      await readManifest(repository, backupId, signal);
    } catch (thrown) {
      if (!(thrown instanceof BackupError && thrown.code === 'BACKUP_MISSING')) throw thrown;
      missing ??= thrown;
      continue;
    }
    found = true;
    if (action === 'unpin') {
      wasPinned = (await removeMark(repository, backupId, 'pin', signal)) || wasPinned;
    } else if (action === 'pin') {
      await putMark(repository, backupId, 'pin', reason, signal);
    } else {
      const marks = await listMarks(repository, signal);
      if (marks.get(backupId)?.has('anomaly') !== true) throw noAnomaly(backupId);
      for (const id of [backupId, ...olderAnomalies(backupId, marks)])
        await putMark(repository, id, 'ack', reason, signal);
    }
  }
  if (!found) throw missing as BackupError;
  return {
    operation: action,
    exit_code: 0,
    duration_ms: Math.round(clock.monotonic() - begun),
    backup_id: backupId,
    outcome: wasPinned ? OUTCOMES[action].done : 'was not pinned',
    warnings: [],
    errors: [],
  };
}

/** Until the first anomaly is acknowledged each backup after it is compared with the one before it: all are the same matter. */
function olderAnomalies(backupId: string, marks: Marks): string[] {
  const { encodedCollection, startedAt } = parseBackupId(backupId)!;
  return [...marks].flatMap(([id, kinds]) => {
    const parts = parseBackupId(id);
    const isOlder =
      parts !== null && parts.encodedCollection === encodedCollection && parts.startedAt < startedAt;
    return isOlder && hasOpenAnomaly(kinds) ? [id] : [];
  });
}

const OUTCOMES = {
  pin: { done: 'pinned' },
  unpin: { done: 'unpinned' },
  acknowledge: { done: 'acknowledged' },
} as const;

function noAnomaly(backupId: string): BackupError {
  return new BackupError('USAGE_INVALID', `${backupId} has no anomaly to acknowledge`, {
    object: backupId,
    kept: 'Nothing was done.',
    cure: 'Run `zerodb-backup show` with its id to see what is noted beside it.',
  });
}
