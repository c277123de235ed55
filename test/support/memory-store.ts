import { BackupError } from '../../src/kernel/errors.ts';
import { isStoreKey, type Store } from '../../src/stores/store.ts';

/** A store in memory, whose objects a test may change as it likes. */
export function memoryStore(objects: Map<string, Buffer> = new Map()): Store {
  const assertKey = (key: string): void => {
    if (!isStoreKey(key)) throw new BackupError('STORE_FAILED', `${key} is not a key`, { object: key });
  };
  const missing = (key: string): BackupError =>
    new BackupError('STORE_MISSING', `there is no ${key}`, { object: key });
  return {
    label: 'memory:',
    traits: { exclusiveCreate: true, listsAtOnce: true, holdsOthers: false, remote: false },

    async put(key, pieces, signal) {
      assertKey(key);
      const taken: Buffer[] = [];
      for await (const piece of pieces) {
        signal?.throwIfAborted();
        taken.push(Buffer.from(piece));
      }
      if (objects.has(key)) throw new BackupError('STORE_EXISTS', `${key} is taken`, { object: key });
      objects.set(key, Buffer.concat(taken));
    },

    async *get(key, range, signal) {
      assertKey(key);
      const bytes = objects.get(key);
      if (bytes === undefined) throw missing(key);
      const wanted = bytes.subarray(range?.start ?? 0, range?.end ?? bytes.length);
      for (let at = 0; at < wanted.length; at += 65_536) {
        signal?.throwIfAborted();
        yield wanted.subarray(at, at + 65_536);
      }
    },

    async size(key) {
      assertKey(key);
      return objects.get(key)?.length ?? null;
    },

    async *list(prefix) {
      for (const [key, { length }] of objects) if (key.startsWith(prefix)) yield { key, size: length };
    },

    async remove(key) {
      assertKey(key);
      if (!objects.delete(key)) throw missing(key);
    },

    async freeBytes() {
      return null;
    },

    async close() {},
  };
}
