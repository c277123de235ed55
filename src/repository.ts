import { DOCTOR_PREFIX, LEASE_PREFIX, MANIFEST_PREFIX, MARKER_KEY } from './archive/layout.ts';
import { BackupError } from './kernel/errors.ts';
import type { Platform } from './kernel/platform.ts';
import { randomHex } from './kernel/random.ts';
import { openScratchIn } from './kernel/scratch.ts';
import { SIZES, type Sizes } from './kernel/sizes.ts';
import type { Scratch } from './kernel/sorted-runs.ts';
import { encodeMarker, FORMAT, type Marker, parseMarker, RECORD_BYTES_MAX } from './model/manifest.ts';
import { formatInstant } from './model/time.ts';
import type { SourceIdentity } from './sources/source.ts';
import { onePiece, readObject, type Store } from './stores/store.ts';

/** A store with what operations need around it: the handle that they receive. */
export interface Repository {
  readonly platform: Platform;
  readonly store: Store;
  /** Local scratch and cache: never needed to restore, may be lost at any time. */
  readonly stateDirectory: string;
  readonly sizes: Sizes;
  /** How long to wait for runs of others that hold a lease; left out where nobody else uses it, and no lease is taken. */
  readonly lockWaitMs?: number;
}

export function openRepository(
  platform: Platform,
  store: Store,
  stateDirectory: string,
  sizes: Sizes = SIZES,
): Repository {
  return { platform, store, stateDirectory, sizes };
}

/** Room in the state directory for what does not fit in memory. Throws STATE_FAILED. */
export async function openScratch({ platform, stateDirectory, sizes }: Repository): Promise<Scratch> {
  return await openScratchIn(platform.files, stateDirectory, sizes);
}

/** Null if the store has no marker. Throws MARKER_DAMAGED, FORMAT_UNKNOWN. */
export async function readMarker(repository: Repository, signal?: AbortSignal): Promise<Marker | null> {
  const { platform, store } = repository;
  if ((await store.size(MARKER_KEY, signal)) === null) return null;
  return parseMarker(platform.codec, await readObject(store, MARKER_KEY, RECORD_BYTES_MAX, signal));
}

/**
 * Makes sure that this store takes backups of this source: its marker must name the same host and project
 * (STORE_FOREIGN otherwise), a store without a marker must be empty (or, where others keep objects too, hold no backups). `adopt` accepts both. Writes nothing; the function
 * that it resolves with writes the marker where there is none, and is called before the first backup is stored.
 */
export async function claimStore(
  repository: Repository,
  source: Pick<SourceIdentity, 'host' | 'project'>,
  adopt: boolean,
  signal?: AbortSignal,
): Promise<() => Promise<void>> {
  const { store } = repository;
  const marker = await readMarker(repository, signal);
  if (marker !== null) {
    const same = marker.source.host === source.host && marker.source.project === source.project;
    if (same || adopt) return async () => {};
    throw foreign(
      `the store ${store.label} holds the backups of ${describe(marker.source)}, not of ${describe(source)}`,
    );
  }
  if (!adopt && (await holdsAnything(store, signal))) {
    throw foreign(`${store.label} holds other files and no backups of this tool`);
  }
  let writing: Promise<void> | null = null;
  return () => {
    writing ??= writeMarker(repository, source, adopt, signal);
    return writing;
  };
}

async function writeMarker(
  repository: Repository,
  source: Pick<SourceIdentity, 'host' | 'project'>,
  adopt: boolean,
  signal?: AbortSignal,
): Promise<void> {
  const { platform, store } = repository;
  const bytes = encodeMarker(platform.codec, {
    format: FORMAT,
    repository_id: randomHex(platform.random, 16),
    created_at: formatInstant(platform.clock.now()),
    source: { host: source.host, project: source.project },
  });
  try {
    await store.put(MARKER_KEY, onePiece(bytes), signal);
  } catch (thrown) {
    if (!(thrown instanceof BackupError && thrown.code === 'STORE_EXISTS')) throw thrown;
    // another run has claimed the store since we looked
    if ((await readMarker(repository, signal)) === null) throw thrown;
    await claimStore(repository, source, adopt, signal);
    return;
  }
  const returned = await readObject(store, MARKER_KEY, bytes.length, signal);
  if (returned.equals(bytes)) return;
  await store.remove(MARKER_KEY).catch(() => {}); // what is left of it is refused by the next run
  throw new BackupError(
    'STORE_DAMAGED',
    `${store.label} does not give back ${MARKER_KEY} as it was written`,
    {
      object: MARKER_KEY,
      kept: 'No backup was made.',
      cure: 'Check the disk or the storage service, then run the backup again, or point --store elsewhere.',
    },
  );
}

async function holdsAnything(store: Store, signal?: AbortSignal): Promise<boolean> {
  const prefix = store.traits.holdsOthers ? MANIFEST_PREFIX : '';
  try {
    for await (const { key } of store.list(prefix, signal)) {
      // leases: another run is about to claim this store
      if (!key.startsWith(DOCTOR_PREFIX) && !key.startsWith(LEASE_PREFIX)) return true;
    }
  } catch (thrown) {
    if (!(thrown instanceof BackupError && thrown.code === 'STORE_MISSING')) throw thrown;
  }
  return false;
}

function foreign(message: string): BackupError {
  return new BackupError('STORE_FOREIGN', message, {
    kept: 'Nothing was written.',
    cure: 'Choose another --store, or pass --adopt-store if these backups belong together.',
  });
}

function describe(source: { host: string; project: string | null }): string {
  return source.project === null ? source.host : `project ${source.project} on ${source.host}`;
}
