import { AppendedFile } from '../../kernel/appended-file.ts';
import type { Codec } from '../../kernel/codec.ts';
import { decodedKey } from '../../kernel/json/strings.ts';
import { type Scratch, SortedRuns } from '../../kernel/sorted-runs.ts';
import { isNumericKey } from '../../model/shape.ts';
import type { Change } from './changes.ts';
import type { SeenDocument } from './id-map.ts';
import { BY_CONTENT, HASH_BYTES, RECORD, writeKey } from './records.ts';

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

/**
 * The documents that a restore changed, as it left them: one record (RECORD) each, to be matched with those of a target.
 * The payload of what was deleted is unknown; the place leads to the rest.
 */
export class ChangedDocuments {
  readonly records: SortedRuns;
  readonly #codec: Codec;
  readonly #entries: AppendedFile;

  constructor(codec: Codec, scratch: Scratch) {
    this.#codec = codec;
    this.records = new SortedRuns(scratch, RECORD.width);
    this.#entries = new AppendedFile(scratch);
  }

  /**
   * Returns the hashes by which the document is known (latin1): of its key in the target, and its identity.
   *
   * @param found how it was found when it was read back; null: as it was sent, as far as anybody knows
   */
  async add(change: Change, found: SeenDocument | null): Promise<readonly [string, string]> {
    const place = this.#entries.size;
    const name = change.id ?? change.at ?? Buffer.alloc(0);
    const entry = Buffer.alloc(ENTRY.name);
    entry[ENTRY.verb] = VERBS.indexOf(change.do);
    entry.write(change.before ?? UNKNOWN, ENTRY.before, 'latin1');
    if (change.at !== null)
      writeKey(entry, ENTRY.keyBefore, this.#keyHash(change.at), isNumericKey(change.at));
    entry.writeUInt32BE(name.length, ENTRY.nameLength);
    await this.#entries.append(entry);
    await this.#entries.append(name);

    if (this.records.full) await this.records.flush();
    const record = this.records.slot();
    record.fill(0);
    const at = found?.now ?? change.at;
    // no document has the hash of this text for its key: nobody writes such an id
    const hash =
      at === null ? this.#codec.sha256(Buffer.from(`unknown key of change ${place}`)) : this.#keyHash(at);
    writeKey(record, RECORD.key, hash, isNumericKey(at));
    // where the key is known, another document that holds the same is another
    const byContent = change.byContent && at === null;
    const identity = change.byContent && !byContent ? null : change.identity;
    if (identity === null) writeKey(record, RECORD.identity, hash, isNumericKey(at));
    else record.write(identity, RECORD.identity, 'latin1');
    record.write(found?.seen ?? change.after ?? UNKNOWN, RECORD.payload, 'latin1');
    record[RECORD.flags] = byContent ? BY_CONTENT : 0;
    record.writeUIntBE(place, RECORD.place, 6);
    this.records.added();
    return [hash, identity ?? hash];
  }

  async seal(): Promise<void> {
    await this.#entries.seal();
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
    await this.#entries.close();
  }
}
