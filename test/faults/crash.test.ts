import { expect, test } from 'vitest';
import { backup } from '../../src/operations/backup.ts';
import { list } from '../../src/operations/list.ts';
import { verify } from '../../src/operations/verify.ts';
import { createPlatform } from '../../src/platform/platform.ts';
import { crashingPlatform } from '../support/crashing-platform.ts';
import { Project, REQUEST, SETTINGS } from '../support/project.ts';

/** Crashes at every step, in one process; real kills are in kill.test.ts. */

const COLLECTIONS = ['users', 'events'];

function fill(project: Project, documents: number): void {
  for (const collection of COLLECTIONS) {
    for (let number = 0; number < documents; number++) {
      project.sandbox.insert(collection, Buffer.from(`{"id":"${collection}-${number}","n":${number}.0}`));
    }
  }
}

/** What must hold whenever a process has died: nothing half-made is shown, everything shown is whole, the rerun works. */
async function expectSound(project: Project): Promise<void> {
  const seen = await list(project.repository, {}).catch((error: { code: string }) => {
    expect(error.code).toBe('STORE_MISSING'); // died before there was a store
    return null;
  });
  if (seen === null) return;
  expect(seen.errors).toEqual([]);
  const verified = await verify(project.repository, { backupIds: null, level: 'decode', maxAgeMs: null });
  expect(verified.errors).toEqual([]);
  expect(verified.backups.length).toBe(seen.backups.length);
}

async function expectRerunWorks(project: Project): Promise<void> {
  const rerun = await project.backup({ collections: COLLECTIONS });
  expect(rerun.errors).toEqual([]);
  expect(rerun.exit_code).toBe(0);
  await expectSound(project);
}

test.each(['before', 'after'] as const)(
  'a crash %s the effect of any port call of a backup',
  async (when) => {
    await using project = await Project.open(SETTINGS[0]);
    fill(project, 30);
    const tool = await project.openTool(createPlatform());
    const counting = crashingPlatform(tool.platform, Number.POSITIVE_INFINITY, when);
    const whole = await project.openTool(counting.platform);
    const opening = counting.calls().length;
    await backup(whole.repository, whole.target, { ...REQUEST, collections: COLLECTIONS });
    const total = counting.calls().length - opening;
    expect(total).toBeGreaterThan(40);

    for (let crashAt = 1; crashAt <= total; crashAt++) {
      const crashing = crashingPlatform(createPlatform(), opening + crashAt, when);
      const doomed = await project.openTool(crashing.platform);
      const outcome = await backup(doomed.repository, doomed.target, {
        ...REQUEST,
        collections: COLLECTIONS,
      }).catch(() => null);
      // an answer lost after the last step may leave a complete backup, but a success must not be claimed by the dead
      if (outcome !== null && outcome.exit_code === 0)
        expect(crashing.calls().length).toBeLessThan(opening + crashAt);
      await expectSound(project);
    }
    await expectRerunWorks(project);
  },
);
