import { DocumentHasher, type DocumentHashes, DocumentTotals } from '../archive/document-hashes.ts';
import { type EncodedIndex, IndexBuilder } from '../archive/index-file.ts';
import { ArchiveReader, type BlockBatch, type ReadHeader } from '../archive/reader.ts';
import { BackupError } from '../kernel/errors.ts';
import type { OnEvent } from '../kernel/events.ts';
import { releaseMemory } from '../kernel/memory.ts';
import type { Scratch } from '../kernel/sorted-runs.ts';
import type { Manifest } from '../model/manifest.ts';
import type { Repository } from '../repository.ts';
import { READ_AHEAD } from './read-back.ts';

/** Called for each document while an archive is proved; what it returns is awaited. Hashes are valid during the call. */
export type OnDocument = (batch: BlockBatch, index: number, hashes: DocumentHashes) => Promise<void> | void;

/** What has to be known of an archive to read and prove it. */
export type ArchiveFacts = Pick<
  Manifest,
  | 'backup_id'
  | 'object_path'
  | 'collection'
  | 'backup_type'
  | 'base_backup_id'
  | 'created_at'
  | 'document_shape'
  | 'document_count'
  | 'deleted_count'
  | 'documents_digest'
  | 'content_digest'
  | 'compression'
  | 'file_size'
  | 'raw_size'
  | 'sha256'
> &
  Partial<Pick<Manifest, 'adopted_from' | 'status'>>;

/** The blocks of an archive, decoded; nothing is compared with the manifest but what reading in bounds needs. */
export function readArchive(
  repository: Repository,
  manifest: ArchiveFacts,
  signal?: AbortSignal,
  onPiece: (piece: Uint8Array) => void = () => {},
): { reader: ArchiveReader; batches: AsyncGenerator<BlockBatch> } {
  const reader = new ArchiveReader(repository.platform.codec, manifest.backup_id, {
    compression: manifest.compression,
    fileSize: manifest.file_size,
    rawSize: manifest.raw_size,
    inFlight: READ_AHEAD,
  });
  async function* pieces() {
    try {
      for await (const piece of repository.store.get(manifest.object_path, undefined, signal)) {
        onPiece(piece);
        yield piece;
      }
    } catch (thrown) {
      if (!(thrown instanceof BackupError && thrown.code === 'STORE_MISSING')) throw thrown;
      throw archiveDamaged(manifest, 'it is gone', thrown); // what a manifest promises
    }
  }
  return { reader, batches: reader.batches(pieces()) };
}

export interface ProvedArchive {
  /** Of the index that this archive must have. */
  readonly indexSha256: string;
  /** How many blocks it has. */
  readonly blocks: number;
  /** Scan keys of documents of its base that are not in its state. */
  readonly deletedKeys: readonly Uint8Array[];
}

/**
 * Reads a whole archive and proves it against its manifest: hash of the stored bytes, form, counts, digests. Throws
 * ARCHIVE_DAMAGED (or a store's error) at the first difference; resolves with what the index of this archive must be.
 * `whenProved` gets that index itself, which can be read until the promise that it returns settles.
 */
export async function proveArchive(
  repository: Repository,
  scratch: Scratch,
  manifest: ArchiveFacts,
  onEvent: OnEvent,
  signal?: AbortSignal,
  onDocument: OnDocument = () => {},
  whenProved: (index: EncodedIndex, sha256: string) => Promise<void> = async () => {},
): Promise<ProvedArchive> {
  const { codec } = repository.platform;
  const fileHash = codec.createSha256();
  let bytes = 0;
  const { reader, batches } = readArchive(repository, manifest, signal, (piece) => {
    fileHash.update(piece);
    bytes += piece.length;
  });
  const hasher = new DocumentHasher(codec, manifest.document_shape);
  const totals = new DocumentTotals();
  const index = new IndexBuilder(codec, scratch, manifest.document_shape !== 'flat');
  const damaged = (what: string): BackupError => archiveDamaged(manifest, what);
  try {
    for await (const batch of batches) {
      if (!isHeaderOf(manifest, reader.header!)) throw damaged('its header line is not that of the manifest');
      for (let at = 0; at < batch.spans.count; at++) {
        const hashes = hasher.read(batch, at);
        totals.add(hashes);
        index.add(hashes.scanKeyHash, batch.block, hashes.leaf, hashes.logicalIdHash);
        if (index.full) await index.flush();
        const waiting = onDocument(batch, at, hashes);
        if (waiting !== undefined) await waiting;
      }
      releaseMemory(batch.bytes);
      onEvent({
        type: 'progress',
        object: manifest.backup_id,
        phase: 'verify',
        unit: 'bytes',
        done: bytes,
        total: manifest.file_size,
      });
    }
    if (!isHeaderOf(manifest, reader.header!)) throw damaged('its header line is not that of the manifest');
    if (bytes !== manifest.file_size) throw damaged(`it has ${bytes} bytes instead of ${manifest.file_size}`);
    if (fileHash.hex() !== manifest.sha256) throw damaged('its bytes are not those that were stored');
    if (reader.rawSize !== manifest.raw_size) throw damaged('its text has another length');
    if (
      totals.documentCount !== manifest.document_count ||
      reader.trailer!.documentCount !== manifest.document_count
    ) {
      throw damaged(`it holds ${totals.documentCount} documents instead of ${manifest.document_count}`);
    }
    if (reader.trailer!.deletedKeys.length !== manifest.deleted_count) {
      throw damaged(
        `it names ${reader.trailer!.deletedKeys.length} deleted documents instead of ${manifest.deleted_count}`,
      );
    }
    if (
      totals.documentsDigest !== manifest.documents_digest ||
      reader.trailer!.documentsDigest !== manifest.documents_digest ||
      totals.contentDigest !== manifest.content_digest
    ) {
      throw damaged('its documents are not those that were stored');
    }
    const encoded = await index.encode(reader.blocks);
    const indexHash = codec.createSha256();
    indexHash.update(encoded.header);
    for await (const piece of encoded.body()) indexHash.update(piece);
    const indexSha256 = indexHash.hex();
    await whenProved(encoded, indexSha256);
    return { indexSha256, blocks: reader.blocks.length, deletedKeys: reader.trailer!.deletedKeys };
  } finally {
    await index.close();
  }
}

function isHeaderOf(manifest: ArchiveFacts, header: ReadHeader): boolean {
  return (
    header.shape === manifest.document_shape &&
    header.collection === manifest.collection &&
    header.backupType === manifest.backup_type &&
    header.timestamp === manifest.created_at
  );
}

/**
 * A backup that is a state only together with another one must not be taken for the whole. The predecessor's incremental
 * ones have no base: they say themselves that they are not whole.
 */
export function assertWhole(manifest: ArchiveFacts): void {
  const { backup_id, backup_type, base_backup_id, deleted_count, adopted_from, status } = manifest;
  const standsAlone = backup_type === 'full' || (adopted_from !== undefined && status === 'incomplete');
  if (standsAlone && base_backup_id === null && deleted_count === 0) return;
  throw new BackupError(
    'FORMAT_UNKNOWN',
    `${backup_id} is part of a state only, and cannot be read in this way`,
    {
      object: backup_id,
      cure: 'Restore it as a whole, without --allow-partial, or restore a full backup.',
    },
  );
}

export function archiveDamaged(manifest: ArchiveFacts, what: string, cause?: unknown): BackupError {
  return new BackupError('ARCHIVE_DAMAGED', `the archive ${manifest.object_path} is damaged: ${what}`, {
    object: manifest.backup_id,
    cure: 'Restore another backup of this collection (`list` shows them), or bring the file back from another copy.',
    cause,
  });
}
