import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommandLine } from '../support/command-line.ts';
import { type ServedProject, serveProject } from '../support/served-project.ts';

const ENTRY = join(import.meta.dirname, '..', '..', 'src', 'cli', 'bin.ts');

/** `script` of util-linux gives the program a terminal. */
const hasScript = spawnSync('script', ['--version']).status === 0;

let project: ServedProject;

beforeEach(async () => {
  project = await serveProject({ dialects: ['A'] });
});

afterEach(() => project[Symbol.asyncDispose]());

/** Runs the program on a terminal of 100 columns; presses what `answer` gives whenever it asks, by how often it did. */
async function onTerminal(
  argv: readonly string[],
  answer: (question: number) => string = () => 'n',
): Promise<{ code: number; screen: string }> {
  const program = [process.execPath, ENTRY, ...argv].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qefc', `stty cols 100 rows 30; ${program}`, '/dev/null'], {
    env: { ...project.env, TERM: 'xterm' },
    cwd: project.home,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let screen = '';
  let asked = 0;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
    const questions = new Set(screen.match(/replace \d+ documents in [^?]*\?/g) ?? []);
    if (questions.size > asked) {
      const key = answer(++asked);
      setTimeout(() => child.stdin.write(key), 100);
    }
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, screen };
}

describe.runIf(hasScript)('on a terminal', () => {
  let users: string;

  beforeEach(async () => {
    const { stdout } = await runCommandLine(['backup', '--json', '--collections', 'users'], {
      env: project.env,
      cwd: project.home,
    });
    users = JSON.parse(stdout.trimEnd().split('\n').at(-1)!).backups[0].backup_id;
    for (let index = 0; index < 30; index++) project.sandbox.delete('users', `u${index}`);
    project.sandbox.update('users', 'u40', '{"id":"u40"}');
  });

  it('a restore shows its plan and asks; no is no', async () => {
    const writes = project.sandbox.writes;
    const { code, screen } = await onTerminal(['restore', users], () => 'n');
    expect(screen).toContain('30  to create');
    expect(screen).toContain('Create 30 and replace 1 documents in users on');
    expect(screen).toContain('the restore was not confirmed');
    expect(code).toBe(9);
    expect(project.sandbox.writes).toBe(writes);
  });

  it('yes is yes, once for several collections', async () => {
    const { code, screen } = await onTerminal(['restore', '--all'], () => 'y');
    expect(screen).toContain('Restored, read back and compared');
    expect(code).toBe(0);
    expect(project.sandbox.documentCount('users')).toBe(250);
  });

  it.each([
    ['y', 0, 250],
    ['n', 3, 219],
  ])('a plan that changed after the question is asked for again: %s', async (second, exit, documents) => {
    await runCommandLine(['backup', '--collections', 'events'], { env: project.env, cwd: project.home });
    const { code, screen } = await onTerminal(['restore', '--all'], (question) => {
      if (question === 1) project.sandbox.delete('users', 'u60');
      return question === 1 ? 'y' : second;
    });
    expect(screen).toContain('Create 30 and replace 1 documents in 2 collections');
    expect(screen).toContain('The plan for users is not the one you agreed to.');
    expect(screen).toContain('Create 31 and replace 1 documents in users on');
    expect(code).toBe(exit);
    expect(project.sandbox.documentCount('users')).toBe(documents);
  });

  it('Ctrl-C at the question is an interruption', async () => {
    const writes = project.sandbox.writes;
    expect((await onTerminal(['restore', users], () => '\x03')).code).toBe(130);
    expect(project.sandbox.writes).toBe(writes);
  });

  it.each([[['restore', '--yes']], [['--restore']]])('%j does not ask', async (argv) => {
    const at = argv.indexOf('--restore');
    const { code } = await onTerminal(at < 0 ? ['restore', users, '--yes'] : ['--restore', users]);
    expect(code).toBe(0);
    expect(project.sandbox.documentCount('users')).toBe(250);
  });

  it('a backup draws progress and leaves only its report', async () => {
    project.sandbox.misbehave({ latencyMs: 60 });
    const { code, screen } = await onTerminal(['backup']);
    expect(code).toBe(0);
    expect(screen).toMatch(/backup: \d of 14 done/);
    expect(screen).toMatch(/\x1b\[\d+A\r\x1b\[0J/);
    expect(screen).not.toContain(' INFO ');
    expect(screen).toContain('users: 220 docs');
  });

  it('a list has its heading', async () => {
    const { screen } = await onTerminal(['list', '--collection', 'users']);
    expect(screen).toContain('AVAILABLE BACKUPS');
    expect(screen).toContain('Backup ID  ');
  });
});
