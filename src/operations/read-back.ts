import { ArchiveReader } from '../archive/reader.ts';
import type { ArchiveWriter } from '../archive/writer.ts';
import type { Compression } from '../kernel/codec.ts';
import { BackupError } from '../kernel/errors.ts';
import type { OnEvent } from '../kernel/events.ts';
import { releaseMemory } from '../kernel/memory.ts';
import type { Repository } from '../repository.ts';

/** Blocks decompressed ahead while reading. */
export const READ_AHEAD = 2;

/** What the stored archive must be, as the writer knows it. */
export interface ExpectedArchive {
  readonly key: string;
  readonly backupId: string;
  readonly collection: string;
  readonly compression: Compression;
  readonly sha256: string;
  readonly writer: ArchiveWriter;
}

/**
 * Reads an archive back from the store before it is committed: every stored byte must have the hash that it was
 * written with, and every block must decompress to the bytes that were compressed (a faulty compressor or memory is
 * noticed here). Throws STORE_DAMAGED.
 */
export async function readBackArchive(
  repository: Repository,
  expected: ExpectedArchive,
  onEvent: OnEvent,
  signal?: AbortSignal,
): Promise<void> {
  const { codec } = repository.platform;
  const { writer, key } = expected;
  const fileHash = codec.createSha256();
  let bytes = 0;
  async function* counted() {
    for await (const piece of storedPieces(repository, key, signal)) {
      fileHash.update(piece);
      bytes += piece.length;
      onEvent({
        type: 'progress',
        object: expected.collection,
        phase: 'read-back',
        unit: 'bytes',
        done: bytes,
        total: writer.fileSize,
      });
      yield piece;
    }
  }
  const reader = new ArchiveReader(codec, expected.backupId, {
    compression: expected.compression,
    fileSize: writer.fileSize,
    rawSize: writer.rawSize,
    inFlight: READ_AHEAD,
  });
  try {
    for await (const block of reader.rawBlocks(counted())) {
      const written = writer.blocks[block.number];
      if (
        written === undefined ||
        written.hash !== block.hash ||
        written.rawCrc !== codec.crc32(block.text)
      ) {
        throw storeDamaged(repository, key, `block ${block.number} is not what was written`);
      }
      releaseMemory(block.text);
    }
  } catch (thrown) {
    if (!(thrown instanceof BackupError && thrown.code === 'ARCHIVE_DAMAGED')) throw thrown;
    throw storeDamaged(repository, key, thrown.message, thrown);
  }
  if (bytes !== writer.fileSize || fileHash.hex() !== expected.sha256) {
    throw storeDamaged(repository, key, `${bytes} bytes came back of ${writer.fileSize}, or others`);
  }
}

/** As above for an object that is not an archive. */
export async function readBackObject(
  repository: Repository,
  key: string,
  expectedHash: string,
  signal?: AbortSignal,
): Promise<void> {
  const hash = repository.platform.codec.createSha256();
  for await (const piece of storedPieces(repository, key, signal)) hash.update(piece);
  if (hash.hex() !== expectedHash) throw storeDamaged(repository, key, 'other bytes came back');
}

/** What has just been stored; that it is not there is no less a lie of the store than other bytes. */
async function* storedPieces(
  repository: Repository,
  key: string,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* repository.store.get(key, undefined, signal);
  } catch (thrown) {
    if (!(thrown instanceof BackupError && thrown.code === 'STORE_MISSING')) throw thrown;
    throw storeDamaged(repository, key, 'it is not there', thrown);
  }
}

function storeDamaged(repository: Repository, key: string, what: string, cause?: unknown): BackupError {
  return new BackupError(
    'STORE_DAMAGED',
    `${repository.store.label} does not give back ${key} as it was written: ${what}`,
    {
      object: key,
      kept: 'Earlier backups are untouched; this one was not committed.',
      cure: 'Check the disk or the storage service, then run the backup again, or point --store elsewhere.',
      cause,
    },
  );
}
