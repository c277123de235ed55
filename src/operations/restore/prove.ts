import { indexKey } from '../../archive/layout.ts';
import { readManifest } from '../../catalog/catalog.ts';
import { BackupError } from '../../kernel/errors.ts';
import type { OnEvent, OperationContext } from '../../kernel/events.ts';
import type { Scratch } from '../../kernel/sorted-runs.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { ReportedWarning } from '../../model/report.ts';
import { hasEmptyKey } from '../../model/shape.ts';
import { openScratch, type Repository, readMarker } from '../../repository.ts';
import { proveArchive } from '../verified-reading.ts';
import { DocumentRecords } from './records.ts';
import { valueHash } from './values.ts';

export interface ProvedBackup {
  readonly scratch: Scratch;
  readonly records: DocumentRecords | null;
  readonly warnings: readonly ReportedWarning[];
  close(): Promise<void>;
}

/** Reads and proves the archive and, unless `serverGivenKeys` is null, notes a record of each document. */
export async function proveBackup(
  repository: Repository,
  manifest: Manifest,
  serverGivenKeys: boolean | null,
  context: OperationContext,
): Promise<ProvedBackup> {
  const scratch = await openScratch(repository);
  const onEvent: OnEvent = context.onEvent ?? (() => {});
  const records = serverGivenKeys === null ? null : new DocumentRecords(scratch, !serverGivenKeys);
  const close = async (): Promise<void> => {
    await records?.runs.close();
  };
  try {
    const { codec } = repository.platform;
    const shape = manifest.document_shape;
    await proveArchive(repository, scratch, manifest, onEvent, context.signal, (batch, index, hashes) =>
      records?.add(
        hashes,
        () => valueHash(codec, batch, index, shape),
        hasEmptyKey(batch, index, shape),
        (into, at) => into.writeUInt32BE(batch.block, at),
      ),
    );
    const warning = await indexWarning(repository, manifest, context.signal);
    if (warning !== null) onEvent({ type: 'warning', object: manifest.backup_id, ...warning });
    return {
      scratch,
      records,
      warnings: warning === null ? [] : [{ ...warning, object: manifest.backup_id }],
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** A restore needs the archive alone; a damaged index is said and passed over. */
async function indexWarning(
  repository: Repository,
  manifest: Manifest,
  signal?: AbortSignal,
): Promise<{ code: string; message: string } | null> {
  const hash = repository.platform.codec.createSha256();
  try {
    for await (const piece of repository.store.get(indexKey(manifest.backup_id), undefined, signal))
      hash.update(piece);
  } catch (thrown) {
    if (!(thrown instanceof BackupError)) throw thrown;
    return {
      code: 'INDEX_DAMAGED',
      message: `the index cannot be read (${thrown.message}); working from the archive alone`,
    };
  }
  if (hash.hex() === manifest.index.sha256) return null;
  return { code: 'INDEX_DAMAGED', message: 'the index is damaged; working from the archive alone' };
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
