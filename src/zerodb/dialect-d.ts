import { BackupError } from '../kernel/errors.ts';
import type { DocumentBatch, DocumentShape } from '../model/document.ts';
import { payloadIdText, scanKeyText } from '../model/shape.ts';
import type { ChangeLog, ListedCollection, Page, PageQuery, PageTraits } from '../sources/source.ts';
import type { TargetTraits, WriteOutcome } from '../sources/target.ts';
import { readLog, tableIdOf } from './change-log.ts';
import type { ClientRequest, Task, ZerodbClient } from './client.ts';
import { affectedCount, insertedAll } from './counted-writes.ts';
import type { Dialect } from './dialect.ts';
import { shownKey } from './document-name.ts';
import { jsonParts } from './json-text.ts';
import { pageBytesMax, readList } from './pages.ts';
import { type RowAddress, rowAddress, rowAddressText } from './row-address.ts';
import { createTable, listTables } from './tables.ts';
import { documentTask, shownName, write } from './writes.ts';

/** Larger calls make tables that nobody can read back by pages: all their rows have one time of creation. */
const INSERTS_MAX = 100;
/** Rows with one id that are looked at; more than one of them cannot be told apart by a filter anyway. */
const NAMESAKES_MAX = 10;

export interface DialectDOptions {
  /** Names of the path down to `database`. */
  readonly prefix: readonly string[];
  readonly project: string;
  readonly pageBytesMax: number;
}

/**
 * Dialect D, zerodb-local (zerodb-protocol.md §10): rows come newest first and in no other order, and only filters over
 * their payloads name them.
 */
export class DialectD implements Dialect {
  readonly name = 'D';
  readonly pageTraits: PageTraits = {
    serverGivenKeys: true,
    sortFields: [],
    keyset: false,
    createdAtIn: 'envelope',
    limitMax: 1000,
    shapes: ['id_data'],
  };
  readonly targetTraits: TargetTraits = {
    serverGivenKeys: true,
    createsOnInsert: false,
    replacesByMerging: true,
    insertsMax: INSERTS_MAX,
  };

  readonly #client: ZerodbClient;
  readonly #options: DialectDOptions;

  constructor(client: ZerodbClient, options: DialectDOptions) {
    this.#client = client;
    this.#options = options;
  }

  listCollections(signal?: AbortSignal): Promise<readonly ListedCollection[] | null> {
    return listTables(this.#client, this.#options.prefix, signal);
  }

  createCollection(collection: ListedCollection, signal?: AbortSignal): Promise<void> {
    return createTable(this.#client, this.#options.prefix, collection, signal);
  }

  page(collection: string, query: PageQuery, signal?: AbortSignal): Promise<Page> {
    const { limit, offset, matching } = query;
    const filter = matching === undefined ? [] : [',"filter":', matching];
    return readList(
      this.#client,
      {
        method: 'POST',
        path: this.#table(collection, 'query'),
        body: jsonParts(`{"limit":${limit},"offset":${offset}`, ...filter, '}'),
        repeatable: true,
        brief: query.brief ?? false,
        bodyBytesMax: pageBytesMax(query, this.#options.pageBytesMax),
        signal,
      },
      { task: `read ${shownName(collection)}`, object: collection },
    );
  }

  changeLog(collection: string): ChangeLog {
    const { project, prefix, pageBytesMax: bytesMax } = this.#options;
    let tableId: Promise<string> | null = null;
    return {
      entries: async (query, signal) => {
        tableId ??= tableIdOf(this.#client, prefix, collection, signal);
        return await readLog(
          this.#client,
          { project, collection, tableId: await tableId, bytesMax },
          query,
          signal,
        );
      },
    };
  }

  async document(
    collection: string,
    address: Uint8Array,
    signal?: AbortSignal,
  ): Promise<DocumentBatch | null> {
    const { row, task } = addressed('read', collection, address);
    return await this.#find(collection, row, task, signal);
  }

  async insert(
    collection: string,
    key: Uint8Array | null,
    payload: Uint8Array,
    signal?: AbortSignal,
  ): Promise<WriteOutcome> {
    return await this.#insert(collection, [payload], documentTask('insert', collection, key), signal);
  }

  async insertMany(
    collection: string,
    payloads: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<WriteOutcome> {
    const task = {
      task: `insert ${payloads.length} documents of ${shownName(collection)}`,
      object: collection,
    };
    return await this.#insert(collection, payloads, task, signal);
  }

  /** An update by filter, which merges (see `replacesByMerging`). */
  async replace(
    collection: string,
    address: Uint8Array,
    payload: Uint8Array,
    signal?: AbortSignal,
  ): Promise<WriteOutcome> {
    const { row, task } = addressed('replace', collection, address);
    const body = jsonParts('{"filter":', row.filter, ',"update":', payload, '}');
    const request = { method: 'PUT', path: this.#table(collection, 'update'), body } as const;
    return await this.#writeOne(collection, row, request, 'updated_count', task, signal);
  }

  async delete(collection: string, address: Uint8Array, signal?: AbortSignal): Promise<WriteOutcome> {
    const { row, task } = addressed('delete', collection, address);
    const body = jsonParts('{"filter":', row.filter, '}');
    const request = { method: 'DELETE', path: this.#table(collection, 'rows'), body } as const;
    return await this.#writeOne(collection, row, request, 'deleted_count', task, signal);
  }

  /** Its row id and its own id: a filter finds it by the one, and the other says that it is the row that is meant. */
  address(batch: DocumentBatch, index: number, shape: DocumentShape): Uint8Array | null {
    const rowId = scanKeyText(batch, index, shape);
    const id = payloadIdText(batch, index, shape);
    return rowId === null || id === null ? null : rowAddressText(rowId, id);
  }

  addressable(address: Uint8Array): boolean {
    try {
      rowAddress(address, { task: '' });
      return true;
    } catch {
      return false;
    }
  }

  async #insert(
    collection: string,
    payloads: readonly Uint8Array[],
    task: Task,
    signal: AbortSignal | undefined,
  ): Promise<WriteOutcome> {
    const rows = payloads.flatMap((payload, index) => (index === 0 ? [payload] : [',', payload]));
    const request = {
      method: 'POST',
      path: this.#table(collection, 'insert'),
      body: jsonParts('{"rows":[', ...rows, ']}'),
      repeatable: false,
      wantBody: true,
      signal,
    } as const;
    const answer = await write(this.#client, request, task);
    if (answer.kind === 'refused') throw answer.failure();
    if (answer.kind === 'in-doubt') return answer;
    if (insertedAll(answer.response, payloads.length)) return { kind: 'done' };
    return { kind: 'in-doubt', message: `cannot ${task.task}: the server does not say that it inserted all` };
  }

  /**
   * Writes by a filter that was seen a moment ago to match this row and no other. Somebody who inserts a second row with
   * the same id in that moment cannot be kept out; that two were changed is an error then.
   */
  async #writeOne(
    collection: string,
    row: RowAddress,
    request: Pick<ClientRequest, 'method' | 'path' | 'body'>,
    counted: 'updated_count' | 'deleted_count',
    task: Task,
    signal: AbortSignal | undefined,
  ): Promise<WriteOutcome> {
    if ((await this.#find(collection, row, task, signal)) === null) return { kind: 'gone' };
    const answer = await write(this.#client, { ...request, repeatable: true, wantBody: true, signal }, task);
    if (answer.kind === 'refused') throw answer.failure();
    if (answer.kind === 'in-doubt') return answer;
    const count = affectedCount(answer.response, counted);
    if (count === 1) return { kind: 'done' };
    if (count === 0) return { kind: 'gone' };
    if (count === null)
      return { kind: 'in-doubt', message: `cannot ${task.task}: the server does not say what it did` };
    throw new BackupError('SOURCE_FAILED', `cannot ${task.task} alone: ${count} rows have its id by now`, {
      ...(task.object !== undefined && { object: task.object }),
      cure: 'Stop whoever inserts rows with ids that are there already, then look at the rows with this id.',
    });
  }

  /** The row, which must be the only one with its id; null if there is none with this id. */
  async #find(
    collection: string,
    row: RowAddress,
    task: Task,
    signal: AbortSignal | undefined,
  ): Promise<DocumentBatch | null> {
    const request = {
      method: 'POST',
      path: this.#table(collection, 'query'),
      body: jsonParts(`{"limit":${NAMESAKES_MAX},"offset":0,"filter":`, row.filter, '}'),
      repeatable: true,
      bodyBytesMax: pageBytesMax({ limit: 1, offset: 0 }, this.#options.pageBytesMax),
      signal,
    } as const;
    const page = await readList(this.#client, request, task);
    const { count } = page.spans;
    if (count === 0) return null;
    const found = scanKeyText(page, 0, 'id_data');
    if (count === 1 && found !== null && Buffer.compare(found, row.rowId) === 0) return page;
    const others = count === 1 ? 'another row has' : `${count} rows have`;
    throw new BackupError('SOURCE_REFUSED', `cannot ${task.task}: ${others} its id ${shownKey(row.id)}`, {
      ...(task.object !== undefined && { object: task.object }),
      cure: 'Rows can be named here by their ids only: give each an id of its own.',
    });
  }

  #table(collection: string, action: 'query' | 'insert' | 'update' | 'rows'): readonly string[] {
    return [...this.#options.prefix, 'tables', collection, action];
  }
}

/** The row that an address names, and what is to be done with it in words. */
function addressed(verb: string, collection: string, address: Uint8Array): { row: RowAddress; task: Task } {
  const row = rowAddress(address, documentTask(verb, collection, address));
  return { row, task: documentTask(verb, collection, row.rowId) };
}
