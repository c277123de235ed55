import { type Scratch, SortedRuns } from '../../kernel/sorted-runs.ts';
import { ACTION } from './match.ts';
import { HASH_BYTES, RECORD, RecordCursor, sameBytes } from './records.ts';

export interface Comparison {
  sameBytes: number;
  /** Identity hashes (latin1) of documents that the target holds with other bytes. */
  readonly different: Set<string>;
  /** Documents that were to be written and are not in the target. */
  missing: number;
}

/**
 * Compares the documents that a restore wrote with what the target holds now: by identity, since a server may have
 * given them new keys, and by the hash of their payloads.
 *
 * @param backup records of the backup; @param actions which of them were to be written;
 * @param refused scan key hashes of those that the target refused; @param target records read afterwards
 */
export async function compareWritten(
  scratch: Scratch,
  backup: SortedRuns,
  actions: SortedRuns,
  refused: ReadonlySet<string>,
  target: SortedRuns,
): Promise<Comparison> {
  const result: Comparison = { sameBytes: 0, different: new Set(), missing: 0 };
  const expected = await writtenByIdentity(scratch, backup, actions, refused);
  const found = await byIdentity(scratch, target);
  try {
    const left = await RecordCursor.open(expected);
    const right = await RecordCursor.open(found);
    while (left.current !== null) {
      const wanted = left.current;
      while (right.current !== null && right.current.compare(wanted, 0, HASH_BYTES, 0, HASH_BYTES) < 0)
        await right.advance();
      const payloads: Buffer[] = [];
      while (right.current !== null && sameBytes(right.current, 0, wanted, 0, HASH_BYTES)) {
        payloads.push(Buffer.from(right.current.subarray(HASH_BYTES, 2 * HASH_BYTES)));
        await right.advance();
      }
      const identity = Buffer.from(wanted.subarray(0, HASH_BYTES));
      while (left.current !== null && sameBytes(left.current, 0, identity, 0, HASH_BYTES)) {
        const equal = payloads.findIndex((candidate) =>
          sameBytes(candidate, 0, left.current!, HASH_BYTES, HASH_BYTES),
        );
        if (equal >= 0) {
          result.sameBytes++;
          payloads.splice(equal, 1);
        } else if (payloads.length === 0) {
          result.missing++;
        } else {
          result.different.add(identity.toString('latin1'));
        }
        await left.advance();
      }
    }
    return result;
  } finally {
    await expected.close();
    await found.close();
  }
}

const PAIR_BYTES = 2 * HASH_BYTES;

/** identity ‖ payload hash of every record, sorted. */
async function byIdentity(scratch: Scratch, records: SortedRuns): Promise<SortedRuns> {
  const pairs = new SortedRuns(scratch, PAIR_BYTES);
  const cursor = await RecordCursor.open(records);
  for (; cursor.current !== null; await cursor.advance()) await addPair(pairs, cursor.current);
  return pairs;
}

/** The same of the records that an action names. */
async function writtenByIdentity(
  scratch: Scratch,
  backup: SortedRuns,
  actions: SortedRuns,
  refused: ReadonlySet<string>,
): Promise<SortedRuns> {
  const keys = new SortedRuns(scratch, HASH_BYTES);
  for (const cursor = await RecordCursor.open(actions); cursor.current !== null; await cursor.advance()) {
    if (refused.has(cursor.current.toString('latin1', ACTION.key, ACTION.key + HASH_BYTES))) continue;
    if (keys.full) await keys.flush();
    cursor.current.copy(keys.slot(), 0, ACTION.key, ACTION.key + HASH_BYTES);
    keys.added();
  }
  const pairs = new SortedRuns(scratch, PAIR_BYTES);
  try {
    const written = await RecordCursor.open(keys);
    for (const cursor = await RecordCursor.open(backup); cursor.current !== null; await cursor.advance()) {
      while (
        written.current !== null &&
        written.current.compare(cursor.current, 0, HASH_BYTES, 0, HASH_BYTES) < 0
      ) {
        await written.advance();
      }
      if (written.current === null) break;
      if (sameBytes(written.current, 0, cursor.current, RECORD.key, HASH_BYTES))
        await addPair(pairs, cursor.current);
    }
    return pairs;
  } finally {
    await keys.close();
  }
}

async function addPair(pairs: SortedRuns, record: Buffer): Promise<void> {
  if (pairs.full) await pairs.flush();
  record.copy(pairs.slot(), 0, RECORD.identity, RECORD.payload + HASH_BYTES);
  pairs.added();
}
