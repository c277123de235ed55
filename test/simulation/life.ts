import { type Attempt, Violation } from './attempt.ts';
import { NO_FAULTS } from './faults.ts';
import { runBackup } from './operations/backup.ts';
import type { Operation } from './operations/operation.ts';
import { runRestore } from './operations/restore.ts';
import { runVerify } from './operations/verify.ts';
import { OPERATIONS } from './operations.ts';
import type { WorldSettings } from './settings.ts';
import { World } from './world.ts';

/** How a world's life went. */
export interface Life {
  readonly settings: WorldSettings;
  /** Null if every promise was kept. */
  readonly violation: Error | null;
  /** Names of the operations done, in order. */
  readonly operations: readonly string[];
  /** Steps by operation. */
  readonly steps: ReadonlyMap<string, number>;
  /** How often each kind of fault befell each port method. */
  readonly tally: ReadonlyMap<string, number>;
  /** Stands for the sequence of all steps. */
  readonly traceSum: number;
  /** The last steps. */
  readonly trace: readonly string[];
}

/** Which of the rounds are left out: for finding out which of them a violation needs. */
export interface LifeOptions {
  readonly without?: ReadonlySet<number>;
}

/** Lives through one world: rounds of operations, then an end in peace, where everything must come right. */
export async function live(
  settings: WorldSettings,
  { without = new Set() }: LifeOptions = {},
): Promise<Life> {
  const world = new World(settings);
  const operations: string[] = [];
  const steps = new Map<string, number>();
  let violation: Error | null = null;
  const round = async (chosen: readonly Operation[]): Promise<void> => {
    const name = chosen.map((operation) => operation.name).join(' + ');
    operations.push(name);
    world.scheduler.trace.add(name);
    const before = world.scheduler.steps;
    const attempts = await world.live(() => Promise.all(chosen.map((operation) => operation.run(world))));
    steps.set(name, (steps.get(name) ?? 0) + world.scheduler.steps - before);
    world.observer.look(attempts.flat());
  };
  try {
    for (let number = 0; number < settings.rounds; number++) {
      // chosen whether it is left out or not, so that the others stay the same
      const chosen = choose(world);
      if (!without.has(number)) await round(chosen);
    }
    world.settleDown();
    await round([PEACE]);
    world.assertNoSecretStored();
  } catch (thrown) {
    violation = thrown as Error;
  } finally {
    await world.close();
  }
  const { tally, scheduler } = world;
  return {
    settings,
    violation,
    operations,
    steps,
    tally,
    traceSum: scheduler.trace.sum,
    trace: scheduler.trace.last,
  };
}

function choose(world: World): Operation[] {
  const first = pick(world, OPERATIONS);
  if (!first.concurrent || !world.dice.chance(world.settings.together)) return [first];
  return [
    first,
    pick(
      world,
      OPERATIONS.filter(({ concurrent }) => concurrent),
    ),
  ];
}

function pick({ dice }: World, operations: readonly Operation[]): Operation {
  let at = dice.fraction() * operations.reduce((sum, { weight }) => sum + weight, 0);
  for (const operation of operations) {
    at -= operation.weight;
    if (at < 0) return operation;
  }
  return operations[0]!;
}

/** No faults, nobody else who writes: a backup is complete, everything whole verifies and restores. */
const PEACE: Operation = {
  name: 'peace',
  weight: 0,
  concurrent: false,
  async run(world) {
    const attempts: Attempt<unknown>[] = [];
    // a marker that is gone is not to be expected, and must be consented to
    const adoptStore = !world.observer.hasMarker;
    const backup = await runBackup(world, NO_FAULTS, { adoptStore });
    attempts.push(backup);
    const { report, error } = backup;
    const isEmpty = world.settings.collections.every((name) => world.server.documentCount(name) === 0);
    if (report === null) throw new Violation(`in peace a backup fails: ${error?.message}`);
    const unlucky = report.errors.filter(({ code }) => !isExcused(world, code, isEmpty));
    if (unlucky.length > 0)
      throw new Violation(`in peace a backup is incomplete: ${JSON.stringify(unlucky)}`);
    world.observer.look(attempts);

    attempts.push(await runVerify(world, NO_FAULTS, 'decode'));
    const whole = report.backups.filter(({ outcome }) => outcome === 'completed');
    const id = whole.length === 0 ? null : world.dice.pick(whole).backup_id;
    if (id === null) return attempts;
    const restore = await runRestore(world, NO_FAULTS, id);
    attempts.push(restore);
    const counts = restore.report?.counts;
    if (restore.error !== null && isHopeless(world.settings)) return attempts;
    if (restore.report?.exit_code !== 0 || counts!.created + counts!.replaced > 0) {
      const said = restore.error?.message ?? JSON.stringify(restore.report);
      throw new Violation(`in peace a restore of what is there does something: ${said}`);
    }
    return attempts;
  },
};

/** A server whose answers may not prove that a collection was read whole. */
function isHopeless({ dialect, shuffleTies, pageClamp }: WorldSettings): boolean {
  return dialect === 'B' && (shuffleTies || pageClamp === 1);
}

/** What is no defect of the tool: an order that proves nothing, and collections that somebody else has emptied. */
function isExcused({ settings }: World, code: string, isEmpty: boolean): boolean {
  if (code === 'SOURCE_UNPROVEN') return isHopeless(settings);
  if (code === 'SOURCE_COLLECTION_VANISHED') return true;
  return code === 'SOURCE_COLLECTION_UNKNOWN' && isEmpty;
}
