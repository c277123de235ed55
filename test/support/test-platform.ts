import type { LogLevel } from '../../src/kernel/log.ts';
import type { Platform } from '../../src/kernel/platform.ts';
import { Redaction } from '../../src/kernel/redaction.ts';
import { createPlatform } from '../../src/platform/platform.ts';
import { seededRandom } from './seeded-random.ts';
import { VirtualClock } from './virtual-clock.ts';

export interface TestPlatform extends Platform {
  readonly clock: VirtualClock;
  readonly redaction: Redaction;
  /** Everything that was logged, at every level. */
  readonly logged: { readonly level: LogLevel; readonly message: string }[];
}

/** The real network, disk and codec; a clock on which waiting takes no time, chance from a seed, and a kept log. */
export function testPlatform(seed = 1): TestPlatform {
  const logged: TestPlatform['logged'] = [];
  return {
    ...createPlatform(),
    clock: new VirtualClock(),
    random: seededRandom(seed),
    redaction: new Redaction(),
    logged,
    log: { write: (level, message) => logged.push({ level, message }) },
  };
}
