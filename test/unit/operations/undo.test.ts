import { appendFile, chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { plannedChanges } from '../../../src/operations/plan-file.ts';
import { applyRestore, planRestore } from '../../../src/operations/restore.ts';
import { planUndo } from '../../../src/operations/undo.ts';
import { Project, SETTINGS } from '../../support/project.ts';

const [A, FLAT, B] = SETTINGS;
const COUNT = 20;

/** A backup of `users` as documents `{"id":"d0","n":0}` …, and the live documents' keys by their ids. */
async function backedUp(setting: (typeof SETTINGS)[number]) {
  const project = await Project.open(setting);
  const keys = Array.from({ length: COUNT }, (_, number) =>
    project.sandbox.insert('users', `{"id":"d${number}","n":${number}}`, { key: keyOf(setting, number) }),
  );
  const { backups } = await project.backup({ collections: ['users'] });
  return { project, keys, backupId: backups[0]!.backup_id! };
}

/** Rows have keys of the server's, which are not the ids in them. */
function keyOf(setting: (typeof SETTINGS)[number], number: number): string {
  return setting === B ? `row${number}` : `d${number}`;
}

async function undo(project: Project, restoreId: string) {
  const plan = await planUndo(project.repository, project.target, restoreId);
  try {
    return await applyRestore(plan);
  } finally {
    await plan.close();
  }
}

test.each([A, FLAT])(
  'what others create once the target was read is not written over ($shape)',
  async (setting) => {
    const { project, keys, backupId } = await backedUp(setting);
    await using _ = project;
    project.sandbox.delete('users', keys[3]!);
    const plan = await planRestore(project.repository, project.target, { backupId });
    const theirs = '{"id":"d3","n":"theirs"}';
    project.sandbox.insert('users', theirs, { key: 'd3' });
    const report = await applyRestore(plan);
    await plan.close();
    expect(project.payloads('users')).toContain(theirs);
    expect(report).toMatchObject({
      exit_code: 3,
      counts: { created: 0, replaced: 0, changed: 1, different: 0 },
      errors: [{ code: 'RESTORE_CHANGED' }],
    });
    // the next one knows it and keeps it
    const again = await project.restore({ backupId });
    expect(again.report).toMatchObject({ exit_code: 0, counts: { replaced: 1 } });
    expect((await undo(project, again.report.restore_id!)).exit_code).toBe(0);
    expect(project.payloads('users')).toContain(theirs);
  },
);

test.each([A, FLAT])('an undo does not write over what others create meanwhile ($shape)', async (setting) => {
  const { project, backupId } = await backedUp(setting);
  await using _ = project;
  project.sandbox.insert('users', '{"id":"new","n":1}', { key: 'new' });
  const { report } = await project.restore({ backupId, mode: 'exact' });
  expect(report.counts.deleted).toBe(1);
  const plan = await planUndo(project.repository, project.target, report.restore_id!);
  const theirs = '{"id":"new","n":"theirs"}';
  project.sandbox.insert('users', theirs, { key: 'new' });
  const taken = await applyRestore(plan);
  await plan.close();
  expect(project.payloads('users')).toContain(theirs);
  expect(taken).toMatchObject({ exit_code: 3, counts: { changed: 1 } });
});

test.each(SETTINGS)(
  'what was deleted comes back once, however often that is undone ($dialect, $shape)',
  async (setting) => {
    const { project, backupId } = await backedUp(setting);
    await using _ = project;
    project.sandbox.insert('users', '{"id":"new","n":1}', { key: setting === B ? 'row-new' : 'new' });
    const expected = project.payloads('users');
    const { report } = await project.restore({ backupId, mode: 'exact' });
    for (const created of [1, 0]) {
      const taken = await undo(project, report.restore_id!);
      expect(taken).toMatchObject({ exit_code: 0, counts: { created, same: 1 - created } });
      expect(project.payloads('users')).toEqual(expected);
    }
  },
);

test('what was deleted and others made again is left to them (B)', async () => {
  const { project, backupId } = await backedUp(B);
  await using _ = project;
  project.sandbox.insert('users', '{"id":"new","n":1}', { key: 'row-new' });
  const { report } = await project.restore({ backupId, mode: 'exact' });
  project.sandbox.insert('users', '{"id":"new","n":2}', { key: 'row-newer' });
  const expected = project.payloads('users');
  const taken = await undo(project, report.restore_id!);
  expect(taken).toMatchObject({ exit_code: 3, counts: { created: 0, changed: 1 } });
  expect(project.payloads('users')).toEqual(expected);
});

test('a row without id is not taken for another with the same content (B)', async () => {
  await using project = await Project.open(B);
  project.sandbox.insert('users', '{"n":1}', { key: 'r1' });
  project.sandbox.insert('users', '{"n":2}', { key: 'r2' });
  const { backups } = await project.backup({ collections: ['users'] });
  project.sandbox.update('users', 'r1', '{"n":"before"}');
  project.sandbox.insert('users', '{"n":1}', { key: 'r3' });
  const { report } = await project.restore({ backupId: backups[0]!.backup_id! });
  expect(report.counts).toMatchObject({ replaced: 1 });
  project.sandbox.delete('users', 'r1');
  const expected = project.payloads('users');
  const taken = await undo(project, report.restore_id!);
  expect(taken).toMatchObject({ exit_code: 3, counts: { replaced: 0, changed: 1 } });
  expect(project.payloads('users')).toEqual(expected);
});

test.each(SETTINGS)(
  'what others write while a plan waits is not written over ($dialect, $shape)',
  async (setting) => {
    const { project, keys, backupId } = await backedUp(setting);
    await using _ = project;
    project.sandbox.update('users', keys[3]!, '{"id":"d3","n":"changed"}');
    project.sandbox.insert('users', '{"id":"new","n":1}', { key: 'new' });
    let passedMs = 0;
    const { clock } = project.platform;
    const { repository, target } = await project.openTool({
      ...project.platform,
      clock: {
        now: () => clock.now() + passedMs,
        monotonic: () => clock.monotonic() + passedMs,
        sleep: (ms, signal) => clock.sleep(ms, signal),
      },
    });
    const plan = await planRestore(repository, target, { backupId, mode: 'exact' });
    expect(plan.report.counts).toMatchObject({ replaced: 1, deleted: 1 });
    passedMs = 3_600_000; // somebody looks at it
    project.sandbox.update('users', keys[3]!, '{"id":"d3","n":"theirs"}');
    project.sandbox.update('users', 'new', '{"id":"new","n":"theirs"}');
    const expected = project.payloads('users');
    const report = await applyRestore(plan);
    await plan.close();
    expect(project.payloads('users')).toEqual(expected);
    // what was to be deleted and is there is no exact copy
    expect(report).toMatchObject({
      exit_code: 4,
      counts: { replaced: 0, deleted: 0, changed: 1, different: 1 },
    });
  },
);

test.each(SETTINGS)(
  'a server that writes JSON its own way does not stop an undo ($dialect, $shape)',
  async (setting) => {
    await using project = await Project.open(setting);
    for (const number of [1, 2, 3]) {
      const text = `{"n": 1.0, "id":"d${number}"}`;
      project.sandbox.insert('users', text, { key: keyOf(setting, number) });
    }
    const { backups } = await project.backup({ collections: ['users'] });
    project.sandbox.update('users', keyOf(setting, 1), '{"id":"d1","n":"changed"}');
    project.sandbox.delete('users', keyOf(setting, 2));
    const before = project.payloads('users');
    project.sandbox.misbehave({ reformats: true });
    const { report } = await project.restore({ backupId: backups[0]!.backup_id! });
    expect(report).toMatchObject({ exit_code: 0, read_back: { same_bytes: 0, same_value: 2 } });
    const taken = await undo(project, report.restore_id!);
    expect(taken).toMatchObject({ exit_code: 0, counts: { deleted: 1, replaced: 1, changed: 0 } });
    expect(project.payloads('users')).toEqual(before);
  },
);

test.each(SETTINGS)(
  'what others wrote just before the reading back is theirs to an undo ($dialect, $shape)',
  async (setting) => {
    const { project, keys, backupId } = await backedUp(setting);
    await using _ = project;
    project.sandbox.update('users', keys[3]!, '{"id":"d3","n":"changed"}');
    const theirs = '{"id":"d3","n":"theirs"}';
    let written = false;
    project.sandbox.beforeRequest(({ method }) => {
      if (method === 'PUT') written = true;
      else if (written) project.sandbox.update('users', keys[3]!, theirs);
    });
    const { report } = await project.restore({ backupId });
    expect(report.exit_code).toBe(4);
    project.sandbox.beforeRequest(() => {});
    expect(await undo(project, report.restore_id!)).toMatchObject({ exit_code: 3, counts: { changed: 1 } });
    expect(project.payloads('users')).toContain(theirs);
  },
);

test('rows without ids are found again under the keys that the server gave them (B)', async () => {
  await using project = await Project.open(B);
  for (const key of ['r1', 'r2']) project.sandbox.insert('users', '{"n":1}', { key });
  const { backups } = await project.backup({ collections: ['users'] });
  project.sandbox.delete('users', 'r1');
  const expected = project.payloads('users');
  const { report } = await project.restore({ backupId: backups[0]!.backup_id! });
  expect(report.counts).toMatchObject({ created: 1, same: 1 });
  expect((await undo(project, report.restore_id!)).counts).toMatchObject({ deleted: 1 });
  expect(project.payloads('users')).toEqual(expected);
  expect([...project.sandbox.documents('users')].map(({ key }) => key)).toEqual(['r2']);
});

test('a row that had to be deleted and inserted becomes what it was (B)', async () => {
  await using project = await Project.open(B);
  project.sandbox.insert('users', '{"id":"d1","n":1}', { key: 'r1' });
  const { backups } = await project.backup({ collections: ['users'] });
  const before = '{"id":"d1","n":2,"extra":true}';
  project.sandbox.update('users', 'r1', before);
  project.sandbox.misbehave({ putMerges: true });
  const { report } = await project.restore({ backupId: backups[0]!.backup_id! });
  expect(report).toMatchObject({ exit_code: 0, counts: { replaced: 1 } });
  const taken = await undo(project, report.restore_id!);
  expect(taken).toMatchObject({ exit_code: 0, counts: { replaced: 1, changed: 0 } });
  expect(project.payloads('users')).toEqual([before]);
});

test('an undo says that it could not see everything (A)', async () => {
  const { project, keys, backupId } = await backedUp(A);
  await using _ = project;
  project.sandbox.delete('users', keys[3]!);
  const { report } = await project.restore({ backupId });
  project.sandbox.misbehave({ unreadable: { users: [keys[3]!] } });
  const plan = await planUndo(project.repository, project.target, report.restore_id!);
  await plan.close();
  expect(plan.report.warnings).toMatchObject([{ code: 'TARGET_UNPROVEN' }]);
});

test('a plan names numbers with all their digits', async () => {
  await using project = await Project.open(FLAT);
  project.sandbox.insert('users', '{"id":9007199254740993}', { key: '9007199254740993' });
  const { backups } = await project.backup({ collections: ['users'] });
  project.sandbox.wipe('users');
  const { repository, target } = project;
  const plan = await planRestore(repository, target, { backupId: backups[0]!.backup_id! });
  const names = await Array.fromAsync(plannedChanges(plan), ({ id }) => id);
  await plan.close();
  expect(names).toEqual(['9007199254740993']);
});

test('documents without any key: what is there cannot be named, what is gone need not be (A, flat)', async () => {
  await using project = await Project.open(FLAT);
  project.sandbox.insert('users', '{"id":null,"n":1}', { key: 'hidden' });
  const { backups } = await project.backup({ collections: ['users'] });
  project.sandbox.wipe('users');
  const { report } = await project.restore({ backupId: backups[0]!.backup_id! });
  // such a collection is never proved to be read completely
  expect(report).toMatchObject({ exit_code: 3, counts: { created: 1 } });
  expect(await undo(project, report.restore_id!)).toMatchObject({
    exit_code: 3,
    counts: { deleted: 0, same: 0, unaddressable: 1 },
    errors: [{ code: 'RESTORE_UNADDRESSABLE' }],
  });
  expect(project.payloads('users')).toEqual(['{"id":null,"n":1}']);
  project.sandbox.wipe('users');
  expect(await undo(project, report.restore_id!)).toMatchObject({ exit_code: 0, counts: { same: 1 } });
});

test('an undo of what went on with another restore says that this one is left', async () => {
  const { project, keys, backupId } = await backedUp(A);
  await using _ = project;
  project.sandbox.delete('users', keys[3]!);
  const { report: first } = await project.restore({ backupId });
  project.sandbox.delete('users', keys[3]!);
  const { report } = await project.restore({ backupId, continues: first.restore_id! });
  const plan = await planUndo(project.repository, project.target, report.restore_id!);
  await plan.close();
  expect(plan.report.warnings).toMatchObject([
    { code: 'EARLIER_PART', message: expect.stringContaining(first.restore_id!) },
  ]);
});

test('an undo trusts no store whose marker is damaged', async () => {
  const { project, keys, backupId } = await backedUp(A);
  await using _ = project;
  project.sandbox.delete('users', keys[3]!);
  const { report } = await project.restore({ backupId });
  const marker = join(project.storePath, 'repository.json');
  await chmod(marker, 0o600);
  await appendFile(marker, ' ');
  await expect(planUndo(project.repository, project.target, report.restore_id!)).rejects.toMatchObject({
    code: 'MARKER_DAMAGED',
  });
});

test('an undo goes to the server that was restored to, and to no other', async () => {
  const { project, keys, backupId } = await backedUp(A);
  await using _ = project;
  await using other = await Project.open(A);
  project.sandbox.delete('users', keys[3]!);
  const { report } = await project.restore({ backupId });
  await expect(planUndo(project.repository, other.target, report.restore_id!)).rejects.toMatchObject({
    code: 'RESTORE_REFUSED',
    message: expect.stringContaining(project.sandbox.project),
  });
});
