import type { Clock } from '../../src/kernel/clock.ts';
import { createSystemClock } from '../../src/platform/system-clock.ts';

/** The real clock, on which everything takes `factor` times as long as it does. */
export function createFastClock(factor: number): Clock {
  const clock = createSystemClock();
  const [start, zero] = [clock.now(), clock.monotonic()];
  const monotonic = () => factor * (clock.monotonic() - zero);
  return {
    now: () => start + monotonic(),
    monotonic,
    sleep: (ms, signal) => clock.sleep(ms / factor, signal),
  };
}
