import type { RestoreReport } from '../../model/report.ts';
import type { Repository } from '../../repository.ts';
import type { Actions } from './actions.ts';
import type { Material } from './material.ts';
import type { TargetReading, TargetState } from './reading.ts';
import type { RestoreOrigin } from './record.ts';

/** A restore or an undo that has been thought through and not begun: what it will do, and what it needs for it. */
export interface RestorePlan {
  readonly report: RestoreReport;
  /** Forgets the plan. Must be called, whether it was applied or not. */
  close(): Promise<void>;
}

export interface PlanParts {
  readonly repository: Repository;
  readonly origin: RestoreOrigin;
  /** The server's own definition of the collection, for one that has to be created. */
  readonly tableDefinition: string | null;
  readonly reading: TargetReading;
  readonly material: Material;
  readonly state: TargetState;
  readonly actions: Actions;
  readonly report: RestoreReport;
}

export class Plan implements RestorePlan {
  readonly parts: PlanParts;
  readonly #opened: AsyncDisposableStack;

  /** @param opened temporary files of the parts */
  constructor(parts: PlanParts, opened: AsyncDisposableStack) {
    this.parts = parts;
    this.#opened = opened;
  }
  get report(): RestoreReport {
    return this.parts.report;
  }
  close(): Promise<void> {
    return this.#opened.disposeAsync();
  }
}
