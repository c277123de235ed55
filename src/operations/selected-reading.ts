import { DocumentHasher } from '../archive/document-hashes.ts';
import { IndexLookup } from '../archive/index-lookup.ts';
import type { BlockBatch } from '../archive/reader.ts';
import { BackupError } from '../kernel/errors.ts';
import type { OnEvent } from '../kernel/events.ts';
import { decodedKey } from '../kernel/json/strings.ts';
import { releaseMemory } from '../kernel/memory.ts';
import type { Scratch } from '../kernel/sorted-runs.ts';
import type { Manifest } from '../model/manifest.ts';
import type { ReportedWarning } from '../model/report.ts';
import type { Repository } from '../repository.ts';
import { BlockReading, type NumberedBlock } from './block-reading.ts';
import { isOnBase, proveState } from './state-reading.ts';
import { assertWhole, type OnDocument } from './verified-reading.ts';

/** Some documents of a backup, chosen by logical id, proved, and read from the store without the others. */
export interface SelectedReading {
  /** Documents found; more than ids where several documents have one id. */
  readonly documents: number;
  /** Ids that no document has, in the order in which they were asked for. */
  readonly missing: readonly string[];
  /** Bytes read from the store so far. */
  readonly bytesRead: number;
  /** What kept it from reading only what it needs. */
  readonly warnings: readonly ReportedWarning[];
  /**
   * The chosen documents again, in the order of the archive, with the block in which they stand; a batch holds no
   * others in its spans. The receiver may release a batch's memory when it pulls the next one.
   */
  batches(signal?: AbortSignal): AsyncGenerator<BlockBatch>;
}

/**
 * Reads the documents with these logical ids; `onDocument` gets each with its hashes, as of `proveArchive`. An id that
 * is a number in the document is asked for by its source text.
 *
 * Reads the header of the index, a few of its pages and the blocks that they name, each proved against its hash. Where
 * the index is damaged it reads and proves the whole archive, and says so. Throws ARCHIVE_DAMAGED.
 */
export async function readSelected(
  repository: Repository,
  scratch: Scratch,
  manifest: Manifest,
  ids: readonly string[],
  onEvent: OnEvent,
  signal?: AbortSignal,
  onDocument: OnDocument = () => {},
): Promise<SelectedReading> {
  const selection = new Selection(repository, manifest, ids);
  const reading = new BlockReading(repository, manifest);
  if (isOnBase(manifest)) {
    const message = `${manifest.backup_id} is read as a whole, together with its base`;
    const warning = { code: 'WHOLE_STATE_READ', message, object: manifest.backup_id };
    const how = { onEvent, signal, onDocument };
    return await readWhole(repository, scratch, manifest, selection, reading, warning, how);
  }
  assertWhole(manifest);
  const found = await findBlocks(repository, manifest, reading, selection, signal);
  if ('warning' in found) {
    onEvent({ type: 'warning', ...found.warning });
    return await readWhole(repository, scratch, manifest, selection, reading, found.warning, {
      onEvent,
      signal,
      onDocument,
    });
  }
  const { blocks } = found;
  const total = reading.bytesRead + blocks.reduce((sum, { storedLength }) => sum + storedLength, 0);
  let documents = 0;
  for await (const batch of reading.batches(blocks, signal)) {
    selection.narrow(batch);
    for (let index = 0; index < batch.spans.count; index++) {
      const waiting = onDocument(batch, index, selection.found(batch, index));
      if (waiting !== undefined) await waiting;
      documents++;
    }
    releaseMemory(batch.bytes);
    const { backup_id: object } = manifest;
    onEvent({ type: 'progress', object, phase: 'verify', unit: 'bytes', done: reading.bytesRead, total });
  }
  return {
    documents,
    missing: selection.missing(),
    get bytesRead() {
      return reading.bytesRead;
    },
    warnings: [],
    async *batches(again) {
      for await (const batch of reading.batches(blocks, again)) {
        selection.narrow(batch);
        if (batch.spans.count > 0) yield batch;
      }
    },
  };
}

async function findBlocks(
  repository: Repository,
  manifest: Manifest,
  reading: BlockReading,
  selection: Selection,
  signal: AbortSignal | undefined,
): Promise<{ readonly blocks: readonly NumberedBlock[] } | { readonly warning: ReportedWarning }> {
  try {
    const header = await reading.indexHeader(signal);
    const lookup = new IndexLookup(repository.platform.codec, reading.readIndex(signal), manifest, header);
    const numbers = await lookup.blocksOf(selection.hashes);
    return { blocks: numbers.map((number) => ({ ...header.blocks[number]!, number })) };
  } catch (thrown) {
    if (!(thrown instanceof BackupError && thrown.code === 'INDEX_DAMAGED')) throw thrown;
    const message = `${thrown.message}; reading the whole archive instead`;
    return { warning: { code: thrown.code, message, object: manifest.backup_id } };
  }
}

async function readWhole(
  repository: Repository,
  scratch: Scratch,
  manifest: Manifest,
  selection: Selection,
  reading: BlockReading,
  warning: ReportedWarning,
  {
    onEvent,
    signal,
    onDocument,
  }: { onEvent: OnEvent; signal: AbortSignal | undefined; onDocument: OnDocument },
): Promise<SelectedReading> {
  let documents = 0;
  const noteChosen: OnDocument = (batch, index, hashes) => {
    if (!selection.takes(hashes.logicalIdHash)) return;
    documents++;
    return onDocument(batch, index, hashes);
  };
  const state = await proveState(repository, scratch, manifest, onEvent, signal, noteChosen);
  reading.bytesRead += state.bytes;
  return {
    documents,
    missing: selection.missing(),
    get bytesRead() {
      return reading.bytesRead;
    },
    warnings: [warning],
    async *batches(again) {
      reading.bytesRead += state.bytes;
      for await (const batch of state.batches(again)) {
        selection.narrow(batch);
        if (batch.spans.count > 0) yield batch;
      }
    },
  };
}

/** The ids that are asked for, by their hashes: the whole of a hash stands for the id, its beginning for several. */
class Selection {
  readonly #ids: ReadonlyMap<string, string>;
  readonly #seen = new Set<string>();
  readonly #hasher: DocumentHasher;

  constructor({ platform }: Repository, manifest: Manifest, ids: readonly string[]) {
    this.#hasher = new DocumentHasher(platform.codec, manifest.document_shape);
    this.#ids = new Map(ids.map((id) => [platform.codec.sha256(idBytes(id)), id]));
  }

  get hashes(): Iterable<string> {
    return this.#ids.keys();
  }

  takes(idHash: string): boolean {
    if (!this.#ids.has(idHash)) return false;
    this.#seen.add(idHash);
    return true;
  }

  /** Leaves only the chosen documents in a batch. */
  narrow(batch: BlockBatch): void {
    const chosen = Array.from({ length: batch.spans.count }, (_, index) =>
      this.takes(this.#hasher.read(batch, index).logicalIdHash),
    );
    batch.spans.retain((index) => chosen[index]!);
  }

  found(batch: BlockBatch, index: number) {
    return this.#hasher.read(batch, index);
  }

  missing(): string[] {
    return [...this.#ids].filter(([hash]) => !this.#seen.has(hash)).map(([, id]) => id);
  }
}

/** As documents spell it, decoded again: UTF-8, lone surrogates as three bytes (design.md §5.3). */
function idBytes(id: string): Uint8Array {
  const json = Buffer.from(JSON.stringify(id));
  return decodedKey(json, 0, json.length);
}
