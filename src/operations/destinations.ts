import { DELIVERED_PREFIX, deliveredKey, MARKER_KEY, manifestKey } from '../archive/layout.ts';
import { type Catalog, isGood, readCatalog } from '../catalog/catalog.ts';
import { openManifestCache } from '../catalog/manifest-cache.ts';
import { putMark, readMark } from '../catalog/marks.ts';
import { hexOf } from '../kernel/codec.ts';
import { BackupError, toBackupError } from '../kernel/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import { type BackupReport, reportError, type StoredIn } from '../model/report.ts';
import { claimStore, type Repository } from '../repository.ts';
import type { SourceIdentity } from '../sources/source.ts';
import { onePiece, removeIfThere } from '../stores/store.ts';
import { removeObjectsOf } from './cleanup/removal.ts';
import { deliver } from './deliver.ts';
import { type LeasedRepository, leased } from './leased.ts';
import { isOnBase } from './state-reading.ts';

/** What the stores of a run hold already. */
export interface Held {
  /** Ids that are taken in any of them. */
  readonly ids: Set<string>;
  /** Of each collection its newest good backup, or the newest one where there is none. */
  readonly newest: ReadonlyMap<string, Manifest>;
}

/** A full backup, and the store in which it is read. */
export interface BaseBackup {
  readonly repository: Repository;
  readonly manifest: Manifest;
}

/** Where the backups of a run go. Leases on them are given back when this is disposed of, or with `release`. */
export interface Destinations extends AsyncDisposable {
  /** Where a backup is made. */
  readonly repository: Repository;
  /** Where backups are kept, as far as they can be used. */
  readonly stores: readonly Repository[];
  readonly held: Held;
  /** What an incremental backup of this collection can be built on: the newest good full one that every store has. */
  baseOf(collection: string): BaseBackup | null;
  /** Awaited before anything is stored. */
  readonly prepare: () => Promise<void>;
  /** Notes an anomaly wherever the backup, which is not there yet, will be. */
  noteAnomaly(backupId: string, reason: string, signal?: AbortSignal): Promise<void>;
  /** Brings a backup that was made to where it belongs: the result of each store, none where it was made in its place. */
  deliver(manifest: Manifest, signal?: AbortSignal): Promise<StoredIn[]>;
  /** After which nothing is stored any more. */
  release(): Promise<void>;
  /** Delivers what earlier runs could not. */
  deliverOutstanding(signal?: AbortSignal): Promise<NonNullable<BackupReport['delivered']>>;
}

export interface DestinationOptions {
  readonly source: Pick<SourceIdentity, 'host' | 'project'>;
  /** Use stores that hold another project's backups, or other files. */
  readonly adopt: boolean;
  readonly dryRun: boolean;
}

/** One store: backups are made in their place. Throws where it cannot be used. */
export async function oneStore(
  home: Repository,
  { source, adopt, dryRun }: DestinationOptions,
  signal?: AbortSignal,
): Promise<Destinations> {
  const prepare = await claimStore(home, source, adopt, signal);
  const leases = new AsyncDisposableStack();
  const { repository } = leases.use(await backupLease(home, dryRun, signal));
  const catalog = await orRelease(leases, catalogOf(repository, signal));
  return {
    repository,
    stores: [home],
    release: () => leases.disposeAsync(),
    [Symbol.asyncDispose]: () => leases.disposeAsync(),
    held: holdings([catalog]),
    baseOf: (collection) => commonBase(collection, [{ repository, catalog }]),
    prepare,
    noteAnomaly: (backupId, reason, signal) => putMark(repository, backupId, 'anomaly', reason, signal),
    deliver: async () => [],
    deliverOutstanding: async () => [],
  };
}

/**
 * Several stores: a backup is made in the spool and copied from there into each of them; it stays in the spool until all
 * have it. A store that cannot be used fails alone; throws where that is true of all.
 */
export async function severalStores(
  spool: Repository,
  stores: readonly Repository[],
  { source, adopt, dryRun }: DestinationOptions,
  signal?: AbortSignal,
): Promise<Destinations> {
  const places: Place[] = [];
  const outstanding = await catalogOf(spool, signal);
  const catalogs = [outstanding];
  const usable: CatalogedStore[] = [];
  const unleased: Repository[] = [];
  const leases = new AsyncDisposableStack();
  for (const home of stores) {
    const place: Place = { repository: home, claim: async () => {}, trouble: null };
    places.push(place);
    try {
      place.claim = await claimStore(home, source, adopt, signal);
      const { repository } = leases.use(await backupLease(home, dryRun, signal));
      place.repository = repository;
      const catalog = await catalogOf(repository, signal);
      catalogs.push(catalog);
      usable.push({ repository, catalog });
      unleased.push(home);
    } catch (thrown) {
      if (signal?.aborted === true) await leases.disposeAsync();
      signal?.throwIfAborted();
      place.trouble = toBackupError(thrown, { object: home.store.label });
    }
  }
  if (places.every(({ trouble }) => trouble !== null)) {
    await leases.disposeAsync();
    throw places[0]!.trouble!;
  }
  const notes = await orRelease(leases, DeliveryNotes.read(spool, signal));
  /** A store that does not have the base of an increment gets it from one that has. */
  const bringBaseTo = async (place: Place, manifest: Manifest, signal?: AbortSignal): Promise<void> => {
    const id = manifest.base_backup_id!;
    if ((await place.repository.store.size(manifestKey(id), signal)) !== null) return;
    for (const { repository, catalog } of usable) {
      const base = catalog.backups.find(({ backup_id }) => backup_id === id);
      if (base === undefined || repository === place.repository) continue;
      return await deliver(repository, place.repository, base, signal);
    }
    throw new BackupError('CHAIN_BROKEN', `no store has ${id}, on which ${manifest.backup_id} is built`, {
      object: manifest.backup_id,
      cure: 'Make a full backup: it stands alone.',
    });
  };
  const bringTo = async (place: Place, manifest: Manifest, signal?: AbortSignal): Promise<StoredIn> => {
    const store = place.repository.store.label;
    try {
      if (place.trouble !== null) throw place.trouble;
      const delivered = notes.keyOf(manifest.backup_id, store);
      // a store that has had it may have removed it since
      if (notes.has(delivered)) return { store, outcome: 'stored' };
      await place.claim();
      if (isOnBase(manifest)) await bringBaseTo(place, manifest, signal);
      await deliver(spool, place.repository, manifest, signal);
      return { store, outcome: 'stored' };
    } catch (thrown) {
      signal?.throwIfAborted();
      const error = toBackupError(thrown, {
        operation: 'backup',
        object: store,
        kept: `${manifest.backup_id} is kept in ${spool.store.label} until every store has it.`,
      });
      return { store, outcome: 'failed', error: reportError(error) };
    }
  };
  const deliverEverywhere = async (manifest: Manifest, signal?: AbortSignal): Promise<StoredIn[]> => {
    const results: StoredIn[] = [];
    for (const place of places) results.push(await bringTo(place, manifest, signal));
    const having = results.filter(({ outcome }) => outcome === 'stored').map(({ store }) => store);
    if (having.length < results.length) {
      await notes.put(manifest.backup_id, having);
    } else {
      await removeObjectsOf(spool, manifest);
      await notes.forget(manifest.backup_id);
    }
    return results;
  };
  /** A store that does not take the mark does not get the backup either: the next run tries both again. */
  const noteInPlaces = async (backupId: string, reason: string | null, signal?: AbortSignal) => {
    for (const place of places.filter(({ trouble }) => trouble === null)) {
      try {
        await place.claim();
        await putMark(place.repository, backupId, 'anomaly', reason, signal);
      } catch (thrown) {
        signal?.throwIfAborted();
        place.trouble = toBackupError(thrown, { object: place.repository.store.label });
      }
    }
  };
  return {
    repository: spool,
    stores: unleased,
    release: () => leases.disposeAsync(),
    [Symbol.asyncDispose]: () => leases.disposeAsync(),
    held: holdings(catalogs),
    baseOf: (collection) => commonBase(collection, usable),
    prepare: async () => {},
    noteAnomaly: async (backupId, reason, signal) => {
      await putMark(spool, backupId, 'anomaly', reason, signal);
      await noteInPlaces(backupId, reason, signal);
    },
    deliver: deliverEverywhere,
    deliverOutstanding: async (signal) => {
      if (dryRun) return [];
      const delivered: { backup_id: string; stores: StoredIn[] }[] = [];
      // oldest first
      for (const manifest of outstanding.backups.toReversed()) {
        const { backup_id } = manifest;
        if (outstanding.marks.get(backup_id)?.has('anomaly') === true) {
          const { reason } = await readMark(spool, backup_id, 'anomaly', signal);
          await noteInPlaces(backup_id, reason, signal);
        }
        delivered.push({ backup_id, stores: await deliverEverywhere(manifest, signal) });
      }
      return delivered;
    },
  };
}

/** Where no backup was ever made there is nothing to protect before something is stored. */
async function backupLease(
  home: Repository,
  dryRun: boolean,
  signal?: AbortSignal,
): Promise<LeasedRepository> {
  const isNew = !dryRun && (await home.store.size(MARKER_KEY, signal)) === null;
  return await leased(home, dryRun ? null : 'shared', 'backup', signal, isNew);
}

async function orRelease<Result>(leases: AsyncDisposableStack, result: Promise<Result>): Promise<Result> {
  try {
    return await result;
  } catch (thrown) {
    await leases.disposeAsync();
    throw thrown;
  }
}

interface CatalogedStore {
  readonly repository: Repository;
  readonly catalog: Catalog;
}

function commonBase(collection: string, stores: readonly CatalogedStore[]): BaseBackup | null {
  const [first, ...others] = stores;
  // newest first
  const manifest = first?.catalog.backups.find(
    (one) =>
      one.collection === collection &&
      one.backup_type === 'full' &&
      one.adopted_from === undefined &&
      isGood(one, first.catalog.marks) &&
      others.every(
        ({ catalog }) =>
          isGood(one, catalog.marks) &&
          catalog.backups.some(({ manifest_sha256 }) => manifest_sha256 === one.manifest_sha256),
      ),
  );
  return manifest === undefined ? null : { repository: first!.repository, manifest };
}

interface Place {
  repository: Repository;
  claim: () => Promise<void>;
  /** Why this store cannot be used in this run: it is not asked again. */
  trouble: BackupError | null;
}

/** A store that does not exist yet holds nothing: claimStore has looked. */
async function catalogOf(repository: Repository, signal?: AbortSignal): Promise<Catalog> {
  try {
    return await readCatalog(repository, signal, { cache: openManifestCache(repository) });
  } catch (thrown) {
    if (!(thrown instanceof BackupError && thrown.code === 'STORE_MISSING')) throw thrown;
    return { backups: [], damaged: [], marks: new Map(), unfinished: [], adopted: [] };
  }
}

function holdings(catalogs: readonly Catalog[]): Held {
  const ids = new Set<string>();
  const newest = new Map<string, Manifest>();
  // one store may lack a mark that another one has
  const good = (manifest: Manifest): boolean => catalogs.every(({ marks }) => isGood(manifest, marks));
  const takesThePlaceOf = (manifest: Manifest, known: Manifest): boolean =>
    good(manifest) === good(known) ? known.created_at < manifest.created_at : good(manifest);
  for (const { backups, damaged, unfinished, adopted } of catalogs) {
    for (const { backupId } of damaged) ids.add(backupId);
    for (const id of [...unfinished, ...adopted]) ids.add(id);
    for (const manifest of backups) {
      ids.add(manifest.backup_id);
      const known = newest.get(manifest.collection);
      if (known === undefined || takesThePlaceOf(manifest, known)) newest.set(manifest.collection, manifest);
    }
  }
  return { ids, newest };
}

/** Which backups of the spool which stores have had: what one of them removes is not brought to it again. */
class DeliveryNotes {
  readonly #spool: Repository;
  readonly #keys: Set<string>;

  private constructor(spool: Repository, keys: Set<string>) {
    this.#spool = spool;
    this.#keys = keys;
  }

  static async read(spool: Repository, signal?: AbortSignal): Promise<DeliveryNotes> {
    const keys = new Set<string>();
    try {
      for await (const { key } of spool.store.list(DELIVERED_PREFIX, signal)) keys.add(key);
    } catch (thrown) {
      if (!(thrown instanceof BackupError && thrown.code === 'STORE_MISSING')) throw thrown;
    }
    return new DeliveryNotes(spool, keys);
  }

  keyOf(backupId: string, label: string): string {
    const hash = this.#spool.platform.codec.sha256(Buffer.from(label));
    return deliveredKey(backupId, hexOf(hash).slice(0, 32));
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  async put(backupId: string, labels: readonly string[]): Promise<void> {
    for (const label of labels) {
      const key = this.keyOf(backupId, label);
      if (this.#keys.has(key)) continue;
      await this.#spool.store.put(key, onePiece(Buffer.from(label)));
      this.#keys.add(key);
    }
  }

  async forget(backupId: string): Promise<void> {
    for (const key of this.#keys) {
      if (key.startsWith(deliveredKey(backupId, ''))) await removeIfThere(this.#spool.store, key);
    }
  }
}
