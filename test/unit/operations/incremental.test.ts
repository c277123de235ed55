import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readManifest } from '../../../src/catalog/catalog.ts';
import { BackupError } from '../../../src/kernel/errors.ts';
import { parseBackupId } from '../../../src/model/backup-id.ts';
import { backup } from '../../../src/operations/backup.ts';
import { exportBackup } from '../../../src/operations/export.ts';
import { list } from '../../../src/operations/list.ts';
import { validateBackup } from '../../../src/operations/restore.ts';
import { verify } from '../../../src/operations/verify.ts';
import { openRepository } from '../../../src/repository.ts';
import { openDirectoryStore } from '../../../src/stores/directory.ts';
import { Project, REQUEST, SETTINGS } from '../../support/project.ts';

const POLICY = { baseAgeMaxMs: 7 * 24 * 60 * 60 * 1000, sizeMax: 0.5 };
const INCREMENTAL = { collections: ['users'], incremental: POLICY };
const COUNT = 200;

/** A project of which a full backup was made. */
async function withFull(setting: (typeof SETTINGS)[number]): Promise<Project> {
  const project = await Project.open(setting);
  for (let at = 0; at < COUNT; at++) {
    project.sandbox.insert('users', `{"id":"u${at}","name":"${Math.sin(at)} ${Math.cos(at)}","n":1.0}`);
  }
  const { exit_code } = await project.backup({ collections: ['users'] });
  expect(exit_code).toBe(0);
  return project;
}

function keyOf(project: Project, id: string): string {
  for (const { key, data } of project.sandbox.documents('users')) {
    if (data.toString().includes(`"id":"${id}"`)) return key;
  }
  throw new Error(`no document ${id}`);
}

async function exported(project: Project, backupId: string, format: 'json' | 'ndjson'): Promise<string> {
  let text = '';
  await exportBackup(project.repository, backupId, {
    format,
    write: async (bytes) => {
      text += Buffer.from(bytes).toString();
    },
  });
  return text;
}

test('another full backup in the place of the base does not pass for it', async () => {
  await using project = await withFull(SETTINGS[0]);
  project.sandbox.insert('users', '{"id":"new"}');
  const { backups } = await project.backup(INCREMENTAL);
  const backupId = backups[0]!.backup_id!;
  const base = (await readManifest(project.repository, backupId)).base_backup_id!;
  for (const path of (await project.storeTree()).keys()) {
    if (path.includes(base)) await rm(join(project.storePath, path), { recursive: true });
  }
  project.sandbox.wipe('users');
  project.sandbox.insert('users', '{"id":"u0","of":"another time"}');
  const { platform } = project;
  const { startedAt } = parseBackupId(base)!;
  const then = { ...platform, clock: { ...platform.clock, now: () => startedAt } };
  const store = openDirectoryStore(then, project.storePath);
  const repository = openRepository(then, store, project.repository.stateDirectory);
  const forged = await backup(repository, project.target, { ...REQUEST, collections: ['users'] });
  expect(forged.backups[0]!.backup_id).toBe(base);
  await expect(validateBackup(project.repository, backupId)).rejects.toMatchObject({ code: 'CHAIN_BROKEN' });
  await expect(project.restore({ backupId })).rejects.toMatchObject({ code: 'CHAIN_BROKEN' });
});

describe.each(SETTINGS)('incremental, dialect $dialect, shape $shape', (setting) => {
  test('stores what changed, and restores the state of its time', async () => {
    await using project = await withFull(setting);
    const { sandbox } = project;
    sandbox.update('users', keyOf(project, 'u3'), '{"id":"u3","name":"changed"}');
    sandbox.delete('users', keyOf(project, 'u5'));
    sandbox.delete('users', keyOf(project, 'u6'));
    sandbox.insert('users', '{"id":"new"}');
    const state = project.payloads('users');
    const { backups, exit_code } = await project.backup(INCREMENTAL);
    expect(exit_code).toBe(0);
    const [made] = backups;
    expect(made).toMatchObject({
      backup_type: 'incremental',
      document_count: 2,
      deleted_count: 2,
      state_count: COUNT - 1,
    });
    expect(made!.full_because).toBeUndefined();
    const backupId = made!.backup_id!;
    expect(backupId).toContain('_incremental_');
    expect(await validateBackup(project.repository, backupId)).toMatchObject({
      exit_code: 0,
      document_count: COUNT - 1,
    });

    sandbox.wipe('users');
    const { report } = await project.restore({ backupId });
    expect(report).toMatchObject({ exit_code: 0, counts: { created: COUNT - 1 } });
    expect(project.payloads('users')).toEqual(state);
    const again = await project.restore({ backupId, mode: 'exact' });
    expect(again.plan.counts).toMatchObject({ same: COUNT - 1, created: 0, replaced: 0, deleted: 0 });
    const chosen = await project.restore({ backupId, ids: ['u3', 'u4', 'u5'] });
    expect(chosen.report).toMatchObject({ exit_code: 3, counts: { same: 2 } });
  });

  test('of nothing that changed holds nothing', async () => {
    await using project = await withFull(setting);
    const { backups } = await project.backup(INCREMENTAL);
    expect(backups[0]).toMatchObject({ document_count: 0, deleted_count: 0, state_count: COUNT });
    expect((await exported(project, backups[0]!.backup_id!, 'ndjson')).trimEnd().split('\n')).toHaveLength(
      COUNT,
    );
  });

  test('is exported as its whole state', async () => {
    await using project = await withFull(setting);
    project.sandbox.update('users', keyOf(project, 'u0'), '{"id":"u0","x":1}');
    project.sandbox.delete('users', keyOf(project, 'u1'));
    const { backups } = await project.backup(INCREMENTAL);
    const json = await exported(project, backups[0]!.backup_id!, 'json');
    const { documents, document_count, deleted_ids } = JSON.parse(json);
    expect(documents).toHaveLength(COUNT - 1);
    expect({ document_count, deleted_ids }).toEqual({ document_count: COUNT - 1, deleted_ids: [] });
  });

  test('is differential: a second one is built on the full one as well', async () => {
    await using project = await withFull(setting);
    project.sandbox.insert('users', '{"id":"first"}');
    await project.backup(INCREMENTAL);
    project.sandbox.insert('users', '{"id":"second"}');
    const { backups } = await project.backup(INCREMENTAL);
    expect(backups[0]).toMatchObject({ document_count: 2, state_count: COUNT + 2 });
    project.sandbox.wipe('users');
    await project.restore({ backupId: backups[0]!.backup_id! });
    expect(project.sandbox.documentCount('users')).toBe(COUNT + 2);
  });

  test('is a full one where there is nothing to build on, or too much has changed', async () => {
    await using project = await Project.open(setting);
    for (let at = 0; at < 50; at++) project.sandbox.insert('users', `{"id":"u${at}","x":${at}}`);
    const first = await project.backup(INCREMENTAL);
    expect(first.backups[0]).toMatchObject({ backup_type: 'full', outcome: 'completed' });
    expect(first.backups[0]!.full_because).toContain('no good full backup');
    for (let at = 0; at < 40; at++) {
      project.sandbox.update('users', keyOf(project, `u${at}`), `{"id":"u${at}","x":"${Math.sin(at)}"}`);
    }
    const second = await project.backup(INCREMENTAL);
    expect(second.backups[0]).toMatchObject({ backup_type: 'full', document_count: 50 });
    expect(second.backups[0]!.full_because).toContain('more than 50 %');
    const old = await project.backup({ ...INCREMENTAL, incremental: { ...POLICY, baseAgeMaxMs: -1 } });
    expect(old.backups[0]!.full_because).toContain('too old');
  });

  test('is a full one where the index of the base is lost, whenever that comes', async () => {
    await using project = await withFull(setting);
    const { store } = project.repository;
    const request = { ...REQUEST, ...INCREMENTAL, dryRun: true };
    const failAt = async (reading: number) => {
      let readings = 0;
      const get: typeof store.get = (key, range, signal) => {
        if (key.startsWith('indexes/') && ++readings === reading)
          throw new BackupError('STORE_MISSING', 'it is gone');
        return store.get(key, range, signal);
      };
      const { backups } = await backup(
        { ...project.repository, store: { ...store, get } },
        project.target,
        request,
      );
      return { readings, made: backups[0]! };
    };
    const { readings, made } = await failAt(0);
    expect(made.backup_type).toBe('incremental');
    expect(readings).toBeGreaterThan(2);
    for (let reading = 1; reading <= readings; reading++) {
      const full = (await failAt(reading)).made;
      expect(full).toMatchObject({ outcome: 'completed', backup_type: 'full', document_count: COUNT });
      expect(full.full_because).toContain('is gone');
    }
  });

  test('takes nothing for deleted that is there when it is looked for', async () => {
    await using project = await withFull(setting);
    const { sandbox } = project;
    const key = keyOf(project, 'u5');
    const document = '{"id":"u5","back":true}';
    sandbox.delete('users', key);
    // there again just when it is asked for by its key
    sandbox.beforeRequest(({ method, path }) => {
      if (method !== 'GET' || !path.endsWith(key) || sandbox.payload('users', key) !== undefined) return;
      sandbox.insert('users', document, { key });
    });
    const { backups } = await project.backup(INCREMENTAL);
    expect(backups[0]).toMatchObject({ backup_type: 'full', document_count: COUNT });
    expect(backups[0]!.full_because).toContain('a document is there that the scan has not met');
  });

  test('says that its base is gone, wherever it is used', async () => {
    await using project = await withFull(setting);
    project.sandbox.insert('users', '{"id":"new"}');
    const { backups } = await project.backup(INCREMENTAL);
    const backupId = backups[0]!.backup_id!;
    const tree = await project.storeTree();
    for (const path of tree.keys()) {
      if (/manifests\/users_full/.test(path)) await rm(join(project.storePath, path));
    }
    await expect(validateBackup(project.repository, backupId)).rejects.toMatchObject({
      code: 'CHAIN_BROKEN',
    });
    await expect(project.restore({ backupId })).rejects.toMatchObject({ code: 'CHAIN_BROKEN' });
    const report = await verify(project.repository, { backupIds: null, level: 'presence', maxAgeMs: null });
    expect(report.exit_code).toBe(4);
    expect(report.errors).toContainEqual(expect.objectContaining({ code: 'CHAIN_BROKEN', object: backupId }));
    expect(await list(project.repository, {})).toMatchObject({ backups: [{ good: false }] });
    const next = await project.backup(INCREMENTAL);
    expect(next.backups[0]).toMatchObject({ backup_type: 'full' });
  });
});
