import type { DocumentSpans } from '../kernel/json/document-scanner.ts';
import { MemberNames } from '../kernel/json/member-names.ts';

/**
 * How a server wraps the user's payload (design.md §5.2). Whole rows are archived, so the shape of an archive
 * says where in each of its documents the payload and the keys stand.
 *
 * - `flat`: the document is the payload; its `id` is the scan key
 * - `id_data`: `{id, data}`; payload `data`, scan key `id`
 * - `row`: `{row_id, row_data, …}`; payload `row_data`, scan key `row_id`
 * - `flat_id`: the payload plus a server's `_id`, which is the scan key
 */
export type DocumentShape = 'flat' | 'id_data' | 'row' | 'flat_id';

export const DOCUMENT_SHAPES: readonly DocumentShape[] = ['flat', 'id_data', 'row', 'flat_id'];

/** The top-level members that scans look out for, whatever the shape; indexes into DocumentSpans. */
export const MEMBERS = new MemberNames([
  'id',
  'data',
  'row_id',
  'row_data',
  '_id',
  'created_at',
  'updated_at',
]);
export const MEMBER = {
  id: 0,
  data: 1,
  rowId: 2,
  rowData: 3,
  underscoreId: 4,
  createdAt: 5,
  updatedAt: 6,
} as const;
export type Member = (typeof MEMBER)[keyof typeof MEMBER];

/** Some documents in one buffer, in the order in which they were received or stored. */
export interface DocumentBatch {
  readonly bytes: Uint8Array;
  readonly spans: DocumentSpans;
  /** CR and LF that stood outside strings and were replaced by spaces. */
  readonly lineBreaks?: number;
  /** Documents of the whole collection, as the server claims; for progress only. */
  readonly total?: number;
}
