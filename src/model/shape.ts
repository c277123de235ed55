import { DocumentScanner, JsonMalformed } from '../kernel/json/document-scanner.ts';
import { MemberNames } from '../kernel/json/member-names.ts';
import { decodedKey, usableKey } from '../kernel/json/strings.ts';
import { type DocumentBatch, type DocumentShape, MEMBER, type Member } from './document.ts';

/** Members that a server may add around `{id, data}`; anything else means that the item is the payload itself. */
const ENVELOPE_NAMES = new Set([
  'id',
  'data',
  'created_at',
  'updated_at',
  'collection',
  'project_id',
  'version',
]);
const SAMPLE = 16;
const SAMPLE_BYTES_MAX = 1 << 20;

/**
 * The shape of a collection, judged by all documents of one answer: the first of `candidates` that fits every one
 * of them. `flat` fits anything.
 */
export function detectShape(batch: DocumentBatch, candidates: readonly DocumentShape[]): DocumentShape {
  return candidates.find((shape) => fitsAll(batch, shape)) ?? 'flat';
}

function fitsAll(batch: DocumentBatch, shape: DocumentShape): boolean {
  for (let index = 0; index < batch.spans.count; index++) {
    if (!fitsShape(batch, index, shape)) return false;
    if (shape === 'id_data' && index < SAMPLE && hasDomainFields(batch, index)) return false;
  }
  return true;
}

/** Whether a document can be taken for one of this shape. A document that cannot makes the collection a mixture. */
export function fitsShape(batch: DocumentBatch, index: number, shape: DocumentShape): boolean {
  const has = (member: Member) => batch.spans.hasMember(index, member);
  switch (shape) {
    case 'flat':
      return true;
    case 'id_data':
      return has(MEMBER.id) && has(MEMBER.data);
    case 'row':
      return has(MEMBER.rowId) && has(MEMBER.rowData);
    case 'flat_id':
      return has(MEMBER.underscoreId);
  }
}

function hasDomainFields(batch: DocumentBatch, index: number): boolean {
  const start = batch.spans.start(index);
  const end = batch.spans.end(index);
  if (end - start > SAMPLE_BYTES_MAX) return false;
  const bytes = batch.bytes;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
  try {
    return Object.keys(JSON.parse(text) as object).some((name) => !ENVELOPE_NAMES.has(name));
  } catch {
    return false; // text that only a tolerant server takes for JSON: nothing is known of its other members
  }
}

const SCAN_KEY: Record<DocumentShape, Member> = {
  flat: MEMBER.id,
  id_data: MEMBER.id,
  row: MEMBER.rowId,
  flat_id: MEMBER.underscoreId,
};

/** JSON text of a document's scan key; null if it has none that identifies it (design.md §5.3). */
export function scanKeyText(batch: DocumentBatch, index: number, shape: DocumentShape): Uint8Array | null {
  const { bytes, spans } = batch;
  const start = spans.memberStart(index, SCAN_KEY[shape]);
  const end = spans.memberEnd(index, SCAN_KEY[shape]);
  return end > 0 && usableKey(bytes, start, end) ? bytes.subarray(start, end) : null;
}

/** The bytes that identify a document on its server; null if there are none. May be a view of the batch. */
export function scanKey(batch: DocumentBatch, index: number, shape: DocumentShape): Uint8Array | null {
  const { bytes, spans } = batch;
  const start = spans.memberStart(index, SCAN_KEY[shape]);
  const end = spans.memberEnd(index, SCAN_KEY[shape]);
  return end > 0 && usableKey(bytes, start, end) ? decodedKey(bytes, start, end) : null;
}

/** Whether the JSON text of a usable key is a number. */
export function isNumericKey(text: Uint8Array | null): boolean {
  return text !== null && text[0] !== 0x22;
}

/** Whether a document's scan key is the empty text, which identifies nothing. */
export function hasEmptyKey({ bytes, spans }: DocumentBatch, index: number, shape: DocumentShape): boolean {
  const start = spans.memberStart(index, SCAN_KEY[shape]);
  return spans.memberEnd(index, SCAN_KEY[shape]) === start + 2 && bytes[start] === 0x22;
}

/** Name of a document for people: its scan key, or its place. */
export function nameOfDocument(batch: DocumentBatch, index: number, shape: DocumentShape): string {
  const text = scanKeyText(batch, index, shape);
  if (text === null) return `document ${index + 1} of an answer`;
  const name = Buffer.from(text).toString('utf8');
  return name.length > 100 ? `${name.slice(0, 100)}…` : name;
}

const PAYLOAD = { id_data: MEMBER.data, row: MEMBER.rowData } as const;

/** The user's own JSON: the document itself, or what the server wraps. */
export function payload(batch: DocumentBatch, index: number, shape: DocumentShape): Uint8Array {
  const { bytes, spans } = batch;
  if (shape === 'flat' || shape === 'flat_id') return bytes.subarray(spans.start(index), spans.end(index));
  const member = PAYLOAD[shape];
  return bytes.subarray(spans.memberStart(index, member), spans.memberEnd(index, member));
}

const PAYLOAD_SCANNER = new DocumentScanner(new MemberNames(['id']), null);

/** JSON text of the payload's own top-level `id`; null if it has none that identifies it. */
export function payloadIdText(batch: DocumentBatch, index: number, shape: DocumentShape): Uint8Array | null {
  if (shape === 'flat' || shape === 'flat_id') return scanKeyText(batch, index, 'flat');
  const { bytes } = batch;
  const member = PAYLOAD[shape];
  PAYLOAD_SCANNER.restart(batch.spans.memberStart(index, member));
  try {
    PAYLOAD_SCANNER.advance(bytes, batch.spans.memberEnd(index, member));
    PAYLOAD_SCANNER.finish();
  } catch (thrown) {
    if (thrown instanceof JsonMalformed) return null; // kept as it is; it has no members that could be named
    throw thrown;
  }
  const { spans } = PAYLOAD_SCANNER;
  if (!spans.hasMember(0, 0)) return null;
  const [start, end] = [spans.memberStart(0, 0), spans.memberEnd(0, 0)];
  return usableKey(bytes, start, end) ? bytes.subarray(start, end) : null;
}

/** The payload's own top-level `id`, decoded; null if it has none that identifies it. */
export function payloadId(batch: DocumentBatch, index: number, shape: DocumentShape): Uint8Array | null {
  const text = payloadIdText(batch, index, shape);
  return text === null ? null : decodedKey(text, 0, text.length);
}
