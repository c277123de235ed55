import { createHash } from 'node:crypto';
import { rebuild } from '../../../src/operations/rebuild.ts';
import { STORE, Violation } from '../attempt.ts';
import { DAMAGE_KINDS } from '../damage.ts';
import type { World } from '../world.ts';
import type { Operation } from './operation.ts';

/** Indexes that are gone or damaged come back byte for byte, and nothing else in the store changes. */
export const rebuildOperation: Operation = {
  name: 'rebuild',
  weight: 2,
  usesTool: true,
  concurrent: false,
  async run(world, faults) {
    const dryRun = world.dice.chance(0.2);
    const id = world.pickBackup();
    // there would be little to do if only chance damaged indexes
    if (id !== null && world.dice.chance(0.7))
      world.damage.inflict(world.dice.pick(DAMAGE_KINDS), `indexes/${id}`, world.dice);
    const before = world.observer.storeSum;
    const others = sumsBesideIndexes(world);
    const attempt = await world.attempt(faults, ({ repository, signal }) =>
      rebuild(repository, { dryRun }, { signal }),
    );
    world.assertServerUntouched(attempt);
    if (dryRun && world.observer.storeSum !== before) throw new Violation('a dry run changed the store');
    if (sumsBesideIndexes(world) !== others) throw new Violation('rebuild changed more than indexes');
    const good = new Set(world.observer.visible.filter((id) => isIndexGood(world, id)));
    // what was damaged and has its bytes again is whole
    for (const id of good) world.damage.mend(`indexes/${id}`);

    const { report } = attempt;
    if (report === null) return [attempt];
    const outcomes = new Map(report.backups.map(({ backup_id, outcome }) => [backup_id, outcome]));
    const damaged = world.observer.damaged;
    for (const id of world.observer.visible) {
      const outcome = outcomes.get(id);
      if (outcome === undefined) throw new Violation(`rebuild says nothing of ${id}`);
      const seen = world.observer.backups.get(id);
      if (seen === undefined) continue;
      if (outcome !== 'failed' && !dryRun && !good.has(id))
        throw new Violation(`rebuild claims that the index of ${id} is ${outcome}`);
      const isHelpless = damaged.has(`manifests/${id}.json`) || damaged.has(seen.manifest.object_path);
      if (outcome === 'failed' && !isHelpless && attempt.suffered.size === 0)
        throw new Violation(`rebuild fails at ${id}: ${JSON.stringify(report.errors)}`);
      if (outcome === 'rebuilt' && isHelpless)
        throw new Violation(`rebuild made an index of the damaged ${id}`);
    }
    if ((report.exit_code === 0) !== (report.errors.length === 0))
      throw new Violation(`rebuild ends with ${report.exit_code}: ${JSON.stringify(report.errors)}`);
    return [attempt];
  },
};

function isIndexGood({ disk, observer }: World, id: string): boolean {
  const expected = observer.backups.get(id)?.objects.get(`indexes/${id}`);
  const file = disk.file(`${STORE}/indexes/${id}`);
  return file !== null && createHash('sha256').update(file.content).digest('hex') === expected;
}

function sumsBesideIndexes({ disk }: World): string {
  const hash = createHash('sha256');
  for (const [path, { content }] of disk.filesBelow(STORE)) {
    const key = path.slice(STORE.length + 1);
    if (!/^(?:\.partial|indexes)\//.test(key)) hash.update(`${key} `).update(content);
  }
  return hash.digest('hex');
}
