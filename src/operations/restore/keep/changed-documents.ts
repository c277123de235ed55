import { AppendedFile } from '../../../kernel/appended-file.ts';
import type { Codec } from '../../../kernel/codec.ts';
import { decodedKey } from '../../../kernel/json/strings.ts';
import { type Scratch, SortedRuns } from '../../../kernel/sorted-runs.ts';
import { isNumericKey } from '../../../model/shape.ts';
import { BY_CONTENT, HASH_BYTES, RECORD, RecordCursor, TAKEN_AWAY, writeKey } from '../match/records.ts';
import type { Change } from './changes.ts';
import { MOVED, WHERE } from './saved-id-maps.ts';

/** Of one changed document: what was done ‖ payload hash before ‖ hash of its key before ‖ length of the name as u32 ‖ name. */
const ENTRY = {
  verb: 0,
  before: 1,
  keyBefore: 1 + HASH_BYTES,
  nameLength: 1 + 2 * HASH_BYTES,
  name: 5 + 2 * HASH_BYTES,
} as const;
const VERBS = ['create', 'replace', 'delete'] as const;
const UNKNOWN = '\0'.repeat(HASH_BYTES);

/** What a restore did to a document. */
export interface DoneChange {
  readonly do: Change['do'];
  readonly before: Buffer;
  /** Hash of the key that it had in the target. */
  readonly keyBefore: Buffer;
  /** JSON text of its key, for people. */
  readonly name: string;
}

/** Hash of its key in what was written ‖ RECORD as it was planned ‖ hash of the value written, zero where that does not tell it apart. */
const PLANNED = {
  record: HASH_BYTES,
  value: HASH_BYTES + RECORD.width,
  width: 2 * HASH_BYTES + RECORD.width,
} as const;

/**
 * The documents that a restore changed, as it left them: one record (RECORD) each, to be matched with those of a target.
 * The payload of what was deleted is unknown; the place leads to the rest.
 */
export class ChangedDocuments {
  readonly records: SortedRuns;
  readonly #codec: Codec;
  readonly #entries: AppendedFile;
  readonly #planned: SortedRuns;

  constructor(codec: Codec, scratch: Scratch) {
    this.#codec = codec;
    this.records = new SortedRuns(scratch, RECORD.width);
    this.#planned = new SortedRuns(scratch, PLANNED.width);
    this.#entries = new AppendedFile(scratch);
  }

  /** @param mayBeBack whether what was deleted may be there again under a key that nobody knows */
  async add(change: Change, mayBeBack: boolean): Promise<void> {
    const place = this.#entries.size;
    const { id, at } = change;
    const name = id ?? at ?? Buffer.alloc(0);
    const entry = Buffer.alloc(ENTRY.name);
    entry[ENTRY.verb] = VERBS.indexOf(change.do);
    entry.write(change.before ?? UNKNOWN, ENTRY.before, 'latin1');
    if (at !== null) writeKey(entry, ENTRY.keyBefore, this.#keyHash(at), isNumericKey(at));
    entry.writeUInt32BE(name.length, ENTRY.nameLength);
    await this.#entries.append(entry);
    await this.#entries.append(name);

    if (this.#planned.full) await this.#planned.flush();
    const planned = this.#planned.slot();
    planned.fill(0);
    if (id !== null && change.do !== 'delete') writeKey(planned, 0, this.#keyHash(id), isNumericKey(id));
    if (change.byContent && change.identity !== null) planned.write(change.identity, PLANNED.value, 'latin1');
    const record = planned.subarray(PLANNED.record);
    // no document has the hash of this text for its key: nobody writes such an id
    const hash =
      at === null ? this.#codec.sha256(Buffer.from(`unknown key of change ${place}`)) : this.#keyHash(at);
    writeKey(record, RECORD.key, hash, isNumericKey(at));
    // where the key is known, another document that holds the same is another
    const byContent = change.byContent && (at === null || (change.do === 'delete' && mayBeBack));
    const identity = change.byContent && !byContent ? null : change.identity;
    if (identity === null) writeKey(record, RECORD.identity, hash, isNumericKey(at));
    else record.write(identity, RECORD.identity, 'latin1');
    record.write(change.after ?? UNKNOWN, RECORD.payload, 'latin1');
    record[RECORD.flags] = byContent ? BY_CONTENT : 0;
    record.writeUIntBE(place, RECORD.place, 6);
    this.#planned.added();
  }

  /**
   * Call once after the last `add`, before anything else: puts the documents where the restore's own id map has them.
   *
   * @param moved MOVED
   */
  async settle(moved: SortedRuns): Promise<void> {
    await this.#entries.seal();
    const map = await RecordCursor.open(moved);
    for (
      const cursor = await RecordCursor.open(this.#planned);
      cursor.current !== null;
      await cursor.advance()
    ) {
      const planned: Buffer = cursor.current;
      if (this.records.full) await this.records.flush();
      const record = this.records.slot();
      planned.copy(record, 0, PLANNED.record, PLANNED.value);
      // of several entries the newest comes first
      if ((await map.seek(planned, 0)) && map.current !== null)
        locate(record, map.current, planned.subarray(PLANNED.value));
      this.records.added();
    }
    await this.#planned.close();
  }

  /** What was done to the document whose record has this place. */
  async read(place: Buffer): Promise<DoneChange> {
    const at = place.readUIntBE(0, 6);
    const entry = await this.#entries.read(at, ENTRY.name);
    const name = await this.#entries.read(at + ENTRY.name, entry.readUInt32BE(ENTRY.nameLength));
    return {
      do: VERBS[entry[ENTRY.verb]!]!,
      before: entry.subarray(ENTRY.before, ENTRY.keyBefore),
      keyBefore: entry.subarray(ENTRY.keyBefore, ENTRY.nameLength),
      name: name.toString('utf8'),
    };
  }

  #keyHash(at: Uint8Array): string {
    return this.#codec.sha256(decodedKey(at, 0, at.length));
  }

  async close(): Promise<void> {
    await this.records.close();
    await this.#planned.close();
    await this.#entries.close();
  }
}

/** Writes into a record where a document was found, or that it was on its way. */
function locate(record: Buffer, moved: Buffer, value: Buffer): void {
  if (moved[MOVED.where] === WHERE.nowhere) {
    record[RECORD.flags]! |= TAKEN_AWAY;
    if (isSet(value)) {
      record[RECORD.flags]! |= BY_CONTENT;
      value.copy(record, RECORD.identity);
    }
  } else if (moved[MOVED.where] === WHERE.elsewhere) moved.copy(record, RECORD.key, MOVED.to, MOVED.seen);
  const seen = moved.subarray(MOVED.seen);
  if (isSet(seen)) seen.copy(record, RECORD.payload);
}

function isSet(hash: Buffer): boolean {
  return hash.some((byte) => byte !== 0);
}
