import { expect, test } from 'vitest';
import { planRestore } from '../../../src/operations/restore.ts';
import { Project, SETTINGS } from '../../support/project.ts';

const [, , B] = SETTINGS;

test('values that equal row ids which the server will change are counted and named before anything is written', async () => {
  await using project = await Project.open(B);
  const target = project.sandbox.insert('users', '{"name":"no id of its own"}', { key: 'row_aa"\\u00e9' });
  const kept = project.sandbox.insert('users', '{"name":"stays"}', { key: 'row_bb' });
  const referring = [
    `{"id":"one","parent":${JSON.stringify(target)}}`,
    `{"id":"two","deep":[{"also":[1,${JSON.stringify(target)} , null]}],"again":${JSON.stringify(target)}}`,
    `{"id":"three",${JSON.stringify(target)}:"a name is no reference","other":${JSON.stringify(kept)}}`,
  ];
  for (const [index, text] of referring.entries())
    project.sandbox.insert('users', text, { key: `row_r${index}` });
  const { backups } = await project.backup({ collections: ['users'] });
  project.sandbox.delete('users', target);

  await using plan = disposable(
    await planRestore(project.repository, project.target, { backupId: backups[0]!.backup_id! }),
  );
  expect(plan.report.counts).toMatchObject({ created: 1, same: 4 });
  const warning = plan.report.warnings.find(({ code }) => code === 'REFERENCES_CHANGE');
  expect(warning?.message).toMatch(/^3 values .*\(in "row_r[01]", "row_r[01]"\)$/);
});

test('where no key changes nothing is said', async () => {
  await using project = await Project.open(B);
  project.sandbox.insert('users', '{"id":"one","parent":"row_cc"}', { key: 'row_cc' });
  const { backups } = await project.backup({ collections: ['users'] });
  await using plan = disposable(
    await planRestore(project.repository, project.target, { backupId: backups[0]!.backup_id! }),
  );
  expect(plan.report.warnings).toEqual([]);
});

function disposable<Plan extends { close(): Promise<void> }>(plan: Plan): Plan & AsyncDisposable {
  return Object.assign(plan, { [Symbol.asyncDispose]: () => plan.close() });
}
