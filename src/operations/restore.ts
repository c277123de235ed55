import { combinedExit } from '../kernel/errors.ts';
import type { OperationContext } from '../kernel/events.ts';
import type { SortedRuns } from '../kernel/sorted-runs.ts';
import type { Manifest } from '../model/manifest.ts';
import { exitOf, type RestoreCounts, type RestoreReport } from '../model/report.ts';
import type { Repository } from '../repository.ts';
import type { Target } from '../sources/target.ts';
import {
  describe,
  differences,
  incompleteness,
  mendings,
  planWarnings,
  targetName,
  unmatched,
  unreadTarget,
} from './restore/findings.ts';
import { matchDocuments } from './restore/match.ts';
import { type ProvedBackup, proveBackup, readGuarded } from './restore/prove.ts';
import type { Reader } from './restore/read-back.ts';
import { readTarget, type TargetReading, type TargetState } from './restore/reading.ts';
import { writeInRounds } from './restore/rounds.ts';

export interface RestoreRequest {
  readonly backupId: string;
  /** Another collection than the one that was backed up. */
  readonly toCollection?: string;
}

/** A restore that has been thought through and not begun: what it will do, and what it needs for it. */
export interface RestorePlan {
  readonly report: RestoreReport;
  /** Forgets the plan. Must be called, whether it was applied or not. */
  close(): Promise<void>;
}

const NO_COUNTS: RestoreCounts = {
  created: 0,
  replaced: 0,
  recreated: 0,
  same: 0,
  extra: 0,
  deleted: 0,
  ambiguous: 0,
  unaddressable: 0,
  refused: 0,
  different: 0,
};

/** Proves that a backup can be restored: every stored byte, every document. Contacts no target. */
export async function validateBackup(
  repository: Repository,
  backupId: string,
  context: OperationContext = {},
): Promise<RestoreReport> {
  const { clock } = repository.platform;
  const begun = clock.monotonic();
  const manifest = await readGuarded(repository, backupId, context.signal);
  const proved = await proveBackup(repository, manifest, null, context);
  await proved.close();
  const errors = incompleteness(manifest);
  return {
    ...describe(manifest, manifest.collection, ''),
    mode: 'validate',
    exit_code: combinedExit(errors.map(exitOf)),
    duration_ms: Math.round(clock.monotonic() - begun),
    counts: NO_COUNTS,
    read_back: null,
    warnings: proved.warnings,
    errors,
  };
}

/**
 * Verifies the backup, reads the target once, and decides for every document what a restore would do. Writes nothing
 * anywhere. Throws where no restore is possible: BACKUP_MISSING, damage, a target that cannot be read.
 */
export async function planRestore(
  repository: Repository,
  target: Target,
  request: RestoreRequest,
  context: OperationContext = {},
): Promise<RestorePlan> {
  const { platform } = repository;
  const begun = platform.clock.monotonic();
  const onEvent = context.onEvent ?? (() => {});
  const manifest = await readGuarded(repository, request.backupId, context.signal);
  const name = request.toCollection ?? manifest.collection;
  const collection = target.openTarget(name);
  onEvent({ type: 'run:started', operation: 'restore', objects: [manifest.backup_id] });
  await using opened = new AsyncDisposableStack();
  const proved = await proveBackup(repository, manifest, collection.traits.serverGivenKeys, context);
  opened.defer(() => proved.close());
  const reading: TargetReading = {
    platform,
    target,
    collection,
    scratch: proved.scratch,
    phase: 'read-target',
    object: manifest.backup_id,
    onEvent,
    signal: context.signal,
  };
  const state = await readTarget(reading);
  opened.defer(() => state.close());
  if (!state.complete && collection.traits.serverGivenKeys) throw unreadTarget(name);
  const { actions, counts } = await matchDocuments(proved.scratch, proved.records!.runs, state.records.runs);
  opened.defer(() => actions.close());
  const warnings = [
    ...proved.warnings,
    ...planWarnings(manifest, state, name, collection.traits.serverGivenKeys ? counts.created : 0),
  ];
  const errors = [...incompleteness(manifest), ...unmatched(counts, name)];
  return new Plan({
    repository,
    target,
    manifest,
    reading,
    proved,
    state,
    actions,
    opened: opened.move(),
    report: {
      ...describe(manifest, name, targetName(target)),
      mode: 'dry-run',
      exit_code: combinedExit(errors.map(exitOf)),
      duration_ms: Math.round(platform.clock.monotonic() - begun),
      counts: { ...NO_COUNTS, ...counts },
      read_back: null,
      warnings,
      errors,
    },
  });
}

/** Carries out a plan, reads the target again and compares. A failure on the way says what was written. */
export async function applyRestore(
  plan: RestorePlan,
  context: OperationContext = {},
): Promise<RestoreReport> {
  if (!(plan instanceof Plan)) throw new TypeError('not a plan of planRestore');
  const { repository, target, manifest, reading, state, actions, proved } = plan.parts;
  const { clock } = repository.platform;
  const begun = clock.monotonic();
  const onEvent = context.onEvent ?? (() => {});
  if (!state.exists && !reading.collection.traits.createsOnInsert) {
    const { collection } = reading.collection;
    await target.createCollection(
      { name: collection, definition: manifest.table_definition },
      context.signal,
    );
  }
  if (actions.count === 0) {
    return { ...plan.report, mode: 'replace', read_back: { same_bytes: 0, same_value: 0, different: 0 } };
  }
  const { collection } = reading.collection;
  const reader: Reader = {
    repository,
    manifest,
    reading: { ...reading, phase: 'compare', onEvent, signal: context.signal ?? reading.signal },
    backup: proved.records!.runs,
  };
  const written = await writeInRounds(reader, actions, state.addresses);
  const errors = [...plan.report.errors, ...written.errors, ...differences(written, collection)];
  const exits = errors.map(exitOf);
  const different = written.different + written.missing + written.unanswered;
  return {
    ...plan.report,
    mode: 'replace',
    exit_code: exits.includes(4) ? 4 : exits.length > 0 ? 3 : 0,
    duration_ms: plan.report.duration_ms + Math.round(clock.monotonic() - begun),
    counts: {
      ...plan.report.counts,
      created: written.created,
      replaced: written.replaced,
      recreated: written.recreated,
      ambiguous: plan.report.counts.ambiguous + written.taken,
      refused: written.refused,
      different,
    },
    read_back: { same_bytes: written.sameBytes, same_value: written.sameValue, different },
    warnings: [
      ...plan.report.warnings,
      ...mendings(written, collection, reading.collection.traits.serverGivenKeys),
    ],
    errors,
  };
}

interface PlanParts {
  readonly repository: Repository;
  readonly target: Target;
  readonly manifest: Manifest;
  readonly reading: TargetReading;
  readonly proved: ProvedBackup;
  readonly state: TargetState;
  readonly actions: SortedRuns;
  /** Temporary files of the parts above. */
  readonly opened: AsyncDisposableStack;
  readonly report: RestoreReport;
}

class Plan implements RestorePlan {
  readonly parts: PlanParts;
  constructor(parts: PlanParts) {
    this.parts = parts;
  }
  get report(): RestoreReport {
    return this.parts.report;
  }
  close(): Promise<void> {
    return this.parts.opened.disposeAsync();
  }
}
