import { expect, it } from 'vitest';
import { BackupError } from '../../../src/kernel/errors.ts';
import { verify } from '../../../src/operations/verify.ts';
import { backupError } from '../../support/expected-errors.ts';
import { Project, SETTINGS } from '../../support/project.ts';

it('a verification that is stopped while it looks at the marker is stopped, and not a report of failures', async () => {
  await using project = await Project.open(SETTINGS[0]);
  project.sandbox.insert('users', '{"id":"1"}');
  await project.backup({ collections: ['users'] });
  const stop = new AbortController();
  const { store } = project.repository;
  const repository = {
    ...project.repository,
    store: {
      ...store,
      size: (key: string) => {
        if (key === 'repository.json') stop.abort(new BackupError('TERMINATED', 'terminated'));
        return store.size(key);
      },
    },
  };
  const request = { backupIds: null, level: 'presence', maxAgeMs: null } as const;
  await expect(verify(repository, request, { signal: stop.signal })).rejects.toEqual(
    backupError('TERMINATED'),
  );
});
