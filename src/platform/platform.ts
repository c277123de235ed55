import { randomBytes } from 'node:crypto';
import type { LogLevel } from '../kernel/log.ts';
import type { Platform } from '../kernel/platform.ts';
import { Redaction } from '../kernel/redaction.ts';
import { localFiles } from './local-files.ts';
import { createProcessHost } from './process-host.ts';
import { createLog } from './stderr-log.ts';
import { createSystemClock } from './system-clock.ts';
import { UndiciHttp } from './undici-http.ts';
import { zlibCodec } from './zlib-codec.ts';

export interface PlatformOptions {
  /** The lowest level that is logged; `info` if left out. */
  readonly logLevel?: LogLevel;
  /** Receives the log's lines; standard error if left out. */
  readonly writeLog?: (line: string) => void;
  /** Hides secrets from the log. Hand the same one to whoever learns secrets. */
  readonly redaction?: Redaction;
  /** Most connections at a time to one server. */
  readonly connections?: number;
}

/** The real world: this process, its clock, disk and network. */
export function createPlatform(options: PlatformOptions = {}): Platform {
  const clock = createSystemClock();
  return {
    clock,
    random: { bytes: (count) => randomBytes(count) },
    http: new UndiciHttp(options.connections ?? 16),
    files: localFiles,
    codec: zlibCodec,
    host: createProcessHost(),
    log: createLog({
      level: options.logLevel ?? 'info',
      redaction: options.redaction ?? new Redaction(),
      clock,
      ...(options.writeLog && { write: options.writeLog }),
    }),
  };
}
