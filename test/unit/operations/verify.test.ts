import { expect, it } from 'vitest';
import { BackupError } from '../../../src/kernel/errors.ts';
import { verify } from '../../../src/operations/verify.ts';
import { Project, SETTINGS } from '../../support/project.ts';

it('damage decides how a verify ends, also of a backup of which something else cannot be read', async () => {
  await using project = await Project.open(SETTINGS[0]);
  project.sandbox.insert('users', '{"id":"1"}');
  await project.backup({ collections: ['users'] });
  const { store } = project.repository;
  const get: typeof store.get = async function* (key, range, signal) {
    if (key.startsWith('backups/')) throw new BackupError('STORE_FORBIDDEN', 'no access');
    for await (const piece of store.get(key, range, signal)) {
      yield key.startsWith('indexes/') ? Uint8Array.from(piece, (byte) => byte ^ 1) : piece;
    }
  };
  const { exit_code, errors } = await verify(
    { ...project.repository, store: { ...store, get } },
    { backupIds: null, level: 'checksum', maxAgeMs: null },
  );
  expect(errors.map(({ code }) => code)).toEqual(['STORE_FORBIDDEN', 'INDEX_DAMAGED']);
  expect(exit_code).toBe(4);
});
