import fc from 'fast-check';
import { expect } from 'vitest';
import { BackupError, ERROR_CODES } from '../../src/kernel/errors.ts';

/** Times as many inputs, of another seed: FUZZ_FACTOR=100 FUZZ_SEED=7 vitest run test/fuzz */
const FACTOR = Number(process.env.FUZZ_FACTOR ?? 1);
const SEED = Number(process.env.FUZZ_SEED ?? 20_250_109);

/** Longest time for one input, on a machine that has other things to do as well. */
const INPUT_MS_MAX = 5000;

/** How long a test of so many inputs may take. */
export const FUZZ_TIMEOUT = { timeout: 60_000 + 100_000 * FACTOR };

/**
 * Tries one parser with many inputs. Whatever else `check` asserts: the input does not change what all objects
 * inherit, and takes no long time. A failure prints the smallest input found, its seed and its path.
 */
export async function fuzz<Input>(
  inputs: fc.Arbitrary<Input>,
  runs: number,
  check: (input: Input) => void | Promise<void>,
): Promise<void> {
  const inherited = inheritedByAll();
  await fc.assert(
    fc.asyncProperty(inputs, async (input) => {
      const began = performance.now();
      await check(input);
      expect(performance.now() - began, 'milliseconds for one input').toBeLessThan(INPUT_MS_MAX);
      expect(inheritedByAll()).toBe(inherited);
    }),
    { numRuns: Math.ceil(runs * FACTOR), seed: SEED },
  );
}

function inheritedByAll(): string {
  const prototypes = [Object.prototype, Array.prototype, Function.prototype, String.prototype];
  return prototypes.map((prototype) => Reflect.ownKeys(prototype).length).join();
}

/** What came of an attempt: a value, or a BackupError of a documented code. Anything else thrown fails the test. */
export type Attempted<Value> = { readonly value: Value } | { readonly error: BackupError };

export async function attempt<Value>(action: () => Value | Promise<Value>): Promise<Attempted<Value>> {
  try {
    return { value: await action() };
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    expect(ERROR_CODES).toHaveProperty(error.code);
    expect(error.code).not.toBe('INTERNAL');
    if (error.cure !== undefined) expect(error.cure, error.message).toMatch(/\.$/);
    return { error };
  }
}

/** How many more bytes of buffers there are at the most while something is tried. */
export async function bufferBytesOf(action: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage().arrayBuffers;
  let most = before;
  const timer = setInterval(look, 1);
  function look(): void {
    most = Math.max(most, process.memoryUsage().arrayBuffers);
  }
  try {
    await action();
  } finally {
    clearInterval(timer);
    look();
  }
  return most - before;
}
