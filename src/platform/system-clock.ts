import type { Clock } from '../kernel/clock.ts';

/** Timers of the platform cannot wait longer; beyond it they fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** The fine clock is set anew when it is this far from the coarse one (the clock was set, the machine slept). */
const DRIFT_MS_MAX = 20;

export function createSystemClock(): Clock {
  let origin = performance.timeOrigin;
  return {
    now() {
      const monotonic = performance.now();
      const coarse = Date.now();
      if (Math.abs(origin + monotonic - coarse) > DRIFT_MS_MAX) origin = coarse - monotonic;
      return origin + monotonic;
    },
    monotonic: () => performance.now(),
    async sleep(ms, signal) {
      const end = performance.now() + ms;
      signal?.throwIfAborted();
      for (let left = ms; left > 0; left = end - performance.now()) {
        await wait(Math.min(Math.ceil(left), TIMER_MS_MAX), signal);
      }
    },
  };
}

function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', abort, { once: true });
  });
}
