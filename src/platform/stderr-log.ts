import process from 'node:process';
import type { Clock } from '../kernel/clock.ts';
import type { Log, LogLevel } from '../kernel/log.ts';
import { printable } from '../kernel/printable.ts';
import type { Redaction } from '../kernel/redaction.ts';

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

export interface LogOptions {
  /** The lowest level that is written. */
  readonly level: LogLevel;
  readonly redaction: Redaction;
  readonly clock: Clock;
  /** Receives whole lines; standard error if left out. */
  readonly write?: (line: string) => void;
}

/** Lines such as `2026-11-22T10:00:00.000Z ERROR message`. */
export function createLog(options: LogOptions): Log {
  const lowest = LEVELS.indexOf(options.level);
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  return {
    write(level, message) {
      if (LEVELS.indexOf(level) < lowest) return;
      const time = new Date(options.clock.now()).toISOString();
      write(`${time} ${level.toUpperCase()} ${printable(options.redaction.redact(message))}\n`);
    },
  };
}
