import type { BackupReport } from '../../../src/model/report.ts';
import { type BackupRequest, backup, type IncrementalPolicy } from '../../../src/operations/backup.ts';
import type { Dice } from '../../../src/sandbox/dice.ts';
import { type Attempt, Violation } from '../attempt.ts';
import { assertExplained, exitOf } from '../codes.ts';
import type { Faults } from '../faults.ts';
import { MARKER } from '../observer.ts';
import type { World } from '../world.ts';
import type { WorldStore } from '../world-store.ts';
import type { Operation } from './operation.ts';
import { crossings } from './reading.ts';

export const backupOperation: Operation = {
  name: 'backup',
  aims: 'backup',
  weight: 5,
  usesTool: true,
  concurrent: true,
  run: async (world, faults) => [await runBackup(world, world.pickStore(), faults, drawRequest(world))],
};

export const backupDryRun: Operation = {
  name: 'backup --dry-run',
  aims: 'backup',
  weight: 1,
  usesTool: true,
  concurrent: false,
  async run(world, faults) {
    const store = world.pickStore();
    const before = store.observer.storeSum;
    const attempt = await runBackup(world, store, faults, { ...drawRequest(world), dryRun: true });
    if (!attempt.lostPower && store.observer.storeSum !== before)
      throw new Violation('a dry run changed the store');
    return [attempt];
  },
};

type Choice = Partial<
  Pick<BackupRequest, 'collections' | 'exclude' | 'consistency' | 'dryRun' | 'adoptStore' | 'incremental'>
>;

/** `--collections`, `--exclude`, `--consistency`, `--incremental`. */
function drawRequest({ dice, settings }: World): Choice {
  const names = settings.collections;
  return {
    collections: dice.chance(0.2) ? names.filter(() => dice.chance(0.5)).concat(names.at(-1)!) : null,
    exclude: dice.chance(0.2) ? names.filter(() => dice.chance(0.5)).slice(0, names.length - 1) : [],
    consistency: dice.chance(0.2) ? 'point' : 'window',
    incremental: drawIncremental(dice),
  };
}

/** However old the base is; small worlds have increments that are larger than their bases. */
export const ALWAYS_INCREMENTAL: IncrementalPolicy = { baseAgeMaxMs: 1e12, sizeMax: 100 };

export function drawIncremental(dice: Dice): IncrementalPolicy | null {
  if (dice.chance(0.4)) return null;
  if (dice.chance(0.6)) return ALWAYS_INCREMENTAL;
  return { baseAgeMaxMs: dice.pick([60_000, 7 * 86_400_000]), sizeMax: dice.pick([0.5, 1]) };
}

export async function runBackup(
  world: World,
  store: WorldStore,
  faults: Faults,
  choice: Choice = {},
): Promise<Attempt<BackupReport>> {
  const { collections: configuredCollections, compression, concurrency } = world.settings;
  const request: BackupRequest = {
    collections: null,
    exclude: [],
    configuredCollections,
    dryRun: false,
    compression,
    concurrency,
    consistency: 'window',
    adoptStore: false,
    mirrorIn: null,
    anomalyLimits: { shrinkMax: 0.5 },
    retention: null,
    incremental: null,
    readBack: true,
    ...choice,
  };
  const { observer } = store;
  const isForeign = !request.adoptStore && !observer.hasMarker && observer.keys.length > 0;
  const attempt = await world.attempt(store, faults, async ({ repository, openTarget, signal }) =>
    backup(repository, await openTarget(), request, { signal }),
  );
  world.assertServerUntouched(attempt);
  const names = wantedOf(world, request);
  assertExplained(attempt, [
    ...names.flatMap((name) => world.scanCodes(name, attempt)),
    ...emptiness(world, attempt, names),
    ...(isForeign ? ['STORE_FOREIGN'] : []),
    ...(store.isMarkerDamaged ? ['MARKER_DAMAGED'] : []),
    ...crossings(attempt),
    // what another has written meanwhile, before its marker could be seen
    ...(attempt.alone ? [] : ['STORE_FOREIGN']),
  ]);
  const { report } = attempt;
  if (report === null) return attempt;
  if (isForeign && attempt.alone) throw new Violation('a backup was made among files of others');
  if (store.isMarkerDamaged && attempt.alone && store.damage.has(MARKER)) {
    throw new Violation('a backup was made in a store whose marker is damaged');
  }
  judge(world, attempt, report, request, names);
  return attempt;
}

/** The collections that a backup is asked for, as far as they are known to be there. */
function wantedOf({ settings }: World, { collections, exclude }: BackupRequest): string[] {
  return [...new Set(collections ?? settings.collections)].filter((name) => !exclude.includes(name));
}

/** What is said where collections hold nothing. */
function emptiness(world: World, { from, to, store }: Attempt<unknown>, names: readonly string[]): string[] {
  const isEmpty = (name: string): boolean => world.history.steady(name, from, to).length === 0;
  const isHeld = (name: string): boolean =>
    [...store.observer.backups.values()].some(({ manifest }) => manifest.collection === name);
  const codes: string[] = [];
  if ([...names, 'elsewhere'].some((name) => isEmpty(name) && isHeld(name))) {
    codes.push('SOURCE_COLLECTION_VANISHED');
  }
  if (names.every(isEmpty)) codes.push('SOURCE_COLLECTION_UNKNOWN');
  return codes;
}

function judge(
  world: World,
  attempt: Attempt<BackupReport>,
  report: BackupReport,
  { dryRun, exclude, collections, incremental }: BackupRequest,
  names: readonly string[],
): void {
  const { observer, damage } = attempt.store;
  const steadyOf = (name: string) => world.history.steady(name, attempt.from, attempt.to).length;
  for (const name of names) {
    // a table that vanishes is not listed either
    if (world.trouble.kind === 'vanishing' && world.trouble.concerns(name)) continue;
    const isNamed = report.backups.some((one) => one.collection === name);
    if (!isNamed && steadyOf(name) > 0) throw new Violation(`backup says nothing of ${name}`);
  }
  const visible = new Set(observer.visible);
  for (const { collection, outcome, backup_id, error, backup_type, full_because } of report.backups) {
    if (exclude.includes(collection) || collections?.includes(collection) === false) {
      throw new Violation(`backup speaks of ${collection}, which was not asked for`);
    }
    const made = outcome === 'completed' || outcome === 'incomplete';
    const isExpected = incremental === null || full_because !== undefined ? 'full' : 'incremental';
    if (made && backup_type !== isExpected)
      throw new Violation(`a backup of ${collection} is ${backup_type} because of ${full_because}`);
    if (made && !dryRun) {
      if (backup_id === null || !visible.has(backup_id)) {
        throw new Violation(`backup reports one of ${collection} that is not there`);
      }
      observer.acknowledge(backup_id);
      if (observer.damaged.has(MARKER) && !damage.has(MARKER)) {
        throw new Violation('a backup was made in a store whose marker was damaged when it was written');
      }
    }
    if (outcome === 'failed' && error === undefined) throw new Violation('a failure without an error');
    if (outcome === 'skipped' && steadyOf(collection) > 0 && world.trouble.kind !== 'vanishing')
      throw new Violation(`${collection} was skipped and is not empty`);
  }
  const expected = exitOfBackup(report);
  if (report.exit_code !== expected) {
    throw new Violation(`the exit code of a backup is ${report.exit_code} and not ${expected}`);
  }
}

/** Where all collections failed alike, that code; else 3. */
function exitOfBackup({ backups }: BackupReport): number {
  const exits = backups
    .filter(({ outcome }) => outcome !== 'skipped')
    .map(({ outcome, error }) =>
      error === undefined ? (outcome === 'incomplete' ? 3 : 0) : exitOf(error.code),
    );
  const different = new Set(exits);
  if (different.size === 0) return exitOf('SOURCE_COLLECTION_UNKNOWN');
  return different.size === 1 ? exits[0]! : 3;
}
