import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readCatalog } from '../../src/catalog/catalog.ts';
import type { Codec } from '../../src/kernel/codec.ts';
import { BackupError } from '../../src/kernel/errors.ts';
import type { Platform } from '../../src/kernel/platform.ts';
import { type BackupRequest, backup } from '../../src/operations/backup.ts';
import { verify } from '../../src/operations/verify.ts';
import { openRepository } from '../../src/repository.ts';
import type { Store } from '../../src/stores/store.ts';
import { dishonestStore, LIES } from '../support/dishonest-store.ts';
import { memoryStore } from '../support/memory-store.ts';
import { Project, REQUEST } from '../support/project.ts';

/**
 * A store that damages what it writes and answers success (failure-catalogue T03, T04), a compressor that is faulty
 * (D18), memory that is (D19): the read-back notices before anything is committed.
 */
let project: Project;
/** What an honest run stored before. */
let earlier: ReadonlyMap<string, Buffer>;
let objects: Map<string, Buffer>;

const run = (store: Store, request: Partial<BackupRequest> = {}, platform: Platform = project.platform) =>
  backup(openRepository(platform, store, project.directory), project.target, {
    ...REQUEST,
    concurrency: 1,
    ...request,
  });

beforeAll(async () => {
  project = await Project.open({ dialect: 'A', shape: 'id_data' });
  for (let at = 0; at < 50; at++) project.sandbox.insert('users', `{"id":"u${at}","n":${at}.0}`);
  for (let at = 0; at < 5; at++) project.sandbox.insert('events', `{"id":"e${at}"}`);
  objects = new Map();
  await run(memoryStore(objects), { collections: ['users', 'events'] });
  earlier = new Map(objects);
});
afterAll(() => project[Symbol.asyncDispose]());
beforeEach(() => {
  expect(earlier.size).toBe(7); // two backups of three objects, and the marker
  objects = new Map(earlier);
});

async function expectEarlierUntouched(): Promise<void> {
  for (const [key, bytes] of earlier) expect(objects.get(key)?.equals(bytes), key).toBe(true);
  const repository = openRepository(project.platform, memoryStore(objects), project.directory);
  const report = await verify(repository, { backupIds: null, level: 'decode', maxAgeMs: null });
  expect(report).toMatchObject({ exit_code: 0, errors: [] });
}

const PREFIXES = ['backups/', 'indexes/', 'manifests/'] as const;

describe.each(PREFIXES)('a store that, of %s*,', (prefix) => {
  it.each(LIES)('%s: exit 7, nothing committed, earlier backups untouched', async (lie) => {
    for (const compression of ['gzip', 'zstd'] as const) {
      objects = new Map(earlier);
      const store = dishonestStore(memoryStore(objects), { lie, prefix, nth: 1 });
      const report = await run(store, { collections: ['users'], compression });
      expect(store.lied).toBe(true);
      expect(report.exit_code).toBe(7);
      expect(report.backups).toMatchObject([{ outcome: 'failed', backup_id: null }]);
      expect(report.errors).toMatchObject([
        {
          code: 'STORE_DAMAGED',
          kept: expect.stringMatching(/Earlier backups/),
          cure: expect.stringMatching(/^Check/),
        },
      ]);
      expect(report.errors[0]!.message).toContain(`does not give back ${prefix}users_full_`);
      expect([...objects.keys()].sort(), 'what was stored is withdrawn').toEqual([...earlier.keys()].sort());
      await expectEarlierUntouched();
    }
  });

  it.each(LIES)('%s, for one collection of two: the other is backed up', async (lie) => {
    for (const nth of [1, 2]) {
      objects = new Map(earlier);
      const store = dishonestStore(memoryStore(objects), { lie, prefix, nth });
      const report = await run(store, { collections: ['users', 'events'] });
      expect(report.exit_code).toBe(3);
      expect(report.backups.map(({ outcome }) => outcome)).toEqual(
        nth === 1 ? ['failed', 'completed'] : ['completed', 'failed'],
      );
      expect(report.errors.map(({ code }) => code)).toEqual(['STORE_DAMAGED']);
      await expectEarlierUntouched();
      const catalog = await readCatalog({ platform: project.platform, store: memoryStore(objects) });
      expect(catalog).toMatchObject({ damaged: [], unfinished: [] });
      expect(catalog.backups).toHaveLength(3);
    }
  });

  it('lies and lets nothing be removed: no backup is listed as good', async () => {
    const forbidden = new BackupError('STORE_FORBIDDEN', 'append only');
    const appendOnly: Store = { ...memoryStore(objects), remove: () => Promise.reject(forbidden) };
    const report = await run(dishonestStore(appendOnly, { lie: 'flips a bit', prefix, nth: 1 }), {
      collections: ['users'],
    });
    expect(report.errors.map(({ code }) => code)).toEqual(['STORE_DAMAGED']);
    const catalog = await readCatalog({ platform: project.platform, store: memoryStore(objects) });
    expect(catalog.backups).toHaveLength(2);
    expect(catalog.damaged.length + catalog.unfinished.length).toBe(1);
  });
});

describe('the machine itself', () => {
  const withCodec = (codec: Partial<Codec>): Platform => ({
    ...project.platform,
    codec: { ...project.platform.codec, ...codec },
  });

  it.each(['gzip', 'zstd'] as const)('a compressor of %s that is wrong is noticed', async (compression) => {
    const platform = withCodec({
      compress: (method, level, parts) => {
        const isDocuments = parts[0]!.length > 1000;
        const wrong = isDocuments ? parts.map((part) => Buffer.from(part).fill('9', 40, 41)) : parts;
        return project.platform.codec.compress(method, level, wrong);
      },
    });
    const report = await run(memoryStore(objects), { collections: ['users'], compression }, platform);
    expect(report.exit_code).toBe(7);
    expect(report.errors.map(({ code }) => code)).toEqual(['STORE_DAMAGED']);
    expect([...objects.keys()].sort()).toEqual([...earlier.keys()].sort());
    await expectEarlierUntouched();
  });

  it('a byte that changes in memory after it was compressed is noticed', async () => {
    let puts = 0;
    const inner = memoryStore(objects);
    const store: Store = {
      ...inner,
      put: (key, pieces, signal) =>
        inner.put(key, key.startsWith('backups/') && ++puts === 1 ? flipped(pieces) : pieces, signal),
    };
    const report = await run(store, { collections: ['users'] });
    expect(report.exit_code).toBe(7);
    expect(report.errors.map(({ code }) => code)).toEqual(['STORE_DAMAGED']);
    await expectEarlierUntouched();
  });
});

async function* flipped(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let count = 0;
  for await (const piece of pieces) {
    if (++count === 3) piece[piece.length - 1]! ^= 1;
    yield piece;
  }
}

it('without the read-back, a lie is found by verify', async () => {
  const store = dishonestStore(memoryStore(objects), { lie: 'flips a bit', prefix: 'backups/', nth: 1 });
  const report = await run(store, { collections: ['users'], readBack: false });
  expect(report.exit_code).toBe(0);
  const repository = openRepository(project.platform, memoryStore(objects), project.directory);
  const verified = await verify(repository, { backupIds: null, level: 'checksum', maxAgeMs: null });
  expect(verified.exit_code).toBe(4);
  expect(verified.errors).toMatchObject([{ code: 'ARCHIVE_DAMAGED', object: report.backups[0]!.backup_id }]);
});

it.each(LIES.filter((lie) => lie !== 'stores another object'))(
  'a store that, of its marker, %s: exit 7, and the next run needs nothing cleaned up',
  async (lie) => {
    objects = new Map();
    const store = dishonestStore(memoryStore(objects), { lie, prefix: 'repository.json', nth: 1 });
    const report = await run(store, { collections: ['users'] });
    expect(report).toMatchObject({ exit_code: 7, backups: [{ outcome: 'failed', backup_id: null }] });
    expect([...objects.keys()]).toEqual([]);
    expect(await run(memoryStore(objects), { collections: ['users'] })).toMatchObject({ exit_code: 0 });
  },
);
