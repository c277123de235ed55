import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Platform } from '../../src/kernel/platform.ts';
import { backup } from '../../src/operations/backup.ts';
import { verify } from '../../src/operations/verify.ts';
import { createPlatform } from '../../src/platform/platform.ts';
import { Project, REQUEST, SETTINGS } from '../support/project.ts';

/** What goes wrong around a process (failure-catalogue.md §2.3); crashes and kills are in crash.test.ts. */

async function filled(documents = 300): Promise<Project> {
  const project = await Project.open(SETTINGS[0]);
  for (const collection of ['users', 'events']) {
    for (let number = 0; number < documents; number++) {
      project.sandbox.insert(collection, `{"id":"d${number}","text":"${'x'.repeat(500)}"}`);
    }
  }
  return project;
}

async function expectSoundAndRerun(project: Project): Promise<void> {
  const before = await verify(project.repository, { backupIds: null, level: 'decode', maxAgeMs: null }).catch(
    () => null,
  );
  expect(before?.errors ?? []).toEqual([]);
  const rerun = await project.backup({ collections: ['users', 'events'] });
  expect(rerun.exit_code).toBe(0);
  const after = await verify(project.repository, { backupIds: null, level: 'decode', maxAgeMs: null });
  expect(after.errors).toEqual([]);
}

/** Runs test/support/backup-process.ts under a shell prefix and flags for node; the exit status, null for a signal. */
async function runProcess(project: Project, prefix: string, flags: string): Promise<number | null> {
  const script = fileURLToPath(new URL('../support/backup-process.ts', import.meta.url));
  const quoted = [
    script,
    project.sandbox.url,
    project.storePath,
    `${project.directory}/state`,
    project.sandbox.project,
  ];
  const command = `${prefix} '${process.execPath}' ${flags} ${quoted.map((word) => `'${word}'`).join(' ')}`;
  const env = { ...process.env, ZERODB_API_KEY: project.sandbox.apiKey };
  const child = spawn('sh', ['-c', command], { env, stdio: 'ignore', timeout: 60_000 });
  return ((await once(child, 'exit')) as [number | null])[0];
}

async function backUpWith(project: Project, change: (platform: Platform) => Platform) {
  const tool = await project.openTool(change(createPlatform()));
  return backup(tool.repository, tool.target, { ...REQUEST, collections: ['users', 'events'] });
}

test('P06: an fsync that fails once is a failed backup, not a retried one', async () => {
  await using project = await filled();
  let syncs = 0;
  const report = await backUpWith(project, (platform) => ({
    ...platform,
    files: {
      ...platform.files,
      async create(path, mode) {
        const writer = await platform.files.create(path, mode);
        return {
          write: (bytes) => writer.write(bytes),
          close: () => writer.close(),
          async sync() {
            if (++syncs === 2) throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' });
            await writer.sync();
          },
        };
      },
    },
  }));
  expect(report.backups.map(({ outcome }) => outcome).sort()).toEqual(['completed', 'failed']);
  expect(report.errors).toMatchObject([{ code: 'STORE_FAILED' }]);
  expect(report.exit_code).toBe(3);
  await expectSoundAndRerun(project);
});

test('P12: too few file descriptors', async () => {
  await using project = await filled();
  const status = await runProcess(project, 'ulimit -n 24;', '');
  expect([0, 1, 3, 7, 8]).toContain(status);
  await expectSoundAndRerun(project);
});

test('P04: out of memory is no success', async () => {
  await using project = await filled(2000);
  const status = await runProcess(project, '', '--max-old-space-size=6 --max-semi-space-size=1');
  expect(status).not.toBe(0);
  await expectSoundAndRerun(project);
});

test('P13: the clock jumps by a year, forth and back', async () => {
  await using project = await filled();
  const year = 365 * 24 * 3600 * 1000;
  let calls = 0;
  const report = await backUpWith(project, (platform) => ({
    ...platform,
    clock: {
      monotonic: () => platform.clock.monotonic(),
      sleep: (ms, signal) => platform.clock.sleep(ms, signal),
      now: () => platform.clock.now() + [0, year, -year][calls++ % 3]!,
    },
  }));
  expect(report.exit_code).toBe(0);
  for (const { duration_ms } of report.backups) expect(duration_ms).toBeGreaterThanOrEqual(0);
  await expectSoundAndRerun(project);
});
