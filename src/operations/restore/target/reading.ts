import { DocumentHasher, type DocumentHashes } from '../../../archive/document-hashes.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { BackupError } from '../../../kernel/errors.ts';
import type { OnEvent } from '../../../kernel/events.ts';
import { releaseMemory } from '../../../kernel/memory.ts';
import type { Platform } from '../../../kernel/platform.ts';
import type { Scratch } from '../../../kernel/sorted-runs.ts';
import { runWorkers } from '../../../kernel/workers.ts';
import type { DocumentBatch, DocumentShape } from '../../../model/document.ts';
import { detectShape, scanKeyText } from '../../../model/shape.ts';
import { Scan, ScanMustRestart } from '../../../sources/scan/scan.ts';
import type { CollectionPages } from '../../../sources/source.ts';
import type { Target, TargetCollection } from '../../../sources/target.ts';
import { DocumentRecords } from '../match/records.ts';
import { valueHash } from '../write/values.ts';
import type { EndangeredDocuments } from './endangered.ts';
import { LiveDocuments } from './live-documents.ts';

/** What a restore knows of its target: one record a document, the keys that name them, and those in danger themselves. */
export interface TargetState {
  /** False if the server knows no such collection. */
  readonly exists: boolean;
  /** False if the scan could not prove that it saw every document. */
  readonly complete: boolean;
  readonly documentCount: number;
  /** When the reading began, on the monotonic clock. */
  readonly readAt: number;
  /** False if only chosen documents were read. */
  readonly whole: boolean;
  /** Requests that the reading took, and how long. */
  readonly requests: number;
  readonly readMs: number;
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
  const counter = new RequestCounter(reading.platform.clock);
  for (const withoutKeyset of [false, true]) {
    const records = new DocumentRecords(reading.scratch, !reading.collection.traits.serverGivenKeys);
    const live = new LiveDocuments(reading.scratch);
    const close = async (): Promise<void> => {
      await records.runs.close();
      await live.close();
    };
    try {
      const found = await scanInto(reading, counter, withoutKeyset, records, live);
      return {
        ...found,
        ...counter.figures,
        whole: true,
        documentCount: records.runs.count,
        records,
        live,
        close,
      };
    } catch (thrown) {
      await close();
      if (!(thrown instanceof ScanMustRestart) || withoutKeyset) throw thrown;
    }
  }
  throw new Error('a scan without keyset asked to be restarted without keyset');
}

const KEYS_AT_ONCE = 16;
/** Documents by which the shape of a collection is judged. */
const SAMPLE = 100;

/**
 * Reads only the documents with these scan keys (JSON texts), each by a request of its own: for targets that keep keys,
 * where there are few. The state holds no others, and is complete as far as it goes. Where the server does not serve
 * documents by their keys the whole collection is read.
 */
export async function readDocuments(
  reading: TargetReading,
  keys: readonly Uint8Array[],
): Promise<TargetState> {
  const { collection, target, scratch, platform, signal } = reading;
  const counter = new RequestCounter(platform.clock);
  const records = new DocumentRecords(scratch, !collection.traits.serverGivenKeys);
  const live = new LiveDocuments(scratch);
  const close = async (): Promise<void> => {
    await records.runs.close();
    await live.close();
  };
  try {
    const pages = counter.counted(target.openCollection(collection.collection));
    const sample = await pages.page({ limit: Math.min(SAMPLE, pages.traits.limitMax), offset: 0 }, signal);
    const shape = detectShape(sample, pages.traits.shapes);
    const hasher = new DocumentHasher(platform.codec, shape);
    const found: { key: Uint8Array; document: DocumentBatch }[] = [];
    const left = [...keys];
    await runWorkers(KEYS_AT_ONCE, async () => {
      for (let key = left.pop(); key !== undefined; key = left.pop()) {
        counter.requests++;
        const document = await collection.document(key, signal);
        if (document !== null) found.push({ key, document });
      }
    });
    for (const { key, document } of found) {
      const hashes = hasher.read(document, 0);
      const isKept = reading.endangered?.has(hashes) === true;
      const writePlace = isKept ? await live.add(key, key, documentBytes(document, 0)) : await live.add(key);
      await records.add(hashes, () => valueHash(platform.codec, document, 0, shape), false, writePlace);
      if (reading.onDocument !== undefined) await reading.onDocument(document, 0, shape, hashes);
    }
    await live.seal();
    return {
      exists: true,
      complete: true,
      whole: false,
      ...counter.figures,
      shape,
      documentCount: found.length,
      records,
      live,
      close,
    };
  } catch (thrown) {
    await close();
    const byPages = thrown instanceof BackupError && BY_PAGES_ONLY.includes(thrown.code);
    if (!byPages) throw thrown;
    return await readTarget(reading);
  }
}

/** What a server answers that knows no collection of this name, or does not serve its documents one by one. */
export const BY_PAGES_ONLY: readonly string[] = ['SOURCE_NOT_FOUND', 'SOURCE_MALFORMED'];

async function scanInto(
  reading: TargetReading,
  counter: RequestCounter,
  withoutKeyset: boolean,
  records: DocumentRecords,
  live: LiveDocuments,
): Promise<Pick<TargetState, 'exists' | 'complete' | 'shape'>> {
  const { platform, collection, scratch, signal } = reading;
  let scan: Scan;
  try {
    const pages = counter.counted(reading.target.openCollection(collection.collection));
    scan = await Scan.open(pages, { platform, scratch, withoutKeyset, signal });
  } catch (thrown) {
    if (!(thrown instanceof BackupError && thrown.code === 'SOURCE_NOT_FOUND')) throw thrown;
    return { exists: false, complete: true, shape: 'flat' };
  }
  const hasher = new DocumentHasher(platform.codec, scan.shape);
  for await (const batch of scan.batches()) {
    for (let index = 0; index < batch.spans.count; index++) {
      const address = collection.address(batch, index, scan.shape);
      const key = address === null ? null : scanKeyText(batch, index, scan.shape);
      const hashes = hasher.read(batch, index);
      const isKept = address !== null && reading.endangered?.has(hashes) === true;
      const writePlace = isKept
        ? await live.add(key, address, documentBytes(batch, index))
        : await live.add(key, address);
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

/** How fast the target answers. */
class RequestCounter {
  requests = 0;
  readonly #clock: Clock;
  readonly #begun: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#begun = clock.monotonic();
  }

  counted(pages: CollectionPages): CollectionPages {
    return {
      ...pages,
      page: (query, signal) => {
        this.requests++;
        return pages.page(query, signal);
      },
    };
  }

  get figures(): Pick<TargetState, 'readAt' | 'requests' | 'readMs'> {
    const readMs = this.#clock.monotonic() - this.#begun;
    return { readAt: this.#begun, requests: this.requests, readMs };
  }
}

function documentBytes({ bytes, spans }: DocumentBatch, index: number): Uint8Array {
  return bytes.subarray(spans.start(index), spans.end(index));
}
