import type { DocumentBatch } from '../../model/document.ts';
import type { PageQuery, SortField } from '../source.ts';
import { type Collector, onlyMarked } from './collector.ts';
import type { Finding } from './finding.ts';
import { instantOf, ObservedOrder, type SortValue } from './order.ts';
import { assertShape, type PageReader, sortValues } from './page-reader.ts';

/** How documents are asked for: sorted by a field, or (null) in the server's own order. */
export type Sorting = { readonly field: SortField; readonly direction: 'asc' | 'desc' } | null;

/** A new document this much older than the scan's start cannot be an insert under a clock that is a little off. */
const CLOCK_SKEW_MAX_MS = 5 * 60 * 1000;
/** Pages in a row that bring nothing before the way is given up. */
const STALLS_MAX = 40;
/** Of these, pages that count: a tie group that does not fit in an answer shows itself soon. */
const COUNTING_STALLS_MAX = 6;

/**
 * Way 2 (design.md §6): pages by offset, in the order of an immutable value that each document shows.
 *
 * F is the furthest value reached; every document that existed throughout and stands strictly before F has been
 * received. A page counts only at offset 0, or if its first value lies strictly before F: then it continues without a
 * gap, whatever was inserted or deleted meanwhile. (That its documents were seen before proves nothing: they may have
 * moved.) Otherwise the scan steps back, doubling. The next page begins two documents before the last tie group, since
 * ties may come in any order.
 *
 * The end, where the server sorts as asked: the first page of the opposite order reaches back to before F. In a
 * server's own order: a counting page that adds nothing and is shorter than the longest answer to this limit, and an
 * empty answer behind it.
 */
export async function* scanByCoveredOffset(
  reader: PageReader,
  collector: Collector,
  sorting: Sorting,
  startedAt: number,
): AsyncGenerator<DocumentBatch, Finding> {
  const field = sorting?.field ?? 'created_at';
  const { shape } = collector;
  const order = new ObservedOrder(field === 'key' ? 'key' : 'time', sorting?.direction ?? 'unknown');
  const missing = new Set<string>();
  const longest = new Map<number, number>();
  let furthest: SortValue | null = null;
  let offset = 0;
  let stepBack = 2;
  let stalls = 0;
  let countingStalls = 0;
  /** The document before `offset` cannot be served, so no page can overlap it. */
  let behindUnreadable = false;

  const found = (proved: boolean, reason?: string): Finding => ({
    proved,
    missing: [...missing],
    ...(reason === undefined ? {} : { reason }),
  });
  const limit = () => (countingStalls > 1 ? reader.pages.traits.limitMax : reader.limit);
  const query = (at: number): PageQuery => ({
    limit: limit(),
    offset: at,
    ...(sorting === null ? {} : { sort: sorting }),
  });

  while (stalls < STALLS_MAX && countingStalls < COUNTING_STALLS_MAX) {
    const asked = limit();
    const page = await reader.readOrNarrow(query(offset));
    if ('unreadable' in page) {
      missing.add(`the document at position ${offset}: ${page.unreadable}`);
      offset++;
      behindUnreadable = true;
      continue;
    }
    assertShape(page, shape, reader.pages.collection);
    await collector.assertOffsetHonoured(reader, page, offset);
    const { count } = page.spans;
    if (count === 0 && offset === 0) return found(true);

    const values = sortValues(page, shape, field);
    if (values === null) return found(false, `a document has no ${field} to go by`);
    if (!values.every((value, index) => index === 0 || order.observe(values[index - 1]!, value))) {
      return found(false, `${field} comes in no known order`);
    }
    const counts =
      offset === 0 ||
      (count > 0 && (behindUnreadable || (furthest !== null && order.strictlyBefore(values[0]!, furthest))));
    if (!counts) {
      stalls++;
      offset = Math.max(0, offset - stepBack);
      stepBack *= 2;
      behindUnreadable = false;
      continue;
    }
    stepBack = 2;
    behindUnreadable = false;

    const fresh = await collector.newOnes(page);
    const misplaced = furthest !== null && field === 'created_at' && hasMisplaced(values, fresh, furthest);
    const batch = onlyMarked(page, fresh);
    const lastValue = values.at(-1)!;
    const next = offset + stepWithin(values);
    const progressed = batch !== null || furthest === null || order.strictlyBefore(furthest, lastValue);
    if (furthest === null || order.strictlyBefore(furthest, lastValue)) furthest = lastValue;
    if (batch !== null) yield batch;
    if (misplaced) return found(false, 'a document appeared where everything had been read');

    const wasShort = count < (longest.get(asked) ?? 0);
    longest.set(asked, Math.max(count, longest.get(asked) ?? 0));
    if (progressed || next > offset + 1) {
      stalls = 0;
      countingStalls = 0;
      offset = Math.max(0, next);
      continue;
    }

    // nothing new here: the end, or a tie group that does not fit, or a document that cannot be served
    if (sorting !== null && (yield* oppositeEndReached(furthest))) return found(true);
    const behind = await reader.readOrNarrow(query(offset + count));
    if ('unreadable' in behind) {
      missing.add(`the document at position ${offset + count}: ${behind.unreadable}`);
      offset += count + 1;
      behindUnreadable = true;
      continue;
    }
    if (sorting === null && wasShort && behind.spans.count === 0) return found(true);
    stalls++;
    countingStalls++;
    offset = Math.max(0, next);
  }
  return found(false, 'the scan came to no end: documents keep moving, or too many share one value');

  /** Two documents before the last tie group, but forward if that can be while a page there still counts. */
  function stepWithin(values: readonly SortValue[]): number {
    let tie = values.length - 1;
    while (tie > 0 && order.mayTie(values[tie - 1]!, values.at(-1)!)) tie--;
    return tie === 0 ? -2 : Math.max(tie - 2, Math.min(1, tie - 1));
  }

  function hasMisplaced(
    values: readonly SortValue[],
    fresh: readonly boolean[],
    reached: SortValue,
  ): boolean {
    return values.some(
      (value, index) =>
        fresh[index] && order.strictlyBefore(value, reached) && isOlder(value, startedAt - CLOCK_SKEW_MAX_MS),
    );
  }

  /** Reads the other end; yields what it adds. True if it reaches back to where this scan has been. */
  async function* oppositeEndReached(reached: SortValue): AsyncGenerator<DocumentBatch, boolean> {
    const direction = sorting!.direction === 'asc' ? 'desc' : 'asc';
    const page = await reader.readOrNarrow({ limit: limit(), offset: 0, sort: { field, direction } });
    if ('unreadable' in page) return false;
    const values = sortValues(page, shape, field);
    if (values === null) return false;
    const [top, last] = [values[0], values.at(-1)];
    if (top === undefined || last === undefined) return true;
    // a server that does not sort gives the same end again
    const reversed = values.every(
      (value, index) => index === 0 || !order.strictlyBefore(values[index - 1]!, value),
    );
    if (!reversed || (values.length === 1 && order.strictlyBefore(top, reached))) return false;
    const batch = onlyMarked(page, await collector.newOnes(page));
    if (batch !== null) yield batch;
    return order.strictlyBefore(last, reached) || (field === 'key' && last.text.equals(reached.text));
  }
}

function isOlder(value: SortValue, milliseconds: number): boolean {
  const instant = instantOf(value.text);
  return instant !== null && instant.seconds * 1000 < milliseconds;
}
