import { backupDryRun, backupOperation } from './operations/backup.ts';
import { cleanupBesideBackup, cleanupOperation } from './operations/cleanup.ts';
import {
  damageOperation,
  disasterOperation,
  doubleOperation,
  mendOperation,
  pauseOperation,
  troubleOperation,
} from './operations/events.ts';
import { exportOperation } from './operations/export.ts';
import { incrementalOperation } from './operations/incremental.ts';
import { listOperation, showOperation } from './operations/list.ts';
import type { Operation } from './operations/operation.ts';
import { rebuildOperation } from './operations/rebuild.ts';
import { restoreDryRun, restoreOperation, validateOperation } from './operations/restore.ts';
import {
  exactOperation,
  idsOperation,
  mergeOperation,
  partialOperation,
} from './operations/restore-modes.ts';
import { tidyingOperation } from './operations/tidying.ts';
import { resumeOperation, undoOperation } from './operations/undo.ts';
import { verifyOperation } from './operations/verify.ts';

/** Everything that is done in a world. */
export const OPERATIONS: readonly Operation[] = [
  backupOperation,
  incrementalOperation,
  backupDryRun,
  tidyingOperation,
  verifyOperation,
  listOperation,
  showOperation,
  restoreOperation,
  mergeOperation,
  exactOperation,
  idsOperation,
  partialOperation,
  undoOperation,
  resumeOperation,
  restoreDryRun,
  validateOperation,
  exportOperation,
  rebuildOperation,
  cleanupOperation,
  cleanupBesideBackup,
  damageOperation,
  mendOperation,
  disasterOperation,
  doubleOperation,
  troubleOperation,
  pauseOperation,
];
