import { type Scratch, SortedRuns } from '../../kernel/sorted-runs.ts';
import type { Side } from './match.ts';
import { HASH_BYTES } from './records.ts';

/**
 * What a restore does to the target, document by document: u32 block ‖ scan key hash ‖ verb ‖ place of the address ‖ hash
 * of the payload that is there now.
 */
export const ACTION = {
  block: 0,
  key: 4,
  verb: 4 + HASH_BYTES,
  place: 5 + HASH_BYTES,
  before: 13 + HASH_BYTES,
  width: 13 + 2 * HASH_BYTES,
} as const;
export const VERB = {
  create: 1,
  replace: 2,
  replaceAgain: 3,
  /** Delete and insert. */
  recreate: 4,
  /** Insert, and leave alone what has the key if it is taken. */
  createAlone: 5,
} as const;

/** A document of the target that is to be deleted: scan key hash ‖ payload hash ‖ place of the address. */
export const DELETION = {
  key: 0,
  payload: HASH_BYTES,
  place: 2 * HASH_BYTES,
  width: 2 * HASH_BYTES + 8,
} as const;

/** What is to be done, sorted as it is carried out. To be closed. */
export class Actions {
  /** ACTION records. */
  readonly writes: SortedRuns;
  /** DELETION records. */
  readonly deletions: SortedRuns;

  constructor(scratch: Scratch) {
    this.writes = new SortedRuns(scratch, ACTION.width);
    this.deletions = new SortedRuns(scratch, DELETION.width);
  }

  get count(): number {
    return this.writes.count + this.deletions.count;
  }

  /** @param theirs what is there now; null for what is not there */
  async write(
    verb: number,
    block: number,
    key: Buffer,
    theirs: Pick<Side, 'place' | 'payload'> | null,
  ): Promise<void> {
    const { writes } = this;
    if (writes.full) await writes.flush();
    const action = writes.slot();
    action.writeUInt32BE(block, ACTION.block);
    key.copy(action, ACTION.key, 0, HASH_BYTES);
    action[ACTION.verb] = verb;
    action.fill(0, ACTION.place, ACTION.width);
    theirs?.place.copy(action, ACTION.place);
    theirs?.payload.copy(action, ACTION.before);
    writes.added();
  }

  async delete(theirs: Side): Promise<void> {
    const { deletions } = this;
    if (deletions.full) await deletions.flush();
    const deletion = deletions.slot();
    theirs.key.copy(deletion, DELETION.key);
    theirs.payload.copy(deletion, DELETION.payload);
    theirs.place.copy(deletion, DELETION.place);
    deletions.added();
  }

  async close(): Promise<void> {
    await this.writes.close();
    await this.deletions.close();
  }
}
