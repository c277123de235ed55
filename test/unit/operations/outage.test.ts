import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Project } from '../../support/project.ts';

const DOCUMENTS = 300;
/** Writes that are on their way when the target falls silent may be lost; no more than these. */
const WRITES_IN_FLIGHT = 32;

async function restoredThroughAnOutage(project: Project, backupId: string) {
  let outage: Promise<void> | null = null;
  const until = project.sandbox.writes + 100;
  project.sandbox.beforeRequest(() => {
    if (outage !== null || project.sandbox.writes < until) return;
    project.sandbox.misbehave({ faults: [{ kind: 'lost' }] });
    outage = sleep(1500).then(() => project.sandbox.misbehave({ faults: [] }));
  });
  const { report } = await project.restore({ backupId });
  expect(outage).not.toBeNull();
  return report;
}

test('a restore waits while the target does not answer, and says what got lost', async () => {
  await using project = await Project.open({ dialect: 'B', shape: 'id_data' });
  for (let id = 0; id < DOCUMENTS; id++) project.sandbox.insert('users', `{"id":"d${id}"}`);
  const expected = project.payloads('users');
  const { backups } = await project.backup({ collections: ['users'] });
  const backupId = backups[0]!.backup_id!;
  project.sandbox.wipe();

  const report = await restoredThroughAnOutage(project, backupId);
  const lost = DOCUMENTS - project.payloads('users').length;
  expect(lost).toBeGreaterThan(0);
  expect(lost).toBeLessThanOrEqual(WRITES_IN_FLIGHT);
  expect(report).toMatchObject({
    exit_code: 3,
    counts: { created: DOCUMENTS - lost, different: lost },
    errors: [
      {
        code: 'RESTORE_PARTIAL',
        message: `${lost} documents of users are not there: the target gave no answer when they were sent`,
      },
    ],
  });

  const again = await project.restore({ backupId });
  expect(again.report).toMatchObject({ exit_code: 0, counts: { created: lost, same: DOCUMENTS - lost } });
  expect(project.payloads('users')).toEqual(expected);
});
