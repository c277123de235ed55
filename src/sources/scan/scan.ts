import { BackupError } from '../../kernel/errors.ts';
import type { Platform } from '../../kernel/platform.ts';
import type { Scratch } from '../../kernel/sorted-runs.ts';
import type { DocumentBatch, DocumentShape } from '../../model/document.ts';
import { detectShape } from '../../model/shape.ts';
import type { CollectionPages } from '../source.ts';
import { Collector } from './collector.ts';
import { scanByCountedPasses } from './counted-passes.ts';
import { type Sorting, scanByCoveredOffset } from './covered-offset.ts';
import type { Finding } from './finding.ts';
import { keysetServes, scanByKeyset, type TwoEnds, topQuery } from './keyset.ts';
import { PageReader, type PageResult, sameKind, sortValues } from './page-reader.ts';
import { SeenKeys } from './seen-keys.ts';

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
const TOP_LIMIT = 10;

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
  readonly #first: PageResult;
  #finding: Finding | null = null;

  private constructor(options: ScanOptions, reader: PageReader, startedAt: number, first: PageResult) {
    this.#options = options;
    this.#reader = reader;
    this.#first = first;
    this.startedAt = startedAt;
    const { shapes } = reader.pages.traits;
    this.shape = 'unreadable' in first || first.spans.count === 0 ? shapes[0]! : detectShape(first, shapes);
  }

  /** Reads the first page, which tells the shape. */
  static async open(pages: CollectionPages, options: ScanOptions): Promise<Scan> {
    const reader = new PageReader(pages, options.signal);
    const startedAt = options.platform.clock.now();
    const sorted = pages.traits.sortFields.includes('key');
    const sort = sorted ? { sort: { field: 'key', direction: 'asc' } as const } : {};
    const first = await reader.readOrNarrow({ limit: reader.limit, offset: 0, ...sort });
    return new Scan(options, reader, startedAt, first);
  }

  get requests(): number {
    return this.#reader.requests;
  }

  /** True if the first answer held nothing: the collection is empty, or unknown to a server that does not say so. */
  get startsEmpty(): boolean {
    return !('unreadable' in this.#first) && this.#first.spans.count === 0;
  }

  /** How the scan ended; only after `batches` has ended. */
  get finding(): Finding {
    if (this.#finding === null) throw new Error('the scan has not ended');
    return this.#finding;
  }

  /** The documents, each once. Throws ScanMustRestart where what was yielded must be thrown away. */
  async *batches(): AsyncGenerator<DocumentBatch> {
    try {
      this.#finding = yield* this.#run();
      if (this.#finding.startAfresh === true) throw new ScanMustRestart(this.#finding.reason ?? 'no proof');
    } catch (thrown) {
      if (!(thrown instanceof BackupError && thrown.code === 'SOURCE_NOT_FOUND')) throw thrown;
      this.#finding = {
        proved: false,
        reason: 'the collection vanished while it was being read',
        missing: ['documents that had not been read when the collection vanished'],
      };
    }
  }

  async *#run(): AsyncGenerator<DocumentBatch, Finding> {
    const { traits } = this.#reader.pages;
    if (traits.keyset && this.#options.withoutKeyset !== true) {
      const ends = await this.#readEnds();
      if (ends !== null && keysetServes(ends, this.shape)) {
        return yield* scanByKeyset(this.#reader, ends, this.shape);
      }
    }
    return yield* this.#scanWithMemory();
  }

  async #readEnds(): Promise<TwoEnds | null> {
    const ascending = this.#first;
    const descending = await this.#reader.readOrNarrow(topQuery(TOP_LIMIT));
    return 'unreadable' in ascending || 'unreadable' in descending ? null : { ascending, descending };
  }

  /** Ways 2 and 3, which read documents more than once and remember which they have had. */
  async *#scanWithMemory(): AsyncGenerator<DocumentBatch, Finding> {
    const { platform, scratch } = this.#options;
    const seen = new SeenKeys(scratch);
    const { traits } = this.#reader.pages;
    try {
      const collector = new Collector(platform.codec, seen, this.shape);
      const sorting = await this.#chooseSorting();
      const missing: string[] = [];
      let reason: string | undefined;
      if (sorting !== 'none') {
        const finding = yield* scanByCoveredOffset(this.#reader, collector, sorting, this.startedAt);
        if (finding.proved) return finding;
        missing.push(...finding.missing);
        reason = finding.reason;
      }
      const finding = yield* scanByCountedPasses(this.#reader, collector, {
        clock: platform.clock,
        scratch,
        timeBudgetMs: this.#options.timeBudgetMs ?? TIME_BUDGET_MS,
        provable: traits.serverGivenKeys,
      });
      const allMissing = [...new Set([...missing, ...finding.missing])];
      if (finding.proved) return { ...finding, missing: allMissing };
      return { ...finding, missing: allMissing, reason: reason ?? finding.reason ?? 'no proof' };
    } finally {
      await seen.close();
    }
  }

  /** A field to sort by whose values both ends show in every document; null: the server's own order. */
  async #chooseSorting(): Promise<Sorting | 'none'> {
    const { sortFields } = this.#reader.pages.traits;
    if (sortFields.length === 0) return null;
    for (const field of sortFields) {
      const direction = field === 'key' ? ('asc' as const) : ('desc' as const);
      const opposite = direction === 'asc' ? ('desc' as const) : ('asc' as const);
      const ends = await Promise.all(
        [direction, opposite].map((towards) =>
          this.#reader.readOrNarrow({ limit: TOP_LIMIT, offset: 0, sort: { field, direction: towards } }),
        ),
      );
      const values = ends.map((end) => ('unreadable' in end ? null : sortValues(end, this.shape, field)));
      if (values.every((end) => end !== null && sameKind(end))) return { field, direction };
    }
    return 'none';
  }
}
