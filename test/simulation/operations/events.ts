import { DAMAGE_KINDS } from '../damage.ts';
import type { Operation } from './operation.ts';

/** Objects of the store decay, disappear or change places while nobody looks. */
export const damageOperation: Operation = {
  name: 'damage at rest',
  weight: 2,
  usesTool: false,
  concurrent: false,
  async run(world) {
    const { dice } = world;
    const { observer, damage } = world.pickStoreWithBackup();
    const { keys } = observer;
    if (keys.length > 0) damage.inflict(dice.pick(DAMAGE_KINDS), dice.pick(keys), dice);
    return [];
  },
};

/** Somebody had a copy of what was damaged. */
export const mendOperation: Operation = {
  name: 'damage is mended',
  weight: 1,
  usesTool: false,
  concurrent: false,
  async run(world) {
    const { damage } = world.pickStore();
    if (damage.keys.length > 0) damage.mend(world.dice.pick(damage.keys));
    return [];
  },
};

/** A collection is emptied by mistake: what restores are for. */
export const disasterOperation: Operation = {
  name: 'disaster',
  weight: 1,
  usesTool: false,
  concurrent: false,
  async run({ dice, server, settings, actsAs }) {
    actsAs('an unlucky person', () => server.wipe(dice.pick(settings.collections)));
    return [];
  },
};

/** Somebody saves a document once more, where the server gives it a key of its own: now there are two of one id. */
export const doubleOperation: Operation = {
  name: 'a document is doubled',
  weight: 3,
  usesTool: false,
  concurrent: false,
  async run({ dice, server, settings, actsAs }) {
    const collection = dice.pick(settings.collections);
    const [first] = server.documents(collection);
    if (settings.dialect === 'A' || first === undefined) return [];
    const data = first.data.toString('latin1').replace(/"version":"(v\d+x*)"/, '"version":"$1","twin":1');
    actsAs('an unlucky person', () => {
      for (const key of [server.newKey(), server.newKey()].slice(dice.below(2)))
        server.insert(collection, Buffer.from(data, 'latin1'), { key });
      if (dice.chance(0.5)) server.delete(collection, first.key);
    });
    return [];
  },
};

/** The server begins to do something wrong, or ceases to. */
export const troubleOperation: Operation = {
  name: 'server trouble',
  weight: 2,
  usesTool: false,
  concurrent: false,
  async run({ dice, trouble, settings }) {
    if (!settings.serverTrouble) return [];
    if (trouble.kind === null || dice.chance(0.3)) trouble.begin();
    else trouble.end();
    return [];
  },
};

/** Nothing happens for a while. */
export const pauseOperation: Operation = {
  name: 'pause',
  weight: 1,
  usesTool: false,
  concurrent: false,
  async run({ dice, scheduler }) {
    const actor = { name: 'nobody', frozenUntil: 0 };
    await scheduler.sleep(actor, dice.pick([1_000, 60_000, 3_600_000, 86_400_000, 30 * 86_400_000]));
    return [];
  },
};
