import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommandLine } from '../support/command-line.ts';
import { filesBelow, serveProject } from '../support/served-project.ts';

test('two stores: one is lost, found again, and either restores everything', async () => {
  await using project = await serveProject();
  const [a, b] = [join(project.home, 'a'), join(project.home, 'b')];
  const env = { ...project.env, ZERODB_BACKUP_STORE: `${a},${b}` };
  const run = (...argv: string[]) => runCommandLine(argv, { env, cwd: project.home });
  const first = await run('backup');
  expect(first.code).toBe(0);
  expect(first.stdout).toContain(`Store: file://${b}`);

  await rename(b, `${b}-away`);
  await writeFile(b, 'the disk is not mounted');
  const second = await run('backup');
  expect(second.code).toBe(3);
  expect(second.stdout).toMatch(/✓ file:.*\/a\n\s+✗ file:.*\/b: /);
  expect(second.stdout).toContain('COMPLETED_WITH_ERRORS');
  const listed = await run('list', '--json');
  expect(listed.code).toBe(3);
  const spool = join(project.home, 'state/zerodb-backup/spool');
  expect([...filesBelow(spool).keys()]).toHaveLength(8); // two backups, and a note for each that `a` has it

  await rm(b);
  await rename(`${b}-away`, b);
  const lacking = await run('list');
  expect(lacking.code).toBe(0);
  expect(lacking.stderr).toMatch(/Not in file:.*\/b: /);
  expect((await run('backup')).code).toBe(0);
  expect((await run('list')).stderr).not.toContain('Not in');
  expect([...filesBelow(spool).keys()]).toEqual([]);

  const verified = await run('verify');
  expect(verified.code).toBe(0);
  expect(verified.stdout).toContain(` in file://${b}: good`);
  await rm(a, { recursive: true });
  project.sandbox.wipe('users');
  const restored = await run('restore', '--all', '--yes');
  expect(restored.stdout).toContain('250');
  expect(project.sandbox.documentCount('users')).toBe(250);
});
