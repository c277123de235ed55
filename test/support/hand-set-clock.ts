import type { Clock } from '../../src/kernel/clock.ts';

/** A clock that stands still until a test moves it on. */
export class HandSetClock implements Clock {
  #monotonic = 0;
  #wall = Date.UTC(2026, 10, 22, 10);
  #sleepers: { readonly until: number; readonly wake: () => void }[] = [];

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const sleeper = { until: this.#monotonic + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal.reason as Error);
      });
    });
  }

  /** In steps of a second, between which everybody does what they can. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1000) {
      this.#monotonic += Math.min(left, 1000);
      this.#wall += Math.min(left, 1000);
      const due = this.#sleepers.filter(({ until }) => until <= this.#monotonic);
      this.#sleepers = this.#sleepers.filter((sleeper) => !due.includes(sleeper));
      for (const { wake } of due) wake();
      await settled();
    }
  }

  /** As a machine does that sleeps: its monotonic clock stands still, and no timer fires. */
  suspend(ms: number): void {
    this.#wall += ms;
  }
}

/** Everybody has done what can be done without time passing. */
export async function settled(): Promise<void> {
  for (let round = 0; round < 20; round++) await new Promise((resolve) => setImmediate(resolve));
}
