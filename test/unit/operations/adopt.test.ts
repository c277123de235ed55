import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { Platform } from '../../../src/kernel/platform.ts';
import { type AdoptRequest, adopt } from '../../../src/operations/adopt/adopt.ts';
import { exportBackup } from '../../../src/operations/export.ts';
import { list } from '../../../src/operations/list.ts';
import { rebuild } from '../../../src/operations/rebuild.ts';
import { verify } from '../../../src/operations/verify.ts';
import { createPlatform } from '../../../src/platform/platform.ts';
import { openRepository, type Repository } from '../../../src/repository.ts';
import { openDirectoryStore } from '../../../src/stores/directory.ts';
import { crashingPlatform } from '../../support/crashing-platform.ts';
import {
  asPythonPrints,
  type PredecessorArchive,
  predecessorText,
  pythonGzip,
  writePredecessorFile,
} from '../../support/predecessor.ts';
import { Project, SETTINGS } from '../../support/project.ts';

const SOURCE = { host: 'api.example.com', project: 'p-1' };
const REQUEST: AdoptRequest = { from: null, source: SOURCE, compression: 'gzip', dryRun: false };
const DECODE = { backupIds: null, level: 'decode', maxAgeMs: null } as const;

/** Payloads with everything that Python prints in its own way. */
const PAYLOADS = [
  '{"id":"u1","name":"Zoë 😀","ratio":1.0,"big":9007199254740993,"nested":{"list":[1,[],{}]}}',
  '{"id":"u2","text":"a \\"quoted\\" \\\\ text\\nwith { } [ ] , : in it","none":null,"yes":true}',
  '{"id":"u3"}',
];

async function withArchive(
  archive: Partial<PredecessorArchive> = {},
  setting = SETTINGS[0] as (typeof SETTINGS)[number],
) {
  const project = await Project.open(setting);
  const path = join(project.storePath, 'backups', 'users_full_20250109_143000.json.gz');
  const bytes = await writePredecessorFile(path, { collection: 'users', documents: PAYLOADS, ...archive });
  return { project, path, bytes };
}

async function exported(project: Project, backupId: string): Promise<string[]> {
  const pieces: Buffer[] = [];
  const write = async (bytes: Uint8Array) => void pieces.push(Buffer.from(bytes));
  await exportBackup(project.repository, backupId, { format: 'ndjson', write });
  return Buffer.concat(pieces).toString('utf8').split('\n').slice(0, -1);
}

test('an archive in the store becomes a backup beside it, which is left as it is', async () => {
  const { project, path, bytes } = await withArchive();
  await using _ = project;
  const report = await adopt(project.repository, REQUEST);
  const backupId = 'users_full_20250109_143001';
  expect(report).toMatchObject({
    operation: 'rebuild',
    exit_code: 0,
    errors: [],
    warnings: [{ code: 'ADOPTED_UNPROVEN', object: 'backups/users_full_20250109_143000.json.gz' }],
    backups: [
      {
        outcome: 'adopted',
        backup_id: backupId,
        collection: 'users',
        status: 'completed',
        document_count: 3,
      },
    ],
  });
  expect((await readFile(path)).equals(bytes)).toBe(true);

  const { backups, unfinished } = await list(project.repository, {});
  expect(unfinished).toEqual([]);
  expect(backups).toMatchObject([
    {
      good: true,
      manifest: {
        backup_id: backupId,
        created_at: '2025-01-09T14:30:00.000000',
        completed_at: '2025-01-09T14:30:02.123456',
        window: { start: '2025-01-09T14:30:00.000000Z', end: '2025-01-09T14:30:02.123456Z' },
        source: SOURCE,
        consistency: 'unproven',
        document_shape: 'flat',
        line_breaks_replaced: 0,
        adopted_from: {
          file_name: 'users_full_20250109_143000.json.gz',
          object_path: 'backups/users_full_20250109_143000.json.gz',
          file_size: bytes.length,
        },
      },
    },
  ]);
  expect(await verify(project.repository, DECODE)).toMatchObject({
    exit_code: 0,
    errors: [],
    unfinished: [],
  });
  expect(await exported(project, backupId)).toEqual(PAYLOADS.map(asPythonPrints));
  expect(await rebuild(project.repository, { dryRun: true })).toMatchObject({ exit_code: 0 });
});

test('nothing is adopted twice, nor a copy of it', async () => {
  const { project, path } = await withArchive();
  await using _ = project;
  await adopt(project.repository, REQUEST);
  const tree = await project.storeTree();
  const again = await adopt(project.repository, REQUEST);
  expect(again).toMatchObject({
    exit_code: 0,
    warnings: [],
    backups: [{ outcome: 'known', backup_id: 'users_full_20250109_143001' }],
  });
  expect(await project.storeTree()).toEqual(tree);

  const from = join(project.directory, 'elsewhere');
  await mkdir(join(from, 'deep'), { recursive: true });
  await writeFile(join(from, 'deep', 'copy.json.gz'), await readFile(path));
  await writeFile(
    join(from, 'packed-again.json.gz'),
    gzipSync(gunzipSync(await readFile(path)), { level: 1 }),
  );
  const copies = await adopt(project.repository, { ...REQUEST, from });
  expect(copies.backups.map(({ outcome }) => outcome)).toEqual(['known', 'known']);
  expect(await project.storeTree()).toEqual(tree);
});

test('files below a directory are adopted, whatever their names; other documents of the same time as well', async () => {
  await using project = await Project.open(SETTINGS[0]);
  const from = join(project.directory, 'old');
  await writePredecessorFile(join(from, 'a', 'renamed.json.gz'), {
    collection: 'Größe',
    documents: PAYLOADS,
  });
  await writePredecessorFile(join(from, 'b', 'c', 'users_full_20250109_143002.json.gz'), {
    collection: 'users',
    documents: PAYLOADS.slice(0, 2),
  });
  await writePredecessorFile(join(from, 'users_full_20250109_143002.json.gz'), {
    collection: 'users',
    documents: PAYLOADS,
  });
  await writeFile(join(from, 'notes.txt'), 'hello');
  await symlink(from, join(from, 'loop'));
  const report = await adopt(project.repository, { ...REQUEST, from, compression: 'zstd' });
  expect(report.errors).toEqual([]);
  expect(report.backups.map(({ backup_id }) => backup_id)).toEqual(
    ['gr%c3%b6%c3%9fe_full_20250109_143002', 'users_full_20250109_143002', 'users_full_20250109_143003'].map(
      (id) => id.replace(/^gr/, '%47r'),
    ),
  );
  expect(await verify(project.repository, DECODE)).toMatchObject({ exit_code: 0, errors: [] });
});

test('a dry run writes nothing and says the same', async () => {
  const { project } = await withArchive();
  await using _ = project;
  const tree = await project.storeTree();
  const report = await adopt(project.repository, { ...REQUEST, dryRun: true });
  expect(report).toMatchObject({
    exit_code: 0,
    backups: [{ outcome: 'adopted', backup_id: null, document_count: 3 }],
  });
  expect(await project.storeTree()).toEqual(tree);
});

test('an incremental one never counts as good', async () => {
  const { project } = await withArchive({ backupType: 'incremental', sinceTimestamp: '2025-01-08T02:00:00' });
  await using _ = project;
  const report = await adopt(project.repository, REQUEST);
  const { backup_id: backupId } = report.backups[0]!;
  // the file's name says full, so it says nothing of the time
  expect(backupId).toBe('users_incremental_20250109_143002');
  expect(report).toMatchObject({ exit_code: 0, backups: [{ status: 'incomplete' }] });
  expect(report.backups[0]!.missing[0]).toContain('2025-01-08T02:00:00');
  expect((await list(project.repository, {})).backups).toMatchObject([{ good: false }]);
  expect(await verify(project.repository, DECODE)).toMatchObject({ exit_code: 0 });
  expect(await exported(project, backupId!)).toEqual(PAYLOADS.map(asPythonPrints));
  const { report: restored } = await project.restore({ backupId: backupId! });
  expect(restored).toMatchObject({
    exit_code: 3,
    counts: { created: 3 },
    errors: [{ code: 'SOURCE_UNPROVEN' }],
  });
});

test('a document that was read twice is kept once; two versions of one make it incomplete', async () => {
  const first = '{"id":"a","n":1}';
  const second = '{"id":"b","n":1}';
  const repeating = await withArchive({ documents: [first, second, first, '{"n":1}', '{"n":1}'] });
  await using one = repeating.project;
  const report = await adopt(one.repository, REQUEST);
  expect(report).toMatchObject({
    exit_code: 0,
    warnings: [{ code: 'ADOPTED_UNPROVEN' }, { code: 'ADOPTED_REPEATED' }],
    backups: [{ status: 'completed', document_count: 4 }],
  });
  const from = join(one.directory, 'copy');
  await mkdir(from);
  await writeFile(join(from, 'x.json.gz'), gzipSync(gunzipSync(repeating.bytes)));
  const again = await adopt(one.repository, { ...REQUEST, from });
  expect(again.backups).toMatchObject([{ outcome: 'known' }]);

  const changing = await withArchive({ documents: [first, '{"id":"a","n":2}', '{"id":7}', '{"id":"7"}'] });
  await using other = changing.project;
  const { backups } = await adopt(other.repository, REQUEST);
  expect(backups).toMatchObject([{ status: 'incomplete', document_count: 4 }]);
  expect(backups[0]!.missing).toEqual([expect.stringContaining('1 documents have the key of another one')]);
  expect((await list(other.repository, {})).backups[0]!.good).toBe(false);
});

test('what is no whole archive is refused by name, and the others go on', async () => {
  await using project = await Project.open(SETTINGS[0]);
  const from = join(project.directory, 'old');
  const good = { collection: 'users', documents: PAYLOADS };
  const whole = await writePredecessorFile(join(from, 'good.json.gz'), good);
  const text = predecessorText(good);
  const files: Record<string, Buffer> = {
    'cut.json.gz': whole.subarray(0, whole.length - 20),
    'damaged.json.gz': Buffer.from(whole),
    'followed.json.gz': Buffer.concat([whole, Buffer.from('rest')]),
    'miscounted.json.gz': pythonGzip(predecessorText({ ...good, documentCount: 4 }), 'x.gz'),
    'not-gzip.json.gz': Buffer.from(text),
    'not-json.json.gz': pythonGzip('hello', 'x.gz'),
    'no-version.json.gz': pythonGzip(text.replace('"version"', '"verse"'), 'x.gz'),
    'empty.json.gz': Buffer.alloc(0),
  };
  files['damaged.json.gz']![60]! ^= 4;
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(from, name), bytes);
  const report = await adopt(project.repository, { ...REQUEST, from });
  expect(report.exit_code).toBe(3);
  expect(report.errors.length).toBe(Object.keys(files).length);
  for (const { file, outcome, error } of report.backups) {
    if (file.endsWith('/good.json.gz')) {
      expect(outcome).toBe('adopted');
      continue;
    }
    expect(outcome).toBe('failed');
    expect(error).toMatchObject({ code: 'ADOPT_REFUSED', object: file });
    expect(error!.message).toContain(file);
  }
  expect((await list(project.repository, {})).total_backups).toBe(1);
  const alone = await adopt(project.repository, { ...REQUEST, from: join(from) });
  expect(alone.exit_code).toBe(3);
});

test('an archive of ours without a manifest is left alone', async () => {
  await using project = await Project.open(SETTINGS[0]);
  project.sandbox.insert('users', PAYLOADS[0]!);
  const { backups } = await project.backup({ collections: ['users'] });
  const backupId = backups[0]!.backup_id!;
  const archive = await readFile(`${project.storePath}/backups/${backupId}.json.gz`);
  const orphan = 'users_full_20200101_000000';
  await writeFile(`${project.storePath}/backups/${orphan}.json.gz`, archive);
  const packed = gzipSync(gunzipSync(archive));
  await writeFile(`${project.storePath}/backups/users_full_20200101_000001.json.gz`, packed);
  const tree = await project.storeTree();
  const report = await adopt(project.repository, REQUEST);
  expect(report).toMatchObject({ exit_code: 0, backups: [{ outcome: 'ours' }, { outcome: 'ours' }] });
  expect(await project.storeTree()).toEqual(tree);
});

test('the marker says whose documents they are, else the configuration, else nobody', async () => {
  const { project } = await withArchive();
  await using _ = project;
  await expect(adopt(project.repository, { ...REQUEST, source: null })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  });
  await adopt(project.repository, REQUEST);
  const from = join(project.directory, 'old');
  await writePredecessorFile(join(from, 'x.json.gz'), { collection: 'events', documents: ['{"id":1}'] });
  const other = { host: 'elsewhere.example.com', project: null };
  await adopt(project.repository, { ...REQUEST, from, source: other });
  const { backups } = await list(project.repository, {});
  expect(backups.map(({ manifest }) => manifest.source)).toEqual([
    { ...SOURCE, dialect: 'A' },
    { ...SOURCE, dialect: 'A' },
  ]);
});

test('where nothing lies nothing is adopted, and that is said', async () => {
  await using project = await Project.open(SETTINGS[0]);
  const from = join(project.directory, 'nothing');
  await expect(adopt(project.repository, { ...REQUEST, from })).rejects.toMatchObject({
    code: 'USAGE_INVALID',
  });
  await mkdir(from);
  expect(await adopt(project.repository, { ...REQUEST, from })).toMatchObject({ exit_code: 5, backups: [] });
  await expect(adopt(project.repository, REQUEST)).rejects.toMatchObject({ code: 'STORE_MISSING' });
});

const SHAPES = [
  ['flat', (payload: string, _n: number) => payload],
  [
    'id_data',
    (payload: string, n: number) => `{"id":"u${n + 1}","data":${payload},"created_at":"2025-01-01T00:00:00"}`,
  ],
  [
    'row',
    (payload: string, n: number) =>
      `{"row_id":"r${n + 1}","row_data":${payload},"created_at":"2025-01-01T00:00:00"}`,
  ],
] as const;

test.each(
  SETTINGS.flatMap((setting) => SHAPES.map(([shape, wrap]) => ({ ...setting, from: shape, setting, wrap }))),
)('documents of shape $from are restored into dialect $dialect, $shape', async ({ setting, from, wrap }) => {
  const { project } = await withArchive({ documents: PAYLOADS.map(wrap) }, setting);
  await using _ = project;
  const { backups } = await adopt(project.repository, REQUEST);
  const backupId = backups[0]!.backup_id!;
  expect((await list(project.repository, {})).backups[0]!.manifest.document_shape).toBe(from);
  const { report } = await project.restore({ backupId });
  expect(report).toMatchObject({ exit_code: 0, errors: [], counts: { created: 3 } });
  expect(project.payloads('users')).toEqual(PAYLOADS.map(asPythonPrints).sort());
  const again = await project.restore({ backupId });
  expect(again.report).toMatchObject({ exit_code: 0, counts: { created: 0, same: 3 } });
});

test.each(['before', 'after'] as const)(
  'a crash %s the effect of any call leaves the files, and no half a backup',
  async (when) => {
    await using project = await Project.open(SETTINGS[0]);
    const from = join(project.directory, 'old');
    const files = new Map<string, Buffer>();
    for (const collection of ['events', 'users']) {
      const path = join(from, `${collection}_full_20250109_143000.json.gz`);
      files.set(path, await writePredecessorFile(path, { collection, documents: PAYLOADS }));
    }
    const over = (platform: Platform): Repository =>
      openRepository(
        platform,
        openDirectoryStore(platform, project.storePath),
        project.repository.stateDirectory,
      );
    const crashingAdopt = async (crashAt: number): Promise<number> => {
      const crashing = crashingPlatform(createPlatform(), crashAt, when);
      await adopt(over(crashing.platform), { ...REQUEST, from }).catch(() => null);
      return crashing.calls().length;
    };
    const total = await crashingAdopt(Number.POSITIVE_INFINITY);
    expect(total).toBeGreaterThan(60);
    for (let crashAt = 1; crashAt <= total; crashAt += 4) {
      await rm(project.storePath, { recursive: true, force: true });
      await crashingAdopt(crashAt);
      const again = await adopt(over(createPlatform()), { ...REQUEST, from });
      expect(again, `${crashAt}`).toMatchObject({ exit_code: 0, errors: [] });
      const verified = await verify(project.repository, DECODE);
      expect(verified, `${crashAt}`).toMatchObject({ exit_code: 0, errors: [] });
      expect(verified.backups.map(({ collection }) => collection).sort(), `${crashAt}`).toEqual([
        'events',
        'users',
      ]);
    }
    for (const [path, bytes] of files) expect((await readFile(path)).equals(bytes)).toBe(true);
  },
);
