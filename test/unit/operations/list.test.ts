import { expect, it } from 'vitest';
import { BackupError } from '../../../src/kernel/errors.ts';
import { list, show } from '../../../src/operations/list.ts';
import { Project, SETTINGS } from '../../support/project.ts';

it('damage decides how a list ends, whatever else cannot be read', async () => {
  await using project = await Project.open(SETTINGS[0]);
  for (const name of ['users', 'events', 'agents']) project.sandbox.insert(name, '{"id":"1"}');
  await project.backup({ collections: ['users', 'events', 'agents'] });
  const { store } = project.repository;
  const listWith = async (unreadable: string, damaged: string) => {
    const get: typeof store.get = async function* (key, range, signal) {
      if (key.includes(`/${unreadable}_`)) throw new BackupError('STORE_FAILED', 'no answer');
      for await (const piece of store.get(key, range, signal)) {
        yield key.includes(`/${damaged}_`) ? piece.subarray(1) : piece;
      }
    };
    const report = await list({ ...project.repository, store: { ...store, get } }, {});
    return [report.exit_code, report.errors.map(({ code }) => code)];
  };
  expect(await listWith('agents', 'users')).toEqual([4, ['STORE_FAILED', 'MANIFEST_DAMAGED']]);
  expect(await listWith('agents', 'none')).toEqual([7, ['STORE_FAILED']]);
  expect(await listWith('none', 'none')).toEqual([0, []]);
});

it('a show that fails has left nothing under way', async () => {
  await using project = await Project.open(SETTINGS[0]);
  project.sandbox.insert('users', '{"id":"1"}');
  const { backups } = await project.backup({ collections: ['users'] });
  const { store } = project.repository;
  let underWay = 0;
  const size: typeof store.size = async (key, signal) => {
    underWay++;
    try {
      if (key.startsWith('manifests/')) throw new BackupError('STORE_FAILED', 'no answer');
      return await store.size(key, signal);
    } finally {
      underWay--;
    }
  };
  const shown = show({ ...project.repository, store: { ...store, size } }, backups[0]!.backup_id!);
  await expect(shown).rejects.toMatchObject({ code: 'STORE_FAILED' });
  expect(underWay).toBe(0);
});
