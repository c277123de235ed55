import { tmpdir } from 'node:os';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { ArchiveHeader, ArchiveSettings } from '../../src/archive/format.ts';
import type { Block } from '../../src/archive/index-file.ts';
import { ArchiveReader, type BlockBatch, type ReadLimits } from '../../src/archive/reader.ts';
import { ArchiveWriter } from '../../src/archive/writer.ts';
import { DocumentScanner } from '../../src/kernel/json/document-scanner.ts';
import { openScratchIn } from '../../src/kernel/scratch.ts';
import type { Scratch } from '../../src/kernel/sorted-runs.ts';
import { type DocumentBatch, MEMBERS } from '../../src/model/document.ts';
import { localFiles } from '../../src/platform/local-files.ts';
import { zlibCodec } from '../../src/platform/zlib-codec.ts';

export const SCRATCH: Scratch = await openScratchIn(localFiles, tmpdir());

export const HEADER: ArchiveHeader = {
  backupId: 'users_full_20250109_143000',
  collection: 'users',
  backupType: 'full',
  timestamp: '2025-01-09T14:30:00.000000',
  sinceTimestamp: null,
  baseBackupId: null,
  shape: 'flat',
};

export const SETTINGS: ArchiveSettings = { compression: 'gzip', level: 1, inFlight: 2 };

/** Documents as a source hands them over: in one buffer, with other bytes between them. */
export function batchOf(documents: readonly Uint8Array[]): DocumentBatch {
  const bytes = Buffer.concat(
    documents.flatMap((document, at) => [Buffer.from(at > 0 ? ' ,\n ' : ' '), document]),
  );
  const scanner = new DocumentScanner(MEMBERS, null);
  scanner.advance(bytes, bytes.length);
  scanner.finish();
  return { bytes, spans: scanner.spans };
}

export interface WrittenArchive {
  readonly header: ArchiveHeader;
  readonly settings: ArchiveSettings;
  readonly stored: Buffer;
  readonly index: Buffer;
  readonly indexHeaderLength: number;
  readonly sha256: string;
  readonly fileSize: number;
  readonly rawSize: number;
  readonly blocks: readonly Block[];
  readonly totals: ArchiveWriter['totals'];
}

/** An archive of these documents, which come in batches of the given sizes (all at once if left out). */
export async function writeArchive(
  documents: readonly Uint8Array[],
  header: Partial<ArchiveHeader> = {},
  settings: Partial<ArchiveSettings> = {},
  batchSizes: readonly number[] = [documents.length],
): Promise<WrittenArchive> {
  const wholeHeader = { ...HEADER, ...header };
  const wholeSettings = { ...SETTINGS, ...settings };
  const writer = new ArchiveWriter(zlibCodec, SCRATCH, wholeHeader, wholeSettings);
  try {
    const stored: Buffer[] = [];
    for await (const piece of writer.pieces(inBatches(documents, batchSizes)))
      stored.push(Buffer.from(piece));
    const index = await writer.index.encode(writer.blocks);
    const body = (await Array.fromAsync(index.body())).map((piece) => Buffer.from(piece));
    return {
      header: wholeHeader,
      settings: wholeSettings,
      stored: Buffer.concat(stored),
      index: Buffer.concat([index.header, ...body]),
      indexHeaderLength: index.header.length,
      sha256: writer.fileHash(),
      fileSize: writer.fileSize,
      rawSize: writer.rawSize,
      blocks: writer.blocks,
      totals: writer.totals,
    };
  } finally {
    await writer.close();
  }
}

async function* inBatches(
  documents: readonly Uint8Array[],
  sizes: readonly number[],
): AsyncGenerator<DocumentBatch> {
  let from = 0;
  for (let turn = 0; from < documents.length; turn++) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? documents.length);
    yield batchOf(documents.slice(from, from + size));
    from += size;
  }
}

export interface ReadBack {
  readonly reader: ArchiveReader;
  readonly documents: readonly Buffer[];
}

/** Reads an archive whose bytes come in pieces of `pieceLength`. */
export async function readStored(
  stored: Uint8Array,
  backupId: string,
  limits: ReadLimits,
  pieceLength = 64 * 1024,
): Promise<ReadBack> {
  const reader = new ArchiveReader(zlibCodec, backupId, limits);
  const documents: Buffer[] = [];
  for await (const batch of reader.batches(cut(stored, pieceLength))) documents.push(...documentsOf(batch));
  return { reader, documents };
}

export function limitsOf(archive: WrittenArchive): ReadLimits {
  const { fileSize, rawSize, settings } = archive;
  return { compression: settings.compression, fileSize, rawSize, inFlight: 2 };
}

function documentsOf({ bytes, spans }: BlockBatch): Buffer[] {
  return Array.from({ length: spans.count }, (_, at) =>
    Buffer.from(bytes.subarray(spans.start(at), spans.end(at))),
  );
}

/** Pieces in one buffer that is overwritten with each, as stores may do. */
async function* cut(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.alloc(length);
  for (let at = 0; at < bytes.length; at += length) {
    const piece = bytes.subarray(at, at + length);
    buffer.fill(0xee);
    buffer.set(piece);
    yield buffer.subarray(0, piece.length);
  }
}

/** The text of an archive, by Node's own decompressor over each block. */
export function textOf(stored: Buffer, blocks: readonly Block[], compression: 'gzip' | 'zstd'): Buffer {
  const decompress = compression === 'gzip' ? gunzipSync : zstdDecompressSync;
  return Buffer.concat(
    blocks.map(({ offset, storedLength }) => decompress(stored.subarray(offset, offset + storedLength))),
  );
}
