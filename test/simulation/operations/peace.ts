import type { BackupReport, ReportedError, RestoreReport } from '../../../src/model/report.ts';
import type { Attempt } from '../attempt.ts';
import { Violation } from '../attempt.ts';
import { NO_FAULTS } from '../faults.ts';
import { idOf } from '../history.ts';
import { stored } from '../observer.ts';
import type { World } from '../world.ts';
import type { WorldStore } from '../world-store.ts';
import { ALWAYS_INCREMENTAL, drawIncremental, runBackup } from './backup.ts';
import { changeSome } from './incremental.ts';
import { loseSome } from './loss.ts';
import type { Operation } from './operation.ts';
import { unsoundness } from './reading.ts';
import { runRestore, samenessOf } from './restore.ts';
import { runVerify } from './verify.ts';

/** No faults, nobody else who writes: a backup is complete, everything whole verifies and restores. */
export const peace: Operation = {
  name: 'peace',
  weight: 0,
  usesTool: true,
  concurrent: false,
  async run(world) {
    const attempts: Attempt<unknown>[] = [];
    const chosen = world.pickStore();
    for (const store of world.stores) {
      if (store !== chosen && world.dice.chance(0.1))
        attempts.push(await backUpInPeace(world, store, world.settings.collections.slice(-1)));
    }
    // one collection says as much as all of them, and leaves time for more worlds
    const collections = world.dice.chance(0.2) ? null : [world.dice.pick(world.settings.collections)];
    const backup = await backUpInPeace(world, chosen, collections);
    attempts.push(backup);
    if (world.dice.chance(0.3)) {
      const level = world.dice.pick(['checksum', 'decode'] as const);
      attempts.push(await runVerify(world, chosen, NO_FAULTS, level));
    }
    if (backup.report!.backups.length > 0 && world.dice.chance(0.3))
      attempts.push(await incrementInPeace(world, chosen, backup));
    const whole = backup.report!.backups.filter(({ outcome }) => outcome === 'completed');
    if (whole.length === 0) return attempts;
    const id = world.dice.pick(whole).backup_id!;
    attempts.push(await restoreAfterLoss(world, chosen, id));
    if (world.dice.chance(0.5)) return attempts;
    const restore = await runRestore(world, chosen, NO_FAULTS, id);
    attempts.push(restore);
    if (unsoundness(chosen, id).length > 0) return attempts;
    if (isLeftDifferent(world, restore, chosen.observer.backups.get(id)!.payloads)) return attempts;
    if (world.isHopeless || world.settings.reformats || holdsOneIdTwice(chosen, id)) return attempts;
    const { report } = restore;
    // a server that merges keeps the order of members: the same value is all that it can be brought to
    const inVain = world.settings.putMerges ? (report?.read_back?.same_value ?? 0) : 0;
    const done = report === null ? 0 : report.counts.created + report.counts.replaced - inVain;
    if (report?.exit_code !== 0 || done > 0) {
      const said = restore.error?.message ?? JSON.stringify(restore.report);
      throw new Violation(`in peace a restore of what is there does something: ${said}`);
    }
    return attempts;
  },
};

async function backUpInPeace(
  world: World,
  store: WorldStore,
  collections: readonly string[] | null,
  incremental = drawIncremental(world.dice),
) {
  // a marker that somebody has taken away is not to be expected, and must be consented to
  const adoptStore = store.markerRemoved && !store.observer.hasMarker;
  const backup = await runBackup(world, store, NO_FAULTS, { adoptStore, collections, incremental });
  const { report, error } = backup;
  if (report === null) throw new Violation(`in peace a backup fails: ${error?.message}`);
  const names = collections ?? world.settings.collections;
  const isEmpty = names.every((name) => world.server.documentCount(name) === 0);
  const unlucky = report.errors.filter((one) => !isExcused(world, one, isEmpty));
  if (unlucky.length > 0) throw new Violation(`in peace a backup is incomplete: ${JSON.stringify(unlucky)}`);
  store.observer.look();
  return backup;
}

/** Whatever it is built on: the state that it stands for is there, and restores. */
async function incrementInPeace(world: World, store: WorldStore, before: Attempt<BackupReport>) {
  const { collection } = world.dice.pick(before.report!.backups);
  changeSome(world, collection);
  const backup = await backUpInPeace(world, store, [collection], ALWAYS_INCREMENTAL);
  const [made] = backup.report!.backups;
  if (made?.outcome === 'completed') await restoreAfterLoss(world, store, made.backup_id!);
  return backup;
}

/** Rows of one id may be in a backup that was made while somebody replaced one by another: they match nothing for certain. */
function holdsOneIdTwice({ observer }: WorldStore, id: string): boolean {
  const ids = observer.backups.get(id)!.payloads.map(idOf);
  return new Set(ids).size < ids.length;
}

/** Everything of one collection is lost, or some of it changed: a restore brings all of it back. */
async function restoreAfterLoss(world: World, store: WorldStore, id: string): Promise<Attempt<unknown>> {
  const { manifest, payloads } = store.observer.backups.get(id)!;
  const { server } = world;
  const { collection } = manifest;
  loseSome(world, collection);
  const restore = await runRestore(world, store, NO_FAULTS, id);
  const sameness = samenessOf(world);
  const there = [...server.documents(collection)].map(({ data }) =>
    sameness(stored(data.toString('latin1'))),
  );
  const isAllThere = payloads.every((payload) => there.includes(sameness(payload)));
  const isBack = world.settings.reformats
    ? restore.report !== null
    : isAllThere && restore.report?.exit_code === 0;
  // damage of the archive that it is built on is for verify to find: an increment is no worse than its base
  const isSound = unsoundness(store, id).length === 0;
  if (
    !isBack &&
    isSound &&
    !isLeftDifferent(world, restore, payloads) &&
    !world.isHopeless &&
    !holdsOneIdTwice(store, id)
  ) {
    const said = restore.error?.message ?? JSON.stringify(restore.report?.errors);
    throw new Violation(`in peace a restore does not bring ${collection} back: ${said}`);
  }
  return restore;
}

/** A document without an id that has got another key once, where updates only add: a restore says so, and does not mend it. */
function isLeftDifferent(
  { settings }: World,
  { report }: Attempt<RestoreReport>,
  payloads: readonly string[],
): boolean {
  const isNameless = payloads.some((payload) => !idOf(payload).startsWith('"'));
  return (
    settings.putMerges &&
    isNameless &&
    (report?.errors ?? []).some(({ code }) => code === 'RESTORE_DIFFERENT')
  );
}

/** What is no defect of the tool: an order that proves nothing, and collections that somebody else has emptied. */
function isExcused(world: World, { code, object }: ReportedError, isEmpty: boolean): boolean {
  if (code === 'SOURCE_UNPROVEN') return world.isHopeless;
  if (code === 'SOURCE_COLLECTION_VANISHED') return world.server.documentCount(object ?? '') === 0;
  return code === 'SOURCE_COLLECTION_UNKNOWN' && isEmpty;
}
