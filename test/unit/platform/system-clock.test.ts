import { describe, expect, it, vi } from 'vitest';
import { createSystemClock } from '../../../src/platform/system-clock.ts';

describe('the system clock', () => {
  it('tells the time of day with fractions of a millisecond', () => {
    const clock = createSystemClock();
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(50);
    const times = Array.from({ length: 100 }, () => clock.now());
    expect(times.some((time) => time % 1 !== 0)).toBe(true);
  });

  it('follows the time of day when that is set', () => {
    const clock = createSystemClock();
    const real = Date.now();
    const spy = vi.spyOn(Date, 'now').mockReturnValue(real + 3_600_000);
    try {
      expect(Math.abs(clock.now() - real - 3_600_000)).toBeLessThan(50);
    } finally {
      spy.mockRestore();
    }
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(50);
  });

  it('sleeps at least as long as asked', async () => {
    const clock = createSystemClock();
    for (const ms of [0, 1, 1.5, 20]) {
      const start = clock.monotonic();
      await clock.sleep(ms);
      expect(clock.monotonic() - start).toBeGreaterThanOrEqual(ms);
    }
  });

  it('does not wake at once from a sleep that no timer can hold', async () => {
    const clock = createSystemClock();
    const controller = new AbortController();
    const reason = new Error('enough');
    let woke = false;
    const warnings: string[] = [];
    const onWarning = (warning: Error) => warnings.push(warning.name);
    process.on('warning', onWarning);
    const sleep = clock.sleep(2 ** 31 + 10, controller.signal).finally(() => {
      woke = true;
    });
    await clock.sleep(50);
    expect(woke).toBe(false);
    controller.abort(reason);
    await expect(sleep).rejects.toBe(reason);
    process.off('warning', onWarning);
    expect(warnings).toEqual([]); // Node warns of a timer that it cannot hold, and fires it at once
  });

  it('does not begin to sleep when aborted already', async () => {
    const reason = new Error('before');
    await expect(createSystemClock().sleep(10_000, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
