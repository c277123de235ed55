import { DocumentHasher } from '../archive/document-hashes.ts';
import type { IndexHeader } from '../archive/index-file.ts';
import type { BlockBatch } from '../archive/reader.ts';
import { Salvage } from '../archive/salvage.ts';
import { BackupError } from '../kernel/errors.ts';
import type { OnEvent } from '../kernel/events.ts';
import { releaseMemory } from '../kernel/memory.ts';
import type { Manifest } from '../model/manifest.ts';
import type { ReportedWarning } from '../model/report.ts';
import type { Repository } from '../repository.ts';
import { BlockReading, inOrder, isUnreadable, type NumberedBlock } from './block-reading.ts';
import { archiveDamaged, assertWhole, type OnDocument } from './verified-reading.ts';

/** Bytes of an archive that are not what was written. */
export interface LostPart {
  /** Number of the block; null where the index is damaged as well, and only the bytes are known. */
  readonly block: number | null;
  /** First byte in the archive, and the one behind the last. */
  readonly start: number;
  readonly end: number;
  /** Documents in it, 0 in header line and trailer; null where the index is damaged as well. */
  readonly documents: number | null;
}

/** What is left of a damaged backup. */
export interface PartialReading {
  readonly documents: number;
  /** Documents of the backup that are not among them. */
  readonly lostDocuments: number;
  readonly lost: readonly LostPart[];
  readonly warnings: readonly ReportedWarning[];
  /**
   * The documents again, block by block; ARCHIVE_DAMAGED if a block is no longer what it was. The receiver may release
   * a batch's memory when it pulls the next one.
   */
  batches(signal?: AbortSignal): AsyncGenerator<BlockBatch>;
}

/**
 * Reads what is good of a backup that may be damaged: every block whose stored bytes have the hash that the index says;
 * where the index is damaged as well, every block that decodes soundly by itself. `onDocument` gets each document of
 * them with its hashes, as of `proveArchive`; never one of a block in doubt. Everything else is listed.
 *
 * Throws ARCHIVE_DAMAGED where there is nothing to be read, or what there is belongs to another backup; a failure of the
 * store, unless it is that of the disk below some bytes.
 */
export async function readPartially(
  repository: Repository,
  manifest: Manifest,
  onEvent: OnEvent,
  signal?: AbortSignal,
  onDocument: OnDocument = () => {},
): Promise<PartialReading> {
  assertWhole(manifest);
  if ((await repository.store.size(manifest.object_path, signal)) === null)
    throw archiveDamaged(manifest, 'it is gone');
  const reading = new BlockReading(repository, manifest);
  const { header, warnings } = await readIndex(manifest, reading, signal);
  for (const warning of warnings) onEvent({ type: 'warning', ...warning });
  const parts =
    header === null
      ? salvagedParts(repository, manifest, reading, signal)
      : indexedParts(reading, header, signal);

  const hasher = new DocumentHasher(repository.platform.codec, manifest.document_shape);
  const blocks: NumberedBlock[] = [];
  const lost: LostPart[] = [];
  let documents = 0;
  for await (const part of parts) {
    if (!('batch' in part)) {
      lost.push(part);
      continue;
    }
    const { batch, block } = part;
    blocks.push(block);
    documents += block.documents;
    if (documents > manifest.document_count)
      throw archiveDamaged(manifest, `it holds more than ${manifest.document_count} documents`);
    for (let index = 0; index < batch.spans.count; index++) {
      const waiting = onDocument(batch, index, hasher.read(batch, index));
      if (waiting !== undefined) await waiting;
    }
    releaseMemory(batch.bytes);
    const [done, total] = [block.offset + block.storedLength, manifest.file_size];
    onEvent({ type: 'progress', object: manifest.backup_id, phase: 'verify', unit: 'bytes', done, total });
  }
  return {
    documents,
    lostDocuments: manifest.document_count - documents,
    lost,
    warnings,
    batches: (again) => reading.batches(blocks, again),
  };
}

type Part = { readonly batch: BlockBatch; readonly block: NumberedBlock } | LostPart;

async function readIndex(
  manifest: Manifest,
  reading: BlockReading,
  signal: AbortSignal | undefined,
): Promise<{ readonly header: IndexHeader | null; readonly warnings: readonly ReportedWarning[] }> {
  try {
    return { header: await reading.indexHeader(signal), warnings: [] };
  } catch (thrown) {
    if (!(thrown instanceof BackupError && thrown.code === 'INDEX_DAMAGED')) throw thrown;
    const message = `${thrown.message}; how many documents were in which lost bytes is not known`;
    return { header: null, warnings: [{ code: thrown.code, message, object: manifest.backup_id }] };
  }
}

async function* indexedParts(
  reading: BlockReading,
  header: IndexHeader,
  signal: AbortSignal | undefined,
): AsyncGenerator<Part> {
  const read = async (block: NumberedBlock): Promise<Part | null> => {
    const { number, offset: start, storedLength, documents } = block;
    const lost = { block: number, start, end: start + storedLength, documents };
    try {
      if (documents > 0) return { batch: await reading.batch(block, signal), block };
      return (await reading.isWhole(block, signal)) ? null : lost;
    } catch (thrown) {
      const damaged = thrown instanceof BackupError && thrown.code === 'ARCHIVE_DAMAGED';
      if (damaged || isUnreadable(thrown)) return lost;
      throw thrown;
    }
  };
  const blocks = header.blocks.map((block, number) => ({ ...block, number }));
  for await (const part of inOrder(blocks, read)) if (part !== null) yield part;
}

/** Blocks are numbered as they are found, so that each has a number of its own. */
async function* salvagedParts(
  { platform }: Repository,
  manifest: Manifest,
  reading: BlockReading,
  signal: AbortSignal | undefined,
): AsyncGenerator<Part> {
  const { compression, file_size: fileSize, raw_size: rawSize, object_path } = manifest;
  const salvage = new Salvage(
    platform.codec,
    (start, end) => reading.range(object_path, start, end, signal),
    { compression, fileSize, rawSize },
  );
  let number = -1;
  for await (const part of salvage.parts()) {
    number++;
    if (!('text' in part)) {
      yield { block: null, ...part, documents: null };
    } else if (part.header !== null) {
      if (part.header.backup_id !== manifest.backup_id)
        throw archiveDamaged(manifest, 'its header line is that of another archive');
    } else if (part.spans !== null) {
      const { offset, storedLength, hash, text, spans } = part;
      const block = { number, offset, storedLength, rawLength: text.length, documents: spans.count, hash };
      yield { batch: { block: number, bytes: text, spans }, block };
    }
  }
}

const PLACES_NAMED_MAX = 10;

/** What is lost, in words: `34 documents in blocks 7 and 9`; null if no document is. */
export function lossInWords({ lost, lostDocuments }: PartialReading): string | null {
  if (lostDocuments === 0) return null;
  const places = lost.filter(({ documents }) => documents !== 0);
  const byNumber = places.every(({ block }) => block !== null);
  const names = places
    .slice(0, PLACES_NAMED_MAX)
    .map(({ block, start, end }) => (byNumber ? String(block) : `${start} to ${end - 1}`));
  if (places.length > PLACES_NAMED_MAX) names.push(`${places.length - PLACES_NAMED_MAX} more`);
  const documents = lostDocuments === 1 ? '1 document' : `${lostDocuments} documents`;
  const kind = byNumber ? (places.length === 1 ? 'block' : 'blocks') : 'bytes';
  const listed = names.length > 1 ? `${names.slice(0, -1).join(', ')} and ${names.at(-1)}` : names.join('');
  return places.length === 0 ? documents : `${documents} in ${kind} ${listed}`;
}
