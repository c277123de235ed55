import { DocumentHasher, type DocumentHashes } from '../../archive/document-hashes.ts';
import { BackupError } from '../../kernel/errors.ts';
import type { OnEvent } from '../../kernel/events.ts';
import { releaseMemory } from '../../kernel/memory.ts';
import type { Platform } from '../../kernel/platform.ts';
import type { Scratch } from '../../kernel/sorted-runs.ts';
import type { DocumentBatch, DocumentShape } from '../../model/document.ts';
import { scanKeyText } from '../../model/shape.ts';
import { Scan, ScanMustRestart } from '../../sources/scan/scan.ts';
import type { Target, TargetCollection } from '../../sources/target.ts';
import type { EndangeredDocuments } from './endangered.ts';
import { LiveDocuments } from './live-documents.ts';
import { DocumentRecords } from './records.ts';
import { valueHash } from './values.ts';

/** What a restore knows of its target: one record a document, the keys that name them, and those in danger themselves. */
export interface TargetState {
  /** False if the server knows no such collection. */
  readonly exists: boolean;
  /** False if the scan could not prove that it saw every document. */
  readonly complete: boolean;
  readonly documentCount: number;
  readonly shape: DocumentShape;
  readonly records: DocumentRecords;
  readonly live: LiveDocuments;
  close(): Promise<void>;
}

export interface TargetReading {
  readonly platform: Platform;
  readonly target: Target;
  readonly collection: TargetCollection;
  readonly scratch: Scratch;
  readonly phase: 'read-target' | 'compare';
  /** What progress is reported for. */
  readonly object: string;
  readonly onEvent: OnEvent;
  readonly signal: AbortSignal | undefined;
  /** Which documents are kept as they are; none if left out. */
  readonly endangered?: EndangeredDocuments;
  /** Called for each document, after its record was taken; what it returns is awaited. */
  readonly onDocument?: (
    batch: DocumentBatch,
    index: number,
    shape: DocumentShape,
    hashes: DocumentHashes,
  ) => Promise<void>;
}

/** Reads the whole collection once. */
export async function readTarget(reading: TargetReading): Promise<TargetState> {
  for (const withoutKeyset of [false, true]) {
    const records = new DocumentRecords(reading.scratch, !reading.collection.traits.serverGivenKeys);
    const live = new LiveDocuments(reading.scratch);
    const close = async (): Promise<void> => {
      await records.runs.close();
      await live.close();
    };
    try {
      const found = await scanInto(reading, withoutKeyset, records, live);
      return { ...found, documentCount: records.runs.count, records, live, close };
    } catch (thrown) {
      await close();
      if (!(thrown instanceof ScanMustRestart) || withoutKeyset) throw thrown;
    }
  }
  throw new Error('a scan without keyset asked to be restarted without keyset');
}

async function scanInto(
  reading: TargetReading,
  withoutKeyset: boolean,
  records: DocumentRecords,
  live: LiveDocuments,
): Promise<Pick<TargetState, 'exists' | 'complete' | 'shape'>> {
  const { platform, collection, scratch, signal } = reading;
  let scan: Scan;
  try {
    const pages = reading.target.openCollection(collection.collection);
    scan = await Scan.open(pages, { platform, scratch, withoutKeyset, signal });
  } catch (thrown) {
    if (!(thrown instanceof BackupError && thrown.code === 'SOURCE_NOT_FOUND')) throw thrown;
    return { exists: false, complete: true, shape: 'flat' };
  }
  const hasher = new DocumentHasher(platform.codec, scan.shape);
  for await (const batch of scan.batches()) {
    for (let index = 0; index < batch.spans.count; index++) {
      const key = scanKeyText(batch, index, scan.shape);
      const usable = key !== null && collection.addressable(key) ? key : null;
      const hashes = hasher.read(batch, index);
      const isKept = usable !== null && reading.endangered?.has(hashes) === true;
      const writePlace = isKept
        ? await live.add(usable, documentBytes(batch, index))
        : await live.add(usable);
      await records.add(hashes, () => valueHash(platform.codec, batch, index, scan.shape), false, writePlace);
      if (reading.onDocument !== undefined) await reading.onDocument(batch, index, scan.shape, hashes);
    }
    releaseMemory(batch.bytes);
    reading.onEvent({
      type: 'progress',
      object: reading.object,
      phase: reading.phase,
      unit: 'documents',
      done: records.runs.count,
      ...(batch.total === undefined ? {} : { total: Math.max(records.runs.count, batch.total) }),
    });
  }
  await live.seal();
  const complete = scan.finding.proved && scan.finding.missing.length === 0;
  return { exists: true, complete, shape: scan.shape };
}

function documentBytes({ bytes, spans }: DocumentBatch, index: number): Uint8Array {
  return bytes.subarray(spans.start(index), spans.end(index));
}
