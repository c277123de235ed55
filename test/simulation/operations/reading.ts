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

/** The codes that say what is wrong with the manifests or the archives of a backup and its base; none if nothing is. */
export function unsoundness({ observer }: Pick<WorldStore, 'observer'>, id: string): readonly string[] {
  const { damaged } = observer;
  const manifest = observer.backups.get(id)?.manifest;
  if (damaged.has(`manifests/${id}.json`)) return ['MANIFEST_DAMAGED'];
  const own = manifest !== undefined && damaged.has(manifest.object_path) ? ['ARCHIVE_DAMAGED'] : [];
  const baseId = manifest?.base_backup_id ?? null;
  if (baseId === null) return own;
  const base = unsoundness({ observer }, baseId);
  const isThere = observer.visible.includes(baseId) && !base.includes('MANIFEST_DAMAGED');
  return [...own, ...(isThere ? base : ['CHAIN_BROKEN'])];
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
    ...[
      'STORE_EXISTS',
      'STORE_MISSING',
      'BACKUP_MISSING',
      'MANIFEST_DAMAGED',
      'MARKER_DAMAGED',
      'CHAIN_BROKEN',
    ],
    // a power cut ends one run only, and what another one had not synced is lost
    ...(attempt.lostPower ? ['STORE_DAMAGED', 'STATE_FAILED'] : []),
  ];
}

/** Whether a run may have misread what is in the store. */
export function mayMisread(attempt: Attempt<unknown>): boolean {
  return !attempt.alone || isExcused(attempt, ['STORE_DAMAGED']);
}
