import type { DocumentBatch, DocumentShape } from '../model/document.ts';
import type { ListedCollection, Source } from './source.ts';

/**
 * Where documents go back to. A target can be read like a source; a restore reads it before and after it writes.
 *
 * Failures are BackupErrors with SOURCE_ codes (the same server speaks). Calls may run at the same time.
 */
export interface Target extends Source {
  openTarget(collection: string): TargetCollection;
  /** Creates a collection from a definition saved by `listCollections` (null: with the server's defaults). */
  createCollection(collection: ListedCollection, signal?: AbortSignal): Promise<void>;
}

export interface TargetTraits {
  /** The server chooses the scan key of an inserted document; the one handed in is ignored. */
  readonly serverGivenKeys: boolean;
  /** A collection comes into being with its first document. */
  readonly createsOnInsert: boolean;
  /** A replacement adds and changes members but takes none away: for that a document is deleted and inserted. */
  readonly replacesByMerging: boolean;
  /** Most documents of one `insertMany`; 1 where there is no such thing. */
  readonly insertsMax: number;
}

/**
 * - `done`: the server acknowledged the write; `key` is the scan key (JSON text) that an insert was given, where the server
 *   chooses keys and its answer says so.
 * - `exists`: an insert was refused because the key is taken; nothing was changed.
 * - `gone`: there is no document with this key to replace or to delete; nothing was changed.
 * - `in-doubt`: the answer was lost; the write may or may not have happened. Look before repeating.
 */
export type WriteOutcome =
  | { readonly kind: 'done'; readonly key?: Uint8Array }
  | { readonly kind: 'exists' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'in-doubt'; readonly message: string };

export interface TargetCollection {
  readonly collection: string;
  readonly traits: TargetTraits;
  /**
   * What names this document of a page in the calls below (JSON text): its scan key, or where the server cannot find a
   * document by that, what it can be found by. Null if no request can name it.
   */
  address(batch: DocumentBatch, index: number, shape: DocumentShape): Uint8Array | null;
  /** False if no request can name a document by this. */
  addressable(address: Uint8Array): boolean;
  /**
   * The document that has this address in the target: one document, bytes and shape as pages give them; or
   * null if the server says that there is none. Whatever else it answers is an error. SOURCE_NOT_FOUND: it knows no such
   * collection, or does not serve documents by key (read pages then). SOURCE_MALFORMED: it sent something else than the
   * document with this key. SOURCE_REFUSED: the address would name others as well.
   */
  document(address: Uint8Array, signal?: AbortSignal): Promise<DocumentBatch | null>;
  /**
   * Inserts one document. `key` is the JSON text of the scan key that the document had in the backup, null if it
   * had none; `payload` is JSON text and is sent byte for byte. Never repeated after a lost answer.
   */
  insert(key: Uint8Array | null, payload: Uint8Array, signal?: AbortSignal): Promise<WriteOutcome>;
  /**
   * Inserts documents without keys of their own, at most `insertsMax`: all, or none where it throws. `in-doubt`: it is not
   * known of any of them. Only where `insertsMax` is above 1.
   */
  insertMany(payloads: readonly Uint8Array[], signal?: AbortSignal): Promise<WriteOutcome>;
  /** Replaces the whole payload of the document with this address (but see `replacesByMerging`). */
  replace(address: Uint8Array, payload: Uint8Array, signal?: AbortSignal): Promise<WriteOutcome>;
  /** Deletes the document with this address, and no other. `gone` may mean that an earlier try did. */
  delete(address: Uint8Array, signal?: AbortSignal): Promise<WriteOutcome>;
}
