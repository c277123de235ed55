import type { DocumentShape } from '../../src/model/document.ts';
import type { Target } from '../../src/sources/target.ts';

/** What may happen to requests: it befalls the next `times` of those that `on` tells. */
export interface Mishap {
  readonly kind:
    | 'error 503'
    | 'error 503 after effect'
    | 'lost'
    | 'lost after effect'
    | 'cut with a length'
    | 'cut in chunks'
    | 'cut at the close'
    | 'cut in gzip'
    | 'HTML page'
    | 'empty answer'
    | 'too many requests'
    | 'refused with 413';
  readonly times: number;
  readonly on: 'reads' | 'writes';
}

/** A driver of Source and Target, and the back door of what it drives. */
export interface SourceUnderTest extends AsyncDisposable {
  readonly target: Target;
  readonly shape: DocumentShape;
  /** What reading a collection gives that nobody ever wrote to. */
  readonly unknownCollection: 'nothing' | 'SOURCE_NOT_FOUND';
  /** Collections that the server lists but cannot route requests to. */
  readonly unroutable: readonly string[];
  /** The address of a document with this key and this id of its own. */
  address(key: string, id: string): Uint8Array;
  /** An empty collection that exists. */
  create(collection: string): void;
  /** Puts a document in past the driver; returns its key. */
  put(collection: string, payload: string, key?: string): string;
  /** All documents of a collection past the driver: key and payload, in order of insertion. */
  documents(collection: string): readonly { readonly key: string; readonly payload: string }[];
  befall(mishap: Mishap): void;
  /** From now on nobody may read or write this collection. */
  forbid(collection: string): void;
  /** From now on no answer that would hold this document succeeds. */
  spoil(collection: string, key: string): void;
  /** Requests that arrived so far. */
  readonly requests: number;
}

/** JSON that a reader who parses and prints would not give back. */
export const HOSTILE = [
  '{"id":"h1","n":[1.0,1E5,-0,1e400,9007199254740993,0.1000000000000000055]}',
  '{"id":"h2","b":1,"a":2,"10":3,"2":4,"a":5}',
  String.raw`{"id":"h3","s":"\u00e9\ud83d\ude00\ud800\/\u0000 é😀"}`,
  '{ "id" : "h4" ,\t"spaces" : [ 1 , { } ] }',
  '{"__proto__":{"x":1},"id":"h5","":"","constructor":null}',
  `{"id":"h6","deep":${'['.repeat(200)}${']'.repeat(200)}}`,
];

export const HOSTILE_NAMES = [
  'a/b',
  '../x',
  'a?b',
  'a#b',
  'a b',
  'ünï😀',
  '%2e%2e',
  '...',
  "it's",
  'a\\b',
  '{x}',
  'a&b=c+d',
];
