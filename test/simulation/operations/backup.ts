import type { BackupReport } from '../../../src/model/report.ts';
import { type BackupRequest, backup } from '../../../src/operations/backup.ts';
import { type Attempt, Violation } from '../attempt.ts';
import type { Faults } from '../faults.ts';
import type { World } from '../world.ts';
import type { Operation } from './operation.ts';

export const backupOperation: Operation = {
  name: 'backup',
  weight: 5,
  usesTool: true,
  concurrent: true,
  run: async (world, faults) => [await runBackup(world, faults)],
};

export const backupDryRun: Operation = {
  name: 'backup --dry-run',
  weight: 1,
  usesTool: true,
  concurrent: false,
  async run(world, faults) {
    const before = world.observer.storeSum;
    const attempt = await runBackup(world, faults, { dryRun: true });
    if (world.observer.storeSum !== before) throw new Violation('a dry run changed the store');
    return [attempt];
  },
};

export async function runBackup(
  world: World,
  faults: Faults,
  request: Partial<BackupRequest> = {},
): Promise<Attempt<BackupReport>> {
  const { collections, compression, concurrency } = world.settings;
  const attempt = await world.attempt(faults, ({ repository, target, signal }) =>
    backup(
      repository,
      target,
      {
        collections: null,
        exclude: [],
        configuredCollections: collections,
        dryRun: false,
        compression,
        concurrency,
        consistency: 'window',
        adoptStore: false,
        readBack: true,
        ...request,
      },
      { signal },
    ),
  );
  judge(world, attempt, request.dryRun === true);
  return attempt;
}

function judge(world: World, attempt: Attempt<BackupReport>, dryRun: boolean): void {
  world.assertServerUntouched(attempt);
  const { report } = attempt;
  if (report === null) return;
  for (const collection of world.settings.collections) {
    const isNamed = report.backups.some((one) => one.collection === collection);
    const steady = world.history.steady(collection, attempt.from, attempt.to).length;
    if (!isNamed && steady > 0) throw new Violation(`backup says nothing of ${collection}`);
  }
  const visible = new Set(world.observer.visible);
  for (const { collection, outcome, backup_id, error } of report.backups) {
    const made = outcome === 'completed' || outcome === 'incomplete';
    if (made && !dryRun) {
      if (backup_id === null || !visible.has(backup_id)) {
        throw new Violation(`backup reports one of ${collection} that is not there`);
      }
      world.observer.acknowledge(backup_id);
      if (world.observer.damaged.has('repository.json') && !world.damage.has('repository.json')) {
        throw new Violation('a backup was made in a store whose marker was damaged when it was written');
      }
    }
    if (outcome === 'failed' && error === undefined) throw new Violation('a failure without an error');
    const steady = world.history.steady(collection, attempt.from, attempt.to).length;
    if (outcome === 'skipped' && steady > 0)
      throw new Violation(`${collection} was skipped and is not empty`);
  }
  const isWhole = report.backups.every(({ outcome }) => outcome === 'completed' || outcome === 'skipped');
  if ((report.exit_code === 0) !== (isWhole && report.errors.length === 0)) {
    throw new Violation(`exit code ${report.exit_code} of a backup with ${report.errors.length} errors`);
  }
}
