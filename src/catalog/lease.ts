import { leaseKey } from '../archive/layout.ts';
import { BackupError } from '../kernel/errors.ts';
import { randomHex } from '../kernel/random.ts';
import { FORMAT } from '../model/canonical-record.ts';
import { encodeLeaseOwner, type LeaseKind } from '../model/lease.ts';
import { formatInstant } from '../model/time.ts';
import { onePiece } from '../stores/store.ts';
import { type BlockingLease, type LeaseHome, OtherLeases } from './other-leases.ts';

const RENEW_MS = 20_000;
/** So long after it was renewed nobody can have taken it for stale: well below STALE_MS of other-leases.ts. */
const VALID_MS = 35_000;
const LOOK_AGAIN_MS = 2_000;
/** Where lists lag: two of us that begin at once see each other if none lags for more than half of this. */
const SETTLE_MS = 5_000;
/** A store that does not answer must not hold up the end of a run: what is left becomes stale. */
const RELEASE_MS = 5_000;

export interface LeaseRequest {
  readonly kind: LeaseKind;
  readonly operation: string;
  /** How long to wait for others. */
  readonly waitMs: number;
}

/** Takes a lease on a store. Throws CATALOG_LOCKED where others hold one for longer than we wait, a store's error. */
export async function takeLease(
  home: LeaseHome,
  request: LeaseRequest,
  signal?: AbortSignal,
): Promise<Lease> {
  const { kind, waitMs } = request;
  const { store, platform } = home;
  const { clock, log, random } = platform;
  const others = new OtherLeases(home, kind);
  const end = clock.monotonic() + waitMs;
  let isTold = false;
  for (;;) {
    // first ours, then a look at the others: of two that do so at once at least one sees the other
    let blocking = await others.blocking('', signal);
    if (blocking === null) {
      const lease = new Lease(home, request);
      try {
        await lease.renew(signal);
        if (kind === 'exclusive' && !store.traits.listsAtOnce) await clock.sleep(SETTLE_MS, signal);
        blocking = await others.blocking(lease.token, signal);
      } catch (thrown) {
        await lease.release();
        throw thrown;
      }
      if (blocking === null) {
        lease.keep();
        return lease;
      }
      await lease.release();
    }
    const left = end - clock.monotonic();
    if (left <= 0) throw locked(`${store.label} is in use: ${described(blocking)}`);
    if (!isTold) log.write('warn', `waiting up to ${waitMs / 1000} s for ${described(blocking)}`);
    isTold = true;
    await clock.sleep(Math.min(left, LOOK_AGAIN_MS * (0.5 + random.bytes(1)[0]! / 256)), signal);
  }
}

/**
 * One run's lease on a store: an object whose name says what kind it is and how often it was renewed, since nothing in a
 * store is ever overwritten (docs/adr/0006-lease.md). A holder that slept, or that could not reach the store, finds out in
 * `assertHeld` whether others have taken it for dead.
 */
export class Lease {
  readonly token: string;
  readonly #home: LeaseHome;
  readonly #request: LeaseRequest;
  readonly #owner: Uint8Array;
  /** Objects of ours that may be there. */
  readonly #keys = new Set<string>();
  readonly #stop = new AbortController();
  #current: string | null = null;
  #sequence = 0;
  /** When the last renewal that succeeded was begun. */
  #renewed = { monotonic: 0, wall: 0 };
  #isLost = false;
  /** One renewal at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(home: LeaseHome, request: LeaseRequest) {
    const { clock, codec, host, random } = home.platform;
    this.#home = home;
    this.#request = request;
    this.token = randomHex(random, 8);
    this.#owner = encodeLeaseOwner(codec, {
      format: FORMAT,
      operation: request.operation,
      hostname: host.hostname,
      process_space: host.processSpace,
      pid: host.pid,
      created_at: formatInstant(clock.now()),
    });
  }

  /** Renews it from now on, until it is released or lost. */
  keep(): void {
    const { clock } = this.#home.platform;
    const { signal } = this.#stop;
    const renewForEver = async (): Promise<void> => {
      while (!this.#isLost) {
        await clock.sleep(RENEW_MS, signal);
        // one that fails is tried again, by `assertHeld` if need be
        await this.#inTurn(() => this.renew(signal)).catch(() => {});
      }
    };
    renewForEver().catch(() => {}); // released
  }

  /** Awaited before each step that cannot be taken back. Throws CATALOG_LOCKED, a store's error. */
  async assertHeld(): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#isLost) throw this.#loss();
      if (this.#age() > VALID_MS) await this.renew(this.#stop.signal);
    });
  }

  /** Throws CATALOG_LOCKED where it came too late. */
  async renew(signal?: AbortSignal): Promise<void> {
    const { store, platform } = this.#home;
    const before = this.#current;
    const begun = { monotonic: platform.clock.monotonic(), wall: platform.clock.now() };
    const key = leaseKey({ token: this.token, kind: this.#request.kind, sequence: ++this.#sequence });
    this.#keys.add(key);
    await store.put(key, onePiece(this.#owner), signal);
    if (before !== null && this.#age() > VALID_MS) {
      // whoever took it for stale has removed it, and may be at work, or done
      const isBroken = (await store.size(before, signal)) === null;
      const others = new OtherLeases(this.#home, this.#request.kind);
      if (isBroken || (await others.blocking(this.token, signal)) !== null) {
        this.#isLost = true;
        throw this.#loss();
      }
    }
    this.#renewed = begun;
    this.#current = key;
    await this.#remove(
      [...this.#keys].filter((old) => old !== key),
      signal,
    );
  }

  /** Gives it back; never fails. */
  async release(): Promise<void> {
    this.#stop.abort();
    await this.#inTurn(async () => {
      const giveUp = new AbortController();
      const done = new AbortController();
      const { clock } = this.#home.platform;
      const timer = clock.sleep(RELEASE_MS, done.signal).then(
        () => giveUp.abort(),
        () => {},
      );
      await this.#remove([...this.#keys], giveUp.signal);
      done.abort();
      await timer;
    });
  }

  /** As far as the store lets us. */
  async #remove(keys: readonly string[], signal?: AbortSignal): Promise<void> {
    for (const key of keys) {
      try {
        await this.#home.store.remove(key, signal);
        this.#keys.delete(key);
      } catch (thrown) {
        if (thrown instanceof BackupError && thrown.code === 'STORE_MISSING') this.#keys.delete(key);
      }
    }
  }

  /** By whichever clock says more: the monotonic one stands still while a machine sleeps. */
  #age(): number {
    const { clock } = this.#home.platform;
    return Math.max(clock.monotonic() - this.#renewed.monotonic, clock.now() - this.#renewed.wall);
  }

  #inTurn(action: () => Promise<void>): Promise<void> {
    const next = this.#turn.then(action);
    this.#turn = next.catch(() => {});
    return next;
  }

  #loss(): BackupError {
    return locked(
      `this run has lost its lease on ${this.#home.store.label}: it slept, or the store did not answer, and others took it for dead`,
    );
  }
}

function described({ owner }: BlockingLease): string {
  if (owner === null) return 'another run';
  const { operation, hostname, pid, created_at } = owner;
  return `${operation} on ${hostname} (process ${pid}, since ${created_at})`;
}

function locked(message: string): BackupError {
  return new BackupError('CATALOG_LOCKED', message, {
    kept: 'Nothing that was there is touched.',
    cure: 'Run it again when the other run is done, or wait longer with --lock-wait; a run that died is passed over after a minute.',
  });
}
