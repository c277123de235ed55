import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BackupService } from '../../src/index.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { runCommandLine } from '../support/command-line.ts';
import { serveProject } from '../support/served-project.ts';

test('every collection goes back to its state at a time, and never to one that there was not', async () => {
  await using project = await serveProject({ dialects: ['A'] });
  const { sandbox, env, home, storePath } = project;
  const run = (...argv: string[]) => runCommandLine(argv, { env, cwd: home });
  expect((await run('backup', '--collections', 'users')).code).toBe(0);
  sandbox.insert('users', '{"id":"late"}');
  const users = sandbox.digest('users');
  const events = sandbox.digest('events');
  expect((await run('backup', '--incremental', '--collections', 'users')).code).toBe(0);
  expect((await run('backup', '--collections', 'events')).code).toBe(0);
  const windows = readdirSync(join(storePath, 'manifests')).map((name) => {
    const text = readFileSync(join(storePath, 'manifests', name), 'utf8');
    return JSON.parse(text) as Manifest;
  });
  const ends = windows.map(({ window }) => window.end).toSorted();
  const [first, increment, at] = ends as [string, string, string];
  sandbox.delete('users', 'u7');
  sandbox.wipe('events');
  expect((await run('backup', '--collections', 'users')).code).toBe(0);

  const listed = await run('list', '--verbose');
  expect(listed.stdout).toMatch(/Chain: users_full_\S+ -> users_incremental_/);
  expect(listed.stdout).toContain(`Recoverable: ${first.slice(0, 19).replace('T', ' ')} to `);

  const before = await run('restore', '--all', '--at', '2001-01-01');
  expect(before.code).toBe(5);
  expect(before.stderr).toContain(
    `2001-01-01T00:00:00.000000Z is before the first state: there are states from ${first} to `,
  );
  expect((await run('restore', '--all', '--at', '2999-01-01 12:00')).stderr).toContain('is yet to come');
  const early = await run('restore', '--all', '--at', increment, '--dry-run');
  expect(early.code).toBe(3);
  expect(early.stderr).toMatch(/no good backup of collection events by /);

  const restored = await run('restore', '--all', '--at', at, '--exact', '--yes');
  expect(restored.code, restored.stderr).toBe(0);
  expect(restored.stdout).toContain(`States at ${at} (UTC):`);
  expect(restored.stdout).toMatch(/ {2}users_incremental_\d+_\d+ {2}\d+ s before\n/);
  expect(restored.stdout.indexOf('States at')).toBeLessThan(restored.stdout.indexOf('Backup ID: '));
  expect([sandbox.digest('users'), sandbox.digest('events')]).toEqual([users, events]);

  await using service = await BackupService.open({
    source: sandbox.url,
    apiKey: sandbox.apiKey,
    store: storePath,
    stateDir: `${home}/state`,
  });
  const report = await service.restoreCollection('users', { at: first }, { dryRun: true });
  expect(report).toMatchObject({ stage: 'planned', backup_type: 'full', document_count: 250 });
  await expect(service.restoreCollection('users', { at: new Date(0) })).rejects.toMatchObject({
    code: 'BACKUP_MISSING',
  });
  await expect(service.restoreCollection('users', { at: 'noon' })).rejects.toMatchObject({
    code: 'USAGE_INVALID',
  });
});
