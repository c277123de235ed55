import { NO_FAULTS } from '../faults.ts';
import type { World } from '../world.ts';
import type { WorldStore } from '../world-store.ts';
import { ALWAYS_INCREMENTAL, runBackup } from './backup.ts';
import type { Operation } from './operation.ts';

/** Some documents of a collection come, change and go after its full backup; then only they are backed up. */
export const incrementalOperation: Operation = {
  name: 'backup --incremental',
  aims: 'incremental',
  weight: 4,
  usesTool: true,
  concurrent: true,
  async run(world, faults) {
    const store = world.pickStoreWithBackup();
    const collection = world.dice.pick(world.settings.collections);
    const collections = [collection];
    const before = hasFull(store, collection)
      ? []
      : [await runBackup(world, store, NO_FAULTS, { collections })];
    changeSome(world, collection);
    const incremental = ALWAYS_INCREMENTAL;
    return [...before, await runBackup(world, store, faults, { collections, incremental })];
  },
};

function hasFull({ observer }: WorldStore, collection: string): boolean {
  const all = [...observer.backups.values()].map(({ manifest }) => manifest);
  return all.some((one) => one.collection === collection && one.backup_type === 'full');
}

/** Inserts, changes, deletes, and deletes and inserts again under the id that was there. */
export function changeSome({ actsAs, dice, server, settings }: World, collection: string): void {
  actsAs('somebody', () => {
    for (const { key, data } of [...server.documents(collection)]) {
      const text = data.toString('latin1');
      const changed = Buffer.from(text.replace(/"version":"(v\d+x*)"/, '"version":"$1x"'), 'latin1');
      const action = dice.pick(['none', 'none', 'update', 'delete', 'reinsert'] as const);
      if (action === 'update') server.update(collection, key, changed);
      if (action === 'delete' || action === 'reinsert') server.delete(collection, key);
      if (action === 'reinsert') {
        const again = settings.dialect === 'A' ? key : server.newKey();
        server.insert(collection, changed, { key: again });
      }
    }
  });
}
