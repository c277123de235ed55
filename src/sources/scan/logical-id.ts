import { DocumentScanner, JsonMalformed } from '../../kernel/json/document-scanner.ts';
import { MemberNames } from '../../kernel/json/member-names.ts';
import { usableKey } from '../../kernel/json/strings.ts';

const ID = new MemberNames(['id']);

/** JSON text of a payload's own top-level `id`; null if it has none that identifies it. */
export function logicalIdText(payload: Uint8Array): Uint8Array | null {
  const scanner = new DocumentScanner(ID, null);
  try {
    scanner.advance(payload, payload.length);
    scanner.finish();
  } catch (thrown) {
    if (thrown instanceof JsonMalformed) return null;
    throw thrown;
  }
  const { spans } = scanner;
  if (spans.count !== 1 || !spans.hasMember(0, 0)) return null;
  const [start, end] = [spans.memberStart(0, 0), spans.memberEnd(0, 0)];
  return usableKey(payload, start, end) ? payload.subarray(start, end) : null;
}
