import { readFile, rm, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { encodeManifest, type Manifest, type UnsignedManifest } from '../../../src/model/manifest.ts';
import { applyRestore, planRestore, validateBackup } from '../../../src/operations/restore.ts';
import { verify } from '../../../src/operations/verify.ts';
import { Project, SETTINGS } from '../../support/project.ts';

const VERIFY = { backupIds: null, level: 'checksum', maxAgeMs: null } as const;

async function backedUp(setting: (typeof SETTINGS)[number], documents: readonly string[]) {
  const project = await Project.open(setting);
  for (const document of documents) project.sandbox.insert('users', document);
  const { backups } = await project.backup({ collections: ['users'] });
  return { project, backupId: backups[0]!.backup_id! };
}

test('a backup that needs a base is never taken for a whole one', async () => {
  const { project, backupId } = await backedUp(SETTINGS[0], ['{"id":"a"}']);
  await using _ = project;
  const path = `${project.storePath}/manifests/${backupId}.json`;
  const { manifest_sha256: _old, ...fields } = JSON.parse(await readFile(path, 'utf8')) as Manifest;
  const forged = { ...fields, base_backup_id: 'users_full_20250101_000000' } as UnsignedManifest;
  await rm(path);
  await writeFile(path, encodeManifest(project.platform.codec, forged));
  await expect(validateBackup(project.repository, backupId)).rejects.toMatchObject({
    code: 'FORMAT_UNKNOWN',
  });
  await expect(project.restore({ backupId })).rejects.toMatchObject({ code: 'FORMAT_UNKNOWN' });
});

test('a store without backups is no good news', async () => {
  const { project, backupId } = await backedUp(SETTINGS[0], ['{"id":"a"}']);
  await using _ = project;
  expect((await verify(project.repository, VERIFY)).exit_code).toBe(0);
  await rm(`${project.storePath}/manifests/${backupId}.json`);
  const report = await verify(project.repository, VERIFY);
  expect(report.errors).toMatchObject([{ code: 'BACKUP_MISSING' }]);
  expect(report.exit_code).toBe(5);
});

test('a collection that was emptied is said', async () => {
  const { project } = await backedUp(SETTINGS[0], ['{"id":"a"}', '{"id":"b"}']);
  await using _ = project;
  project.sandbox.wipe('users');
  const again = await project.backup({ collections: ['users'] });
  expect(again.warnings).toMatchObject([{ code: 'COLLECTION_EMPTIED', object: 'users' }]);
});

test('documents without an id, written in another way by the server, are not doubled by a second restore', async () => {
  const { project, backupId } = await backedUp(SETTINGS[2], [
    '{"b":1.0,"a":2}',
    '{"b":1.50,"a":3}',
    '{"b":1.0,"a":2}',
  ]);
  await using _ = project;
  project.sandbox.wipe('users');
  project.sandbox.misbehave({ reformats: true });
  const { report } = await project.restore({ backupId });
  expect(report).toMatchObject({
    exit_code: 0,
    counts: { created: 3, different: 0 },
    read_back: { different: 0 },
  });
  expect(report.warnings).toMatchObject([{ code: 'KEYS_CHANGE' }]);
  const again = await project.restore({ backupId });
  expect(again.report).toMatchObject({ exit_code: 0, counts: { created: 0, same: 3 } });
  expect(project.sandbox.documentCount('users')).toBe(3);
});

test('a restore that is stopped says how far it came', async () => {
  const documents = Array.from({ length: 2000 }, (_, number) => `{"id":"d${number}"}`);
  const { project, backupId } = await backedUp(SETTINGS[0], documents);
  await using _ = project;
  project.sandbox.wipe();
  const stop = new AbortController();
  const plan = await planRestore(project.repository, project.target, { backupId }, { signal: stop.signal });
  const applying = applyRestore(plan, {
    signal: stop.signal,
    onEvent: (event) => {
      if (event.type === 'progress' && event.phase === 'apply' && event.done >= 200)
        stop.abort(new Error('stop'));
    },
  });
  await expect(applying).rejects.toMatchObject({
    kept: expect.stringMatching(/^\d+ of 2000 documents were written/),
  });
  await plan.close();
  expect(project.sandbox.documentCount('users')).toBeLessThan(2000);
});
