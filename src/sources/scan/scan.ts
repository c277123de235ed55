import { BackupError } from '../../kernel/errors.ts';
import type { Platform } from '../../kernel/platform.ts';
import type { Scratch } from '../../kernel/sorted-runs.ts';
import type { DocumentBatch, DocumentShape } from '../../model/document.ts';
import { detectShape } from '../../model/shape.ts';
import type { CollectionPages } from '../source.ts';
import { Collector } from './collector.ts';
import { scanByCountedPasses } from './counted-passes.ts';
import { type PageOrder, scanByCoveredOffset } from './covered-offset.ts';
import { type Ending, type Finding, unproved, type Way } from './finding.ts';
import { scanByKeyset } from './keyset.ts';
import { PageReader } from './page-reader.ts';
import { SeenKeys } from './seen-keys.ts';
import { readSorted, readTwoEnds, type TwoEnds } from './two-ends.ts';

export interface ScanOptions {
  readonly platform: Pick<Platform, 'clock' | 'codec'>;
  readonly scratch: Scratch;
  /** No further pass of way 3 starts after so long. */
  readonly timeBudgetMs?: number;
  /** Leaves out way 1, after it was found not to serve here. */
  readonly withoutKeyset?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Way 1 turned out not to serve; open another scan with `withoutKeyset`. */
export class ScanMustRestart extends Error {
  override readonly name = 'ScanMustRestart';
}

const TIME_BUDGET_MS = 30 * 60 * 1000;

/**
 * Reads one collection while others write to it. The promise: every document that existed, unchanged, from the first
 * request to the last is yielded, once, byte for byte; where that cannot be proved, the finding says so.
 */
export class Scan {
  readonly shape: DocumentShape;
  /** Milliseconds since 1970 at the first request. */
  readonly startedAt: number;

  readonly #options: ScanOptions;
  readonly #reader: PageReader;
  readonly #first: DocumentBatch;
  #way: Way = 'none needed';
  #finding: Finding | null = null;

  private constructor(options: ScanOptions, reader: PageReader, startedAt: number, first: DocumentBatch) {
    this.#options = options;
    this.#reader = reader;
    this.#first = first;
    this.startedAt = startedAt;
    this.shape = detectShape(first, reader.pages.traits.shapes);
    reader.shape = this.shape;
  }

  /** Reads the first page, which tells the shape. */
  static async open(pages: CollectionPages, options: ScanOptions): Promise<Scan> {
    const reader = new PageReader(pages, options.signal);
    const startedAt = options.platform.clock.now();
    const sorted = pages.traits.sortFields.includes('key')
      ? await readSorted(reader, 'key', 'asc', reader.limit)
      : null;
    const first = sorted ?? (await reader.read({ limit: reader.limit, offset: 0 })).page;
    return new Scan(options, reader, startedAt, first);
  }

  get requests(): number {
    return this.#reader.requests;
  }

  /** True if the first answer held nothing: the collection is empty, or unknown to a server that does not say so. */
  get startsEmpty(): boolean {
    return this.#first.spans.count === 0 && this.#reader.missing.size === 0;
  }

  /** How the scan ended; only after `batches` has ended. */
  get finding(): Finding {
    if (this.#finding === null) throw new Error('the scan has not ended');
    return this.#finding;
  }

  /** The documents, each once. Throws ScanMustRestart where what was yielded must be thrown away. */
  async *batches(): AsyncGenerator<DocumentBatch> {
    let ending: Ending;
    try {
      ending = yield* this.#run();
    } catch (thrown) {
      if (!(thrown instanceof BackupError && thrown.code === 'SOURCE_NOT_FOUND')) throw thrown;
      ending = unproved('the collection vanished while it was being read');
    }
    if (!ending.proved && ending.startAfresh === true) throw new ScanMustRestart(ending.reason);
    this.#finding = { ...ending, way: this.#way, missing: [...this.#reader.missing] };
  }

  async *#run(): AsyncGenerator<DocumentBatch, Ending> {
    // nothing existed that could be owed, but for what is named as missing
    if (this.#first.spans.count === 0) return { proved: true };
    const reader = this.#reader;
    const { traits } = reader.pages;
    let ends: TwoEnds | null = null;
    let field = traits.sortFields[0];
    for (field of traits.sortFields) {
      ends = await readTwoEnds(reader, this.shape, field, field === 'key' ? this.#first : null);
      if (ends !== null) break;
    }
    if (traits.keyset && field === 'key' && ends !== null && this.#options.withoutKeyset !== true) {
      this.#way = 'keyset';
      return yield* scanByKeyset(reader, ends, this.shape);
    }
    return yield* this.#scanWithMemory(orderOf(field, ends));
  }

  /** Ways 2 and 3, which read documents more than once and remember which they have had. */
  async *#scanWithMemory(order: PageOrder): AsyncGenerator<DocumentBatch, Ending> {
    const { platform, scratch, timeBudgetMs } = this.#options;
    const provable = this.#reader.pages.traits.serverGivenKeys;
    const seen = new SeenKeys(scratch);
    try {
      const collector = new Collector(platform.codec, this.#reader, seen, this.shape);
      this.#way = 'covered offset';
      let ending = yield* scanByCoveredOffset(collector, order, this.startedAt);
      if (!ending.proved) {
        this.#way = 'counted passes';
        const { clock } = platform;
        const passes = { clock, scratch, timeBudgetMs: timeBudgetMs ?? TIME_BUDGET_MS, provable };
        const counted = yield* scanByCountedPasses(collector, passes);
        ending = counted.proved || provable ? counted : ending;
      }
      if (ending.proved && collector.hasTwins) return unproved('some documents cannot be told apart');
      return ending;
    } finally {
      await seen.close();
    }
  }
}

/** An order that the server was seen to sort in, else its own; by a unique value where there is one, else newest first. */
function orderOf(field: PageOrder['field'] | undefined, ends: TwoEnds | null): PageOrder {
  if (field === undefined || ends === null)
    return { field: 'created_at', direction: 'unknown', asked: false };
  return field === 'key'
    ? { field, direction: 'asc', asked: true, farEnd: ends.greatest }
    : { field, direction: 'desc', asked: true, farEnd: ends.least };
}
