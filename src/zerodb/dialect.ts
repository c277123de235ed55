import type { DocumentBatch, DocumentShape } from '../model/document.ts';
import type { ChangeLog, ListedCollection, Page, PageQuery, PageTraits } from '../sources/source.ts';
import type { TargetTraits, WriteOutcome } from '../sources/target.ts';

export type DialectName = 'A' | 'B' | 'D';

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
  /** Only where `targetTraits.insertsMax` is above 1. */
  insertMany?(
    collection: string,
    payloads: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<WriteOutcome>;
  address(batch: DocumentBatch, index: number, shape: DocumentShape): Uint8Array | null;
  addressable(address: Uint8Array): boolean;
  /** Left out: the server has nobody to ask. */
  notIncluded?(signal?: AbortSignal): Promise<readonly string[]>;
  /** Left out: the server keeps no log. */
  changeLog?(collection: string): ChangeLog;
}
