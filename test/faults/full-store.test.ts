import { expect, test } from 'vitest';
import { encodeManifest } from '../../src/model/manifest.ts';
import { SPECIFIED_RULES } from '../../src/model/retention-policy.ts';
import { backup } from '../../src/operations/backup.ts';
import { createPlatform } from '../../src/platform/platform.ts';
import { zlibCodec } from '../../src/platform/zlib-codec.ts';
import { openRepository, type Repository } from '../../src/repository.ts';
import { GOOD_STORAGE, type Misbehaviour } from '../../src/sandbox/misbehaviour.ts';
import { openZerodbStore } from '../../src/stores/zerodb.ts';
import { ZerodbConnection } from '../../src/zerodb/connection.ts';
import { createFastClock } from '../support/fast-clock.ts';
import { MANIFEST_FIELDS } from '../support/manifests.ts';
import { Project, REQUEST, SETTINGS } from '../support/project.ts';

/** Backups into an Object Storage that gives up in the middle (failure-catalogue.md §2.4). */

const UPLOAD = /^POST .*storage\/upload/;

interface Kept {
  readonly repository: Repository;
  readonly names: () => string[];
}

async function kept(project: Project): Promise<Kept> {
  const { sandbox, directory } = project;
  const platform = { ...createPlatform(), clock: createFastClock(2000) };
  const connection = new ZerodbConnection(platform, {
    baseUrl: sandbox.url,
    project: sandbox.project,
    apiKey: { value: sandbox.apiKey, name: 'ZERODB_API_KEY' },
  });
  const repository = openRepository(platform, openZerodbStore(connection, directory), `${directory}/state`);
  return {
    repository,
    names: () => sandbox.objects.map(({ name }) => name).sort(),
  };
}

async function filled(): Promise<Project> {
  const project = await Project.open(SETTINGS[0]);
  for (let at = 0; at < 300; at++) project.sandbox.insert('users', `{"id":"u${at}","n":${Math.sin(at)}}`);
  return project;
}
const WANTED = { ...REQUEST, collections: ['users'], retention: SPECIFIED_RULES };

test('T13: a quota that is used up: exit 7, nothing half-made, and what cleanup would free', async () => {
  await using project = await filled();
  const { sandbox } = project;
  const { repository, names } = await kept(project);
  for (const day of ['20240102', '20240103', '20240104']) {
    const id = `users_full_${day}_020000`;
    const plain = `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}T02:00:00.000000`;
    const manifest = encodeManifest(zlibCodec, {
      ...MANIFEST_FIELDS,
      backup_id: id,
      file_name: `${id}.json.gz`,
      object_path: `backups/${id}.json.gz`,
      created_at: plain,
      file_size: 1000,
    });
    sandbox.putObject(`manifests/${id}.json`, manifest);
    sandbox.putObject(`backups/${id}.json.gz`, Buffer.alloc(1000));
    sandbox.putObject(`indexes/${id}`, Buffer.alloc(10));
  }
  const used = sandbox.objects.reduce((sum, { size }) => sum + size, 0);
  sandbox.misbehave({ storage: { ...GOOD_STORAGE, quotaBytes: used + 1500 } });
  const before = names();
  const report = await backup(repository, project.target, { ...WANTED, adoptStore: true });
  expect(report).toMatchObject({ exit_code: 7, errors: [{ code: 'STORE_FULL' }] });
  const [warning] = report.warnings.filter(({ code }) => code === 'STORE_FULL');
  expect(warning!.message).toMatch(/^cleanup would free 12000 bytes of .*: 2 backups$/);
  expect(names().filter((name) => name !== 'repository.json')).toEqual(before);
});

test.each([
  ['T15: an outage', { kind: 'error', status: 503, on: /storage/ }, 'STORE_FAILED'],
  ['T16: credentials that are withdrawn', { kind: 'error', status: 403, on: /storage/ }, 'STORE_FORBIDDEN'],
] as const)(
  '%s in the middle of a run: no backup is half-made, and the next run succeeds',
  async (_, fault, code) => {
    await using project = await filled();
    const { repository, names } = await kept(project);
    let uploads = 0;
    const meet = (faults: Misbehaviour['faults']) => project.sandbox.misbehave({ faults });
    project.sandbox.beforeRequest(({ method, path }) => {
      // the marker, the archive, the index
      if (UPLOAD.test(`${method} ${path}`) && ++uploads === 3) meet([fault]);
    });
    const report = await backup(repository, project.target, WANTED);
    expect(report).toMatchObject({ exit_code: 7, errors: [{ code, cure: expect.stringMatching(/^[A-Z]/) }] });
    expect(names().some((name) => name.startsWith('manifests/'))).toBe(false);
    meet([]);
    expect(await backup(repository, project.target, WANTED)).toMatchObject({ exit_code: 0 });
    expect(names().filter((name) => name.startsWith('manifests/'))).toHaveLength(1);
  },
);

test('T14: 30 % of all requests throttled: the backup is made', async () => {
  await using project = await filled();
  const { repository } = await kept(project);
  project.sandbox.misbehave({
    faults: [
      { kind: 'error', status: 503, rate: 0.15, on: /storage/ },
      { kind: 'too-many', rate: 0.15, on: /storage/ },
    ],
  });
  expect(await backup(repository, project.target, WANTED)).toMatchObject({ exit_code: 0 });
});
