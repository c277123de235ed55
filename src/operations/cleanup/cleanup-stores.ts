import { BackupError } from '../../kernel/errors.ts';
import type { OperationContext } from '../../kernel/events.ts';
import type { CleanupReport } from '../../model/report.ts';
import type { Repository } from '../../repository.ts';
import type { Target } from '../../sources/target.ts';
import { onEveryStore, storesOfBackup } from '../every-store.ts';
import { mirror } from '../mirror.ts';
import { type CleanupRequest, cleanup } from './cleanup.ts';

/**
 * As cleanup, in each of the stores; a backup that is named by its id is looked for in all of them. Entries of what no
 * store has any more are deleted from the mirror; a mirror that fails is a warning.
 * @param openMirror opens the project in which backups are mirrored; null: there is no mirror
 */
export async function cleanupStores(
  stores: readonly Repository[],
  request: CleanupRequest,
  openMirror: (() => Promise<Target>) | null,
  context: OperationContext = {},
): Promise<CleanupReport> {
  const { backupId } = request;
  const asked = backupId === undefined ? stores : await storesOfBackup(stores, backupId, context.signal);
  const report = await onEveryStore(asked, (store) => cleanup(store, request, context), context.signal);
  const kept = new Set(report.backups.flatMap((one) => (one.outcome === 'removed' ? [] : one.backup_id)));
  const gone = new Set(report.backups.flatMap(({ backup_id }) => (kept.has(backup_id) ? [] : backup_id)));
  if (openMirror === null || request.dryRun || gone.size === 0) return report;
  try {
    await mirror(stores[0]!, openMirror, { there: [], gone }, context);
    return report;
  } catch (thrown) {
    if (!(thrown instanceof BackupError && thrown.code === 'MIRROR_FAILED')) throw thrown;
    const { code, message } = thrown;
    context.onEvent?.({ type: 'warning', code, message });
    return { ...report, warnings: [...report.warnings, { code, message }] };
  }
}
