import { describe, expect, it } from 'vitest';
import { SIZES } from '../../src/kernel/sizes.ts';
import type { Attempt } from './attempt.ts';
import { type FaultKind, type Faults, NO_FAULTS, oneFault, PORT_METHODS } from './faults.ts';
import { keptRestores } from './kept-restores.ts';
import { ALWAYS_INCREMENTAL, runBackup } from './operations/backup.ts';
import { runCleanup } from './operations/cleanup.ts';
import { runExport } from './operations/export.ts';
import { changeSome } from './operations/incremental.ts';
import { peace } from './operations/peace.ts';
import { runRestore } from './operations/restore.ts';
import { restoreInManner } from './operations/restore-modes.ts';
import { runUndo } from './operations/undo.ts';
import { runVerify } from './operations/verify.ts';
import { OPERATIONS } from './operations.ts';
import { drawSettings, type WorldSettings } from './settings.ts';
import { World } from './world.ts';

/** All kinds at all calls in all variants; else a share of them, and every kind at every method at least. */
const ALL = process.env.SIMULATE_ALL !== undefined;
/** Of so many cases one is run. */
const ONE_OF = ALL ? 1 : 40;
/** Methods and kinds that have been together in a case. */
const pairs = new Set<string>();

/** Something that is done to a world in which nothing else happens, and how that world is. */
interface Variant {
  readonly name: string;
  readonly settings?: Partial<WorldSettings>;
  /** What was there before: nothing; a backup, and then the collections were emptied or changed. */
  readonly before: 'nothing' | 'emptied' | 'changed' | 'same';
  run(world: World, faults: Faults): Promise<readonly Attempt<unknown>[]>;
}

const spilling = { ...SIZES, blockBytes: 100, sortedRecords: 2, rememberedKeys: 2 };
const backUp = async (world: World, faults: Faults) => [await runBackup(world, world.stores[0]!, faults)];
const restore = async (world: World, faults: Faults) => {
  const store = world.stores[0]!;
  return [await runRestore(world, store, faults, store.observer.visible.at(-1)!)];
};
const backUpIncrement = async (world: World, faults: Faults) => {
  for (const collection of world.settings.collections) changeSome(world, collection);
  return [await runBackup(world, world.stores[0]!, faults, { incremental: ALWAYS_INCREMENTAL })];
};
const restoreIncrement = async (world: World, faults: Faults) => {
  await backUpIncrement(world, NO_FAULTS);
  look(world);
  const { backups } = world.stores[0]!.observer;
  const [id] = [...backups].find(([, { manifest }]) => manifest.deleted_count > 0)!;
  for (const collection of world.settings.collections) changeSome(world, collection);
  return [await runRestore(world, world.stores[0]!, faults, id)];
};
/** An increment and its base are removed, and what a crash leaves of them by the next cleanup. */
const cleanUp = async (world: World, faults: Faults) => {
  const store = world.stores[0]!;
  const request = { rules: [{ kind: 'last', count: 1 }], confirmed: true, dryRun: false } as const;
  const days = (count: number) =>
    world.scheduler.sleep({ name: 'nobody', frozenUntil: 0 }, count * 86_400_000);
  await days(1);
  await backUpIncrement(world, NO_FAULTS);
  look(world);
  await days(40);
  await backUp(world, NO_FAULTS);
  look(world);
  const cleaned = await runCleanup(world, store, faults, request);
  await days(8);
  return [cleaned, await runCleanup(world, store, NO_FAULTS, request)];
};
const restoreAs = async (world: World, faults: Faults, mode: 'merge' | 'exact') => {
  const store = world.stores[0]!;
  const backupId = store.observer.visible.at(-1)!;
  const { collection } = store.observer.backups.get(backupId)!.manifest;
  const extra = Buffer.from('{"id":"extra","version":"v0"}');
  world.actsAs('somebody', () => world.server.insert(collection, extra, { key: 'extra' }));
  return [await restoreInManner(world, store, faults, backupId, { mode })];
};
/** Dies after its first write that replaces or deletes: what a dialect posts may be a question. */
const interrupted = (): Faults => ({
  draw: ({ method }) => (/PUT|DELETE/.test(method) ? 'dies after' : null),
});
const afterRestore =
  (
    faultsBefore: Faults,
    goOn: (world: World, faults: Faults, restoreId: string) => Promise<Attempt<unknown>>,
  ) =>
  async (world: World, faults: Faults) => {
    await restoreAs(world, faultsBefore, 'exact');
    return [await goOn(world, faults, keptRestores(world.stores[0]!).at(-1)!)];
  };
const undo = (world: World, faults: Faults, restoreId: string) =>
  runUndo(world, world.stores[0]!, faults, restoreId);
const resume = (world: World, faults: Faults, continues: string) =>
  restoreInManner(world, world.stores[0]!, faults, world.stores[0]!.observer.visible.at(-1)!, {
    mode: 'exact',
    continues,
  });
const verifyAt = (level: 'presence' | 'checksum' | 'decode') => async (world: World, faults: Faults) => [
  await runVerify(world, world.stores[0]!, faults, level),
];
const operation = (name: string) => {
  const found = OPERATIONS.find((one) => one.name === name)!;
  return (world: World, faults: Faults) => found.run(world, faults);
};

const VARIANTS: readonly Variant[] = [
  { name: 'a first backup', before: 'nothing', run: backUp },
  {
    name: 'a first backup, zstd, spilling',
    before: 'nothing',
    settings: { compression: 'zstd', sizes: spilling },
    run: backUp,
  },
  { name: 'a backup', before: 'same', run: backUp },
  {
    name: 'a backup of one moment, logged in',
    before: 'same',
    settings: { compression: 'zstd', logsIn: true },
    run: async (world, faults) => [
      await runBackup(world, world.stores[0]!, faults, { consistency: 'point', collections: ['users'] }),
    ],
  },
  {
    name: 'an incremental backup',
    before: 'same',
    settings: { sizes: spilling },
    run: backUpIncrement,
  },
  { name: 'an incremental backup is restored', before: 'same', run: restoreIncrement },
  { name: 'a cleanup', before: 'same', run: cleanUp },
  { name: 'backup --dry-run', before: 'same', run: operation('backup --dry-run') },
  { name: 'verify presence', before: 'same', run: verifyAt('presence') },
  { name: 'verify checksum', before: 'same', run: verifyAt('checksum') },
  {
    name: 'verify decode',
    before: 'same',
    settings: { compression: 'zstd', sizes: spilling },
    run: verifyAt('decode'),
  },
  { name: 'list', before: 'same', run: operation('list') },
  { name: 'show', before: 'same', run: operation('show') },
  { name: 'export json', before: 'same', run: (world, faults) => runExport(world, faults, 'json') },
  {
    name: 'export ndjson',
    before: 'same',
    settings: { sizes: spilling },
    run: (world, faults) => runExport(world, faults, 'ndjson'),
  },
  { name: 'restore --validate-only', before: 'emptied', run: operation('restore --validate-only') },
  { name: 'restore --dry-run', before: 'changed', run: operation('restore --dry-run') },
  { name: 'a restore that creates', before: 'emptied', run: restore },
  {
    name: 'a restore that creates, spilling',
    before: 'emptied',
    settings: { sizes: spilling, compression: 'zstd' },
    run: restore,
  },
  { name: 'a restore that replaces', before: 'changed', run: restore },
  {
    name: 'a restore that deletes and inserts',
    before: 'changed',
    settings: { putMerges: true },
    run: restore,
  },
  { name: 'a merge', before: 'changed', run: (world, faults) => restoreAs(world, faults, 'merge') },
  { name: 'an exact restore', before: 'changed', run: (world, faults) => restoreAs(world, faults, 'exact') },
  {
    name: 'an undo',
    before: 'changed',
    run: (world, faults) => afterRestore(NO_FAULTS, undo)(world, faults),
  },
  {
    name: 'a restore that is gone on with',
    before: 'changed',
    run: (world, faults) => afterRestore(interrupted(), resume)(world, faults),
  },
];

function calmSettings(dialect: 'A' | 'B', special: Partial<WorldSettings> = {}): WorldSettings {
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
    stores: 1,
    sizes: SIZES,
    logsIn: false,
    putMerges: false,
    reformats: false,
    serverTrouble: false,
    compression: 'gzip',
    concurrency: 2,
    writeEveryMs: 0,
    together: 0,
    powerCuts: dialect === 'A' ? 1 : 0,
    clockErrorMax: 0,
    ...special,
  };
}

async function worldBefore({ before, settings }: Variant, dialect: 'A' | 'B'): Promise<World> {
  const world = new World(calmSettings(dialect, settings));
  if (before === 'nothing') return world;
  await world.live(() => backUp(world, NO_FAULTS));
  look(world);
  const { server } = world;
  for (const collection of world.settings.collections) {
    if (before === 'emptied') server.wipe(collection);
    if (before !== 'changed') continue;
    for (const { key, data } of [...server.documents(collection)].slice(1)) {
      const changed = data.toString('latin1').replace(/"version":"v\d+"/, '"more":1,"version":"changed"');
      world.actsAs('somebody', () => server.update(collection, key, Buffer.from(changed, 'latin1')));
    }
  }
  return world;
}

function look(world: World): void {
  for (const { observer } of world.stores) observer.look();
}

async function endInPeace(world: World): Promise<void> {
  world.settleDown();
  await world.live(() => peace.run(world, NO_FAULTS));
  look(world);
  world.assertNoSecretStored();
}

async function callsOf(variant: Variant, dialect: 'A' | 'B'): Promise<string[]> {
  const world = await worldBefore(variant, dialect);
  const attempts = await world.live(() => variant.run(world, NO_FAULTS));
  await world.close();
  return attempts[0]!.process.calls;
}

async function runWith(variant: Variant, dialect: 'A' | 'B', number: number, kind: FaultKind) {
  const world = await worldBefore(variant, dialect);
  try {
    const [attempt] = await world.live(() => variant.run(world, oneFault(number, kind)));
    look(world);
    const suffered = attempt!.suffered.map((one) => one.kind);
    if (suffered[0] !== kind) throw new Error(`it suffered ${suffered.join(', ') || 'nothing'}`);
    await endInPeace(world);
  } catch (thrown) {
    throw new Error(`${dialect}: call ${number} of ${variant.name}, ${kind}`, { cause: thrown });
  } finally {
    await world.close();
  }
}

describe.each(VARIANTS)('$name', (variant) => {
  it('keeps its promises whichever call at a port suffers whatever may befall it', async () => {
    let cases = 0;
    for (const dialect of ['A', 'B'] as const) {
      const calls = await callsOf(variant, dialect);
      for (const [index, method] of calls.entries()) {
        for (const [at, kind] of PORT_METHODS[method]!.entries()) {
          const pair = `${method} ${kind}`;
          if (pairs.has(pair) && (index + at + (dialect === 'A' ? 0 : 1)) % ONE_OF !== 0) continue;
          pairs.add(pair);
          await runWith(variant, dialect, index + 1, kind);
          cases++;
        }
      }
    }
    console.log(`${variant.name}: ${cases} cases`);
    expect(cases).toBeGreaterThan(0);
  });
});

it.each(
  VARIANTS.filter(({ name }) =>
    /^a (first backup|backup|restore that \w+)$|^an incremental backup$|^a cleanup$/.test(name),
  ),
)('$name recovers from two deaths in a row, wherever they come', async (variant) => {
  const calls = await callsOf(variant, 'A');
  expect(calls.length).toBeGreaterThan(30);
  const [firsts, seconds] = ALL ? [1, 1] : [41, 29];
  for (let first = 1; first <= calls.length; first += firsts) {
    for (let second = 1 + (first % seconds); second <= calls.length; second += seconds) {
      const world = await worldBefore(variant, 'A');
      try {
        for (const number of [first, second]) {
          const kind = number % 2 === 0 ? 'dies before' : 'dies after';
          await world.live(() => variant.run(world, oneFault(number, kind)));
          look(world);
        }
        await endInPeace(world);
      } catch (thrown) {
        throw new Error(`deaths at the calls ${first} and ${second}`, { cause: thrown });
      } finally {
        await world.close();
      }
    }
  }
});
