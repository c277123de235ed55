import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { BackupError } from '../kernel/errors.ts';
import { hasMemberId, isEmptyObject } from './raw-json.ts';

/** In which order documents come when nobody asks for one: by time of creation, or by none that means anything. */
export type RowOrder = 'newest' | 'oldest' | 'none';

export interface Collection {
  /** Never given twice, so that nothing computed for a dropped collection is taken for one of a later collection. */
  readonly number: number;
  readonly name: string;
  readonly tableId: string;
  /** The member of the creating request that held the schema, and its verbatim value; null where none was given. */
  readonly schemaName: string | null;
  readonly schema: Uint8Array | null;
  readonly description: Uint8Array | null;
  readonly createdAt: string;
  documentCount: number;
  /** Rises with every change; what was computed from an older one is stale. */
  version: number;
}

export interface StoredDocument {
  /** Order of insertion; never given twice. */
  readonly sequence: number;
  readonly key: string;
  readonly data: Uint8Array;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** One change of one document, told to whoever observes. */
export interface Change {
  readonly kind: 'insert' | 'update' | 'delete';
  readonly collection: string;
  readonly sequence: number;
  readonly key: string;
}

const SCHEMA = `
  create table if not exists project (id text not null) strict;
  create table if not exists collections (
    number integer primary key autoincrement, name text not null unique, table_id text not null unique,
    schema_name text, schema blob, description blob, created_at text not null) strict;
  create table if not exists documents (
    sequence integer primary key, collection integer not null, key text not null, data blob not null,
    splice integer not null, created_at text not null, updated_at text not null, scatter integer not null) strict;
  create unique index if not exists by_key on documents (collection, key);
`;

/** The columns of an index, which are also the order; ties in order of insertion. */
export const ROW_ORDERS: Record<RowOrder, string> = {
  newest: 'created_at desc, sequence',
  oldest: 'created_at, sequence',
  none: 'scatter, sequence',
};

/** What must be put into a payload to show its key as `id`: nothing, a member, or a member and a comma. */
const SPLICE = { nothing: 0, member: 1, memberAndComma: 2 } as const;

/**
 * Collections and documents on SQLite, in memory or in one file. Payloads are blobs: the bytes that came in are the
 * bytes that go out. In a file every change is in the write-ahead log before the call returns, so it survives the
 * death of the process (not a power cut).
 */
export class SandboxDatabase {
  readonly rowOrder: RowOrder;
  /** Changes of documents and collections since it was opened. */
  changes = 0;
  readonly #sqlite: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #collections = new Map<string, Collection>();
  readonly #observers = new Set<(change: Change) => void>();
  #sequence: number;

  constructor(directory: string | null, rowOrder: RowOrder) {
    this.rowOrder = rowOrder;
    this.#sqlite = directory === null ? new DatabaseSync(':memory:') : openFile(directory);
    this.#sqlite.exec(SCHEMA);
    this.#sqlite.exec(
      `create index if not exists by_${rowOrder} on documents (collection, ${ROW_ORDERS[rowOrder]})`,
    );
    this.#sequence = Number(this.get('select coalesce(max(sequence), 0) as last from documents')!.last);
    this.#load();
  }

  /** The project whose data this is: the one given, else the one of last time, else a new one. */
  project(given: string | undefined, newId: () => string): string {
    const known = this.get('select id from project')?.id as string | undefined;
    const id = given ?? known ?? newId();
    if (id !== known) {
      this.run('delete from project', {});
      this.run('insert into project (id) values (:id)', { id });
    }
    return id;
  }

  /** In order of creation. */
  get collections(): Iterable<Collection> {
    return this.#collections.values();
  }

  collection(name: string): Collection | undefined {
    return this.#collections.get(name);
  }

  createCollection(
    facts: Pick<Collection, 'name' | 'tableId' | 'createdAt'> &
      Partial<Pick<Collection, 'schemaName' | 'schema' | 'description'>>,
  ): Collection {
    const row = this.get(
      `insert into collections (name, table_id, schema_name, schema, description, created_at)
       values (:name, :tableId, :schemaName, :schema, :description, :createdAt)
       returning *, 0 as document_count`,
      { schemaName: null, schema: null, description: null, ...facts },
    );
    const collection = collectionOf(row!);
    this.#collections.set(collection.name, collection);
    this.changes++;
    return collection;
  }

  dropCollection(collection: Collection): void {
    this.deleteAll(collection);
    this.run('delete from collections where number = :number', { number: collection.number });
    this.#collections.delete(collection.name);
    this.changes++;
  }

  /** The new document's sequence; null if the key is taken. */
  insert(collection: Collection, document: Omit<StoredDocument, 'sequence'>): number | null {
    const { changes } = this.run(
      `insert into documents (sequence, collection, key, data, splice, created_at, updated_at, scatter)
       values (:sequence, :collection, :key, :data, :splice, :createdAt, :updatedAt, :scatter)
       on conflict do nothing`,
      {
        ...document,
        sequence: this.#sequence + 1,
        collection: collection.number,
        splice: spliceOf(document.data),
        scatter: this.rowOrder === 'none' ? scattered(document.key) : 0,
      },
    );
    if (changes === 0) return null;
    this.#sequence++;
    collection.documentCount++;
    this.#changed(collection, 'insert', this.#sequence, document.key);
    return this.#sequence;
  }

  replace(collection: Collection, document: StoredDocument): void {
    this.run(
      'update documents set data = :data, splice = :splice, updated_at = :updatedAt where sequence = :sequence',
      {
        data: document.data,
        splice: spliceOf(document.data),
        updatedAt: document.updatedAt,
        sequence: document.sequence,
      },
    );
    this.#changed(collection, 'update', document.sequence, document.key);
  }

  delete(collection: Collection, document: Pick<StoredDocument, 'sequence' | 'key'>): void {
    this.run('delete from documents where sequence = :sequence', { sequence: document.sequence });
    collection.documentCount--;
    this.#changed(collection, 'delete', document.sequence, document.key);
  }

  deleteAll(collection: Collection): void {
    const gone = this.#observers.size === 0 ? [] : this.keys(collection);
    this.run('delete from documents where collection = :number', { number: collection.number });
    collection.documentCount = 0;
    collection.version++;
    this.changes++;
    for (const { sequence, key } of gone) {
      for (const observer of this.#observers)
        observer({ kind: 'delete', collection: collection.name, sequence, key });
    }
  }

  find(collection: Collection, key: string): StoredDocument | undefined {
    const row = this.get('select * from documents where collection = :number and key = :key', {
      number: collection.number,
      key,
    });
    return row && documentOf(row);
  }

  /** All documents in order of insertion, read one by one as they are asked for. */
  *documents(collection: Collection): Iterable<StoredDocument> {
    const listed = this.all('select sequence from documents where collection = :number order by sequence', {
      number: collection.number,
    });
    for (const { sequence } of listed) {
      const row = this.get('select * from documents where sequence = :sequence', {
        sequence: sequence as number,
      });
      if (row !== undefined) yield documentOf(row);
    }
  }

  /** Keys in the order in which documents come when nobody asks for one. */
  keys(collection: Collection): { sequence: number; key: string; createdAt: string }[] {
    return this.all(
      `select sequence, key, created_at as createdAt from documents
       where collection = :number order by ${ROW_ORDERS[this.rowOrder]}`,
      { number: collection.number },
    ) as { sequence: number; key: string; createdAt: string }[];
  }

  keyOf(sequence: number): string | undefined {
    return this.get('select key from documents where sequence = :sequence', { sequence })?.key as
      | string
      | undefined;
  }

  /** Everything that is done inside is one transaction: much faster for thousands of changes. */
  transaction<Result>(work: () => Result): Result {
    this.#sqlite.exec('begin');
    try {
      const result = work();
      this.#sqlite.exec('commit');
      return result;
    } catch (error) {
      this.#sqlite.exec('rollback');
      this.#load();
      throw error;
    }
  }

  observe(observer: (change: Change) => void): void {
    this.#observers.add(observer);
  }

  close(): void {
    this.#statements.clear();
    this.#sqlite.close();
  }

  /** Statements without values. */
  execute(sql: string): void {
    this.#sqlite.exec(sql);
  }

  get(sql: string, values: Record<string, SQLInputValue> = {}) {
    return this.#statement(sql).get(values);
  }

  all(sql: string, values: Record<string, SQLInputValue> = {}) {
    return this.#statement(sql).all(values);
  }

  run(sql: string, values: Record<string, SQLInputValue>) {
    return this.#statement(sql).run(values);
  }

  #load(): void {
    this.#collections.clear();
    const counted = `select c.*, (select count(*) from documents d where d.collection = c.number) as document_count
      from collections c order by c.number`;
    for (const row of this.all(counted)) this.#collections.set(row.name as string, collectionOf(row));
    this.changes++;
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#sqlite.prepare(sql);
      statement.setAllowUnknownNamedParameters(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #changed(collection: Collection, kind: Change['kind'], sequence: number, key: string): void {
    collection.version++;
    this.changes++;
    for (const observer of this.#observers) observer({ kind, collection: collection.name, sequence, key });
  }
}

/** The file, created readable for its owner alone before SQLite writes to it (its log inherits the mode). */
function openFile(directory: string): DatabaseSync {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, 'sandbox.sqlite');
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
  const sqlite = new DatabaseSync(path);
  try {
    sqlite.exec(`pragma locking_mode = exclusive; pragma journal_mode = wal; pragma synchronous = normal;
      pragma cache_size = -65536; begin exclusive; commit;`);
    return sqlite;
  } catch (error) {
    sqlite.close();
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error;
    throw new BackupError('CONFIG_INVALID', `another sandbox uses ${directory}`, {
      object: directory,
      cure: 'Stop the other sandbox, or give this one a directory of its own.',
      cause: error,
    });
  }
}

const SQLITE_BUSY = 5;

function spliceOf(data: Uint8Array): number {
  if (data[0] !== 0x7b || hasMemberId(data)) return SPLICE.nothing;
  return isEmptyObject(data) ? SPLICE.member : SPLICE.memberAndComma;
}

type Row = Record<string, unknown>;

function collectionOf(row: Row): Collection {
  return {
    number: Number(row.number),
    name: row.name as string,
    tableId: row.table_id as string,
    schemaName: row.schema_name as string | null,
    schema: row.schema as Uint8Array | null,
    description: row.description as Uint8Array | null,
    createdAt: row.created_at as string,
    documentCount: Number(row.document_count),
    version: 0,
  };
}

function documentOf(row: Row): StoredDocument {
  return {
    sequence: Number(row.sequence),
    key: row.key as string,
    data: row.data as Uint8Array,
    createdAt: row.created_at as string,
    updatedAt: row.updated_at as string,
  };
}

/** A place that has nothing to do with age or key (FNV-1a). */
function scattered(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
