import { describe, expect, it } from 'vitest';
import { Redaction } from '../../../src/kernel/redaction.ts';
import { createLog } from '../../../src/platform/stderr-log.ts';

function logged(level: 'debug' | 'warn', write: (log: ReturnType<typeof createLog>) => void): string[] {
  const lines: string[] = [];
  const redaction = new Redaction();
  redaction.register('s3cret-value');
  const clock = { now: () => Date.UTC(2026, 10, 22, 10), monotonic: () => 0, sleep: async () => {} };
  write(createLog({ level, redaction, clock, write: (line) => lines.push(line) }));
  return lines;
}

describe('the log', () => {
  it('writes time, level and message on one line', () => {
    expect(logged('debug', (log) => log.write('error', 'it failed'))).toEqual([
      '2026-11-22T10:00:00.000Z ERROR it failed\n',
    ]);
  });

  it('leaves out what is below its level', () => {
    const lines = logged('warn', (log) => {
      for (const level of ['debug', 'info', 'warn', 'error'] as const) log.write(level, level);
    });
    expect(lines.map((line) => line.split(' ')[1])).toEqual(['WARN', 'ERROR']);
  });

  it('lets no message break the line or show a secret', () => {
    const [line] = logged('debug', (log) => log.write('info', 'a\nb\u001b[31m\u202ec s3cret-value'));
    expect(line).toBe('2026-11-22T10:00:00.000Z INFO a\\nb\\x1b[31m\\u202ec [redacted]\n');
  });
});
