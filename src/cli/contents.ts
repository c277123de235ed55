import { MIRROR_COLLECTION } from '../model/collections.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';

/** Collection, key and bytes of every document. */
export type Contents = ReadonlyMap<string, ReadonlyMap<string, Buffer>>;

/** Everything that is backed up of a sandbox, read past every protocol. */
export function contentsOf(sandbox: Sandbox): Contents {
  return new Map(
    sandbox.collections
      .filter((name) => name !== MIRROR_COLLECTION)
      .map((name) => [
        name,
        new Map([...sandbox.documents(name)].map(({ key, data }) => [key, Buffer.from(data)])),
      ]),
  );
}

/** How the documents of a sandbox compare now with what they were, byte for byte. */
export function differencesFrom(sandbox: Sandbox, before: Contents) {
  const found = { same: 0, missing: 0, changed: 0, added: 0 };
  const now = contentsOf(sandbox);
  for (const [name, documents] of before) {
    for (const [key, data] of documents) {
      const live = now.get(name)?.get(key);
      if (live === undefined) found.missing++;
      else if (live.equals(data)) found.same++;
      else found.changed++;
    }
  }
  for (const [name, documents] of now) {
    for (const key of documents.keys()) if (before.get(name)?.has(key) !== true) found.added++;
  }
  return found;
}
