import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCatalog } from '../../../src/catalog/catalog.ts';
import { type ManifestCache, openManifestCache } from '../../../src/catalog/manifest-cache.ts';
import { encodeManifest } from '../../../src/model/manifest.ts';
import type { Store } from '../../../src/stores/store.ts';
import { BACKUP_ID, MANIFEST_FIELDS } from '../../support/manifests.ts';
import { memoryStore } from '../../support/memory-store.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../../support/temporary-directory.ts';
import { testPlatform } from '../../support/test-platform.ts';

const platform = testPlatform();
const OTHER_ID = 'users_full_20250110_143000';

function manifestOf(id: string): Buffer {
  const named = { backup_id: id, file_name: `${id}.json.gz`, object_path: `backups/${id}.json.gz` };
  return Buffer.from(encodeManifest(platform.codec, { ...MANIFEST_FIELDS, ...named }));
}

describe('copies of manifests', () => {
  let directory: TemporaryDirectory;
  let objects: Map<string, Buffer>;
  let reads: string[];
  let store: Store;
  let cache: ManifestCache;
  beforeEach(() => {
    directory = temporaryDirectory();
    objects = new Map([BACKUP_ID, OTHER_ID].map((id) => [`manifests/${id}.json`, manifestOf(id)]));
    reads = [];
    const memory = memoryStore(objects);
    store = {
      ...memory,
      traits: { ...memory.traits, remote: true },
      get: (key, range, signal) => {
        reads.push(key);
        return memory.get(key, range, signal);
      },
    };
    cache = openManifestCache({ platform, store, stateDirectory: directory.path })!;
  });
  afterEach(() => directory[Symbol.dispose]());

  const ids = async (): Promise<string[]> => {
    reads.length = 0;
    const { backups, damaged } = await readCatalog({ platform, store }, undefined, { cache });
    expect(damaged).toEqual([]);
    return backups.map(({ backup_id }) => backup_id);
  };
  const place = (): string => `${directory.path}/manifests/${readdirSync(`${directory.path}/manifests`)[0]!}`;
  const file = (): string => `${place()}/${BACKUP_ID}`;

  it('spare the second reading, and are for their owner only', async () => {
    expect(await ids()).toEqual([OTHER_ID, BACKUP_ID].toSorted());
    expect(reads).toHaveLength(2);
    expect(await ids()).toHaveLength(2);
    expect(reads).toEqual([]);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(statSync(place()).mode & 0o777).toBe(0o700);
  });

  it.each<[string, (path: string) => void]>([
    ['is damaged', (path) => writeFileSync(path, readFileSync(path, 'utf8').replace('1250', '1251'))],
    ['is another manifest', (path) => writeFileSync(path, manifestOf(OTHER_ID))],
    ['is shorter', (path) => truncateSync(path, 100)],
    ['is empty', (path) => truncateSync(path, 0)],
  ])('count for nothing where one %s, and are made again', async (_what, spoil) => {
    await ids();
    spoil(file());
    expect(await ids()).toHaveLength(2);
    expect(reads).toEqual([`manifests/${BACKUP_ID}.json`]);
    expect(await ids()).toHaveLength(2);
    expect(reads).toEqual([]);
  });

  it('count for nothing where the store has a manifest of another length', async () => {
    await ids();
    objects.set(`manifests/${BACKUP_ID}.json`, Buffer.from('{}'));
    const { damaged } = await readCatalog({ platform, store }, undefined, { cache });
    expect(damaged.map(({ backupId }) => backupId)).toEqual([BACKUP_ID]);
  });

  it('go with their manifests, and of damaged ones there are none', async () => {
    await ids();
    objects.delete(`manifests/${OTHER_ID}.json`);
    await ids();
    expect(readdirSync(place())).toEqual([BACKUP_ID]);
    objects.set(`manifests/${OTHER_ID}.json`, Buffer.from('damaged'));
    await readCatalog({ platform, store }, undefined, { cache });
    expect(readdirSync(place())).toEqual([BACKUP_ID]);
  });

  it('are done without where the state directory cannot be used', async () => {
    writeFileSync(`${directory.path}/manifests`, 'a file in the way');
    expect(await ids()).toHaveLength(2);
    expect(await ids()).toHaveLength(2);
    expect(reads).toHaveLength(2);
  });

  it('are not made of a store on this machine', () => {
    const local = memoryStore(objects);
    expect(openManifestCache({ platform, store: local, stateDirectory: directory.path })).toBeNull();
  });
});
