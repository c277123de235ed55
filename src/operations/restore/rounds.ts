import type { SortedRuns } from '../../kernel/sorted-runs.ts';
import type { ReportedError } from '../../model/report.ts';
import { readArchive } from '../verified-reading.ts';
import type { Addresses } from './addresses.ts';
import { applyActions } from './apply.ts';
import { FATE } from './outcomes.ts';
import { type Reader, readBack } from './read-back.ts';

/** Everything that was written, after all that could be mended was. */
export interface Written {
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
  inDoubt: number;
  sameBytes: number;
  sameValue: number;
  different: number;
  differentNames: string[];
  /** Acknowledged and not there. */
  missing: number;
  /** Not there, and no insert was ever acknowledged. */
  unanswered: number;
  /** Not seen again by a reading that may have missed documents. */
  unseen: number;
  /** The first few refusals. */
  readonly errors: ReportedError[];
}

/** Write; replace or create what that did not bring about; delete and insert; create what was lost on the way. */
const ROUNDS_MAX = 4;

/** Carries out actions and reads back what became of them, again with what can be mended, until nothing can. */
export async function writeInRounds(
  reader: Reader,
  actions: SortedRuns,
  addresses: Addresses,
): Promise<Written> {
  const written: Written = {
    created: 0,
    replaced: 0,
    recreated: 0,
    gone: 0,
    resent: 0,
    refused: 0,
    taken: 0,
    inDoubt: 0,
    sameBytes: 0,
    sameValue: 0,
    different: 0,
    differentNames: [],
    missing: 0,
    unanswered: 0,
    unseen: 0,
    errors: [],
  };
  await using opened = new AsyncDisposableStack();
  let next = { actions, addresses };
  for (let round = 1; round <= ROUNDS_MAX && next.actions.count > 0; round++) {
    const after = await writeOnce(reader, next.actions, next.addresses, round, written);
    opened.defer(() => after.close());
    next = { actions: after.again, addresses: after.state.addresses };
  }
  return written;
}

async function writeOnce(
  reader: Reader,
  actions: SortedRuns,
  addresses: Addresses,
  round: number,
  written: Written,
) {
  const { repository, manifest, reading } = reader;
  const { collection, target, signal } = reading;
  const applied = await applyActions({
    platform: repository.platform,
    scratch: reading.scratch,
    object: manifest.backup_id,
    shape: manifest.document_shape,
    batches: readArchive(repository, manifest, signal).batches,
    actions,
    again: round > 1,
    addresses,
    collection,
    pages: target.openCollection(collection.collection),
    onEvent: reading.onEvent,
    signal,
  });
  const { fates } = applied;
  await using _ = { [Symbol.asyncDispose]: () => applied.outcomes.close() };
  const after = await readBack(reader, applied.outcomes, round === ROUNDS_MAX);
  // an insert whose answer was lost and that is there now was made
  written.created += fates[FATE.created]! + after.insertsFound;
  written.replaced += fates[FATE.replaced]! + after.replacementsFound;
  written.recreated += fates[FATE.recreated]!;
  written.refused += fates[FATE.refused]!;
  written.taken += fates[FATE.taken]!;
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
  written.errors.push(...applied.errors);
  return after;
}
