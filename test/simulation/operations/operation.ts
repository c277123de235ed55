import type { Attempt } from '../attempt.ts';
import type { AIMS, Faults } from '../faults.ts';
import type { World } from '../world.ts';

/** Something that is done in a world, and what must be true of it. Each is one file here and one line in operations.ts. */
export interface Operation {
  readonly name: string;
  /** How likely it is, compared with the others. */
  readonly weight: number;
  /** False for what happens without the tool. */
  readonly usesTool: boolean;
  /** True if it may be done while another one is. */
  readonly concurrent: boolean;
  /** What a run of the tool does in it, for aiming faults. */
  readonly aims?: keyof typeof AIMS;
  /** Does it, and throws a Violation if it went otherwise than promised. Returns the runs of the tool in it. */
  run(world: World, faults: Faults): Promise<readonly Attempt<unknown>[]>;
}
