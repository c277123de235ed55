import { type Scratch, SortedRuns } from '../../../kernel/sorted-runs.ts';
import { NO_COUNTS, type Tally } from '../counts.ts';
import type { ChangedDocuments } from '../keep/changed-documents.ts';
import { type Actions, placeAt, VERB } from '../write/actions.ts';
import { isAddressable } from './decisions.ts';
import { type Decisions, SHARED_ADDRESS, type Side } from './match.ts';
import { BY_CONTENT, HASH_BYTES, RECORD, RecordCursor, sameBytes, TAKEN_AWAY } from './records.ts';

const NAMES_MAX = 20;
/** What is to be brought back: scan key hash of the pre-image ‖ verb ‖ place of the live document ‖ its payload hash. */
const RETURN = {
  verb: HASH_BYTES,
  place: HASH_BYTES + 1,
  payload: HASH_BYTES + 9,
  width: 2 * HASH_BYTES + 9,
} as const;

/**
 * What an undo does about each document that a restore changed: one that still is as the restore left it becomes what it
 * was; one that is that already is left alone, and so is one that others have written or deleted since.
 */
export class UndoDecisions implements Decisions {
  readonly counts: Tally = { ...NO_COUNTS };
  /** The first few that others have changed. */
  readonly changedNames: string[] = [];
  readonly #changes: ChangedDocuments;
  readonly #actions: Actions;
  readonly #returns: SortedRuns;

  constructor(scratch: Scratch, changes: ChangedDocuments, actions: Actions) {
    this.#changes = changes;
    this.#actions = actions;
    this.#returns = new SortedRuns(scratch, RETURN.width);
  }

  async pair(ours: Side, theirs: Side): Promise<void> {
    const change = await this.#changes.read(ours.place);
    const is = (payload: Buffer): boolean => sameBytes(theirs.payload, 0, payload, 0, HASH_BYTES);
    if (change.do !== 'create' && is(change.before)) {
      this.counts.same++;
    } else if (change.do === 'delete' || !is(ours.payload) || mayBeAnother(ours, theirs)) {
      this.#noteChanged(change.name);
    } else if (!isAddressable(theirs)) {
      this.counts.unaddressable++;
    } else if ((theirs.flags & SHARED_ADDRESS) !== 0) {
      this.counts.ambiguous++;
    } else if (change.do === 'create') {
      this.counts.deleted++;
      await this.#actions.delete(theirs);
    } else {
      this.counts.replaced++;
      await this.#return(VERB.replace, change.keyBefore, theirs);
    }
  }

  async alone(ours: Side): Promise<void> {
    const change = await this.#changes.read(ours.place);
    if (change.do === 'create') {
      this.counts.same++;
    } else if (change.do === 'replace' && (ours.flags & TAKEN_AWAY) === 0) {
      this.#noteChanged(change.name);
    } else {
      this.counts.created++;
      await this.#return(
        (ours.flags & SHARED_ADDRESS) === 0 ? VERB.create : VERB.createAlone,
        change.keyBefore,
        null,
      );
    }
  }

  async extra(): Promise<void> {
    this.counts.extra++;
  }

  ambiguous(count: number): void {
    this.counts.ambiguous += count;
  }

  undecided(count: number): void {
    this.counts.extra += count;
  }

  /** Turns what is to be brought back into actions, once all documents are matched. @param preImages their records */
  async settle(preImages: SortedRuns): Promise<void> {
    await using _ = { [Symbol.asyncDispose]: () => this.#returns.close() };
    const kept = await RecordCursor.open(preImages);
    for (
      const cursor = await RecordCursor.open(this.#returns);
      cursor.current !== null;
      await cursor.advance()
    ) {
      const returned: Buffer = cursor.current;
      if (!(await kept.seek(returned, 0)) || kept.current === null) continue;
      const place = returned.subarray(RETURN.place, RETURN.payload);
      const isThere = place.readUInt16BE(6) > 0;
      await this.#actions.write(
        returned[RETURN.verb]!,
        placeAt(kept.current, RECORD.place),
        returned.subarray(0, HASH_BYTES),
        isThere ? { place, payload: returned.subarray(RETURN.payload) } : null,
      );
    }
  }

  async close(): Promise<void> {
    await this.#returns.close();
  }

  async #return(verb: number, key: Buffer, theirs: Side | null): Promise<void> {
    const returns = this.#returns;
    if (returns.full) await returns.flush();
    const slot = returns.slot();
    slot.fill(0);
    key.copy(slot, 0);
    slot[RETURN.verb] = verb;
    theirs?.place.copy(slot, RETURN.place);
    theirs?.payload.copy(slot, RETURN.payload);
    returns.added();
  }

  #noteChanged(name: string): void {
    this.counts.changed++;
    if (this.changedNames.length < NAMES_MAX) this.changedNames.push(name);
  }
}

/** A document that was taken away and may have been inserted again is not known by its content: others may hold the same. */
function mayBeAnother(ours: Side, theirs: Side): boolean {
  const isInDoubt = (ours.flags & TAKEN_AWAY) !== 0 && (ours.flags & BY_CONTENT) !== 0;
  return isInDoubt && !sameBytes(ours.key, 0, theirs.key, 0, HASH_BYTES);
}
