import { SetDigest } from '../../archive/digest.ts';
import { indexEntries } from '../../archive/index-entries.ts';
import { ENTRY_BYTES, type IndexHeader } from '../../archive/index-file.ts';
import { BackupError } from '../../kernel/errors.ts';
import { HashSet } from '../../kernel/hash-set.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { Repository } from '../../repository.ts';
import { BlockReading } from '../block-reading.ts';
import { NotIncremental } from './not-incremental.ts';

const LEAF_AT = 12;

/** The full backup that an incremental one is built on, as its index tells it. */
export interface Base {
  readonly repository: Repository;
  readonly manifest: Manifest;
  readonly header: IndexHeader;
  readonly reading: BlockReading;
  /** Leaves of its documents: whoever is not among them has changed. A few in 10⁹ are taken for members that are none. */
  readonly leaves: HashSet;
  /** All entries in their order, in pieces of whole ones; each page is proved anew. */
  entries(signal?: AbortSignal): AsyncGenerator<Buffer>;
}

/**
 * Proves a base by its manifest, the length of its archive and its hashed index, whose leaves must add up to the digest of
 * its documents; reading all bytes of the archive is the business of `verify`. Throws NotIncremental where it does not
 * hold, a store's error.
 */
export async function openBase(
  repository: Repository,
  manifest: Manifest,
  signal?: AbortSignal,
): Promise<Base> {
  const { codec } = repository.platform;
  const { backup_id, object_path, file_size, documents_digest, document_count } = manifest;
  if ((await repository.store.size(object_path, signal)) !== file_size) {
    throw new NotIncremental(`the archive of ${backup_id} is not there as it was stored`);
  }
  const reading = new BlockReading(repository, manifest);
  try {
    const header = await reading.indexHeader(signal);
    const entries = (again?: AbortSignal) =>
      provedEntries(indexEntries(codec, reading.readIndex(again), manifest, header));
    const leaves = new HashSet(false, document_count);
    const digest = new SetDigest();
    for await (const piece of entries(signal)) {
      for (let at = 0; at < piece.length; at += ENTRY_BYTES) {
        const leaf = piece.toString('latin1', at + LEAF_AT, at + ENTRY_BYTES);
        leaves.add(leaf);
        digest.add(leaf);
      }
    }
    if (digest.hex() !== documents_digest) throw new NotIncremental(`the index of ${backup_id} is another`);
    return { repository, manifest, header, reading, leaves, entries };
  } catch (thrown) {
    throw withoutIndex(thrown);
  }
}

/** An index may be lost between its first reading and the last one. */
async function* provedEntries(pieces: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* pieces;
  } catch (thrown) {
    throw withoutIndex(thrown);
  }
}

function withoutIndex(thrown: unknown): unknown {
  const isDamage = thrown instanceof BackupError && thrown.code === 'INDEX_DAMAGED';
  return isDamage ? new NotIncremental(thrown.message) : thrown;
}
