import { list, show } from '../../../src/operations/list.ts';
import { Violation } from '../attempt.ts';
import type { Operation } from './operation.ts';
import { readSomeBackup } from './reading.ts';

export const listOperation: Operation = {
  name: 'list',
  weight: 3,
  usesTool: true,
  concurrent: true,
  async run(world, faults) {
    const before = world.observer.visible;
    const attempt = await world.attempt(faults, ({ repository, signal }) => list(repository, {}, { signal }));
    world.assertServerUntouched(attempt);
    const { report, suffered } = attempt;
    if (report === null) return [attempt];
    const listed = new Set(report.backups.map(({ manifest }) => manifest.backup_id));
    const named = JSON.stringify(report.errors);
    const damaged = world.observer.damaged;
    for (const id of before) {
      const isDamaged = damaged.has(`manifests/${id}.json`);
      if (!listed.has(id) && !named.includes(id)) throw new Violation(`list keeps silent about ${id}`);
      if (isDamaged && listed.has(id)) throw new Violation(`list shows ${id}, whose manifest is damaged`);
      if (!isDamaged && !listed.has(id) && suffered.size === 0) throw new Violation(`list refuses ${id}`);
    }
    return [attempt];
  },
};

export const showOperation: Operation = {
  name: 'show',
  weight: 4,
  usesTool: true,
  concurrent: true,
  async run(world, faults) {
    const reading = await readSomeBackup(world, faults, ({ repository, signal }, backupId) =>
      show(repository, backupId, { signal }),
    );
    if (reading === null) return [];
    const { id, attempt } = reading;
    const { report, suffered } = attempt;
    const isDamaged = world.observer.damaged.has(`manifests/${id}.json`);
    if (report !== null && (isDamaged || report.manifest.backup_id !== id)) {
      throw new Violation(`show takes the damaged manifest of ${id} for good`);
    }
    if (report === null && !isDamaged && suffered.size === 0) throw new Violation(`show refuses ${id}`);
    return [attempt];
  },
};
