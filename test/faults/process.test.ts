import { expect, test } from 'vitest';
import type { Platform } from '../../src/kernel/platform.ts';
import { backup } from '../../src/operations/backup.ts';
import { verify } from '../../src/operations/verify.ts';
import { createPlatform } from '../../src/platform/platform.ts';
import { runShell } from '../support/command-line.ts';
import { Project, REQUEST, SETTINGS } from '../support/project.ts';

/** What goes wrong around a process (failure-catalogue.md §2.3); its end by a crash or a signal is in crash, kill and abort.test.ts, want of room or memory in full-disk and small-heap.test.ts. */

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
  expect(before?.errors.filter((error) => error.code !== 'BACKUP_MISSING') ?? []).toEqual([]);
  const rerun = await project.backup({ collections: ['users', 'events'] });
  expect(rerun.exit_code).toBe(0);
  const after = await verify(project.repository, { backupIds: null, level: 'decode', maxAgeMs: null });
  expect(after.errors).toEqual([]);
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

test.each([
  { descriptors: 24, enough: false },
  { descriptors: 48, enough: true },
])('P12: no more than $descriptors file descriptors', async ({ descriptors, enough }) => {
  await using project = await filled();
  const limited = `ulimit -n ${descriptors} && zerodb-backup backup --collections users,events`;
  const ended = await runShell(limited, { env: project.environment });
  if (enough || ended.code === 0) {
    expect(ended).toMatchObject({ code: 0 });
  } else {
    expect([3, 7, 8]).toContain(ended.code);
    expect(ended.stderr).toContain('EMFILE');
    expect(ended.stdout).toContain('Raise the limit on open files (`ulimit -n`).');
  }
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
