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
 */
export async function leased(
  repository: Repository,
  kind: LeaseKind | null,
  operation: string,
  signal?: AbortSignal,
): Promise<LeasedRepository> {
  const { lockWaitMs } = repository;
  if (kind === null || lockWaitMs === undefined) {
    return { repository, async [Symbol.asyncDispose]() {} };
  }
  const lease = await takeLease(repository, { kind, operation, waitMs: lockWaitMs }, signal);
  return {
    repository: guarded(repository, lease),
    [Symbol.asyncDispose]: () => lease.release(),
  };
}

function guarded(repository: Repository, lease: Lease): Repository {
  const { store } = repository;
  return {
    ...repository,
    store: {
      ...store,
      async put(key, pieces, signal) {
        if (key.startsWith(MANIFEST_PREFIX)) await lease.assertHeld();
        await store.put(key, pieces, signal);
      },
      async remove(key, signal) {
        if (!key.startsWith(LEASE_PREFIX)) await lease.assertHeld();
        await store.remove(key, signal);
      },
    },
  };
}
