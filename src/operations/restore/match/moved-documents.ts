import { type Scratch, SortedRuns } from '../../../kernel/sorted-runs.ts';
import { MOVED, type OURS, TARGETS, WHERE } from '../keep/saved-id-maps.ts';
import { HASH_BYTES, RECORD, RecordCursor, sameBytes } from './records.ts';

/** Our documents that stand in the target under keys it gave them: hash of one key ‖ hash of the other. To be closed. */
export interface MovedDocuments {
  /** Our key first. */
  readonly byOurs: SortedRuns;
  /** The target's key first. */
  readonly byTarget: SortedRuns;
  close(): Promise<void>;
}

/** A document may have been deleted and brought back again and again, and has another key each time. */
const STEPS_MAX = 16;
/** A key that one of our documents had ‖ our key. */
const TRACE = { ours: HASH_BYTES, width: 2 * HASH_BYTES } as const;
/** Where a trace leads: key ‖ age ‖ our key. */
const REACHED = { age: HASH_BYTES, ours: HASH_BYTES + 4, width: 2 * HASH_BYTES + 4 } as const;
/** Our key ‖ age ‖ key in the target. */
const CANDIDATE = { age: HASH_BYTES, target: HASH_BYTES + 4, width: 2 * HASH_BYTES + 4 } as const;

/**
 * Finds documents that are in the target under no key of ours by what earlier restores kept on record: one to one, and
 * where they say several things the newest counts.
 *
 * @param ours, target RECORD; @param moved MOVED, of `firstKeys` those that name our documents
 */
export async function findMoved(
  scratch: Scratch,
  ours: SortedRuns,
  target: SortedRuns,
  moved: SortedRuns,
  firstKeys: typeof OURS | typeof TARGETS,
): Promise<MovedDocuments> {
  const byOurs = new SortedRuns(scratch, 2 * HASH_BYTES);
  const byTarget = new SortedRuns(scratch, 2 * HASH_BYTES);
  const close = async (): Promise<void> => {
    await byOurs.close();
    await byTarget.close();
  };
  if (moved.count === 0 || target.count === 0) return { byOurs, byTarget, close };
  const candidates = new SortedRuns(scratch, CANDIDATE.width);
  let traces = await unmatchedKeys(scratch, ours, target);
  try {
    for (let step = 0; step < STEPS_MAX && traces.count > 0; step++) {
      const reached = await follow(scratch, traces, moved, step === 0 ? firstKeys : TARGETS);
      await traces.close();
      traces = await goOn(scratch, reached, ours, target, candidates);
      await reached.close();
    }
    await choose(scratch, candidates, byOurs, byTarget);
    return { byOurs, byTarget, close };
  } catch (thrown) {
    await close();
    throw thrown;
  } finally {
    await traces.close();
    await candidates.close();
  }
}

async function put(runs: SortedRuns, ...parts: readonly Buffer[]): Promise<void> {
  if (runs.full) await runs.flush();
  const slot = runs.slot();
  let at = 0;
  for (const part of parts) at += part.copy(slot, at);
  runs.added();
}

async function unmatchedKeys(scratch: Scratch, ours: SortedRuns, target: SortedRuns): Promise<SortedRuns> {
  const traces = new SortedRuns(scratch, TRACE.width);
  const held = await RecordCursor.open(target);
  for (const cursor = await RecordCursor.open(ours); cursor.current !== null; await cursor.advance()) {
    const key = cursor.current.subarray(RECORD.key, RECORD.key + HASH_BYTES);
    if (!(await held.seek(key, 0))) await put(traces, key, key);
  }
  return traces;
}

/** Everything that is on record of documents with these keys. */
async function follow(
  scratch: Scratch,
  traces: SortedRuns,
  moved: SortedRuns,
  keysOf: number,
): Promise<SortedRuns> {
  const reached = new SortedRuns(scratch, REACHED.width);
  const entries = await RecordCursor.open(moved);
  for (const cursor = await RecordCursor.open(traces); cursor.current !== null; await cursor.advance()) {
    const trace: Buffer = cursor.current;
    // two documents never have the same key at one time: each entry leads one of them on
    for (; await entries.seek(trace, 0); await entries.advance()) {
      const entry = entries.current!;
      if ((entry[MOVED.keysOf]! & keysOf) === 0 || entry[MOVED.where] !== WHERE.elsewhere) continue;
      await put(
        reached,
        entry.subarray(MOVED.to, MOVED.seen),
        entry.subarray(MOVED.age, MOVED.keysOf),
        trace.subarray(TRACE.ours),
      );
    }
  }
  return reached;
}

/** Keeps what is none of ours by its key: what is in the target, and what may have been moved once more. */
async function goOn(
  scratch: Scratch,
  reached: SortedRuns,
  ours: SortedRuns,
  target: SortedRuns,
  candidates: SortedRuns,
): Promise<SortedRuns> {
  const traces = new SortedRuns(scratch, TRACE.width);
  const held = await RecordCursor.open(target);
  const own = await RecordCursor.open(ours);
  for (const cursor = await RecordCursor.open(reached); cursor.current !== null; await cursor.advance()) {
    const key = cursor.current.subarray(0, HASH_BYTES);
    const ourKey = cursor.current.subarray(REACHED.ours, REACHED.width);
    const isHeld = await held.seek(key, 0);
    // the key of another of our documents: what is on record of that key is on record of that document
    if (await own.seek(key, 0)) continue;
    if (isHeld) await put(candidates, ourKey, cursor.current.subarray(REACHED.age, REACHED.ours), key);
    else await put(traces, key, ourKey);
  }
  return traces;
}

async function choose(
  scratch: Scratch,
  candidates: SortedRuns,
  byOurs: SortedRuns,
  byTarget: SortedRuns,
): Promise<void> {
  const newest = new SortedRuns(scratch, REACHED.width);
  try {
    for await (const candidate of firstOfEachKey(candidates))
      await put(
        newest,
        candidate.subarray(CANDIDATE.target, CANDIDATE.width),
        candidate.subarray(CANDIDATE.age, CANDIDATE.target),
        candidate.subarray(0, HASH_BYTES),
      );
    for await (const chosen of firstOfEachKey(newest)) {
      const key = chosen.subarray(0, HASH_BYTES);
      const ourKey = chosen.subarray(REACHED.ours, REACHED.width);
      await put(byOurs, ourKey, key);
      await put(byTarget, key, ourKey);
    }
  } finally {
    await newest.close();
  }
}

async function* firstOfEachKey(runs: SortedRuns): AsyncGenerator<Buffer> {
  let former: Buffer | null = null;
  for (const cursor = await RecordCursor.open(runs); cursor.current !== null; await cursor.advance()) {
    if (former !== null && sameBytes(former, 0, cursor.current, 0, HASH_BYTES)) continue;
    former = Buffer.from(cursor.current.subarray(0, HASH_BYTES));
    yield cursor.current;
  }
}
