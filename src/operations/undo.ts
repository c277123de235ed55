import { BackupError, combinedExit } from '../kernel/errors.ts';
import type { OperationContext } from '../kernel/events.ts';
import { type Scratch, SortedRuns } from '../kernel/sorted-runs.ts';
import { exitOf } from '../model/report.ts';
import type { RestoreRecord } from '../model/restore-record.ts';
import { openScratch, type Repository } from '../repository.ts';
import type { Target } from '../sources/target.ts';
import { Actions } from './restore/actions.ts';
import { ChangedDocuments } from './restore/changed-documents.ts';
import { parseChange } from './restore/changes.ts';
import { NO_COUNTS } from './restore/counts.ts';
import { EndangeredDocuments } from './restore/endangered.ts';
import { estimateOf } from './restore/estimate.ts';
import { changedByOthers, targetName, unmatched, unprovenTarget, unreadTarget } from './restore/findings.ts';
import { IdMap } from './restore/id-map.ts';
import { readRestoreRecord } from './restore/kept-restores.ts';
import { matchDocuments } from './restore/match.ts';
import type { Material } from './restore/material.ts';
import { Plan, type RestorePlan } from './restore/plan.ts';
import { documentRecords } from './restore/prove.ts';
import { readTarget, type TargetReading } from './restore/reading.ts';
import { RECORD } from './restore/records.ts';
import { UndoDecisions } from './restore/undo-decisions.ts';
import { proveArchive, readArchive } from './verified-reading.ts';

/**
 * Plans to take a restore back: what it wrote over or deleted is brought back, what it created is deleted, but only
 * documents that still are as it left them; the others are named and left alone. `applyRestore` carries the plan out,
 * and that can be undone as well. Writes nothing. Throws RESTORE_MISSING, RESTORE_REFUSED (another target), damage.
 */
export async function planUndo(
  repository: Repository,
  target: Target,
  restoreId: string,
  context: OperationContext = {},
  continues: string | null = null,
): Promise<RestorePlan> {
  const { platform } = repository;
  const { signal } = context;
  const begun = platform.clock.monotonic();
  const onEvent = context.onEvent ?? (() => {});
  const record = await readRestoreRecord(repository, restoreId, signal);
  assertSameTarget(record, target);
  const name = record.target_collection;
  const collection = target.openTarget(name);
  const { serverGivenKeys } = collection.traits;
  onEvent({ type: 'run:started', operation: 'undo', objects: [restoreId] });

  await using opened = new AsyncDisposableStack();
  const scratch = await openScratch(repository);
  const endangered = new EndangeredDocuments(false);
  const changes = new ChangedDocuments(platform.codec, scratch);
  opened.defer(() => changes.close());
  await readChanges(repository, scratch, record, changes, endangered, context);
  const material = await provePreImages(repository, scratch, record, serverGivenKeys, context);
  opened.defer(() => material.records.close());
  const reading: TargetReading = {
    platform,
    target,
    collection,
    scratch,
    phase: 'read-target',
    object: restoreId,
    onEvent,
    signal,
  };
  const state = await readTarget({ ...reading, endangered });
  opened.defer(() => state.close());
  if (!state.complete && serverGivenKeys) throw unreadTarget(name);
  const actions = new Actions(scratch);
  opened.defer(() => actions.close());
  const decisions = new UndoDecisions(scratch, changes, actions);
  opened.defer(() => decisions.close());
  await matchDocuments(scratch, changes.records, state.records.runs, decisions);
  await decisions.settle(material.records);
  const { counts } = decisions;

  const errors = [
    ...unmatched(counts, name),
    ...changedByOthers(counts.changed, decisions.changedNames, name),
  ];
  const parts = {
    repository,
    origin: {
      backupId: record.backup_id,
      mode: 'undo' as const,
      collection: record.collection,
      targetCollection: name,
      target: target.identity,
      undoes: restoreId,
      continues,
      ids: null,
      allowPartial: false,
    },
    tableDefinition: null,
    reading,
    material,
    state,
    actions,
    untouched: null,
    report: {
      operation: 'restore' as const,
      backup_id: record.backup_id,
      undoes: restoreId,
      collection: record.collection,
      target_collection: name,
      target: targetName(target),
      backup_type: 'full' as const,
      backup_time: record.created_at.replace(/Z$/, ''),
      document_count: record.changes.document_count,
      stage: 'planned' as const,
      mode: 'undo' as const,
      exit_code: combinedExit(errors.map(exitOf)),
      duration_ms: Math.round(platform.clock.monotonic() - begun),
      counts: { ...NO_COUNTS, ...counts },
      ...estimateOf(actions, state, serverGivenKeys),
      read_back: null,
      warnings: state.complete ? [] : [unprovenTarget(name)],
      errors,
    },
  };
  return new Plan(parts, opened.move());
}

async function readChanges(
  repository: Repository,
  scratch: Scratch,
  record: RestoreRecord,
  changes: ChangedDocuments,
  endangered: EndangeredDocuments,
  { signal, onEvent = () => {} }: OperationContext,
): Promise<void> {
  const found = await IdMap.open(repository, scratch, record.restore_id, signal);
  await using _ = { [Symbol.asyncDispose]: () => found.close() };
  await proveArchive(repository, scratch, record.changes, onEvent, signal, async (batch, index) => {
    const change = parseChange(batch.bytes.subarray(batch.spans.start(index), batch.spans.end(index)));
    for (const name of await changes.add(change, await found.found(change))) endangered.addName(name);
  });
  found.assertAllFound();
  await changes.seal();
}

async function provePreImages(
  repository: Repository,
  scratch: Scratch,
  { pre_images: kept }: RestoreRecord,
  serverGivenKeys: boolean,
  { signal, onEvent = () => {} }: OperationContext,
): Promise<Material> {
  if (kept === null) {
    const records = new SortedRuns(scratch, RECORD.width);
    return { shape: 'flat', records, batches: nothing };
  }
  const records = await documentRecords(repository, scratch, kept, { serverGivenKeys, signal, onEvent });
  return {
    shape: kept.document_shape,
    records,
    batches: (again) => readArchive(repository, kept, again).batches,
  };
}

async function* nothing(): AsyncGenerator<never> {}

function assertSameTarget({ restore_id, target, target_collection }: RestoreRecord, now: Target): void {
  const { host, project } = now.identity;
  if (target.host === host && target.project === project) return;
  const there = target.project === null ? target.host : `${target.host} project ${target.project}`;
  throw new BackupError(
    'RESTORE_REFUSED',
    `restore ${restore_id} wrote to ${target_collection} on ${there}, not on ${targetName(now)}`,
    {
      operation: 'undo',
      object: restore_id,
      kept: 'Nothing was written.',
      cure: 'Name the server that was restored to with --target.',
    },
  );
}
