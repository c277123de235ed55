import { BackupError } from '../../kernel/errors.ts';
import type { DocumentBatch, DocumentShape } from '../../model/document.ts';
import type { SortField } from '../source.ts';
import { ObservedOrder, type SortValue } from './order.ts';
import type { PageReader } from './page-reader.ts';
import { sortValues } from './sort-values.ts';

/** The first documents in ascending and in descending order of a field that the server was seen to sort by. */
export interface TwoEnds {
  readonly ascending: DocumentBatch;
  /** The least and the greatest value; null if there were no documents. */
  readonly least: SortValue | null;
  readonly greatest: SortValue | null;
  /** The order that both showed, ascending. */
  readonly order: ObservedOrder;
}

const FAR_END_LIMIT = 10;
/** Fewer different values than this may come sorted by chance. */
const EVIDENT_VALUES = 5;
const ATTEMPTS_MAX = 3;

/**
 * Reads the two ends of the order of a field. Null if the server was not seen to sort by it, or if a document there
 * does not show the field, or has a key of another kind: such documents stand at one of the ends.
 *
 * A server that ignores `sort` begins alike both times. A few documents may look sorted nevertheless, by chance or
 * because somebody wrote between the two requests: the ends of a few are asked for until they stay the same.
 */
export async function readTwoEnds(
  reader: PageReader,
  shape: DocumentShape,
  field: SortField,
  firstAscending: DocumentBatch | null = null,
): Promise<TwoEnds | null> {
  let ascending = firstAscending;
  let former: TwoEnds | null = null;
  const { createdAtIn } = reader.pages.traits;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    ascending ??= await readSorted(reader, field, 'asc', reader.limit);
    const descending = await readSorted(reader, field, 'desc', FAR_END_LIMIT);
    if (ascending === null || descending === null) return null;
    const upward = sortValues(ascending, shape, field, createdAtIn);
    const downward = sortValues(descending, shape, field, createdAtIn)?.toReversed() ?? null;
    if (upward === null || downward === null) return null;
    const order = new ObservedOrder(field, 'asc');
    if (!order.observe(upward) || !order.observe(downward)) return null;

    const ends = { ascending, least: upward[0] ?? null, greatest: downward.at(-1) ?? null, order };
    const { least, greatest } = ends;
    if (least === null || greatest === null) return ends;
    if (least.text.equals(greatest.text)) {
      // one document, or answers so short that others hide behind it, or all alike
      const second = { offset: 1, sort: { field, direction: 'asc' } } as const;
      return upward.length === 1 && !(await reader.holdsOneAt(second)) ? ends : null;
    }
    // what comes first in one direction stands behind all that comes in the other
    if (!order.observe([upward.at(-1)!, greatest]) || !order.observe([least, downward[0]!])) return null;
    const evident = Math.min(countDifferent(upward), countDifferent(downward)) >= EVIDENT_VALUES;
    if (evident || (former !== null && sameEnds(former, ends))) return ends;
    former = ends;
    ascending = null;
  }
  return null;
}

/** The beginning of an order; null if the server refuses to sort. */
export async function readSorted(
  reader: PageReader,
  field: SortField,
  direction: 'asc' | 'desc',
  limit: number,
): Promise<DocumentBatch | null> {
  try {
    return (await reader.read({ limit, offset: 0, sort: { field, direction } })).page;
  } catch (thrown) {
    if (thrown instanceof BackupError && thrown.code === 'SOURCE_REFUSED') return null;
    throw thrown;
  }
}

function sameEnds(former: TwoEnds, latter: TwoEnds): boolean {
  return former.least!.text.equals(latter.least!.text) && former.greatest!.text.equals(latter.greatest!.text);
}

function countDifferent(values: readonly SortValue[]): number {
  return new Set(values.map(({ text }) => text.toString('latin1'))).size;
}
