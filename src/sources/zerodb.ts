import type { Platform } from '../kernel/platform.ts';
import type { DocumentBatch, DocumentShape } from '../model/document.ts';
import type { ClientOptions, ZerodbClient } from '../zerodb/client.ts';
import { ZerodbConnection } from '../zerodb/connection.ts';
import type { Dialect } from '../zerodb/dialect.ts';
import { DialectA } from '../zerodb/dialect-a.ts';
import { DialectB } from '../zerodb/dialect-b.ts';
import { DialectD } from '../zerodb/dialect-d.ts';
import type { Found, ProbeOptions } from '../zerodb/probe.ts';
import type { CollectionPages, ListedCollection, SourceIdentity, SourceRemark } from './source.ts';
import type { Target, TargetCollection } from './target.ts';

export interface ZerodbOptions extends ClientOptions, ProbeOptions {
  /** Longest answer that is taken for a page of documents; 64 MiB if left out. A lone document may be longer. */
  readonly pageBytesMax?: number;
}

const PAGE_BYTES_MAX = 64 << 20;

/**
 * A project of a ZeroDB server, to read and to write. Contacts the server to find out how to speak with it.
 * @param connection shared with others who speak with this server
 */
export async function openZerodbSource(
  platform: Platform,
  options: ZerodbOptions,
  signal?: AbortSignal,
  connection: ZerodbConnection = new ZerodbConnection(platform, options),
): Promise<Target> {
  const found = await connection.found(signal);
  const dialect = openDialect(connection.client, found, options);
  const identity = { host: connection.host, project: options.project ?? null, dialect: dialect.name };
  return new ZerodbSource(dialect, identity, connection.client);
}

function openDialect(client: ZerodbClient, found: Found, options: ZerodbOptions): Dialect {
  const pageBytesMax = options.pageBytesMax ?? PAGE_BYTES_MAX;
  switch (found.dialect) {
    case 'A':
      return new DialectA(client, pageBytesMax);
    case 'B':
      return new DialectB(client, found.prefix, pageBytesMax);
    case 'D':
      return new DialectD(client, { prefix: found.prefix, project: options.project!, pageBytesMax });
  }
}

class ZerodbSource implements Target {
  readonly identity: SourceIdentity;
  readonly #dialect: Dialect;
  readonly #client: ZerodbClient;

  constructor(dialect: Dialect, identity: SourceIdentity, client: ZerodbClient) {
    this.identity = identity;
    this.#dialect = dialect;
    this.#client = client;
  }

  listCollections(signal?: AbortSignal): Promise<readonly ListedCollection[] | null> {
    return this.#dialect.listCollections(signal);
  }

  createCollection(collection: ListedCollection, signal?: AbortSignal): Promise<void> {
    return this.#dialect.createCollection(collection, signal);
  }

  address(batch: DocumentBatch, index: number, shape: DocumentShape): Uint8Array | null {
    return this.#dialect.address(batch, index, shape);
  }

  document(collection: string, address: Uint8Array, signal?: AbortSignal): Promise<DocumentBatch | null> {
    return this.#dialect.document(collection, address, signal);
  }

  openCollection(collection: string): CollectionPages {
    const dialect = this.#dialect;
    return {
      collection,
      traits: dialect.pageTraits,
      page: (query, signal) => dialect.page(collection, query, signal),
      ...(dialect.changeLog && { changeLog: dialect.changeLog(collection) }),
    };
  }

  openTarget(collection: string): TargetCollection {
    const dialect = this.#dialect;
    return {
      collection,
      traits: dialect.targetTraits,
      document: (key, signal) => dialect.document(collection, key, signal),
      insert: (key, payload, signal) => dialect.insert(collection, key, payload, signal),
      insertMany: (payloads, signal) => {
        if (dialect.insertMany !== undefined) return dialect.insertMany(collection, payloads, signal);
        throw new TypeError(`dialect ${dialect.name} inserts one document at a time`);
      },
      replace: (key, payload, signal) => dialect.replace(collection, key, payload, signal),
      delete: (key, signal) => dialect.delete(collection, key, signal),
      address: (batch, index, shape) => dialect.address(batch, index, shape),
      addressable: (address) => dialect.addressable(address),
    };
  }

  async notIncluded(signal?: AbortSignal): Promise<readonly string[]> {
    return (await this.#dialect.notIncluded?.(signal)) ?? [];
  }

  remarks(): readonly SourceRemark[] {
    return this.#client.remarks.list();
  }

  /** Connections belong to the platform: there is nothing of its own to let go. */
  async close(): Promise<void> {}
}
