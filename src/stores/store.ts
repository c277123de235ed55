import { BackupError } from '../kernel/errors.ts';

/**
 * Where archives, indexes, manifests and marks are kept.
 *
 * Keys are built by archive/layout.ts alone: `/`-separated, each segment of `a–z 0–9 _ - . % ~`, never empty, `.` or
 * `..`. A driver refuses any other key (STORE_FAILED) and never lets one lead outside its root.
 *
 * What every driver guarantees:
 * - An object is visible whole or not at all, and once `put` has resolved it survives a power cut.
 * - `put` creates; it never overwrites. Where `exclusiveCreate` is false, two writers racing for one absent key may
 *   both succeed and the later one stays.
 * - After `put` or `remove` has resolved, `get` and `size` tell the truth. `list` may lag where `listsAtOnce` is false.
 * - Failures are BackupErrors: STORE_MISSING, STORE_EXISTS, STORE_FULL, STORE_FORBIDDEN, STORE_UNREACHABLE, else
 *   STORE_FAILED. A failed or aborted `put` leaves nothing visible.
 */
export interface Store {
  /** For messages and reports: a URL without secrets. */
  readonly label: string;
  readonly traits: StoreTraits;
  /** Stores the concatenated pieces under a new key. Pulls them one at a time; each may be reused after the next pull. */
  put(key: string, pieces: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void>;
  /**
   * The bytes `[start, end)` of an object (the whole one by default) in pieces, which the receiver must not keep
   * past the next pull. Throws STORE_MISSING; an object shorter than `end` yields what there is.
   */
  get(key: string, range?: ByteRange, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** Stored bytes; null if there is no such object. */
  size(key: string, signal?: AbortSignal): Promise<number | null>;
  /** Every object whose key starts with `prefix`, in no order. Complete, or it throws. */
  list(prefix: string, signal?: AbortSignal): AsyncIterable<StoredObject>;
  /** Throws STORE_MISSING if there is no such object. */
  remove(key: string, signal?: AbortSignal): Promise<void>;
  /** Bytes that can still be stored; null where nobody can tell. */
  freeBytes(signal?: AbortSignal): Promise<number | null>;
  close(): Promise<void>;
}

export interface StoreTraits {
  readonly exclusiveCreate: boolean;
  readonly listsAtOnce: boolean;
  /** Others keep objects of theirs beside ours, under any names. */
  readonly holdsOthers: boolean;
  /** Requests take time, and some servers count them: what never changes is worth a copy. */
  readonly remote: boolean;
}

export interface StoredObject {
  readonly key: string;
  readonly size: number;
}

export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Whether drivers take this text for a key. */
export function isStoreKey(key: string): boolean {
  return key
    .split('/')
    .every((segment) => /^[a-z0-9_.%~-]+$/.test(segment) && segment !== '.' && segment !== '..');
}

/** A small object; of one that is longer than `bytesMax` no more than a byte beyond it, which shows that it is. */
export async function readObject(
  store: Store,
  key: string,
  bytesMax: number,
  signal?: AbortSignal,
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const range = { start: 0, end: bytesMax + 1 };
  for await (const piece of store.get(key, range, signal)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** Removes an object; false if there was none (any more), which is no failure. */
export async function removeIfThere(store: Store, key: string, signal?: AbortSignal): Promise<boolean> {
  try {
    await store.remove(key, signal);
    return true;
  } catch (thrown) {
    if (!(thrown instanceof BackupError && thrown.code === 'STORE_MISSING')) throw thrown;
    return false;
  }
}

/** One object of one piece. */
export async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
