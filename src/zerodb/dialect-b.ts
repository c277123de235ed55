import { BackupError } from '../kernel/errors.ts';
import { type DocumentBatch, type DocumentShape, MEMBER } from '../model/document.ts';
import type { ListedCollection, Page, PageQuery, PageTraits } from '../sources/source.ts';
import type { TargetTraits, WriteOutcome } from '../sources/target.ts';
import { errorFields } from './answers.ts';
import type { ClientRequest, Task, ZerodbClient } from './client.ts';
import type { Dialect } from './dialect.ts';
import { isAddressable, keyAddress, urlName } from './document-name.ts';
import { jsonParts } from './json-text.ts';
import { readDocument } from './one-document.ts';
import { pageBytesMax, readList } from './pages.ts';
import { heldBesideDocuments } from './project-status.ts';
import { createTable, listTables } from './tables.ts';
import { documentTask, insertOutcome, outcomeByKey, shownName, type WriteAnswer, write } from './writes.ts';

/** Members under which servers want a row's payload, and how they want it; the first is the usual one. */
const PAYLOAD_FIELDS = ['row_data', 'data', 'rows'] as const;
/** Of a longer row the answer, which repeats it, is not read: its id is seen when the rows are read. */
const ECHO_BYTES_MAX = 1 << 20;
type PayloadField = (typeof PAYLOAD_FIELDS)[number];

/** Dialect B, project tables (zerodb-protocol.md §7): the server chooses row ids and the order of rows. */
export class DialectB implements Dialect {
  readonly name = 'B';
  readonly pageTraits: PageTraits = {
    serverGivenKeys: true,
    sortFields: [],
    createdAtIn: 'envelope',
    keyset: false,
    limitMax: 1000,
    shapes: ['row'],
  };
  readonly targetTraits: TargetTraits = {
    serverGivenKeys: true,
    createsOnInsert: false,
    replacesByMerging: false,
    insertsMax: 1,
  };

  readonly #client: ZerodbClient;
  /** Names of the path down to `database`. */
  readonly #prefix: readonly string[];
  readonly #pageBytesMax: number;
  /** Null until one of the two ways of reading rows has worked. */
  #readsBy: 'GET rows' | 'POST query' | null = null;
  #payloadField: PayloadField = PAYLOAD_FIELDS[0];

  constructor(client: ZerodbClient, prefix: readonly string[], pageBytesMax: number) {
    this.#client = client;
    this.#prefix = prefix;
    this.#pageBytesMax = pageBytesMax;
  }

  listCollections(signal?: AbortSignal): Promise<readonly ListedCollection[] | null> {
    return listTables(this.#client, this.#prefix, signal);
  }

  notIncluded(signal?: AbortSignal): Promise<readonly string[]> {
    return heldBesideDocuments(this.#client, this.#prefix, signal);
  }

  createCollection(collection: ListedCollection, signal?: AbortSignal): Promise<void> {
    return createTable(this.#client, this.#prefix, collection, signal);
  }

  async page(collection: string, query: PageQuery, signal?: AbortSignal): Promise<Page> {
    const ways = this.#readsBy === null ? (['GET rows', 'POST query'] as const) : [this.#readsBy];
    for (const way of ways) {
      try {
        const page = await this.#pageBy(way, collection, query, signal);
        this.#readsBy = way;
        return page;
      } catch (error) {
        // not found: the route, or the collection
        if (way === ways.at(-1) || !isNotFound(error)) throw error;
      }
    }
    throw new Error('there is a last way');
  }

  async document(collection: string, key: Uint8Array, signal?: AbortSignal): Promise<DocumentBatch | null> {
    const task = documentTask('read', collection, key);
    const path = [...this.#rows(collection), urlName(key, task)];
    return await readDocument(this.#client, { path, key, keyMember: MEMBER.rowId }, task, signal);
  }

  async insert(
    collection: string,
    key: Uint8Array | null,
    payload: Uint8Array,
    signal?: AbortSignal,
  ): Promise<WriteOutcome> {
    const request = {
      method: 'POST',
      path: this.#rows(collection),
      repeatable: false,
      wantBody: payload.length <= ECHO_BYTES_MAX,
      bodyBytesMax: 16 * ECHO_BYTES_MAX,
      signal,
    } as const;
    const answer = await this.#write(request, payload, documentTask('insert', collection, key));
    return insertOutcome(answer, MEMBER.rowId);
  }

  async replace(
    collection: string,
    key: Uint8Array,
    payload: Uint8Array,
    signal?: AbortSignal,
  ): Promise<WriteOutcome> {
    const task = documentTask('replace', collection, key);
    const path = [...this.#rows(collection), urlName(key, task)];
    return outcomeByKey(await this.#write({ method: 'PUT', path, repeatable: true, signal }, payload, task));
  }

  async delete(collection: string, key: Uint8Array, signal?: AbortSignal): Promise<WriteOutcome> {
    const task = documentTask('delete', collection, key);
    const path = [...this.#rows(collection), urlName(key, task)];
    return outcomeByKey(
      await write(this.#client, { method: 'DELETE', path, repeatable: true, signal }, task),
    );
  }

  address(batch: DocumentBatch, index: number, shape: DocumentShape): Uint8Array | null {
    return keyAddress(batch, index, shape);
  }

  addressable(key: Uint8Array): boolean {
    return isAddressable(key);
  }

  #pageBy(
    way: 'GET rows' | 'POST query',
    collection: string,
    query: PageQuery,
    signal: AbortSignal | undefined,
  ): Promise<Page> {
    const { limit, offset } = query;
    // some servers read `skip`, some `offset` (zerodb-protocol.md §12, row 8)
    const request =
      way === 'GET rows'
        ? ({ method: 'GET', path: this.#rows(collection), query: { skip: offset, offset, limit } } as const)
        : ({
            method: 'POST',
            path: [...this.#table(collection), 'query'],
            body: jsonParts(`{"filter":{},"limit":${limit},"skip":${offset},"offset":${offset}}`),
          } as const);
    return readList(
      this.#client,
      {
        ...request,
        repeatable: true,
        brief: query.brief ?? false,
        bodyBytesMax: pageBytesMax(query, this.#pageBytesMax),
        signal,
      },
      { task: `read ${shownName(collection)}`, object: collection },
    );
  }

  /** Sends a payload under the name that this server wants for it, which a 422 may correct once. */
  async #write(request: Omit<ClientRequest, 'body'>, payload: Uint8Array, task: Task): Promise<WriteAnswer> {
    const field = this.#payloadField;
    const answer = await write(this.#client, { ...request, body: rowBody(field, payload) }, task);
    if (answer.kind !== 'refused' || answer.response.status !== 422) return answer;
    const { fields } = errorFields(answer.response);
    const wanted = PAYLOAD_FIELDS.find((name) => name !== field && fields.includes(name));
    if (wanted === undefined) return answer;
    const corrected = await write(this.#client, { ...request, body: rowBody(wanted, payload) }, task);
    if (corrected.kind === 'done') this.#payloadField = wanted;
    return corrected;
  }

  #table(collection: string): readonly string[] {
    return [...this.#prefix, 'tables', collection];
  }

  #rows(collection: string): readonly string[] {
    return [...this.#table(collection), 'rows'];
  }
}

function rowBody(field: PayloadField, payload: Uint8Array): readonly Uint8Array[] {
  return field === 'rows' ? jsonParts('{"rows":[', payload, ']}') : jsonParts(`{"${field}":`, payload, '}');
}

function isNotFound(error: unknown): boolean {
  return error instanceof BackupError && error.code === 'SOURCE_NOT_FOUND';
}
