import { isDeepStrictEqual } from 'node:util';
import { MemberNames } from '../kernel/json/member-names.ts';
import type { Collection, SandboxDatabase } from './database.ts';
import { errorAnswer, Refusal } from './message.ts';
import { memberBytes, parseJson } from './raw-json.ts';

export type Operator = '$eq' | '$gt' | '$gte' | '$lt' | '$lte' | '$in' | '$contains';
const OPERATORS: ReadonlySet<string> = new Set<Operator>(['$eq', '$gt', '$gte', '$lt', '$lte', '$in']);

/** One condition on a top-level field of the payload, or on the key where `field` is null. */
export interface Condition {
  readonly field: string | null;
  readonly operator: Operator;
  readonly operand: unknown;
}

export interface Sort {
  readonly field: string | null;
  readonly descending: boolean;
}

/**
 * Conditions of a filter such as `{"role":"admin","age":{"$gte":18}}`.
 *
 * @param keyName the name by which the filter addresses the key; null where it sees the payload only
 * @param operators false for a server that compares objects literally, whatever their keys look like
 */
export function parseFilter(
  filter: Record<string, unknown>,
  keyName: string | null,
  operators: boolean,
): Condition[] {
  return Object.entries(filter).flatMap(([name, wanted]) => {
    const field = name === keyName ? null : name;
    if (!operators || !isOperatorObject(wanted))
      return [{ field, operator: '$eq' as const, operand: wanted }];
    return Object.entries(wanted).map(([operator, operand]) => {
      if (!OPERATORS.has(operator)) {
        throw new Refusal(errorAnswer(400, `Unknown operator: ${operator}`, 'QUERY_SYNTAX_ERROR'));
      }
      return { field, operator: operator as Operator, operand };
    });
  });
}

function isOperatorObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const keys = Object.keys(value);
  return keys.length > 0 && keys.every((key) => key.startsWith('$'));
}

/**
 * Finds documents by what their payloads hold. The values of a field are parsed once and kept until their document
 * changes; a whole result is kept until anything in its collection changes.
 */
export class Selections {
  readonly #database: SandboxDatabase;
  /** By collection and field, the value in each document. */
  readonly #fields = new Map<string, Map<string, Map<number, unknown>>>();
  readonly #results = new Map<string, { version: number; sequences: number[] }>();

  constructor(database: SandboxDatabase) {
    this.#database = database;
    database.observe(({ collection, sequence }) => {
      for (const values of this.#fields.get(collection)?.values() ?? []) values.delete(sequence);
    });
  }

  /**
   * Sequences of the documents that meet all conditions, in the order asked for; without one, in the database's own.
   * @param shuffle puts documents that the order leaves equal into another order
   */
  select(
    collection: Collection,
    conditions: readonly Condition[],
    sort: Sort | null,
    shuffle: ((sequences: number[], start: number, end: number) => void) | null = null,
  ): readonly number[] {
    const name = JSON.stringify([collection.number, conditions, sort]);
    const known = this.#results.get(name);
    if (shuffle === null && known?.version === collection.version) return known.sequences;
    const sequences = this.#sorted(collection, conditions, sort, shuffle);
    if (shuffle === null) {
      if (this.#results.size > 100) this.#results.clear();
      this.#results.set(name, { version: collection.version, sequences });
    }
    return sequences;
  }

  #sorted(
    collection: Collection,
    conditions: readonly Condition[],
    sort: Sort | null,
    shuffle: ((sequences: number[], start: number, end: number) => void) | null,
  ): number[] {
    const rows = this.#database.keys(collection);
    const value = (row: { sequence: number; key: string }, field: string | null) =>
      field === null ? row.key : this.#value(collection, field, row);
    const matching = rows.filter((row) =>
      conditions.every((condition) => meets(value(row, condition.field), condition)),
    );
    if (sort !== null) {
      const direction = sort.descending ? -1 : 1;
      matching.sort(
        (one, other) =>
          direction * compareValues(value(one, sort.field), value(other, sort.field)) ||
          one.sequence - other.sequence,
      );
    }
    const sequences = matching.map((row) => row.sequence);
    if (shuffle !== null) {
      const rank = (index: number) => {
        if (sort !== null) return value(matching[index]!, sort.field);
        return this.#database.rowOrder === 'none' ? null : matching[index]!.createdAt;
      };
      for (let start = 0, end = 1; start < matching.length; start = end++) {
        while (end < matching.length && compareValues(rank(start), rank(end)) === 0) end++;
        shuffle(sequences, start, end);
      }
    }
    return sequences;
  }

  #value(collection: Collection, field: string, row: { sequence: number; key: string }): unknown {
    const fields = this.#fields.get(collection.name) ?? new Map<string, Map<number, unknown>>();
    this.#fields.set(collection.name, fields);
    const values = fields.get(field) ?? new Map<number, unknown>();
    fields.set(field, values);
    if (values.has(row.sequence)) return values.get(row.sequence);
    const data = this.#database.find(collection, row.key)!.data;
    const bytes = memberBytes(data, new MemberNames([field]), 0);
    const value = bytes === null ? undefined : parseJson(bytes);
    values.set(row.sequence, value);
    return value;
  }
}

function meets(value: unknown, { operator, operand }: Condition): boolean {
  if (operator === '$eq') return isDeepStrictEqual(value, operand);
  if (operator === '$contains') return contains(value, operand);
  if (operator === '$in') {
    return Array.isArray(operand) && operand.some((item) => isDeepStrictEqual(value, item));
  }
  if (typeRank(value) !== typeRank(operand) || typeRank(value) > RANK_STRING) return false;
  const order = compareValues(value, operand);
  if (operator === '$gt') return order > 0;
  if (operator === '$gte') return order >= 0;
  if (operator === '$lt') return order < 0;
  return order <= 0;
}

/** Containment as PostgreSQL has it for JSON: members and elements of the operand must be found, others may be there. */
function contains(value: unknown, operand: unknown): boolean {
  if (Array.isArray(operand)) {
    return Array.isArray(value) && operand.every((item) => value.some((other) => contains(other, item)));
  }
  if (typeof operand !== 'object' || operand === null) return value === operand;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(operand).every(
    ([name, wanted]) =>
      Object.hasOwn(value, name) && contains((value as Record<string, unknown>)[name], wanted),
  );
}

const RANK_STRING = 4;

/** Absent, null, booleans, numbers, strings, everything else. */
function typeRank(value: unknown): number {
  if (value === undefined) return 0;
  if (value === null) return 1;
  if (typeof value === 'boolean') return 2;
  if (typeof value === 'number') return 3;
  return typeof value === 'string' ? RANK_STRING : 5;
}

function compareValues(one: unknown, other: unknown): number {
  const ranks = typeRank(one) - typeRank(other);
  if (ranks !== 0) return ranks;
  if (typeof one === 'string') return compareUtf8(one, other as string);
  if (typeof one === 'number' || typeof one === 'boolean') return Number(one) - Number(other);
  return 0;
}

/** Orders strings as their UTF-8 bytes do, which differs from JavaScript's order beyond U+FFFF. */
export function compareUtf8(one: string, other: string): number {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at++) {
    const left = one.charCodeAt(at);
    const right = other.charCodeAt(at);
    if (left !== right) return utf8Rank(left) - utf8Rank(right);
  }
  return one.length - other.length;
}

/** Surrogates, which stand for the highest code points, go behind U+E000–U+FFFF. */
function utf8Rank(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800;
  return unit >= 0xd800 ? unit + 0x2000 : unit;
}
