import type { Change, SandboxDatabase } from './database.ts';
import { invalid } from './dialect-d-errors.ts';
import type { Documents } from './documents.ts';
import { jsonAnswer, type SandboxRequest, type SandboxResponse } from './message.ts';

const LIMIT_MAX = 1000;
const TABLE = `
  create table if not exists changes (
    number integer primary key, id text not null, table_id text not null, key text not null,
    operation text not null, data blob not null, at text not null, deleted_at text) strict;
  create index if not exists changes_by_key on changes (table_id, key, number);
`;

/** What dialect D writes down of every change of a row, in the database beside the rows. */
export class ChangeLogRoutes {
  readonly #database: SandboxDatabase;
  readonly #documents: Documents;
  readonly #project: string;
  #isSilent = false;

  constructor(database: SandboxDatabase, documents: Documents, project: string) {
    this.#database = database;
    this.#documents = documents;
    this.#project = project;
    database.execute(TABLE);
    database.observe((change) => this.#note(change));
  }

  /** What is done inside is not logged. */
  silently(work: () => void): void {
    this.#isSilent = true;
    try {
      work();
    } finally {
      this.#isSilent = false;
    }
  }

  /** Newest first; with `since` oldest first, and whatever shares a time with the end of a page is lost. */
  list({ query }: SandboxRequest): SandboxResponse {
    const limit = Number(query.get('limit') ?? 100);
    const offset = Number(query.get('offset') ?? 0);
    const since = query.get('since');
    if (!query.has('project_id')) throw invalid('project_id', 'Field required', 'missing');
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= LIMIT_MAX)) {
      throw invalid('limit', 'Input should be between 1 and 1000', 'limit');
    }
    const isOurs = query.get('project_id') === this.#project;
    const total = isOurs ? Number(this.#database.get('select count(*) as count from changes')!.count) : 0;
    const rows = !isOurs
      ? []
      : since === null
        ? this.#database.all('select * from changes order by number desc limit :limit offset :offset', {
            limit,
            offset,
          })
        : this.#database.all(
            'select * from changes where at > :since and at <= :until order by at, number desc limit :limit',
            {
              since,
              until: query.get('until') ?? '9999',
              limit,
            },
          );
    const items = rows.flatMap((row, index) => [...(index > 0 ? [','] : []), ...this.#entry(row)]);
    return jsonAnswer(
      200,
      '{"changes":[',
      ...items,
      `],"total":${total},"has_more":${offset + rows.length < total}}`,
    );
  }

  #entry(row: Record<string, unknown>): (string | Uint8Array)[] {
    const head = {
      id: row.id,
      project_id: this.#project,
      entity_type: 'table_row',
      entity_id: row.key,
      operation: row.operation,
    };
    const data = { id: row.key, table_id: row.table_id, deleted_at: row.deleted_at };
    const tail = { timestamp: row.at, synced_at: null, synced: false };
    return [
      `${JSON.stringify(head).slice(0, -1)},"data":${JSON.stringify(data).slice(0, -1)},"data":`,
      row.data as Uint8Array,
      `},${JSON.stringify(tail).slice(1)}`,
    ];
  }

  #note({ kind, collection, sequence, key }: Change): void {
    if (this.#isSilent) return;
    const { tableId } = this.#database.collection(collection)!;
    const before =
      'select data from changes where table_id = :tableId and key = :key order by number desc limit 1';
    const row =
      kind === 'delete'
        ? this.#database.get(before, { tableId, key })
        : this.#database.get('select data from documents where sequence = :sequence', { sequence });
    const at = this.#documents.time;
    this.#database.run(
      `insert into changes (id, table_id, key, operation, data, at, deleted_at)
       values (:id, :tableId, :key, :operation, :data, :at, :deletedAt)`,
      {
        id: this.#documents.newKey(),
        tableId,
        key,
        operation: kind === 'insert' ? 'INSERT' : 'UPDATE',
        data: (row?.data as Uint8Array | undefined) ?? Buffer.from('{}'),
        at,
        deletedAt: kind === 'delete' ? at : null,
      },
    );
  }
}
