import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BackupError } from '../../src/kernel/errors.ts';
import { canonicalJson } from '../../src/kernel/json/canonical.ts';
import type { VerifyLevel, VerifyReport } from '../../src/model/report.ts';
import { planRestore, validateBackup } from '../../src/operations/restore.ts';
import { verify } from '../../src/operations/verify.ts';
import { openRepository, type Repository } from '../../src/repository.ts';
import { memoryStore } from '../support/memory-store.ts';
import { Project } from '../support/project.ts';

/**
 * A small store, made by real backups of a real server, and every way of damaging it: each byte of each object
 * changed, each cut, bytes added, objects gone and swapped (failure-catalogue T05 to T08, C04, C08).
 */
let project: Project;
/** What the backups stored. */
let whole: ReadonlyMap<string, Buffer>;
let damagedId: string;
let otherId: string;

beforeAll(async () => {
  project = await Project.open({ dialect: 'B', shape: 'id_data' });
  for (const [id, text] of [
    ['a', '1.0'],
    ['b', '"ünïcode"'],
    ['c', '[9007199254740993]'],
  ]) {
    project.sandbox.insert('users', `{"id":"${id}","value":${text}}`);
  }
  project.sandbox.insert('events', '{"id":1,"title":"first"}');
  for (const compression of ['gzip', 'zstd'] as const) {
    const report = await project.backup({
      compression,
      collections: compression === 'gzip' ? ['users'] : ['events'],
    });
    if (compression === 'gzip') damagedId = report.backups[0]!.backup_id!;
    else otherId = report.backups[0]!.backup_id!;
  }
  const objects = new Map<string, Buffer>();
  for (const [path, content] of await project.storeTree()) {
    if (!path.includes('.partial') && content !== '')
      objects.set(path.slice(1), Buffer.from(content, 'latin1'));
  }
  whole = objects;
});
afterAll(() => project[Symbol.asyncDispose]());

type Kind = 'archive' | 'index' | 'manifest' | 'marker';

function keyOf(kind: Kind, id = damagedId): string {
  const prefix = { archive: 'backups/', index: 'indexes/', manifest: 'manifests/', marker: 'repository' }[
    kind
  ];
  return [...whole.keys()].find((key) => key.startsWith(prefix) && (kind === 'marker' || key.includes(id)))!;
}

function repositoryWith(changes: Readonly<Record<string, Buffer | null>>): Repository {
  const objects = new Map(whole);
  for (const [key, bytes] of Object.entries(changes)) {
    if (bytes === null) objects.delete(key);
    else objects.set(key, bytes);
  }
  return openRepository(project.platform, memoryStore(objects), project.directory);
}

const verifyAll = (repository: Repository, level: VerifyLevel): Promise<VerifyReport> =>
  verify(repository, { backupIds: null, level, maxAgeMs: null });

const CODES = {
  archive: 'ARCHIVE_DAMAGED',
  index: 'INDEX_DAMAGED',
  manifest: 'MANIFEST_DAMAGED',
  marker: 'MARKER_DAMAGED',
} as const;

/** Verify must name this backup and what of it is hit, and nothing else. */
async function expectNoticed(
  kind: Kind,
  changes: Readonly<Record<string, Buffer | null>>,
  level: VerifyLevel,
  what: string,
): Promise<void> {
  const report = await verifyAll(repositoryWith(changes), level);
  expect(report.exit_code, what).toBe(4);
  expect(
    report.errors.map(({ code, object }) => ({ code, object })),
    what,
  ).toEqual([{ code: CODES[kind], object: kind === 'marker' ? 'repository.json' : damagedId }]);
  expect(report.errors[0]!.message, what).toMatch(
    kind === 'marker' ? /marker/ : new RegExp(`${kind}.*${damagedId}`),
  );
  expect(report.errors[0]!.cure, what).toMatch(/^[A-Z].*\.$/);
  expect(
    Object.fromEntries(report.backups.map((backup) => [backup.backup_id, backup.outcome])),
    what,
  ).toEqual({
    [damagedId]: kind === 'marker' ? 'good' : 'damaged',
    [otherId]: 'good',
  });
}

/** A restore refuses, and names what is hit; where it is only the index, it works and says so. */
async function expectRefused(
  kind: Kind,
  changes: Readonly<Record<string, Buffer | null>>,
  what: string,
): Promise<void> {
  const repository = repositoryWith(changes);
  if (kind === 'index') {
    const report = await validateBackup(repository, damagedId);
    expect(report.exit_code, what).toBe(0);
    expect(
      report.warnings.map(({ code }) => code),
      what,
    ).toEqual(['INDEX_DAMAGED']);
    return;
  }
  const refusal = await validateBackup(repository, damagedId).catch((thrown: unknown) => thrown);
  expect(refusal, what).toBeInstanceOf(BackupError);
  expect(refusal, what).toMatchObject({
    code: CODES[kind],
    object: kind === 'marker' ? 'repository.json' : damagedId,
  });
}

const KINDS: readonly Kind[] = ['archive', 'index', 'manifest', 'marker'];
const LEVELS: readonly VerifyLevel[] = ['checksum', 'decode'];
/** Manifests and marker are read in the same way at every level. */
const levelsOf = (kind: Kind): readonly VerifyLevel[] =>
  kind === 'archive' || kind === 'index' ? LEVELS : ['checksum'];

describe('the store before it is damaged', () => {
  it.each(['presence', ...LEVELS] as const)('is good at level %s', async (level) => {
    const report = await verifyAll(repositoryWith({}), level);
    expect(report).toMatchObject({ exit_code: 0, errors: [], unfinished: [] });
    expect(report.backups).toHaveLength(2);
  });
});

describe.each(KINDS)('a damaged %s', (kind) => {
  it.each(levelsOf(kind))('is noticed at level %s: every byte changed', async (level) => {
    const key = keyOf(kind);
    const bytes = whole.get(key)!;
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1 << (at % 8);
      await expectNoticed(kind, { [key]: changed }, level, `byte ${at}`);
    }
  });

  it.each(levelsOf(kind))('is noticed at level %s: every cut', async (level) => {
    const key = keyOf(kind);
    const bytes = whole.get(key)!;
    for (let length = 0; length < bytes.length; length++) {
      await expectNoticed(kind, { [key]: bytes.subarray(0, length) }, level, `cut at ${length}`);
    }
  });

  it('is noticed where bytes were added', async () => {
    const key = keyOf(kind);
    const bytes = whole.get(key)!;
    for (const [name, changed] of Object.entries({
      'a zero behind': Buffer.concat([bytes, Buffer.alloc(1)]),
      'zeros behind': Buffer.concat([bytes, Buffer.alloc(512)]),
      'a line end behind': Buffer.concat([bytes, Buffer.from('\n')]),
      'itself behind': Buffer.concat([bytes, bytes]),
      'a zero before': Buffer.concat([Buffer.alloc(1), bytes]),
      'a byte in the middle': Buffer.concat([bytes.subarray(0, 40), Buffer.from(' '), bytes.subarray(40)]),
    })) {
      for (const level of LEVELS) await expectNoticed(kind, { [key]: changed }, level, `${name}, ${level}`);
      if (kind === 'archive' || kind === 'index') {
        await expectNoticed(kind, { [key]: changed }, 'presence', `${name}, presence`);
      }
    }
  });

  it('is never restored as good: every byte changed, every cut', async () => {
    const key = keyOf(kind);
    const bytes = whole.get(key)!;
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 0xff;
      await expectRefused(kind, { [key]: changed }, `byte ${at}`);
      await expectRefused(kind, { [key]: bytes.subarray(0, at) }, `cut at ${at}`);
    }
  });
});

describe('objects that are gone', () => {
  it.each(['archive', 'index'] as const)('an %s: at every level, and a restore knows', async (kind) => {
    const changes = { [keyOf(kind)]: null };
    for (const level of ['presence', ...LEVELS] as const) await expectNoticed(kind, changes, level, level);
    await expectRefused(kind, changes, 'gone');
  });

  it('a manifest: the backup does not exist, its archive is shown as unfinished', async () => {
    const report = await verifyAll(repositoryWith({ [keyOf('manifest')]: null }), 'checksum');
    expect(report).toMatchObject({ exit_code: 0, unfinished: [damagedId] });
    await expect(
      verify(repositoryWith({ [keyOf('manifest')]: null }), {
        backupIds: [damagedId],
        level: 'checksum',
        maxAgeMs: null,
      }),
    ).rejects.toMatchObject({ code: 'BACKUP_MISSING', exit: 5 });
  });

  it('the marker: nothing is missed', async () => {
    const report = await verifyAll(repositoryWith({ [keyOf('marker')]: null }), 'decode');
    expect(report).toMatchObject({ exit_code: 0, errors: [] });
  });
});

describe('objects that were swapped', () => {
  it.each(KINDS.slice(0, 3))('%s with %s', async (kind) => {
    const [one, other] = [keyOf(kind), keyOf(kind, otherId)];
    const changes = { [one]: whole.get(other)!, [other]: whole.get(one)! };
    for (const level of LEVELS) {
      const report = await verifyAll(repositoryWith(changes), level);
      expect(report.exit_code).toBe(4);
      expect(report.backups.map(({ outcome }) => outcome)).toEqual(['damaged', 'damaged']);
      expect(report.errors.map(({ code }) => code)).toEqual([CODES[kind], CODES[kind]]);
      expect(new Set(report.errors.map(({ object }) => object))).toEqual(new Set([damagedId, otherId]));
    }
    await expectRefused(kind, changes, 'swapped');
  });
});

describe('manifests that lie', () => {
  /** A manifest with some members changed and its hash made right again: by someone, not by accident. */
  function forged(change: Record<string, unknown>): Readonly<Record<string, Buffer>> {
    const key = keyOf('manifest');
    const { manifest_sha256: _, ...fields } = JSON.parse(whole.get(key)!.toString()) as Record<
      string,
      unknown
    >;
    const changed = { ...fields, ...change };
    const hash = createHash('sha256').update(canonicalJson(changed)).digest('hex');
    return { [key]: Buffer.from(canonicalJson({ ...changed, manifest_sha256: hash })) };
  }

  it.each<[string, Record<string, unknown>]>([
    ['the number of documents', { document_count: 2 }],
    ['the size of the archive', { file_size: 10 }],
    ['a larger size of the archive', { file_size: 10_000_000_000 }],
    ['the length of the text', { raw_size: 12 }],
    ['a larger length of the text', { raw_size: 9007199254740991 }],
    ['the hash', { sha256: '0'.repeat(64) }],
    ['the digest of documents', { documents_digest: '0'.repeat(32) }],
    ['the digest of contents', { content_digest: '0'.repeat(32) }],
    ['the shape', { document_shape: 'flat' }],
    ['the collection', { collection: 'orders' }],
    ['the compression', { compression: 'zstd' }],
    ['the archive', { object_path: 'backups/none_full_20250101_000000.json.gz' }],
    ['a path that leads out', { object_path: '../../etc/passwd' }],
  ])('about %s are caught', async (_, change) => {
    const repository = repositoryWith(forged(change));
    const report = await verifyAll(repository, 'decode');
    expect(report.exit_code).not.toBe(0);
    const outcomes = Object.fromEntries(report.backups.map((backup) => [backup.backup_id, backup.outcome]));
    expect(outcomes[damagedId]).not.toBe('good');
    expect(outcomes[otherId]).toBe('good');
    await expect(validateBackup(repository, damagedId)).rejects.toBeInstanceOf(BackupError);
  });

  it('of a newer format are refused, and never rewritten', async () => {
    const changes = forged({ format: 'zerodb-backup/2', encryption: { method: 'age' } });
    const repository = repositoryWith(changes);
    const report = await verifyAll(repository, 'checksum');
    expect(report.backups.find((backup) => backup.backup_id === damagedId)!.outcome).toBe('failed');
    expect(report.exit_code).not.toBe(0);
    expect(report.errors[0]).toMatchObject({
      code: 'FORMAT_UNKNOWN',
      object: damagedId,
      cure: expect.stringMatching(/newer zerodb-backup/),
    });
    await expect(validateBackup(repository, damagedId)).rejects.toMatchObject({ code: 'FORMAT_UNKNOWN' });
  });
});

it('a restore writes nothing when what it would restore is damaged', async () => {
  const key = keyOf('archive');
  const changed = Buffer.from(whole.get(key)!);
  changed[changed.length >> 1]! ^= 1;
  const before = project.sandbox.digest();
  const writes = project.sandbox.writes;
  await expect(
    planRestore(repositoryWith({ [key]: changed }), project.target, { backupId: damagedId }),
  ).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
  expect(project.sandbox.digest()).toBe(before);
  expect(project.sandbox.writes).toBe(writes);
});
