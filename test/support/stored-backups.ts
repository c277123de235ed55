import { tmpdir } from 'node:os';
import type { ArchiveHeader } from '../../src/archive/format.ts';
import type { IndexBuilder } from '../../src/archive/index-file.ts';
import { archiveFileName, archiveKey, indexKey } from '../../src/archive/layout.ts';
import { ArchiveWriter, type WrittenBlock } from '../../src/archive/writer.ts';
import type { Codec, Compression } from '../../src/kernel/codec.ts';
import { BackupError } from '../../src/kernel/errors.ts';
import { SIZES } from '../../src/kernel/sizes.ts';
import type { DocumentBatch, DocumentShape } from '../../src/model/document.ts';
import { encodeManifest, type Manifest, parseManifest } from '../../src/model/manifest.ts';
import { zlibCodec } from '../../src/platform/zlib-codec.ts';
import { openRepository, type Repository } from '../../src/repository.ts';
import type { Store } from '../../src/stores/store.ts';
import { batchOf, HEADER, SCRATCH, SETTINGS } from './archives.ts';
import { MANIFEST_FIELDS } from './manifests.ts';
import { memoryStore } from './memory-store.ts';
import { testPlatform } from './test-platform.ts';

/** A backup in a store in memory, whose bytes a test may change. */
export interface StoredBackup {
  readonly manifest: Manifest;
  readonly objects: Map<string, Buffer>;
  readonly blocks: readonly WrittenBlock[];
  readonly archiveKey: string;
  readonly indexKey: string;
  readonly repository: Repository;
}

export interface StoredBackupOptions {
  readonly shape?: DocumentShape;
  readonly compression?: Compression;
  /** Most bytes of text in a block. */
  readonly blockBytes?: number;
  readonly codec?: Codec;
  readonly header?: Partial<ArchiveHeader>;
  /** The index in the place of the writer's own. */
  readonly index?: (builder: IndexBuilder, blocks: readonly WrittenBlock[]) => IndexBuilder;
}

export async function storeBackup(
  documents: readonly Uint8Array[],
  options?: StoredBackupOptions,
): Promise<StoredBackup> {
  return await storeBatches(documents.length === 0 ? [] : [batchOf(documents)], options);
}

export async function storeBatches(
  batches: Iterable<DocumentBatch>,
  {
    shape = 'flat',
    compression = 'gzip',
    blockBytes,
    codec = zlibCodec,
    header,
    index,
  }: StoredBackupOptions = {},
): Promise<StoredBackup> {
  const sizes = { ...SIZES, ...(blockBytes !== undefined && { blockBytes }) };
  const line = { ...HEADER, shape, ...header };
  const writer = new ArchiveWriter(codec, { ...SCRATCH, sizes }, line, { ...SETTINGS, compression });
  async function* given() {
    yield* batches;
  }
  try {
    const stored: Buffer[] = [];
    for await (const piece of writer.pieces(given())) stored.push(Buffer.from(piece));
    const builder = index?.(writer.index, writer.blocks) ?? writer.index;
    const encoded = await builder.encode(writer.blocks);
    const body = (await Array.fromAsync(encoded.body())).map((piece) => Buffer.from(piece));
    if (builder !== writer.index) await builder.close();
    const indexBytes = Buffer.concat([encoded.header, ...body]);
    const hashOf = (bytes: Uint8Array): string => Buffer.from(codec.sha256(bytes), 'latin1').toString('hex');
    const backupId = HEADER.backupId;
    const bytes = encodeManifest(codec, {
      ...MANIFEST_FIELDS,
      document_shape: shape,
      compression,
      file_name: archiveFileName(backupId, compression),
      object_path: archiveKey(backupId, compression),
      file_size: writer.fileSize,
      raw_size: writer.rawSize,
      sha256: writer.fileHash(),
      document_count: writer.totals.documentCount,
      documents_digest: writer.totals.documentsDigest,
      content_digest: writer.totals.contentDigest,
      index: {
        size: indexBytes.length,
        sha256: hashOf(indexBytes),
        header_size: encoded.header.length,
        header_sha256: hashOf(encoded.header),
      },
    });
    const manifest = parseManifest(codec, bytes, backupId);
    const objects = new Map([
      [manifest.object_path, Buffer.concat(stored)],
      [indexKey(backupId), indexBytes],
    ]);
    return {
      manifest,
      objects,
      blocks: writer.blocks,
      archiveKey: manifest.object_path,
      indexKey: indexKey(backupId),
      repository: openRepository({ ...testPlatform(), codec }, memoryStore(objects), tmpdir()),
    };
  } finally {
    await writer.close();
  }
}

/** The same store; `read` counts the bytes that it hands out. */
export function countingStore(store: Store): Store & { read: number } {
  return {
    ...store,
    read: 0,
    async *get(key, range, signal) {
      for await (const piece of store.get(key, range, signal)) {
        this.read += piece.length;
        yield piece;
      }
    },
  };
}

/** The same backup on a disk that fails to read one object, or what begins at one place in it. */
export function failingStore(
  backup: StoredBackup,
  failing: string,
  errno: string,
  start?: number,
): StoredBackup {
  const { store } = backup.repository;
  const damaged: Store = {
    ...store,
    get(key, range, signal) {
      if (key !== failing || (start ?? range?.start) !== range?.start) return store.get(key, range, signal);
      const cause = Object.assign(new Error(errno), { code: errno });
      throw new BackupError('STORE_FAILED', `cannot read ${key}: ${errno}`, { object: key, cause });
    },
  };
  return { ...backup, repository: { ...backup.repository, store: damaged } };
}

/** With every byte of an object changed in turn: one bit of each, another one every time. */
export function* flippedBytes(bytes: Buffer): Generator<{ readonly at: number; readonly changed: Buffer }> {
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 1 << (at % 8);
    yield { at, changed };
  }
}
