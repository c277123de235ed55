import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Ended, PROGRAM, run, runCommandLine, runShell } from '../support/command-line.ts';
import { filesBelow, type ServedProject, serveProject } from '../support/served-project.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const ENTRY = join(ROOT, 'src', 'cli', 'bin.ts');

let project: ServedProject;

beforeEach(async () => {
  project = await serveProject({ dialects: ['A'] });
});

afterEach(() => project[Symbol.asyncDispose]());

function command(...argv: string[]): Promise<Ended> {
  return runCommandLine(argv, { env: project.env, cwd: project.home });
}

function shell(script: string): Promise<Ended> {
  return runShell(script, { env: project.env, cwd: project.home });
}

async function backupOfLargeDocuments(): Promise<string> {
  for (let index = 0; index < 100; index++) {
    project.sandbox.insert('media_assets', `{"id":"m${index}","text":"${'x'.repeat(20_000)}"}`);
  }
  await command('backup', '--quiet');
  return (await command('list', '--collection', 'media_assets')).stdout.split(' ')[0]!;
}

describe('standard output', () => {
  it('may be closed by its reader at any time', async () => {
    const id = await backupOfLargeDocuments();
    const { stdout, stderr } = await shell(`
      zerodb-backup export ${id} | head -c 20 > /dev/null; echo "\${PIPESTATUS[0]}"
      zerodb-backup list | true; echo "\${PIPESTATUS[0]}"
      zerodb-backup backup --json | head -n 1 > /dev/null; echo "\${PIPESTATUS[0]}"
      zerodb-backup list --collection users | wc -l`);
    expect(stdout.split('\n')).toEqual(['0', '0', '0', '2', '']);
    expect(stderr).not.toMatch(/EPIPE|ERROR/);
  });

  it('is complete when the program has ended', async () => {
    const id = await backupOfLargeDocuments();
    // the reader is slow, and the pipe holds 64 KiB
    const { stdout } = await shell(`zerodb-backup export ${id} --format ndjson | (sleep 1; jq -r .data.id)`);
    expect(stdout.trimEnd().split('\n')).toHaveLength(100);
  });

  it.runIf(existsSync('/dev/full'))('that cannot be written is a failure', async () => {
    await command('backup', '--quiet');
    const { stdout, stderr } = await shell('zerodb-backup list > /dev/full; echo $?');
    expect(stdout).toBe('1\n');
    expect(stderr).toContain('standard output cannot be written: ENOSPC');
  });

  it('has no colours and no bars where it is no terminal', async () => {
    const { stdout, stderr } = await command('backup');
    expect(stdout + stderr).not.toContain('\x1b');
    expect(stderr).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z INFO users: completed$/m);
  });
});

describe('signals', () => {
  it.each([
    ['SIGTERM', 143, 'terminated'],
    ['SIGINT', 130, 'interrupted'],
  ] as const)('%s stops a backup in an orderly way', async (signal, code, word) => {
    await command('backup', '--quiet', '--collections', 'events');
    const before = filesBelow(project.storePath);
    project.sandbox.misbehave({ latencyMs: 400 });
    let sent = false;
    const ended = await runCommandLine(['backup', '--json'], {
      env: project.env,
      cwd: project.home,
      onOutput: (text, child) => {
        if (sent || !text.includes('"object:started"')) return;
        sent = true; // a second one would end it at once
        child.kill(signal);
      },
    });
    expect(ended).toMatchObject({ code, signal: null });
    expect(ended.stderr).toContain(`ERROR: ${word}`);
    expect(JSON.parse(ended.stdout.trimEnd().split('\n').at(-1)!)).toMatchObject({
      type: 'summary',
      exit_code: code,
    });
    expect([...filesBelow(project.storePath).keys()].filter((path) => path.includes('/manifests/'))).toEqual(
      [...before.keys()].filter((path) => path.includes('/manifests/')),
    );
    project.sandbox.misbehave({ latencyMs: 0 });
    expect(await command('backup', '--quiet')).toMatchObject({ code: 0 });
  });

  it('a second one ends the process at once, whatever it waits for', async () => {
    const id = await backupOfLargeDocuments();
    const child = spawn(process.execPath, [ENTRY, 'export', id], {
      env: project.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // nobody reads: the program waits for room in the pipe
    await once(child.stdout, 'readable');
    child.kill('SIGTERM');
    const [text] = await once(child.stderr, 'data');
    expect(String(text)).toContain('ERROR: terminated');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([143, null]);
  });

  it('end a sandbox, which is what it waits for', async () => {
    const ended = await runCommandLine(['sandbox', '--port', '0', '--seed', '0.001', '--json'], {
      env: { ...project.env, ZERODB_API_KEY: '', ZERODB_PROJECT_ID: '' },
      cwd: project.home,
      onOutput: (text, child) => {
        if (text.includes('sandbox:listening')) child.kill('SIGINT');
      },
    });
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    const [listening, summary] = ended.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(listening).toMatchObject({
      type: 'sandbox:listening',
      url: expect.stringContaining('http://127.0.0.1:'),
    });
    expect(summary).toMatchObject({ type: 'summary', operation: 'sandbox', exit_code: 0 });
  });
});

it('a defect is a failure, whatever else ends well', async () => {
  const blow = 'setTimeout(() => { Promise.reject(new Error("a defect")) }, 300)';
  project.sandbox.misbehave({ latencyMs: 300 });
  const ended = await runCommandLine(['backup'], {
    env: { ...project.env, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(blow)}` },
    cwd: project.home,
  });
  expect(ended.code).toBe(1);
  expect(ended.stderr).toContain('ERROR: a defect (INTERNAL)');
});

describe('the start', () => {
  it('under an old Node says what is missing', async () => {
    const old = oldNode();
    if (old === null) return; // this machine has none
    const copy = join(project.home, 'bin.mjs');
    copyFileSync(ENTRY, copy); // the file has no types: as good as compiled
    expect(spawnSync(old, [copy, 'list'], { encoding: 'utf8' })).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringMatching(
        /^zerodb-backup needs Node 24 or newer, but this is Node [\d.]+ \(.+\)\.\n$/,
      ),
    });
  });

  it('works through links, from anywhere, without Node in PATH', async () => {
    const link = join(project.home, 'zb');
    symlinkSync(PROGRAM, link);
    const env = { PATH: '/usr/bin:/bin', HOME: project.home };
    const version = JSON.parse(
      execFileSync('cat', [join(ROOT, 'package.json')], { encoding: 'utf8' }),
    ).version;
    expect(await run(link, ['--version'], { env, cwd: '/' })).toMatchObject({
      code: 0,
      stdout: `${version}\n`,
    });
  });

  it.each([['--help'], ['help', 'backup'], ['restore', '--help']])(
    '%j prints help',
    async (...argv: string[]) => {
      const { code, stdout, stderr } = await command(...argv);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^Usage: zerodb-backup/);
      expect(stdout).toContain('--store <url>');
      expect(stdout).not.toMatch(/drill/);
    },
  );
});

function oldNode(): string | null {
  for (const path of ['/usr/bin/node', '/usr/local/bin/node']) {
    if (!existsSync(path)) continue;
    const major = Number(
      spawnSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' }).stdout.split('.')[0],
    );
    if (major >= 12 && major < 24) return path;
  }
  return null;
}
