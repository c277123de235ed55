import { indexKey, manifestKey } from '../archive/layout.ts';
import { BackupError } from '../kernel/errors.ts';
import { type Manifest, RECORD_BYTES_MAX } from '../model/manifest.ts';
import type { Repository } from '../repository.ts';
import { readObject } from '../stores/store.ts';
import { BackupDraft } from './backup-draft.ts';
import { readBackObject } from './read-back.ts';

/**
 * Copies one backup from a store into another: archive and index, each read back there, then its manifest. Does nothing
 * where that is there already. A failure leaves nothing that a catalog would show; data that arrived whole stays, for
 * the next attempt to prove and use. Throws what the stores throw; STORE_DAMAGED where `to` does not give back what it
 * was given.
 */
export async function deliver(
  from: Repository,
  to: Repository,
  { backup_id, object_path, sha256, index }: Manifest,
  signal?: AbortSignal,
): Promise<void> {
  const key = manifestKey(backup_id);
  const manifest = await readObject(from.store, key, RECORD_BYTES_MAX, signal);
  if (await isThere(to, key, manifest, signal)) return;
  const draft = new BackupDraft(to, backup_id, { dryRun: false, readBack: true }, signal);
  try {
    for (const [object, hash] of [
      [object_path, sha256],
      [indexKey(backup_id), index.sha256],
    ] as const) {
      try {
        await draft.put(object, from.store.get(object, undefined, signal));
      } catch (thrown) {
        // what an interrupted delivery has left is proved like everything else
        if (!(thrown instanceof BackupError && thrown.code === 'STORE_EXISTS')) throw thrown;
      }
      await readBackObject(to, object, hash, signal);
    }
    await draft.commit(manifest);
  } catch (thrown) {
    // another run may deliver the same backup right now, and commit data of ours: only what nobody can commit is removed
    if (thrown instanceof BackupError && thrown.code === 'STORE_DAMAGED') await draft.withdraw();
    else if (await isThere(to, key, manifest).catch(() => false)) return;
    throw thrown;
  }
}

/** Throws STORE_EXISTS where another backup stands under this key. */
async function isThere(
  { store }: Repository,
  key: string,
  manifest: Buffer,
  signal?: AbortSignal,
): Promise<boolean> {
  if ((await store.size(key, signal)) === null) return false;
  if ((await readObject(store, key, RECORD_BYTES_MAX, signal)).equals(manifest)) return true;
  throw new BackupError('STORE_EXISTS', `${store.label} holds another backup under the name ${key}`, {
    object: key,
    cure: 'Two runs have made backups of the same second: run the backup again, or give each of them a store of its own.',
  });
}
