import { expect, test } from 'vitest';
import type { RestoreReport } from '../../../src/model/report.ts';
import { Project, SETTINGS } from '../../support/project.ts';

const [A, FLAT, B] = SETTINGS;

/** Where keys are of two types or empty no scan can prove that it saw everything: the backup may be incomplete. */
async function backupOf(project: Project): Promise<string> {
  const made = await project.backup({ collections: ['users'] });
  return made.backups[0]!.backup_id!;
}

/** The codes of a restore's errors but for that. */
const errorsOf = ({ errors }: RestoreReport) =>
  errors.map(({ code }) => code).filter((code) => code !== 'SOURCE_UNPROVEN');

const insert = (project: Project, key: string, payload: string) =>
  project.sandbox.insert('users', Buffer.from(payload), { key });

test('the text "7" and the number 7 are two documents, and neither is written over the other (A)', async () => {
  await using project = await Project.open(FLAT);
  insert(project, 'k1', '{"id":"7","v":"text"}');
  insert(project, 'k2', '{"id":7,"v":"number"}');
  insert(project, 'k3', '{"id":"8","v":1}');
  const backupId = await backupOf(project);
  const untouched = await project.restore({ backupId });
  expect(untouched.report.counts).toMatchObject({ same: 3, ambiguous: 0, extra: 0 });
  expect(errorsOf(untouched.report)).toEqual([]);

  // both stand at .../documents/7: what is changed cannot be named
  project.sandbox.update('users', 'k1', '{"id":"7","v":"changed"}');
  const writes = project.sandbox.writes;
  const changed = await project.restore({ backupId });
  expect(changed.report).toMatchObject({
    exit_code: 3,
    counts: { same: 2, replaced: 0, created: 0, ambiguous: 1 },
  });
  expect(errorsOf(changed.report)).toEqual(['RESTORE_AMBIGUOUS']);
  expect(project.sandbox.writes).toBe(writes);
});

test('a document is not restored over one whose key only looks like its own (A)', async () => {
  await using project = await Project.open(FLAT);
  insert(project, 'k1', '{"id":7,"v":"number"}');
  const backupId = await backupOf(project);
  project.sandbox.wipe('users');
  // this one has the address 7 for itself
  insert(project, '7', '{"id":"7","v":"theirs"}');
  const { plan, report } = await project.restore({ backupId });
  expect(plan.counts).toMatchObject({ created: 1, replaced: 0, extra: 1 });
  expect(report.exit_code).toBe(3);
  expect(report.counts).toMatchObject({ created: 0, replaced: 0 });
  expect(project.payloads('users')).toEqual(['{"id":"7","v":"theirs"}']);
});

test('a key that turns out to be taken by a look-alike is left alone (A)', async () => {
  await using project = await Project.open(FLAT);
  insert(project, 'k1', '{"id":7,"v":"number"}');
  const backupId = await backupOf(project);
  project.sandbox.wipe('users');
  insert(project, '7', '{"id":"7","v":"theirs"}');
  // a server that takes numbers for their text
  project.sandbox.misbehave({ faults: [{ kind: 'error', status: 409, on: /^POST .*\/documents$/ }] });
  const { report } = await project.restore({ backupId });
  expect(report).toMatchObject({
    exit_code: 3,
    counts: { created: 0, replaced: 0, ambiguous: 1 },
    errors: [
      { code: 'RESTORE_AMBIGUOUS', message: expect.stringContaining('takes a number for the same key') },
    ],
  });
  expect(project.payloads('users')).toEqual(['{"id":"7","v":"theirs"}']);
});

test('rows whose ids are "7" and 7 find themselves again (B)', async () => {
  await using project = await Project.open(B);
  insert(project, 'r1', '{"id":"7","v":"text"}');
  insert(project, 'r2', '{"id":7,"v":"number"}');
  const expected = project.payloads('users');
  const backupId = await backupOf(project);
  project.sandbox.wipe('users');
  expect((await project.restore({ backupId })).report).toMatchObject({
    exit_code: 0,
    counts: { created: 2 },
  });
  for (const { key, data } of project.sandbox.documents('users'))
    if (data.includes('text')) project.sandbox.update('users', key, '{"id":"7","v":"changed"}');
  expect((await project.restore({ backupId })).report).toMatchObject({
    exit_code: 0,
    counts: { same: 1, replaced: 1, ambiguous: 0 },
  });
  expect(project.payloads('users')).toEqual(expected);
});

test.each([A, FLAT])(
  'a document whose key is empty is not put back under another ($shape)',
  async (setting) => {
    await using project = await Project.open(setting);
    insert(project, '', setting === FLAT ? '{"id":"","v":1}' : '{"v":1}');
    insert(project, 'k', '{"id":"k"}');
    const backupId = await backupOf(project);
    const untouched = await project.restore({ backupId });
    expect(untouched.report.counts).toMatchObject({ same: 2, unaddressable: 0 });
    project.sandbox.wipe('users');
    for (const created of [1, 0]) {
      const { report } = await project.restore({ backupId });
      expect(report).toMatchObject({ exit_code: 3, counts: { created, unaddressable: 1 } });
      expect(errorsOf(report)).toEqual(['RESTORE_UNADDRESSABLE']);
      expect(project.sandbox.documentCount('users')).toBe(1);
    }
  },
);

test('an exact restore deletes nothing that may be a document of the backup (B)', async () => {
  await using project = await Project.open(B);
  for (const number of [1, 2]) insert(project, `r${number}`, `{"id":"shared","n":${number}}`);
  const backupId = await backupOf(project);
  project.sandbox.wipe('users');
  for (const number of [3, 4]) insert(project, `x${number}`, `{"id":"shared","n":${number}}`);
  insert(project, 'x5', '{"id":"other"}');
  const { report } = await project.restore({ backupId, mode: 'exact' });
  expect(report).toMatchObject({ exit_code: 3, counts: { ambiguous: 2, created: 0, deleted: 1 } });
  expect(project.payloads('users')).toEqual(['{"id":"shared","n":3}', '{"id":"shared","n":4}']);
});
