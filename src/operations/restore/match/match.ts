import { type Scratch, SortedRuns } from '../../../kernel/sorted-runs.ts';
import type { MovedDocuments } from './moved-documents.ts';
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

/** SIDED with the key in the target for its identity ‖ identity hash */
const FOUND = { identity: SIDED.width, width: SIDED.width + HASH_BYTES } as const;

/**
 * Matches our documents with those of the target one to one (design.md §7): all by scan key, then by what earlier
 * restores kept on record, then by logical id where it is unique on both sides; documents known by content alone match any equal one.
 *
 * The text "7" and the number 7 are different keys, and one address (SHARED_ADDRESS).
 */
export async function matchDocuments(
  scratch: Scratch,
  ours: SortedRuns,
  target: SortedRuns,
  moved: MovedDocuments | null,
  decisions: Decisions,
): Promise<void> {
  const free = new SortedRuns(scratch, SIDED.width);
  const found = new SortedRuns(scratch, FOUND.width);
  const all = new SortedRuns(scratch, SIDED.width);
  const shared = await sharedAddresses(scratch, ours, target);
  try {
    const pairs: OnPair = (left, right) => decisions.pair(left, right);
    const sides = { ours, target, shared, moved };
    const counts = await joinByKey(sides, pairs, async (record, side, isShared, targetKey) => {
      if (targetKey !== null) await addFound(found, record, side, isShared, targetKey);
      else if (side === BACKUP_FREE || side === TARGET_FREE) await addSided(free, record, side, isShared);
    });
    await pairFound(found, decisions);
    if (counts.ours === 0 || counts.theirs === 0) {
      await decideFree(free, decisions);
      return;
    }
    // an id must be unique among all documents, not just among those that are left
    await joinByKey(sides, null, (record, side, isShared) => addSided(all, record, side, isShared));
    await joinByIdentity(all, decisions);
  } finally {
    await shared.close();
    await free.close();
    await found.close();
    await all.close();
  }
}

interface Sides {
  readonly ours: SortedRuns;
  readonly target: SortedRuns;
  readonly shared: SortedRuns;
  readonly moved: MovedDocuments | null;
}

/** The two sides of each document that is on record under another key: the target's comes first. */
async function pairFound(found: SortedRuns, decisions: Decisions): Promise<void> {
  let record: Buffer | null = null;
  for (const cursor = await RecordCursor.open(found); cursor.current !== null; await cursor.advance()) {
    if (record === null) {
      record = Buffer.from(cursor.current);
      continue;
    }
    const [ours, theirs] = [ofSided(cursor.current), ofSided(record)];
    const isEqual =
      (ours.flags & theirs.flags & BY_CONTENT) !== 0 &&
      sameBytes(cursor.current, FOUND.identity, record, FOUND.identity, HASH_BYTES);
    await decisions.pair(isEqual ? { ...ours, payload: theirs.payload } : ours, theirs);
    record = null;
  }
}

type OnPair = (ours: Side, theirs: Side) => Promise<void>;
/** `targetKey`: of a document that is on record under another key, the one that it has in the target. */
type OnRecord = (record: Buffer, side: number, isShared: boolean, targetKey: Buffer | null) => Promise<void>;

/**
 * Joins both sides by scan key. Resolves with how many documents of each have no partner.
 *
 * @param onRecord gets each record of both sides with what it is (TARGET_FREE …)
 */
async function joinByKey(
  { ours, target, shared, moved }: Sides,
  onPair: OnPair | null,
  onRecord: OnRecord,
): Promise<{ ours: number; theirs: number }> {
  const left = await RecordCursor.open(ours);
  const right = await RecordCursor.open(target);
  const addresses = await RecordCursor.open(shared);
  const anyMoved = moved !== null && moved.byOurs.count > 0;
  const movedOurs = anyMoved ? await RecordCursor.open(moved.byOurs) : null;
  const movedTarget = anyMoved ? await RecordCursor.open(moved.byTarget) : null;
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
      const record = left.current!;
      const isFound = order < 0 && movedOurs !== null && (await movedOurs.seek(record, 0));
      if (isFound) {
        await onRecord(record, BACKUP_TAKEN, isShared, movedOurs.current!.subarray(HASH_BYTES));
      } else {
        if (order < 0) free.ours++;
        await onRecord(record, order === 0 ? BACKUP_TAKEN : BACKUP_FREE, isShared, null);
      }
      if (!left.step()) await left.advance();
    }
    if (order >= 0) {
      const record = right.current!;
      const isFound = order > 0 && movedTarget !== null && (await movedTarget.seek(record, 0));
      if (isFound) {
        await onRecord(record, TARGET_TAKEN, isShared, record.subarray(RECORD.key, RECORD.key + HASH_BYTES));
      } else {
        if (order > 0) free.theirs++;
        await onRecord(record, order === 0 ? TARGET_TAKEN : TARGET_FREE, isShared, null);
      }
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
  writeSided(sided.slot(), record, side, isShared);
  sided.added();
}

async function addFound(
  found: SortedRuns,
  record: Buffer,
  side: number,
  isShared: boolean,
  targetKey: Buffer,
): Promise<void> {
  if (found.full) await found.flush();
  const slot = found.slot();
  writeSided(slot, record, side, isShared);
  slot.copy(slot, FOUND.identity, SIDED.identity, SIDED.side);
  targetKey.copy(slot, SIDED.identity);
  found.added();
}

function writeSided(slot: Buffer, record: Buffer, side: number, isShared: boolean): void {
  record.copy(slot, SIDED.identity, RECORD.identity, RECORD.identity + HASH_BYTES);
  slot[SIDED.side] = side;
  record.copy(slot, SIDED.payload, RECORD.payload, RECORD.payload + HASH_BYTES);
  slot[SIDED.flags] = record[RECORD.flags]! | (isShared ? SHARED_ADDRESS : 0);
  record.copy(slot, SIDED.place, RECORD.place, RECORD.width);
  record.copy(slot, SIDED.key, RECORD.key, RECORD.key + HASH_BYTES);
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
    key: record.subarray(SIDED.key, SIDED.key + HASH_BYTES),
    payload: record.subarray(SIDED.payload, SIDED.payload + HASH_BYTES),
    place: record.subarray(SIDED.place, SIDED.key),
    flags: record[SIDED.flags]!,
  };
}
