import { isUtf8 } from 'node:buffer';
import { MemberNames } from '../kernel/json/member-names.ts';
import { fieldAnswer, Refusal, type SandboxRequest } from './message.ts';
import { locateMembers, parseJson } from './raw-json.ts';

/** Members of request bodies that are kept as they came. */
const RAW = new MemberNames(['data', 'row_data', 'schema', 'schema_definition', 'description']);

/** A request's JSON object: its members as values, and those that are stored as the bytes that came. */
export class RequestBody {
  readonly members: Readonly<Record<string, unknown>>;
  readonly #bytes: Uint8Array;

  /** Refuses with 422 what is not a JSON object in UTF-8. */
  constructor(request: SandboxRequest) {
    this.#bytes = request.body;
    this.members = parsedObject(request.body);
  }

  /** The verbatim bytes of a member; null where it is absent or null. */
  raw(name: string): Uint8Array | null {
    const member = RAW.names.indexOf(name);
    const spans = locateMembers(this.#bytes, RAW);
    if (!spans.hasMember(0, member) || this.members[name] === null) return null;
    return this.#bytes.subarray(spans.memberStart(0, member), spans.memberEnd(0, member));
  }

  /** The verbatim bytes of a member that must be an object. */
  rawObject(name: string): Uint8Array {
    const value = this.members[name];
    if (value === undefined) throw refused(name, 'field required', 'value_error.missing');
    if (!isObject(value)) throw refused(name, 'value is not a valid dict', 'type_error.dict');
    return this.raw(name)!;
  }

  /** A member that is an object, or absent. */
  object(name: string): Readonly<Record<string, unknown>> {
    const value = this.members[name] ?? {};
    if (!isObject(value)) throw refused(name, 'value is not a valid dict', 'type_error.dict');
    return value;
  }

  integer(name: string, bounds: { least: number; most: number; fallback: number }): number {
    return integerOf('body', name, this.members[name] ?? bounds.fallback, bounds);
  }
}

export function queryInteger(
  request: SandboxRequest,
  name: string,
  bounds: { least: number; most: number; fallback: number },
): number {
  const text = request.query.get(name);
  const value = text === null ? bounds.fallback : /^-?\d+$/.test(text) ? Number(text) : text;
  return integerOf('query', name, value, bounds);
}

function integerOf(
  where: 'body' | 'query',
  name: string,
  value: unknown,
  { least, most }: { least: number; most: number },
): number {
  if (!Number.isInteger(value)) {
    throw new Refusal(fieldAnswer(where, name, 'value is not a valid integer', 'type_error.integer'));
  }
  const number = value as number;
  if (number < least) {
    const message = `ensure this value is greater than or equal to ${least}`;
    throw new Refusal(fieldAnswer(where, name, message, 'value_error.number.not_ge'));
  }
  if (number > most) {
    const message = `ensure this value is less than or equal to ${most}`;
    throw new Refusal(fieldAnswer(where, name, message, 'value_error.number.not_le'));
  }
  return number;
}

function parsedObject(body: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    if (!isUtf8(body)) throw new SyntaxError('invalid UTF-8');
    value = parseJson(body);
  } catch (error) {
    throw new Refusal(fieldAnswer('body', null, String(error), 'value_error.jsondecode'));
  }
  if (!isObject(value)) {
    throw new Refusal(fieldAnswer('body', null, 'value is not a valid dict', 'type_error.dict'));
  }
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(name: string, message: string, type: string): Refusal {
  return new Refusal(fieldAnswer('body', name, message, type));
}
