import { restoreArchiveKey, restoreMapKey } from '../../archive/layout.ts';
import { BackupError } from '../../kernel/errors.ts';
import { DocumentScanner } from '../../kernel/json/document-scanner.ts';
import { MemberNames } from '../../kernel/json/member-names.ts';
import type { Scratch } from '../../kernel/sorted-runs.ts';
import { RECORD_BYTES_MAX } from '../../model/canonical-record.ts';
import { FORMAT } from '../../model/manifest.ts';
import { encodeIdMapRecord, parseIdMapRecord } from '../../model/restore-record.ts';
import type { Repository } from '../../repository.ts';
import { onePiece, readObject } from '../../stores/store.ts';
import { proveArchive, readArchive } from '../verified-reading.ts';
import type { Change } from './changes.ts';
import { keepArchive } from './kept-archive.ts';
import type { Reader } from './read-back.ts';

/** How a document was found when it was read back: JSON texts of its key in the plan and of the one that it has now. */
export interface SeenDocument {
  readonly id: Buffer;
  /** Null: as planned. */
  readonly now: Buffer | null;
  /** Hash of its payload, the first 128 bits; latin1. */
  readonly seen: string;
}

/**
 * Keeps `restores/<restore_id>/idmap`: the documents that stand in the target otherwise than the plan said, and behind
 * them the record by which they are proved. Resolves with null, or with why that was not possible.
 */
export async function keepIdMap(
  repository: Repository,
  reader: Reader,
  restoreId: string,
): Promise<BackupError | null> {
  if (reader.seen.count === 0) return null;
  try {
    await keep(repository, reader, restoreId);
    return null;
  } catch (thrown) {
    if (thrown instanceof BackupError) return thrown;
    throw thrown;
  }
}

async function keep(
  repository: Repository,
  { material, reading, seen }: Reader,
  restoreId: string,
): Promise<void> {
  const { scratch, signal } = reading;
  const { codec } = repository.platform;
  const { collection } = reading.collection;
  const texts = seen.texts(codec, material, signal);
  const kept = { restoreId, what: 'idmap' as const, collection, shape: 'flat' as const };
  const idmap = await keepArchive(repository, scratch, kept, texts, signal);
  const record = encodeIdMapRecord(codec, {
    format: FORMAT,
    restore_id: restoreId,
    idmap,
  });
  await repository.store.put(restoreMapKey(restoreId), onePiece(record), signal);
}

/**
 * The changes of a restore as they were found afterwards, one by one in the order in which they are kept: those that the
 * id map does not name, as they were sent.
 */
export class IdMap {
  readonly #documents: AsyncGenerator<SeenDocument>;
  readonly #restoreId: string;
  #next: SeenDocument | null = null;

  private constructor(restoreId: string, documents: AsyncGenerator<SeenDocument>) {
    this.#restoreId = restoreId;
    this.#documents = documents;
  }

  /** Proves the map of a restore; one that was interrupted has none. Throws RECORD_DAMAGED, ARCHIVE_DAMAGED. */
  static async open(
    repository: Repository,
    scratch: Scratch,
    restoreId: string,
    signal: AbortSignal | undefined,
  ): Promise<IdMap> {
    const map = new IdMap(restoreId, seenDocuments(repository, scratch, restoreId, signal));
    await map.#advance();
    return map;
  }

  async found(change: Change): Promise<SeenDocument | null> {
    const next = this.#next;
    if (next === null || change.do === 'delete' || change.id === null || !next.id.equals(change.id))
      return null;
    await this.#advance();
    return next;
  }

  /** Throws RECORD_DAMAGED if it names what the restore did not write. */
  assertAllFound(): void {
    if (this.#next === null) return;
    throw damaged(this.#restoreId, 'it names documents that the restore did not write');
  }

  async close(): Promise<void> {
    await this.#documents.return(undefined);
  }

  async #advance(): Promise<void> {
    const next = await this.#documents.next();
    this.#next = next.done === true ? null : next.value;
  }
}

async function* seenDocuments(
  repository: Repository,
  scratch: Scratch,
  restoreId: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<SeenDocument> {
  let bytes: Uint8Array;
  try {
    bytes = await readObject(repository.store, restoreMapKey(restoreId), RECORD_BYTES_MAX, signal);
  } catch (thrown) {
    if (thrown instanceof BackupError && thrown.code === 'STORE_MISSING') return;
    throw thrown;
  }
  const { restore_id, idmap } = parseIdMapRecord(repository.platform.codec, bytes, restoreId);
  if (restore_id !== restoreId || idmap.object_path !== restoreArchiveKey(restoreId, 'idmap'))
    throw damaged(restoreId, 'it is that of another restore');
  await proveArchive(repository, scratch, idmap, () => {}, signal);
  for await (const { bytes: text, spans } of readArchive(repository, idmap, signal).batches) {
    for (let index = 0; index < spans.count; index++)
      yield parseSeen(text.subarray(spans.start(index), spans.end(index)), restoreId);
  }
}

const NAMES = ['id', 'now', 'seen'] as const;

function parseSeen(text: Uint8Array, restoreId: string): SeenDocument {
  const scanner = new DocumentScanner(new MemberNames(NAMES), null);
  scanner.advance(text, text.length);
  scanner.finish();
  const { spans } = scanner;
  const value = (member: number): Buffer | null =>
    spans.hasMember(0, member)
      ? Buffer.from(text.subarray(spans.memberStart(0, member), spans.memberEnd(0, member)))
      : null;
  const [id, now, seen] = [value(0), value(1), value(2)];
  const hex = seen?.toString('latin1') ?? '';
  if (id === null || !/^"[0-9a-f]{32}"$/.test(hex))
    throw damaged(restoreId, 'a line is not what stands there');
  return { id, now, seen: Buffer.from(hex.slice(1, -1), 'hex').toString('latin1') };
}

function damaged(restoreId: string, how: string): BackupError {
  return new BackupError('RECORD_DAMAGED', `the id map of restore ${restoreId} is damaged: ${how}`, {
    object: restoreId,
    cure: 'Restore a backup that is older than that restore: `list` shows them.',
  });
}
