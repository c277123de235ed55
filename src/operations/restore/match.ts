import { type Scratch, SortedRuns } from '../../kernel/sorted-runs.ts';
import { BY_CONTENT, HASH_BYTES, NAMELESS, RECORD, RecordCursor, sameAddress, sameBytes } from './records.ts';

/** What a restore does to the target, document by document: u32 block ‖ scan key hash ‖ verb ‖ place of the address. */
export const ACTION = {
  block: 0,
  key: 4,
  verb: 4 + HASH_BYTES,
  place: 5 + HASH_BYTES,
  width: 13 + HASH_BYTES,
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

export interface MatchCounts {
  created: number;
  replaced: number;
  same: number;
  extra: number;
  ambiguous: number;
  unaddressable: number;
}

/** Sides of the second join, in the order in which they must be met within a group of equal identities. */
const TARGET_FREE = 0;
const TARGET_TAKEN = 1;
const BACKUP_FREE = 2;
const BACKUP_TAKEN = 3;
/** Beside the flags of records: another document's key stands in a URL alike. */
const SHARED_ADDRESS = 0x80;
/** identity hash ‖ side ‖ payload hash ‖ flags ‖ place ‖ scan key hash */
const SIDED = {
  identity: 0,
  side: HASH_BYTES,
  payload: HASH_BYTES + 1,
  flags: 2 * HASH_BYTES + 1,
  place: 2 * HASH_BYTES + 2,
  key: 2 * HASH_BYTES + 10,
  width: 3 * HASH_BYTES + 10,
} as const;

/**
 * Matches the documents of a backup with those of the target one to one (design.md §7): all by scan key, then by
 * logical id where it is unique on both sides; documents known by content alone match any equal one. Yields the actions
 * of a replacing restore, sorted by block.
 *
 * The text "7" and the number 7 are different keys, and one address: where both occur nothing is replaced, and what is
 * created must not take the place of the other.
 */
export async function matchDocuments(
  scratch: Scratch,
  backup: SortedRuns,
  target: SortedRuns,
): Promise<{ actions: SortedRuns; counts: MatchCounts }> {
  const actions = new SortedRuns(scratch, ACTION.width);
  const sided = new SortedRuns(scratch, SIDED.width);
  const counts: MatchCounts = { created: 0, replaced: 0, same: 0, extra: 0, ambiguous: 0, unaddressable: 0 };
  const decisions = new Decisions(actions, counts);
  try {
    await joinByKey(backup, target, sided, decisions, await sharedAddresses(scratch, backup, target));
    await joinByIdentity(sided, decisions);
    return { actions, counts };
  } catch (thrown) {
    await actions.close();
    throw thrown;
  } finally {
    await sided.close();
  }
}

/** Writes down what happens to a document and counts it. */
class Decisions {
  readonly #actions: SortedRuns;
  readonly counts: MatchCounts;

  constructor(actions: SortedRuns, counts: MatchCounts) {
    this.#actions = actions;
    this.counts = counts;
  }

  /** @param record of SIDED */
  async create(record: Buffer): Promise<void> {
    const flags = record[SIDED.flags]!;
    if ((flags & NAMELESS) !== 0) {
      this.counts.unaddressable++;
      return;
    }
    this.counts.created++;
    const verb = (flags & SHARED_ADDRESS) === 0 ? VERB.create : VERB.createAlone;
    await this.#act(verb, record.readUInt32BE(SIDED.place), record.subarray(SIDED.key), null);
  }

  /** @param place where the address of the target's document stands; null where its length is zero */
  async replaceUnlessSame(equal: boolean, block: number, key: Buffer, place: Buffer): Promise<void> {
    if (equal) {
      this.counts.same++;
    } else if (place.readUInt16BE(6) === 0) {
      this.counts.unaddressable++;
    } else {
      this.counts.replaced++;
      await this.#act(VERB.replace, block, key, place);
    }
  }

  async #act(verb: number, block: number, key: Buffer, place: Buffer | null): Promise<void> {
    await addAction(this.#actions, verb, block, key, place);
  }
}

export async function addAction(
  actions: SortedRuns,
  verb: number,
  block: number,
  key: Buffer,
  place: Buffer | null,
): Promise<void> {
  if (actions.full) await actions.flush();
  const action = actions.slot();
  action.writeUInt32BE(block, ACTION.block);
  key.copy(action, ACTION.key, 0, HASH_BYTES);
  action[ACTION.verb] = verb;
  if (place === null) action.fill(0, ACTION.place, ACTION.width);
  else place.copy(action, ACTION.place, 0, 8);
  actions.added();
}

async function joinByKey(
  backup: SortedRuns,
  target: SortedRuns,
  sided: SortedRuns,
  decisions: Decisions,
  shared: SortedRuns,
): Promise<void> {
  await using _ = { [Symbol.asyncDispose]: () => shared.close() };
  const left = await RecordCursor.open(backup);
  const right = await RecordCursor.open(target);
  const addresses = await RecordCursor.open(shared);
  while (left.current !== null || right.current !== null) {
    const order =
      left.current === null
        ? 1
        : right.current === null
          ? -1
          : left.current.compare(right.current, 0, HASH_BYTES, 0, HASH_BYTES);
    const at = order <= 0 ? left.current! : right.current!;
    while (
      addresses.current !== null &&
      !sameAddress(addresses.current, at) &&
      addresses.current.compare(at, 0, HASH_BYTES, 0, HASH_BYTES) < 0
    )
      await addresses.advance();
    const isShared = addresses.current !== null && sameAddress(addresses.current, at);
    if (order === 0) {
      const [ours, theirs] = [left.current!, right.current!];
      const equal = sameBytes(ours, RECORD.payload, theirs, RECORD.payload, HASH_BYTES);
      if (isShared && !equal) decisions.counts.ambiguous++;
      else
        await decisions.replaceUnlessSame(
          equal,
          ours.readUInt32BE(RECORD.place),
          ours.subarray(RECORD.key, HASH_BYTES),
          theirs.subarray(RECORD.place, RECORD.width),
        );
    }
    const matched = order === 0;
    if (order <= 0) {
      await addSided(sided, left.current!, matched ? BACKUP_TAKEN : BACKUP_FREE, isShared);
      await left.advance();
    }
    if (order >= 0) {
      await addSided(sided, right.current!, matched ? TARGET_TAKEN : TARGET_FREE, isShared);
      await right.advance();
    }
  }
}

/** Keys that occur both as text and as number, on one side or across: one record for each address. */
async function sharedAddresses(
  scratch: Scratch,
  backup: SortedRuns,
  target: SortedRuns,
): Promise<SortedRuns> {
  const shared = new SortedRuns(scratch, HASH_BYTES);
  const cursors = [await RecordCursor.open(backup), await RecordCursor.open(target)] as const;
  let former: Buffer | null = null;
  for (;;) {
    const [left, right] = cursors;
    if (left.current === null && right.current === null) return shared;
    const isLeft =
      right.current === null ||
      (left.current !== null && left.current.compare(right.current, 0, HASH_BYTES, 0, HASH_BYTES) <= 0);
    const cursor = isLeft ? left : right;
    const key: Buffer = cursor.current!;
    const differs = former !== null && !sameBytes(former, 0, key, 0, HASH_BYTES);
    if (differs && sameAddress(former!, key)) {
      if (shared.full) await shared.flush();
      key.copy(shared.slot(), 0, 0, HASH_BYTES);
      shared.added();
    }
    if (former === null) former = Buffer.alloc(HASH_BYTES);
    key.copy(former, 0, 0, HASH_BYTES);
    await cursor.advance();
  }
}

async function addSided(sided: SortedRuns, record: Buffer, side: number, isShared: boolean): Promise<void> {
  if (sided.full) await sided.flush();
  const slot = sided.slot();
  record.copy(slot, SIDED.identity, RECORD.identity, RECORD.identity + HASH_BYTES);
  slot[SIDED.side] = side;
  record.copy(slot, SIDED.payload, RECORD.payload, RECORD.payload + HASH_BYTES);
  slot[SIDED.flags] = record[RECORD.flags]! | (isShared ? SHARED_ADDRESS : 0);
  record.copy(slot, SIDED.place, RECORD.place, RECORD.width);
  record.copy(slot, SIDED.key, RECORD.key, RECORD.key + HASH_BYTES);
  sided.added();
}

/** The documents of one identity: those of the target come first. */
async function joinByIdentity(sided: SortedRuns, decisions: Decisions): Promise<void> {
  const cursor = await RecordCursor.open(sided);
  while (cursor.current !== null) {
    const identity = Buffer.from(cursor.current.subarray(0, HASH_BYTES));
    const byContent = (cursor.current[SIDED.flags]! & BY_CONTENT) !== 0;
    const group = byContent ? new ContentGroup(decisions) : new IdentityGroup(decisions);
    while (cursor.current !== null && sameBytes(cursor.current, 0, identity, 0, HASH_BYTES)) {
      await group.add(cursor.current);
      await cursor.advance();
    }
    await group.end();
  }
}

/** Documents with equal content are interchangeable: as many as the target has are the same, the others are missing. */
class ContentGroup {
  readonly #decisions: Decisions;
  #free = 0;

  constructor(decisions: Decisions) {
    this.#decisions = decisions;
  }

  async add(record: Buffer): Promise<void> {
    if (record[SIDED.side] === TARGET_FREE) {
      this.#free++;
    } else if (record[SIDED.side] === BACKUP_FREE) {
      if (this.#free-- > 0) this.#decisions.counts.same++;
      else await this.#decisions.create(record);
    }
  }

  async end(): Promise<void> {
    this.#decisions.counts.extra += Math.max(0, this.#free);
  }
}

/** Documents with one logical id match where it is unique on both sides; otherwise nobody can say which is which. */
class IdentityGroup {
  readonly #decisions: Decisions;
  #targets = 0;
  #freeTargets = 0;
  #freeTarget: Buffer | null = null;
  #backups = 0;
  #freeBackups = 0;
  #freeBackup: Buffer | null = null;

  constructor(decisions: Decisions) {
    this.#decisions = decisions;
  }

  async add(record: Buffer): Promise<void> {
    const side = record[SIDED.side]!;
    if (side === TARGET_FREE || side === TARGET_TAKEN) {
      this.#targets++;
      if (side === TARGET_TAKEN) return;
      this.#freeTargets++;
      this.#freeTarget ??= Buffer.from(record);
      return;
    }
    this.#backups++;
    if (side === BACKUP_TAKEN) return;
    if (this.#freeTargets === 0) {
      await this.#decisions.create(record);
      return;
    }
    this.#freeBackups++;
    this.#freeBackup ??= Buffer.from(record);
  }

  async end(): Promise<void> {
    const [ours, theirs] = [this.#freeBackup, this.#freeTarget];
    if (ours !== null && theirs !== null && this.#backups === 1 && this.#targets === 1) {
      await this.#decisions.replaceUnlessSame(
        sameBytes(ours, SIDED.payload, theirs, SIDED.payload, HASH_BYTES),
        ours.readUInt32BE(SIDED.place),
        ours.subarray(SIDED.key),
        theirs.subarray(SIDED.place, SIDED.place + 8),
      );
      return;
    }
    this.#decisions.counts.ambiguous += this.#freeBackups;
    this.#decisions.counts.extra += this.#freeTargets;
  }
}
