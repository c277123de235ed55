import { expect, test } from 'vitest';
import { runCommandLine } from '../support/command-line.ts';
import { serveProject } from '../support/served-project.ts';

test('the weekly cleanup of the specification, a pin, and a backup that goes by its id', async () => {
  await using project = await serveProject({ dialects: ['A'] });
  const run = (...argv: string[]) => runCommandLine(argv, { env: project.env, cwd: project.home });
  for (let times = 0; times < 2; times++)
    expect((await run('backup', '--collections', 'users')).code).toBe(0);
  const listed = await run('list', '--collection', 'users');
  const [newer, older] = listed.stdout
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/)[0]!);

  const weekly = await run('--cleanup', '--days', '30');
  expect(weekly.code).toBe(0);
  expect(weekly.stdout).toMatch(/Kept: 2\nRemoved: 0/);
  const dry = await run('cleanup', '--dry-run');
  expect(dry.stdout).toMatch(new RegExp(`keep +${newer}: newest good full backup; not older than 7 days`));

  expect((await run('pin', older!, '--reason', 'audit')).stdout).toContain('pinned');
  expect((await run('show', older!)).stdout).toMatch(/Mark:\s+pin: audit/);
  expect((await run('cleanup', '--id', older!, '--yes')).code).toBe(9);
  expect((await run('unpin', older!)).code).toBe(0);
  expect((await run('cleanup', '--id', older!, '--yes')).code).toBe(0);
  expect([...project.sandbox.documents('backup_metadata')].map(({ key }) => key)).toEqual([newer]);
  const last = await run('cleanup', '--id', newer!, '--yes');
  expect(last.code).toBe(9);
  expect(last.stderr).toContain('last good full backup of users');
  expect((await run('list', '--collection', 'users')).stdout.trim().split('\n')).toHaveLength(1);
});
