import { idMapPiece, idMapPieceKey } from '../../../archive/layout.ts';
import { BackupError } from '../../../kernel/errors.ts';
import type { Scratch } from '../../../kernel/sorted-runs.ts';
import { FORMAT } from '../../../model/manifest.ts';
import { encodeIdMapRecord } from '../../../model/restore-record.ts';
import type { Repository } from '../../../repository.ts';
import { onePiece } from '../../../stores/store.ts';
import { WRITES_IN_FLIGHT } from '../write/write-queue.ts';
import { keepArchive } from './kept-archive.ts';

/** So many new keys may be lost by a crash (design.md §7). */
const UNKEPT_MAX = 1000;

/**
 * Keeps `restores/<restore_id>/idmap-<number>` while a restore writes: where its documents stand in the target, if that is
 * otherwise than its plan could know. A piece counts over those before it. A store that takes none does not stop the restore.
 */
export class IdMapWriter {
  /** Why pieces are missing, if they are. */
  failure: BackupError | null = null;
  readonly #repository: Repository;
  readonly #scratch: Scratch;
  readonly #kept: { readonly restoreId: string; readonly collection: string };
  readonly #pending: Uint8Array[] = [];
  #pieces = 0;

  constructor(repository: Repository, scratch: Scratch, restoreId: string, collection: string) {
    this.#repository = repository;
    this.#scratch = scratch;
    this.#kept = { restoreId, collection };
  }

  /** @param id key (JSON text) of the document in what is written; @param now the one that it has in the target */
  add(id: Uint8Array, now: Uint8Array): void {
    this.#pending.push(movedText(id, now, null));
  }

  /** True when `flush` must be awaited before the next write begins: those under way may add more. */
  get isDue(): boolean {
    return this.#pending.length >= UNKEPT_MAX - WRITES_IN_FLIGHT;
  }

  async flush(): Promise<void> {
    if (this.#pending.length > 0) await this.keep(this.#pending.splice(0));
  }

  /** Keeps these texts (`movedText`) as the next piece. */
  async keep(texts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    if (this.failure !== null) return;
    const { restoreId } = this.#kept;
    const { store, platform } = this.#repository;
    const piece = idMapPiece(++this.#pieces);
    try {
      // not given up when the restore is stopped: what was written is to be known
      const archive = { ...this.#kept, what: piece, shape: 'flat' as const };
      const idmap = await keepArchive(this.#repository, this.#scratch, archive, each(texts), undefined);
      const record = encodeIdMapRecord(platform.codec, { format: FORMAT, restore_id: restoreId, idmap });
      await store.put(idMapPieceKey(restoreId, piece), onePiece(record));
    } catch (thrown) {
      if (!(thrown instanceof BackupError)) throw thrown;
      this.failure = thrown;
    }
  }
}

/** @param now null: as planned; `nowhere`: it is about to be deleted and inserted again; @param seen in hex */
export function movedText(
  id: Uint8Array,
  now: Uint8Array | 'nowhere' | null,
  seen: string | null,
): Uint8Array {
  return Buffer.concat([
    Buffer.from('{"id":'),
    id,
    ...(now === null ? [] : [Buffer.from(',"now":'), now === 'nowhere' ? Buffer.from('null') : now]),
    Buffer.from(seen === null ? '}' : `,"seen":"${seen}"}`),
  ]);
}

async function* each<Item>(items: AsyncIterable<Item> | Iterable<Item>): AsyncGenerator<Item> {
  yield* items;
}
