import { BackupError } from '../../kernel/errors.ts';
import type { DocumentBatch, DocumentShape } from '../../model/document.ts';
import { scanKeyText } from '../../model/shape.ts';
import type { PageQuery } from '../source.ts';
import type { Finding } from './finding.ts';
import { ObservedOrder, type SortValue } from './order.ts';
import { assertShape, type PageReader, type PageResult, sameKind, sortValues } from './page-reader.ts';

/** The first page in ascending and the first in descending order of keys. */
export interface TwoEnds {
  readonly ascending: DocumentBatch;
  readonly descending: DocumentBatch;
}

/**
 * Whether the two ends allow way 1 (design.md §6): keys of one kind in every document, sorted as asked. A document
 * without a key, or with one of another kind, would stand at one of the ends.
 */
export function keysetServes(ends: TwoEnds, shape: DocumentShape): boolean {
  const ascending = sortValues(ends.ascending, shape, 'key');
  const descending = sortValues(ends.descending, shape, 'key');
  if (ascending === null || descending === null || !sameKind([...ascending, ...descending])) return false;
  return (
    observeUnique(new ObservedOrder('key', 'asc'), ascending) &&
    observeUnique(new ObservedOrder('key', 'desc'), descending)
  );
}

/** Answers that contradict each other in a row before the filter is given up; a writer may cause one or two. */
const CONTRADICTIONS_MAX = 3;

/**
 * Way 1: `key > last` until an answer is empty. Every document that existed throughout has its key inside an answer
 * or between two neighbouring ones, where nothing stood at that moment; so it is received, wherever others come and
 * go.
 *
 * Where the server's filter or order turns out not to be trusted, the finding says so and another way must start
 * afresh: this one does not remember what it has yielded.
 */
export async function* scanByKeyset(
  reader: PageReader,
  ends: TwoEnds,
  shape: DocumentShape,
): AsyncGenerator<DocumentBatch, Finding> {
  const order = new ObservedOrder('key', 'asc');
  const greatestSeen = sortValues(ends.descending, shape, 'key')?.[0] ?? null;
  const missing: string[] = [];
  let operator: '$gt' | '$gte' = '$gt';
  let filterAnswered = false;
  let contradictions = 0;
  let skipped = 0;
  let last: { text: Uint8Array; value: SortValue } | null = null;

  const distrust = (reason: string): Finding => ({ proved: false, reason, missing, startAfresh: true });

  const readNext = async (): Promise<PageResult> => {
    const query = (): PageQuery => ({
      limit: Math.max(2, reader.limit),
      offset: skipped,
      sort: { field: 'key', direction: 'asc' },
      ...(last === null ? {} : { after: { key: last.text, operator } }),
    });
    try {
      const result = await reader.readOrNarrow(query());
      filterAnswered = true;
      return result;
    } catch (thrown) {
      if (filterAnswered || operator === '$gte' || !isRefusal(thrown)) throw thrown;
      operator = '$gte';
      return await reader.readOrNarrow(query());
    }
  };

  let page = ends.ascending;
  for (;;) {
    assertShape(page, shape, reader.pages.collection);
    const values = sortValues(page, shape, 'key');
    if (values === null) return distrust('a document without a key came among the others');

    // $gte gives the last document again; a filter that is ignored gives the beginning
    let old = 0;
    if (last !== null) {
      while (old < values.length && !order.strictlyBefore(last.value, values[old]!)) old++;
      const onlyTheLast = old === 1 && operator === '$gte' && values[0]!.text.equals(last.value.text);
      if (old > 0 && !onlyTheLast) return distrust(`the filter ${operator} on the key is not honoured`);
    }
    const sequence = last === null ? values : [last.value, ...values.slice(old)];
    if (!sameKind(sequence) || !observeUnique(order, sequence))
      return distrust('keys come in no known order');

    if (values.length > old) {
      if (page !== ends.ascending && oneDocumentWasAll(ends, greatestSeen, last)) {
        return distrust('the server was not seen to sort');
      }
      const index = page.spans.count - 1;
      last = { text: Uint8Array.from(scanKeyText(page, index, shape)!), value: values[index]! };
      skipped = 0;
      contradictions = 0;
    } else {
      if (last === null || greatestSeen === null || !order.strictlyBefore(last.value, greatestSeen)) {
        return { proved: true, missing };
      }
      // the greatest key seen at the start lies ahead: either it was deleted, or the filter lost it
      const top = sortValues(await reader.read(topQuery(1)), shape, 'key')?.[0];
      if (top === undefined || !order.strictlyBefore(last.value, top)) return { proved: true, missing };
      if (++contradictions > CONTRADICTIONS_MAX)
        return distrust(`the filter ${operator} on the key loses documents`);
      operator = '$gte';
    }

    const next = readNext();
    next.catch(() => {}); // seen when its turn comes
    if (values.length > old) {
      if (old > 0) page.spans.retain((index) => index >= old);
      yield page;
    }
    let result = await next;
    while ('unreadable' in result) {
      missing.push(`the document that follows ${nameOf(last)} in the order of keys: ${result.unreadable}`);
      skipped++;
      result = await readNext();
    }
    page = result;
  }
}

/** The first documents in descending order of keys. */
export function topQuery(limit: number): PageQuery {
  return { limit, offset: 0, sort: { field: 'key', direction: 'desc' } };
}

/** Both ends showed the same single document, so that a server that does not sort would have looked the same. */
function oneDocumentWasAll(
  ends: TwoEnds,
  greatestSeen: SortValue | null,
  last: { value: SortValue } | null,
): boolean {
  if (ends.ascending.spans.count !== 1 || ends.descending.spans.count !== 1) return false;
  return last !== null && greatestSeen !== null && last.value.text.equals(greatestSeen.text);
}

/** Keys are unique: two equal ones next to each other are no order of keys. */
function observeUnique(order: ObservedOrder, values: readonly SortValue[]): boolean {
  return values.every((value, index) => {
    if (index === 0) return true;
    const former = values[index - 1]!;
    return !former.text.equals(value.text) && order.observe(former, value);
  });
}

function isRefusal(thrown: unknown): boolean {
  return thrown instanceof BackupError && thrown.code === 'SOURCE_REFUSED';
}

function nameOf(last: { text: Uint8Array } | null): string {
  return last === null ? 'the beginning' : Buffer.from(last.text).toString('utf8').slice(0, 100);
}
