import { type DocumentBatch, type DocumentShape, MEMBER } from '../model/document.ts';
import type { Page, PageQuery, PageTraits } from '../sources/source.ts';
import type { TargetTraits, WriteOutcome } from '../sources/target.ts';
import type { ZerodbClient } from './client.ts';
import type { Dialect } from './dialect.ts';
import { isAddressable, keyAddress, urlName } from './document-name.ts';
import { jsonParts } from './json-text.ts';
import { readDocument } from './one-document.ts';
import { pageBytesMax, readList } from './pages.ts';
import { documentTask, insertOutcome, outcomeByKey, shownName, write } from './writes.ts';

/** Dialect A, "collections" (zerodb-protocol.md §6): the client chooses ids, collections cannot be listed. */
export class DialectA implements Dialect {
  readonly name = 'A';
  readonly pageTraits: PageTraits = {
    serverGivenKeys: false,
    sortFields: ['key', 'created_at'],
    createdAtIn: 'payload',
    keyset: true,
    limitMax: 1000,
    shapes: ['id_data', 'flat'],
  };
  readonly targetTraits: TargetTraits = {
    serverGivenKeys: false,
    createsOnInsert: true,
    replacesByMerging: false,
    insertsMax: 1,
  };

  readonly #client: ZerodbClient;
  readonly #pageBytesMax: number;

  constructor(client: ZerodbClient, pageBytesMax: number) {
    this.#client = client;
    this.#pageBytesMax = pageBytesMax;
  }

  async listCollections(): Promise<null> {
    return null;
  }

  page(collection: string, query: PageQuery, signal?: AbortSignal): Promise<Page> {
    return readList(
      this.#client,
      {
        method: 'POST',
        path: ['collections', collection, 'query'],
        body: queryBody(query),
        repeatable: true,
        brief: query.brief ?? false,
        bodyBytesMax: pageBytesMax(query, this.#pageBytesMax),
        signal,
      },
      { task: `read ${shownName(collection)}`, object: collection },
    );
  }

  async document(collection: string, key: Uint8Array, signal?: AbortSignal): Promise<DocumentBatch | null> {
    const task = documentTask('read', collection, key);
    const path = ['collections', collection, 'documents', urlName(key, task)];
    return await readDocument(this.#client, { path, key, keyMember: MEMBER.id }, task, signal);
  }

  /** A collection comes into being with its first document: there is nothing to do. */
  async createCollection(): Promise<void> {}

  async insert(
    collection: string,
    key: Uint8Array | null,
    payload: Uint8Array,
    signal?: AbortSignal,
  ): Promise<WriteOutcome> {
    const id = key === null ? [] : [',"id":', key];
    const request = {
      method: 'POST',
      path: ['collections', collection, 'documents'],
      body: jsonParts('{"data":', payload, ...id, '}'),
      repeatable: false,
      signal,
    } as const;
    return insertOutcome(await write(this.#client, request, documentTask('insert', collection, key)));
  }

  async replace(
    collection: string,
    key: Uint8Array,
    payload: Uint8Array,
    signal?: AbortSignal,
  ): Promise<WriteOutcome> {
    const task = documentTask('replace', collection, key);
    const request = {
      method: 'PUT',
      path: ['collections', collection, 'documents', urlName(key, task)],
      body: jsonParts('{"data":', payload, ',"merge":false}'),
      repeatable: true,
      signal,
    } as const;
    return outcomeByKey(await write(this.#client, request, task));
  }

  async delete(collection: string, key: Uint8Array, signal?: AbortSignal): Promise<WriteOutcome> {
    const task = documentTask('delete', collection, key);
    const path = ['collections', collection, 'documents', urlName(key, task)];
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
}

/** `created_at` is the application's own field here; the scan key is called `id`. */
const SORT_FIELDS = { key: 'id', created_at: 'created_at' } as const;

function queryBody({ limit, offset, sort, after }: PageQuery): readonly Uint8Array[] {
  const filters = after === undefined ? ['{}'] : [`{"id":{"${after.operator}":`, after.key, '}}'];
  const order = sort === undefined ? '' : `,"sort":{"${SORT_FIELDS[sort.field]}":"${sort.direction}"}`;
  return jsonParts('{"filters":', ...filters, `,"limit":${limit},"offset":${offset}${order}}`);
}
