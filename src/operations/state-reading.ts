import { SetDigest } from '../archive/digest.ts';
import { DocumentHasher, type DocumentHashes } from '../archive/document-hashes.ts';
import type { BlockBatch } from '../archive/reader.ts';
import { isGood, readManifest } from '../catalog/catalog.ts';
import { BackupError } from '../kernel/errors.ts';
import type { OnEvent } from '../kernel/events.ts';
import { HashSet } from '../kernel/hash-set.ts';
import { releaseMemory } from '../kernel/memory.ts';
import type { Scratch } from '../kernel/sorted-runs.ts';
import type { Manifest } from '../model/manifest.ts';
import { scanKey } from '../model/shape.ts';
import type { Repository } from '../repository.ts';
import { assertWhole, type OnDocument, proveArchive, readArchive } from './verified-reading.ts';

/** The documents of the state that a backup stands for, after they were proved. */
export interface StateReading {
  readonly documentCount: number;
  /** Stored bytes that one reading takes. */
  readonly bytes: number;
  /**
   * The documents again, with numbers of blocks that ascend over all archives that they come from; spans hold those of the
   * state alone. The receiver may release a batch's memory when it pulls the next one.
   */
  batches(signal?: AbortSignal): AsyncGenerator<BlockBatch>;
}

/**
 * Reads and proves the state that a backup stands for: of a full one its archive; of an incremental one its archive and
 * that of its base, less what the increment replaces or deletes (docs/format.md §9). `onDocument` gets each document of
 * the state with its hashes, as of `proveArchive`. Throws ARCHIVE_DAMAGED, CHAIN_BROKEN, a store's error.
 */
export async function proveState(
  repository: Repository,
  scratch: Scratch,
  manifest: Manifest,
  onEvent: OnEvent,
  signal?: AbortSignal,
  onDocument: OnDocument = () => {},
): Promise<StateReading> {
  if (!isOnBase(manifest)) {
    assertWhole(manifest);
    await proveArchive(repository, scratch, manifest, onEvent, signal, onDocument);
    return {
      documentCount: manifest.document_count,
      bytes: manifest.file_size,
      batches: (again) => readArchive(repository, manifest, again).batches,
    };
  }
  const base = await baseOf(repository, manifest, signal);
  const state = new ChainedState(manifest);
  const { blocks, deletedKeys } = await proveArchive(
    repository,
    scratch,
    manifest,
    onEvent,
    signal,
    (batch, index, hashes) => {
      state.addOfIncrement(hashes);
      return onDocument(batch, index, hashes);
    },
  );
  for (const key of deletedKeys) state.superseded.add(repository.platform.codec.sha256(key));
  let shifted: BlockBatch | null = null;
  await proveArchive(repository, scratch, base, onEvent, signal, (batch, index, hashes) => {
    if (!state.addOfBase(hashes)) return;
    if (shifted?.bytes !== batch.bytes) shifted = { ...batch, block: blocks + batch.block };
    return onDocument(shifted, index, hashes);
  });
  state.assertProved(base);
  const survives = survivor(repository, base, state.superseded);
  return {
    documentCount: manifest.state_count!,
    bytes: manifest.file_size + base.file_size,
    async *batches(again) {
      yield* readArchive(repository, manifest, again).batches;
      for await (const batch of readArchive(repository, base, again).batches) {
        batch.spans.retain((index) => survives(batch, index));
        if (batch.spans.count > 0) yield { ...batch, block: blocks + batch.block };
        else releaseMemory(batch.bytes);
      }
    },
  };
}

/** Whether a backup is the state only together with another one. */
export function isOnBase(manifest: Manifest): boolean {
  return manifest.backup_type === 'incremental' && manifest.base_backup_id !== null;
}

/** The manifest of the full backup that an incremental one is built on. Throws CHAIN_BROKEN. */
export async function baseOf(
  repository: Repository,
  manifest: Manifest,
  signal?: AbortSignal,
): Promise<Manifest> {
  const id = manifest.base_backup_id!;
  let base: Manifest;
  try {
    base = await readManifest(repository, id, signal);
  } catch (thrown) {
    const isGone =
      thrown instanceof BackupError && ['BACKUP_MISSING', 'MANIFEST_DAMAGED'].includes(thrown.code);
    if (!isGone) throw thrown;
    throw brokenChain(
      manifest,
      thrown.code === 'BACKUP_MISSING' ? 'is not there' : 'has a damaged manifest',
      thrown,
    );
  }
  const fits =
    base.backup_type === 'full' &&
    isGood(base) &&
    base.collection === manifest.collection &&
    base.document_shape === manifest.document_shape;
  if (!fits) throw brokenChain(manifest, 'is no full backup of the same collection');
  return base;
}

function brokenChain(manifest: Manifest, what: string, cause?: unknown): BackupError {
  const { backup_id, base_backup_id } = manifest;
  return new BackupError('CHAIN_BROKEN', `${backup_id} is built on ${base_backup_id}, which ${what}`, {
    object: backup_id,
    kept: 'Nothing was done.',
    cure: `Restore another backup of this collection (\`list\` shows them), or bring ${base_backup_id} back from another copy of the store.`,
    cause,
  });
}

/** Adds up a state out of an increment and its base. */
class ChainedState {
  /** By the first eight bytes of SHA-256 of the scan key; no two keys that matter share them, or it were no increment. */
  readonly superseded = new HashSet(true);
  readonly #manifest: Manifest;
  readonly #digest = new SetDigest();
  #count = 0;

  constructor(manifest: Manifest) {
    this.#manifest = manifest;
  }

  addOfIncrement({ scanKeyHash, leaf }: DocumentHashes): void {
    this.superseded.add(scanKeyHash);
    this.#digest.add(leaf);
    this.#count++;
  }

  /** Whether it is a document of the state. */
  addOfBase({ scanKeyHash, leaf }: DocumentHashes): boolean {
    if (this.superseded.has(scanKeyHash)) return false;
    this.#digest.add(leaf);
    this.#count++;
    return true;
  }

  assertProved(base: Manifest): void {
    const { state_count, state_digest } = this.#manifest;
    if (this.#count === state_count && this.#digest.hex() === state_digest) return;
    throw brokenChain(
      this.#manifest,
      `does not give the state that was backed up: ${this.#count} documents with ${base.backup_id}, not ${state_count}`,
    );
  }
}

function survivor(
  { platform }: Repository,
  { document_shape: shape }: Manifest,
  superseded: HashSet,
): (batch: BlockBatch, index: number) => boolean {
  const hasher = new DocumentHasher(platform.codec, shape);
  return (batch, index) => {
    const key = scanKey(batch, index, shape);
    const hash = key === null ? hasher.readScanned(batch, index).scanKeyHash : platform.codec.sha256(key);
    return !superseded.has(hash);
  };
}
