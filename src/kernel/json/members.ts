import { JsonMalformed, unexpected } from './json-malformed.ts';
import { decodedKey } from './strings.ts';
import { type Piece, ValueEnd } from './value-end.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

/** Where one member of an object stands; the name with its quotes. Ends are exclusive. */
export interface MemberPlace {
  readonly nameStart: number;
  readonly nameEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** The top-level members of a JSON text, in their order; null if it is not an object. Throws JsonMalformed. */
export function membersOf(json: Uint8Array): MemberPlace[] | null {
  const piece: Piece = {
    bytes: json,
    words: new DataView(json.buffer, json.byteOffset, json.length),
    end: json.length,
  };
  const value = new ValueEnd();
  const members: MemberPlace[] = [];
  let at = skipSpace(json, 0);
  if (json[at] !== OPENING_BRACE) return null;
  at = skipSpace(json, at + 1);
  if (json[at] === CLOSING_BRACE) return members;
  for (;;) {
    const nameStart = at;
    if (json[at] !== QUOTE) throw unexpected('no name of a member', at);
    const nameEnd = endOf(value.findOfString(piece, at), at);
    at = skipSpace(json, nameEnd);
    if (json[at] !== COLON) throw unexpected('no colon', at);
    const valueStart = skipSpace(json, at + 1);
    const valueEnd = endOf(value.find(piece, valueStart, false), valueStart);
    members.push({ nameStart, nameEnd, valueStart, valueEnd });
    at = skipSpace(json, valueEnd);
    if (json[at] === CLOSING_BRACE) return members;
    if (json[at] !== COMMA) throw unexpected('no comma', at);
    at = skipSpace(json, at + 1);
  }
}

/**
 * The members of `patch` put into `live`, byte for byte: a value replaces that of the same name (of repeated names the
 * last, which is the one that counts), other members are added at the end in their order. Null if either is not an
 * object. Equal values leave `live` as it is.
 */
export function spliceMembers(live: Uint8Array, patch: Uint8Array): Uint8Array | null {
  const [there, given] = [membersOf(live), membersOf(patch)];
  if (there === null || given === null) return null;
  const patches = byName(patch, given);
  const targets = byName(live, there);
  const parts: Uint8Array[] = [];
  let copied = 0;
  for (const [name, { valueStart, valueEnd }] of [...targets].sort(
    ([, a], [, b]) => a.valueStart - b.valueStart,
  )) {
    const change = patches.get(name);
    if (change === undefined) continue;
    parts.push(live.subarray(copied, valueStart), patch.subarray(change.valueStart, change.valueEnd));
    copied = valueEnd;
  }
  const closing = live.lastIndexOf(CLOSING_BRACE);
  const added = [...patches].filter(([name]) => !targets.has(name));
  if (added.length === 0) return Buffer.concat([...parts, live.subarray(copied)]);
  parts.push(live.subarray(copied, closing));
  let separator = there.length === 0 ? '' : ',';
  for (const [, { nameStart, nameEnd, valueStart, valueEnd }] of added) {
    parts.push(Buffer.from(separator), patch.subarray(nameStart, nameEnd), Buffer.from(':'));
    parts.push(patch.subarray(valueStart, valueEnd));
    separator = ',';
  }
  return Buffer.concat([...parts, live.subarray(closing)]);
}

/** Names of the members that one text has otherwise than the other, byte for byte; null if either is not an object. */
export function changedMembers(before: Uint8Array, after: Uint8Array): string[] | null {
  try {
    const [there, given] = [membersOf(before), membersOf(after)];
    if (there === null || given === null) return null;
    const [olds, news] = [byName(before, there), byName(after, given)];
    const differs = (name: string): boolean => {
      const [old, young] = [olds.get(name), news.get(name)];
      if (old === undefined || young === undefined) return true;
      const text = before.subarray(old.valueStart, old.valueEnd);
      return Buffer.compare(text, after.subarray(young.valueStart, young.valueEnd)) !== 0;
    };
    const names = [...new Set([...olds.keys(), ...news.keys()])].filter(differs);
    return names.map((name) => Buffer.from(name, 'latin1').toString('utf8'));
  } catch (thrown) {
    if (thrown instanceof JsonMalformed) return null;
    throw thrown;
  }
}

/** Members by their decoded names (latin1), of repeated ones the last. */
function byName(json: Uint8Array, members: readonly MemberPlace[]): Map<string, MemberPlace> {
  const named = new Map<string, MemberPlace>();
  for (const member of members) {
    const name = decodedKey(json, member.nameStart, member.nameEnd);
    named.set(Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1'), member);
  }
  return named;
}

function skipSpace(json: Uint8Array, from: number): number {
  let at = from;
  while (json[at] === 0x20 || json[at] === 0x0a || json[at] === 0x0d || json[at] === 0x09) at++;
  return at;
}

function endOf(found: number, start: number): number {
  if (found < 0) throw new JsonMalformed('the text ends inside a value', start);
  return found;
}
