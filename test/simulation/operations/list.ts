import { list, show } from '../../../src/operations/list.ts';
import { Violation } from '../attempt.ts';
import { assertExplained, damageFirst } from '../codes.ts';
import type { Operation } from './operation.ts';
import { crossings, readSomeBackup } from './reading.ts';

export const listOperation: Operation = {
  name: 'list',
  aims: 'look',
  weight: 5,
  usesTool: true,
  concurrent: true,
  async run(world, faults) {
    const store = world.pickStore();
    const { observer } = store;
    const before = observer.visible;
    const reasons = observer.exists ? [] : ['STORE_MISSING'];
    const attempt = await world.attempt(store, faults, ({ repository, signal }) =>
      list(repository, {}, { signal }),
    );
    world.assertServerUntouched(attempt);
    const { damaged } = observer;
    const isDamaged = (id: string): boolean => damaged.has(`manifests/${id}.json`);
    if (before.some(isDamaged)) reasons.push('MANIFEST_DAMAGED');
    assertExplained(attempt, [...reasons, ...crossings(attempt)], damageFirst);
    const { report } = attempt;
    if (report === null) return [attempt];
    const listed = new Set(report.backups.map(({ manifest }) => manifest.backup_id));
    for (const id of before) {
      const refusal = report.errors.find(({ object }) => object === id || object?.includes(id));
      if (listed.has(id) === (refusal !== undefined))
        throw new Violation(`list says of ${id}: ${refusal?.code}`);
      if (!isDamaged(id)) continue;
      if (listed.has(id)) throw new Violation(`list shows ${id}, whose manifest is damaged`);
    }
    return [attempt];
  },
};

export const showOperation: Operation = {
  name: 'show',
  aims: 'look',
  weight: 6,
  usesTool: true,
  concurrent: true,
  async run(world, faults) {
    const reading = await readSomeBackup(world, faults, ({ repository, signal }, backupId) =>
      show(repository, backupId, { signal }),
    );
    if (reading === null) return [];
    const { id, attempt } = reading;
    const { report, store } = attempt;
    const isDamaged = store.observer.damaged.has(`manifests/${id}.json`);
    const reasons = store.damage.isGone(`manifests/${id}.json`) ? ['BACKUP_MISSING'] : ['MANIFEST_DAMAGED'];
    assertExplained(attempt, [...(isDamaged ? reasons : []), ...crossings(attempt)], damageFirst);
    if (report !== null && (isDamaged || report.manifest.backup_id !== id)) {
      throw new Violation(`show takes the damaged manifest of ${id} for good`);
    }
    return [attempt];
  },
};
