import { DocumentHasher } from '../../../archive/document-hashes.ts';
import { SortedRuns } from '../../../kernel/sorted-runs.ts';
import { HASH_BYTES, RecordCursor } from '../match/records.ts';
import type { Material } from '../material.ts';
import { HashFilter } from '../target/hash-filter.ts';
import { readDocuments, readTarget, type TargetReading, type TargetState } from '../target/reading.ts';
import { Actions, placeAt, VERB } from './actions.ts';
import { type Comparison, compareWritten, DIFFERENT } from './compare.ts';
import { findUndeleted } from './deletions.ts';
import { FATE, OUTCOME } from './outcomes.ts';
import type { SeenDocuments } from './seen-documents.ts';
import { byMembers, byValue, ContentFacts, type Hashing } from './values.ts';

/** How the documents that were written fared. Those that can still be mended are not counted here but named in `again`. */
export interface ReadBack {
  /** False if the target could not be proved to be read completely: what is missing may be there. */
  readonly complete: boolean;
  sameBytes: number;
  sameValue: number;
  different: number;
  /** The first few that are different. */
  readonly differentNames: string[];
  /** Acknowledged, or of unknown fate where the reading is not complete, and not there. */
  missing: number;
  /** Not there, and not acknowledged. */
  unanswered: number;
  insertsFound: number;
  readonly replacementsFound: number;
  /** Documents that were gone when they were to be replaced, and are created now; in doubt, and are sent again. */
  gone: number;
  resent: number;
  /** Other than they should be, for others made them since the target was read. */
  madeByOthers: number;
  readonly madeByOthersNames: string[];
  /** Documents that are there although they were to be deleted, and were written by others since. */
  readonly keptByOthers: number;
  /** Documents that are there, unchanged, although they were deleted. */
  readonly undeleted: number;
  /** What is to be done about some documents, by their addresses in `state`. */
  readonly again: Actions;
  readonly state: TargetState;
  close(): Promise<void>;
}

const NAMES_MAX = 20;
const NO_BYTES = Buffer.alloc(0);

export interface Reader {
  readonly material: Material;
  readonly reading: TargetReading;
  /** Is told of documents that are as they were sent, but for their bytes or their keys. */
  readonly seen: SeenDocuments;
}

/**
 * Reads the target again and compares what was written; documents with other bytes are compared by value as well.
 *
 * Where `keys` names all documents that were written, only these are read. Unless `last`, it says what can be mended: a document that is proved not to be there, of which no insert was
 * acknowledged, is to be created. One that was replaced and holds its new members and others besides met a server whose
 * update only merges, or another writer: it is to be replaced once more, and if that was done already, to be deleted
 * and inserted, for there is no other way then.
 */
export async function readBack(
  reader: Reader,
  outcomes: SortedRuns,
  deleted: Actions,
  keys: readonly Uint8Array[] | null,
  last: boolean,
): Promise<ReadBack> {
  const { reading, material } = reader;
  const { scratch } = reading;
  await using opened = new AsyncDisposableStack();
  const state = keys === null ? await readTarget(reading) : await readDocuments(reading, keys);
  opened.defer(() => state.close());
  const { seen } = reader;
  seen.beginRound(state.live);
  const found = await compareWritten(scratch, material.records, outcomes, state.records.runs, seen);
  const { unchanged, changed } = await findUndeleted(scratch, deleted, state);
  opened.defer(() => unchanged.close());
  const again = last ? new Actions(scratch) : unchanged;
  try {
    const result: ReadBack = {
      complete: state.complete,
      sameBytes: found.sameBytes,
      sameValue: found.sameValue,
      different: 0,
      differentNames: [],
      missing: 0,
      unanswered: 0,
      insertsFound: found.insertsFound,
      replacementsFound: found.replacementsFound,
      gone: 0,
      resent: 0,
      madeByOthers: 0,
      madeByOthersNames: [],
      keptByOthers: changed,
      undeleted: last ? unchanged.deletions.count : 0,
      again,
      state,
      close: () => Promise.resolve(),
    };
    await judgeMissing(found, result, last);
    if (found.different.count > 0) await judgeDifferent(reader, found, result, last);
    const owned = opened.move();
    return Object.assign(result, { close: () => owned.disposeAsync() });
  } finally {
    await found.close();
  }
}

async function judgeMissing({ missing }: Comparison, result: ReadBack, last: boolean): Promise<void> {
  for (const cursor = await RecordCursor.open(missing); cursor.current !== null; await cursor.advance()) {
    const fate = cursor.current[OUTCOME.fate]!;
    const inDoubt = fate === FATE.insertInDoubt || fate === FATE.replacementInDoubt;
    const acknowledged = !inDoubt && fate !== FATE.gone && fate !== FATE.existed;
    if (acknowledged || !result.complete) result.missing++;
    else if (last) result.unanswered++;
    else {
      if (inDoubt) result.resent++;
      else result.gone++;
      const place = placeAt(cursor.current, OUTCOME.document);
      await result.again.write(VERB.create, place, cursor.current.subarray(0, HASH_BYTES), null);
    }
  }
}

async function judgeDifferent(
  reader: Reader,
  { different }: Comparison,
  result: ReadBack,
  last: boolean,
): Promise<void> {
  const { scratch } = reader.reading;
  await using values = await gatherFacts(reader, different, byValue);
  const otherValue = new SortedRuns(scratch, DIFFERENT.width);
  await using _ = { [Symbol.asyncDispose]: () => otherValue.close() };
  const names: { key: Buffer; name: Buffer; byOthers: boolean }[] = [];
  let mendable = 0;
  for await (const { record, pair } of joined(different, values.facts)) {
    if (pair !== null && [...pair.backup].every((hash) => pair.target.has(hash))) {
      result.sameValue++;
      if (record[DIFFERENT.fate] === FATE.existed) result.insertsFound++;
      if (record[DIFFERENT.lone] === 1) {
        const outcome = record.subarray(DIFFERENT.key, DIFFERENT.lone);
        const payload = record.subarray(DIFFERENT.payload, DIFFERENT.place);
        await reader.seen.add(outcome, payload, record.subarray(DIFFERENT.place), false);
      }
      continue;
    }
    const byOthers = record[DIFFERENT.fate] === FATE.existed;
    if (byOthers) result.madeByOthers++;
    else result.different++;
    if (pair !== null && names.length <= NAMES_MAX) names.push({ ...pair, byOthers });
    if (mayBeMerged(record)) mendable++;
    await copyRecord(record, otherValue);
  }
  const mended = new Set<string>();
  if (mendable > 0 && !last) {
    const { replacesByMerging } = reader.reading.collection.traits;
    await using members = await gatherFacts(reader, otherValue, byMembers);
    for await (const { record, pair } of joined(otherValue, members.facts)) {
      if (pair === null || !mayBeMerged(record) || !holdsMore(pair.target, pair.backup)) continue;
      result.different--;
      if (mended.size <= NAMES_MAX) mended.add(pair.key.toString('latin1'));
      const isOnceMore = record[DIFFERENT.fate] === FATE.replaced && !replacesByMerging;
      const verb = isOnceMore ? VERB.replaceAgain : VERB.recreate;
      await result.again.write(
        verb,
        placeAt(record, DIFFERENT.document),
        record.subarray(DIFFERENT.key, DIFFERENT.fate),
        { place: record.subarray(DIFFERENT.place, DIFFERENT.width), payload: NO_BYTES },
      );
    }
  }
  for (const { key, name, byOthers } of names) {
    const listed = byOthers ? result.madeByOthersNames : result.differentNames;
    if (mended.has(key.toString('latin1')) || listed.length === NAMES_MAX) continue;
    const text = await values.facts.names.readKey(name, 0);
    if (text !== null) listed.push(shortened(Buffer.from(text).toString('utf8')));
  }
}

/** Only a replacement can leave members behind, and only a document that has its id for itself is certainly that one. */
function mayBeMerged(record: Buffer): boolean {
  const fate = record[DIFFERENT.fate];
  const addressable = record.readUInt16BE(DIFFERENT.place + 6) > 0;
  return (
    record[DIFFERENT.lone] === 1 && addressable && (fate === FATE.replaced || fate === FATE.replacedAgain)
  );
}

function holdsMore(target: ReadonlySet<string>, backup: ReadonlySet<string>): boolean {
  return target.size > backup.size && [...backup].every((hash) => target.has(hash));
}

/** Reads target and material once more and gathers what is to be known of the documents whose records are given. */
async function gatherFacts(
  { material, reading }: Reader,
  records: SortedRuns,
  hashing: Hashing,
): Promise<AsyncDisposable & { facts: ContentFacts }> {
  const { codec } = reading.platform;
  const wanted = new HashFilter(24);
  for (const cursor = await RecordCursor.open(records); cursor.current !== null; await cursor.advance())
    wanted.add(cursor.current.toString('latin1', 0, HASH_BYTES));
  const facts = new ContentFacts(codec, reading.scratch, hashing, wanted);
  try {
    const state = await readTarget({
      ...reading,
      onDocument: (batch, index, shape, hashes) => facts.addTarget(batch, index, shape, hashes),
    });
    await state.close();
    const hasher = new DocumentHasher(codec, material.shape);
    for await (const batch of material.batches(reading.signal)) {
      for (let index = 0; index < batch.spans.count; index++)
        await facts.addBackup(batch, index, material.shape, hasher.read(batch, index));
    }
  } catch (thrown) {
    await facts.close();
    throw thrown;
  }
  return { facts, [Symbol.asyncDispose]: () => facts.close() };
}

/** Each record with what was gathered of its document; null if there is nothing. */
async function* joined(records: SortedRuns, facts: ContentFacts) {
  const pairs = facts.pairs();
  let next = await pairs.next();
  for (const cursor = await RecordCursor.open(records); cursor.current !== null; await cursor.advance()) {
    const record: Buffer = cursor.current;
    // pairs come in the order of identity and key, as the records do
    const order = (): number =>
      next.done === true
        ? 1
        : next.value.identity.compare(record, 0, HASH_BYTES) ||
          next.value.key.compare(record, DIFFERENT.key, DIFFERENT.fate);
    while (order() < 0) next = await pairs.next();
    yield { record, pair: next.done !== true && order() === 0 ? next.value : null };
  }
}

async function copyRecord(record: Buffer, into: SortedRuns): Promise<void> {
  if (into.full) await into.flush();
  record.copy(into.slot());
  into.added();
}

function shortened(name: string): string {
  return name.length > 100 ? `${name.slice(0, 100)}…` : name;
}
