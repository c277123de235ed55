import type { DocumentBatch } from '../../model/document.ts';
import type { PageQuery, SortField } from '../source.ts';
import { type Collected, type Collector, freshOnes } from './collector.ts';
import { type Ending, unproved } from './finding.ts';
import { CHASED, MovingEnd } from './moving-end.ts';
import { instantOf, ObservedOrder, type SortValue } from './order.ts';
import { sortValues } from './sort-values.ts';

/** An order in which documents can be read page by page. */
export interface PageOrder {
  readonly field: SortField;
  readonly direction: 'asc' | 'desc' | 'unknown';
  /** True if the server sorts so when asked; false if it is an order of its own, in which `field` may be observed. */
  readonly asked: boolean;
  /** The value at the far end when the scan started, where it is known. */
  readonly farEnd: SortValue | null;
}

/** A new document this much older than the scan's start cannot be an insert under a clock that is a little off. */
const CLOCK_SKEW_MAX_MS = 5 * 60 * 1000;
/** Pages without progress before the way is given up; each page with progress allows for one more. */
const PATIENCE = 40;
/** Times in a row that the end is looked for in vain: a tie group that does not fit in an answer shows itself soon. */
const ENDS_MAX = 6;
/** Pages that are read of documents that came after the scan started, of which none is owed. */
const OVERTIME_MAX = 30;
/** Fewer different values than this may come in order by chance. */
export const EVIDENT_VALUES = 5;

/**
 * Way 2 (design.md §6): pages by offset, in the order of an immutable value that each document shows.
 *
 * F is the furthest value reached; every document that existed throughout and stands strictly before F has been
 * received. A page counts only at offset 0, or if its first value lies strictly before F: then it continues without a
 * gap, whatever was inserted or deleted meanwhile. (That its documents were seen before proves nothing: they may have
 * moved.) Otherwise the scan steps back, doubling. The next page begins two documents before the last tie group, since
 * ties may come in any order.
 */
export class CoveredOffset {
  readonly #collector: Collector;
  readonly #order: PageOrder;
  readonly #startedAt: number;
  readonly #observed: ObservedOrder;
  /** Some of the different values seen, as evidence for an order that was only observed. */
  readonly #different = new Set<string>();
  readonly #end: MovingEnd;
  #furthest: SortValue | null = null;
  #offset = 0;

  constructor(collector: Collector, order: PageOrder, startedAt: number) {
    this.#collector = collector;
    this.#order = order;
    this.#startedAt = startedAt;
    this.#observed = new ObservedOrder(order.field, order.direction);
    this.#end = new MovingEnd(collector.reader);
  }

  async *scan(): AsyncGenerator<DocumentBatch, Ending> {
    const { reader } = this.#collector;
    let stepBack = 2;
    let patience = PATIENCE;
    let endsInVain = 0;
    let overtime = 0;
    /** The document before the offset cannot be served, so that no page can overlap it. */
    let afterUnreadable = false;

    while (patience > 0 && endsInVain < ENDS_MAX) {
      const limit = endsInVain > 1 ? reader.pages.traits.limitMax : reader.limit;
      const { values, news, ...answer } = yield* this.#receive(this.#queryAt(this.#offset, limit));
      const count = answer.identities.length;
      this.#offset += answer.skipped;
      afterUnreadable ||= answer.skipped > 0;
      if (count === 0 && (this.#offset === 0 || afterUnreadable)) return { proved: true };
      if (typeof values === 'string') return unproved(values);

      const continues = count > 0 && this.#isBehind(values[0]!);
      if (this.#offset > 0 && !afterUnreadable && !continues) {
        this.#offset = Math.max(0, this.#offset - stepBack);
        stepBack *= 2;
        patience--;
        continue;
      }
      stepBack = 2;
      afterUnreadable = false;
      const isShort = this.#end.isShort(limit, count);

      const last = values.at(-1)!;
      const advanced = this.#furthest === null || this.#observed.strictlyBefore(this.#furthest, last);
      if (advanced) this.#furthest = last;
      patience += advanced ? 1 : -1;
      if (this.#isPastTheStart() && ++overtime > OVERTIME_MAX) {
        return this.#order.farEnd === null ? unproved(CHASED) : { proved: true };
      }

      const behind = this.#queryAt(this.#offset + count, limit);
      if (this.#order.farEnd === null && (await this.#end.isChased(behind, count))) {
        return unproved(CHASED);
      }

      const step = answer.cut ? count : this.#stepWithin(values);
      if (advanced || news || step > 1) {
        endsInVain = 0;
      } else {
        endsInVain++;
        const isEnd = this.#order.asked
          ? yield* this.#farEndIsReached(values)
          : isShort && (yield* this.#nothingFollows(answer.identities, limit));
        if (isEnd) return { proved: true };
      }
      this.#offset = Math.max(0, this.#offset + step);
    }
    return unproved('the scan came to no end: documents keep moving, or too many share one value');
  }

  /** Reads a page and yields what it adds. In place of its values: what is wrong with them. */
  async *#receive(
    query: PageQuery,
  ): AsyncGenerator<DocumentBatch, Collected & { values: SortValue[] | string; news: boolean }> {
    const { field, asked } = this.#order;
    const collected = await this.#collector.read(query);
    const { reader, shape } = this.#collector;
    const values = sortValues(collected.page, shape, field, reader.pages.traits.createdAtIn);
    const batch = freshOnes(collected);
    if (batch !== null) yield batch;
    const received = { ...collected, news: batch !== null };
    if (values === null) return { ...received, values: `a document shows no ${field} to go by` };
    if (!this.#observed.observe(query.sort?.direction === this.#opposite ? values.toReversed() : values)) {
      return { ...received, values: `${field} comes in no known order` };
    }
    if (
      !asked &&
      values.some((value, index) => collected.fresh[index] === true && this.#isMisplaced(value))
    ) {
      return { ...received, values: 'a document appeared where everything had been read' };
    }
    for (const { text } of values) {
      if (this.#different.size < EVIDENT_VALUES) this.#different.add(text.toString('latin1'));
    }
    return { ...received, values };
  }

  get #opposite(): 'asc' | 'desc' {
    return this.#order.direction === 'asc' ? 'desc' : 'asc';
  }

  #queryAt(offset: number, limit: number): PageQuery {
    const { asked, direction, field } = this.#order;
    return asked && direction !== 'unknown'
      ? { limit, offset, sort: { field, direction } }
      : { limit, offset };
  }

  #isBehind(value: SortValue): boolean {
    return this.#furthest !== null && this.#observed.strictlyBefore(value, this.#furthest);
  }

  /** Whether a new document appears where everything had been read, too old to have been inserted since. */
  #isMisplaced(value: SortValue): boolean {
    const instant = instantOf(value.text);
    const isOld = instant !== null && instant.seconds * 1000 < this.#startedAt - CLOCK_SKEW_MAX_MS;
    return isOld && this.#isBehind(value);
  }

  /** Whether everything at hand came after the scan started. */
  #isPastTheStart(): boolean {
    const { farEnd } = this.#order;
    if (farEnd !== null) return this.#isBehind(farEnd);
    const instant = this.#furthest === null ? null : instantOf(this.#furthest.text);
    return instant !== null && instant.seconds * 1000 > this.#startedAt;
  }

  /** Two documents before the last tie group, but forward if that can be while a page there still counts. */
  #stepWithin(values: readonly SortValue[]): number {
    const last = values.at(-1)!;
    if (this.#isBehind(last)) return Math.max(1, values.length - 2);
    let tie = values.length - 1;
    while (tie > 0 && this.#observed.mayTie(values[tie - 1]!, last)) tie--;
    return tie === 0 ? -2 : Math.max(tie - 2, Math.min(1, tie - 1));
  }

  /** Whether nothing follows a page, and the opposite order reaches back to where this scan has been. */
  async *#farEndIsReached(values: readonly SortValue[]): AsyncGenerator<DocumentBatch, boolean> {
    const { reader } = this.#collector;
    if (await reader.holdsOneAt(this.#queryAt(this.#offset + values.length, 1))) return false;
    const sort = { field: this.#order.field, direction: this.#opposite };
    const far = yield* this.#receive({ limit: reader.limit, offset: 0, sort });
    if (typeof far.values === 'string') return false;
    const nearest = far.values.at(-1);
    if (nearest === undefined || this.#isBehind(nearest)) return true;
    // the only document
    const isLone = this.#offset === 0 && values.length === 1 && far.values.length === 1;
    return isLone && nearest.text.equals(values[0]!.text);
  }

  /** Whether nothing follows a page that is still the same afterwards, in an order of which enough was seen. */
  async *#nothingFollows(page: readonly string[], limit: number): AsyncGenerator<DocumentBatch, boolean> {
    if (this.#different.size < EVIDENT_VALUES) return false;
    if (await this.#collector.reader.holdsOneAt(this.#queryAt(this.#offset + page.length, 1))) return false;
    const again = yield* this.#receive(this.#queryAt(this.#offset, limit));
    return again.identities.toSorted().join() === page.toSorted().join();
  }
}
