import type { WriterPlan } from './writer-plan.ts';

/** Everything that the sandbox can be told to do wrong. All of it is off in `GOOD_BEHAVIOUR`. */
export interface Misbehaviour {
  /** Every answer comes this much later; what a request does, it does before. */
  readonly latencyMs: number;
  /** What requests meet on their way; each meets the first that applies to it. */
  readonly faults: readonly Fault[];
  /** More requests than this within that time are answered with 429. */
  readonly rateLimit: RateLimit | null;
  /** Others who change documents between the requests. */
  readonly writers: readonly WriterPlan[];
  /** Every page holds at most this many documents, whatever the limit; 0 for no such clamp. */
  readonly pageClamp: number;
  /** Ways of saying where a page starts that are silently ignored. */
  readonly ignoredPaging: readonly ('skip' | 'offset')[];
  /** Documents that the order asked for leaves equal come in another order with every request. */
  readonly shuffleTies: boolean;
  /** What `total` says: the truth, the length of the page, ten too few, ten too many, or nothing at all. */
  readonly total: 'exact' | 'page' | 'small' | 'large' | 'missing';
  /** Keys of documents that cannot be served, by collection: every answer that would hold one is a 500. */
  readonly unreadable: Readonly<Record<string, readonly string[]>>;
  /** Collections that answer 403. */
  readonly forbidden: readonly string[];
  /** Collections that are gone (404) after this many more requests to them. */
  readonly vanishing: Readonly<Record<string, number>>;
  /** Every replacing PUT merges into what is there. */
  readonly putMerges: boolean;
  /** Documents are stored as values, not as text: keys sorted, `1.0` becomes `1`. */
  readonly reformats: boolean;
  /** How the object storage behaves. */
  readonly storage: StorageBehaviour;
}

/** Sources say little about the object storage (zerodb-protocol §11.1): what they leave open can be chosen. */
export interface StorageBehaviour {
  /** False: all its paths are unknown. */
  readonly served: boolean;
  /** Whether `Range` is honoured. */
  readonly ranges: boolean;
  /** What an upload under a name that is taken does. */
  readonly sameName: 'replaces' | 'second' | 'refused';
  /** Bytes that it holds at most; null for any number. */
  readonly quotaBytes: number | null;
  /** What an upload beyond that is answered with. */
  readonly quotaStatus: 400 | 403 | 413 | 507;
  /** Most entries of a list, whatever the limit. */
  readonly listClamp: number;
  /** A list with a larger limit is refused. */
  readonly listLimitMax: number;
  /** Parameters of lists that are silently ignored. */
  readonly ignored: readonly ('offset' | 'skip' | 'limit' | 'prefix')[];
  /** What `total` of a list says. */
  readonly total: 'exact' | 'page' | 'missing';
  /** How dialect B delivers: the bytes, a signed address, a redirect to it, or base64 in JSON. */
  readonly downloads: 'bytes' | 'address' | 'redirect' | 'base64';
  /** Origin of signed addresses; they lead to the sandbox itself, by whatever name. */
  readonly signedOrigin: string;
}

export const GOOD_STORAGE: StorageBehaviour = {
  served: true,
  ranges: true,
  sameName: 'replaces',
  quotaBytes: null,
  quotaStatus: 507,
  listClamp: 1000,
  listLimitMax: Number.MAX_SAFE_INTEGER,
  ignored: [],
  total: 'exact',
  downloads: 'bytes',
  signedOrigin: '',
};

export const GOOD_BEHAVIOUR: Misbehaviour = {
  latencyMs: 0,
  faults: [],
  rateLimit: null,
  writers: [],
  pageClamp: 0,
  ignoredPaging: [],
  shuffleTies: false,
  total: 'exact',
  unreadable: {},
  forbidden: [],
  vanishing: {},
  putMerges: false,
  reformats: false,
  storage: GOOD_STORAGE,
};

export interface RateLimit {
  readonly requests: number;
  /** 60 if left out. */
  readonly seconds?: number;
  readonly retryAfter?: RetryAfter;
}

/** How a 429 says when to come again: in whole seconds (the default), as an HTTP date, not at all, or as this text. */
export type RetryAfter = 'seconds' | 'date' | 'missing' | { readonly verbatim: string };

/** Something that befalls single requests. */
export type Fault = FaultScope & FaultEffect;

interface FaultScope {
  /** Chance that a request in question meets it; 1 if left out. */
  readonly rate?: number;
  /** It is over when so many requests met it; never, if left out. */
  readonly times?: number;
  /** Only requests whose `METHOD /path` matches; all, if left out. */
  readonly on?: RegExp;
}

type FaultEffect =
  | {
      readonly kind: 'error';
      /** 503 if left out. A 200 with an HTML body is a login page. */
      readonly status?: number;
      readonly body?: 'json' | 'html' | 'empty';
      /** True: the request has done its work when the error is answered. */
      readonly afterEffect?: boolean;
    }
  | {
      /** The connection ends without an answer. */
      readonly kind: 'lost';
      readonly afterEffect?: boolean;
    }
  | {
      readonly kind: 'too-many';
      readonly retryAfter?: RetryAfter;
      /** What `retryAfter` says; 1 if left out. */
      readonly seconds?: number;
    }
  | {
      /** The answer is shortened, in one of four ways of framing it (`Delivery` in message.ts). */
      readonly kind: 'cut';
      readonly framing: 'length' | 'chunked' | 'close' | 'gzip';
    }
  | {
      /** Silence, before the answer or within its body; then the connection ends. */
      readonly kind: 'stall';
      readonly where: 'head' | 'body';
      readonly ms: number;
    }
  | {
      readonly kind: 'redirect';
      /** Origin of another server; the path stays. */
      readonly to: string;
    };
