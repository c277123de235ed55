import { indexKey } from '../../archive/layout.ts';
import type { BlockBatch } from '../../archive/reader.ts';
import { readManifest } from '../../catalog/catalog.ts';
import { BackupError } from '../../kernel/errors.ts';
import type { OnEvent } from '../../kernel/events.ts';
import type { Scratch, SortedRuns } from '../../kernel/sorted-runs.ts';
import type { DocumentShape } from '../../model/document.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { ReportedError, ReportedWarning } from '../../model/report.ts';
import { hasEmptyKey } from '../../model/shape.ts';
import { openScratch, type Repository, readMarker } from '../../repository.ts';
import { lossInWords, readPartially } from '../partial-reading.ts';
import { readSelected } from '../selected-reading.ts';
import { isOnBase, proveState } from '../state-reading.ts';
import { type ArchiveFacts, type OnDocument, proveArchive } from '../verified-reading.ts';
import { idsMissing, partLost } from './findings.ts';
import { DocumentRecords, writePlace } from './match/records.ts';
import type { Material } from './material.ts';
import type { EndangeredDocuments } from './target/endangered.ts';
import { valueHash } from './write/values.ts';

export interface ProvedBackup {
  readonly scratch: Scratch;
  readonly material: Material;
  /** What cannot be restored, though it was asked for. */
  readonly errors: readonly ReportedError[];
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
  /** Only the documents with these logical ids; all if left out. */
  readonly ids?: readonly string[];
  /** What is good of a damaged backup. */
  readonly allowPartial?: boolean;
}

/** Reads and proves the archive, or the part of it that was asked for, and notes a record of each document. */
export async function proveBackup(
  repository: Repository,
  manifest: Manifest,
  options: ProofOptions,
): Promise<ProvedBackup> {
  const scratch = await openScratch(repository);
  const records = new DocumentRecords(scratch, !options.serverGivenKeys);
  // readings of chosen documents hand out no others when they are read again
  const indexOf = options.ids === undefined && !isOnBase(manifest) ? undefined : ordinals();
  const noteDocument = recorder(repository, manifest.document_shape, records, options.endangered, indexOf);
  try {
    const read = options.allowPartial
      ? await readGood(repository, manifest, options, noteDocument)
      : options.ids !== undefined
        ? await readChosen(repository, scratch, manifest, options.ids, options, noteDocument)
        : await readAll(repository, scratch, manifest, options, noteDocument);
    return {
      ...read,
      scratch,
      material: { shape: manifest.document_shape, records: records.runs, batches: read.batches },
      close: () => records.runs.close(),
    };
  } catch (thrown) {
    await records.runs.close();
    throw thrown;
  }
}

type Read = Pick<ProvedBackup, 'errors' | 'warnings'> & Pick<Material, 'batches'>;

async function readAll(
  repository: Repository,
  scratch: Scratch,
  manifest: Manifest,
  { signal, onEvent = () => {} }: ProofOptions,
  noteDocument: OnDocument,
): Promise<Read> {
  const state = await proveState(repository, scratch, manifest, onEvent, signal, noteDocument);
  const warnings = await indexWarning(repository, manifest, { signal, onEvent });
  return { errors: [], warnings, batches: (again) => state.batches(again) };
}

async function readChosen(
  repository: Repository,
  scratch: Scratch,
  manifest: Manifest,
  ids: readonly string[],
  { signal, onEvent = () => {} }: ProofOptions,
  noteDocument: OnDocument,
): Promise<Read> {
  const chosen = await readSelected(repository, scratch, manifest, ids, onEvent, signal, noteDocument);
  const read = {
    code: 'BYTES_READ',
    message: `${chosen.bytesRead} bytes of the store were read for ${chosen.documents} documents`,
    object: manifest.backup_id,
  };
  return {
    errors: idsMissing(manifest, chosen.missing),
    warnings: [...chosen.warnings, read],
    batches: (again) => chosen.batches(again),
  };
}

async function readGood(
  repository: Repository,
  manifest: Manifest,
  { signal, onEvent = () => {} }: ProofOptions,
  noteDocument: OnDocument,
): Promise<Read> {
  const good = await readPartially(repository, manifest, onEvent, signal, noteDocument);
  return {
    errors: partLost(manifest, lossInWords(good)),
    warnings: good.warnings,
    batches: (again) => good.batches(again),
  };
}

/** Notes a record of each document, its place being the block. */
function recorder(
  { platform }: Repository,
  shape: DocumentShape,
  records: DocumentRecords,
  endangered: EndangeredDocuments | undefined,
  indexOf: (batch: BlockBatch, index: number) => number = (_batch, index) => index,
): OnDocument {
  return (batch, index, hashes) => {
    endangered?.add(hashes);
    return records.add(
      hashes,
      () => valueHash(platform.codec, batch, index, shape),
      hasEmptyKey(batch, index, shape),
      (into, at) => writePlace(into, at, batch.block, indexOf(batch, index)),
    );
  };
}

/** Numbers the documents of each block in the order in which they are asked about. */
function ordinals(): (batch: BlockBatch) => number {
  let [block, next] = [-1, 0];
  return (batch) => {
    if (batch.block !== block) [block, next] = [batch.block, 0];
    return next++;
  };
}

/** Proves an archive; resolves with a record (RECORD) of each document, its place being the block. To be closed. */
export async function documentRecords(
  repository: Repository,
  scratch: Scratch,
  archive: ArchiveFacts,
  { serverGivenKeys, endangered, signal, onEvent = () => {} }: ProofOptions,
): Promise<SortedRuns> {
  const records = new DocumentRecords(scratch, !serverGivenKeys);
  try {
    const noteDocument = recorder(repository, archive.document_shape, records, endangered);
    await proveArchive(repository, scratch, archive, onEvent, signal, noteDocument);
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
