import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { indexKey, manifestKey } from '../../../src/archive/layout.ts';
import { readCatalog } from '../../../src/catalog/catalog.ts';
import { putMark } from '../../../src/catalog/marks.ts';
import { BackupError } from '../../../src/kernel/errors.ts';
import { SPECIFIED_RULES } from '../../../src/model/retention-policy.ts';
import { type BackupRequest, backup } from '../../../src/operations/backup.ts';
import { type CleanupRequest, cleanup } from '../../../src/operations/cleanup/cleanup.ts';
import { markBackup } from '../../../src/operations/mark.ts';
import { verify } from '../../../src/operations/verify.ts';
import { openRepository, type Repository } from '../../../src/repository.ts';
import { openDirectoryStore } from '../../../src/stores/directory.ts';
import { Project, REQUEST, SETTINGS } from '../../support/project.ts';

const DAY = 24 * 60 * 60 * 1000;
const NOW = Date.UTC(2026, 0, 1, 12);
const POLICY = { baseAgeMaxMs: 7 * DAY, sizeMax: 0.9 };

/** A project whose tool lives at a time of its own. */
class Calendar {
  readonly project: Project;
  now = NOW;

  private constructor(project: Project) {
    this.project = project;
  }

  static async open(): Promise<Calendar> {
    const project = await Project.open(SETTINGS[0]);
    for (let at = 0; at < 50; at++) project.sandbox.insert('users', `{"id":"u${at}","x":${Math.sin(at)}}`);
    return new Calendar(project);
  }

  get repository(): Repository {
    const { platform, storePath, repository } = this.project;
    const clock = { ...platform.clock, now: () => this.now, monotonic: () => platform.clock.monotonic() };
    const there = { ...platform, clock };
    return openRepository(there, openDirectoryStore(there, storePath), repository.stateDirectory);
  }

  /** Ids of the backups made so many days before NOW. */
  async backupAt(days: number, request: Partial<BackupRequest> = {}): Promise<string> {
    this.now = NOW - days * DAY;
    const asked = { ...REQUEST, collections: ['users'], ...request };
    const { backups } = await backup(this.repository, this.project.target, asked);
    this.now = NOW;
    return backups[0]!.backup_id!;
  }

  async cleanup(request: Partial<CleanupRequest> = {}) {
    const asked = { rules: SPECIFIED_RULES, confirmed: false, dryRun: false, ...request };
    return await cleanup(this.repository, asked);
  }

  async ids(): Promise<string[]> {
    return (await readCatalog(this.repository)).backups.map(({ backup_id }) => backup_id);
  }

  async objects(): Promise<string[]> {
    const entries = await readdir(this.project.storePath, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.project[Symbol.asyncDispose]();
  }
}

test('removes what no rule keeps, all of it, and what stays is whole', async () => {
  await using calendar = await Calendar.open();
  const ids: string[] = [];
  for (const days of [0, 3, 10, 11, 400]) ids.push(await calendar.backupAt(days));
  const dry = await calendar.cleanup({ dryRun: true });
  expect(await calendar.ids()).toHaveLength(5);
  const report = await calendar.cleanup();
  expect(report.backups).toEqual(dry.backups);
  expect(report).toMatchObject({ exit_code: 0, errors: [] });
  // 22 December 2025 is a Monday; the 21st is the last of its week
  expect(report.backups.map(({ backup_id, outcome }) => [backup_id, outcome])).toEqual([
    [ids[0], 'kept'],
    [ids[1], 'kept'],
    [ids[2], 'kept'],
    [ids[3], 'kept'],
    [ids[4], 'removed'],
  ]);
  expect(report.freed_bytes).toBeGreaterThan(100);
  expect((await calendar.objects()).filter((name) => name.includes(ids[4]!))).toEqual([]);
  expect(
    await verify(calendar.repository, { backupIds: null, level: 'decode', maxAgeMs: null }),
  ).toMatchObject({ exit_code: 0 });
});

test('a base stays as long as what is built on it; both go together, the dependent first', async () => {
  await using calendar = await Calendar.open();
  const base = await calendar.backupAt(9);
  calendar.project.sandbox.insert('users', '{"id":"late"}');
  const increment = await calendar.backupAt(5, { incremental: POLICY });
  expect(increment).toContain('incremental');
  const newest = await calendar.backupAt(1);
  const rules = [{ kind: 'last', count: 1 }] as const;
  const report = await calendar.cleanup({ rules });
  expect(report.backups.find(({ backup_id }) => backup_id === base)!.reasons).toEqual([
    `base of ${increment}`,
  ]);
  expect(await calendar.ids()).toHaveLength(3);
  calendar.now = NOW + 4 * DAY;
  await cleanup(calendar.repository, { rules, confirmed: false, dryRun: false });
  expect(await calendar.ids()).toEqual([newest]);
});

test('days that override the policy remove nothing that is younger, of no kind', async () => {
  await using calendar = await Calendar.open();
  const base = await calendar.backupAt(19);
  calendar.project.sandbox.insert('users', '{"id":"late"}');
  const increment = await calendar.backupAt(18, { incremental: POLICY });
  const newest = await calendar.backupAt(0);
  const days = async (count: number) =>
    await calendar.cleanup({ days: count, overridePolicy: true, confirmed: true });
  await days(30);
  expect(await calendar.ids()).toEqual([newest, increment, base]);
  await days(18);
  expect(await calendar.ids()).toEqual([newest, increment, base]);
  await days(17);
  expect(await calendar.ids()).toEqual([newest]);
});

test('the archive of a base stays where only its manifest is gone', async () => {
  await using calendar = await Calendar.open();
  const base = await calendar.backupAt(9);
  calendar.project.sandbox.insert('users', '{"id":"late"}');
  await calendar.backupAt(3, { incremental: POLICY });
  await rm(join(calendar.project.storePath, manifestKey(base)));
  expect((await calendar.cleanup()).leftovers).toEqual([]);
});

test('days respect the policy, unless they are told not to; the last good one stays in any case', async () => {
  await using calendar = await Calendar.open();
  const monthly = await calendar.backupAt(61); // 1 November 2025
  const weekly = await calendar.backupAt(24); // 8 December 2025, a Monday
  const plain = await calendar.backupAt(23);
  expect((await calendar.cleanup({ days: 30 })).freed_bytes).toBe(0);
  expect(
    (await calendar.cleanup({ days: 20, dryRun: true })).backups.filter(
      ({ outcome }) => outcome === 'removed',
    ),
  ).toMatchObject([]);
  expect(await calendar.ids()).toEqual([plain, weekly, monthly]);
  const forced = await calendar.cleanup({ days: 20, overridePolicy: true, confirmed: true });
  expect(forced.backups.map(({ outcome }) => outcome)).toEqual(['kept', 'removed', 'removed']);
  expect(await calendar.ids()).toEqual([plain]);
});

test('pinned ones stay until they are unpinned', async () => {
  await using calendar = await Calendar.open();
  const old = await calendar.backupAt(400);
  await calendar.backupAt(0);
  expect(await markBackup([calendar.repository], 'pin', old, 'the audit of 2024')).toMatchObject({
    outcome: 'pinned',
  });
  await calendar.cleanup({ confirmed: true });
  expect(await calendar.ids()).toContain(old);
  await expect(calendar.cleanup({ backupId: old })).rejects.toMatchObject({ code: 'CLEANUP_REFUSED' });
  await markBackup([calendar.repository], 'unpin', old, null);
  await calendar.cleanup({ confirmed: true });
  expect(await calendar.ids()).not.toContain(old);
  await expect(markBackup([calendar.repository], 'pin', old, null)).rejects.toMatchObject({
    code: 'BACKUP_MISSING',
  });
});

test('an anomaly freezes its collection until somebody has acknowledged it', async () => {
  await using calendar = await Calendar.open();
  const old = await calendar.backupAt(400);
  await calendar.backupAt(2);
  const strange = await calendar.backupAt(0);
  await putMark(calendar.repository, strange, 'anomaly', 'half of it is gone');
  const report = await calendar.cleanup();
  expect(report.backups.every(({ outcome }) => outcome === 'kept')).toBe(true);
  await markBackup([calendar.repository], 'acknowledge', strange, null);
  await calendar.cleanup();
  expect(await calendar.ids()).not.toContain(old);
  await expect(
    markBackup([calendar.repository], 'acknowledge', await calendar.backupAt(0), null),
  ).rejects.toMatchObject({
    code: 'USAGE_INVALID',
  });
});

test('nothing is removed while anything is in doubt', async () => {
  await using calendar = await Calendar.open();
  const old = await calendar.backupAt(400);
  const newer = await calendar.backupAt(1);
  const path = join(calendar.project.storePath, manifestKey(newer));
  await rename(path, `${path}.away`);
  await writeFile(path, '{}');
  await expect(calendar.cleanup()).rejects.toMatchObject({
    code: 'CLEANUP_REFUSED',
    kept: 'Nothing was removed.',
  });
  await rm(path);
  await rename(`${path}.away`, path);
  calendar.now = NOW - 2 * DAY; // the newest backup is of tomorrow
  await expect(
    cleanup(calendar.repository, { rules: SPECIFIED_RULES, confirmed: true, dryRun: false }),
  ).rejects.toMatchObject({
    code: 'CLEANUP_REFUSED',
  });
  calendar.now = NOW;
  expect(await calendar.ids()).toEqual([newer, old]);
});

test('a clock that is a year ahead does not empty the store', async () => {
  await using calendar = await Calendar.open();
  for (let days = 20; days >= 0; days--) await calendar.backupAt(days);
  const before = await calendar.ids();
  calendar.now = NOW + 500 * DAY;
  const request = { rules: SPECIFIED_RULES, confirmed: false, dryRun: false };
  await expect(cleanup(calendar.repository, request)).rejects.toMatchObject({ code: 'CLEANUP_REFUSED' });
  const asked = { ...REQUEST, collections: ['users'], retention: SPECIFIED_RULES };
  const report = await backup(calendar.repository, calendar.project.target, asked);
  expect(report).toMatchObject({ exit_code: 0, warnings: [{ code: 'CLEANUP_REFUSED' }] });
  for (const id of before) expect(await calendar.ids()).toContain(id);
});

test('five backups are not lost to a clock that jumps, nor is the last one that is right', async () => {
  await using calendar = await Calendar.open();
  for (const days of [4, 3, 2, 1, 0]) await calendar.backupAt(days);
  const before = await calendar.ids();
  calendar.now = NOW + 365 * DAY;
  const asked = { ...REQUEST, collections: ['users'], retention: SPECIFIED_RULES };
  const { backups, warnings } = await backup(calendar.repository, calendar.project.target, asked);
  expect(warnings).toMatchObject([{ code: 'CLEANUP_REFUSED' }]);
  for (const id of before) expect(await calendar.ids()).toContain(id);
  calendar.now = NOW;
  const ahead = backups[0]!.backup_id!;
  await expect(calendar.cleanup()).rejects.toThrow('yet to come');
  expect(await calendar.cleanup({ backupId: ahead })).toMatchObject({ exit_code: 0 });
  expect(await calendar.cleanup()).toMatchObject({ exit_code: 0 });
});

test('what is built on a base keeps it, also where days are asked for', async () => {
  await using calendar = await Calendar.open();
  const base = await calendar.backupAt(33);
  calendar.project.sandbox.insert('users', '{"id":"late"}');
  const increment = await calendar.backupAt(28, { incremental: POLICY });
  await calendar.backupAt(1);
  await calendar.cleanup({ days: 30 });
  expect(await calendar.ids()).toEqual(expect.arrayContaining([base, increment]));
});

test('a pin that is put while a cleanup is at work is honoured', async () => {
  await using calendar = await Calendar.open();
  const [first, second] = [await calendar.backupAt(400), await calendar.backupAt(399)];
  await calendar.backupAt(0);
  const { store } = calendar.repository;
  const pinning = {
    ...store,
    remove: async (key: string) => {
      await store.remove(key);
      await putMark(calendar.repository, second, 'pin', null);
    },
  };
  const repository = { ...calendar.repository, store: pinning };
  const report = await cleanup(repository, { rules: SPECIFIED_RULES, confirmed: true, dryRun: false });
  expect(report).toMatchObject({ exit_code: 3, errors: [{ code: 'CLEANUP_REFUSED', object: second }] });
  expect(await calendar.ids()).not.toContain(first);
  expect(await calendar.ids()).toContain(second);
});

test('a base whose dependent could not be removed is left', async () => {
  await using calendar = await Calendar.open();
  const base = await calendar.backupAt(20);
  calendar.project.sandbox.insert('users', '{"id":"late"}');
  const increment = await calendar.backupAt(19, { incremental: POLICY });
  await calendar.backupAt(1);
  const { store } = calendar.repository;
  const stubborn = {
    ...store,
    remove: async (key: string) => {
      if (key.includes('incremental')) throw new BackupError('STORE_FORBIDDEN', 'locked');
      await store.remove(key);
    },
  };
  const request = { rules: [{ kind: 'last', count: 1 }] as const, confirmed: true, dryRun: false };
  const report = await cleanup({ ...calendar.repository, store: stubborn }, request);
  expect(report.errors.map(({ object }) => object)).toEqual([increment, base]);
  expect(await calendar.ids()).toEqual(expect.arrayContaining([base, increment]));
});

test('one backup by its id, but not one that others need', async () => {
  await using calendar = await Calendar.open();
  const base = await calendar.backupAt(3);
  await expect(calendar.cleanup({ backupId: base })).rejects.toThrow('last good full backup');
  calendar.project.sandbox.insert('users', '{"id":"late"}');
  const increment = await calendar.backupAt(2, { incremental: POLICY });
  const full = await calendar.backupAt(1);
  await expect(calendar.cleanup({ backupId: base })).rejects.toThrow('is built on it');
  expect(await calendar.cleanup({ backupId: increment })).toMatchObject({ exit_code: 0 });
  await calendar.cleanup({ backupId: base });
  expect(await calendar.ids()).toEqual([full]);
  await expect(calendar.cleanup({ backupId: base })).rejects.toMatchObject({ code: 'BACKUP_MISSING' });
});

test('after a backup old ones of its collection go, and of no other', async () => {
  await using calendar = await Calendar.open();
  calendar.project.sandbox.insert('events', '{"id":"e"}');
  const both = { collections: ['users', 'events'], retention: SPECIFIED_RULES };
  await calendar.backupAt(400, both);
  await calendar.backupAt(399, both);
  await calendar.backupAt(1);
  calendar.project.sandbox.misbehave({ forbidden: ['events'] });
  await calendar.backupAt(0, both);
  const left = await calendar.ids();
  expect(left.filter((id) => id.startsWith('users_'))).toHaveLength(2);
  expect(left.filter((id) => id.startsWith('events_'))).toHaveLength(2);
});

test('data of interrupted runs goes after a while, the archives of the predecessor do not', async () => {
  await using calendar = await Calendar.open();
  const dead = await calendar.backupAt(30);
  const recent = await calendar.backupAt(2);
  await calendar.backupAt(0);
  for (const id of [dead, recent]) await rm(join(calendar.project.storePath, manifestKey(id)));
  const predecessor = join(calendar.project.storePath, 'backups', 'users_full_20250101_000000.json.gz');
  await writeFile(predecessor, Buffer.from([0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3, ...Array(60).fill(0)]));
  const report = await calendar.cleanup();
  expect(report.leftovers).toEqual([`backups/${dead}.json.gz`, indexKey(dead)]);
  const objects = await calendar.objects();
  expect(objects).toContain('users_full_20250101_000000.json.gz');
  expect(objects.some((name) => name.includes(recent))).toBe(true);
});
