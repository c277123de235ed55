import { describe, expect, it } from 'vitest';
import { type Attempt, backoffMs, fraction, type Patience, withPatience } from '../../../src/kernel/retry.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const PATIENCE: Patience = { attemptsMax: 5, delayMsFirst: 100, delayMsMax: 1000, totalMsMax: 10_000 };

function world() {
  return { clock: new VirtualClock(), random: seededRandom(1) };
}

/** Attempts that fail so many times before they are done. */
function failing(times: number, failure: Partial<Attempt<string>> = {}) {
  let attempts = 0;
  return {
    attempt: async (): Promise<Attempt<string>> => {
      attempts++;
      if (attempts > times) return { done: `attempt ${attempts}` };
      return { failure: new Error(`failure ${attempts}`), ...failure };
    },
    get attempts() {
      return attempts;
    },
  };
}

describe('patience', () => {
  it('tries until it is done', async () => {
    const { clock, random } = world();
    expect(await withPatience({ clock, random }, PATIENCE, failing(3).attempt)).toBe('attempt 4');
    expect(clock.sleeps).toHaveLength(3);
  });

  it('ends after so many attempts, with the last failure', async () => {
    const tries = failing(99);
    await expect(withPatience(world(), PATIENCE, tries.attempt)).rejects.toThrow('failure 5');
    expect(tries.attempts).toBe(5);
  });

  it('ends in time, also where failures do not count', async () => {
    const { clock, random } = world();
    const tries = failing(9999, { waitMs: 900, free: true });
    await expect(withPatience({ clock, random }, PATIENCE, tries.attempt)).rejects.toThrow('failure');
    expect(clock.elapsedMs).toBeLessThanOrEqual(PATIENCE.totalMsMax);
    expect(tries.attempts).toBe(12);
  });

  it('does not repeat what was thrown', async () => {
    let attempts = 0;
    const attempt = async (): Promise<never> => {
      attempts++;
      throw new Error('for good');
    };
    await expect(withPatience(world(), PATIENCE, attempt)).rejects.toThrow('for good');
    expect(attempts).toBe(1);
  });

  it('doubles its pauses up to a limit, never the same for all', async () => {
    const random = seededRandom(2);
    for (const [failures, whole] of [
      [1, 100],
      [2, 200],
      [4, 800],
      [5, 1000],
      [50, 1000],
    ] as const) {
      const pauses = Array.from({ length: 50 }, () => backoffMs(random, PATIENCE, failures));
      expect(Math.min(...pauses)).toBeGreaterThanOrEqual(whole / 2);
      expect(Math.max(...pauses)).toBeLessThanOrEqual(whole);
      expect(new Set(pauses).size).toBeGreaterThan(40);
    }
  });

  it('waits as long as the other side asks', async () => {
    const { clock, random } = world();
    await withPatience({ clock, random }, PATIENCE, failing(2, { waitMs: 777 }).attempt);
    expect(clock.sleeps).toEqual([777, 777]);
  });

  it('ends when aborted in a pause', async () => {
    const reason = new Error('stop');
    const controller = new AbortController();
    const tries = failing(99);
    const attempt = () => {
      if (tries.attempts === 2) queueMicrotask(() => controller.abort(reason));
      return tries.attempt();
    };
    await expect(withPatience(world(), PATIENCE, attempt, controller.signal)).rejects.toBe(reason);
    expect(tries.attempts).toBe(3);
  });

  it('takes fractions evenly from 0 to below 1', () => {
    const random = seededRandom(3);
    const values = Array.from({ length: 1000 }, () => fraction(random));
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    expect(values.reduce((sum, value) => sum + value, 0) / 1000).toBeCloseTo(0.5, 1);
    expect(fraction({ bytes: () => new Uint8Array([255, 255, 255, 255]) })).toBeLessThan(1);
  });
});
