import {
  newestState,
  recoverableRanges,
  restorableStates,
  timeOfState,
  wholeRange,
} from '../catalog/points-in-time.ts';
import { BackupError } from '../kernel/errors.ts';
import { stateCount } from '../model/manifest.ts';
import { flawOf, type ListedBackup } from '../model/report.ts';
import { formatInstant } from '../model/time.ts';
import type { Repository } from '../repository.ts';

/** Which backups a restore of several collections takes. */
export interface ChosenStates {
  readonly states: readonly ListedBackup[];
  /** Why a state may not be what somebody wants back. */
  readonly doubts: readonly string[];
  /** One for each collection that has no state to restore. */
  readonly failures: readonly BackupError[];
}

/**
 * For each collection the newest state to be restored, or the newest one by the time `at`. Throws BACKUP_MISSING where
 * none of them has a backup at all, and for a time before the first state or one that is yet to come: it names the range.
 *
 * @param backups all of them, newest first
 * @param collections null: every collection that has a backup
 */
export function chooseStates(
  stores: readonly Repository[],
  backups: readonly ListedBackup[],
  collections: readonly string[] | null,
  at: number | null,
): ChosenStates {
  const held = [...new Set(backups.map(({ manifest }) => manifest.collection))].toSorted();
  if (collections === null && held.length === 0) throw noBackup('anything', stores);
  const wanted = collections ?? held;
  const ofWanted = backups.filter(({ manifest }) => wanted.includes(manifest.collection));
  if (at !== null) assertRecoverable(ofWanted, at, stores);
  const byThen = at === null ? ofWanted : ofWanted.filter((backup) => timeOfState(backup) <= at);
  const states: ListedBackup[] = [];
  const failures: BackupError[] = [];
  for (const collection of wanted) {
    const newest = newestState(byThen, collection);
    if (newest !== null) states.push(newest);
    else {
      const when = at === null ? '' : ` by ${formatInstant(at)}`;
      failures.push(noBackup(`collection ${collection}${when}`, stores).with({ object: collection }));
    }
  }
  return { states, doubts: states.flatMap((state) => doubts(byThen, state)), failures };
}

function assertRecoverable(
  backups: readonly ListedBackup[],
  at: number,
  stores: readonly Repository[],
): void {
  const range = wholeRange(recoverableRanges(backups));
  if (range === null) return;
  const isAhead = at > stores[0]!.platform.clock.now();
  const isBefore = !restorableStates(backups).some((state) => timeOfState(state) <= at);
  if (!isAhead && !isBefore) return;
  const time = formatInstant(at);
  throw new BackupError(
    'BACKUP_MISSING',
    `${time} ${isAhead ? 'is yet to come' : 'is before the first state'}: there are states from ${range.first} to ${range.last}`,
    {
      object: time,
      kept: 'Nothing was done.',
      cure: 'Give --at a time from the first of these until now; `zerodb-backup list --verbose` shows the range of each collection.',
    },
  );
}

/** @param backups by the time in question, newest first */
function doubts(backups: readonly ListedBackup[], chosen: ListedBackup): string[] {
  const { backup_id, collection } = chosen.manifest;
  const ofCollection = backups.filter(({ manifest }) => manifest.collection === collection);
  const passedOver = ofCollection
    .slice(0, ofCollection.indexOf(chosen))
    .map(
      (backup) => `${backup.manifest.backup_id} (${flawOf(backup) ?? 'its base is not there, or not good'})`,
    );
  const fuller = restorableStates(ofCollection).find(({ manifest }) => stateCount(manifest) > 0)?.manifest;
  return [
    ...(passedOver.length > 0 ? [`${backup_id} is not the newest: not taken ${passedOver.join(', ')}`] : []),
    ...(stateCount(chosen.manifest) === 0 && fuller !== undefined
      ? [
          `${backup_id} is empty; ${fuller.backup_id} has ${stateCount(fuller)} documents: restore it by its id if they are wanted`,
        ]
      : []),
  ];
}

function noBackup(what: string, stores: readonly Repository[]): BackupError {
  const places = stores.map(({ store }) => store.label).join(' or ');
  return new BackupError('BACKUP_MISSING', `there is no good backup of ${what} in ${places}`, {
    cure: 'Run `zerodb-backup list` to see what there is.',
  });
}
