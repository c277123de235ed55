import type { OperationContext } from '../kernel/events.ts';
import type { RestoreReport } from '../model/report.ts';
import type { Repository } from '../repository.ts';
import type { Target } from '../sources/target.ts';
import { fromWholeCopy } from './every-store.ts';
import { planRestore, type RestorePlan, type RestoreRequest, validateBackup } from './restore.ts';

/** As planRestore, from the first of several stores that has the backup whole. */
export function planFromStores(
  stores: readonly Repository[],
  target: Target,
  request: RestoreRequest,
  context: OperationContext = {},
): Promise<RestorePlan> {
  // what is good of a damaged copy is of use only where no other is whole
  const whole = { ...request, allowPartial: false };
  return fromWholeCopy(stores, request.backupId, context, (copy, isLast) =>
    planRestore(copy, target, isLast ? request : whole, context),
  );
}

/** As validateBackup, with the first of several stores that has the backup whole. */
export function validateInStores(
  stores: readonly Repository[],
  backupId: string,
  context: OperationContext = {},
): Promise<RestoreReport> {
  return fromWholeCopy(stores, backupId, context, (copy) => validateBackup(copy, backupId, context));
}
