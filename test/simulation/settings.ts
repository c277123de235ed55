import type { Sizes } from '../../src/kernel/sizes.ts';
import { Dice } from '../../src/sandbox/dice.ts';
import { FAULT_KINDS, type FaultKind } from './faults.ts';

/** Everything that a world is made of; all of it follows from the seed. */
export interface WorldSettings {
  readonly seed: number;
  readonly dialect: 'A' | 'B';
  readonly shape: 'id_data' | 'flat';
  readonly rowOrder: 'newest' | 'oldest' | 'none';
  /** The tool finds out the dialect, and remembers it. */
  readonly probes: boolean;
  /** The server lists its tables. */
  readonly listsTables: boolean;
  /** Longest answer, whatever was asked for; 0: as asked. */
  readonly pageClamp: number;
  readonly shuffleTies: boolean;
  readonly latencyMs: number;
  readonly collections: readonly string[];
  /** Documents at the beginning, in each collection. */
  readonly documents: number;
  /** Stores that backups are made in, each on its own. */
  readonly stores: number;
  /** What fits into a block and into memory. */
  readonly sizes: Sizes;
  /** The tool logs in, with tokens that end soon. */
  readonly logsIn: boolean;
  /** Every replacement merges into what is there. */
  readonly putMerges: boolean;
  /** What is inserted is stored as a value and not as text. */
  readonly reformats: boolean;
  /** Collections that cannot be read or vanish for a time, paging that is ignored. */
  readonly serverTrouble: boolean;
  readonly compression: 'gzip' | 'zstd';
  /** Collections that a backup reads at a time. */
  readonly concurrency: number;
  /** Mean milliseconds between two writes of somebody else; 0: nobody else writes. */
  readonly writeEveryMs: number;
  /** Operations in a world's life. */
  readonly rounds: number;
  /** The first of them is a backup: most others need one. */
  readonly backedUp: boolean;
  /** Chance that one more process is at work at the same time. */
  readonly together: number;
  /** Chance of each kind of fault at a call; a kind that is not there never comes. */
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** Share of rounds in which a process suffers faults at all. */
  readonly faultyRounds: number;
  /** Chance that the death of a process is a power cut. */
  readonly powerCuts: number;
  /** Largest error of a process's wall clock, in milliseconds. */
  readonly clockErrorMax: number;
}

const NAMES = ['users', 'events', 'Projects', 'agent memory', 'größe', 'con', 'a.b', '-x'];

export function drawSettings(seed: number): WorldSettings {
  const dice = new Dice(seed, 0x5e77);
  const coin = (): boolean => dice.chance(0.5);
  const faults = new Map<FaultKind, number>();
  for (const kind of FAULT_KINDS) {
    if (kind === 'lies' || coin()) faults.set(kind, dice.pick(RATES[kind] ?? [0.005, 0.02, 0.05]));
  }
  return {
    seed,
    dialect: coin() ? 'A' : 'B',
    shape: coin() ? 'id_data' : 'flat',
    rowOrder: dice.pick(['newest', 'newest', 'oldest', 'none'] as const),
    probes: coin(),
    listsTables: dice.chance(0.7),
    pageClamp: dice.pick([0, 0, 1, 4, 10]),
    shuffleTies: dice.chance(0.3),
    latencyMs: dice.pick([0, 5, 50, 500]),
    collections: NAMES.filter(() => dice.chance(0.3))
      .concat('last')
      .slice(0, 3),
    documents: dice.pick([0, 1, 2, 3, 6, 10]),
    stores: dice.pick([1, 1, 2, 3]),
    sizes: dice.chance(0.4)
      ? { blockBytes: 16_384, sortedRecords: 1000, rememberedKeys: 1000 } // nothing of a world is as large
      : {
          blockBytes: dice.pick([1, 100, 300]),
          sortedRecords: dice.pick([2, 5, 20]),
          rememberedKeys: dice.pick([4, 12]),
        },
    logsIn: dice.chance(0.3),
    putMerges: dice.chance(0.3),
    reformats: dice.chance(0.1),
    serverTrouble: dice.chance(0.3),
    compression: coin() ? 'gzip' : 'zstd',
    concurrency: 1 + dice.below(3),
    writeEveryMs: coin() ? dice.pick([5, 50, 500, 5_000]) : 0,
    rounds: 5 + dice.below(6),
    backedUp: dice.chance(0.7),
    together: dice.chance(0.3) ? 0.3 : 0,
    faults,
    faultyRounds: dice.pick([0, 0.7, 1, 1]),
    powerCuts: dice.pick([0, 0.5]),
    clockErrorMax: dice.pick([0, 0, 0, 5_000, 86_400_000]),
  };
}

/** Kinds that end a process are rare, or it would never get anywhere. */
const RATES: Partial<Record<FaultKind, readonly number[]>> = {
  'dies before': [0.001, 0.005, 0.02],
  'dies after': [0.001, 0.005, 0.02],
  stopped: [0.001, 0.005, 0.02],
  freezes: [0.002, 0.01],
  '429': [0.01, 0.05, 0.2],
  lies: [0.005, 0.03],
};
