import type { Codec } from '../../../kernel/codec.ts';
import type { SortedRuns } from '../../../kernel/sorted-runs.ts';
import type { ReportedError } from '../../../model/report.ts';
import { scanKeyText } from '../../../model/shape.ts';
import { type IdMapWriter, movedText } from '../keep/id-map-writer.ts';
import { RecordCursor } from '../match/records.ts';
import type { Material } from '../material.ts';
import type { TargetState } from '../target/reading.ts';
import { SecondLook } from '../target/second-look.ts';
import { ACTION, type Actions, VERB } from './actions.ts';
import { type ApplyTask, applyActions } from './apply.ts';
import { applyDeletions } from './deletions.ts';
import { documentsOfActions } from './documents-of-actions.ts';
import { FATE } from './outcomes.ts';
import { type Reader, readBack } from './read-back.ts';

/** Everything that was written, after all that could be mended was. */
export interface Written {
  readonly serverGivenKeys: boolean;
  created: number;
  replaced: number;
  /** Of those replaced: by deleting and inserting. */
  recreated: number;
  /** Of those created: documents that were gone when they were to be replaced. */
  gone: number;
  /** Of those created or replaced: sent again because no answer had come and they were not there. */
  resent: number;
  refused: number;
  /** Not created: the key is taken, perhaps by a document whose key is another. */
  taken: number;
  /** Left alone: others wrote them since the target was read. */
  changed: number;
  changedNames: string[];
  inDoubt: number;
  sameBytes: number;
  sameValue: number;
  different: number;
  differentNames: string[];
  /** Acknowledged and not there. */
  missing: number;
  /** Not there, and no insert was ever acknowledged. */
  unanswered: number;
  /** By us, or by others before us. */
  deleted: number;
  /** To be deleted, and there all the same: written by others since, or deleted in vain. */
  keptByOthers: number;
  undeleted: number;
  /** Not seen again by a reading that may have missed documents. */
  unseen: number;
  /** The first few refusals. */
  readonly errors: ReportedError[];
}

/** Write; replace or create what that did not bring about; delete and insert; create what was lost on the way. */
const ROUNDS_MAX = 4;
/** Documents are read back by their keys where at most one in so many of the target was written, and only so many. */
const KEYED_SHARE = 20;
const KEYED_MAX = 20_000;

/** Carries out actions and reads back what became of them, again with what can be mended, until nothing can. */
export async function writeInRounds(
  reader: Reader,
  actions: Actions,
  state: TargetState,
  idMap: IdMapWriter | null,
): Promise<Written> {
  const written: Written = {
    serverGivenKeys: reader.reading.collection.traits.serverGivenKeys,
    created: 0,
    replaced: 0,
    recreated: 0,
    gone: 0,
    resent: 0,
    refused: 0,
    taken: 0,
    changed: 0,
    changedNames: [],
    inDoubt: 0,
    sameBytes: 0,
    sameValue: 0,
    different: 0,
    differentNames: [],
    missing: 0,
    unanswered: 0,
    deleted: 0,
    keptByOthers: 0,
    undeleted: 0,
    unseen: 0,
    errors: [],
  };
  await using opened = new AsyncDisposableStack();
  const byKey = isReadBackByKey(actions, state, written.serverGivenKeys);
  const secondLook = new SecondLook(reader.reading, state);
  const kept = idMap !== null && { idMap };
  let next: Round = { actions, live: state.live, secondLook, ...kept };
  for (let round = 1; round <= ROUNDS_MAX && next.actions.count > 0; round++) {
    const after = await writeOnce(reader, next, round, byKey, written);
    opened.defer(() => after.close());
    next = { actions: after.again, live: after.state.live, ...kept };
  }
  written.deleted = actions.deletions.count - written.undeleted - written.keptByOthers;
  return written;
}

/** Whether what is written is read back document by document: where reading the whole collection would take longer. */
export function isReadBackByKey(
  { count }: Actions,
  { documentCount, whole }: TargetState,
  serverGivenKeys: boolean,
): boolean {
  return !serverGivenKeys && count <= KEYED_MAX && (!whole || count * KEYED_SHARE <= documentCount);
}

type Round = Pick<ApplyTask, 'actions' | 'live' | 'secondLook' | 'idMap'>;

/** Keeps which documents are to be deleted and inserted again: between the two they are nowhere. */
async function announceRecreations(idMap: IdMapWriter, reader: Reader, { writes }: Actions): Promise<void> {
  const { material, reading } = reader;
  let recreates = false;
  for (
    const cursor = await RecordCursor.open(writes);
    cursor.current !== null && !recreates;
    await cursor.advance()
  )
    recreates = cursor.current[ACTION.verb] === VERB.recreate;
  if (!recreates) return;
  await idMap.flush();
  await idMap.keep(recreations(reading.platform.codec, material, writes, reading.signal));
}

async function* recreations(
  codec: Codec,
  material: Material,
  writes: SortedRuns,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const { batch, index, action } of documentsOfActions(codec, material, writes, signal)) {
    const id = scanKeyText(batch, index, material.shape);
    if (action[ACTION.verb] === VERB.recreate && id !== null) yield movedText(id, 'nowhere', null);
  }
}

async function writeOnce(
  reader: Reader,
  { actions, ...roundTask }: Round,
  round: number,
  byKey: boolean,
  written: Written,
) {
  const { material, reading } = reader;
  const { collection, target, signal } = reading;
  const keys: Uint8Array[] = [];
  const task: ApplyTask = {
    platform: reading.platform,
    scratch: reading.scratch,
    object: reading.object,
    material,
    actions,
    ...roundTask,
    again: round > 1,
    collection,
    pages: target.openCollection(collection.collection),
    ...(byKey && { onKey: (key: Uint8Array) => void keys.push(key) }),
    onEvent: reading.onEvent,
    signal,
  };
  if (roundTask.idMap !== undefined) await announceRecreations(roundTask.idMap, reader, actions);
  const applied = await applyActions(task);
  const { fates } = applied;
  await using _ = { [Symbol.asyncDispose]: () => applied.outcomes.close() };
  const refusedDeletions = await applyDeletions(task);
  const after = await readBack(reader, applied.outcomes, actions, byKey ? keys : null, round === ROUNDS_MAX);
  // an insert whose answer was lost and that is there now was made
  written.created += fates[FATE.created]! + after.insertsFound;
  written.replaced += fates[FATE.replaced]! + after.replacementsFound;
  written.recreated += fates[FATE.recreated]!;
  written.refused += fates[FATE.refused]!;
  written.taken += fates[FATE.taken]!;
  written.changed += fates[FATE.changed]! + after.madeByOthers;
  written.changedNames = [...written.changedNames, ...applied.changedNames, ...after.madeByOthersNames];
  written.inDoubt += fates[FATE.insertInDoubt]! + fates[FATE.replacementInDoubt]!;
  written.gone += after.gone;
  written.resent += after.resent;
  written.sameBytes += after.sameBytes;
  written.sameValue += after.sameValue;
  written.different += after.different;
  written.differentNames = [...written.differentNames, ...after.differentNames];
  if (after.complete) written.missing += after.missing;
  else written.unseen += after.missing;
  written.unanswered += after.unanswered;
  written.keptByOthers += after.keptByOthers;
  written.undeleted += after.undeleted;
  written.errors.push(...applied.errors, ...(round === ROUNDS_MAX ? refusedDeletions : []));
  return after;
}
