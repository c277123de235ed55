import { BackupError } from '../kernel/errors.ts';
import { HttpFailure, type HttpResponse } from '../kernel/http.ts';
import { pulled } from '../kernel/pulled.ts';
import { withPatience } from '../kernel/retry.ts';
import { openScratchIn } from '../kernel/scratch.ts';
import { type Spool, spool } from '../kernel/spool.ts';
import { failureOf, isSuccess, isWebPage, saysExists } from '../zerodb/answers.ts';
import { PATIENCE } from '../zerodb/client.ts';
import type { ZerodbConnection } from '../zerodb/connection.ts';
import type { ListedObject } from '../zerodb/object-dialect.ts';
import { type ObjectStorage, openObjectStorage } from '../zerodb/object-storage.ts';
import { type ByteRange, isStoreKey, type Store } from './store.ts';
import { full, missing, saysFull, storeError, taken } from './zerodb-errors.ts';

/** How long an aborted upload is cleared up after. */
const SWEEP_MS_MAX = 10_000;

const UPLOAD_PATIENCE = { ...PATIENCE, attemptsMax: 4 };

/**
 * A store in the Object Storage of a ZeroDB project. Keys are the names of its objects.
 *
 * The server can neither create exclusively nor name an object after its bytes have come: `put` looks first, sends the
 * whole object in one request from a spool, and looks again where the answer was lost. Two writers that race for one key
 * may both succeed. Where that leaves two objects of one key (dialect B), the older one is what the key means, in every
 * handle: what has been written once is never changed. `remove` removes both.
 */
export function openZerodbStore(connection: ZerodbConnection, stateDirectory: string): Store {
  const { client, host, project } = connection;
  const { platform } = client;
  const label = `zerodb:${host}${project === null ? '' : `?project=${encodeURIComponent(project)}`}`;
  /** Where objects are, as lists and uploads have told: ids never change, but objects go. */
  const addresses = new Map<string, string>();
  let opening: Promise<ObjectStorage> | null = null;

  async function storage(signal?: AbortSignal): Promise<ObjectStorage> {
    opening ??= openObjectStorage(connection, signal);
    try {
      return await opening;
    } catch (error) {
      opening = null;
      throw error;
    }
  }

  const assertKey = (key: string): void => {
    if (isStoreKey(key)) return;
    throw new BackupError('STORE_FAILED', `${JSON.stringify(key)} is not a key of a store`, { object: key });
  };

  async function attempt<Result>(key: string, action: () => Promise<Result>): Promise<Result> {
    try {
      return await action();
    } catch (error) {
      throw storeError(error, label, key);
    }
  }

  /** The object that the key means; null if there is none. */
  async function look(key: string, signal?: AbortSignal): Promise<ListedObject | null> {
    const object = theOne(await (await storage(signal)).find(key, signal));
    if (object === null) addresses.delete(key);
    else addresses.set(key, object.address);
    return object;
  }

  async function addressOf(key: string, signal?: AbortSignal): Promise<string> {
    if ((await storage(signal)).addressesByKey) return key;
    const address = addresses.get(key) ?? (await look(key, signal))?.address;
    if (address === undefined) throw missing(label, key);
    return address;
  }

  /** Whether what is there is `content`, or its beginning: then it is ours. */
  async function holds(object: ListedObject, content: Spool, signal?: AbortSignal): Promise<boolean> {
    if (object.size > content.length) return false;
    const expected = content.read(0, object.size)[Symbol.asyncIterator]();
    let rest: Uint8Array = new Uint8Array(0);
    const range = { start: 0, end: object.size };
    for await (const piece of download(object, range, signal)) {
      for (let at = 0; at < piece.length; ) {
        if (rest.length === 0) rest = ((await expected.next()).value as Uint8Array | undefined) ?? rest;
        const length = Math.min(rest.length, piece.length - at);
        if (length === 0 || Buffer.compare(rest.subarray(0, length), piece.subarray(at, at + length)) !== 0)
          return false;
        rest = rest.subarray(length);
        at += length;
      }
    }
    return true;
  }

  async function* download(
    object: Pick<ListedObject, 'key' | 'address'>,
    range: ByteRange,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const objects = await storage(signal);
    yield* pulled((sink, stop) => objects.download(object, range, sink, stop), signal);
  }

  /** Removes what an upload that failed has left of its object. */
  async function sweep(key: string, content: Spool, signal?: AbortSignal): Promise<void> {
    const objects = await storage(signal);
    for (const object of await objects.find(key, signal)) {
      if (await holds(object, content, signal)) await objects.remove(object, signal);
    }
    addresses.delete(key);
  }

  /** As above, for somebody who wants to stop and may be kept waiting only so long. */
  async function sweepBriefly(key: string, content: Spool): Promise<void> {
    const limit = new AbortController();
    const done = new AbortController();
    const waiting = platform.clock.sleep(SWEEP_MS_MAX, done.signal).then(
      () => limit.abort(new Error('there is no more time')),
      () => {},
    );
    try {
      await sweep(key, content, limit.signal);
    } finally {
      done.abort();
      await waiting;
    }
  }

  /** Undefined where it has to be sent again. */
  async function judge(
    key: string,
    content: Spool,
    response: HttpResponse | null,
    isFirst: boolean,
    signal?: AbortSignal,
  ): Promise<'done' | undefined> {
    if (response !== null && isSuccess(response) && !isWebPage(response)) {
      const object = (await storage(signal)).uploaded(response);
      if (object === null || object.key === key) {
        if (object !== null) addresses.set(key, object.address);
        return 'done';
      }
      await (await storage(signal)).remove(object);
      throw new BackupError(
        'STORE_FAILED',
        `the Object Storage keeps ${key} under another name: ${object.key}`,
        {
          object: key,
          cure: 'Keep backups elsewhere with --store: names of this Object Storage are not as they were given.',
        },
      );
    }
    if (response !== null && saysFull(response)) throw full(response, client, key, content.length);
    if (response !== null && saysExists(response) && isFirst) throw taken(key);
    const isLost =
      response === null || response.status >= 500 || response.status === 408 || isSuccess(response);
    if (!isLost && !saysExists(response)) {
      throw failureOf(response, client.about({ task: `upload ${key}`, object: key }));
    }
    // nobody knows what became of it: look
    const object = await look(key, signal);
    if (object === null) return undefined;
    if (!(await holds(object, content, signal))) throw taken(key);
    if (object.size === content.length) return 'done';
    await (await storage(signal)).remove(object, signal);
    return undefined;
  }

  async function upload(key: string, content: Spool, signal?: AbortSignal): Promise<void> {
    const objects = await storage(signal);
    let attempts = 0;
    await withPatience(
      platform,
      UPLOAD_PATIENCE,
      async () => {
        let response: HttpResponse | null = null;
        let failure: unknown;
        try {
          response = await objects.upload(key, content, signal);
          failure = failureOf(response, client.about({ task: `upload ${key}`, object: key }));
        } catch (error) {
          if (!(error instanceof HttpFailure)) throw error;
          failure = error;
        }
        const outcome = await judge(key, content, response, attempts++ === 0, signal);
        return outcome === undefined ? { failure } : { done: outcome };
      },
      signal,
    );
  }

  return {
    label,
    traits: { exclusiveCreate: false, listsAtOnce: false, holdsOthers: true, remote: true },

    async put(key, pieces, signal) {
      assertKey(key);
      await using content = await spool(pieces, () => openScratchIn(platform.files, stateDirectory), signal);
      await attempt(key, async () => {
        if ((await look(key, signal)) !== null) throw taken(key);
        try {
          await upload(key, content, signal);
        } catch (error) {
          if (!(error instanceof BackupError && error.code === 'STORE_EXISTS')) {
            const sweeping = signal?.aborted ? sweepBriefly(key, content) : sweep(key, content);
            await sweeping.catch(() => {}); // what cannot be removed has no manifest and is no backup
          }
          throw error;
        }
      });
    },

    async *get(key, range, signal) {
      assertKey(key);
      const wanted = range ?? { start: 0, end: Number.POSITIVE_INFINITY };
      try {
        if (wanted.start >= wanted.end) {
          if ((await look(key, signal)) === null) throw missing(label, key);
          return;
        }
        const known = addresses.has(key);
        let address = await addressOf(key, signal);
        let isBegun = false;
        try {
          for await (const piece of download({ key, address }, wanted, signal)) {
            isBegun = true;
            yield piece;
          }
          return;
        } catch (error) {
          const isGone = error instanceof BackupError && error.code === 'SOURCE_NOT_FOUND';
          if (!isGone || isBegun || !known || address === key) throw error;
        }
        // another object may have come into its place
        addresses.delete(key);
        address = await addressOf(key, signal);
        yield* download({ key, address }, wanted, signal);
      } catch (error) {
        throw storeError(error, label, key);
      }
    },

    async size(key, signal) {
      assertKey(key);
      return await attempt(key, async () => (await look(key, signal))?.size ?? null);
    },

    async *list(prefix, signal) {
      const listed = await attempt(prefix, async () => (await storage(signal)).list(prefix, signal));
      for (const [key, objects] of Map.groupBy(listed, (object) => object.key)) {
        if (!isStoreKey(key)) continue; // somebody else's: no key of ours leads there
        const { address, size } = theOne(objects)!;
        addresses.set(key, address);
        yield { key, size };
      }
    },

    async remove(key, signal) {
      assertKey(key);
      await attempt(key, async () => {
        const objects = await storage(signal);
        const found = await objects.find(key, signal);
        const one = theOne(found);
        if (one === null) throw missing(label, key);
        // what the key means goes last: none of the others takes its place meanwhile
        for (const object of found) if (object !== one) await objects.remove(object, signal);
        await objects.remove(one, signal);
        addresses.delete(key);
      });
    },

    async freeBytes() {
      return null;
    },

    async close() {},
  };
}

/** Of several objects of one key the oldest, or the one with the smallest id. */
function theOne(objects: readonly ListedObject[]): ListedObject | null {
  const time = ({ createdAt }: ListedObject): number => {
    const at = Date.parse(createdAt ?? '');
    return Number.isNaN(at) ? Number.POSITIVE_INFINITY : at;
  };
  const sorted = objects.toSorted((a, b) => {
    const [left, right] = [time(a), time(b)];
    if (left !== right) return left - right;
    // times are compared to the millisecond above; what is beyond stands in the same place of both texts
    const texts: readonly [string, string][] = [
      [a.createdAt ?? '', b.createdAt ?? ''],
      [a.address, b.address],
    ];
    const [one, other] = texts.find(([mine, its]) => mine !== its) ?? ['', ''];
    return one < other ? -1 : 1;
  });
  return sorted[0] ?? null;
}
