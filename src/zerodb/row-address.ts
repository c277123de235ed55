import { BackupError } from '../kernel/errors.ts';
import { DocumentScanner, JsonMalformed } from '../kernel/json/document-scanner.ts';
import { MemberNames } from '../kernel/json/member-names.ts';
import { usableKey } from '../kernel/json/strings.ts';
import type { Task } from './client.ts';

/** What names a row in dialect D; JSON texts. */
export interface RowAddress {
  readonly rowId: Uint8Array;
  /** The payload's own id: never empty. */
  readonly id: Uint8Array;
  /** The filter that finds it. Never `{}`, which matches every row. */
  readonly filter: Uint8Array;
}

const NAMES = new MemberNames(['row_id', 'id']);
const [ROW_ID, ID] = [0, 1] as const;

/** @param rowId, id JSON texts */
export function rowAddressText(rowId: Uint8Array, id: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from('{"row_id":'), rowId, Buffer.from(',"id":'), id, Buffer.from('}')]);
}

export function rowAddress(text: Uint8Array, { task, object }: Task): RowAddress {
  const scanner = new DocumentScanner(NAMES, null);
  const member = (which: 0 | 1): Uint8Array | null => {
    const [start, end] = [scanner.spans.memberStart(0, which), scanner.spans.memberEnd(0, which)];
    return end > 0 && usableKey(text, start, end) ? text.subarray(start, end) : null;
  };
  try {
    // what was written by `rowAddressText` holds no line breaks, which the scanner would change
    scanner.advance(text, text.length);
    scanner.finish();
    const rowId = scanner.spans.count === 1 ? member(ROW_ID) : null;
    const id = scanner.spans.count === 1 ? member(ID) : null;
    if (rowId !== null && id !== null) {
      return { rowId, id, filter: Buffer.concat([Buffer.from('{"id":'), id, Buffer.from('}')]) };
    }
  } catch (thrown) {
    if (!(thrown instanceof JsonMalformed)) throw thrown;
  }
  throw new BackupError('SOURCE_REFUSED', `cannot ${task}: the row has no id that a filter could name`, {
    ...(object !== undefined && { object }),
    cure: 'Give the row an id of its own: here a row can be named by that only.',
  });
}
