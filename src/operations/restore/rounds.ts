import type { ReportedError } from '../../model/report.ts';
import type { Actions } from './actions.ts';
import { type ApplyTask, applyActions } from './apply.ts';
import { applyDeletions } from './deletions.ts';
import { FATE } from './outcomes.ts';
import { type Reader, readBack } from './read-back.ts';
import type { TargetState } from './reading.ts';
import { SecondLook } from './second-look.ts';

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
export async function writeInRounds(reader: Reader, actions: Actions, state: TargetState): Promise<Written> {
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
  let next: Round = { actions, live: state.live, secondLook };
  for (let round = 1; round <= ROUNDS_MAX && next.actions.count > 0; round++) {
    const after = await writeOnce(reader, next, round, byKey, written);
    opened.defer(() => after.close());
    next = { actions: after.again, live: after.state.live };
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

type Round = Pick<ApplyTask, 'actions' | 'live' | 'secondLook'>;

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
