import { LEASE_PREFIX, type LeaseName, leaseOfKey } from '../archive/layout.ts';
import { BackupError } from '../kernel/errors.ts';
import type { Platform } from '../kernel/platform.ts';
import { RECORD_BYTES_MAX } from '../model/canonical-record.ts';
import { type LeaseKind, type LeaseOwner, parseLeaseOwner } from '../model/lease.ts';
import { readObject, type Store } from '../stores/store.ts';

export interface LeaseHome {
  readonly platform: Pick<Platform, 'clock' | 'codec' | 'host' | 'random' | 'log'>;
  readonly store: Store;
}

/** A lease that stands in the way; its owner is null where nobody can tell. */
export interface BlockingLease {
  readonly owner: LeaseOwner | null;
}

/** Longer than a holder lives without renewing its lease, and shorter than the usual wait for one. */
const STALE_MS = 50_000;

/**
 * The leases of others on one store, as one run sees them over time. Whether one is stale is judged by how long, on our own
 * monotonic clock, it has stood there unchanged: no other clock is asked. One of a process of this machine that is gone
 * is stale at once.
 */
export class OtherLeases {
  readonly #home: LeaseHome;
  readonly #kind: LeaseKind;
  /** Since when each object stands there. A renewed lease is another object. */
  readonly #seen = new Map<string, number>();

  /** @param kind of the lease that they might stand in the way of */
  constructor(home: LeaseHome, kind: LeaseKind) {
    this.#home = home;
    this.#kind = kind;
  }

  /** One that stands in the way and is not stale; null if there is none. Removes those that are stale. */
  async blocking(ownToken: string, signal?: AbortSignal): Promise<BlockingLease | null> {
    const { store, platform } = this.#home;
    for (const leases of (await this.#inTheWay(ownToken, signal)).values()) {
      const newest = leases.reduce((a, b) => (b.sequence > a.sequence ? b : a));
      const since = this.#seen.get(newest.key) ?? platform.clock.monotonic();
      this.#seen.set(newest.key, since);
      const owner = await this.#ownerOf(newest.key, signal);
      const isStale = platform.clock.monotonic() - since >= STALE_MS;
      if (!isStale && !this.#isDead(owner)) return { owner };
      for (const { key } of leases) {
        // one that has just been renewed is seen when we look again; one that cannot be removed is as stale as ever
        await store.remove(key, signal).catch(() => signal?.throwIfAborted());
      }
    }
    return null;
  }

  /** By token. */
  async #inTheWay(ownToken: string, signal?: AbortSignal): Promise<Map<string, LeaseName[]>> {
    const found: LeaseName[] = [];
    try {
      for await (const { key } of this.#home.store.list(LEASE_PREFIX, signal)) {
        const lease = leaseOfKey(key);
        if (lease === null || lease.token === ownToken) continue;
        if (this.#kind === 'exclusive' || lease.kind === 'exclusive') found.push(lease);
      }
    } catch (thrown) {
      // a store that does not exist yet
      if (!(thrown instanceof BackupError && thrown.code === 'STORE_MISSING')) throw thrown;
    }
    return Map.groupBy(found, ({ token }) => token);
  }

  async #ownerOf(key: string, signal?: AbortSignal): Promise<LeaseOwner | null> {
    const { store, platform } = this.#home;
    try {
      return parseLeaseOwner(platform.codec, await readObject(store, key, RECORD_BYTES_MAX, signal), key);
    } catch (thrown) {
      signal?.throwIfAborted();
      // renewed or given back this moment, or unreadable: its name says that it is there
      const isUnknown =
        thrown instanceof BackupError &&
        ['STORE_MISSING', 'RECORD_DAMAGED', 'FORMAT_UNKNOWN'].includes(thrown.code);
      if (!isUnknown) throw thrown;
      return null;
    }
  }

  #isDead(owner: LeaseOwner | null): boolean {
    const { host } = this.#home.platform;
    return owner !== null && owner.process_space === host.processSpace && !host.isProcessAlive(owner.pid);
  }
}
