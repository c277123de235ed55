import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

/** How often and how long something is tried again. */
export interface Patience {
  readonly attemptsMax: number;
  /** Pause before the second attempt; it doubles with every further one. */
  readonly delayMsFirst: number;
  readonly delayMsMax: number;
  /** From the first failure on, no attempt begins later than this. */
  readonly totalMsMax: number;
}

/** What became of one attempt. A failure that nobody should repeat is thrown instead. */
export type Attempt<T> =
  | { readonly done: T }
  | {
      /** Thrown if this was the last attempt. */
      readonly failure: unknown;
      /** The pause that the other side asked for; without it the pauses of `Patience` apply. */
      readonly waitMs?: number | undefined;
      /** True if the failure does not use up one of the attempts: only the total time bounds it. */
      readonly free?: boolean;
    };

/**
 * Tries until an attempt is done, throws, or patience ends; then throws the last failure. The pauses are random
 * between half and all of their length, so that many who failed together do not come back together.
 */
export async function withPatience<T>(
  world: { readonly clock: Clock; readonly random: Random },
  patience: Patience,
  attempt: () => Promise<Attempt<T>>,
  signal?: AbortSignal,
): Promise<T> {
  let giveUpAt = Number.POSITIVE_INFINITY;
  let failures = 0;
  let counted = 0;
  for (;;) {
    const outcome = await attempt();
    if ('done' in outcome) return outcome.done;
    const now = world.clock.monotonic();
    if (failures++ === 0) giveUpAt = now + patience.totalMsMax;
    if (outcome.free !== true) counted++;
    const waitMs = outcome.waitMs ?? backoffMs(world.random, patience, failures);
    if (counted >= patience.attemptsMax || now + waitMs > giveUpAt) throw outcome.failure;
    await world.clock.sleep(waitMs, signal);
  }
}

/** The pause after so many failures in a row. */
export function backoffMs(random: Random, patience: Patience, failures: number): number {
  const whole = Math.min(patience.delayMsMax, patience.delayMsFirst * 2 ** (failures - 1));
  return whole * (0.5 + fraction(random) / 2);
}

/** A random number from 0 to below 1. */
export function fraction(random: Random): number {
  const bytes = random.bytes(4);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) / 2 ** 32;
}
