import { type Attempt, Violation } from '../attempt.ts';
import type { Faults } from '../faults.ts';
import type { Tool, World } from '../world.ts';

/** Does something with one of the backups that are there, which must leave the server as it is. Null if there is none. */
export async function readSomeBackup<Report>(
  world: World,
  faults: Faults,
  read: (tool: Tool, backupId: string) => Promise<Report>,
): Promise<{ readonly id: string; readonly attempt: Attempt<Report> } | null> {
  const id = world.pickBackup();
  if (id === null) return null;
  const attempt = await world.attempt(faults, (tool) => read(tool, id));
  world.assertServerUntouched(attempt);
  return { id, attempt };
}

/** A backup whose archive or manifest is damaged is never taken for good. */
export function assertSound(world: World, id: string): void {
  if (isUnsound(world, id)) throw new Violation(`the damaged ${id} was taken for good`);
}

export function isUnsound({ observer }: World, id: string): boolean {
  const seen = observer.backups.get(id);
  const { damaged } = observer;
  return (
    damaged.has(`manifests/${id}.json`) || (seen !== undefined && damaged.has(seen.manifest.object_path))
  );
}
