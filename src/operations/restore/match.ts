import { type Scratch, SortedRuns } from '../../kernel/sorted-runs.ts';
import { BY_CONTENT, HASH_BYTES, RECORD, RecordCursor, sameAddress, sameBytes } from './records.ts';

/** A document as one of the two sides knows it. Views that are valid during the call. */
export interface Side {
  readonly key: Buffer;
  readonly payload: Buffer;
  readonly place: Buffer;
  /** BY_CONTENT, NAMELESS, and SHARED_ADDRESS where another document's key stands in a URL alike. */
  readonly flags: number;
}

/** What is done about the documents that were matched; each document of either side is handed over once. */
export interface Decisions {
  /** The same document on both sides. */
  pair(ours: Side, theirs: Side): Promise<void>;
  /** The target has no such document. */
  alone(ours: Side): Promise<void>;
  /** We have no such document. */
  extra(theirs: Side): Promise<void>;
  /** Nobody can say which documents of the target they are. */
  ambiguous(count: number): void;
  /** Documents of the target that may be any of those. */
  undecided(count: number): void;
}

/** Sides of the second join, in the order in which they must be met within a group of equal identities. */
const TARGET_FREE = 0;
const TARGET_TAKEN = 1;
const BACKUP_FREE = 2;
const BACKUP_TAKEN = 3;
/** Beside the flags of records: another document's key stands in a URL alike. */
export const SHARED_ADDRESS = 0x80;
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
 * Matches our documents with those of the target one to one (design.md §7): all by scan key, then by logical id where
 * it is unique on both sides; documents known by content alone match any equal one.
 *
 * The text "7" and the number 7 are different keys, and one address (SHARED_ADDRESS).
 */
export async function matchDocuments(
  scratch: Scratch,
  ours: SortedRuns,
  target: SortedRuns,
  decisions: Decisions,
): Promise<void> {
  const free = new SortedRuns(scratch, SIDED.width);
  const all = new SortedRuns(scratch, SIDED.width);
  const shared = await sharedAddresses(scratch, ours, target);
  try {
    const pairs: OnPair = (left, right) => decisions.pair(left, right);
    const counts = await joinByKey(ours, target, shared, pairs, async (record, side, isShared) => {
      if (side === BACKUP_FREE || side === TARGET_FREE) await addSided(free, record, side, isShared);
    });
    if (counts.ours === 0 || counts.theirs === 0) {
      await decideFree(free, decisions);
      return;
    }
    // an id must be unique among all documents, not just among those that are left
    await joinByKey(ours, target, shared, null, (record, side, isShared) =>
      addSided(all, record, side, isShared),
    );
    await joinByIdentity(all, decisions);
  } finally {
    await shared.close();
    await free.close();
    await all.close();
  }
}

type OnPair = (ours: Side, theirs: Side) => Promise<void>;
type OnRecord = (record: Buffer, side: number, isShared: boolean) => Promise<void>;

/**
 * Joins both sides by scan key. Resolves with how many documents of each have no partner.
 *
 * @param onRecord gets each record of both sides with what it is (TARGET_FREE …)
 */
async function joinByKey(
  backup: SortedRuns,
  target: SortedRuns,
  shared: SortedRuns,
  onPair: OnPair | null,
  onRecord: OnRecord,
): Promise<{ ours: number; theirs: number }> {
  const left = await RecordCursor.open(backup);
  const right = await RecordCursor.open(target);
  const addresses = await RecordCursor.open(shared);
  const free = { ours: 0, theirs: 0 };
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
    if (order === 0) await onPair?.(ofRecord(left.current!, isShared), ofRecord(right.current!, isShared));
    if (order <= 0) {
      if (order < 0) free.ours++;
      await onRecord(left.current!, order === 0 ? BACKUP_TAKEN : BACKUP_FREE, isShared);
      if (!left.step()) await left.advance();
    }
    if (order >= 0) {
      if (order > 0) free.theirs++;
      await onRecord(right.current!, order === 0 ? TARGET_TAKEN : TARGET_FREE, isShared);
      if (!right.step()) await right.advance();
    }
  }
  return free;
}

/** Where all documents without a partner are on one side there is nothing to match them with. */
async function decideFree(free: SortedRuns, decisions: Decisions): Promise<void> {
  for (const cursor = await RecordCursor.open(free); cursor.current !== null; await cursor.advance()) {
    const document = ofSided(cursor.current);
    if (cursor.current[SIDED.side] === BACKUP_FREE) await decisions.alone(document);
    else await decisions.extra(document);
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
    if (!cursor.step()) await cursor.advance();
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

/** Documents of the target that a group remembers one by one; of more nobody could say what they are. */
const REMEMBERED_MAX = 10_000;

/** Documents with equal content are interchangeable: as many as the target has are the same, the others are missing. */
class ContentGroup {
  readonly #decisions: Decisions;
  readonly #free: Buffer[] = [];
  #more = 0;

  constructor(decisions: Decisions) {
    this.#decisions = decisions;
  }

  async add(record: Buffer): Promise<void> {
    if (record[SIDED.side] === TARGET_FREE) {
      if (this.#free.length < REMEMBERED_MAX) this.#free.push(Buffer.from(record));
      else this.#more++;
    } else if (record[SIDED.side] === BACKUP_FREE) {
      const theirs = this.#more > 0 ? this.#free[0]! : this.#free.pop();
      if (this.#more > 0) this.#more--;
      if (theirs === undefined) await this.#decisions.alone(ofSided(record));
      else
        await this.#decisions.pair({ ...ofSided(record), payload: ofSided(theirs).payload }, ofSided(theirs));
    }
  }

  async end(): Promise<void> {
    for (const theirs of this.#free) await this.#decisions.extra(ofSided(theirs));
    this.#decisions.undecided(this.#more);
  }
}

/** Documents with one logical id match where it is unique on both sides; otherwise nobody can say which is which. */
class IdentityGroup {
  readonly #decisions: Decisions;
  #targets = 0;
  readonly #freeTargets: Buffer[] = [];
  #moreFreeTargets = 0;
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
      if (this.#freeTargets.length < REMEMBERED_MAX) this.#freeTargets.push(Buffer.from(record));
      else this.#moreFreeTargets++;
      return;
    }
    this.#backups++;
    if (side === BACKUP_TAKEN) return;
    if (this.#freeTargets.length === 0) {
      await this.#decisions.alone(ofSided(record));
      return;
    }
    this.#freeBackups++;
    this.#freeBackup ??= Buffer.from(record);
  }

  async end(): Promise<void> {
    if (this.#freeBackups === 0) {
      for (const theirs of this.#freeTargets) await this.#decisions.extra(ofSided(theirs));
      this.#decisions.undecided(this.#moreFreeTargets);
    } else if (this.#backups === 1 && this.#targets === 1) {
      await this.#decisions.pair(ofSided(this.#freeBackup!), ofSided(this.#freeTargets[0]!));
    } else {
      this.#decisions.ambiguous(this.#freeBackups);
      this.#decisions.undecided(this.#freeTargets.length + this.#moreFreeTargets);
    }
  }
}

function ofRecord(record: Buffer, isShared: boolean): Side {
  return {
    key: record.subarray(RECORD.key, RECORD.key + HASH_BYTES),
    payload: record.subarray(RECORD.payload, RECORD.payload + HASH_BYTES),
    place: record.subarray(RECORD.place, RECORD.width),
    flags: record[RECORD.flags]! | (isShared ? SHARED_ADDRESS : 0),
  };
}

function ofSided(record: Buffer): Side {
  return {
    key: record.subarray(SIDED.key, SIDED.width),
    payload: record.subarray(SIDED.payload, SIDED.payload + HASH_BYTES),
    place: record.subarray(SIDED.place, SIDED.key),
    flags: record[SIDED.flags]!,
  };
}
