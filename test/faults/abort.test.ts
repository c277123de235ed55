import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BackupError } from '../../src/kernel/errors.ts';
import type { Platform } from '../../src/kernel/platform.ts';
import { backup } from '../../src/operations/backup.ts';
import { applyRestore, planRestore } from '../../src/operations/restore.ts';
import { Project, REQUEST, SETTINGS } from '../support/project.ts';
import { watchedPlatform } from '../support/watched-platform.ts';
import { expectNothingLeftBehind } from '../support/whole-store.ts';

/** What SIGTERM does inside, at every step (failure-catalogue.md P03): an abort at any port call. */

/** One call in three, or every one if somebody has the time. */
const EVERY = process.env.CRASH_ALL === '1' ? 1 : 3;

const TERMINATED = new BackupError('TERMINATED', 'terminated');

/** Runs an operation to its end, then again and again, each time aborted before a later call. */
async function abortAtEveryCall(
  project: Project,
  operation: (tool: Awaited<ReturnType<Project['openTool']>>, signal: AbortSignal) => Promise<unknown>,
  afterwards: (completed: boolean) => Promise<void>,
): Promise<void> {
  for (let abortAt = 1; ; abortAt += EVERY) {
    const abort = new AbortController();
    let calls = Number.NEGATIVE_INFINITY; // of the opening none counts
    const platform: Platform = watchedPlatform(project.platform, () => {
      if (++calls === abortAt) abort.abort(TERMINATED);
    });
    const tool = await project.openTool(platform);
    calls = 0;
    const outcome = await operation(tool, abort.signal).then(
      () => 'completed',
      (thrown: unknown) => thrown,
    );
    if (outcome !== 'completed') expect(outcome).toMatchObject({ code: 'TERMINATED' });
    await afterwards(outcome === 'completed');
    if (!abort.signal.aborted) {
      expect(abortAt).toBeGreaterThan(40);
      return;
    }
  }
}

test('an abort at any port call of a backup leaves nothing unfinished', async () => {
  await using project = await Project.open(SETTINGS[0]);
  const collections = ['users', 'events'];
  for (let number = 0; number < 30; number++) {
    for (const name of collections) project.sandbox.insert(name, `{"id":"${name}-${number}"}`);
  }
  await abortAtEveryCall(
    project,
    ({ repository, target }, signal) => backup(repository, target, { ...REQUEST, collections }, { signal }),
    async (completed) => {
      const held = await expectNothingLeftBehind(project);
      if (completed) expect(held).toBe(2);
      await rm(project.storePath, { recursive: true, force: true });
    },
  );
});

test.each([SETTINGS[0], SETTINGS[2]])('an abort at any port call of a restore: $dialect', async (setting) => {
  await using project = await Project.open(setting);
  const good = Array.from({ length: 20 }, (_, number) => `{"id":"d${number}","n":${number}.0}`);
  const bad = [...good.slice(0, 5), '{"id":"d6","n":0}', '{"id":"extra"}'];
  for (const data of good) project.sandbox.insert('users', data);
  const { backups } = await project.backup({ collections: ['users'] });
  const backupId = backups[0]!.backup_id!;
  const start = (): void => {
    project.sandbox.wipe();
    for (const data of bad) project.sandbox.insert('users', data);
  };
  start();
  await abortAtEveryCall(
    project,
    async ({ repository, target }, signal) => {
      await using plan = await closing(planRestore(repository, target, { backupId }, { signal }));
      await applyRestore(plan.plan, { signal });
    },
    async () => {
      const held = project.payloads('users');
      expect(held.filter((data) => !good.includes(data) && !bad.includes(data))).toEqual([]);
      expect(new Set(held.map((data) => JSON.parse(data).id)).size).toBe(held.length);
      const { report } = await project.restore({ backupId });
      expect(report).toMatchObject({ exit_code: 0, errors: [] });
      expect(project.payloads('users')).toEqual([...good, '{"id":"extra"}'].sort());
      // each plan reads what all earlier restores have kept
      await rm(join(project.storePath, 'restores'), { recursive: true, force: true });
      start();
    },
  );
});

async function closing(planning: ReturnType<typeof planRestore>) {
  const plan = await planning;
  return { plan, [Symbol.asyncDispose]: () => plan.close() };
}
