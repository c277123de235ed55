import { DocumentScanner, JsonMalformed } from '../../kernel/json/document-scanner.ts';
import { MemberNames } from '../../kernel/json/member-names.ts';
import { decodedKey } from '../../kernel/json/strings.ts';
import { type DocumentBatch, type DocumentShape, MEMBER } from '../../model/document.ts';
import { payload, scanKeyText } from '../../model/shape.ts';
import type { PageTraits, SortField } from '../source.ts';
import type { SortValue } from './order.ts';

/** Decoded values of the field that documents are sorted by; null if one of them shows none. */
export function sortValues(
  batch: DocumentBatch,
  shape: DocumentShape,
  field: SortField,
  createdAtIn: PageTraits['createdAtIn'] = 'payload',
): SortValue[] | null {
  const values: SortValue[] = [];
  for (let index = 0; index < batch.spans.count; index++) {
    const text =
      field === 'key' ? scanKeyText(batch, index, shape) : timeText(batch, index, shape, createdAtIn);
    if (text === null) return null;
    values.push({ text: Buffer.from(decodedKey(text, 0, text.length)), isNumber: text[0] !== QUOTE });
  }
  return values;
}

/** The application's own time of creation, where the payload has one, else the server's. */
function timeText(
  batch: DocumentBatch,
  index: number,
  shape: DocumentShape,
  createdAtIn: PageTraits['createdAtIn'],
): Uint8Array | null {
  if (shape === 'id_data' && createdAtIn === 'payload') {
    const found = payloadTimeText(payload(batch, index, shape));
    if (found !== null) return found;
  }
  return textMember(batch, index, MEMBER.createdAt);
}

function payloadTimeText(bytes: Uint8Array): Uint8Array | null {
  const scanner = new DocumentScanner(CREATED_AT_ONLY, null);
  try {
    scanner.advance(bytes, bytes.length);
    scanner.finish();
  } catch (thrown) {
    if (thrown instanceof JsonMalformed) return null; // kept as it is; it has no members that could be named
    throw thrown;
  }
  return textMember({ bytes, spans: scanner.spans }, 0, 0);
}

function textMember({ bytes, spans }: DocumentBatch, index: number, member: number): Uint8Array | null {
  const start = spans.memberStart(index, member);
  if (!spans.hasMember(index, member) || bytes[start] !== QUOTE) return null;
  return bytes.subarray(start, spans.memberEnd(index, member));
}

const CREATED_AT_ONLY = new MemberNames(['created_at']);
const QUOTE = 0x22;
