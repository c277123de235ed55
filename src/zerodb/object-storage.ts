import { BackupError } from '../kernel/errors.ts';
import type { BodySink, BodyStream, HttpResponse } from '../kernel/http.ts';
import { failureOf, isSuccess } from './answers.ts';
import type { ClientRequest, ZerodbClient } from './client.ts';
import type { ZerodbConnection } from './connection.ts';
import { type ListedObject, OBJECTS_OF_A, type ObjectDialect, objectsOfB, sizeOf } from './object-dialect.ts';
import { ObjectDownloads } from './object-download.ts';
import { jsonOf, ListLimits, listObjects, objectPage } from './object-list.ts';
import { uploadObject } from './object-upload.ts';

/** Finds the Object Storage of a server. Throws STORE_FAILED where it has none. */
export async function openObjectStorage(
  connection: ZerodbConnection,
  signal?: AbortSignal,
): Promise<ObjectStorage> {
  const { client } = connection;
  const found = await connection.found(signal);
  // the one client in real use speaks B to tables and A to the storage (zerodb-protocol.md §1)
  const dialects =
    found.dialect === 'A'
      ? [OBJECTS_OF_A]
      : found.dialect === 'B'
        ? [objectsOfB(found.prefix), OBJECTS_OF_A]
        : [];
  for (const dialect of dialects) {
    const page = await objectPage(client, dialect, { prefix: '', offset: 0, limit: 1 }, signal);
    if (page !== null) return new ObjectStorage(client, dialect);
  }
  throw new BackupError(
    'STORE_FAILED',
    `${connection.host} has no Object Storage that backups could be kept in`,
    {
      cure: 'Keep them in a directory: --store DIR or ZERODB_BACKUP_STORE.',
    },
  );
}

/** The objects of one project. Addresses are as its lists give them. */
export class ObjectStorage {
  readonly client: ZerodbClient;
  readonly #dialect: ObjectDialect;
  readonly #downloads: ObjectDownloads;
  readonly #limits = new ListLimits();
  /** Whether the server has ever told the facts of one object: only then a 404 means that there is none. */
  #tellsFacts = false;

  constructor(client: ZerodbClient, dialect: ObjectDialect) {
    this.client = client;
    this.#dialect = dialect;
    this.#downloads = new ObjectDownloads(client, dialect);
  }

  /** Whether keys are addresses: then there is one object of a key at most. */
  get addressesByKey(): boolean {
    return this.#dialect.name === 'A';
  }

  list(prefix: string, signal?: AbortSignal): Promise<readonly ListedObject[]> {
    return listObjects(this.client, this.#dialect, prefix, this.#limits, signal);
  }

  /** All objects of exactly this key. */
  async find(key: string, signal?: AbortSignal): Promise<readonly ListedObject[]> {
    const path = this.#dialect.metadata(key);
    if (path !== null) {
      const request: ClientRequest = { method: 'GET', ...path, repeatable: true, signal };
      const response = await this.client.send(request, { task: `look at ${key}`, object: key });
      const facts = isSuccess(response) ? jsonOf(response.body) : null;
      const size = facts === null || Array.isArray(facts) ? null : sizeOf(facts);
      if (size !== null) {
        this.#tellsFacts = true;
        return [{ key, address: key, size, createdAt: null }];
      }
      if (response.status === 404 && this.#tellsFacts) return [];
    }
    return (await this.list(key, signal)).filter((object) => object.key === key);
  }

  upload(key: string, content: BodyStream, signal?: AbortSignal): Promise<HttpResponse> {
    return uploadObject(this.client, this.#dialect, key, content, signal);
  }

  /** The object that the answer to an upload tells of; null if it does not tell enough. */
  uploaded(response: HttpResponse): ListedObject | null {
    const facts = jsonOf(response.body);
    return facts === null || Array.isArray(facts) ? null : this.#dialect.entry(facts);
  }

  async download(
    object: Pick<ListedObject, 'key' | 'address'>,
    range: { start: number; end: number },
    sink: BodySink,
    signal?: AbortSignal,
  ): Promise<void> {
    const sizeNow = async () => (await this.find(object.key, signal))[0]?.size ?? null;
    await this.#downloads.download(object, range, sizeNow, sink, signal);
  }

  /** What is gone already is no failure. */
  async remove({ key, address }: Pick<ListedObject, 'key' | 'address'>, signal?: AbortSignal): Promise<void> {
    const task = { task: `remove ${key}`, object: key };
    const request = { method: 'DELETE', ...this.#dialect.remove(address), repeatable: true, signal } as const;
    const response = await this.client.send(request, task);
    if (!isSuccess(response) && response.status !== 404) throw failureOf(response, this.client.about(task));
  }
}
