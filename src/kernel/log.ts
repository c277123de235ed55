export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** One line for people. Implementations escape control characters and redact secrets (kernel/redaction.ts). */
export interface Log {
  write(level: LogLevel, message: string): void;
}
