/**
 * - `insert`, `update`, `delete`: one document anywhere
 * - `insert-many`, `delete-many`: `many` at once; the deleted ones neighbours in the order of their keys
 * - `delete-edge`: exactly the documents at the beginning or the end of the last page that was served
 * - `reinsert`: deletes one document and inserts it again, same key, same payload, new time of creation
 */
export type WriterAction =
  | 'insert'
  | 'insert-many'
  | 'update'
  | 'delete'
  | 'delete-many'
  | 'delete-edge'
  | 'reinsert';

/** Somebody else who works on a collection while it is read. Acts between requests only. */
export interface WriterPlan {
  readonly collection: string;
  /** Mean number of actions before each request; 0 if left out. */
  readonly perRequest?: number;
  /** Mean number of actions per second of the sandbox's clock, done when the next request comes; 0 if left out. */
  readonly perSecond?: number;
  /** Chosen from with equal chances; `insert`, `update` and `delete` if left out. */
  readonly actions?: readonly WriterAction[];
  /** 200 if left out. */
  readonly many?: number;
  /** 1 if left out. */
  readonly seed?: number;
}
