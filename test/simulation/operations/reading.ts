import { type Attempt, Violation } from '../attempt.ts';
import { isExcused } from '../codes.ts';
import type { Faults } from '../faults.ts';
import type { Tool, World } from '../world.ts';
import type { WorldStore } from '../world-store.ts';

/** Does something with one of the backups that are there, which must leave the server as it is. Null if there is none. */
export async function readSomeBackup<Report>(
  world: World,
  faults: Faults,
  read: (tool: Tool, backupId: string) => Promise<Report>,
): Promise<{ readonly id: string; readonly attempt: Attempt<Report> } | null> {
  const store = world.pickStoreWithBackup();
  const id = store.pickBackup();
  if (id === null) return null;
  const attempt = await world.attempt(store, faults, (tool) => read(tool, id));
  world.assertServerUntouched(attempt);
  return { id, attempt };
}

/** A backup whose archive or manifest is damaged is never taken for good. */
export function assertSound({ store }: Attempt<unknown>, id: string): void {
  if (unsoundness(store, id).length > 0) throw new Violation(`the damaged ${id} was taken for good`);
}

/** The codes that say what is wrong with the manifest or the archive of a backup; none if nothing is. */
export function unsoundness({ observer }: WorldStore, id: string): readonly string[] {
  const { damaged } = observer;
  const seen = observer.backups.get(id);
  if (damaged.has(`manifests/${id}.json`)) return ['MANIFEST_DAMAGED'];
  return seen !== undefined && damaged.has(seen.manifest.object_path) ? ['ARCHIVE_DAMAGED'] : [];
}

/** As above, and what a marker means that is not what was written. */
export function refusals(store: WorldStore, id: string): readonly string[] {
  return [...unsoundness(store, id), ...(store.isMarkerDamaged ? ['MARKER_DAMAGED'] : [])];
}

/**
 * What others do in a store while a run is at work, as that run may meet it: objects that are taken back because the
 * disk lied, ids that two give at the same time.
 */
export function crossings(attempt: Attempt<unknown>): readonly string[] {
  if (attempt.alone) return [];
  return [
    ...['STORE_EXISTS', 'STORE_MISSING', 'BACKUP_MISSING', 'MANIFEST_DAMAGED', 'MARKER_DAMAGED'],
    // a power cut ends one run only, and what another one had not synced is lost
    ...(attempt.lostPower ? ['STORE_DAMAGED', 'STATE_FAILED'] : []),
  ];
}

/** Whether a run may have misread what is in the store. */
export function mayMisread(attempt: Attempt<unknown>): boolean {
  return !attempt.alone || isExcused(attempt, ['STORE_DAMAGED']);
}
