import type { ReportedError } from '../../../src/model/report.ts';
import type { Attempt } from '../attempt.ts';
import { Violation } from '../attempt.ts';
import { NO_FAULTS } from '../faults.ts';
import { idOf } from '../history.ts';
import { stored } from '../observer.ts';
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
    const unlucky = report.errors.filter((one) => !isExcused(world, one, isEmpty));
    if (unlucky.length > 0)
      throw new Violation(`in peace a backup is incomplete: ${JSON.stringify(unlucky)}`);
    world.observer.look(attempts);

    attempts.push(await runVerify(world, NO_FAULTS, 'decode'));
    const whole = report.backups.filter(({ outcome }) => outcome === 'completed');
    const id = whole.length === 0 ? null : world.dice.pick(whole).backup_id;
    if (id === null) return attempts;
    attempts.push(await restoreAfterLoss(world, id));
    const restore = await runRestore(world, NO_FAULTS, id);
    attempts.push(restore);
    const counts = restore.report?.counts;
    if (restore.error !== null && isHopeless(world.settings)) return attempts;
    if (holdsOneIdTwice(world, id)) return attempts;
    if (restore.report?.exit_code !== 0 || counts!.created + counts!.replaced > 0) {
      const said = restore.error?.message ?? JSON.stringify(restore.report);
      throw new Violation(`in peace a restore of what is there does something: ${said}`);
    }
    return attempts;
  },
};

/** Rows of one id may be in a backup that was made while somebody replaced one by another: they match nothing for certain. */
function holdsOneIdTwice(world: World, id: string): boolean {
  const ids = world.observer.backups.get(id)!.payloads.map(idOf);
  return new Set(ids).size < ids.length;
}

/** Everything of one collection is lost, or some of it changed: a restore brings all of it back. */
async function restoreAfterLoss(world: World, id: string): Promise<Attempt<unknown>> {
  const { manifest, payloads } = world.observer.backups.get(id)!;
  const { server } = world;
  const { collection } = manifest;
  const isLost = world.dice.chance(0.5);
  world.actsAs('an unlucky person', () => {
    if (isLost) server.wipe(collection);
    else
      for (const { key, data } of [...server.documents(collection)].slice(1)) {
        const changed = data.toString('latin1').replace(/"version":"v\d+"/, '"version":"changed"');
        server.update(collection, key, Buffer.from(changed, 'latin1'));
      }
  });
  const restore = await runRestore(world, NO_FAULTS, id);
  const there = [...server.documents(collection)].map(({ data }) => stored(data.toString('latin1')));
  const isBack = restore.report?.exit_code === 0 && payloads.every((payload) => there.includes(payload));
  if (!isBack && !isHopeless(world.settings) && !holdsOneIdTwice(world, id)) {
    const said = restore.error?.message ?? JSON.stringify(restore.report?.errors);
    throw new Violation(`in peace a restore does not bring ${collection} back: ${said}`);
  }
  return restore;
}

/** A server whose answers may not prove that a collection was read whole. */
function isHopeless({ dialect, shuffleTies, pageClamp }: WorldSettings): boolean {
  return dialect === 'B' && (shuffleTies || pageClamp === 1);
}

/** What is no defect of the tool: an order that proves nothing, and collections that somebody else has emptied. */
function isExcused(world: World, { code, object }: ReportedError, isEmpty: boolean): boolean {
  if (code === 'SOURCE_UNPROVEN') return isHopeless(world.settings);
  if (code === 'SOURCE_COLLECTION_VANISHED') return world.server.documentCount(object ?? '') === 0;
  return code === 'SOURCE_COLLECTION_UNKNOWN' && isEmpty;
}
