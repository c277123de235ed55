import { NO_FAULTS } from '../faults.ts';
import { isObjectOf } from '../observer.ts';
import { drawIncremental, runBackup } from './backup.ts';
import type { Operation } from './operation.ts';

/** Somebody makes a backup, removes it by hand, forgets its index, and makes another one at once. */
export const tidyingOperation: Operation = {
  name: 'backup after tidying',
  aims: 'backup',
  weight: 1,
  usesTool: true,
  concurrent: false,
  async run(world, faults) {
    const store = world.pickStore();
    const collections = [world.dice.pick(world.settings.collections)];
    const first = await runBackup(world, store, NO_FAULTS, { collections });
    store.observer.look();
    const id = first.report?.backups[0]?.backup_id ?? null;
    if (id === null) return [first];
    for (const key of store.observer.keys) {
      if (isObjectOf(id, key) && key !== `indexes/${id}`) store.damage.inflict('gone', key, world.dice);
    }
    const incremental = drawIncremental(world.dice);
    return [first, await runBackup(world, store, faults, { collections, incremental })];
  },
};
