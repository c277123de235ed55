import { indexKey, manifestKey } from '../archive/layout.ts';
import type { ArchiveWriter } from '../archive/writer.ts';
import { BackupError } from '../kernel/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import type { Repository } from '../repository.ts';
import { onePiece } from '../stores/store.ts';
import { readBackObject } from './read-back.ts';

/**
 * The objects of one backup on their way to being committed. Until the manifest is there nobody sees them, and
 * `withdraw` removes them. In a dry run everything is produced and nothing stored.
 */
export class BackupDraft {
  readonly backupId: string;
  readonly #repository: Repository;
  readonly #options: { readonly dryRun: boolean; readonly readBack: boolean };
  readonly #signal: AbortSignal | undefined;
  #uncommitted: string[] = [];

  constructor(
    repository: Repository,
    backupId: string,
    options: { readonly dryRun: boolean; readonly readBack: boolean },
    signal: AbortSignal | undefined,
  ) {
    this.#repository = repository;
    this.backupId = backupId;
    this.#options = options;
    this.#signal = signal;
  }

  async put(key: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    if (this.#options.dryRun) {
      for await (const _ of pieces) this.#signal?.throwIfAborted();
      return;
    }
    await this.#repository.store.put(key, pieces, this.#signal);
    this.#uncommitted.push(key);
  }

  /** Encodes, stores and reads back the index; returns what the manifest says of it. */
  async putIndex(writer: ArchiveWriter): Promise<Manifest['index']> {
    const { codec } = this.#repository.platform;
    const index = await writer.index.encode(writer.blocks);
    const hash = codec.createSha256();
    let size = 0;
    async function* pieces() {
      for (const part of [onePiece(index.header), index.body()]) {
        for await (const piece of part) {
          hash.update(piece);
          size += piece.length;
          yield piece;
        }
      }
    }
    const key = indexKey(this.backupId);
    await this.put(key, pieces());
    const sha256 = hash.hex();
    if (this.#options.readBack && !this.#options.dryRun) {
      await readBackObject(this.#repository, key, sha256, this.#signal);
    }
    const headerHash = codec.createSha256();
    headerHash.update(index.header);
    return { size, sha256, header_size: index.header.length, header_sha256: headerHash.hex() };
  }

  /**
   * The commit point. A manifest that the store does not give back as it was written will be taken away again. An abort
   * is heeded before and not while it is stored, since nobody could tell whether it was.
   */
  async commit(manifest: Uint8Array): Promise<void> {
    if (this.#options.dryRun) return;
    this.#signal?.throwIfAborted();
    const { store, platform } = this.#repository;
    const key = manifestKey(this.backupId);
    const data = this.#uncommitted;
    this.#uncommitted = []; // from here on a lost answer may hide a success
    try {
      await store.put(key, onePiece(manifest));
    } catch (thrown) {
      const isAbsent = async () => (await store.size(key).catch(() => undefined)) === null;
      if (isRefusal(thrown) && (await isAbsent())) this.#uncommitted = data;
      throw thrown;
    }
    if (!this.#options.readBack) return;
    const hash = platform.codec.createSha256();
    hash.update(manifest);
    try {
      await readBackObject(this.#repository, key, hash.hex());
    } catch (thrown) {
      if (thrown instanceof BackupError && thrown.code === 'STORE_DAMAGED')
        this.#uncommitted = [key, ...data];
      throw thrown;
    }
  }

  /** After a failure: removes what was stored, as far as the store lets us. After the commit was attempted only where it is known to have failed. */
  async withdraw(): Promise<void> {
    for (const key of this.#uncommitted) {
      try {
        await this.#repository.store.remove(key);
      } catch (thrown) {
        if (!(thrown instanceof BackupError)) throw thrown;
        // data without a manifest is invisible and harmless; a manifest without its data is not, and stands first
        if (thrown.code !== 'STORE_MISSING') return;
      }
    }
  }
}

/** A store that has no room or gives no leave has answered: the object will not turn up later. */
function isRefusal(thrown: unknown): boolean {
  return thrown instanceof BackupError && ['STORE_FULL', 'STORE_FORBIDDEN'].includes(thrown.code);
}
