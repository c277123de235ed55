import { expect, it } from 'vitest';
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
