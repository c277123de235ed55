import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Project } from '../../support/project.ts';

const DOCUMENTS = 300;
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

test('a restore waits while the target does not answer, and sends again what got lost', async () => {
  await using project = await Project.open({ dialect: 'B', shape: 'id_data' });
  for (let id = 0; id < DOCUMENTS; id++) project.sandbox.insert('users', `{"id":"d${id}"}`);
  const expected = project.payloads('users');
  const { backups } = await project.backup({ collections: ['users'] });
  const backupId = backups[0]!.backup_id!;
  project.sandbox.wipe();

  const report = await restoredThroughAnOutage(project, backupId);
  expect(report).toMatchObject({ exit_code: 0, errors: [], counts: { created: DOCUMENTS, different: 0 } });
  // only writes that were on their way when the target fell silent may be lost: 32 at a time
  const resent = report.warnings.find(({ code }) => code === 'DOCUMENTS_RESENT')!.message;
  expect(Number.parseInt(resent, 10)).toBeGreaterThan(0);
  expect(Number.parseInt(resent, 10)).toBeLessThanOrEqual(32);
  expect(project.payloads('users')).toEqual(expected);
});
