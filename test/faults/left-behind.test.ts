import { mkdir } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { BackupError } from '../../src/kernel/errors.ts';
import { backup } from '../../src/operations/backup.ts';
import { verify } from '../../src/operations/verify.ts';
import { openRepository } from '../../src/repository.ts';
import { memoryStore } from '../support/memory-store.ts';
import { Project, REQUEST, SETTINGS } from '../support/project.ts';

// found by the simulation: seeds 24 and 122
it('an index of an interrupted run does not stand in the way of a backup of the same second', async () => {
  await using project = await Project.open(SETTINGS[0]);
  project.sandbox.insert('users', '{"id":"u"}');
  const clock = { ...project.platform.clock, now: () => Date.UTC(2026, 10, 22, 10) };
  const objects = new Map([['indexes/users_full_20261122_100000', Buffer.from('left behind')]]);
  const repository = openRepository({ ...project.platform, clock }, memoryStore(objects), project.directory);
  const report = await backup(repository, project.target, {
    ...REQUEST,
    collections: ['users'],
    adoptStore: true,
  });
  expect(report).toMatchObject({ exit_code: 0, backups: [{ backup_id: 'users_full_20261122_100001' }] });
  const verified = await verify(repository, { backupIds: null, level: 'decode', maxAgeMs: null });
  expect(verified.unfinished).toEqual(['users_full_20261122_100000']);
});

it('a marker that cannot be read is no success of verify', async () => {
  await using project = await Project.open(SETTINGS[0]);
  project.sandbox.insert('users', '{"id":"u"}');
  await project.backup({ collections: ['users'] });
  const store = {
    ...project.repository.store,
    size: async (key: string) => {
      if (key === 'repository.json') throw Object.assign(new Error('EIO'), { code: 'EIO' });
      return await project.repository.store.size(key);
    },
  };
  const repository = { ...project.repository, store };
  const report = await verify(repository, { backupIds: null, level: 'presence', maxAgeMs: null });
  expect(report.errors).toHaveLength(1);
  expect(report.exit_code).not.toBe(0);
});

it('a marker that is no file is said, not tried for ever', async () => {
  await using project = await Project.open(SETTINGS[0]);
  project.sandbox.insert('users', '{"id":"u"}');
  await mkdir(`${project.storePath}/repository.json`, { recursive: true });
  const report = await project.backup({ collections: ['users'] });
  expect(report).toMatchObject({
    exit_code: 7,
    errors: [{ code: 'STORE_EXISTS', object: 'repository.json' }],
  });
});

it('where a manifest cannot be taken away again, its data stays with it', async () => {
  await using project = await Project.open(SETTINGS[0]);
  project.sandbox.insert('users', '{"id":"u"}');
  const { store } = project.repository;
  const isManifest = (key: string): boolean => key.startsWith('manifests/');
  const failing = {
    ...store,
    async *get(key: string, ...rest: unknown[]) {
      if (isManifest(key)) yield Buffer.from('misread');
      else yield* store.get(key, ...(rest as []));
    },
    remove: async (key: string) => {
      if (isManifest(key)) throw new BackupError('STORE_FAILED', 'cannot remove');
      await store.remove(key);
    },
  };
  const report = await backup({ ...project.repository, store: failing }, project.target, {
    ...REQUEST,
    collections: ['users'],
  });
  expect(report.exit_code).toBe(7);
  const verified = await verify(project.repository, { backupIds: null, level: 'decode', maxAgeMs: null });
  expect(verified).toMatchObject({ exit_code: 0, backups: [{ outcome: 'good' }] });
});
