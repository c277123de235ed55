import { expect, test } from 'vitest';
import { verify } from '../../src/operations/verify.ts';
import { type Ended, runCommandLine } from '../support/command-line.ts';
import { Project, SETTINGS } from '../support/project.ts';

/** The real program in a heap that is smaller than the data (failure-catalogue.md P04). */

const DOCUMENTS = 4000;
const DOCUMENT_BYTES = 10_000;
/** Less than the documents have. */
const ENOUGH_MEGABYTES = 36;
/** From too little to begin with to hardly enough. */
const FEW_MEGABYTES = [10, 13, 16, 19];

async function filled(): Promise<Project> {
  const project = await Project.open(SETTINGS[0]);
  for (let number = 0; number < DOCUMENTS; number++) {
    const text = String(number).padEnd(DOCUMENT_BYTES, 'x');
    project.sandbox.insert('users', `{"id":"d${number}","text":"${text}"}`);
  }
  return project;
}

async function run(project: Project, megabytes: number, ...argv: string[]): Promise<Ended> {
  return await runCommandLine(argv, {
    env: {
      ...project.environment,
      NODE_OPTIONS: `--max-old-space-size=${megabytes}`,
    },
  });
}

test('a heap smaller than the data is enough', async () => {
  await using project = await filled();
  const documents = project.payloads('users');
  expect(documents.join().length).toBeGreaterThan(ENOUGH_MEGABYTES * 2 ** 20);
  const good = { code: 0, signal: null };
  expect(await run(project, ENOUGH_MEGABYTES, 'backup', '--collections', 'users')).toMatchObject(good);
  expect(await run(project, ENOUGH_MEGABYTES, 'verify', '--level', 'decode')).toMatchObject(good);
  project.sandbox.wipe();
  const all = ['restore', '--collections', 'users'];
  expect(await run(project, ENOUGH_MEGABYTES, ...all)).toMatchObject(good);
  expect(project.payloads('users')).toEqual(documents);
});

/** Whether there was memory enough. Nothing but success and a plain message is an end. */
function succeeded({ code, signal, stderr }: Ended): boolean {
  if (code === 0) return true;
  expect(code === 134 || signal === 'SIGABRT').toBe(true);
  expect(stderr).toContain('heap out of memory');
  return false;
}

test('a heap that is too small is no success, says so, and breaks nothing', async () => {
  await using project = await filled();
  const documents = project.payloads('users');
  let backups = 0;
  for (const megabytes of FEW_MEGABYTES) {
    if (succeeded(await run(project, megabytes, 'backup', '--collections', 'users'))) backups++;
  }
  expect(backups).toBeLessThan(FEW_MEGABYTES.length);
  const rerun = await project.backup({ collections: ['users'] });
  expect(rerun.exit_code).toBe(0);
  const verified = await verify(project.repository, { backupIds: null, level: 'decode', maxAgeMs: null });
  expect(verified.errors).toEqual([]);
  expect(verified.backups).toHaveLength(backups + 1);

  let restores = 0;
  for (const megabytes of FEW_MEGABYTES) {
    project.sandbox.wipe();
    if (!succeeded(await run(project, megabytes, 'restore', '--collections', 'users'))) continue;
    expect(project.payloads('users')).toEqual(documents);
    restores++;
  }
  expect(restores).toBeLessThan(FEW_MEGABYTES.length);
  await project.restore({ backupId: rerun.backups[0]!.backup_id! });
  expect(project.payloads('users')).toEqual(documents);
});
