import type { Clock } from '../../src/kernel/clock.ts';

/**
 * A clock on which sleeping takes no time: whenever nothing else is left to do at once, it jumps to the next moment
 * that somebody sleeps until. What happens on sockets meanwhile takes no time on it at all.
 */
export class VirtualClock implements Clock {
  /** Milliseconds that have passed on this clock. */
  elapsedMs = 0;
  /** How long each sleep was asked to be, in order. */
  readonly sleeps: number[] = [];
  readonly #start: number;
  #sleepers: { readonly until: number; readonly wake: () => void }[] = [];

  constructor(start: number = Date.UTC(2026, 10, 22, 10)) {
    this.#start = start;
  }

  now(): number {
    return this.#start + this.elapsedMs;
  }

  monotonic(): number {
    return this.elapsedMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.sleeps.push(ms);
    await new Promise<void>((resolve, reject) => {
      const sleeper = { until: this.elapsedMs + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal.reason);
      });
      setImmediate(() => this.#wakeNext());
    });
  }

  #wakeNext(): void {
    const next = this.#sleepers.toSorted((a, b) => a.until - b.until)[0];
    if (next === undefined) return;
    this.#sleepers = this.#sleepers.filter((sleeper) => sleeper !== next);
    this.elapsedMs = Math.max(this.elapsedMs, next.until);
    next.wake();
  }
}
