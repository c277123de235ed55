import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { takeLease } from '../../src/catalog/lease.ts';
import type { LeaseHome } from '../../src/catalog/other-leases.ts';
import { createPlatform } from '../../src/platform/platform.ts';
import { openDirectoryStore } from '../../src/stores/directory.ts';
import { runCommandLine } from '../support/command-line.ts';
import { serveProject } from '../support/served-project.ts';

test('a store in use ends a run with exit code 6, that of a dead process does not', async () => {
  await using project = await serveProject({ dialects: ['A'] });
  const { storePath, env, home } = project;
  const run = (...argv: string[]) => runCommandLine(argv, { env, cwd: home });
  expect((await run('backup', '--collections', 'users')).code).toBe(0);

  const platform = createPlatform();
  const store = openDirectoryStore(platform, storePath);
  const hold = (place: LeaseHome) =>
    takeLease(place, { kind: 'exclusive', operation: 'cleanup', waitMs: 1000 });
  const lease = await hold({ platform, store });
  const locked = await run('backup', '--collections', 'users', '--lock-wait', '1s');
  expect(locked.code).toBe(6);
  expect(locked.stderr).toMatch(/waiting up to 1 s for cleanup on /);
  expect(locked.stderr).toMatch(
    new RegExp(`is in use: cleanup on .* \\(process ${process.pid}, since .*CATALOG_LOCKED`),
  );
  expect((await run('cleanup', '--lock-wait', '1s')).code).toBe(6);
  expect((await run('list')).code).toBe(0);
  expect((await run('verify')).code).toBe(0);
  await lease.release();

  const { pid } = spawnSync(process.execPath, ['--version']);
  await hold({ platform: { ...platform, host: { ...platform.host, pid } }, store });
  const after = await run('backup', '--collections', 'users', '--lock-wait', '1s');
  expect(after.code, after.stderr).toBe(0);
  expect(after.stderr).not.toContain('waiting');
  expect(readdirSync(join(storePath, 'leases'))).toEqual([]);
});
