import { HASH_BYTES } from '../match/records.ts';

/** What became of one document that was to be written. */
export const FATE = {
  created: 0,
  replaced: 1,
  /** Replaced once more in the same restore: it is counted already. */
  replacedAgain: 2,
  /** Deleted and inserted. */
  recreated: 3,
  refused: 4,
  /** It was to be replaced and was not there. */
  gone: 5,
  /** The answer was lost. */
  insertInDoubt: 6,
  replacementInDoubt: 7,
  /** Not inserted: the key is taken, perhaps by a document whose key is another. */
  taken: 8,
  /** Not replaced: others have written it since it was read. */
  changed: 9,
  /** Not inserted: others made it since the target was read, or an earlier sending did after all. */
  existed: 10,
} as const;
export type Fate = (typeof FATE)[keyof typeof FATE];

/** Record of one outcome: scan key hash of the document in the backup ‖ fate ‖ its place (block and index in it). */
export const OUTCOME = { key: 0, fate: HASH_BYTES, document: HASH_BYTES + 1, width: HASH_BYTES + 9 } as const;
