import { BackupError } from '../../kernel/errors.ts';
import type { DocumentBatch, DocumentShape } from '../../model/document.ts';
import { fitsShape, nameOfDocument } from '../../model/shape.ts';
import type { CollectionPages, PageQuery } from '../source.ts';

/** Answers are kept near this size: large enough for speed, small enough for memory. */
const PAGE_BYTES_AIM = 2 << 20;
const PAGE_BYTES_MAX = 8 << 20;
const FIRST_LIMIT = 100;
/** An offset that no collection reaches. */
export const BEYOND_EVERYTHING = 1_000_000_000;
/** A document that fails is asked for so often again, once the server has answered something else. */
const LAST_CHANCES = 2;
/** More documents than this that cannot be served are a failing server. */
const UNREADABLE_MAX = 100;

/** An answer, without documents that the server cannot serve. */
export interface Reading {
  readonly page: DocumentBatch;
  /** How many such documents stood at the offset asked for, before the page. */
  readonly skipped: number;
  /** True if one stands right behind the page, which is short for this reason. */
  readonly cut: boolean;
}

/**
 * Asks for pages of one collection: chooses how many documents to ask for, and where an answer fails for good narrows
 * the failure down to the document that causes it.
 */
export class PageReader {
  readonly pages: CollectionPages;
  /** Once it is known, every document must be of this shape. */
  shape: DocumentShape | null = null;
  /** How many documents to ask for next. */
  limit: number;
  requests = 0;
  /** Documents that the server could not serve, each by its place. */
  readonly missing = new Set<string>();

  readonly #signal: AbortSignal;
  readonly #abandoned = new AbortController();

  constructor(pages: CollectionPages, signal: AbortSignal | undefined) {
    this.pages = pages;
    const { signal: abandoned } = this.#abandoned;
    this.#signal = signal === undefined ? abandoned : AbortSignal.any([signal, abandoned]);
    this.limit = Math.min(FIRST_LIMIT, pages.traits.limitMax);
  }

  /** The next documents that can be served at or behind the offset; what had to be stepped over is in `missing`. */
  async read(query: PageQuery): Promise<Reading> {
    let skipped = 0;
    let { limit } = query;
    for (;;) {
      const at = { ...query, limit, offset: query.offset + skipped };
      try {
        return { page: await this.#ask({ ...at, brief: true }), skipped, cut: false };
      } catch (thrown) {
        if (!mayBeOneDocument(thrown)) throw thrown;
        if (thrown.code === 'SOURCE_TOO_LARGE' && limit > 1) {
          limit = limit >> 1;
          this.limit = Math.min(this.limit, limit);
          continue;
        }
        const page = (await this.#narrow(at)) ?? (await this.#askAgain({ ...at, limit: 1 }, thrown));
        if (page !== null) return { page, skipped, cut: page.spans.count > 0 };
        this.missing.add(`the document at ${placeOf(at)}: ${thrown.message}`);
        if (this.missing.size > UNREADABLE_MAX) throw thrown;
        skipped++;
      }
    }
  }

  /** Ends a reading that was begun ahead, where nobody reads on: nothing goes on behind the caller's back. */
  async abandon(pending: Promise<unknown>): Promise<void> {
    this.#abandoned.abort(new BackupError('INTERRUPTED', 'nobody reads on'));
    await pending.catch(() => {});
  }

  /** Whether there is a document at the offset, be it one that cannot be served. */
  async holdsOneAt(query: Omit<PageQuery, 'limit'>): Promise<boolean> {
    const one = { ...query, limit: 1 };
    try {
      return (await this.#ask({ ...one, brief: true })).spans.count > 0;
    } catch (thrown) {
      if (!mayBeOneDocument(thrown)) throw thrown;
      const page = await this.#askAgain(one, thrown);
      return page === null || page.spans.count > 0;
    }
  }

  async #ask(query: PageQuery): Promise<DocumentBatch> {
    this.requests++;
    const limit = Math.min(query.limit, this.pages.traits.limitMax);
    const page = await this.pages.page({ ...query, limit }, this.#signal);
    this.#adaptLimit(page, limit);
    if (this.shape !== null) assertShape(page, this.shape, this.pages.collection);
    return page;
  }

  /** What stands before the document that makes this page fail; null if that document is the first. */
  async #narrow(query: PageQuery): Promise<DocumentBatch | null> {
    let good = 0;
    let bad = query.limit;
    let page: DocumentBatch | null = null;
    while (bad - good > 1) {
      const limit = good === 0 ? 1 : (good + bad) >> 1;
      try {
        page = await this.#ask({ ...query, limit, brief: true });
        if (page.spans.count === 0) return page;
        good = limit;
      } catch (thrown) {
        if (!mayBeOneDocument(thrown)) throw thrown;
        bad = limit;
      }
    }
    return page;
  }

  /**
   * The answer to a query that has failed, after all; null if it keeps failing. Patience is spent where there is
   * nothing that could spoil an answer: a server that does not answer even there is what fails, and not one document.
   */
  async #askAgain(query: PageQuery, failure: BackupError): Promise<DocumentBatch | null> {
    try {
      await this.#ask({ ...query, limit: 1, offset: BEYOND_EVERYTHING });
    } catch (thrown) {
      throw mayBeOneDocument(thrown) ? failure : thrown;
    }
    for (let chance = 0; chance < LAST_CHANCES; chance++) {
      try {
        return await this.#ask({ ...query, brief: true });
      } catch (thrown) {
        if (!mayBeOneDocument(thrown)) throw thrown;
      }
    }
    return null;
  }

  #adaptLimit(page: DocumentBatch, asked: number): void {
    const { count } = page.spans;
    if (count === 0) return;
    const { limitMax } = this.pages.traits;
    const fitting = pageSizeFor(page, limitMax);
    if (page.bytes.length > PAGE_BYTES_MAX) this.limit = Math.min(this.limit, fitting);
    else if (count === asked && fitting > 2 * this.limit) this.limit *= 2;
  }
}

/** How many documents like these make an answer of a good size. */
export function pageSizeFor({ spans, bytes }: DocumentBatch, limitMax: number): number {
  return Math.max(1, Math.min(limitMax, Math.floor((PAGE_BYTES_AIM * spans.count) / bytes.length)));
}

function mayBeOneDocument(thrown: unknown): thrown is BackupError {
  return (
    thrown instanceof BackupError &&
    ['SOURCE_FAILED', 'SOURCE_REFUSED', 'SOURCE_MALFORMED', 'SOURCE_TOO_LARGE'].includes(thrown.code)
  );
}

/** Throws SOURCE_MIXED_SHAPES naming the first document that is not of the collection's shape. */
function assertShape(page: DocumentBatch, shape: DocumentShape, collection: string): void {
  for (let index = 0; index < page.spans.count; index++) {
    if (fitsShape(page, index, shape)) continue;
    throw new BackupError(
      'SOURCE_MIXED_SHAPES',
      `collection ${collection} holds documents of shape ${shape} and ${nameOfDocument(page, index, 'flat')}, which is not`,
      { object: collection, cure: 'Look at this document; one backup cannot hold two kinds of envelope.' },
    );
  }
}

function placeOf({ offset, sort, after }: PageQuery): string {
  const start = after === undefined ? '' : ` after ${Buffer.from(after.key).toString('utf8').slice(0, 100)}`;
  const order =
    sort === undefined ? "the server's own order" : `the order of ${sort.field}, ${sort.direction}ending`;
  return `position ${offset}${start} in ${order}`;
}
