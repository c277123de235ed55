import { appendFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { applyRestore, planRestore } from '../../../src/operations/restore.ts';
import { planUndo } from '../../../src/operations/undo.ts';
import type { SandboxRequest } from '../../../src/sandbox/message.ts';
import { Project, SETTINGS } from '../../support/project.ts';

const [A, , B] = SETTINGS;

async function undo(project: Project, restoreId: string) {
  const plan = await planUndo(project.repository, project.target, restoreId);
  try {
    return await applyRestore(plan);
  } finally {
    await plan.close();
  }
}

/** Rows whose own keys say nothing: a backup of them, after which all are gone. */
async function lost(payloads: readonly string[]) {
  const project = await Project.open(B);
  for (const [number, payload] of payloads.entries())
    project.sandbox.insert('users', payload, { key: `r${number}` });
  const { backups } = await project.backup({ collections: ['users'] });
  for (const number of payloads.keys()) project.sandbox.delete('users', `r${number}`);
  return { project, backupId: backups[0]!.backup_id! };
}

function keyOf(project: Project, payload: string): string {
  return [...project.sandbox.documents('users')].find(({ data }) => data.toString() === payload)!.key;
}

/** Kills the tool, as far as its requests show, when it has sent so many of a kind; `over` lets the next one work. */
function killedAfter(project: Project, method: string, count: number) {
  const stop = new AbortController();
  let seen = 0;
  let isOver = false;
  project.sandbox.beforeRequest((request: SandboxRequest) => {
    if (isOver || request.method !== method || !/documents$|rows$/.test(request.path) || ++seen <= count)
      return;
    stop.abort(new Error('killed'));
    throw new Error('the machine is gone');
  });
  return {
    signal: stop.signal,
    over: () => {
      isOver = true;
    },
  };
}

test('a row that was restored and changed since is replaced, not doubled (no ids)', async () => {
  const { project, backupId } = await lost(['{"n":1}', '{"n":2}']);
  await using _ = project;
  await project.restore({ backupId });
  project.sandbox.update('users', keyOf(project, '{"n":1}'), '{"n":"changed"}');
  const { report } = await project.restore({ backupId });
  expect(report).toMatchObject({ exit_code: 0, counts: { created: 0, replaced: 1, same: 1, extra: 0 } });
  expect(project.payloads('users')).toEqual(['{"n":1}', '{"n":2}']);
});

test('rows that share an id are told apart by where they were restored to', async () => {
  const saved = ['{"id":"a","n":1}', '{"id":"a","n":2}'];
  const { project, backupId } = await lost(saved);
  await using _ = project;
  await project.restore({ backupId });
  project.sandbox.update('users', keyOf(project, saved[0]!), '{"id":"a","n":"changed"}');
  const { report } = await project.restore({ backupId });
  expect(report).toMatchObject({ exit_code: 0, counts: { replaced: 1, same: 1, ambiguous: 0 } });
  expect(project.payloads('users')).toEqual(saved);
});

test('the newest restore counts, and what was restored elsewhere does not', async () => {
  const { project, backupId } = await lost(['{"n":1}']);
  await using _ = project;
  await project.restore({ backupId });
  const first = keyOf(project, '{"n":1}');
  project.sandbox.delete('users', first);
  await project.restore({ backupId });
  await project.restore({ backupId, toCollection: 'others' });
  project.sandbox.insert('users', '{"n":"theirs"}', { key: first });
  project.sandbox.update('users', keyOf(project, '{"n":1}'), '{"n":"changed"}');
  const { report } = await project.restore({ backupId });
  expect(report.counts).toMatchObject({ created: 0, replaced: 1, extra: 1 });
  expect(project.payloads('users')).toEqual(['{"n":"theirs"}', '{"n":1}']);
});

test('a row is followed through its deletion and return', async () => {
  const { project, backupId } = await lost(['{"n":1}']);
  await using _ = project;
  await project.restore({ backupId });
  project.sandbox.insert('users', '{"n":2}', { key: 'later' });
  const { backups } = await project.backup({ collections: ['users'] });
  project.sandbox.delete('users', keyOf(project, '{"n":1}'));
  await project.restore({ backupId: backups[0]!.backup_id! });
  project.sandbox.update('users', keyOf(project, '{"n":1}'), '{"n":"changed"}');
  const { report } = await project.restore({ backupId });
  expect(report.counts).toMatchObject({ created: 0, replaced: 1, extra: 1 });
});

test.each(['restore', 'undo'] as const)('a damaged id map is said and left out (%s)', async (what) => {
  const { project, backupId } = await lost(['{"id":"a","n":1}']);
  await using _ = project;
  const { report: first } = await project.restore({ backupId });
  const folder = join(project.storePath, 'restores', first.restore_id!);
  const pieces = (await readdir(folder)).filter((name) => name.startsWith('idmap-'));
  expect(pieces.length).toBeGreaterThan(0);
  for (const piece of pieces) await appendFile(join(folder, piece), ' ');
  const report =
    what === 'undo' ? await undo(project, first.restore_id!) : (await project.restore({ backupId })).report;
  expect(report.warnings).toContainEqual(expect.objectContaining({ code: 'IDMAP_DAMAGED' }));
  expect(report).toMatchObject({ exit_code: 0 });
  expect(project.payloads('users')).toEqual(what === 'undo' ? [] : ['{"id":"a","n":1}']);
});

test('a restore that is killed has kept where its rows are, but for the last thousand', async () => {
  const count = 2200;
  const saved = Array.from({ length: count }, (_, number) => `{"n":${number}}`);
  const { project, backupId } = await lost(saved);
  await using _ = project;
  const plan = await planRestore(project.repository, project.target, { backupId });
  const kill = killedAfter(project, 'POST', 2100);
  const store = project.repository.store;
  let killed = false;
  const put = store.put.bind(store);
  kill.signal.addEventListener('abort', () => {
    killed = true;
  });
  store.put = async (...given) => {
    if (killed) throw new Error('killed');
    await put(...given);
  };
  await expect(applyRestore(plan, { signal: kill.signal })).rejects.toThrow();
  await plan.close();
  store.put = put;
  kill.over();
  // the application goes on with what is there
  const live = [...project.sandbox.documents('users')];
  expect(live.length).toBeGreaterThan(2000);
  for (const at of [0, 500, 999]) project.sandbox.update('users', live[at]!.key, '{"n":"changed"}');
  const { report } = await project.restore({ backupId });

  expect(report.counts).toMatchObject({ replaced: 3, extra: 0 });
  expect(project.payloads('users')).toEqual(saved.toSorted());
});

test('an undo after a crash leaves a row alone that was there before and holds the same', async () => {
  await using project = await Project.open(B);
  for (const key of ['r1', 'r2']) project.sandbox.insert('users', '{"n":1}', { key });
  const { backups } = await project.backup({ collections: ['users'] });
  project.sandbox.delete('users', 'r1');
  const plan = await planRestore(project.repository, project.target, { backupId: backups[0]!.backup_id! });
  const kill = killedAfter(project, 'POST', 0);
  await expect(applyRestore(plan, { signal: kill.signal })).rejects.toThrow();
  await plan.close();
  kill.over();
  const [restoreId] = await readdir(join(project.storePath, 'restores'));
  const report = await undo(project, restoreId!);
  expect(report.counts).toMatchObject({ deleted: 0, same: 1 });
  expect([...project.sandbox.documents('users')].map(({ key }) => key)).toEqual(['r2']);
});

test.each([
  ['as it is', false],
  ['without its id maps', true],
])('deleted rows without ids come back once, however often that is undone: %s', async (_, isForgotten) => {
  await using project = await Project.open(B);
  project.sandbox.insert('users', '{"n":1}', { key: 'r1' });
  const { backups } = await project.backup({ collections: ['users'] });
  project.sandbox.insert('users', '{"n":1}', { key: 'r2' });
  project.sandbox.insert('users', '{"n":2}', { key: 'r3' });
  const expected = project.payloads('users');
  const { report } = await project.restore({ backupId: backups[0]!.backup_id!, mode: 'exact' });
  expect(report.counts.deleted).toBe(2);
  for (const created of [2, 0, 0]) {
    const taken = await undo(project, report.restore_id!);
    expect(taken).toMatchObject({ exit_code: 0, counts: { created, same: 2 - created } });
    expect(project.payloads('users')).toEqual(expected);
    if (!isForgotten) continue;
    // as after a crash before the first piece was kept
    const restores = join(project.storePath, 'restores');
    for (const name of await readdir(restores, { recursive: true }))
      if (name.includes('idmap-')) await appendFile(join(restores, name), ' ');
  }
});

test.each([A, B])(
  'a row between its deletion and its insertion is brought back after a kill ($dialect)',
  async (setting) => {
    for (const ending of ['undo', 'go on'] as const) {
      await using project = await Project.open(setting);
      project.sandbox.insert('users', '{"id":"d1","n":1}', { key: 'd1' });
      const { backups } = await project.backup({ collections: ['users'] });
      const before = '{"id":"d1","n":2,"extra":true}';
      project.sandbox.update('users', 'd1', before);
      project.sandbox.misbehave({ putMerges: true });
      const backupId = backups[0]!.backup_id!;
      const plan = await planRestore(project.repository, project.target, { backupId });
      const kill = killedAfter(project, 'POST', 0);
      await applyRestore(plan, { signal: kill.signal }).catch(() => null);
      kill.over();
      await plan.close();
      expect(project.payloads('users')).toEqual([]);
      const [restoreId] = await readdir(join(project.storePath, 'restores'));

      if (ending === 'undo') {
        expect(await undo(project, restoreId!)).toMatchObject({
          exit_code: 0,
          counts: { created: 1, changed: 0 },
        });
        expect(project.payloads('users')).toEqual([before]);
        // and once more: there is nothing left to do
        expect(await undo(project, restoreId!)).toMatchObject({
          exit_code: 0,
          counts: { created: 0, same: 1 },
        });
      } else {
        await project.restore({ backupId, continues: restoreId! });
        expect(project.payloads('users')).toEqual(['{"id":"d1","n":1}']);
        await undo(project, restoreId!);
      }
    }
  },
);

test('what is on record of the key of another document of the backup leads nowhere', async () => {
  const numbers = Array.from({ length: 8 }, (_, number) => number);
  const { project, backupId } = await lost(numbers.map((number) => `{"v":${number}}`));
  await using _ = project;
  await project.restore({ backupId });
  // the rows that were lost are there again, beside those that took their places
  for (const number of numbers) project.sandbox.insert('users', `{"w":${number}}`, { key: `r${number}` });
  const { backups } = await project.backup({ collections: ['users'] });
  const id = backups[0]!.backup_id!;
  const before = project.payloads('users');
  for (const { key } of [...project.sandbox.documents('users')]) project.sandbox.delete('users', key);
  expect((await project.restore({ backupId: id })).report).toMatchObject({ counts: { created: 16 } });
  const { report } = await project.restore({ backupId: id });
  expect(report).toMatchObject({ exit_code: 0, counts: { same: 16, created: 0, replaced: 0 } });
  expect(project.payloads('users')).toEqual(before);
});
