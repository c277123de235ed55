import type { DocumentBatch, DocumentShape } from '../model/document.ts';

/** Who documents come from, as a manifest names it. Never holds a secret. */
export interface SourceIdentity {
  /** Host and port, with the base path where there is one: `api.example.com`, `localhost:8000/zerodb`. */
  readonly host: string;
  readonly project: string | null;
  readonly dialect: string;
}

export interface ListedCollection {
  readonly name: string;
  /** The server's own definition of the collection, verbatim JSON text; null where it has none. */
  readonly definition: string | null;
}

/**
 * Where documents come from.
 *
 * Calls may run at the same time. Temporary failures have already been retried below; what is thrown is a
 * BackupError with a SOURCE_ code, final unless `temporary`.
 */
export interface Source {
  readonly identity: SourceIdentity;
  /** Every collection of the project; null where the dialect cannot list them. Never a partial list. */
  listCollections(signal?: AbortSignal): Promise<readonly ListedCollection[] | null>;
  /** What names a document of this server in `document`, and that document: as those of TargetCollection. */
  address(batch: DocumentBatch, index: number, shape: DocumentShape): Uint8Array | null;
  document(collection: string, address: Uint8Array, signal?: AbortSignal): Promise<DocumentBatch | null>;
  /** A handle for reading one collection. Contacts nobody. */
  openCollection(name: string): CollectionPages;
  /** What the project holds beside documents, in words (`12 vectors`); nothing where the server does not say. */
  notIncluded(signal?: AbortSignal): Promise<readonly string[]>;
  /** What was noticed so far that is no failure, and may make what was read another thing than it seems. */
  remarks(): readonly SourceRemark[];
  close(): Promise<void>;
}

export interface SourceRemark {
  readonly code: 'CLOCK_SKEW' | 'ANSWERS_CACHED';
  readonly message: string;
}

/** Value that documents can be sorted by: the scan key, or the time of creation. */
export type SortField = 'key' | 'created_at';

export interface PageTraits {
  /** The server chooses scan keys and never gives one twice: a document that was deleted does not return. */
  readonly serverGivenKeys: boolean;
  /** Fields that the server may be asked to sort by; empty where it has an order of its own only. */
  readonly sortFields: readonly SortField[];
  /** True if `after` may be tried. */
  readonly keyset: boolean;
  /** Where a document's time of creation stands that the server sorts by: in the payload if it has one, or beside it. */
  readonly createdAtIn: 'payload' | 'envelope';
  readonly limitMax: number;
  /** Shapes that documents may have here; the first that fits all documents of the first answer is taken. */
  readonly shapes: readonly DocumentShape[];
}

export interface PageQuery {
  readonly limit: number;
  readonly offset: number;
  /** Left out: the server's own order. Only where `sortFields` holds the field. */
  readonly sort?: { readonly field: SortField; readonly direction: 'asc' | 'desc' };
  /** Give up soon when the server fails: the question is which documents it can serve at all. */
  readonly brief?: boolean;
  /** Only documents that hold these members (JSON text of an object). Only where there is a change log. */
  readonly matching?: Uint8Array;
  /** Only documents whose scan key is above this one; `key` is its JSON text as received. */
  readonly after?: { readonly key: Uint8Array; readonly operator: '$gt' | '$gte' };
}

/** One answer of the server. */
export interface Page extends DocumentBatch {
  /** How many documents the server says there are in all: for progress only, it may be wrong. */
  readonly total?: number;
  /** Line breaks outside strings that became spaces in these documents (design.md §5.2); left out: none. */
  readonly lineBreaks?: number;
}

export interface CollectionPages {
  readonly collection: string;
  readonly traits: PageTraits;
  /**
   * One answer of the server: the documents at positions `offset` … of the order asked for, at most `limit`,
   * possibly fewer for no reason. An answer that is not a list of documents is an error, never an empty page.
   * SOURCE_TOO_LARGE: ask for fewer. SOURCE_NOT_FOUND: the server knows no such collection.
   */
  page(query: PageQuery, signal?: AbortSignal): Promise<Page>;
  /** The server's own record of what changed; left out where it keeps none. */
  readonly changeLog?: ChangeLog;
}

/** What a server wrote down of the changes of a project. Somebody else may prune it, so it proves nothing alone. */
export interface ChangeLog {
  /**
   * One answer: entries at positions `offset` … counted from the newest, at most `limit`, possibly fewer. With `since`
   * the first of those that are later than that (and not later than `until`), the oldest first, whatever the offset.
   */
  entries(query: LogQuery, signal?: AbortSignal): Promise<LogPage>;
}

export interface LogQuery {
  readonly limit: number;
  readonly offset: number;
  /** RFC 3339. */
  readonly since?: string;
  readonly until?: string;
}

export interface LogPage {
  /** Size of the answer. */
  readonly bytes: number;
  /** How many entries there are in all. */
  readonly total: number;
  readonly entries: readonly LogEntry[];
}

export interface LogEntry {
  /** Different from that of every other entry. */
  readonly id: string;
  readonly time: string;
  /** Null if it is about another collection. */
  readonly change: LoggedChange | null;
}

export interface LoggedChange {
  /** JSON text of the document's scan key. */
  readonly key: Uint8Array;
  readonly isDeletion: boolean;
  /** Payload after the change, JSON text; null where the entry does not say. */
  readonly payload: Uint8Array | null;
}
