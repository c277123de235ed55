import { LEASE_PREFIX, MANIFEST_PREFIX } from '../archive/layout.ts';
import { type Lease, takeLease } from '../catalog/lease.ts';
import type { LeaseKind } from '../model/lease.ts';
import type { Repository } from '../repository.ts';

/** A repository on which a run holds a lease: nothing is committed in it or removed from it once that is lost. */
export interface LeasedRepository extends AsyncDisposable {
  readonly repository: Repository;
}

/**
 * Takes a lease where others may use the repository, and gives it back when disposed of.
 * @param kind null: nothing will be written
 * @param whenWritten take it before the first object is stored, not now: a run that stores nothing leaves no trace
 */
export async function leased(
  repository: Repository,
  kind: LeaseKind | null,
  operation: string,
  signal?: AbortSignal,
  whenWritten = false,
): Promise<LeasedRepository> {
  const { lockWaitMs } = repository;
  if (kind === null || lockWaitMs === undefined) {
    return { repository, async [Symbol.asyncDispose]() {} };
  }
  const request = { kind, operation, waitMs: lockWaitMs };
  let lease: Promise<Lease> | null = null;
  const held = (): Promise<Lease> => {
    lease ??= takeLease(repository, request, signal);
    return lease;
  };
  if (kind === 'exclusive') await assertStore(repository, signal);
  if (!whenWritten) await held();
  return {
    repository: guarded(repository, held),
    async [Symbol.asyncDispose]() {
      const taken = await lease?.catch(() => null); // whoever waited for it was told
      await taken?.release();
    },
  };
}

/** What works on backups that there are does not bring a store into being. Throws STORE_MISSING. */
async function assertStore({ store }: Repository, signal?: AbortSignal): Promise<void> {
  for await (const _ of store.list(MANIFEST_PREFIX, signal)) return;
}

function guarded(repository: Repository, held: () => Promise<Lease>): Repository {
  const { store } = repository;
  return {
    ...repository,
    store: {
      ...store,
      async put(key, pieces, signal) {
        const lease = await held();
        if (key.startsWith(MANIFEST_PREFIX)) await lease.assertHeld();
        await store.put(key, pieces, signal);
      },
      async remove(key, signal) {
        const lease = await held();
        if (!key.startsWith(LEASE_PREFIX)) await lease.assertHeld();
        await store.remove(key, signal);
      },
    },
  };
}
