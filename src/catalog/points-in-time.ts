import type { ListedBackup, RecoverableRange } from '../model/report.ts';
import { parseInstant } from '../model/time.ts';

/** Which backup gives the state of a collection at a time: pure functions of what a list shows. */

/** Milliseconds since 1970: the end of its window, when all of it had been read. */
export function timeOfState({ manifest }: ListedBackup): number {
  return parseInstant(manifest.window.end);
}

/** Those that are good and, where they are built on another one, can count on it. Newest state first. */
export function restorableStates(backups: readonly ListedBackup[]): ListedBackup[] {
  const good = new Map(
    backups.flatMap((backup) => (backup.good ? [[backup.manifest.backup_id, backup]] : [])),
  );
  return [...good.values()]
    .filter(({ manifest }) => manifest.base_backup_id === null || good.has(manifest.base_backup_id))
    .toSorted((a, b) => timeOfState(b) - timeOfState(a));
}

/** Of the backups that there were by some time; null where none of them is a state to restore. */
export function newestState(backups: readonly ListedBackup[], collection: string): ListedBackup | null {
  return restorableStates(backups).find(({ manifest }) => manifest.collection === collection) ?? null;
}

/** For each collection with a state to restore the first and the newest one; by name. */
export function recoverableRanges(backups: readonly ListedBackup[]): RecoverableRange[] {
  const groups = Map.groupBy(restorableStates(backups), ({ manifest }) => manifest.collection);
  const ranges = [...groups].map(([collection, states]) => ({
    collection,
    first: states.at(-1)!.manifest.window.end,
    last: states[0]!.manifest.window.end,
  }));
  return ranges.toSorted((a, b) => (a.collection < b.collection ? -1 : 1));
}

/** As from several stores: one range for each collection. */
export function joinedRanges(ranges: readonly RecoverableRange[]): RecoverableRange[] {
  const groups = Map.groupBy(ranges, ({ collection }) => collection);
  return [...groups].map(([collection, group]) => ({ collection, ...wholeRange(group)! }));
}

/** The one range that holds all of these; null of none. */
export function wholeRange(
  ranges: readonly RecoverableRange[],
): Pick<RecoverableRange, 'first' | 'last'> | null {
  if (ranges.length === 0) return null;
  const byTime = (a: string, b: string): number => parseInstant(a) - parseInstant(b);
  return {
    first: ranges.map(({ first }) => first).toSorted(byTime)[0]!,
    last: ranges
      .map(({ last }) => last)
      .toSorted(byTime)
      .at(-1)!,
  };
}
