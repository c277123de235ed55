import type { Attempt } from '../attempt.ts';
import { Violation } from '../attempt.ts';
import { NO_FAULTS } from '../faults.ts';
import type { WorldSettings } from '../settings.ts';
import type { World } from '../world.ts';
import { runBackup } from './backup.ts';
import type { Operation } from './operation.ts';
import { runRestore } from './restore.ts';
import { runVerify } from './verify.ts';

/** No faults, nobody else who writes: a backup is complete, everything whole verifies and restores. */
export const peace: Operation = {
  name: 'peace',
  weight: 0,
  usesTool: true,
  concurrent: false,
  async run(world) {
    const attempts: Attempt<unknown>[] = [];
    // a marker that is gone is not to be expected, and must be consented to
    const adoptStore = !world.observer.hasMarker;
    const backup = await runBackup(world, NO_FAULTS, { adoptStore });
    attempts.push(backup);
    const { report, error } = backup;
    const isEmpty = world.settings.collections.every((name) => world.server.documentCount(name) === 0);
    if (report === null) throw new Violation(`in peace a backup fails: ${error?.message}`);
    const unlucky = report.errors.filter(({ code }) => !isExcused(world, code, isEmpty));
    if (unlucky.length > 0)
      throw new Violation(`in peace a backup is incomplete: ${JSON.stringify(unlucky)}`);
    world.observer.look(attempts);

    attempts.push(await runVerify(world, NO_FAULTS, 'decode'));
    const whole = report.backups.filter(({ outcome }) => outcome === 'completed');
    const id = whole.length === 0 ? null : world.dice.pick(whole).backup_id;
    if (id === null) return attempts;
    const restore = await runRestore(world, NO_FAULTS, id);
    attempts.push(restore);
    const counts = restore.report?.counts;
    if (restore.error !== null && isHopeless(world.settings)) return attempts;
    if (restore.report?.exit_code !== 0 || counts!.created + counts!.replaced > 0) {
      const said = restore.error?.message ?? JSON.stringify(restore.report);
      throw new Violation(`in peace a restore of what is there does something: ${said}`);
    }
    return attempts;
  },
};

/** A server whose answers may not prove that a collection was read whole. */
function isHopeless({ dialect, shuffleTies, pageClamp }: WorldSettings): boolean {
  return dialect === 'B' && (shuffleTies || pageClamp === 1);
}

/** What is no defect of the tool: an order that proves nothing, and collections that somebody else has emptied. */
function isExcused({ settings }: World, code: string, isEmpty: boolean): boolean {
  if (code === 'SOURCE_UNPROVEN') return isHopeless(settings);
  if (code === 'SOURCE_COLLECTION_VANISHED') return true;
  return code === 'SOURCE_COLLECTION_UNKNOWN' && isEmpty;
}
