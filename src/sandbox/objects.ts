import type { SandboxDatabase } from './database.ts';

/** A file in the object storage. */
export interface StoredObject {
  /** Order of arrival; never given twice. */
  readonly number: number;
  readonly id: string;
  readonly name: string;
  readonly size: number;
  readonly contentType: string;
  /** The text that came with it; null where none did. */
  readonly metadata: string | null;
  readonly createdAt: string;
}

const SCHEMA = `
  create table if not exists objects (
    number integer primary key autoincrement, id text not null unique, name text, size integer not null,
    content_type text not null, metadata text, created_at text not null) strict;
  create index if not exists by_name on objects (name, number);
  create table if not exists object_pieces (
    object integer not null, number integer not null, bytes blob not null, primary key (object, number)) strict;
`;

const PIECE_BYTES = 256 * 1024;

/** The object storage: what is uploaded lies in the same database in pieces, so that it may be larger than memory. */
export class Objects {
  readonly #database: SandboxDatabase;

  constructor(database: SandboxDatabase) {
    this.#database = database;
    database.execute(SCHEMA);
    // what was still arriving when the process ended
    database.execute(
      'delete from object_pieces where object in (select number from objects where name is null);' +
        'delete from objects where name is null;',
    );
  }

  /** Receives the bytes of an object that has no name yet: nobody sees it. */
  receive(id: string, createdAt: string): ArrivingObject {
    const row = this.#database.get(
      `insert into objects (id, size, content_type, created_at) values (:id, 0, '', :createdAt) returning number`,
      { id, createdAt },
    );
    return new ArrivingObject(this.#database, Number(row!.number));
  }

  /** Names an object that has arrived, and so shows it. */
  show(
    arrived: ArrivingObject,
    facts: Pick<StoredObject, 'name' | 'contentType' | 'metadata'>,
  ): StoredObject {
    const row = this.#database.get(
      `update objects set name = :name, content_type = :contentType, metadata = :metadata, size = :size
       where number = :number returning *`,
      { ...facts, size: arrived.size, number: arrived.number },
    );
    this.#database.changes++;
    return objectOf(row!);
  }

  /** Those whose names begin so, in order of arrival. */
  list(prefix: string): StoredObject[] {
    const rows = this.#database.all('select * from objects where name is not null order by number');
    return rows.map(objectOf).filter(({ name }) => name.startsWith(prefix));
  }

  /** The newest of this name. */
  named(name: string): StoredObject | undefined {
    const row = this.#database.get('select * from objects where name = :name order by number desc limit 1', {
      name,
    });
    return row && objectOf(row);
  }

  withId(id: string): StoredObject | undefined {
    const row = this.#database.get('select * from objects where id = :id and name is not null', { id });
    return row && objectOf(row);
  }

  *read(
    { number, size }: Pick<StoredObject, 'number' | 'size'>,
    start: number,
    end: number,
  ): Iterable<Uint8Array> {
    let offset = start;
    while (offset < Math.min(end, size)) {
      const piece = Math.floor(offset / PIECE_BYTES);
      const row = this.#database.get(
        'select bytes from object_pieces where object = :number and number = :piece',
        { number, piece },
      );
      if (row === undefined) return; // removed meanwhile
      const from = offset - piece * PIECE_BYTES;
      const bytes = (row.bytes as Uint8Array).subarray(from, from + Math.min(end, size) - offset);
      offset += bytes.length;
      yield bytes;
    }
  }

  remove({ number }: Pick<StoredObject, 'number'>): void {
    this.#database.run('delete from objects where number = :number', { number });
    this.#database.run('delete from object_pieces where object = :number', { number });
    this.#database.changes++;
  }
}

/** Bytes on their way into the storage. */
export class ArrivingObject {
  readonly number: number;
  size = 0;
  readonly #database: SandboxDatabase;
  readonly #pending = Buffer.alloc(PIECE_BYTES);
  #pendingLength = 0;
  #pieces = 0;

  constructor(database: SandboxDatabase, number: number) {
    this.#database = database;
    this.number = number;
  }

  write(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > 0) {
      const taken = rest.subarray(0, PIECE_BYTES - this.#pendingLength);
      this.#pending.set(taken, this.#pendingLength);
      this.#pendingLength += taken.length;
      this.size += taken.length;
      rest = rest.subarray(taken.length);
      if (this.#pendingLength === PIECE_BYTES) this.#store();
    }
  }

  end(): void {
    if (this.#pendingLength > 0) this.#store();
  }

  #store(): void {
    this.#database.run(
      'insert into object_pieces (object, number, bytes) values (:object, :number, :bytes)',
      {
        object: this.number,
        number: this.#pieces++,
        bytes: this.#pending.subarray(0, this.#pendingLength),
      },
    );
    this.#pendingLength = 0;
  }
}

function objectOf(row: Record<string, unknown>): StoredObject {
  return {
    number: Number(row.number),
    id: row.id as string,
    name: row.name as string,
    size: Number(row.size),
    contentType: row.content_type as string,
    metadata: row.metadata as string | null,
    createdAt: row.created_at as string,
  };
}
