import type { Settings } from '../config/options.ts';
import { absolutePath } from '../config/places.ts';
import { toBackupError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { Platform } from '../kernel/platform.ts';
import { createLog } from '../platform/stderr-log.ts';
import type { Edge } from './edge.ts';
import { LogFile, SPECIFIED_LOG_FILE } from './output/log-file.ts';
import type { Output } from './output/output.ts';

export interface Logs extends Log {
  /** An error that standard error shows in its own way. */
  toFile(message: string): void;
  /** Resolves when every line is written, with what went wrong where some could not be. */
  close(): Promise<string | null>;
}

/** Progress bars need a terminal, and nothing else that is printed all the time. */
export function hasBars(output: Output): boolean {
  return output.screen.isTerminal && !output.json && !output.quiet;
}

type Surroundings = Pick<Platform, 'files' | 'host' | 'clock'>;

/** The log on standard error, and in a file where one is configured or the specification's flags were given. */
export async function openLogs(
  edge: Edge,
  command: string,
  settings: Settings,
  surroundings: Surroundings,
): Promise<Logs> {
  const { output, redaction } = edge;
  const { clock } = surroundings;
  // `list --verbose` shows more of each backup, and pipes read what it prints
  const usual = settings.verbose && command !== 'list' ? 'debug' : 'info';
  const narrated = hasBars(output) || command === 'demo';
  const screenLevel = settings.logLevel ?? (settings.quiet ? 'error' : narrated ? 'warn' : usual);
  const write = (line: string): void => output.complain(line.trimEnd());
  const screenLog = createLog({ level: screenLevel, redaction, clock, write });
  const file = await openLogFile(edge, settings, surroundings);
  const fileLog =
    file &&
    createLog({
      level: settings.logLevel ?? usual,
      redaction,
      clock,
      write: (line) => file.write(line),
    });
  return {
    write(level, message) {
      screenLog.write(level, message);
      fileLog?.write(level, message);
    },
    toFile: (message) => fileLog?.write('error', message),
    close: async () => (await file?.close()) ?? null,
  };
}

async function openLogFile(
  { output, flagForm }: Edge,
  settings: Settings,
  { files, host }: Surroundings,
): Promise<LogFile | null> {
  if (settings.logFile !== undefined) return await LogFile.open(files, absolutePath(host, settings.logFile));
  if (!flagForm) return null;
  try {
    return await LogFile.open(files, SPECIFIED_LOG_FILE);
  } catch (thrown) {
    output.note(`Warning: ${toBackupError(thrown).message}; no log is kept there`);
    return null;
  }
}
