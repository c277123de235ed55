import type { BackupError } from '../../src/kernel/errors.ts';
import type { FaultKind } from './faults.ts';
import type { ToolProcess } from './tool-process.ts';
import type { WorldStore } from './world-store.ts';

/** One fault that befell a run. */
export interface Suffered {
  readonly kind: FaultKind;
  readonly method: string;
  /** What the call was about. */
  readonly place: 'store' | 'state' | 'server' | 'elsewhere';
  /** What the operating system said. */
  readonly errno?: string;
}

/** How one run of the tool ended, and what it met. */
export interface Attempt<Report> {
  /** Null if it ended in failure, or died. */
  readonly report: Report | null;
  /** Null unless it ended in failure. */
  readonly error: BackupError | null;
  readonly died: boolean;
  readonly process: ToolProcess;
  readonly store: WorldStore;
  /** Steps at which it began and ended. */
  readonly from: number;
  readonly to: number;
  /** The same by its own wall clock, in milliseconds since 1970. */
  readonly began: number;
  readonly ended: number;
  readonly suffered: readonly Suffered[];
  /** Whether no other run of the tool was at work meanwhile. */
  readonly alone: boolean;
  /** Whether it or another run ended in a power cut meanwhile: what was not synced by then is lost. */
  readonly lostPower: boolean;
}

/** A broken promise. */
export class Violation extends Error {
  override readonly name = 'Violation';
}
