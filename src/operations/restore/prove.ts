import { indexKey } from '../../archive/layout.ts';
import { readManifest } from '../../catalog/catalog.ts';
import { BackupError } from '../../kernel/errors.ts';
import type { OnEvent } from '../../kernel/events.ts';
import type { Scratch, SortedRuns } from '../../kernel/sorted-runs.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { ReportedWarning } from '../../model/report.ts';
import { hasEmptyKey } from '../../model/shape.ts';
import { openScratch, type Repository, readMarker } from '../../repository.ts';
import { type ArchiveFacts, proveArchive, readArchive } from '../verified-reading.ts';
import type { EndangeredDocuments } from './endangered.ts';
import type { Material } from './material.ts';
import { DocumentRecords } from './records.ts';
import { valueHash } from './values.ts';

export interface ProvedBackup {
  readonly scratch: Scratch;
  readonly material: Material;
  readonly warnings: readonly ReportedWarning[];
  close(): Promise<void>;
}

/** How a backup is read for a target. */
export interface ProofOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: OnEvent;
  /** Whether the target gives documents keys of its own. */
  readonly serverGivenKeys: boolean;
  /** Is told of each document. */
  readonly endangered?: EndangeredDocuments;
}

/** Reads and proves the archive and notes a record of each document. */
export async function proveBackup(
  repository: Repository,
  manifest: Manifest,
  options: ProofOptions,
): Promise<ProvedBackup> {
  const scratch = await openScratch(repository);
  const records = await documentRecords(repository, scratch, manifest, options);
  try {
    return {
      scratch,
      material: {
        shape: manifest.document_shape,
        records,
        batches: (signal) => readArchive(repository, manifest, signal).batches,
      },
      warnings: await indexWarning(repository, manifest, options),
      close: () => records.close(),
    };
  } catch (thrown) {
    await records.close();
    throw thrown;
  }
}

/** Proves an archive; resolves with a record (RECORD) of each document, its place being the block. To be closed. */
export async function documentRecords(
  repository: Repository,
  scratch: Scratch,
  archive: ArchiveFacts,
  { serverGivenKeys, endangered, signal, onEvent = () => {} }: ProofOptions,
): Promise<SortedRuns> {
  const { codec } = repository.platform;
  const shape = archive.document_shape;
  const records = new DocumentRecords(scratch, !serverGivenKeys);
  try {
    await proveArchive(repository, scratch, archive, onEvent, signal, (batch, index, hashes) => {
      endangered?.add(hashes);
      return records.add(
        hashes,
        () => valueHash(codec, batch, index, shape),
        hasEmptyKey(batch, index, shape),
        (into, at) => into.writeUInt32BE(batch.block, at),
      );
    });
    return records.runs;
  } catch (thrown) {
    await records.runs.close();
    throw thrown;
  }
}

/** A restore needs the archive alone; a damaged index is said and passed over. */
export async function indexWarning(
  repository: Repository,
  manifest: Manifest,
  { signal, onEvent }: Pick<ProofOptions, 'signal' | 'onEvent'>,
): Promise<ReportedWarning[]> {
  const message = await whatIsWrongWithIndex(repository, manifest, signal);
  if (message === null) return [];
  const warning = { code: 'INDEX_DAMAGED', message, object: manifest.backup_id };
  onEvent?.({ type: 'warning', ...warning });
  return [warning];
}

async function whatIsWrongWithIndex(
  repository: Repository,
  manifest: Manifest,
  signal?: AbortSignal,
): Promise<string | null> {
  const hash = repository.platform.codec.createSha256();
  try {
    for await (const piece of repository.store.get(indexKey(manifest.backup_id), undefined, signal))
      hash.update(piece);
  } catch (thrown) {
    if (!(thrown instanceof BackupError)) throw thrown;
    return `the index cannot be read (${thrown.message}); working from the archive alone`;
  }
  if (hash.hex() === manifest.index.sha256) return null;
  return 'the index is damaged; working from the archive alone';
}

/** The manifest of a backup in a store whose marker, if it has one, is intact. */
export async function readGuarded(
  repository: Repository,
  backupId: string,
  signal?: AbortSignal,
): Promise<Manifest> {
  const manifest = await readManifest(repository, backupId, signal);
  await readMarker(repository, signal);
  return manifest;
}
