import { cp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { archiveKey, indexKey } from '../../../src/archive/layout.ts';
import { listMarks, readMark } from '../../../src/catalog/marks.ts';
import { BackupError } from '../../../src/kernel/errors.ts';
import type { VerifyLevel } from '../../../src/model/report.ts';
import { list } from '../../../src/operations/list.ts';
import { verify } from '../../../src/operations/verify.ts';
import { openRepository } from '../../../src/repository.ts';
import { openDirectoryStore } from '../../../src/stores/directory.ts';
import { Project, SETTINGS } from '../../support/project.ts';

it('damage decides how a verify ends, also of a backup of which something else cannot be read', async () => {
  await using project = await Project.open(SETTINGS[0]);
  project.sandbox.insert('users', '{"id":"1"}');
  await project.backup({ collections: ['users'] });
  const { store } = project.repository;
  const get: typeof store.get = async function* (key, range, signal) {
    if (key.startsWith('backups/')) throw new BackupError('STORE_FORBIDDEN', 'no access');
    for await (const piece of store.get(key, range, signal)) {
      yield key.startsWith('indexes/') ? Uint8Array.from(piece, (byte) => byte ^ 1) : piece;
    }
  };
  const { exit_code, errors } = await verify(
    { ...project.repository, store: { ...store, get } },
    { backupIds: null, level: 'checksum', maxAgeMs: null },
  );
  expect(errors.map(({ code }) => code)).toEqual(['STORE_FORBIDDEN', 'INDEX_DAMAGED']);
  expect(exit_code).toBe(4);
});

describe('what a verification finds', () => {
  async function damaged(
    level: VerifyLevel,
    damage: (project: Project, id: string) => Promise<() => Promise<void>>,
  ) {
    const project = await Project.open(SETTINGS[0]);
    project.sandbox.insert('users', '{"id":"1"}');
    const { backups } = await project.backup({ collections: ['users'] });
    const id = backups[0]!.backup_id!;
    const repair = await damage(project, id);
    const run = (at: VerifyLevel = level, maxAgeMs: number | null = null) =>
      verify(project.repository, { backupIds: null, level: at, maxAgeMs });
    const marks = async () => [...((await listMarks(project.repository)).get(id) ?? [])];
    return { project, id, repair, run, marks };
  }

  /** One bit of the archive, and back. */
  async function flip({ storePath }: Project, id: string) {
    const path = join(storePath, archiveKey(id, 'gzip'));
    const bytes = await readFile(path);
    const changed = Buffer.from(bytes);
    changed[40]! ^= 1;
    await writeFile(path, changed);
    return () => writeFile(path, bytes);
  }

  async function takeAway({ storePath }: Project, id: string) {
    const path = join(storePath, archiveKey(id, 'gzip'));
    await rename(path, `${storePath}/away`);
    return () => rename(`${storePath}/away`, path);
  }

  it.each([
    ['checksum', flip],
    ['decode', flip],
    ['presence', takeAway],
  ] as const)(
    'at level %s is noted beside the backup, which is not good until it is found whole',
    async (level, damage) => {
      const { project, id, repair, run, marks } = await damaged(level, damage);
      await using _ = project;
      expect(await run(level, 3_600_000)).toMatchObject({
        exit_code: 4,
        stale_collections: ['users'],
        warnings: [],
      });
      expect(await marks()).toEqual(['bad']);
      const { reason } = await readMark(project.repository, id, 'bad');
      expect(reason).toMatch(/users_full_/);
      expect((await list(project.repository, {})).backups).toMatchObject([{ good: false, marks: ['bad'] }]);
      await run();
      await repair();
      // objects that are there prove nothing
      expect((await run('presence', 3_600_000)).stale_collections).toEqual(['users']);
      expect(await marks()).toEqual(['bad']);
      expect((await run('checksum', 3_600_000)).stale_collections).toEqual([]);
      expect(await marks()).toEqual([]);
      expect((await list(project.repository, {})).backups).toMatchObject([{ good: true }]);
    },
  );

  it('is not noted of an index, without which a backup still restores, nor of a store that fails', async () => {
    const { project, run, marks } = await damaged('checksum', async ({ storePath }, id) => {
      await rm(join(storePath, indexKey(id)));
      return async () => {};
    });
    await using _ = project;
    expect(await run()).toMatchObject({ exit_code: 4, backups: [{ outcome: 'damaged' }] });
    const { store } = project.repository;
    const get: typeof store.get = (key, range, signal) => {
      if (key.startsWith('backups/')) throw new BackupError('STORE_FORBIDDEN', 'no access');
      return store.get(key, range, signal);
    };
    await verify(
      { ...project.repository, store: { ...store, get } },
      { backupIds: null, level: 'checksum', maxAgeMs: null },
    );
    expect(await marks()).toEqual([]);
  });

  it('is a warning where the store takes no note', async () => {
    const { project, id, repair, run, marks } = await damaged('checksum', flip);
    await using _ = project;
    const { store } = project.repository;
    const refuse = async () => {
      throw new BackupError('STORE_FORBIDDEN', 'read-only');
    };
    const readOnly = { ...project.repository, store: { ...store, put: refuse, remove: refuse } };
    const request = { backupIds: null, level: 'checksum', maxAgeMs: null } as const;
    const report = await verify(readOnly, request);
    expect(report).toMatchObject({
      exit_code: 4,
      warnings: [
        { code: 'STORE_FORBIDDEN', object: id, message: `${id} is not marked as damaged: read-only` },
      ],
    });
    await run();
    await repair();
    const whole = await verify(readOnly, request);
    expect(whole).toMatchObject({ exit_code: 0, warnings: [{ code: 'STORE_FORBIDDEN' }] });
    expect(await marks()).toEqual(['bad']);
  });

  it('of one copy does not count against another one', async () => {
    const { project, run } = await damaged('checksum', async (given) => {
      await cp(given.storePath, `${given.directory}/copy`, { recursive: true });
      return await flip(given, (await list(given.repository, {})).backups[0]!.manifest.backup_id);
    });
    await using _ = project;
    const { platform, directory, repository } = project;
    const copy = openRepository(
      platform,
      openDirectoryStore(platform, `${directory}/copy`),
      repository.stateDirectory,
    );
    await run();
    expect((await list([repository, copy], {})).backups).toMatchObject([{ good: true }]);
    expect((await list([repository], {})).backups).toMatchObject([{ good: false }]);
  });
});
