import { expect, test } from 'vitest';
import { ProgressBars } from '../../../src/cli/output/progress-bars.ts';
import { Screen } from '../../../src/cli/output/screen.ts';
import { BackupError } from '../../../src/kernel/errors.ts';
import type { OperationEvent } from '../../../src/kernel/events.ts';
import { applyRestore, planRestore } from '../../../src/operations/restore.ts';
import { Project, SETTINGS } from '../../support/project.ts';

const [, , B] = SETTINGS;
const DEFINITION = '{"schema":{"fields":[{"name":"id","type":"uuid"}]},"description":"people"}';

test('an empty collection comes back with its definition, and an empty database is said to be one', async () => {
  await using project = await Project.open(B);
  await using other = await Project.open(B);
  const none = await project.backup();
  expect(none).toMatchObject({ exit_code: 3, backups: [], errors: [{ code: 'SOURCE_COLLECTION_UNKNOWN' }] });
  await project.target.createCollection({ name: 'users', definition: DEFINITION });
  const { backups } = await project.backup();
  expect(backups).toMatchObject([{ collection: 'users', document_count: 0 }]);
  const backupId = backups[0]!.backup_id!;
  const plan = await planRestore(project.repository, other.target, { backupId });
  const report = await applyRestore(plan);
  await plan.close();
  expect(report).toMatchObject({ exit_code: 0, warnings: [{ code: 'COLLECTION_CREATED' }] });
  const [made] = (await other.target.listCollections())!;
  expect(JSON.parse(made!.definition!)).toMatchObject(JSON.parse(DEFINITION) as object);
});

test('a collection that exists with another schema is named, and kept as it is', async () => {
  await using project = await Project.open(B);
  const { target } = project;
  await target.createCollection({ name: 'users', definition: DEFINITION });
  project.sandbox.insert('users', '{"id":"a"}');
  const { backups } = await project.backup();
  const backupId = backups[0]!.backup_id!;
  expect((await project.restore({ backupId })).report.warnings).toEqual([]);
  const other = '{"schema":{"fields":[{"name":"id","type":"integer"}]}}';
  await target.createCollection({ name: 'others', definition: other });
  const { report } = await project.restore({ backupId, toCollection: 'others' });
  expect(report.warnings).toContainEqual(
    expect.objectContaining({ code: 'SCHEMA_DIFFERS', object: 'others' }),
  );
  const listed = await target.listCollections();
  expect(listed!.find(({ name }) => name === 'others')!.definition).toContain('integer');
});

test('ten times as many documents: progress and rate are shown, and a stop is gone on with', async () => {
  await using project = await Project.open(B);
  const count = 3000; // other tests have 300
  for (let number = 0; number < count; number++) project.sandbox.insert('users', `{"id":"d${number}"}`);
  const expected = project.payloads('users');
  const { backups } = await project.backup();
  const backupId = backups[0]!.backup_id!;
  project.sandbox.wipe('users');
  const stop = new AbortController();
  let now = 0;
  const bars = new ProgressBars(new Screen({ isTTY: true, columns: 80, rows: 24, write: () => true }), {
    monotonic: () => now,
  });
  const lines: string[] = [];
  const onEvent = (event: OperationEvent): void => {
    now += 1000;
    bars.onEvent(event);
    lines.push(...bars.lines(now));
    if (event.type === 'progress' && event.phase === 'apply' && event.done >= count / 2)
      stop.abort(new BackupError('TERMINATED', 'terminated'));
  };
  const context = { onEvent, signal: stop.signal };
  const plan = await planRestore(project.repository, project.target, { backupId }, context);
  const stopped = await applyRestore(plan, context).catch((error: unknown) => error as BackupError);
  await plan.close();
  expect(stopped).toMatchObject({ code: 'TERMINATED', cure: expect.stringContaining('resume') });
  expect(lines.join('\n')).toMatch(/apply .*% +[\d,]+ docs [\d,]+\/s ETA/);
  const restoreId = /resume (\w+)/.exec((stopped as BackupError).cure!)![1]!;
  const { report } = await project.restore({ backupId, continues: restoreId });
  expect(report).toMatchObject({ exit_code: 0 });
  expect(report.counts.same).toBeGreaterThan(count / 2 - 100);
  expect(report.counts.same + report.counts.created).toBe(count);
  expect(project.payloads('users')).toEqual(expected);
});
