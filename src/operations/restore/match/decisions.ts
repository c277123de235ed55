import { NO_COUNTS, type Tally } from '../counts.ts';
import type { UntouchedDocuments } from '../untouched.ts';
import { type Actions, placeAt, VERB } from '../write/actions.ts';
import { type Decisions, SHARED_ADDRESS, type Side } from './match.ts';
import { HASH_BYTES, NAMELESS, sameBytes } from './records.ts';

/**
 * What a restore does about each document: creates it, replaces it or leaves it alone; where the target is to be exactly
 * as the backup, what the backup does not hold is deleted.
 *
 * Where the text "7" and the number 7 both occur nothing is replaced, and what is created must not take the place of
 * the other. Documents that cannot be matched are never deleted either: they may be those of the backup.
 */
export class RestoreDecisions implements Decisions {
  readonly counts: Tally = { ...NO_COUNTS };
  readonly #actions: Actions;
  readonly #exact: boolean;
  readonly #untouched: UntouchedDocuments | null;

  /** @param untouched is told of documents that are left alone */
  constructor(actions: Actions, exact: boolean, untouched: UntouchedDocuments | null) {
    this.#actions = actions;
    this.#exact = exact;
    this.#untouched = untouched;
  }

  async pair(ours: Side, theirs: Side): Promise<void> {
    if (sameBytes(ours.payload, 0, theirs.payload, 0, HASH_BYTES)) {
      this.counts.same++;
      await this.#untouched?.add('same', ours);
    } else if ((theirs.flags & SHARED_ADDRESS) !== 0) {
      this.counts.ambiguous++;
    } else if (!isAddressable(theirs)) {
      this.counts.unaddressable++;
      await this.#untouched?.add('unaddressable', ours);
    } else {
      this.counts.replaced++;
      await this.#actions.write(VERB.replace, placeAt(ours.place, 0), ours.key, theirs);
    }
  }

  async alone(ours: Side): Promise<void> {
    if ((ours.flags & NAMELESS) !== 0) {
      this.counts.unaddressable++;
      await this.#untouched?.add('unaddressable', ours);
      return;
    }
    this.counts.created++;
    const verb = (ours.flags & SHARED_ADDRESS) === 0 ? VERB.create : VERB.createAlone;
    await this.#actions.write(verb, placeAt(ours.place, 0), ours.key, null);
  }

  async extra(theirs: Side): Promise<void> {
    if (!this.#exact) {
      this.counts.extra++;
      await this.#untouched?.addExtra(theirs);
    } else if ((theirs.flags & SHARED_ADDRESS) !== 0 || !isAddressable(theirs)) {
      this.counts.unaddressable++;
    } else {
      this.counts.deleted++;
      await this.#actions.delete(theirs);
    }
  }

  ambiguous(count: number): void {
    this.counts.ambiguous += count;
  }

  undecided(count: number): void {
    this.counts.extra += count;
  }
}

/** Whether a document of the target can be named in a request. */
export function isAddressable(theirs: Side): boolean {
  return theirs.place.readUInt16BE(6) > 0;
}
