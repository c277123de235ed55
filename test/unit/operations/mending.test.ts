import { expect, test } from 'vitest';
import { BackupError } from '../../../src/kernel/errors.ts';
import { applyRestore, planRestore } from '../../../src/operations/restore.ts';
import type { SandboxRequest } from '../../../src/sandbox/message.ts';
import { Project, SETTINGS } from '../../support/project.ts';

const [A, FLAT, B] = SETTINGS;
const COUNT = 60;

/** A backup of `users` as documents `{"id":"d0","n":0}` …, and the live documents' keys by their ids. */
async function backedUp(setting: (typeof SETTINGS)[number]) {
  const project = await Project.open(setting);
  const keys = Array.from({ length: COUNT }, (_, number) =>
    project.sandbox.insert('users', `{"id":"d${number}","n":${number}}`),
  );
  const expected = project.payloads('users');
  const { backups } = await project.backup({ collections: ['users'] });
  return { project, keys, expected, backupId: backups[0]!.backup_id! };
}

test.each(SETTINGS)(
  'a server whose PUT only adds members: delete and insert ($dialect, $shape)',
  async (setting) => {
    const { project, keys, expected, backupId } = await backedUp(setting);
    await using _ = project;
    // two hold more than the backup, one only another value
    project.sandbox.update('users', keys[3]!, '{"id":"d3","n":3,"extra":true}');
    project.sandbox.update('users', keys[4]!, '{"id":"d4","n":"changed","extra":{"a":1}}');
    project.sandbox.update('users', keys[5]!, '{"id":"d5","n":"changed"}');
    project.sandbox.misbehave({ putMerges: true });
    const { report } = await project.restore({ backupId });
    expect(report.errors).toEqual([]);
    expect(report).toMatchObject({
      exit_code: 0,
      counts: { created: 0, replaced: 3, recreated: 2, different: 0 },
      read_back: { same_bytes: 3, different: 0 },
    });
    expect(report.warnings).toMatchObject([{ code: 'DOCUMENTS_RECREATED' }]);
    expect(report.warnings[0]!.message.includes('new row ids')).toBe(setting === B);
    expect(project.payloads('users')).toEqual(expected);
    // what need not be deleted keeps its key
    const live = new Set([...project.sandbox.documents('users')].map(({ key }) => key));
    expect(keys.filter((key) => !live.has(key))).toEqual(setting === B ? [keys[3], keys[4]] : []);
    const again = await project.restore({ backupId });
    expect(again.report).toMatchObject({ exit_code: 0, counts: { same: COUNT, replaced: 0 } });
  },
);

test('a server whose PUT only adds members: rows without an id of their own are known by their row ids', async () => {
  const project = await Project.open(B);
  await using _ = project;
  const keys = Array.from({ length: COUNT }, (_, number) =>
    project.sandbox.insert('users', `{"n":${number}}`),
  );
  const expected = project.payloads('users');
  const { backups } = await project.backup({ collections: ['users'] });
  project.sandbox.update('users', keys[3]!, '{"n":3,"extra":true}');
  project.sandbox.update('users', keys[4]!, '{"n":"changed","extra":{"a":1}}');
  project.sandbox.update('users', keys[5]!, '{"n":"changed"}');
  project.sandbox.misbehave({ putMerges: true });
  const { report } = await project.restore({ backupId: backups[0]!.backup_id! });
  expect(report.errors).toEqual([]);
  expect(report).toMatchObject({
    exit_code: 0,
    counts: { created: 0, replaced: 3, recreated: 2, different: 0 },
    read_back: { same_bytes: 3, different: 0 },
  });
  expect(project.payloads('users').toSorted()).toEqual(expected.toSorted());
});

test.each([A, B])('what others add meanwhile is replaced again, not deleted ($dialect)', async (setting) => {
  const { project, keys, expected, backupId } = await backedUp(setting);
  await using _ = project;
  project.sandbox.update('users', keys[3]!, '{"id":"d3","n":"changed"}');
  let puts = 0;
  let meddled = false;
  project.sandbox.beforeRequest((request: SandboxRequest) => {
    if (request.method === 'PUT') puts++;
    else if (puts === 1 && !meddled) {
      meddled = true;
      project.sandbox.update('users', keys[3]!, '{"id":"d3","n":3,"theirs":1}');
    }
  });
  const { report } = await project.restore({ backupId });
  expect(meddled).toBe(true);
  expect(report).toMatchObject({ exit_code: 0, counts: { replaced: 1, recreated: 0, different: 0 } });
  expect(puts).toBe(2);
  expect(project.payloads('users')).toEqual(expected);
  expect([...project.sandbox.documents('users')].map(({ key }) => key)).toContain(keys[3]);
});

test('a document that others changed otherwise is reported, not fought over', async () => {
  const { project, keys, backupId } = await backedUp(A);
  await using _ = project;
  project.sandbox.update('users', keys[3]!, '{"id":"d3","n":"changed"}');
  let written = false;
  project.sandbox.beforeRequest((request: SandboxRequest) => {
    if (request.method === 'PUT') written = true;
    else if (written) project.sandbox.update('users', keys[3]!, '{"id":"d3","n":"theirs","more":1}');
  });
  const { report } = await project.restore({ backupId });
  expect(report).toMatchObject({
    exit_code: 4,
    counts: { replaced: 1, recreated: 0, different: 1 },
    errors: [{ code: 'RESTORE_DIFFERENT', message: expect.stringContaining('1 hold other content ("d3")') }],
  });
});

test.each([A, FLAT, B])(
  'documents that are deleted live are created again ($dialect, $shape)',
  async (setting) => {
    const { project, keys, expected, backupId } = await backedUp(setting);
    await using _ = project;
    for (const key of keys.slice(0, 10)) {
      const id = `d${keys.indexOf(key)}`;
      project.sandbox.update('users', key, `{"id":"${id}","n":"changed"}`);
    }
    project.sandbox.beforeRequest((request: SandboxRequest) => {
      if (request.method !== 'PUT') return;
      for (const key of [keys[2]!, keys[7]!]) project.sandbox.delete('users', key);
      project.sandbox.beforeRequest(() => {});
    });
    const { plan, report } = await project.restore({ backupId });
    expect(plan.counts).toMatchObject({ created: 0, replaced: 10 });
    expect(report).toMatchObject({
      exit_code: 0,
      counts: { created: 2, replaced: 8, different: 0 },
      warnings: [{ code: 'DOCUMENTS_GONE', message: expect.stringContaining('2 documents of users') }],
    });
    expect(project.payloads('users')).toEqual(expected);
  },
);

test.each([A, B])('inserts that got lost are sent again in the same run ($dialect)', async (setting) => {
  const { project, expected, backupId } = await backedUp(setting);
  await using _ = project;
  project.sandbox.wipe('users');
  const inserts = /^POST .*\/(documents|rows)$/;
  project.sandbox.misbehave({
    faults: [
      { kind: 'lost', on: inserts, times: 3 },
      { kind: 'lost', afterEffect: true, on: inserts, times: 3 },
    ],
  });
  const { report } = await project.restore({ backupId });
  expect(report).toMatchObject({
    exit_code: 0,
    counts: { created: COUNT, different: 0 },
    read_back: { same_bytes: COUNT, different: 0 },
  });
  expect(report.warnings.at(-1)).toMatchObject({ code: 'DOCUMENTS_RESENT', message: /^3 documents/ });
  expect(project.payloads('users')).toEqual(expected);
});

test('an insert that never gets an answer is reported in the end', async () => {
  const { project, backupId } = await backedUp(B);
  await using _ = project;
  project.sandbox.wipe('users');
  project.sandbox.misbehave({ faults: [{ kind: 'error', on: /^POST .*\/rows$/ }] });
  const { report } = await project.restore({ backupId });
  expect(report).toMatchObject({
    exit_code: 3,
    counts: { created: 0, different: COUNT },
    errors: [{ code: 'RESTORE_PARTIAL', message: expect.stringContaining(`${COUNT} documents of users`) }],
  });
});

test.each([1, 8, 20])('a stop at the deletion %i leaves no document deleted', async (stopAt) => {
  const { project, keys, backupId } = await backedUp(A);
  await using _ = project;
  for (const [number, key] of keys.slice(0, 40).entries()) {
    project.sandbox.update('users', key, `{"id":"d${number}","n":${number},"extra":true}`);
  }
  project.sandbox.misbehave({ putMerges: true });
  const stop = new AbortController();
  let deletions = 0;
  project.sandbox.beforeRequest(({ method }) => {
    if (method === 'DELETE' && ++deletions === stopAt)
      stop.abort(new BackupError('TERMINATED', 'terminated'));
  });
  const plan = await planRestore(project.repository, project.target, { backupId }, { signal: stop.signal });
  await expect(applyRestore(plan, { signal: stop.signal })).rejects.toMatchObject({ code: 'TERMINATED' });
  await plan.close();
  expect([...project.sandbox.documents('users')]).toHaveLength(COUNT);
});

test('documents that were deleted and cannot be inserted again are named when the restore is cut off', async () => {
  const { project, keys, backupId } = await backedUp(A);
  await using _ = project;
  project.sandbox.update('users', keys[3]!, '{"id":"d3","n":3,"extra":true}');
  project.sandbox.misbehave({ putMerges: true });
  let isDeleted = false;
  project.sandbox.beforeRequest(({ method }) => {
    if (method === 'DELETE') isDeleted = true;
    else if (isDeleted) project.sandbox.misbehave({ forbidden: ['users'] });
  });
  const outcome = await project.restore({ backupId }).then(
    ({ report }) => JSON.stringify(report.errors),
    (error: BackupError) => `${error.message} ${error.kept}`,
  );
  expect(outcome).toMatch(/d3/);
  expect(outcome).toMatch(/deleted/);
});
