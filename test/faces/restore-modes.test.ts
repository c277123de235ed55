import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeRestoreRecord, type RestoreRecord } from '../../src/model/restore-record.ts';
import { createPlatform } from '../../src/platform/platform.ts';
import { runCommandLine } from '../support/command-line.ts';
import { filesBelow, type ServedProject, serveProject } from '../support/served-project.ts';

let project: ServedProject;
let backupId: string;
const saved = Array.from(
  { length: 300 },
  (_, n) => `{"id":"u${n}","name":"User ${n}","big":9007199254740993}`,
);

beforeEach(async () => {
  project = await serveProject({ dialects: ['A'] });
  project.sandbox.wipe();
  for (const text of saved) project.sandbox.insert('users', text);
  const made = await zerodbBackup('backup', '--collections', 'users', '--json');
  backupId = summary(made.stdout).backups[0]!.backup_id;
});
afterEach(() => project[Symbol.asyncDispose]());

const zerodbBackup = (...argv: string[]) => runCommandLine(argv, { env: project.env, cwd: project.home });

interface Summary {
  exit_code: number;
  backups: { backup_id: string; restore_id: string; counts: Record<string, number> }[];
  errors: { code: string; message: string }[];
  warnings: { code: string; message: string }[];
}

function summary(stdout: string): Summary {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Summary;
}

function payload(id: string): string | undefined {
  return project.sandbox.payload('users', id)?.toString('utf8');
}

/** What goes wrong at night: one document changed, one gone, one that is new. */
function disaster(): void {
  project.sandbox.update('users', 'u1', '{"id":"u1","name":"Mallory","extra":true}');
  project.sandbox.delete('users', 'u2');
  project.sandbox.insert('users', '{"id":"new","name":"New"}');
}

test('an exact restore deletes what the backup does not hold, and an undo brings it back', async () => {
  disaster();
  const before = project.sandbox.digest();
  const refused = await zerodbBackup('restore', backupId, '--exact');
  expect(refused.code).toBe(9);
  expect(refused.stderr).toContain('--yes');
  expect(project.sandbox.digest()).toBe(before);

  const dry = await zerodbBackup('restore', backupId, '--exact', '--dry-run', '--verbose');
  expect(dry.stdout).toContain('Would Be Deleted: 1');
  expect(dry.stdout).toMatch(/replace\s+u1: name, extra, big/);
  expect(dry.stdout).toMatch(/create\s+u2/);
  expect(dry.stdout).toMatch(/delete\s+new/);
  expect(dry.stdout.match(/^ {2}same\s+u\d+$/gm)).toHaveLength(298);
  const replacing = await zerodbBackup('restore', backupId, '--dry-run', '--verbose');
  expect(replacing.stdout).toMatch(/extra\s+new/);
  expect(dry.stdout).toMatch(/1 of the documents to be deleted were created after the backup began: "new"/);
  expect(project.sandbox.digest()).toBe(before);

  const { code, stdout } = await zerodbBackup('restore', backupId, '--exact', '--yes', '--json');
  expect(code).toBe(0);
  const { restore_id: restoreId, counts } = summary(stdout).backups[0]!;
  expect(counts).toMatchObject({ created: 1, replaced: 1, deleted: 1, same: 298, extra: 0 });
  expect([...project.sandbox.documents('users')].map(({ data }) => data.toString()).sort()).toEqual(
    [...saved].sort(),
  );
  const kept = gunzipSync(
    readFileSync(join(project.storePath, 'restores', restoreId, 'pre-images.json.gz')),
  ).toString();
  expect(kept).toContain('Mallory');
  expect(kept).toContain('{"id":"new","name":"New"}');
  expect(existsSync(join(project.storePath, 'restores', restoreId, 'report.json'))).toBe(true);

  // the application goes on: it writes one of the documents that were restored
  project.sandbox.update('users', 'u2', '{"id":"u2","name":"after"}');
  const undone = await zerodbBackup('undo', restoreId, '--json');
  expect(undone.code).toBe(3);
  expect(summary(undone.stdout)).toMatchObject({
    backups: [{ mode: 'undo', counts: { created: 1, replaced: 1, deleted: 0, changed: 1 } }],
    errors: [{ code: 'RESTORE_CHANGED', message: expect.stringContaining('"u2"') as unknown }],
  });
  expect(payload('u1')).toContain('Mallory');
  expect(payload('u2')).toBe('{"id":"u2","name":"after"}');
  expect(payload('new')).toBe('{"id":"new","name":"New"}');
});

test('a merge keeps the members that only the target has', async () => {
  disaster();
  const { code, stdout } = await zerodbBackup('--restore', backupId, '--merge');
  expect(code).toBe(0);
  expect(stdout).toContain('Merge Mode: Yes');
  expect(payload('u1')).toBe('{"id":"u1","name":"User 1","extra":true,"big":9007199254740993}');
  expect(payload('u2')).toBe(saved[2]);
  expect(payload('new')).toBe('{"id":"new","name":"New"}');
});

test('chosen documents: nothing else is written, and little is read', async () => {
  disaster();
  const { code, stdout } = await zerodbBackup('restore', backupId, '--ids', 'u1,u7', '--json');
  expect(code).toBe(0);
  expect(summary(stdout).backups[0]!.counts).toMatchObject({ created: 0, replaced: 1, same: 1 });
  expect(payload('u1')).toBe(saved[1]);
  expect(payload('u2')).toBeUndefined();
  expect(summary(stdout).warnings).toContainEqual(expect.objectContaining({ code: 'BYTES_READ' }));
  const none = await zerodbBackup('restore', backupId, '--ids', 'u2,nobody', '--json');
  expect(none.code).toBe(3);
  expect(summary(none.stdout).errors[0]!.message).toContain('nobody');
  expect(payload('u2')).toBe(saved[2]);
  expect((await zerodbBackup('restore', backupId, '--ids', 'u1', '--exact', '--yes')).code).toBe(9);
});

test('a saved plan is carried out as it is, or refused', async () => {
  disaster();
  const before = project.sandbox.digest();
  const made = await zerodbBackup('restore', backupId, '--plan', 'plan.ndjson');
  expect(made.stdout).toMatch(/Some 4 requests; one by one, at the rate at which the target was read: 0:01/);
  expect(made.code, made.stderr).toBe(0);
  expect(project.sandbox.digest()).toBe(before);
  const file = join(project.home, 'plan.ndjson');
  expect(statSync(file).mode & 0o077).toBe(0);
  const [head, ...changes] = readFileSync(file, 'utf8').trimEnd().split('\n');
  expect(JSON.parse(head!)).toMatchObject({ kind: 'restore-plan', backup_id: backupId, mode: 'replace' });
  expect(changes.map((line) => (JSON.parse(line) as { do?: string }).do)).toEqual([
    'replace',
    'create',
    undefined,
  ]);

  project.sandbox.update('users', 'u9', '{"id":"u9","name":"meanwhile"}');
  const outdated = await zerodbBackup('restore', '--apply', 'plan.ndjson');
  expect(outdated.code).toBe(9);
  expect(outdated.stderr).toContain('u9');
  expect(payload('u1')).toContain('Mallory');

  project.sandbox.update('users', 'u9', saved[9]!);
  writeFileSync(join(project.home, 'cut.ndjson'), `${head}\n${changes[0]}\n`);
  expect((await zerodbBackup('restore', '--apply', 'cut.ndjson')).code).toBe(4);
  const applied = await zerodbBackup('restore', '--apply', 'plan.ndjson');
  expect(applied.code, applied.stderr).toBe(0);
  expect(payload('u1')).toBe(saved[1]);
  expect(payload('u2')).toBe(saved[2]);
});

test('what is good of a damaged backup', async () => {
  const archive = [...filesBelow(project.storePath).keys()].find((path) => path.includes('/backups/'))!;
  const bytes = readFileSync(archive);
  writeFileSync(archive, bytes.subarray(0, bytes.length - 40)); // the trailer is cut
  disaster();
  expect((await zerodbBackup('restore', backupId)).code).toBe(4);
  const { code, stdout } = await zerodbBackup('restore', backupId, '--allow-partial', '--yes', '--json');
  expect([0, 4]).toContain(code);
  expect(summary(stdout).backups[0]!.counts).toMatchObject({ created: 1, replaced: 1 });
  expect(payload('u2')).toBe(saved[2]);
});

test('what a damaged backup has lost is said, and is a failure', async () => {
  const archive = [...filesBelow(project.storePath).keys()].find((path) => path.includes('/backups/'))!;
  const bytes = readFileSync(archive);
  bytes.fill(0xff, bytes.length >> 1, (bytes.length >> 1) + 100);
  writeFileSync(archive, bytes);
  const { code, stdout } = await zerodbBackup('restore', backupId, '--allow-partial', '--yes', '--json');
  expect(code).toBe(4);
  expect(summary(stdout).errors).toMatchObject([{ code: 'ARCHIVE_DAMAGED' }]);
  expect(summary(stdout).errors[0]!.message).toMatch(/ documents? .*cannot be restored/);
});

test('an undo says which restores there are', async () => {
  const none = await zerodbBackup('undo', '20260101_000000_00000000');
  expect(none.code).toBe(5);
  expect(none.stderr).toContain('No restore was made from this store');
  project.sandbox.delete('users', 'u3');
  const { stdout } = await zerodbBackup('restore', backupId);
  const restoreId = /Restore ID: (\S+)/.exec(stdout)![1]!;
  const wrong = await zerodbBackup('undo', '../../etc/passwd');
  expect(wrong.code).toBe(5);
  expect(wrong.stderr).toContain(restoreId);
  expect((await zerodbBackup('undo', restoreId)).code).toBe(0);
  expect(payload('u3')).toBeUndefined();
  const again = await zerodbBackup('resume', restoreId);
  expect(again.code, again.stderr).toBe(0);
  expect(payload('u3')).toBe(saved[3]);
});

test('a store that takes nothing stops a restore, unless nothing is to be kept', async () => {
  project.sandbox.delete('users', 'u3');
  writeFileSync(join(project.storePath, 'restores'), 'in the way');
  const { code, stderr } = await zerodbBackup('restore', backupId);
  expect(code).toBe(7);
  expect(stderr).toContain('--without-undo');
  expect(payload('u3')).toBeUndefined();
  const { code: without, stdout } = await zerodbBackup('restore', backupId, '--without-undo');
  expect(without).toBe(0);
  expect(stdout).not.toContain('Restore ID');
  expect(payload('u3')).toBe(saved[3]);
});

test('an undo ends though a record says that it goes on with itself', async () => {
  project.sandbox.delete('users', 'u3');
  const { stdout } = await zerodbBackup('restore', backupId);
  const restoreId = /Restore ID: (\S+)/.exec(stdout)![1]!;
  const file = join(project.storePath, 'restores', restoreId, 'plan.json');
  const { plan_sha256: _, ...record } = JSON.parse(readFileSync(file, 'utf8')) as RestoreRecord;
  const forged = { ...record, continues: restoreId } as RestoreRecord;
  chmodSync(file, 0o600);
  writeFileSync(file, encodeRestoreRecord(createPlatform().codec, forged));
  const undone = await zerodbBackup('undo', restoreId, '--json');
  expect(undone.code, undone.stderr).toBe(0);
  expect(summary(undone.stdout).backups).toHaveLength(1);
});

test('a dry run of an undo shows the newest part of what was gone on with, and takes nothing for granted of the others', async () => {
  project.sandbox.delete('users', 'u3');
  const { stdout } = await zerodbBackup('restore', backupId);
  const first = /Restore ID: (\S+)/.exec(stdout)![1]!;
  project.sandbox.delete('users', 'u4');
  const resumed = await zerodbBackup('resume', first, '--json');
  const restoreId = summary(resumed.stdout).backups[0]!.restore_id;
  const dry = summary((await zerodbBackup('undo', restoreId, '--dry-run', '--json')).stdout);
  expect(dry.backups.map(({ counts }) => counts.deleted)).toEqual([1]);
  const undone = summary((await zerodbBackup('undo', restoreId, '--json')).stdout);
  expect(undone.backups.map(({ counts }) => counts.deleted)).toEqual([1, 1]);
  expect([payload('u3'), payload('u4')]).toEqual([undefined, undefined]);
});

test('another server is named before it is written to, and agreed to', async () => {
  await using other = await serveProject({ dialects: ['A'] });
  other.sandbox.wipe();
  const argv = ['restore', backupId, '--target', other.sandbox.url];
  const refused = await zerodbBackup(...argv);
  expect([refused.code, other.sandbox.writes]).toEqual([9, 0]);
  expect(refused.stderr).toContain('--yes');
  const shown = async (...more: string[]) =>
    await runCommandLine([...argv, ...more], {
      env: {
        ...project.env,
        ZERODB_TARGET_API_KEY: other.sandbox.apiKey,
        ZERODB_TARGET_PROJECT_ID: other.sandbox.project,
      },
      cwd: project.home,
    });
  const done = await shown('--yes');
  expect(done.code, done.stderr).toBe(0);
  const name = ({ sandbox }: ServedProject): string =>
    `users on ${sandbox.url.replace('http://', '')} project ${sandbox.project}`;
  expect(done.stdout).toContain(`Plan for ${name(other)}, 300 documents`);
  expect(done.stdout).toContain(`Backed up from ${name(project)}`);
});
