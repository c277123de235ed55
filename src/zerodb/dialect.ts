import type { DocumentBatch } from '../model/document.ts';
import type { ListedCollection, Page, PageQuery, PageTraits } from '../sources/source.ts';
import type { TargetTraits, WriteOutcome } from '../sources/target.ts';

export type DialectName = 'A' | 'B';

/** One way of speaking with a ZeroDB server (zerodb-protocol.md §1). Methods mean what Source and Target say. */
export interface Dialect {
  readonly name: DialectName;
  readonly pageTraits: PageTraits;
  readonly targetTraits: TargetTraits;
  listCollections(signal?: AbortSignal): Promise<readonly ListedCollection[] | null>;
  page(collection: string, query: PageQuery, signal?: AbortSignal): Promise<Page>;
  document(collection: string, key: Uint8Array, signal?: AbortSignal): Promise<DocumentBatch | null>;
  createCollection(collection: ListedCollection, signal?: AbortSignal): Promise<void>;
  insert(
    collection: string,
    key: Uint8Array | null,
    payload: Uint8Array,
    signal?: AbortSignal,
  ): Promise<WriteOutcome>;
  replace(
    collection: string,
    key: Uint8Array,
    payload: Uint8Array,
    signal?: AbortSignal,
  ): Promise<WriteOutcome>;
  delete(collection: string, key: Uint8Array, signal?: AbortSignal): Promise<WriteOutcome>;
  addressable(key: Uint8Array): boolean;
}
