import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { encodeManifest, type Manifest, type UnsignedManifest } from '../../../src/model/manifest.ts';
import { rebuild } from '../../../src/operations/rebuild.ts';
import { verify } from '../../../src/operations/verify.ts';
import { createPlatform } from '../../../src/platform/platform.ts';
import { openRepository } from '../../../src/repository.ts';
import { openDirectoryStore } from '../../../src/stores/directory.ts';
import { crashingPlatform } from '../../support/crashing-platform.ts';
import { Project, SETTINGS } from '../../support/project.ts';

async function backedUp() {
  const project = await Project.open(SETTINGS[2]);
  for (const collection of ['events', 'users']) {
    for (let number = 0; number < 20; number++)
      project.sandbox.insert(collection, `{"id":"${collection}-${number}","n":${number}.0}`);
  }
  const { backups } = await project.backup({ collections: ['events', 'users'] });
  const [events, users] = backups.map(({ backup_id }) => backup_id!);
  return { project, events: events!, users: users!, tree: await filesOf(project) };
}

/** Empty directories, such as those where objects wait for their name, do not count. */
async function filesOf(project: Project): Promise<Map<string, string>> {
  return new Map([...(await project.storeTree())].filter(([, content]) => content !== ''));
}

const outcomes = (report: Awaited<ReturnType<typeof rebuild>>) =>
  Object.fromEntries(report.backups.map(({ backup_id, outcome, index }) => [backup_id, [outcome, index]]));

test('indexes that are missing or damaged are made again, byte for byte, and nothing else is touched', async () => {
  const { project, events, users, tree } = await backedUp();
  await using _ = project;
  const indexes = `${project.storePath}/indexes`;
  await rm(`${indexes}/${events}`);
  const bytes = await readFile(`${indexes}/${users}`);
  bytes[100]! ^= 1;
  await writeFile(`${indexes}/${users}`, bytes);
  const broken = await filesOf(project);

  const dry = await rebuild(project.repository, { dryRun: true });
  expect(outcomes(dry)).toEqual({ [events]: ['rebuilt', 'missing'], [users]: ['rebuilt', 'damaged'] });
  expect(await filesOf(project)).toEqual(broken);

  const report = await rebuild(project.repository, { dryRun: false });
  expect(report).toMatchObject({ exit_code: 0, errors: [] });
  expect(outcomes(report)).toEqual(outcomes(dry));
  expect(await filesOf(project)).toEqual(tree);

  await truncate(`${indexes}/${users}`, 50);
  await rebuild(project.repository, { dryRun: false });
  expect(await filesOf(project)).toEqual(tree);

  const again = await rebuild(project.repository, { dryRun: false });
  expect(outcomes(again)).toEqual({ [events]: ['good', 'good'], [users]: ['good', 'good'] });
  expect(await filesOf(project)).toEqual(tree);
});

test('an archive that is not what its manifest says gives no index', async () => {
  const { project, events, users } = await backedUp();
  await using _ = project;
  const path = `${project.storePath}/backups/${users}.json.gz`;
  const bytes = await readFile(path);
  bytes[bytes.length >> 1]! ^= 1;
  await writeFile(path, bytes);
  await rm(`${project.storePath}/indexes/${users}`);
  const broken = await filesOf(project);

  const alone = await rebuild(project.repository, { dryRun: false });
  expect(alone).toMatchObject({ exit_code: 4, errors: [{ code: 'ARCHIVE_DAMAGED', object: users }] });
  expect(outcomes(alone)).toEqual({ [events]: ['good', 'good'], [users]: ['failed', 'missing'] });
  expect(await filesOf(project)).toEqual(broken);

  await rm(`${project.storePath}/indexes/${events}`);
  const partly = await rebuild(project.repository, { dryRun: false });
  expect(partly.exit_code).toBe(3);
  expect(outcomes(partly)).toEqual({ [events]: ['rebuilt', 'missing'], [users]: ['failed', 'missing'] });
});

test('an index that is not the one that the manifest names is not written', async () => {
  const { project, users } = await backedUp();
  await using _ = project;
  const path = `${project.storePath}/manifests/${users}.json`;
  const { manifest_sha256: _old, ...fields } = JSON.parse(await readFile(path, 'utf8')) as Manifest;
  const forged = { ...fields, index: { ...fields.index, sha256: '0'.repeat(64) } } as UnsignedManifest;
  await writeFile(path, encodeManifest(project.platform.codec, forged));
  const before = await filesOf(project);
  const report = await rebuild(project.repository, { dryRun: false });
  expect(report).toMatchObject({ exit_code: 4, errors: [{ code: 'ARCHIVE_DAMAGED', object: users }] });
  expect(await filesOf(project)).toEqual(before);
});

test('a store without backups is no good news', async () => {
  await using project = await Project.open(SETTINGS[0]);
  await expect(rebuild(project.repository, { dryRun: false })).rejects.toMatchObject({
    code: 'STORE_MISSING',
  });
  project.sandbox.insert('users', '{"id":"a"}');
  const { backups } = await project.backup({ collections: ['users'] });
  await rm(`${project.storePath}/manifests/${backups[0]!.backup_id}.json`);
  expect(await rebuild(project.repository, { dryRun: false })).toMatchObject({
    exit_code: 5,
    errors: [{ code: 'BACKUP_MISSING' }],
  });
});

test.each(['before', 'after'] as const)('a crash %s the effect of any call loses nothing', async (when) => {
  const { project, events, tree } = await backedUp();
  await using _ = project;
  const index = `${project.storePath}/indexes/${events}`;
  const good = Buffer.from(tree.get(`/indexes/${events}`)!, 'latin1');
  const damaged = Buffer.from(good);
  damaged[60]! ^= 1;
  const crashingRebuild = async (crashAt: number): Promise<number> => {
    await writeFile(index, damaged);
    const crashing = crashingPlatform(createPlatform(), crashAt, when);
    const store = openDirectoryStore(crashing.platform, project.storePath);
    const repository = openRepository(crashing.platform, store, project.repository.stateDirectory);
    await rebuild(repository, { dryRun: false }).catch(() => null);
    return crashing.calls().length;
  };
  const total = await crashingRebuild(Number.POSITIVE_INFINITY);
  expect(total).toBeGreaterThan(20);
  for (let crashAt = 1; crashAt <= total; crashAt++) {
    await crashingRebuild(crashAt);
    const left = await readFile(index).catch(() => null);
    expect(left === null || left.equals(damaged) || left.equals(good)).toBe(true);
    const next = await rebuild(project.repository, { dryRun: false });
    expect(next).toMatchObject({ exit_code: 0, errors: [] });
    const whole = [...(await filesOf(project))].filter(([path]) => !path.includes('.partial'));
    expect(new Map(whole)).toEqual(tree);
  }
  const request = { backupIds: null, level: 'decode', maxAgeMs: null } as const;
  expect((await verify(project.repository, request)).errors).toEqual([]);
});
