import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BackupService } from '../../src/index.ts';
import { run, runCommandLine } from '../support/command-line.ts';
import { filesBelow, type ServedProject, serveProject } from '../support/served-project.ts';

/** The same story through each face: back up, list, lose data, validate, rehearse, restore, verify, export. */

interface Restored {
  readonly created: number;
  readonly replaced: number;
}

/** Of the documents; what the tool itself writes beside them is its own affair. */
function digestOf(sandbox: ServedProject['sandbox']): string {
  return ['users', 'events'].map((name) => sandbox.digest(name)).join();
}

/** One way of using the tool. Ids and counts are what it reported. */
interface Face {
  backUp(collections: readonly string[] | null, dryRun?: boolean): Promise<readonly string[]>;
  list(collection: string): Promise<readonly string[]>;
  validate(backupId: string): Promise<number>;
  restore(collection: string, backupId: string, dryRun?: boolean): Promise<Restored>;
  verify(): Promise<readonly string[]>;
  exportDocuments(backupId: string): Promise<number>;
  close(): Promise<void>;
}

async function libraryFace({ home, sandbox, storePath }: ServedProject): Promise<Face> {
  const service = await BackupService.open({
    source: sandbox.url,
    apiKey: sandbox.apiKey,
    projectId: sandbox.project,
    store: storePath,
    stateDir: `${home}/state`,
  });
  return {
    async backUp(collections, dryRun = false) {
      const reports =
        collections === null
          ? [await service.backupAllCollections({ dryRun })]
          : await Promise.all(collections.map((name) => service.backupCollection(name, { dryRun })));
      expect(reports.map((report) => report.exit_code)).toEqual(reports.map(() => 0));
      return reports.flatMap(({ backups }) => backups.map(({ backup_id }) => backup_id ?? ''));
    },
    async list(collection) {
      const { backups } = await service.listBackups({ collection, backupType: 'full' });
      return backups.map(({ manifest }) => manifest.backup_id);
    },
    async validate(backupId) {
      const report = await service.restoreCollection('users', backupId, { validateOnly: true });
      return report.exit_code;
    },
    async restore(collection, backupId, dryRun = false) {
      const { counts, exit_code } = await service.restoreCollection(collection, backupId, { dryRun });
      expect(exit_code).toBe(0);
      return counts;
    },
    async verify() {
      const { backups } = await service.verifyBackup(null, { level: 'decode' });
      return backups.filter(({ outcome }) => outcome === 'good').map(({ backup_id }) => backup_id);
    },
    async exportDocuments(backupId) {
      let bytes = Buffer.alloc(0);
      const { exit_code } = await service.exportBackup(backupId, async (piece) => {
        bytes = Buffer.concat([bytes, piece]);
      });
      expect(exit_code).toBe(0);
      return JSON.parse(bytes.toString()).documents.length;
    },
    close: () => service.close(),
  };
}

function subcommandFace(project: ServedProject): Face {
  return commandFace(project, {
    backup: ['backup'],
    list: ['list'],
    restore: (id) => ['restore', id],
  });
}

function flagFace(project: ServedProject): Face {
  return commandFace(project, {
    backup: ['--backup'],
    list: ['--list'],
    restore: (id) => ['--restore', id],
  });
}

interface Words {
  readonly backup: readonly string[];
  readonly list: readonly string[];
  restore(backupId: string): readonly string[];
}

function commandFace({ env, home }: ServedProject, words: Words): Face {
  const json = async (...argv: readonly string[]) => {
    const { stdout, stderr, code } = await runCommandLine([...argv, '--json'], { env, cwd: home });
    const lines = stdout.trimEnd().split('\n');
    const summary = JSON.parse(lines.at(-1)!);
    expect(lines.slice(0, -1).map((line) => typeof JSON.parse(line).type)).toEqual(
      lines.slice(1).map(() => 'string'),
    );
    expect(summary, stderr).toMatchObject({ type: 'summary', exit_code: code });
    return summary;
  };
  return {
    async backUp(collections, dryRun = false) {
      const selected = collections === null ? [] : ['--collections', collections.join(',')];
      const summary = await json(...words.backup, ...selected, ...(dryRun ? ['--dry-run'] : []));
      expect(summary).toMatchObject({
        operation: 'backup',
        exit_code: 0,
        errors: [],
        run_id: expect.any(String),
      });
      return summary.backups.map(({ backup_id }: { backup_id: string | null }) => backup_id ?? '');
    },
    async list(collection) {
      const argv = [...words.list, '--collection', collection, '--backup-type', 'full'];
      const { stdout, code } = await runCommandLine(argv, { env, cwd: home });
      expect(code).toBe(0);
      const ids = stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split(' ')[0]!);
      return ids;
    },
    async validate(backupId) {
      return (await json(...words.restore(backupId), '--validate-only')).exit_code;
    },
    async restore(_collection, backupId, dryRun = false) {
      const summary = await json(...words.restore(backupId), ...(dryRun ? ['--dry-run'] : []));
      expect(summary.exit_code).toBe(0);
      return summary.counts;
    },
    async verify() {
      const { backups } = await json('verify', '--level', 'decode');
      const good = backups.filter(({ outcome }: { outcome: string }) => outcome === 'good');
      return good.map(({ backup_id }: { backup_id: string }) => backup_id);
    },
    async exportDocuments(backupId) {
      const { stdout, code } = await runCommandLine(['export', backupId], { env, cwd: home });
      expect(code).toBe(0);
      return JSON.parse(stdout).documents.length;
    },
    close: async () => {},
  };
}

describe.each([
  ['the library', libraryFace],
  ['subcommands', subcommandFace],
  ["the specification's flags", flagFace],
] as const)('%s', (_name, openFace) => {
  let project: ServedProject;
  let face: Face;

  beforeEach(async () => {
    project = await serveProject({ dialects: ['A'] });
    face = await openFace(project);
  });

  afterEach(async () => {
    await face.close();
    await project[Symbol.asyncDispose]();
  });

  it('backs up, lists, validates, rehearses, restores, verifies and exports', async () => {
    const { sandbox, storePath } = project;
    const before = digestOf(sandbox);

    expect(await face.backUp(['users'], true)).toEqual(['']);
    expect(filesBelow(storePath).size).toBe(0);

    const [users] = await face.backUp(['users']);
    expect(users).toMatch(/^users_full_\d{8}_\d{6}$/);
    const all = (await face.backUp(null)).filter((id) => id !== ''); // what is not there has no backup
    expect(all.map((id) => id.replace(/_full.*/, ''))).toEqual(['users', 'events']);
    expect(await face.list('users')).toEqual([all[0], users]);

    for (let index = 0; index < 100; index++) sandbox.delete('users', `u${index}`);
    for (let index = 100; index < 130; index++) sandbox.update('users', `u${index}`, '{"id":"gone"}');
    sandbox.wipe('events');
    const damaged = digestOf(sandbox);
    const writes = sandbox.writes;
    const stored = filesBelow(storePath);

    expect(await face.validate(users!)).toBe(0);
    expect(await face.restore('users', users!, true)).toMatchObject({
      created: 100,
      replaced: 30,
      same: 120,
    });
    expect(digestOf(sandbox)).toBe(damaged);
    expect(sandbox.writes).toBe(writes);
    expect(filesBelow(storePath)).toEqual(stored);

    expect(await face.restore('users', users!)).toMatchObject({
      created: 100,
      replaced: 30,
      same: 120,
      different: 0,
    });
    expect(await face.restore('events', all[1]!)).toMatchObject({ created: 40 });
    expect(digestOf(sandbox)).toBe(before);
    expect([...(await face.verify())].toSorted()).toEqual([users!, ...all].toSorted());
    expect(await face.exportDocuments(users!)).toBe(250);
  });
});

describe('restoring several collections', () => {
  it('takes the newest good backup of each', async () => {
    await using project = await serveProject({ dialects: ['A'] });
    const { sandbox, env, home } = project;
    const before = digestOf(sandbox);
    const command = (...argv: string[]) => runCommandLine(argv, { env, cwd: home });
    await command('backup', '--quiet');
    sandbox.wipe();
    expect(await command('restore', '--collections', 'users,events,rsvps', '--dry-run')).toMatchObject({
      code: 3,
    });
    const ended = await command('restore', '--all', '--json');
    expect(ended.code).toBe(0);
    expect(JSON.parse(ended.stdout.trimEnd().split('\n').at(-1)!)).toMatchObject({
      operation: 'restore',
      counts: { created: 290 },
      backups: [{ collection: 'events' }, { collection: 'users' }],
    });
    expect(digestOf(sandbox)).toBe(before);
  });
});

describe('the library', () => {
  it('refuses the id of another collection, and one that is not there', async () => {
    await using project = await serveProject({ dialects: ['A'] });
    const { sandbox, storePath, home } = project;
    await using service = await BackupService.open({
      source: sandbox.url,
      apiKey: sandbox.apiKey,
      store: storePath,
      stateDir: `${home}/state`,
    });
    const { backups } = await service.backupCollection('events', { incremental: false });
    const id = backups[0]!.backup_id!;
    const writes = sandbox.writes;
    await expect(service.restoreCollection('users', id)).rejects.toMatchObject({
      code: 'USAGE_INVALID',
      message: `backup ${id} is one of collection events, not of users`,
    });
    await expect(service.restoreCollection('events', id, { merge: true, exact: true })).rejects.toMatchObject(
      { code: 'USAGE_INVALID' },
    );
    await expect(service.restoreCollection('events', 'events_full_20200101_000000')).rejects.toMatchObject({
      code: 'BACKUP_MISSING',
    });
    await expect(BackupService.open({ stoer: 'x' } as object)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    expect(sandbox.writes).toBe(writes);

    sandbox.update('events', 'e1', '{"id":"e1","own":true}');
    const merged = await service.restoreCollection('events', id, { merge: true });
    expect(merged).toMatchObject({ exit_code: 0, mode: 'merge', counts: { replaced: 1, same: 39 } });
    expect(sandbox.payload('events', 'e1')!.toString()).toBe('{"id":"e1","own":true,"title":"Event"}');
    expect((await service.undoRestore(merged.restore_id!)).counts).toMatchObject({ replaced: 1, changed: 0 });
    expect(sandbox.payload('events', 'e1')!.toString()).toBe('{"id":"e1","own":true}');
  });

  it('tells of progress by events, and stops when it is told to', async () => {
    await using project = await serveProject({ dialects: ['A'] });
    const { sandbox, storePath, home } = project;
    await using service = await BackupService.open({
      source: sandbox.url,
      apiKey: sandbox.apiKey,
      store: storePath,
      stateDir: `${home}/state`,
    });
    const types = new Set<string>();
    await service.backupCollection('users', { onEvent: ({ type }) => types.add(type) });
    expect([...types]).toEqual(expect.arrayContaining(['run:started', 'progress', 'object:finished']));
    const stop = new AbortController();
    const reason = new Error('enough');
    sandbox.beforeRequest(() => stop.abort(reason));
    await expect(service.backupAllCollections({ signal: stop.signal })).rejects.toBe(reason);
    expect((await service.listBackups()).total_backups).toBe(1);
  });
});

it('the demo runs, and says what to do next', async () => {
  await using project = await serveProject();
  const before = filesBelow(project.home);
  const env = { ...project.env, TMPDIR: project.home };
  const { code, stdout, stderr } = await run(process.execPath, ['src/cli/bin.ts', 'demo'], {
    env,
    cwd: `${import.meta.dirname}/../..`,
  });
  expect(code, stderr).toBe(0);
  expect(stdout).toContain('documents are the same as before, byte for byte');
  expect(stdout).toContain('What next');
  expect(stderr).toBe('');
  expect(filesBelow(project.home)).toEqual(before);
  expect(project.sandbox.requests).toBe(0);
});
