import { describe, expect, test } from 'vitest';
import { readCatalog } from '../../../src/catalog/catalog.ts';
import { mirror } from '../../../src/operations/mirror.ts';
import { rebuild } from '../../../src/operations/rebuild.ts';
import { Project, SETTINGS } from '../../support/project.ts';

const FIELDS = [
  ...['backup_id', 'collection', 'backup_type', 'file_name', 'object_path', 'file_size'],
  ...['document_count', 'status', 'version', 'created_at', 'completed_at'],
];

function entries(project: Project): Record<string, unknown>[] {
  return project.payloads('backup_metadata').map((text) => JSON.parse(text));
}

async function withUsers(setting: (typeof SETTINGS)[number]): Promise<Project> {
  const project = await Project.open(setting);
  for (const id of ['a', 'b', 'c']) project.sandbox.insert('users', `{"id":"${id}"}`);
  return project;
}

describe.each(SETTINGS)('the mirror in dialect $dialect, shape $shape', (setting) => {
  test('has the eleven fields of each backup, once', async () => {
    await using project = await withUsers(setting);
    const request = { collections: ['users'], mirrorIn: project.target };
    const { backups } = await project.backup(request);
    expect(entries(project)).toMatchObject([{ backup_id: backups[0]!.backup_id, document_count: 3 }]);
    expect(Object.keys(entries(project)[0]!).filter((name) => name !== 'id')).toEqual(FIELDS);
    await project.backup(request);
    const catalog = await readCatalog(project.repository);
    expect(entries(project)).toHaveLength(2);
    expect(
      await mirror(project.repository, async () => project.target, {
        there: catalog.backups,
        gone: new Set(),
      }),
    ).toBe(0);
  });

  test('is not written by a dry run, nor where it is turned off, and is never backed up', async () => {
    await using project = await withUsers(setting);
    await project.backup({ collections: ['users'], mirrorIn: project.target, dryRun: true });
    await project.backup({ collections: ['users'], mirrorIn: null });
    expect(entries(project)).toEqual([]);
    await project.backup({ collections: ['users'], mirrorIn: project.target });
    const { backups } = await project.backup({
      collections: ['users', 'backup_metadata'],
      mirrorIn: project.target,
    });
    expect(backups.map(({ collection }) => collection)).toEqual(['users']);
  });

  test('is made again by rebuild where it is gone or lies; what else is in it stays', async () => {
    await using project = await withUsers(setting);
    await project.backup({ collections: ['users'], mirrorIn: project.target });
    const truth = entries(project);
    const request = { dryRun: false, openMirror: async () => project.target };
    project.sandbox.wipe('backup_metadata');
    expect(await rebuild(project.repository, request)).toMatchObject({ exit_code: 0, mirrored: 1 });
    expect(entries(project)).toEqual(truth);

    const [{ key } = { key: '' }] = [...project.sandbox.documents('backup_metadata')];
    const lie = { ...truth[0], document_count: 1_000_000, file_name: '../../etc/passwd' };
    project.sandbox.update('backup_metadata', key, JSON.stringify(lie));
    for (const foreign of ['{"id":"x","note":"of ours"}', '{"id":"y","backup_id":7}']) {
      project.sandbox.insert('backup_metadata', foreign);
    }
    expect(await rebuild(project.repository, { ...request, dryRun: true })).not.toHaveProperty('mirrored');
    expect(await rebuild(project.repository, request)).toMatchObject({ exit_code: 0, mirrored: 1 });
    expect(entries(project)).toHaveLength(3);
    expect(entries(project)).toContainEqual(truth[0]);
  });

  test('loses the entries of backups that the policy removes, and no others', async () => {
    await using project = await withUsers(setting);
    const request = { collections: ['users'], mirrorIn: project.target };
    const first = await project.backup(request);
    project.sandbox.insert('backup_metadata', '{"id":"x","backup_id":"of somebody else"}');
    const rules = [{ kind: 'last', count: 1 }] as const;
    const second = await project.backup({ ...request, retention: rules });
    const ids = entries(project).map(({ backup_id }) => backup_id);
    expect(ids).not.toContain(first.backups[0]!.backup_id);
    expect(new Set(ids)).toEqual(new Set(['of somebody else', second.backups[0]!.backup_id]));
  });

  test('that cannot be written is a warning of the backup, and an error of rebuild', async () => {
    await using project = await withUsers(setting);
    project.sandbox.misbehave({ forbidden: ['backup_metadata'] });
    const report = await project.backup({ collections: ['users'], mirrorIn: project.target });
    expect(report).toMatchObject({ exit_code: 0, warnings: [{ code: 'MIRROR_FAILED' }] });
    const openMirror = async () => project.target;
    expect(await rebuild(project.repository, { dryRun: false, openMirror })).toMatchObject({
      exit_code: 3,
      backups: [{ outcome: 'good' }],
      errors: [{ code: 'MIRROR_FAILED' }],
    });
  });
});
