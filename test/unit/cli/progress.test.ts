import { describe, expect, it } from 'vitest';
import { EventLog } from '../../../src/cli/output/event-log.ts';
import { ProgressBars } from '../../../src/cli/output/progress-bars.ts';
import { Screen } from '../../../src/cli/output/screen.ts';
import type { OperationEvent } from '../../../src/kernel/events.ts';
import type { LogLevel } from '../../../src/kernel/log.ts';

/** What a terminal of 80 columns shows after all that was written to it. */
class Terminal {
  readonly isTTY = true;
  readonly columns = 80;
  readonly rows = 24;
  lines: string[] = [''];
  write(text: string | Uint8Array): boolean {
    // the only sequence in use: so many lines up, first column, erase to the end
    for (const part of String(text).split(/(\x1b\[\d+A\r\x1b\[0J|\n)/)) {
      const up = /^\x1b\[(\d+)A/.exec(part);
      if (up !== null) this.lines = [...this.lines.slice(0, -1 - Number(up[1])), ''];
      else if (part === '\n') this.lines.push('');
      else this.lines[this.lines.length - 1] += part;
    }
    return true;
  }
}

function progress(object: string, done: number, facts: object = {}): OperationEvent {
  return { type: 'progress', object, phase: 'scan', unit: 'documents', done, ...facts };
}

describe('progress bars', () => {
  const terminal = new Terminal();
  const screen = new Screen(terminal);
  let now = 0;
  const bars = new ProgressBars(screen, { monotonic: () => now });
  const at = (time: number, event: OperationEvent): string[] => {
    now = time;
    bars.onEvent(event);
    return terminal.lines;
  };

  it('show several objects at once, with rate and time left, drawn over each other', () => {
    at(0, { type: 'run:started', operation: 'backup', objects: ['users', 'events', 'rsvps'] });
    at(200, progress('users', 1000, { bytes: 1024 * 1024 }));
    at(
      400,
      progress('events', 0, { phase: 'read-back', unit: 'bytes', done: 512 * 1024, total: 2 * 1024 * 1024 }),
    );
    expect(at(2_200, progress('users', 4000, { bytes: 4 * 1024 * 1024 }))).toEqual([
      'backup: 0 of 3 done',
      'users              scan        4,000 docs 4.0 MB 2.0 MB/s',
      'events             read-back   [###.......]  25 % 512 KB 284 KB/s ETA 0:06',
      '',
    ]);
  });

  it('make room for lines that stay', () => {
    screen.print('a warning');
    expect(terminal.lines).toEqual(['a warning', '']);
    const lines = at(2_400, { type: 'object:finished', object: 'users', outcome: 'completed' });
    expect(lines[0]).toBe('a warning');
    expect(lines[1]).toBe('backup: 1 of 3 done');
    expect(lines.join()).not.toContain('users');
  });

  it('are not drawn for every event', () => {
    const before = [...at(3_000, progress('rsvps', 1))];
    expect(at(3_050, progress('rsvps', 2))).toEqual(before);
    expect(at(3_100, progress('rsvps', 3))).not.toEqual(before);
  });

  it('leave nothing behind', () => {
    bars.close();
    expect(terminal.lines).toEqual(['a warning', '']);
  });

  it('cannot be forged by a name', () => {
    at(9_000, progress('a\x1b[2Jb', 1));
    expect(terminal.lines.join()).toContain('a\\x1b[2Jb');
  });
});

describe('log lines', () => {
  it('tell how far an object is, now and then, and how it ended', () => {
    const lines: [LogLevel, string][] = [];
    let now = 0;
    const log = new EventLog(
      { write: (level, text) => void lines.push([level, text]) },
      { monotonic: () => now },
    );
    log.onEvent({ type: 'run:started', operation: 'backup', run_id: 'r', objects: ['users'] });
    log.onEvent({ type: 'object:started', object: 'users' });
    for (now = 1_000; now <= 25_000; now += 1_000) log.onEvent(progress('users', now, { total: 50_000 }));
    log.onEvent({ type: 'warning', object: 'users', code: 'W', message: 'odd' });
    log.onEvent({ type: 'object:failed', object: 'users', code: 'SOURCE_FAILED', message: 'gone' });
    expect(lines).toEqual([
      ['info', 'backup started: users (run r)'],
      ['info', 'users: started'],
      ['info', 'users: scan: 10,000 of 50,000 documents'],
      ['info', 'users: scan: 20,000 of 50,000 documents'],
      ['warn', 'users: odd (W)'],
      ['error', 'users: gone (SOURCE_FAILED)'],
    ]);
  });
});
