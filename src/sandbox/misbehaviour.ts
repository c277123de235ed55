/** Everything that the sandbox can be told to do wrong. All of it is off in `GOOD_BEHAVIOUR`. */
export interface Misbehaviour {
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
}

export const GOOD_BEHAVIOUR: Misbehaviour = {
  pageClamp: 0,
  ignoredPaging: [],
  shuffleTies: false,
  total: 'exact',
  unreadable: {},
  forbidden: [],
  vanishing: {},
  putMerges: false,
  reformats: false,
};
