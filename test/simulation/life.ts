import { backupOperation } from './operations/backup.ts';
import type { Operation } from './operations/operation.ts';
import { peace } from './operations/peace.ts';
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
    await world.live(() =>
      Promise.all(chosen.map((operation) => operation.run(world, world.drawFaults(operation.aims)))),
    );
    steps.set(name, (steps.get(name) ?? 0) + world.scheduler.steps - before);
    world.assertAllEnded();
    for (const { observer } of world.stores) observer.look();
  };
  try {
    for (let number = 0; number < settings.rounds; number++) {
      // chosen whether it is left out or not, so that the others stay the same
      const chosen = number === 0 && settings.backedUp ? [backupOperation] : choose(world);
      if (!without.has(number)) await round(chosen);
    }
    world.settleDown();
    await round([peace]);
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

/** Processes at work at a time. */
const AT_ONCE_MAX = 3;

function choose(world: World): Operation[] {
  const chosen = [pick(world, OPERATIONS)];
  if (!chosen[0]!.concurrent) return chosen;
  const others = OPERATIONS.filter(({ concurrent }) => concurrent);
  while (chosen.length < AT_ONCE_MAX && world.dice.chance(world.settings.together)) {
    chosen.push(pick(world, others));
  }
  return chosen;
}

function pick({ dice }: World, operations: readonly Operation[]): Operation {
  let at = dice.fraction() * operations.reduce((sum, { weight }) => sum + weight, 0);
  for (const operation of operations) {
    at -= operation.weight;
    if (at < 0) return operation;
  }
  return operations[0]!;
}
