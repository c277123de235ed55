import { BackupError } from '../kernel/errors.ts';
import { stateCount } from '../model/manifest.ts';
import type { ListedBackup } from '../model/report.ts';
import { list } from '../operations/list.ts';
import type { Repository } from '../repository.ts';
import type { Invocation } from './invocation.ts';
import type { RestoreFlags } from './restore-flags.ts';

/** The newest good backup of every collection asked for; one that has none is a failure of its own. */
export async function newestGood(
  { session, context, output }: Invocation,
  flags: RestoreFlags,
  fail: (thrown: unknown, object: string) => void,
): Promise<string[]> {
  const stores = await session.repositories();
  const { backups, errors } = await list(stores, {}, context);
  // a manifest that cannot be read may have been that of a newer backup
  for (const { code, message, ...facts } of errors)
    fail(new BackupError(code, message, facts), facts.object ?? '');
  const held = [...new Set(backups.map(({ manifest }) => manifest.collection))].toSorted();
  if (flags.collections === undefined && held.length === 0) throw noBackup('anything', stores);
  return (flags.collections ?? held).flatMap((collection) => {
    const newest = backups.find(({ manifest, good }) => good && manifest.collection === collection);
    if (newest !== undefined) {
      for (const text of doubts(backups, newest)) output.complain(`Warning: ${text}`);
      return [newest.manifest.backup_id];
    }
    fail(noBackup(`collection ${collection}`, stores), collection);
    return [];
  });
}

/** Why the newest good backup of a collection may not be what somebody wants back. */
function doubts(backups: readonly ListedBackup[], newest: ListedBackup): string[] {
  const { backup_id, collection } = newest.manifest;
  const ofCollection = backups.filter(({ manifest }) => manifest.collection === collection);
  const passedOver = ofCollection
    .slice(0, ofCollection.indexOf(newest))
    .map(({ manifest }) => manifest.backup_id);
  const fuller = ofCollection.find(({ manifest, good }) => good && stateCount(manifest) > 0)?.manifest;
  return [
    ...(passedOver.length > 0
      ? [`${backup_id} is not the newest: ${passedOver.join(', ')} is incomplete`]
      : []),
    ...(stateCount(newest.manifest) === 0 && fuller !== undefined
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
