import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { BackupReport } from '../../src/model/report.ts';
import { backup } from '../../src/operations/backup.ts';
import { verify } from '../../src/operations/verify.ts';
import { runShell } from '../support/command-line.ts';
import { Project, REQUEST, SETTINGS } from '../support/project.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { expectNothingLeftBehind } from '../support/whole-store.ts';

/** A disk without room (failure-catalogue.md P05), for real: nothing unfinished stays, and room is all that it takes. */

const COLLECTIONS = ['users', 'events'];

/** Documents that do not compress well. */
async function filled(documents: number): Promise<Project> {
  const project = await Project.open(SETTINGS[0]);
  const random = seededRandom(4);
  for (const collection of COLLECTIONS) {
    for (let number = 0; number < documents; number++) {
      const text = Buffer.from(random.bytes(300)).toString('base64');
      project.sandbox.insert(collection, `{"id":"d${number}","text":"${text}"}`);
    }
  }
  return project;
}

/** As a process of its own would: the store may be another one than before. */
async function backUp(project: Project): Promise<BackupReport> {
  const { repository, target } = await project.openTool(project.platform);
  return await backup(repository, target, { ...REQUEST, collections: COLLECTIONS });
}

async function expectRoomIsAllItTakes(project: Project): Promise<void> {
  const report = await backUp(project);
  expect(report).toMatchObject({ exit_code: 0, errors: [] });
  const verified = await verify(project.repository, { backupIds: null, level: 'decode', maxAgeMs: null });
  expect(verified.errors).toEqual([]);
}

/** Which kind of object found no room. */
function kindOf(message: string): string {
  return /\/(backups|indexes|manifests)/.exec(message)?.[1] ?? message;
}

function mount(path: string, kibibytes: number, ...options: string[]): boolean {
  const size = [...options, `size=${kibibytes}k`].join(',');
  return spawnSync('mount', ['-t', 'tmpfs', '-o', size, 'none', path]).status === 0;
}

// root on Linux may mount; where nobody may, the test below has to do
const mayMount = (() => {
  using directory = temporaryDirectory();
  return mount(directory.path, 64) && spawnSync('umount', [directory.path]).status === 0;
})();

test.runIf(mayMount)('P05: a file system that is full at any point of a backup', async () => {
  await using project = await filled(40);
  const full = new Set<string>();
  for (let kibibytes = 4; kibibytes <= 60; kibibytes += 4) {
    mkdirSync(project.storePath, { recursive: true });
    expect(mount(project.storePath, kibibytes)).toBe(true);
    try {
      const report = await backUp(project);
      const failed = report.errors.map(({ code, message }) => {
        full.add(kindOf(message));
        return code;
      });
      expect(failed).toEqual(failed.map(() => 'STORE_FULL'));
      expect(report.exit_code).toBe([0, 3, 7][failed.length]);
      const held = await expectNothingLeftBehind(project);
      expect(held).toBe(COLLECTIONS.length - failed.length);
      expect(mount(project.storePath, 1024, 'remount')).toBe(true);
      await expectRoomIsAllItTakes(project);
    } finally {
      spawnSync('umount', ['-l', project.storePath]);
    }
  }
  expect([...full].sort()).toEqual(['backups', 'indexes', 'manifests']);
});

test.each([
  { documents: 200, kibibytes: 20, what: 'backups' },
  { documents: 1, kibibytes: 1, what: 'manifests' },
])('P05: files that may not grow, found at $what', async ({ documents, kibibytes, what }) => {
  await using project = await filled(documents);
  const env = {
    ...project.environment,
    NODE_COMPILE_CACHE: '', // it would not fit either
  };
  const limited = `ulimit -f ${kibibytes} && zerodb-backup backup --collections ${COLLECTIONS.join(',')}`;
  const ended = await runShell(limited, { env });
  expect({ code: ended.code, stderr: ended.stderr }).toMatchObject({ code: 7 });
  const complaints = ended.stderr
    .split('\n')
    .filter((line) => line.includes('STORE_FULL') && !line.includes('cleanup would free'));
  expect(complaints.map(kindOf)).toEqual(COLLECTIONS.map(() => what));
  expect(ended.stdout).toContain('Raise the limit on the size of files');
  expect(await expectNothingLeftBehind(project)).toBe(0);
  await expectRoomIsAllItTakes(project);
});
