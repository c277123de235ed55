import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeManifest } from '../../src/model/manifest.ts';
import { zlibCodec } from '../../src/platform/zlib-codec.ts';
import { GOOD_STORAGE } from '../../src/sandbox/misbehaviour.ts';
import { type Ended, runCommandLine } from '../support/command-line.ts';
import { MANIFEST_FIELDS } from '../support/manifests.ts';
import { type ServedProject, serveProject } from '../support/served-project.ts';

/** The specification's own set-up: credentials, and nothing said about where backups go. */
describe.each(['A', 'B'] as const)('without a store configured, over dialect %s, the program', (dialect) => {
  let project: ServedProject;
  let run: (...argv: string[]) => Promise<Ended>;
  beforeEach(async () => {
    project = await serveProject({ dialects: [dialect] });
    const { ZERODB_BACKUP_STORE: _, ...env } = project.env;
    run = (...argv) => runCommandLine(argv, { env, cwd: project.home });
  });
  afterEach(() => project[Symbol.asyncDispose]());

  it('keeps backups in the Object Storage, and restores from there knowing nothing else', async () => {
    const { sandbox } = project;
    const form = new FormData();
    form.append('file', new Blob(['a photo']), 'images/Photo 1.jpg');
    form.append('key', 'images/Photo 1.jpg');
    const path =
      dialect === 'A' ? '/storage/upload' : `/v1/projects/${sandbox.project}/database/storage/upload`;
    await fetch(sandbox.url + path, { method: 'POST', headers: { 'x-api-key': sandbox.apiKey }, body: form });

    const backup = await run('backup', '--collections', 'users,events');
    expect(backup.stderr).toContain('backups are kept in the Object Storage of the project on 127.0.0.1');
    expect(backup).toMatchObject({ code: 0 });
    const names = sandbox.objects.map(({ name }) => name).sort();
    const id = /users_full_\d{8}_\d{6}/.exec(names.join())![0];
    expect(names).toContain(`backups/${id}.json.gz`);
    expect(names).toHaveLength(2 * 3 + 2);

    const before = sandbox.digest('users');
    sandbox.wipe('users');
    expect((await run('--list', '--collection', 'users')).stdout).toContain(id);
    expect(await run('restore', id, '--yes', '--state-dir', `${project.home}/other`)).toMatchObject({
      code: 0,
    });
    if (dialect === 'A') expect(sandbox.digest('users')).toBe(before);
    else expect(sandbox.documentCount('users')).toBe(250);
    expect(await run('verify', '--level', 'decode')).toMatchObject({ code: 0 });
  }, 120_000);

  it('says so before it reads where the server has no Object Storage', async () => {
    const { sandbox } = project;
    sandbox.misbehave({ storage: { ...GOOD_STORAGE, served: false } });
    const { code, stderr } = await run('backup');
    expect(code).toBe(7);
    expect(stderr).toContain('has no Object Storage that backups could be kept in');
    expect(stderr).toContain('--store DIR');
    const reads = [...sandbox.requestCounts].filter(([what]) => /rows|query/.test(what));
    // dialect A is recognised by a query
    expect(reads.reduce((sum, [, count]) => sum + count, 0)).toBeLessThanOrEqual(dialect === 'A' ? 1 : 0);
  }, 60_000);

  it('ends with 7 and leaves nothing half-made where the quota is used up', async () => {
    const { sandbox } = project;
    sandbox.misbehave({ storage: { ...GOOD_STORAGE, quotaBytes: 1500, quotaStatus: 400 } });
    const { code, stderr } = await run('backup', '--collections', 'users');
    expect(code).toBe(7);
    expect(stderr).toContain('Storage quota exceeded for this project');
    expect(sandbox.objects.filter(({ name }) => name !== 'repository.json')).toEqual([]);
    expect((await run('list')).stdout).not.toContain('users_full');
  }, 60_000);

  it('lists 520 backups a second time in ten requests, in pages of 100', async () => {
    const { sandbox } = project;
    for (let index = 0; index < 520; index++) {
      const day = new Date(Date.UTC(2024, 0, 1 + index)).toISOString().slice(0, 10).replaceAll('-', '');
      const id = `users_full_${day}_020000`;
      const manifest = encodeManifest(zlibCodec, {
        ...MANIFEST_FIELDS,
        backup_id: id,
        file_name: `${id}.json.gz`,
        object_path: `backups/${id}.json.gz`,
      });
      sandbox.putObject(`backups/${id}.json.gz`, Buffer.from('archive'));
      sandbox.putObject(`indexes/${id}`, Buffer.from('index'));
      sandbox.putObject(`manifests/${id}.json`, manifest);
    }
    sandbox.misbehave({ storage: { ...GOOD_STORAGE, listClamp: 100 } });
    const first = await run('list', '--collection', 'users');
    expect(first).toMatchObject({ code: 0 });
    expect(first.stdout.split('\n').filter((line) => line.startsWith('users_full'))).toHaveLength(520);
    sandbox.misbehave({ rateLimit: { requests: 60 } });
    const before = sandbox.requests;
    const second = await run('list', '--collection', 'users');
    expect(second).toMatchObject({ code: 0, stdout: first.stdout });
    expect(sandbox.requests - before).toBeLessThanOrEqual(10);
  }, 60_000);
});
