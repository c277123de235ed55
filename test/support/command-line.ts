import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

const ROOT = join(import.meta.dirname, '..', '..');

/** The program as it is run from a checkout. */
export const PROGRAM = join(ROOT, 'bin', 'zerodb-backup');
const ENTRY = join(ROOT, 'src', 'cli', 'bin.ts');

/** Halves the time that each process takes to start. */
const NODE_COMPILE_CACHE = join(tmpdir(), 'zerodb-backup-test-compile-cache');

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Sent so long after the first word on standard output, if the program still runs. */
  readonly strike?: { readonly signal: NodeJS.Signals; readonly afterMs: number };
  /** Called with each piece of standard output or error, for tests that act while the program runs. */
  readonly onOutput?: (text: string, child: { kill(signal: NodeJS.Signals): boolean }) => void;
}

/** The variables that a test's program sees: nothing of this machine's configuration. */
export function bareEnvironment(home: string): Record<string, string> {
  return { HOME: home, PATH: process.env.PATH ?? '', XDG_STATE_HOME: join(home, 'state') };
}

/** Runs the command line as a process of its own. */
export function runCommandLine(argv: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  return run(process.execPath, [ENTRY, ...argv], options);
}

/** Runs a shell script in which `zerodb-backup` is the program. */
export function runShell(script: string, options: CommandOptions = {}): Promise<Ended> {
  return run('/bin/bash', ['-c', `zerodb-backup() { ${PROGRAM} "$@"; }\n${script}`], options);
}

export function run(command: string, argv: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, argv, {
      env: { NODE_COMPILE_CACHE, ...options.env },
      cwd: options.cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        output[name] += text;
        options.onOutput?.(text, child);
      });
    }
    const { strike } = options;
    if (strike !== undefined) {
      child.stdout.once('data', () => setTimeout(() => child.kill(strike.signal), strike.afterMs).unref());
    }
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, ...output }));
  });
}
