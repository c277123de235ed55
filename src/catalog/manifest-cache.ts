import { hexOf } from '../kernel/codec.ts';
import type { Platform } from '../kernel/platform.ts';
import { randomHex } from '../kernel/random.ts';
import type { Store } from '../stores/store.ts';

/** A store whose manifests are worth keeping copies of, and the state directory where these are. */
interface CacheHome {
  readonly platform: Pick<Platform, 'codec' | 'files' | 'random'>;
  readonly store: Store;
  readonly stateDirectory: string;
}

/**
 * Copies of a store's manifests on this machine: a manifest never changes, and reading hundreds of them again takes
 * minutes behind a rate limit. A copy stands for a manifest of its id and its length; whoever gets one checks it as one
 * from the store. What cannot be read or written here is read from the store. No copy proves that the store still has
 * the manifest unharmed: nothing is verified, restored or removed by one.
 */
export interface ManifestCache {
  /** Null if there is no copy of this length. */
  read(backupId: string, length: number): Promise<Buffer | null>;
  write(backupId: string, bytes: Uint8Array): Promise<void>;
  /** Forgets all others. */
  keep(backupIds: ReadonlySet<string>): Promise<void>;
}

/** Null for a store that is as quick as the cache would be. */
export function openManifestCache({ platform, store, stateDirectory }: CacheHome): ManifestCache | null {
  if (!store.traits.remote) return null;
  const { codec, files, random } = platform;
  const hash = hexOf(codec.sha256(Buffer.from(store.label))).slice(0, 32);
  const directory = `${stateDirectory}/manifests/${hash}`;
  const pathOf = (backupId: string): string => `${directory}/${backupId}`;
  const quietly = async (action: () => Promise<void>): Promise<void> => {
    await action().catch(() => {}); // a cache that does not work only costs time
  };
  return {
    async read(backupId, length) {
      try {
        const reader = await files.open(pathOf(backupId));
        try {
          if (reader.size !== length) return null;
          const bytes = Buffer.alloc(length);
          return (await reader.read(bytes, 0)) === length ? bytes : null;
        } finally {
          await reader.close();
        }
      } catch {
        return null;
      }
    },

    write: (backupId, bytes) =>
      quietly(async () => {
        await files.makeDirectory(directory, 0o700);
        const partial = `${directory}/.${randomHex(random, 8)}`;
        const writer = await files.create(partial, 0o600);
        try {
          await writer.write(bytes);
        } finally {
          await writer.close();
        }
        await files.rename(partial, pathOf(backupId));
      }),

    keep: (backupIds) =>
      quietly(async () => {
        for (const { name } of await files.list(directory)) {
          if (!backupIds.has(name)) await files.remove(`${directory}/${name}`);
        }
      }),
  };
}
