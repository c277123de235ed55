import {
  type IdMapPiece,
  idMapPieceKey,
  idMapPieceOfKey,
  RESTORE_PREFIX,
  restoreArchiveKey,
} from '../../../archive/layout.ts';
import { BackupError } from '../../../kernel/errors.ts';
import { DocumentScanner } from '../../../kernel/json/document-scanner.ts';
import { MemberNames } from '../../../kernel/json/member-names.ts';
import { decodedKey } from '../../../kernel/json/strings.ts';
import { type Scratch, SortedRuns } from '../../../kernel/sorted-runs.ts';
import { RECORD_BYTES_MAX } from '../../../model/canonical-record.ts';
import type { ReportedWarning } from '../../../model/report.ts';
import { isRestoreId, parseIdMapRecord } from '../../../model/restore-record.ts';
import { isNumericKey } from '../../../model/shape.ts';
import type { Repository } from '../../../repository.ts';
import { readObject } from '../../../stores/store.ts';
import { proveArchive, readArchive } from '../../verified-reading.ts';
import { HASH_BYTES, writeKey } from '../match/records.ts';

/**
 * Where a restore left one document: hash of its key in what was written ‖ u32 age (the newest sorts first) ‖ whose keys these are ‖ where
 * it is ‖ hash of its key now ‖ hash of the payload that was found, zero: what was sent.
 */
export const MOVED = {
  from: 0,
  age: HASH_BYTES,
  keysOf: HASH_BYTES + 4,
  where: HASH_BYTES + 5,
  to: HASH_BYTES + 6,
  seen: 2 * HASH_BYTES + 6,
  width: 3 * HASH_BYTES + 6,
} as const;
/** Bits of `keysOf`: keys of the documents that are matched now; keys that the target itself gave. */
export const OURS = 1;
export const TARGETS = 2;
export const WHERE = { asPlanned: 0, elsewhere: 1, nowhere: 2 } as const;

/** What restores to one target left on record of where their documents stand there. To be closed. */
export class SavedIdMaps {
  /** MOVED records. */
  readonly moved: SortedRuns;
  /** About maps that are of no use; a restore goes without them. */
  readonly warnings: ReportedWarning[] = [];
  readonly #repository: Repository;
  readonly #scratch: Scratch;
  readonly #signal: AbortSignal | undefined;
  #age = 0xffff_ffff;

  constructor(repository: Repository, scratch: Scratch, signal: AbortSignal | undefined) {
    this.#repository = repository;
    this.#scratch = scratch;
    this.#signal = signal;
    this.moved = new SortedRuns(scratch, MOVED.width);
  }

  /** Adds the map of a restore; older restores come first, and so do older pieces. */
  async add(restoreId: string, pieces: readonly IdMapPiece[], keysOf: number): Promise<void> {
    for (const piece of pieces) await this.orSkip(restoreId, () => this.#addPiece(restoreId, piece, keysOf));
  }

  /** Does without what is kept of a restore where that is damaged: resolves with null then, and a warning says so. */
  async orSkip<Result>(restoreId: string, read: () => Promise<Result>): Promise<Result | null> {
    try {
      return await read();
    } catch (thrown) {
      if (!(thrown instanceof BackupError) || !OF_DAMAGE.includes(thrown.code)) throw thrown;
      this.warnings.push({
        code: 'IDMAP_DAMAGED',
        message: `what is known of where restore ${restoreId} put its documents is left out: ${thrown.message}`,
        object: restoreId,
      });
      return null;
    }
  }

  async close(): Promise<void> {
    await this.moved.close();
  }

  async #addPiece(restoreId: string, piece: IdMapPiece, keysOf: number): Promise<void> {
    const { store, platform } = this.#repository;
    const { codec } = platform;
    const key = idMapPieceKey(restoreId, piece);
    const bytes = await readObject(store, key, RECORD_BYTES_MAX, this.#signal);
    const { restore_id, idmap } = parseIdMapRecord(codec, bytes, restoreId);
    if (restore_id !== restoreId || idmap.object_path !== restoreArchiveKey(restoreId, piece))
      throw damaged(restoreId, 'it is that of another restore');
    await proveArchive(this.#repository, this.#scratch, idmap, () => {}, this.#signal);
    this.#age--;
    const hashInto = (record: Buffer, at: number, text: Uint8Array): void =>
      writeKey(record, at, codec.sha256(decodedKey(text, 0, text.length)), isNumericKey(text));
    for await (const { bytes: text, spans } of readArchive(this.#repository, idmap, this.#signal).batches) {
      for (let index = 0; index < spans.count; index++) {
        const { id, now, seen } = parseMoved(text.subarray(spans.start(index), spans.end(index)), restoreId);
        if (this.moved.full) await this.moved.flush();
        const record = this.moved.slot();
        record.fill(0);
        hashInto(record, MOVED.from, id);
        record.writeUInt32BE(this.#age, MOVED.age);
        record[MOVED.keysOf] = keysOf;
        record[MOVED.where] =
          now === null ? WHERE.asPlanned : now === 'nowhere' ? WHERE.nowhere : WHERE.elsewhere;
        if (now !== null && now !== 'nowhere') hashInto(record, MOVED.to, now);
        if (seen !== null) record.write(seen, MOVED.seen, 'latin1');
        this.moved.added();
      }
    }
  }
}

const OF_DAMAGE: readonly string[] = [
  'RECORD_DAMAGED',
  'ARCHIVE_DAMAGED',
  'FORMAT_UNKNOWN',
  'RESTORE_MISSING',
  'STORE_MISSING',
];

/** The pieces of all id maps in a store, by restore; both sorted, older ones first. */
export async function savedPieces(
  { store }: Repository,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, readonly IdMapPiece[]>> {
  const found: { restoreId: string; piece: IdMapPiece }[] = [];
  for await (const { key } of store.list(RESTORE_PREFIX, signal)) {
    const named = idMapPieceOfKey(key);
    if (named !== null && isRestoreId(named.restoreId)) found.push(named);
  }
  found.sort((a, b) => (a.restoreId + a.piece < b.restoreId + b.piece ? -1 : 1));
  const pieces = new Map<string, IdMapPiece[]>();
  for (const { restoreId, piece } of found) {
    const known = pieces.get(restoreId);
    if (known === undefined) pieces.set(restoreId, [piece]);
    else known.push(piece);
  }
  return pieces;
}

interface Moved {
  /** JSON texts. */
  readonly id: Buffer;
  /** Null: as planned. */
  readonly now: Buffer | 'nowhere' | null;
  /** Hash of its payload, the first 128 bits; latin1. */
  readonly seen: string | null;
}

const NAMES = ['id', 'now', 'seen'] as const;

function parseMoved(text: Uint8Array, restoreId: string): Moved {
  const scanner = new DocumentScanner(new MemberNames(NAMES), null);
  scanner.advance(text, text.length);
  scanner.finish();
  const { spans } = scanner;
  const value = (member: number): Buffer | null =>
    spans.hasMember(0, member)
      ? Buffer.from(text.subarray(spans.memberStart(0, member), spans.memberEnd(0, member)))
      : null;
  const [id, now, seen] = [value(0), value(1), value(2)];
  const hex = seen?.toString('latin1') ?? null;
  if (id === null || (hex !== null && !/^"[0-9a-f]{32}"$/.test(hex)))
    throw damaged(restoreId, 'a line is not what stands there');
  return {
    id,
    now: now?.toString('latin1') === 'null' ? 'nowhere' : now,
    seen: hex === null ? null : Buffer.from(hex.slice(1, -1), 'hex').toString('latin1'),
  };
}

function damaged(restoreId: string, how: string): BackupError {
  return new BackupError('RECORD_DAMAGED', `a piece of the id map is damaged: ${how}`, { object: restoreId });
}
