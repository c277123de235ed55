import { expect, test } from 'vitest';
import { BackupService } from '../../src/index.ts';
import { runCommandLine } from '../support/command-line.ts';
import { serveProject } from '../support/served-project.ts';

test.each([
  ['subcommands', ['backup', '--incremental'], (id: string) => ['restore', id, '--yes']],
  ["the specification's flags", ['--backup', '--incremental'], (id: string) => ['--restore', id]],
])('%s: full, change, incremental, disaster, the state of that time', async (_face, backUp, restore) => {
  await using project = await serveProject({ dialects: ['A'] });
  const { sandbox } = project;
  const run = (...argv: string[]) => runCommandLine(argv, { env: project.env, cwd: project.home });
  const first = await run(...backUp);
  expect(first.code).toBe(0);
  expect(first.stdout).toContain('Backup Type: Incremental');
  expect(first.stdout).toMatch(/users: 250 docs, .* \(full: there is no good full backup to build on\)/);

  sandbox.insert('users', '{"id":"late"}');
  sandbox.delete('users', 'u7');
  const digest = sandbox.digest('users');
  const second = await run(...backUp);
  expect(second.code).toBe(0);
  expect(second.stdout).toMatch(/users: 1 docs, .* \(changed, of 250; 1 deleted\)/);
  const listed = await run('list', '--collection', 'users', '--backup-type', 'incremental');
  const [id] = listed.stdout.trim().split(/\s+/);
  expect(id).toMatch(/^users_incremental_\d{8}_\d{6}$/);
  expect((await run('show', id!)).stdout).toMatch(/Chain:\s+users_full_\S+ -> users_incremental_/);

  sandbox.wipe('users');
  const restored = await run(...restore(id!));
  expect(restored.code, restored.stderr).toBe(0);
  expect(sandbox.digest('users')).toBe(digest);
});

test('the library makes them as well', async () => {
  await using project = await serveProject({ dialects: ['A'] });
  const { sandbox, storePath, home } = project;
  const configuration = {
    source: sandbox.url,
    apiKey: sandbox.apiKey,
    store: storePath,
    stateDir: `${home}/state`,
  };
  await using service = await BackupService.open(configuration);
  await service.backupCollection('users');
  sandbox.insert('users', '{"id":"late"}');
  const { backups } = await service.backupCollection('users', { incremental: true });
  expect(backups).toMatchObject([{ backup_type: 'incremental', document_count: 1, state_count: 251 }]);
  expect(await service.cleanupOldBackups({ days: 30 })).toMatchObject({
    exit_code: 0,
    backups: [{ outcome: 'kept' }, { outcome: 'kept' }],
  });
  expect(sandbox.documentCount('backup_metadata')).toBe(2);
});
