import { BackupError } from '../../kernel/errors.ts';
import type { DocumentBatch, DocumentShape } from '../../model/document.ts';
import { scanKeyText } from '../../model/shape.ts';
import type { Ending } from './finding.ts';
import type { ObservedOrder, SortValue } from './order.ts';
import type { PageReader } from './page-reader.ts';
import { sortValues } from './sort-values.ts';
import { readSorted, type TwoEnds } from './two-ends.ts';

const ASCENDING = { field: 'key', direction: 'asc' } as const;
/** Answers that contradict each other in a row before the filter is given up; a writer may cause one or two. */
const CONTRADICTIONS_MAX = 3;
/** Pages that are read behind the greatest key there was at the start, where nothing is owed any more. */
const OVERTIME_MAX = 30;

/**
 * Way 1 (design.md §6): `key > last` until an answer is empty. Every document that existed throughout has its key
 * inside an answer or between two neighbouring ones, where nothing stood at that moment; so it is received, wherever
 * others come and go.
 *
 * Where the server's filter or order turns out not to be trusted, another way must start afresh: this one does not
 * remember what it has yielded.
 */
export async function* scanByKeyset(
  reader: PageReader,
  ends: TwoEnds,
  shape: DocumentShape,
): AsyncGenerator<DocumentBatch, Ending> {
  const { order } = ends;
  /** Nothing that existed throughout stands behind it. */
  let { greatest } = ends;
  let operator: '$gt' | '$gte' = '$gt';
  let contradictions = 0;
  let overtime = 0;
  let last: { readonly text: Uint8Array; readonly value: SortValue } | null = null;
  let page = ends.ascending;

  /** Null if the server refuses both filters. */
  const readNext = async (): Promise<DocumentBatch | null> => {
    for (;;) {
      const after = last === null ? {} : { after: { key: last.text, operator } };
      const query = { limit: Math.max(2, reader.limit), offset: 0, sort: ASCENDING, ...after };
      try {
        const reading = await reader.read(query);
        if (operator === '$gt' || !reading.cut || reading.page.spans.count > 1) return reading.page;
        // the last document again, and behind it one that cannot be served
        const behind = await reader.read({ ...query, offset: 1 });
        return behind.skipped > 0 ? behind.page : reading.page;
      } catch (thrown) {
        if (!isRefusal(thrown)) throw thrown;
        if (operator === '$gte') return null;
        operator = '$gte';
      }
    }
  };

  for (;;) {
    const values = sortValues(page, shape, 'key');
    if (values === null) return distrust('a document without a key came among the others');

    // $gte gives the last document again; a filter that is ignored gives the beginning
    const repeats: boolean =
      last !== null && operator === '$gte' && values[0]?.text.equals(last.value.text) === true;
    const sequence: SortValue[] = repeats || last === null ? values : [last.value, ...values];
    if (!isAscending(order, sequence)) {
      return distrust(`the filter ${operator} on the key is not honoured`);
    }
    if (repeats) page.spans.retain((index) => index > 0);
    const { count } = page.spans;
    if (count > 0) {
      last = { text: Uint8Array.from(scanKeyText(page, count - 1, shape)!), value: values.at(-1)! };
      contradictions = 0;
    }
    const isOwedMore = (): boolean =>
      last !== null && greatest !== null && order.mayBeBefore(last.value, greatest);
    if (count === 0) {
      if (!isOwedMore()) return { proved: true };
      // either what stood there was deleted, or the filter loses it
      const top = await readSorted(reader, 'key', 'desc', 1);
      const topValues = top === null ? null : sortValues(top, shape, 'key');
      if (topValues === null) return distrust('a document without a key came among the others');
      greatest = topValues[0] ?? null;
      if (greatest !== null && last !== null && greatest.isNumber !== last.value.isNumber) {
        return distrust('keys of two kinds');
      }
      if (!isOwedMore()) return { proved: true };
      if (++contradictions > CONTRADICTIONS_MAX) {
        return distrust(`the filter ${operator} on the key loses documents`);
      }
      operator = '$gte';
    } else if (!isOwedMore() && ++overtime > OVERTIME_MAX) {
      yield page;
      return { proved: true };
    }

    const next = readNext();
    next.catch(() => {}); // seen when its turn comes
    if (count > 0) {
      let isLeft = true;
      try {
        yield page;
        isLeft = false;
      } finally {
        if (isLeft) await reader.abandon(next);
      }
    }
    const following = await next;
    if (following === null) return distrust('the server refuses to filter by the key');
    page = following;
  }
}

function distrust(reason: string): Ending {
  return { proved: false, reason, startAfresh: true };
}

/** Keys are unique: two equal ones next to each other are no order of keys. */
function isAscending(order: ObservedOrder, values: readonly SortValue[]): boolean {
  const repeats = values.some((value, index) => index > 0 && value.text.equals(values[index - 1]!.text));
  return !repeats && order.observe(values);
}

function isRefusal(thrown: unknown): boolean {
  return thrown instanceof BackupError && thrown.code === 'SOURCE_REFUSED';
}
