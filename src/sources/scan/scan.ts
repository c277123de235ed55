import { BackupError } from '../../kernel/errors.ts';
import type { Platform } from '../../kernel/platform.ts';
import type { Scratch } from '../../kernel/sorted-runs.ts';
import type { DocumentBatch, DocumentShape } from '../../model/document.ts';
import { detectShape } from '../../model/shape.ts';
import type { CollectionPages } from '../source.ts';
import { Collector } from './collector.ts';
import { PASSES_MAX, scanByCountedPasses } from './counted-passes.ts';
import { CoveredOffset, EVIDENT_VALUES, type PageOrder } from './covered-offset.ts';
import { type Ending, type Finding, unproved, type Way } from './finding.ts';
import { type LogStart, startOf } from './folded-log.ts';
import { scanByKeyset } from './keyset.ts';
import { OtherRoads } from './other-roads.ts';
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

/** Where a log names what is missing, passes need not find it all. */
const PASSES_BEFORE_LOG = 2;
/** What a server answers that keeps no log, or does not show it. */
const LOGLESS: readonly string[] = [
  'SOURCE_NOT_FOUND',
  'SOURCE_FORBIDDEN',
  'SOURCE_REFUSED',
  'SOURCE_MALFORMED',
  'SOURCE_FAILED',
];
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
  /** Null where the server keeps no change log. */
  readonly #logStart: LogStart | null;
  #way: Way = 'none needed';
  #finding: Finding | null = null;

  private constructor(
    options: ScanOptions,
    reader: PageReader,
    startedAt: number,
    first: DocumentBatch,
    logStart: LogStart | null,
  ) {
    this.#options = options;
    this.#reader = reader;
    this.#first = first;
    this.#logStart = logStart;
    this.startedAt = startedAt;
    this.shape = detectShape(first, reader.pages.traits.shapes);
    reader.shape = this.shape;
  }

  /** Reads the first page, which tells the shape. */
  static async open(pages: CollectionPages, options: ScanOptions): Promise<Scan> {
    const reader = new PageReader(pages, options.signal);
    const startedAt = options.platform.clock.now();
    const logStart = await readLogStart(pages, options.signal);
    const sorted = pages.traits.sortFields.includes('key')
      ? await readSorted(reader, 'key', 'asc', reader.limit)
      : null;
    const first = sorted ?? (await reader.read({ limit: reader.limit, offset: 0 })).page;
    return new Scan(options, reader, startedAt, first, logStart);
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
    const byKey = traits.sortFields.includes('key')
      ? await readTwoEnds(reader, this.shape, 'key', this.#first)
      : null;
    if (byKey !== null && traits.keyset && this.#options.withoutKeyset !== true) {
      this.#way = 'keyset';
      return yield* scanByKeyset(reader, byKey, this.shape);
    }
    return yield* this.#scanWithMemory(byKey);
  }

  /** Ways 2 to 4, which read documents more than once and remember which they have had. */
  async *#scanWithMemory(byKey: TwoEnds | null): AsyncGenerator<DocumentBatch, Ending> {
    const { platform, scratch, timeBudgetMs = TIME_BUDGET_MS } = this.#options;
    const { clock, codec } = platform;
    const provable = this.#reader.pages.traits.serverGivenKeys;
    const seen = new SeenKeys(scratch);
    try {
      const collector = new Collector(codec, this.#reader, seen, this.shape);
      this.#way = 'covered offset';
      let ending = yield* this.#scanInSomeOrder(collector, byKey);
      if (!ending.proved) {
        this.#way = 'counted passes';
        const { changeLog } = this.#reader.pages;
        const passesMax = changeLog === undefined ? PASSES_MAX : PASSES_BEFORE_LOG;
        const passes = { clock, scratch, passesMax, timeBudgetMs, provable };
        const counted = yield* scanByCountedPasses(collector, passes);
        if (provable) ending = counted;
        const logStart = this.#logStart;
        if (!ending.proved && changeLog && logStart !== null && this.#reader.missing.size === 0) {
          this.#way = 'other roads';
          const options = { clock, codec, scratch, timeBudgetMs, signal: this.#options.signal };
          ending = yield* new OtherRoads(collector, changeLog, logStart, options).scan();
        }
      }
      if (ending.proved && collector.hasTwins) return unproved('some documents cannot be told apart');
      return ending;
    } finally {
      await seen.close();
    }
  }

  /** Whether page one holds all there is, too little to show an order by: way 3 is the shorter one. */
  async #isSoonCounted(): Promise<boolean> {
    const { count } = this.#first.spans;
    if (count >= EVIDENT_VALUES || !this.#reader.pages.traits.serverGivenKeys) return false;
    return !(await this.#reader.holdsOneAt({ offset: count }));
  }

  /** Way 2: upwards by a unique value, else newest first, else in the server's own order. */
  async *#scanInSomeOrder(
    collector: Collector,
    byKey: TwoEnds | null,
  ): AsyncGenerator<DocumentBatch, Ending> {
    const scanIn = (order: PageOrder) => new CoveredOffset(collector, order, this.startedAt).scan();
    if (byKey !== null) {
      const order = { field: 'key', direction: 'asc', asked: true, farEnd: byKey.greatest } as const;
      const ending = yield* scanIn(order);
      if (ending.proved) return ending;
    }
    const byTime = this.#reader.pages.traits.sortFields.includes('created_at')
      ? await readTwoEnds(this.#reader, this.shape, 'created_at')
      : null;
    if (byTime !== null) {
      const order = { field: 'created_at', direction: 'desc', asked: true, farEnd: byTime.least } as const;
      const ending = yield* scanIn(order);
      if (ending.proved) return ending;
    }
    if (await this.#isSoonCounted()) return unproved('too few documents show the order');
    return yield* scanIn({ field: 'created_at', direction: 'unknown', asked: false, farEnd: null });
  }
}

/** Before the first page: what is deleted after it was received must not be passed over. */
async function readLogStart(
  { changeLog }: CollectionPages,
  signal: AbortSignal | undefined,
): Promise<LogStart | null> {
  if (changeLog === undefined) return null;
  try {
    return startOf(await changeLog.entries({ limit: 1, offset: 0 }, signal));
  } catch (thrown) {
    // the pages will say what is wrong with the collection
    if (thrown instanceof BackupError && LOGLESS.includes(thrown.code)) return null;
    throw thrown;
  }
}
