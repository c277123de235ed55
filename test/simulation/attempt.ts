import type { BackupError } from '../../src/kernel/errors.ts';
import type { FaultKind } from './faults.ts';
import type { ToolProcess } from './tool-process.ts';

/** Where every world keeps its backups. */
export const STORE = '/srv/store';

/** How one run of the tool ended, and what it met. */
export interface Attempt<Report> {
  /** Null if it ended in failure, or died. */
  readonly report: Report | null;
  /** Null unless it ended in failure. */
  readonly error: BackupError | null;
  readonly died: boolean;
  readonly process: ToolProcess;
  /** Steps at which it began and ended. */
  readonly from: number;
  readonly to: number;
  /** Kinds of faults that it suffered. */
  readonly suffered: ReadonlySet<FaultKind>;
}

/** A broken promise. */
export class Violation extends Error {
  override readonly name = 'Violation';
}
