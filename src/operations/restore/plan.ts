import type { RestoreMode, RestoreReport } from '../../model/report.ts';
import type { Repository } from '../../repository.ts';
import type { SourceIdentity } from '../../sources/source.ts';
import type { Material } from './material.ts';
import type { TargetReading, TargetState } from './target/reading.ts';
import type { UntouchedDocuments } from './untouched.ts';
import type { Actions } from './write/actions.ts';

/** A restore or an undo that has been thought through and not begun: what it will do, and what it needs for it. */
export interface RestorePlan {
  readonly report: RestoreReport;
  /** Forgets the plan. Must be called, whether it was applied or not. */
  close(): Promise<void>;
}

/** What a restore is, whatever it finds. */
export interface RestoreOrigin {
  readonly backupId: string;
  readonly mode: RestoreMode;
  /** Where the backup is from. */
  readonly source: Pick<SourceIdentity, 'host' | 'project'>;
  readonly collection: string;
  readonly targetCollection: string;
  readonly target: SourceIdentity;
  /** The restore that is taken back. */
  readonly undoes: string | null;
  /** The interrupted restore that is gone on with. */
  readonly continues: string | null;
  /** Logical ids that it was limited to. */
  readonly ids: readonly string[] | null;
  /** Whether it makes do with what is good of a damaged backup. */
  readonly allowPartial: boolean;
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
  /** Documents left alone, where they were asked for, and what they are among. */
  readonly untouched: { readonly documents: UntouchedDocuments; readonly material: Material } | null;
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
