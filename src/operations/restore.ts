import { BackupError, combinedExit } from '../kernel/errors.ts';
import type { OperationContext } from '../kernel/events.ts';
import type { Manifest } from '../model/manifest.ts';
import { exitOf, type RestoreMode, type RestoreReport } from '../model/report.ts';
import { openScratch, type Repository } from '../repository.ts';
import type { Target } from '../sources/target.ts';
import { NO_COUNTS, writtenReport } from './restore/counts.ts';
import { otherSchema } from './restore/definitions.ts';
import { estimateOf } from './restore/estimate.ts';
import {
  describe,
  incompleteBackup,
  incompleteness,
  planWarnings,
  targetName,
  unmatched,
  unreadTarget,
} from './restore/findings.ts';
import { IdMapWriter } from './restore/keep/id-map-writer.ts';
import { idMapsOfTarget } from './restore/keep/maps-of-target.ts';
import { interruptedRestore, keepRecord, keepReport, leaseToKeep } from './restore/keep/record.ts';
import { OURS } from './restore/keep/saved-id-maps.ts';
import { RestoreDecisions } from './restore/match/decisions.ts';
import { matchDocuments } from './restore/match/match.ts';
import { findMoved } from './restore/match/moved-documents.ts';
import type { Material } from './restore/material.ts';
import { type Merged, mergeDocuments } from './restore/merge.ts';
import { newerDocuments } from './restore/newer.ts';
import { Plan, type RestorePlan } from './restore/plan.ts';
import { indexWarning, proveBackup, readGuarded } from './restore/prove.ts';
import { referencesToLostKeys } from './restore/references.ts';
import { EndangeredDocuments } from './restore/target/endangered.ts';
import { readDocuments, readTarget, type TargetReading } from './restore/target/reading.ts';
import { UntouchedDocuments } from './restore/untouched.ts';
import { Actions } from './restore/write/actions.ts';
import { keyToInsert } from './restore/write/apply.ts';
import { writeInRounds } from './restore/write/rounds.ts';
import { SeenDocuments } from './restore/write/seen-documents.ts';
import { proveState } from './state-reading.ts';

export type { RestorePlan };

export interface RestoreRequest {
  readonly backupId: string;
  /** Another collection than the one that was backed up. */
  readonly toCollection?: string;
  /** `replace` if left out. */
  readonly mode?: Exclude<RestoreMode, 'undo'>;
  /** Only the documents with these logical ids. */
  readonly ids?: readonly string[];
  /** What is good of a damaged backup; the rest is listed. */
  readonly allowPartial?: boolean;
  /** The interrupted restore that this one goes on with. */
  readonly continues?: string;
  /** Remembers which documents are left alone as well. */
  readonly listUntouched?: boolean;
}

export interface ApplyOptions extends OperationContext {
  /** False: nothing is kept of what is written over, and the restore cannot be taken back. */
  readonly undoable?: boolean;
}

/** Proves that a backup can be restored: every stored byte, every document. Contacts no target. */
export async function validateBackup(
  repository: Repository,
  backupId: string,
  context: OperationContext = {},
): Promise<RestoreReport> {
  const { clock } = repository.platform;
  const begun = clock.monotonic();
  const onEvent = context.onEvent ?? (() => {});
  const manifest = await readGuarded(repository, backupId, context.signal);
  await proveState(repository, await openScratch(repository), manifest, onEvent, context.signal);
  const warnings = await indexWarning(repository, manifest, context);
  const errors = incompleteness(manifest);
  return {
    ...describe(manifest, manifest.collection, ''),
    stage: 'validated',
    mode: 'replace',
    exit_code: combinedExit(errors.map(exitOf)),
    duration_ms: Math.round(clock.monotonic() - begun),
    counts: NO_COUNTS,
    read_back: null,
    warnings,
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
  const mode = request.mode ?? 'replace';
  const exact = mode === 'exact';
  assertSound(request, manifest);
  const name = request.toCollection ?? manifest.collection;
  const collection = target.openTarget(name);
  const { serverGivenKeys } = collection.traits;
  onEvent({ type: 'run:started', operation: 'restore', objects: [manifest.backup_id] });

  await using opened = new AsyncDisposableStack();
  const endangered = new EndangeredDocuments(exact);
  const { ids, allowPartial = false } = request;
  const proved = await proveBackup(repository, manifest, {
    ...context,
    serverGivenKeys,
    endangered,
    allowPartial,
    ...(ids !== undefined && { ids }),
  });
  opened.defer(() => proved.close());
  const maps = serverGivenKeys
    ? await idMapsOfTarget(
        repository,
        proved.scratch,
        { server: target.identity, collection: name },
        { server: manifest.source, collection: manifest.collection },
        context.signal,
      )
    : null;
  if (maps !== null) {
    opened.defer(() => maps.close());
    await endangered.addMoved(maps.moved);
  }
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
  const state =
    ids !== undefined && !serverGivenKeys && ids.length <= KEYED_IDS_MAX
      ? await readDocuments({ ...reading, endangered }, await keysOf(proved.material))
      : await readTarget({ ...reading, endangered });
  opened.defer(() => state.close());
  if (!state.complete && serverGivenKeys) throw unreadTarget(name);
  const actions = new Actions(proved.scratch);
  opened.defer(() => actions.close());
  const untouched = request.listUntouched === true ? new UntouchedDocuments(proved.scratch) : null;
  if (untouched !== null) opened.defer(() => untouched.close());
  const decisions = new RestoreDecisions(actions, exact, untouched);
  const { records } = proved.material;
  const moved = maps && (await findMoved(proved.scratch, records, state.records.runs, maps.moved, OURS));
  if (moved !== null) opened.defer(() => moved.close());
  await matchDocuments(proved.scratch, records, state.records.runs, moved, decisions);
  const { counts } = decisions;
  let written: Pick<Merged, 'material' | 'actions'> = { material: proved.material, actions };
  if (mode === 'merge') {
    const merged = await mergeDocuments(reading, state, proved.material, actions, counts, untouched);
    opened.defer(() => merged.close());
    written = merged;
  }

  const newer = exact ? await newerDocuments(reading, state, actions, manifest) : [];
  const references = serverGivenKeys ? await referencesToLostKeys(reading, proved.material, actions) : [];
  const schema = state.exists
    ? await otherSchema(target, name, manifest.table_definition, context.signal)
    : [];
  const warnings = [
    ...proved.warnings,
    ...(maps?.warnings ?? []),
    ...newer,
    ...references,
    ...planWarnings(manifest, state, name, serverGivenKeys ? counts.created : 0),
    ...schema,
  ];
  const errors = [...incompleteness(manifest), ...proved.errors, ...unmatched(counts, name)];
  const parts = {
    repository,
    origin: {
      backupId: manifest.backup_id,
      mode,
      source: manifest.source,
      collection: manifest.collection,
      targetCollection: name,
      target: target.identity,
      undoes: null,
      continues: request.continues ?? null,
      ids: ids ?? null,
      allowPartial,
    },
    tableDefinition: manifest.table_definition,
    reading,
    ...written,
    untouched: untouched === null ? null : { documents: untouched, material: proved.material },
    state,
    report: {
      ...describe(manifest, name, targetName(target)),
      stage: 'planned' as const,
      mode,
      exit_code: combinedExit(errors.map(exitOf)),
      duration_ms: Math.round(platform.clock.monotonic() - begun),
      counts,
      ...estimateOf(written.actions, state, serverGivenKeys),
      read_back: null,
      warnings,
      errors,
    },
  };
  return new Plan(parts, opened.move());
}

/** More documents are sooner found by reading the whole collection. */
const KEYED_IDS_MAX = 1000;

/** The keys that these documents have on a server that keeps keys. */
async function keysOf(material: Material): Promise<Uint8Array[]> {
  const { shape } = material;
  const keys: Uint8Array[] = [];
  for await (const batch of material.batches()) {
    for (let index = 0; index < batch.spans.count; index++) {
      const key = keyToInsert(batch, index, shape);
      if (key !== null) keys.push(Buffer.from(key));
    }
  }
  return keys;
}

/** What is asked for must be able to be done. */
function assertSound({ mode, ids, allowPartial }: RestoreRequest, manifest: Manifest): void {
  const refuse = (why: string, cure: string): never => {
    throw new BackupError('RESTORE_REFUSED', why, {
      operation: 'restore',
      object: manifest.backup_id,
      kept: 'Nothing was written.',
      cure,
    });
  };
  if (mode === 'exact' && ids !== undefined)
    refuse('an exact restore of chosen documents would delete all others', 'Leave out --exact or --ids.');
  if (mode === 'exact' && allowPartial === true)
    refuse(
      'an exact restore of a damaged backup would delete what it has lost',
      'Leave out --exact or --allow-partial.',
    );
  if (ids !== undefined && allowPartial === true)
    refuse('chosen documents and what is good of a damaged backup', 'Give one of --ids and --allow-partial.');
  const isProved = manifest.status === 'completed' && manifest.consistency !== 'unproven';
  if (mode === 'exact' && !isProved) throw incompleteBackup(manifest);
}

/**
 * Carries out a plan: keeps what it writes over, writes, reads the target again and compares. A failure on the way says
 * what was written.
 */
export async function applyRestore(plan: RestorePlan, options: ApplyOptions = {}): Promise<RestoreReport> {
  if (!(plan instanceof Plan)) throw new TypeError('not a plan of planRestore or planUndo');
  const { repository, reading, state, actions, material } = plan.parts;
  const { clock } = repository.platform;
  const begun = clock.monotonic();
  const { collection, target } = reading;
  const signal = options.signal ?? reading.signal;
  const onEvent = options.onEvent ?? (() => {});
  const isRecorded = actions.count > 0 && options.undoable !== false;
  // what is read again while it is restored stays meanwhile
  await using _lease = isRecorded ? await leaseToKeep(plan.parts, signal) : null;
  const restoreId = isRecorded ? await keepRecord(plan.parts, onEvent, signal) : null;
  const idMap =
    restoreId === null
      ? null
      : new IdMapWriter(repository, reading.scratch, restoreId, collection.collection);
  try {
    if (!state.exists && !collection.traits.createsOnInsert) {
      const definition = plan.parts.tableDefinition;
      await target.createCollection({ name: collection.collection, definition }, signal);
    }
    if (actions.count === 0) return writtenReport(plan.report, null, null, 0);
    const seen = new SeenDocuments(reading.scratch, collection.traits.serverGivenKeys);
    await using _ = { [Symbol.asyncDispose]: () => seen.close() };
    const reader = { material, reading: { ...reading, phase: 'compare' as const, onEvent, signal }, seen };
    const written = await writeInRounds(reader, actions, state, idMap);
    const spent = Math.round(clock.monotonic() - begun);
    const report = writtenReport(plan.report, restoreId, written, spent);
    if (restoreId === null || idMap === null) return report;
    if (seen.count > 0) await idMap.keep(seen.texts(repository.platform.codec, material, signal));
    return await withReportKept(repository, restoreId, withWarning(report, restoreId, idMap.failure, ID_MAP));
  } catch (thrown) {
    await idMap?.flush();
    throw restoreId === null ? thrown : interruptedRestore(thrown, restoreId);
  }
}

async function withReportKept(
  repository: Repository,
  restoreId: string,
  report: RestoreReport,
): Promise<RestoreReport> {
  return withWarning(report, restoreId, await keepReport(repository, restoreId, report), 'the report');
}

const ID_MAP = 'what the server made of the documents, without which an undo leaves some of them alone,';

/** Everything is written: what could not be kept afterwards is no failure of the restore. */
function withWarning(
  report: RestoreReport,
  restoreId: string,
  failure: BackupError | null,
  what: string,
): RestoreReport {
  if (failure === null) return report;
  const message = `${what} could not be kept beside the record of the restore: ${failure.message}`;
  return { ...report, warnings: [...report.warnings, { code: failure.code, message, object: restoreId }] };
}
