import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { markKey } from '../../../src/archive/layout.ts';
import { readMark } from '../../../src/catalog/marks.ts';
import { BackupError } from '../../../src/kernel/errors.ts';
import type { BackupReport } from '../../../src/model/report.ts';
import { type BackupRequest, backup } from '../../../src/operations/backup.ts';
import { list } from '../../../src/operations/list.ts';
import { markBackup } from '../../../src/operations/mark.ts';
import { openRepository, type Repository } from '../../../src/repository.ts';
import { openDirectoryStore } from '../../../src/stores/directory.ts';
import { Project, REQUEST, SETTINGS } from '../../support/project.ts';

/** One rule that gives up everything but the newest good backup. */
const NEWEST: Partial<BackupRequest> = {
  collections: ['users'],
  retention: [{ kind: 'last', count: 1 }],
};

async function users(count: number): Promise<Project> {
  const project = await Project.open(SETTINGS[0]);
  for (let at = 0; at < count; at++) project.sandbox.insert('users', `{"id":"u${at}"}`);
  return project;
}

const idOf = ({ backups }: BackupReport): string => backups[0]!.backup_id!;

async function idsIn(repository: Repository): Promise<string[]> {
  return (await list(repository, {})).backups.map(({ manifest }) => manifest.backup_id);
}

test('a backup of an emptied collection is kept, told of, and takes the place of nothing until it is acknowledged', async () => {
  await using project = await users(2);
  const full = idOf(await project.backup(NEWEST));
  project.sandbox.wipe('users');
  const dry = await project.backup({ ...NEWEST, dryRun: true });
  expect(dry.warnings).toMatchObject([{ code: 'COLLECTION_EMPTIED' }]);
  expect((await list(project.repository, {})).backups).toHaveLength(1);

  const report = await project.backup(NEWEST);
  expect(report).toMatchObject({ exit_code: 0, warnings: [{ code: 'COLLECTION_EMPTIED', object: 'users' }] });
  const empty = idOf(report);
  expect(report.warnings[0]!.message).toContain(`acknowledge ${empty}`);
  const { reason } = await readMark(project.repository, empty, 'anomaly');
  expect(reason).toBe(`collection users is empty; ${full} has 2 documents of it`);
  const listed = await list(project.repository, {});
  expect(listed.backups.map(({ good, marks }) => [good, marks])).toEqual([
    [false, ['anomaly']],
    [true, undefined],
  ]);

  // it is still empty: what is compared is the last good one
  const again = await project.backup(NEWEST);
  expect(again.warnings).toMatchObject([{ code: 'COLLECTION_EMPTIED' }]);
  expect(await idsIn(project.repository)).toContain(full);
  await markBackup([project.repository], 'acknowledge', idOf(again), null);
  const last = await project.backup(NEWEST);
  expect(last.warnings).toEqual([]);
  expect(await idsIn(project.repository)).not.toContain(full);
});

test('no manifest is there without its mark, whenever the run ends', async () => {
  await using project = await users(2);
  await project.backup(NEWEST);
  project.sandbox.wipe('users');
  const { repository } = project;
  const puts: string[] = [];
  const put: Repository['store']['put'] = async (key, pieces, signal) => {
    puts.push(key.split('/')[0]!);
    await repository.store.put(key, pieces, signal);
  };
  const watched = { ...repository, store: { ...repository.store, put } };
  await backup(watched, project.target, { ...REQUEST, collections: ['users'] });
  expect(puts).toEqual(['backups', 'indexes', 'marks', 'manifests']);
});

test('text that became noise is one, and freezes its own collection alone', async () => {
  await using project = await Project.open(SETTINGS[0]);
  const { sandbox } = project;
  const insert = (text: (at: number) => string) => {
    for (let at = 0; at < 60; at++) sandbox.insert('users', `{"id":"u${at}","text":"${text(at)}"}`);
  };
  insert((at) => `document ${at} `.repeat(2000));
  sandbox.insert('events', '{"id":"e"}');
  const both = { ...NEWEST, collections: ['users', 'events'] };
  await project.backup(both);
  for (let at = 0; at < 60; at++) sandbox.delete('users', `u${at}`);
  insert(() => randomBytes(24_000).toString('base64'));
  const { warnings, exit_code } = await project.backup(both);
  expect(exit_code).toBe(0);
  expect(warnings).toMatchObject([{ code: 'COLLECTION_INCOMPRESSIBLE', object: 'users' }]);
  const left = (await idsIn(project.repository)).map((id) => id.split('_')[0] ?? '');
  expect(left.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['events', 'users', 'users']);
});

test('it is noted in every store before the backup is there, and later in one that failed', async () => {
  await using project = await users(3);
  const { platform, directory, repository } = project;
  const stores = ['one', 'two'].map((name) =>
    openRepository(platform, openDirectoryStore(platform, join(directory, name)), repository.stateDirectory),
  );
  const spool = openRepository(
    platform,
    openDirectoryStore(platform, join(directory, 'spool')),
    repository.stateDirectory,
  );
  let broken = false;
  const puts: string[] = [];
  const watched = stores.map((one, index): Repository => {
    const put: typeof one.store.put = async (key, pieces, signal) => {
      if (broken && index === 1) throw new BackupError('STORE_FAILED', 'no answer');
      puts.push(`${index} ${key}`);
      await one.store.put(key, pieces, signal);
    };
    return { ...one, store: { ...one.store, put } };
  });
  const run = () =>
    backup({ spool, stores: watched }, project.target, { ...REQUEST, collections: ['users'] });
  await run();
  project.sandbox.wipe('users');
  broken = true;
  const report = await run();
  const id = idOf(report);
  expect(report.exit_code).toBe(3);
  expect(puts.indexOf(`0 ${markKey(id, 'anomaly')}`)).toBeLessThan(puts.indexOf(`0 manifests/${id}.json`));
  expect(await stores[1]!.store.size(markKey(id, 'anomaly'))).toBe(null);
  broken = false;
  await run();
  for (const store of stores) {
    const { backups } = await list(store, {});
    expect(backups.find(({ manifest }) => manifest.backup_id === id)).toMatchObject({ marks: ['anomaly'] });
  }
  expect(await spool.store.size(markKey(id, 'anomaly'))).toBe(null);
});
