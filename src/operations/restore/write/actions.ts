import { type Scratch, SortedRuns } from '../../../kernel/sorted-runs.ts';
import type { Side } from '../match/match.ts';
import { HASH_BYTES } from '../match/records.ts';

/**
 * What a restore does to the target, document by document: u32 block ‖ u32 index in it ‖ scan key hash ‖ verb ‖ place of the address ‖ hash
 * of the payload that is there now.
 */
export const ACTION = {
  block: 0,
  index: 4,
  key: 8,
  verb: 8 + HASH_BYTES,
  place: 9 + HASH_BYTES,
  before: 17 + HASH_BYTES,
  width: 17 + 2 * HASH_BYTES,
} as const;

/** Where a document stands in what is written. */
export interface DocumentPlace {
  readonly block: number;
  readonly index: number;
}
/** The place that stands in a record at `at`. */
export function placeAt(record: Buffer, at: number): DocumentPlace {
  return { block: record.readUInt32BE(at), index: record.readUInt32BE(at + 4) };
}

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
    { block, index }: DocumentPlace,
    key: Buffer,
    theirs: Pick<Side, 'place' | 'payload'> | null,
  ): Promise<void> {
    const { writes } = this;
    if (writes.full) await writes.flush();
    const action = writes.slot();
    action.writeUInt32BE(block, ACTION.block);
    action.writeUInt32BE(index, ACTION.index);
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
