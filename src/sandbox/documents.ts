import type { Collection, SandboxDatabase, StoredDocument } from './database.ts';
import type { Dice } from './dice.ts';
import { errorAnswer, Refusal } from './message.ts';
import type { Misbehaviour } from './misbehaviour.ts';
import { type KeyBound, type PageOrder, Pages, type Wrapping } from './pages.ts';
import { mergeMembers, reformatted } from './raw-json.ts';
import { type Condition, Selections, type Sort } from './selection.ts';

export interface DocumentQuery {
  readonly conditions: readonly Condition[];
  readonly sort: Sort | null;
  readonly limit: number;
  readonly offset: number;
  /** Documents that the order leaves equal come in another order each time. */
  readonly shuffled?: boolean;
}

export interface DocumentPage {
  /** Documents as they stand in the answer, separated by commas. */
  readonly items: Uint8Array;
  readonly count: number;
  /** How many documents the query matches; null where the sandbox is told to keep it to itself. */
  readonly total: number | null;
}

/** Reading and writing documents, the same for every dialect; the place where misbehaviour touches content. */
export class Documents {
  misbehaviour: Misbehaviour;
  /** The documents that the last page of each collection held, for writers that aim at its edges. */
  readonly lastPages = new Map<string, readonly number[]>();
  readonly #database: SandboxDatabase;
  readonly #pages: Pages;
  readonly #selections: Selections;
  readonly #dice: Dice;
  readonly #now: () => number;

  constructor(database: SandboxDatabase, misbehaviour: Misbehaviour, dice: Dice, now: () => number) {
    this.misbehaviour = misbehaviour;
    this.#database = database;
    this.#pages = new Pages(database);
    this.#selections = new Selections(database);
    this.#dice = dice;
    this.#now = now;
  }

  /** The time of a write, ISO 8601 with microseconds. */
  get time(): string {
    return isoMicroseconds(this.#now());
  }

  newKey(): string {
    return this.#dice.uuid();
  }

  /** The collection of this name, made where it is not there. */
  open(name: string): Collection {
    return (
      this.#database.collection(name) ??
      this.#database.createCollection({ name, tableId: this.#dice.uuid(), createdAt: this.time })
    );
  }

  /** The new document's sequence; null if the key is taken. */
  insert(collection: Collection, key: string, payload: Uint8Array, createdAt = this.time): number | null {
    const data = this.misbehaviour.reformats ? reformatted(payload) : payload;
    return this.#database.insert(collection, { key, data, createdAt, updatedAt: createdAt });
  }

  /** Writes a document that exists: its whole payload, or only the members that `payload` has. */
  write(
    collection: Collection,
    document: StoredDocument,
    payload: Uint8Array,
    how: 'replace' | 'merge',
  ): void {
    const merged =
      how === 'merge' || this.misbehaviour.putMerges ? mergeMembers(document.data, payload) : payload;
    const data = this.misbehaviour.reformats ? reformatted(merged) : merged;
    this.#database.replace(collection, { ...document, data, updatedAt: this.time });
  }

  delete(collection: Collection, document: StoredDocument): void {
    this.#database.delete(collection, document);
  }

  /** The document with this key; refuses with 500 where it is one that cannot be served. */
  find(collection: Collection, key: string): StoredDocument | undefined {
    this.#refuseUnreadable(collection, [key]);
    return this.#database.find(collection, key);
  }

  /** One document as it stands in an answer. */
  item(sequence: number, wrapping: Wrapping): Uint8Array {
    return this.#pages.item(sequence, wrapping);
  }

  page(collection: Collection, asked: DocumentQuery, wrapping: Wrapping): DocumentPage {
    const { pageClamp, unreadable } = this.misbehaviour;
    const shuffleTies = this.misbehaviour.shuffleTies || asked.shuffled === true;
    const query = pageClamp > 0 ? { ...asked, limit: Math.min(asked.limit, pageClamp) } : asked;
    const bounds = keyBounds(query.conditions);
    const order = pageOrder(query.sort);
    const needsKeys = shuffleTies || this.#watched(collection) || unreadable[collection.name] !== undefined;
    const page =
      bounds === null || order === null || needsKeys
        ? this.#selected(collection, { ...query, shuffled: shuffleTies }, wrapping)
        : {
            ...this.#pages.page(
              collection,
              { order, bounds, limit: query.limit, offset: query.offset },
              wrapping,
            ),
            total: this.#pages.count(collection, bounds),
          };
    return { ...page, total: this.#toldTotal(page) };
  }

  /** Documents that meet the conditions, as they are stored. */
  matching(collection: Collection, conditions: readonly Condition[]): StoredDocument[] {
    return this.#selections
      .select(collection, conditions, null)
      .map((sequence) => this.#database.find(collection, this.#database.keyOf(sequence)!)!);
  }

  #watched(collection: Collection): boolean {
    return this.misbehaviour.writers.some(
      (plan) => plan.collection === collection.name && plan.actions?.includes('delete-edge'),
    );
  }

  #selected(collection: Collection, query: DocumentQuery, wrapping: Wrapping) {
    const shuffle = (sequences: number[], start: number, end: number) =>
      this.#dice.shuffle(sequences, start, end);
    const all = this.#selections.select(
      collection,
      query.conditions,
      query.sort,
      query.shuffled === true ? shuffle : null,
    );
    const sequences = all.slice(query.offset, query.offset + query.limit);
    if (this.misbehaviour.unreadable[collection.name] !== undefined) {
      this.#refuseUnreadable(
        collection,
        sequences.map((sequence) => this.#database.keyOf(sequence)!),
      );
    }
    if (this.#watched(collection)) this.lastPages.set(collection.name, sequences);
    const parts = sequences.flatMap((sequence, index) => [
      ...(index > 0 ? [COMMA] : []),
      this.#pages.item(sequence, wrapping),
    ]);
    return { items: Buffer.concat(parts), count: sequences.length, total: all.length };
  }

  #refuseUnreadable(collection: Collection, keys: readonly string[]): void {
    const unreadable = this.misbehaviour.unreadable[collection.name];
    if (unreadable?.some((key) => keys.includes(key))) {
      throw new Refusal(errorAnswer(500, 'Internal Server Error'));
    }
  }

  #toldTotal({ total, count }: { total: number; count: number }): number | null {
    const told = {
      exact: total,
      page: count,
      small: Math.max(0, total - 10),
      large: total + 10,
      missing: null,
    };
    return told[this.misbehaviour.total];
  }
}

const COMMA = Buffer.from(',');
const SQL_OPERATORS = { $eq: '=', $gt: '>', $gte: '>=', $lt: '<', $lte: '<=' } as const;

/** The conditions as bounds of the key that SQLite can apply; null if there are others. */
function keyBounds(conditions: readonly Condition[]): KeyBound[] | null {
  const bounds = conditions.flatMap(({ field, operator, operand }): KeyBound[] =>
    field === null && operator !== '$in' && operator !== '$contains' && typeof operand === 'string'
      ? [{ operator: SQL_OPERATORS[operator], key: operand }]
      : [],
  );
  return bounds.length === conditions.length ? bounds : null;
}

function pageOrder(sort: Sort | null): PageOrder | null {
  if (sort === null) return 'own';
  if (sort.field !== null) return null;
  return sort.descending ? 'key descending' : 'key';
}

/** `2025-01-09T15:30:00.123456Z` */
function isoMicroseconds(milliseconds: number): string {
  const microseconds = Math.floor(milliseconds * 1000);
  const text = new Date(Math.floor(microseconds / 1000)).toISOString();
  return `${text.slice(0, 23)}${String(microseconds % 1000).padStart(3, '0')}Z`;
}
