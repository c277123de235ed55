import { DocumentScanner, type DocumentSpans } from '../kernel/json/document-scanner.ts';
import { MemberNames } from '../kernel/json/member-names.ts';

/** Where the named top-level members of one JSON object stand; none where the text is not an object. */
export function locateMembers(json: Uint8Array, names: MemberNames): DocumentSpans {
  const scanner = new DocumentScanner(names, null);
  // the scanner turns line breaks into spaces, and documents are kept as they came
  const scratch = json.includes(0x0a) || json.includes(0x0d) ? Buffer.from(json) : json;
  scanner.advance(scratch, scratch.length);
  scanner.finish();
  return scanner.spans;
}

/** The bytes of one top-level member's value, or null. */
export function memberBytes(json: Uint8Array, names: MemberNames, index: number): Uint8Array | null {
  const spans = locateMembers(json, names);
  if (spans.count === 0 || !spans.hasMember(0, index)) return null;
  return json.subarray(spans.memberStart(0, index), spans.memberEnd(0, index));
}

export function parseJson(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
}

const ID = new MemberNames(['id']);

/** The payload's own id as text (a number's source text); null where it has none that can be a key. */
export function payloadId(payload: Uint8Array): string | null {
  const value = memberBytes(payload, ID, 0);
  if (value === null) return null;
  const first = value[0]!;
  if (first === 0x22) {
    const text = parseJson(value) as string;
    return text === '' || !text.isWellFormed() ? null : text;
  }
  const isNumber = first === 0x2d || (first >= 0x30 && first <= 0x39);
  return isNumber ? Buffer.from(value).toString() : null;
}

export function hasMemberId(payload: Uint8Array): boolean {
  return memberBytes(payload, ID, 0) !== null;
}

/** The members of `patch` spliced into `live`, byte for byte: its values replace those there, new ones go to the end. */
export function mergeMembers(live: Uint8Array, patch: Uint8Array): Uint8Array {
  const keys = Object.keys(parseJson(patch) as object);
  const names = new MemberNames(keys);
  const from = locateMembers(patch, names);
  const to = locateMembers(live, names);
  const places = keys
    .map((key, member) => ({
      key,
      start: to.memberStart(0, member),
      end: to.memberEnd(0, member),
      value: patch.subarray(from.memberStart(0, member), from.memberEnd(0, member)),
    }))
    .toSorted((one, other) => one.start - other.start);
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const { start, end, value } of places.filter((place) => place.end > 0)) {
    parts.push(live.subarray(at, start), value);
    at = end;
  }
  const closing = live.lastIndexOf(0x7d);
  parts.push(live.subarray(at, closing));
  let separator = isEmptyObject(live) ? '' : ',';
  for (const { key, value } of places.filter((place) => place.end === 0)) {
    parts.push(Buffer.from(`${separator}${JSON.stringify(key)}:`), value);
    separator = ',';
  }
  parts.push(live.subarray(closing));
  return Buffer.concat(parts);
}

export function isEmptyObject(json: Uint8Array): boolean {
  let at = 1;
  while (json[at] === 0x20 || json[at] === 0x09 || json[at] === 0x0a || json[at] === 0x0d) at++;
  return json[at] === 0x7d;
}

/** What a server does that stores values and not text: keys sorted, numbers as doubles print. */
export function reformatted(json: Uint8Array): Uint8Array {
  return Buffer.from(JSON.stringify(parseJson(json), sortedKeys));
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
