import { type Scratch, SortedRuns } from '../../../kernel/sorted-runs.ts';
import type { MovedDocuments } from '../match/moved-documents.ts';
import { BY_CONTENT, HASH_BYTES, RECORD, RecordCursor } from '../match/records.ts';
import type { TargetState } from '../target/reading.ts';
import type { Change } from './changes.ts';

/** identity hash ‖ place of the address */
const EQUAL = { place: HASH_BYTES, width: HASH_BYTES + 8 } as const;

/**
 * Documents of the target that hold the same as ones that a restore creates, where these are known by their content alone
 * until the server has named them: after a crash nobody could tell which were there before. To be closed.
 */
export class Bystanders {
  /** What is created. */
  readonly #identities: SortedRuns;
  readonly #scratch: Scratch;

  constructor(scratch: Scratch) {
    this.#scratch = scratch;
    this.#identities = new SortedRuns(scratch, HASH_BYTES);
  }

  async noteCreated({ do: verb, byContent, identity }: Change): Promise<void> {
    if (verb !== 'create' || !byContent || identity === null) return;
    if (this.#identities.full) await this.#identities.flush();
    this.#identities.slot().write(identity, 'latin1');
    this.#identities.added();
  }

  /** A JSON text for each that is found in the target. */
  async *texts({ records, live }: TargetState): AsyncGenerator<Uint8Array> {
    if (this.#identities.count === 0) return;
    const held = new SortedRuns(this.#scratch, EQUAL.width);
    try {
      for (
        const cursor = await RecordCursor.open(records.runs);
        cursor.current !== null;
        await cursor.advance()
      ) {
        const record: Buffer = cursor.current;
        if ((record[RECORD.flags]! & BY_CONTENT) === 0) continue;
        if (held.full) await held.flush();
        const slot = held.slot();
        record.copy(slot, 0, RECORD.identity, RECORD.payload);
        record.copy(slot, EQUAL.place, RECORD.place, RECORD.width);
        held.added();
      }
      const created = await RecordCursor.open(this.#identities);
      for (const cursor = await RecordCursor.open(held); cursor.current !== null; await cursor.advance()) {
        if (!(await created.seek(cursor.current, 0))) continue;
        const key = await live.readKey(cursor.current, EQUAL.place);
        if (key !== null) yield Buffer.concat([Buffer.from('{"id":'), key, Buffer.from('}')]);
      }
    } finally {
      await held.close();
    }
  }

  async close(): Promise<void> {
    await this.#identities.close();
  }
}

/**
 * The records of a target without those of bystanders, which nothing is to be taken for. One that was changed itself, or
 * that is where one of ours was moved to, stays.
 *
 * @param bystanders hashes of keys; @param changed RECORD
 */
export async function withoutBystanders(
  scratch: Scratch,
  target: SortedRuns,
  bystanders: SortedRuns,
  changed: SortedRuns,
  moved: MovedDocuments,
): Promise<SortedRuns> {
  const others = new SortedRuns(scratch, RECORD.width);
  const [named, own, movedTo] = await Promise.all(
    [bystanders, changed, moved.byTarget].map((runs) => RecordCursor.open(runs)),
  );
  for (const cursor = await RecordCursor.open(target); cursor.current !== null; await cursor.advance()) {
    const record: Buffer = cursor.current;
    if (await named!.seek(record, 0)) {
      const isOurs = (await own!.seek(record, 0)) || (await movedTo!.seek(record, 0));
      if (!isOurs) continue;
    }
    if (others.full) await others.flush();
    record.copy(others.slot());
    others.added();
  }
  return others;
}
