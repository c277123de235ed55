import { ARCHIVE_PREFIX, backupIdOfArchiveKey, doctorKey, MANIFEST_PREFIX } from '../../archive/layout.ts';
import { BackupError } from '../../kernel/errors.ts';
import { randomHex } from '../../kernel/random.ts';
import { parseBackupId } from '../../model/backup-id.ts';
import { claimStore, openScratch, type Repository, readMarker } from '../../repository.ts';
import type { SourceIdentity } from '../../sources/source.ts';
import { onePiece, readObject } from '../../stores/store.ts';
import { type Found, good, warning } from './found.ts';

const PROBE_BYTES = 1024;
const STATE_BYTES_MIN = 512 << 20;

/** Whose backups it holds; another project's are refused here as `backup` would refuse them. */
export async function ownerOf(
  repository: Repository,
  identity: SourceIdentity | null,
  signal?: AbortSignal,
): Promise<Found> {
  const marker = await readMarker(repository, signal);
  if (identity !== null) await claimStore(repository, identity, false, signal);
  if (marker === null && identity === null) {
    return warning(
      'holds no backups; without a server it is not known whether it may be written to',
      'Set ZERODB_API_BASE_URL and ZERODB_API_KEY, and run `doctor` again.',
    );
  }
  if (marker === null) return good('holds no backups yet; the first backup makes it ready');
  let backups = 0;
  for await (const _ of repository.store.list(MANIFEST_PREFIX, signal)) backups++;
  const { host, project } = marker.source;
  return good(`holds ${backups} backups of ${project === null ? host : `project ${project} on ${host}`}`);
}

/** Everything that a backup and its removal ask of a store. */
export async function tryOut({ platform, store }: Repository, signal?: AbortSignal): Promise<Found> {
  const { clock, random } = platform;
  const key = doctorKey(randomHex(random, 8));
  const bytes = random.bytes(PROBE_BYTES);
  const begun = clock.monotonic();
  await store.put(key, onePiece(bytes), signal);
  try {
    const returned = await readObject(store, key, PROBE_BYTES, signal);
    if (!returned.equals(bytes) || (await store.size(key, signal)) !== PROBE_BYTES) {
      throw failedStep(store.label, key, 'does not give back what was written to it');
    }
    let listed = false;
    for await (const entry of store.list(key, signal)) if (entry.key === key) listed = true;
    if (!listed && store.traits.listsAtOnce) {
      throw failedStep(store.label, key, 'does not list what was written to it');
    }
  } catch (thrown) {
    await store.remove(key).catch(() => {});
    throw thrown;
  }
  await store.remove(key, signal);
  if ((await store.size(key, signal)) !== null) {
    throw failedStep(store.label, key, 'still holds what was removed');
  }
  const ms = Math.round(clock.monotonic() - begun);
  const extent = store.traits.exclusiveCreate
    ? ''
    : '; two runs at once are not told apart (no exclusive create)';
  return good(`writes, reads, lists and removes, in ${ms} ms${extent}`);
}

function failedStep(label: string, key: string, what: string): BackupError {
  return new BackupError('STORE_DAMAGED', `${label} ${what}`, {
    object: key,
    cure: 'Check the disk or the storage service and its permissions, or point --store elsewhere.',
  });
}

export async function spaceIn({ store }: Repository, signal?: AbortSignal): Promise<Found> {
  const free = await store.freeBytes(signal);
  if (free === null) return good('the store does not say how much is left');
  const needed = await newestSize(store, signal);
  const amount = `${megabytes(free)} MB free`;
  if (free > 2 * needed) return good(amount);
  return warning(
    `${amount}, and the newest backups take ${megabytes(needed)} MB`,
    'Free space, or remove old backups: the next runs may find the store full.',
  );
}

/** Stored bytes of one backup of each collection, the largest: what a full run may need. */
async function newestSize(store: Repository['store'], signal?: AbortSignal): Promise<number> {
  const largest = new Map<string, number>();
  try {
    for await (const { key, size } of store.list(ARCHIVE_PREFIX, signal)) {
      const parts = parseBackupId(backupIdOfArchiveKey(key) ?? '');
      if (parts === null) continue;
      largest.set(parts.encodedCollection, Math.max(size, largest.get(parts.encodedCollection) ?? 0));
    }
  } catch (thrown) {
    if (!(thrown instanceof BackupError && thrown.code === 'STORE_MISSING')) throw thrown;
  }
  return [...largest.values()].reduce((sum, size) => sum + size, 0);
}

export async function stateOf(repository: Repository): Promise<Found> {
  const { platform, stateDirectory } = repository;
  const scratch = await openScratch(repository);
  const file = await scratch.openTemporary();
  try {
    await file.write(Buffer.alloc(PROBE_BYTES), 0);
  } finally {
    await file.close();
  }
  const free = await platform.files.freeBytes(stateDirectory);
  const found = `${stateDirectory} can be written, ${megabytes(free)} MB free`;
  return free >= STATE_BYTES_MIN
    ? good(found)
    : warning(found, 'Free space there, or point --state-dir to another directory.');
}

function megabytes(bytes: number): string {
  return (bytes / (1 << 20)).toFixed(bytes < 100 << 20 ? 1 : 0);
}
