import { createHash } from 'node:crypto';
import { rebuild } from '../../../src/operations/rebuild.ts';
import { Violation } from '../attempt.ts';
import { assertExplained, exitOf } from '../codes.ts';
import { DAMAGE_KINDS } from '../damage.ts';
import type { World } from '../world.ts';
import type { WorldStore } from '../world-store.ts';
import type { Operation } from './operation.ts';
import { unsoundness } from './reading.ts';

/** Indexes that are gone or damaged come back byte for byte, and nothing else in the store changes. */
export const rebuildOperation: Operation = {
  name: 'rebuild',
  aims: 'backup',
  weight: 4,
  usesTool: true,
  concurrent: false,
  async run(world, faults) {
    const dryRun = world.dice.chance(0.2);
    const store = world.pickStoreWithBackup();
    const { observer, damage } = store;
    const id = store.pickBackup();
    // there would be little to do if only chance damaged indexes
    if (id !== null && world.dice.chance(0.7))
      damage.inflict(world.dice.pick(DAMAGE_KINDS), `indexes/${id}`, world.dice);
    const before = observer.storeSum;
    const others = sumsBesideIndexes(world, store);
    const attempt = await world.attempt(store, faults, ({ repository, signal }) =>
      rebuild(repository, { dryRun }, { signal }),
    );
    world.assertServerUntouched(attempt);
    if (!attempt.lostPower) {
      if (dryRun && observer.storeSum !== before) throw new Violation('a dry run changed the store');
      if (sumsBesideIndexes(world, store) !== others)
        throw new Violation('rebuild changed more than indexes');
    }
    const good = new Set(observer.visible.filter((id) => isIndexGood(world, store, id)));
    // what was damaged and has its bytes again is whole
    for (const id of good) damage.mend(`indexes/${id}`);
    const reasons = observer.visible.flatMap((one) => unsoundness(store, one));
    if (observer.visible.length === 0) reasons.push('BACKUP_MISSING', 'STORE_MISSING');
    assertExplained(attempt, reasons);
    const { report } = attempt;
    if (report === null) return [attempt];
    const outcomes = new Map(report.backups.map(({ backup_id, outcome }) => [backup_id, outcome]));
    const { damaged } = observer;
    for (const id of observer.visible) {
      const outcome = outcomes.get(id);
      if (outcome === undefined) throw new Violation(`rebuild says nothing of ${id}`);
      const seen = observer.backups.get(id);
      if (seen === undefined) continue;
      if (outcome !== 'failed' && !dryRun && !good.has(id))
        throw new Violation(`rebuild claims that the index of ${id} is ${outcome}`);
      const isHelpless = damaged.has(`manifests/${id}.json`) || damaged.has(seen.manifest.object_path);
      if (outcome === 'rebuilt' && isHelpless)
        throw new Violation(`rebuild made an index of the damaged ${id}`);
    }
    const exits = report.errors.map(({ code }) => exitOf(code));
    const isPartly = report.backups.some(({ outcome }) => outcome === 'rebuilt') || new Set(exits).size > 1;
    const expected = exits.length === 0 ? 0 : isPartly ? 3 : exits[0]!;
    if (report.exit_code !== expected)
      throw new Violation(`rebuild ends with ${report.exit_code} and not ${expected}`);
    return [attempt];
  },
};

function isIndexGood({ disk }: World, { observer, path }: WorldStore, id: string): boolean {
  const expected = observer.backups.get(id)?.objects.get(`indexes/${id}`);
  const file = disk.file(`${path}/indexes/${id}`);
  return file !== null && createHash('sha256').update(file.content).digest('hex') === expected;
}

function sumsBesideIndexes({ disk }: World, { path: root }: WorldStore): string {
  const hash = createHash('sha256');
  for (const [path, { content }] of disk.filesBelow(root)) {
    const key = path.slice(root.length + 1);
    if (!/^(?:\.partial|indexes)\//.test(key)) hash.update(`${key} `).update(content);
  }
  return hash.digest('hex');
}
