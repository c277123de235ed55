import type { SortedRuns } from '../../../kernel/sorted-runs.ts';
import { RecordCursor } from '../match/records.ts';
import type { PlanParts } from '../plan.ts';
import type { TargetReading, TargetState } from '../target/reading.ts';
import { ACTION, DELETION } from '../write/actions.ts';

/** The documents of the target that a plan replaces or deletes, as they were read. */
export async function* preImages(parts: PlanParts, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const { writes, deletions } = parts.actions;
  yield* documentsAt(parts, writes, ACTION.place, signal);
  yield* documentsAt(parts, deletions, DELETION.place, signal);
}

async function* documentsAt(
  { state, reading }: PlanParts,
  records: SortedRuns,
  place: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const now = { ...reading, signal };
  for (const cursor = await RecordCursor.open(records); cursor.current !== null; await cursor.advance()) {
    const live = await liveDocument(now, state, cursor.current, place);
    if (live !== null) yield live;
  }
}

/**
 * The document of the target whose place stands in a record; null if there is none, or others have deleted it. Where it
 * was passed over when the target was read (EndangeredDocuments) it is fetched.
 */
export async function liveDocument(
  { collection, signal }: TargetReading,
  { live }: TargetState,
  record: Buffer,
  place: number,
): Promise<Uint8Array | null> {
  const address = await live.readAddress(record, place);
  if (address === null) return null;
  const kept = await live.readDocument(record, place);
  if (kept !== null) return kept;
  const fetched = await collection.document(address, signal);
  return fetched === null ? null : fetched.bytes.subarray(fetched.spans.start(0), fetched.spans.end(0));
}
