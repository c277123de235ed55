import { BackupError } from '../../kernel/errors.ts';
import { decodedKey } from '../../kernel/json/strings.ts';
import type { DocumentBatch, DocumentShape } from '../../model/document.ts';
import { MEMBER } from '../../model/document.ts';
import { fitsShape, nameOfDocument, scanKey, scanKeyText } from '../../model/shape.ts';
import type { CollectionPages, PageQuery, SortField } from '../source.ts';
import type { SortValue } from './order.ts';

/** Answers are kept near this size: large enough for speed, small enough for memory. */
const PAGE_BYTES_AIM = 2 << 20;
const PAGE_BYTES_MAX = 8 << 20;
const FIRST_LIMIT = 100;

/** An answer, or the finding that the server cannot deliver the document at this place. */
export type PageResult = DocumentBatch | { readonly unreadable: string };

/**
 * Asks for pages of one collection: chooses how many documents to ask for, and where an answer fails for good narrows
 * the failure down to the one document that causes it.
 */
export class PageReader {
  readonly pages: CollectionPages;
  /** How many documents to ask for next. */
  limit: number;
  requests = 0;

  readonly #signal: AbortSignal | undefined;

  constructor(pages: CollectionPages, signal: AbortSignal | undefined) {
    this.pages = pages;
    this.#signal = signal;
    this.limit = Math.min(FIRST_LIMIT, pages.traits.limitMax);
  }

  async read(query: PageQuery): Promise<DocumentBatch> {
    this.requests++;
    const batch = await this.pages.page(query, this.#signal);
    this.#adaptLimit(batch, query.limit);
    return batch;
  }

  /** As `read`, but steps over a document that the server cannot serve. */
  async readOrNarrow(query: PageQuery): Promise<PageResult> {
    try {
      return await this.read(query);
    } catch (thrown) {
      if (!mayBeOneDocument(thrown)) throw thrown;
      return await this.#narrow(query, thrown);
    }
  }

  async #narrow(query: PageQuery, failure: BackupError): Promise<PageResult> {
    let good = 0;
    let bad = query.limit;
    let found: DocumentBatch | null = null;
    let last: BackupError = failure;
    while (bad - good > 1) {
      const limit = good === 0 && bad === query.limit ? 1 : (good + bad) >> 1;
      try {
        found = await this.read({ ...query, limit, brief: true });
        good = limit;
      } catch (thrown) {
        if (!mayBeOneDocument(thrown)) throw thrown;
        last = thrown;
        bad = limit;
      }
    }
    if (found !== null) return found;
    // not even one document can be read here; if the next one can, it is this document, otherwise the server
    try {
      await this.read({ ...query, limit: 1, offset: query.offset + 1, brief: true });
    } catch {
      throw failure;
    }
    return { unreadable: last.message };
  }

  #adaptLimit(batch: DocumentBatch, asked: number): void {
    const { count } = batch.spans;
    if (count === 0) return;
    const { limitMax } = this.pages.traits;
    const fitting = Math.max(
      1,
      Math.min(limitMax, Math.floor((PAGE_BYTES_AIM * count) / batch.bytes.length)),
    );
    const tooLarge = batch.bytes.length > PAGE_BYTES_MAX;
    if (tooLarge ? fitting < this.limit : count === asked && fitting > 2 * this.limit) this.limit = fitting;
  }
}

function mayBeOneDocument(thrown: unknown): thrown is BackupError {
  return (
    thrown instanceof BackupError &&
    ['SOURCE_FAILED', 'SOURCE_REFUSED', 'SOURCE_MALFORMED', 'SOURCE_TOO_LARGE'].includes(thrown.code)
  );
}

/** Throws SOURCE_MIXED_SHAPES naming the first document that is not of the collection's shape. */
export function assertShape(batch: DocumentBatch, shape: DocumentShape, collection: string): void {
  for (let index = 0; index < batch.spans.count; index++) {
    if (fitsShape(batch, index, shape)) continue;
    throw new BackupError(
      'SOURCE_MIXED_SHAPES',
      `collection ${collection} holds documents of shape ${shape} and ${nameOfDocument(batch, index, 'flat')}, which is not`,
      { object: collection, cure: 'Look at this document; one backup cannot hold two kinds of envelope.' },
    );
  }
}

/** Decoded values of the field that documents are sorted by; null if one of them has none. */
export function sortValues(batch: DocumentBatch, shape: DocumentShape, field: SortField): SortValue[] | null {
  const values: SortValue[] = [];
  for (let index = 0; index < batch.spans.count; index++) {
    const text = field === 'key' ? scanKeyText(batch, index, shape) : timeText(batch, index);
    if (text === null) return null;
    values.push({ text: Buffer.from(decodedKey(text, 0, text.length)), isNumber: text[0] !== 0x22 });
  }
  return values;
}

function timeText(batch: DocumentBatch, index: number): Uint8Array | null {
  const { spans, bytes } = batch;
  const start = spans.memberStart(index, MEMBER.createdAt);
  if (!spans.hasMember(index, MEMBER.createdAt) || bytes[start] !== 0x22) return null;
  return bytes.subarray(start, spans.memberEnd(index, MEMBER.createdAt));
}

/** One kind of key throughout; keys of two kinds are sorted and filtered in ways that nobody documents. */
export function sameKind(values: readonly SortValue[]): boolean {
  return values.every((value) => value.isNumber === values[0]!.isNumber);
}

/** First and last key and the number of documents: two different pages hardly share it. */
export function fingerprint(batch: DocumentBatch, shape: DocumentShape): string {
  const { count } = batch.spans;
  if (count === 0) return '';
  const key = (index: number) => Buffer.from(scanKey(batch, index, shape) ?? []).toString('base64');
  return `${count} ${key(0)} ${key(count - 1)}`;
}
