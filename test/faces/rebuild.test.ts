import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCommandLine } from '../support/command-line.ts';
import { writePredecessorFile } from '../support/predecessor.ts';
import { filesBelow, type ServedProject, serveProject } from '../support/served-project.ts';

let project: ServedProject;
beforeEach(async () => {
  project = await serveProject({ dialects: ['A'] });
});
afterEach(() => project[Symbol.asyncDispose]());

const zerodbBackup = (...argv: string[]) => runCommandLine(argv, { env: project.env, cwd: project.home });

test('an index that was lost is made again', async () => {
  await zerodbBackup('backup', '--collections', 'users,events');
  const before = filesBelow(project.storePath);
  rmSync([...before.keys()].find((path) => path.includes('/indexes/users'))!);
  const dry = await zerodbBackup('rebuild', '--dry-run');
  expect(dry.stdout).toMatch(/users_full_\d+_\d+: index was missing, can be made again/);
  const { code, stdout, stderr } = await zerodbBackup('rebuild');
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/events_full_\d+_\d+: index is good/);
  expect(stdout).toMatch(/users_full_\d+_\d+: index was missing, made again/);
  expect(filesBelow(project.storePath)).toEqual(before);
});

test('archives of the predecessor are adopted, listed, verified, restored', async () => {
  const old = join(project.home, 'old');
  const documents = Array.from(
    { length: 250 },
    (_, n) => `{"id":"u${n}","name":"User ${n}","ratio":1.0,"big":9007199254740993}`,
  );
  await writePredecessorFile(join(old, 'users_full_20250109_143000.json.gz'), {
    collection: 'users',
    documents,
  });
  mkdirSync(join(old, 'deep'));
  writeFileSync(join(old, 'deep', 'broken.json.gz'), 'not gzip');
  const dry = await zerodbBackup('rebuild', '--adopt', '--from', 'old', '--dry-run');
  expect(dry.stdout).toContain('can be adopted, 250 docs');
  const { code, stdout, stderr } = await zerodbBackup('rebuild', '--adopt', '--from', 'old');
  expect(code).toBe(3);
  expect(stdout).toMatch(/users_full_20250109_143000\.json\.gz: users_full_20250109_143000, 250 docs/);
  expect(stdout).toMatch(/broken\.json\.gz is no whole archive of the predecessor.*ADOPT_REFUSED/);
  expect(stdout).toContain('Documents may be missing');
  expect(stderr).toContain('ADOPTED_UNPROVEN');

  expect((await zerodbBackup('list', '--collection', 'users')).stdout).toMatch(
    /^users_full_20250109_143000 /,
  );
  expect((await zerodbBackup('show', 'users_full_20250109_143000')).stdout).toContain('Adopted From:');
  expect((await zerodbBackup('verify', '--level', 'decode')).code).toBe(0);
  const before = project.sandbox.digest();
  project.sandbox.wipe('users');
  expect((await zerodbBackup('--restore', 'users_full_20250109_143000')).code).toBe(0);
  expect(project.sandbox.digest()).toBe(before);
  // the store is this project's now: backups go on in it
  expect((await zerodbBackup('backup', '--collections', 'users')).code).toBe(0);

  rmSync(join(old, 'deep'), { recursive: true });
  const again = await zerodbBackup('rebuild', '--adopt', '--from', 'old', '--json');
  expect(again.code).toBe(0);
  expect(JSON.parse(again.stdout.trimEnd().split('\n').at(-1)!)).toMatchObject({
    type: 'summary',
    operation: 'rebuild',
    backups: [{ outcome: 'known', backup_id: 'users_full_20250109_143000' }],
  });
});

test('what nobody can mean is refused', async () => {
  expect(await zerodbBackup('rebuild', '--from', 'old')).toMatchObject({ code: 2 });
  expect(await zerodbBackup('rebuild', '--adopt', '--from', 'nowhere')).toMatchObject({ code: 2 });
  const { ZERODB_API_BASE_URL: _url, ...env } = project.env;
  mkdirSync(join(project.home, 'old'));
  const unnamed = await runCommandLine(['rebuild', '--adopt', '--from', 'old'], { env, cwd: project.home });
  expect(unnamed.code).toBe(2);
  expect(unnamed.stderr).toContain('ZERODB_API_BASE_URL');
});
