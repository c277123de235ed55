import { BackupError, combinedExit } from '../kernel/errors.ts';
import type { OperationContext } from '../kernel/events.ts';
import { type Scratch, SortedRuns } from '../kernel/sorted-runs.ts';
import { exitOf, type ReportedWarning } from '../model/report.ts';
import type { KeptArchive, RestoreRecord } from '../model/restore-record.ts';
import { openScratch, type Repository, readMarker } from '../repository.ts';
import type { Target } from '../sources/target.ts';
import { estimateOf } from './restore/estimate.ts';
import { changedByOthers, targetName, unmatched, unprovenTarget, unreadTarget } from './restore/findings.ts';
import { withoutBystanders } from './restore/keep/bystanders.ts';
import { ChangedDocuments } from './restore/keep/changed-documents.ts';
import { parseChange } from './restore/keep/changes.ts';
import { listRestores, readRestoreRecord } from './restore/keep/kept-restores.ts';
import { idMapsOfTarget, writtenTo } from './restore/keep/maps-of-target.ts';
import { OURS, SavedIdMaps, savedPieces, TARGETS } from './restore/keep/saved-id-maps.ts';
import { matchDocuments } from './restore/match/match.ts';
import { findMoved } from './restore/match/moved-documents.ts';
import { HASH_BYTES, RECORD, writeKey } from './restore/match/records.ts';
import { UndoDecisions } from './restore/match/undo-decisions.ts';
import type { Material } from './restore/material.ts';
import { Plan, type RestorePlan } from './restore/plan.ts';
import { documentRecords } from './restore/prove.ts';
import { EndangeredDocuments } from './restore/target/endangered.ts';
import { readTarget, type TargetReading } from './restore/target/reading.ts';
import { Actions } from './restore/write/actions.ts';
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
  await readMarker(repository, signal);
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
  const maps = await readChanges(repository, scratch, record, target, changes, context);
  opened.defer(() => maps.close());
  await endangered.addRecords(changes.records);
  await endangered.addMoved(maps.all.moved);
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
  const held = state.records.runs;
  const moved = await findMoved(scratch, changes.records, held, maps.all.moved, TARGETS);
  opened.defer(() => moved.close());
  const candidates = await withoutBystanders(scratch, held, maps.bystanders, changes.records, moved);
  opened.defer(() => candidates.close());
  decisions.undecided(held.count - candidates.count);
  await matchDocuments(scratch, changes.records, candidates, moved, decisions);
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
      source: record.source,
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
      counts,
      ...estimateOf(actions, state, serverGivenKeys),
      read_back: null,
      warnings: [...earlierPart(record), ...maps.warnings, ...(state.complete ? [] : [unprovenTarget(name)])],
      errors,
    },
  };
  return new Plan(parts, opened.move());
}

/** A restore that went on with another one wrote only what was left to do. */
function earlierPart({ restore_id: restoreId, continues }: RestoreRecord): ReportedWarning[] {
  if (continues === null) return [];
  const message = `restore ${continues}, with which this one went on, is taken back after it, by a plan of its own`;
  return [{ code: 'EARLIER_PART', message, object: restoreId }];
}

interface WhereDocumentsAre {
  /** Of all restores to this target. */
  readonly all: SavedIdMaps;
  /** Hashes of keys of documents that nothing is to be taken for. */
  readonly bystanders: SortedRuns;
  readonly warnings: readonly ReportedWarning[];
  close(): Promise<void>;
}

/** Reads what a restore did, and where its documents are now as far as that is on record. */
async function readChanges(
  repository: Repository,
  scratch: Scratch,
  record: RestoreRecord,
  target: Target,
  changes: ChangedDocuments,
  { signal, onEvent = () => {} }: OperationContext,
): Promise<WhereDocumentsAre> {
  const { restore_id: restoreId } = record;
  const { serverGivenKeys } = target.openTarget(record.target_collection).traits;
  const own = new SavedIdMaps(repository, scratch, signal);
  await using _ = { [Symbol.asyncDispose]: () => own.close() };
  const earlier = serverGivenKeys ? await earlierUndos(repository, restoreId, own, signal) : [];
  await proveArchive(repository, scratch, record.changes, onEvent, signal, async (batch, index) => {
    const change = parseChange(batch.bytes.subarray(batch.spans.start(index), batch.spans.end(index)));
    await changes.add(change, earlier.length > 0);
  });
  await own.add(restoreId, (await savedPieces(repository, signal)).get(restoreId) ?? [], OURS);
  await changes.settle(own.moved);

  const bystanders = new SortedRuns(scratch, HASH_BYTES);
  const read = (kept: KeptArchive | null) => readKeys(repository, scratch, kept, bystanders, signal);
  await read(record.bystanders);
  for (const undo of earlier) await own.orSkip(undo.restore_id, () => read(undo.bystanders));
  const there = writtenTo(record);
  const all = serverGivenKeys
    ? await idMapsOfTarget(repository, scratch, there, there, signal)
    : new SavedIdMaps(repository, scratch, signal);
  const warnings = [...new Map([...own.warnings, ...all.warnings].map((one) => [one.message, one])).values()];
  const close = async (): Promise<void> => {
    await all.close();
    await bystanders.close();
  };
  return { all, bystanders, warnings, close };
}

/** Undos of this restore, each of which may have come to any point. */
async function earlierUndos(
  repository: Repository,
  restoreId: string,
  maps: SavedIdMaps,
  signal: AbortSignal | undefined,
): Promise<RestoreRecord[]> {
  const undos: RestoreRecord[] = [];
  for (const id of await listRestores(repository, signal)) {
    if (timeOf(id) < timeOf(restoreId)) break;
    const record = await maps.orSkip(id, () => readRestoreRecord(repository, id, signal));
    if (record?.undoes === restoreId) undos.push(record);
  }
  return undos;
}

/** Within a second ids are in no order. */
function timeOf(restoreId: string): string {
  return restoreId.slice(0, restoreId.lastIndexOf('_'));
}

async function readKeys(
  repository: Repository,
  scratch: Scratch,
  kept: KeptArchive | null,
  into: SortedRuns,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (kept === null) return;
  await proveArchive(
    repository,
    scratch,
    kept,
    () => {},
    signal,
    async (_batch, _index, hashes) => {
      if (into.full) await into.flush();
      writeKey(into.slot(), 0, hashes.scanKeyHash, hashes.numericKey);
      into.added();
    },
  );
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
