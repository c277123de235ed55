import { describe, expect, it } from 'vitest';
import { type FaultKind, NO_FAULTS, oneFault, PORT_METHODS } from './faults.ts';
import { backupOperation, runBackup } from './operations/backup.ts';
import type { Operation } from './operations/operation.ts';
import { peace } from './operations/peace.ts';
import { restoreOperation } from './operations/restore.ts';
import { OPERATIONS } from './operations.ts';
import { drawSettings, type WorldSettings } from './settings.ts';
import { World } from './world.ts';

/** All kinds at all calls in both dialects; else each kind at each call in one of them, and some of the pairs. */
const ALL = process.env.SIMULATE_ALL !== undefined;

function calmSettings(dialect: 'A' | 'B'): WorldSettings {
  return {
    ...drawSettings(1),
    dialect,
    shape: 'id_data',
    rowOrder: 'newest',
    listsTables: true,
    probes: true,
    pageClamp: 0,
    shuffleTies: false,
    latencyMs: 5,
    collections: ['users', 'last'],
    documents: 3,
    concurrency: 2,
    writeEveryMs: 0,
    together: 0,
    powerCuts: dialect === 'A' ? 1 : 0,
    clockErrorMax: 0,
  };
}

/** A backup was made, and then everything lost. */
async function worldBefore(dialect: 'A' | 'B'): Promise<World> {
  const world = new World(calmSettings(dialect));
  world.observer.look([await world.live(() => runBackup(world, NO_FAULTS))]);
  for (const collection of world.settings.collections) world.server.wipe(collection);
  return world;
}

async function endInPeace(world: World): Promise<void> {
  world.settleDown();
  world.observer.look(await world.live(() => peace.run(world, NO_FAULTS)));
  world.assertNoSecretStored();
}

async function callsOf(operation: Operation, dialect: 'A' | 'B'): Promise<string[]> {
  const world = await worldBefore(dialect);
  const attempts = await world.live(() => operation.run(world, NO_FAULTS));
  await world.close();
  return attempts[0]?.process.calls ?? [];
}

async function runWith(operation: Operation, dialect: 'A' | 'B', number: number, kind: FaultKind) {
  const world = await worldBefore(dialect);
  try {
    world.observer.look(await world.live(() => operation.run(world, oneFault(number, kind))));
    await endInPeace(world);
  } catch (thrown) {
    throw new Error(`${dialect}: call ${number} of ${operation.name}, ${kind}`, { cause: thrown });
  } finally {
    await world.close();
  }
}

describe.each(OPERATIONS.filter(({ usesTool }) => usesTool))('$name', (operation) => {
  it('keeps its promises whichever call at a port suffers whatever may befall it', async () => {
    let cases = 0;
    for (const dialect of ['A', 'B'] as const) {
      const calls = await callsOf(operation, dialect);
      for (const [index, method] of calls.entries()) {
        for (const [at, kind] of PORT_METHODS[method]!.entries()) {
          if (!ALL && (index + at) % 2 === (dialect === 'A' ? 0 : 1)) continue;
          await runWith(operation, dialect, index + 1, kind);
          cases++;
        }
      }
    }
    console.log(`${operation.name}: ${cases} cases`);
    expect(cases).toBeGreaterThan(50);
  });
});

it.each([backupOperation, restoreOperation])(
  '$name recovers from two deaths in a row, wherever they come',
  async (operation) => {
    const calls = await callsOf(operation, 'A');
    expect(calls.length).toBeGreaterThan(30);
    const [firsts, seconds] = ALL ? [1, 1] : [9, 7];
    for (let first = 1; first <= calls.length; first += firsts) {
      for (let second = 1 + (first % seconds); second <= calls.length; second += seconds) {
        const world = await worldBefore('A');
        try {
          for (const number of [first, second]) {
            const kind = number % 2 === 0 ? 'dies before' : 'dies after';
            world.observer.look(await world.live(() => operation.run(world, oneFault(number, kind))));
          }
          await endInPeace(world);
        } catch (thrown) {
          throw new Error(`deaths at the calls ${first} and ${second}`, { cause: thrown });
        } finally {
          await world.close();
        }
      }
    }
  },
);
