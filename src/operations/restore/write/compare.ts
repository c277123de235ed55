import { type Scratch, SortedRuns } from '../../../kernel/sorted-runs.ts';
import { BY_CONTENT, HASH_BYTES, RECORD, RecordCursor, sameBytes } from '../match/records.ts';
import { FATE, OUTCOME } from './outcomes.ts';
import type { SeenDocuments } from './seen-documents.ts';

/** How the documents that were written compare with what the target holds. */
export interface Comparison {
  sameBytes: number;
  /** Other bytes, the same value: known where documents are found by their value. */
  sameValue: number;
  /** Documents whose answer was lost and that are there. */
  insertsFound: number;
  replacementsFound: number;
  readonly different: SortedRuns;
  /** Outcomes (OUTCOME) of documents that are not in the target. */
  readonly missing: SortedRuns;
  close(): Promise<void>;
}

/**
 * A document that the target holds with other bytes: identity hash ‖ scan key hash ‖ fate ‖ place of the document ‖ lone ‖ hash of
 * the payload that is there ‖ place of its address. Lone: nothing else has this identity, neither among the documents written nor in the target.
 */
export const DIFFERENT = {
  identity: 0,
  key: HASH_BYTES,
  fate: 2 * HASH_BYTES,
  document: 2 * HASH_BYTES + 1,
  lone: 2 * HASH_BYTES + 9,
  payload: 2 * HASH_BYTES + 10,
  place: 3 * HASH_BYTES + 10,
  width: 3 * HASH_BYTES + 18,
} as const;

/** identity hash ‖ payload hash ‖ flags ‖ scan key hash ‖ fate ‖ place of the document */
const WRITTEN = {
  payload: HASH_BYTES,
  flags: 2 * HASH_BYTES,
  outcome: 2 * HASH_BYTES + 1,
  width: 2 * HASH_BYTES + 1 + OUTCOME.width,
} as const;
/** Documents of one identity that are remembered one by one. */
const REMEMBERED_MAX = 10_000;

/** identity hash ‖ payload hash ‖ place of the address */
const FOUND = { payload: HASH_BYTES, place: 2 * HASH_BYTES, width: 2 * HASH_BYTES + 8 } as const;
/** scan key hash ‖ fate ‖ place of the document ‖ identity hash */
const UNFOUND = { identity: OUTCOME.width, width: OUTCOME.width + HASH_BYTES } as const;

/**
 * Compares the documents that a restore wrote with what the target holds now: by identity, since a server may have
 * given them new keys, and by the hash of their payloads.
 *
 * @param backup records of the backup; @param outcomes of the documents that were to be written;
 * @param target records read afterwards
 */
export async function compareWritten(
  scratch: Scratch,
  backup: SortedRuns,
  outcomes: SortedRuns,
  target: SortedRuns,
  seen: SeenDocuments,
): Promise<Comparison> {
  const different = new SortedRuns(scratch, DIFFERENT.width);
  const missing = new SortedRuns(scratch, OUTCOME.width);
  const close = async (): Promise<void> => {
    await different.close();
    await missing.close();
  };
  const found = { sameBytes: 0, sameValue: 0, insertsFound: 0, replacementsFound: 0 };
  const comparison: Comparison = Object.assign(found, { different, missing, close });
  const written = await writtenByIdentity(scratch, backup, outcomes);
  const held = await byIdentity(scratch, target);
  const unfound = new SortedRuns(scratch, UNFOUND.width);
  try {
    const left = await RecordCursor.open(written);
    const right = await RecordCursor.open(held);
    while (left.current !== null) await compareGroup(left, right, comparison, seen, unfound);
    await findByKey(unfound, target, comparison);
    return comparison;
  } catch (thrown) {
    await close();
    throw thrown;
  } finally {
    await written.close();
    await held.close();
    await unfound.close();
  }
}

/** The documents of one identity: equal ones are paired as they come, for both sides are sorted by payload next. */
async function compareGroup(
  left: RecordCursor,
  right: RecordCursor,
  comparison: Comparison,
  seen: SeenDocuments,
  unfound: SortedRuns,
): Promise<void> {
  const identity = Buffer.from(left.current!.subarray(0, HASH_BYTES));
  const isOfGroup = (record: Buffer | null): record is Buffer =>
    record !== null && sameBytes(record, 0, identity, 0, HASH_BYTES);
  while (right.current !== null && right.current.compare(identity, 0, HASH_BYTES, 0, HASH_BYTES) < 0)
    await right.advance();
  const unlike: Buffer[] = [];
  let [writtenCount, heldCount, othersHeld] = [0, 0, 0];
  let first: Buffer | null = null;
  const others: Buffer[] = [];
  while (isOfGroup(left.current) || isOfGroup(right.current)) {
    const [ours, theirs] = [left.current, right.current];
    const order = !isOfGroup(ours)
      ? 1
      : !isOfGroup(theirs)
        ? -1
        : ours.compare(theirs, FOUND.payload, FOUND.place, WRITTEN.payload, WRITTEN.flags);
    if (order <= 0) {
      writtenCount++;
      if (order === 0) {
        comparison.sameBytes++;
        const outcome = ours!.subarray(WRITTEN.outcome);
        await seen.add(outcome, theirs!.subarray(FOUND.payload), theirs!.subarray(FOUND.place), true);
        noteFound(ours!, comparison);
        if (ours![WRITTEN.outcome + OUTCOME.fate] === FATE.existed) comparison.insertsFound++;
      } else unlike.push(Buffer.from(ours!));
      await left.advance();
    }
    if (order >= 0) {
      heldCount++;
      if (order > 0) {
        othersHeld++;
        if (others.length < REMEMBERED_MAX) others.push(Buffer.from(theirs!));
      }
      first ??= Buffer.from(theirs!);
      await right.advance();
    }
  }
  for (const record of unlike) {
    if (othersHeld-- <= 0) await addMissing(record, comparison.missing, unfound);
    else {
      noteFound(record, comparison);
      if ((record[WRITTEN.flags]! & BY_CONTENT) !== 0) {
        comparison.sameValue++;
        const theirs = others.pop();
        const outcome = record.subarray(WRITTEN.outcome);
        if (theirs !== undefined)
          await seen.add(outcome, theirs.subarray(FOUND.payload), theirs.subarray(FOUND.place), false);
      } else await addDifferent(comparison.different, record, writtenCount === 1 && heldCount === 1, first!);
    }
  }
}

function noteFound(record: Buffer, comparison: Comparison): void {
  const fate = record[WRITTEN.outcome + OUTCOME.fate];
  if (fate === FATE.insertInDoubt) comparison.insertsFound++;
  else if (fate === FATE.replacementInDoubt) comparison.replacementsFound++;
}

async function addMissing(record: Buffer, missing: SortedRuns, unfound: SortedRuns): Promise<void> {
  const fate = record[WRITTEN.outcome + OUTCOME.fate];
  const isReplaced = fate === FATE.replaced || fate === FATE.replacedAgain;
  const runs = isReplaced && (record[WRITTEN.flags]! & BY_CONTENT) !== 0 ? unfound : missing;
  if (runs.full) await runs.flush();
  const slot = runs.slot();
  record.copy(slot, 0, WRITTEN.outcome, WRITTEN.width);
  if (runs === unfound) record.copy(slot, UNFOUND.identity, 0, HASH_BYTES);
  runs.added();
}

/**
 * Where documents are known by their content, one that was replaced and did not become what was sent is still found
 * under the key that it was replaced at: it is different, not missing.
 */
async function findByKey(unfound: SortedRuns, target: SortedRuns, comparison: Comparison): Promise<void> {
  if (unfound.count === 0) return;
  const { different, missing } = comparison;
  const held = await RecordCursor.open(target);
  for (const cursor = await RecordCursor.open(unfound); cursor.current !== null; await cursor.advance()) {
    const ours: Buffer = cursor.current;
    while (held.current !== null && held.current.compare(ours, 0, HASH_BYTES, 0, HASH_BYTES) < 0)
      if (!held.step()) await held.advance();
    const theirs = held.current;
    const isThere =
      theirs !== null &&
      sameBytes(theirs, RECORD.key, ours, OUTCOME.key, HASH_BYTES) &&
      !sameBytes(theirs, RECORD.identity, ours, UNFOUND.identity, HASH_BYTES);
    const runs = isThere ? different : missing;
    if (runs.full) await runs.flush();
    const slot = runs.slot();
    if (isThere) {
      // facts about documents know one without an id of its own by its key
      ours.copy(slot, DIFFERENT.identity, OUTCOME.key, HASH_BYTES);
      ours.copy(slot, DIFFERENT.key, 0, OUTCOME.width);
      slot[DIFFERENT.lone] = 1;
      theirs.copy(slot, DIFFERENT.payload, RECORD.payload, RECORD.payload + HASH_BYTES);
      theirs.copy(slot, DIFFERENT.place, RECORD.place, RECORD.width);
    } else ours.copy(slot, 0, 0, OUTCOME.width);
    runs.added();
  }
}

async function addDifferent(
  different: SortedRuns,
  record: Buffer,
  lone: boolean,
  theirs: Buffer,
): Promise<void> {
  if (different.full) await different.flush();
  const slot = different.slot();
  record.copy(slot, DIFFERENT.identity, 0, HASH_BYTES);
  // key, fate and place stand in the same order
  record.copy(slot, DIFFERENT.key, WRITTEN.outcome, WRITTEN.width);
  slot[DIFFERENT.lone] = lone ? 1 : 0;
  theirs.copy(slot, DIFFERENT.payload, FOUND.payload, FOUND.width);
  different.added();
}

/** identity ‖ payload hash ‖ place of every record of the target, sorted. */
async function byIdentity(scratch: Scratch, records: SortedRuns): Promise<SortedRuns> {
  const found = new SortedRuns(scratch, FOUND.width);
  for (const cursor = await RecordCursor.open(records); cursor.current !== null; await cursor.advance()) {
    if (found.full) await found.flush();
    const slot = found.slot();
    cursor.current.copy(slot, 0, RECORD.identity, RECORD.payload + HASH_BYTES);
    cursor.current.copy(slot, FOUND.place, RECORD.place, RECORD.width);
    found.added();
  }
  return found;
}

/** The documents of the backup that were written, with what became of them. What was refused is not expected to be there. */
async function writtenByIdentity(
  scratch: Scratch,
  backup: SortedRuns,
  outcomes: SortedRuns,
): Promise<SortedRuns> {
  const written = new SortedRuns(scratch, WRITTEN.width);
  const outcome = await RecordCursor.open(outcomes);
  for (const cursor = await RecordCursor.open(backup); cursor.current !== null; await cursor.advance()) {
    while (
      outcome.current !== null &&
      outcome.current.compare(cursor.current, 0, HASH_BYTES, 0, HASH_BYTES) < 0
    )
      await outcome.advance();
    if (outcome.current === null) break;
    if (!sameBytes(outcome.current, OUTCOME.key, cursor.current, RECORD.key, HASH_BYTES)) continue;
    const fate = outcome.current[OUTCOME.fate];
    if (fate === FATE.refused || fate === FATE.taken || fate === FATE.changed) continue;
    if (written.full) await written.flush();
    const slot = written.slot();
    cursor.current.copy(slot, 0, RECORD.identity, RECORD.payload + HASH_BYTES);
    slot[WRITTEN.flags] = cursor.current[RECORD.flags]!;
    outcome.current.copy(slot, WRITTEN.outcome);
    written.added();
  }
  return written;
}
