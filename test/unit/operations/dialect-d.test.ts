import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RestoreRequest } from '../../../src/operations/restore.ts';
import { applyRestore } from '../../../src/operations/restore.ts';
import { planUndo } from '../../../src/operations/undo.ts';
import { DIALECT_D, Project } from '../../support/project.ts';

describe('backup and restore in dialect D', () => {
  let project: Project;
  beforeEach(async () => {
    project = await Project.open(DIALECT_D);
  });
  afterEach(() => project[Symbol.asyncDispose]());

  let inserted = 0;
  function put(text: string): string {
    const createdAt = new Date(Date.UTC(2026, 0, 1) + ++inserted).toISOString();
    return project.sandbox.insert('users', text, { key: project.sandbox.newKey(), createdAt });
  }
  function fill(count: number): void {
    for (let at = 0; at < count; at++) put(`{"id":"u${at}","n":${at}}`);
  }

  async function backedUp(): Promise<string> {
    const { backups, exit_code } = await project.backup();
    expect(exit_code).toBe(0);
    return backups[0]!.backup_id!;
  }

  const restore = async (backupId: string, request: Partial<RestoreRequest> = {}) =>
    (await project.restore({ backupId, ...request })).report;
  const requests = (pattern: string): number => project.sandbox.requestCounts.get(pattern) ?? 0;
  const inserts = (): number => requests('POST {tables}/{t}/insert');

  it('inserts a hundred at a time what is gone', async () => {
    fill(250);
    const before = project.payloads('users');
    const backupId = await backedUp();
    project.sandbox.wipe('users');
    const report = await restore(backupId);
    expect(report).toMatchObject({ exit_code: 0, counts: { created: 250, same: 0 } });
    expect(report.counts.created).toBe(250);
    expect(project.payloads('users')).toEqual(before);
    expect(inserts()).toBe(3);
  });

  it('creates a table that is gone', async () => {
    fill(3);
    const backupId = await backedUp();
    project.sandbox.wipe();
    expect(await restore(backupId)).toMatchObject({ exit_code: 0, counts: { created: 3 } });
    expect(project.payloads('users')).toHaveLength(3);
  });

  it('inserts one by one where one of many is refused, and what is in doubt only if it is not there', async () => {
    fill(40);
    const before = project.payloads('users');
    const backupId = await backedUp();
    project.sandbox.wipe('users');
    project.sandbox.misbehave({ faults: [{ kind: 'error', status: 413, times: 2, on: /insert$/ }] });
    const report = await restore(backupId);
    expect(report).toMatchObject({ exit_code: 3, counts: { created: 39, refused: 1 } });
    expect(inserts()).toBe(41);

    project.sandbox.wipe('users');
    project.sandbox.misbehave({ faults: [{ kind: 'lost', afterEffect: true, times: 1, on: /insert$/ }] });
    expect(await restore(backupId)).toMatchObject({ exit_code: 0, counts: { created: 40 } });
    expect(inserts()).toBe(42);
    expect(project.payloads('users')).toEqual(before);

    project.sandbox.wipe('users');
    project.sandbox.misbehave({ faults: [{ kind: 'lost', times: 1, on: /insert$/ }] });
    expect(await restore(backupId)).toMatchObject({ exit_code: 0, counts: { created: 40 } });
    expect(inserts()).toBe(42 + 1 + 40);
    expect(project.payloads('users')).toEqual(before);
  });

  it('replaces by merging, and deletes and inserts what has to lose members', async () => {
    fill(3);
    const before = project.payloads('users');
    const backupId = await backedUp();
    const [one, two] = [...project.sandbox.documents('users')].map(({ key }) => key);
    project.sandbox.update('users', one!, '{"id":"u0","n":"changed"}');
    project.sandbox.update('users', two!, '{"id":"u1","n":1,"more":2}');
    const report = await restore(backupId);
    expect(report).toMatchObject({ exit_code: 0, counts: { replaced: 2, recreated: 1, same: 1 } });
    expect(project.payloads('users')).toEqual(before);
    expect(requests('PUT {tables}/{t}/update')).toBe(2);
    expect(requests('DELETE {tables}/{t}/rows')).toBe(1);
  });

  it('deletes by filters what an exact restore is to delete, and brings it back', async () => {
    fill(3);
    const backupId = await backedUp();
    put('{"id":"new"}');
    const before = project.payloads('users');
    const report = await restore(backupId, { mode: 'exact' });
    expect(report).toMatchObject({ exit_code: 0, counts: { deleted: 1 } });
    expect(project.payloads('users')).toHaveLength(3);
    const plan = await planUndo(project.repository, project.target, report.restore_id!);
    const undone = await applyRestore(plan);
    await plan.close();
    expect(undone).toMatchObject({ exit_code: 0, counts: { created: 1 } });
    expect(project.payloads('users')).toEqual(before);
  });

  it('leaves alone what no filter names', async () => {
    const keys = ['{"id":"twice","n":1}', '{"id":"twice","n":2}', '{"n":3}'].map(put);
    const backupId = await backedUp();
    for (const key of keys) {
      const text = String(project.sandbox.payload('users', key));
      project.sandbox.update('users', key, text.replace('}', ',"changed":true}'));
    }
    const before = project.payloads('users');
    const report = await restore(backupId);
    expect(report.exit_code).toBe(3);
    expect(report.counts).toMatchObject({ created: 0, refused: 2, unaddressable: 1 });
    expect(project.payloads('users')).toEqual(before);
  });
});
