import type { DocumentBatch } from '../../model/document.ts';
import type { PageQuery, SortField } from '../source.ts';
import { type Collector, freshOnes } from './collector.ts';
import { type Ending, unproved } from './finding.ts';
import { instantOf, ObservedOrder, type SortValue } from './order.ts';
import { sortValues } from './sort-values.ts';

/** An order of documents in which they can be read page by page. */
export interface PageOrder {
  readonly field: SortField;
  readonly direction: 'asc' | 'desc' | 'unknown';
  /** True if the server sorts so when asked; false if it is an order of its own, in which `field` may be observed. */
  readonly asked: boolean;
  /** The value at the far end when the scan started, where it is known. */
  readonly farEnd?: SortValue | null;
}

/** A new document this much older than the scan's start cannot be an insert under a clock that is a little off. */
const CLOCK_SKEW_MAX_MS = 5 * 60 * 1000;
/** Pages without progress before the way is given up; each page with progress allows for one more. */
const PATIENCE = 40;
/** Pages that are read behind what stood at the far end when the scan started, where nothing is owed any more. */
const OVERTIME_MAX = 100;
/** Times in a row that the end is looked for in vain: a tie group that does not fit in an answer shows itself soon. */
const ENDS_MAX = 6;

/**
 * Way 2 (design.md §6): pages by offset, in the order of an immutable value that each document shows.
 *
 * F is the furthest value reached; every document that existed throughout and stands strictly before F has been
 * received. A page counts only at offset 0, or if its first value lies strictly before F: then it continues without a
 * gap, whatever was inserted or deleted meanwhile. (That its documents were seen before proves nothing: they may have
 * moved.) Otherwise the scan steps back, doubling. The next page begins two documents before the last tie group, since
 * ties may come in any order.
 */
export async function* scanByCoveredOffset(
  collector: Collector,
  order: PageOrder,
  startedAt: number,
): AsyncGenerator<DocumentBatch, Ending> {
  const { reader, shape } = collector;
  const { field, asked } = order;
  const observed = new ObservedOrder(field, order.direction);
  const longest = new Map<number, number>();
  let furthest: SortValue | null = null;
  let offset = 0;
  let stepBack = 2;
  let patience = PATIENCE;
  let endsInVain = 0;
  let overtime = 0;
  /** The document before `offset` cannot be served, so that no page can overlap it. */
  let afterUnreadable = false;

  while (patience > 0 && endsInVain < ENDS_MAX) {
    const limit = endsInVain > 1 ? reader.pages.traits.limitMax : reader.limit;
    const collected = await collector.read({ ...queryAt(offset), limit });
    const { page, skipped, cut, fresh } = collected;
    const { count } = page.spans;
    const values = sortValues(page, shape, field);
    const contradicts = !asked && values !== null && bringsOldOnes(values, fresh);
    const batch = freshOnes(collected);
    if (batch !== null) yield batch;
    if (contradicts) return unproved('a document appeared where everything had been read');

    offset += skipped;
    afterUnreadable ||= skipped > 0;
    if (count === 0 && (offset === 0 || afterUnreadable)) return { proved: true };
    if (values === null) return unproved(`a document shows no ${field} to go by`);
    if (!observed.observe(values)) return unproved(`${field} comes in no known order`);

    const continues = count > 0 && furthest !== null && observed.strictlyBefore(values[0]!, furthest);
    if (offset > 0 && !afterUnreadable && !continues) {
      offset = Math.max(0, offset - stepBack);
      stepBack *= 2;
      patience--;
      continue;
    }
    stepBack = 2;
    afterUnreadable = false;

    const last: SortValue = values.at(-1)!;
    const advanced = furthest === null || observed.strictlyBefore(furthest, last);
    const reached: SortValue = advanced ? last : furthest!;
    furthest = reached;
    patience += advanced ? 1 : -1;
    const wasShort = count < (longest.get(limit) ?? 0);
    longest.set(limit, Math.max(count, longest.get(limit) ?? 0));
    if (order.farEnd && observed.strictlyBefore(order.farEnd, reached) && ++overtime > OVERTIME_MAX) {
      return { proved: true };
    }

    if (cut) {
      offset += count;
      continue;
    }
    const next = offset + stepWithin(values, reached);
    if (advanced || batch !== null || next > offset + 1) {
      endsInVain = 0;
    } else {
      endsInVain++;
      const isLast = !(await reader.holdsOneAt(queryAt(offset + count)));
      if (isLast && (asked ? yield* oppositeEndReaches(reached, count) : wasShort)) return { proved: true };
    }
    offset = Math.max(0, next);
  }
  return unproved('the scan came to no end: documents keep moving, or too many share one value');

  function queryAt(at: number): Omit<PageQuery, 'limit'> {
    return asked && order.direction !== 'unknown'
      ? { offset: at, sort: { field, direction: order.direction } }
      : { offset: at };
  }

  /** Two documents before the last tie group, but forward if that can be while a page there still counts. */
  function stepWithin(values: readonly SortValue[], reached: SortValue): number {
    if (observed.strictlyBefore(values.at(-1)!, reached)) return Math.max(1, values.length - 2);
    let tie = values.length - 1;
    while (tie > 0 && observed.mayTie(values[tie - 1]!, values.at(-1)!)) tie--;
    return tie === 0 ? -2 : Math.max(tie - 2, Math.min(1, tie - 1));
  }

  /** Whether documents appear where everything had been read that are too old to have been inserted since. */
  function bringsOldOnes(values: readonly SortValue[], fresh: readonly boolean[]): boolean {
    return values.some(
      (value, index) =>
        fresh[index] === true &&
        furthest !== null &&
        observed.strictlyBefore(value, furthest) &&
        isOlder(value, startedAt - CLOCK_SKEW_MAX_MS),
    );
  }

  /** Reads the other end; yields what it adds. True if it reaches back to where this scan has been. */
  async function* oppositeEndReaches(
    reached: SortValue,
    lastCount: number,
  ): AsyncGenerator<DocumentBatch, boolean> {
    const direction = order.direction === 'asc' ? 'desc' : 'asc';
    const query = { limit: reader.limit, offset: 0, sort: { field, direction } } as const;
    const collected = await collector.read(query);
    const values = sortValues(collected.page, shape, field)?.toReversed() ?? null;
    const batch = freshOnes(collected);
    if (batch !== null) yield batch;
    if (values === null || !observed.observe(values)) return false;
    const [nearest] = values;
    if (nearest === undefined || observed.strictlyBefore(nearest, reached)) return true;
    // the only document
    return offset === 0 && lastCount === 1 && values.length === 1 && nearest.text.equals(reached.text);
  }
}

function isOlder(value: SortValue, milliseconds: number): boolean {
  const instant = instantOf(value.text);
  return instant !== null && instant.seconds * 1000 < milliseconds;
}
