import { expect, test } from 'vitest';
import { LEASE_PREFIX } from '../../../src/archive/layout.ts';
import { takeLease } from '../../../src/catalog/lease.ts';
import type { LeaseKind } from '../../../src/model/lease.ts';
import { type BackupRequest, backup } from '../../../src/operations/backup.ts';
import { cleanup } from '../../../src/operations/cleanup/cleanup.ts';
import { list } from '../../../src/operations/list.ts';
import { rebuild } from '../../../src/operations/rebuild.ts';
import { applyRestore, planRestore } from '../../../src/operations/restore.ts';
import { verify } from '../../../src/operations/verify.ts';
import { openRepository, type Repository } from '../../../src/repository.ts';
import { openDirectoryStore } from '../../../src/stores/directory.ts';
import { Project, REQUEST, SETTINGS } from '../../support/project.ts';

const USERS: BackupRequest = { ...REQUEST, collections: ['users'] };
const LAST = [{ kind: 'last', count: 1 }] as const;
const CLEANUP = { rules: LAST, confirmed: true, dryRun: false };

async function opened() {
  const project = await Project.open(SETTINGS[0]);
  for (let at = 0; at < 5; at++) project.sandbox.insert('users', `{"id":"u${at}"}`);
  const repository: Repository = { ...project.repository, lockWaitMs: 10 };
  const hold = (kind: LeaseKind) =>
    takeLease(repository, { kind, operation: kind === 'shared' ? 'backup' : 'cleanup', waitMs: 10 });
  const count = async (prefix: string) => (await Array.fromAsync(repository.store.list(prefix))).length;
  return { project, repository, hold, count };
}

/** The same repository; while it does something, this machine sleeps, and others take its lease for stale. */
function thatSleeps(
  { repository, project: { platform } }: Awaited<ReturnType<typeof opened>>,
  when: (call: string, key: string) => boolean,
): Repository {
  let slept = 0;
  const clock = { ...platform.clock, now: () => platform.clock.now() + slept };
  const { store } = repository;
  const sleepAt = async (call: string, key: string) => {
    if (slept > 0 || !when(call, key)) return;
    slept = 3_600_000;
    for (const { key: lease } of await Array.fromAsync(store.list(LEASE_PREFIX))) await store.remove(lease);
  };
  return {
    ...repository,
    platform: {
      ...platform,
      clock,
    },
    store: {
      ...store,
      async put(key, pieces, signal) {
        await store.put(key, pieces, signal);
        await sleepAt('put', key);
      },
      async remove(key, signal) {
        await store.remove(key, signal);
        await sleepAt('remove', key);
      },
    },
  };
}

test('while a cleanup is at work nothing is added, and everything is read', async () => {
  const { project, repository, hold, count } = await opened();
  await using _ = project;
  const { backups } = await backup(repository, project.target, USERS);
  const plan = await planRestore(repository, project.target, { backupId: backups[0]!.backup_id! });
  project.sandbox.wipe('users');
  const changed = await planRestore(repository, project.target, { backupId: backups[0]!.backup_id! });
  const lease = await hold('exclusive');
  const locked = { code: 'CATALOG_LOCKED', exit: 6 };
  await expect(backup(repository, project.target, USERS)).rejects.toMatchObject(locked);
  await expect(cleanup(repository, CLEANUP)).rejects.toMatchObject(locked);
  await expect(rebuild(repository, { dryRun: false })).rejects.toMatchObject(locked);
  await expect(applyRestore(changed)).rejects.toMatchObject(locked);
  expect(project.payloads('users')).toEqual([]);
  expect((await list(repository, {})).exit_code).toBe(0);
  const whole = { backupIds: null, level: 'decode', maxAgeMs: null } as const;
  expect((await verify(repository, whole)).exit_code).toBe(0);
  expect((await cleanup(repository, { ...CLEANUP, dryRun: true })).exit_code).toBe(0);
  expect((await backup(repository, project.target, { ...USERS, dryRun: true })).exit_code).toBe(0);
  expect((await applyRestore(changed, { undoable: false })).exit_code).toBe(0);
  await lease.release();
  await plan.close();
  await changed.close();
  expect(await count('manifests/')).toBe(1);
  expect(await count('')).toBe(4);
});

test('two backups are made at a time; what is old goes when nobody else is at work', async () => {
  const { project, repository, hold, count } = await opened();
  await using _ = project;
  const lease = await hold('shared');
  await backup(repository, project.target, { ...USERS, retention: LAST });
  const second = await backup(repository, project.target, { ...USERS, retention: LAST });
  expect(second).toMatchObject({ exit_code: 0, warnings: [{ code: 'CATALOG_LOCKED' }] });
  expect(second.warnings[0]!.message).toMatch(/^nothing old was removed from .*is in use: backup on /);
  expect(await count('manifests/')).toBe(2);
  await lease.release();
  expect((await backup(repository, project.target, { ...USERS, retention: LAST })).warnings).toEqual([]);
  expect(await count('manifests/')).toBe(1);
  expect(await count(LEASE_PREFIX)).toBe(0);
});

test('a lease of another run does not make an empty store a foreign one', async () => {
  const { project, repository, hold } = await opened();
  await using _ = project;
  await using _lease = { [Symbol.asyncDispose]: () => lease.release() };
  const lease = await hold('shared');
  expect((await backup(repository, project.target, USERS)).exit_code).toBe(0);
});

test('a backup that slept and was taken for dead commits nothing', async () => {
  const given = await opened();
  await using _ = given.project;
  const asleep = thatSleeps(given, (call, key) => call === 'put' && key.startsWith('indexes/'));
  const report = await backup(asleep, given.project.target, USERS);
  expect(report).toMatchObject({ exit_code: 6, errors: [{ code: 'CATALOG_LOCKED' }] });
  expect(await given.count('manifests/')).toBe(0);
  expect(await given.count(LEASE_PREFIX)).toBe(0);
});

test('a cleanup that slept and was taken for dead removes nothing more', async () => {
  const given = await opened();
  const { project, repository, count } = given;
  await using _ = project;
  for (let times = 0; times < 4; times++) await backup(repository, project.target, USERS);
  const asleep = thatSleeps(given, (call, key) => call === 'remove' && key.startsWith('manifests/'));
  const report = await cleanup(asleep, CLEANUP);
  expect(report).toMatchObject({ exit_code: 6 });
  expect(await count('manifests/')).toBe(3);
  // a rerun finishes it
  expect(await cleanup(repository, CLEANUP)).toMatchObject({ exit_code: 0 });
  expect(await count('manifests/')).toBe(1);
});

test('with several stores the one that is in use fails alone', async () => {
  const { project, repository, hold } = await opened();
  await using _ = project;
  const { platform, directory } = project;
  const open = (name: string): Repository => ({
    ...openRepository(
      platform,
      openDirectoryStore(platform, `${directory}/${name}`),
      repository.stateDirectory,
    ),
    lockWaitMs: 10,
  });
  const lease = await hold('exclusive');
  const home = { spool: open('spool'), stores: [repository, open('other')] };
  const report = await backup(home, project.target, USERS);
  expect(report.exit_code).toBe(3);
  expect(report.errors).toMatchObject([{ code: 'CATALOG_LOCKED' }]);
  await lease.release();
  expect((await backup(home, project.target, USERS)).delivered).toHaveLength(1);
});
