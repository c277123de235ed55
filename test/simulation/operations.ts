import { backupDryRun, backupOperation } from './operations/backup.ts';
import {
  damageOperation,
  disasterOperation,
  mendOperation,
  pauseOperation,
  troubleOperation,
} from './operations/events.ts';
import { exportOperation } from './operations/export.ts';
import { listOperation, showOperation } from './operations/list.ts';
import type { Operation } from './operations/operation.ts';
import { rebuildOperation } from './operations/rebuild.ts';
import { restoreDryRun, restoreOperation, validateOperation } from './operations/restore.ts';
import { verifyOperation } from './operations/verify.ts';

/** Everything that is done in a world. */
export const OPERATIONS: readonly Operation[] = [
  backupOperation,
  backupDryRun,
  verifyOperation,
  listOperation,
  showOperation,
  restoreOperation,
  restoreDryRun,
  validateOperation,
  exportOperation,
  rebuildOperation,
  damageOperation,
  mendOperation,
  disasterOperation,
  troubleOperation,
  pauseOperation,
];
